//! Many rows that Python has as one dict each: read as columns, and made of columns.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::columns::Chunks;
use crate::errors::{guard_attached, input};

/// The names of rows and their columns; `None` unless all rows are plain dicts with the names of the first.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub fn dict_columns<'py>(
    py: Python<'py>,
    rows: Vec<Bound<'py, PyAny>>,
) -> PyResult<Option<(Bound<'py, PyList>, Vec<Bound<'py, PyList>>)>> {
    guard_attached(py, || {
        let Some(first) = rows.first().and_then(|row| row.cast_exact::<PyDict>().ok()) else {
            return Ok(None);
        };
        let names = first.keys();
        let mut columns: Vec<Vec<Bound<PyAny>>> = names.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in &rows {
            let Some(row) = row.cast_exact::<PyDict>().ok().filter(|row| row.len() == columns.len()) else {
                return Ok(None);
            };
            for (name, column) in names.iter().zip(&mut columns) {
                let Some(value) = row.get_item(name)? else {
                    return Ok(None);
                };
                column.push(value);
            }
        }
        let columns = columns.into_iter().map(|column| PyList::new(py, column));
        Ok(Some((names, columns.collect::<PyResult<_>>()?)))
    })
}

/// What is answered for each demand line: what it asked for, what it got, why it is short, and its allocations.
///
/// `takes` are the allocations in the order of the lines: the row of the line, number, stock and units of each.
#[pyfunction]
pub fn line_answers<'py>(
    py: Python<'py>,
    line_ids: Vec<Bound<'py, PyAny>>,
    asked: Vec<i64>,
    reasons: Vec<Bound<'py, PyAny>>,
    takes: (Chunks, Chunks, Chunks, Chunks),
) -> PyResult<Bound<'py, PyList>> {
    guard_attached(py, || {
        let (lines, numbers, stock_ids, units) = takes;
        let lines = lines.numbers::<u32>(py)?.values;
        let numbers = numbers.numbers::<i64>(py)?.values;
        let stock_ids = stock_ids.numbers::<i64>(py)?.values;
        let units = units.numbers::<i64>(py)?.values;
        let sizes = [numbers.len(), stock_ids.len(), units.len(), lines.len()];
        if sizes != [lines.len(); 4] || [asked.len(), reasons.len()] != [line_ids.len(); 2] {
            return Err(input(py, "internal", "columns have one length", ""));
        }
        // Copies of a dict that has its names already: to add one after the other, it would grow twice.
        let (line, allocation) = (PyDict::new(py), PyDict::new(py));
        let (line_id, requested, allocated) = (
            intern!(py, "line_id"),
            intern!(py, "requested"),
            intern!(py, "allocated"),
        );
        let (short, reason, allocations) = (intern!(py, "short"), intern!(py, "reason"), intern!(py, "allocations"));
        let (number, stock_id, qty) = (
            intern!(py, "allocation_id"),
            intern!(py, "stock_id"),
            intern!(py, "qty"),
        );
        for name in [line_id, requested, allocated, short, reason, allocations] {
            line.set_item(name, py.None())?;
        }
        for name in [number, stock_id, qty] {
            allocation.set_item(name, py.None())?;
        }
        let mut next = 0;
        let mut answers = Vec::with_capacity(line_ids.len());
        for (row, ((id, wanted), why)) in line_ids.iter().zip(asked).zip(reasons).enumerate() {
            let (mut got, mut given) = (0, Vec::with_capacity(1));
            while next < lines.len() && lines[next] as usize == row {
                let each = allocation.copy()?;
                each.set_item(number, numbers[next])?;
                each.set_item(stock_id, stock_ids[next])?;
                each.set_item(qty, units[next])?;
                got += units[next];
                given.push(each);
                next += 1;
            }
            let answer = line.copy()?;
            answer.set_item(line_id, id)?;
            answer.set_item(requested, wanted)?;
            answer.set_item(allocated, got)?;
            answer.set_item(short, wanted - got)?;
            answer.set_item(reason, why)?;
            answer.set_item(allocations, PyList::new(py, given)?)?;
            answers.push(answer);
        }
        if next < lines.len() {
            return Err(input(py, "internal", "allocations are in the order of their lines", ""));
        }
        PyList::new(py, answers)
    })
}
