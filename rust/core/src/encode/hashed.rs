//! Codes by hashing: each thread numbers the keys that it meets in a table of its own, then the keys are ranked.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::prelude::*;

use super::column::Keys;
use super::{NULL, TASK_ROWS, crowded};

/// Above this many distinct keys in one table, cache misses make partitioning by hash cheaper.
const CROWD: usize = 1 << 19;

/// The seed is fixed, so that the time of a run depends on its input only.
pub const HASH: FixedState = FixedState::with_seed(0x616c_6c6f_6361_7465);

/// The codes of all columns, and the distinct keys ascending.
pub fn encode<K: Keys>(columns: &[K]) -> (Vec<Vec<u32>>, Vec<K::Key>) {
    let mut codes: Vec<_> = columns.iter().map(|keys| vec![0; keys.rows()]).collect();
    let tables: Vec<_> = (0..rayon::current_num_threads())
        .map(|_| Mutex::new(Table::new()))
        .collect();
    let crowd = AtomicBool::new(false);
    let mut tasks: Vec<_> = codes
        .iter_mut()
        .zip(columns)
        .flat_map(|(codes, keys)| {
            codes
                .chunks_mut(TASK_ROWS)
                .enumerate()
                .map(move |(task, codes)| Task {
                    keys,
                    start: task * TASK_ROWS,
                    codes,
                    table: 0,
                })
        })
        .collect();
    tasks.par_iter_mut().for_each(|task| {
        task.table = rayon::current_thread_index().unwrap_or(0);
        let mut table = tables[task.table]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !crowd.load(Relaxed) && !task.number(&mut table) {
            crowd.store(true, Relaxed);
        }
    });
    if crowd.into_inner() {
        drop(tasks);
        return crowded::encode(columns);
    }
    let numbered: Vec<_> = tables
        .into_iter()
        .map(|table| {
            table
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .keys
        })
        .collect();
    let (distinct, ranks) = rank(&numbered);
    tasks.par_iter_mut().for_each(|task| {
        let ranks = &ranks[task.table];
        for code in task.codes.iter_mut().filter(|code| **code != NULL) {
            *code = ranks[*code as usize];
        }
    });
    (codes, distinct)
}

struct Task<'a, K> {
    keys: &'a K,
    start: usize,
    codes: &'a mut [u32],
    table: usize,
}

impl<K: Keys> Task<'_, K> {
    /// Numbers the keys of the rows; false if the table is crowded.
    fn number(&mut self, table: &mut Table<K::Key>) -> bool {
        let mut last = None;
        for (row, code) in (self.start..).zip(self.codes.iter_mut()) {
            *code = match (self.keys.key(row), last) {
                (None, _) => NULL,
                (Some(key), Some((last, code))) if key == last => code,
                (Some(key), _) => {
                    let code = table.number(key);
                    last = Some((key, code));
                    code
                }
            };
        }
        table.keys.len() <= CROWD
    }
}

/// Keys numbered in the order in which they were first met.
struct Table<K> {
    numbers: HashTable<(K, u32)>,
    keys: Vec<K>,
}

impl<K: Copy + Eq + Hash> Table<K> {
    fn new() -> Self {
        Self {
            numbers: HashTable::new(),
            keys: Vec::new(),
        }
    }

    #[inline]
    fn number(&mut self, key: K) -> u32 {
        let entry = self.numbers.entry(
            HASH.hash_one(key),
            |known| known.0 == key,
            |known| HASH.hash_one(known.0),
        );
        match entry {
            Entry::Occupied(known) => known.get().1,
            Entry::Vacant(free) => {
                let number = self.keys.len() as u32;
                free.insert((key, number));
                self.keys.push(key);
                number
            }
        }
    }
}

/// The distinct keys of all tables ascending, and for each table the rank of each of its keys.
fn rank<K: Copy + Ord + Send + Sync>(tables: &[Vec<K>]) -> (Vec<K>, Vec<Vec<u32>>) {
    let mut entries: Vec<_> = tables
        .iter()
        .enumerate()
        .flat_map(|(table, keys)| {
            keys.iter()
                .enumerate()
                .map(move |(number, &key)| (key, table as u32, number as u32))
        })
        .collect();
    entries.par_sort_unstable();
    let mut distinct: Vec<K> = Vec::new();
    let mut ranks: Vec<_> = tables.iter().map(|keys| vec![0; keys.len()]).collect();
    for (key, table, number) in entries {
        if distinct.last() != Some(&key) {
            distinct.push(key);
        }
        ranks[table as usize][number as usize] = distinct.len() as u32 - 1;
    }
    (distinct, ranks)
}
