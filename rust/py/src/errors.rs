//! The one place where work leaves Python and where errors and panics become Python exceptions.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Mutex;

use allocator_core::Error;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Where and why this library panicked last; its own, as every extension has its own panic hook.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps panics off stderr: `guard` reports them. Called once, when the module is imported.
pub fn keep_panics_quiet() {
    set_hook(Box::new(|panic| {
        if let Ok(mut last) = PANIC.lock() {
            *last = panic.to_string();
        }
    }));
}

/// Runs `work` with the GIL released. A refusal becomes the error of its code, a panic `InternalError`.
pub fn guard<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    match py.detach(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.code() == "internal" => Err(internal(py, &error.to_string())),
        Ok(Err(error)) => Err(input(py, error.code(), &error.to_string(), "")),
        Err(_) => Err(internal(py, &last_panic())),
    }
}

/// Runs `work`, which talks to Python, with the GIL held. A panic becomes `InternalError`.
pub fn guard_attached<T>(py: Python<'_>, work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(internal(py, &last_panic())))
}

/// An `InputError` with one problem.
pub fn input(py: Python<'_>, code: &str, message: &str, hint: &str) -> PyErr {
    error(py, "InputError", code, message, hint)
}

fn internal(py: Python<'_>, message: &str) -> PyErr {
    error(
        py,
        "InternalError",
        "internal",
        message,
        "Please report it with the input that caused it",
    )
}

fn last_panic() -> String {
    PANIC.lock().map(|last| last.clone()).unwrap_or_default()
}

fn error(py: Python<'_>, class: &str, code: &str, message: &str, hint: &str) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let errors = py.import("allocator.errors")?;
        let arguments = PyDict::new(py);
        arguments.set_item("hint", hint)?;
        let problem = errors.getattr("Problem")?.call((code, message), Some(&arguments))?;
        Ok(PyErr::from_value(errors.getattr(class)?.call1((problem,))?))
    };
    build().unwrap_or_else(|_| PyRuntimeError::new_err(format!("{code}: {message}")))
}
