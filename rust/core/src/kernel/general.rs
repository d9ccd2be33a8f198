//! Serving under any policy, group by group.

use super::book::Book;
use super::crowded;
use super::fill::{Take, decide};
use super::{Pool, Pools, Run};
use crate::outcome::Stretch;
use crate::problem::SERVED;

/// Serves all groups of a partition.
pub fn serve(run: &Run, pools: &Pools, out: &mut Stretch) {
    let mut book = Book::default();
    let (mut slots, mut takes) = (Vec::new(), Vec::<Take>::new());
    for Pool { group, rows, lines } in pools.demanded() {
        if rows.is_empty() {
            run.serve_empty(group, lines, out);
            continue;
        }
        if crowded::is_crowded(run, rows, lines) {
            crowded::serve(run, rows, lines, out);
            continue;
        }
        book.clear();
        slots.clear();
        book.add(run, rows, lines, |line| run.line_order.row(line[0]), &mut slots);
        for (line, &slot) in lines.iter().zip(&slots) {
            let number = run.line_order.row(line[0]);
            let need = run.requested(line);
            let (served, reason) = decide(run, &mut book, slot, number, need, &mut takes);
            for (rank, take) in (1..).zip(&takes) {
                book.take(run, slot, take.at, take.qty);
                out.takes
                    .push(number, book.rows[take.at as usize].number, take.qty, rank);
                if run.exchange.is_some() {
                    out.takes.served.push(take.served);
                }
            }
            out.line.push(number);
            out.allocated.push(served);
            out.reason.push(if need == served { SERVED } else { reason });
        }
    }
}
