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

/// Where a line is served from.
#[derive(Clone, Copy)]
struct Stop {
    /// Partition of its group.
    part: u32,
    /// Its place in the answer of the partition.
    place: u32,
    /// Its slot in the book of the partition; `NO_SLOT` if its group has no rows.
    slot: u32,
}

const NO_SLOT: u32 = u32::MAX;

/// What became of a line.
#[derive(Clone, Copy, Default)]
struct Fate {
    served: i64,
    reason: u8,
    /// Its allocations in the log.
    from: u32,
    to: u32,
}

/// One partition: balances, lines in order of the answer, and what became of them.
struct Part {
    book: Book,
    lines: Vec<u32>,
    fates: Vec<Fate>,
}

/// Allocations in order of service.
#[derive(Default)]
struct Log {
    row: Vec<u32>,
    qty: Vec<i64>,
    /// Units of the line, if they differ from those of the row.
    served: Vec<i64>,
}

/// Serves everything.
pub fn serve(run: &Run, stock: &Partitioned, lines: &Partitioned) -> Vec<Stretch> {
    let mut parts: Vec<(Part, Vec<u32>)> = (0..run.grouping.partitions())
        .into_par_iter()
        .map_init(Pools::default, |pools, partition| {
            pools.load(run, partition, stock, lines);
            part(run, pools)
        })
        .collect();
    let stops = stops(run, &parts);
    let sequence = sequence(run);
    let mut sweep = Sweep { run, parts: parts.iter_mut().map(|(part, _)| part).collect(), log: Log::default(), undo: Vec::new(), takes: Vec::new() };
    for unit in sequence.units() {
        sweep.serve(unit, &stops);
    }
    let log = sweep.log;
    let weights: Vec<usize> = parts.iter().map(|(part, _)| part.lines.len()).collect();
    super::stretches(&weights)
        .into_par_iter()
        .map(|range| {
            let mut stretch = Stretch::default();
            parts[range].iter().for_each(|(part, _)| part.answer(run, &log, &mut stretch));
            stretch
        })
        .collect()
}

/// Builds the book of a partition; with each line its slot.
fn part(run: &Run, pools: &Pools) -> (Part, Vec<u32>) {
    let (mut book, mut lines, mut fates, mut slots) = (Book::default(), Vec::new(), Vec::new(), Vec::new());
    for (group, rows, mine) in pools.demanded() {
        let reason = if rows.is_empty() {
            slots.resize(slots.len() + mine.len(), NO_SLOT);
            run.reason_of_empty(group)
        } else {
            book.add(run, rows, mine, &mut slots);
            SERVED
        };
        lines.extend(mine.iter().map(|line| run.line_order.row(line[0])));
        fates.extend(mine.iter().map(|_| Fate { reason, ..Fate::default() }));
    }
    (Part { book, lines, fates }, slots)
}

/// Where each line of the demand table is served from.
fn stops(run: &Run, parts: &[(Part, Vec<u32>)]) -> Vec<Stop> {
    let mut stops = vec![Stop { part: 0, place: 0, slot: NO_SLOT }; run.problem.demand.qty.len()];
    for (part, (Part { lines, .. }, slots)) in (0..).zip(parts) {
        for (place, (&line, &slot)) in (0..).zip(lines.iter().zip(slots)) {
            stops[line as usize] = Stop { part, place, slot };
        }
    }
    stops
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
        run.eligibility.classify_lines(demand.fill, start, &mut reader, &mut classes[..n]);
        let codes = demand.order_code.map(|code| reader.read(&code, start, n));
        for (i, record) in records.iter_mut().enumerate() {
            let whole = run.fill(classes[i] as u16).whole == Whole::Order;
            *record = [keys[i], codes.filter(|_| whole).map_or(ALONE, |codes| codes[i] as u64)];
        }
    });
    let orders = keyed.iter().filter(|r| r[1] != ALONE).map(|r| r[1] + 1).max().unwrap_or(0) as usize;
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
    Sequence { order, together, ends, firsts }
}

