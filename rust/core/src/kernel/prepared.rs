//! Serving one line, or a few, from stock that is laid out beforehand: the rows of each group in stock order, those
//! that could serve anyone first, with what each test looks at beside them. A call copies the rows it needs into a
//! book of its own, and serves as the batch does.

use std::ops::Range;

use rayon::prelude::*;

use super::Run;
use super::book::{Ask, Book, exchange_ask};
use super::sweep::{State, Sweep, Turn};
use crate::Result;
use crate::column::NULL;
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
    /// For each partition its rows, and how many of each group could serve anyone.
    shelves: Vec<(Book, Vec<u32>)>,
    /// The wide comparisons whose values ascend along the rows of every group that could serve anyone, as expiry days
    /// do where the first to expire goes first: rows that lie below what a line asks are passed over at once.
    ascending: Vec<usize>,
    /// Where each stock row lies: its partition, and its place there.
    places: Vec<(u32, u32)>,
}

impl<'a> Prepared<'a> {
    /// Lays the stock out, in about the time in which a batch does.
    pub fn new(problem: &'a Problem<'a>) -> Result<Self> {
        problem.check()?;
        let (eligibility, tests) = Eligibility::of_rows(&problem.tests, &problem.stock.order, &problem.fills);
        let run = Run::with(problem, || eligibility);
        let stock = run.partition_stock();
        let bits = run.grouping.bits;
        let shelves: Vec<(Book, Vec<u32>)> = (0..run.grouping.partitions())
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
        let mut places = vec![(u32::MAX, u32::MAX); problem.stock.on_hand.len()];
        for (partition, (book, _)) in (0..).zip(&shelves) {
            for (at, row) in (0..).zip(&book.rows) {
                places[row.number as usize] = (partition, at);
            }
        }
        let ascending = (0..run.eligibility.wide.len())
            .filter(|&wide| ascends(&run.eligibility.wide[wide], wide, &shelves))
            .collect();
        Ok(Self {
            run,
            tests,
            shelves,
            ascending,
            places,
        })
    }

    /// Says what is left of a stock row from now on; false if there is no such row. One that could serve nobody when the
    /// stock was laid out is not looked at, whatever is left of it now.
    pub fn set_left(&mut self, row: u32, left: i64) -> bool {
        let Some(&(partition, at)) = self.places.get(row as usize) else {
            return false;
        };
        match self.shelves.get_mut(partition as usize) {
            Some((book, _)) => {
                book.rows[at as usize].left = left;
                true
            }
            None => false,
        }
    }

    /// Takes so many units of a stock row, for all that is served from now on; false if they are not there.
    pub fn take(&mut self, row: u32, qty: i64) -> bool {
        let place = self.places.get(row as usize);
        let shelf = place.and_then(|&(partition, at)| Some((self.shelves.get_mut(partition as usize)?, at)));
        let Some(((book, _), at)) = shelf else {
            return false;
        };
        let left = &mut book.rows[at as usize].left;
        let there = *left >= qty;
        *left -= if there { qty } else { 0 };
        there
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
        let mut turns: Vec<Turn> = lines
            .iter()
            .map(|line| Turn::nowhere(GATE_UNKNOWN, line.need))
            .collect();
        let mut by_group: Vec<usize> = (0..lines.len()).collect();
        by_group.sort_by_key(|&number| lines[number].group);
        for group in by_group.chunk_by(|&a, &b| lines[a].group == lines[b].group) {
            let Some((shelf, rows, _)) = self.group_of(&lines[group[0]]) else {
                continue;
            };
            let (first, slot) = (book.rows.len(), book.slots.len() as u32);
            for at in rows {
                book.add_row(shelf, at);
            }
            let asking: Vec<(&Line, Vec<Ask>)> = group.iter().map(|&n| (&lines[n], self.asks_of(&lines[n]))).collect();
            book.close_group(&self.run, first, &asking);
            for (slot, &number) in (slot..).zip(group) {
                turns[number] = Turn::at(0, slot, lines[number].need);
            }
        }
        self.sweep(&mut book, lines, turns)
    }

