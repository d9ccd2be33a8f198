use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

/// Strings in one of the three layouts, owned.
struct Strings {
    offsets: Vec<i32>,
    wide_offsets: Vec<i64>,
    bytes: Vec<u8>,
    views: Vec<[u8; 16]>,
    bits: Vec<u8>,
}

impl Strings {
    fn new(values: &[Option<String>]) -> Self {
        let mut strings = Self {
            offsets: vec![0],
            wide_offsets: vec![0],
            bytes: Vec::new(),
            views: Vec::new(),
            bits: bitmap(values.iter().map(Option::is_some)),
        };
        for value in values {
            // What lies behind a null means nothing; here it is something long, so that reading it would show.
            let value = value.as_deref().unwrap_or("behind a null");
            let start = strings.bytes.len() as u32;
            strings.bytes.extend_from_slice(value.as_bytes());
            strings.offsets.push(strings.bytes.len() as i32);
            strings.wide_offsets.push(strings.bytes.len() as i64);
            let mut view = [0; 16];
            view[..4].copy_from_slice(&(value.len() as u32).to_le_bytes());
            if value.len() <= 12 {
                view[4..4 + value.len()].copy_from_slice(value.as_bytes());
            } else {
                view[4..8].copy_from_slice(&value.as_bytes()[..4]);
                view[12..].copy_from_slice(&start.to_le_bytes());
            }
            strings.views.push(view);
        }
        strings
    }

    fn column(&self, layout: usize) -> Text<'_> {
        let layout = match layout {
            0 => Layout::Offsets32(&self.offsets, &self.bytes),
            1 => Layout::Offsets64(&self.wide_offsets, &self.bytes),
            _ => Layout::Views(&self.views, vec![&self.bytes]),
        };
        Text {
            layout,
            valid: Some(Validity {
                bits: &self.bits,
                first: 3,
            }),
        }
    }
}

/// A bitmap that starts at bit 3, as that of a sliced column may.
fn bitmap(valid: impl Iterator<Item = bool>) -> Vec<u8> {
    let mut bits = Vec::new();
    for (bit, valid) in [false; 3].into_iter().chain(valid).enumerate() {
        if bit % 8 == 0 {
            bits.push(0);
        }
        bits[bit / 8] |= u8::from(valid) << (bit % 8);
    }
    bits
}

fn texts(encoded: &Values) -> Vec<String> {
    let Values::Text { offsets, bytes } = encoded else {
        panic!("not text: {encoded:?}")
    };
    let text = |ends: &[i64]| String::from_utf8_lossy(&bytes[ends[0] as usize..ends[1] as usize]).into_owned();
    offsets.windows(2).map(text).collect()
}

fn integers(values: &[i64]) -> Column<'_> {
    Column::Integers(Integers {
        numbers: Numbers::I64(values),
        valid: None,
    })
}

/// The obvious way to number values.
fn ranks<V: Ord + Clone>(columns: &[&[Option<V>]]) -> (Vec<Vec<u32>>, Vec<V>) {
    let distinct: Vec<V> = columns
        .iter()
        .flat_map(|column| column.iter().flatten().cloned())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let rank = |value: &V| distinct.binary_search(value).unwrap() as u32;
    let codes = columns
        .iter()
        .map(|column| column.iter().map(|value| value.as_ref().map_or(NULL, rank)).collect())
        .collect();
    (codes, distinct)
}

fn repeats<V: std::hash::Hash + Eq>(values: &[Option<V>]) -> Vec<(u32, u32)> {
    let mut firsts = HashMap::new();
    let held = (0..)
        .zip(values)
        .filter_map(|(row, value)| value.as_ref().map(|value| (row, value)));
    held.filter_map(|(row, value)| {
        let first = *firsts.entry(value).or_insert(row);
        (first != row).then_some((row, first))
    })
    .collect()
}

fn short() -> impl Strategy<Value = Vec<Option<String>>> {
    prop::collection::vec(prop::option::weighted(0.9, "[a-c\0é/]{0,4}"), 0..60)
}

