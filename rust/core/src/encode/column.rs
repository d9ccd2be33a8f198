//! Columns of keys as plain slices in the layouts of Arrow, and how a row of them becomes a key.

use std::hash::Hash;
use std::ops::Range;

use rayon::prelude::*;

/// Which rows hold a value: bit `first + row`, the least significant bit of a byte first.
#[derive(Debug, Clone, Copy)]
pub struct Validity<'a> {
    /// The bitmap.
    pub bits: &'a [u8],
    /// The bit of row 0.
    pub first: usize,
}

impl Validity<'_> {
    /// Whether the bit of `row` is set.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        let bit = self.first + row;
        self.bits[bit / 8] >> (bit % 8) & 1 == 1
    }
}

#[inline]
pub(super) fn is_valid(valid: Option<&Validity>, row: usize) -> bool {
    valid.is_none_or(|valid| valid.get(row))
}

/// How the strings of a column lie in memory.
#[derive(Debug, Clone)]
pub enum Layout<'a> {
    /// String `row` is `bytes[offsets[row]..offsets[row + 1]]`.
    Offsets32(&'a [i32], &'a [u8]),
    /// The same with wide offsets.
    Offsets64(&'a [i64], &'a [u8]),
    /// Views: 32 bits of length, then the string itself (at most 12 bytes), or 32 bits of its beginning, the
    /// number of a buffer and the offset in it.
    Views(&'a [[u8; 16]], Vec<&'a [u8]>),
}

/// How many bytes of a buffer a task looks through.
const BUFFER_PIECE: usize = 1 << 20;

/// A column of UTF-8 strings.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// The strings.
    pub layout: Layout<'a>,
    /// Which rows hold a string; None: all.
    pub valid: Option<Validity<'a>>,
}

impl Text<'_> {
    /// How many rows.
    pub fn rows(&self) -> usize {
        match &self.layout {
            Layout::Offsets32(offsets, _) => offsets.len().saturating_sub(1),
            Layout::Offsets64(offsets, _) => offsets.len().saturating_sub(1),
            Layout::Views(views, _) => views.len(),
        }
    }

    /// The length of the string of `row` in bytes, whatever the validity.
    #[inline]
    pub fn length(&self, row: usize) -> usize {
        match &self.layout {
            Layout::Offsets32(offsets, _) => (offsets[row + 1] - offsets[row]) as usize,
            Layout::Offsets64(offsets, _) => (offsets[row + 1] - offsets[row]) as usize,
            Layout::Views(views, _) => low_u32(&views[row]),
        }
    }

    /// Whether the string of `row` holds a NUL character.
    #[inline]
    pub fn has_nul(&self, row: usize) -> bool {
        let has_nul = match &self.layout {
            Layout::Views(views, _) if low_u32(&views[row]) <= Short::BYTES_MAX => {
                nul_bits(u128::from_le_bytes(views[row])) != 0
            }
            layout => bytes(layout, row).contains(&0),
        };
        has_nul && is_valid(self.valid.as_ref(), row)
    }

    /// Whether memory that strings too long for a view lie in holds a NUL character, be it one of a string or not.
    pub fn buffers_have_nul(&self) -> bool {
        let Layout::Views(_, buffers) = &self.layout else {
            return true;
        };
        let has_nul = |piece: &[u8]| piece.contains(&0);
        buffers
            .par_iter()
            .any(|buffer| buffer.par_chunks(BUFFER_PIECE).any(has_nul))
    }

    /// False if certainly no string of `rows` that lies in its view holds a NUL character: a look at all of them
    /// without a branch.
    pub fn views_may_have_nul(&self, rows: Range<usize>) -> bool {
        let Layout::Views(views, _) = &self.layout else {
            return true;
        };
        let nul = views[rows].iter().fold(0, |nul, view| {
            let short = low_u32(view) <= Short::BYTES_MAX;
            nul | if short { nul_bits(u128::from_le_bytes(*view)) } else { 0 }
        });
        nul != 0
    }

    /// Whether no string among `rows` is longer than a `Short`.
    pub fn is_short(&self, mut rows: Range<usize>) -> bool {
        rows.all(|row| self.length(row) <= Short::BYTES_MAX || !is_valid(self.valid.as_ref(), row))
    }
}

/// A string of at most 12 bytes as one number that sorts like the string: its bytes, zeros, its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Short(u128);

