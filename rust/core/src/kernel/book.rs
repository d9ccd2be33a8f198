//! The running balances of some groups, and what each kind of line finds there.

use hashbrown::HashMap;

use super::fill::Take;
use super::prepared::Line;
use super::{Run, class_of};
use crate::column::NULL;
use crate::eligible::Wide;
use crate::group::Record;
use crate::problem::{Bound, Fill, GATE_NO_BALANCE, GATE_SAFETY, GATE_UNKNOWN, Gate, One, PASS, StockKey, Substitute};

/// What a line asks of one wide test: a span, or codes.
pub type Ask = (i64, i64);

/// The lines of a group that ask the same: same class, same asks, same pack.
#[derive(Clone, Copy)]
pub struct Slot {
    /// What is left for these lines, in their units.
    pub left: i64,
    /// How much of the rows was taken so far.
    pub drawn: i64,
    /// First candidate that may still give something.
    cursor: u32,
    /// Behind the last candidate: rows of the book, or entries of `Book::candidates` if the policy ranks.
    to: u32,
    /// The slots of its group.
    first: u32,
    last: u32,
    /// The first row of its group.
    rows: u32,
    /// Class of the lines.
    pub class: u16,
    /// Whether any candidate had something at the start.
    pub had_any: bool,
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
const MASKED: u32 = u64::BITS;

/// How units of a row exchange for units of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// So many of the row …
    pub give: i64,
    /// … for so many of the line.
    pub asked: i64,
}

const SAME: Exchange = Exchange { give: 1, asked: 1 };

