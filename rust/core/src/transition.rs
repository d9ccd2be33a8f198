//! Validation of changes of status: a few table look-ups per row, and no branch.
//!
//! The tables are compiled from a lifecycle in Python, which also names the verdicts. Of several things that
//! are wrong with a row the greatest verdict is told; 0 is 'allowed'.

use rayon::prelude::*;

use crate::{Error, Result};

/// A value for each pair of codes: `table[first << 8 | second]`.
pub type Table = [u8; 1 << 16];

/// What each code of a column means in the terms of the tables.
pub type Meaning = [u8; 1 << 8];

/// The verdict of a change that nothing speaks against.
pub const ALLOWED: u8 = 0;

/// Rows that are checked at a time: their kinds stay in the first-level cache.
const BLOCK: usize = 4096;

/// Blocks that one thread takes at a time.
const BLOCKS_PER_TASK: usize = 32;

/// A column of codes and what they mean.
#[derive(Clone, Copy)]
pub struct Codes<'a> {
    /// One code per row.
    pub rows: &'a [u8],
    /// What each code means.
    pub meaning: &'a Meaning,
}

impl Codes<'_> {
    fn means(&self, code: u8) -> u8 {
        self.meaning[usize::from(code)]
    }
}

/// Something that a change may need, and whether the row brings it.
pub struct Need<'a> {
    /// What the row brings.
    pub given: Codes<'a>,
    /// The verdict by kind of change and by what is given.
    pub verdicts: &'a Table,
}

/// Where a unit must return to, and where it was.
pub struct Return<'a> {
    /// The status that the unit had before the one it leaves.
    pub previous: Codes<'a>,
    /// By target and previous status: what that brings to the need.
    pub given: &'a Table,
    /// The verdict by kind of change and by what is given.
    pub verdicts: &'a Table,
}

/// Changes of status to be checked, one per row.
pub struct Changes<'a> {
    /// The status that is left.
    pub from: Codes<'a>,
    /// The status that is entered.
    pub to: Codes<'a>,
    /// The kind of each pair of statuses; changes of one kind need the same.
    pub kinds: &'a Table,
    /// The verdict of each kind before its needs are looked at.
    pub verdicts: &'a Meaning,
    /// What changes may need.
    pub needs: Vec<Need<'a>>,
    /// What changes back need.
    pub back: Option<Return<'a>>,
}

/// Units whose rows follow each other in time.
pub struct Path<'a> {
    /// Dense code of the unit of each row.
    pub units: &'a [u32],
    /// All unit codes are below this.
    pub units_count: usize,
    /// The verdict of a row that does not begin where the unit is.
    pub broken: u8,
}

fn at(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// A table of what `cell` says for each pair of codes.
fn filled(cell: impl Fn(u8, u8) -> u8) -> Box<Table> {
    let row = |first| (0..=u8::MAX).map(move |second| (first, second));
    let cells: Vec<u8> = (0..=u8::MAX)
        .flat_map(row)
        .map(|(first, second)| cell(first, second))
        .collect();
    cells.try_into().expect("256 rows of 256 cells")
}

impl Changes<'_> {
    /// The verdict of each row.
    pub fn verdicts(&self) -> Result<Vec<u8>> {
        let rows = self.rows()?;
        let mut out = vec![ALLOWED; rows];
        let kinds = filled(|from, to| self.kinds[at(self.from.means(from), self.to.means(to))]);
        if self.needs.is_empty() && self.back.is_none() {
            let verdicts = filled(|from, to| self.verdicts[usize::from(kinds[at(from, to)])]);
            let task = BLOCK * BLOCKS_PER_TASK;
            out.par_chunks_mut(task).enumerate().for_each(|(number, out)| {
                let start = number * task;
                look_up(&verdicts, &self.from.rows[start..], &self.to.rows[start..], out);
            });
        } else {
            let plan = Needs::of(self, kinds);
            out.par_chunks_mut(BLOCK)
                .with_min_len(BLOCKS_PER_TASK)
                .enumerate()
                .for_each(|(number, out)| plan.check(number * BLOCK, out));
        }
        Ok(out)
    }

    /// The verdict of each row, where rows of one unit follow each other: each must begin where the last
    /// allowed one ended. A refused row changes nothing.
    pub fn verdicts_along(&self, path: &Path<'_>) -> Result<Vec<u8>> {
        const UNSEEN: u16 = u16::MAX;
        let mut out = self.verdicts()?;
        same_length("unit", path.units.len(), out.len())?;
        if path.units.iter().any(|&unit| unit as usize >= path.units_count) {
            return Err(Error::Table("a unit code exceeds the number of units".into()));
        }
        let mut status = vec![UNSEEN; path.units_count];
        for (row, verdict) in out.iter_mut().enumerate() {
            let now = &mut status[path.units[row] as usize];
            let from = self.from.means(self.from.rows[row]);
            if *now != UNSEEN && *now != u16::from(from) {
                *verdict = (*verdict).max(path.broken);
            }
            if *verdict == ALLOWED {
                *now = u16::from(self.to.means(self.to.rows[row]));
            }
        }
        Ok(out)
    }

    fn rows(&self) -> Result<usize> {
        let rows = self.from.rows.len();
        same_length("to", self.to.rows.len(), rows)?;
        for need in &self.needs {
            same_length("need", need.given.rows.len(), rows)?;
        }
        if let Some(back) = &self.back {
            same_length("previous", back.previous.rows.len(), rows)?;
        }
        Ok(rows)
    }
}

