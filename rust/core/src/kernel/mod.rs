//! The run: partition, sort, serve. One file for each way of serving.

mod book;
mod crowded;
mod fill;
mod general;
mod orders;
mod pairs;
mod plain;
mod prepared;
mod queue;
mod sequence;
mod settle;
mod sweep;

use rayon::prelude::*;

use crate::column::{BLOCK, Column, NULL, Reader};
use crate::eligible::{Eligibility, Wide};
use crate::group::{Grouping, Partitioned, QTY_IN_COLUMN, Record, Side};
use crate::outcome::Stretch;
use crate::packing::Packing;
use crate::problem::{Amount, Fill, One, Problem, SERVED, StockKey, Whole};

pub use book::Ask;
pub use pairs::{Pairs, fit};
pub use prepared::{Line, Prepared, Served};

/// Stretches that run in parallel. Fixed, so that the answer comes in the same pieces on any machine.
const STRETCHES: usize = 16;

/// A problem with everything that is derived from it once.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about the problem"
)]
pub(crate) struct Run<'a> {
    problem: &'a Problem<'a>,
    eligibility: Eligibility<'a>,
    grouping: Grouping<'a>,
    stock_order: Packing<'a>,
    line_order: Packing<'a>,
    /// Whether a code of the first group part has stock anywhere; empty when groups have one part.
    stocked: Vec<bool>,
    /// Whether every line takes any quantity from rows in one order, so that a cursor per class serves.
    plain: bool,
    /// Whether large groups with many kinds of lines may be served from queues.
    queues: bool,
    /// Whether some lines are served with their order.
    sequential: bool,
    /// Whether a line of a whole order is complete if there is enough of all its candidates together.
    orders_are_simple: bool,
    /// Whether what others may take bounds what is left for a line: all that is left is any line's to take.
    bounded: bool,
    /// Whether classes alone tell which rows a line may have, and lines of one class meet them in one order.
    classed: bool,
    /// Whether some lines are confined to one lot or place.
    confined: bool,
    /// Whether some lines take packs.
    packs: bool,
    /// Number of ranks in the stock order, and whether they all come before the first key of the row.
    ranks: usize,
    ranks_lead: bool,
    /// Which of the ranks are reversed.
    reversed: Vec<bool>,
    /// Which wide test exchanges substitutes, if any does.
    exchange: Option<usize>,
}

/// Serves all lines.
pub fn run(problem: &Problem) -> crate::Result<Vec<Stretch>> {
    problem.check()?;
    let run = Run::new(problem);
    if run.sequential {
        let settled = if run.bounded { settle::serve(&run) } else { None };
        return Ok(settled.unwrap_or_else(|| orders::serve(&run)));
    }
    let (stock, lines) = rayon::join(
        || run.partition_stock(),
        || run.partition_lines(&|start, reader, keys| run.line_order.pack(start, reader, keys)),
    );
    Ok(stretches(&stock, &lines, run.grouping.partitions())
        .into_par_iter()
        .map(|partitions| {
            let mut stretch = Stretch::default();
            let (mut pools, mut plain) = (Pools::default(), plain::Plain::new(&run));
            let expected = partitions.clone().map(|p| lines.len(p)).sum();
            stretch.line.reserve(expected);
            stretch.allocated.reserve(expected);
            stretch.reason.reserve(expected);
            stretch
                .takes
                .reserve(partitions.clone().map(|p| stock.len(p) + lines.len(p)).sum());
            for partition in partitions {
                pools.load(&run, partition, &stock, &lines, &run.line_order);
                if run.plain {
                    plain.serve_all(&run, &pools, &mut stretch);
                } else {
                    general::serve(&run, &pools, &mut stretch);
                }
            }
            stretch
        })
        .collect())
}

/// Cuts the partitions into stretches of about equal weight.
fn stretches(stock: &Partitioned, lines: &Partitioned, partitions: usize) -> Vec<std::ops::Range<usize>> {
    let weights: Vec<usize> = (0..partitions).map(|p| stock.len(p) + lines.len(p)).collect();
    cut_evenly(&weights)
}

