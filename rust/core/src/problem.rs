//! What the kernel is told: columns, orders, tests and fill rules. Python compiles a policy to this.
//!
//! Nothing here knows what a warehouse is. `docs/allocation.md` says what the answer must be.

use std::cmp::Ordering;

use crate::column::{Column, Reader};

/// A gate: why a row may not serve a line. The numbers are the sequence of `docs/allocation.md`; Python names them.
pub type Gate = u8;

/// The gate of a row that belongs to another SKU of the same group.
pub const GATE_UNKNOWN: Gate = 0;
/// The gate of a row that has no balance at the start.
pub const GATE_NO_BALANCE: Gate = 5;
/// The gate of a row that is held back whole as safety stock.
pub const GATE_SAFETY: Gate = 14;
/// No gate failed: the row is a candidate.
pub const PASS: Gate = u8::MAX;

/// Why a line is short although it had candidates; numbered after the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// No lot serves the whole line.
    OneLot = 15,
    /// No place serves the whole line.
    OneSource = 16,
    /// Rows are taken whole.
    WholeRows = 17,
    /// No more rows may be used.
    RowsMax = 18,
    /// Only packs are taken.
    Pack = 19,
    /// Only whole exchanges are made.
    Exchange = 20,
    /// The line's minimum was not reached.
    BelowMinimum = 21,
    /// The whole line was asked.
    LineIncomplete = 22,
    /// Another line of the order could not be served.
    OrderIncomplete = 23,
    /// Earlier lines have taken it.
    Taken = 24,
    /// The line took all there was.
    Insufficient = 25,
}

/// The reason of a line that is not short.
pub const SERVED: u8 = u8::MAX;

/// How ids are compared when all keys of an order are equal.
#[derive(Clone, Copy)]
pub enum Ids<'a> {
    /// The ids ascend with the rows.
    Ascending,
    /// Compares the ids of two rows.
    By(&'a (dyn Fn(u32, u32) -> Ordering + Sync)),
}

/// One key of an order.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// What is ordered by.
    pub column: Column<'a>,
    /// Greatest first.
    pub descending: bool,
    /// Nulls first, whatever the direction.
    pub nulls_first: bool,
}

/// One key of a stock order.
#[derive(Clone, Copy)]
pub enum StockKey<'a> {
    /// A key of the row alone.
    Row(Key<'a>),
    /// The rank that the test with this number gives to row and line; lower first, or higher if reversed.
    Rank {
        /// Number of the test.
        test: usize,
        /// Whether the greatest rank comes first.
        reverse: bool,
    },
}

/// One bound of an interval.
#[derive(Clone, Copy)]
pub enum Bound<'a> {
    /// No bound.
    Open,
    /// The same for all lines.
    At(i64),
    /// By line; null is open.
    Of(Column<'a>),
}

/// Codes of one side of a table: the columns are the digits of one number, null is digit 0.
#[derive(Clone, Default)]
pub struct Digits<'a>(pub Vec<(Column<'a>, u32)>);

impl Digits<'_> {
    /// How many combinations there are.
    pub fn card(&self) -> usize {
        self.0.iter().map(|&(_, card)| card as usize + 1).product()
    }

    /// The combination of one row.
    pub fn code(&self, row: usize) -> usize {
        self.0.iter().fold(0, |code, (column, card)| {
            let digit = column.get(row);
            code * (*card as usize + 1) + if digit < 0 { 0 } else { digit as usize + 1 }
        })
    }

    /// The combinations of a block of rows.
    pub fn codes(&self, start: usize, reader: &mut Reader, out: &mut [usize]) {
        let n = out.len();
        out.fill(0);
        for (column, card) in &self.0 {
            let card = *card as usize;
            for (code, &digit) in out.iter_mut().zip(reader.read(column, start, n)) {
                *code = *code * (card + 1) + (digit.max(-1).wrapping_add(1) as usize).min(card);
            }
        }
    }
}

/// One comparison of a row with a line. All must pass.
pub enum Test<'a> {
    /// By a table of codes: negative fails, otherwise the value is a rank.
    Table {
        /// What fails.
        gate: Gate,
        /// Codes of the row.
        stock: Digits<'a>,
        /// Codes of the line; without columns the test concerns the row alone.
        demand: Digits<'a>,
        /// `demand.card() * stock.card()` ranks, the row's code fastest.
        cells: Vec<i32>,
    },
    /// The row's value lies within the line's bounds, both included.
    Within {
        /// What fails.
        gate: Gate,
        /// The row's value.
        stock: Column<'a>,
        /// Lower bound.
        low: Bound<'a>,
        /// Upper bound.
        high: Bound<'a>,
        /// Whether a row without a value passes a line that has bounds.
        null_passes: bool,
        /// The other way round: the row's value lies outside.
        outside: bool,
    },
    /// The row's code is the line's; a line without one takes any.
    Equal {
        /// What fails.
        gate: Gate,
        /// The row's code.
        stock: Column<'a>,
        /// The line's code.
        demand: Column<'a>,
    },
    /// The row's SKU is the line's (rank 0), or one of its substitutes.
    Exchange {
        /// SKU code of the row.
        stock: Column<'a>,
        /// SKU code of the line.
        demand: Column<'a>,
        /// By SKU code of the line, ascending: substitute, rank, and how many of it for how many asked.
        substitutes: Vec<Substitute>,
    },
}

