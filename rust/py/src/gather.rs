//! Columns at some rows, gathered on all threads into memory that is kept.

use std::sync::Arc;

use allocator_core as core;
use allocator_core::column::Bits;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, BooleanArray, LargeListArray, StringViewArray, UInt32Array, make_array};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field};
use pyo3::prelude::*;

use crate::columns::{Chunks, Column};
use crate::errors::{guard, input};

/// The column at these rows: a column of booleans, of text as polars has it, or of anything of a fixed width.
#[pyfunction]
pub fn gather(py: Python<'_>, column: Chunks, rows: Chunks) -> PyResult<Column> {
    let array = column.single(py)?;
    let rows = row_numbers(py, &rows)?;
    let found = guard(py, || gathered(array, rows.values()))?;
    found.map(Column).ok_or_else(|| {
        let message = format!("a column of {} cannot be gathered", column.data_type());
        input(py, "column_type", &message, "Use polars' own gather")
    })
}

fn row_numbers(py: Python<'_>, rows: &Chunks) -> PyResult<UInt32Array> {
    let plain = rows.single(py)?.as_primitive_opt::<UInt32Type>();
    plain
        .filter(|array| array.null_count() == 0)
        .cloned()
        .ok_or_else(|| input(py, "column_type", "rows are UInt32 without nulls", "Cast them"))
}

/// Of each of so many owners the list of its values; owners ascend.
#[pyfunction]
pub fn lists(py: Python<'_>, owner: Chunks, values: Chunks, count: usize) -> PyResult<Column> {
    let (owner, values) = (owner.numbers::<u32>(py)?.values, values.single(py)?.clone());
    let ends = guard(py, || core::ends(&owner, count))?;
    let field = Field::new("item", values.data_type().clone(), true);
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let lists = LargeListArray::try_new(Arc::new(field), offsets, values, None);
    let internal = |error: ArrowError| input(py, "internal", &error.to_string(), "Give each value an owner");
    Ok(Column(Arc::new(lists.map_err(internal)?)))
}

fn gathered(array: &ArrayRef, rows: &[u32]) -> core::Result<Option<ArrayRef>> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let nulls = nulls
        .map(|nulls| bits(nulls.inner(), rows))
        .transpose()?
        .map(NullBuffer::new);
    Ok(Some(match (array.data_type(), array.data_type().primitive_width()) {
        (DataType::Boolean, _) => Arc::new(BooleanArray::new(bits(array.as_boolean().values(), rows)?, nulls)),
        (DataType::Utf8View, _) => {
            let strings = array.as_string_view();
            let views = core::gather(strings.views(), rows)?;
            // SAFETY: every view is one of a valid column with these buffers.
            Arc::new(unsafe {
                StringViewArray::new_unchecked(views.into(), strings.data_buffers().to_vec().into(), nulls)
            })
        }
        (_, Some(1)) => fixed::<u8>(array, rows, nulls)?,
        (_, Some(2)) => fixed::<u16>(array, rows, nulls)?,
        (_, Some(4)) => fixed::<u32>(array, rows, nulls)?,
        (_, Some(8)) => fixed::<u64>(array, rows, nulls)?,
        _ => return Ok(None),
    }))
}

fn fixed<T: ArrowNativeType>(array: &ArrayRef, rows: &[u32], nulls: Option<NullBuffer>) -> core::Result<ArrayRef> {
    let data = array.to_data();
    let values = ScalarBuffer::<T>::new(data.buffers()[0].clone(), data.offset(), data.len());
    let found = ArrayData::builder(data.data_type().clone())
        .len(rows.len())
        .nulls(nulls)
        .add_buffer(Buffer::from_vec(core::gather(&values, rows)?))
        .build();
    found
        .map(make_array)
        .map_err(|error| core::Error::Table(error.to_string()))
}

fn bits(bits: &BooleanBuffer, rows: &[u32]) -> core::Result<BooleanBuffer> {
    let from = Bits {
        bytes: bits.values(),
        offset: bits.offset(),
    };
    let found = core::gather_bits(from, bits.len(), rows)?;
    Ok(BooleanBuffer::new(Buffer::from_vec(found), 0, rows.len()))
}
