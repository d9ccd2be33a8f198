//! Keys to codes, and ids checked and sorted.

use std::sync::Arc;

use allocator_core::encode as core;
use allocator_core::encode::{Integers, Layout, Numbers, Text, Validity, Values};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Int64Array, LargeStringArray, UInt32Array, UInt64Array};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use pyo3::prelude::*;

use crate::columns::{Chunks, Column};
use crate::errors::{guard, input};

/// What `check_ids` found.
#[pyclass(frozen, get_all, module = "allocator._core")]
pub struct IdReport {
    /// Whether every row holds an id that is greater than the one before; then they are unique.
    ascending: bool,
    /// How many rows repeat the id of an earlier row.
    repeats: usize,
    /// The first of these rows, each with the first row that holds the same id.
    first_repeats: Vec<(u32, u32)>,
}

/// The codes of several columns of strings, or of integers, in one set of codes (2³² - 1 where a row holds no value);
/// and the value of each code.
#[pyfunction]
pub fn encode(py: Python<'_>, columns: Vec<Chunks>) -> PyResult<(Vec<Column>, Column)> {
    let columns = columns
        .iter()
        .map(|column| keys(py, column))
        .collect::<PyResult<Vec<_>>>()?;
    let encoded = guard(py, || core::encode(&columns))?;
    let codes = encoded.codes.into_iter().map(numbers).collect();
    Ok((codes, Column(values(encoded.values))))
}

/// Looks for repeated ids.
#[pyfunction]
pub fn check_ids(py: Python<'_>, column: Chunks, repeats_max: usize) -> PyResult<IdReport> {
    let column = keys(py, &column)?;
    let report = guard(py, || core::check_ids(&column, repeats_max))?;
    Ok(IdReport {
        ascending: report.ascending,
        repeats: report.repeats,
        first_repeats: report.first_repeats,
    })
}

/// The rows in ascending order of their ids; equal ids by row, rows without an id last.
#[pyfunction]
pub fn argsort_ids(py: Python<'_>, column: Chunks) -> PyResult<Column> {
    let column = keys(py, &column)?;
    let rows = guard(py, || core::argsort_ids(&column))?;
    Ok(numbers(rows))
}

/// For each row of `asked` the row of `ids` that holds the same id, null where none does.
#[pyfunction]
pub fn match_ids(py: Python<'_>, ids: Chunks, asked: Chunks) -> PyResult<Column> {
    let (ids, asked) = (keys(py, &ids)?, keys(py, &asked)?);
    let rows = guard(py, || core::match_ids(&ids, &asked))?;
    if rows.contains(&core::NULL) {
        let rows = rows.into_iter().map(|row| (row != core::NULL).then_some(row));
        return Ok(Column(Arc::new(rows.collect::<UInt32Array>())));
    }
    Ok(numbers(rows))
}

/// The first rows whose text holds a NUL character.
#[pyfunction]
pub fn rows_with_nul(py: Python<'_>, column: Chunks, rows_max: usize) -> PyResult<Vec<u32>> {
    let column = keys(py, &column)?;
    guard(py, || Ok(core::rows_with_nul(&column, rows_max)))
}

fn keys<'a>(py: Python<'_>, column: &'a Chunks) -> PyResult<core::Column<'a>> {
    let array = column.single(py)?;
    let wrong_type = || {
        let message = format!("a column of {} cannot be a key", column.data_type());
        input(py, "column_type", &message, "Use strings or integers")
    };
    match column.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            match (integers(dictionary.keys()), text(dictionary.values())) {
                (Some(rows), Some(list)) => Ok(core::Column::Listed(rows, list)),
                _ => Err(wrong_type()),
            }
        }
        _ => text(array)
            .map(core::Column::Text)
            .or_else(|| integers(array.as_ref()).map(core::Column::Integers))
            .ok_or_else(wrong_type),
    }
}

fn text(array: &ArrayRef) -> Option<Text<'_>> {
    let layout = match array.data_type() {
        DataType::Utf8 => {
            let strings = array.as_string::<i32>();
            Layout::Offsets32(strings.value_offsets(), strings.value_data())
        }
        DataType::LargeUtf8 => {
            let strings = array.as_string::<i64>();
            Layout::Offsets64(strings.value_offsets(), strings.value_data())
        }
        DataType::Utf8View => {
            let strings = array.as_string_view();
            let bytes = &strings.views().inner().as_slice()[..16 * strings.len()];
            let buffers = strings.data_buffers().iter().map(Buffer::as_slice).collect();
            Layout::Views(bytes.as_chunks().0, buffers)
        }
        _ => return None,
    };
    Some(Text {
        layout,
        valid: array.nulls().and_then(validity),
    })
}

fn integers(array: &dyn Array) -> Option<Integers<'_>> {
    let numbers = match array.data_type() {
        DataType::Int8 => Numbers::I8(array.as_primitive::<Int8Type>().values()),
        DataType::Int16 => Numbers::I16(array.as_primitive::<Int16Type>().values()),
        DataType::Int32 => Numbers::I32(array.as_primitive::<Int32Type>().values()),
        DataType::Int64 => Numbers::I64(array.as_primitive::<Int64Type>().values()),
        DataType::UInt8 => Numbers::U8(array.as_primitive::<UInt8Type>().values()),
        DataType::UInt16 => Numbers::U16(array.as_primitive::<UInt16Type>().values()),
        DataType::UInt32 => Numbers::U32(array.as_primitive::<UInt32Type>().values()),
        DataType::UInt64 => Numbers::U64(array.as_primitive::<UInt64Type>().values()),
        DataType::Boolean => {
            let values = array.as_boolean().values();
            let bits = Validity {
                bits: values.values(),
                first: values.offset(),
            };
            Numbers::Bool {
                bits,
                rows: values.len(),
            }
        }
        _ => return None,
    };
    Some(Integers {
        numbers,
        valid: array.nulls().and_then(validity),
    })
}

fn validity(nulls: &NullBuffer) -> Option<Validity<'_>> {
    (nulls.null_count() > 0).then(|| Validity {
        bits: nulls.validity(),
        first: nulls.offset(),
    })
}

fn numbers(numbers: Vec<u32>) -> Column {
    Column(Arc::new(UInt32Array::from(numbers)))
}

fn values(values: Values) -> ArrayRef {
    match values {
        Values::Signed(values) => Arc::new(Int64Array::from(values)),
        Values::Unsigned(values) => Arc::new(UInt64Array::from(values)),
        Values::Text { offsets, bytes } => {
            // Whole strings of valid columns were copied, one after the other.
            let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
            Arc::new(LargeStringArray::new(offsets, Buffer::from_vec(bytes), None))
        }
    }
}
