//! Whether a problem holds together: columns as long as their tables, and tables as large as their codes say.

use crate::column::Column;
use crate::error::{Error, Result};
use crate::problem::{Amount, Bound, Demand, Fill, GroupPart, Problem, Safety, Stock, StockKey, Test};

/// A column and what it is called in an error.
type Named<'p, 'a> = (&'static str, &'p Column<'a>);

impl Problem<'_> {
    /// Checks the structure once; of the rows only that their groups and fill rules exist.
    pub fn check(&self) -> Result<()> {
        let mut stock = stock_columns(&self.stock);
        let mut demand = demand_columns(&self.demand);
        self.safety.iter().for_each(|safety| safety_columns(safety, &mut stock));
        for GroupPart {
            stock: row,
            demand: line,
            ..
        } in &self.group
        {
            stock.push(("group", row));
            demand.push(("group", line));
        }
        self.tests
            .iter()
            .for_each(|test| test_columns(test, &mut stock, &mut demand));
        self.fills.iter().for_each(|fill| fill_columns(fill, &mut demand));
        same_length(&stock, self.stock.on_hand.len())?;
        same_length(&demand, self.demand.qty.len())?;
        if self.fills.is_empty() || self.group.is_empty() {
            return Err(Error::Table("no fill rule or no group".into()));
        }
        self.group.iter().try_for_each(|part| {
            codes_below("group", &part.stock, part.card)?;
            codes_below("group", &part.demand, part.card)
        })?;
        if let Some(fill) = &self.demand.fill {
            codes_below("fill", fill, self.fills.len() as u32)?;
        }
        self.tests.iter().try_for_each(cells_match)?;
        self.stock.order.iter().try_for_each(|key| match key {
            StockKey::Rank { test, .. } if *test >= self.tests.len() => {
                Err(Error::Table(format!("a rank of test {test}, of {}", self.tests.len())))
            }
            _ => Ok(()),
        })
    }
}

fn same_length(columns: &[Named], expected: usize) -> Result<()> {
    columns.iter().try_for_each(|&(column, found)| match found.len() {
        rows if rows == expected => Ok(()),
        rows => Err(Error::RowCount { column, rows, expected }),
    })
}

fn codes_below(name: &str, column: &Column, card: u32) -> Result<()> {
    match column.range() {
        Some((_, code)) if code >= i64::from(card) => Err(Error::Table(format!("{name} code {code}, of {card}"))),
        _ => Ok(()),
    }
}

fn cells_match(test: &Test) -> Result<()> {
    let Test::Table {
        stock, demand, cells, ..
    } = test
    else {
        return Ok(());
    };
    match stock.card() * demand.card() {
        expected if expected == cells.len() => Ok(()),
        expected => Err(Error::Table(format!("{} cells, {expected} are expected", cells.len()))),
    }
}

fn stock_columns<'p, 'a>(stock: &'p Stock<'a>) -> Vec<Named<'p, 'a>> {
    let mut columns = Vec::new();
    columns.extend(stock.reserved.iter().map(|c| ("reserved", c)));
    columns.extend(stock.lot.iter().map(|c| ("lot", c)));
    columns.extend(stock.place.iter().map(|c| ("place", c)));
    columns.extend(stock.sku.iter().map(|c| ("sku", c)));
    for key in &stock.order {
        if let StockKey::Row(key) = key {
            columns.push(("stock order", &key.column));
        }
    }
    columns
}

fn demand_columns<'p, 'a>(demand: &'p Demand<'a>) -> Vec<Named<'p, 'a>> {
    let mut columns = Vec::new();
    columns.extend(demand.fill.iter().map(|c| ("fill", c)));
    columns.extend(demand.order_code.iter().map(|c| ("order", c)));
    columns.extend(demand.order.iter().map(|key| ("demand order", &key.column)));
    columns
}

fn safety_columns<'p, 'a>(safety: &'p Safety<'a>, stock: &mut Vec<Named<'p, 'a>>) {
    let columns = [&safety.sku, &safety.counts].into_iter().chain(&safety.place);
    stock.extend(columns.map(|c| ("safety stock", c)));
}

fn test_columns<'p, 'a>(test: &'p Test<'a>, stock: &mut Vec<Named<'p, 'a>>, demand: &mut Vec<Named<'p, 'a>>) {
    match test {
        Test::Table {
            stock: row,
            demand: line,
            ..
        } => {
            stock.extend(row.0.iter().map(|(c, _)| ("table", c)));
            demand.extend(line.0.iter().map(|(c, _)| ("table", c)));
        }
        Test::Within {
            stock: row, low, high, ..
        } => {
            stock.push(("test", row));
            for bound in [low, high] {
                if let Bound::Of(c) = bound {
                    demand.push(("test", c));
                }
            }
        }
        Test::Equal {
            stock: row,
            demand: line,
            ..
        }
        | Test::Exchange {
            stock: row,
            demand: line,
            ..
        } => {
            stock.push(("test", row));
            demand.push(("test", line));
        }
    }
}

fn fill_columns<'p, 'a>(fill: &'p Fill<'a>, demand: &mut Vec<Named<'p, 'a>>) {
    for amount in [&fill.qty_min, &fill.pack] {
        if let Amount::Of(c) = amount {
            demand.push(("fill", c));
        }
    }
}
