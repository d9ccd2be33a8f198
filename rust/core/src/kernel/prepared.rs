//! Serving one line, or a few, from stock that is laid out beforehand: the rows of each group in stock order, those
//! that could serve anyone first, with what each test looks at beside them. A call copies the rows it needs into a
//! book of its own, and serves as the batch does.

use rayon::prelude::*;

use super::Run;
use super::book::{Ask, Book, exchange_ask};
use super::orders::{Fate, NO_REASON, NO_SLOT, Stop, sweep};
use crate::Result;
use crate::eligible::{Eligibility, Wide};
use crate::problem::{GATE_UNKNOWN, One, Problem};

/// How many times as much is looked up for a line when what was found does not serve it, as with packs.
const LOOK_FURTHER: i64 = 8;

/// A line that is no row of a table.
#[derive(Clone, Debug)]
pub struct Line {
    /// Code of its group; `None` if the stock has no such group.
    pub group: Option<u32>,
    /// Number of its fill rule.
    pub fill: u16,
    /// How much it asks.
    pub need: i64,
    /// At least this much, or nothing.
    pub qty_min: i64,
    /// Multiples of this from each row.
    pub pack: Option<i64>,
    /// What it asks of each test of the problem: lowest and highest value, or the code of the line.
    pub asks: Vec<Ask>,
    /// Whether it begins a unit of service; lines that do not are served with the one before.
    pub first: bool,
}

/// What became of a line.
#[derive(Clone, Debug)]
pub struct Served {
    /// How much it gets.
    pub allocated: i64,
    /// Why that is not all: a gate, a `Reason`, or `SERVED`.
    pub reason: u8,
    /// Stock rows, units of the row, units of the line; in the order in which it took them.
    pub takes: Vec<(u32, i64, i64)>,
}

/// The stock side of a problem, laid out to serve lines that are still to come. Serving changes nothing.
///
/// The problem's own lines are not served: they say what lines may hold. It has one group part.
pub struct Prepared<'a> {
    run: Run<'a>,
    /// The test of each wide comparison.
    tests: Vec<usize>,
    shelf: Book,
    /// How many rows of each group could serve anyone.
    serving: Vec<u32>,
}

impl<'a> Prepared<'a> {
    /// Lays the stock out, in about the time in which a batch does.
    pub fn new(problem: &'a Problem<'a>) -> Result<Self> {
        problem.check()?;
        let (eligibility, tests) = Eligibility::of_rows(&problem.tests, &problem.stock.order, &problem.fills);
        let run = Run::with(problem, || eligibility);
        let stock = run.partition_stock();
        let bits = run.grouping.bits;
        let books: Vec<(Book, Vec<u32>)> = (0..run.grouping.partitions())
            .into_par_iter()
            .map(|partition| {
                let (mut book, mut ends, mut rows) = (Book::default(), Vec::new(), Vec::new());
                stock.gather(partition, bits, &mut ends, &mut rows);
                let (mut from, mut serving) = (0, Vec::with_capacity(ends.len()));
                for &to in &ends {
                    let group = &mut rows[from..to as usize];
                    run.stock_order.sort(group);
                    book.add_rows(&run, group);
                    serving.push(book.serving_first(&run));
                    from = to as usize;
                }
                (book, serving)
            })
            .collect();
        drop(stock);
        let (mut shelf, mut serving) = (Book::default(), Vec::new());
        shelf.reserve(problem.stock.on_hand.len(), 0);
        for (book, counts) in books {
            shelf.append(&book);
            serving.extend(counts);
        }
        Ok(Self {
            run,
            tests,
            shelf,
            serving,
        })
    }

    /// Whether a line is one that this stock can serve: its fill rule exists, and it asks something of each test.
    pub fn accepts(&self, line: &Line) -> bool {
        (line.fill as usize) < self.run.problem.fills.len() && line.asks.len() == self.run.problem.tests.len()
    }

