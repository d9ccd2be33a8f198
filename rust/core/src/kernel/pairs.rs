//! Rows and lines in pairs: whether each row may serve the line that has something of it, by itself.

use rayon::prelude::*;

use super::book::{ask, exchange_ask, stop, substitution, value};
use crate::column::{BLOCK, Column, NULL, Reader};
use crate::eligible::{Eligibility, Wide};
use crate::error::{Error, Result};
use crate::group::Side;
use crate::problem::{GroupPart, PASS, Problem};

/// Units of rows that lines have.
pub struct Pairs<'a> {
    /// Number of the row.
    pub row: Column<'a>,
    /// Number of the line.
    pub line: Column<'a>,
    /// Units of the row, above zero.
    pub qty: Column<'a>,
    /// Units of the line that these are.
    pub served: Column<'a>,
}

/// Whether each pair is in one group, passes every test, and serves as much as it says in whole exchanges.
///
/// Balances, orders, fill rules and safety stock do not matter. Rows and lines are classified once each.
pub fn fit(problem: &Problem, pairs: &Pairs) -> Result<Vec<bool>> {
    problem.check()?;
    let Pairs { row, line, qty, served } = pairs;
    let (rows, lines) = (problem.stock.on_hand.len(), problem.demand.qty.len());
    for (column, expected) in [(row, rows), (line, lines)] {
        let known = |(first, last): (i64, i64)| first >= 0 && (last as usize) < expected;
        if column.len() != qty.len() || served.len() != qty.len() || !column.range().is_none_or(known) {
            return Err(Error::Table("a pair has no such row or line".into()));
        }
    }
    let eligibility = Eligibility::new(&problem.tests, &[], &[]);
    let packed = parts_packed(&problem.group);
    let [of_rows, of_lines] =
        [Side::Stock, Side::Demand].map(|side| kinds(problem, &problem.group[..packed], &eligibility, side));
    Ok((0..qty.len())
        .into_par_iter()
        .with_min_len(BLOCK)
        .map(|pair| {
            let (Ok(row), Ok(line)) = (usize::try_from(row.get(pair)), usize::try_from(line.get(pair))) else {
                return false;
            };
            let (qty, served) = (qty.get(pair), served.get(pair));
            let (of_row, of_line) = (of_rows[row], of_lines[line]);
            of_row >> CLASS_BITS == of_line >> CLASS_BITS
                && problem.group[packed..]
                    .iter()
                    .all(|part| part.stock.get(row) == part.demand.get(line))
                && eligibility.verdict(of_line as u16, of_row as u16) == PASS
                && eligibility.wide.iter().all(|wide| passes(wide, row, line))
                && serves(&eligibility.wide, row, line, (qty, served))
        })
        .collect())
}

/// Bits of a class beside its group.
const CLASS_BITS: u32 = u16::BITS;

/// How many parts of the group fit one number beside the class.
fn parts_packed(group: &[GroupPart]) -> usize {
    let mut groups = 1_u64;
    group
        .iter()
        .take_while(|part| {
            groups = groups.saturating_mul(u64::from(part.card) + 1);
            groups < 1 << (u64::BITS - CLASS_BITS)
        })
        .count()
}

/// The group and the class of all rows or all lines, as one number: they are looked up at random.
fn kinds(problem: &Problem, group: &[GroupPart], eligibility: &Eligibility, side: Side) -> Vec<u64> {
    let count = match side {
        Side::Stock => problem.stock.on_hand.len(),
        Side::Demand => problem.demand.qty.len(),
    };
    let mut kinds = vec![0_u64; count];
    kinds
        .par_chunks_mut(BLOCK)
        .enumerate()
        .for_each_init(Reader::default, |reader, (block, kinds)| {
            let (start, mut codes) = (block * BLOCK, [0_u32; BLOCK]);
            let codes = &mut codes[..kinds.len()];
            match side {
                Side::Stock => eligibility.classify_stock(start, reader, codes),
                Side::Demand => eligibility.classify_lines(None, start, reader, codes),
            }
            for part in group {
                let column = match side {
                    Side::Stock => part.stock,
                    Side::Demand => part.demand,
                };
                for (kind, &code) in kinds.iter_mut().zip(reader.read(&column, start, codes.len())) {
                    // No value is a group of its own.
                    let digit = if code < 0 { u64::from(part.card) } else { code as u64 };
                    *kind = *kind * (u64::from(part.card) + 1) + digit;
                }
            }
            for (kind, &code) in kinds.iter_mut().zip(&*codes) {
                *kind = *kind << CLASS_BITS | u64::from(code);
            }
        });
    kinds
}

fn passes(wide: &Wide, row: usize, line: usize) -> bool {
    stop(wide, ask(wide, line), value(wide, row)) == PASS
}

/// Whether so many units of the row serve so many of the line.
fn serves(wide: &[Wide], row: usize, line: usize, (qty, served): (i64, i64)) -> bool {
    let exchange = wide.iter().find_map(|wide| match wide {
        Wide::Exchange {
            stock,
            demand,
            substitutes,
            ..
        } => substitution(wide, stock.get(row), exchange_ask(demand.get(line), substitutes)),
        _ => None,
    });
    let (give, asked) = exchange.map_or((1, 1), |s| (s.give, s.asked));
    qty != NULL && served % asked == 0 && qty / give >= served / asked
}
