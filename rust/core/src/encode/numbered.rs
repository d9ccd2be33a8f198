//! Ids that are one beginning and a number of so many digits, as `SO-000123`: each of them stands for its number.

use super::column::{Layout, Text, bytes, is_valid};

/// Numbers of so many digits fit two words.
const DIGITS_MAX: usize = 16;

/// Ids of one shape as numbers.
pub struct Numbered<'a> {
    beginning: &'a [u8],
    digits: usize,
}

impl<'a> Numbered<'a> {
    /// The shape of the id of a row, if it ends in digits.
    pub fn of(ids: &'a Text<'a>, row: usize) -> Option<Self> {
        if !is_valid(ids.valid.as_ref(), row) {
            return None;
        }
        let id = bytes(&ids.layout, row);
        let digits = id.iter().rev().take(DIGITS_MAX);
        let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0).then(|| Self {
            beginning: &id[..id.len() - digits],
            digits,
        })
    }

    /// The number of an id; None if it has another shape, or the row holds none.
    #[inline]
    pub fn number(&self, ids: &Text<'_>, row: usize) -> Option<u64> {
        if !is_valid(ids.valid.as_ref(), row) {
            return None;
        }
        let length = self.beginning.len() + self.digits;
        let text = match &ids.layout {
            // What lies in its view is read as one word, of which the digits are the last bytes.
            Layout::Views(views, _) if length <= INLINE_MAX => {
                let view = views[row];
                let begins = view[4..].starts_with(self.beginning);
                let known = view[..4] == (length as u32).to_le_bytes() && begins;
                known.then(|| u128::from_le_bytes(view) << (8 * (INLINE_MAX - length)))
            }
            layout => {
                let digits = bytes(layout, row).strip_prefix(self.beginning)?;
                let mut padded = [b'0'; DIGITS_MAX];
                let fits = digits.len() == self.digits;
                fits.then(|| padded[DIGITS_MAX - self.digits..].copy_from_slice(digits))?;
                Some(u128::from_le_bytes(padded))
            }
        }?;
        let others = u128::MAX.checked_shr(8 * self.digits as u32).unwrap_or(0);
        let digits = text & !others | ZEROS & others;
        Some(eight(digits as u64)? * 100_000_000 + eight((digits >> 64) as u64)?)
    }
}

/// Strings of so many bytes lie in their views.
const INLINE_MAX: usize = 12;

const ZEROS: u128 = u128::from_le_bytes([b'0'; DIGITS_MAX]);

/// The number of eight digits, the first of them in the lowest byte.
#[inline]
fn eight(digits: u64) -> Option<u64> {
    const HIGH: u64 = 0xf0f0_f0f0_f0f0_f0f0;
    // A digit is 3 in the upper half of its byte, and stays so when 6 is added.
    let stays = digits & HIGH | (digits.wrapping_add(0x0606_0606_0606_0606) & HIGH) >> 4;
    let pairs = (digits & !HIGH).wrapping_mul(10 << 8 | 1) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(100 << 16 | 1) >> 16 & 0x0000_ffff_0000_ffff;
    let number = fours.wrapping_mul(10_000 << 32 | 1) >> 32;
    (stays == 0x3333_3333_3333_3333).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(offsets: &'static [i32], bytes: &'static [u8]) -> Text<'static> {
        Text {
            layout: Layout::Offsets32(offsets, bytes),
            valid: None,
        }
    }

    const ASKED: [&str; 9] = [
        "S-123",
        "S-07",
        "S-0123",
        "T-007",
        "S-0x7",
        "",
        "S-/00",
        "S-:00",
        "S-99\u{ff}",
    ];

    #[test]
    fn ids_of_one_beginning_and_so_many_digits_are_their_numbers() {
        let ids = text(&[0, 5], b"S-007");
        let shape = Numbered::of(&ids, 0).expect("it ends in digits");
        let views: Vec<[u8; 16]> = ASKED.iter().map(|id| view(id)).collect();
        let inline = Text {
            layout: Layout::Views(&views, vec![]),
            valid: None,
        };
        for (row, id) in ASKED.iter().enumerate() {
            let alone = Text {
                layout: Layout::Offsets64(&[0, id.len() as i64], id.as_bytes()),
                valid: None,
            };
            let expected = (*id == "S-123").then_some(123);
            assert_eq!(shape.number(&inline, row), expected, "{id} in its view");
            assert_eq!(shape.number(&alone, 0), expected, "{id} by its offset");
        }
    }

    fn view(id: &str) -> [u8; 16] {
        // What a producer left behind the string does not count.
        let mut view = [b'7'; 16];
        view[..4].copy_from_slice(&(id.len() as u32).to_le_bytes());
        view[4..4 + id.len()].copy_from_slice(id.as_bytes());
        view
    }

    #[test]
    fn sixteen_digits_are_a_number_and_more_of_them_part_of_the_beginning() {
        let ids = text(&[0, 16, 34], b"1234567890123456001234567890123456");
        let shape = Numbered::of(&ids, 0).expect("digits");
        assert_eq!(shape.number(&ids, 0), Some(1_234_567_890_123_456));
        assert_eq!(shape.number(&ids, 1), None);
        let shape = Numbered::of(&ids, 1).expect("digits");
        assert_eq!(shape.number(&ids, 1), Some(1_234_567_890_123_456));
    }

    #[test]
    fn ids_without_digits_at_their_end_have_no_shape() {
        assert!(Numbered::of(&text(&[0, 2], b"7b"), 0).is_none());
        assert!(Numbered::of(&text(&[0, 0], b""), 0).is_none());
    }
}
