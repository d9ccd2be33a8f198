//! Serving when some lines are served together with their order: one sequence over all groups, and an order that
//! cannot be complete gives back what its lines took.

use rayon::prelude::*;

use super::book::Book;
use super::fill::{Take, decide};
use super::{Pools, Run};
use crate::column::{BLOCK, Reader};
use crate::group::{Partitioned, Record};
use crate::outcome::Stretch;
use crate::packing::Packing;
use crate::problem::{Reason, SERVED, Whole};

/// A line, where it is served from.
#[derive(Clone, Copy, Default)]
pub(super) struct Stop {
    pub need: i64,
    /// Its slot in the book; `NO_SLOT` if its group has no rows.
    pub slot: u32,
    /// Number of the line in the demand table.
    pub line: u32,
    /// Whether it is the first line of a unit of service.
    pub first: bool,
}

pub(super) const NO_SLOT: u32 = u32::MAX;

/// What became of a line.
#[derive(Clone, Copy, Default)]
pub(super) struct Fate {
    pub served: i64,
    pub reason: u8,
    /// Its allocations in the log.
    pub from: u32,
    pub to: u32,
}

/// The lines of one partition, by group.
struct Part {
    lines: Vec<u32>,
    /// For each group where its lines end, and why they are short if it has no rows.
    groups: Vec<(u32, u8)>,
}

/// Allocations in order of service.
#[derive(Default)]
pub(super) struct Log {
    pub row: Vec<u32>,
    pub qty: Vec<i64>,
    /// Units of the line, if they differ from those of the row.
    pub served: Vec<i64>,
}

/// Serves everything.
pub fn serve(run: &Run, stock: Partitioned, lines: Partitioned) -> Vec<Stretch> {
    let (parts, sequence) = rayon::join(
        || -> Vec<(Part, Book, Vec<u32>)> {
            (0..run.grouping.partitions())
                .into_par_iter()
                .map_init(Pools::default, |pools, partition| {
                    pools.load(run, partition, &stock, &lines);
                    part(run, pools)
                })
                .collect()
        },
        || sequence(run),
    );
    drop((stock, lines));
    let mut book = Book::default();
    book.reserve(
        parts.iter().map(|p| p.1.rows.len()).sum(),
        parts.iter().map(|p| p.1.slots.len()).sum(),
    );
    let mut slot_of = vec![NO_SLOT; run.problem.demand.qty.len()];
    let parts: Vec<Part> = parts
        .into_iter()
        .map(|(part, own, slots)| {
            let first = book.slots.len() as u32;
            for (&line, slot) in part.lines.iter().zip(slots) {
                slot_of[line as usize] = if slot == NO_SLOT { NO_SLOT } else { first + slot };
            }
            book.append(&own);
            part
        })
        .collect();
    let stops = stops(run, &slot_of, &sequence);
    drop((sequence, slot_of));
    let mut fates = vec![Fate::default(); stops.len()];
    let log = sweep(run, &mut book, &stops, &mut fates);
    let mut turn = vec![0_u32; stops.len()];
    for (number, stop) in (0..).zip(&stops) {
        turn[stop.line as usize] = number;
    }
    let weights: Vec<usize> = parts.iter().map(|part| part.lines.len()).collect();
    super::stretches(&weights)
        .into_par_iter()
        .map(|range| {
            let mut stretch = Stretch::default();
            parts[range]
                .iter()
                .for_each(|part| part.answer(run, &turn, &stops, &fates, &log, &mut stretch));
            stretch
        })
        .collect()
}

/// Builds the book of a partition; with each line its slot.
fn part(run: &Run, pools: &Pools) -> (Part, Book, Vec<u32>) {
    let (mut book, mut lines, mut groups, mut slots) = (Book::default(), Vec::new(), Vec::new(), Vec::new());
    for (group, rows, mine) in pools.demanded() {
        let reason = if rows.is_empty() {
            slots.resize(slots.len() + mine.len(), NO_SLOT);
            run.reason_of_empty(group)
        } else {
            book.add(run, rows, mine, &mut slots);
            SERVED
        };
        lines.extend(mine.iter().map(|line| run.line_order.row(line[0])));
        groups.push((lines.len() as u32, reason));
    }
    (Part { lines, groups }, book, slots)
}

/// All lines in order of service.
fn stops(run: &Run, slot_of: &[u32], sequence: &Sequence) -> Vec<Stop> {
    let qty = &run.problem.demand.qty;
    sequence
        .firsts
        .par_iter()
        .flat_map_iter(|first| {
            sequence.lines_of(first).enumerate().map(|(i, line)| Stop {
                need: qty.get(line as usize),
                slot: slot_of[line as usize],
                line,
                first: i == 0,
            })
        })
        .collect()
}

/// The units of service in their order.
struct Sequence<'a> {
    order: Packing<'a>,
    /// Lines that are served with their order, by order and then in order of service.
    together: Vec<Record>,
    /// Where each order ends in them.
    ends: Vec<u32>,
    /// The first line of each unit, and the order it belongs to or `ALONE`.
    firsts: Vec<Record>,
}