/// The tables of `Changes` in terms of the codes of its columns, the verdict of the kind in each.
struct Needs<'a> {
    changes: &'a Changes<'a>,
    kinds: Box<Table>,
    each: Vec<(&'a [u8], Box<Table>)>,
    back: Option<(&'a [u8], Box<Table>, Box<Table>)>,
}

impl<'a> Needs<'a> {
    fn of(changes: &'a Changes<'a>, kinds: Box<Table>) -> Self {
        let judged = |kind, verdict: u8| verdict.max(changes.verdicts[usize::from(kind)]);
        let need = |need: &Need<'a>| {
            let given = need.given;
            let verdicts = filled(|kind, code| judged(kind, need.verdicts[at(kind, given.means(code))]));
            (given.rows, verdicts)
        };
        let back = changes.back.as_ref().map(|back| {
            let previous = back.previous;
            let given = filled(|to, was| back.given[at(changes.to.means(to), previous.means(was))]);
            let verdicts = filled(|kind, given| judged(kind, back.verdicts[at(kind, given)]));
            (previous.rows, given, verdicts)
        });
        Self {
            changes,
            kinds,
            each: changes.needs.iter().map(need).collect(),
            back,
        }
    }

    fn check(&self, start: usize, out: &mut [u8]) {
        let block = start..start + out.len();
        let (from, to) = (
            &self.changes.from.rows[block.clone()],
            &self.changes.to.rows[block.clone()],
        );
        let mut kinds = [0; BLOCK];
        let kinds = &mut kinds[..out.len()];
        look_up(&self.kinds, from, to, kinds);
        for (given, verdicts) in &self.each {
            raise(verdicts, kinds, &given[block.clone()], out);
        }
        if let Some((previous, given, verdicts)) = &self.back {
            let mut brought = [0; BLOCK];
            let brought = &mut brought[..out.len()];
            look_up(given, to, &previous[block], brought);
            raise(verdicts, kinds, brought, out);
        }
    }
}

fn look_up(table: &Table, first: &[u8], second: &[u8], out: &mut [u8]) {
    for ((out, &first), &second) in out.iter_mut().zip(first).zip(second) {
        *out = table[at(first, second)];
    }
}

fn raise(table: &Table, first: &[u8], second: &[u8], out: &mut [u8]) {
    for ((out, &first), &second) in out.iter_mut().zip(first).zip(second) {
        *out = (*out).max(table[at(first, second)]);
    }
}

fn same_length(column: &'static str, rows: usize, expected: usize) -> Result<()> {
    if rows == expected {
        Ok(())
    } else {
        Err(Error::RowCount { column, rows, expected })
    }
}

#[cfg(test)]
#[allow(clippy::large_stack_arrays)]
mod tests {
    use super::*;

    const PLAIN: Meaning = {
        let mut meaning = [0; 256];
        let mut code = 0;
        while code < 256 {
            meaning[code] = code as u8;
            code += 1;
        }
        meaning
    };

    /// 0 → 1 freely (kind 1), 1 → 0 with a need (kind 2); all else (kind 0) gets the verdict 9.
    fn kinds() -> (Box<Table>, Meaning) {
        let mut kinds = Box::new([0; 1 << 16]);
        (kinds[at(0, 1)], kinds[at(1, 0)]) = (1, 2);
        let mut verdicts = [0; 256];
        verdicts[0] = 9;
        (kinds, verdicts)
    }

    fn changes<'a>(from: &'a [u8], to: &'a [u8], kinds: &'a Table, verdicts: &'a Meaning) -> Changes<'a> {
        let codes = |rows| Codes { rows, meaning: &PLAIN };
        Changes {
            from: codes(from),
            to: codes(to),
            kinds,
            verdicts,
            needs: vec![],
            back: None,
        }
    }

