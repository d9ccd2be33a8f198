//! Values of a column at some rows, on all threads: most of the time is waiting for memory.

use rayon::prelude::*;

use crate::column::Bits;
use crate::error::{Error, Result};

/// How many rows one task gathers.
const TASK_ROWS: usize = 1 << 14;

/// Refuses row numbers that a column does not have.
fn check(count: usize, rows: &[u32]) -> Result<()> {
    match rows.par_iter().with_min_len(TASK_ROWS).max() {
        Some(&row) if row as usize >= count => Err(Error::Table(format!("there is no row {row} among {count}"))),
        _ => Ok(()),
    }
}

/// The values at these rows.
pub fn gather<T: Copy + Send + Sync>(values: &[T], rows: &[u32]) -> Result<Vec<T>> {
    check(values.len(), rows)?;
    let found = rows.par_iter().with_min_len(TASK_ROWS);
    Ok(found.map(|&row| values[row as usize]).collect())
}

/// The same for a bitmap of so many rows, the least bit first.
pub fn gather_bits(bits: Bits<'_>, count: usize, rows: &[u32]) -> Result<Vec<u8>> {
    check(count, rows)?;
    let byte = |rows: &[u32]| {
        let set = |(place, &row): (usize, &u32)| u8::from(bits.get(row as usize)) << place;
        rows.iter().enumerate().map(set).sum()
    };
    Ok(rows.par_chunks(8).with_min_len(TASK_ROWS / 8).map(byte).collect())
}

/// Where the values of each of so many owners end, behind a 0; owners ascend.
pub fn ends(owner: &[u32], count: usize) -> Result<Vec<i64>> {
    if !owner.is_sorted() || owner.last().is_some_and(|&last| last as usize >= count) {
        return Err(Error::Table("owners of values ascend".into()));
    }
    let mut ends = vec![0; count + 1];
    for &owner in owner {
        ends[owner as usize + 1] += 1;
    }
    let mut so_far = 0;
    for end in &mut ends {
        so_far += *end;
        *end = so_far;
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_in_the_sequence_of_the_rows_and_a_row_that_is_not_there_is_refused() {
        assert_eq!(gather(&[7, 8, 9], &[2, 0, 2]), Ok(vec![9, 7, 9]));
        assert_eq!(gather::<u8>(&[], &[]), Ok(vec![]));
        assert!(gather(&[7], &[1]).is_err() && gather::<u8>(&[], &[0]).is_err());
    }

    #[test]
    fn an_owner_may_have_several_values_or_none() {
        assert_eq!(ends(&[1, 1, 3], 5), Ok(vec![0, 0, 2, 2, 3, 3]));
        assert_eq!(ends(&[], 0), Ok(vec![0]));
        assert!(ends(&[1, 0], 2).is_err() && ends(&[2], 2).is_err());
    }

    #[test]
    fn bits_come_in_the_sequence_of_the_rows_from_wherever_a_bitmap_begins() {
        let bits = Bits {
            bytes: &[0b1010_0000, 0b1],
            offset: 5,
        };
        assert_eq!(
            gather_bits(bits, 4, &[0, 1, 2, 3, 3, 2, 1, 0, 0, 1]),
            Ok(vec![0b1011_1101, 0b01])
        );
        assert!(gather_bits(bits, 4, &[4]).is_err());
    }
}