fn cut_evenly(weights: &[usize]) -> Vec<std::ops::Range<usize>> {
    let total: usize = weights.iter().sum();
    let mut cuts = vec![0];
    let mut sum = 0;
    for (partition, weight) in weights.iter().enumerate() {
        sum += weight;
        if sum * STRETCHES >= total.max(1) * cuts.len() && cuts.len() < STRETCHES {
            cuts.push(partition + 1);
        }
    }
    if *cuts.last().expect("cuts begin with 0") < weights.len() {
        cuts.push(weights.len());
    }
    cuts.windows(2).map(|w| w[0]..w[1]).collect()
}

impl<'a> Run<'a> {
    fn new(problem: &'a Problem<'a>) -> Self {
        Self::with(problem, || {
            Eligibility::new(&problem.tests, &problem.stock.order, &problem.fills)
        })
    }

    /// The same, under tests that `fold` has folded.
    fn with(problem: &'a Problem<'a>, fold: impl FnOnce() -> Eligibility<'a> + Send) -> Self {
        let (rows, lines) = (problem.stock.on_hand.len(), problem.demand.qty.len());
        let grouping = Grouping::new(&problem.group, rows, lines);
        let bits = u64::BITS - grouping.bits;
        let row_keys: Vec<_> = problem
            .stock
            .order
            .iter()
            .filter_map(|key| if let StockKey::Row(key) = key { Some(*key) } else { None })
            .collect();
        let stocked = || match problem.group[..] {
            [part, _, ..] => stocked(&part.stock, part.card),
            _ => Vec::new(),
        };
        let ((eligibility, stocked), (stock_order, line_order)) = rayon::join(
            || rayon::join(fold, stocked),
            || {
                rayon::join(
                    || Packing::new(&row_keys, problem.stock.ids, rows, bits),
                    || Packing::new(&problem.demand.order, problem.demand.ids, lines, bits),
                )
            },
        );
        let is_rank = |key: &StockKey| matches!(key, StockKey::Rank { .. });
        let ranks = problem.stock.order.iter().filter(|key| is_rank(key)).count();
        let any = problem.fills.iter().all(Fill::is_any);
        let classed = ranks == 0 && eligibility.wide.is_empty() && problem.safety.is_none();
        Self {
            plain: any && classed,
            classed,
            queues: any
                && ranks == 0
                && !eligibility
                    .wide
                    .iter()
                    .any(|wide| matches!(wide, Wide::Exchange { .. })),
            sequential: problem.fills.iter().any(|fill| fill.whole == Whole::Order),
            orders_are_simple: problem
                .fills
                .iter()
                .all(|fill| fill.whole != Whole::Order || fill.takes_anything())
                && !eligibility
                    .wide
                    .iter()
                    .any(|wide| matches!(wide, Wide::Exchange { .. })),
            bounded: problem
                .fills
                .iter()
                .all(|f| f.takes_anything() && (f.whole != Whole::No || f.is_any()))
                && !eligibility
                    .wide
                    .iter()
                    .any(|wide| matches!(wide, Wide::Exchange { .. })),
            confined: problem.fills.iter().any(|fill| fill.one != One::No),
            packs: problem.fills.iter().any(|fill| !matches!(fill.pack, Amount::None)),
            ranks,
            reversed: problem
                .stock
                .order
                .iter()
                .filter_map(|key| {
                    if let StockKey::Rank { reverse, .. } = key {
                        Some(*reverse)
                    } else {
                        None
                    }
                })
                .collect(),
            ranks_lead: problem.stock.order.iter().take(ranks).all(is_rank),
            exchange: eligibility
                .wide
                .iter()
                .position(|wide| matches!(wide, Wide::Exchange { .. })),
            problem,
            eligibility,
            grouping,
            stock_order,
            line_order,
            stocked,
        }
    }