/// Balances and slots of the groups of one partition.
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
    /// The gate that stopped the row that got furthest, for slots that were asked.
    furthest: HashMap<u32, Gate, foldhash::fast::FixedState>,
    /// Candidates by lot or place, for slots that were asked.
    parcels: HashMap<u32, Vec<Vec<u32>>, foldhash::fast::FixedState>,
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
        self.furthest.clear();
        self.parcels.clear();
        self.asks.clear();
        self.candidates.clear();
    }

    /// Adds a group: its rows in stock order, and its lines; `slot_of` gets the slot of each line.
    pub fn add(&mut self, run: &Run, rows: &[Record], lines: &[Record], slot_of: &mut Vec<u32>) {
        let rows = self.add_rows(run, rows);
        let first = self.slots.len() as u32;
        let width = run.eligibility.wide.len();
        let mut known: HashMap<(u16, i64, Vec<Ask>), u32, foldhash::fast::FixedState> = HashMap::default();
        let mut asks = Vec::with_capacity(width);
        for line in lines {
            let class = class_of(line);
            let number = run.line_order.row(line[0]) as usize;
            let pack = run.fill(class).pack.of(number).unwrap_or(1);
            asks.clear();
            asks.extend(run.eligibility.wide.iter().map(|wide| ask(wide, number)));
            let mine = &self.slots[first as usize..];
            // A handful of slots is the rule: look through them before hashing.
            let found = if mine.len() <= 8 {
                let same = |&(slot, s): &(&Slot, u32)| {
                    slot.class == class && self.pack(s) == pack && self.asks_of(s, width) == asks
                };
                mine.iter().zip(first..).find(same).map(|(_, s)| s)
            } else {
                if known.is_empty() {
                    for s in first..self.slots.len() as u32 {
                        let slot = &self.slots[s as usize];
                        known.insert((slot.class, self.pack(s), self.asks_of(s, width).to_vec()), s);
                    }
                }
                known.get(&(class, pack, asks.clone())).copied()
            };
            slot_of.push(found.unwrap_or_else(|| {
                let slot = self.add_slot(run, rows, first, class, &asks, pack);
                if !known.is_empty() {
                    known.insert((class, pack, asks.clone()), slot);
                }
                slot
            }));
        }
        self.open_from(run, first);
    }

    /// Adds a slot to the group whose slots begin with `first`.
    fn add_slot(&mut self, run: &Run, rows: (u32, u32), first: u32, class: u16, asks: &[Ask], pack: i64) -> u32 {
        self.asks.extend_from_slice(asks);
        self.slots.push(Slot {
            left: 0,
            drawn: 0,
            cursor: rows.0,
            to: rows.1,
            first,
            last: first,
            rows: rows.0,
            class,
            had_any: false,
        });
        if run.packs {
            self.packs.push(pack);
        }
        self.slots.len() as u32 - 1
    }

    /// Opens the slots of a group, when all are there.
    fn open_from(&mut self, run: &Run, first: u32) {
        let last = self.slots.len() as u32;
        for slot in first..last {
            self.slots[slot as usize].last = last;
            self.open(run, slot);
        }
    }

    /// Brings the rows of the last group that could serve anyone before the others; says how many they are.
    pub fn serving_first(&mut self, run: &Run) -> u32 {
        let from = self.ends.len().checked_sub(2).map_or(0, |before| self.ends[before]) as usize;
        let serves = |row: &Row| row.left > 0 && run.eligibility.verdict(0, row.class) == PASS;
        let (mut order, barred): (Vec<usize>, Vec<usize>) =
            (from..self.rows.len()).partition(|&at| serves(&self.rows[at]));
        let serving = order.len() as u32;
        order.extend(barred);
        arrange(&mut self.rows, from, &order);
        arrange(&mut self.parcel, from, &order);
        self.values.iter_mut().for_each(|values| arrange(values, from, &order));
        serving
    }

    /// Adds a row that another book has ready.
    pub fn add_row(&mut self, shelf: &Book, at: usize) {
        self.rows.push(shelf.rows[at]);
        self.parcel.extend(shelf.parcel.get(at));
        self.values.resize_with(shelf.values.len(), Vec::new);
        for (values, ready) in self.values.iter_mut().zip(&shelf.values) {
            values.push(ready[at]);
        }
    }

    /// Makes a group of the rows from `first` on, and of lines that are no rows of a table, one slot each.
    pub fn close_group(&mut self, run: &Run, first: usize, lines: &[(&Line, Vec<Ask>)]) {
        self.ends.push(self.rows.len() as u32);
        let rows = (first as u32, self.rows.len() as u32);
        let first = self.slots.len() as u32;
        for (line, asks) in lines {
            self.add_slot(run, rows, first, line.fill, asks, line.pack.unwrap_or(1));
            self.terms.push((line.qty_min, line.pack.is_some()));
        }
        self.open_from(run, first);
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

    fn asks_of(&self, slot: u32, width: usize) -> &[Ask] {
        &self.asks[slot as usize * width..(slot as usize + 1) * width]
    }

    /// Adds the rows of a group.
    pub fn add_rows(&mut self, run: &Run, records: &[Record]) -> (u32, u32) {
        let first = self.rows.len();
        self.rows.extend(records.iter().map(|record| Row {
            left: run.available(record),
            mask: 0,
            number: run.stock_order.row(record[0]),
            class: class_of(record),
            drawn: false,
            start: PASS,
        }));
        let added = &mut self.rows[first..];
        for row in &mut *added {
            row.start = if row.left == 0 { GATE_NO_BALANCE } else { PASS };
        }
        run.hold_back(added);
        for row in &mut *added {
            if row.left == 0 {
                row.start = row.start.min(GATE_SAFETY);
            }
        }
        self.values.resize_with(run.eligibility.wide.len(), Vec::new);
        for (values, wide) in self.values.iter_mut().zip(&run.eligibility.wide) {
            values.extend(added.iter().map(|row| value(wide, row.number as usize)));
        }
        if run.confined {
            let stock = &run.problem.stock;
            let sku = |row: usize| stock.sku.map_or(0, |c| c.get(row));
            let code = |row: usize, one| match one {
                One::Lot => stock.lot.map_or(NULL, |c| c.get(row)),
                _ => stock.place.map_or(NULL, |c| c.get(row)),
            };
            // A row without a lot is a lot of its own; rows without a place are at one.
            self.parcel.extend(added.iter().map(|row| {
                let row = row.number as usize;
                let lot = code(row, One::Lot);
                let lot = if lot == NULL {
                    -1 - row as i64
                } else {
                    lot << 32 | sku(row)
                };
                (lot, code(row, One::Source))
            }));
        }
        self.ends.push(self.rows.len() as u32);
        (first as u32, self.rows.len() as u32)
    }

    /// Finds the candidates of a slot and counts what they have.
    fn open(&mut self, run: &Run, slot: u32) {
        let Slot {
            cursor: from,
            to,
            first,
            last,
            ..
        } = self.slots[slot as usize];
        let bit = if last - first <= MASKED { 1 << (slot - first) } else { 0 };
        let (mut left, mut had_any) = (0_i64, false);
        let mut ranked: Vec<(Vec<u32>, u32)> = Vec::new();
        for at in from..to {
            if self.gate(run, slot, at) == PASS {
                let row = &mut self.rows[at as usize];
                row.mask |= bit;
                had_any |= row.left > 0;
                left += if run.exchange.is_none() {
                    row.left
                } else {
                    whole(self.rows[at as usize].left, self.exchange(run, slot, at))
                };
                if run.ranks > 0 {
                    let ranks = run.reversed.iter().enumerate().map(|(number, &reverse)| {
                        let rank = self.rank(run, slot, at, number);
                        if reverse { u32::MAX - rank } else { rank }
                    });
                    ranked.push((ranks.collect(), at));
                }
            }
        }
        let own = &mut self.slots[slot as usize];
        (own.left, own.had_any) = (left, had_any);
        if run.ranks == 0 {
            return;
        }
        if run.ranks_lead {
            ranked.sort_unstable();
        } else {
            ranked.sort_unstable_by(|a, b| self.compare(run, a, b));
        }
        let from = self.candidates.len() as u32;
        self.candidates.extend(ranked.into_iter().map(|(_, at)| at));
        let own = &mut self.slots[slot as usize];
        (own.cursor, own.to) = (from, self.candidates.len() as u32);
    }

    fn compare(&self, run: &Run, a: &(Vec<u32>, u32), b: &(Vec<u32>, u32)) -> std::cmp::Ordering {
        let (mut key, mut rank) = (0, 0);
        for part in &run.problem.stock.order {
            let order = match part {
                StockKey::Rank { .. } => {
                    rank += 1;
                    a.0[rank - 1].cmp(&b.0[rank - 1])
                }
                StockKey::Row(_) => {
                    key += 1;
                    {
                        let (a, b) = (self.rows[a.1 as usize].number, self.rows[b.1 as usize].number);
                        run.stock_order.compare_keys(a, b, key - 1..key)
                    }
                }
            };
            if order.is_ne() {
                return order;
            }
        }
        a.1.cmp(&b.1)
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
        let Slot { first, last, .. } = self.slots[slot as usize];
        if last - first <= MASKED {
            self.rows[at as usize].mask >> (slot - first) & 1 == 1
        } else {
            self.gate(run, slot, at) == PASS
        }
    }

    /// The first gate that stops a row, balances left out.
    fn gate(&self, run: &Run, slot: u32, at: u32) -> Gate {
        let asks = self.asks_of(slot, run.eligibility.wide.len());
        self.gate_for(run, self.slots[slot as usize].class, asks, at)
    }

    /// The same for lines of a class that ask this of the wide tests.
    fn gate_for(&self, run: &Run, class: u16, asks: &[Ask], at: u32) -> Gate {
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

    fn rank(&self, run: &Run, slot: u32, at: u32, number: usize) -> u32 {
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

    /// Takes from a row (or, negative, gives back), and tells every slot that can see it.
    #[inline]
    pub fn take(&mut self, run: &Run, slot: u32, at: u32, qty: i64) {
        let row = &mut self.rows[at as usize];
        let before = row.left;
        row.left = before - qty;
        let mut mask = row.mask;
        let Slot { first, last, .. } = self.slots[slot as usize];
        if run.exchange.is_none() && last - first <= MASKED {
            let slots = &mut self.slots[first as usize..last as usize];
            while mask != 0 {
                let slot = &mut slots[mask.trailing_zeros() as usize];
                slot.left -= qty;
                slot.drawn += qty;
                mask &= mask - 1;
            }
            return;
        }
        for other in first..last {
            if self.passes(run, other, at) {
                let exchange = self.exchange(run, other, at);
                let other = &mut self.slots[other as usize];
                other.left += whole(before - qty, exchange) - whole(before, exchange);
                other.drawn += qty;
            }
        }
    }

    /// Takes row by row all that a line needs, as far as it is there; moves the cursor behind what is used up.
    #[inline]
    pub fn all_of(&mut self, run: &Run, slot: u32, need: i64, takes: &mut Vec<Take>) -> i64 {
        let Slot {
            cursor,
            to,
            first,
            last,
            ..
        } = self.slots[slot as usize];
        let mut open = need;
        if run.ranks > 0 || last - first > MASKED {
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

    /// Appends another book; rows and slots of that one follow those of this one.
    pub fn append(&mut self, other: &Book) {
        let (rows, slots) = (self.rows.len() as u32, self.slots.len() as u32);
        let candidates = self.candidates.len() as u32;
        let listed = !other.candidates.is_empty();
        let shift = if listed { candidates } else { rows };
        self.rows.extend_from_slice(&other.rows);
        self.ends.extend(other.ends.iter().map(|end| end + rows));
        self.values
            .resize_with(other.values.len().max(self.values.len()), Vec::new);
        for (values, more) in self.values.iter_mut().zip(&other.values) {
            values.extend_from_slice(more);
        }
        self.parcel.extend_from_slice(&other.parcel);
        self.slots.extend(other.slots.iter().map(|slot| Slot {
            cursor: slot.cursor + shift,
            to: slot.to + shift,
            first: slot.first + slots,
            last: slot.last + slots,
            rows: slot.rows + rows,
            ..*slot
        }));
        self.asks.extend_from_slice(&other.asks);
        self.packs.extend_from_slice(&other.packs);
        self.candidates.extend(other.candidates.iter().map(|at| at + rows));
    }

    /// Makes room for so many rows and slots.
    pub fn reserve(&mut self, rows: usize, slots: usize) {
        self.rows.reserve(rows);
        self.slots.reserve(slots);
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

    /// The gate that stopped the row that got furthest.
    pub fn furthest(&mut self, run: &Run, slot: u32) -> Gate {
        if let Some(&gate) = self.furthest.get(&slot) {
            return gate;
        }
        let gates = self
            .rows_from(self.slots[slot as usize].rows)
            .map(|at| self.rows[at as usize].start.min(self.gate(run, slot, at)));
        let furthest = gates.max().unwrap_or(GATE_UNKNOWN);
        self.furthest.insert(slot, furthest);
        furthest
    }

    /// The rows of the group that begins with a row.
    fn rows_from(&self, first: u32) -> std::ops::Range<u32> {
        let next = self.ends.partition_point(|&end| end <= first);
        first..self.ends[next]
    }

    /// The candidates of a slot by lot or place, in order of their first one that had something at the start.
    pub fn parcels(&mut self, run: &Run, slot: u32, one: One) -> Vec<Vec<u32>> {
        if let Some(parcels) = self.parcels.remove(&slot) {
            return parcels;
        }
        // Before the first line of a slot is served, its cursor stands at its first candidate.
        let Slot { cursor: from, to, .. } = self.slots[slot as usize];
        let mut known: HashMap<i64, usize, foldhash::fast::FixedState> = HashMap::default();
        let mut parcels: Vec<Vec<u32>> = Vec::new();
        for i in from..to {
            let at = self.at(run, i);
            if self.rows[at as usize].start == PASS && (run.ranks > 0 || self.passes(run, slot, at)) {
                let (lot, place) = self.parcel[at as usize];
                let number = *known
                    .entry(if one == One::Lot { lot } else { place })
                    .or_insert(parcels.len());
                if number == parcels.len() {
                    parcels.push(Vec::new());
                }
                parcels[number].push(at);
            }
        }
        parcels
    }

    /// Keeps what `parcels` found for the next line of the slot.
    pub fn keep_parcels(&mut self, slot: u32, parcels: Vec<Vec<u32>>) {
        self.parcels.insert(slot, parcels);
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

/// Brings what stands behind `from` in this order of positions.
fn arrange<T: Copy>(values: &mut [T], from: usize, order: &[usize]) {
    if !values.is_empty() {
        let arranged: Vec<T> = order.iter().map(|&at| values[at]).collect();
        values[from..].copy_from_slice(&arranged);
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

/// The gate at which a wide test stops a row, or `PASS`.
#[inline]
fn stop(wide: &Wide, ask: Ask, value: i64) -> Gate {
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

fn value(wide: &Wide, row: usize) -> i64 {
    match wide {
        Wide::Span { stock, .. } | Wide::Exchange { stock, .. } => stock.get(row),
        Wide::Table { stock, .. } => stock.code(row) as i64,
    }
}

/// How a row of SKU `value` stands in for the SKU that is asked.
fn substitution(wide: &Wide, value: i64, ask: Ask) -> Option<Substitute> {
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
