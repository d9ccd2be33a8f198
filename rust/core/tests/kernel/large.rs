//! Large worlds from a seed, each made to reach one way of serving, or a limit of a representation.

use allocator_core::problem::{One, Whole};

use crate::world::{Direction, Line, Row, Rule, Rules, World};
use crate::{answer, naive, on_threads, shuffled};

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as i64
    }

    fn maybe(&mut self, n: i64) -> Option<i64> {
        let value = self.below(n + 1);
        (value < n).then_some(value)
    }

    fn code(&mut self, n: u32) -> Option<u32> {
        self.maybe(i64::from(n)).map(|code| code as u32)
    }
}

/// A world of `rows` rows and half as many lines of `skus` SKUs; each side of a rule has `card` codes.
fn world(seed: u64, rows: u64, skus: i64, card: u32) -> World {
    let mut dice = Dice(seed);
    let rules = Rules {
        skus: skus as u32,
        card,
        fills: vec![Rule::default()],
        ..Rules::default()
    };
    let mut world = World {
        rules,
        ..World::default()
    };
    for id in 0..rows {
        world.rows.push(Row {
            id,
            sku: dice.below(skus) as u32,
            place: dice.below(i64::from(card)) as u32,
            on_hand: dice.below(30),
            reserved: 0,
            keys: [dice.maybe(20), dice.maybe(4)],
            lot: dice.code(card),
            status: dice.code(card),
            class: dice.code(card),
            day: dice.maybe(1000),
        });
    }
    for id in 0..rows / 2 {
        let low = dice.maybe(900);
        world.lines.push(Line {
            id,
            sku: dice.below(skus) as u32,
            place: dice.below(i64::from(card)) as u32,
            qty: dice.below(60),
            key: dice.maybe(9),
            lot: dice.code(card).filter(|_| dice.below(4) == 0),
            class: dice.code(card),
            low,
            high: low.map(|low| low + dice.below(600)),
            fill: 0,
            order: id as u32 / 3,
            qty_min: dice.maybe(20).filter(|&least| least > 0),
            pack: dice.maybe(5).filter(|&pack| pack > 0),
        });
    }
    world
}

fn matrix(seed: u64, card: u32, ranks: i64) -> Vec<i32> {
    let mut dice = Dice(seed);
    (0..(card + 1).pow(2))
        .map(|_| dice.below(ranks + 1) as i32 - 1)
        .collect()
}

/// The naive answer, whatever the order of rows; the very same pieces on any number of threads.
fn assert_served(world: &World) {
    let expected = naive::allocate(world);
    assert!(
        expected.iter().any(|line| !line.takes.is_empty()),
        "a world in which nothing happens shows nothing"
    );
    assert!(
        answer(world) == expected,
        "in order of ids: {:?}",
        first_difference(&answer(world), &expected)
    );
    let other = shuffled(world, 0x9e37_79b9_7f4a_7c15);
    for threads in [1, 2, 4, 8] {
        let found = on_threads(threads, || answer(&other));
        assert!(
            found == expected,
            "{threads} threads, shuffled: {:?}",
            first_difference(&found, &expected)
        );
    }
}

fn first_difference<'a>(
    found: &'a [naive::Served],
    expected: &'a [naive::Served],
) -> Option<(&'a naive::Served, &'a naive::Served)> {
    found.iter().zip(expected).find(|(a, b)| a != b)
}

#[test]
fn plain_lines_of_many_skus() {
    let mut world = world(1, 3000, 200, 4);
    world.rules.matrix = Some(matrix(1, 4, 1));
    world.rules.today = Some(200);
    assert_served(&world);
}

#[test]
fn one_sku_that_all_lines_want() {
    assert_served(&world(2, 3000, 1, 4));
}

#[test]
fn a_crowd_of_lines_of_many_kinds() {
    let mut world = world(3, 2600, 2, 12);
    world.rules.span = Some((false, true));
    world.rules.matrix = Some(matrix(3, 12, 1));
    world.rules.kept_back = vec![(0, Some((0, 5)), 700), (1, None, 300)];
    assert_served(&world);
    world.rules.span = Some((true, false));
    world.rules.lots = true;
    assert_served(&world);
}

#[test]
fn a_crowd_where_what_expires_first_goes_first() {
    for (number, outside, null_passes) in [(0, false, true), (1, false, false), (2, true, true), (3, true, false)] {
        let mut world = world(13 + number, 2600, 2, 5);
        world.rules.span = Some((outside, null_passes));
        world.rules.matrix = Some(matrix(13, 5, 1));
        // The first key of the order is what lines have bounds on: its values rise or fall along each queue.
        world.rows.iter_mut().for_each(|row| row.keys[0] = row.day);
        world.rules.directions[0] = Direction {
            descending: number % 2 == 1,
            nulls_first: number < 2,
        };
        if number == 0 {
            // No line is alike: a kind each.
            (1..)
                .zip(&mut world.lines)
                .for_each(|(day, line)| line.low = Some(day % 997));
            world.lines.iter_mut().for_each(|line| line.high = None);
        }
        assert_served(&world);
    }
}

