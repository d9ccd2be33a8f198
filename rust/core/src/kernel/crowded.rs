//! Serving a large group that lines of many kinds want: where cursors would each walk over all rows, rows of one kind
//! (those that no folded test tells apart) queue in stock order. Lines of one kind remember the row of each queue
//! that they would take next. Those rows only ever move on, so that a line looks at little more than what it takes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use hashbrown::HashMap;

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

/// Serves one group.
pub fn serve(run: &Run, records: &[Record], lines: &[Record], out: &mut Stretch) {
    let mut book = Book::default();
    book.add_rows(run, records);
    let mut group = Group::new(run, &mut book);
    let (mut asks, mut kinds) = (Vec::new(), Vec::new());
    for lines in lines.chunks(BLOCK) {
        group.forget_if_full();
        // Looked up by themselves, so that the processor overlaps the reads.
        kinds.clear();
        kinds.extend(lines.iter().map(|line| {
            ask_all(run, line, &mut asks);
            group.kind(class_of(line), &asks)
        }));
        for (line, &kind) in lines.iter().zip(&kinds) {
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
}

struct Group<'b, 'a> {
    run: &'b Run<'a>,
    book: &'b mut Book,
    queues: Vec<Queue>,
    /// The kinds of lines that were met.
    numbers: HashMap<Vec<Ask>, usize, foldhash::fast::FixedState>,
    kinds: Vec<Kind>,
    /// How many heads the kinds remember.
    heads: usize,
}

/// Lines that ask the same.
struct Kind {
    class: u16,
    asks: Vec<Ask>,
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

impl<'b, 'a> Group<'b, 'a> {
    fn new(run: &'b Run<'a>, book: &'b mut Book) -> Self {
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
        Self {
            run,
            queues: rows.into_iter().map(queue).collect(),
            book,
            numbers: HashMap::default(),
            kinds: Vec::new(),
            heads: 0,
        }
    }

    /// Forgets the kinds of lines where they remember too much.
    fn forget_if_full(&mut self) {
        if self.heads > HEADS_MAX {
            self.numbers.clear();
            self.kinds.clear();
            self.heads = 0;
        }
    }

    /// The number of a kind of lines.
    fn kind(&mut self, class: u16, asks: &[Ask]) -> usize {
        if let Some(&number) = self.numbers.get(asks) {
            return number;
        }
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
        let number = self.kinds.len();
        self.kinds.push(Kind {
            class,
            asks: asks.to_vec(),
            heads: heads.into(),
            nothing: None,
        });
        self.numbers.insert(asks.to_vec(), number);
        number
    }

    /// Takes what a line needs, as far as it is there. Also says whether no earlier line had touched what it took.
    fn take(&mut self, number: usize, line: u32, need: i64, out: &mut Stretch) -> (i64, bool) {
        let Kind { asks, heads, .. } = &mut self.kinds[number];
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
    fn short(&mut self, kind: usize, rows: usize, untouched: bool) -> u8 {
        if rows == 0 {
            let reason = self.kinds[kind].nothing.unwrap_or_else(|| {
                if self.has_candidates(kind, 1) {
                    Reason::Taken as u8
                } else {
                    self.furthest(kind)
                }
            });
            self.kinds[kind].nothing = Some(reason);
            reason
        } else if !untouched || self.has_candidates(kind, rows + 1) {
            Reason::Taken as u8
        } else {
            Reason::Insufficient as u8
        }
    }

    /// Whether a kind had so many candidates as the run began.
    fn has_candidates(&self, kind: usize, enough: usize) -> bool {
        let (run, Kind { class, asks, .. }) = (self.run, &self.kinds[kind]);
        let mut candidates = 0;
        self.queues.iter().any(|queue| {
            if !queue.empty && run.eligibility.verdict(*class, queue.class) == PASS {
                let missing = enough - candidates;
                candidates += queue.count(&run.eligibility.wide, self.book, asks, (PASS, missing));
            }
            candidates == enough
        })
    }

    /// The gate that stopped the row that got furthest: the highest gate that some row reaches.
    fn furthest(&self, kind: usize) -> Gate {
        let (eligibility, Kind { class, asks, .. }) = (&self.run.eligibility, &self.kinds[kind]);
        let verdict = |queue: &Queue| eligibility.verdict(*class, queue.class);
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
