//! Changes of status, checked in one call.

use std::sync::Arc;

use allocator_core::transition::{Changes, Codes, Meaning, Need, Path, Return, Table};
use allocator_core::{Error, Result};
use arrow_array::UInt8Array;
use arrow_buffer::ScalarBuffer;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::columns::{Chunks, Column};
use crate::errors::guard;

/// A column of codes and the 256 bytes that say what they mean.
type Meant = (Chunks, PyBackedBytes);

/// The verdict of each row; 0 is 'allowed'. Tables are 65,536 bytes, by first code and second code.
#[pyfunction]
#[pyo3(signature = (from_, to, kinds, verdicts, needs, back=None, path=None))]
#[allow(clippy::too_many_arguments)]
pub fn transition_verdicts(
    py: Python<'_>,
    from_: Meant,
    to: Meant,
    kinds: &[u8],
    verdicts: &[u8],
    needs: Vec<(Chunks, PyBackedBytes, PyBackedBytes)>,
    back: Option<(Chunks, PyBackedBytes, PyBackedBytes, PyBackedBytes)>,
    path: Option<(Chunks, usize, u8)>,
) -> PyResult<Column> {
    let (from_rows, to_rows) = (bytes(py, &from_.0)?, bytes(py, &to.0)?);
    let need_rows = needs
        .iter()
        .map(|need| bytes(py, &need.0))
        .collect::<PyResult<Vec<_>>>()?;
    let back_rows = back.as_ref().map(|back| bytes(py, &back.0)).transpose()?;
    let units = path.as_ref().map(|path| path.0.numbers::<u32>(py)).transpose()?;
    let verdicts = guard(py, || {
        let needs = needs.iter().zip(&need_rows).map(|((_, meaning, verdicts), rows)| {
            Ok(Need {
                given: codes(rows, meaning)?,
                verdicts: table(verdicts)?,
            })
        });
        let back = back
            .as_ref()
            .zip(back_rows.as_ref())
            .map(|((_, meaning, given, verdicts), rows)| {
                let (given, verdicts) = (table(given)?, table(verdicts)?);
                Ok(Return {
                    previous: codes(rows, meaning)?,
                    given,
                    verdicts,
                })
            });
        let changes = Changes {
            from: codes(&from_rows, &from_.1)?,
            to: codes(&to_rows, &to.1)?,
            kinds: table(kinds)?,
            verdicts: meaning(verdicts)?,
            needs: needs.collect::<Result<_>>()?,
            back: back.transpose()?,
        };
        match path.as_ref().zip(units.as_ref()) {
            None => changes.verdicts(),
            Some((&(_, units_count, broken), units)) => changes.verdicts_along(&Path {
                units: &units.values,
                units_count,
                broken,
            }),
        }
    })?;
    Ok(Column(Arc::new(UInt8Array::from(verdicts))))
}

fn bytes(py: Python<'_>, column: &Chunks) -> PyResult<ScalarBuffer<u8>> {
    Ok(column.numbers(py)?.values)
}

fn codes<'a>(rows: &'a [u8], means: &'a [u8]) -> Result<Codes<'a>> {
    Ok(Codes {
        rows,
        meaning: meaning(means)?,
    })
}

fn meaning(bytes: &[u8]) -> Result<&Meaning> {
    bytes
        .try_into()
        .map_err(|_| Error::Table(format!("{} bytes where 256 are expected", bytes.len())))
}

fn table(bytes: &[u8]) -> Result<&Table> {
    bytes
        .try_into()
        .map_err(|_| Error::Table(format!("{} bytes where 65,536 are expected", bytes.len())))
}
