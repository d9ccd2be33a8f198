//! The allocation kernel: columns in, columns out. It knows rows, lines, ranks, classes and limits,
//! and nothing of warehouses, Python or files.
#![forbid(unsafe_code)]

mod check;
pub mod column;
mod eligible;
pub mod encode;
pub mod error;
pub mod fairness;
mod group;
pub mod headroom;
mod kernel;
pub mod outcome;
mod packing;
pub mod problem;
pub mod transition;

pub use error::{Error, Result};
pub use kernel::{Ask, Line, Prepared, Served, run};
