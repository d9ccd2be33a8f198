//! Packs the keys of an order into the bits of one `u64`, so that most comparisons are one instruction. What does
//! not fit is compared column by column, on ties only.

use std::cmp::Ordering;

use rayon::slice::ParallelSliceMut;

use crate::column::{NULL, Reader};
use crate::group::Record;
use crate::problem::{Ids, Key};

/// One key as ordinals from 0 to `top`.
#[derive(Clone, Copy)]
struct Ordinal<'a> {
    key: Key<'a>,
    low: i64,
    high: i64,
    /// 1 if nulls come first: every value moves up by one.
    lift: u64,
    top: u64,
}

impl<'a> Ordinal<'a> {
    fn new(key: Key<'a>) -> Self {
        let (low, high) = key.column.range().unwrap_or((0, 0));
        let width = high.wrapping_sub(low) as u64;
        Self {
            key,
            low,
            high,
            lift: u64::from(key.nulls_first),
            top: width.saturating_add(1),
        }
    }

    #[inline]
    fn of(&self, value: i64) -> u64 {
        if value == NULL {
            if self.key.nulls_first { 0 } else { self.top }
        } else if self.key.descending {
            (self.high.wrapping_sub(value) as u64).wrapping_add(self.lift)
        } else {
            (value.wrapping_sub(self.low) as u64).wrapping_add(self.lift)
        }
    }

    fn bits(&self) -> u32 {
        u64::BITS - self.top.leading_zeros()
    }
}

/// A total order of rows, packed as far as it fits.
pub struct Packing<'a> {
    keys: Vec<Ordinal<'a>>,
    ids: Ids<'a>,
    /// Per packed key: how many low bits are dropped, and where it goes.
    places: Vec<(u32, u32)>,
    /// Bits for the row number, the lowest ones.
    pub row_bits: u32,
    /// Whether equal packed keys need no comparison of columns.
    exact: bool,
}

impl<'a> Packing<'a> {
    /// Packs into the bits below `bits`, the row number included.
    pub fn new(keys: &[Key<'a>], ids: Ids<'a>, rows: usize, bits: u32) -> Self {
        let row_bits = usize::BITS - rows.saturating_sub(1).leading_zeros();
        let keys: Vec<Ordinal<'a>> = keys.iter().map(|&key| Ordinal::new(key)).collect();
        let mut left = bits - row_bits;
        let mut places = Vec::new();
        let mut exact = matches!(ids, Ids::Ascending);
        for key in &keys {
            if left == 0 {
                exact = false;
                break;
            }
            let drop = key.bits().saturating_sub(left);
            left -= key.bits() - drop;
            places.push((drop, left + row_bits));
            if drop > 0 {
                exact = false;
                break;
            }
        }
        exact &= places.len() == keys.len();
        Self {
            keys,
            ids,
            places,
            row_bits,
            exact,
        }
    }

    /// Adds keys and row numbers of a block of rows to `out`.
    pub fn pack(&self, start: usize, reader: &mut Reader, out: &mut [u64]) {
        for (i, o) in out.iter_mut().enumerate() {
            *o |= (start + i) as u64;
        }
        for (key, &(drop, at)) in self.keys.iter().zip(&self.places) {
            let values = reader.read(&key.key.column, start, out.len());
            // One shape of loop for each direction, so that both are vectors of additions, shifts and selects.
            let null = (if key.key.nulls_first { 0 } else { key.top }) >> drop << at;
            if key.key.descending {
                let from = (key.high as u64).wrapping_add(key.lift);
                for (o, &x) in out.iter_mut().zip(values) {
                    *o |= if x == NULL {
                        null
                    } else {
                        from.wrapping_sub(x as u64) >> drop << at
                    };
                }
            } else {
                let from = (key.low as u64).wrapping_sub(key.lift);
                for (o, &x) in out.iter_mut().zip(values) {
                    *o |= if x == NULL {
                        null
                    } else {
                        (x as u64).wrapping_sub(from) >> drop << at
                    };
                }
            }
        }
    }

    /// The row number in a packed key.
    #[inline]
    pub fn row(&self, packed: u64) -> u32 {
        (packed & ((1 << self.row_bits) - 1)) as u32
    }

    /// The ordinal of the first key, if a packed key holds all of it.
    #[inline]
    pub fn ordinal(&self, packed: u64) -> Option<u64> {
        let &(drop, at) = self.places.first()?;
        (drop == 0).then(|| packed >> at & (u64::MAX >> (u64::BITS - self.keys[0].bits())))
    }

    /// Compares two rows in full, ids included.
    pub fn compare(&self, a: u32, b: u32) -> Ordering {
        self.compare_keys(a, b, 0..self.keys.len())
            .then_with(|| match self.ids {
                Ids::Ascending => a.cmp(&b),
                Ids::By(compare) => compare(a, b),
            })
    }

    /// Compares two rows by some of the keys.
    pub fn compare_keys(&self, a: u32, b: u32, keys: std::ops::Range<usize>) -> Ordering {
        self.keys[keys]
            .iter()
            .map(|k| {
                k.of(k.key.column.get(a as usize))
                    .cmp(&k.of(k.key.column.get(b as usize)))
            })
            .find(|o| o.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    /// Sorts records of one group, whose first word is the packed key.
    #[inline]
    pub fn sort(&self, records: &mut [Record]) {
        const SMALL: usize = 24;
        if records.len() > SMALL {
            self.sort_many(records);
        } else {
            // Most groups have a handful of records; ties are seen on the way.
            let mut tied = false;
            for end in 1..records.len() {
                let record = records[end];
                let mut at = end;
                while at > 0 && records[at - 1][0] > record[0] {
                    records[at] = records[at - 1];
                    at -= 1;
                }
                records[at] = record;
                tied |= at > 0 && (records[at - 1][0] ^ record[0]) >> self.row_bits == 0;
                tied |= at < end && (records[at + 1][0] ^ record[0]) >> self.row_bits == 0;
            }
            if tied && !self.exact {
                self.sort_ties(records);
            }
        }
    }

    fn sort_many(&self, records: &mut [Record]) {
        const PARALLEL_FROM: usize = 1 << 15;
        if records.len() >= PARALLEL_FROM {
            records.par_sort_unstable_by_key(|r| r[0]);
        } else {
            records.sort_unstable_by_key(|r| r[0]);
        }
        if !self.exact {
            self.sort_ties(records);
        }
    }

    /// Orders records with equal packed keys, which stand together, by comparing columns.
    fn sort_ties(&self, records: &mut [Record]) {
        let mut start = 0;
        while start < records.len() {
            let tie = records[start][0] >> self.row_bits;
            let mut end = start + 1;
            while end < records.len() && records[end][0] >> self.row_bits == tie {
                end += 1;
            }
            if end - start > 1 {
                records[start..end].sort_unstable_by(|a, b| self.compare(self.row(a[0]), self.row(b[0])));
            }
            start = end;
        }
    }
}