impl Sequence<'_> {
    /// The numbers of the lines of each unit.
    fn units(&self) -> impl Iterator<Item = impl Iterator<Item = u32> + Clone> {
        self.firsts.iter().map(|first| {
            let lines = if first[1] == ALONE {
                std::slice::from_ref(first)
            } else {
                let order = first[1] as usize;
                let from = if order == 0 { 0 } else { self.ends[order - 1] };
                &self.together[from as usize..self.ends[order] as usize]
            };
            lines.iter().map(|record| self.order.row(record[0]))
        })
    }
}

/// The one sequence over all partitions.
struct Sweep<'s, 'a> {
    run: &'s Run<'a>,
    parts: Vec<&'s mut Part>,
    log: Log,
    /// What the unit at hand did: partition, slot, cursor before, and the take if there was one.
    undo: Vec<(u32, u32, u32, Option<Take>)>,
    takes: Vec<Take>,
}

impl Sweep<'_, '_> {
    fn serve(&mut self, unit: impl Iterator<Item = u32> + Clone, stops: &[Stop]) {
        let begin = self.log.row.len();
        self.undo.clear();
        let mut failed = false;
        for line in unit.clone() {
            let stop = stops[line as usize];
            let need = self.run.problem.demand.qty.get(line as usize);
            if stop.slot == NO_SLOT {
                failed |= need > 0;
                let fate = &mut self.parts[stop.part as usize].fates[stop.place as usize];
                fate.reason = if need > 0 { fate.reason } else { SERVED };
            } else {
                failed |= self.serve_line(line, stop, need) != SERVED;
            }
        }
        // A line alone has given back already.
        if failed && unit.clone().nth(1).is_some() {
            self.give_back(unit, stops, begin);
        }
    }

    fn serve_line(&mut self, line: u32, stop: Stop, need: i64) -> u8 {
        let Part { book, fates, .. } = &mut *self.parts[stop.part as usize];
        let cursor = book.cursor(stop.slot);
        self.undo.push((stop.part, stop.slot, cursor, None));
        let (served, reason) = decide(self.run, book, stop.slot, line, need, &mut self.takes);
        let from = self.log.row.len() as u32;
        for &take in &self.takes {
            book.take(self.run, stop.slot, take.at, take.qty);
            self.undo.push((stop.part, stop.slot, cursor, Some(take)));
            self.log.row.push(book.row[take.at as usize]);
            self.log.qty.push(take.qty);
            if self.run.exchange.is_some() {
                self.log.served.push(take.served);
            }
        }
        fates[stop.place as usize] = Fate { served, reason, from, to: self.log.row.len() as u32 };
        reason
    }

    fn give_back(&mut self, unit: impl Iterator<Item = u32>, stops: &[Stop], begin: usize) {
        for &(part, slot, cursor, take) in self.undo.iter().rev() {
            let book = &mut self.parts[part as usize].book;
            if let Some(take) = take {
                book.take(self.run, slot, take.at, -take.qty);
            }
            book.rewind(slot, cursor);
        }
        self.log.row.truncate(begin);
        self.log.qty.truncate(begin);
        self.log.served.truncate(begin);
        for line in unit {
            let stop = stops[line as usize];
            let fate = &mut self.parts[stop.part as usize].fates[stop.place as usize];
            let reason = if fate.reason == SERVED && self.run.problem.demand.qty.get(line as usize) > 0 {
                Reason::OrderIncomplete as u8
            } else {
                fate.reason
            };
            *fate = Fate { reason, ..Fate::default() };
        }
    }
}

impl Part {
    fn answer(&self, run: &Run, log: &Log, out: &mut Stretch) {
        for (&line, fate) in self.lines.iter().zip(&self.fates) {
            out.line.push(line);
            out.allocated.push(fate.served);
            out.reason.push(fate.reason);
            for (rank, at) in (1..).zip(fate.from as usize..fate.to as usize) {
                out.takes.push(line, log.row[at], log.qty[at], rank);
                if run.exchange.is_some() {
                    out.takes.served.push(log.served[at]);
                }
            }
        }
    }
}
