//! Codes of integers from a small range: a table of the range instead of hashing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rayon::prelude::*;

use super::column::{IntegerKeys, Keys};
use super::{NULL, TASK_ROWS, pieces};

/// A range that is worth a table whatever the number of rows.
pub const RANGE_MIN: usize = 1 << 16;

/// The codes of all columns, and the distinct keys ascending; every key is below `range`.
pub fn encode(columns: &[IntegerKeys<'_>], range: usize) -> (Vec<Vec<u32>>, Vec<u64>) {
    let present: Vec<AtomicBool> = (0..range).map(|_| AtomicBool::new(false)).collect();
    pieces(columns.iter().map(Keys::rows), TASK_ROWS)
        .into_par_iter()
        .for_each(|(column, rows)| {
            for key in rows.filter_map(|row| columns[column].key(row)) {
                // Reading first keeps the cache line shared: few keys would otherwise be fought for by all threads.
                if !present[key as usize].load(Relaxed) {
                    present[key as usize].store(true, Relaxed);
                }
            }
        });
    let mut ranks = vec![NULL; range];
    let mut distinct = Vec::new();
    for key in (0..range).filter(|&key| present[key].load(Relaxed)) {
        ranks[key] = distinct.len() as u32;
        distinct.push(key as u64);
    }
    let codes = columns
        .iter()
        .map(|keys| {
            (0..keys.rows())
                .into_par_iter()
                .with_min_len(TASK_ROWS)
                .map(|row| keys.key(row).map_or(NULL, |key| ranks[key as usize]))
                .collect()
        })
        .collect();
    (codes, distinct)
}