fn long() -> impl Strategy<Value = Vec<Option<String>>> {
    prop::collection::vec(prop::option::weighted(0.9, "(SKU-2024-00000)?[ab]{0,3}"), 0..60)
}

proptest! {
    #[test]
    fn codes_of_strings_are_their_ranks(one in short(), other in prop_oneof![short(), long()], layout in 0..3_usize) {
        let owned = [Strings::new(&one), Strings::new(&other)];
        let columns = [Column::Text(owned[0].column(layout)), Column::Text(owned[1].column(2 - layout))];
        let encoded = encode(&columns).unwrap();
        let (codes, distinct) = ranks(&[&one, &other]);
        prop_assert_eq!(encoded.codes, codes);
        prop_assert_eq!(texts(&encoded.values), distinct);
    }

    #[test]
    fn a_crowd_of_keys_is_coded_like_a_few(one in short(), other in long()) {
        let owned = [Strings::new(&one), Strings::new(&other)];
        let columns = owned.each_ref().map(|strings| strings.column(2));
        prop_assert_eq!(crowded::encode(&columns.each_ref().map(LongKeys)), hashed::encode(&columns.each_ref().map(LongKeys)));
    }

    #[test]
    fn codes_of_integers_are_their_ranks(
        narrow in prop::collection::vec(any::<i8>(), 0..60),
        wide in prop::collection::vec(prop_oneof![any::<i64>(), -3..3_i64], 0..60),
    ) {
        let columns = [Column::Integers(Integers { numbers: Numbers::I8(&narrow), valid: None }), integers(&wide)];
        let encoded = encode(&columns).unwrap();
        let narrow: Vec<_> = narrow.iter().map(|&value| Some(i64::from(value))).collect();
        let wide: Vec<_> = wide.into_iter().map(Some).collect();
        let (codes, distinct) = ranks(&[&narrow, &wide]);
        prop_assert_eq!(encoded, Encoded { codes, values: Values::Signed(distinct) });
    }

    #[test]
    fn repeated_ids_are_found_with_the_row_they_repeat(ids in prop_oneof![short(), long()], layout in 0..3_usize) {
        let owned = Strings::new(&ids);
        let report = check_ids(&Column::Text(owned.column(layout)), 5).unwrap();
        let repeats = repeats(&ids);
        prop_assert_eq!(report.repeats, repeats.len());
        prop_assert_eq!(&report.first_repeats[..], &repeats[..repeats.len().min(5)]);
        prop_assert_eq!(report.ascending, ids.iter().all(Option::is_some) && ids.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn texts_with_a_nul_are_found(texts in prop_oneof![short(), long()], layout in 0..3_usize) {
        let owned = Strings::new(&texts);
        let has_nul = |row: &u32| texts[*row as usize].as_ref().is_some_and(|text| text.contains('\0'));
        let expected: Vec<_> = (0..texts.len() as u32).filter(has_nul).take(2).collect();
        prop_assert_eq!(rows_with_nul(&Column::Text(owned.column(layout)), 2), expected);
    }

    #[test]
    fn ids_are_sorted_by_their_bytes(ids in prop_oneof![short(), long()], layout in 0..3_usize) {
        let owned = Strings::new(&ids);
        let mut expected: Vec<_> = (0..ids.len() as u32).collect();
        expected.sort_by_key(|&row| (ids[row as usize].is_none(), &ids[row as usize]));
        prop_assert_eq!(argsort_ids(&Column::Text(owned.column(layout))).unwrap(), expected);
    }

    #[test]
    fn integer_ids_are_checked_and_sorted(ids in prop::collection::vec(prop_oneof![any::<i64>(), 0..20_i64], 0..60)) {
        let report = check_ids(&integers(&ids), 5).unwrap();
        let some: Vec<_> = ids.iter().copied().map(Some).collect();
        prop_assert_eq!(report.repeats, repeats(&some).len());
        let mut expected: Vec<_> = (0..ids.len() as u32).collect();
        expected.sort_by_key(|&row| ids[row as usize]);
        prop_assert_eq!(argsort_ids(&integers(&ids)).unwrap(), expected);
    }
}

#[test]
fn a_listed_value_that_no_row_holds_gets_no_code() {
    let list = Strings::new(&["b", "never", "a"].map(|text| Some(text.to_owned())));
    let rows = Integers {
        numbers: Numbers::U8(&[0, 2, 0]),
        valid: None,
    };
    let plain = Strings::new(&[Some("c".to_owned()), None]);
    let columns = [Column::Listed(rows, list.column(0)), Column::Text(plain.column(2))];
    let encoded = encode(&columns).unwrap();
    assert_eq!(encoded.codes, [vec![1, 0, 1], vec![2, NULL]]);
    assert_eq!(texts(&encoded.values), ["a", "b", "c"]);
}

#[test]
fn a_repeated_listed_id_is_found() {
    let list = Strings::new(&["b", "a"].map(|text| Some(text.to_owned())));
    let rows = Integers {
        numbers: Numbers::U32(&[0, 1, 0]),
        valid: None,
    };
    let report = check_ids(&Column::Listed(rows, list.column(0)), 9).unwrap();
    assert_eq!(report.first_repeats, [(2, 0)]);
}

#[test]
fn more_keys_than_one_table_takes_are_coded_in_order() {
    let rows = 3 << 19;
    let spread: Vec<_> = (0..rows).map(|row: i64| row * 0x9e37_79b9).rev().collect();
    let encoded = encode(&[integers(&spread), integers(&[0])]).unwrap();
    assert!(encoded.codes[0].iter().rev().copied().eq(0..rows as u32));
    assert_eq!(encoded.codes[1], [0]);
}

#[test]
fn many_shuffled_ids_of_which_two_are_the_same() {
    let rows = 1 << 20;
    let mut ids: Vec<i64> = (0..rows).map(|row| row * 0x9e37_79b9 % rows).collect();
    assert_eq!(check_ids(&integers(&ids), 3).unwrap().repeats, 0);
    ids[900_000] = ids[17];
    assert_eq!(check_ids(&integers(&ids), 3).unwrap().first_repeats, [(900_000, 17)]);
}

#[test]
fn strings_and_integers_are_never_the_same_key() {
    let text = Strings::new(&[Some("1".to_owned())]);
    assert_eq!(
        encode(&[Column::Text(text.column(0)), integers(&[1])]),
        Err(Error::MixedKeys)
    );
}

#[test]
fn unsigned_integers_beyond_the_signed_range_keep_their_value() {
    let column = |values| {
        Column::Integers(Integers {
            numbers: Numbers::U64(values),
            valid: None,
        })
    };
    let encoded = encode(&[column(&[u64::MAX, 7])]).unwrap();
    assert_eq!(
        encoded,
        Encoded {
            codes: vec![vec![1, 0]],
            values: Values::Unsigned(vec![7, u64::MAX])
        }
    );
    assert!(matches!(
        encode(&[column(&[u64::MAX]), integers(&[-1])]),
        Err(Error::KeyRange { .. })
    ));
}

#[test]
fn no_rows_have_no_codes() {
    let none = Strings::new(&[]);
    let encoded = encode(&[Column::Text(none.column(2))]).unwrap();
    assert_eq!(encoded.codes, [vec![]]);
    assert!(texts(&encoded.values).is_empty());
    assert_eq!(encode(&[integers(&[])]).unwrap().values, Values::Signed(vec![]));
    assert!(check_ids(&integers(&[]), 1).unwrap().ascending);
}

#[test]
fn booleans_are_zero_and_one() {
    let bits = Validity {
        bits: &[0b0000_0101],
        first: 0,
    };
    let column = Column::Integers(Integers {
        numbers: Numbers::Bool { bits, rows: 3 },
        valid: None,
    });
    let encoded = encode(&[column]).unwrap();
    assert_eq!(
        encoded,
        Encoded {
            codes: vec![vec![1, 0, 1]],
            values: Values::Signed(vec![0, 1])
        }
    );
}
