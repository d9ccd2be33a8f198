//! Serving a large group whose lines ask many different things, where any quantity will do and nothing ranks.
//!
//! Rows of one kind (that no table of classes tells apart) queue in stock order, under a tree of the least and the
//! greatest value that each span test looks at. A line asks the queues that may serve it for their first row within
//! its spans: a logarithm per row it takes, however many kinds of lines there are.

use hashbrown::HashMap;

use super::book::{Ask, Book, ask, lies};
use super::{Run, class_of};
use crate::eligible::Wide;
use crate::group::Record;
use crate::outcome::Stretch;
use crate::problem::{GATE_NO_BALANCE, Gate, PASS, Reason, SERVED};

/// Groups with fewer rows are served by looking at all of them.
const ROWS_MIN: usize = 1 << 10;

/// Kinds of lines that cursors can serve well.
const KINDS_MAX: usize = 64;

/// Whether a group is better served from queues.
pub fn is_crowded(run: &Run, rows: &[Record], lines: &[Record]) -> bool {
    if rows.len() < ROWS_MIN || !run.queues {
        return false;
    }
    let mut kinds = hashbrown::HashSet::with_hasher(foldhash::fast::FixedState::default());
    let mut asks = Vec::new();
    lines.iter().any(|line| {
        ask_all(run, line, &mut asks);
        if !kinds.contains(&asks[..]) {
            kinds.insert(asks.clone());
        }
        kinds.len() > KINDS_MAX
    })
}

/// What a line asks: of each wide test, of rows to count, and last its class, so that lines of a kind ask the same.
fn ask_all(run: &Run, line: &Record, asks: &mut Vec<Ask>) {
    let number = run.line_order.row(line[0]) as usize;
    let class = i64::from(class_of(line));
    asks.clear();
    asks.extend(run.eligibility.wide.iter().map(|wide| ask(wide, number)));
    asks.extend([COUNTS, (class, class)]);
}

/// Rows of one kind, in stock order.
struct Queue {
    class: u16,
    /// Whether its rows had nothing at the start.
    empty: bool,
    /// Positions in the book.
    rows: Vec<u32>,
    /// By span (and last for no span) and node: the least and the greatest value of the rows that count, as a heap of
    /// `2 * leaves` nodes.
    bounds: Vec<Vec<Ask>>,
    leaves: usize,
}

const NOTHING: Ask = (i64::MAX, i64::MIN);
const OPEN: Ask = (i64::MIN, i64::MAX);
/// What every row answers that counts, and every line asks after its wide tests.
const COUNTS: Ask = (0, 0);

impl Queue {
    /// The bounds that rows have when all of them count.
    fn full(run: &Run, book: &Book, rows: &[u32], leaves: usize) -> Vec<Vec<Ask>> {
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
        let spans = run.eligibility.wide.iter().zip(&book.values);
        let mut bounds: Vec<_> = spans
            .map(|(wide, values)| heap(&|row| reach(wide, values[row as usize])))
            .collect();
        bounds.push(heap(&|_| COUNTS));
        bounds
    }

    /// Stops counting a row.
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

