//! Columns that stay alive with what is bound to them, and what the kernel reads in them.

use std::cmp::Ordering;

use allocator_core::column::{Bits, Column as CoreColumn, Values};
use allocator_core::{Error, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use pyo3::prelude::*;

use crate::columns::Chunks;

type Compare<'a> = dyn Fn(u32, u32) -> Ordering + Sync + 'a;

/// A column that stays alive with what is bound to it.
pub struct Held(ArrayRef);

impl<'py> FromPyObject<'_, 'py> for Held {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let chunks: Chunks = object.extract()?;
        Ok(Self(chunks.single(object.py())?.clone()))
    }
}

macro_rules! width {
    ($array:expr, $type:ty, $variant:ident) => {
        Values::$variant($array.as_primitive::<$type>().values())
    };
}

impl Held {
    /// What the kernel reads. Columns of `UInt32` are codes.
    pub fn column(&self) -> Result<CoreColumn<'_>> {
        let array = &self.0;
        let values = match array.data_type() {
            DataType::Int8 => width!(array, Int8Type, I8),
            DataType::Int16 => width!(array, Int16Type, I16),
            DataType::Int32 => width!(array, Int32Type, I32),
            DataType::Int64 => width!(array, Int64Type, I64),
            DataType::Date32 => width!(array, Date32Type, I32),
            DataType::UInt8 => width!(array, UInt8Type, U8),
            DataType::UInt16 => width!(array, UInt16Type, U16),
            DataType::UInt32 => width!(array, UInt32Type, Codes),
            DataType::UInt64 => width!(array, UInt64Type, U64),
            DataType::Timestamp(unit, _) => Values::I64(timestamps(array, *unit)),
            DataType::Boolean => {
                let bits = array.as_boolean().values();
                Values::Bool(
                    Bits {
                        bytes: bits.values(),
                        offset: bits.offset(),
                    },
                    array.len(),
                )
            }
            other => return Err(Error::Table(format!("a column of type {other} cannot be compiled"))),
        };
        let valid = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Ok(CoreColumn::new(
            values,
            valid.map(|n| Bits {
                bytes: n.validity(),
                offset: n.offset(),
            }),
        ))
    }

    /// How two rows compare, ids as given.
    pub fn compare(&self) -> Box<Compare<'_>> {
        match self.0.data_type() {
            DataType::Utf8View => {
                let strings = self.0.as_string_view();
                Box::new(|a, b| strings.value(a as usize).cmp(strings.value(b as usize)))
            }
            DataType::LargeUtf8 => {
                let strings = self.0.as_string::<i64>();
                Box::new(|a, b| strings.value(a as usize).cmp(strings.value(b as usize)))
            }
            DataType::Int64 => {
                let numbers = self.0.as_primitive::<Int64Type>();
                Box::new(|a, b| numbers.value(a as usize).cmp(&numbers.value(b as usize)))
            }
            _ => Box::new(|a, b| a.cmp(&b)),
        }
    }
}

fn timestamps(array: &ArrayRef, unit: arrow_schema::TimeUnit) -> &[i64] {
    use arrow_array::types::{
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    };
    use arrow_schema::TimeUnit;
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    }
}

/// The column, if there is one.
pub fn optional(held: Option<&Held>) -> Result<Option<CoreColumn<'_>>> {
    held.map(Held::column).transpose()
}
