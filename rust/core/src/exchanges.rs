//! What is free of stock rows and what lines have of them, and which units of a row went from whom to whom.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::pair_sums::joined;

/// How many rows, or pairs, one task looks at.
const PIECE_ROWS: usize = 1 << 15;

/// One more than the greatest rank of who has a part.
const RANKS: usize = 8;

/// What lines have of rows, by row.
#[derive(Debug, Clone, Copy)]
pub struct Things<'a> {
    /// The row of each, ascending.
    pub row: &'a [u32],
    /// The line that has it.
    pub line: &'a [u32],
    /// Units of the row.
    pub qty: &'a [i64],
}

/// Parts of rows by row: what is free, and behind it what lines of each rank have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The row.
    pub row: Vec<u32>,
    /// The rank of those who have it; 0 for nobody.
    pub held: Vec<u8>,
    /// How much it is; of what is free it may be nothing.
    pub qty: Vec<i64>,
}

/// Lays what is free of rows and what lines have of them behind each other.
///
/// `there` is what each row has in all, `taken` what lines have of it, `rank` the rank of each line (from 1 to 7; 0
/// where nobody may take what it has), `wanted` the group of each row and whether a group is looked at.
pub fn parts(
    [there, taken]: [&[i64]; 2],
    things: Things<'_>,
    rank: &[u8],
    wanted: Option<(&[u32], &[u8])>,
) -> Result<Parts> {
    let Things { row: of, line, qty } = things;
    let known = |lines: &[u32]| lines.par_iter().all(|&line| (line as usize) < rank.len());
    let groups = wanted.is_none_or(|(group, wanted)| {
        group.len() == there.len() && group.par_iter().all(|&group| (group as usize) < wanted.len())
    });
    if taken.len() != there.len() || line.len() != of.len() || qty.len() != of.len() || !known(line) || !groups {
        return Err(Error::Table("rows and what lines have of them do not fit".into()));
    }
    if rank.par_iter().any(|&rank| rank as usize >= RANKS) || !of.is_sorted() {
        return Err(Error::Table("ranks are from 0 to 7, and rows ascend".into()));
    }
    let pieces: Vec<_> = (0..there.len())
        .into_par_iter()
        .step_by(PIECE_ROWS)
        .map(|start| {
            let mut found = Parts::default();
            let mut at = of.partition_point(|&row| (row as usize) < start);
            for row in start..(start + PIECE_ROWS).min(there.len()) {
                let first = at;
                while of.get(at).is_some_and(|&other| other as usize == row) {
                    at += 1;
                }
                if wanted.is_some_and(|(group, wanted)| wanted[group[row] as usize] == 0) {
                    continue;
                }
                let mut held = [0; RANKS];
                for thing in first..at {
                    held[rank[line[thing] as usize] as usize] += qty[thing];
                }
                held[0] = (there[row] - taken[row]).max(0);
                for (rank, &units) in held.iter().enumerate() {
                    if rank == 0 || units > 0 {
                        found.row.push(row as u32);
                        found.held.push(rank as u8);
                        found.qty.push(units);
                    }
                }
            }
            found
        })
        .collect();
    let (mut row, mut held, mut qty) = (vec![], vec![], vec![]);
    for piece in pieces {
        row.push(piece.row);
        held.push(piece.held);
        qty.push(piece.qty);
    }
    Ok(Parts {
        row: joined(&row),
        held: joined(&held),
        qty: joined(&qty),
    })
}

/// Nobody: what was free before, or is free now.
pub const NOBODY: u32 = u32::MAX;

/// Units of rows that changed hands, by row.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exchanges {
    /// The row.
    pub row: Vec<u32>,
    /// The line that had them.
    pub from: Vec<u32>,
    /// The line that has them.
    pub to: Vec<u32>,
    /// How many.
    pub qty: Vec<i64>,
    /// Lines that lost something of a row of which somebody gained something; a line may be there several times.
    pub robbed: Vec<u32>,
}

