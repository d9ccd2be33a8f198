//! Every pool by itself: tiers one after another, in each a tree of groups, at the leaves the lines.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::Result;
use crate::fairness::fill::{Claim, Scratch, fill_in_order};
use crate::fairness::lines::{Entry, Lines, Method, Reason, Step, at, by_pool, check, sorted, up};
use crate::fairness::sum::Sum;

/// One row per line, by pool, tier, groups of its tier, id.
#[derive(Debug, PartialEq, Eq)]
pub struct Shares {
    /// Row of the line.
    pub line: Vec<u32>,
    /// What it gets.
    pub qty: Vec<i64>,
    /// Why it gets no more, a [`Reason`].
    pub reason: Vec<u8>,
}

/// Lines of so many rows are divided together by one thread, if they are not of one pool.
const TOGETHER: usize = 1 << 14;

/// Shares the supply of each pool among its lines. n log n in lines, once for each step.
pub fn divide(lines: &Lines, tiers: &[Vec<Step>], supply: &[i64]) -> Result<Shares> {
    check(lines, tiers, supply)?;
    let mut line = by_pool(lines.pool, supply.len());
    let mut qty = vec![0; line.len()];
    let mut reason = vec![Reason::Served as u8; line.len()];
    let mut parts = Vec::new();
    let (mut rows, mut shares, mut reasons) = (line.as_mut_slice(), qty.as_mut_slice(), reason.as_mut_slice());
    while !rows.is_empty() {
        let pool_of = |row: &u32| lines.pool[*row as usize];
        let end = rows.len().min(TOGETHER);
        let last = pool_of(&rows[end - 1]);
        let end = end + rows[end..].iter().take_while(|row| pool_of(row) == last).count();
        let part;
        (part, rows) = rows.split_at_mut(end);
        let (shares_part, reasons_part);
        (shares_part, shares) = shares.split_at_mut(end);
        (reasons_part, reasons) = reasons.split_at_mut(end);
        parts.push((part, shares_part, reasons_part));
    }
    parts.into_par_iter().for_each(|(rows, shares, reasons)| {
        // Made here rather than for all lines at once, so that they stay in the cache.
        let entries = sorted(rows, lines, tiers);
        for (row, entry) in rows.iter_mut().zip(&entries) {
            *row = entry.row;
        }
        let mut divider = Divider {
            lines,
            tiers,
            entries: &entries,
            shares,
            reasons,
            scratch: Scratch::default(),
            own: Own::default(),
        };
        let mut start = 0;
        for pool in entries.chunk_by(|a, b| a.pool == b.pool) {
            divider.pool(start..start + pool.len(), supply[pool[0].pool as usize]);
            start += pool.len();
        }
    });
    Ok(Shares { line, qty, reason })
}

/// What holds for a part of the tree.
#[derive(Debug, Clone, Copy)]
struct Around {
    depth: usize,
    /// A group around it has its maximum.
    capped: bool,
    /// Something is left for the guarantees of later tiers.
    kept: bool,
    /// Something was served before it.
    earlier: bool,
}

/// Memory of one division among lines, used again for the next.
#[derive(Default)]
struct Own {
    sums: Vec<Sum>,
    split: Split,
}

/// How an amount was split: what each gets, and for `Priority` the order in which they were served.
#[derive(Default)]
struct Split {
    claims: Vec<Claim>,
    shares: Vec<i64>,
    order: Vec<u32>,
    left: i64,
}

struct Divider<'a> {
    lines: &'a Lines<'a>,
    tiers: &'a [Vec<Step>],
    entries: &'a [Entry],
    shares: &'a mut [i64],
    reasons: &'a mut [u8],
    scratch: Scratch,
    own: Own,
}

