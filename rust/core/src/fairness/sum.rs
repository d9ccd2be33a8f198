//! What a line, or all lines of a group together, ask, have and may get; and the claim that a method makes of it.

use crate::fairness::fill::Claim;
use crate::fairness::lines::Method;

/// A line, or all lines of a group together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    pub qty: i64,
    pub weight: i64,
    pub on_hand: i64,
    pub target: i64,
    pub low: i64,
    pub high: i64,
    pub pack: i64,
    pub priority: i64,
    /// Whether a bound of the group lowered `high`.
    pub cut: bool,
}

impl Sum {
    pub fn with(self, other: Self) -> Self {
        Self {
            qty: self.qty + other.qty,
            weight: self.weight + other.weight,
            on_hand: self.on_hand + other.on_hand,
            target: self.target + other.target,
            low: self.low + other.low,
            high: self.high + other.high,
            pack: gcd(self.pack, other.pack),
            priority: self.priority.min(other.priority),
            cut: false,
        }
    }

    pub fn slope(&self, method: Method) -> i64 {
        match method {
            Method::Proportional => self.weight,
            Method::EqualCover => self.target,
            Method::EqualGains | Method::EqualLosses | Method::Priority => 1,
        }
    }

    pub fn claim(&self, method: Method) -> Claim {
        let slope = self.slope(method);
        let offset = match method {
            Method::EqualCover => -self.on_hand,
            Method::EqualLosses => self.qty,
            _ => 0,
        };
        let high = if slope == 0 { self.low } else { self.high };
        Claim {
            slope,
            offset,
            low: self.low,
            high,
            pack: self.pack,
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
