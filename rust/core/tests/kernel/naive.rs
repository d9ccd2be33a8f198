//! A short, slow allocator, written from `docs/allocation.md` alone: what the kernel must answer.

use std::cmp::Ordering;
use std::collections::HashMap;

use allocator_core::problem::{GATE_NO_BALANCE, GATE_SAFETY, GATE_UNKNOWN, One, PASS, Reason, SERVED, Whole};

use crate::world::{
    Direction, GATE_CONTRACT, GATE_EXPIRED, GATE_LOT, GATE_PLACE, GATE_SHELF_LIFE, GATE_STATUS, Line, Row, Rule, World,
};

/// What became of one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    pub line: u64,
    pub allocated: i64,
    pub reason: u8,
    /// Row, units of the row, units of the line; in the order in which they were taken.
    pub takes: Vec<(u64, i64, i64)>,
}

/// Every line, in the order of the answer.
pub fn allocate(world: &World) -> Vec<Served> {
    let mut state = State::new(world);
    let mut lines: Vec<usize> = (0..world.lines.len()).collect();
    lines.sort_by(|&a, &b| {
        let (a, b) = (&world.lines[a], &world.lines[b]);
        compared(a.key, b.key, world.rules.line_direction).then(a.id.cmp(&b.id))
    });
    let mut units: Vec<Vec<usize>> = Vec::new();
    let mut unit_of: HashMap<u32, usize> = HashMap::new();
    for line in lines {
        let whole_order = state.rule(line).whole == Whole::Order;
        match unit_of.get(&world.lines[line].order) {
            Some(&unit) if whole_order => units[unit].push(line),
            _ => {
                if whole_order {
                    unit_of.insert(world.lines[line].order, units.len());
                }
                units.push(vec![line]);
            }
        }
    }
    let mut served: Vec<((u32, u32), Served)> = Vec::new();
    for unit in units {
        let before = state.left.clone();
        let mut outcomes: Vec<Served> = unit.iter().map(|&line| state.serve(line)).collect();
        let whole_order = state.rule(unit[0]).whole == Whole::Order;
        if whole_order && outcomes.iter().any(|outcome| outcome.reason != SERVED) {
            state.left = before;
            for (outcome, &line) in outcomes.iter_mut().zip(&unit) {
                outcome.takes.clear();
                outcome.allocated = 0;
                if outcome.reason == SERVED && world.lines[line].qty > 0 {
                    outcome.reason = Reason::OrderIncomplete as u8;
                }
            }
        }
        for (outcome, line) in outcomes.into_iter().zip(unit) {
            let line = &world.lines[line];
            let place = if world.rules.apart { line.place } else { 0 };
            served.push(((world.linked(line.sku), place), outcome));
        }
    }
    served.sort_by_key(|&(group, _)| group);
    served.into_iter().map(|(_, served)| served).collect()
}

/// Balances as they run.
struct State<'a> {
    world: &'a World,
    /// What each row has after safety stock, and what is left of it.
    start: Vec<i64>,
    left: Vec<i64>,
}

impl<'a> State<'a> {
    fn new(world: &'a World) -> Self {
        let mut start: Vec<i64> = world.rows.iter().map(available).collect();
        let mut order: Vec<usize> = (0..world.rows.len()).collect();
        order.sort_by(|&a, &b| by_row(world, a, b));
        for &(sku, places, qty) in &world.rules.kept_back {
            let at = |row: &Row| places.is_none_or(|(low, high)| (low..=high).contains(&i64::from(row.place)));
            let counted = order.iter().copied().filter(|&row| {
                let row = &world.rows[row];
                row.sku == sku && at(row) && world.counts(row)
            });
            let counted: Vec<usize> = counted.collect();
            let mut missing = qty
                - counted
                    .iter()
                    .map(|&r| available(&world.rows[r]) - start[r])
                    .sum::<i64>();
            for row in counted.into_iter().rev() {
                let kept = missing.clamp(0, start[row]);
                start[row] -= kept;
                missing -= kept;
            }
        }
        let left = start.clone();
        Self { world, start, left }
    }