impl Test<'_> {
    /// Whether every line asks the same of a row.
    pub fn is_of_row(&self) -> bool {
        match self {
            Test::Table { demand, .. } => demand.0.is_empty(),
            Test::Within { low, high, .. } => ![low, high].iter().any(|bound| matches!(bound, Bound::Of(_))),
            Test::Equal { .. } | Test::Exchange { .. } => false,
        }
    }
}

/// One substitute of one SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Substitute {
    /// SKU code that is asked.
    pub sku: u32,
    /// SKU code that stands in.
    pub substitute: u32,
    /// Its place among the substitutes, from 1.
    pub rank: u32,
    /// So many units of the substitute …
    pub give: i64,
    /// … for so many asked.
    pub asked: i64,
}

/// Whether a line must be served whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whole {
    /// Any quantity.
    #[default]
    No,
    /// The line or nothing.
    Line,
    /// All such lines of the order or nothing.
    Order,
}

/// What a line may be confined to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum One {
    /// Nothing.
    #[default]
    No,
    /// One lot.
    Lot,
    /// One place.
    Source,
}

/// A quantity of a fill rule.
#[derive(Clone, Copy, Default)]
pub enum Amount<'a> {
    /// None.
    #[default]
    None,
    /// The same for all lines.
    Is(i64),
    /// By line; null is none.
    Of(Column<'a>),
}

impl Amount<'_> {
    /// The amount of a line, if there is one.
    pub fn of(&self, line: usize) -> Option<i64> {
        match self {
            Amount::None => None,
            Amount::Is(amount) => Some(*amount),
            Amount::Of(column) => Some(column.get(line)).filter(|&x| x > 0),
        }
    }

    fn is_none(&self) -> bool {
        matches!(self, Amount::None)
    }
}

/// How much of a line must be served, and from what.
#[derive(Clone, Copy, Default)]
pub struct Fill<'a> {
    /// Whole line, whole order, or any.
    pub whole: Whole,
    /// At least this much or nothing.
    pub qty_min: Amount<'a>,
    /// Multiples of this from each row.
    pub pack: Amount<'a>,
    /// From at most so many rows.
    pub rows_max: Option<u32>,
    /// From one lot or place only.
    pub one: One,
    /// Rows are taken whole.
    pub whole_rows: bool,
}

impl Fill<'_> {
    /// Whether any quantity from any rows will do.
    pub fn is_any(&self) -> bool {
        self.whole == Whole::No && self.qty_min.is_none() && self.takes_anything()
    }

    /// Whether a line may take anything from any row, however much it must get in all.
    pub fn takes_anything(&self) -> bool {
        self.pack.is_none() && self.rows_max.is_none() && self.one == One::No && !self.whole_rows
    }
}

/// Quantities kept back.
pub struct Safety<'a> {
    /// SKU code of each stock row.
    pub sku: Column<'a>,
    /// Place code of each stock row.
    pub place: Option<Column<'a>>,
    /// 1 where the row counts.
    pub counts: Column<'a>,
    /// What is kept back, in the order in which it is.
    pub rules: Vec<SafetyRule>,
}

/// A quantity kept back.
#[derive(Clone, Copy, Debug)]
pub struct SafetyRule {
    /// SKU code.
    pub sku: u32,
    /// The places it counts at: an interval of place codes, or everywhere.
    pub places: Option<(i64, i64)>,
    /// How much.
    pub qty: i64,
}

/// One part of what groups rows and lines: a column of codes below a bound; null is a group of its own.
#[derive(Clone, Copy)]
pub struct GroupPart<'a> {
    /// Code of each stock row.
    pub stock: Column<'a>,
    /// Code of each line.
    pub demand: Column<'a>,
    /// All codes are below this.
    pub card: u32,
}

/// The stock side.
pub struct Stock<'a> {
    /// On hand, at least zero.
    pub on_hand: Column<'a>,
    /// Reserved, at least zero and at most on hand.
    pub reserved: Option<Column<'a>>,
    /// The stock order without its last key, the id.
    pub order: Vec<StockKey<'a>>,
    /// Comparison of stock ids.
    pub ids: Ids<'a>,
    /// Lot codes, for fills of one lot.
    pub lot: Option<Column<'a>>,
    /// Place codes, for fills of one place.
    pub place: Option<Column<'a>>,
    /// SKU codes, for fills of one lot.
    pub sku: Option<Column<'a>>,
}

/// The demand side.
pub struct Demand<'a> {
    /// Requested quantity, at least zero.
    pub qty: Column<'a>,
    /// The demand order without its last key, the id.
    pub order: Vec<Key<'a>>,
    /// Comparison of line ids.
    pub ids: Ids<'a>,
    /// Number of the fill rule of each line; without it all lines use the first.
    pub fill: Option<Column<'a>>,
    /// Dense order codes, for whole orders.
    pub order_code: Option<Column<'a>>,
}

/// A whole allocation problem.
pub struct Problem<'a> {
    /// Stock rows.
    pub stock: Stock<'a>,
    /// Demand lines.
    pub demand: Demand<'a>,
    /// What groups them.
    pub group: Vec<GroupPart<'a>>,
    /// What a row must pass to serve a line.
    pub tests: Vec<Test<'a>>,
    /// Fill rules.
    pub fills: Vec<Fill<'a>>,
    /// Quantities kept back.
    pub safety: Option<Safety<'a>>,
}
