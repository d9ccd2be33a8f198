//! Requests served in order from what their key has left: one running balance, nothing granted twice.

use crate::error::{Error, Result};

/// What a request gets that is above what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Above {
    /// What is left.
    Reduce,
    /// Nothing.
    Refuse,
    /// All of it.
    Pass,
}

impl Above {
    /// The meaning of a code of the table that Python compiles.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Reduce, Self::Refuse, Self::Pass].get(usize::from(code)).copied()
    }
}

/// Requests in the order in which they are served.
pub struct Requests<'a> {
    /// The key of each request: an index into `headroom`.
    pub key: &'a [u32],
    /// What each request asks for, 0 or more.
    pub qty: &'a [i64],
    /// A code of [`Above`] for each request.
    pub above: &'a [u8],
    /// What each key has left at the start; below zero counts as nothing.
    pub headroom: &'a [i64],
}

/// One row per request, in the same order.
#[derive(Debug, PartialEq, Eq)]
pub struct Grants {
    /// What its key had left when the request was served, 0 or more.
    pub left: Vec<i64>,
    /// What it got.
    pub qty: Vec<i64>,
}

/// Serves all requests in order. Linear in requests and keys.
pub fn grant(requests: &Requests) -> Result<Grants> {
    let rows = requests.key.len();
    for (column, length) in [("qty", requests.qty.len()), ("above", requests.above.len())] {
        if length != rows {
            return Err(Error::RowCount {
                column,
                rows: length,
                expected: rows,
            });
        }
    }
    let mut balance: Vec<i64> = requests.headroom.iter().map(|left| (*left).max(0)).collect();
    let mut grants = Grants {
        left: Vec::with_capacity(rows),
        qty: Vec::with_capacity(rows),
    };
    for row in 0..rows {
        let wanted = requests.qty[row];
        let above = Above::from_code(requests.above[row])
            .ok_or_else(|| Error::Table(format!("there is no code {}", requests.above[row])))?;
        let left = balance
            .get_mut(requests.key[row] as usize)
            .ok_or_else(|| Error::Table(format!("there is no key {}", requests.key[row])))?;
        let granted = match above {
            _ if wanted <= *left => wanted,
            Above::Pass => wanted,
            Above::Reduce => *left,
            Above::Refuse => 0,
        };
        grants.left.push(*left);
        grants.qty.push(granted);
        // A request that may pass can take more than is left; the key then has nothing, not less than nothing.
        *left = (*left - granted).max(0);
    }
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(key: &[u32], qty: &[i64], above: &[u8], headroom: &[i64]) -> Result<Grants> {
        grant(&Requests {
            key,
            qty,
            above,
            headroom,
        })
    }

    #[test]
    fn two_requests_share_one_headroom() {
        let grants = serve(&[0, 0], &[10, 13], &[0, 0], &[15]).unwrap();
        assert_eq!(
            grants,
            Grants {
                left: vec![15, 5],
                qty: vec![10, 5]
            }
        );
    }

    #[test]
    fn a_refused_request_leaves_its_headroom_to_a_smaller_one() {
        let grants = serve(&[0, 0, 0], &[10, 13, 5], &[1, 1, 1], &[15]).unwrap();
        assert_eq!(grants.qty, [10, 0, 5]);
    }

    #[test]
    fn one_that_may_pass_leaves_nothing_and_never_less() {
        let grants = serve(&[0, 0], &[20, 1], &[2, 0], &[15]).unwrap();
        assert_eq!(
            grants,
            Grants {
                left: vec![15, 0],
                qty: vec![20, 0]
            }
        );
    }

    #[test]
    fn a_key_above_its_limit_has_nothing_left() {
        assert_eq!(serve(&[1], &[4], &[0], &[9, -3]).unwrap().qty, [0]);
    }

    #[test]
    fn an_unknown_key_or_code_is_refused() {
        assert!(serve(&[1], &[1], &[0], &[1]).is_err());
        assert!(serve(&[0], &[1], &[3], &[1]).is_err());
        assert!(serve(&[0], &[], &[0], &[1]).is_err());
    }
}
