"""What a demand line asks for in a unit of measure, in base units of its SKU: by the policy's exact ratios."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from allocator.errors import InputError, Problem
from allocator.frames.quantity import quantity_columns, rounded
from allocator.ledger.records import Sku
from allocator.ledger.selection import DIGITS_MAX, countable, exact
from allocator.model.policy import Policy

RATIO: Final = "unit_ratio"
"""What a line is recorded with beside its unit: how many base units one was then, whatever it is later."""

DECIMALS_MAX: Final = 100
"""More of them come to no step of anything; a number of a million would be long in writing."""


def ratio_of(policy: Policy, unit: str, sku: str, row: int) -> Fraction:
    """How many base units of a SKU one of a unit of measure is: by the SKU's own entry, else by that of all others.

    Raises:
        InputError: `unit_unknown`.
    """
    found = {entry.sku: entry.ratio for entry in policy.units if entry.unit == unit}
    ratio = found.get(sku, found.get(None))
    if ratio is None:
        message, hint = "the policy has no such unit", "The policy has none: name it there, or leave unit out"
        if found:
            message, hint = "the policy has this unit for some SKUs only, and not for this one", "Add an entry for it"
        elif policy.units:
            hint = f"The policy has {', '.join(sorted({entry.unit for entry in policy.units}))}"
        raise InputError(Problem("unit_unknown", message, "demand", "unit", row, unit[:80], hint))
    return ratio


def in_base_units(
    line: Mapping[str, Any], policy: Policy, sku: Sku, row: int
) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """What a line with a unit asks for, in steps of its SKU; the line in base units; and what is recorded of it.

    Raises:
        InputError: `unit_unknown`, `qty_step`, `qty_out_of_range`.
    """
    ratio = ratio_of(policy, line["unit"], line["sku"], row)
    steps = countable(_steps(line["qty"], ratio, sku, policy, ("qty", row)), sku, row, line["qty"], "demand")
    rest = {name: value for name, value in line.items() if name != "unit"}
    return steps, rest | filled(line, ratio, sku, policy, row), {**line, RATIO: str(ratio)}


def filled(line: Mapping[str, Any], ratio: Fraction, sku: Sku, policy: Policy, row: int) -> dict[str, Any]:
    """The columns of a line that fill rules name, which are in its unit, in base units of its SKU.

    Raises:
        InputError: `qty_step`, `qty_out_of_range`.
    """
    named = [name for name in quantity_columns("demand", policy) if name != "qty"]
    return {
        name: exact(_steps(value, ratio, sku, policy, (name, row)), sku.scale)
        for name in named
        # What is no quantity is refused as in a line without a unit.
        if isinstance(value := line.get(name), int | Decimal) and not isinstance(value, bool)
    }


def _steps(qty: int | Decimal, ratio: Fraction, sku: Sku, policy: Policy, place: tuple[str, int]) -> int:
    """A quantity in a unit as steps of the SKU, rounded as the policy says."""
    if isinstance(qty, Decimal) and (not qty.is_finite() or qty.adjusted() >= DIGITS_MAX):
        message = f"a quantity has at most {DIGITS_MAX} digits"
        raise InputError(Problem("qty_out_of_range", message, "demand", *place, str(qty)[:80]))
    decimals = -int(qty.as_tuple().exponent) if isinstance(qty, Decimal) else 0
    found = Fraction(qty) * ratio * 10**sku.scale if decimals <= DECIMALS_MAX else None
    if found is None or (policy.unit_rounding == "refuse" and found.denominator > 1):
        message = f"the quantity is no whole number of the steps that {sku.sku} is counted in"
        hint = "Set unit_rounding of the policy to up, down or nearest, or ask for base units"
        raise InputError(Problem("qty_step", message, "demand", *place, str(qty)[:80], hint))
    return rounded(found, policy.unit_rounding)
