"""Small tables as a planner would write them in a text file, and as polars frames.

A header line, then one line per row, cells divided by `|`; `-` is null. The columns of the stock and demand tables have
their dtypes; any other column says its own after a colon: `firmware:text`, `calibrated_on:date`, `grade:int`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

Row = dict[str, Any]

QUANTITIES = {"qty_on_hand", "qty_reserved", "qty", "qty_served", "requested", "allocated", "short", "qty_available"}
DTYPES = {"int": pl.Int64, "date": pl.Date, "datetime": pl.Datetime("us"), "bool": pl.Boolean, "text": pl.String}
NAMED = {
    **dict.fromkeys(("priority", "min_shelf_life_days", "rank"), "int"),
    **dict.fromkeys(("received_on", "expires_on", "needed_on"), "date"),
    "requested_at": "datetime",
    "blocked": "bool",
    **dict.fromkeys(QUANTITIES, "qty"),
}
READERS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "date": dt.date.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "bool": {"yes": True, "no": False}.__getitem__,
    "text": str,
    "qty": lambda cell: Decimal(cell) if "." in cell else int(cell),
}


def kind(column: str) -> tuple[str, str]:
    """Name and kind of values of a column as its header writes it."""
    name, _, said = column.partition(":")
    return name, said or NAMED.get(name, "text")


def rows(text: str) -> list[Row]:
    """The table as dicts."""
    head, *body = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    columns = [kind(column) for column in head]
    table = []
    for cells in body:
        if len(cells) != len(columns):
            raise ValueError(f"{len(cells)} cells under {len(columns)} columns: {cells}")
        values = [None if cell == "-" else READERS[what](cell) for cell, (_, what) in zip(cells, columns, strict=True)]
        table.append({name: value for (name, _), value in zip(columns, values, strict=True)})
    return table


def schema(text: str) -> dict[str, str]:
    """The kinds of the columns of the table, for `frame`."""
    return dict(kind(column.strip()) for column in text.strip().splitlines()[0].split("|"))


def frame(table: Sequence[Row], kinds: dict[str, str]) -> pl.DataFrame:
    """The rows as a frame. Quantities are Int64, or Decimal if any of the column's values is."""
    columns = []
    for name, what in kinds.items():
        values = [row[name] for row in table]
        scale = max((-int(v.as_tuple().exponent) for v in values if isinstance(v, Decimal)), default=None)
        dtype = DTYPES["int"] if scale is None else pl.Decimal(18, scale)
        columns.append(pl.Series(name, values, dtype=dtype if what == "qty" else DTYPES[what]))
    return pl.DataFrame(columns)
