"""Columns that both tables may have, in one set of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

NULL_CODE = 2**32 - 1
"""The code of null."""


class Core(Protocol):
    """What coding needs of the compiled core; `allocator.engine` hands it in."""

    def encode(self, columns: list[pl.Series]) -> tuple[list[pl.Series], pl.Series]:
        """Dense codes of several columns in one set, in order of the values; and the value of each code."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Columns in one set of codes.

    Attributes:
        stock: Codes of the stock rows (UInt32, 2³² - 1 for null).
        demand: Codes of the lines.
        values: The value of each code, ascending, as text.
    """

    stock: pl.Series
    demand: pl.Series
    values: list[str]

    @property
    def card(self) -> int:
        """How many codes there are."""
        return len(self.values)

    @property
    def numbers(self) -> dict[str, int]:
        """The code of each value."""
        return {value: code for code, value in enumerate(self.values)}


def code_column(
    stock: pl.DataFrame, demand: pl.DataFrame, column: str, core: Core, further: Sequence[str] = ()
) -> Coded:
    """Codes a column that both tables may have, and values that a policy names."""
    tables = (stock, demand)
    # A table without rows has keys of no kind, whatever the type of its column.
    sides = [table[column] if table.height and column in table.columns else None for table in tables]
    given = [side for side in sides if side is not None]
    if further:
        dtype = given[0].dtype if given and given[0].dtype.is_integer() else pl.String
        given.append(pl.Series(list(further), dtype=pl.String).cast(dtype, strict=False))
    found, values = core.encode(given) if given else ([], pl.Series([], dtype=pl.String))
    codes = iter(found)
    both = [_absent(table.height) if side is None else next(codes) for side, table in zip(sides, tables, strict=True)]
    return Coded(both[0], both[1], values.cast(pl.String).to_list())


def _absent(rows: int) -> pl.Series:
    """Codes of a column that is not there."""
    return pl.Series(np.full(rows, NULL_CODE, np.uint32))
