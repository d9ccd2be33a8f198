//! Folds tests into classes: rows and lines that no test can tell apart share a class, and one look-up in a
//! class × class table answers all tests at once. What has too many values to fold stays *wide* and is compared
//! row by row.

mod fold;
mod source;

use crate::column::{Column, Reader};
use crate::problem::{Bound, Digits, Fill, Gate, PASS, StockKey, Substitute, Test};

use fold::{Fold, fold};
use source::Source;

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
    stock: Vec<Source<'a>>,
    /// Tests of the row alone: the gate that it fails, or `PASS`.
    stages: Vec<Source<'a>>,
    /// What the first gate that stops a row adds to its class.
    stage_code: [u32; 256],
    demand: Vec<Source<'a>>,
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

/// A folded test before the classes are laid out.
struct Factor<'a> {
    fold: Fold<'a>,
    slot: usize,
    test: &'a Test<'a>,
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
            stages.push(stock.map(passes));
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
            stock.push(factor.stock.map(|code| code * stock_stride as u32));
            stock_stride *= factor.stock_card;
            demand.extend(factor.demand.map(|lines| lines.map(|code| code * demand_stride as u32)));
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
        out.fill(u32::from(PASS));
        for stage in &self.stages {
            stage.join(start, reader, out, u32::min);
        }
        for o in &mut *out {
            *o = self.stage_code[*o as usize & 255];
        }
        for code in &self.stock {
            code.join(start, reader, out, u32::wrapping_add);
        }
    }

    /// Classes of a block of lines.
    pub fn classify_lines(&self, fill: Option<Column<'a>>, start: usize, reader: &mut Reader, out: &mut [u32]) {
        out.fill(0);
        if let Some(fill) = fill {
            let n = out.len();
            for (o, &x) in out.iter_mut().zip(reader.read(&fill, start, n)) {
                *o = x.max(0) as u32 * self.fill_stride as u32;
            }
        }
        for code in &self.demand {
            code.join(start, reader, out, u32::wrapping_add);
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
