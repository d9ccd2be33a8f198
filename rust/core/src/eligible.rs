//! Folds tests into classes: rows and lines that no test can tell apart share a class, and one look-up in a
//! class × class table answers all tests at once. What has too many values to fold stays *wide* and is compared
//! row by row.

use crate::column::{Column, NULL, Reader};
use crate::problem::{Bound, Digits, Fill, Gate, PASS, StockKey, Substitute, Test};

/// Classes of one side, cells of the verdict table, and values of one folded bound, at the most.
const CLASSES_MAX: usize = 1 << 14;
const CELLS_MAX: usize = 1 << 21;
const CUTS_MAX: usize = 256;

/// A test that is compared row by row.
pub enum Wide<'a> {
    /// The row's value lies in the line's span.
    Span {
        gate: Gate,
        stock: Column<'a>,
        low: Bound<'a>,
        high: Bound<'a>,
        null_passes: bool,
        outside: bool,
    },
    /// The row's SKU is the line's or a substitute.
    Exchange {
        stock: Column<'a>,
        demand: Column<'a>,
        substitutes: &'a [Substitute],
        slot: usize,
    },
    /// A table too large to fold.
    Table {
        gate: Gate,
        stock: &'a Digits<'a>,
        demand: &'a Digits<'a>,
        cells: &'a [i32],
        slot: usize,
    },
}

/// Where a rank goes: several leading ranks are digits of one number.
pub const NO_SLOT: usize = usize::MAX;

/// The folded tests.
pub struct Eligibility<'a> {
    stock: Vec<Code<'a>>,
    /// Tests of the row alone: the gate that it fails, or `PASS`.
    stages: Vec<Code<'a>>,
    /// What the first gate that stops a row adds to its class.
    stage_code: [u32; 256],
    demand: Vec<Code<'a>>,
    /// Number of stock classes.
    pub stock_classes: usize,
    /// Number of line classes.
    pub demand_classes: usize,
    verdict: Vec<Gate>,
    /// Rank by line class and stock class, for each rank slot; empty when no folded test ranks.
    ranks: Vec<Vec<u32>>,
    /// Tests that are left.
    pub wide: Vec<Wide<'a>>,
    fill_stride: usize,
    fills: usize,
}

/// A code per row: a column (or several) through a look-up table, times a stride.
struct Code<'a> {
    source: Source<'a>,
    stride: u32,
}

