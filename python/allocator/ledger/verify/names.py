"""Numbers and characteristics of units: those that the entries gave, none to two units."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from allocator.ledger.verify.tables import Tables, found

NUMBER = {"kind": pl.String, "scope": pl.Int64, "value": pl.String, "goods_id": pl.Int64, "seq": pl.Int64}
ATTRIBUTE = {"goods_id": pl.Int64, "name": pl.String, "value": pl.String, "seq": pl.Int64}


def findings(tables: Tables) -> Iterator[pl.DataFrame]:
    """What is wrong with numbers and attributes."""
    given, attributes = _told(tables)
    key = ["kind", "scope", "value"]
    twice = given.filter(pl.len().over(key) > 1)
    yield found(twice, 12, "a number was given more than once", "goods {}", "goods_id", value="value")
    # The serial of a unit ends where it gets the next one.
    until = pl.when(pl.col("kind") == "serial").then(pl.col("seq").shift(-1).over("kind", "goods_id"))
    given = given.with_columns(until.alias("until_seq")).unique(key, keep="first")
    columns = ["goods_id", "seq", "until_seq"]
    for wrong in _differ(tables.number, given, key, columns):
        yield found(wrong, 10, "the number is not as the entries gave it", "number {} {}", "kind", "value",
                    value="value")  # fmt: skip
    last = attributes.group_by("goods_id", "name", maintain_order=True).last()
    for wrong in _differ(tables.attribute, last, ["goods_id", "name"], ["value", "seq"]):
        yield found(wrong, 10, "the value is not the one recorded last", "{} of goods {}", "name", "goods_id")


def _differ(kept: pl.DataFrame, wanted: pl.DataFrame, key: list[str], columns: list[str]) -> Iterator[pl.DataFrame]:
    """The keys of which one side has other values than the other, or none."""
    have, other = (frame.select(*key, pl.struct(columns).alias(name))
                   for frame, name in ((kept, "have"), (wanted, "wanted")))  # fmt: skip
    both = have.join(other, on=key, how="full", coalesce=True)
    yield both.filter(pl.col("have").ne_missing(pl.col("wanted"))).sort(key)


def _told(tables: Tables) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The numbers and the attributes that were given, in order: at the receipt, by another serial, by a note."""
    numbers, attributes = [], []
    said = pl.col("details").str.contains_any(['"serial"', '"numbers"', '"attributes"'])
    entry = tables.entry.filter(pl.col("details").str.starts_with("{") & said)
    scopes = entry.select("goods_id").unique().join(tables.goods, on="goods_id").select("goods_id", "sku_id")
    scope = dict(scopes.iter_rows())
    for seq, goods_id, details in entry.select("seq", "goods_id", "details").iter_rows():
        read = json.loads(details)
        if "serial" in read:
            numbers.append(("serial", scope.get(goods_id), read["serial"], goods_id, seq))
        numbers += [(kind, 0, value, goods_id, seq) for kind, value in read.get("numbers", {}).items()]
        attributes += [(goods_id, name, value, seq) for name, value in read.get("attributes", {}).items()]
    first = tables.goods.filter("unit").select(pl.lit("serial").alias("kind"), "goods_id", "seq", scope="sku_id",
                                               value="serial")  # fmt: skip
    given = pl.concat([first.select(*NUMBER), pl.DataFrame(numbers, schema=NUMBER, orient="row")])
    return (given.sort("seq", maintain_order=True), pl.DataFrame(attributes, schema=ATTRIBUTE, orient="row"))