const ALONE: u64 = u64::MAX;

fn sequence<'a>(run: &Run<'a>) -> Sequence<'a> {
    let demand = &run.problem.demand;
    let lines = demand.qty.len();
    let order = Packing::new(&demand.order, demand.ids, lines, u64::BITS);
    let mut keyed: Vec<Record> = vec![[0; 2]; lines];
    keyed.par_chunks_mut(BLOCK).enumerate().for_each(|(chunk, records)| {
        let (mut reader, mut keys, mut classes) = (Reader::default(), [0_u64; BLOCK], [0_u32; BLOCK]);
        let (start, n) = (chunk * BLOCK, records.len());
        order.pack(start, &mut reader, &mut keys[..n]);
        run.eligibility
            .classify_lines(demand.fill, start, &mut reader, &mut classes[..n]);
        let codes = demand.order_code.map(|code| reader.read(&code, start, n));
        for (i, record) in records.iter_mut().enumerate() {
            let whole = run.fill(classes[i] as u16).whole == Whole::Order;
            *record = [keys[i], codes.filter(|_| whole).map_or(ALONE, |codes| codes[i] as u64)];
        }
    });
    let orders = keyed
        .iter()
        .filter(|r| r[1] != ALONE)
        .map(|r| r[1] + 1)
        .max()
        .unwrap_or(0) as usize;
    let mut ends = vec![0_u32; orders + 1];
    for record in keyed.iter().filter(|r| r[1] != ALONE) {
        ends[record[1] as usize + 1] += 1;
    }
    for i in 1..ends.len() {
        ends[i] += ends[i - 1];
    }
    let mut together: Vec<Record> = vec![[0; 2]; ends[orders] as usize];
    let mut firsts = Vec::new();
    for record in keyed {
        if record[1] == ALONE {
            firsts.push(record);
        } else {
            let at = &mut ends[record[1] as usize];
            together[*at as usize] = record;
            *at += 1;
        }
    }
    // Every start has moved to its end; the entry behind the last order goes.
    ends.pop();
    let mut from = 0;
    for &to in &ends {
        let mine = &mut together[from as usize..to as usize];
        order.sort(mine);
        firsts.extend(mine.first());
        from = to;
    }
    order.sort(&mut firsts);
    Sequence {
        order,
        together,
        ends,
        firsts,
    }
}

impl Sequence<'_> {
    /// The numbers of the lines of a unit.
    fn lines_of<'s>(&'s self, first: &'s Record) -> impl Iterator<Item = u32> + 's {
        let lines = if first[1] == ALONE {
            std::slice::from_ref(first)
        } else {
            let order = first[1] as usize;
            let from = if order == 0 { 0 } else { self.ends[order - 1] };
            &self.together[from as usize..self.ends[order] as usize]
        };
        lines.iter().map(|record| self.order.row(record[0]))
    }
}

/// Lines that are looked up before their turn comes, so that their slots and rows are in the cache by then.
const AHEAD: usize = 64;

/// Serves all lines in this order.
pub(super) fn sweep(run: &Run, book: &mut Book, stops: &[Stop], fates: &mut [Fate]) -> Log {
    let mut sweep = Sweep {
        run,
        book,
        log: Log::default(),
        cursors: Vec::new(),
        taken: Vec::new(),
        takes: Vec::new(),
        groups: Vec::new(),
    };
    let (mut begin, mut looked_up) = (0, 0);
    while begin < stops.len() {
        let mut end = begin + 1;
        while end < stops.len() && !stops[end].first {
            end += 1;
        }
        if end > looked_up {
            let next = (end + AHEAD).min(stops.len());
            sweep.look_up(&stops[looked_up..next]);
            looked_up = next;
        }
        sweep.serve(&stops[begin..end], &mut fates[begin..end]);
        begin = end;
    }
    sweep.log
}

/// The one sequence over all groups.
struct Sweep<'s, 'a> {
    run: &'s Run<'a>,
    book: &'s mut Book,
    log: Log,
    /// What the unit at hand moved: slots, with their cursors before; and what it took.
    cursors: Vec<(u32, u32)>,
    taken: Vec<(u32, Take)>,
    takes: Vec<Take>,
    groups: Vec<u32>,
}

impl Sweep<'_, '_> {
    /// Reads the slots of lines, then the rows at their cursors: independent reads, which the processor overlaps.
    fn look_up(&self, stops: &[Stop]) {
        let mut cursors = [0_u32; 2 * AHEAD];
        for stops in stops.chunks(cursors.len()) {
            for (stop, cursor) in stops.iter().zip(&mut cursors) {
                *cursor = if stop.slot == NO_SLOT {
                    0
                } else {
                    self.book.cursor(stop.slot)
                };
            }
            let left = cursors[..stops.len()]
                .iter()
                .map(|&cursor| self.book.peek(self.run, cursor));
            std::hint::black_box(left.fold(0, i64::wrapping_add));
        }
    }

