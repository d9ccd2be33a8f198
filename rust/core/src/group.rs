//! Brings rows and lines of one group together: a partition by ranges of groups, small enough for the second-level
//! cache, then a counting sort by group inside each partition.

use rayon::prelude::*;

use crate::column::{BLOCK, Column, Reader};
use crate::problem::GroupPart;

/// A row or line on its way: the packed key, and quantity (32 bits) with class (16 bits).
pub type Record = [u64; 2];

/// A quantity that does not fit a record; it is read from its column instead.
pub const QTY_IN_COLUMN: u32 = u32::MAX;

/// Records per partition that are aimed at.
const PARTITION: usize = 1 << 15;

/// Numbers of groups.
pub struct Grouping<'a> {
    parts: &'a [GroupPart<'a>],
    /// The groups that occur, where numbering all possible ones would be wasteful.
    sparse: Option<Vec<u64>>,
    /// Number of groups.
    pub groups: usize,
    /// Groups per partition, as a power of two.
    pub bits: u32,
}

#[derive(Clone, Copy)]
pub enum Side {
    Stock,
    Demand,
}

impl<'a> Grouping<'a> {
    /// Numbers the groups of `rows` stock rows and `lines` lines.
    pub fn new(parts: &'a [GroupPart<'a>], rows: usize, lines: usize) -> Self {
        let space = parts
            .iter()
            .fold(1_u64, |space, part| space.saturating_mul(u64::from(part.card) + 1));
        let mut grouping = Self {
            parts,
            sparse: None,
            groups: space as usize,
            bits: 0,
        };
        if space > ((rows + lines) as u64 * 8 + 1024).min(u64::from(u32::MAX)) {
            let mut known: Vec<u64> = [(Side::Stock, rows), (Side::Demand, lines)]
                .into_par_iter()
                .flat_map(|(side, n)| (0..n).into_par_iter().map(move |row| (side, row)))
                .map(|(side, row)| grouping.key(side, row))
                .collect();
            known.par_sort_unstable();
            known.dedup();
            grouping.groups = known.len();
            grouping.sparse = Some(known);
        }
        let partitions = ((rows + lines) / PARTITION).clamp(1, 2048);
        let per_partition = grouping.groups.div_ceil(partitions).next_power_of_two().min(1 << 16);
        grouping.bits = per_partition.trailing_zeros();
        grouping
    }

    fn column(part: &GroupPart<'a>, side: Side) -> Column<'a> {
        match side {
            Side::Stock => part.stock,
            Side::Demand => part.demand,
        }
    }

    fn key(&self, side: Side, row: usize) -> u64 {
        self.parts.iter().fold(0, |key, part| {
            let code = Self::column(part, side).get(row);
            key * (u64::from(part.card) + 1) + if code < 0 { u64::from(part.card) } else { code as u64 }
        })
    }

    /// The code of the first part of a group.
    pub fn first_part(&self, group: usize) -> usize {
        let key = self.sparse.as_ref().map_or(group as u64, |known| known[group]);
        let rest: u64 = self.parts[1..].iter().map(|part| u64::from(part.card) + 1).product();
        (key / rest) as usize
    }

    /// The group of a code, where groups have one part.
    pub fn group_of(&self, code: u32) -> Option<usize> {
        match &self.sparse {
            None => Some(code as usize),
            Some(known) => known.binary_search(&u64::from(code)).ok(),
        }
    }

    /// Number of partitions.
    pub fn partitions(&self) -> usize {
        (self.groups.max(1)).div_ceil(1 << self.bits)
    }

    fn numbers(&self, side: Side, start: usize, reader: &mut Reader, out: &mut [u32]) {
        let Some(known) = &self.sparse else {
            out.fill(0);
            for part in self.parts {
                let values = reader.read(&Self::column(part, side), start, out.len());
                for (o, &code) in out.iter_mut().zip(values) {
                    let digit = if code < 0 { part.card } else { code as u32 };
                    *o = o.wrapping_mul(part.card + 1).wrapping_add(digit);
                }
            }
            return;
        };
        for (i, o) in out.iter_mut().enumerate() {
            let key = self.key(side, start + i);
            *o = known.partition_point(|&k| k < key) as u32;
        }
    }
}