/// Puts those who lost of a row beside those who gained of it, the first with the first.
///
/// Pairs of row and line ascend, each is there once, with what the line has more of the row than before.
pub fn exchanges(row: &[u32], line: &[u32], change: &[i64]) -> Result<Exchanges> {
    if line.len() != row.len() || change.len() != row.len() || !row.is_sorted() {
        return Err(Error::Table("pairs ascend, and each has its change".into()));
    }
    let begin = |at: usize| match at.checked_sub(1).and_then(|before| row.get(before)) {
        Some(before) => at + row[at..].partition_point(|row| row == before),
        None => at,
    };
    let pieces: Vec<_> = (0..row.len())
        .into_par_iter()
        .step_by(PIECE_ROWS)
        .map(|start| {
            let mut found = Exchanges::default();
            let end = begin((start + PIECE_ROWS).min(row.len()));
            let mut first = begin(start);
            while first < end {
                let count = row[first..].iter().take_while(|&&other| other == row[first]).count();
                let pairs = first..first + count;
                found.add(row[first], &line[pairs.clone()], &change[pairs]);
                first += count;
            }
            found
        })
        .collect();
    let mut columns = (vec![], vec![], vec![], vec![], vec![]);
    for piece in pieces {
        columns.0.push(piece.row);
        columns.1.push(piece.from);
        columns.2.push(piece.to);
        columns.3.push(piece.qty);
        columns.4.push(piece.robbed);
    }
    Ok(Exchanges {
        row: joined(&columns.0),
        from: joined(&columns.1),
        to: joined(&columns.2),
        qty: joined(&columns.3),
        robbed: joined(&columns.4),
    })
}

impl Exchanges {
    /// The exchanges of one row.
    fn add(&mut self, row: u32, lines: &[u32], changes: &[i64]) {
        let pairs = || lines.iter().zip(changes);
        if changes.iter().any(|&change| change > 0) {
            let lost = pairs().filter(|&(_, &change)| change < 0);
            self.robbed.extend(lost.map(|(&line, _)| line));
        }
        let mut lost = pairs()
            .filter(|pair| *pair.1 < 0)
            .map(|(&line, &change)| (line, -change));
        let mut gained = pairs()
            .filter(|pair| *pair.1 > 0)
            .map(|(&line, &change)| (line, change));
        let (mut from, mut to) = (lost.next(), gained.next());
        loop {
            let qty = match (from, to) {
                (Some((_, lost)), Some((_, gained))) => lost.min(gained),
                (Some((_, one)), None) | (None, Some((_, one))) => one,
                (None, None) => return,
            };
            self.row.push(row);
            self.from.push(from.map_or(NOBODY, |(line, _)| line));
            self.to.push(to.map_or(NOBODY, |(line, _)| line));
            self.qty.push(qty);
            let rest = |(line, units): (u32, i64)| (units > qty).then_some((line, units - qty));
            from = from.and_then(rest).or_else(|| lost.next());
            to = to.and_then(rest).or_else(|| gained.next());
        }
    }
}

/// What each line has before and after, and the difference.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// What it had.
    pub before: Vec<i64>,
    /// What it has.
    pub after: Vec<i64>,
    /// How much more.
    pub gained: Vec<i64>,
    /// How much less.
    pub lost: Vec<i64>,
    /// How much it lacks.
    pub short: Vec<i64>,
}

