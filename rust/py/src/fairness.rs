//! Binds `allocator_core::fairness`.

use std::sync::Arc;

use allocator_core::Error;
use allocator_core::fairness::divide::divide;
use allocator_core::fairness::lines::{Lines, Method, Step};
use allocator_core::fairness::ration::{Asks, Protections, Quotas, ration};
use arrow_array::{Int64Array, UInt8Array, UInt32Array};
use pyo3::prelude::*;

use crate::columns::{Chunks, Column, Numbers};
use crate::errors::guard;

type Wholes = Numbers<i64>;
type Codes = Numbers<u32>;

/// Method, column of weights, column of groups, least and most of each group.
type StepSpec = (u8, Option<usize>, Option<usize>, Vec<(i64, i64)>);

fn steps(spec: Vec<StepSpec>) -> Result<Vec<Step>, Error> {
    let step = |(method, weight, by, bounds)| {
        let method = Method::from_code(method).ok_or_else(|| Error::Table(format!("there is no method {method}")))?;
        Ok(Step {
            method,
            weight,
            by,
            bounds,
        })
    };
    spec.into_iter().map(step).collect()
}

fn wholes(values: Vec<i64>) -> Column {
    Column(Arc::new(Int64Array::from(values)))
}

fn each<T>(columns: &[Chunks], read: impl Fn(&Chunks) -> PyResult<T>) -> PyResult<Vec<T>> {
    columns.iter().map(read).collect()
}

/// Shares the supply of pools among lines; `python/allocator/_core.pyi` says what the columns are.
#[pyfunction]
pub fn fair_shares(
    py: Python<'_>,
    pool: Chunks,
    tier: Option<Chunks>,
    quantities: Vec<Option<Chunks>>,
    further: (Vec<Chunks>, Vec<Chunks>),
    tiers: Vec<Vec<StepSpec>>,
    supply: Chunks,
) -> PyResult<(Column, Column, Column)> {
    let (pool, supply): (Codes, Wholes) = (pool.numbers(py)?, supply.numbers(py)?);
    let tier: Option<Codes> = tier.map(|codes| codes.numbers(py)).transpose()?;
    let quantities: Vec<Option<Wholes>> = quantities
        .iter()
        .map(|column| column.as_ref().map(|values| values.numbers(py)).transpose())
        .collect::<PyResult<_>>()?;
    let weights: Vec<Wholes> = each(&further.0, |column| column.numbers(py))?;
    let groups: Vec<Codes> = each(&further.1, |column| column.numbers(py))?;
    let shares = guard(py, || {
        let columns: Vec<Option<&[i64]>> = quantities
            .iter()
            .map(|column| column.as_ref().map(|numbers| &*numbers.values))
            .collect();
        let &[Some(qty), qty_min, qty_max, pack, on_hand, target, priority] = columns.as_slice() else {
            return Err(Error::Table("there are seven columns of quantities".into()));
        };
        let lines = Lines {
            pool: &pool.values,
            tier: tier.as_ref().map(|codes| &*codes.values),
            qty,
            qty_min,
            qty_max,
            pack,
            on_hand,
            target,
            priority,
            weights: weights.iter().map(|numbers| &*numbers.values).collect(),
            groups: groups.iter().map(|codes| &*codes.values).collect(),
        };
        let tiers = tiers.into_iter().map(steps).collect::<Result<Vec<_>, _>>()?;
        divide(&lines, &tiers, &supply.values)
    })?;
    let line = Column(Arc::new(UInt32Array::from(shares.line)));
    let reason = Column(Arc::new(UInt8Array::from(shares.reason)));
    Ok((line, wholes(shares.qty), reason))
}

/// Serves lines under quotas and protection; `python/allocator/_core.pyi` says what the columns are.
#[pyfunction]
pub fn ration_lines(
    py: Python<'_>,
    lines: [Chunks; 5],
    quotas: [Chunks; 2],
    carry_over: u32,
    protections: [Chunks; 3],
    supply: Chunks,
) -> PyResult<(Vec<Column>, Column)> {
    let [pool, qty, pack, quota, protection] = &lines;
    let (pool, quota, own): (Codes, Codes, Codes) = (pool.numbers(py)?, quota.numbers(py)?, protection.numbers(py)?);
    let (qty, pack): (Wholes, Wholes) = (qty.numbers(py)?, pack.numbers(py)?);
    let (quota_left, first): (Wholes, Codes) = (quotas[0].numbers(py)?, quotas[1].numbers(py)?);
    let kept_in: Codes = protections[0].numbers(py)?;
    let (priority, kept): (Wholes, Wholes) = (protections[1].numbers(py)?, protections[2].numbers(py)?);
    let supply: Wholes = supply.numbers(py)?;
    let rations = guard(py, || {
        let asks = Asks {
            pool: &pool.values,
            qty: &qty.values,
            pack: &pack.values,
            quota: &quota.values,
            protection: &own.values,
        };
        let quotas = Quotas {
            left: &quota_left.values,
            first: &first.values,
            carry_over,
        };
        let protections = Protections {
            pool: &kept_in.values,
            priority: &priority.values,
            left: &kept.values,
        };
        ration(&asks, &quotas, &protections, &supply.values)
    })?;
    let reason = Column(Arc::new(UInt8Array::from(rations.reason)));
    let columns = [
        rations.qty,
        rations.carried,
        rations.protected,
        rations.borrowed,
        rations.quota_left,
        rations.protection_left,
    ];
    Ok((columns.into_iter().map(wholes).collect(), reason))
}
