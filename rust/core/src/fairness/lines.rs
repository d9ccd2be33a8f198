//! The lines of a division: as they are given, checked, and in the order in which they are divided.

use crate::error::{Error, Result};
use crate::fairness::{PACK_MAX, QTY_MAX};

/// How an amount is divided among lines or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By what each asks, or by a weight.
    Proportional,
    /// The same for each, up to what it asks (max-min).
    EqualGains,
    /// The same part of its target for each, with what it has on hand.
    EqualCover,
    /// The same lost by each, down to nothing.
    EqualLosses,
    /// One after another.
    Priority,
}

impl Method {
    /// The meaning of a code of the table that Python compiles.
    pub fn from_code(code: u8) -> Option<Self> {
        use Method::{EqualCover, EqualGains, EqualLosses, Priority, Proportional};
        [Proportional, EqualGains, EqualCover, EqualLosses, Priority]
            .get(usize::from(code))
            .copied()
    }
}

/// Why a line gets less than it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The pool has no supply.
    NoSupply,
    /// It has its own maximum.
    AboveMax,
    /// What it lacks is less than a pack, or what is left is.
    Pack,
    /// Its group has its maximum.
    GroupMax,
    /// It has no weight or no target.
    NoWeight,
    /// What is left is guaranteed to later tiers.
    Guaranteed,
    /// What was served before it took it.
    Taken,
    /// There is less than is asked; this is its share.
    Insufficient,
    /// It is not short.
    Served = 255,
}

/// One division: of a tier among groups, of a group among smaller ones, or among lines.
#[derive(Debug, Clone)]
pub struct Step {
    /// How it is divided.
    pub method: Method,
    /// The column of `weights` that stands in for what is asked, for `Proportional`.
    pub weight: Option<usize>,
    /// The column of `groups` whose values are the groups; None divides among lines, and is the last step of a tier.
    pub by: Option<usize>,
    /// Least and most of each group, by its code; empty when no group has any.
    pub bounds: Vec<(i64, i64)>,
}

/// Lines in the order of their ids. An optional column that is None has the same for all: see each.
pub struct Lines<'a> {
    /// Index into the supply.
    pub pool: &'a [u32],
    /// Index into the tiers; None is the first.
    pub tier: Option<&'a [u32]>,
    /// What is asked, 0 or more.
    pub qty: &'a [i64],
    /// What is guaranteed; None is 0.
    pub qty_min: Option<&'a [i64]>,
    /// The most it may get; None is `qty`.
    pub qty_max: Option<&'a [i64]>,
    /// Units in a pack; None is 1.
    pub pack: Option<&'a [i64]>,
    /// Units there already, for equal cover; None is 0.
    pub on_hand: Option<&'a [i64]>,
    /// Units wanted there, for equal cover; None is 0.
    pub target: Option<&'a [i64]>,
    /// Lower is served first; None is 0.
    pub priority: Option<&'a [i64]>,
    /// Weights.
    pub weights: Vec<&'a [i64]>,
    /// Codes of groups.
    pub groups: Vec<&'a [u32]>,
}

/// One line as the division sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub row: u32,
    pub pool: u32,
    pub tier: u32,
    pub qty: i64,
    pub low: i64,
    pub high: i64,
    pub pack: i64,
}

impl Entry {
    fn new(lines: &Lines, row: usize) -> Self {
        let (qty, pack) = (lines.qty[row], at(lines.pack, row, 1));
        let high = at(lines.qty_max, row, qty).min(qty) / pack * pack;
        Self {
            row: row as u32,
            pool: lines.pool[row],
            tier: lines.tier.map_or(0, |tier| tier[row]),
            qty,
            low: up(at(lines.qty_min, row, 0), pack).min(high),
            high,
            pack,
        }
    }
}

/// The rows by pool, in each in the order of ids. Linear in lines and pools.
pub(super) fn by_pool(pool: &[u32], pools: usize) -> Vec<u32> {
    let mut next = vec![0_u32; pools + 1];
    for &pool in pool {
        next[pool as usize + 1] += 1;
    }
    for pool in 0..pools {
        next[pool + 1] += next[pool];
    }
    let mut rows = vec![0_u32; pool.len()];
    for (row, &pool) in pool.iter().enumerate() {
        rows[next[pool as usize] as usize] = row as u32;
        next[pool as usize] += 1;
    }
    rows
}

