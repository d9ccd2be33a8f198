//! The running balances of some groups, and what each kind of line finds there.

mod gates;
mod layout;
mod parcels;

use hashbrown::HashMap;

use super::Run;
use super::fill::Take;
use crate::problem::{Fill, Gate, PASS};

pub use gates::{Ask, ask, exchange_ask, lies, stop, substitution, value};
use parcels::Parcels;

/// The lines of a group that ask the same: same class, same asks, same pack. Half a cache line: looking slots up at
/// random is most of what whole orders cost.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub struct Slot {
    /// What is left for these lines, in their units.
    pub left: i64,
    /// How much of the rows was taken so far.
    pub drawn: i64,
    /// First candidate that may still give something.
    cursor: u32,
    /// Behind the last candidate: rows of the book, or entries of `Book::candidates` if the policy ranks.
    to: u32,
    /// The first slot of its group.
    first: u32,
    /// Class of the lines.
    pub class: u16,
    /// The gate that stopped the row that got furthest when the run began; `PASS` if any candidate had something.
    pub furthest: Gate,
    /// Whether the slots of its group fit the mask of a row.
    masked: bool,
}

/// A stock row.
#[derive(Clone, Copy)]
pub struct Row {
    /// What is left of it.
    pub left: i64,
    /// Which slots of its group it may serve, by bit; unused where a group has more slots than bits.
    mask: u64,
    /// Its number in the stock table.
    pub number: u32,
    /// Its class.
    pub class: u16,
    /// Whether something was taken from it; kept where no slot counts that.
    pub drawn: bool,
    /// What it had when the run began: the gate that this alone stops it at, or `PASS`.
    start: Gate,
}

/// Slots of a group that fit the mask of a row.
const MASKED: usize = u64::BITS as usize;

/// How units of a row exchange for units of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// So many of the row …
    pub give: i64,
    /// … for so many of the line.
    pub asked: i64,
}

const SAME: Exchange = Exchange { give: 1, asked: 1 };

/// What a line took that may have to give it back.
pub struct Taken {
    /// The slot of the line, and its cursor before.
    pub slot: u32,
    pub cursor: u32,
    /// What it took.
    pub take: Take,
}

/// Balances and slots of some groups.
#[derive(Default)]
pub struct Book {
    /// All rows.
    pub rows: Vec<Row>,
    /// Behind the last row of each group.
    ends: Vec<u32>,
    /// What each wide test looks at, by row.
    pub values: Vec<Vec<i64>>,
    parcel: Vec<(i64, i64)>,
    /// All slots.
    pub slots: Vec<Slot>,
    asks: Vec<Ask>,
    /// Quantity of a pack of each slot; empty if no fill rule packs.
    packs: Vec<i64>,
    /// The terms of each slot, where lines are no rows of a table: least quantity, and whether it asks for packs.
    terms: Vec<(i64, bool)>,
    candidates: Vec<u32>,
    /// The slot of the last line of each class: a guess where the class alone makes the slot.
    latest: Vec<u32>,
    /// The lots or places of the candidates, for slots that were asked.
    parcels: HashMap<u32, Parcels, foldhash::fast::FixedState>,
}

