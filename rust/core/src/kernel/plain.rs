//! Serving when any quantity will do, no line ranks stock in its own way, and lines of one class meet the same rows:
//! a cursor per class of lines, which never goes back.

use super::{Pool, Pools, Run, class_of, crowded};
use crate::group::Record;
use crate::outcome::Stretch;
use crate::problem::{GATE_NO_BALANCE, PASS, Reason, SERVED};

/// State of the class of lines in the group at hand.
#[derive(Clone, Copy)]
struct Cursor {
    /// The group that this state belongs to.
    group: usize,
    /// First row that may still serve.
    at: u32,
    /// Why the next line is short, once nothing is left.
    reason: u8,
}

/// Serves groups one after the other.
pub struct Plain {
    /// By class of lines.
    cursors: Vec<Cursor>,
    /// What is left of the rows of the group at hand.
    balance: Vec<i64>,
}

impl Plain {
    pub fn new(run: &Run) -> Self {
        let fresh = Cursor {
            group: usize::MAX,
            at: 0,
            reason: SERVED,
        };
        Self {
            cursors: vec![fresh; run.eligibility.demand_classes],
            balance: Vec::new(),
        }
    }

    /// Serves all groups of a partition.
    pub fn serve_all(&mut self, run: &Run, pools: &Pools, out: &mut Stretch) {
        for pool in pools.demanded() {
            if run.eligibility.demand_classes > 64 && crowded::is_crowded(run, pool.rows, pool.lines) {
                crowded::serve(run, pool.rows, pool.lines, out);
            } else {
                self.serve(run, pool, |_| None, out);
            }
        }
    }

    /// Serves a group. A line that is `refused`, by its place in the group, gets nothing, for the reason given.
    #[inline]
    pub fn serve(&mut self, run: &Run, pool: Pool, refused: impl Fn(usize) -> Option<u8>, out: &mut Stretch) {
        let Pool { group, rows, lines } = pool;
        if rows.is_empty() {
            run.serve_empty(group, lines, out);
            return;
        }
        let Self { cursors, balance } = self;
        balance.clear();
        balance.extend(rows.iter().map(|r| run.available(r)));
        for (i, line) in lines.iter().enumerate() {
            let class = class_of(line);
            let number = run.line_order.row(line[0]);
            let requested = run.requested(line);
            if let Some(reason) = refused(i) {
                out.line.push(number);
                out.allocated.push(0);
                out.reason.push(if requested == 0 { SERVED } else { reason });
                continue;
            }
            let cursor = &mut cursors[class as usize];
            if cursor.group != group {
                *cursor = Cursor {
                    group,
                    at: 0,
                    reason: SERVED,
                };
            }
            let verdicts = run.eligibility.verdicts(class);
            let mut need = requested;
            let mut at = cursor.at as usize;
            let mut rank = 0;
            while need > 0 && at < rows.len() {
                let left = balance[at];
                if left > 0 && verdicts[class_of(&rows[at]) as usize] == PASS {
                    let take = left.min(need);
                    rank += 1;
                    out.takes.push(number, run.stock_order.row(rows[at][0]), take, rank);
                    balance[at] = left - take;
                    need -= take;
                    if left > take {
                        break;
                    }
                }
                at += 1;
            }
            cursor.at = at as u32;
            let reason = if need == 0 {
                SERVED
            } else if cursor.reason != SERVED {
                cursor.reason
            } else {
                short(run, rows, verdicts, requested - need, &mut cursor.reason)
            };
            out.line.push(number);
            out.allocated.push(requested - need);
            out.reason.push(reason);
        }
    }
}

/// The reason of the first line of a class that is short; `later` becomes that of all further ones.
fn short(run: &Run, rows: &[Record], verdicts: &[u8], allocated: i64, later: &mut u8) -> u8 {
    let mut at_start = 0_i64;
    let mut furthest = 0;
    for row in rows {
        let available = run.available(row);
        let gate = verdicts[class_of(row) as usize];
        if available > 0 && gate == PASS {
            at_start += available;
        } else {
            furthest = furthest.max(if available > 0 { gate } else { gate.min(GATE_NO_BALANCE) });
        }
    }
    *later = if at_start > 0 { Reason::Taken as u8 } else { furthest };
    if at_start > 0 && at_start == allocated {
        Reason::Insufficient as u8
    } else {
        *later
    }
}
