//! The candidates of lines that are confined to one lot or place.

use hashbrown::HashMap;

use super::{Book, Slot};
use crate::kernel::Run;
use crate::problem::One;

/// No candidate, and no parcel.
const NONE: u32 = u32::MAX;

/// Which candidates of a slot are of one lot or place, a parcel.
#[derive(Default)]
pub struct Parcels {
    /// The first candidate.
    from: u32,
    /// From the first candidate on: its parcel, and the next candidate of that.
    links: Vec<Link>,
    /// For each parcel the last line that reached it, counted.
    reached: Vec<u32>,
    /// Lines so far.
    lines: u32,
    /// Parcels that this line did not reach yet.
    open: usize,
}

#[derive(Clone, Copy)]
struct Link {
    parcel: u32,
    next: u32,
}

impl Parcels {
    /// Begins anew, for the next line.
    pub fn begin(&mut self) {
        self.lines += 1;
        self.open = self.reached.len();
    }

    /// The first candidate from `from` on that has something left and whose parcel was not reached for this line.
    pub fn reach(&mut self, book: &Book, run: &Run, from: u32) -> Option<u32> {
        if self.open == 0 {
            return None;
        }
        let Self {
            links, reached, lines, ..
        } = self;
        let first = (from - self.from) as usize;
        let head = links[first..].iter().zip(from..).find(|&(link, i)| {
            link.parcel != NONE
                && reached[link.parcel as usize] != *lines
                && book.rows[book.at(run, i) as usize].left > 0
        });
        let (link, i) = head?;
        reached[link.parcel as usize] = *lines;
        self.open -= 1;
        Some(i)
    }

    /// The rows of the parcel of a candidate that have something left, from that candidate on.
    pub fn rows<'p>(&'p self, book: &'p Book, run: &'p Run, head: u32) -> impl Iterator<Item = u32> + 'p {
        std::iter::successors(Some(head), |&i| {
            let next = self.links[(i - self.from) as usize].next;
            (next != NONE).then_some(next)
        })
        .map(|i| book.at(run, i))
        .filter(|&at| book.rows[at as usize].left > 0)
    }
}

impl Book {
    /// Which candidates of a slot are of one lot or place; `keep_parcels` puts that back.
    pub fn parcels(&mut self, run: &Run, slot: u32, one: One) -> Parcels {
        if let Some(parcels) = self.parcels.remove(&slot) {
            return parcels;
        }
        // Before the first line of a slot is served, its cursor stands at its first candidate.
        let Slot { cursor: from, to, .. } = self.slots[slot as usize];
        let mut latest: HashMap<i64, (u32, u32), foldhash::fast::FixedState> = HashMap::default();
        let mut links = vec![
            Link {
                parcel: NONE,
                next: NONE
            };
            (to - from) as usize
        ];
        for i in from..to {
            let at = self.at(run, i);
            if run.ranks > 0 || self.passes(run, slot, at) {
                let (lot, place) = self.parcel[at as usize];
                let fresh = latest.len() as u32;
                let (parcel, last) = latest
                    .entry(if one == One::Lot { lot } else { place })
                    .or_insert((fresh, i));
                links[(*last - from) as usize].next = i;
                links[(i - from) as usize] = Link {
                    parcel: *parcel,
                    next: NONE,
                };
                *last = i;
            }
        }
        Parcels {
            from,
            links,
            reached: vec![0; latest.len()],
            lines: 0,
            open: 0,
        }
    }

    /// Keeps what `parcels` found for the next line of the slot.
    pub fn keep_parcels(&mut self, slot: u32, parcels: Parcels) {
        self.parcels.insert(slot, parcels);
    }
}
