//! Rows of one kind in stock order, and how the next of them is found that still counts and passes a line's tests.
//!
//! Where each test looks at a value that only ever rises (or falls) along the queue, as the expiry does in FEFO, the
//! rows that pass a line stand in a few ranges: the next one is the next that is not used up, which a forest of
//! short-cuts finds in almost no time. Otherwise a tree of the least and the greatest values leads to it.

use std::ops::Range;

use super::book::{Ask, Book, lies};
use crate::column::NULL;
use crate::eligible::Wide;
use crate::problem::{Gate, PASS};

/// Rows of one class in stock order.
pub struct Queue {
    pub class: u16,
    /// Whether its rows had nothing at the start.
    pub empty: bool,
    /// Positions in the book.
    pub rows: Vec<u32>,
    search: Search,
}

enum Search {
    /// By test how its values run, and from each place a place at or before the next row that counts.
    Forest(Vec<Course>, Vec<u32>),
    Tree(Tree),
}

/// How the values of a test run along a queue.
struct Course {
    /// Places with a value; nulls stand before or behind them.
    valued: Range<usize>,
    falling: bool,
}

impl Queue {
    /// A queue of these rows, all of which count.
    pub fn new(wide: &[Wide], book: &Book, (class, empty): (u16, bool), rows: Vec<u32>) -> Self {
        let tests = wide.iter().zip(&book.values);
        let courses: Option<Vec<Course>> = tests.map(|(wide, values)| course(wide, values, &rows)).collect();
        let search = match courses {
            Some(courses) => Search::Forest(courses, (0..=rows.len() as u32).collect()),
            None => Search::Tree(Tree::new(wide, book, &rows)),
        };
        Self {
            class,
            empty,
            rows,
            search,
        }
    }

    /// The places where the rows stand that pass the tests before a gate; in a tree, where they may stand.
    pub fn ranges(&self, wide: &[Wide], book: &Book, asks: &[Ask], before: Gate) -> Vec<Range<usize>> {
        let all = 0..self.rows.len();
        let mut ranges = vec![all];
        let Search::Forest(courses, _) = &self.search else {
            return ranges;
        };
        let tests = wide.iter().zip(asks).zip(book.values.iter().zip(courses));
        for ((wide, ask), (values, course)) in tests.filter(|((wide, _), _)| gate_of(wide) < before) {
            let passing = course.passing(wide, *ask, &self.rows, values);
            ranges = ranges
                .iter()
                .flat_map(|range| passing.iter().map(|p| range.start.max(p.start)..range.end.min(p.end)))
                .filter(|range| !range.is_empty())
                .collect();
        }
        ranges
    }

    /// The first row in one of the ranges that still counts and passes.
    pub fn next(&mut self, wide: &[Wide], book: &Book, asks: &[Ask], range: Range<usize>) -> Option<usize> {
        let place = match &mut self.search {
            Search::Forest(_, next) => find(next, range.start),
            Search::Tree(tree) => {
                let tests = |place: usize| passes(wide, asks, book, self.rows[place], PASS);
                tree.first(&tree.bounds, asks, range.start, &tests)?
            }
        };
        (place < range.end).then_some(place)
    }

    /// Stops counting a row.
    pub fn drop_row(&mut self, place: usize) {
        match &mut self.search {
            Search::Forest(_, next) => next[place] += 1,
            Search::Tree(tree) => tree.drop_row(place),
        }
    }

    /// How many rows passed the tests before a gate when all of them counted, up to `enough`.
    pub fn count(&self, wide: &[Wide], book: &Book, asks: &[Ask], (before, enough): (Gate, usize)) -> usize {
        let Search::Tree(tree) = &self.search else {
            let ranges = self.ranges(wide, book, asks, before);
            return ranges.iter().map(Range::len).sum::<usize>().min(enough);
        };
        // Tests behind the gate do not matter to a row that is to reach it.
        let loosen = |(wide, ask): (&Wide, &Ask)| if gate_of(wide) < before { *ask } else { OPEN };
        let loosened: Vec<Ask> = wide.iter().zip(asks).map(loosen).chain([COUNTS]).collect();
        let tests = |place: usize| passes(wide, asks, book, self.rows[place], before);
        let (mut count, mut from) = (0, 0);
        while count < enough
            && let Some(place) = tree.first(&tree.start, &loosened, from, &tests)
        {
            count += 1;
            from = place + 1;
        }
        count
    }
}

/// The gate of a wide test.
pub fn gate_of(wide: &Wide) -> Gate {
    match wide {
        Wide::Span { gate, .. } | Wide::Table { gate, .. } => *gate,
        Wide::Exchange { .. } => PASS,
    }
}

/// Whether a row passes the tests before a gate.
fn passes(wide: &[Wide], asks: &[Ask], book: &Book, at: u32, before: Gate) -> bool {
    let tests = wide.iter().zip(asks).zip(&book.values);
    tests
        .into_iter()
        .all(|((wide, ask), values)| gate_of(wide) >= before || passes_one(wide, *ask, values[at as usize]))
}

fn passes_one(wide: &Wide, ask: Ask, value: i64) -> bool {
    match wide {
        Wide::Span {
            null_passes, outside, ..
        } => lies(value, ask, *null_passes, *outside),
        Wide::Table { stock, cells, .. } => cells[ask.0 as usize * stock.card() + value as usize] >= 0,
        Wide::Exchange { .. } => true,
    }
}

/// Follows the short-cuts to the next row that counts, and halves the way for those who come after.
fn find(next: &mut [u32], from: usize) -> usize {
    let mut place = from;
    while next[place] as usize != place {
        next[place] = next[next[place] as usize];
        place = next[place] as usize;
    }
    place
}