    /// Serves lines in this order from one running balance, which is then forgotten.
    pub fn serve(&self, lines: &[Line]) -> Vec<Served> {
        if let [line] = lines
            && let Some(served) = self.serve_alone(line)
        {
            return vec![served];
        }
        let mut book = Book::default();
        let mut slots = vec![NO_SLOT; lines.len()];
        let mut by_group: Vec<usize> = (0..lines.len()).collect();
        by_group.sort_by_key(|&number| lines[number].group);
        for group in by_group.chunk_by(|&a, &b| lines[a].group == lines[b].group) {
            let Some(group_number) = self.group_of(&lines[group[0]]) else {
                continue;
            };
            let (first, slot) = (book.rows.len(), book.slots.len() as u32);
            for at in self.shelf.rows_of(group_number) {
                book.add_row(&self.shelf, at);
            }
            let asking: Vec<(&Line, Vec<Ask>)> = group.iter().map(|&n| (&lines[n], self.asks_of(&lines[n]))).collect();
            book.close_group(&self.run, first, &asking);
            for (slot, &number) in (slot..).zip(group) {
                slots[number] = slot;
            }
        }
        self.sweep(&mut book, lines, &slots)
    }

    /// Serves a line from its candidates alone. `None` if it has none: then other rows say why.
    fn serve_alone(&self, line: &Line) -> Option<Served> {
        let group = self.group_of(line)?;
        let from = self.shelf.rows_of(group).start;
        let rows = from..from + self.serving[group] as usize;
        let asks = self.asks_of(line);
        // Where rows are taken as they come, those that serve the line are all that matters.
        let as_they_come = self.run.ranks == 0 && self.run.problem.fills[line.fill as usize].one == One::No;
        let mut enough = if as_they_come { line.need } else { i64::MAX };
        loop {
            let mut book = Book::default();
            let mut found = 0_i64;
            let mut rest = rows.clone();
            for at in rest.by_ref() {
                if self.shelf.serves(&self.run, line.fill, &asks, at as u32) {
                    book.add_row(&self.shelf, at);
                    found = found.saturating_add(self.shelf.rows[at].left);
                    if found >= enough {
                        break;
                    }
                }
            }
            if book.rows.is_empty() {
                return None;
            }
            book.close_group(&self.run, 0, &[(line, asks.clone())]);
            let served = self.sweep(&mut book, std::slice::from_ref(line), &[0]).pop()?;
            if served.allocated == line.need || rest.is_empty() {
                return Some(served);
            }
            enough = enough.saturating_mul(LOOK_FURTHER);
        }
    }

    /// The group of a line, if it has rows.
    fn group_of(&self, line: &Line) -> Option<usize> {
        let code = line.group.filter(|&code| code < self.run.problem.group[0].card)?;
        let group = self.run.grouping.group_of(code)?;
        (!self.shelf.rows_of(group).is_empty()).then_some(group)
    }

    fn sweep(&self, book: &mut Book, lines: &[Line], slots: &[u32]) -> Vec<Served> {
        let stop = |((line, &slot), number): ((&Line, &u32), u32)| Stop {
            need: line.need,
            slot,
            line: number,
            first: line.first,
        };
        let stops: Vec<Stop> = lines.iter().zip(slots).zip(0..).map(stop).collect();
        let mut fates = vec![Fate::default(); lines.len()];
        let log = sweep(&self.run, book, &stops, &mut fates);
        let served = |fate: &Fate| Served {
            allocated: fate.served,
            reason: if fate.reason == NO_REASON {
                GATE_UNKNOWN
            } else {
                fate.reason
            },
            takes: (fate.from as usize..fate.to as usize)
                .map(|at| {
                    (
                        log.row[at],
                        log.qty[at],
                        log.served.get(at).copied().unwrap_or(log.qty[at]),
                    )
                })
                .collect(),
        };
        fates.iter().map(served).collect()
    }

    fn asks_of(&self, line: &Line) -> Vec<Ask> {
        let wide = &self.run.eligibility.wide;
        let each = self.tests.iter().zip(wide).map(|(&test, wide)| match wide {
            Wide::Exchange { substitutes, .. } => exchange_ask(line.asks[test].0, substitutes),
            _ => line.asks[test],
        });
        each.collect()
    }
}
