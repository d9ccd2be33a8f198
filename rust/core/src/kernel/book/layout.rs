//! Lays groups out in a book: rows in stock order, a slot for each kind of line, and the candidates of each slot.

use hashbrown::HashMap;

use super::gates::{Ask, ask, value};
use super::{Book, MASKED, Row, Slot, whole};
use crate::column::NULL;
use crate::group::Record;
use crate::kernel::prepared::Line;
use crate::kernel::{Run, class_of};
use crate::problem::{GATE_NO_BALANCE, GATE_SAFETY, GATE_UNKNOWN, One, PASS, StockKey};

impl Book {
    /// Forgets everything but one group; `slot_of` gets the slots of its lines.
    pub fn open_group(&mut self, run: &Run, rows: &[Record], lines: &[Record], slot_of: &mut Vec<u32>) {
        self.clear();
        slot_of.clear();
        self.add(run, rows, lines, |line| run.line_order.row(line[0]), slot_of);
    }

    /// Adds a group: its rows in stock order, and its lines, whose row in the demand table `number_of` tells;
    /// `slot_of` gets the slot of each line.
    pub fn add(
        &mut self,
        run: &Run,
        rows: &[Record],
        lines: &[Record],
        number_of: impl Fn(&Record) -> u32,
        slot_of: &mut Vec<u32>,
    ) {
        let rows = self.add_rows(run, rows);
        let first = self.slots.len() as u32;
        let width = run.eligibility.wide.len();
        if lines.is_empty() {
            return;
        }
        if width == 0 && !run.packs {
            self.latest.resize(run.eligibility.demand_classes, 0);
            slot_of.extend(lines.iter().map(|line| {
                let class = class_of(line);
                let guess = self.latest[class as usize];
                let known = guess >= first && self.slots.get(guess as usize).is_some_and(|slot| slot.class == class);
                if !known {
                    self.latest[class as usize] = self.add_slot(run, rows, first, class, &[], 1);
                }
                self.latest[class as usize]
            }));
            self.open_from(run, first);
            self.keep_serving(run, rows.0, first);
            return;
        }
        let mut known: HashMap<(u16, i64, Vec<Ask>), u32, foldhash::fast::FixedState> = HashMap::default();
        let mut asks = Vec::with_capacity(width);
        for line in lines {
            let class = class_of(line);
            let number = number_of(line) as usize;
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
            class,
            furthest: GATE_UNKNOWN,
            masked: false,
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
            self.slots[slot as usize].masked = (last - first) as usize <= MASKED;
            self.open(run, slot);
        }
    }

    /// Leaves out the rows of the last group that serve none of its slots: why they do not is known by now. `from` is
    /// its first row, `first` its first slot.
    fn keep_serving(&mut self, run: &Run, from: u32, first: u32) {
        if run.ranks > 0 || run.confined || !self.slots[first as usize].masked {
            return;
        }
        let mut to = from as usize;
        for at in from as usize..self.rows.len() {
            let row = self.rows[at];
            self.rows[to] = row;
            to += usize::from(row.mask != 0 && row.left > 0);
        }
        self.rows.truncate(to);
        self.slots[first as usize..]
            .iter_mut()
            .for_each(|slot| slot.to = to as u32);
        *self.ends.last_mut().expect("the group has an end") = to as u32;
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

    /// Adds the rows of a group.
    pub fn add_rows(&mut self, run: &Run, records: &[Record]) -> (u32, u32) {
        let first = self.rows.len();
        self.rows.extend(records.iter().map(|record| {
            let left = run.available(record);
            Row {
                left,
                mask: 0,
                number: run.stock_order.row(record[0]),
                class: class_of(record),
                drawn: false,
                start: if left == 0 { GATE_NO_BALANCE } else { PASS },
            }
        }));
        let added = &mut self.rows[first..];
        if run.problem.safety.is_some() {
            run.hold_back(added);
            for row in added.iter_mut().filter(|row| row.left == 0) {
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
            masked,
            ..
        } = self.slots[slot as usize];
        let bit = if masked { 1 << (slot - first) } else { 0 };
        let (mut left, mut furthest) = (0_i64, GATE_UNKNOWN);
        if run.ranks == 0 && run.eligibility.wide.is_empty() {
            // The rule, without branches: a row passes or not as the dice fall.
            let verdicts = run.eligibility.verdicts(self.slots[slot as usize].class);
            for row in &mut self.rows[from as usize..to as usize] {
                let gate = verdicts[row.class as usize];
                let all = if gate == PASS { u64::MAX } else { 0 };
                row.mask |= bit & all;
                left += row.left & all as i64;
                furthest = furthest.max(gate.min(row.start));
            }
            let own = &mut self.slots[slot as usize];
            (own.left, own.furthest) = (left, furthest);
            return;
        }
        let mut ranked: Vec<(Vec<u32>, u32)> = Vec::new();
        for at in from..to {
            let gate = self.gate(run, slot, at);
            let row = &mut self.rows[at as usize];
            furthest = furthest.max(gate.min(row.start));
            if gate == PASS {
                row.mask |= bit;
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
        (own.left, own.furthest) = (left, furthest);
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
}

/// Brings what stands behind `from` in this order of positions.
fn arrange<T: Copy>(values: &mut [T], from: usize, order: &[usize]) {
    if !values.is_empty() {
        let arranged: Vec<T> = order.iter().map(|&at| values[at]).collect();
        values[from..].copy_from_slice(&arranged);
    }
}
