//! Serving when any quantity will do, no line ranks stock in its own way, and lines of one class meet the same rows:
//! a cursor per class of lines, which never goes back.

use super::{Pools, Run, class_of, crowded};
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

/// Serves all groups of a partition.
pub fn serve(run: &Run, pools: &Pools, out: &mut Stretch) {
    let fresh = Cursor {
        group: usize::MAX,
        at: 0,
        reason: SERVED,
    };
    let mut cursors = vec![fresh; run.eligibility.demand_classes];
    let mut balance: Vec<i64> = Vec::new();
    for (group, rows, lines) in pools.demanded() {
        if rows.is_empty() {
            run.serve_empty(group, lines, out);
            continue;
        }
        if run.eligibility.demand_classes > 64 && crowded::is_crowded(run, rows, lines) {
            crowded::serve(run, rows, lines, out);
            continue;
        }
        balance.clear();
        balance.extend(rows.iter().map(|r| run.available(r)));
        for line in lines {
            let class = class_of(line);
            let cursor = &mut cursors[class as usize];
            if cursor.group != group {
                *cursor = Cursor { group, ..fresh };
            }
            let verdicts = run.eligibility.verdicts(class);
            let number = run.line_order.row(line[0]);
            let requested = run.requested(line);
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
