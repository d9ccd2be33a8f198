//! What one line takes under its fill rule, and why it is short.

use super::Run;
use super::book::Book;
use crate::problem::{Fill, One, PASS, Reason, SERVED, Whole};

/// Some of a row for a line.
#[derive(Clone, Copy)]
pub struct Take {
    /// The row, in the book.
    pub at: u32,
    /// Units of the row.
    pub qty: i64,
    /// Units of the line.
    pub served: i64,
}

/// Decides what a line takes, without taking it: `takes` gets it. Returns how much is served, and the reason.
pub fn decide(run: &Run, book: &mut Book, slot: u32, line: u32, need: i64, takes: &mut Vec<Take>) -> (i64, u8) {
    takes.clear();
    if need == 0 {
        return (0, SERVED);
    }
    let fill = run.fill(book.slots[slot as usize].class);
    let left = book.slots[slot as usize].left;
    if left == 0 {
        return (0, short(run, book, slot, line, need, (0, 0)));
    }
    let qty_min = book.qty_min(fill, slot, line).min(need);
    let simple = fill.takes_anything() && run.exchange.is_none();
    let enough = left >= need || (fill.whole == Whole::No && left >= qty_min);
    let total = if simple && !enough {
        // All of it could be taken, and would be given back.
        left
    } else if simple {
        book.all_of(run, slot, need, takes)
    } else if fill.one == One::No {
        let from = book.advance(run, slot);
        let candidates = Candidates {
            book,
            run,
            slot,
            at: from,
        };
        greedy(run, book, slot, fill, need, candidates, takes)
    } else {
        best_parcel(run, book, slot, fill, need, takes)
    };
    if total == need {
        return (need, SERVED);
    }
    let reason = short(run, book, slot, line, need, (total, qty_min));
    if total < qty_min || fill.whole != Whole::No {
        takes.clear();
        return (0, reason);
    }
    (total, reason)
}

/// The candidates of a slot that have something left.
struct Candidates<'b, 'a> {
    book: &'b Book,
    run: &'b Run<'a>,
    slot: u32,
    at: u32,
}

impl Iterator for Candidates<'_, '_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (i, at) = self.book.next(self.run, self.slot, self.at)?;
        self.at = i + 1;
        Some(at)
    }
}

fn greedy(
    run: &Run,
    book: &Book,
    slot: u32,
    fill: &Fill,
    need: i64,
    candidates: impl Iterator<Item = u32>,
    takes: &mut Vec<Take>,
) -> i64 {
    let pack = book.pack(slot);
    let rows_max = fill.rows_max.map_or(usize::MAX, |n| n as usize);
    let mut open = need;
    let first = takes.len();
    for at in candidates {
        let exchange = book.exchange(run, slot, at);
        let left = book.rows[at as usize].left;
        let step = lcm(pack, exchange.asked);
        let served = (left / exchange.give * exchange.asked).min(open) / step * step;
        let qty = served / exchange.asked * exchange.give;
        if served == 0 || (fill.whole_rows && qty != left) {
            if run.exchange.is_none() && step > open {
                break;
            }
            continue;
        }
        takes.push(Take { at, qty, served });
        open -= served;
        if open == 0 || takes.len() - first == rows_max {
            break;
        }
    }
    need - open
}

/// The first lot or place that serves the whole line, else the one that serves most; the first is that of the first
/// candidate that has something left.
fn best_parcel(run: &Run, book: &mut Book, slot: u32, fill: &Fill, need: i64, takes: &mut Vec<Take>) -> i64 {
    let mut parcels = book.parcels(run, slot, fill.one);
    let mut from = book.advance(run, slot);
    let (mut best, mut trial) = (0, Vec::new());
    parcels.begin();
    while let Some(head) = parcels.reach(book, run, from) {
        from = head + 1;
        trial.clear();
        let total = greedy(run, book, slot, fill, need, parcels.rows(book, run, head), &mut trial);
        if total > best {
            best = total;
            std::mem::swap(takes, &mut trial);
            if best == need {
                break;
            }
        }
    }
    book.keep_parcels(slot, parcels);
    best
}

/// The reason of a line that is short; `total` could be taken, and at least `qty_min` had to be.
fn short(run: &Run, book: &Book, slot: u32, line: u32, need: i64, (total, qty_min): (i64, i64)) -> u8 {
    let fill = run.fill(book.slots[slot as usize].class);
    let state = &book.slots[slot as usize];
    if state.furthest != PASS {
        return state.furthest;
    }
    let reason = if state.left >= need {
        match fill.one {
            One::Lot => Reason::OneLot,
            One::Source => Reason::OneSource,
            One::No if fill.whole_rows => Reason::WholeRows,
            One::No if fill.rows_max.is_some() => Reason::RowsMax,
            One::No if book.is_packed(fill, slot, line) => Reason::Pack,
            One::No => Reason::Exchange,
        }
    } else if total > 0 && total < qty_min {
        Reason::BelowMinimum
    } else if total > 0 && fill.whole != Whole::No {
        Reason::LineIncomplete
    } else if state.drawn > 0 {
        Reason::Taken
    } else {
        Reason::Insufficient
    };
    reason as u8
}

fn lcm(a: i64, b: i64) -> i64 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x).saturating_mul(b)
}