/// How the values of a test run along the queue, if they rise or fall all the way.
fn course(wide: &Wide, values: &[i64], rows: &[u32]) -> Option<Course> {
    let Wide::Span { .. } = wide else { return None };
    let value = |&row: &u32| values[row as usize];
    let is_null = |row: &u32| value(row) == NULL;
    let from = rows.iter().take_while(|row| is_null(row)).count();
    let to = rows.len() - rows[from..].iter().rev().take_while(|row| is_null(row)).count();
    let valued = &rows[from..to];
    let falling = valued.first().map(value) > valued.last().map(value);
    let runs = valued.is_sorted_by(|a, b| {
        let (a, b) = (value(a), value(b));
        b != NULL && if falling { a >= b } else { a <= b }
    });
    runs.then_some(Course {
        valued: from..to,
        falling,
    })
}

impl Course {
    /// The places where the rows stand that pass.
    fn passing(&self, wide: &Wide, ask: Ask, rows: &[u32], values: &[i64]) -> Vec<Range<usize>> {
        let value = |place: usize| values[rows[place] as usize];
        let valued = &rows[self.valued.clone()];
        let behind = |is_before: &dyn Fn(i64) -> bool| {
            self.valued.start + valued.partition_point(|&row| is_before(values[row as usize]))
        };
        let (one, other) = if self.falling {
            (behind(&|x| x > ask.1), behind(&|x| x >= ask.0))
        } else {
            (behind(&|x| x < ask.0), behind(&|x| x <= ask.1))
        };
        // Between two of these places all rows pass or none does.
        let (first, second) = (one.min(other), one.max(other));
        let cuts = [0, self.valued.start, first, second, self.valued.end, rows.len()];
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for cut in cuts.windows(2).filter(|cut| cut[0] < cut[1]) {
            if passes_one(wide, ask, value(cut[0])) {
                match ranges.last_mut() {
                    Some(last) if last.end == cut[0] => last.end = cut[1],
                    _ => ranges.push(cut[0]..cut[1]),
                }
            }
        }
        ranges
    }
}

/// The least and the greatest value below each node, by test (and last for rows that count at all), as heaps of
/// `2 * leaves` nodes.
struct Tree {
    bounds: Vec<Vec<Ask>>,
    /// The bounds as the run began.
    start: Vec<Vec<Ask>>,
    leaves: usize,
    len: usize,
}

const NOTHING: Ask = (i64::MAX, i64::MIN);
const OPEN: Ask = (i64::MIN, i64::MAX);
/// What every row answers that counts, and every line asks after its tests.
pub const COUNTS: Ask = (0, 0);

impl Tree {
    fn new(wide: &[Wide], book: &Book, rows: &[u32]) -> Self {
        let leaves = rows.len().next_power_of_two();
        let heap = |of: &dyn Fn(u32) -> Ask| {
            let mut nodes = vec![NOTHING; 2 * leaves];
            for (leaf, &row) in rows.iter().enumerate() {
                nodes[leaves + leaf] = of(row);
            }
            for node in (1..leaves).rev() {
                nodes[node] = join(nodes[2 * node], nodes[2 * node + 1]);
            }
            nodes
        };
        let tests = wide.iter().zip(&book.values);
        let mut bounds: Vec<_> = tests
            .map(|(wide, values)| heap(&|row| reach(wide, values[row as usize])))
            .collect();
        bounds.push(heap(&|_| COUNTS));
        Self {
            start: bounds.clone(),
            bounds,
            leaves,
            len: rows.len(),
        }
    }

    fn drop_row(&mut self, leaf: usize) {
        for nodes in &mut self.bounds {
            let mut node = self.leaves + leaf;
            nodes[node] = NOTHING;
            while node > 1 {
                node /= 2;
                let joined = join(nodes[2 * node], nodes[2 * node + 1]);
                if nodes[node] == joined {
                    break;
                }
                nodes[node] = joined;
            }
        }
    }

    /// The first leaf from `from` on that may pass by its bounds, and does by the tests.
    fn first(&self, bounds: &[Vec<Ask>], asks: &[Ask], from: usize, tests: &dyn Fn(usize) -> bool) -> Option<usize> {
        let may = |node: usize| {
            bounds
                .iter()
                .zip(asks)
                .all(|(nodes, ask)| *ask == OPEN || (nodes[node].1 >= ask.0 && nodes[node].0 <= ask.1))
        };
        if from >= self.len {
            return None;
        }
        // From the first row on the search goes down from the root, else up and down again from its leaf.
        let mut node = if from == 0 { 1 } else { self.leaves + from };
        loop {
            if may(node) {
                if node < self.leaves {
                    node *= 2;
                    continue;
                }
                let leaf = node - self.leaves;
                if leaf < self.len && tests(leaf) {
                    return Some(leaf);
                }
            }
            // On to the next subtree: up while this is a right child, then to the sibling.
            while node & 1 == 1 {
                node /= 2;
            }
            if node == 0 {
                return None;
            }
            node += 1;
        }
    }
}

fn join(a: Ask, b: Ask) -> Ask {
    (a.0.min(b.0), a.1.max(b.1))
}

/// What a row can answer in a span test: its value, or anything where a test cannot be narrowed down.
fn reach(wide: &Wide, value: i64) -> Ask {
    match wide {
        Wide::Span {
            outside: false,
            null_passes,
            ..
        } if value == NULL => {
            if *null_passes {
                OPEN
            } else {
                NOTHING
            }
        }
        Wide::Span { outside: false, .. } => (value, value),
        _ => OPEN,
    }
}