    /// Serves a line from its candidates alone. `None` if it has none: then other rows say why.
    fn serve_alone(&self, line: &Line) -> Option<Served> {
        let (shelf, rows, serving) = self.group_of(line)?;
        let asks = self.asks_of(line);
        let serving = rows.start..rows.start + serving;
        let below = self.ascending.iter().map(|&wide| {
            let values = &shelf.values[wide][serving.clone()];
            values.partition_point(|&value| null_last(value) < asks[wide].0)
        });
        let rows = serving.start + below.max().unwrap_or(0)..serving.end;
        // Where rows are taken as they come, those that serve the line are all that matters.
        let as_they_come = self.run.ranks == 0 && self.run.problem.fills[line.fill as usize].one == One::No;
        let mut enough = if as_they_come { line.need } else { i64::MAX };
        loop {
            let mut book = Book::default();
            let mut found = 0_i64;
            let mut rest = rows.clone();
            for at in rest.by_ref() {
                if shelf.serves(&self.run, line.fill, &asks, at as u32) {
                    book.add_row(shelf, at);
                    found = found.saturating_add(shelf.rows[at].left);
                    if found >= enough {
                        break;
                    }
                }
            }
            if book.rows.is_empty() {
                return None;
            }
            book.close_group(&self.run, 0, &[(line, asks.clone())]);
            let served = self
                .sweep(&mut book, std::slice::from_ref(line), vec![Turn::at(0, 0, line.need)])
                .pop()?;
            if served.allocated == line.need || rest.is_empty() {
                return Some(served);
            }
            enough = enough.saturating_mul(LOOK_FURTHER);
        }
    }

    /// The shelf of a line's group, where its rows are on it, and how many of them could serve anyone; `None` if it
    /// has no rows.
    fn group_of(&self, line: &Line) -> Option<(&Book, Range<usize>, usize)> {
        let code = line.group.filter(|&code| code < self.run.problem.group[0].card)?;
        let group = self.run.grouping.group_of(code)?;
        let bits = self.run.grouping.bits;
        let (shelf, serving) = &self.shelves[group >> bits];
        let group = group & ((1 << bits) - 1);
        let rows = shelf.rows_of(group);
        (!rows.is_empty()).then(|| (shelf, rows, serving[group] as usize))
    }

    fn sweep(&self, book: &mut Book, lines: &[Line], mut turns: Vec<Turn>) -> Vec<Served> {
        let numbers: Vec<u32> = (0..lines.len() as u32).collect();
        let begins = (1..lines.len()).filter(|&number| lines[number].first);
        let ends: Vec<u32> = begins.chain([lines.len()]).map(|end| end as u32).collect();
        let sweep = Sweep {
            run: &self.run,
            books: std::slice::from_mut(book),
            line_of: &numbers,
            need_of: &|line| lines[line as usize].need,
            state: State::default(),
        };
        let log = sweep.serve_all(&mut turns, &ends);
        let served = |turn: usize| Served {
            allocated: log.of(&turns, turn).map(|at| log.served(at)).sum(),
            reason: turns[turn].reason(),
            takes: log
                .of(&turns, turn)
                .map(|at| (log.take[at].row, log.take[at].qty, log.served(at)))
                .collect(),
        };
        (0..lines.len()).map(served).collect()
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

/// Whether the values of a comparison never descend along the rows of a group that could serve anyone.
fn ascends(wide: &Wide, number: usize, shelves: &[(Book, Vec<u32>)]) -> bool {
    let along = |book: &Book, group: usize, serving: u32| {
        let from = book.rows_of(group).start;
        book.values[number][from..from + serving as usize].is_sorted_by_key(|&value| null_last(value))
    };
    matches!(wide, Wide::Span { outside: false, .. })
        && shelves
            .par_iter()
            .all(|(book, serving)| (0..).zip(serving).all(|(group, &serving)| along(book, group, serving)))
}

/// The value, above all others where there is none: whether such a row passes is asked of it alone.
fn null_last(value: i64) -> i64 {
    if value == NULL { i64::MAX } else { value }
}
