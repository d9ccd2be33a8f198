//! The private module `allocator._core`: columns in, columns out, errors. No logic, but for plain orders, whose time is
//! that of making Python's objects.
#![allow(clippy::needless_pass_by_value)] // pyo3 hands arguments over by value.
use pyo3::prelude::*;

pub mod allocate;
mod arrays;
pub mod columns;
pub mod dicts;
pub mod encode;
pub mod errors;
pub mod fairness;
pub mod gather;
pub mod headroom;
pub mod held;
mod memory;
pub mod orders;
pub mod pairs;
pub mod plan;
pub mod postgres;
pub mod prepared;
pub mod transition;

/// Each line exports what one file binds; `python/allocator/_core.pyi` says it in Python's types.
#[pymodule]
mod _core {
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use crate::allocate::{Answer, Plan};
    #[pymodule_export]
    use crate::arrays::swap_array_memory;
    #[pymodule_export]
    use crate::columns::Column;
    #[pymodule_export]
    use crate::dicts::{dict_columns, line_answers};
    #[pymodule_export]
    use crate::encode::{IdReport, argsort_ids, check_ids, encode, match_ids, rows_with_nul};
    #[pymodule_export]
    use crate::fairness::{fair_shares, ration_lines};
    #[pymodule_export]
    use crate::gather::{gather, lists};
    #[pymodule_export]
    use crate::headroom::grant_requests;
    #[pymodule_export]
    use crate::memory::release_memory;
    #[pymodule_export]
    use crate::orders::{Shelf, chain_digest, chain_linked, record_orders};
    #[pymodule_export]
    use crate::pairs::{exchanges, line_amounts, pair_sums, parts};
    #[pymodule_export]
    use crate::postgres::postgres_arrays;
    #[pymodule_export]
    use crate::prepared::PreparedStock;
    #[pymodule_export]
    use crate::transition::transition_verdicts;

    #[pymodule_init]
    fn init() {
        crate::errors::keep_panics_quiet();
        crate::memory::keep_a_quarter();
    }
}
