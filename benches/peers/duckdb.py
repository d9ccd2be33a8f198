"""DuckDB on two threads, tables resident: W1 as two running sums and window functions over all their ends.

W2 needs one step of a recursive query for the k-th line of every group, and W3 one per order: neither is done here.
"""

from collections.abc import Callable

import duckdb
import polars as pl

from worlds import World

WORKS = ("w1",)
W1 = """
with supply as (
  select sku, location, stock_id, null::bigint as line_id,
         sum(qty) over (partition by sku, location order by received, stock_id rows unbounded preceding) as cut
  from lots
), demand as (
  select sku, location, null::bigint as stock_id, line_id,
         sum(qty) over (partition by sku, location
                        order by priority, requested, line_id rows unbounded preceding) as cut
  from lines
)
select line_id, stock_id, qty from (
  select first_value(line_id ignore nulls) over ahead as line_id,
         first_value(stock_id ignore nulls) over ahead as stock_id,
         (cut - coalesce(lag(cut) over along, 0))::bigint as qty
  from (from supply union all from demand)
  window along as (partition by sku, location order by cut),
         ahead as (partition by sku, location order by cut rows between current row and unbounded following)
) where qty > 0 and line_id is not null and stock_id is not null
"""


def prepare(work: str, world: World) -> Callable[[], tuple]:
    """The work as a call without arguments, on tables inside the database."""
    connection = duckdb.connect()
    connection.execute("set threads = 2")
    connection.execute("set preserve_insertion_order = false")
    for name, table in zip(("lots", "lines"), world, strict=True):
        connection.register("given", pl.DataFrame(table).to_arrow())
        connection.execute(f"create table {name} as from given")
        connection.unregister("given")

    def run() -> tuple:
        result = connection.execute(W1).fetchnumpy()
        return result["line_id"], result["stock_id"], result["qty"]

    return run
