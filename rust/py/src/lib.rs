//! The private module `allocator._core`: columns in, columns out, errors. No logic.
use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
