//! Lines one after another under quotas and protection: running balances, nothing granted twice.

use crate::error::{Error, Result};
use crate::fairness::pools::Pools;

/// No quota holds for a line, or no protection is its own.
pub const NONE: u32 = u32::MAX;

/// A line needs a quota and has none: it gets nothing.
pub const REFUSED: u32 = u32::MAX - 1;

/// Why a line is granted less than it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// The pool has no supply.
    NoSupply,
    /// There is no quota for it, and it needs one.
    NoQuota,
    /// Its quota is used up.
    Quota,
    /// What is left is kept for others.
    Protected,
    /// What it lacks is less than a pack.
    Pack,
    /// Lines before it took it.
    Taken,
    /// The pool had less than it asks from the start.
    Insufficient,
    /// It is not short.
    Served = 255,
}

/// Lines in the order in which they are served.
pub struct Asks<'a> {
    /// Index into the supply.
    pub pool: &'a [u32],
    /// What is asked, 0 or more.
    pub qty: &'a [i64],
    /// Units in a pack, 1 or more.
    pub pack: &'a [i64],
    /// Index into the quotas, [`NONE`] or [`REFUSED`].
    pub quota: &'a [u32],
    /// Index into the protections of its pool, or [`NONE`].
    pub protection: &'a [u32],
}

/// Ceilings of groups in periods: the periods of a group in a row, by time.
pub struct Quotas<'a> {
    /// What is left of each, 0 or more.
    pub left: &'a [i64],
    /// Row of the first period of the same group.
    pub first: &'a [u32],
    /// For how many periods what one leaves can still be used.
    pub carry_over: u32,
}

/// Floors kept for groups: those of a pool in a row, by priority.
pub struct Protections<'a> {
    /// Index into the supply.
    pub pool: &'a [u32],
    /// Lower may take from what is kept for higher.
    pub priority: &'a [i64],
    /// What is left of each, 0 or more; those of a pool are at most its supply together.
    pub left: &'a [i64],
}

/// One row per line, in the same order; and what is left of each quota and protection.
#[derive(Debug, PartialEq, Eq)]
pub struct Rations {
    /// What it is granted.
    pub qty: Vec<i64>,
    /// Of that, from quotas of earlier periods.
    pub carried: Vec<i64>,
    /// Of that, from what was kept for its own group.
    pub protected: Vec<i64>,
    /// Of that, from what was kept for groups behind its own.
    pub borrowed: Vec<i64>,
    /// Why it is granted no more, a [`Reason`].
    pub reason: Vec<u8>,
    /// What is left of each quota.
    pub quota_left: Vec<i64>,
    /// What is left of each protection.
    pub protection_left: Vec<i64>,
}

/// Serves all lines in order. Linear in lines, times the logarithm of the protections.
pub fn ration(asks: &Asks, quotas: &Quotas, protections: &Protections, supply: &[i64]) -> Result<Rations> {
    check(asks, quotas, protections, supply)?;
    let rows = asks.pool.len();
    let mut pools = Pools::new(protections, supply);
    let mut book = Periods::new(quotas);
    let column = || Vec::with_capacity(rows);
    let mut rations = Rations {
        qty: column(),
        carried: column(),
        protected: column(),
        borrowed: column(),
        reason: Vec::with_capacity(rows),
        quota_left: Vec::new(),
        protection_left: Vec::new(),
    };
    for row in 0..rows {
        let (pool, qty, quota) = (asks.pool[row] as usize, asks.qty[row], asks.quota[row]);
        let free = pools.available(pool, asks.protection[row]).min(qty);
        let within = match quota {
            NONE => qty,
            REFUSED => 0,
            // No further than tells whether the quota or the stock is the tighter.
            period => book.available(period, qty.min(free + 1)),
        };
        let granted = within.min(free) / asks.pack[row] * asks.pack[row];
        let reason = if granted == qty {
            Reason::Served
        } else if quota == REFUSED {
            Reason::NoQuota
        } else if supply[pool] == 0 {
            Reason::NoSupply
        } else if within < qty && within <= free {
            Reason::Quota
        } else if free == qty {
            Reason::Pack
        } else if pools.left[pool] > free {
            Reason::Protected
        } else if pools.left[pool] < supply[pool] {
            Reason::Taken
        } else {
            Reason::Insufficient
        };
        rations
            .carried
            .push(if quota < REFUSED { book.take(quota, granted) } else { 0 });
        let (own, borrowed) = pools.take(pool, asks.protection[row], granted);
        rations.qty.push(granted);
        rations.protected.push(own);
        rations.borrowed.push(borrowed);
        rations.reason.push(reason as u8);
    }
    rations.quota_left = book.left;
    rations.protection_left = pools.kept;
    Ok(rations)
}

