//! Small worlds as a planner would list them, and the columns that the kernel reads of them.

use allocator_core::column::{Bits, Column, Values};
use allocator_core::problem::{
    Amount, Bound, Demand, Digits, Fill, GroupPart, Ids, Key, One, Problem, Safety, SafetyRule, Stock, StockKey,
    Substitute, Test, Whole,
};

pub const GATE_PLACE: u8 = 1;
pub const GATE_LOT: u8 = 3;
pub const GATE_STATUS: u8 = 6;
pub const GATE_EXPIRED: u8 = 8;
pub const GATE_CONTRACT: u8 = 12;
pub const GATE_SHELF_LIFE: u8 = 13;

/// One balance of stock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    pub id: u64,
    pub sku: u32,
    pub place: u32,
    pub on_hand: i64,
    pub reserved: i64,
    pub keys: [Option<i64>; 2],
    pub lot: Option<u32>,
    pub status: Option<u32>,
    pub class: Option<u32>,
    pub day: Option<i64>,
}

/// One line of demand.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    pub id: u64,
    pub sku: u32,
    pub place: u32,
    pub qty: i64,
    pub key: Option<i64>,
    pub lot: Option<u32>,
    pub class: Option<u32>,
    pub low: Option<i64>,
    pub high: Option<i64>,
    pub fill: usize,
    pub order: u32,
    pub qty_min: Option<i64>,
    pub pack: Option<i64>,
}

/// How one column is ordered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direction {
    pub descending: bool,
    pub nulls_first: bool,
}

/// A fill rule; a minimum or a pack of 0 is read from the line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rule {
    pub whole: Whole,
    pub qty_min: Option<i64>,
    pub pack: Option<i64>,
    pub rows_max: Option<u32>,
    pub one: One,
    pub whole_rows: bool,
}

/// SKU, interval of places, quantity.
pub type KeptBack = (u32, Option<(i64, i64)>, i64);

/// Which row may serve which line, in which order.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Codes of SKUs are below this.
    pub skus: u32,
    /// Codes of places, lots, statuses and classes are below this.
    pub card: u32,
    /// Places are groups of their own.
    pub apart: bool,
    /// Lines name lots.
    pub lots: bool,
    /// Status by status code, after the one of no status: negative may not be allocated.
    pub statuses: Option<Vec<i32>>,
    /// The first day on which a row must still live.
    pub today: Option<i64>,
    /// The row's day lies in the line's span (or outside); whether a row without a day passes.
    pub span: Option<(bool, bool)>,
    /// Ranks by class of line and class of row, after that of no class; negative is forbidden.
    pub matrix: Option<Vec<i32>>,
    /// The matrix ranks rows, and whether the greatest rank comes first.
    pub ranked: Option<bool>,
    /// Ranks come after the first key instead of before it.
    pub ranks_late: bool,
    pub substitutes: Vec<Substitute>,
    pub directions: [Direction; 2],
    pub line_direction: Direction,
    pub fills: Vec<Rule>,
    pub kept_back: Vec<KeptBack>,
}

#[derive(Clone, Debug, Default)]
pub struct World {
    pub rows: Vec<Row>,
    pub lines: Vec<Line>,
    pub rules: Rules,
}

/// Values with a mask of those that are there.
struct Owned(Vec<i64>, Vec<u8>);

impl Owned {
    fn new(values: impl Iterator<Item = Option<i64>>) -> Self {
        let (mut numbers, mut bits) = (Vec::new(), Vec::new());
        for (i, value) in values.enumerate() {
            if i % 8 == 0 {
                bits.push(0);
            }
            bits[i / 8] |= u8::from(value.is_some()) << (i % 8);
            numbers.push(value.unwrap_or(77));
        }
        Self(numbers, bits)
    }

    fn column(&self) -> Column<'_> {
        let valid = Bits {
            bytes: &self.1,
            offset: 0,
        };
        Column::new(Values::I64(&self.0), Some(valid))
    }
}

