//! Small worlds, drawn so that rules meet each other.

use allocator_core::problem::{One, Substitute, Whole};
use proptest::prelude::*;

use crate::world::{Direction, Line, Row, Rule, Rules, World};
use crate::{answer, naive, on_threads, shuffled};

const CARD: u32 = 3;

fn code() -> impl Strategy<Value = Option<u32>> {
    proptest::option::of(0..CARD)
}

fn key() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![6 => (0..4_i64).prop_map(Some), 1 => Just(None), 1 => any::<i32>().prop_map(|x| Some(x.into())),
        1 => (i64::MIN + 1..i64::MAX).prop_map(Some)]
}

fn day() -> impl Strategy<Value = Option<i64>> {
    proptest::option::weighted(0.8, 0..5_i64)
}

prop_compose! {
    fn row()(
        (sku, place, on_hand, share) in (0..CARD, 0..CARD, 0..20_i64, 0..4_i64),
        keys in [key(), key()],
        (lot, status, class, day) in (code(), code(), code(), day()),
    ) -> Row {
        let reserved = if share == 0 { on_hand / 2 } else { 0 };
        Row { id: 0, sku, place, on_hand, reserved, keys, lot, status, class, day }
    }
}

prop_compose! {
    fn line()(
        (sku, place, qty, key) in (0..CARD, 0..CARD, 0..25_i64, key()),
        (lot, class, low, high) in (code(), code(), day(), day()),
        (fill, order) in (0..3_usize, 0..4_u32),
        (qty_min, pack) in (proptest::option::of(1..15_i64), proptest::option::of(1..6_i64)),
    ) -> Line {
        Line { id: 0, sku, place, qty, key, lot, class, low, high, fill, order, qty_min, pack }
    }
}

fn direction() -> impl Strategy<Value = Direction> {
    any::<(bool, bool)>().prop_map(|(descending, nulls_first)| Direction {
        descending,
        nulls_first,
    })
}

fn whole() -> impl Strategy<Value = Whole> {
    prop_oneof![4 => Just(Whole::No), 1 => Just(Whole::Line), 1 => Just(Whole::Order)]
}

fn one() -> impl Strategy<Value = One> {
    prop_oneof![4 => Just(One::No), 1 => Just(One::Lot), 1 => Just(One::Source)]
}

prop_compose! {
    /// Mostly any quantity from any rows; 0 as minimum or pack stands for what the line says.
    fn rule()(
        whole in whole(), one in one(), whole_rows in proptest::bool::weighted(0.15),
        qty_min in proptest::option::weighted(0.25, 0..12_i64), pack in proptest::option::weighted(0.25, 0..5_i64),
        rows_max in proptest::option::weighted(0.2, 1..4_u32),
    ) -> Rule {
        Rule { whole, qty_min, pack, rows_max, one, whole_rows }
    }
}

/// Lines, orders or nothing, from any rows.
fn wholes() -> impl Strategy<Value = Vec<Rule>> {
    let least = proptest::option::weighted(0.2, 0..12_i64);
    let rule = (
        proptest::sample::select(vec![Whole::No, Whole::Line, Whole::Order, Whole::Order]),
        least,
    );
    let rule = rule.prop_map(|(whole, least)| Rule {
        whole,
        qty_min: least.filter(|_| whole != Whole::No),
        ..Rule::default()
    });
    proptest::collection::vec(rule, 3)
}

fn fills() -> impl Strategy<Value = Vec<Rule>> {
    prop_oneof![
        Just(vec![Rule::default(); 3]),
        wholes(),
        proptest::collection::vec(rule(), 3)
    ]
}

