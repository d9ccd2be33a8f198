//! Serving when some lines are served together with their order: one sequence over all groups, from books that are
//! laid out group by group.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;

use super::book::Book;
use super::sequence::Sequence;
use super::sweep::{Log, Logged, State, Sweep, Turn};
use super::{Pool, Pools, Run};
use crate::group::{Partitioned, Record};
use crate::outcome::Stretch;
use crate::packing::Packing;
use crate::problem::Ids;

/// The lines of some partitions: their turns, by group.
type Part = Vec<u32>;

/// Serves everything.
pub fn serve(run: &Run) -> Vec<Stretch> {
    let lines = run.problem.demand.qty.len();
    let (stock, sequence) = rayon::join(|| run.partition_stock(), || Sequence::new(run));
    let Sequence { line_of, turn_of, ends } = sequence;
    let by_group = run.partition_lines(&|start, _, keys| {
        for (key, &turn) in keys.iter_mut().zip(&turn_of[start..]) {
            *key |= u64::from(turn);
        }
    });
    drop(turn_of);
    let by_turn = Packing::new(&[], Ids::Ascending, lines, u64::BITS - run.grouping.bits);
    let turns: Vec<AtomicU64> = (0..lines).into_par_iter().map(|_| AtomicU64::new(0)).collect();
    let ranges = super::stretches(&stock, &by_group, run.grouping.partitions());
    let (mut books, parts): (Vec<Book>, Vec<Part>) = ranges
        .into_par_iter()
        .enumerate()
        .map(|(number, partitions)| {
            let mut layout = Layout {
                run,
                number: number as u8,
                by_turn: &by_turn,
                line_of: &line_of,
                turns: &turns,
                book: Book::default(),
                part: Part::default(),
            };
            layout.lay_out(partitions, &stock, &by_group);
            (layout.book, layout.part)
        })
        .unzip();
    drop((stock, by_group));
    let mut turns: Vec<Turn> = turns.into_iter().map(|word| Turn::of_word(word.into_inner())).collect();
    let sweep = Sweep {
        run,
        books: &mut books,
        line_of: &line_of,
        need_of: &|line| run.problem.demand.qty.get(line as usize),
        state: State::default(),
    };
    let log = sweep.serve_all(&mut turns, &ends);
    drop((books, ends));
    parts
        .into_par_iter()
        .map(|part| answer(run, &part, &turns, &line_of, &log))
        .collect()
}

/// Lays out the book of some partitions, and tells each line in its turn where it is served from.
struct Layout<'l, 'a> {
    run: &'l Run<'a>,
    /// Number of the book.
    number: u8,
    by_turn: &'l Packing<'l>,
    line_of: &'l [u32],
    turns: &'l [AtomicU64],
    book: Book,
    part: Part,
}

impl Layout<'_, '_> {
    fn lay_out(&mut self, partitions: std::ops::Range<usize>, stock: &Partitioned, lines: &Partitioned) {
        let (mut pools, mut slots) = (Pools::default(), Vec::new());
        let total = |side: &Partitioned| partitions.clone().map(|p| side.len(p)).sum();
        self.part.reserve(total(lines));
        self.book.reserve(total(stock), total(lines));
        for partition in partitions.clone() {
            pools.load(self.run, partition, stock, lines, self.by_turn);
            for Pool { group, rows, lines } in pools.demanded() {
                slots.clear();
                let number_of = |line: &Record| self.line_of[self.by_turn.row(line[0]) as usize];
                if !rows.is_empty() {
                    self.book.add(self.run, rows, lines, number_of, &mut slots);
                }
                for (i, line) in lines.iter().enumerate() {
                    let turn = self.by_turn.row(line[0]);
                    let need = self.run.requested_by(line, || number_of(line));
                    let place = match slots.get(i) {
                        Some(&slot) => Turn::at(self.number, slot, need),
                        None => Turn::nowhere(self.run.reason_of_empty(group), need),
                    };
                    self.turns[turn as usize].store(place.word(), Relaxed);
                    self.part.push(turn);
                }
            }
        }
    }
}

/// Lines whose answers are looked up at once.
const AT_ONCE: usize = 64;

/// What became of the lines of some partitions, by group and in order of service.
fn answer(run: &Run, part: &[u32], turns: &[Turn], line_of: &[u32], log: &Log) -> Stretch {
    let mut out = Stretch::default();
    out.line.reserve(part.len());
    out.allocated.reserve(part.len());
    out.reason.reserve(part.len());
    out.takes.reserve(part.len());
    let mut found = Vec::with_capacity(AT_ONCE);
    for part in part.chunks(AT_ONCE) {
        // Turns of a group lie anywhere: these reads do not wait for each other, and the next ones not for them.
        found.clear();
        found.extend(part.iter().map(|&turn| {
            let turn = turn as usize;
            (line_of[turn], turns[turn].reason(), log.of(turns, turn))
        }));
        let first = found
            .iter()
            .map(|(_, _, taken)| log.take.get(taken.start).map_or(0, |take| take.qty));
        std::hint::black_box(first.fold(0, i64::wrapping_add));
        for (line, reason, taken) in found.drain(..) {
            let mut allocated = 0;
            for (rank, at) in (1..).zip(taken) {
                let (Logged { row, qty }, served) = (log.take[at], log.served(at));
                out.takes.push(line, row, qty, rank);
                if run.exchange.is_some() {
                    out.takes.served.push(served);
                }
                allocated += served;
            }
            out.line.push(line);
            out.allocated.push(allocated);
            out.reason.push(reason);
        }
    }
    out
}
