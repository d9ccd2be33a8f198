//! What the kernel answers: columns in the order that `docs/allocation.md` defines.

/// A stretch of the answer. All stretches together, in sequence, are the answer.
#[derive(Debug, Default)]
pub struct Stretch {
    /// Row of each line in the demand table.
    pub line: Vec<u32>,
    /// How much of it is allocated.
    pub allocated: Vec<i64>,
    /// Why it is short: a gate, a `Reason`, or `SERVED`.
    pub reason: Vec<u8>,
    /// The allocations.
    pub takes: Takes,
}

/// Allocations, in order of their lines.
#[derive(Debug, Default)]
pub struct Takes {
    /// Row of the line in the demand table.
    pub line: Vec<u32>,
    /// Row in the stock table.
    pub stock: Vec<u32>,
    /// Units of the stock row.
    pub qty: Vec<i64>,
    /// Units of the line; empty if they are everywhere those of the stock row.
    pub served: Vec<i64>,
    /// 1, 2, … within the line.
    pub rank: Vec<u32>,
}

impl Takes {
    /// Adds one.
    #[inline]
    pub fn push(&mut self, line: u32, stock: u32, qty: i64, rank: u32) {
        self.line.push(line);
        self.stock.push(stock);
        self.qty.push(qty);
        self.rank.push(rank);
    }

    /// Makes room.
    pub fn reserve(&mut self, n: usize) {
        self.line.reserve(n);
        self.stock.reserve(n);
        self.qty.reserve(n);
        self.rank.reserve(n);
    }
}
