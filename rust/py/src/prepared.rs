//! Stock laid out beforehand, which serves one line, or a few, at a time.

use std::sync::{PoisonError, RwLock};

use allocator_core::problem::{Ids, Problem};
use allocator_core::{Error, Line, Prepared};
use pyo3::prelude::*;
use self_cell::self_cell;

use crate::errors::{guard, guard_attached};
use crate::plan::PlanSpec;

self_cell!(
    /// A problem, and the columns that it looks at.
    struct OwnProblem {
        owner: PlanSpec,
        #[covariant]
        dependent: Problem,
    }
);

self_cell!(
    /// Stock that is laid out, and the problem that it belongs to.
    struct OwnStock {
        owner: OwnProblem,
        #[covariant]
        dependent: Prepared,
    }
);

/// A line: group, fill rule, quantity, least quantity, pack, what it asks of each test, whether it begins a unit.
#[derive(FromPyObject)]
pub struct LineSpec(Option<u32>, u16, i64, i64, Option<i64>, Vec<(i64, i64)>, bool);

impl LineSpec {
    fn line(self) -> Line {
        let Self(group, fill, need, qty_min, pack, asks, first) = self;
        Line {
            group,
            fill,
            need,
            qty_min,
            pack,
            asks,
            first,
        }
    }

    /// The same for another quantity.
    #[must_use]
    pub fn of(self, need: i64) -> Self {
        Self(self.0, self.1, need, self.3, self.4, self.5, self.6)
    }
}

/// The stock side of a plan, in stock order and by group. The ids of the plan's rows ascend.
#[pyclass(frozen, module = "allocator._core")]
pub struct PreparedStock(RwLock<OwnStock>);

#[pymethods]
impl PreparedStock {
    #[new]
    fn new(py: Python<'_>, spec: PlanSpec) -> PyResult<Self> {
        guard(py, || {
            let problem = OwnProblem::try_new(spec, |spec| spec.problem(Ids::Ascending, Ids::Ascending))?;
            let stock = OwnStock::try_new(problem, |problem| Prepared::new(problem.borrow_dependent()))?;
            Ok(Self(RwLock::new(stock)))
        })
    }

    /// Serves lines in this order: of each what it gets, the reason, and (row, units of it, units of the line).
    ///
    /// The GIL is kept: giving it away and waiting for it would take longer than the work.
    #[allow(clippy::type_complexity)]
    fn serve(&self, py: Python<'_>, lines: Vec<LineSpec>) -> PyResult<Vec<(i64, u8, Vec<(u32, i64, i64)>)>> {
        let stock = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let stock = stock.borrow_dependent();
        let lines: Vec<Line> = lines.into_iter().map(LineSpec::line).collect();
        if !lines.iter().all(|line| stock.accepts(line)) {
            let error = Error::Table("a line does not fit the plan".into());
            return guard(py, || Err(error));
        }
        guard_attached(py, || {
            let served = stock.serve(&lines).into_iter();
            Ok(served.map(|line| (line.allocated, line.reason, line.takes)).collect())
        })
    }

    /// Says what is left of a stock row from now on; false if there is no such row.
    fn set_left(&self, py: Python<'_>, row: u32, left: i64) -> PyResult<bool> {
        guard_attached(py, || {
            let mut stock = self.0.write().unwrap_or_else(PoisonError::into_inner);
            Ok(stock.with_dependent_mut(|_, stock| stock.set_left(row, left)))
        })
    }
}

impl PreparedStock {
    /// The rows and units of each with which a line is served in full; `None` if it is not.
    pub fn serve_in_full(&self, spec: LineSpec) -> Option<Vec<(u32, i64)>> {
        let stock = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (stock, line) = (stock.borrow_dependent(), spec.line());
        let served = stock
            .accepts(&line)
            .then(|| stock.serve(std::slice::from_ref(&line)))?
            .pop()?;
        let takes = served.takes.into_iter().map(|(row, qty, _)| (row, qty));
        (served.allocated == line.need).then(|| takes.collect())
    }

    /// Takes units of rows, for all that is served from now on; false, with nothing more taken, where one has fewer.
    pub fn take(&self, takes: &[(u32, i64)]) -> bool {
        let mut stock = self.0.write().unwrap_or_else(PoisonError::into_inner);
        stock.with_dependent_mut(|_, stock| takes.iter().all(|&(row, qty)| stock.take(row, qty)))
    }
}