/// What is left of quotas, with a way past those that are empty.
struct Periods<'a> {
    left: Vec<i64>,
    quotas: &'a Quotas<'a>,
    /// For each period a period at or before it; those between are empty. One more than the row, 0 is none.
    back: Vec<u32>,
}

impl<'a> Periods<'a> {
    fn new(quotas: &'a Quotas) -> Self {
        Self {
            left: quotas.left.to_vec(),
            quotas,
            back: (1..=quotas.left.len() as u32).collect(),
        }
    }

    /// The last period at or before this one with something left, with one added; 0 if there is none.
    fn filled(&mut self, period: u32) -> u32 {
        let mut found = period;
        while found > 0 && self.left[found as usize - 1] == 0 {
            let next = self.back[found as usize - 1];
            found = if next == found { found - 1 } else { next };
        }
        let mut walked = period;
        while walked > found {
            let next = self.back[walked as usize - 1];
            self.back[walked as usize - 1] = found;
            walked = if next == walked { walked - 1 } else { next };
        }
        found
    }

    /// Visits what may serve a line of this period: its own, then what earlier ones left, the nearest first.
    fn each(&mut self, period: u32, mut visit: impl FnMut(&mut i64, bool) -> bool) {
        let oldest = self.quotas.first[period as usize].max(period.saturating_sub(self.quotas.carry_over));
        let mut found = self.filled(period + 1);
        while found > oldest && visit(&mut self.left[found as usize - 1], found == period + 1) {
            found = self.filled(found - 1);
        }
    }

    fn available(&mut self, period: u32, qty: i64) -> i64 {
        let mut sum = 0_i64;
        self.each(period, |left, _| {
            sum += (*left).min(qty - sum);
            sum < qty
        });
        sum
    }

    /// Takes a quantity that is available; how much of it earlier periods had left.
    fn take(&mut self, period: u32, qty: i64) -> i64 {
        let (mut wanted, mut carried) = (qty, 0);
        self.each(period, |left, own| {
            let taken = wanted.min(*left);
            *left -= taken;
            wanted -= taken;
            carried += if own { 0 } else { taken };
            wanted > 0
        });
        carried
    }
}

