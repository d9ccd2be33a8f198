//! Whole orders, group by group. An order couples the groups that its lines are in; yet what is left of each row at the
//! turn of a line lies between two bounds that its group can tell alone, and they close in until every order is settled:
//!
//! - no more than is left if only orders that are known to hold take anything: a line that does not find enough
//!   there fails, and its order with it;
//! - no less than is left if all orders that are not known to fail take as much as they get: a line that gets
//!   its whole quantity there gets it in any case, and an order of such lines holds.
//!
//! `docs/decisions/004` says why these are bounds, and why each round settles at least the first open order.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use rayon::prelude::*;

use super::book::{Book, Taken};
use super::fill::{Take, decide};
use super::plain::Plain;
use super::sequence::Units;
use super::{Pool, Pools, Run, class_of};
use crate::column::{Column, Values};
use crate::group::Record;
use crate::outcome::Stretch;
use crate::packing::Packing;
use crate::problem::{Ids, Key, PASS, Reason, SERVED, Whole};

/// All lines of the unit get what they ask, or are served with whatever there is.
const HOLDS: u8 = 0;
/// A line of the unit was not sure of what it asks.
const OPEN: u8 = 1;
/// A line of the unit cannot get what it asks.
const FAILS: u8 = 2;

/// Rounds in any case; from then on each must leave at most half of the work of the one before it.
const ROUNDS_MIN: usize = 8;

/// Serves everything; nothing if the orders hang together in chains too long to be settled in rounds.
pub fn serve(run: &Run) -> Option<Vec<Stretch>> {
    let (stock, units) = rayon::join(|| run.partition_stock(), || Units::new(run));
    let unit = Key {
        column: Column::new(Values::U32(&units.of), None),
        descending: false,
        nulls_first: false,
    };
    let in_unit = |a, b| run.line_order.compare(a, b);
    let bits = u64::BITS - run.grouping.bits;
    let order = Packing::new(&[unit], Ids::By(&in_unit), units.of.len(), bits);
    let by_group = run.partition_lines(&|start, reader, keys| order.pack(start, reader, keys));
    let settling = Settling {
        run,
        order: &order,
        units: &units,
        fates: units.whole.iter().map(|&whole| AtomicU8::new(whole)).collect(),
        doubts: units.whole.iter().map(|_| AtomicU8::new(HOLDS)).collect(),
    };
    let mut parts: Vec<Part> = (0..run.grouping.partitions())
        .into_par_iter()
        .map_init(Bounds::default, |bounds, partition| {
            let mut pools = Pools::default();
            pools.load(run, partition, &stock, &by_group, &order);
            settling.begin(pools, bounds)
        })
        .collect();
    drop((stock, by_group));
    let mut rounds = 0;
    let mut before = usize::MAX;
    loop {
        let open = parts.iter().map(Part::open_records).sum();
        if open == 0 {
            break;
        }
        if rounds >= ROUNDS_MIN && open > before / 2 {
            return None;
        }
        (rounds, before) = (rounds + 1, open);
        parts
            .par_iter_mut()
            .for_each_init(Bounds::default, |bounds, part| settling.round(part, bounds));
        settling.close();
    }
    let weights: Vec<usize> = parts.iter().map(|part| part.pools.len()).collect();
    let ranges = super::cut_evenly(&weights).into_par_iter();
    Some(ranges.map(|range| settling.answer(&parts[range])).collect())
}

/// The groups of a partition.
struct Part {
    pools: Pools,
    /// Groups in which some line may have to do without what it asks.
    scarce: Vec<u32>,
    /// Those of them where a line of an open unit is not sure.
    open: Vec<u32>,
}

impl Part {
    fn open_records(&self) -> usize {
        let pools = self.open.iter().map(|&group| self.pools.group(group as usize));
        pools.map(|pool| pool.rows.len() + pool.lines.len()).sum()
    }
}

/// What is known of all units.
struct Settling<'s, 'a> {
    run: &'s Run<'a>,
    order: &'s Packing<'s>,
    units: &'s Units,
    /// By unit.
    fates: Vec<AtomicU8>,
    /// By unit: whether a line of it was not sure in the round at hand.
    doubts: Vec<AtomicU8>,
}

