//! What does not fit together is refused before anything is served.

use allocator_core::Error;
use allocator_core::column::{Column, Values};
use allocator_core::problem::{Amount, Bound, Digits, Fill, Key, Problem, Safety, StockKey, Test};

use crate::world::{Line, Row, Rule, Rules, World};

/// A column longer than either table, and one of no rows.
static LONG: [u32; 3] = [0; 3];

fn long() -> Column<'static> {
    Column::new(Values::Codes(&LONG), None)
}

fn none() -> Column<'static> {
    Column::new(Values::Codes(&[]), None)
}

fn key() -> Key<'static> {
    Key {
        column: long(),
        descending: false,
        nulls_first: false,
    }
}

/// What the kernel says of a world of one row and two lines after `change`.
fn refusal(change: impl FnOnce(&mut Problem)) -> Option<Error> {
    let rules = Rules {
        skus: 1,
        card: 1,
        fills: vec![Rule::default()],
        ..Rules::default()
    };
    let lines = vec![
        Line {
            id: 1,
            ..Line::default()
        },
        Line {
            id: 2,
            ..Line::default()
        },
    ];
    let world = World {
        rows: vec![Row {
            on_hand: 4,
            ..Row::default()
        }],
        lines,
        rules,
    };
    world.problem(|problem| {
        change(problem);
        allocator_core::run(problem).err()
    })
}

fn row_count(column: &'static str, rows: usize, expected: usize) -> Error {
    Error::RowCount { column, rows, expected }
}

#[test]
fn a_world_as_it_is_drawn_is_served() {
    assert_eq!(refusal(|_| ()), None);
}

#[test]
fn a_column_of_another_length_than_its_table_is_named() {
    assert_eq!(
        refusal(|p| p.stock.reserved = Some(long())),
        Some(row_count("reserved", 3, 1))
    );
    assert_eq!(refusal(|p| p.stock.lot = Some(long())), Some(row_count("lot", 3, 1)));
    assert_eq!(
        refusal(|p| p.stock.place = Some(long())),
        Some(row_count("place", 3, 1))
    );
    assert_eq!(refusal(|p| p.stock.sku = Some(long())), Some(row_count("sku", 3, 1)));
    assert_eq!(
        refusal(|p| p.stock.order.push(StockKey::Row(key()))),
        Some(row_count("stock order", 3, 1))
    );
    assert_eq!(refusal(|p| p.group[0].stock = long()), Some(row_count("group", 3, 1)));
    assert_eq!(refusal(|p| p.demand.fill = Some(long())), Some(row_count("fill", 3, 2)));
    assert_eq!(
        refusal(|p| p.demand.order_code = Some(none())),
        Some(row_count("order", 0, 2))
    );
    assert_eq!(
        refusal(|p| p.demand.order.push(key())),
        Some(row_count("demand order", 3, 2))
    );
    assert_eq!(refusal(|p| p.group[0].demand = none()), Some(row_count("group", 0, 2)));
    assert_eq!(
        refusal(|p| p.fills[0].pack = Amount::Of(long())),
        Some(row_count("fill", 3, 2))
    );
    assert_eq!(
        refusal(|p| p.fills[0].qty_min = Amount::Of(long())),
        Some(row_count("fill", 3, 2))
    );
    let safety = |p: &mut Problem| {
        p.safety = Some(Safety {
            sku: long(),
            place: None,
            counts: long(),
            rules: Vec::new(),
        });
    };
    assert_eq!(refusal(safety), Some(row_count("safety stock", 3, 1)));
}

#[test]
fn a_test_of_another_length_than_its_table_is_refused() {
    let digits = |column| Digits(vec![(column, 0)]);
    let table = |stock, demand| Test::Table {
        gate: 6,
        stock,
        demand,
        cells: vec![0],
    };
    assert_eq!(
        refusal(|p| p.tests.push(table(digits(long()), Digits::default()))),
        Some(row_count("table", 3, 1))
    );
    assert_eq!(
        refusal(|p| p.tests.push(table(Digits::default(), digits(long())))),
        Some(row_count("table", 3, 2))
    );
    let within = |p: &mut Problem| {
        let (stock, low) = (p.stock.on_hand, Bound::Of(long()));
        p.tests.push(Test::Within {
            gate: 8,
            stock,
            low,
            high: Bound::Open,
            null_passes: true,
            outside: false,
        });
    };
    assert_eq!(refusal(within), Some(row_count("test", 3, 2)));
    let equal = |p: &mut Problem| {
        p.tests.push(Test::Equal {
            gate: 3,
            stock: long(),
            demand: p.demand.qty,
        });
    };
    assert_eq!(refusal(equal), Some(row_count("test", 3, 1)));
    let exchange = |p: &mut Problem| {
        let (stock, demand) = (p.stock.on_hand, long());
        p.tests.push(Test::Exchange {
            stock,
            demand,
            substitutes: Vec::new(),
        });
    };
    assert_eq!(refusal(exchange), Some(row_count("test", 3, 2)));
}

#[test]
fn a_table_has_a_cell_for_each_pair_of_codes_and_a_rank_has_its_test() {
    let cells = |cells| {
        move |p: &mut Problem| {
            let stock = Digits(vec![(p.stock.on_hand, 2)]);
            let demand = Digits::default();
            p.tests.push(Test::Table {
                gate: 6,
                stock,
                demand,
                cells,
            });
        }
    };
    assert_eq!(
        refusal(cells(vec![0; 2])),
        Some(Error::Table("2 cells, 3 are expected".into()))
    );
    assert_eq!(
        refusal(cells(vec![0; 4])),
        Some(Error::Table("4 cells, 3 are expected".into()))
    );
    let rank = |p: &mut Problem| {
        p.stock.order.push(StockKey::Rank {
            test: 1,
            reverse: false,
        });
    };
    assert_eq!(refusal(rank), Some(Error::Table("a rank of test 1, of 0".into())));
}

#[test]
fn a_problem_without_fill_rules_or_groups_is_a_defect_of_the_compiler() {
    for change in [|p: &mut Problem| p.fills.clear(), |p: &mut Problem| p.group.clear()] {
        let refused = refusal(change).expect("it cannot be served");
        assert_eq!(refused.code(), "internal");
    }
    assert_eq!(refusal(|p| p.fills.push(Fill::default())), None);
}

#[test]
fn a_code_of_no_group_or_fill_rule_is_refused() {
    let codes = |codes| Column::new(Values::Codes(codes), None);
    let beyond = |name: &str| Some(Error::Table(format!("{name} code 1, of 1")));
    assert_eq!(refusal(|p| p.group[0].stock = codes(&[1])), beyond("group"));
    assert_eq!(refusal(|p| p.group[0].demand = codes(&[u32::MAX, 1])), beyond("group"));
    assert_eq!(refusal(|p| p.demand.fill = Some(codes(&[1, 0]))), beyond("fill"));
    assert_eq!(refusal(|p| p.group[0].demand = codes(&[u32::MAX, 0])), None);
}