/// The lines of some pools, whose rows are by pool and id, by pool, tier, the groups of their tier, id.
pub(super) fn sorted(rows: &[u32], lines: &Lines, tiers: &[Vec<Step>]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = rows.iter().map(|row| Entry::new(lines, *row as usize)).collect();
    if tiers.len() == 1 && lines.groups.is_empty() {
        return entries;
    }
    let grouped: Vec<Vec<&[u32]>> = tiers
        .iter()
        .map(|steps| {
            steps
                .iter()
                .filter_map(|step| step.by)
                .map(|by| lines.groups[by])
                .collect()
        })
        .collect();
    for pool in entries.chunk_by_mut(|a, b| a.pool == b.pool) {
        pool.sort_unstable_by(|a, b| {
            // Groups are compared within one tier only, so that both have the same columns.
            let columns = &grouped[a.tier as usize];
            let groups = |row: u32| columns.iter().map(move |codes| codes[row as usize]);
            a.tier
                .cmp(&b.tier)
                .then_with(|| groups(a.row).cmp(groups(b.row)))
                .then(a.row.cmp(&b.row))
        });
    }
    entries
}

pub(super) fn at(column: Option<&[i64]>, row: usize, absent: i64) -> i64 {
    column.map_or(absent, |values| values[row])
}

pub(super) fn up(qty: i64, pack: i64) -> i64 {
    (qty + pack - 1) / pack * pack
}

/// Refuses what the arithmetic does not bear, and what contradicts itself.
pub(super) fn check(lines: &Lines, tiers: &[Vec<Step>], supply: &[i64]) -> Result<()> {
    let rows = lines.pool.len();
    if rows >= u32::MAX as usize {
        return Err(Error::TooManyRows {
            rows,
            rows_max: u32::MAX as usize - 1,
        });
    }
    let numbers = [
        ("qty", Some(lines.qty), QTY_MAX),
        ("qty_min", lines.qty_min, QTY_MAX),
        ("qty_max", lines.qty_max, i64::MAX),
        ("pack", lines.pack, PACK_MAX),
        ("on_hand", lines.on_hand, QTY_MAX),
        ("target", lines.target, QTY_MAX),
    ];
    let weights = lines.weights.iter().map(|weight| ("weight", Some(*weight), QTY_MAX));
    for (column, values, most) in numbers.into_iter().chain(weights) {
        let Some(values) = values else { continue };
        same_length(column, values.len(), rows)?;
        let least = i64::from(column == "pack");
        let bounded = values.iter().all(|value| (least..=most).contains(value));
        let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
        let summed = matches!(column, "qty_max" | "pack") || sum <= i128::from(QTY_MAX);
        if !bounded || !summed {
            return Err(Error::Table(format!("{column} is out of range")));
        }
    }
    same_length("priority", lines.priority.map_or(rows, <[i64]>::len), rows)?;
    same_length("tier", lines.tier.map_or(rows, <[u32]>::len), rows)?;
    for codes in &lines.groups {
        same_length("group", codes.len(), rows)?;
    }
    let columns = |step: &Step| {
        step.by.is_none_or(|by| by < lines.groups.len()) && step.weight.is_none_or(|at| at < lines.weights.len())
    };
    let last = |steps: &[Step]| steps.iter().position(|step| step.by.is_none()) == steps.len().checked_sub(1);
    let bounds = |step: &Step| {
        step.bounds
            .iter()
            .all(|(least, most)| *least >= 0 && *most >= *least && *least <= QTY_MAX)
    };
    if !tiers
        .iter()
        .all(|steps| last(steps) && steps.iter().all(|step| columns(step) && bounds(step)))
    {
        return Err(Error::Table("a step names a column or a bound that cannot be".into()));
    }
    if !lines.pool.iter().all(|pool| (*pool as usize) < supply.len())
        || !lines
            .tier
            .is_none_or(|tier| tier.iter().all(|tier| (*tier as usize) < tiers.len()))
        || tiers.is_empty()
    {
        return Err(Error::Table("there is no such pool or tier".into()));
    }
    let total: i128 = supply.iter().map(|qty| i128::from(*qty)).sum();
    if supply.iter().any(|qty| *qty < 0) || total > i128::from(QTY_MAX) {
        return Err(Error::Table("supply is out of range".into()));
    }
    Ok(())
}

fn same_length(column: &'static str, rows: usize, expected: usize) -> Result<()> {
    if rows == expected {
        Ok(())
    } else {
        Err(Error::RowCount { column, rows, expected })
    }
}
