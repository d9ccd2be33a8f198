"""Requests that fit under their limits whatever counts, told apart without tables: most are far below all of them."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from allocator.model.limits import Limits


class Asked(NamedTuple):
    """What is asked for of one key, and at most how much of it counts already.

    Attributes:
        bu: The business unit.
        asp: The partner.
        sku_group: The group of the SKU, if it has one.
        sku: The SKU; no other of these is of the same key.
        qty: The units that are asked for.
        there: Everything on hand, in transit and requested, whatever its state.
        pack: The pack of the SKU.
        unit_cost: The unit cost of the SKU.
        worth: The money of all that is there: what has a cost of its own at that, all else at the SKU's.
    """

    bu: str
    asp: str
    sku_group: str | None
    sku: str
    qty: int
    there: int
    pack: int | None = None
    unit_cost: Decimal | None = None
    worth: Decimal = Decimal(0)


def are_plainly_allowed(limits: Limits, asked: Iterable[Asked]) -> bool:
    """Whether `check_requests` would allow all of them, even if all that is there counted: False says nothing.

    Example:
        >>> limits = Limits(rules=[{"name": "all", "units_max": 20}])
        >>> are_plainly_allowed(limits, [Asked("", "ASP-01", None, "VALVE", 5, 15)])
        True
    """
    return all(_fits(limits, each) for each in asked)


def _fits(limits: Limits, each: Asked) -> bool:
    rule = limits.rule_for(sku=each.sku, sku_group=each.sku_group, asp=each.asp, bu=each.bu)
    pack = (rule.pack if rule else None) or each.pack or 1
    # In whole packs, what fits under a limit fits under what it is rounded to, whichever way that goes.
    if each.qty % pack:
        return False
    if rule is None:
        return limits.without_rule == "allow"
    if rule.units_max is not None and each.there + each.qty > rule.units_max:
        return False
    if rule.value_max is None:
        return True
    return bool(each.unit_cost) and each.worth + each.qty * (each.unit_cost or 0) <= rule.value_max
