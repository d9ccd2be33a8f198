//! Rows as the arrays of their columns, as `PostgreSQL` receives them.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyInt, PyString, PyTuple};

use crate::errors::{guard_attached, input};

const BYTEA: u32 = 17;
const BIGINT: u32 = 20;
const SMALLINT: u32 = 21;
const INTEGER: u32 = 23;
const TEXT: u32 = 25;

/// Of rows of one width the columns as arrays in the server's binary form, but for those that are the `same` in all
/// rows; `None` if one of these is not. Each column has values of the type with that name at the server, and nulls.
#[pyfunction]
pub fn postgres_arrays<'py>(
    py: Python<'py>,
    rows: Vec<Bound<'py, PyTuple>>,
    types: Vec<PyBackedStr>,
    same: Vec<bool>,
) -> PyResult<Option<Vec<Bound<'py, PyBytes>>>> {
    guard_attached(py, || {
        if types.len() != same.len() || rows.iter().any(|row| row.len() != same.len()) {
            return Err(input(py, "internal", "each row has a value for each column", ""));
        }
        let mut arrays = Vec::with_capacity(same.len());
        for (column, (name, &same)) in types.iter().zip(&same).enumerate() {
            if !same {
                arrays.push(PyBytes::new(py, &array(&rows, column, number_of(name)?)?));
            } else if !is_same(&rows, column)? {
                return Ok(None);
            }
        }
        Ok(Some(arrays))
    })
}

/// The number that a type has at every server.
fn number_of(name: &str) -> PyResult<u32> {
    Ok(match name {
        "bytea" => BYTEA,
        "bigint" => BIGINT,
        "smallint" => SMALLINT,
        "integer" => INTEGER,
        "text" => TEXT,
        _ => return Err(PyValueError::new_err(format!("there are no arrays of {name}"))),
    })
}

fn is_same(rows: &[Bound<'_, PyTuple>], column: usize) -> PyResult<bool> {
    let Some((first, others)) = rows.split_first() else {
        return Ok(true);
    };
    let first = first.get_item(column)?;
    for row in others {
        let value = row.get_item(column)?;
        if !value.is(&first) && !value.eq(&first)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One dimension that begins at one: its head, then each value behind its length, which is less than nothing for none.
fn array(rows: &[Bound<'_, PyTuple>], column: usize, kind: u32) -> PyResult<Vec<u8>> {
    let mut array = Vec::with_capacity(20 + 12 * rows.len());
    for number in [u32::from(!rows.is_empty()), 0, kind] {
        array.extend(number.to_be_bytes());
    }
    if !rows.is_empty() {
        array.extend(length(rows.len())?.to_be_bytes());
        array.extend(1_i32.to_be_bytes());
    }
    for row in rows {
        let value = row.get_item(column)?;
        if value.is_none() {
            array[7] = 1; // Some are null.
            array.extend((-1_i32).to_be_bytes());
        } else {
            push(&mut array, &value, kind)?;
        }
    }
    Ok(array)
}

fn push(array: &mut Vec<u8>, value: &Bound<'_, PyAny>, kind: u32) -> PyResult<()> {
    match kind {
        TEXT => {
            let text = value.cast::<PyString>()?.to_str()?;
            if text.contains('\0') {
                return Err(PyValueError::new_err("a text contains the character 0"));
            }
            push_bytes(array, text.as_bytes())
        }
        BYTEA => push_bytes(array, value.cast::<PyBytes>()?.as_bytes()),
        BIGINT => push_bytes(array, &number::<i64>(value)?.to_be_bytes()),
        INTEGER => push_bytes(array, &number::<i32>(value)?.to_be_bytes()),
        _ => push_bytes(array, &number::<i16>(value)?.to_be_bytes()),
    }
}

fn number<'py, T: FromPyObjectOwned<'py>>(value: &Bound<'py, PyAny>) -> PyResult<T> {
    value.cast::<PyInt>()?.extract().map_err(Into::into)
}

fn push_bytes(array: &mut Vec<u8>, bytes: &[u8]) -> PyResult<()> {
    array.extend(length(bytes.len())?.to_be_bytes());
    array.extend_from_slice(bytes);
    Ok(())
}

fn length(count: usize) -> PyResult<i32> {
    i32::try_from(count).map_err(|_| PyValueError::new_err("a value is longer than the server takes"))
}