    fn rule(&self, line: usize) -> &'a Rule {
        &self.world.rules.fills[self.world.lines[line].fill]
    }

    /// The first gate that stops a row on its way to a line.
    fn gate(&self, line: &Line, at: usize) -> u8 {
        let (row, rules) = (&self.world.rows[at], &self.world.rules);
        let day = row.day;
        let gates = [
            (GATE_UNKNOWN, self.exchange(line, row).is_some()),
            (GATE_PLACE, !rules.apart || row.place == line.place),
            (GATE_LOT, !rules.lots || line.lot.is_none() || row.lot == line.lot),
            (GATE_NO_BALANCE, available(row) > 0),
            (
                GATE_STATUS,
                rules
                    .statuses
                    .as_ref()
                    .is_none_or(|cells| cells[digit(row.status)] >= 0),
            ),
            (
                GATE_EXPIRED,
                rules.today.is_none_or(|today| day.is_none_or(|day| day >= today)),
            ),
            (GATE_CONTRACT, self.rank(line, row) >= 0),
            (
                GATE_SHELF_LIFE,
                rules.span.is_none_or(|(outside, null)| lies(line, day, outside, null)),
            ),
            (GATE_SAFETY, self.start[at] > 0),
        ];
        gates.iter().find(|(_, passes)| !passes).map_or(PASS, |&(gate, _)| gate)
    }

    /// So many units of the row for so many of the line, and the place among the substitutes.
    fn exchange(&self, line: &Line, row: &Row) -> Option<(i64, i64, u32)> {
        if line.sku == row.sku {
            return Some((1, 1, 0));
        }
        let mut pairs = self.world.rules.substitutes.iter();
        let pair = pairs.find(|pair| (pair.sku, pair.substitute) == (line.sku, row.sku))?;
        Some((pair.give, pair.asked, pair.rank))
    }

    fn rank(&self, line: &Line, row: &Row) -> i32 {
        let width = self.world.rules.card as usize + 1;
        let cell = |cells: &Vec<i32>| cells[digit(line.class) * width + digit(row.class)];
        self.world.rules.matrix.as_ref().map_or(0, cell)
    }

    /// The rows that may serve a line, in stock order, and the gate of the one that got furthest.
    fn candidates(&self, line: &Line) -> (Vec<usize>, u8) {
        let rules = &self.world.rules;
        let (mut rows, mut furthest) = (Vec::new(), GATE_UNKNOWN);
        for at in 0..self.world.rows.len() {
            match self.gate(line, at) {
                PASS => rows.push(at),
                gate => furthest = furthest.max(gate),
            }
        }
        rows.sort_by(|&a, &b| {
            let [x, y] = [a, b].map(|at| &self.world.rows[at]);
            let substitute = |row| self.exchange(line, row).map(|exchange| exchange.2);
            let ranks = substitute(x).cmp(&substitute(y)).then_with(|| match rules.ranked {
                None => Ordering::Equal,
                Some(false) => self.rank(line, x).cmp(&self.rank(line, y)),
                Some(true) => self.rank(line, y).cmp(&self.rank(line, x)),
            });
            if rules.ranks_late {
                let first = compared(x.keys[0], y.keys[0], rules.directions[0]);
                first.then(ranks).then_with(|| by_row(self.world, a, b))
            } else {
                ranks.then_with(|| by_row(self.world, a, b))
            }
        });
        (rows, furthest)
    }

    fn serve(&mut self, number: usize) -> Served {
        let (line, rule) = (&self.world.lines[number], self.rule(number));
        let mut served = Served {
            line: line.id,
            allocated: 0,
            reason: SERVED,
            takes: Vec::new(),
        };
        if line.qty == 0 {
            return served;
        }
        let (rows, furthest) = self.candidates(line);
        let pack = amount(rule.pack, line.pack).unwrap_or(1);
        let mut best = (0, Vec::new());
        for parcel in self.parcels(&rows, rule.one) {
            let takes = self.take(line, &parcel, pack, rule);
            let total: i64 = takes.iter().map(|take| take.2).sum();
            if total > best.0 {
                best = (total, takes);
            }
        }
        let (total, takes) = best;
        let least = amount(rule.qty_min, line.qty_min).unwrap_or(0).min(line.qty);
        let kept = total >= least && (rule.whole == Whole::No || total == line.qty);
        if total < line.qty {
            served.reason = if rows.is_empty() {
                furthest
            } else {
                self.reason(line, rule, &rows, (total, least)) as u8
            };
        }
        if kept {
            for (at, qty, of_line) in takes {
                self.left[at] -= qty;
                served.takes.push((self.world.rows[at].id, qty, of_line));
            }
            served.allocated = total;
        }
        served
    }

    /// What a line may be served from, of what is left: all rows together, or those of one lot or place at a time.
    fn parcels(&self, rows: &[usize], one: One) -> Vec<Vec<usize>> {
        let mut parcels: Vec<((u32, i64), Vec<usize>)> = Vec::new();
        for &at in rows.iter().filter(|&&at| self.left[at] > 0) {
            let row = &self.world.rows[at];
            let key = match one {
                One::No => (0, 0),
                One::Source => (row.place, 0),
                // Rows without a lot are lots of their own.
                One::Lot => (row.sku, row.lot.map_or(-1 - at as i64, i64::from)),
            };
            match parcels.iter_mut().find(|(known, _)| *known == key) {
                Some((_, parcel)) => parcel.push(at),
                None => parcels.push((key, vec![at])),
            }
        }
        parcels.into_iter().map(|(_, parcel)| parcel).collect()
    }

    fn take(&self, line: &Line, rows: &[usize], pack: i64, rule: &Rule) -> Vec<(usize, i64, i64)> {
        let (mut open, mut takes) = (line.qty, Vec::new());
        for &at in rows {
            if open == 0 || rule.rows_max.is_some_and(|most| takes.len() == most as usize) {
                break;
            }
            let (give, asked, _) = self
                .exchange(line, &self.world.rows[at])
                .expect("a candidate can be exchanged");
            let step = (1..=asked)
                .map(|n| n * pack)
                .find(|step| step % asked == 0)
                .expect("a common multiple");
            let served = (self.left[at] / give * asked).min(open) / step * step;
            let qty = served / asked * give;
            if served > 0 && (!rule.whole_rows || qty == self.left[at]) {
                takes.push((at, qty, served));
                open -= served;
            }
        }
        takes
    }

    /// Why a line with candidates is short: the list of the contract, from its top.
    fn reason(&self, line: &Line, rule: &Rule, rows: &[usize], (total, least): (i64, i64)) -> Reason {
        let whole_exchanges = |&at: &usize| {
            let (give, asked, _) = self
                .exchange(line, &self.world.rows[at])
                .expect("a candidate can be exchanged");
            self.left[at] / give * asked
        };
        if rows.iter().map(whole_exchanges).sum::<i64>() >= line.qty {
            match rule.one {
                One::Lot => Reason::OneLot,
                One::Source => Reason::OneSource,
                One::No if rule.whole_rows => Reason::WholeRows,
                One::No if rule.rows_max.is_some() => Reason::RowsMax,
                One::No if amount(rule.pack, line.pack).is_some() => Reason::Pack,
                One::No => Reason::Exchange,
            }
        } else if 0 < total && total < least {
            Reason::BelowMinimum
        } else if total > 0 && rule.whole != Whole::No {
            Reason::LineIncomplete
        } else if rows.iter().any(|&at| self.left[at] < self.start[at]) {
            Reason::Taken
        } else {
            Reason::Insufficient
        }
    }
}

