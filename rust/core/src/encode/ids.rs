//! Ids: is each value there once, and in which order do they come.

use rayon::prelude::*;

use super::column::{Column, IntegerKeys, Integers, Keys, LongKeys, Numbers, ShortKeys, Text};
use super::{TASK_ROWS, crowded, encode, pieces, sort};
use crate::error::{Error, Result};

/// What is wrong with a column of ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdReport {
    /// Whether every row holds an id that is greater than the one before; then they are unique.
    pub ascending: bool,
    /// How many rows repeat the id of an earlier row.
    pub repeats: usize,
    /// The first of these rows, each with the first row that holds the same id.
    pub first_repeats: Vec<(u32, u32)>,
}

/// Calls `work` with the rows of a column as keys of the kind that suits them.
macro_rules! with_keys {
    ($column:expr, $keys:ident => $work:expr) => {{
        let rows = $column.rows();
        if rows >= u32::MAX as usize {
            return Err(Error::TooManyRows {
                rows,
                rows_max: u32::MAX as usize - 1,
            });
        }
        match $column {
            Column::Text(text) if is_short(text) => {
                let $keys = ShortKeys(text);
                $work
            }
            Column::Text(text) => {
                let $keys = LongKeys(text);
                $work
            }
            Column::Integers(integers) => {
                let low = integers.bounds(0..rows).map_or(0, |bounds| bounds.0);
                let $keys = IntegerKeys {
                    integers: *integers,
                    low,
                };
                $work
            }
            Column::Listed(listed, _) => {
                let codes = encode(std::slice::from_ref($column))?.codes.swap_remove(0);
                let integers = Integers {
                    numbers: Numbers::U32(&codes),
                    valid: listed.valid,
                };
                let $keys = IntegerKeys { integers, low: 0 };
                $work
            }
        }
    }};
}

/// Looks for repeated ids, in linear time; at most `repeats_max` repeats are listed.
pub fn check_ids(column: &Column<'_>, repeats_max: usize) -> Result<IdReport> {
    Ok(with_keys!(column, keys => check(&keys, repeats_max)))
}

/// The rows in ascending order of their ids; equal ids by row, rows without an id last.
pub fn argsort_ids(column: &Column<'_>) -> Result<Vec<u32>> {
    Ok(with_keys!(column, keys => argsort(&keys)))
}

fn is_short(text: &Text<'_>) -> bool {
    pieces([text.rows()].into_iter(), TASK_ROWS)
        .into_par_iter()
        .all(|(_, rows)| text.is_short(rows))
}

fn check<K: Keys>(keys: &K, repeats_max: usize) -> IdReport {
    if is_ascending(keys) {
        return IdReport {
            ascending: true,
            ..IdReport::default()
        };
    }
    let mut first_repeats = crowded::repeats(keys);
    let repeats = first_repeats.len();
    first_repeats.par_sort_unstable();
    first_repeats.truncate(repeats_max);
    IdReport {
        ascending: false,
        repeats,
        first_repeats,
    }
}

fn is_ascending<K: Keys>(keys: &K) -> bool {
    let ascending = |rows: std::ops::Range<usize>| {
        let mut last = rows.start.checked_sub(1).and_then(|before| keys.key(before));
        for row in rows {
            let key = keys.key(row);
            if key.is_none() || key <= last {
                return false;
            }
            last = key;
        }
        true
    };
    pieces([keys.rows()].into_iter(), TASK_ROWS)
        .into_par_iter()
        .all(|(_, rows)| ascending(rows))
}

fn argsort<K: Keys>(keys: &K) -> Vec<u32> {
    let rows = 0..keys.rows() as u32;
    let held: Vec<_> = rows
        .clone()
        .into_par_iter()
        .filter(|&row| keys.key(row as usize).is_some())
        .collect();
    let values: Vec<_> = held.par_iter().filter_map(|&row| keys.key(row as usize)).collect();
    let mut order: Vec<_> = sort::argsort::<K>(&values)
        .into_iter()
        .map(|place| held[place as usize])
        .collect();
    order.extend(rows.filter(|&row| keys.key(row as usize).is_none()));
    order
}

/// The first rows whose text holds a NUL character, which databases refuse; at most `rows_max`.
pub fn rows_with_nul(column: &Column<'_>, rows_max: usize) -> Vec<u32> {
    let (text, listed) = match column {
        Column::Integers(_) => return Vec::new(),
        Column::Text(text) => (text, None),
        Column::Listed(listed, text) => (text, Some(listed)),
    };
    let anywhere = text.buffers_have_nul();
    let values: Vec<_> = pieces([text.rows()].into_iter(), TASK_ROWS)
        .into_par_iter()
        .filter(|(_, rows)| anywhere || text.views_may_have_nul(rows.clone()))
        .flat_map_iter(|(_, rows)| rows.filter(|&row| text.has_nul(row)))
        .collect();
    let is_bad = |row: &u32| {
        listed.is_some_and(|listed| {
            listed
                .get(*row as usize)
                .is_some_and(|value| values.binary_search(&(value as usize)).is_ok())
        })
    };
    match listed {
        Some(_) if values.is_empty() => Vec::new(),
        Some(listed) => (0..listed.rows() as u32).filter(is_bad).take(rows_max).collect(),
        None => values.into_iter().map(|row| row as u32).take(rows_max).collect(),
    }
}
