//! Arrow columns across the boundary, without copies: what Python gives, what Rust reads, what Python gets.

use std::ffi::CStr;

use arrow_array::cast::AsArray;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::types::{UInt8Type, UInt16Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, LargeStringArray, StringArray, StringViewArray, make_array, new_empty_array,
};
use arrow_buffer::{ArrowNativeType, NullBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyTuple};

use crate::errors::{guard_attached, input};

const ARRAY: &CStr = c"arrow_array";
const SCHEMA: &CStr = c"arrow_schema";
const STREAM: &CStr = c"arrow_array_stream";

/// One column as given: a type and at least one chunk, each sharing the memory of the giver.
pub struct Chunks {
    data_type: DataType,
    chunks: Vec<ArrayRef>,
}

/// The numbers of a one-chunk column, and which of them are null.
pub struct Numbers<T: ArrowNativeType> {
    /// One per row; where the row is null, the number means nothing.
    pub values: ScalarBuffer<T>,
    /// None when no row is null.
    pub nulls: Option<NullBuffer>,
}

/// The strings of a one-chunk column, in the layout in which they came.
pub enum Strings<'a> {
    /// 32-bit offsets.
    Utf8(&'a StringArray),
    /// 64-bit offsets.
    LargeUtf8(&'a LargeStringArray),
    /// Views, as polars gives them.
    View(&'a StringViewArray),
}

/// The codes of an Enum or Categorical, as wide as its number of categories asks for.
pub enum Codes {
    /// At most 256 categories.
    U8(Numbers<u8>),
    /// At most 65,536 categories.
    U16(Numbers<u16>),
    /// Any number of categories.
    U32(Numbers<u32>),
}

/// A number that can be read in place from a column of one of the types that store it.
pub trait Native: ArrowNativeType {
    /// Whether a column of `data_type` stores such numbers.
    fn stored_in(data_type: &DataType) -> bool;
}

macro_rules! native {
    ($($native:ty => $pattern:pat,)+) => {$(
        impl Native for $native {
            fn stored_in(data_type: &DataType) -> bool {
                matches!(data_type, $pattern)
            }
        }
    )+};
}
native! {
    u8 => DataType::UInt8,
    u16 => DataType::UInt16,
    u32 => DataType::UInt32,
    u64 => DataType::UInt64,
    i8 => DataType::Int8,
    i16 => DataType::Int16,
    i32 => DataType::Int32 | DataType::Date32,
    i64 => DataType::Int64 | DataType::Date64 | DataType::Timestamp(..) | DataType::Duration(_),
    i128 => DataType::Decimal128(..),
}

impl Chunks {
    /// How many rows all chunks have together.
    pub fn len(&self) -> usize {
        self.chunks.iter().map(Array::len).sum()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type, with the unit of a timestamp and the scale of a decimal; known for no rows too.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// The chunks in order; one empty chunk when there are no rows.
    pub fn chunks(&self) -> &[ArrayRef] {
        &self.chunks
    }

    /// The column as one array. Joining chunks would copy, so the caller is asked to do it knowingly.
    pub fn single(&self, py: Python<'_>) -> PyResult<&ArrayRef> {
        match self.chunks.as_slice() {
            [chunk] => Ok(chunk),
            chunks => Err(input(
                py,
                "column_chunks",
                &format!("the column has {} chunks, one is expected", chunks.len()),
                "Call rechunk() first",
            )),
        }
    }

    /// Integers, dates, timestamps (in their own unit) or the scaled integers of a decimal.
    pub fn numbers<T: Native>(&self, py: Python<'_>) -> PyResult<Numbers<T>> {
        if T::stored_in(&self.data_type) {
            Ok(stored(self.single(py)?))
        } else {
            Err(self.wrong_type(py, std::any::type_name::<T>()))
        }
    }

    /// Booleans: a bitmap, and which rows are null.
    pub fn booleans(&self, py: Python<'_>) -> PyResult<&BooleanArray> {
        self.single(py)?
            .as_boolean_opt()
            .ok_or_else(|| self.wrong_type(py, "Boolean"))
    }

    /// Strings in any layout.
    pub fn strings(&self, py: Python<'_>) -> PyResult<Strings<'_>> {
        let array = self.single(py)?;
        match self.data_type {
            DataType::Utf8 => Ok(Strings::Utf8(array.as_string())),
            DataType::LargeUtf8 => Ok(Strings::LargeUtf8(array.as_string())),
            DataType::Utf8View => Ok(Strings::View(array.as_string_view())),
            _ => Err(self.wrong_type(py, "String")),
        }
    }

    /// The codes and the categories of an Enum or Categorical.
    pub fn codes(&self, py: Python<'_>) -> PyResult<(Codes, ArrayRef)> {
        let array = self.single(py)?;
        if let Some(dictionary) = array.as_dictionary_opt::<UInt8Type>() {
            Ok((Codes::U8(stored(dictionary.keys())), dictionary.values().clone()))
        } else if let Some(dictionary) = array.as_dictionary_opt::<UInt16Type>() {
            Ok((Codes::U16(stored(dictionary.keys())), dictionary.values().clone()))
        } else if let Some(dictionary) = array.as_dictionary_opt::<UInt32Type>() {
            Ok((Codes::U32(stored(dictionary.keys())), dictionary.values().clone()))
        } else {
            Err(self.wrong_type(py, "Enum or Categorical"))
        }
    }

    fn wrong_type(&self, py: Python<'_>, wanted: &str) -> PyErr {
        let message = format!("the column is {}, {wanted} is expected", self.data_type);
        input(py, "column_type", &message, "Cast the column")
    }
}

impl<'py> FromPyObject<'_, 'py> for Chunks {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = object.py();
        guard_attached(py, || {
            let (data_type, chunks) = if object.hasattr("__arrow_c_stream__")? {
                read_stream(py, &object.call_method0("__arrow_c_stream__")?)?
            } else if object.hasattr("__arrow_c_array__")? {
                read_array(py, &object.call_method0("__arrow_c_array__")?)?
            } else {
                let message = format!("{} is not an Arrow column", object.get_type().name()?);
                return Err(input(py, "column_type", &message, "Give a polars Series"));
            };
            let mut chunks: Vec<_> = chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect();
            if chunks.is_empty() {
                chunks.push(new_empty_array(&data_type));
            }
            Ok(Self { data_type, chunks })
        })
    }
}

/// A column that Rust holds. `polars.Series(column)` shares its memory.
#[pyclass(frozen, module = "allocator._core")]
pub struct Column(pub ArrayRef);

#[pymethods]
impl Column {
    /// Holds a one-chunk column of anything that exports Arrow, sharing its memory.
    #[new]
    fn new(py: Python<'_>, data: Chunks) -> PyResult<Self> {
        Ok(Self(data.single(py)?.clone()))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.0.data_type());
        PyCapsule::new_with_value(py, schema.map_err(|error| unsupported(py, &error))?, SCHEMA)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let _ = requested_schema; // A wish that the protocol lets a producer decline.
        let (array, schema) = to_ffi(&self.0.to_data()).map_err(|error| unsupported(py, &error))?;
        let schema = PyCapsule::new_with_value(py, schema, SCHEMA)?;
        PyTuple::new(py, [schema, PyCapsule::new_with_value(py, array, ARRAY)?])
    }
}

fn read_stream(py: Python<'_>, capsule: &Bound<'_, PyAny>) -> PyResult<(DataType, Vec<ArrayRef>)> {
    let pointer = capsule.cast::<PyCapsule>()?.pointer_checked(Some(STREAM))?;
    // SAFETY: a capsule of this name holds a valid stream; from_raw marks it as taken.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr().cast()) };
    let mut reader = ArrayStreamReader::try_new(stream).map_err(|error| unsupported(py, &error))?;
    let data_type = arrow_array::ArrayReader::field(&reader).data_type().clone();
    let chunks = reader
        .by_ref()
        .collect::<Result<_, _>>()
        .map_err(|error| unsupported(py, &error))?;
    Ok((data_type, chunks))
}

fn read_array(py: Python<'_>, pair: &Bound<'_, PyAny>) -> PyResult<(DataType, Vec<ArrayRef>)> {
    let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) = pair.extract()?;
    let schema = schema.pointer_checked(Some(SCHEMA))?.cast::<FFI_ArrowSchema>();
    let array = array.pointer_checked(Some(ARRAY))?;
    // SAFETY: capsules of these names hold a valid array and its schema; from_raw marks the array as taken.
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array.as_ptr().cast()), schema.as_ref()) };
    let array = make_array(data.map_err(|error| unsupported(py, &error))?);
    Ok((array.data_type().clone(), vec![array]))
}

fn unsupported(py: Python<'_>, error: &ArrowError) -> PyErr {
    let message = format!("the column cannot be read: {error}");
    input(
        py,
        "column_type",
        &message,
        "Cast it to a plain type, such as Int64 or String",
    )
}

fn stored<T: ArrowNativeType>(array: &dyn Array) -> Numbers<T> {
    let data = array.to_data();
    Numbers {
        values: ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len()),
        nulls: data.nulls().filter(|nulls| nulls.null_count() > 0).cloned(),
    }
}
