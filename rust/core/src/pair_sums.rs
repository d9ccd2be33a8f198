//! Amounts added up by pairs of numbers: partitioned by the first number until a partition fits a cache, sorted in it.

use rayon::prelude::*;

use crate::error::{Error, Result};

/// How many rows a partition should have.
const PARTITION_ROWS: usize = 1 << 12;

/// More partitions than this cost more than they save.
const PARTITIONS_MAX: usize = 1 << 11;

/// How many rows are partitioned by one task.
const PIECE_ROWS: usize = 1 << 19;

/// Pairs, each of them once and ascending, with the sums of their amounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PairSums {
    /// The first number of each pair.
    pub high: Vec<u32>,
    /// The second.
    pub low: Vec<u32>,
    /// Sums, by amount.
    pub amounts: Vec<Vec<i64>>,
}

/// Pairs of numbers with amounts, in one piece of memory.
#[derive(Debug, Clone, Copy)]
pub struct Numbers<'a, const N: usize> {
    /// The first number of each pair.
    pub high: &'a [u32],
    /// The second.
    pub low: &'a [u32],
    /// Amounts.
    pub amounts: [&'a [i64]; N],
}

/// A pair as one number, and its amounts.
type Entry<const N: usize> = (u64, [i64; N]);

/// Adds up amounts by pair; pairs whose sums are all zero are left out. No sum may exceed 63 bits.
pub fn pair_sums<const N: usize>(given: &[Numbers<'_, N>]) -> Result<PairSums> {
    let fits = |one: &Numbers<'_, N>| {
        let mut lengths = one.amounts.iter().map(|amount| amount.len());
        one.low.len() == one.high.len() && lengths.all(|length| length == one.high.len())
    };
    if !given.iter().all(fits) {
        return Err(Error::Table("pairs and amounts differ in length".into()));
    }
    let count = given.iter().map(|one| one.high.len()).sum::<usize>();
    let partitions = (count / PARTITION_ROWS).clamp(1, PARTITIONS_MAX).next_power_of_two();
    let most = given.iter().filter_map(|one| one.high.par_iter().copied().max()).max();
    let shift = (u32::BITS - most.unwrap_or(0).leading_zeros()).saturating_sub(partitions.ilog2());
    let part = |high: u32| (u64::from(high) >> shift) as usize;
    let pieces: Vec<_> = given
        .par_iter()
        .flat_map(|one| {
            let starts = (0..one.high.len()).into_par_iter().step_by(PIECE_ROWS);
            starts.map(move |start| (one, start..(start + PIECE_ROWS).min(one.high.len())))
        })
        .map(|(one, rows)| {
            let mut ends = vec![0_u32; partitions + 1];
            for high in &one.high[rows.clone()] {
                ends[part(*high) + 1] += 1;
            }
            for partition in 0..partitions {
                ends[partition + 1] += ends[partition];
            }
            let mut entries: Vec<Entry<N>> = vec![(0, [0; N]); rows.len()];
            for row in rows {
                let end = &mut ends[part(one.high[row])];
                let pair = u64::from(one.high[row]) << 32 | u64::from(one.low[row]);
                entries[*end as usize] = (pair, one.amounts.map(|amount| amount[row]));
                *end += 1;
            }
            (entries, ends)
        })
        .collect();
    let found: Vec<_> = (0..partitions)
        .into_par_iter()
        .map(|partition| {
            let mut entries: Vec<Entry<N>> = Vec::new();
            for (piece, ends) in &pieces {
                // Each partition's start has moved to its end.
                let start = if partition == 0 { 0 } else { ends[partition - 1] };
                entries.extend_from_slice(&piece[start as usize..ends[partition] as usize]);
            }
            sort(&mut entries, shift);
            entries.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    for (sum, amount) in kept.1.iter_mut().zip(next.1) {
                        *sum += amount;
                    }
                }
                same
            });
            entries.retain(|entry| entry.1 != [0; N]);
            entries
        })
        .collect();
    Ok(unzipped(&found))
}

/// Sorts the entries of a partition, whose first numbers have all but so many bits in common.
fn sort<const N: usize>(entries: &mut Vec<Entry<N>>, bits: u32) {
    let numbers = 1_usize << bits.min(u32::BITS - 1);
    if numbers > 2 * entries.len() + 64 {
        entries.sort_unstable_by_key(|entry| entry.0);
        return;
    }
    let number = |entry: &Entry<N>| (entry.0 >> 32) as usize & (numbers - 1);
    let mut ends = vec![0_u32; numbers + 1];
    for entry in entries.iter() {
        ends[number(entry) + 1] += 1;
    }
    for number in 0..numbers {
        ends[number + 1] += ends[number];
    }
    let mut sorted = entries.clone();
    for entry in entries.iter() {
        let end = &mut ends[number(entry)];
        sorted[*end as usize] = *entry;
        *end += 1;
    }
    // Each number's start has moved to its end; few pairs have their first number in common.
    let mut start = 0;
    for &end in &ends[..numbers] {
        if end - start > 1 {
            sorted[start as usize..end as usize].sort_unstable_by_key(|entry| entry.0);
        }
        start = end;
    }
    *entries = sorted;
}

