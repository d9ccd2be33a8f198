"""Promises: what is reserved is what open allocations promise, and lines count what the entries did for them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from allocator.ledger.verify.tables import Tables, found

COUNTS = ("allocated", "shipped", "returned")


def findings(tables: Tables) -> Iterator[pl.DataFrame]:
    """What is wrong with allocations and demand lines."""
    yield from _reserved(tables)
    yield from _allocations(tables)
    yield from _lines(tables)
    yield from _exchanges(tables)
    yield from _blocked(tables)


def _compared(have: pl.DataFrame, wanted: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """The rows of either side whose `have` and `wanted` differ; what is absent counts nothing."""
    both = have.join(wanted, on=key, how="full", coalesce=True).with_columns(pl.col("have", "wanted").fill_null(0))
    told = pl.format("{} kept, {} expected", "have", "wanted")
    return both.filter(pl.col("have") != pl.col("wanted")).sort(key).with_columns(told.alias("both"))


def _reserved(tables: Tables) -> Iterator[pl.DataFrame]:
    key = ["goods_id", "account_id"]
    kept = tables.balance.select(*key, have="reserved")
    open_ = tables.allocation.group_by(key).agg(wanted=pl.col("qty").sum())
    yield found(_compared(kept, open_, key), 4, "reserved is not the sum of the open allocations",
                "balance of goods {} in account {}", *key, value="both")  # fmt: skip
    key = ["line_id", *key]
    entry = tables.entry.filter((pl.col("unreserved") > 0) | (pl.col("reserved") > 0))
    sides = pl.concat([
        entry.select("line_id", "goods_id", account_id="from_id", wanted=-pl.col("unreserved")),
        entry.select("line_id", "goods_id", account_id="to_id", wanted="reserved"),
    ])  # fmt: skip
    promised = sides.group_by(key).agg(pl.col("wanted").sum()).filter(pl.col("wanted") != 0)
    open_ = tables.allocation.group_by(key).agg(have=pl.col("qty").sum())
    yield found(_compared(open_, promised, key), 4, "the open allocations are not what the entries promised",
                "line {}, goods {} in account {}", *key, value="both")  # fmt: skip


def _allocations(tables: Tables) -> Iterator[pl.DataFrame]:
    allocation, place = tables.allocation, ("allocation {}", "allocation_id")
    named = tables.entry.filter(pl.col("allocation_id").is_not_null())
    orphans = allocation.join(named.filter(pl.col("reserved") > 0), on=["allocation_id", "line_id", "goods_id"],
                              how="anti")  # fmt: skip
    yield found(orphans, 4, "no entry promised this", *place, value="line_id")
    units = allocation.join(tables.goods.filter("unit").select("goods_id"), on="goods_id", how="semi")
    yield found(units.filter(pl.len().over("goods_id") > 1), 13, "the unit is promised more than once", *place,
                value="goods_id")  # fmt: skip
    ends = (pl.col("stage") == "held") != pl.col("expires_at").is_not_null()
    yield found(allocation.filter(ends), 36, "a hold has an end, and nothing else does", *place, value="stage")


def _lines(tables: Tables) -> Iterator[pl.DataFrame]:
    """Given out is what was promised and left the stock; come back is what was returned, unless that was reversed."""
    told = tables.movements("kind").filter(pl.col("line_id") != "").join(tables.txn.select("seq", "type"), on="seq")
    told = _exchanged(tables, told)
    ended, free = pl.col("unreserved") - pl.col("reserved"), (pl.col("unreserved") == 0) & (pl.col("reserved") == 0)
    counted = told.group_by("line_id").agg(
        allocated=-ended.sum(),
        shipped=ended.filter(pl.col("unreserved") > 0, pl.col("kind_to") != "stock").sum(),
        returned=pl.when(pl.col("type") == "reverse").then(-pl.col("qty")).otherwise(pl.col("qty")).filter(free).sum(),
        first=pl.col("seq").min(),
    )
    for column in COUNTS:
        kept = tables.line.select("line_id", have=column)
        wrong = _compared(kept, counted.select("line_id", wanted=column), ["line_id"])
        yield found(wrong, 5, f"{column} is not what the entries did", "line {}", "line_id", value="both")
    line = tables.line
    over = line.filter((pl.col("allocated") < 0) | (pl.col("allocated") + pl.col("shipped") > pl.col("qty")))
    yield found(over, 5, "more is promised and given out than was asked for", "line {}", "line_id", value="qty")
    back = line.filter((pl.col("returned") < 0) | (pl.col("returned") > pl.col("shipped")))
    yield found(back, 5, "more came back than was given out", "line {}", "line_id", value="returned")
    begun = line.join(counted, on="line_id").filter(pl.col("first") != pl.col("seq"))
    yield found(begun, 5, "the line was not recorded when it first had stock", "line {}", "line_id", value="seq")


def _exchanged(tables: Tables, told: pl.DataFrame) -> pl.DataFrame:
    """What entries did for lines, in steps of what these ask for."""
    if tables.exchange.is_empty():
        return told
    counts = ("qty", "unreserved", "reserved")
    rates = tables.exchange.select("line_id", "sku_id", "given", "asked")
    both = told.join(rates, on=["line_id", "sku_id"], how="left", maintain_order="left")
    given, asked = (pl.col(name).fill_null(1).cast(pl.Int128) for name in ("given", "asked"))
    # What cannot be counted is as wrong as what is counted otherwise.
    worth = {name: (pl.col(name).cast(pl.Int128) * asked // given).cast(pl.Int64, strict=False) for name in counts}
    return both.with_columns(pl.coalesce(each, -1).alias(name) for name, each in worth.items())


def _exchanges(tables: Tables) -> Iterator[pl.DataFrame]:
    """What a substitute counts was said when the line first had such goods, and all of it went in whole exchanges."""
    place = ("exchange of {} by SKU {}", "line_id", "sku_id")
    own = tables.exchange.join(tables.line.select("line_id", "sku_id"), on=["line_id", "sku_id"], how="semi")
    yield found(own, 5, "a line counts its own SKU as it is", *place, value="given")
    of_line = tables.entry.filter(pl.col("line_id") != "").join(
        tables.goods.select("goods_id", "sku_id"), on="goods_id"
    )
    both = of_line.join(tables.exchange.rename({"seq": "said"}), on=["line_id", "sku_id"])
    first = both.group_by("line_id", "sku_id").agg(pl.col("seq").min().alias("first"))
    since = tables.exchange.join(first, on=["line_id", "sku_id"], how="left")
    late = since.filter(pl.col("first").ne_missing(pl.col("seq"))).sort("line_id", "sku_id")
    yield found(late, 5, "what it counts was not said when the line first had it", *place, value="seq")
    torn = pl.any_horizontal(pl.col(name) % pl.col("given") != 0 for name in ("qty", "unreserved", "reserved"))
    yield found(
        both.filter(torn).sort("seq", "n"), 5, "it is no whole exchange", "entry {}.{}", "seq", "n", value="qty"
    )


def _blocked(tables: Tables) -> Iterator[pl.DataFrame]:
    """Nothing is promised anew while it is blocked, or where it is not stock."""
    anew = tables.movements("kind", "blocks").filter(pl.col("reserved") > pl.col("unreserved"))
    unfit = anew.filter((pl.col("blocks_from") != "") | (pl.col("kind_from") != "stock"))
    yield found(unfit, 18, "what is blocked, or not in stock, was promised", "entry {}.{}", "seq", "n",
                value="blocks_from")  # fmt: skip