enum Source<'a> {
    Digits(Digits<'a>, Vec<u32>),
    Steps {
        column: Column<'a>,
        steps: Steps,
    },
    Pair {
        low: Option<(Column<'a>, Steps)>,
        high: Option<(Column<'a>, Steps)>,
        high_card: u32,
    },
}

/// A code by how many of the cuts are at most the value; by table where the cuts lie close together.
struct Steps {
    cuts: Vec<i64>,
    codes: Vec<u32>,
    null: u32,
    table: Vec<u32>,
}

impl Steps {
    fn new(cuts: Vec<i64>, codes: Vec<u32>, null: u32) -> Self {
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

    #[inline]
    fn of(&self, value: i64) -> u32 {
        if value == NULL {
            self.null
        } else if self.table.is_empty() {
            self.codes[self.cuts.partition_point(|&c| c <= value)]
        } else {
            let least = self.cuts[0] - 1;
            self.table[(value.clamp(least, least + self.table.len() as i64 - 1) - least) as usize]
        }
    }
}

impl Steps {
    /// Calls `each` with row and code.
    #[inline]
    fn visit(&self, values: &[i64], mut each: impl FnMut(usize, u32)) {
        if let (Some(&last), Some(&first)) = (self.table.last(), self.cuts.first()) {
            let least = first - 1;
            let top = self.table.len() - 1;
            for (i, &x) in values.iter().enumerate() {
                let at = (x.max(least).wrapping_sub(least) as usize).min(top);
                let code = self.table.get(at).copied().unwrap_or(last);
                each(i, if x == NULL { self.null } else { code });
            }
        } else {
            values.iter().enumerate().for_each(|(i, &x)| each(i, self.of(x)));
        }
    }
}

impl Code<'_> {
    /// Calls `each` with row and code times stride, once for each part of the code.
    #[inline]
    fn visit(&self, start: usize, n: usize, reader: &mut Reader, mut each: impl FnMut(usize, u32)) {
        let stride = self.stride;
        match &self.source {
            Source::Digits(digits, table) => {
                if let [(column, _)] = digits.0[..] {
                    let top = table.len() - 1;
                    for (i, &x) in reader.read(&column, start, n).iter().enumerate() {
                        each(i, table[((x.max(-1) + 1) as usize).min(top)] * stride);
                    }
                } else {
                    (0..n).for_each(|i| each(i, table[digits.code(start + i)] * stride));
                }
            }
            Source::Steps { column, steps } => {
                steps.visit(reader.read(column, start, n), |i, code| each(i, code * stride));
            }
            Source::Pair { low, high, high_card } => {
                for (side, card) in [(low, *high_card), (high, 1)] {
                    if let Some((column, steps)) = side {
                        steps.visit(reader.read(column, start, n), |i, code| each(i, code * card * stride));
                    }
                }
            }
        }
    }
}

/// Codes of both sides and what they make of each other.
struct Fold<'a> {
    gate: Gate,
    stock: Source<'a>,
    stock_card: usize,
    /// Without codes of lines the test concerns the row alone.
    demand: Option<Source<'a>>,
    demand_card: usize,
    /// `demand_card * stock_card` ranks, negative fails.
    cells: Vec<i32>,
}

/// A folded test before the classes are laid out.
struct Factor<'a> {
    fold: Fold<'a>,
    slot: usize,
    test: &'a Test<'a>,
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
    let mut cuts: Vec<i64> = lows
        .iter()
        .copied()
        .chain(highs.iter().map(|h| h.saturating_add(1)))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let null = cuts.len() as u32 + 1;
    let stock_card = cuts.len() + 2;
    let at = |value: i64| cuts.partition_point(|&c| c < value);
    // Line codes: 0 is an open end, then the distinct values in order.
    let side = |bound: Bound<'a>, values: &[i64]| match bound {
        Bound::Of(column) => Some((
            column,
            Steps::new(values.to_vec(), (0..=values.len() as u32).collect(), 0),
        )),
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
            for ordinal in 0..stock_card {
                let inside = l.is_none_or(|l| ordinal > at(l)) && h.is_none_or(|h| ordinal <= at(h.saturating_add(1)));
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
            low: side(low, &lows),
            high: side(high, &highs),
            high_card: high_options.len() as u32,
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

/// Which rank of a stock order a test gives.
fn rank_slot(order: &[StockKey], number: usize) -> usize {
    order
        .iter()
        .filter_map(|key| {
            if let StockKey::Rank { test, .. } = key {
                Some(*test)
            } else {
                None
            }
        })
        .position(|test| test == number)
        .unwrap_or(NO_SLOT)
}

fn fold<'a>(test: &Test<'a>) -> Option<Fold<'a>> {
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

impl<'a> Eligibility<'a> {
    /// Folds what can be folded.
    pub fn new(tests: &'a [Test<'a>], order: &[StockKey<'a>], fills: &[Fill<'a>]) -> Self {
        let slots = order.iter().filter(|key| matches!(key, StockKey::Rank { .. })).count();
        let mut wide = Vec::new();
        let mut factors: Vec<Factor<'a>> = Vec::new();
        for (number, test) in tests.iter().enumerate() {
            let slot = rank_slot(order, number);
            match fold(test) {
                Some(fold) => factors.push(Factor { fold, slot, test }),
                None => wide.push(widen(test, slot)),
            }
        }
        Self::lay_out(factors, wide, slots, fills.len().max(1))
    }

    /// Folds the tests that concern the row alone, for lines that are still to come. All others stay wide; their
    /// numbers among the tests come with them.
    pub fn of_rows(tests: &'a [Test<'a>], order: &[StockKey<'a>], fills: &[Fill<'a>]) -> (Self, Vec<usize>) {
        let (mut wide, mut numbers, mut factors) = (Vec::new(), Vec::new(), Vec::new());
        for (number, test) in tests.iter().enumerate() {
            let slot = rank_slot(order, number);
            let alone = slot == NO_SLOT && test.is_of_row();
            if let Some(fold) = alone.then(|| fold(test)).flatten() {
                factors.push(Factor { fold, slot, test });
            } else {
                wide.push(widen(test, slot));
                numbers.push(number);
            }
        }
        (Self::lay_out(factors, wide, 0, fills.len().max(1)), numbers)
    }

    fn lay_out(factors: Vec<Factor<'a>>, mut wide: Vec<Wide<'a>>, slots: usize, fills: usize) -> Self {
        let (mut stages, mut folded) = (Vec::new(), Vec::new());
        let (mut stock_classes, mut demand_classes) = (16, fills);
        let (alone, mut shared): (Vec<_>, Vec<_>) = factors
            .into_iter()
            .partition(|f| f.fold.demand_card == 1 && f.slot == NO_SLOT);
        shared.sort_by_key(|f| f.fold.cells.len());
        for factor in shared {
            let (s, d) = (
                stock_classes * factor.fold.stock_card,
                demand_classes * factor.fold.demand_card,
            );
            if s <= CLASSES_MAX && d <= CLASSES_MAX && s * d <= CELLS_MAX {
                (stock_classes, demand_classes) = (s, d);
                folded.push(factor);
            } else {
                wide.push(widen(factor.test, factor.slot));
            }
        }
        // Tests of the row alone become one code: the first gate that stops the row.
        let mut gates: Vec<Gate> = alone.iter().map(|f| f.fold.gate).collect();
        gates.sort_unstable();
        gates.dedup();
        let mut stage_code = [0_u32; 256];
        for (code, &gate) in gates.iter().enumerate() {
            stage_code[gate as usize] = code as u32 + 1;
        }
        for factor in alone {
            let Fold { gate, stock, cells, .. } = factor.fold;
            let passes = |code: u32| u32::from(if cells[code as usize] >= 0 { PASS } else { gate });
            let source = match stock {
                Source::Digits(digits, table) => Source::Digits(digits, table.into_iter().map(passes).collect()),
                Source::Steps { column, steps } => {
                    let codes = steps.codes.iter().map(|&c| passes(c)).collect();
                    Source::Steps {
                        column,
                        steps: Steps::new(steps.cuts, codes, passes(steps.null)),
                    }
                }
                Source::Pair { .. } => unreachable!("pairs are codes of lines"),
            };
            stages.push(Code { source, stride: 1 });
        }
        let stage_card = gates.len() + 1;
        let stock_classes = stock_classes / 16 * stage_card;
        let mut verdict = vec![PASS; stock_classes * demand_classes];
        let mut ranks = if folded.iter().any(|f| f.slot != NO_SLOT) {
            vec![vec![0_u32; stock_classes * demand_classes]; slots]
        } else {
            Vec::new()
        };
        let (mut stock, mut demand) = (Vec::new(), Vec::new());
        let (mut stock_stride, mut demand_stride) = (1, 1);
        for Factor { fold: factor, slot, .. } in folded {
            for d in 0..demand_classes {
                for s in 0..stock_classes {
                    let row = s / stock_stride % factor.stock_card;
                    let rank = factor.cells[d / demand_stride % factor.demand_card * factor.stock_card + row];
                    let cell = &mut verdict[d * stock_classes + s];
                    if rank < 0 {
                        *cell = (*cell).min(factor.gate);
                    } else if slot != NO_SLOT {
                        ranks[slot][d * stock_classes + s] = rank as u32;
                    }
                }
            }
            stock.push(Code {
                source: factor.stock,
                stride: stock_stride as u32,
            });
            stock_stride *= factor.stock_card;
            if let Some(source) = factor.demand {
                demand.push(Code {
                    source,
                    stride: demand_stride as u32,
                });
            }
            demand_stride *= factor.demand_card;
        }
        for (i, cell) in verdict.iter_mut().enumerate() {
            let stage = i % stock_classes / stock_stride;
            if stage > 0 {
                *cell = (*cell).min(gates[stage - 1]);
            }
        }
        for code in &mut stage_code {
            *code *= stock_stride as u32;
        }
        Self {
            stock,
            stages,
            stage_code,
            demand,
            stock_classes,
            demand_classes,
            verdict,
            ranks,
            wide,
            fill_stride: demand_stride,
            fills,
        }
    }

    /// Classes of a block of stock rows.
    pub fn classify_stock(&self, start: usize, reader: &mut Reader, out: &mut [u32]) {
        let n = out.len();
        out.fill(u32::from(PASS));
        for code in &self.stages {
            code.visit(start, n, reader, |i, gate| out[i] = out[i].min(gate));
        }
        for o in &mut *out {
            *o = self.stage_code[*o as usize & 255];
        }
        for code in &self.stock {
            code.visit(start, n, reader, |i, code| out[i] += code);
        }
    }

    /// Classes of a block of lines.
    pub fn classify_lines(&self, fill: Option<Column<'a>>, start: usize, reader: &mut Reader, out: &mut [u32]) {
        let n = out.len();
        out.fill(0);
        if let Some(fill) = fill {
            for (o, &x) in out.iter_mut().zip(reader.read(&fill, start, n)) {
                *o = x.max(0) as u32 * self.fill_stride as u32;
            }
        }
        for code in &self.demand {
            code.visit(start, n, reader, |i, code| out[i] += code);
        }
    }

    /// The fill rule of a class of lines.
    #[inline]
    pub fn fill_of(&self, line_class: u16) -> usize {
        line_class as usize / self.fill_stride % self.fills
    }

    /// The verdicts of a class of lines on every class of rows.
    #[inline]
    pub fn verdicts(&self, line_class: u16) -> &[Gate] {
        let at = line_class as usize * self.stock_classes;
        &self.verdict[at..at + self.stock_classes]
    }

    /// The verdict of one class of lines on one class of rows.
    #[inline]
    pub fn verdict(&self, line_class: u16, stock_class: u16) -> Gate {
        self.verdict[line_class as usize * self.stock_classes + stock_class as usize]
    }

    /// The rank that folded tests give in a slot.
    pub fn rank(&self, slot: usize, line_class: u16, stock_class: u16) -> u32 {
        self.ranks.get(slot).map_or(0, |r| {
            r[line_class as usize * self.stock_classes + stock_class as usize]
        })
    }
}

/// The test as it is when it cannot be folded.
fn widen<'a>(test: &'a Test<'a>, slot: usize) -> Wide<'a> {
    match test {
        Test::Table {
            gate,
            stock,
            demand,
            cells,
        } => Wide::Table {
            gate: *gate,
            stock,
            demand,
            cells,
            slot,
        },
        Test::Within {
            gate,
            stock,
            low,
            high,
            null_passes,
            outside,
        } => Wide::Span {
            gate: *gate,
            stock: *stock,
            low: *low,
            high: *high,
            null_passes: *null_passes,
            outside: *outside,
        },
        Test::Equal { gate, stock, demand } => Wide::Span {
            gate: *gate,
            stock: *stock,
            low: Bound::Of(*demand),
            high: Bound::Of(*demand),
            null_passes: false,
            outside: false,
        },
        Test::Exchange {
            stock,
            demand,
            substitutes,
        } => Wide::Exchange {
            stock: *stock,
            demand: *demand,
            substitutes,
            slot,
        },
    }
}
