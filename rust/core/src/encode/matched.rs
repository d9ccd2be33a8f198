//! Where the ids of one column stand in another: a join by hash, in partitions that fit a cache.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::column::{Column, Integers, Keys, LongKeys, ShortKeys};
use super::hashed::HASH;
use super::numbered::Numbered;
use super::{NULL, TASK_ROWS, Text, direct, pieces};
use crate::error::{Error, Result};

/// For each row of `asked` the row of `ids` that holds the same id; `NULL` where none does, or the row holds none.
///
/// No id is in `ids` twice. Both are columns of strings, or both of integers of any width.
pub fn match_ids(ids: &Column<'_>, asked: &Column<'_>) -> Result<Vec<u32>> {
    let rows = ids.rows() + asked.rows();
    if rows >= NULL as usize {
        return Err(Error::TooManyRows {
            rows,
            rows_max: NULL as usize - 1,
        });
    }
    match (ids, asked) {
        (Column::Text(ids), Column::Text(asked)) => {
            let short = |text: &Text<'_>| {
                pieces([text.rows()].into_iter(), TASK_ROWS)
                    .into_par_iter()
                    .all(|(_, rows)| text.is_short(rows))
            };
            if let Some(found) = by_number(ids, asked) {
                return Ok(found);
            }
            Ok(if short(ids) && short(asked) {
                by_hash(&ShortKeys(ids), &ShortKeys(asked))
            } else {
                by_hash(&LongKeys(ids), &LongKeys(asked))
            })
        }
        (Column::Integers(ids), Column::Integers(asked)) => Ok(integers(*ids, *asked)),
        _ => Err(Error::MixedKeys),
    }
}

fn integers(ids: Integers<'_>, asked: Integers<'_>) -> Vec<u32> {
    let bounds = pieces([ids.rows()].into_iter(), TASK_ROWS)
        .into_par_iter()
        .filter_map(|(_, rows)| ids.bounds(rows))
        .reduce_with(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    let Some((low, high)) = bounds else {
        return vec![NULL; asked.rows()];
    };
    let [ids, asked] = [ids, asked].map(|integers| Between { integers, low, high });
    let range = (high - low) as u128 + 1;
    let known = |row| ids.key(row).map(|key| key as usize);
    let wanted = |row| asked.key(row).map(|key| key as usize);
    is_small(range, ids.rows())
        .then(|| by_place((ids.rows(), known), (asked.rows(), wanted), range as usize))
        .flatten()
        // A table, or a hash where the range is wide or a row holds no number.
        .unwrap_or_else(|| by_hash(&ids, &asked))
}

/// Integers that lie between bounds, as their distance from the lower one; others are no keys.
struct Between<'a> {
    integers: Integers<'a>,
    low: i128,
    high: i128,
}

impl Keys for Between<'_> {
    type Key = u64;

    fn rows(&self) -> usize {
        self.integers.rows()
    }

    #[inline]
    fn key(&self, row: usize) -> Option<u64> {
        let number = self.integers.get(row)?;
        (self.low <= number && number <= self.high).then(|| (number - self.low) as u64)
    }

    fn lead(key: u64, _skip: usize) -> u64 {
        key
    }

    fn shared(_one: u64, _other: u64) -> usize {
        0
    }
}

/// Whether a table with a place for every number of a range is worth it.
fn is_small(range: u128, rows: usize) -> bool {
    range <= direct::RANGE_MIN.max(4 * rows) as u128
}

/// Text that is numbers of a small range behind one beginning, those of the first and the last id its bounds: as ids
/// are that a system gave one after the other. None if it is not.
fn by_number(ids: &Text<'_>, asked: &Text<'_>) -> Option<Vec<u32>> {
    let last = ids.rows().checked_sub(1)?;
    let shape = Numbered::of(ids, 0)?;
    let (one, other) = (shape.number(ids, 0)?, shape.number(ids, last)?);
    let (low, high) = (one.min(other), one.max(other));
    let place = |number: u64| (low..=high).contains(&number).then(|| (number - low) as usize);
    if !is_small(u128::from(high - low) + 1, ids.rows()) {
        return None;
    }
    let known = |row| shape.number(ids, row).and_then(place);
    let wanted = |row| shape.number(asked, row).and_then(place);
    by_place((ids.rows(), known), (asked.rows(), wanted), (high - low) as usize + 1)
}

