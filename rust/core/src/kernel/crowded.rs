//! Serving a large group that lines of many kinds want: where cursors would each walk over all rows, rows of one kind
//! (those that no folded test tells apart) queue in stock order. Lines of one kind remember the row of each queue
//! that they would take next. Those rows only ever move on, so that a line looks at little more than what it takes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::book::{Ask, Book, ask};
use super::queue::{COUNTS, Queue, gate_of};
use super::{Run, class_of};
use crate::column::BLOCK;
use crate::group::Record;
use crate::outcome::Stretch;
use crate::problem::{GATE_NO_BALANCE, Gate, PASS, Reason, SERVED};

/// Groups with fewer rows are served by looking at all of them.
const ROWS_MIN: usize = 1 << 10;

/// Kinds of lines that cursors can serve well.
const KINDS_MAX: usize = 64;

/// Heads that are remembered, of all kinds together; beyond them kinds are forgotten, and met anew.
const HEADS_MAX: usize = 1 << 22;

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

/// The kinds of some lines: those that ask the same.
struct Kinds {
    /// By line.
    of: Vec<u32>,
    /// By kind.
    classes: Vec<u16>,
    /// By kind, so many each.
    asks: Vec<Ask>,
    width: usize,
}

impl Kinds {
    /// Looks lines up in shares, one for each thread.
    fn new(run: &Run, lines: &[Record]) -> Self {
        let share = lines.len().div_ceil(rayon::current_num_threads()).max(BLOCK);
        let parts = lines.par_chunks(share).map(|lines| Self::of_share(run, lines));
        let mut parts = parts.collect::<Vec<Self>>().into_iter();
        let mut all = parts.next().expect("a group that is served has lines");
        let width = all.width;
        let mut numbers: Numbers = HashMap::default();
        numbers.extend(all.asks.chunks(width).map(<[Ask]>::to_vec).zip(0..));
        for part in parts {
            let kinds = part.classes.iter().zip(part.asks.chunks(width));
            let known: Vec<u32> = kinds
                .map(|(&class, asks)| all.number(&mut numbers, class, asks))
                .collect();
            all.of.extend(part.of.iter().map(|&kind| known[kind as usize]));
        }
        all
    }

    fn of_share(run: &Run, lines: &[Record]) -> Self {
        let (mut numbers, mut asks) = (Numbers::default(), Vec::new());
        let mut kinds = Self {
            of: Vec::with_capacity(lines.len()),
            classes: Vec::new(),
            asks: Vec::new(),
            width: run.eligibility.wide.len() + 2,
        };
        for line in lines {
            ask_all(run, line, &mut asks);
            let kind = kinds.number(&mut numbers, class_of(line), &asks);
            kinds.of.push(kind);
        }
        kinds
    }

    fn number(&mut self, numbers: &mut Numbers, class: u16, asks: &[Ask]) -> u32 {
        if let Some(&number) = numbers.get(asks) {
            return number;
        }
        let number = self.classes.len() as u32;
        numbers.insert(asks.to_vec(), number);
        self.classes.push(class);
        self.asks.extend_from_slice(asks);
        number
    }

    fn asks(&self, kind: u32) -> &[Ask] {
        &self.asks[kind as usize * self.width..(kind as usize + 1) * self.width]
    }
}

type Numbers = HashMap<Vec<Ask>, u32, foldhash::fast::FixedState>;

