//! Borrowed columns: typed values with an optional null mask, read in blocks as `i64`.

use rayon::prelude::*;

/// What a null reads as. No valid value may equal it; tables refuse `i64::MIN` on entry.
pub const NULL: i64 = i64::MIN;

/// Rows that are decoded at a time: a dozen such buffers fit the first-level cache.
pub const BLOCK: usize = 1024;

/// Bits, least significant first, from a bit offset on.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a> {
    /// The bytes that hold the bits.
    pub bytes: &'a [u8],
    /// Position of the first bit.
    pub offset: usize,
}

impl Bits<'_> {
    /// The bit of a row.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        let at = self.offset + row;
        self.bytes[at >> 3] >> (at & 7) & 1 == 1
    }
}

impl Bits<'_> {
    /// The bits of 64 rows from `row` on; what lies behind the last byte reads as 0.
    #[inline]
    fn word(&self, row: usize) -> u64 {
        let at = self.offset + row;
        let mut bytes = [0_u8; 16];
        let from = &self.bytes[at >> 3..];
        let n = from.len().min(9);
        bytes[..n].copy_from_slice(&from[..n]);
        (u128::from_le_bytes(bytes) >> (at & 7)) as u64
    }
}

/// The values of a column in their own width.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// 8-bit signed.
    I8(&'a [i8]),
    /// 16-bit signed.
    I16(&'a [i16]),
    /// 32-bit signed, dates among them.
    I32(&'a [i32]),
    /// 64-bit signed, timestamps among them.
    I64(&'a [i64]),
    /// 8-bit unsigned.
    U8(&'a [u8]),
    /// 16-bit unsigned.
    U16(&'a [u16]),
    /// 32-bit unsigned.
    U32(&'a [u32]),
    /// 64-bit unsigned; values above `i64::MAX` are refused on entry.
    U64(&'a [u64]),
    /// Dense codes, `u32::MAX` for null.
    Codes(&'a [u32]),
    /// Booleans as bits.
    Bool(Bits<'a>, usize),
}

/// A column: values and which of them are valid.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    values: Values<'a>,
    valid: Option<Bits<'a>>,
}

macro_rules! each_width {
    ($values:expr, $v:ident => $body:expr, codes $c:ident => $codes:expr, bool $b:ident => $bits:expr) => {
        match $values {
            Values::I8($v) => $body,
            Values::I16($v) => $body,
            Values::I32($v) => $body,
            Values::I64($v) => $body,
            Values::U8($v) => $body,
            Values::U16($v) => $body,
            Values::U32($v) => $body,
            Values::U64($v) => $body,
            Values::Codes($c) => $codes,
            Values::Bool($b, _) => $bits,
        }
    };
}

fn from_code(code: u32) -> i64 {
    if code == u32::MAX { NULL } else { i64::from(code) }
}

#[allow(clippy::unnecessary_cast, reason = "one expression for all widths, `i64` among them")]
impl<'a> Column<'a> {
    /// A column of these values; `valid` of `None` means that none is null.
    pub fn new(values: Values<'a>, valid: Option<Bits<'a>>) -> Self {
        Self { values, valid }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        if let Values::Bool(_, len) = self.values {
            return len;
        }
        each_width!(self.values, v => v.len(), codes c => c.len(), bool _b => 0)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of one row, or `NULL`.
    #[inline]
    pub fn get(&self, row: usize) -> i64 {
        if self.valid.is_some_and(|valid| !valid.get(row)) {
            return NULL;
        }
        each_width!(self.values, v => v[row] as i64, codes c => from_code(c[row]), bool b => i64::from(b.get(row)))
    }

    /// Where the column lies in memory: what tells columns apart.
    fn address(&self) -> (usize, usize) {
        let values = each_width!(self.values, v => v.as_ptr() as usize, codes c => c.as_ptr() as usize, bool b => b.bytes.as_ptr() as usize + b.offset);
        (
            values,
            self.valid
                .map_or(0, |valid| valid.bytes.as_ptr() as usize + valid.offset),
        )
    }

    /// Reads `out.len()` rows from `start` on.
    pub fn decode(&self, start: usize, out: &mut [i64]) {
        let end = start + out.len();
        each_width!(
            self.values,
            v => out.iter_mut().zip(&v[start..end]).for_each(|(o, &x)| *o = x as i64),
            codes c => out.iter_mut().zip(&c[start..end]).for_each(|(o, &x)| *o = from_code(x)),
            bool b => for (w, out) in out.chunks_mut(64).enumerate() {
                let word = b.word(start + w * 64);
                out.iter_mut().enumerate().for_each(|(i, o)| *o = (word >> i & 1) as i64);
            }
        );
        if let Some(valid) = self.valid {
            for (w, out) in out.chunks_mut(64).enumerate() {
                let word = valid.word(start + w * 64);
                if word != u64::MAX {
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = if word >> i & 1 == 1 { *o } else { NULL };
                    }
                }
            }
        }
    }

    /// The least and the greatest value, nulls left out; `None` if every row is null.
    pub fn range(&self) -> Option<(i64, i64)> {
        const SHARE: usize = BLOCK * 64;
        let bounds = (0..self.len().div_ceil(SHARE))
            .into_par_iter()
            .map(|share| self.range_of(share * SHARE, self.len().min((share + 1) * SHARE)))
            .reduce(|| (i64::MAX, i64::MIN), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        (bounds.0 <= bounds.1).then_some(bounds)
    }

    fn range_of(&self, from: usize, to: usize) -> (i64, i64) {
        if self.valid.is_none() && !matches!(self.values, Values::Codes(_) | Values::Bool(..)) {
            // In its own width, where a vector holds most values.
            return each_width!(
                self.values,
                v => {
                    let bounds = v[from..to].iter().fold((v[from], v[from]), |b, &x| (b.0.min(x), b.1.max(x)));
                    (bounds.0 as i64, bounds.1 as i64)
                },
                codes _c => unreachable!("codes have nulls"),
                bool _b => unreachable!("bits have no width")
            );
        }
        if let (Values::Codes(codes), None) = (self.values, self.valid) {
            // One more than each code: null, the greatest code, becomes the least.
            let bounds = codes[from..to]
                .iter()
                .fold((u32::MAX, 0), |b, &code| (b.0.min(code), b.1.max(code.wrapping_add(1))));
            return match bounds.1 {
                0 => (i64::MAX, i64::MIN),
                top => (i64::from(bounds.0), i64::from(top) - 1),
            };
        }
        let mut block = [0_i64; BLOCK];
        let mut bounds = (i64::MAX, i64::MIN);
        for start in (from..to).step_by(BLOCK) {
            let block = &mut block[..BLOCK.min(to - start)];
            self.decode(start, block);
            for &x in &*block {
                let low = if x == NULL { i64::MAX } else { x };
                bounds = (bounds.0.min(low), bounds.1.max(x));
            }
        }
        bounds
    }

    /// The distinct values in order, nulls left out; `None` if there are more than `cap`.
    pub fn distinct(&self, cap: usize) -> Option<Vec<i64>> {
        let Some((low, high)) = self.range() else {
            return Some(Vec::new());
        };
        let width = high.checked_sub(low).filter(|&w| w < 1 << 20);
        let mut values = if let Some(width) = width {
            let mut seen = vec![false; width as usize + 1];
            self.each(|x| seen[(x - low) as usize] = true);
            seen.iter()
                .enumerate()
                .filter(|&(_, &s)| s)
                .map(|(i, _)| low + i as i64)
                .collect::<Vec<_>>()
        } else {
            let mut seen = hashbrown::HashSet::with_hasher(foldhash::fast::FixedState::default());
            let mut block = [0_i64; BLOCK];
            for start in (0..self.len()).step_by(BLOCK) {
                let block = &mut block[..BLOCK.min(self.len() - start)];
                self.decode(start, block);
                seen.extend(block.iter().copied().filter(|&x| x != NULL));
                if seen.len() > cap {
                    return None;
                }
            }
            seen.into_iter().collect()
        };
        values.sort_unstable();
        (values.len() <= cap).then_some(values)
    }

    fn each(&self, mut visit: impl FnMut(i64)) {
        let mut block = [0_i64; BLOCK];
        for start in (0..self.len()).step_by(BLOCK) {
            let block = &mut block[..BLOCK.min(self.len() - start)];
            self.decode(start, block);
            block.iter().copied().filter(|&x| x != NULL).for_each(&mut visit);
        }
    }
}

/// Reads blocks, each column once per block however often it is asked for.
#[derive(Default)]
pub struct Reader {
    blocks: Vec<Block>,
    next: usize,
}

struct Block {
    column: (usize, usize),
    start: usize,
    values: Vec<i64>,
}

/// Columns whose blocks are remembered.
const REMEMBERED: usize = 12;

impl Reader {
    /// `n` rows of a column from `start` on.
    #[inline]
    pub fn read<'r, 'a: 'r>(&'r mut self, column: &Column<'a>, start: usize, n: usize) -> &'r [i64] {
        if let (Values::I64(values), None) = (column.values, column.valid) {
            return &values[start..start + n];
        }
        let address = column.address();
        let found = self
            .blocks
            .iter()
            .position(|b| b.column == address && b.start == start && b.values.len() == n);
        let at = found.unwrap_or_else(|| self.decode(column, address, start, n));
        &self.blocks[at].values
    }

    fn decode(&mut self, column: &Column, address: (usize, usize), start: usize, n: usize) -> usize {
        let at = self.next;
        self.next = (at + 1) % REMEMBERED;
        if at == self.blocks.len() {
            self.blocks.push(Block {
                column: address,
                start,
                values: Vec::with_capacity(BLOCK),
            });
        }
        let block = &mut self.blocks[at];
        (block.column, block.start) = (address, start);
        block.values.resize(n, 0);
        column.decode(start, &mut block.values);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_read_as_null_in_blocks_and_alone() {
        let column = Column::new(
            Values::I32(&[5, 6, 7]),
            Some(Bits {
                bytes: &[0b101],
                offset: 0,
            }),
        );
        let mut out = [0; 2];
        column.decode(1, &mut out);
        assert_eq!((out, column.get(1), column.range()), ([NULL, 7], NULL, Some((5, 7))));
    }

    #[test]
    fn distinct_values_come_in_order_and_are_capped() {
        let column = Column::new(Values::I64(&[1 << 40, 3, 3, -9]), None);
        assert_eq!(column.distinct(3), Some(vec![-9, 3, 1 << 40]));
        assert_eq!(column.distinct(2), None);
        assert_eq!(Column::new(Values::Codes(&[u32::MAX]), None).distinct(1), Some(vec![]));
    }
}
