//! One amount over claims: every rule is a line that rises with a common level, cut off below and above.
//!
//! A claim gets `slope * level + offset`, at least `low`, at most `high`, at the one level at which all of them
//! together take the amount. Proportional is slope = claim; equal gains slope 1; equal losses slope 1, offset =
//! claim; equal cover slope = target, offset = minus what is on hand. The level is a fraction, found exactly.

use std::cmp::Ordering;

/// What one line, or one group of lines, may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// How much it gets per unit of the level, 0 or more; 0 never rises above `low`.
    pub slope: i64,
    /// What it would get at level 0; may be below zero.
    pub offset: i64,
    /// Its guarantee, 0 or more, in whole packs.
    pub low: i64,
    /// The most it may get, at least `low`, in whole packs.
    pub high: i64,
    /// Units in a pack, 1 or more.
    pub pack: i64,
}

/// A level at which a claim leaves `low` (`opens`) or reaches `high`.
#[derive(Debug, Clone, Copy)]
struct Bend {
    num: i64,
    den: i64,
    claim: u32,
    opens: bool,
}

/// What a claim lacks to its exact share, in fractions of the level's denominator.
#[derive(Debug, Clone, Copy)]
struct Lack {
    rest: i128,
    pack: i64,
    claim: u32,
}

/// Memory that is used again from one fill to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    bends: Vec<Bend>,
    lacks: Vec<Lack>,
}

impl Scratch {
    /// Divides `amount`, and returns what is left of it. Claims are in the order of their ids: it breaks ties.
    ///
    /// Guarantees that the amount does not cover are cut in proportion; what then fits into no pack of theirs goes to
    /// the other claims, by id.
    pub fn fill(&mut self, amount: i64, claims: &mut [Claim], shares: &mut Vec<i64>) -> i64 {
        shares.clear();
        let (low, high) = claims
            .iter()
            .fold((0, 0), |(low, high), claim| (low + claim.low, high + claim.high));
        if amount >= high {
            shares.extend(claims.iter().map(|claim| claim.high));
            return amount - high;
        }
        let uncut = if amount < low { claims.to_vec() } else { Vec::new() };
        if amount < low {
            for claim in claims.iter_mut() {
                *claim = Claim {
                    slope: claim.low,
                    offset: 0,
                    low: 0,
                    high: claim.low,
                    pack: claim.pack,
                };
            }
        }
        let (num, den) = self.level(amount, claims);
        self.lacks.clear();
        let mut left = amount;
        for (index, claim) in claims.iter().enumerate() {
            let exact = i128::from(claim.slope) * num + i128::from(claim.offset) * den;
            let share = if claim.slope == 0 || exact <= i128::from(claim.low) * den {
                claim.low
            } else if exact >= i128::from(claim.high) * den {
                claim.high
            } else {
                let pack = i128::from(claim.pack);
                let share = exact / (den * pack) * pack;
                let rest = exact - share * den;
                if rest > 0 {
                    self.lacks.push(Lack {
                        rest,
                        pack: claim.pack,
                        claim: index as u32,
                    });
                }
                share as i64
            };
            shares.push(share);
            left -= share;
        }
        if left > 0 {
            left = self.round(left, claims, shares);
        }
        for (claim, share) in uncut.iter().zip(shares.iter_mut()) {
            if claim.slope > 0 && left > 0 {
                let packs = (claim.high - *share).min(left) / claim.pack;
                *share += packs * claim.pack;
                left -= packs * claim.pack;
            }
        }
        left
    }

    /// The level, as a fraction, at which the claims together take the amount, which lies between `low` and `high`.
    fn level(&mut self, amount: i64, claims: &[Claim]) -> (i128, i128) {
        self.bends.clear();
        for (index, claim) in claims.iter().enumerate() {
            if claim.slope > 0 && claim.low < claim.high {
                let bend = |to: i64, opens| Bend {
                    num: to - claim.offset,
                    den: claim.slope,
                    claim: index as u32,
                    opens,
                };
                self.bends.extend([bend(claim.low, true), bend(claim.high, false)]);
            }
        }
        self.bends.sort_unstable_by(|a, b| {
            (i128::from(a.num) * i128::from(b.den)).cmp(&(i128::from(b.num) * i128::from(a.den)))
        });
        // Of the claims between their ends the sums of slope and offset; of all others what they get.
        let (mut slope, mut offset) = (0_i128, 0_i128);
        let mut fixed: i128 = claims.iter().map(|claim| i128::from(claim.low)).sum();
        let wanted = i128::from(amount);
        for bend in &self.bends {
            let short = wanted - fixed - offset;
            if slope > 0 && slope * i128::from(bend.num) >= short * i128::from(bend.den) {
                break;
            }
            let claim = &claims[bend.claim as usize];
            if bend.opens {
                slope += i128::from(claim.slope);
                offset += i128::from(claim.offset);
                fixed -= i128::from(claim.low);
            } else {
                slope -= i128::from(claim.slope);
                offset -= i128::from(claim.offset);
                fixed += i128::from(claim.high);
            }
        }
        // No claim between its ends: every claim that rises has reached its high, at any level above all bends.
        if slope == 0 {
            (i128::from(i64::MAX), 1)
        } else {
            (wanted - fixed - offset, slope)
        }
    }