    fn partition_stock(&self) -> Partitioned {
        let stock = &self.problem.stock;
        Partitioned::new(
            &self.grouping,
            Side::Stock,
            stock.on_hand.len(),
            &|start, reader, keys, payloads| {
                let mut classes = [0_u32; BLOCK];
                let n = keys.len();
                self.stock_order.pack(start, reader, keys);
                self.eligibility.classify_stock(start, reader, &mut classes[..n]);
                for ((p, &qty), &class) in payloads
                    .iter_mut()
                    .zip(reader.read(&stock.on_hand, start, n))
                    .zip(&classes)
                {
                    *p = payload(qty, class);
                }
                if let Some(column) = stock.reserved {
                    let mut available = [0_i64; BLOCK];
                    available[..n].copy_from_slice(reader.read(&stock.on_hand, start, n));
                    for (a, &reserved) in available.iter_mut().zip(reader.read(&column, start, n)) {
                        *a -= reserved;
                    }
                    for ((p, &qty), &class) in payloads.iter_mut().zip(&available).zip(&classes) {
                        *p = payload(qty, class);
                    }
                }
            },
        )
    }

    /// Partitions the lines; `key` adds what orders them to the keys of a block.
    fn partition_lines(&self, key: &(dyn Fn(usize, &mut Reader, &mut [u64]) + Sync)) -> Partitioned {
        let demand = &self.problem.demand;
        Partitioned::new(
            &self.grouping,
            Side::Demand,
            demand.qty.len(),
            &|start, reader, keys, payloads| {
                let mut classes = [0_u32; BLOCK];
                let n = keys.len();
                key(start, reader, keys);
                self.eligibility
                    .classify_lines(demand.fill, start, reader, &mut classes[..n]);
                for ((p, &qty), &class) in payloads
                    .iter_mut()
                    .zip(reader.read(&demand.qty, start, n))
                    .zip(&classes)
                {
                    *p = payload(qty, class);
                }
            },
        )
    }

    /// Available quantity of a stock record, as the run begins.
    #[inline]
    fn available(&self, record: &Record) -> i64 {
        let qty = record[1] as u32;
        if qty == QTY_IN_COLUMN {
            self.available_in_column(self.stock_order.row(record[0]))
        } else {
            i64::from(qty)
        }
    }

    fn available_in_column(&self, row: u32) -> i64 {
        let stock = &self.problem.stock;
        stock.on_hand.get(row as usize) - stock.reserved.map_or(0, |column| column.get(row as usize))
    }

    /// Requested quantity of a line record.
    #[inline]
    fn requested(&self, record: &Record) -> i64 {
        self.requested_by(record, || self.line_order.row(record[0]))
    }

    /// The same for a record that holds its number in another way.
    #[inline]
    fn requested_by(&self, record: &Record, number: impl FnOnce() -> u32) -> i64 {
        let qty = record[1] as u32;
        if qty == QTY_IN_COLUMN {
            self.problem.demand.qty.get(number() as usize)
        } else {
            i64::from(qty)
        }
    }

