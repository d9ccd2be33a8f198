//! Codes by hashing: each thread numbers the keys that it meets in a table of its own, then the keys are ranked.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use foldhash::fast::FixedState;
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
            codes.chunks_mut(TASK_ROWS).enumerate().map(move |(task, codes)| Task {
                keys,
                start: task * TASK_ROWS,
                codes,
                table: 0,
            })
        })
        .collect();
    tasks.par_iter_mut().for_each(|task| {
        task.table = rayon::current_thread_index().unwrap_or(0);
        let mut table = tables[task.table].lock().unwrap_or_else(PoisonError::into_inner);
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
        .map(|table| table.into_inner().unwrap_or_else(PoisonError::into_inner).keys)
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

/// How many rows are looked up together, so that the cache misses of one do not wait for those of another.
const BLOCK: usize = 32;

impl<K: Keys> Task<'_, K> {
    /// Numbers the keys of the rows; false if the table is crowded.
    fn number(&mut self, table: &mut Table<K::Key>) -> bool {
        for (block, codes) in self.codes.chunks_mut(BLOCK).enumerate() {
            let first = self.start + block * BLOCK;
            let mut keys = [None; BLOCK];
            let mut hashes = [0; BLOCK];
            for row in 0..codes.len() {
                keys[row] = self.keys.key(first + row);
                hashes[row] = keys[row].map_or(0, |key| HASH.hash_one(key));
            }
            let slots = hashes.map(|hash| table.slots[table.place(hash)]);
            let known = slots.map(|slot| table.keys.get(slot.number as usize).copied());
            let leads = known.map(|key| key.map_or(0, |key| K::lead(key, 0)));
            for (row, code) in codes.iter_mut().enumerate() {
                *code = match keys[row] {
                    None => NULL,
                    Some(key) if leads[row] == K::lead(key, 0) && known[row] == Some(key) => slots[row].number,
                    Some(key) => table.number(key, hashes[row]),
                };
            }
        }
        table.keys.len() <= CROWD
    }
}

/// Keys numbered in the order in which they were first met, by open addressing with room to spare.
struct Table<K> {
    slots: Vec<Slot>,
    keys: Vec<K>,
}

/// A place of the table: half a hash, and the number of the key that has it; `NULL` where the place is free.
#[derive(Clone, Copy)]
struct Slot {
    tag: u32,
    number: u32,
}

const FREE: Slot = Slot { tag: 0, number: NULL };

impl<K: Copy + Eq + Hash> Table<K> {
    fn new() -> Self {
        Self {
            slots: vec![FREE; 1 << 10],
            keys: Vec::new(),
        }
    }

    /// Where a key of this hash belongs.
    #[inline]
    fn place(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// The number of the key, which is given one if it is new.
    fn number(&mut self, key: K, hash: u64) -> u32 {
        let tag = (hash >> 32) as u32;
        let mut place = self.place(hash);
        loop {
            let slot = self.slots[place];
            if slot.number == NULL {
                break;
            }
            if slot.tag == tag && self.keys[slot.number as usize] == key {
                return slot.number;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        let number = self.keys.len() as u32;
        self.slots[place] = Slot { tag, number };
        self.keys.push(key);
        if self.keys.len() * 2 > self.slots.len() {
            self.grow();
        }
        number
    }

    fn grow(&mut self) {
        self.slots = vec![FREE; self.slots.len() * 4];
        for (number, key) in self.keys.iter().enumerate() {
            let hash = HASH.hash_one(key);
            let mut place = self.place(hash);
            while self.slots[place].number != NULL {
                place = (place + 1) & (self.slots.len() - 1);
            }
            self.slots[place] = Slot {
                tag: (hash >> 32) as u32,
                number: number as u32,
            };
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
