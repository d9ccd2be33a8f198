//! The candidates of lines that are confined to one lot or place.

use hashbrown::HashMap;

use super::{Book, Slot};
use crate::kernel::Run;
use crate::problem::{One, PASS};

impl Book {
    /// The candidates of a slot by lot or place, in order of their first one that had something at the start.
    pub fn parcels(&mut self, run: &Run, slot: u32, one: One) -> Vec<Vec<u32>> {
        if let Some(parcels) = self.parcels.remove(&slot) {
            return parcels;
        }
        // Before the first line of a slot is served, its cursor stands at its first candidate.
        let Slot { cursor: from, to, .. } = self.slots[slot as usize];
        let mut known: HashMap<i64, usize, foldhash::fast::FixedState> = HashMap::default();
        let mut parcels: Vec<Vec<u32>> = Vec::new();
        for i in from..to {
            let at = self.at(run, i);
            if self.rows[at as usize].start == PASS && (run.ranks > 0 || self.passes(run, slot, at)) {
                let (lot, place) = self.parcel[at as usize];
                let number = *known
                    .entry(if one == One::Lot { lot } else { place })
                    .or_insert(parcels.len());
                if number == parcels.len() {
                    parcels.push(Vec::new());
                }
                parcels[number].push(at);
            }
        }
        parcels
    }

    /// Keeps what `parcels` found for the next line of the slot.
    pub fn keep_parcels(&mut self, slot: u32, parcels: Vec<Vec<u32>>) {
        self.parcels.insert(slot, parcels);
    }
}
