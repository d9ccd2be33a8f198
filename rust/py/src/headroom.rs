//! Binds `allocator_core::headroom`.

use std::sync::Arc;

use allocator_core::headroom::{Requests, grant};
use arrow_array::Int64Array;
use pyo3::prelude::*;

use crate::columns::{Chunks, Column};
use crate::errors::guard;

/// Serves requests in order; `python/allocator/_core.pyi` says what the columns are.
#[pyfunction]
pub fn grant_requests(
    py: Python<'_>,
    key: Chunks,
    qty: Chunks,
    above: Chunks,
    headroom: Chunks,
) -> PyResult<(Column, Column)> {
    let (key, qty) = (key.numbers::<u32>(py)?, qty.numbers::<i64>(py)?);
    let (above, headroom) = (above.numbers::<u8>(py)?, headroom.numbers::<i64>(py)?);
    let grants = guard(py, || {
        grant(&Requests {
            key: &key.values,
            qty: &qty.values,
            above: &above.values,
            headroom: &headroom.values,
        })
    })?;
    let column = |values: Vec<i64>| Column(Arc::new(Int64Array::from(values)));
    Ok((column(grants.left), column(grants.qty)))
}
