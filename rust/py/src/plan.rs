//! The compiled plan as Python gives it, `allocator.plan.spec`, and the problem that the kernel reads in it.

use allocator_core::outcome::Stretch;
use allocator_core::problem::{
    Amount, Bound as CoreBound, Demand, Digits, Fill, GroupPart, Ids, Key, One, Problem, Safety, SafetyRule, Stock,
    StockKey, Substitute, Test, Whole,
};
use allocator_core::{Error, Pairs, Result};
use pyo3::prelude::*;

use crate::held::{Held, optional};

#[derive(FromPyObject)]
struct KeySpec {
    column: Held,
    descending: bool,
    nulls_first: bool,
}

impl KeySpec {
    fn key(&self) -> Result<Key<'_>> {
        Ok(Key {
            column: self.column.column()?,
            descending: self.descending,
            nulls_first: self.nulls_first,
        })
    }
}

#[derive(FromPyObject)]
enum StockKeySpec {
    Rank { test: usize, reverse: bool },
    Row(KeySpec),
}

#[derive(FromPyObject)]
enum BoundSpec {
    #[pyo3(transparent)]
    At(i64),
    #[pyo3(transparent)]
    Of(Held),
}

fn bound(spec: Option<&BoundSpec>) -> Result<CoreBound<'_>> {
    Ok(match spec {
        None => CoreBound::Open,
        Some(BoundSpec::At(value)) => CoreBound::At(*value),
        Some(BoundSpec::Of(held)) => CoreBound::Of(held.column()?),
    })
}

fn amount(spec: Option<&BoundSpec>) -> Result<Amount<'_>> {
    Ok(match spec {
        None => Amount::None,
        Some(BoundSpec::At(value)) => Amount::Is(*value),
        Some(BoundSpec::Of(held)) => Amount::Of(held.column()?),
    })
}

#[derive(FromPyObject)]
enum TestSpec {
    Table {
        gate: u8,
        stock_digits: Vec<(Held, u32)>,
        demand_digits: Vec<(Held, u32)>,
        cells: Vec<i32>,
    },
    Within {
        gate: u8,
        stock: Held,
        low: Option<BoundSpec>,
        high: Option<BoundSpec>,
        null_passes: bool,
        outside: bool,
    },
    Exchange {
        stock: Held,
        demand: Held,
        substitutes: Vec<(u32, u32, u32, i64, i64)>,
    },
    Equal {
        gate: u8,
        stock: Held,
        demand: Held,
    },
}

fn digits(spec: &[(Held, u32)]) -> Result<Digits<'_>> {
    Ok(Digits(
        spec.iter()
            .map(|(held, card)| Ok((held.column()?, *card)))
            .collect::<Result<_>>()?,
    ))
}

impl TestSpec {
    fn test(&self) -> Result<Test<'_>> {
        Ok(match self {
            Self::Table {
                gate,
                stock_digits,
                demand_digits,
                cells,
            } => {
                let (stock, demand) = (digits(stock_digits)?, digits(demand_digits)?);
                if stock.card() * demand.card() != cells.len() {
                    return Err(Error::Table(format!(
                        "{} cells for {} x {}",
                        cells.len(),
                        demand.card(),
                        stock.card()
                    )));
                }
                Test::Table {
                    gate: *gate,
                    stock,
                    demand,
                    cells: cells.clone(),
                }
            }
            Self::Within {
                gate,
                stock,
                low,
                high,
                null_passes,
                outside,
            } => Test::Within {
                gate: *gate,
                stock: stock.column()?,
                low: bound(low.as_ref())?,
                high: bound(high.as_ref())?,
                null_passes: *null_passes,
                outside: *outside,
            },
            Self::Equal { gate, stock, demand } => Test::Equal {
                gate: *gate,
                stock: stock.column()?,
                demand: demand.column()?,
            },
            Self::Exchange {
                stock,
                demand,
                substitutes,
            } => Test::Exchange {
                stock: stock.column()?,
                demand: demand.column()?,
                substitutes: substitutes
                    .iter()
                    .map(|&(sku, substitute, rank, give, asked)| Substitute {
                        sku,
                        substitute,
                        rank,
                        give,
                        asked,
                    })
                    .collect(),
            },
        })
    }
}

#[derive(FromPyObject)]
struct FillSpec {
    whole: String,
    qty_min: Option<BoundSpec>,
    pack: Option<BoundSpec>,
    rows_max: Option<u32>,
    one: Option<String>,
    whole_rows: bool,
}

impl FillSpec {
    fn fill(&self) -> Result<Fill<'_>> {
        Ok(Fill {
            whole: match self.whole.as_str() {
                "no" => Whole::No,
                "line" => Whole::Line,
                "order" => Whole::Order,
                other => return Err(Error::Table(format!("a fill rule of whole '{other}'"))),
            },
            qty_min: amount(self.qty_min.as_ref())?,
            pack: amount(self.pack.as_ref())?,
            rows_max: self.rows_max,
            one: match self.one.as_deref() {
                None => One::No,
                Some("lot") => One::Lot,
                Some("source") => One::Source,
                Some(other) => return Err(Error::Table(format!("a fill rule of one '{other}'"))),
            },
            whole_rows: self.whole_rows,
        })
    }
}

