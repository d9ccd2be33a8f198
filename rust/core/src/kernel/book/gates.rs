//! What the tests say of a row for the lines of a slot.

use super::{Book, Exchange, SAME};
use crate::column::NULL;
use crate::eligible::Wide;
use crate::kernel::Run;
use crate::problem::{Bound, GATE_UNKNOWN, Gate, PASS, Substitute};

/// What a line asks of one wide test: a span, or codes.
pub type Ask = (i64, i64);

impl Book {
    pub(super) fn asks_of(&self, slot: u32, width: usize) -> &[Ask] {
        &self.asks[slot as usize * width..(slot as usize + 1) * width]
    }

    /// The first gate that stops a row, balances left out.
    pub(super) fn gate(&self, run: &Run, slot: u32, at: u32) -> Gate {
        let asks = self.asks_of(slot, run.eligibility.wide.len());
        let class = self.slots[slot as usize].class;
        let verdict = run.eligibility.verdict(class, self.rows[at as usize].class);
        if run.eligibility.wide.is_empty() {
            verdict
        } else {
            verdict.min(self.gate_of_wide(run, asks, at))
        }
    }

    fn gate_of_wide(&self, run: &Run, asks: &[Ask], at: u32) -> Gate {
        let wide = run.eligibility.wide.iter().zip(asks).zip(&self.values);
        wide.map(|((wide, ask), values)| stop(wide, *ask, values[at as usize]))
            .min()
            .unwrap_or(PASS)
    }

    /// Whether a row passes every test of lines of a class that ask this; the first that stops it is enough.
    pub fn serves(&self, run: &Run, class: u16, asks: &[Ask], at: u32) -> bool {
        let mut wide = run.eligibility.wide.iter().zip(asks).zip(&self.values);
        wide.all(|((wide, ask), values)| stop(wide, *ask, values[at as usize]) == PASS)
            && run.eligibility.verdict(class, self.rows[at as usize].class) == PASS
    }

    pub(super) fn rank(&self, run: &Run, slot: u32, at: u32, number: usize) -> u32 {
        let wide = &run.eligibility.wide;
        let asks = self.asks_of(slot, wide.len());
        for ((wide, ask), values) in wide.iter().zip(asks).zip(&self.values) {
            let value = values[at as usize];
            match wide {
                Wide::Exchange { slot, .. } if *slot == number => {
                    return substitution(wide, value, *ask).map_or(u32::MAX, |s| s.rank);
                }
                Wide::Table { slot, stock, cells, .. } if *slot == number => {
                    return cells[ask.0 as usize * stock.card() + value as usize] as u32;
                }
                _ => {}
            }
        }
        run.eligibility
            .rank(number, self.slots[slot as usize].class, self.rows[at as usize].class)
    }

    /// How a row exchanges for the lines of a slot.
    #[inline]
    pub fn exchange(&self, run: &Run, slot: u32, at: u32) -> Exchange {
        let Some(number) = run.exchange else { return SAME };
        let wide = &run.eligibility.wide;
        let ask = self.asks_of(slot, wide.len())[number];
        substitution(&wide[number], self.values[number][at as usize], ask).map_or(SAME, |s| Exchange {
            give: s.give,
            asked: s.asked,
        })
    }
}

/// The gate at which a wide test stops a row, or `PASS`.
#[inline]
pub fn stop(wide: &Wide, ask: Ask, value: i64) -> Gate {
    let (passes, gate) = match wide {
        Wide::Span {
            gate,
            null_passes,
            outside,
            ..
        } => (lies(value, ask, *null_passes, *outside), *gate),
        Wide::Exchange { .. } => (substitution(wide, value, ask).is_some(), GATE_UNKNOWN),
        Wide::Table { gate, stock, cells, .. } => (cells[ask.0 as usize * stock.card() + value as usize] >= 0, *gate),
    };
    if passes { PASS } else { gate }
}

/// Whether a value lies within what is asked.
#[inline]
pub fn lies(value: i64, ask: Ask, null_passes: bool, outside: bool) -> bool {
    if ask == (i64::MIN, i64::MAX) {
        true
    } else if value == NULL {
        null_passes
    } else {
        (ask.0 <= value && value <= ask.1) != outside
    }
}

/// What a line asks of a wide test.
pub fn ask(wide: &Wide, line: usize) -> Ask {
    let end = |bound: &Bound, open: i64| match bound {
        Bound::Open => open,
        Bound::At(value) => *value,
        Bound::Of(column) => Some(column.get(line)).filter(|&v| v != NULL).unwrap_or(open),
    };
    match wide {
        Wide::Span { low, high, .. } => (end(low, i64::MIN), end(high, i64::MAX)),
        Wide::Exchange {
            demand, substitutes, ..
        } => exchange_ask(demand.get(line), substitutes),
        Wide::Table { demand, .. } => (demand.code(line) as i64, 0),
    }
}

/// The SKU that is asked, and where its substitutes begin.
pub fn exchange_ask(sku: i64, substitutes: &[Substitute]) -> Ask {
    (sku, substitutes.partition_point(|s| i64::from(s.sku) < sku) as i64)
}

/// What a row has to show to a wide test.
pub fn value(wide: &Wide, row: usize) -> i64 {
    match wide {
        Wide::Span { stock, .. } | Wide::Exchange { stock, .. } => stock.get(row),
        Wide::Table { stock, .. } => stock.code(row) as i64,
    }
}

/// How a row of SKU `value` stands in for the SKU that is asked.
pub fn substitution(wide: &Wide, value: i64, ask: Ask) -> Option<Substitute> {
    let Wide::Exchange { substitutes, .. } = wide else {
        return None;
    };
    if value == ask.0 {
        return Some(Substitute {
            sku: value as u32,
            substitute: value as u32,
            rank: 0,
            give: 1,
            asked: 1,
        });
    }
    substitutes[ask.1 as usize..]
        .iter()
        .take_while(|s| i64::from(s.sku) == ask.0)
        .find(|s| i64::from(s.substitute) == value)
        .copied()
}
