//! The units of service in their order: the lines of an order that is served whole, or one line.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::Run;
use crate::group::{Grouping, Partitioned, Record, Side};
use crate::packing::Packing;
use crate::problem::{GroupPart, Whole};

/// All lines in the order in which they are served: each has a turn.
pub(super) struct Sequence {
    /// The line of each turn.
    pub line_of: Vec<u32>,
    /// The turn of each line.
    pub turn_of: Vec<u32>,
    /// Behind the last turn of each unit.
    pub ends: Vec<u32>,
}

/// The units in their order.
pub(super) struct Units {
    /// The unit of each line.
    pub of: Vec<u32>,
    /// Whether the lines of each unit are served together or not at all, as 0 or 1.
    pub whole: Vec<u8>,
}

impl Units {
    pub fn new(run: &Run) -> Self {
        let demand = &run.problem.demand;
        let lines = demand.qty.len();
        let order = Packing::new(&demand.order, demand.ids, lines, u64::BITS);
        let (by_order, units) = units(run, &order);
        let of: Vec<AtomicU32> = (0..lines).into_par_iter().map(|_| AtomicU32::new(0)).collect();
        let whole = units
            .par_iter()
            .enumerate()
            .with_min_len(SHARE)
            .map(|(number, unit)| {
                let (from, n) = ((unit[1] >> 32) as usize, unit[1] as u32 as usize);
                for &line in &by_order[from..from + n] {
                    of[line as usize].store(number as u32, Relaxed);
                }
                let fill = demand.fill.map_or(0, |fill| fill.get(by_order[from] as usize).max(0));
                u8::from(run.problem.fills[fill as usize].whole != Whole::No)
            })
            .collect();
        Self {
            of: of.into_iter().map(AtomicU32::into_inner).collect(),
            whole,
        }
    }
}

/// Units that one thread puts in their place at a time.
const SHARE: usize = 1 << 14;

impl Sequence {
    pub fn new(run: &Run) -> Self {
        let demand = &run.problem.demand;
        let lines = demand.qty.len();
        let order = Packing::new(&demand.order, demand.ids, lines, u64::BITS);
        let (by_order, units) = units(run, &order);
        let starts: Vec<u32> = units
            .chunks(SHARE)
            .scan(0, |turn, units| {
                let start = *turn;
                *turn += units.iter().map(|unit| unit[1] as u32).sum::<u32>();
                Some(start)
            })
            .collect();
        let sizes =
            (0..starts.len()).map(|i| starts.get(i + 1).map_or(lines, |&end| end as usize) - starts[i] as usize);
        let turn_of: Vec<AtomicU32> = (0..lines).into_par_iter().map(|_| AtomicU32::new(0)).collect();
        let (mut line_of, mut ends) = (vec![0_u32; lines], vec![0_u32; units.len()]);
        let shares: Vec<_> = units
            .chunks(SHARE)
            .zip(starts.iter().zip(cut(&mut line_of, sizes)))
            .zip(ends.chunks_mut(SHARE))
            .collect();
        shares.into_par_iter().for_each(|((units, (&start, line_of)), ends)| {
            let mut at = 0;
            for (unit, end) in units.iter().zip(ends) {
                let (from, n) = ((unit[1] >> 32) as usize, unit[1] as u32 as usize);
                for (&line, to) in by_order[from..from + n].iter().zip(&mut line_of[at..at + n]) {
                    *to = line;
                    turn_of[line as usize].store(start + at as u32, Relaxed);
                    at += 1;
                }
                *end = start + at as u32;
            }
        });
        Self {
            line_of,
            turn_of: turn_of.into_iter().map(AtomicU32::into_inner).collect(),
            ends,
        }
    }
}

/// The lines by unit, and the units in their order: the key of the first line, with where its lines begin (32 bits)
/// and how many they are.
fn units(run: &Run, order: &Packing) -> (Vec<u32>, Vec<Record>) {
    let demand = &run.problem.demand;
    let lines = demand.qty.len();
    // Lines without an order are in the group of those, each a unit of its own.
    let code = demand.order_code.map(|code| GroupPart {
        stock: code,
        demand: code,
        card: code.range().map_or(0, |(_, high)| high as u32 + 1),
    });
    let grouping = Grouping::new(code.as_slice(), 0, lines);
    let whole: Vec<bool> = run
        .problem
        .fills
        .iter()
        .map(|fill| fill.whole == Whole::Order)
        .collect();
    let whole_at = |line: usize| whole.get(demand.fill.map_or(0, |fill| fill.get(line).max(0)) as usize) == Some(&true);
    let keyed = Partitioned::new(&grouping, Side::Demand, lines, &|start, reader, groups, keys| {
        keys.fill(0);
        order.pack(start, reader, keys);
        let codes = demand.order_code.map(|code| reader.read(&code, start, keys.len()));
        for (i, group) in groups.iter_mut().enumerate() {
            let together = codes.is_some_and(|codes| codes[i] >= 0) && whole_at(start + i);
            *group |= u64::from(together);
        }
    });
    let mut by_order = vec![0_u32; lines];
    let sizes = (0..grouping.partitions()).map(|partition| keyed.len(partition));
    let starts = sizes.clone().scan(0, |start, size| {
        *start += size;
        Some(*start - size)
    });
    let shares: Vec<_> = cut(&mut by_order, sizes.clone())
        .into_iter()
        .zip(starts)
        .enumerate()
        .collect();
    let units: Vec<Vec<Record>> = shares
        .into_par_iter()
        .map_init(
            <(Vec<u32>, Vec<Record>)>::default,
            |(ends, records), (partition, (out, start))| {
                keyed.gather(partition, grouping.bits, ends, records);
                units_of(order, ends, records, out, start)
            },
        )
        .collect();
    drop(keyed);
    let mut units = units.concat();
    order.sort(&mut units);
    (by_order, units)
}

/// The units of one partition by order; `out` gets their lines, and begins with line `start` of all.
fn units_of(order: &Packing, ends: &[u32], records: &mut [Record], out: &mut [u32], start: usize) -> Vec<Record> {
    let mut units = Vec::with_capacity(ends.len());
    let mut from = 0;
    for &to in ends {
        let mine = &mut records[from..to as usize];
        for record in &mut *mine {
            *record = [record[1], record[0] & 1];
        }
        order.sort(mine);
        let begin = from;
        for record in mine.iter().filter(|record| record[1] == 1) {
            out[from] = order.row(record[0]);
            from += 1;
        }
        if let Some(first) = mine.iter().find(|record| record[1] == 1) {
            units.push([first[0], ((start + begin) << 32 | (from - begin)) as u64]);
        }
        for record in mine.iter().filter(|record| record[1] == 0) {
            out[from] = order.row(record[0]);
            units.push([record[0], ((start + from) << 32 | 1) as u64]);
            from += 1;
        }
    }
    units
}

/// Cuts a slice into pieces of these sizes.
fn cut<T>(mut rest: &mut [T], sizes: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    sizes
        .map(|size| rest.split_off_mut(..size).expect("the sizes add up to the length"))
        .collect()
}
