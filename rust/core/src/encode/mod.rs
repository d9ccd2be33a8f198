//! Keys become dense codes, and ids are checked.
//!
//! The code of a value is its rank among the distinct values of all columns that are encoded together, so codes
//! depend on content only and sort like the values: not on row order, chunks, threads or a hash seed.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::{Error, Result};

mod column;
mod crowded;
mod direct;
mod hashed;
mod ids;
mod matched;
mod numbered;
mod sort;
#[cfg(test)]
mod tests;

pub use column::{Column, Integers, Layout, Numbers, Text, Validity};
pub use ids::{IdReport, argsort_ids, check_ids, rows_with_nul};
pub use matched::match_ids;

use column::{IntegerKeys, LongKeys, Short, ShortKeys};

/// The code of a row that holds no value.
pub const NULL: u32 = u32::MAX;

/// How many rows a task handles: enough to be worth a task, few enough to balance threads.
const TASK_ROWS: usize = 1 << 18;

/// Columns of keys as codes.
#[derive(Debug, PartialEq, Eq)]
pub struct Encoded {
    /// For each column the code of each row; `NULL` where it holds no value.
    pub codes: Vec<Vec<u32>>,
    /// The value of each code, ascending.
    pub values: Values,
}

/// Distinct values, ascending.
#[derive(Debug, PartialEq, Eq)]
pub enum Values {
    /// Strings: number `code` is `bytes[offsets[code]..offsets[code + 1]]`.
    Text {
        /// One more than there are strings.
        offsets: Vec<i64>,
        /// All strings, one after the other.
        bytes: Vec<u8>,
    },
    /// Integers between -2⁶³ and 2⁶³ - 1.
    Signed(Vec<i64>),
    /// Integers of which one is above 2⁶³ - 1.
    Unsigned(Vec<u64>),
}

/// Encodes columns of strings, or columns of integers, with one set of codes for all of them.
pub fn encode(columns: &[Column<'_>]) -> Result<Encoded> {
    let rows = columns.iter().map(Column::rows).sum::<usize>();
    if rows >= NULL as usize {
        return Err(Error::TooManyRows {
            rows,
            rows_max: NULL as usize - 1,
        });
    }
    if columns.iter().all(|column| matches!(column, Column::Integers(_))) {
        encode_integers(columns)
    } else if columns.iter().any(|column| matches!(column, Column::Integers(_))) {
        Err(Error::MixedKeys)
    } else {
        Ok(encode_text(columns))
    }
}

fn encode_integers(columns: &[Column<'_>]) -> Result<Encoded> {
    let columns: Vec<_> = columns
        .iter()
        .filter_map(|column| {
            if let Column::Integers(integers) = column {
                Some(*integers)
            } else {
                None
            }
        })
        .collect();
    let bounds = pieces(columns.iter().map(Integers::rows), TASK_ROWS)
        .into_par_iter()
        .filter_map(|(column, rows)| columns[column].bounds(rows))
        .reduce_with(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    let (low, high) = bounds.unwrap_or((0, 0));
    if low < 0 && high > i64::MAX.into() {
        return Err(Error::KeyRange { low, high });
    }
    let keys: Vec<_> = columns.iter().map(|&integers| IntegerKeys { integers, low }).collect();
    let rows = columns.iter().map(Integers::rows).sum::<usize>();
    let range = (high - low) as u128 + 1;
    let (codes, distinct) = if range <= direct::RANGE_MIN.max(2 * rows) as u128 {
        direct::encode(&keys, range as usize)
    } else {
        hashed::encode(&keys)
    };
    let values = distinct.into_iter().map(|key| low + i128::from(key));
    let values = if high > i64::MAX.into() {
        Values::Unsigned(values.map(|value| value as u64).collect())
    } else {
        Values::Signed(values.map(|value| value as i64).collect())
    };
    Ok(Encoded { codes, values })
}

fn encode_text(columns: &[Column<'_>]) -> Encoded {
    let used: Vec<_> = columns.iter().map(used_values).collect();
    let texts: Vec<_> = columns
        .iter()
        .zip(&used)
        .map(|(column, used)| text_of(column, used))
        .collect();
    let short = pieces(texts.iter().map(Text::rows), TASK_ROWS)
        .into_par_iter()
        .all(|(text, rows)| texts[text].is_short(rows));
    let (codes, values) = if short {
        let keys: Vec<_> = texts.iter().map(ShortKeys).collect();
        let (codes, distinct) = hashed::encode(&keys);
        (codes, text_values(&distinct, Short::append_to))
    } else {
        let keys: Vec<_> = texts.iter().map(LongKeys).collect();
        let (codes, distinct) = hashed::encode(&keys);
        (codes, text_values(&distinct, |key, bytes| bytes.extend_from_slice(key)))
    };
    let codes = columns
        .iter()
        .zip(codes)
        .map(|(column, codes)| codes_of_rows(column, codes))
        .collect();
    Encoded { codes, values }
}

/// A bitmap of the listed values that occur: a list may hold more than the column does.
fn used_values(column: &Column<'_>) -> Vec<u8> {
    let Column::Listed(rows, list) = column else {
        return Vec::new();
    };
    let mut used = vec![0; list.rows().div_ceil(8)];
    for row in 0..rows.rows() {
        if let Some(value) = rows.get(row).map(|value| value as usize)
            && list.valid.is_none_or(|valid| valid.get(value))
        {
            used[value / 8] |= 1 << (value % 8);
        }
    }
    used
}

fn text_of<'a>(column: &'a Column<'a>, used: &'a [u8]) -> Text<'a> {
    match column {
        Column::Text(text) => text.clone(),
        Column::Listed(_, list) => Text {
            layout: list.layout.clone(),
            valid: Some(Validity { bits: used, first: 0 }),
        },
        Column::Integers(_) => unreachable!("integers are encoded apart"),
    }
}

fn codes_of_rows(column: &Column<'_>, codes: Vec<u32>) -> Vec<u32> {
    let Column::Listed(rows, _) = column else {
        return codes;
    };
    (0..rows.rows())
        .into_par_iter()
        .with_min_len(TASK_ROWS)
        .map(|row| rows.get(row).map_or(NULL, |value| codes[value as usize]))
        .collect()
}

fn text_values<K: Copy>(distinct: &[K], append: impl Fn(K, &mut Vec<u8>)) -> Values {
    let (mut offsets, mut bytes) = (vec![0], Vec::new());
    for &key in distinct {
        append(key, &mut bytes);
        offsets.push(bytes.len() as i64);
    }
    Values::Text { offsets, bytes }
}

/// The rows of all columns in pieces of at most `piece` rows: (column, rows).
fn pieces(columns: impl Iterator<Item = usize>, piece: usize) -> Vec<(usize, Range<usize>)> {
    columns
        .enumerate()
        .flat_map(|(column, rows)| {
            (0..rows)
                .step_by(piece)
                .map(move |start| (column, start..rows.min(start + piece)))
        })
        .collect()
}