/// One in every byte.
const ONES: u128 = u128::MAX / 255;

/// The bytes of a view that hold a string of each length; what a producer left behind it does not count.
const INLINE: [u128; 16] = {
    let mut masks = [0; 16];
    let mut length = 0;
    while length < 16 {
        masks[length] = if length < 12 {
            ((1 << (8 * length)) - 1) << 32
        } else {
            !0 << 32
        };
        length += 1;
    }
    masks
};

/// Not zero if the string in a view has a zero byte: subtracting one from it borrows into its high bit.
#[inline]
fn nul_bits(view: u128) -> u128 {
    let bytes = view | !INLINE[view as usize & 15];
    bytes.wrapping_sub(ONES) & !bytes & (ONES << 7)
}

impl Short {
    /// What fits.
    pub const BYTES_MAX: usize = 12;

    #[inline]
    fn from_view(view: u128) -> Self {
        Self((view & INLINE[view as usize & 15]).rotate_right(32).swap_bytes() | view & 15)
    }

    #[inline]
    fn from_bytes(bytes: &[u8]) -> Self {
        let mut padded = [0; 16];
        padded[..bytes.len()].copy_from_slice(bytes);
        Self(u128::from_be_bytes(padded) | bytes.len() as u128)
    }

    /// Appends the string.
    pub fn append_to(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.0.to_be_bytes()[..self.0 as u8 as usize]);
    }
}

/// Integers of any width; booleans are 0 and 1.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // A variant per width says nothing that its type does not.
pub enum Numbers<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    Bool { bits: Validity<'a>, rows: usize },
}

macro_rules! each {
    ($numbers:expr, $values:ident => $body:expr, $bool:pat => $other:expr) => {
        match $numbers {
            Numbers::I8($values) => $body,
            Numbers::I16($values) => $body,
            Numbers::I32($values) => $body,
            Numbers::I64($values) => $body,
            Numbers::U8($values) => $body,
            Numbers::U16($values) => $body,
            Numbers::U32($values) => $body,
            Numbers::U64($values) => $body,
            $bool => $other,
        }
    };
}

/// A column of integers.
#[derive(Debug, Clone, Copy)]
pub struct Integers<'a> {
    /// The numbers; meaningless where the row holds none.
    pub numbers: Numbers<'a>,
    /// Which rows hold a number; None: all.
    pub valid: Option<Validity<'a>>,
}

impl Integers<'_> {
    /// How many rows.
    pub fn rows(&self) -> usize {
        each!(self.numbers, values => values.len(), Numbers::Bool { rows, .. } => rows)
    }

    /// The number of `row` modulo 2⁶⁴, whatever the validity.
    #[inline]
    #[allow(clippy::unnecessary_cast)] // In one of the arms of the macro.
    pub fn bits(&self, row: usize) -> u64 {
        each!(self.numbers, values => values[row] as u64, Numbers::Bool { bits, .. } => bits.get(row).into())
    }

    /// The number of `row`, None where it holds none.
    #[inline]
    pub fn get(&self, row: usize) -> Option<i128> {
        is_valid(self.valid.as_ref(), row).then(
            || each!(self.numbers, values => values[row].into(), Numbers::Bool { bits, .. } => bits.get(row).into()),
        )
    }

    /// The least and the greatest number among `rows`; None if they hold none.
    pub fn bounds(&self, rows: Range<usize>) -> Option<(i128, i128)> {
        let wide = |(low, high): (_, _)| -> (i128, i128) { (low, high) };
        each!(
            self.numbers,
            values => match self.valid {
                None => extremes(values[rows].iter().copied()),
                Some(valid) => extremes(rows.filter(|&row| valid.get(row)).map(|row| values[row])),
            }
            .map(|(low, high)| wide((low.into(), high.into()))),
            Numbers::Bool { .. } => extremes(rows.filter_map(|row| self.get(row)))
        )
    }
}

fn extremes<T: Copy + Ord>(mut values: impl Iterator<Item = T>) -> Option<(T, T)> {
    let first = values.next()?;
    Some(values.fold((first, first), |(low, high), value| (low.min(value), high.max(value))))
}

