//! Allocation: a plan bound once and run many times, and the columns of what it answers.

use allocator_core::Error;
use allocator_core::outcome::Stretch;
use arrow_array::types::{ArrowPrimitiveType, Int64Type, UInt8Type, UInt32Type};
use arrow_array::{BooleanArray, PrimitiveArray};
use pyo3::prelude::*;

use crate::columns::Column;
use crate::errors::guard;
use crate::held::Held;
use crate::plan::PlanSpec;

/// A plan with its columns: bound once, run many times.
#[pyclass(frozen, module = "allocator._core")]
pub struct Plan(PlanSpec);

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

    /// Whether rows may serve the lines that have something of them.
    fn fit(&self, py: Python<'_>, row: Held, line: Held, qty: Held, served: Held) -> PyResult<Column> {
        let found = guard(py, || self.0.fit([&row, &line, &qty, &served]))?;
        Ok(Column(std::sync::Arc::new(BooleanArray::from(found))))
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
