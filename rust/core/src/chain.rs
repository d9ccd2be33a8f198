//! The hash over all that was ever recorded: of each transaction a digest of its rows as texts, and a hash of the hash
//! before it, its heading and that digest.

use std::fmt::{Display, Write};

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// Stands between fields. No text that the ledger takes contains a control character.
const FIELD: &str = "\x1f";
const ROW: &str = "\n";

/// What stands for a field that is null, which is not the empty text.
pub const NULL: char = '\x1e';

/// The hash over the rows of some tables, as texts and in their order.
pub fn digest<T: AsRef<str>>(tables: &[&[T]]) -> Hash {
    let counts: Vec<String> = tables.iter().map(|rows| rows.len().to_string()).collect();
    let mut hash = Sha256::new_with_prefix(counts.join(FIELD));
    for row in tables.iter().copied().flatten() {
        hash.update(ROW);
        hash.update(row.as_ref());
    }
    hash.finalize().into()
}

/// The hash of a transaction, by the hash before it, its heading as text, and the digest of its rows.
pub fn linked(before: &[u8], heading: &str, content: &[u8]) -> Hash {
    let hash = Sha256::new_with_prefix(before)
        .chain_update(heading)
        .chain_update(content);
    hash.finalize().into()
}

/// A row as text, of its first field.
pub fn row(first: impl Display) -> String {
    let mut row = String::with_capacity(128);
    let _ = write!(row, "{first}"); // Writing to a text cannot fail.
    row
}

/// Adds a field to a row.
pub fn push(row: &mut String, field: impl Display) {
    row.push_str(FIELD);
    let _ = write!(row, "{field}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_over_the_counts_and_then_the_rows() {
        let told = digest(&[&[][..], &["a", "b"], &["c"]]);
        assert_eq!(told, <Hash>::from(Sha256::digest("0\x1f2\x1f1\na\nb\nc")));
    }

    #[test]
    fn a_row_that_moves_to_another_table_changes_the_digest() {
        assert_ne!(digest(&[&["a", "b"][..], &[]]), digest(&[&["a"][..], &["b"]]));
    }

    #[test]
    fn a_hash_is_over_the_one_before_the_heading_and_the_digest() {
        let told = linked(b"before", "heading", &[7; 32]);
        let all = [b"beforeheading".as_slice(), &[7; 32]].concat();
        assert_eq!(told, <Hash>::from(Sha256::digest(all)));
    }
}
