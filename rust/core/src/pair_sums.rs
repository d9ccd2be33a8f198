//! Amounts added up by pairs of numbers: partitioned by the first number until a partition fits a cache, sorted in it.

use rayon::prelude::*;

use crate::error::{Error, Result};

/// How many rows a partition should have.
const PARTITION_ROWS: usize = 1 << 12;

/// More partitions than this cost more than they save.
const PARTITIONS_MAX: usize = 1 << 11;

/// How many rows are partitioned by one task.
const PIECE_ROWS: usize = 1 << 19;

/// Pairs, each of them once and ascending, with the sums of their amounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PairSums {
    /// The first number of each pair.
    pub high: Vec<u32>,
    /// The second.
    pub low: Vec<u32>,
    /// Sums, by amount.
    pub amounts: Vec<Vec<i64>>,
}

/// Adds up one amount, or two, by pair. No sum may exceed 63 bits.
pub fn pair_sums(high: &[u32], low: &[u32], amounts: &[&[i64]]) -> Result<PairSums> {
    if low.len() != high.len() || amounts.iter().any(|amount| amount.len() != high.len()) {
        return Err(Error::Table("pairs and amounts differ in length".into()));
    }
    match *amounts {
        [one] => Ok(summed(high, low, [one])),
        [one, other] => Ok(summed(high, low, [one, other])),
        _ => Err(Error::Table(format!("{} amounts of pairs", amounts.len()))),
    }
}

/// A pair as one number, and its amounts.
type Entry<const N: usize> = (u64, [i64; N]);

fn summed<const N: usize>(high: &[u32], low: &[u32], amounts: [&[i64]; N]) -> PairSums {
    let partitions = (high.len() / PARTITION_ROWS)
        .clamp(1, PARTITIONS_MAX)
        .next_power_of_two();
    let most = high.par_iter().copied().max().unwrap_or(0);
    let shift = (u32::BITS - most.leading_zeros()).saturating_sub(partitions.ilog2());
    let part = |high: u32| (u64::from(high) >> shift) as usize;
    let pieces: Vec<_> = (0..high.len())
        .into_par_iter()
        .step_by(PIECE_ROWS)
        .map(|start| {
            let rows = start..(start + PIECE_ROWS).min(high.len());
            let mut ends = vec![0_u32; partitions + 1];
            for high in &high[rows.clone()] {
                ends[part(*high) + 1] += 1;
            }
            for partition in 0..partitions {
                ends[partition + 1] += ends[partition];
            }
            let mut entries: Vec<Entry<N>> = vec![(0, [0; N]); rows.len()];
            for row in rows {
                let end = &mut ends[part(high[row])];
                let pair = u64::from(high[row]) << 32 | u64::from(low[row]);
                entries[*end as usize] = (pair, amounts.map(|amount| amount[row]));
                *end += 1;
            }
            (entries, ends)
        })
        .collect();
    let found: Vec<_> = (0..partitions)
        .into_par_iter()
        .map(|partition| {
            let mut entries: Vec<Entry<N>> = Vec::new();
            for (piece, ends) in &pieces {
                // Each partition's start has moved to its end.
                let start = if partition == 0 { 0 } else { ends[partition - 1] };
                entries.extend_from_slice(&piece[start as usize..ends[partition] as usize]);
            }
            entries.sort_unstable_by_key(|entry| entry.0);
            entries.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    for (sum, amount) in kept.1.iter_mut().zip(next.1) {
                        *sum += amount;
                    }
                }
                same
            });
            entries
        })
        .collect();
    let total = found.iter().map(Vec::len).sum();
    let mut sums = PairSums {
        high: Vec::with_capacity(total),
        low: Vec::with_capacity(total),
        amounts: vec![Vec::with_capacity(total); N],
    };
    for entries in found {
        sums.high.extend(entries.iter().map(|entry| (entry.0 >> 32) as u32));
        sums.low.extend(entries.iter().map(|entry| entry.0 as u32));
        for (number, amounts) in sums.amounts.iter_mut().enumerate() {
            amounts.extend(entries.iter().map(|entry| entry.1[number]));
        }
    }
    sums
}