    fn serve(&mut self, unit: &[Stop], fates: &mut [Fate]) {
        if self.run.orders_are_simple && unit.len() > 1 && self.refuse(unit, fates) {
            return;
        }
        let begin = self.log.row.len();
        self.cursors.clear();
        self.taken.clear();
        let mut failed = false;
        for (stop, fate) in unit.iter().zip(&mut *fates) {
            if stop.slot == NO_SLOT {
                // The reason is that of its group.
                *fate = Fate {
                    reason: if stop.need > 0 { NO_REASON } else { SERVED },
                    ..Fate::default()
                };
            } else {
                *fate = self.serve_line(stop);
            }
            failed |= fate.reason != SERVED;
        }
        // A line alone has given back already.
        if failed && unit.len() > 1 {
            self.give_back(begin);
            for (stop, fate) in unit.iter().zip(fates) {
                let complete = fate.reason == SERVED && stop.need > 0;
                let reason = if complete {
                    Reason::OrderIncomplete as u8
                } else {
                    fate.reason
                };
                *fate = Fate {
                    reason,
                    ..Fate::default()
                };
            }
        }
    }

    /// Refuses an order of which a line cannot be complete, without taking anything, if its lines do not compete with
    /// each other: then none of them would change what another finds. Says whether it did.
    fn refuse(&mut self, unit: &[Stop], fates: &mut [Fate]) -> bool {
        let book = &self.book;
        let lacks =
            |stop: &Stop| stop.need > 0 && (stop.slot == NO_SLOT || book.slots[stop.slot as usize].left < stop.need);
        if !unit.iter().any(lacks) {
            return false;
        }
        self.groups.clear();
        self.groups.extend(
            unit.iter()
                .filter(|stop| stop.slot != NO_SLOT)
                .map(|stop| book.group(stop.slot)),
        );
        self.groups.sort_unstable();
        if self.groups.windows(2).any(|pair| pair[0] == pair[1]) {
            return false;
        }
        for (stop, fate) in unit.iter().zip(fates) {
            let reason = if stop.need == 0 {
                SERVED
            } else if stop.slot == NO_SLOT {
                NO_REASON
            } else if self.book.slots[stop.slot as usize].left < stop.need {
                decide(self.run, self.book, stop.slot, stop.line, stop.need, &mut self.takes).1
            } else {
                Reason::OrderIncomplete as u8
            };
            *fate = Fate {
                reason,
                ..Fate::default()
            };
        }
        true
    }

    fn serve_line(&mut self, stop: &Stop) -> Fate {
        self.cursors.push((stop.slot, self.book.cursor(stop.slot)));
        let (served, reason) = decide(self.run, self.book, stop.slot, stop.line, stop.need, &mut self.takes);
        let from = self.log.row.len() as u32;
        for &take in &self.takes {
            self.book.take(self.run, stop.slot, take.at, take.qty);
            self.taken.push((stop.slot, take));
            self.log.row.push(self.book.rows[take.at as usize].number);
            self.log.qty.push(take.qty);
            if self.run.exchange.is_some() {
                self.log.served.push(take.served);
            }
        }
        Fate {
            served,
            reason,
            from,
            to: self.log.row.len() as u32,
        }
    }

    fn give_back(&mut self, begin: usize) {
        for &(slot, take) in &self.taken {
            self.book.take(self.run, slot, take.at, -take.qty);
        }
        for &(slot, cursor) in self.cursors.iter().rev() {
            self.book.rewind(slot, cursor);
        }
        self.log.row.truncate(begin);
        self.log.qty.truncate(begin);
        self.log.served.truncate(begin);
    }
}

/// Stands for the reason of a group without rows.
pub(super) const NO_REASON: u8 = SERVED - 1;

impl Part {
    fn answer(&self, run: &Run, turn: &[u32], stops: &[Stop], fates: &[Fate], log: &Log, out: &mut Stretch) {
        let mut turns: Vec<u32> = Vec::new();
        let mut from = 0;
        for &(to, reason) in &self.groups {
            turns.clear();
            turns.extend(
                self.lines[from as usize..to as usize]
                    .iter()
                    .map(|&line| turn[line as usize]),
            );
            turns.sort_unstable();
            from = to;
            for &turn in &turns {
                let (line, fate) = (stops[turn as usize].line, &fates[turn as usize]);
                out.line.push(line);
                out.allocated.push(fate.served);
                out.reason
                    .push(if fate.reason == NO_REASON { reason } else { fate.reason });
                for (rank, at) in (1..).zip(fate.from as usize..fate.to as usize) {
                    out.takes.push(line, log.row[at], log.qty[at], rank);
                    if run.exchange.is_some() {
                        out.takes.served.push(log.served[at]);
                    }
                }
            }
        }
    }
}
