"""Quantities between people, who speak of units, and documents, which count the steps that a SKU is kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from allocator.errors import InputError, Problem
from allocator.ledger import lines
from allocator.ledger.lines import Unfit
from allocator.ledger.records import Sku
from allocator.ledger.selection import units


def steps_asked(rows: Sequence[Mapping[str, Any]], skus: Mapping[str, Sku], *, once: bool = False) -> list[int]:
    """What each line asks for, in the steps that its SKU is counted in; each SKU `once` only, where that is said.

    Raises:
        InputError: `qty_step`, `qty_out_of_range`, `id_duplicate`: every line that makes no sense.
    """
    steps: list[int] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for n, row in enumerate(rows):
        if once and row["sku"] in seen:
            problems.append(Problem("id_duplicate", "the SKU is there twice", "lines", "sku", n, row["sku"]))
        seen.add(row["sku"])
        try:
            steps.append(units(row["qty"], skus[row["sku"]], n))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return steps


def whole_units(steps: int, sku: Sku) -> int:
    """A quantity in whole units: what is begun counts."""
    return int(-(-steps // 10**sku.scale))


def quantity(steps: int, sku: Sku) -> int | str:
    """A quantity as it is told: a number, or the text of a decimal."""
    return f"{Decimal(steps).scaleb(-sku.scale):f}" if sku.scale else steps


def as_qty(steps: int, sku: Sku) -> int | Decimal:
    """Steps as a quantity in units of the SKU."""
    return Decimal(steps).scaleb(-sku.scale) if sku.scale else steps


def read_qty(value: object) -> int | Decimal:
    """A quantity as it is given, or as `quantity` told it."""
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except InvalidOperation:
            raise Unfit("value_text", "this is no quantity") from None
    return lines.quantity(value)
