//! What a kernel refuses on entry. After entry it cannot fail.

/// One reason why a kernel did not start. Python turns it into an exception with the same code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Columns of one table differ in length.
    #[error("column '{column}' has {rows} rows where {expected} are expected")]
    RowCount {
        /// The column that differs.
        column: &'static str,
        /// How many rows it has.
        rows: usize,
        /// How many the first column of its table has.
        expected: usize,
    },
    /// A compiled table contradicts itself: a defect of the compiler in Python, never of the data.
    #[error("compiled table: {0}")]
    Table(String),
}

impl Error {
    /// The stable code that the Python error carries; `internal` where no input can be the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RowCount { .. } => "row_count",
            Self::Table(_) => "internal",
        }
    }
}

/// The result of anything that checks its input.
pub type Result<T> = std::result::Result<T, Error>;