/// By a table with a place for every number of a small range; None if an id has no place.
fn by_place(
    (ids, known): (usize, impl Fn(usize) -> Option<usize> + Sync),
    (asked, wanted): (usize, impl Fn(usize) -> Option<usize> + Sync),
    range: usize,
) -> Option<Vec<u32>> {
    let places: Vec<_> = (0..range).into_par_iter().map(|_| AtomicU32::new(NULL)).collect();
    let all = (0..ids).into_par_iter().with_min_len(TASK_ROWS).all(|row| {
        let place = known(row);
        if let Some(place) = place {
            places[place].store(row as u32, Relaxed);
        }
        place.is_some()
    });
    all.then(|| {
        (0..asked)
            .into_par_iter()
            .with_min_len(TASK_ROWS)
            .map(|row| wanted(row).map_or(NULL, |place| places[place].load(Relaxed)))
            .collect()
    })
}

/// How many rows a partition should have: its keys and its table fit the second-level cache.
const PARTITION_ROWS: usize = 1 << 13;

/// More partitions than this cost more than they save.
const PARTITIONS_MAX: usize = 1 << 11;

/// How many rows are partitioned by one task: enough that each partition gets some cache lines.
const PIECE_ROWS: usize = 1 << 18;

/// By hash: keys travel with their rows to their partition, so that nothing is looked up at random.
fn by_hash<K: Keys>(ids: &K, asked: &K) -> Vec<u32> {
    let bits = ((ids.rows() + asked.rows()) / PARTITION_ROWS)
        .clamp(1, PARTITIONS_MAX)
        .ilog2();
    let (known, wanted) = rayon::join(|| parted(ids, bits), || parted(asked, bits));
    let found: Vec<_> = (0..asked.rows())
        .into_par_iter()
        .map(|_| AtomicU32::new(NULL))
        .collect();
    (0..1 << bits)
        .into_par_iter()
        .for_each_init(<(Vec<u32>, Vec<_>)>::default, |(slots, entries), partition| {
            entries.clear();
            for piece in &known {
                entries.extend_from_slice(piece.partition(partition));
            }
            let size = (2 * entries.len()).next_power_of_two();
            slots.clear();
            slots.resize(size, NULL);
            for (number, (key, _)) in entries.iter().enumerate() {
                let mut place = place_of(key, size);
                while slots[place] != NULL {
                    place = (place + 1) & (size - 1);
                }
                slots[place] = number as u32;
            }
            for (key, row) in wanted.iter().flat_map(|piece| piece.partition(partition)) {
                let mut place = place_of(key, size);
                while let Some((known, at)) = entries.get(slots[place] as usize) {
                    if known == key {
                        found[*row as usize].store(*at, Relaxed);
                        break;
                    }
                    place = (place + 1) & (size - 1);
                }
            }
        });
    found.into_iter().map(AtomicU32::into_inner).collect()
}

/// Where a key belongs in a table of its partition, which has the upper bits of its hash in common.
#[inline]
fn place_of<K: std::hash::Hash>(key: &K, size: usize) -> usize {
    HASH.hash_one(key) as usize & (size - 1)
}

/// Keys of a piece of a column with their rows, by partition.
struct Piece<K> {
    entries: Vec<(K, u32)>,
    ends: Vec<u32>,
}

impl<K> Piece<K> {
    fn partition(&self, partition: usize) -> &[(K, u32)] {
        // After the rows were placed, each partition's start has moved to its end.
        let start = if partition == 0 { 0 } else { self.ends[partition - 1] };
        &self.entries[start as usize..self.ends[partition] as usize]
    }
}

