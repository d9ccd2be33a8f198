"""Requests that no limit can touch, told apart without tables: most are far below all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from allocator.model.limits import RULE_KEYS, LimitRule, Limits


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
    """

    bu: str
    asp: str
    sku_group: str | None
    sku: str
    qty: int
    there: int
    pack: int | None


def are_plainly_allowed(limits: Limits, asked: Iterable[Asked]) -> bool:
    """Whether `check_requests` would allow all of them, whichever rules hold: False says nothing.

    It is so where each fits under every rule that may hold for it, even if all that is there counted, and where neither
    value nor packs matter.

    Example:
        >>> limits = Limits(rules=[{"name": "all", "units_max": 20}])
        >>> are_plainly_allowed(limits, [Asked("", "ASP-01", None, "VALVE", 5, 15, None)])
        True
    """
    if any(rule.value_max is not None or (rule.pack or 1) > 1 for rule in limits.rules):
        return False
    for each in asked:
        most = [rule.units_max for rule in limits.rules if _may_hold(rule, each)]
        if not most or (each.pack or 1) > 1 or any(units is None or each.there + each.qty > units for units in most):
            return False
    return True


def _may_hold(rule: LimitRule, each: Asked) -> bool:
    return all((said := getattr(rule, name)) is None or str(said) == getattr(each, name) for name in RULE_KEYS)