/// The columns of entries that lie in partitions.
fn unzipped<const N: usize>(found: &[Vec<Entry<N>>]) -> PairSums {
    let total = found.iter().map(Vec::len).sum();
    let mut sums = PairSums {
        high: vec![0; total],
        low: vec![0; total],
        amounts: vec![vec![0; total]; N],
    };
    let parts = (cut(&mut sums.high, found), cut(&mut sums.low, found));
    let mut amounts: Vec<Vec<_>> = found.iter().map(|_| Vec::with_capacity(N)).collect();
    for column in &mut sums.amounts {
        for (of_partition, part) in amounts.iter_mut().zip(cut(column, found)) {
            of_partition.push(part);
        }
    }
    let parts = (found, parts.0, parts.1, amounts).into_par_iter();
    parts.for_each(|(entries, high, low, mut amounts)| {
        for (place, entry) in entries.iter().enumerate() {
            (high[place], low[place]) = ((entry.0 >> 32) as u32, entry.0 as u32);
            for (column, amount) in amounts.iter_mut().zip(entry.1) {
                column[place] = amount;
            }
        }
    });
    sums
}

/// A column cut into parts, each as long as one of these.
fn cut<'a, T, L>(mut column: &'a mut [T], lengths: &[Vec<L>]) -> Vec<&'a mut [T]> {
    let part = |length: &Vec<L>| column.split_off_mut(..length.len()).unwrap_or_default();
    lengths.iter().map(part).collect()
}

/// Columns one behind another.
pub(crate) fn joined<T: Copy + Default + Send + Sync>(pieces: &[Vec<T>]) -> Vec<T> {
    let mut column = vec![T::default(); pieces.iter().map(Vec::len).sum()];
    let parts = (cut(&mut column, pieces), pieces).into_par_iter();
    parts.for_each(|(part, piece)| part.copy_from_slice(piece));
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums<const N: usize>(high: &[u32], low: &[u32], amounts: [&[i64]; N]) -> Result<PairSums> {
        pair_sums(&[Numbers { high, low, amounts }])
    }

    #[test]
    fn amounts_are_added_up_by_pair_and_pairs_ascend() {
        let sums = sums(&[7, 0, 7, u32::MAX], &[1, 9, 1, 0], [&[2, 3, -5, 4], &[1, 1, 1, 1]]);
        let expected = PairSums {
            high: vec![0, 7, u32::MAX],
            low: vec![9, 1, 0],
            amounts: vec![vec![3, -3, 4], vec![1, 2, 1]],
        };
        assert_eq!(sums, Ok(expected));
    }

    #[test]
    fn many_pairs_in_partitions_come_as_those_of_one_sort() {
        let high: Vec<u32> = (0..50_000_u32).map(|n| n.wrapping_mul(2_654_435_761) % 9_001).collect();
        let low: Vec<u32> = (0..50_000_u32).map(|n| n % 3).collect();
        let amount: Vec<i64> = (1..=50_000).collect();
        let mut expected = std::collections::BTreeMap::new();
        for row in 0..50_000 {
            *expected.entry((high[row], low[row])).or_insert(0) += amount[row];
        }
        let sums = sums(&high, &low, [&amount]).expect("columns of one length");
        assert!(sums.high.into_iter().zip(sums.low).eq(expected.keys().copied()));
        assert!(sums.amounts[0].iter().eq(expected.values()));
    }

    #[test]
    fn pieces_are_added_up_as_one_and_what_adds_up_to_nothing_is_left_out() {
        let one = Numbers {
            high: &[2, 1],
            low: &[0, 0],
            amounts: [&[5, 7], &[0, 1]],
        };
        let other = Numbers {
            high: &[2, 1, 0],
            low: &[0, 0, 0],
            amounts: [&[-5, -7, 0], &[0, 0, 3]],
        };
        let expected = PairSums {
            high: vec![0, 1],
            low: vec![0, 0],
            amounts: vec![vec![0, 0], vec![3, 1]],
        };
        assert_eq!(pair_sums(&[one, other]), Ok(expected));
    }

    #[test]
    fn nothing_adds_up_to_nothing_and_columns_of_other_lengths_are_refused() {
        assert_eq!(sums(&[], &[], [&[]]).map(|sums| sums.high), Ok(vec![]));
        assert!(sums(&[1], &[], [&[1]]).is_err() && sums(&[1], &[1], [&[]]).is_err());
    }
}