fn parted<K: Keys>(keys: &K, bits: u32) -> Vec<Piece<K::Key>> {
    let part = |key: &K::Key| HASH.hash_one(key).checked_shr(u64::BITS - bits).unwrap_or(0) as usize;
    pieces([keys.rows()].into_iter(), PIECE_ROWS)
        .into_par_iter()
        .map(|(_, rows)| {
            let mut ends = vec![0_u32; (1 << bits) + 1];
            let held = || {
                rows.clone()
                    .filter_map(|row| keys.key(row).map(|key| (key, row as u32)))
            };
            // Hashes are what this costs: each is worked out once.
            let parts: Vec<_> = held().map(|(key, _)| part(&key) as u16).collect();
            for &part in &parts {
                ends[part as usize + 1] += 1;
            }
            for partition in 0..1 << bits {
                ends[partition + 1] += ends[partition];
            }
            let mut entries = held().next().map_or(Vec::new(), |first| vec![first; parts.len()]);
            for (entry, part) in held().zip(parts) {
                let place = &mut ends[part as usize];
                entries[*place as usize] = entry;
                *place += 1;
            }
            Piece { entries, ends }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Layout, Numbers};
    use super::*;

    fn text(offsets: &'static [i32], bytes: &'static [u8]) -> Column<'static> {
        Column::Text(Text {
            layout: Layout::Offsets32(offsets, bytes),
            valid: None,
        })
    }

    fn whole(numbers: Numbers<'_>) -> Column<'_> {
        Column::Integers(Integers { numbers, valid: None })
    }

    #[test]
    fn text_is_found_whatever_its_length() {
        let (ids, asked) = (text(&[0, 1, 3, 4], b"abbc"), text(&[0, 1, 2, 4, 5], b"cxbbc"));
        assert_eq!(match_ids(&ids, &asked), Ok(vec![2, NULL, 1, 2]));
        let (ids, asked) = (
            text(&[0, 14, 15], b"a long long idx"),
            text(&[0, 1, 15], b"xa long long id"),
        );
        assert_eq!(match_ids(&ids, &asked), Ok(vec![1, 0]));
    }

    #[test]
    fn text_that_ends_in_numbers_is_found_by_them_and_other_text_is_not_taken_for_it() {
        let (ids, asked) = (
            text(&[0, 2, 4, 6], b"L3L1L7"),
            text(&[0, 2, 4, 6, 9, 11], b"L7M3L3L01L2"),
        );
        assert_eq!(match_ids(&ids, &asked), Ok(vec![2, NULL, 0, NULL, NULL]));
    }

    #[test]
    fn integers_of_any_width_are_found_and_no_others_wrap_around_to_them() {
        let ids = whole(Numbers::U64(&[u64::MAX, 7, 1 << 63]));
        let asked = whole(Numbers::I64(&[-1, 7, i64::MIN, 0]));
        assert_eq!(match_ids(&ids, &asked), Ok(vec![NULL, 1, NULL, NULL]));
        let (ids, asked) = (
            whole(Numbers::I8(&[3, -2, 0])),
            whole(Numbers::U64(&[0, 3, u64::MAX - 1])),
        );
        assert_eq!(match_ids(&ids, &asked), Ok(vec![2, 0, NULL]));
    }

    #[test]
    fn many_are_found_in_partitions() {
        let ids: Vec<i64> = (0..50_000).map(|n| n * 1_000_003).collect();
        let asked: Vec<i64> = (0..90_000).map(|n| (n * 7 % 60_000) * 1_000_003).collect();
        let found = match_ids(&whole(Numbers::I64(&ids)), &whole(Numbers::I64(&asked)));
        let expected = (0..90_000_u32)
            .map(|n| n * 7 % 60_000)
            .map(|n| if n < 50_000 { n } else { NULL });
        assert_eq!(found, Ok(expected.collect()));
    }

    #[test]
    fn text_is_no_number() {
        assert_eq!(
            match_ids(&text(&[0, 1], b"1"), &whole(Numbers::I8(&[1]))),
            Err(Error::MixedKeys)
        );
    }
}