#[derive(FromPyObject)]
struct StockSpec {
    on_hand: Held,
    reserved: Option<Held>,
    order: Vec<StockKeySpec>,
    ids: Option<Held>,
    lot: Option<Held>,
    place: Option<Held>,
    sku: Option<Held>,
}

#[derive(FromPyObject)]
struct DemandSpec {
    qty: Held,
    order: Vec<KeySpec>,
    ids: Option<Held>,
    fill: Option<Held>,
    order_code: Option<Held>,
}

#[derive(FromPyObject)]
struct PartSpec {
    stock: Held,
    demand: Held,
    card: u32,
}

/// SKU code, first and last place code, quantity.
type SafetyRuleSpec = (u32, Option<(i64, i64)>, i64);

#[derive(FromPyObject)]
struct SafetySpec {
    sku: Held,
    place: Option<Held>,
    counts: Held,
    rules: Vec<SafetyRuleSpec>,
}

impl SafetySpec {
    fn safety(&self) -> Result<Safety<'_>> {
        let rules = self
            .rules
            .iter()
            .map(|&(sku, places, qty)| SafetyRule { sku, places, qty })
            .collect();
        Ok(Safety {
            sku: self.sku.column()?,
            place: optional(self.place.as_ref())?,
            counts: self.counts.column()?,
            rules,
        })
    }
}

/// `allocator.plan.spec.Plan`, with the columns that it holds.
#[derive(FromPyObject)]
pub struct PlanSpec {
    stock: StockSpec,
    demand: DemandSpec,
    group: Vec<PartSpec>,
    tests: Vec<TestSpec>,
    fills: Vec<FillSpec>,
    safety: Option<SafetySpec>,
}

impl PlanSpec {
    /// Serves all lines.
    pub fn run(&self) -> Result<Vec<Stretch>> {
        let (compare_stock, compare_lines) = (
            self.stock.ids.as_ref().map(Held::compare),
            self.demand.ids.as_ref().map(Held::compare),
        );
        let stock_ids = compare_stock.as_deref().map_or(Ids::Ascending, Ids::By);
        let line_ids = compare_lines.as_deref().map_or(Ids::Ascending, Ids::By);
        let problem = self.problem(stock_ids, line_ids)?;
        allocator_core::run(&problem)
    }

    /// Whether rows may serve the lines that have something of them: columns of row, line, units of each.
    pub fn fit(&self, [row, line, qty, served]: [&Held; 4]) -> Result<Vec<bool>> {
        let problem = self.problem(Ids::Ascending, Ids::Ascending)?;
        let pairs = Pairs {
            row: row.column()?,
            line: line.column()?,
            qty: qty.column()?,
            served: served.column()?,
        };
        allocator_core::fit(&problem, &pairs)
    }

    /// What the kernel reads; ids are compared as given.
    pub fn problem<'a>(&'a self, stock_ids: Ids<'a>, line_ids: Ids<'a>) -> Result<Problem<'a>> {
        let (stock, demand) = (&self.stock, &self.demand);
        Ok(Problem {
            stock: Stock {
                on_hand: stock.on_hand.column()?,
                reserved: optional(stock.reserved.as_ref())?,
                order: stock
                    .order
                    .iter()
                    .map(|key| match key {
                        StockKeySpec::Rank { test, reverse } => Ok(StockKey::Rank {
                            test: *test,
                            reverse: *reverse,
                        }),
                        StockKeySpec::Row(key) => Ok(StockKey::Row(key.key()?)),
                    })
                    .collect::<Result<_>>()?,
                ids: stock_ids,
                lot: optional(stock.lot.as_ref())?,
                place: optional(stock.place.as_ref())?,
                sku: optional(stock.sku.as_ref())?,
            },
            demand: Demand {
                qty: demand.qty.column()?,
                order: demand.order.iter().map(KeySpec::key).collect::<Result<_>>()?,
                ids: line_ids,
                fill: optional(demand.fill.as_ref())?,
                order_code: optional(demand.order_code.as_ref())?,
            },
            group: self
                .group
                .iter()
                .map(|p| {
                    Ok(GroupPart {
                        stock: p.stock.column()?,
                        demand: p.demand.column()?,
                        card: p.card,
                    })
                })
                .collect::<Result<_>>()?,
            tests: self.tests.iter().map(TestSpec::test).collect::<Result<_>>()?,
            fills: self.fills.iter().map(FillSpec::fill).collect::<Result<_>>()?,
            safety: self.safety.as_ref().map(SafetySpec::safety).transpose()?,
        })
    }
}