impl Book {
    /// Forgets everything, but keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.ends.clear();
        self.values.iter_mut().for_each(Vec::clear);
        self.parcel.clear();
        self.slots.clear();
        self.packs.clear();
        self.terms.clear();
        self.parcels.clear();
        self.asks.clear();
        self.candidates.clear();
    }

    /// Becomes the same as another, whose lines are confined to nothing; keeps the memory.
    pub fn copy(&mut self, other: &Book) {
        self.rows.clone_from(&other.rows);
        self.ends.clone_from(&other.ends);
        self.values.clone_from(&other.values);
        self.slots.clone_from(&other.slots);
        self.asks.clone_from(&other.asks);
        self.candidates.clone_from(&other.candidates);
    }

    /// Makes room for so many rows and slots.
    pub fn reserve(&mut self, rows: usize, slots: usize) {
        self.rows.reserve(rows);
        self.slots.reserve(slots);
    }

    /// The rows of a group, where groups are numbered as they were added.
    pub fn rows_of(&self, group: usize) -> std::ops::Range<usize> {
        let from = group.checked_sub(1).map_or(0, |before| self.ends[before]);
        from as usize..self.ends[group] as usize
    }

    /// The least quantity that a line accepts.
    pub fn qty_min(&self, fill: &Fill, slot: u32, line: u32) -> i64 {
        match self.terms.get(slot as usize) {
            Some(&(qty_min, _)) => qty_min,
            None => fill.qty_min.of(line as usize).unwrap_or(0),
        }
    }

    /// Whether a line takes packs only.
    pub fn is_packed(&self, fill: &Fill, slot: u32, line: u32) -> bool {
        match self.terms.get(slot as usize) {
            Some(&(_, packed)) => packed,
            None => fill.pack.of(line as usize).is_some(),
        }
    }

    #[inline]
    fn at(&self, run: &Run, candidate: u32) -> u32 {
        if run.ranks > 0 {
            self.candidates[candidate as usize]
        } else {
            candidate
        }
    }

    /// Whether a row passes every test of the lines of a slot.
    #[inline]
    fn passes(&self, run: &Run, slot: u32, at: u32) -> bool {
        let Slot { first, masked, .. } = self.slots[slot as usize];
        if masked {
            self.rows[at as usize].mask >> (slot - first) & 1 == 1
        } else {
            self.gate(run, slot, at) == PASS
        }
    }

    /// Takes from a row (or, negative, gives back), and tells every slot that can see it.
    #[inline]
    pub fn take(&mut self, run: &Run, slot: u32, at: u32, qty: i64) {
        let row = &mut self.rows[at as usize];
        let before = row.left;
        row.left = before - qty;
        let mut mask = row.mask;
        let Slot { first, masked, .. } = self.slots[slot as usize];
        if run.exchange.is_none() && masked {
            let slots = &mut self.slots[first as usize..];
            while mask != 0 {
                let slot = &mut slots[mask.trailing_zeros() as usize];
                slot.left -= qty;
                slot.drawn += qty;
                mask &= mask - 1;
            }
            return;
        }
        let slots = self.slots[first as usize..].iter();
        let last = first + slots.take_while(|other| other.first == first).count() as u32;
        for other in first..last {
            if self.passes(run, other, at) {
                let exchange = self.exchange(run, other, at);
                let other = &mut self.slots[other as usize];
                other.left += whole(before - qty, exchange) - whole(before, exchange);
                other.drawn += qty;
            }
        }
    }

    /// Takes all that a line needs, as far as it is there; `takes` gets what.
    pub fn take_all(&mut self, run: &Run, slot: u32, need: i64, takes: &mut Vec<Take>) {
        takes.clear();
        if self.slots[slot as usize].left > 0 {
            self.all_of(run, slot, need, takes);
            for take in takes {
                self.take(run, slot, take.at, take.qty);
            }
        }
    }

    /// Gives back what was taken.
    pub fn give_back(&mut self, run: &Run, taken: &mut Vec<Taken>) {
        for Taken { slot, cursor, take } in taken.drain(..).rev() {
            self.take(run, slot, take.at, -take.qty);
            self.rewind(slot, cursor);
        }
    }

    /// Takes row by row all that a line needs, as far as it is there; moves the cursor behind what is used up.
    #[inline]
    pub fn all_of(&mut self, run: &Run, slot: u32, need: i64, takes: &mut Vec<Take>) -> i64 {
        let Slot {
            cursor,
            to,
            first,
            masked,
            ..
        } = self.slots[slot as usize];
        let mut open = need;
        if run.ranks > 0 || !masked {
            let mut from = self.advance(run, slot);
            while let Some((i, at)) = self.next(run, slot, from) {
                let qty = self.rows[at as usize].left.min(open);
                takes.push(Take { at, qty, served: qty });
                open -= qty;
                from = i + 1;
                if open == 0 {
                    break;
                }
            }
            return need - open;
        }
        let bit = slot - first;
        for (at, row) in (cursor..to).zip(&self.rows[cursor as usize..to as usize]) {
            if row.left > 0 && row.mask >> bit & 1 == 1 {
                if takes.is_empty() {
                    self.slots[slot as usize].cursor = at;
                }
                let qty = row.left.min(open);
                takes.push(Take { at, qty, served: qty });
                open -= qty;
                if open == 0 {
                    break;
                }
            }
        }
        need - open
    }

    /// The next candidate at or behind the cursor that has something left, from `from` on.
    #[inline]
    pub fn next(&self, run: &Run, slot: u32, from: u32) -> Option<(u32, u32)> {
        let to = self.slots[slot as usize].to;
        (from..to)
            .map(|i| (i, self.at(run, i)))
            .find(|&(_, at)| self.rows[at as usize].left > 0 && (run.ranks > 0 || self.passes(run, slot, at)))
    }

    /// Where the candidates of a slot that may still give something begin, after moving behind those that cannot.
    pub fn advance(&mut self, run: &Run, slot: u32) -> u32 {
        let Slot { cursor, to, .. } = self.slots[slot as usize];
        let cursor = self.next(run, slot, cursor).map_or(to, |(i, _)| i);
        self.slots[slot as usize].cursor = cursor;
        cursor
    }

    /// Puts a cursor back to where it was before something was given back.
    pub fn rewind(&mut self, slot: u32, cursor: u32) {
        self.slots[slot as usize].cursor = cursor;
    }

    /// Where the cursor of a slot stands.
    pub fn cursor(&self, slot: u32) -> u32 {
        self.slots[slot as usize].cursor
    }

    /// What is left at a cursor.
    pub fn peek(&self, run: &Run, cursor: u32) -> i64 {
        let at = if run.ranks > 0 {
            self.candidates.get(cursor as usize).copied().unwrap_or(0)
        } else {
            cursor
        };
        self.rows.get(at as usize).map_or(0, |row| row.left)
    }

    /// The group of a slot, by its first slot.
    pub fn group(&self, slot: u32) -> u32 {
        self.slots[slot as usize].first
    }

    /// Quantity of a pack of the lines of a slot.
    pub fn pack(&self, slot: u32) -> i64 {
        self.packs.get(slot as usize).copied().unwrap_or(1)
    }
}

/// Units of a line that so many units of a row make, in whole exchanges.
#[inline]
fn whole(qty: i64, exchange: Exchange) -> i64 {
    if exchange == SAME {
        qty
    } else {
        qty / exchange.give * exchange.asked
    }
}