/// The bounds of the group at hand, and what is needed to find them.
#[derive(Default)]
struct Bounds {
    least: Book,
    most: Book,
    slots: Vec<u32>,
    takes: Vec<Take>,
    /// What the unit at hand took from `most`.
    taken: Vec<Taken>,
    fates: Vec<u8>,
    /// Classes of lines in the group.
    classes: Vec<u16>,
}

impl Settling<'_, '_> {
    #[inline]
    fn unit(&self, line: &Record) -> u32 {
        match self.order.ordinal(line[0]) {
            Some(unit) => unit as u32,
            None => self.units.of[self.order.row(line[0]) as usize],
        }
    }

    /// What is known of the units of lines: independent reads, which the processor overlaps.
    fn fates<'l>(&self, lines: impl Iterator<Item = &'l Record>, fates: &mut Vec<u8>) {
        fates.clear();
        fates.extend(lines.map(|line| self.fates[self.unit(line) as usize].load(Relaxed)));
    }

    /// The unit of a line fails if the line has to be whole.
    fn fail(&self, line: &Record) {
        if self.run.requested(line) > 0 && self.run.fill(class_of(line)).whole != Whole::No {
            self.fates[self.unit(line) as usize].store(FAILS, Relaxed);
        }
    }

    /// Finds out which groups are scarce, and the lines that fail there whatever others do.
    fn begin(&self, pools: Pools, bounds: &mut Bounds) -> Part {
        let mut scarce = Vec::new();
        for group in 0..pools.groups() {
            let pool = pools.group(group);
            if pool.rows.is_empty() {
                pool.lines.iter().for_each(|line| self.fail(line));
            } else if !self.is_ample(pool, &mut bounds.classes) {
                let Bounds { least, slots, .. } = bounds;
                least.open_group(self.run, pool.rows, pool.lines, slots);
                for (line, &slot) in pool.lines.iter().zip(&*slots) {
                    if least.slots[slot as usize].left < self.run.requested(line) {
                        self.fail(line);
                    }
                }
                scarce.push(group as u32);
            }
        }
        let open = scarce.clone();
        Part { pools, scarce, open }
    }

    /// Whether every class of lines finds enough for all lines of the group together.
    fn is_ample(&self, pool: Pool, classes: &mut Vec<u16>) -> bool {
        let run = self.run;
        if !run.classed {
            return false;
        }
        classes.clear();
        let mut asked = 0_i64;
        for line in pool.lines {
            asked = asked.saturating_add(run.requested(line));
            let class = class_of(line);
            if !classes.contains(&class) {
                if classes.len() == CLASSES_MAX {
                    return false;
                }
                classes.push(class);
            }
        }
        classes.iter().all(|&class| {
            let verdicts = run.eligibility.verdicts(class);
            let left = pool.rows.iter().map(|row| {
                let passes = verdicts[class_of(row) as usize] == PASS;
                if passes { run.available(row) } else { 0 }
            });
            left.sum::<i64>() >= asked
        })
    }

    /// Closes in on the open groups of a partition.
    fn round(&self, part: &mut Part, bounds: &mut Bounds) {
        let Part { pools, open, .. } = part;
        let mut fates = std::mem::take(&mut bounds.fates);
        self.fates(
            open.iter().flat_map(|&group| pools.group(group as usize).lines),
            &mut fates,
        );
        let mut rest = &fates[..];
        open.retain(|&group| {
            let pool = pools.group(group as usize);
            let mine = rest.split_off(..pool.lines.len()).expect("each line has its fate");
            self.close_in(pool, mine, bounds)
        });
        bounds.fates = fates;
    }

    /// Closes in on a group; says whether a line of an open unit is still not sure.
    fn close_in(&self, pool: Pool, fates: &[u8], bounds: &mut Bounds) -> bool {
        let run = self.run;
        let Bounds {
            least,
            most,
            slots,
            takes,
            taken,
            ..
        } = bounds;
        least.open_group(run, pool.rows, pool.lines, slots);
        most.copy(least);
        let (mut unit, mut open) = (u32::MAX, false);
        for ((line, &slot), &fate) in pool.lines.iter().zip(&*slots).zip(fates) {
            if fate == FAILS {
                continue;
            }
            let own = self.unit(line);
            if own != unit {
                most.give_back(run, taken);
                unit = own;
            }
            let need = run.requested(line);
            if fate == OPEN {
                if most.slots[slot as usize].left < need {
                    self.fates[unit as usize].store(FAILS, Relaxed);
                    continue;
                }
                if least.slots[slot as usize].left < need {
                    self.doubts[unit as usize].store(OPEN, Relaxed);
                    open = true;
                }
            }
            least.take_all(run, slot, need, takes);
            let cursor = most.cursor(slot);
            most.take_all(run, slot, need, takes);
            if fate == OPEN {
                taken.extend(takes.iter().map(|&take| Taken { slot, cursor, take }));
            }
        }
        taken.clear();
        open
    }

    /// Ends a round: open units that nobody doubted hold.
    fn close(&self) {
        let pairs = self.fates.par_iter().zip(&self.doubts).with_min_len(1 << 14);
        pairs.for_each(|(fate, doubt)| {
            if fate.load(Relaxed) == OPEN {
                fate.store(doubt.load(Relaxed), Relaxed);
            }
            doubt.store(HOLDS, Relaxed);
        });
    }

    /// What becomes of the lines of some partitions, now that all units are settled.
    fn answer(&self, parts: &[Part]) -> Stretch {
        let mut out = Stretch::default();
        let lines = parts.iter().map(|part| part.pools.lines.len()).sum();
        out.line.reserve(lines);
        out.allocated.reserve(lines);
        out.reason.reserve(lines);
        out.takes.reserve(parts.iter().map(|part| part.pools.len()).sum());
        let (mut plain, mut bounds) = (Plain::new(self.run), Bounds::default());
        let mut fates = Vec::new();
        for part in parts {
            self.fates(part.pools.lines.iter(), &mut fates);
            let (mut rest, mut scarce) = (&fates[..], part.scarce.iter().peekable());
            for group in 0..part.pools.groups() {
                let pool = part.pools.group(group);
                let mine = rest.split_off(..pool.lines.len()).expect("each line has its fate");
                if scarce.next_if(|&&next| next as usize == group).is_some() {
                    self.answer_scarce(pool, mine, &mut bounds, &mut out);
                } else {
                    // Whatever is refused here lacks something elsewhere.
                    let refused = |line: usize| (mine[line] == FAILS).then_some(Reason::OrderIncomplete as u8);
                    plain.serve(self.run, pool, refused, &mut out);
                }
            }
        }
        out
    }

    /// Serves a scarce group. Lines of an order that fails are tried, which tells why, and give back.
    fn answer_scarce(&self, pool: Pool, fates: &[u8], bounds: &mut Bounds, out: &mut Stretch) {
        let run = self.run;
        let Bounds {
            most: book,
            slots,
            takes,
            taken,
            ..
        } = bounds;
        book.open_group(run, pool.rows, pool.lines, slots);
        let mut unit = u32::MAX;
        for ((line, &slot), &fate) in pool.lines.iter().zip(&*slots).zip(fates) {
            let own = self.unit(line);
            if own != unit {
                book.give_back(run, taken);
                unit = own;
            }
            let (number, need, cursor) = (run.line_order.row(line[0]), run.requested(line), book.cursor(slot));
            let (served, reason) = decide(run, book, slot, number, need, takes);
            for (rank, &take) in (1..).zip(&*takes) {
                book.take(run, slot, take.at, take.qty);
                if fate == FAILS {
                    taken.push(Taken { slot, cursor, take });
                } else {
                    out.takes
                        .push(number, book.rows[take.at as usize].number, take.qty, rank);
                }
            }
            let refused = fate == FAILS && reason == SERVED && need > 0;
            out.line.push(number);
            out.allocated.push(if fate == FAILS { 0 } else { served });
            out.reason
                .push(if refused { Reason::OrderIncomplete as u8 } else { reason });
        }
        taken.clear();
    }
}

/// Classes of lines up to which a group is asked whether it is ample.
const CLASSES_MAX: usize = 16;