    #[test]
    fn a_row_gets_the_verdict_of_its_pair() {
        let (kinds, verdicts) = kinds();
        let checked = changes(&[0, 1, 0, 255], &[1, 0, 0, 255], &kinds, &verdicts).verdicts();
        assert_eq!(checked, Ok(vec![0, 0, 9, 9]));
    }

    #[test]
    fn codes_mean_what_their_column_says() {
        let (kinds, verdicts) = kinds();
        let mut meaning = [255; 256];
        (meaning[7], meaning[8]) = (0, 1);
        let mut changes = changes(&[7, 8, 0], &[1, 0, 1], &kinds, &verdicts);
        changes.from.meaning = &meaning;
        assert_eq!(changes.verdicts(), Ok(vec![0, 0, 9]));
    }

    #[test]
    fn the_greatest_of_several_verdicts_is_told() {
        let (kinds, verdicts) = kinds();
        let (mut five, mut seven) = ([0; 1 << 16], [0; 1 << 16]);
        (five[at(2, 0)], seven[at(2, 0)], seven[at(0, 0)]) = (5, 7, 7);
        let mut changes = changes(&[1, 1, 1, 0], &[0, 0, 0, 0], &kinds, &verdicts);
        let need = |rows, verdicts| Need {
            given: Codes { rows, meaning: &PLAIN },
            verdicts,
        };
        changes.needs = vec![need(&[0, 0, 1, 0], &five), need(&[0, 1, 1, 0], &seven)];
        assert_eq!(changes.verdicts(), Ok(vec![7, 5, 0, 9]));
    }

    #[test]
    fn a_change_back_ends_where_the_unit_was() {
        let (kinds, verdicts) = kinds();
        let (mut given, mut wrong) = ([0; 1 << 16], [0; 1 << 16]);
        given[at(0, 0)] = 1;
        wrong[at(2, 0)] = 3;
        let mut changes = changes(&[1, 1, 0], &[0, 0, 1], &kinds, &verdicts);
        let previous = Codes {
            rows: &[0, 4, 4],
            meaning: &PLAIN,
        };
        changes.back = Some(Return {
            previous,
            given: &given,
            verdicts: &wrong,
        });
        assert_eq!(changes.verdicts(), Ok(vec![0, 3, 0]));
    }

    #[test]
    fn a_refused_row_leaves_the_unit_where_it_was() {
        let (kinds, verdicts) = kinds();
        let changes = changes(&[0, 1, 1, 0, 0], &[1, 1, 0, 1, 1], &kinds, &verdicts);
        let path = Path {
            units: &[0, 0, 0, 0, 1],
            units_count: 2,
            broken: 4,
        };
        assert_eq!(changes.verdicts_along(&path), Ok(vec![0, 9, 0, 0, 0]));
        let changes = self::changes(&[0, 0], &[1, 1], &kinds, &verdicts);
        let path = Path {
            units: &[0, 0],
            units_count: 1,
            broken: 4,
        };
        assert_eq!(changes.verdicts_along(&path), Ok(vec![0, 4]));
    }

    #[test]
    fn many_rows_are_checked_as_few() {
        let (kinds, verdicts) = kinds();
        let from: Vec<u8> = (0..300_000_u32).map(|row| (row % 3) as u8).collect();
        let to: Vec<u8> = (0..300_000_u32).map(|row| (row % 2) as u8).collect();
        let needless = [0; 1 << 16];
        let mut changes = changes(&from, &to, &kinds, &verdicts);
        let expected: Vec<u8> = from
            .iter()
            .zip(&to)
            .map(|pair| if matches!(pair, (0, 1) | (1, 0)) { 0 } else { 9 })
            .collect();
        assert_eq!(changes.verdicts().as_ref(), Ok(&expected));
        changes.needs = vec![Need {
            given: changes.from,
            verdicts: &needless,
        }];
        assert_eq!(changes.verdicts(), Ok(expected));
    }

    #[test]
    fn columns_of_different_length_are_refused() {
        let (kinds, verdicts) = kinds();
        let error = changes(&[0], &[0, 1], &kinds, &verdicts).verdicts().unwrap_err();
        assert_eq!(error.code(), "row_count");
        let path = Path {
            units: &[3],
            units_count: 2,
            broken: 4,
        };
        let error = changes(&[0], &[1], &kinds, &verdicts)
            .verdicts_along(&path)
            .unwrap_err();
        assert_eq!(error.code(), "internal");
    }
}