/// Of each SKU at most one substitute by each other: rank and ratio.
fn substitutes() -> impl Strategy<Value = Vec<Substitute>> {
    let pairs = proptest::sample::subsequence(vec![(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)], 0..4);
    let ratios = proptest::collection::vec(
        proptest::sample::select(vec![(1, 1), (2, 1), (1, 2), (2, 3), (3, 2)]),
        4,
    );
    (pairs, ratios).prop_map(|(pairs, ratios)| {
        let pairs = pairs.into_iter().zip(ratios).enumerate();
        pairs
            .map(|(i, ((sku, substitute), (give, asked)))| Substitute {
                sku,
                substitute,
                rank: i as u32 + 1,
                give,
                asked,
            })
            .collect()
    })
}

prop_compose! {
    fn rules()(
        (apart, lots, ranks_late) in any::<(bool, bool, bool)>(),
        statuses in proptest::option::of(proptest::collection::vec(-1..1_i32, CARD as usize + 1)),
        (today, span) in (proptest::option::of(0..3_i64), proptest::option::of(any::<(bool, bool)>())),
        matrix in proptest::option::of(proptest::collection::vec(-1..3_i32, (CARD as usize + 1).pow(2))),
        ranked in proptest::option::of(any::<bool>()),
        exchanged in prop_oneof![2 => Just(Vec::new()), 1 => substitutes()],
        directions in [direction(), direction()],
        line_direction in direction(),
        fills in fills(),
        kept_back in prop_oneof![
            2 => Just(Vec::new()),
            1 => proptest::collection::vec(
                (0..CARD, proptest::option::of((0..2_i64, 0..4_i64)), 1..15_i64), 1..3),
        ],
    ) -> Rules {
        // A place is a group of its own only where nothing else joins places or SKUs.
        let apart = apart && exchanged.is_empty() && kept_back.is_empty();
        let (ranked, substitutes) = (ranked.filter(|_| matrix.is_some()), exchanged);
        Rules {
            skus: CARD, card: CARD, apart, lots, statuses, today, span, matrix, ranked, ranks_late, substitutes,
            directions, line_direction, fills, kept_back,
        }
    }
}

prop_compose! {
    fn world()(
        mut rows in proptest::collection::vec(row(), 0..12),
        mut lines in proptest::collection::vec(line(), 0..14),
        rules in rules(),
    ) -> World {
        rows.iter_mut().enumerate().for_each(|(i, row)| row.id = i as u64 * 3);
        lines.iter_mut().enumerate().for_each(|(i, line)| line.id = i as u64 * 3);
        World { rows, lines, rules }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_the_naive_one(world in world()) {
        prop_assert_eq!(answer(&world), naive::allocate(&world));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_in_another_order_are_answered_alike(world in world(), seed in any::<u64>()) {
        prop_assert_eq!(answer(&shuffled(&world, seed)), answer(&world));
    }

    #[test]
    fn nothing_is_taken_twice_and_no_line_gets_more_than_it_asks(world in world()) {
        let answer = answer(&world);
        for row in &world.rows {
            let takes = answer.iter().flat_map(|line| &line.takes).filter(|take| take.0 == row.id);
            prop_assert!(takes.map(|take| take.1).sum::<i64>() <= row.on_hand - row.reserved);
        }
        for line in &world.lines {
            let served = answer.iter().find(|served| served.line == line.id).expect("every line is answered");
            prop_assert!(served.allocated <= line.qty);
            prop_assert_eq!(served.takes.iter().map(|take| take.2).sum::<i64>(), served.allocated);
        }
    }
}

#[test]
fn a_world_without_rows_or_lines_is_answered() {
    let rules = Rules {
        skus: 1,
        card: 1,
        fills: vec![Rule::default()],
        ..Rules::default()
    };
    let empty = World {
        rules,
        ..World::default()
    };
    assert_eq!(answer(&empty), []);
    let asked = World {
        lines: vec![Line {
            qty: 4,
            ..Line::default()
        }],
        ..empty.clone()
    };
    assert_eq!(answer(&asked), naive::allocate(&asked));
    let stocked = World {
        rows: vec![Row {
            on_hand: 4,
            ..Row::default()
        }],
        ..empty
    };
    assert_eq!(on_threads(2, || answer(&stocked)), []);
}
