//! One sequence over all groups: units of service one after the other, and a unit that cannot be complete gives back
//! what its lines took.

use super::Run;
use super::book::Book;
use super::fill::{Take, decide};
use crate::problem::{Gate, Reason, SERVED};

/// A line in its turn: where it is served from and how much it asks; once it was served, what became of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Turn(u64);

/// The book of a line whose group has no rows.
const NO_BOOK: u8 = u8::MAX;

/// A quantity that does not fit a turn.
const NEED_ELSEWHERE: u64 = (1 << 24) - 1;

impl Turn {
    /// A line that is served from a slot of a book; the number of books is below `NO_BOOK`.
    pub fn at(book: u8, slot: u32, need: i64) -> Self {
        Self(u64::from(book) << 56 | (need as u64).min(NEED_ELSEWHERE) << 32 | u64::from(slot))
    }

    /// A line whose group has no rows, for this reason.
    pub fn nowhere(reason: Gate, need: i64) -> Self {
        Self::at(NO_BOOK, u32::from(reason), need)
    }

    fn book(self) -> u8 {
        (self.0 >> 56) as u8
    }

    fn slot(self) -> u32 {
        self.0 as u32
    }

    fn served(log: usize, reason: u8) -> Self {
        Self((log as u64) << 8 | u64::from(reason))
    }

    /// Where the allocations of a line that was served begin in the log.
    pub fn log_from(self) -> usize {
        (self.0 >> 8) as usize
    }

    /// Why a line that was served is short.
    pub fn reason(self) -> u8 {
        self.0 as u8
    }

    /// The turn in one word, and back.
    pub fn word(self) -> u64 {
        self.0
    }

    pub fn of_word(word: u64) -> Self {
        Self(word)
    }
}

/// An allocation: number of the stock row, and units of it.
#[derive(Clone, Copy)]
pub(super) struct Logged {
    pub row: u32,
    pub qty: i64,
}

/// Allocations in order of service.
#[derive(Default)]
pub(super) struct Log {
    pub take: Vec<Logged>,
    /// Units of the line, if they differ from those of the row.
    pub served: Vec<i64>,
}

impl Log {
    /// The allocations of a turn.
    pub fn of(&self, turns: &[Turn], turn: usize) -> std::ops::Range<usize> {
        let to = turns.get(turn + 1).map_or(self.take.len(), |next| next.log_from());
        turns[turn].log_from()..to
    }

    /// Units of the line that an allocation serves.
    pub fn served(&self, at: usize) -> i64 {
        self.served.get(at).copied().unwrap_or(self.take[at].qty)
    }
}

/// A line at its turn.
#[derive(Clone, Copy)]
struct Stop {
    need: i64,
    slot: u32,
    book: u8,
    /// Number of the line in the demand table.
    line: u32,
}

/// Lines that are looked up before their turn comes, so that their slots and rows are in the cache by then.
const AHEAD: usize = 64;

/// The one sequence over all groups.
pub(super) struct Sweep<'s, 'a> {
    pub run: &'s Run<'a>,
    pub books: &'s mut [Book],
    /// The line of each turn, and how much a line asks.
    pub line_of: &'s [u32],
    pub need_of: &'s dyn Fn(u32) -> i64,
    pub state: State,
}

/// What the sweep has done so far.
#[derive(Default)]
pub(super) struct State {
    log: Log,
    /// The unit at hand.
    stops: Vec<Stop>,
    /// The slots that it was served from, with their cursors before; and what it took.
    cursors: Vec<(u8, u32, u32)>,
    taken: Vec<(u8, u32, Take)>,
    takes: Vec<Take>,
    groups: Vec<(u8, u32)>,
}

impl Sweep<'_, '_> {
    /// Serves all units; `ends` is behind the last turn of each.
    pub fn serve_all(mut self, turns: &mut [Turn], ends: &[u32]) -> Log {
        let (mut begin, mut looked_up) = (0, 0);
        for &end in ends {
            let end = end as usize;
            if end > looked_up {
                let next = (end + AHEAD).min(turns.len());
                self.look_up(&turns[looked_up..next]);
                looked_up = next;
            }
            self.serve(&mut turns[begin..end], begin);
            begin = end;
        }
        self.state.log
    }

    /// Reads the slots of lines, then the rows at their cursors: independent reads, which the processor overlaps.
    fn look_up(&self, turns: &[Turn]) {
        let mut cursors = [0_u32; 2 * AHEAD];
        for turns in turns.chunks(cursors.len()) {
            for (turn, cursor) in turns.iter().zip(&mut cursors) {
                *cursor = match self.books.get(turn.book() as usize) {
                    Some(book) => book.cursor(turn.slot()),
                    None => 0,
                };
            }
            let left = turns.iter().zip(cursors).map(|(turn, cursor)| {
                let book = self.books.get(turn.book() as usize);
                book.map_or(0, |book| book.peek(self.run, cursor))
            });
            std::hint::black_box(left.fold(0, i64::wrapping_add));
        }
    }