/// Serves one group.
pub fn serve(run: &Run, records: &[Record], lines: &[Record], out: &mut Stretch) {
    let (kinds, (mut book, queues)) = rayon::join(
        || Kinds::new(run, lines),
        || {
            let mut book = Book::default();
            book.add_rows(run, records);
            let queues = queues(run, &book);
            (book, queues)
        },
    );
    let mut group = Group {
        run,
        book: &mut book,
        queues,
        states: kinds.classes.iter().map(|_| None).collect(),
        kinds: &kinds,
        heads: 0,
    };
    for (line, &kind) in lines.iter().zip(&kinds.of) {
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

/// The rows by kind: class, and whether they had something at the start.
fn queues(run: &Run, book: &Book) -> Vec<Queue> {
    let mut known: HashMap<(u16, bool), usize, foldhash::fast::FixedState> = HashMap::default();
    let mut rows: Vec<((u16, bool), Vec<u32>)> = Vec::new();
    for (at, row) in (0..).zip(&book.rows) {
        let (next, kind) = (rows.len(), (row.class, row.left == 0));
        let number = *known.entry(kind).or_insert(next);
        if number == next {
            rows.push((kind, Vec::new()));
        }
        rows[number].1.push(at);
    }
    let queue = |(kind, rows)| Queue::new(&run.eligibility.wide, book, kind, rows);
    rows.into_iter().map(queue).collect()
}

struct Group<'b, 'a> {
    run: &'b Run<'a>,
    book: &'b mut Book,
    queues: Vec<Queue>,
    kinds: &'b Kinds,
    /// By kind, as far as they were met.
    states: Vec<Option<State>>,
    /// How many heads they remember.
    heads: usize,
}

/// Where the lines of a kind stand.
struct State {
    /// The next row of each queue that may serve it; another kind may have used it up since.
    heads: BinaryHeap<Reverse<Head>>,
    /// Why a line that gets nothing is short, once that was asked for.
    nothing: Option<u8>,
}

/// Where a kind stands in a queue: a row that passed, and the place behind the last one that can.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    /// The row's position in the book: first comes the first in stock order.
    at: u32,
    queue: u32,
    place: u32,
    to: u32,
}

impl Group<'_, '_> {
    /// Meets a kind for the first time, or anew.
    fn meet(&mut self, kind: u32) {
        if self.heads > HEADS_MAX {
            self.states.fill_with(|| None);
            self.heads = 0;
        }
        let (class, asks) = (self.kinds.classes[kind as usize], self.kinds.asks(kind));
        let mut heads = Vec::new();
        let wide = &self.run.eligibility.wide;
        for (number, queue) in (0..).zip(&mut self.queues) {
            if queue.empty || self.run.eligibility.verdict(class, queue.class) != PASS {
                continue;
            }
            for range in queue.ranges(wide, self.book, asks, PASS) {
                let to = range.end as u32;
                heads.extend(queue.next(wide, self.book, asks, range).map(|place| {
                    Reverse(Head {
                        at: queue.rows[place],
                        queue: number,
                        place: place as u32,
                        to,
                    })
                }));
            }
        }
        self.heads += heads.len();
        self.states[kind as usize] = Some(State {
            heads: heads.into(),
            nothing: None,
        });
    }

    /// Takes what a line needs, as far as it is there. Also says whether no earlier line had touched what it took.
    fn take(&mut self, kind: u32, line: u32, need: i64, out: &mut Stretch) -> (i64, bool) {
        if self.states[kind as usize].is_none() {
            self.meet(kind);
        }
        let asks = self.kinds.asks(kind);
        let State { heads, .. } = self.states[kind as usize].as_mut().expect("the kind was met");
        let (mut open, mut rank, mut untouched) = (need, 0, true);
        while open > 0
            && let Some(mut head) = heads.peek_mut()
        {
            let Reverse(Head { at, queue, place, to }) = *head;
            let (row, queue) = (&mut self.book.rows[at as usize], &mut self.queues[queue as usize]);
            if row.left > 0 {
                untouched &= !row.drawn;
                row.drawn = true;
                let qty = row.left.min(open);
                row.left -= qty;
                open -= qty;
                rank += 1;
                out.takes.push(line, row.number, qty, rank);
                if row.left > 0 {
                    break;
                }
                queue.drop_row(place as usize);
            }
            let rest = place as usize + 1..to as usize;
            match queue.next(&self.run.eligibility.wide, self.book, asks, rest) {
                Some(place) => {
                    (head.0.at, head.0.place) = (queue.rows[place], place as u32);
                }
                None => {
                    PeekMut::pop(head);
                }
            }
        }
        (need - open, untouched)
    }

    /// Why a line is short that took `rows` rows, `untouched` before by others or not.
    fn short(&mut self, kind: u32, rows: usize, untouched: bool) -> u8 {
        if rows == 0 {
            let known = self.states[kind as usize].as_ref().and_then(|state| state.nothing);
            let reason = known.unwrap_or_else(|| {
                if self.has_candidates(kind, 1) {
                    Reason::Taken as u8
                } else {
                    self.furthest(kind)
                }
            });
            if let Some(state) = &mut self.states[kind as usize] {
                state.nothing = Some(reason);
            }
            reason
        } else if !untouched || self.has_candidates(kind, rows + 1) {
            Reason::Taken as u8
        } else {
            Reason::Insufficient as u8
        }
    }

    /// Whether a kind had so many candidates as the run began.
    fn has_candidates(&self, kind: u32, enough: usize) -> bool {
        let (run, class, asks) = (self.run, self.kinds.classes[kind as usize], self.kinds.asks(kind));
        let mut candidates = 0;
        self.queues.iter().any(|queue| {
            if !queue.empty && run.eligibility.verdict(class, queue.class) == PASS {
                let missing = enough - candidates;
                candidates += queue.count(&run.eligibility.wide, self.book, asks, (PASS, missing));
            }
            candidates == enough
        })
    }

    /// The gate that stopped the row that got furthest: the highest gate that some row reaches.
    fn furthest(&self, kind: u32) -> Gate {
        let (class, asks) = (self.kinds.classes[kind as usize], self.kinds.asks(kind));
        let eligibility = &self.run.eligibility;
        let verdict = |queue: &Queue| eligibility.verdict(class, queue.class);
        let mut gates: Vec<Gate> = self
            .queues
            .iter()
            .map(verdict)
            .chain(eligibility.wide.iter().map(gate_of))
            .chain([GATE_NO_BALANCE])
            .collect();
        gates.sort_unstable();
        gates.dedup();
        let reaches = |gate: Gate| {
            self.queues.iter().any(|queue| {
                verdict(queue) >= gate
                    && (!queue.empty || GATE_NO_BALANCE >= gate)
                    && queue.count(&eligibility.wide, self.book, asks, (gate, 1)) > 0
            })
        };
        let furthest = gates.into_iter().rev().find(|&gate| gate != PASS && reaches(gate));
        furthest.unwrap_or(0)
    }
}
