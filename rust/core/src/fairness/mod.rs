//! Fair division: what each line of a pool gets when there is less than is asked, in whole units or packs.
//!
//! All arithmetic is exact. Quantities of one call add up to at most [`QTY_MAX`], so that the products of
//! two of them, and of three where the third is a pack, fit in 128 bits.

pub mod divide;
mod fill;
pub mod lines;
mod pools;
pub mod ration;
mod sum;

/// The most that quantities of one column may add up to.
pub const QTY_MAX: i64 = 1 << 60;

/// The most units in a pack.
pub const PACK_MAX: i64 = 1 << 31;