/// Amounts of numbers with those of pairs that begin with them behind each: number, second of the pair (0 for the
/// number itself), amount.
pub type Laid = (Vec<u32>, Vec<u8>, Vec<i64>);

/// Lays pairs behind the numbers that they begin with.
///
/// `numbers` ascend and hold the first number of every pair; second numbers are from 1 to 255.
pub fn laid_behind(numbers: &[u32], amounts: &[i64], pairs: &PairSums) -> Result<Laid> {
    let Some(behind) = pairs.amounts.first().filter(|_| numbers.len() == amounts.len()) else {
        return Err(Error::Table("numbers and amounts differ in length".into()));
    };
    let rows = numbers.len() + behind.len();
    let mut laid: Laid = (
        Vec::with_capacity(rows),
        Vec::with_capacity(rows),
        Vec::with_capacity(rows),
    );
    let mut next = 0;
    for (&number, &amount) in numbers.iter().zip(amounts) {
        laid.0.push(number);
        laid.1.push(0);
        laid.2.push(amount);
        while pairs.high.get(next) == Some(&number) {
            laid.0.push(number);
            laid.1.push(pairs.low[next].min(255) as u8);
            laid.2.push(behind[next]);
            next += 1;
        }
    }
    if next < behind.len() {
        return Err(Error::Table("a pair begins with a number that is not there".into()));
    }
    Ok(laid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_lie_behind_the_number_that_they_begin_with() {
        let pairs = pair_sums(&[5, 2, 5], &[3, 1, 1], &[&[10, 20, 30]]).expect("columns of one length");
        let laid = (
            vec![2, 2, 4, 5, 5, 5],
            vec![0, 1, 0, 0, 1, 3],
            vec![7, 20, 8, 9, 30, 10],
        );
        assert_eq!(laid_behind(&[2, 4, 5], &[7, 8, 9], &pairs), Ok(laid));
        assert!(laid_behind(&[2, 4], &[7, 8], &pairs).is_err());
    }

    #[test]
    fn amounts_are_added_up_by_pair_and_pairs_ascend() {
        let sums = pair_sums(&[7, 0, 7, u32::MAX], &[1, 9, 1, 0], &[&[2, 3, -5, 4], &[1, 1, 1, 1]]);
        let expected = PairSums {
            high: vec![0, 7, u32::MAX],
            low: vec![9, 1, 0],
            amounts: vec![vec![3, -3, 4], vec![1, 2, 1]],
        };
        assert_eq!(sums, Ok(expected));
    }

    #[test]
    fn many_pairs_in_partitions_come_as_those_of_one_sort() {
        let high: Vec<u32> = (0..50_000_u32).map(|n| n.wrapping_mul(2_654_435_761) % 9_001).collect();
        let low: Vec<u32> = (0..50_000_u32).map(|n| n % 3).collect();
        let amount: Vec<i64> = (0..50_000).collect();
        let mut expected = std::collections::BTreeMap::new();
        for row in 0..50_000 {
            *expected.entry((high[row], low[row])).or_insert(0) += amount[row];
        }
        let sums = pair_sums(&high, &low, &[&amount]).expect("columns of one length");
        assert!(sums.high.into_iter().zip(sums.low).eq(expected.keys().copied()));
        assert!(sums.amounts[0].iter().eq(expected.values()));
    }

    #[test]
    fn nothing_adds_up_to_nothing_and_columns_of_other_lengths_are_refused() {
        assert_eq!(pair_sums(&[], &[], &[&[]]).map(|sums| sums.high), Ok(vec![]));
        assert!(pair_sums(&[1], &[], &[&[1]]).is_err() && pair_sums(&[1], &[1], &[]).is_err());
    }
}
