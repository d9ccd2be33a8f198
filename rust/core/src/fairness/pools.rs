//! What is left of pools, and what of that is kept for groups: sums over many groups in logarithmic time.

use crate::fairness::ration::{NONE, Protections};

/// What is left of each pool, and what of that is kept for whom.
pub(super) struct Pools {
    pub left: Vec<i64>,
    pub kept: Vec<i64>,
    /// Fenwick tree over `kept`.
    tree: Vec<i64>,
    /// First protection of each pool, and one more.
    starts: Vec<usize>,
    /// For each pool, one after the last protection that is not empty.
    ends: Vec<usize>,
    /// For each protection, one after the last of its pool from which its group may not take.
    shut: Vec<usize>,
}

impl Pools {
    pub fn new(protections: &Protections, supply: &[i64]) -> Self {
        let count = protections.pool.len();
        let starts: Vec<usize> = (0..=supply.len())
            .map(|pool| protections.pool.partition_point(|of| (*of as usize) < pool))
            .collect();
        let shut = (0..count)
            .map(|row| {
                let end = starts[protections.pool[row] as usize + 1];
                row + protections.priority[row..end].partition_point(|other| *other <= protections.priority[row])
            })
            .collect();
        let mut pools = Self {
            left: supply.to_vec(),
            kept: protections.left.to_vec(),
            tree: vec![0; count + 1],
            ends: starts[1..].to_vec(),
            starts,
            shut,
        };
        for row in 0..count {
            pools.add(row, protections.left[row]);
        }
        pools
    }

    fn add(&mut self, row: usize, qty: i64) {
        let mut node = row + 1;
        while node < self.tree.len() {
            self.tree[node] += qty;
            node += node & node.wrapping_neg();
        }
    }

    /// What is kept by the protections from `from` to before `to`.
    fn kept_by(&self, from: usize, to: usize) -> i64 {
        let sum = |mut node: usize| {
            let mut sum = 0;
            while node > 0 {
                sum += self.tree[node];
                node -= node & node.wrapping_neg();
            }
            sum
        };
        sum(to) - sum(from)
    }

    pub fn available(&self, pool: usize, own: u32) -> i64 {
        let (start, end) = (self.starts[pool], self.starts[pool + 1]);
        let kept = if own == NONE {
            self.kept_by(start, end)
        } else {
            self.kept_by(start, self.shut[own as usize]) - self.kept[own as usize]
        };
        self.left[pool] - kept
    }

    /// Takes a quantity that is available: first what is kept for its own group, then what is kept for nobody, then
    /// what is kept for groups behind it, the last first. How much was its own, and how much was another's.
    pub fn take(&mut self, pool: usize, own: u32, qty: i64) -> (i64, i64) {
        let free = self.left[pool] - self.kept_by(self.starts[pool], self.starts[pool + 1]);
        let own_taken = if own == NONE {
            0
        } else {
            qty.min(self.kept[own as usize])
        };
        if own_taken > 0 {
            self.release(own as usize, own_taken);
        }
        let borrowed = (qty - own_taken - free).max(0);
        let mut wanted = borrowed;
        while wanted > 0 {
            let last = self.ends[pool] - 1;
            let taken = wanted.min(self.kept[last]);
            self.release(last, taken);
            wanted -= taken;
            if self.kept[last] == 0 {
                self.ends[pool] = last;
            }
        }
        self.left[pool] -= qty;
        (own_taken, borrowed)
    }

    fn release(&mut self, row: usize, qty: i64) {
        self.kept[row] -= qty;
        self.add(row, -qty);
    }
}
