"""Quantities between people, who speak of units, and documents, which count the steps that a SKU is kept in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing
from allocator.ledger import lines
from allocator.ledger.lines import Unfit
from allocator.ledger.records import Sku
from allocator.ledger.selection import units


class Demanded(NamedTuple):
    """What lines ask for, as far as they make sense.

    Attributes:
        skus: Their SKUs, by name.
        steps: By line, how much of it, in the steps that its SKU is counted in.
        problems: What is wrong with the others.
    """

    skus: dict[str, Sku]
    steps: dict[int, int]
    problems: list[Problem]

    def check(self) -> None:
        """Makes sure that all of them make sense.

        Raises:
            InputError: Every problem of every line.
        """
        if self.problems:
            raise InputError(self.problems)


def asked_of(
    doing: Doing,
    rows: Sequence[Mapping[str, Any]],
    *,
    once: bool = False,
    unfit: Callable[[Sku], Problem | None] = lambda _: None,
) -> Demanded:
    """What lines ask for by `sku` and `qty`; their problems are `sku_unknown`, `qty_step`, `qty_out_of_range`.

    Args:
        doing: The step.
        rows: The lines, read.
        once: Whether a SKU may be there once only: else `id_duplicate`.
        unfit: Why a SKU cannot be asked for; None where it can.
    """
    skus, problems = doing.find_skus(row["sku"] for row in rows)
    steps: dict[int, int] = {}
    seen: set[str] = set()
    for n, row in enumerate(rows):
        name = row["sku"]
        if name in skus and (why := unfit(skus[name])) is not None:
            problems.append(replace(why, table="lines", column="sku", row=n, value=name))
        if once and name in seen:
            problems.append(Problem("id_duplicate", "the SKU is there twice", "lines", "sku", n, name))
        seen.add(name)
        if name in skus:
            try:
                steps[n] = units(row["qty"], skus[name], n)
            except InputError as error:
                problems += error.problems
    return Demanded(skus, steps, problems)


def steps_of(qty: int | Decimal, sku: Sku) -> int:
    """The quantity that the argument `qty` gives, in the steps that the SKU is counted in.

    Raises:
        InputError: `qty_step`, `qty_out_of_range`.
    """
    try:
        return units(qty, sku, 0)
    except InputError as error:
        raise InputError(replace(each, table="", row=None) for each in error.problems) from None


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
            raise Unfit(
                "value_text", "this is no quantity", "As in 3, or as text where it has decimals: '33.60'"
            ) from None
    qty = lines.quantity(value)
    if qty < 0:
        raise Unfit("qty_out_of_range", "a quantity is not below zero")
    return qty
