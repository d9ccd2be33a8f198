//! Folding: a test with few values becomes codes of both sides and a table of what they make of each other.

use super::source::{Source, Steps};
use super::{CELLS_MAX, CUTS_MAX};
use crate::column::Column;
use crate::problem::{Bound, Digits, Gate, Test};

/// Codes of both sides and what they make of each other.
pub struct Fold<'a> {
    pub gate: Gate,
    pub stock: Source<'a>,
    pub stock_card: usize,
    /// Without codes of lines the test concerns the row alone.
    pub demand: Option<Source<'a>>,
    pub demand_card: usize,
    /// `demand_card * stock_card` ranks, negative fails.
    pub cells: Vec<i32>,
}

fn fold_table<'a>(gate: Gate, stock: &Digits<'a>, demand: &Digits<'a>, cells: &[i32]) -> Option<Fold<'a>> {
    let (rows, lines) = (stock.card(), demand.card());
    if cells.len() > CELLS_MAX * 4 {
        return None;
    }
    // Codes that no cell tells apart are one.
    let (stock_table, stock_card) = merge(rows, |s| (0..lines).map(|d| cells[d * rows + s]).collect());
    let (demand_table, demand_card) = merge(lines, |d| cells[d * rows..(d + 1) * rows].to_vec());
    let mut merged = vec![0; stock_card * demand_card];
    for d in 0..lines {
        for s in 0..rows {
            merged[demand_table[d] as usize * stock_card + stock_table[s] as usize] = cells[d * rows + s];
        }
    }
    Some(Fold {
        gate,
        stock: Source::Digits(stock.clone(), stock_table),
        stock_card,
        demand: (demand_card > 1).then(|| Source::Digits(demand.clone(), demand_table)),
        demand_card,
        cells: merged,
    })
}

fn merge(n: usize, of: impl Fn(usize) -> Vec<i32>) -> (Vec<u32>, usize) {
    let mut known = hashbrown::HashMap::with_hasher(foldhash::fast::FixedState::default());
    let table = (0..n)
        .map(|i| {
            let next = known.len() as u32;
            *known.entry(of(i)).or_insert(next)
        })
        .collect();
    (table, known.len())
}

fn fold_within<'a>(
    gate: Gate,
    stock: Column<'a>,
    low: Bound<'a>,
    high: Bound<'a>,
    null_passes: bool,
    outside: bool,
) -> Option<Fold<'a>> {
    let values = |bound: Bound<'a>| match bound {
        Bound::Open => Some(Vec::new()),
        Bound::At(value) => Some(vec![value]),
        Bound::Of(column) => column.distinct(CUTS_MAX),
    };
    let (lows, highs) = (values(low)?, values(high)?);
    // The least value above a bound; nothing is above the greatest, so that such a bound is none.
    let above = |high: i64| high.checked_add(1);
    let mut cuts: Vec<i64> = lows
        .iter()
        .copied()
        .chain(highs.iter().filter_map(|&high| above(high)))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let null = cuts.len() as u32 + 1;
    let stock_card = cuts.len() + 2;
    let at = |value: i64| cuts.partition_point(|&c| c < value);
    // Line codes: 0 is an open end, then the distinct values in order.
    let side = |bound: Bound<'a>, values: &[i64], stride: u32| match bound {
        Bound::Of(column) => {
            let codes = (0..=values.len() as u32).map(|code| code * stride).collect();
            Some((column, Steps::new(values.to_vec(), codes, 0)))
        }
        _ => None,
    };
    let options = |bound: Bound<'a>, values: &[i64]| match bound {
        Bound::Of(_) => std::iter::once(None)
            .chain(values.iter().copied().map(Some))
            .collect::<Vec<_>>(),
        _ => vec![values.first().copied()],
    };
    let (low_options, high_options) = (options(low, &lows), options(high, &highs));
    let mut cells = Vec::with_capacity(low_options.len() * high_options.len() * stock_card);
    for l in &low_options {
        for h in &high_options {
            let h = h.and_then(above);
            for ordinal in 0..stock_card {
                let inside = l.is_none_or(|l| ordinal > at(l)) && h.is_none_or(|h| ordinal <= at(h));
                let is_null = ordinal == stock_card - 1;
                let unbound = l.is_none() && h.is_none();
                cells.push(if unbound || (if is_null { null_passes } else { inside != outside }) {
                    0
                } else {
                    -1
                });
            }
        }
    }
    let demand_card = low_options.len() * high_options.len();
    Some(Fold {
        gate,
        stock: Source::Steps {
            column: stock,
            steps: Steps::new(cuts, (0..null).collect(), null),
        },
        stock_card,
        demand: (demand_card > 1).then(|| Source::Pair {
            low: side(low, &lows, high_options.len() as u32),
            high: side(high, &highs, 1),
        }),
        demand_card,
        cells,
    })
}

fn fold_equal<'a>(gate: Gate, stock: Column<'a>, demand: Column<'a>) -> Option<Fold<'a>> {
    let top = |column: Column<'a>| column.range().map_or(0, |(_, high)| high as usize + 1);
    let (rows, lines) = (top(stock), top(demand));
    if rows.max(lines) > CUTS_MAX {
        return None;
    }
    let cells: Vec<i32> = (0..=lines)
        .flat_map(|d| (0..=rows).map(move |s| if d == 0 || d == s { 0 } else { -1 }))
        .collect();
    let digits = |column, card: usize| Digits(vec![(column, card as u32)]);
    fold_table(gate, &digits(stock, rows), &digits(demand, lines), &cells)
}

/// Folds a test, if it has few enough values.
pub fn fold<'a>(test: &Test<'a>) -> Option<Fold<'a>> {
    match test {
        Test::Table {
            gate,
            stock,
            demand,
            cells,
        } => fold_table(*gate, stock, demand, cells),
        Test::Within {
            gate,
            stock,
            low,
            high,
            null_passes,
            outside,
        } => fold_within(*gate, *stock, *low, *high, *null_passes, *outside),
        Test::Equal { gate, stock, demand } => fold_equal(*gate, *stock, *demand),
        Test::Exchange { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::{Reader, Values};
    use crate::eligible::Eligibility;
    use crate::problem::{Fill, PASS};

    #[test]
    fn the_greatest_value_lies_within_a_bound_of_itself() {
        let values = [i64::MAX - 1, i64::MAX];
        let column = Column::new(Values::I64(&values), None);
        let test = [Test::Within {
            gate: 8,
            stock: column,
            low: Bound::Open,
            high: Bound::Of(column),
            null_passes: false,
            outside: false,
        }];
        let folded = Eligibility::new(&test, &[], &[Fill::default()]);
        let (mut rows, mut lines) = ([0; 2], [0; 2]);
        folded.classify_stock(0, &mut Reader::default(), &mut rows);
        folded.classify_lines(None, 0, &mut Reader::default(), &mut lines);
        let verdict = |line: usize, row: usize| folded.verdict(lines[line] as u16, rows[row] as u16);
        assert_eq!([verdict(0, 0), verdict(0, 1)], [PASS, 8]);
        assert_eq!([verdict(1, 0), verdict(1, 1)], [PASS, PASS]);
    }
}
