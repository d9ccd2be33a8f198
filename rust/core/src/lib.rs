//! The allocation kernel: columns in, columns out. It knows rows, lines, ranks, classes and limits,
//! and nothing of warehouses, Python or files. Beside it, the hash chain of a ledger.
#![forbid(unsafe_code)]

pub mod chain;
mod check;
pub mod column;
mod eligible;
pub mod encode;
pub mod error;
mod exchanges;
pub mod fairness;
mod gather;
mod group;
pub mod headroom;
mod kernel;
pub mod outcome;
mod packing;
mod pair_sums;
pub mod problem;
pub mod transition;

pub use error::{Error, Result};
pub use exchanges::{Amounts, Exchanges, NOBODY, Parts, Things, amounts, exchanges, parts};
pub use gather::{ends, gather, gather_bits};
pub use kernel::{Ask, Line, Pairs, Prepared, Served, fit, run};
pub use pair_sums::{Numbers, PairSums, pair_sums};
