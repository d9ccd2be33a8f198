//! Allocation: the compiled plan and its columns, bound once and run many times.

use std::cmp::Ordering;

use allocator_core::column::{Bits, Column as CoreColumn, Values};
use allocator_core::outcome::Stretch;
use allocator_core::problem::{
    Amount, Bound as CoreBound, Demand, Digits, Fill, GroupPart, Ids, Key, One, Problem, Safety, SafetyRule, Stock,
    StockKey, Substitute, Test, Whole,
};
use allocator_core::{Error, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::DataType;
use pyo3::prelude::*;

use crate::columns::{Chunks, Column};
use crate::errors::guard;

type Compare<'a> = dyn Fn(u32, u32) -> Ordering + Sync + 'a;

/// A column that stays alive with what is bound to it.
struct Held(ArrayRef);

impl<'py> FromPyObject<'_, 'py> for Held {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let chunks: Chunks = object.extract()?;
        Ok(Self(chunks.single(object.py())?.clone()))
    }
}

macro_rules! width {
    ($array:expr, $type:ty, $variant:ident) => {
        Values::$variant($array.as_primitive::<$type>().values())
    };
}

impl Held {
    /// What the kernel reads. Columns of `UInt32` are codes.
    fn column(&self) -> Result<CoreColumn<'_>> {
        let array = &self.0;
        let values = match array.data_type() {
            DataType::Int8 => width!(array, Int8Type, I8),
            DataType::Int16 => width!(array, Int16Type, I16),
            DataType::Int32 => width!(array, Int32Type, I32),
            DataType::Int64 => width!(array, Int64Type, I64),
            DataType::Date32 => width!(array, Date32Type, I32),
            DataType::UInt8 => width!(array, UInt8Type, U8),
            DataType::UInt16 => width!(array, UInt16Type, U16),
            DataType::UInt32 => width!(array, UInt32Type, Codes),
            DataType::UInt64 => width!(array, UInt64Type, U64),
            DataType::Timestamp(unit, _) => Values::I64(timestamps(array, *unit)),
            DataType::Boolean => {
                let bits = array.as_boolean().values();
                Values::Bool(
                    Bits {
                        bytes: bits.values(),
                        offset: bits.offset(),
                    },
                    array.len(),
                )
            }
            other => return Err(Error::Table(format!("a column of type {other} cannot be compiled"))),
        };
        let valid = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(CoreColumn::new(
            values,
            valid.map(|n| Bits {
                bytes: n.validity(),
                offset: n.offset(),
            }),
        ))
    }

    fn compare(&self) -> Box<Compare<'_>> {
        match self.0.data_type() {
            DataType::Utf8View => {
                let strings = self.0.as_string_view();
                Box::new(|a, b| strings.value(a as usize).cmp(strings.value(b as usize)))
            }
            DataType::LargeUtf8 => {
                let strings = self.0.as_string::<i64>();
                Box::new(|a, b| strings.value(a as usize).cmp(strings.value(b as usize)))
            }
            DataType::Int64 => {
                let numbers = self.0.as_primitive::<Int64Type>();
                Box::new(|a, b| numbers.value(a as usize).cmp(&numbers.value(b as usize)))
            }
            _ => Box::new(|a, b| a.cmp(&b)),
        }
    }
}

fn timestamps(array: &ArrayRef, unit: arrow_schema::TimeUnit) -> &[i64] {
    use arrow_array::types::{
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    };
    use arrow_schema::TimeUnit;
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    }
}

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

/// A plan with its columns: bound once, run many times.
#[pyclass(frozen, module = "allocator._core")]
pub struct Plan(PlanSpec);

fn optional(held: Option<&Held>) -> Result<Option<CoreColumn<'_>>> {
    held.map(Held::column).transpose()
}

impl PlanSpec {
    fn run(&self) -> Result<Vec<Stretch>> {
        let (compare_stock, compare_lines) = (
            self.stock.ids.as_ref().map(Held::compare),
            self.demand.ids.as_ref().map(Held::compare),
        );
        let stock_ids = compare_stock.as_deref().map_or(Ids::Ascending, Ids::By);
        let line_ids = compare_lines.as_deref().map_or(Ids::Ascending, Ids::By);
        let problem = self.problem(stock_ids, line_ids)?;
        allocator_core::run(&problem)
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

#[pymethods]
impl Plan {
    #[new]
    fn new(spec: PlanSpec) -> Self {
        Self(spec)
    }

    /// Serves all lines; on so many threads, or on all there are.
    #[pyo3(signature = (threads=None))]
    fn run(&self, py: Python<'_>, threads: Option<usize>) -> PyResult<Answer> {
        let stretches = guard(py, || match threads {
            None => self.0.run(),
            Some(n) => rayon::ThreadPoolBuilder::new()
                .num_threads(n)
                .build()
                .map_err(|error| Error::Table(error.to_string()))?
                .install(|| self.0.run()),
        })?;
        Answer::new(py, stretches)
    }
}

/// What a run answers: each column as its pieces, to be joined in sequence.
#[pyclass(frozen, get_all, module = "allocator._core")]
pub struct Answer {
    /// Row of each line in the demand table.
    line: Vec<Py<Column>>,
    /// How much of it is allocated.
    allocated: Vec<Py<Column>>,
    /// Why it is short.
    reason: Vec<Py<Column>>,
    /// Row of the line of each allocation.
    take_line: Vec<Py<Column>>,
    /// Row of its stock.
    take_stock: Vec<Py<Column>>,
    /// Units of the stock row.
    take_qty: Vec<Py<Column>>,
    /// Units of the line; no pieces if they are everywhere those of the stock row.
    take_served: Vec<Py<Column>>,
    /// 1, 2, … within the line.
    take_rank: Vec<Py<Column>>,
}

impl Answer {
    fn new(py: Python<'_>, stretches: Vec<Stretch>) -> PyResult<Self> {
        fn pieces<T: ArrowPrimitiveType>(
            py: Python<'_>,
            vectors: impl Iterator<Item = Vec<T::Native>>,
        ) -> PyResult<Vec<Py<Column>>> {
            vectors
                .map(|v| {
                    Py::new(
                        py,
                        Column(std::sync::Arc::new(PrimitiveArray::<T>::new(v.into(), None))),
                    )
                })
                .collect()
        }
        let mut columns = (vec![], vec![], vec![], vec![], vec![], vec![], vec![], vec![]);
        for Stretch {
            line,
            allocated,
            reason,
            takes,
        } in stretches
        {
            columns.0.push(line);
            columns.1.push(allocated);
            columns.2.push(reason);
            columns.3.push(takes.line);
            columns.4.push(takes.stock);
            columns.5.push(takes.qty);
            columns.6.push(takes.served);
            columns.7.push(takes.rank);
        }
        let exchanged = columns.6.iter().any(|served| !served.is_empty());
        Ok(Self {
            line: pieces::<UInt32Type>(py, columns.0.into_iter())?,
            allocated: pieces::<Int64Type>(py, columns.1.into_iter())?,
            reason: pieces::<UInt8Type>(py, columns.2.into_iter())?,
            take_line: pieces::<UInt32Type>(py, columns.3.into_iter())?,
            take_stock: pieces::<UInt32Type>(py, columns.4.into_iter())?,
            take_qty: pieces::<Int64Type>(py, columns.5.into_iter())?,
            take_served: pieces::<Int64Type>(py, columns.6.into_iter().filter(|_| exchanged))?,
            take_rank: pieces::<UInt32Type>(py, columns.7.into_iter())?,
        })
    }
}