/// What `encode` reads.
#[derive(Debug, Clone)]
pub enum Column<'a> {
    /// Strings.
    Text(Text<'a>),
    /// Strings by their number in a list of distinct strings (Enum, Categorical, a dictionary).
    Listed(Integers<'a>, Text<'a>),
    /// Integers.
    Integers(Integers<'a>),
}

impl Column<'_> {
    /// How many rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Text(text) => text.rows(),
            Self::Listed(integers, _) | Self::Integers(integers) => integers.rows(),
        }
    }
}

/// A column whose rows are keys of one kind.
pub trait Keys: Sync {
    /// The kind of key; sorts like the values that it stands for.
    type Key: Copy + Ord + Hash + Send + Sync;
    /// How many rows.
    fn rows(&self) -> usize;
    /// The key of `row`, None where it holds no value.
    fn key(&self, row: usize) -> Option<Self::Key>;
    /// Eight bytes of a key from byte `skip` on, that sort like the key among keys that share what lies before.
    fn lead(key: Self::Key, skip: usize) -> u64;
    /// How many leading bytes two keys share.
    fn shared(one: Self::Key, other: Self::Key) -> usize;
}

/// Integers as their distance from the least of them.
pub struct IntegerKeys<'a> {
    /// The integers.
    pub integers: Integers<'a>,
    /// The least of all integers that are encoded together.
    pub low: i128,
}

impl Keys for IntegerKeys<'_> {
    type Key = u64;

    fn rows(&self) -> usize {
        self.integers.rows()
    }

    #[inline]
    fn key(&self, row: usize) -> Option<u64> {
        is_valid(self.integers.valid.as_ref(), row).then(|| self.integers.bits(row).wrapping_sub(self.low as u64))
    }

    #[inline]
    fn lead(key: u64, _skip: usize) -> u64 {
        key
    }

    fn shared(_one: u64, _other: u64) -> usize {
        0
    }
}

/// Strings of which none is longer than 12 bytes.
pub struct ShortKeys<'a>(pub &'a Text<'a>);

impl Keys for ShortKeys<'_> {
    type Key = Short;

    fn rows(&self) -> usize {
        self.0.rows()
    }

    #[inline]
    fn key(&self, row: usize) -> Option<Short> {
        is_valid(self.0.valid.as_ref(), row).then(|| match &self.0.layout {
            Layout::Views(views, _) => Short::from_view(u128::from_le_bytes(views[row])),
            layout => Short::from_bytes(bytes(layout, row)),
        })
    }

    #[inline]
    fn lead(key: Short, skip: usize) -> u64 {
        ((key.0 << (8 * skip.min(8))) >> 64) as u64
    }

    fn shared(one: Short, other: Short) -> usize {
        ((one.0 ^ other.0).leading_zeros() / 8) as usize
    }
}

/// Strings of any length.
pub struct LongKeys<'a>(pub &'a Text<'a>);

impl<'a> Keys for LongKeys<'a> {
    type Key = &'a [u8];

    fn rows(&self) -> usize {
        self.0.rows()
    }

    #[inline]
    fn key(&self, row: usize) -> Option<&'a [u8]> {
        is_valid(self.0.valid.as_ref(), row).then(|| bytes(&self.0.layout, row))
    }

    #[inline]
    fn lead(key: &'a [u8], skip: usize) -> u64 {
        let rest = key.get(skip..).unwrap_or_default();
        match rest.first_chunk() {
            Some(chunk) => u64::from_be_bytes(*chunk),
            None => rest.iter().rfold(0, |lead, &byte| (lead >> 8) | u64::from(byte) << 56),
        }
    }

    fn shared(one: &'a [u8], other: &'a [u8]) -> usize {
        one.iter().zip(other).take_while(|(one, other)| one == other).count()
    }
}

#[inline]
fn low_u32(bytes: &[u8]) -> usize {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize
}

/// The string of `row`, whatever the validity.
#[inline]
pub fn bytes<'a>(layout: &'a Layout<'a>, row: usize) -> &'a [u8] {
    match layout {
        Layout::Offsets32(offsets, bytes) => &bytes[offsets[row] as usize..offsets[row + 1] as usize],
        Layout::Offsets64(offsets, bytes) => &bytes[offsets[row] as usize..offsets[row + 1] as usize],
        Layout::Views(views, buffers) => {
            let view = &views[row];
            let length = low_u32(view);
            if length <= Short::BYTES_MAX {
                &view[4..4 + length]
            } else {
                let start = low_u32(&view[12..]);
                &buffers[low_u32(&view[8..])][start..start + length]
            }
        }
    }
}