/// By line what it has `fixed` for good, what it `held` beside and what it `served` is now, and what it `asked`.
pub fn amounts([fixed, held, served, asked]: [&[i64]; 4]) -> Result<Amounts> {
    let count = fixed.len();
    if [held, served, asked].iter().any(|column| column.len() != count) {
        return Err(Error::Table("amounts of lines differ in length".into()));
    }
    let column = |amount: &(dyn Fn(usize) -> i64 + Sync)| {
        let rows = (0..count).into_par_iter().with_min_len(PIECE_ROWS);
        rows.map(amount).collect::<Vec<_>>()
    };
    Ok(Amounts {
        before: column(&|line| fixed[line] + held[line]),
        after: column(&|line| fixed[line] + served[line]),
        gained: column(&|line| (served[line] - held[line]).max(0)),
        lost: column(&|line| (held[line] - served[line]).max(0)),
        short: column(&|line| asked[line] - fixed[line] - served[line]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: Things<'static> = Things {
        row: &[0, 2, 2, 2],
        line: &[1, 0, 1, 2],
        qty: &[3, 4, 5, 6],
    };

    #[test]
    fn what_is_free_comes_first_and_behind_it_what_lines_have_by_rank() {
        let found = parts([&[5, 7, 20], &[3, 0, 21]], THINGS, &[2, 1, 2], None);
        let expected = Parts {
            row: vec![0, 0, 1, 2, 2, 2],
            held: vec![0, 1, 0, 0, 1, 2],
            qty: vec![2, 3, 7, 0, 5, 10],
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn rows_of_other_groups_and_lines_of_no_rank_are_left_out() {
        let groups: (&[u32], &[u8]) = (&[0, 1, 1], &[0, 1]);
        let found = parts([&[5, 7, 20], &[3, 0, 15]], THINGS, &[0, 3, 0], Some(groups));
        let expected = Parts {
            row: vec![1, 2, 2],
            held: vec![0, 0, 3],
            qty: vec![7, 5, 5],
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        assert!(parts([&[5], &[]], THINGS, &[1, 1, 1], None).is_err());
        assert!(parts([&[5, 5, 5], &[0, 0, 0]], THINGS, &[1], None).is_err());
        assert!(parts([&[5, 5, 5], &[0, 0, 0]], THINGS, &[8, 1, 1], None).is_err());
        assert!(exchanges(&[2, 1], &[0, 0], &[1, 1]).is_err());
    }

    #[test]
    fn those_who_lost_stand_beside_those_who_gained() {
        let row = [0, 0, 0, 0, 3, 4, 4];
        let line = [1, 2, 3, 4, 9, 1, 2];
        let found = exchanges(&row, &line, &[-5, 3, -2, 3, 8, -1, 0]);
        let expected = Exchanges {
            row: vec![0, 0, 0, 0, 3, 4],
            from: vec![1, 1, 3, 3, NOBODY, 1],
            to: vec![2, 4, 4, NOBODY, 9, NOBODY],
            qty: vec![3, 2, 1, 1, 8, 1],
            robbed: vec![1, 3],
        };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn what_a_line_has_before_and_after_and_the_difference() {
        let found = amounts([&[1, 0], &[5, 3], &[2, 4], &[9, 4]]);
        let expected = Amounts {
            before: vec![6, 3],
            after: vec![3, 4],
            gained: vec![0, 1],
            lost: vec![3, 0],
            short: vec![6, 0],
        };
        assert_eq!(found, Ok(expected));
        assert!(amounts([&[1], &[], &[], &[]]).is_err());
    }

    #[test]
    fn many_rows_in_pieces_come_as_one_after_the_other() {
        let row: Vec<u32> = (0..200_000_u32).map(|pair| pair / 3).collect();
        let line: Vec<u32> = (0..200_000).collect();
        let change: Vec<i64> = (0..200_000).map(|pair| [-2, 1, 1][pair % 3]).collect();
        let found = exchanges(&row, &line, &change).expect("pairs that ascend");
        assert_eq!(found.qty.len(), 133_334);
        let mut one = Exchanges::default();
        for start in (0..200_000).step_by(3) {
            let pairs = start..(start + 3).min(200_000);
            one.add(row[start], &line[pairs.clone()], &change[pairs]);
        }
        assert_eq!(found, one);
    }
}