#[test]
fn ranks_of_a_matrix_before_and_after_the_first_key() {
    for (late, reverse) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut world = world(4, 1400, 3, 6);
        world.rules.matrix = Some(matrix(4, 6, 4));
        world.rules.ranked = Some(reverse);
        world.rules.ranks_late = late;
        assert_served(&world);
    }
}

#[test]
fn more_values_than_tables_of_classes_hold() {
    let mut world = world(5, 1200, 4, 2900);
    world.rules.matrix = Some(matrix(5, 2900, 3));
    world.rules.ranked = Some(false);
    world.rules.lots = true;
    assert_served(&world);
}

#[test]
fn whole_orders_across_skus() {
    let mut world = world(6, 2400, 60, 4);
    world.rules.fills = vec![
        Rule {
            whole: Whole::Order,
            ..Rule::default()
        },
        Rule::default(),
    ];
    for (i, line) in world.lines.iter_mut().enumerate() {
        line.fill = usize::from(i % 5 == 0);
        line.qty /= 4;
    }
    world.rules.matrix = Some(matrix(6, 4, 3));
    assert_served(&world);
}

#[test]
fn orders_that_wait_for_each_other_in_a_chain() {
    // Each order asks for the last unit of two SKUs, and shares one with the order before it: the first is served,
    // the second is not, and so the third is, and so on.
    let mut world = world(6, 2400, 1201, 4);
    world.rules.fills[0].whole = Whole::Order;
    world.rows.truncate(1201);
    world.lines.truncate(1200);
    for (sku, row) in world.rows.iter_mut().enumerate() {
        (row.sku, row.on_hand) = (sku as u32, 1);
    }
    for (i, line) in world.lines.iter_mut().enumerate() {
        let order = i as u32 / 2;
        (line.order, line.key, line.fill) = (order, Some(order.into()), 0);
        (line.sku, line.qty) = (order + i as u32 % 2, 1);
    }
    assert_served(&world);
}

#[test]
fn every_fill_rule_at_once() {
    let mut world = world(7, 1500, 30, 5);
    world.rules.fills = vec![
        Rule {
            qty_min: Some(0),
            ..Rule::default()
        },
        Rule {
            pack: Some(0),
            rows_max: Some(3),
            ..Rule::default()
        },
        Rule {
            one: One::Lot,
            whole: Whole::Line,
            ..Rule::default()
        },
        Rule {
            one: One::Source,
            pack: Some(2),
            ..Rule::default()
        },
        Rule {
            whole_rows: true,
            ..Rule::default()
        },
    ];
    world
        .lines
        .iter_mut()
        .enumerate()
        .for_each(|(i, line)| line.fill = i % 5);
    assert_served(&world);
}

#[test]
fn groups_numbered_sparsely() {
    let mut world = world(8, 2000, 1 << 30, 4);
    for (i, row) in world.rows.iter_mut().enumerate() {
        row.sku = (i as u32 % 50) << 24;
    }
    for (i, line) in world.lines.iter_mut().enumerate() {
        line.sku = (i as u32 % 61) << 24;
    }
    world.rules.skus = u32::MAX - 1;
    assert_served(&world);
}

#[test]
fn places_that_are_groups_of_their_own() {
    let mut world = world(9, 3000, 20, 40);
    world.rules.apart = true;
    world.rules.matrix = Some(matrix(9, 40, 1));
    assert_served(&world);
}

#[test]
fn quantities_beyond_32_bits() {
    let mut world = world(10, 1200, 10, 4);
    world.rows.iter_mut().for_each(|row| row.on_hand <<= 30);
    world.lines.iter_mut().for_each(|line| line.qty <<= 30);
    assert_served(&world);
    world.rows.iter_mut().for_each(|row| row.reserved = row.on_hand / 3);
    world.rules.span = Some((false, false));
    world.rules.matrix = Some(matrix(10, 4, 3));
    world.rules.ranked = Some(false);
    assert_served(&world);
}

#[test]
fn whole_orders_of_quantities_beyond_24_bits() {
    let mut world = world(9, 600, 12, 4);
    world.rules.fills[0].whole = Whole::Order;
    world.rows.iter_mut().for_each(|row| row.on_hand <<= 22);
    for line in &mut world.lines {
        line.qty = (line.qty / 4) << 22;
    }
    assert_served(&world);
}

#[test]
fn keys_that_do_not_fit_64_bits() {
    for descending in [false, true] {
        let mut world = world(11, 2000, 12, 4);
        let mut dice = Dice(12);
        // Few values far apart: ties in the bits that are packed, and differences in those that are not.
        let mut far = || (dice.below(5) - 2) * (i64::MAX / 2) + dice.below(2);
        world
            .rows
            .iter_mut()
            .for_each(|row| row.keys = row.keys.map(|key| key.map(|_| far())));
        world
            .lines
            .iter_mut()
            .for_each(|line| line.key = line.key.map(|_| far()));
        world.rules.directions = [Direction {
            descending,
            nulls_first: !descending,
        }; 2];
        world.rules.line_direction = world.rules.directions[0];
        assert_served(&world);
    }
}
