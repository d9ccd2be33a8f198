//! Pairs of numbers with amounts.

use std::sync::Arc;

use allocator_core as core;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Array, Int64Array, UInt8Array, UInt32Array};
use pyo3::prelude::*;

use crate::columns::{Chunks, Column};
use crate::errors::{guard, input};

fn wrong_type(py: Python<'_>) -> PyErr {
    input(py, "column_type", "pairs are UInt32 and amounts Int64", "Cast them")
}

fn numbers(py: Python<'_>, column: &Chunks) -> PyResult<UInt32Array> {
    let plain = column.single(py)?.as_primitive_opt::<UInt32Type>();
    plain.cloned().ok_or_else(|| wrong_type(py))
}

fn amounts(py: Python<'_>, column: &Chunks) -> PyResult<Int64Array> {
    let plain = column.single(py)?.as_primitive_opt::<Int64Type>();
    plain
        .filter(|array| array.null_count() == 0)
        .cloned()
        .ok_or_else(|| wrong_type(py))
}

/// Pairs of numbers, each once and ascending, and the sums of one amount or two.
#[pyfunction]
pub fn pair_sums(
    py: Python<'_>,
    high: Chunks,
    low: Chunks,
    amounts: Vec<Chunks>,
) -> PyResult<(Column, Column, Vec<Column>)> {
    let (high, low) = (numbers(py, &high)?, numbers(py, &low)?);
    let amounts = amounts
        .iter()
        .map(|column| self::amounts(py, column))
        .collect::<PyResult<Vec<_>>>()?;
    let sums = guard(py, || {
        let amounts: Vec<&[i64]> = amounts.iter().map(|array| &array.values()[..]).collect();
        core::pair_sums(high.values(), low.values(), &amounts)
    })?;
    Ok((
        Column(Arc::new(UInt32Array::from(sums.high))),
        Column(Arc::new(UInt32Array::from(sums.low))),
        sums.amounts
            .into_iter()
            .map(|sums| Column(Arc::new(Int64Array::from(sums))))
            .collect(),
    ))
}

/// Numbers with their amounts, and behind each the pairs that begin with it, added up.
#[pyfunction]
pub fn laid_behind(
    py: Python<'_>,
    number: Chunks,
    amount: Chunks,
    pairs: (Chunks, Chunks, Chunks),
) -> PyResult<(Column, Column, Column)> {
    let (number, amount) = (numbers(py, &number)?, amounts(py, &amount)?);
    let (high, low, held) = (numbers(py, &pairs.0)?, numbers(py, &pairs.1)?, amounts(py, &pairs.2)?);
    let (number, second, amount) = guard(py, || {
        let pairs = core::pair_sums(high.values(), low.values(), &[held.values()])?;
        core::laid_behind(number.values(), amount.values(), &pairs)
    })?;
    Ok((
        Column(Arc::new(UInt32Array::from(number))),
        Column(Arc::new(UInt8Array::from(second))),
        Column(Arc::new(Int64Array::from(amount))),
    ))
}
