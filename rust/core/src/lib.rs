//! The allocation kernel: columns in, columns out. It knows rows, lines, ranks, classes and limits,
//! and nothing of warehouses, Python or files.
#![forbid(unsafe_code)]

pub mod error;

pub use error::{Error, Result};
