//! The kernel alone, on generated columns: `cargo run --release --example kernel -- fefo 10000000 5`.
//!
//! Worlds: `fifo`, `fefo` (contracts, blocks, expiry, minimum shelf life), `orders` (`fefo`, whole orders).
//! A last argument is the greatest quantity of a row, 100 by default: with 10, most lines are short.
//! Prints one line per run: world, rows, lines, seconds, allocations.

use std::time::Instant;

use allocator_core::column::{Column, Values};
use allocator_core::problem::{
    Bound, Demand, Digits, Fill, GroupPart, Ids, Key, Problem, Stock, StockKey, Test, Whole,
};

const PLACES: u64 = 10;
const TODAY: i64 = 20_634;

struct Dice(u64);

impl Dice {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0 >> 16) * u128::from(n)) >> 48) as u64
    }
    /// A number below `n`, small ones more often.
    fn skewed(&mut self, n: u64) -> u64 {
        let x = self.below(1 << 20) as f64 / f64::from(1 << 20);
        ((x * x * x) * n as f64) as u64
    }
}

fn column<T>(n: usize, of: impl FnMut(usize) -> T) -> Vec<T> {
    (0..n).map(of).collect()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let world = arguments.get(1).map_or("fefo", String::as_str);
    let n: usize = arguments
        .get(2)
        .map_or(1_000_000, |a| a.parse().expect("a number of rows"));
    let runs: usize = arguments.get(3).map_or(3, |a| a.parse().expect("a number of runs"));
    let skus = (n as u64 / 50).max(200);
    let mut dice = Dice(1);
    let sku = column(n, |_| dice.skewed(skus) as u32);
    let place = column(n, |_| dice.below(PLACES) as u32);
    let most: u64 = arguments.get(4).map_or(100, |a| a.parse().expect("a quantity"));
    let on_hand = column(n, |_| dice.below(most) as i32 + 1);
    let received = column(n, |_| (TODAY - dice.below(730) as i64) as i32);
    let expires = column(n, |i| received[i] + 180 + dice.below(920) as i32);
    let class = column(n, |_| dice.below(8) as u32);
    let blocked = column(n, |_| u32::from(dice.below(100) < 3));
    let wanted = column(n, |_| dice.skewed(skus) as u32);
    let at = column(n, |_| dice.below(PLACES) as u32);
    let qty = column(n, |_| dice.below(20) as i32 + 1);
    let order = column(n, |i| i as u32 / 4);
    let priority = column(n / 4 + 1, |_| dice.below(10) as i8);
    let asked = column(n / 4 + 1, |_| dice.below(60 * 86_400_000_000) as i64);
    let line_priority = column(n, |i| priority[i / 4]);
    let line_asked = column(n, |i| asked[i / 4]);
    let contract = column(n, |_| dice.below(3) as u32);
    let least = column(n, |_| TODAY as i32 + [0, 0, 0, 30, 90][dice.below(5) as usize]);
    let key = |values| Key {
        column: Column::new(values, None),
        descending: false,
        nulls_first: false,
    };
    let codes = |c| Column::new(Values::Codes(c), None);
    let mut stock_order = vec![StockKey::Row(key(Values::I32(&received)))];
    let mut tests = Vec::new();
    if world != "fifo" {
        stock_order.insert(0, StockKey::Row(key(Values::I32(&expires))));
        let expiry = Column::new(Values::I32(&expires), None);
        let within = |gate, low| Test::Within {
            gate,
            stock: expiry,
            low,
            high: Bound::Open,
            null_passes: true,
            outside: false,
        };
        let allowed = |d: i32, s: i32| {
            if d > 0 && s > 0 && (s - 1) >> (d - 1) & 1 == 1 {
                0
            } else {
                -1
            }
        };
        tests.push(Test::Table {
            gate: 7,
            stock: Digits(vec![(codes(&blocked), 2)]),
            demand: Digits::default(),
            cells: vec![0, 0, -1],
        });
        tests.push(within(8, Bound::At(TODAY)));
        tests.push(Test::Table {
            gate: 12,
            stock: Digits(vec![(codes(&class), 8)]),
            demand: Digits(vec![(codes(&contract), 3)]),
            cells: (0..4).flat_map(|d| (0..9).map(move |s| allowed(d, s))).collect(),
        });
        tests.push(within(13, Bound::Of(Column::new(Values::I32(&least), None))));
    }
    let problem = Problem {
        stock: Stock {
            on_hand: Column::new(Values::I32(&on_hand), None),
            reserved: None,
            order: stock_order,
            ids: Ids::Ascending,
            lot: None,
            place: None,
            sku: None,
        },
        demand: Demand {
            qty: Column::new(Values::I32(&qty), None),
            order: vec![key(Values::I8(&line_priority)), key(Values::I64(&line_asked))],
            ids: Ids::Ascending,
            fill: None,
            order_code: (world == "orders").then(|| codes(&order)),
        },
        group: vec![
            GroupPart {
                stock: codes(&sku),
                demand: codes(&wanted),
                card: skus as u32,
            },
            GroupPart {
                stock: codes(&place),
                demand: codes(&at),
                card: PLACES as u32,
            },
        ],
        tests,
        fills: vec![Fill {
            whole: if world == "orders" { Whole::Order } else { Whole::No },
            ..Fill::default()
        }],
        safety: None,
    };
    for _ in 0..runs {
        let begin = Instant::now();
        let answer = allocator_core::run(&problem).expect("the columns fit each other");
        let seconds = begin.elapsed().as_secs_f64();
        let takes: usize = answer.iter().map(|stretch| stretch.takes.line.len()).sum();
        println!("{world} rows={n} lines={n} seconds={seconds:.3} allocations={takes}");
    }
}