    /// The first row from `from` on that `counts` and lies within what is asked.
    fn first(&self, bounds: &[Vec<Ask>], asks: &[Ask], from: usize, counts: &dyn Fn(u32) -> bool) -> Option<usize> {
        let may = |node: usize| {
            bounds
                .iter()
                .zip(asks)
                .all(|(nodes, ask)| *ask == OPEN || (nodes[node].1 >= ask.0 && nodes[node].0 <= ask.1))
        };
        if from >= self.rows.len() {
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
                if leaf < self.rows.len() && counts(self.rows[leaf]) {
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
        } if value == crate::column::NULL => {
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

/// Serves one group.
pub fn serve(run: &Run, records: &[Record], lines: &[Record], out: &mut Stretch) {
    let mut book = Book::default();
    book.add_rows(run, records);
    let mut group = Group::new(run, &mut book);
    let mut asks = Vec::new();
    for line in lines {
        ask_all(run, line, &mut asks);
        let kind = group.kind(class_of(line), &asks);
        let number = run.line_order.row(line[0]);
        let need = run.requested(line);
        let first = out.takes.line.len();
        let (served, untouched) = group.take(kind, number, need, out);
        let reason = if served == need {
            SERVED
        } else {
            group.short(kind, out.takes.line.len() - first, untouched)
        };
        out.line.push(number);
        out.allocated.push(served);
        out.reason.push(reason);
    }
}

struct Group<'b, 'a> {
    run: &'b Run<'a>,
    book: &'b mut Book,
    queues: Vec<Queue>,
    /// The bounds of each queue as the run began.
    start: Vec<Vec<Vec<Ask>>>,
    /// The kinds of lines that were met.
    numbers: HashMap<Vec<Ask>, usize, foldhash::fast::FixedState>,
    kinds: Vec<Kind>,
    /// First row of each queue for the line at hand: its position, the queue as the kind counts it, and its leaf.
    heads: Vec<(u32, usize, usize)>,
}

/// Lines that ask the same.
#[derive(Default)]
struct Kind {
    class: u16,
    asks: Vec<Ask>,
    /// The queues that may serve it, with the first leaf that may still do so. Rows only ever drop out.
    queues: Vec<(usize, usize)>,
    /// The gate that stopped the row that got furthest, once it was asked for.
    furthest: Option<Gate>,
}

impl<'b, 'a> Group<'b, 'a> {
    fn new(run: &'b Run<'a>, book: &'b mut Book) -> Self {
        let mut known: HashMap<(u16, bool), usize, foldhash::fast::FixedState> = HashMap::default();
        let mut queues: Vec<Queue> = Vec::new();
        for (at, row) in (0..).zip(&book.rows) {
            let next = queues.len();
            let number = *known.entry((row.class, row.left == 0)).or_insert(next);
            if number == next {
                queues.push(Queue {
                    class: row.class,
                    empty: row.left == 0,
                    rows: Vec::new(),
                    bounds: Vec::new(),
                    leaves: 0,
                });
            }
            queues[number].rows.push(at);
        }
        for queue in &mut queues {
            queue.leaves = queue.rows.len().next_power_of_two();
            queue.bounds = Queue::full(run, book, &queue.rows, queue.leaves);
        }
        let start = queues.iter().map(|queue| queue.bounds.clone()).collect();
        Self {
            run,
            book,
            queues,
            start,
            numbers: HashMap::default(),
            kinds: Vec::new(),
            heads: Vec::new(),
        }
    }

    fn passes(&self, asks: &[Ask], at: u32) -> bool {
        let wide = self.run.eligibility.wide.iter().zip(asks).zip(&self.book.values);
        wide.into_iter()
            .all(|((wide, ask), values)| passes(wide, *ask, values[at as usize]))
    }

    /// The number of a kind of lines.
    fn kind(&mut self, class: u16, asks: &[Ask]) -> usize {
        if let Some(&number) = self.numbers.get(asks) {
            return number;
        }
        let may = |queue: &Queue| !queue.empty && self.run.eligibility.verdict(class, queue.class) == PASS;
        let queues = (0..)
            .zip(&self.queues)
            .filter(|(_, queue)| may(queue))
            .map(|(number, _)| (number, 0))
            .collect();
        let number = self.kinds.len();
        self.kinds.push(Kind {
            class,
            asks: asks.to_vec(),
            queues,
            furthest: None,
        });
        self.numbers.insert(asks.to_vec(), number);
        number
    }

    /// Takes what a line needs, as far as it is there. Also says whether no earlier line had touched what it took.
    fn take(&mut self, number: usize, line: u32, need: i64, out: &mut Stretch) -> (i64, bool) {
        let mut kind = std::mem::take(&mut self.kinds[number]);
        self.heads.clear();
        let mut place = 0;
        while place < kind.queues.len() {
            let (queue, from) = kind.queues[place];
            match self.head(queue, &kind.asks, from) {
                Some((at, leaf)) => {
                    kind.queues[place].1 = leaf;
                    self.heads.push((at, place, leaf));
                    place += 1;
                }
                None => {
                    kind.queues.swap_remove(place);
                }
            }
        }
        let (mut open, mut rank, mut untouched) = (need, 0, true);
        while open > 0 {
            let Some(best) = (0..self.heads.len()).min_by_key(|&i| self.heads[i].0) else {
                break;
            };
            let (at, place, leaf) = self.heads[best];
            let row = &mut self.book.rows[at as usize];
            untouched &= !row.drawn;
            row.drawn = true;
            let qty = row.left.min(open);
            row.left -= qty;
            open -= qty;
            rank += 1;
            out.takes.push(line, row.number, qty, rank);
            if row.left == 0 {
                let queue = kind.queues[place].0;
                self.queues[queue].drop_row(leaf);
                match self.head(queue, &kind.asks, leaf + 1) {
                    Some((at, leaf)) => {
                        kind.queues[place].1 = leaf;
                        self.heads[best] = (at, place, leaf);
                    }
                    None => {
                        self.heads.swap_remove(best);
                    }
                }
            }
        }
        self.kinds[number] = kind;
        (need - open, untouched)
    }

    fn head(&self, number: usize, asks: &[Ask], from: usize) -> Option<(u32, usize)> {
        let queue = &self.queues[number];
        let counts = |at: u32| self.book.rows[at as usize].left > 0 && self.passes(asks, at);
        queue
            .first(&queue.bounds, asks, from, &counts)
            .map(|leaf| (queue.rows[leaf], leaf))
    }

    /// Why a line is short that took `rows` rows, `untouched` before by others or not.
    fn short(&mut self, kind: usize, rows: usize, untouched: bool) -> u8 {
        if rows > 0 && !untouched {
            return Reason::Taken as u8;
        }
        // Candidates as the run began: more of them than it took means that others took the rest.
        let Kind { class, asks, .. } = &self.kinds[kind];
        let mut candidates = 0;
        for (queue, bounds) in self.queues.iter().zip(&self.start) {
            if queue.empty || self.run.eligibility.verdict(*class, queue.class) != PASS {
                continue;
            }
            let mut from = 0;
            while let Some(leaf) = queue.first(bounds, asks, from, &|at| self.passes(asks, at)) {
                candidates += 1;
                if candidates > rows {
                    return Reason::Taken as u8;
                }
                from = leaf + 1;
            }
        }
        if rows > 0 {
            Reason::Insufficient as u8
        } else {
            self.furthest(kind)
        }
    }

    /// The gate that stopped the row that got furthest: the highest gate that some row reaches.
    fn furthest(&mut self, kind: usize) -> Gate {
        let Kind {
            class, asks, furthest, ..
        } = &self.kinds[kind];
        if let Some(gate) = *furthest {
            return gate;
        }
        let class = *class;
        let gate_of = |wide: &Wide| match wide {
            Wide::Span { gate, .. } | Wide::Table { gate, .. } => *gate,
            Wide::Exchange { .. } => PASS,
        };
        let wide = &self.run.eligibility.wide;
        let verdicts = self
            .queues
            .iter()
            .map(|queue| self.run.eligibility.verdict(class, queue.class));
        let mut gates: Vec<Gate> = verdicts
            .chain(wide.iter().map(gate_of))
            .chain([GATE_NO_BALANCE])
            .collect();
        gates.sort_unstable();
        let reaches = |gate: Gate| {
            // Tests behind the gate do not matter to a row that is to reach it.
            let loosen = |(wide, ask): (&Wide, &Ask)| if gate_of(wide) < gate { *ask } else { OPEN };
            let loosened: Vec<Ask> = wide.iter().zip(asks).map(loosen).chain([COUNTS]).collect();
            let tests = |at: u32| {
                wide.iter()
                    .zip(asks)
                    .zip(&self.book.values)
                    .all(|((wide, ask), values)| gate_of(wide) >= gate || passes(wide, *ask, values[at as usize]))
            };
            self.queues.iter().zip(&self.start).any(|(queue, bounds)| {
                self.run.eligibility.verdict(class, queue.class) >= gate
                    && (!queue.empty || GATE_NO_BALANCE >= gate)
                    && queue.first(bounds, &loosened, 0, &tests).is_some()
            })
        };
        let furthest = gates
            .into_iter()
            .rev()
            .find(|&gate| gate != PASS && reaches(gate))
            .unwrap_or(0);
        self.kinds[kind].furthest = Some(furthest);
        furthest
    }
}

fn passes(wide: &Wide, ask: Ask, value: i64) -> bool {
    match wide {
        Wide::Span {
            null_passes, outside, ..
        } => lies(value, ask, *null_passes, *outside),
        Wide::Table { stock, cells, .. } => cells[ask.0 as usize * stock.card() + value as usize] >= 0,
        Wide::Exchange { .. } => true,
    }
}
