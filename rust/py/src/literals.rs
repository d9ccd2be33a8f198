//! Rows as the arrays of their columns, as `PostgreSQL` spells them.

use std::fmt::Write;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString, PyTuple};

use crate::errors::{guard_attached, input};

/// Of rows of one width the columns as array literals, but for those that are the `same` in all rows; `None` if one of
/// these is not. Values are texts, integers, bytes and nulls.
#[pyfunction]
pub fn array_literals(py: Python<'_>, rows: Vec<Bound<'_, PyTuple>>, same: Vec<bool>) -> PyResult<Option<Vec<String>>> {
    guard_attached(py, || {
        if rows.iter().any(|row| row.len() != same.len()) {
            return Err(input(py, "internal", "each row has a value for each column", ""));
        }
        let mut arrays = Vec::with_capacity(same.len());
        for (column, &same) in same.iter().enumerate() {
            if same {
                let first = rows.first().map(|row| row.get_item(column)).transpose()?;
                for row in &rows {
                    let value = row.get_item(column)?;
                    if !first.as_ref().is_some_and(|first| value.is(first)) && !value.eq(first.as_ref())? {
                        return Ok(None);
                    }
                }
                continue;
            }
            let mut array = String::with_capacity(8 * rows.len() + 2);
            for row in &rows {
                array.push(if array.is_empty() { '{' } else { ',' });
                push(&mut array, &row.get_item(column)?)?;
            }
            array.push('}');
            arrays.push(array);
        }
        Ok(Some(arrays))
    })
}

fn push(array: &mut String, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() {
        array.push_str("NULL");
    } else if let Ok(text) = value.cast::<PyString>() {
        array.push('"');
        for part in text.to_str()?.split_inclusive(['"', '\\']) {
            // What an array escapes stands at the end of a part.
            match part.char_indices().next_back() {
                Some((at, end @ ('"' | '\\'))) => {
                    array.push_str(&part[..at]);
                    array.push('\\');
                    array.push(end);
                }
                _ => array.push_str(part),
            }
        }
        array.push('"');
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        array.push_str("\"\\\\x");
        for byte in bytes.as_bytes() {
            let _ = write!(array, "{byte:02x}"); // Writing to a text cannot fail.
        }
        array.push('"');
    } else {
        let number: i64 = value.cast::<PyInt>()?.extract()?;
        let _ = write!(array, "{number}");
    }
    Ok(())
}
