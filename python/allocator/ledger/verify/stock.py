"""Stock: every balance is the sum of its entries and was never below zero; units are in one place, by a path."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from allocator.ledger.verify.tables import Tables, found

TRACKED_BY_UNIT = ("serial", "both")


def findings(tables: Tables) -> Iterator[pl.DataFrame]:
    """What is wrong with balances, receipts and units."""
    yield from _balances(tables)
    yield from _goods(tables)
    yield from _units(tables)
    yield from _blocks(tables)


def replayed(tables: Tables) -> pl.DataFrame:
    """What each entry left in each account that it touched: one row per goods, account and entry, in order."""
    real = tables.account.filter(~pl.col("source")).select("account_id")
    entry = tables.entry.with_row_index("turn").select(
        "turn", "goods_id", "seq", "n", "from_id", "to_id", "qty", "unreserved", "reserved"
    )
    stays = pl.col("from_id") == pl.col("to_id")
    # An entry that stays in its account changes both promises at once.
    sides = pl.concat(
        entry.filter(which).select("turn", "goods_id", "seq", "n", account_id=account, qty=qty, reserved=reserved)
        for which, account, qty, reserved in (
            (~stays, "from_id", -pl.col("qty"), -pl.col("unreserved")),
            (~stays, "to_id", pl.col("qty"), pl.col("reserved")),
            (stays, "to_id", pl.lit(0, pl.Int64), pl.col("reserved") - pl.col("unreserved")),
        )
    ).join(real, on="account_id", how="semi")
    steps = sides.sort("goods_id", "account_id", "turn")
    key = pl.struct("goods_id", "account_id")
    begins = key.ne_missing(key.shift(1))
    # One running sum for all, less what it was where goods and account begin: faster than a sum for each.
    return steps.with_columns(
        *(pl.col(name).cum_sum() - pl.when(begins).then(pl.col(name).cum_sum() - pl.col(name)).forward_fill()
          for name in ("qty", "reserved")),
        last=key.ne_missing(key.shift(-1)),
    )  # fmt: skip


def _balances(tables: Tables) -> Iterator[pl.DataFrame]:
    states = replayed(tables)
    where = ("entry {}.{}", "seq", "n")
    yield found(states.filter(pl.col("qty") < 0), 2, "the account was below zero", *where, value="qty")
    beyond = (pl.col("reserved") < 0) | (pl.col("reserved") > pl.col("qty"))
    yield found(states.filter(beyond, pl.col("qty") >= 0), 3, "more was promised than was there, or less than nothing",
                *where, value="reserved")  # fmt: skip
    key = ["goods_id", "account_id"]
    last = states.filter("last", (pl.col("qty") != 0) | (pl.col("reserved") != 0))
    both = last.select(*key, "qty", "reserved").join(
        tables.balance.select(*key, kept="qty", kept_reserved="reserved"), on=key, how="full", coalesce=True
    )
    both = both.with_columns(pl.exclude(key).fill_null(0)).sort(key)
    place = ("balance of goods {} in account {}", *key)
    for column, kept in (("qty", "kept"), ("reserved", "kept_reserved")):
        wrong = both.filter(pl.col(column) != pl.col(kept))
        wrong = wrong.with_columns(pl.format("{} kept, {} by the entries", kept, column).alias("both"))
        yield found(wrong, 6, f"{column} is not the sum of the entries", *place, value="both")
    goods = tables.goods.select("goods_id", of="sku_id", is_unit="unit")
    other = (pl.col("sku_id") != pl.col("of")) | ((pl.col("unit") == 1) != pl.col("is_unit"))
    yield found(
        tables.balance.join(goods, on="goods_id").filter(other),
        6,
        "the balance is said to be of another SKU or kind",
        *place,
        value="sku_id",
    )


def _goods(tables: Tables) -> Iterator[pl.DataFrame]:
    """Goods come to be with their first entry, from a source, as their SKU is tracked."""
    first = tables.entry.group_by("goods_id").agg(pl.first("seq", "from_id"))
    sources = tables.account.select(pl.col("account_id").alias("from_id"), "source")
    begun = tables.goods.join(first, on="goods_id", how="left", suffix="_first").join(sources, on="from_id", how="left")
    unborn = (pl.col("seq_first").ne_missing(pl.col("seq"))) | ~pl.col("source").fill_null(value=False)
    yield found(begun.filter(unborn), 10, "the goods did not come in by the transaction that recorded them", "goods {}",
                "goods_id", value="seq")  # fmt: skip
    tracked = tables.goods.join(tables.sku, on="sku_id")
    by_unit = pl.col("tracking").is_in(TRACKED_BY_UNIT)
    yield found(tracked.filter(pl.col("unit") != by_unit), 12, "a serial is there where none belongs, or the other "
                "way round", "goods {}", "goods_id", value="serial")  # fmt: skip


def _units(tables: Tables) -> Iterator[pl.DataFrame]:
    """A unit is one piece, in one place; it leaves from where it came to."""
    moved = tables.movements("source").filter("unit", pl.col("qty") > 0)
    place = ("entry {}.{}", "seq", "n")
    yield found(moved.filter(pl.col("qty") != 1), 12, "a unit is one", *place, value="qty")
    path = moved.with_columns(before=pl.col("to_id").shift(1).over("goods_id"))
    broken = pl.when(pl.col("before").is_null()).then(~pl.col("source_from")).otherwise(
        pl.col("from_id") != pl.col("before")
    )  # fmt: skip
    yield found(path.filter(broken), 14, "the unit does not leave from where it was", *place, value="from_id")
    marks = tables.entry.filter((pl.col("from_id") == pl.col("to_id")) & (pl.col("qty") != 0))
    yield found(marks, 1, "goods move without leaving", *place, value="qty")
    units = tables.balance.join(tables.goods.filter("unit").select("goods_id"), on="goods_id", how="semi")
    several = units.filter((pl.len().over("goods_id") > 1) | (pl.col("qty") != 1))
    yield found(several, 12, "a unit is in one place, once", "balance of goods {} in account {}", "goods_id",
                "account_id", value="qty")  # fmt: skip
    ends = path.group_by("goods_id", maintain_order=True).last().filter(~pl.col("source_to"))
    gone = ends.join(units, on="goods_id", how="anti")
    yield found(gone, 12, "the unit is nowhere", "goods {}", "goods_id", value="to_id")


def _blocks(tables: Tables) -> Iterator[pl.DataFrame]:
    """A block adds its reason and changes nothing else, lifting it takes it away; nothing else touches reasons."""
    told = ("kind", "location", "condition", "owner", "holder")
    moved = tables.movements("source", "blocks", *told).join(
        tables.txn.select("seq", "type", "reason"), on="seq", maintain_order="left"
    )
    before, after = (pl.col(f"blocks_{side}").str.split("+").list.set_difference([""]) for side in ("from", "to"))
    added, lifted, reason = (
        after.list.set_difference(before),
        before.list.set_difference(after),
        pl.concat_list("reason"),
    )
    setting, empty = pl.col("type") == "block", pl.lit([], pl.List(pl.String))
    blocking = pl.when(setting).then((added == reason) & (lifted == empty)).otherwise(
        (lifted == reason) & (added == empty)
    )  # fmt: skip
    place = ("entry {}.{}", "seq", "n")
    blocks = moved.filter(pl.col("type").is_in(["block", "unblock"]))
    same = pl.all_horizontal(pl.col(f"{name}_from") == pl.col(f"{name}_to") for name in told)
    yield found(blocks.filter(~(blocking & same)), 17, "a block changes its reason and nothing else", *place,
                value="blocks_to")  # fmt: skip
    silent = moved.filter(~pl.col("type").is_in(["block", "unblock", "reverse"]), ~pl.col("source_from"),
                          pl.col("blocks_from") != pl.col("blocks_to"))  # fmt: skip
    yield found(silent, 17, "a block came or went without being set or lifted", *place, value="blocks_to")
    unsorted = tables.account.filter(pl.col("blocks") != pl.col("blocks").str.split("+").list.unique().list.sort()
                                     .list.join("+"))  # fmt: skip
    yield found(unsorted, 17, "the reasons of a block are not in order, each once", "account {}", "account_id",
                value="blocks")  # fmt: skip