struct Codes(Vec<u32>);

impl Codes {
    fn new(values: impl Iterator<Item = Option<u32>>) -> Self {
        Self(values.map(|code| code.unwrap_or(u32::MAX)).collect())
    }

    fn column(&self) -> Column<'_> {
        Column::new(Values::Codes(&self.0), None)
    }
}

impl World {
    /// The SKU that stands for all that substitutes link with this one.
    pub fn linked(&self, sku: u32) -> u32 {
        let mut group = vec![sku];
        for _ in &self.rules.substitutes {
            for pair in &self.rules.substitutes {
                let pair = [pair.sku, pair.substitute];
                if pair.iter().any(|sku| group.contains(sku)) {
                    group.extend(pair);
                }
            }
        }
        group.into_iter().min().unwrap_or(sku)
    }

    /// Hands the columns of the world to `then`, as the problem that the kernel reads.
    pub fn problem<T>(&self, then: impl FnOnce(&mut Problem) -> T) -> T {
        let (rows, lines, rules) = (&self.rows, &self.lines, &self.rules);
        let row = |of: &dyn Fn(&Row) -> Option<i64>| Owned::new(rows.iter().map(of));
        let line = |of: &dyn Fn(&Line) -> Option<i64>| Owned::new(lines.iter().map(of));
        let row_codes = |of: &dyn Fn(&Row) -> Option<u32>| Codes::new(rows.iter().map(of));
        let line_codes = |of: &dyn Fn(&Line) -> Option<u32>| Codes::new(lines.iter().map(of));
        let (on_hand, reserved) = (row(&|r| Some(r.on_hand)), row(&|r| Some(r.reserved)));
        let keys = [row(&|r| r.keys[0]), row(&|r| r.keys[1])];
        let day = row(&|r| r.day);
        let (sku, place) = (row_codes(&|r| Some(r.sku)), row_codes(&|r| Some(r.place)));
        let group = row_codes(&|r| Some(self.linked(r.sku)));
        let (lot, status, class) = (row_codes(&|r| r.lot), row_codes(&|r| r.status), row_codes(&|r| r.class));
        let counts = row_codes(&|r| Some(u32::from(self.counts(r))));
        let (qty, line_key) = (line(&|l| Some(l.qty)), line(&|l| l.key));
        let (low, high) = (line(&|l| l.low), line(&|l| l.high));
        let (qty_min, pack) = (line(&|l| l.qty_min), line(&|l| l.pack));
        let fill = line(&|l| Some(l.fill as i64));
        let (wanted, at) = (line_codes(&|l| Some(l.sku)), line_codes(&|l| Some(l.place)));
        let line_group = line_codes(&|l| Some(self.linked(l.sku)));
        let (line_lot, line_class) = (line_codes(&|l| l.lot), line_codes(&|l| l.class));
        let order = line_codes(&|l| Some(l.order));
        let mut tests = Vec::new();
        if !rules.substitutes.is_empty() {
            tests.push(Test::Exchange {
                stock: sku.column(),
                demand: wanted.column(),
                substitutes: rules.substitutes.clone(),
            });
        }
        if rules.lots {
            let (stock, demand) = (lot.column(), line_lot.column());
            tests.push(Test::Equal {
                gate: GATE_LOT,
                stock,
                demand,
            });
        }
        if let Some(cells) = &rules.statuses {
            tests.push(Test::Table {
                gate: GATE_STATUS,
                stock: Digits(vec![(status.column(), rules.card)]),
                demand: Digits::default(),
                cells: cells.clone(),
            });
        }
        if let Some(today) = rules.today {
            tests.push(Test::Within {
                gate: GATE_EXPIRED,
                stock: day.column(),
                low: Bound::At(today),
                high: Bound::Open,
                null_passes: true,
                outside: false,
            });
        }
        if let Some((outside, null_passes)) = rules.span {
            tests.push(Test::Within {
                gate: GATE_SHELF_LIFE,
                stock: day.column(),
                low: Bound::Of(low.column()),
                high: Bound::Of(high.column()),
                null_passes,
                outside,
            });
        }
        if let Some(cells) = &rules.matrix {
            tests.push(Test::Table {
                gate: GATE_CONTRACT,
                stock: Digits(vec![(class.column(), rules.card)]),
                demand: Digits(vec![(line_class.column(), rules.card)]),
                cells: cells.clone(),
            });
        }
        let mut stock_order: Vec<StockKey> = keys
            .iter()
            .zip(rules.directions)
            .map(|(key, direction)| StockKey::Row(ordered(key, direction)))
            .collect();
        let late = usize::from(rules.ranks_late);
        if let (Some(reverse), Some(_)) = (rules.ranked, &rules.matrix) {
            stock_order.insert(
                late,
                StockKey::Rank {
                    test: tests.len() - 1,
                    reverse,
                },
            );
        }
        if !rules.substitutes.is_empty() {
            stock_order.insert(
                late,
                StockKey::Rank {
                    test: 0,
                    reverse: false,
                },
            );
        }
        let fills = rules.fills.iter().map(|rule| Fill {
            whole: rule.whole,
            qty_min: of_line(rule.qty_min, &qty_min),
            pack: of_line(rule.pack, &pack),
            rows_max: rule.rows_max,
            one: rule.one,
            whole_rows: rule.whole_rows,
        });
        let mut parts = vec![GroupPart {
            stock: group.column(),
            demand: line_group.column(),
            card: rules.skus,
        }];
        if rules.apart {
            parts.push(GroupPart {
                stock: place.column(),
                demand: at.column(),
                card: rules.card,
            });
        }
        let row_ids = |a: u32, b: u32| rows[a as usize].id.cmp(&rows[b as usize].id);
        let line_ids = |a: u32, b: u32| lines[a as usize].id.cmp(&lines[b as usize].id);
        then(&mut Problem {
            stock: Stock {
                on_hand: on_hand.column(),
                reserved: Some(reserved.column()),
                order: stock_order,
                ids: if rows.is_sorted_by_key(|r| r.id) {
                    Ids::Ascending
                } else {
                    Ids::By(&row_ids)
                },
                lot: Some(lot.column()),
                place: Some(place.column()),
                sku: Some(sku.column()),
            },
            demand: Demand {
                qty: qty.column(),
                order: vec![ordered(&line_key, rules.line_direction)],
                ids: if lines.is_sorted_by_key(|l| l.id) {
                    Ids::Ascending
                } else {
                    Ids::By(&line_ids)
                },
                fill: Some(fill.column()),
                order_code: Some(order.column()),
            },
            group: parts,
            tests,
            fills: fills.collect(),
            safety: (!rules.kept_back.is_empty()).then(|| Safety {
                sku: sku.column(),
                place: Some(place.column()),
                counts: counts.column(),
                rules: rules
                    .kept_back
                    .iter()
                    .map(|&(sku, places, qty)| SafetyRule { sku, places, qty })
                    .collect(),
            }),
        })
    }

    /// Whether safety stock counts a row: it passes all that can be said without a line.
    pub fn counts(&self, row: &Row) -> bool {
        let status = row.status.map_or(0, |status| status as usize + 1);
        self.rules.statuses.as_ref().is_none_or(|cells| cells[status] >= 0)
            && self
                .rules
                .today
                .is_none_or(|today| row.day.is_none_or(|day| day >= today))
    }
}

fn ordered(key: &Owned, direction: Direction) -> Key<'_> {
    Key {
        column: key.column(),
        descending: direction.descending,
        nulls_first: direction.nulls_first,
    }
}

/// An amount of a rule; 0 stands for what the line says.
fn of_line(given: Option<i64>, by_line: &Owned) -> Amount<'_> {
    match given {
        None => Amount::None,
        Some(0) => Amount::Of(by_line.column()),
        Some(amount) => Amount::Is(amount),
    }
}