fn check(asks: &Asks, quotas: &Quotas, protections: &Protections, supply: &[i64]) -> Result<()> {
    let rows = asks.pool.len();
    let lengths = [
        ("qty", asks.qty.len(), rows),
        ("pack", asks.pack.len(), rows),
        ("quota", asks.quota.len(), rows),
        ("protection", asks.protection.len(), rows),
        ("first", quotas.first.len(), quotas.left.len()),
        ("priority", protections.priority.len(), protections.pool.len()),
        ("left", protections.left.len(), protections.pool.len()),
    ];
    for (column, rows, expected) in lengths {
        if rows != expected {
            return Err(Error::RowCount { column, rows, expected });
        }
    }
    let wrong = |what: &str| Err(Error::Table(format!("{what} is out of range")));
    let negative = |column: &[i64]| column.iter().any(|value| *value < 0);
    if [asks.qty, quotas.left, protections.left, supply]
        .iter()
        .any(|column| negative(column))
    {
        return wrong("a quantity");
    }
    if asks.pack.iter().any(|pack| *pack < 1) {
        return wrong("a pack");
    }
    let pools = supply.len();
    if asks
        .pool
        .iter()
        .chain(protections.pool)
        .any(|pool| *pool as usize >= pools)
    {
        return wrong("a pool");
    }
    if asks
        .quota
        .iter()
        .any(|quota| *quota < REFUSED && *quota as usize >= quotas.left.len())
        || quotas
            .first
            .iter()
            .enumerate()
            .any(|(row, first)| *first as usize > row)
    {
        return wrong("a quota");
    }
    let owned = |(pool, own): (&u32, &u32)| *own == NONE || protections.pool.get(*own as usize) == Some(pool);
    if !asks.pool.iter().zip(asks.protection).all(owned) {
        return wrong("a protection");
    }
    let rows = protections.pool.iter().zip(protections.priority);
    if !rows.is_sorted() {
        return wrong("the order of protections");
    }
    let mut kept = vec![0_i128; pools];
    for (pool, qty) in protections.pool.iter().zip(protections.left) {
        kept[*pool as usize] += i128::from(*qty);
    }
    if kept
        .iter()
        .zip(supply)
        .any(|(kept, supply)| *kept > i128::from(*supply))
    {
        return wrong("protection");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One pool of 100; lines ask 40 each, of these quotas and protections.
    fn rations(quota: &[u32], own: &[u32], quotas: &Quotas, protections: &Protections) -> Rations {
        let rows = quota.len();
        let asks = Asks {
            pool: &vec![0; rows],
            qty: &vec![40; rows],
            pack: &vec![1; rows],
            quota,
            protection: own,
        };
        ration(&asks, quotas, protections, &[100]).unwrap()
    }

    const NO_QUOTAS: Quotas = Quotas {
        left: &[],
        first: &[],
        carry_over: 0,
    };
    const NO_PROTECTION: Protections = Protections {
        pool: &[],
        priority: &[],
        left: &[],
    };

    #[test]
    fn a_quota_is_its_own_periods_first_and_then_what_the_nearest_before_it_left() {
        let quotas = Quotas {
            left: &[30, 10, 20],
            first: &[0, 0, 0],
            carry_over: 1,
        };
        let found = rations(&[2, 2, 0, 0], &[NONE; 4], &quotas, &NO_PROTECTION);
        assert_eq!((found.qty, found.carried), (vec![30, 0, 30, 0], vec![10, 0, 0, 0]));
        assert_eq!(found.quota_left, [0, 0, 0]);
        assert_eq!(found.reason, [Reason::Quota as u8; 4]);
    }

    #[test]
    fn what_is_kept_for_others_is_left_and_said() {
        let kept = Protections {
            pool: &[0, 0],
            priority: &[1, 2],
            left: &[30, 40],
        };
        let found = rations(&[NONE; 4], &[NONE, 1, 0, 0], &NO_QUOTAS, &kept);
        assert_eq!(found.qty, [30, 40, 30, 0]);
        let reasons = [Reason::Protected, Reason::Served, Reason::Taken, Reason::Taken];
        assert_eq!(found.reason, reasons.map(|reason| reason as u8));
    }

    #[test]
    fn a_group_may_take_what_is_kept_for_groups_behind_it_and_not_before_it() {
        let kept = Protections {
            pool: &[0, 0],
            priority: &[1, 2],
            left: &[10, 70],
        };
        let found = rations(&[NONE; 3], &[0, 1, 1], &NO_QUOTAS, &kept);
        assert_eq!((found.qty, found.borrowed), (vec![40, 40, 20], vec![10, 0, 0]));
        let found = rations(&[NONE; 3], &[1, 1, 1], &NO_QUOTAS, &kept);
        assert_eq!(found.qty, [40, 40, 10]);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let kept = Protections {
            pool: &[0],
            priority: &[1],
            left: &[101],
        };
        let asks = Asks {
            pool: &[0],
            qty: &[1],
            pack: &[1],
            quota: &[NONE],
            protection: &[NONE],
        };
        assert!(ration(&asks, &NO_QUOTAS, &kept, &[100]).is_err());
        assert!(ration(&Asks { quota: &[7], ..asks }, &NO_QUOTAS, &NO_PROTECTION, &[100]).is_err());
    }
}
