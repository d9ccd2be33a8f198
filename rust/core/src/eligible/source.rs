//! Codes of rows and lines: columns through look-up tables.

use crate::column::{BLOCK, Column, NULL, Reader};
use crate::problem::Digits;

/// Where the part of a class that one test needs comes from.
pub enum Source<'a> {
    Digits(Digits<'a>, Vec<u32>),
    Steps {
        column: Column<'a>,
        steps: Steps,
    },
    Pair {
        low: Option<(Column<'a>, Steps)>,
        high: Option<(Column<'a>, Steps)>,
    },
}

/// A code by how many of the cuts are at most the value; by table where the cuts lie close together.
pub struct Steps {
    cuts: Vec<i64>,
    codes: Vec<u32>,
    null: u32,
    table: Vec<u32>,
}

impl Steps {
    pub fn new(cuts: Vec<i64>, codes: Vec<u32>, null: u32) -> Self {
        let mut table = Vec::new();
        if let (Some(&first), Some(&last)) = (cuts.first(), cuts.last())
            && last.abs_diff(first) < 1 << 14
        {
            table = (first - 1..=last)
                .map(|v| codes[cuts.partition_point(|&c| c <= v)])
                .collect();
        }
        Self {
            cuts,
            codes,
            null,
            table,
        }
    }

    /// The same with other codes.
    fn map(self, of: impl Fn(u32) -> u32) -> Self {
        let codes = self.codes.into_iter().map(&of).collect();
        Self::new(self.cuts, codes, of(self.null))
    }

    /// Joins the codes of a block of values to `out`.
    #[inline]
    fn join(&self, values: &[i64], out: &mut [u32], op: impl Fn(u32, u32) -> u32) {
        if let (Some(&last), Some(&first)) = (self.table.last(), self.cuts.first()) {
            let least = first - 1;
            let top = self.table.len() - 1;
            for (o, &x) in out.iter_mut().zip(values) {
                let at = (x.max(least).wrapping_sub(least) as usize).min(top);
                let code = self.table.get(at).copied().unwrap_or(last);
                *o = op(*o, if x == NULL { self.null } else { code });
            }
        } else {
            for (o, &x) in out.iter_mut().zip(values) {
                let step = self.cuts.partition_point(|&c| c <= x);
                *o = op(*o, if x == NULL { self.null } else { self.codes[step] });
            }
        }
    }
}

impl Source<'_> {
    /// The same with other codes; those of a pair, which are added, each by itself.
    pub fn map(self, of: impl Fn(u32) -> u32) -> Self {
        match self {
            Self::Digits(digits, table) => Self::Digits(digits, table.into_iter().map(of).collect()),
            Self::Steps { column, steps } => Self::Steps {
                column,
                steps: steps.map(of),
            },
            Self::Pair { low, high } => Self::Pair {
                low: low.map(|(column, steps)| (column, steps.map(&of))),
                high: high.map(|(column, steps)| (column, steps.map(&of))),
            },
        }
    }

    /// Joins the codes of the block of rows from `start` on to `out`.
    #[inline]
    pub fn join(&self, start: usize, reader: &mut Reader, out: &mut [u32], op: impl Fn(u32, u32) -> u32) {
        let n = out.len();
        match self {
            Self::Digits(digits, table) => {
                if let [(column, _)] = digits.0[..] {
                    let (top, last) = (table.len() - 1, table[table.len() - 1]);
                    for (o, &x) in out.iter_mut().zip(reader.read(&column, start, n)) {
                        let at = (x.max(-1).wrapping_add(1) as usize).min(top);
                        *o = op(*o, table.get(at).copied().unwrap_or(last));
                    }
                } else {
                    let mut codes = [0_usize; BLOCK];
                    digits.codes(start, reader, &mut codes[..n]);
                    for (o, &code) in out.iter_mut().zip(&codes) {
                        *o = op(*o, table[code]);
                    }
                }
            }
            Self::Steps { column, steps } => steps.join(reader.read(column, start, n), out, op),
            Self::Pair { low, high } => {
                for (column, steps) in low.iter().chain(high) {
                    steps.join(reader.read(column, start, n), out, &op);
                }
            }
        }
    }
}
