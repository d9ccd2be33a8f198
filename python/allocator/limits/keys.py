"""Keys as numbers: one dense code for each (bu, asp, sku) of a call, in the order of the keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from allocator import engine
from allocator.limits.tables import KEY, MOVING


def encode(tables: Sequence[pl.DataFrame]) -> tuple[list[pl.DataFrame], pl.DataFrame]:
    """Replaces the columns of the key by `key` UInt32, and gives the keys themselves: one row per code, in order.

    Grouping, joining and sorting by one small integer costs a fraction of doing it by three strings.
    """
    codes: dict[str, list[pl.Series]] = {}
    values: dict[str, pl.Series] = {}
    for name in KEY:
        codes[name], values[name] = engine.encode([table[name] for table in tables])
    pairs, pair_values = _together(codes["bu"], codes["asp"], len(values["asp"]))
    keys, key_values = _together(pairs, codes["sku"], len(values["sku"]))
    pair, sku = _apart(key_values, len(values["sku"]))
    bu, asp = _apart(pair_values.gather(pair), len(values["asp"]))
    decoded = {"bu": values["bu"].gather(bu), "asp": values["asp"].gather(asp), "sku": values["sku"].gather(sku)}
    # A frame of columns that are there: most calls are of a few rows, for which a query costs more than the work.
    coded = [
        pl.DataFrame([*(column for column in table.get_columns() if column.name not in KEY), key.alias("key")])
        for table, key in zip(tables, keys, strict=True)
    ]
    return coded, pl.DataFrame(decoded).with_row_index("key")


def encode_moving(
    tables: Mapping[str, pl.DataFrame], other: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    """The tables that add up to a position, another one, and the keys of all of them; encoded as `encode` says."""
    (*moving, coded), keys = encode([*(tables[name] for name in MOVING), other])
    return dict(zip(MOVING, moving, strict=True)), coded, keys


def _together(first: list[pl.Series], second: list[pl.Series], radix: int) -> tuple[list[pl.Series], pl.Series]:
    """Dense codes of pairs of codes; a pair of UInt32 always fits in UInt64."""
    return engine.encode([a.cast(pl.UInt64) * max(radix, 1) + b for a, b in zip(first, second, strict=True)])


def _apart(pairs: pl.Series, radix: int) -> tuple[pl.Series, pl.Series]:
    return pairs // max(radix, 1), pairs % max(radix, 1)
