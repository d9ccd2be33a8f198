//! Many distinct keys: rows are partitioned by hash until a partition fits a cache, then grouped in it.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::column::Keys;
use super::hashed::HASH;
use super::{NULL, pieces, sort};

/// How many rows a partition should have: its rows and their hashes fit the nearest caches.
const PARTITION_ROWS: usize = 1 << 13;

/// More partitions than this cost more than they save.
const PARTITIONS_MAX: usize = 1 << 11;

/// How many rows are partitioned by one task: enough that each partition gets a cache line or more.
const PIECE_ROWS: usize = 1 << 20;

/// Rows that hold the same key.
struct Groups<K> {
    /// The key of each group.
    keys: Vec<K>,
    /// Where in `rows` each group ends.
    ends: Vec<u32>,
    /// The rows of all groups, counted over all columns, ascending within a group.
    rows: Vec<u32>,
}

/// The codes of all columns, and the distinct keys ascending.
pub fn encode<K: Keys>(columns: &[K]) -> (Vec<Vec<u32>>, Vec<K::Key>) {
    let partitions = partitions(columns, groups);
    let keys: Vec<_> = partitions
        .iter()
        .flat_map(|groups| groups.keys.iter().copied())
        .collect();
    let order = sort::argsort::<K>(&keys);
    let mut ranks = vec![0; keys.len()];
    for (rank, &group) in order.iter().enumerate() {
        ranks[group as usize] = rank as u32;
    }
    let distinct = order.par_iter().map(|&group| keys[group as usize]).collect();

    let rows: usize = columns.iter().map(Keys::rows).sum();
    let codes: Vec<_> = (0..rows).into_par_iter().map(|_| AtomicU32::new(NULL)).collect();
    let firsts: Vec<_> = partitions
        .iter()
        .scan(0, |next, groups| {
            let first = *next;
            *next += groups.keys.len();
            Some(first)
        })
        .collect();
    partitions.into_par_iter().zip(firsts).for_each(|(groups, first)| {
        let mut start = 0;
        for (end, rank) in groups.ends.iter().zip(&ranks[first..]) {
            for row in &groups.rows[start as usize..*end as usize] {
                codes[*row as usize].store(*rank, Relaxed);
            }
            start = *end;
        }
    });
    let mut codes = codes.into_iter().map(AtomicU32::into_inner);
    (
        columns
            .iter()
            .map(|keys| codes.by_ref().take(keys.rows()).collect())
            .collect(),
        distinct,
    )
}

/// Looks for rows that repeat the key of an earlier one: each with the first row of its key.
pub fn repeats<K: Keys>(keys: &K) -> Vec<(u32, u32)> {
    let found = partitions(std::slice::from_ref(keys), |entries, key| {
        let mut repeats = Vec::new();
        for run in entries
            .chunk_by(|one, other| one >> 32 == other >> 32)
            .filter(|run| run.len() > 1)
        {
            let groups = groups(run, key);
            let starts = std::iter::once(0).chain(groups.ends.iter().copied());
            for (start, end) in starts.zip(&groups.ends) {
                let rows = &groups.rows[start as usize..*end as usize];
                repeats.extend(rows[1..].iter().map(|&row| (row, rows[0])));
            }
        }
        repeats
    });
    found.into_iter().flatten().collect()
}

/// Works on the rows of all columns that hold a key, in partitions by hash: entries with half a hash above and the
/// row (counted over all columns) below, ascending; and the key of such a row.
fn partitions<K: Keys, T: Send>(
    columns: &[K],
    work: impl Fn(&[u64], &dyn Fn(u32) -> Option<K::Key>) -> T + Sync,
) -> Vec<T> {
    let rows: usize = columns.iter().map(Keys::rows).sum();
    let partitions = (rows / PARTITION_ROWS).next_power_of_two().clamp(1, PARTITIONS_MAX);
    let firsts: Vec<_> = columns
        .iter()
        .scan(0, |next, keys| {
            let first = *next;
            *next += keys.rows();
            Some(first)
        })
        .collect();
    let key = |row: u32| {
        let column = firsts.partition_point(|&first| first <= row as usize) - 1;
        columns[column].key(row as usize - firsts[column])
    };
    let pieces: Vec<_> = pieces(columns.iter().map(Keys::rows), PIECE_ROWS)
        .into_par_iter()
        .map(|(column, rows)| Piece::new(&columns[column], rows, firsts[column], partitions))
        .collect();
    (0..partitions)
        .into_par_iter()
        .map(|partition| {
            let mut entries: Vec<_> = pieces
                .iter()
                .flat_map(|piece| piece.partition(partition))
                .copied()
                .collect();
            entries.sort_unstable();
            work(&entries, &key)
        })
        .collect()
}

/// Rows of a piece of a column, by partition: half a hash above, the row below.
struct Piece {
    entries: Vec<u64>,
    ends: Vec<u32>,
}

impl Piece {
    fn new<K: Keys>(keys: &K, rows: std::ops::Range<usize>, first: usize, partitions: usize) -> Self {
        let shift = 64 - partitions.trailing_zeros();
        let part = |hash: u64| {
            if shift == 64 { 0 } else { (hash >> shift) as usize }
        };
        let mut ends = vec![0_u32; partitions + 1];
        let hashes: Vec<_> = rows
            .filter_map(|row| keys.key(row).map(|key| (HASH.hash_one(key), (first + row) as u32)))
            .inspect(|&(hash, _)| ends[part(hash) + 1] += 1)
            .collect();
        for partition in 0..partitions {
            ends[partition + 1] += ends[partition];
        }
        let mut entries = vec![0; hashes.len()];
        for (hash, row) in hashes {
            let place = &mut ends[part(hash)];
            entries[*place as usize] = hash << 32 | u64::from(row);
            *place += 1;
        }
        Self { entries, ends }
    }

    fn partition(&self, partition: usize) -> &[u64] {
        // After the rows were placed, each partition's start has moved to its end.
        let start = if partition == 0 { 0 } else { self.ends[partition - 1] };
        &self.entries[start as usize..self.ends[partition] as usize]
    }
}

/// Groups ascending entries by key. Different keys with the same half hash are rare, and told apart by sorting them.
fn groups<K: Copy + Ord>(entries: &[u64], key: &dyn Fn(u32) -> Option<K>) -> Groups<K> {
    let mut groups = Groups {
        keys: Vec::new(),
        ends: Vec::new(),
        rows: Vec::with_capacity(entries.len()),
    };
    let mut rows = Vec::new();
    for run in entries.chunk_by(|one, other| one >> 32 == other >> 32) {
        rows.clear();
        rows.extend(
            run.iter()
                .filter_map(|entry| key(*entry as u32).map(|key| (key, *entry as u32))),
        );
        if rows.iter().any(|row| row.0 != rows[0].0) {
            rows.sort_unstable();
        }
        for same in rows.chunk_by(|one, other| one.0 == other.0) {
            groups.keys.push(same[0].0);
            groups.rows.extend(same.iter().map(|row| row.1));
            groups.ends.push(groups.rows.len() as u32);
        }
    }
    groups
}