/// A share of the rows of one side, by partition.
pub struct Chunk {
    records: Vec<Record>,
    offsets: Vec<u32>,
}

/// Writes keys (below the group's bits) and payloads of the block of rows from a row on.
pub type Fill<'a> = dyn Fn(usize, &mut Reader, &mut [u64], &mut [u64]) + Sync + 'a;

/// One side, partitioned.
pub struct Partitioned(Vec<Chunk>);

impl Partitioned {
    /// Partitions `n` rows.
    pub fn new(grouping: &Grouping, side: Side, n: usize, fill: &Fill) -> Self {
        let chunks = rayon::current_num_threads().min(n.div_ceil(BLOCK)).max(1);
        let share = n.div_ceil(chunks);
        let chunks = (0..chunks)
            .into_par_iter()
            .map(|c| Self::chunk(grouping, side, (c * share).min(n)..((c + 1) * share).min(n), fill))
            .collect();
        Self(chunks)
    }

    fn chunk(grouping: &Grouping, side: Side, rows: std::ops::Range<usize>, fill: &Fill) -> Chunk {
        let mut reader = Reader::default();
        let mut groups = [0_u32; BLOCK];
        let mut offsets = vec![0_u32; grouping.partitions() + 1];
        for start in rows.clone().step_by(BLOCK) {
            let groups = &mut groups[..BLOCK.min(rows.end - start)];
            grouping.numbers(side, start, &mut reader, groups);
            for &group in &*groups {
                offsets[(group >> grouping.bits) as usize + 1] += 1;
            }
        }
        for p in 1..offsets.len() {
            offsets[p] += offsets[p - 1];
        }
        let mut records = vec![[0_u64; 2]; rows.len()];
        let mut at = offsets.clone();
        let mask = (1_u32 << grouping.bits) - 1;
        let (mut keys, mut payloads) = ([0_u64; BLOCK], [0_u64; BLOCK]);
        for start in rows.clone().step_by(BLOCK) {
            let n = BLOCK.min(rows.end - start);
            let (groups, keys, payloads) = (&mut groups[..n], &mut keys[..n], &mut payloads[..n]);
            grouping.numbers(side, start, &mut reader, groups);
            for (key, &group) in keys.iter_mut().zip(&*groups) {
                *key = u64::from(group & mask)
                    .checked_shl(u64::BITS - grouping.bits)
                    .unwrap_or(0);
            }
            fill(start, &mut reader, keys, payloads);
            for ((&group, &key), &payload) in groups.iter().zip(&*keys).zip(&*payloads) {
                let slot = &mut at[(group >> grouping.bits) as usize];
                records[*slot as usize] = [key, payload];
                *slot += 1;
            }
        }
        Chunk { records, offsets }
    }

    /// Number of records in a partition.
    pub fn len(&self, partition: usize) -> usize {
        self.0
            .iter()
            .map(|c| (c.offsets[partition + 1] - c.offsets[partition]) as usize)
            .sum()
    }

    /// Brings the records of a partition in order of their groups. `ends[g]` becomes the end of group `g`.
    pub fn gather(&self, partition: usize, bits: u32, ends: &mut Vec<u32>, out: &mut Vec<Record>) {
        let local = |record: &Record| record[0].checked_shr(u64::BITS - bits).unwrap_or(0) as usize;
        let parts = self.0.iter().map(|c| {
            let (a, b) = (c.offsets[partition] as usize, c.offsets[partition + 1] as usize);
            &c.records[a..b]
        });
        ends.clear();
        ends.resize((1 << bits) + 1, 0);
        for record in parts.clone().flatten() {
            ends[local(record) + 1] += 1;
        }
        for g in 1..ends.len() {
            ends[g] += ends[g - 1];
        }
        // What stands there from before is overwritten.
        out.resize(ends[1 << bits] as usize, [0; 2]);
        for record in parts.flatten() {
            let slot = &mut ends[local(record)];
            out[*slot as usize] = *record;
            *slot += 1;
        }
        // Every start has moved to its end; the entry behind the last group goes.
        ends.pop();
    }
}
