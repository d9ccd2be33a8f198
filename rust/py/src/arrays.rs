//! The memory of numpy's arrays: taken from this extension's allocator, which keeps large blocks between their uses.
//! numpy asks for it through a handler (NEP 49).

use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::errors::guard_attached;

/// What numpy calls the capsule of a handler.
const HANDLER: &CStr = c"mem_handler";

/// The place of `PyDataMem_SetHandler` in the table of functions that numpy gives to extensions, since numpy 1.22.
const SET_HANDLER: usize = 304;

/// Before each block lies its size; the block itself is aligned as the system's are.
const HEAD_BYTES: usize = 16;

/// `PyDataMemAllocator` of numpy.
#[repr(C)]
struct Functions {
    context: *mut c_void,
    malloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    calloc: unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    realloc: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void, usize),
}

/// `PyDataMem_Handler` of numpy, version 1.
#[repr(C)]
struct Handler {
    name: [c_char; 127],
    version: u8,
    functions: Functions,
}

// SAFETY: nothing in it is ever written, and its context is null.
unsafe impl Sync for Handler {}

static KEPT: Handler = Handler {
    name: [0; 127],
    version: 1,
    functions: Functions {
        context: null_mut(),
        malloc,
        calloc,
        realloc: resize,
        free,
    },
};

/// `PyDataMem_SetHandler`: takes a capsule, and gives that of before or null with an exception.
type SetHandler = unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;

/// Sets whose memory new arrays of the current context (PEP 567) get: this extension's or, if given, that of a handler.
/// The handler of before is returned. An array knows its own, so it may outlive any change.
#[pyfunction]
#[pyo3(signature = (handler=None))]
pub fn swap_array_memory<'py>(py: Python<'py>, handler: Option<Bound<'py, PyCapsule>>) -> PyResult<Bound<'py, PyAny>> {
    guard_attached(py, || {
        let table = py.import("numpy._core._multiarray_umath")?.getattr("_ARRAY_API")?;
        let table = table
            .cast::<PyCapsule>()?
            .pointer_checked(None)?
            .cast::<*const c_void>();
        // SAFETY: this function is in this place of numpy's table.
        let set = unsafe { std::mem::transmute::<*const c_void, SetHandler>(*table.as_ptr().add(SET_HANDLER)) };
        let handler = if let Some(handler) = handler {
            handler.into_any()
        } else {
            let kept = (&raw const KEPT).cast_mut().cast();
            // SAFETY: a new reference or an exception; the handler lives as long as the process.
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyCapsule_New(kept, HANDLER.as_ptr(), None))? }
        };
        // SAFETY: as its type says.
        unsafe { Bound::from_owned_ptr_or_err(py, set(handler.as_ptr())) }
    })
}

/// A head and so many bytes.
fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.checked_add(HEAD_BYTES)?, HEAD_BYTES).ok()
}

/// Writes the size into the head, if there is a block, and gives what is behind it.
///
/// # Safety
/// The block is null or has room for the head.
unsafe fn behind(block: *mut u8, bytes: usize) -> *mut c_void {
    if block.is_null() {
        return null_mut();
    }
    // SAFETY: as promised.
    unsafe {
        block.cast::<usize>().write_unaligned(bytes);
        block.add(HEAD_BYTES).cast()
    }
}

/// The whole block and its layout.
///
/// # Safety
/// It comes from `behind`.
unsafe fn whole(block: *mut c_void) -> (*mut u8, Layout) {
    // SAFETY: the head lies before it, with a size that had a layout.
    unsafe {
        let head = block.cast::<u8>().sub(HEAD_BYTES);
        let bytes = head.cast::<usize>().read_unaligned();
        (head, Layout::from_size_align_unchecked(bytes + HEAD_BYTES, HEAD_BYTES))
    }
}

unsafe extern "C" fn malloc(_: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: the layout holds a head.
    layout(bytes).map_or(null_mut(), |layout| unsafe { behind(alloc(layout), bytes) })
}

unsafe extern "C" fn calloc(_: *mut c_void, count: usize, each: usize) -> *mut c_void {
    let Some((bytes, layout)) = count.checked_mul(each).and_then(|bytes| Some((bytes, layout(bytes)?))) else {
        return null_mut();
    };
    // SAFETY: the layout holds a head.
    unsafe { behind(alloc_zeroed(layout), bytes) }
}

unsafe extern "C" fn resize(context: *mut c_void, block: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: numpy gives null or what it had from here; a head is always there.
    unsafe {
        if block.is_null() {
            return malloc(context, bytes);
        }
        let (head, from) = whole(block);
        layout(bytes).map_or(null_mut(), |to| behind(realloc(head, from, to.size()), bytes))
    }
}

unsafe extern "C" fn free(_: *mut c_void, block: *mut c_void, _: usize) {
    if !block.is_null() {
        // SAFETY: numpy gives what it had from here.
        unsafe {
            let (head, layout) = whole(block);
            dealloc(head, layout);
        }
    }
}