    fn fill(&self, line_class: u16) -> &Fill<'a> {
        &self.problem.fills[self.eligibility.fill_of(line_class)]
    }

    /// Keeps safety stock back from the end of a group's rows.
    fn hold_back(&self, rows: &mut [book::Row]) {
        let Some(safety) = &self.problem.safety else { return };
        let mut skus: Vec<i64> = rows.iter().map(|row| safety.sku.get(row.number as usize)).collect();
        skus.sort_unstable();
        skus.dedup();
        for rule in safety
            .rules
            .iter()
            .filter(|rule| skus.binary_search(&i64::from(rule.sku)).is_ok())
        {
            let counts = |row: &book::Row| {
                let row = row.number as usize;
                let place = safety.place.map_or(NULL, |c| c.get(row));
                safety.sku.get(row) == i64::from(rule.sku)
                    && safety.counts.get(row) == 1
                    && rule.places.is_none_or(|(low, high)| low <= place && place <= high)
            };
            let held: i64 = rows
                .iter()
                .filter(|row| counts(row))
                .map(|row| self.available_in_column(row.number) - row.left)
                .sum();
            let mut missing = rule.qty - held;
            for row in rows.iter_mut().rev() {
                if missing <= 0 {
                    break;
                }
                if counts(row) {
                    let held = missing.min(row.left);
                    row.left -= held;
                    missing -= held;
                }
            }
        }
    }

    /// Answers the lines of a group that has no stock rows.
    fn serve_empty(&self, group: usize, lines: &[Record], out: &mut Stretch) {
        let reason = self.reason_of_empty(group);
        for line in lines {
            out.line.push(self.line_order.row(line[0]));
            out.allocated.push(0);
            out.reason.push(if self.requested(line) == 0 { SERVED } else { reason });
        }
    }

    /// Why a line of a group without stock rows is short.
    fn reason_of_empty(&self, group: usize) -> u8 {
        u8::from(
            !self.stocked.is_empty()
                && self
                    .stocked
                    .get(self.grouping.first_part(group))
                    .copied()
                    .unwrap_or(false),
        )
    }
}

#[inline]
fn payload(qty: i64, class: u32) -> u64 {
    (qty as u64).min(u64::from(QTY_IN_COLUMN)) | u64::from(class) << 32
}

/// The class in a record.
#[inline]
pub(crate) fn class_of(record: &Record) -> u16 {
    (record[1] >> 32) as u16
}

fn stocked(column: &Column, card: u32) -> Vec<bool> {
    let mut known = vec![false; card as usize + 1];
    let mut block = [0_i64; BLOCK];
    for start in (0..column.len()).step_by(BLOCK) {
        let block = &mut block[..BLOCK.min(column.len() - start)];
        column.decode(start, block);
        for &code in &*block {
            known[if code < 0 { card as usize } else { code as usize }] = true;
        }
    }
    known
}

/// The groups of one partition: rows and lines, each sorted where it matters.
#[derive(Default)]
pub(crate) struct Pools {
    first_group: usize,
    rows: Vec<Record>,
    row_ends: Vec<u32>,
    lines: Vec<Record>,
    line_ends: Vec<u32>,
}

impl Pools {
    fn load(&mut self, run: &Run, partition: usize, stock: &Partitioned, lines: &Partitioned, line_order: &Packing) {
        let bits = run.grouping.bits;
        self.first_group = partition << bits;
        stock.gather(partition, bits, &mut self.row_ends, &mut self.rows);
        lines.gather(partition, bits, &mut self.line_ends, &mut self.lines);
        let mut ends = (0, 0);
        for group in 0..self.line_ends.len() {
            let next = (self.row_ends[group] as usize, self.line_ends[group] as usize);
            if next.1 > ends.1 {
                line_order.sort(&mut self.lines[ends.1..next.1]);
                run.stock_order.sort(&mut self.rows[ends.0..next.0]);
            }
            ends = next;
        }
    }

    /// Number of records.
    fn len(&self) -> usize {
        self.rows.len() + self.lines.len()
    }

    /// Number of groups, those without lines included.
    fn groups(&self) -> usize {
        self.line_ends.len()
    }

    /// One group.
    fn group(&self, group: usize) -> Pool<'_> {
        let from = |ends: &[u32]| group.checked_sub(1).map_or(0, |before| ends[before] as usize);
        Pool {
            group: self.first_group + group,
            rows: &self.rows[from(&self.row_ends)..self.row_ends[group] as usize],
            lines: &self.lines[from(&self.line_ends)..self.line_ends[group] as usize],
        }
    }

    /// Groups that have lines.
    fn demanded(&self) -> impl Iterator<Item = Pool<'_>> {
        (0..self.groups())
            .map(|group| self.group(group))
            .filter(|pool| !pool.lines.is_empty())
    }
}

/// A group: its number, its rows in stock order, its lines in demand order.
#[derive(Clone, Copy)]
pub(crate) struct Pool<'p> {
    group: usize,
    rows: &'p [Record],
    lines: &'p [Record],
}
