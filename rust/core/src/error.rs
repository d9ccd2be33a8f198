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
    /// More rows than a row number of 32 bits can tell apart.
    #[error("{rows} rows are more than the {rows_max} that one call takes")]
    TooManyRows {
        /// How many rows there are.
        rows: usize,
        /// How many there may be.
        rows_max: usize,
    },
    /// Strings in one column and integers in another, where both hold the same kind of key.
    #[error("strings and integers cannot be matched with each other")]
    MixedKeys,
    /// Integers that no 64-bit type holds together.
    #[error("integers from {low} to {high} do not fit in one 64-bit type")]
    KeyRange {
        /// The least.
        low: i128,
        /// The greatest.
        high: i128,
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
            Self::TooManyRows { .. } => "too_many_rows",
            Self::MixedKeys => "mixed_keys",
            Self::KeyRange { .. } => "key_range",
            Self::Table(_) => "internal",
        }
    }
}

/// The result of anything that checks its input.
pub type Result<T> = std::result::Result<T, Error>;
