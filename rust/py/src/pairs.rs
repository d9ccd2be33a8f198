//! Pairs of numbers with amounts: lines and rows, and what went between them.

use std::sync::Arc;

use allocator_core as core;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, Int64Array, UInt8Array, UInt32Array};
use arrow_buffer::{NullBuffer, ScalarBuffer};
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

/// Pairs of numbers, each once and ascending, and the sums of one amount or two; those of nothing are left out.
#[pyfunction]
pub fn pair_sums(
    py: Python<'_>,
    high: Chunks,
    low: Chunks,
    amounts: Vec<Chunks>,
) -> PyResult<(Column, Column, Vec<Column>)> {
    let sums = match amounts.as_slice() {
        [one] => guarded_sums(py, [&high, &low], [one]),
        [one, other] => guarded_sums(py, [&high, &low], [one, other]),
        _ => Err(wrong_type(py)),
    }?;
    Ok((
        Column(Arc::new(UInt32Array::from(sums.high))),
        Column(Arc::new(UInt32Array::from(sums.low))),
        sums.amounts
            .into_iter()
            .map(|sums| Column(Arc::new(Int64Array::from(sums))))
            .collect(),
    ))
}

/// Sums of columns that are cut into the same chunks.
fn guarded_sums<const N: usize>(
    py: Python<'_>,
    pairs: [&Chunks; 2],
    amounts: [&Chunks; N],
) -> PyResult<core::PairSums> {
    let mut given = Vec::new();
    for chunk in 0..pairs[0].chunks().len() {
        let pick = |column: &&Chunks| column.chunks().get(chunk).cloned();
        let numbers = |array: ArrayRef| array.as_primitive_opt::<UInt32Type>().cloned();
        let plain = |array: ArrayRef| {
            array
                .as_primitive_opt::<Int64Type>()
                .filter(|a| a.null_count() == 0)
                .cloned()
        };
        let pair: Option<Vec<_>> = pairs.iter().map(|column| pick(column).and_then(numbers)).collect();
        let units: Option<Vec<_>> = amounts.iter().map(|column| pick(column).and_then(plain)).collect();
        given.push(pair.zip(units).ok_or_else(|| wrong_type(py))?);
    }
    guard(py, || {
        let pieces = given.iter().map(|(pair, units)| core::Numbers {
            high: pair[0].values(),
            low: pair[1].values(),
            amounts: std::array::from_fn::<_, N, _>(|amount| &units[amount].values()[..]),
        });
        core::pair_sums(&pieces.collect::<Vec<_>>())
    })
}

/// Units by line and row that lines have, or have more than before: numbers, and amounts.
type Units = (Chunks, Chunks, Chunks);

/// The group of each row, and whether a group is looked at.
fn groups(py: Python<'_>, (group, wanted): &(Chunks, Chunks)) -> PyResult<(UInt32Array, ScalarBuffer<u8>)> {
    Ok((numbers(py, group)?, wanted.numbers::<u8>(py)?.values))
}

/// What is free of each row, and behind it what lines have of it, by rank.
#[pyfunction]
pub fn parts(
    py: Python<'_>,
    there: Chunks,
    taken: Chunks,
    things: Units,
    rank: Chunks,
    wanted: Option<(Chunks, Chunks)>,
) -> PyResult<(Column, Column, Column)> {
    let (there, taken) = (amounts(py, &there)?, amounts(py, &taken)?);
    let (row, line, qty) = (
        numbers(py, &things.0)?,
        numbers(py, &things.1)?,
        amounts(py, &things.2)?,
    );
    let rank = rank.numbers::<u8>(py)?.values;
    let wanted = wanted.as_ref().map(|given| groups(py, given)).transpose()?;
    let found = guard(py, || {
        let things = core::Things {
            row: row.values(),
            line: line.values(),
            qty: qty.values(),
        };
        let wanted = wanted
            .as_ref()
            .map(|(group, wanted)| (&group.values()[..], &wanted[..]));
        core::parts([there.values(), taken.values()], things, &rank, wanted)
    })?;
    Ok((
        Column(Arc::new(UInt32Array::from(found.row))),
        Column(Arc::new(UInt8Array::from(found.held))),
        Column(Arc::new(Int64Array::from(found.qty))),
    ))
}

/// Which units of a row went from whom to whom, and the lines that lost some of them to others.
#[pyfunction]
pub fn exchanges(py: Python<'_>, changes: Units) -> PyResult<(Column, Column, Column, Column, Column)> {
    let (row, line) = (numbers(py, &changes.0)?, numbers(py, &changes.1)?);
    let change = amounts(py, &changes.2)?;
    let found = guard(py, || core::exchanges(row.values(), line.values(), change.values()))?;
    let somebody = |lines: Vec<u32>| {
        let known = lines.iter().map(|&line| line != core::NOBODY).collect::<NullBuffer>();
        Column(Arc::new(UInt32Array::new(lines.into(), Some(known))))
    };
    Ok((
        Column(Arc::new(UInt32Array::from(found.row))),
        somebody(found.from),
        somebody(found.to),
        Column(Arc::new(Int64Array::from(found.qty))),
        Column(Arc::new(UInt32Array::from(found.robbed))),
    ))
}

/// What each line has before and after, gained, lost, and lacks.
#[pyfunction]
pub fn line_amounts(
    py: Python<'_>,
    fixed: Chunks,
    held: Chunks,
    served: Chunks,
    asked: Chunks,
) -> PyResult<Vec<Column>> {
    let columns = [&fixed, &held, &served, &asked].map(|column| amounts(py, column));
    let [fixed, held, served, asked] = columns;
    let (fixed, held, served, asked) = (fixed?, held?, served?, asked?);
    let found = guard(py, || {
        core::amounts([fixed.values(), held.values(), served.values(), asked.values()])
    })?;
    let columns = [found.before, found.after, found.gained, found.lost, found.short];
    Ok(columns.map(|column| Column(Arc::new(Int64Array::from(column)))).into())
}
