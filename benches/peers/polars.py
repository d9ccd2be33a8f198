"""polars: W1 by one sort of all ends of lots and lines; W2 by grouped lists and a Python cursor per group."""

from collections.abc import Callable

import polars as pl

from worlds import AS_OF, NO_EXPIRY, World

WORKS = ("w1", "w2")
GROUP = ["sku", "location"]


def prepare(work: str, world: World) -> Callable[[], tuple]:
    """The work as a call without arguments, on frames made of the world's columns."""
    lots, lines = (pl.DataFrame(table) for table in world)
    lots = lots.with_columns(
        pl.col("received").cast(pl.Date), pl.col("expiry").replace(int(NO_EXPIRY), None).cast(pl.Date)
    )
    lines = lines.with_columns(pl.col("requested").cast(pl.Datetime("us")))
    run = {"w1": _w1, "w2": _w2}[work]
    return lambda: run(lots, lines)


def _w1(lots: pl.DataFrame, lines: pl.DataFrame) -> tuple:
    """Everything on one axis, as the numpy peer; a packed group key spares the window functions."""
    group = pl.col("sku").cast(pl.Int64) * 1024 + pl.col("location")
    qty = pl.col("qty").cast(pl.Int64)
    none = pl.lit(None, pl.Int64)

    def ends(table: pl.DataFrame, *keys: str) -> pl.LazyFrame:
        ordered = table.lazy().select(*keys, group=group, qty=qty).sort("group", *keys)
        ordered = ordered.with_columns(total=pl.col("qty").cum_sum())
        before = pl.when(pl.col("group") != pl.col("group").shift(1, fill_value=-1)).then(
            pl.col("total") - pl.col("qty")
        )
        return ordered.with_columns(end=pl.col("total") - before.forward_fill())

    supply = ends(lots, "received", "stock_id").select(
        "group", "end", stock_id="stock_id", line_id=none, of_stock="group", of_line=none
    )
    demand = ends(lines, "priority", "requested", "line_id").select(
        "group", "end", stock_id=none, line_id="line_id", of_stock=none, of_line="group"
    )
    result = (
        pl.concat([supply, demand])
        .sort("group", "end")
        .with_columns(
            pl.col("stock_id", "line_id", "of_stock", "of_line").backward_fill(),
            same=pl.col("group") == pl.col("group").shift(1),
        )
        .with_columns(qty=pl.when("same").then(pl.col("end") - pl.col("end").shift(1)).otherwise("end"))
        .filter(pl.col("qty") > 0, pl.col("of_stock") == pl.col("group"), pl.col("of_line") == pl.col("group"))
        .select("line_id", "stock_id", "qty")
        .collect()
    )
    return tuple(result)


def _w2(lots: pl.DataFrame, lines: pl.DataFrame) -> tuple:
    """What one line leaves to the next is no expression: a loop per group, over lists that polars prepared."""
    asked = sorted(lines["min_remaining_days"].unique().to_list())
    n = len(asked)
    life = (pl.col("expiry") - pl.lit(AS_OF)).dt.total_days()
    reached = sum((pl.col("expiry").is_null() | (life >= days)).cast(pl.Int32) for days in asked)
    lives = pl.lit(2, pl.Int32).pow(reached).cast(pl.Int32) - 1
    eligible = sum((pl.col("contract_class").cast(pl.Int32) // (1 << c)) % 2 * lives * (1 << c * n) for c in range(3))
    stricter = sum((pl.col("min_remaining_days") > days).cast(pl.Int32) for days in asked[:-1])
    stock = (
        lots.lazy()
        .filter(~pl.col("blocked"))
        .with_columns(eligible=eligible)
        .filter(pl.col("eligible") > 0)
        .sort(*GROUP, "expiry", "received", "stock_id", nulls_last=True)
        .group_by(GROUP, maintain_order=True)
        .agg("stock_id", "qty", "eligible")
    )
    demand = (
        lines.lazy()
        .with_columns(kind=pl.col("contract_type").cast(pl.Int32) * n + stricter)
        .sort(*GROUP, "priority", "requested", "line_id")
        .group_by(GROUP, maintain_order=True)
        .agg("line_id", "kind", asked="qty")
    )
    groups = demand.join(stock, on=GROUP).collect()
    out: tuple[list[int], list[int], list[int]] = ([], [], [])
    columns = ("stock_id", "qty", "eligible", "line_id", "asked", "kind")
    for group in zip(*(groups[column].to_list() for column in columns), strict=True):
        _serve(*group, 3 * n, *out)
    return out


def _serve(stock_id, left, eligible, line_id, asked, kind, kinds, out_line, out_stock, out_qty) -> None:
    cursor = [0] * kinds
    lots = len(stock_id)
    for line, qty, p in zip(line_id, asked, kind, strict=True):
        bit, need, c = 1 << p, qty, cursor[p]
        while c < lots:
            if left[c] and eligible[c] & bit:
                take = min(need, left[c])
                left[c] -= take
                need -= take
                out_line.append(line)
                out_stock.append(stock_id[c])
                out_qty.append(take)
                if not need:
                    break
            c += 1
        cursor[p] = c