fn available(row: &Row) -> i64 {
    row.on_hand - row.reserved
}

fn digit(code: Option<u32>) -> usize {
    code.map_or(0, |code| code as usize + 1)
}

/// An amount of a rule; 0 stands for what the line says.
fn amount(of_rule: Option<i64>, of_line: Option<i64>) -> Option<i64> {
    if of_rule == Some(0) { of_line } else { of_rule }
}

fn lies(line: &Line, day: Option<i64>, outside: bool, null_passes: bool) -> bool {
    if line.low.is_none() && line.high.is_none() {
        return true;
    }
    day.map_or(null_passes, |day| {
        let inside = line.low.is_none_or(|low| low <= day) && line.high.is_none_or(|high| day <= high);
        inside != outside
    })
}

fn compared(a: Option<i64>, b: Option<i64>, direction: Direction) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) => {
            if direction.nulls_first {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (_, None) => {
            if direction.nulls_first {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (Some(a), Some(b)) => {
            if direction.descending {
                b.cmp(&a)
            } else {
                a.cmp(&b)
            }
        }
    }
}

fn by_row(world: &World, a: usize, b: usize) -> Ordering {
    let (a, b) = (&world.rows[a], &world.rows[b]);
    let keys = (0..2).map(|key| compared(a.keys[key], b.keys[key], world.rules.directions[key]));
    keys.fold(Ordering::Equal, Ordering::then).then(a.id.cmp(&b.id))
}