    fn stop(&self, turn: Turn, line: u32) -> Stop {
        let need = turn.0 >> 32 & NEED_ELSEWHERE;
        Stop {
            need: if need == NEED_ELSEWHERE {
                (self.need_of)(line)
            } else {
                need as i64
            },
            slot: turn.slot(),
            book: turn.book(),
            line,
        }
    }

    fn serve(&mut self, unit: &mut [Turn], begin: usize) {
        let mut stops = std::mem::take(&mut self.state.stops);
        stops.clear();
        stops.extend(
            unit.iter()
                .zip(&self.line_of[begin..])
                .map(|(&turn, &line)| self.stop(turn, line)),
        );
        if !(self.run.orders_are_simple && stops.len() > 1 && self.refuse(&stops, unit)) {
            self.serve_unit(&stops, unit);
        }
        self.state.stops = stops;
    }

    fn serve_unit(&mut self, stops: &[Stop], unit: &mut [Turn]) {
        let begin = self.state.log.take.len();
        self.state.cursors.clear();
        self.state.taken.clear();
        let mut failed = false;
        for (stop, turn) in stops.iter().zip(&mut *unit) {
            let from = self.state.log.take.len();
            let reason = self.serve_line(stop);
            *turn = Turn::served(from, reason);
            failed |= reason != SERVED;
        }
        // A line alone has given back already.
        if failed && unit.len() > 1 {
            self.give_back(begin);
            for (stop, turn) in stops.iter().zip(unit) {
                let complete = turn.reason() == SERVED && stop.need > 0;
                let reason = if complete {
                    Reason::OrderIncomplete as u8
                } else {
                    turn.reason()
                };
                *turn = Turn::served(begin, reason);
            }
        }
    }

    /// Refuses an order of which a line cannot be complete, without taking anything, if its lines do not compete with
    /// each other: then none of them would change what another finds. Says whether it did.
    fn refuse(&mut self, stops: &[Stop], unit: &mut [Turn]) -> bool {
        if !stops.iter().any(|stop| self.lacks(stop)) {
            return false;
        }
        let groups = &mut self.state.groups;
        groups.clear();
        groups.extend(stops.iter().filter_map(|stop| {
            let book = self.books.get(stop.book as usize)?;
            Some((stop.book, book.group(stop.slot)))
        }));
        groups.sort_unstable();
        if groups.windows(2).any(|pair| pair[0] == pair[1]) {
            return false;
        }
        let begin = self.state.log.take.len();
        for (stop, turn) in stops.iter().zip(unit) {
            let reason = if stop.need == 0 {
                SERVED
            } else if self.lacks(stop) {
                self.decide(stop)
            } else {
                Reason::OrderIncomplete as u8
            };
            *turn = Turn::served(begin, reason);
        }
        true
    }

    /// Whether a line cannot be complete.
    #[inline]
    fn lacks(&self, stop: &Stop) -> bool {
        let book = self.books.get(stop.book as usize);
        stop.need > book.map_or(0, |book| book.slots[stop.slot as usize].left)
    }

    /// What a line takes goes to `takes`; returned is the reason.
    fn decide(&mut self, stop: &Stop) -> u8 {
        match self.books.get_mut(stop.book as usize) {
            Some(book) => decide(self.run, book, stop.slot, stop.line, stop.need, &mut self.state.takes).1,
            None if stop.need == 0 => SERVED,
            None => stop.slot as u8,
        }
    }

    fn serve_line(&mut self, stop: &Stop) -> u8 {
        let Some(book) = self.books.get(stop.book as usize) else {
            return self.decide(stop);
        };
        self.state.cursors.push((stop.book, stop.slot, book.cursor(stop.slot)));
        let reason = self.decide(stop);
        let (state, book) = (&mut self.state, &mut self.books[stop.book as usize]);
        for &take in &state.takes {
            book.take(self.run, stop.slot, take.at, take.qty);
            state.taken.push((stop.book, stop.slot, take));
            state.log.take.push(Logged {
                row: book.rows[take.at as usize].number,
                qty: take.qty,
            });
            if self.run.exchange.is_some() {
                state.log.served.push(take.served);
            }
        }
        reason
    }

    fn give_back(&mut self, begin: usize) {
        let state = &mut self.state;
        for &(book, slot, take) in &state.taken {
            self.books[book as usize].take(self.run, slot, take.at, -take.qty);
        }
        for &(book, slot, cursor) in state.cursors.iter().rev() {
            self.books[book as usize].rewind(slot, cursor);
        }
        state.log.take.truncate(begin);
        state.log.served.truncate(begin);
    }
}