    /// Gives what rounding down left, a pack each to the largest remainders; then, as packs may differ, what fits.
    fn round(&mut self, mut left: i64, claims: &[Claim], shares: &mut [i64]) -> i64 {
        self.lacks.sort_unstable_by(
            |a, b| match (b.rest * i128::from(a.pack)).cmp(&(a.rest * i128::from(b.pack))) {
                Ordering::Equal => a.claim.cmp(&b.claim),
                larger => larger,
            },
        );
        for lack in &self.lacks {
            if lack.pack <= left {
                shares[lack.claim as usize] += lack.pack;
                left -= lack.pack;
            }
        }
        let lacking = self.lacks.iter().map(|lack| lack.claim as usize);
        for index in lacking.chain(0..claims.len()) {
            if left == 0 {
                break;
            }
            let claim = &claims[index];
            if claim.slope > 0 {
                let packs = (claim.high - shares[index]).min(left) / claim.pack;
                shares[index] += packs * claim.pack;
                left -= packs * claim.pack;
            }
        }
        left
    }
}

/// Serves the claims one after another in `order`, each up to its `high`, after the guarantees of all of them.
pub fn fill_in_order(amount: i64, order: &[u32], claims: &[Claim], shares: &mut Vec<i64>) -> i64 {
    shares.clear();
    shares.resize(claims.len(), 0);
    let mut left = amount;
    for &index in order {
        let claim = &claims[index as usize];
        let share = claim.low.min(left) / claim.pack * claim.pack;
        shares[index as usize] = share;
        left -= share;
    }
    for &index in order {
        let claim = &claims[index as usize];
        let more = (claim.high - shares[index as usize]).min(left) / claim.pack * claim.pack;
        shares[index as usize] += more;
        left -= more;
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(amount: i64, claims: &[Claim]) -> Vec<i64> {
        let (mut claims, mut shares) = (claims.to_vec(), Vec::new());
        let left = Scratch::default().fill(amount, &mut claims, &mut shares);
        assert_eq!(left + shares.iter().sum::<i64>(), amount);
        shares
    }

    fn claim(slope: i64, offset: i64, high: i64) -> Claim {
        Claim {
            slope,
            offset,
            low: 0,
            high,
            pack: 1,
        }
    }

    #[test]
    fn proportional_to_what_is_asked() {
        let claims = [200, 250, 350].map(|asked| claim(asked, 0, asked));
        assert_eq!(shares(500, &claims), [125, 156, 219]);
    }

    #[test]
    fn equal_cover_of_targets() {
        assert_eq!(
            shares(1_200, &[claim(800, -200, 600), claim(1_500, -600, 900)]),
            [496, 704]
        );
        let claims = [(500, 200), (600, 250), (700, 250)].map(|(target, has)| claim(target, -has, target - has));
        assert_eq!(shares(500, &claims), [133, 150, 217]);
    }

    #[test]
    fn equal_gains_and_equal_losses() {
        assert_eq!(shares(10, &[2, 6, 9].map(|asked| claim(1, 0, asked))), [2, 4, 4]);
        assert_eq!(shares(10, &[2, 6, 9].map(|asked| claim(1, asked, asked))), [0, 4, 6]);
    }

    #[test]
    fn a_guarantee_comes_first_and_is_cut_in_proportion_when_it_must_be() {
        let claims = [(10, 8), (90, 0)].map(|(asked, low)| Claim {
            low,
            ..claim(asked, 0, asked)
        });
        assert_eq!(shares(20, &claims), [8, 12]);
        let claims = [(10, 8), (90, 4)].map(|(asked, low)| Claim {
            low,
            ..claim(asked, 0, asked)
        });
        assert_eq!(shares(6, &claims), [4, 2]);
    }

    #[test]
    fn packs_stay_whole_and_no_pack_that_fits_stays_behind() {
        let claims = [(30, 6), (30, 10), (30, 1)].map(|(asked, pack)| Claim {
            pack,
            ..claim(asked, 0, asked)
        });
        assert_eq!(shares(40, &claims), [12, 10, 18]);
    }

    #[test]
    fn a_claim_that_never_rises_gets_its_guarantee_only() {
        assert_eq!(shares(10, &[claim(0, 0, 0), claim(1, 0, 20)]), [0, 10]);
    }

    #[test]
    fn the_largest_numbers_are_exact() {
        let half = crate::fairness::QTY_MAX / 2;
        let claims = [claim(half, -half, half), claim(half - 1, half, half)];
        assert_eq!(shares(half, &claims), [0, half]);
        let claims = [claim(half, 0, half), claim(half - 1, 0, half - 1)];
        assert_eq!(shares(half, &claims), [half / 2, half / 2]);
    }
}