impl Divider<'_> {
    fn pool(&mut self, range: Range<usize>, supply: i64) {
        let around = Around {
            depth: 0,
            capped: false,
            kept: false,
            earlier: false,
        };
        let left = if self.tiers.len() == 1 {
            self.node(range.clone(), supply, around)
        } else {
            self.tiers(range.clone(), supply, around)
        };
        let by_amount = [Reason::Guaranteed, Reason::Taken, Reason::Insufficient].map(|reason| reason as u8);
        for index in range {
            let (reason, pack) = (&mut self.reasons[index], self.entries[index].pack);
            if supply == 0 && *reason != Reason::Served as u8 {
                *reason = Reason::NoSupply as u8;
            } else if left > 0 && pack > 1 && by_amount.contains(reason) {
                *reason = Reason::Pack as u8;
            }
        }
    }

    /// Serves the tiers of a pool one after another, and returns what is left.
    fn tiers(&mut self, range: Range<usize>, supply: i64, around: Around) -> i64 {
        let (mut left, mut earlier) = (supply, false);
        let tiers = runs(range, self.entries, |a, b| a.tier == b.tier);
        let guaranteed: Vec<i64> = tiers.iter().map(|tier| self.together(tier, 0).low).collect();
        let mut later: i64 = guaranteed.iter().sum();
        for (tier, own) in tiers.into_iter().zip(guaranteed) {
            later -= own;
            // Its own guarantees come before those of later tiers, theirs before the rest of its own.
            let amount = (left - later).max(left.min(own));
            let kept = amount < left;
            let used = amount
                - self.node(
                    tier,
                    amount,
                    Around {
                        kept,
                        earlier,
                        ..around
                    },
                );
            left -= used;
            earlier |= used > 0;
        }
        left
    }

    /// Divides an amount among the lines of a node, and returns what is left.
    fn node(&mut self, range: Range<usize>, amount: i64, around: Around) -> i64 {
        let step = &self.tiers[self.entries[range.start].tier as usize][around.depth];
        let Some(by) = step.by else {
            return self.leaf(range, amount, step, around);
        };
        let groups = self.groups(range, by);
        let sums: Vec<Sum> = groups.iter().map(|group| self.bounded(group, around.depth)).collect();
        let mut split = Split::default();
        split.fill(amount, step.method, &sums, &mut self.scratch);
        let (mut left, mut earlier) = (split.left, around.earlier);
        for place in 0..groups.len() {
            let index = split.order.get(place).map_or(place, |index| *index as usize);
            let (sum, given) = (&sums[index], split.shares[index]);
            let capped = around.capped || (sum.cut && given == sum.high);
            let inner = Around {
                depth: around.depth + 1,
                capped,
                earlier,
                ..around
            };
            let unused = self.node(groups[index].clone(), given, inner);
            left += unused;
            earlier |= step.method == Method::Priority && given > unused;
        }
        left
    }

    fn leaf(&mut self, range: Range<usize>, amount: i64, step: &Step, around: Around) -> i64 {
        let Own { mut sums, mut split } = std::mem::take(&mut self.own);
        sums.clear();
        sums.extend(
            self.entries[range.clone()]
                .iter()
                .map(|entry| self.sum(entry, step.weight)),
        );
        split.fill(amount, step.method, &sums, &mut self.scratch);
        let mut earlier = around.earlier;
        for place in 0..sums.len() {
            let index = split.order.get(place).map_or(place, |index| *index as usize);
            let share = split.shares[index];
            let weightless = sums[index].slope(step.method) == 0;
            let entry = &self.entries[range.start + index];
            self.shares[range.start + index] = share;
            self.reasons[range.start + index] =
                self.reason(entry, share, weightless, Around { earlier, ..around }) as u8;
            earlier |= step.method == Method::Priority && share > 0;
        }
        let left = split.left;
        self.own = Own { sums, split };
        left
    }

    fn reason(&self, entry: &Entry, share: i64, weightless: bool, around: Around) -> Reason {
        let maximum = at(self.lines.qty_max, entry.row as usize, entry.qty);
        match share {
            _ if share == entry.qty => Reason::Served,
            _ if share == entry.high && maximum < entry.qty => Reason::AboveMax,
            _ if share == entry.high => Reason::Pack,
            _ if weightless => Reason::NoWeight,
            _ if around.capped => Reason::GroupMax,
            _ if around.kept => Reason::Guaranteed,
            _ if around.earlier => Reason::Taken,
            _ => Reason::Insufficient,
        }
    }

    fn sum(&self, entry: &Entry, weight: Option<usize>) -> Sum {
        let row = entry.row as usize;
        Sum {
            qty: entry.qty,
            weight: weight.map_or(entry.qty, |column| self.lines.weights[column][row]),
            on_hand: at(self.lines.on_hand, row, 0),
            target: at(self.lines.target, row, 0),
            low: entry.low,
            high: entry.high,
            pack: entry.pack,
            priority: at(self.lines.priority, row, 0),
            cut: false,
        }
    }

    fn groups(&self, range: Range<usize>, by: usize) -> Vec<Range<usize>> {
        let codes = self.lines.groups[by];
        runs(range, self.entries, |a, b| {
            codes[a.row as usize] == codes[b.row as usize]
        })
    }

    /// All that is below a node: its lines, or its groups within the bounds that they have.
    fn together(&self, range: &Range<usize>, depth: usize) -> Sum {
        let sum = match self.tiers[self.entries[range.start].tier as usize][depth].by {
            None => self.entries[range.clone()]
                .iter()
                .map(|entry| self.sum(entry, None))
                .reduce(Sum::with),
            Some(by) => {
                let groups = self.groups(range.clone(), by);
                groups.iter().map(|group| self.bounded(group, depth)).reduce(Sum::with)
            }
        };
        sum.expect("a node has a line")
    }

    /// One group of the step at `depth`, within its own least and most, weighed as the step says.
    fn bounded(&self, group: &Range<usize>, depth: usize) -> Sum {
        let entries = &self.entries[group.clone()];
        let step = &self.tiers[entries[0].tier as usize][depth];
        let mut sum = self.together(group, depth + 1);
        sum.weight = step.weight.map_or(sum.qty, |column| {
            entries
                .iter()
                .map(|entry| self.lines.weights[column][entry.row as usize])
                .sum()
        });
        let code = step.by.map_or(0, |by| self.lines.groups[by][entries[0].row as usize]);
        if let Some(&(least, most)) = step.bounds.get(code as usize) {
            sum.cut = most < sum.high;
            sum.high = most.min(sum.high) / sum.pack * sum.pack;
            sum.low = up(least.max(sum.low), sum.pack).min(sum.high);
        }
        sum
    }
}

impl Split {
    fn fill(&mut self, amount: i64, method: Method, sums: &[Sum], scratch: &mut Scratch) {
        self.claims.clear();
        self.claims.extend(sums.iter().map(|sum| sum.claim(method)));
        self.order.clear();
        self.left = if method == Method::Priority {
            self.order.extend(0..sums.len() as u32);
            self.order.sort_by_key(|index| sums[*index as usize].priority);
            fill_in_order(amount, &self.order, &self.claims, &mut self.shares)
        } else {
            scratch.fill(amount, &mut self.claims, &mut self.shares)
        };
    }
}

/// The stretches of a range whose entries are the same to `same`.
fn runs(range: Range<usize>, entries: &[Entry], same: impl Fn(&Entry, &Entry) -> bool) -> Vec<Range<usize>> {
    let mut start = range.start;
    entries[range]
        .chunk_by(same)
        .map(|run| {
            start += run.len();
            start - run.len()..start
        })
        .collect()
}
