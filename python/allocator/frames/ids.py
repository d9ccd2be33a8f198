"""Ids and serials: there, and there once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import polars as pl

from allocator.frames import coded
from allocator.frames.columns import is_text
from allocator.frames.findings import ROWS_MAX, Check, Findings

NEVER = pl.lit(value=False)
"""For a check whose rows are known already."""


class IdReport(Protocol):
    """What the core says about a column of ids."""

    @property
    def ascending(self) -> bool:
        """Whether every id is greater than the one before."""

    @property
    def repeats(self) -> int:
        """How many rows repeat the id of an earlier row."""

    @property
    def first_repeats(self) -> list[tuple[int, int]]:
        """The first of these rows, each with the first row that holds the same id."""


class Core(coded.Core, Protocol):
    """What the checks need of the compiled core; `allocator.engine` hands it in."""

    def check_ids(self, column: pl.Series, repeats_max: int) -> IdReport:
        """Looks for repeated ids, in linear time."""

    def rows_with_nul(self, column: pl.Series, rows_max: int) -> list[int]:
        """The first rows whose text holds a NUL character."""


def check_ids(frame: pl.DataFrame, table: str, column: str, core: Core, findings: Findings) -> bool:
    """Notes ids that are there twice; whether the ids ascend, so that no tie needs them compared."""
    ids = frame.get_column(column)
    report = core.check_ids(ids, ROWS_MAX)
    if report.repeats:
        repeats = [
            (row, f"{ids[row]}, first in row {findings.row_given(table, first)}") for row, first in report.first_repeats
        ]
        check = Check("id_duplicate", column, NEVER, "the id is there already", "An id is unique in its table")
        findings.rows(check, table, repeats, report.repeats)
    return report.ascending


def check_nul(frame: pl.DataFrame, table: str, names: Iterable[str], core: Core, findings: Findings) -> None:
    """Notes texts with NUL characters."""
    for name in names:
        column = frame.get_column(name)
        rows = core.rows_with_nul(column, ROWS_MAX) if is_text(column.dtype) else []
        check = Check("text_nul", name, NEVER, "the text has a NUL character", "Databases refuse it: take it out")
        findings.rows(check, table, [(row, repr(column[row])) for row in rows], len(rows))


def check_serials(frame: pl.DataFrame, unit: int, core: Core, findings: Findings) -> None:
    """Notes serials in stock with a quantity other than 0 or 1 (`unit`), and serials that one SKU has twice."""
    held = pl.col("serial").is_not_null()
    several = held & (pl.col("qty_on_hand") != 0) & (pl.col("qty_on_hand") != unit)
    message = "a serial is one unit, and its quantity is neither 0 nor 1"
    checks = [Check("serial_quantity", "serial", several, message, "Give a balance of many units a lot instead")]
    if core.check_ids(frame.get_column("serial"), ROWS_MAX).repeats:
        # Two SKUs may use the same number: only now look at the pairs.
        again = held & pl.struct("sku", "serial").is_first_distinct().not_()
        message = "the serial is there already for this SKU"
        checks.append(Check("serial_duplicate", "serial", again, message, "A unit is in one place only"))
    findings.run("stock", frame, checks)
