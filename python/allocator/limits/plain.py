"""Decides on a few requests as `check_requests` does, without tables: for three lines those cost more than the work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from allocator.errors import InputError
from allocator.limits.position import cost_missing
from allocator.model.limits import MONEY_SCALE, QTY_MAX, LimitRule, Limits, OnHand, Rounding


class Held(NamedTuple):
    """Stock of a key, as a row of the table `stock`."""

    qty: int
    reserved: int = 0
    status: str | None = "available"
    condition: str | None = "new"
    blocked: bool = False
    expires_on: dt.date | None = None
    unit_cost: Decimal | None = None


class Asked(NamedTuple):
    """What is asked for of one key, and what is known of it.

    Attributes:
        bu: The business unit.
        asp: The partner.
        sku: The SKU; no other of these is of the same key.
        qty: The units that are asked for.
        sku_group: The group of the SKU, if it has one.
        pack: The pack of the SKU.
        unit_cost: The unit cost of the SKU.
        stock: What is there.
        in_transit: The units on their way.
        requested_open: The units that are requested.
        override_role: The role in which someone asks to go above the limit, and why.
        override_reason: Why.
    """

    bu: str
    asp: str
    sku: str
    qty: int
    sku_group: str | None = None
    pack: int | None = None
    unit_cost: Decimal | None = None
    stock: Sequence[Held] = ()
    in_transit: int = 0
    requested_open: int = 0
    override_role: str | None = None
    override_reason: str | None = None


class Decision(NamedTuple):
    """What was decided, and the figures: as the columns of `check_requests`; `rule` is the rule itself."""

    decision: str
    qty_granted: int
    reason: str | None
    headroom_left: int | None
    rule: LimitRule | None
    pack: int
    on_hand: int


def decide_plainly(limits: Limits, asked: Sequence[Asked], as_of: dt.date) -> list[Decision]:
    """What `check_requests` decides on requests of keys that are all different; in their order.

    Raises:
        InputError: `unit_cost_missing`: every SKU that a limit in value holds for, and that has no cost.

    Example:
        >>> limits = Limits(rules=[{"name": "all", "units_max": 20}], above_limit="reduce")
        >>> asked = Asked("service", "ASP-01", "VALVE", 16, stock=[Held(5)])
        >>> decide_plainly(limits, [asked], dt.date(2026, 3, 1))[0][:3]
        ('reduced', 15, 'above_limit')
    """
    rules = [limits.rule_for(sku=each.sku, sku_group=each.sku_group, asp=each.asp, bu=each.bu) for each in asked]
    unpriced = (
        each.sku
        for each, rule in zip(asked, rules, strict=True)
        if rule is not None and rule.value_max is not None and not each.unit_cost
    )
    if skus := list(dict.fromkeys(unpriced)):
        raise InputError(cost_missing(sku) for sku in skus)
    return [_decided(limits, each, rule, as_of) for each, rule in zip(asked, rules, strict=True)]


def _decided(limits: Limits, each: Asked, rule: LimitRule | None, as_of: dt.date) -> Decision:
    counted = [held for held in each.stock if _counts(held, limits.on_hand, as_of)]
    on_hand = sum(held.qty for held in counted)
    pack = (rule.pack if rule else None) or each.pack or 1
    if rule is None:
        left = QTY_MAX if limits.without_rule == "allow" else 0
    else:
        left = _in_packs(max(_headroom(limits, each, rule, counted), 0), pack, rule.rounding or limits.rounding)
    rest = each.qty % pack
    wanted = each.qty - rest if limits.above_limit == "reduce" or not rest else 0
    override = _override(limits, each)
    granted, reason = wanted, "broken_pack" if wanted < each.qty else None
    if wanted > left:
        # An override goes above a limit: where none holds it opens nothing.
        is_passed = override == "override" and rule is not None
        if not is_passed:
            granted = left if limits.above_limit == "reduce" and override is None else 0
        reason = override or "above_limit"
    if rule is None and limits.without_rule == "refuse":
        reason = "no_rule"
    decision = "allowed" if granted == each.qty else "reduced" if granted else "refused"
    return Decision(decision, granted, reason, left if rule else None, rule, pack, on_hand)


def _counts(held: Held, on_hand: OnHand, as_of: dt.date) -> bool:
    """Whether stock is on hand to a limit."""
    if held.status not in on_hand.statuses or held.condition not in on_hand.conditions:
        return False
    if held.blocked and not on_hand.blocked:
        return False
    if held.expires_on is None or on_hand.expired:
        return True
    return held.expires_on >= as_of if on_hand.usable == "through" else held.expires_on > as_of


def _headroom(limits: Limits, each: Asked, rule: LimitRule, counted: Iterable[Held]) -> int:
    """Whole units that fit under both limits of a rule."""
    moving = each.in_transit + each.requested_open
    there = [(held.qty if limits.on_hand.reserved else held.qty - held.reserved, held.unit_cost) for held in counted]
    rooms = []
    if rule.units_max is not None:
        rooms.append(rule.units_max - moving - sum(qty for qty, _ in there))
    if rule.value_max is not None:
        cost = _money(each.unit_cost)
        worth = cost * moving + sum(qty * (cost if own is None else _money(own)) for qty, own in there)
        rooms.append(max(min((_money(rule.value_max) - worth) // cost, QTY_MAX), -QTY_MAX))
    return min(rooms)


def _money(amount: Decimal | None) -> int:
    """An amount in the smallest parts that money has."""
    return int((amount or Decimal(0)).scaleb(MONEY_SCALE))


def _in_packs(qty: int, pack: int, rounding: Rounding) -> int:
    rest = qty % pack
    is_up = rest > 0 if rounding == "always_reach" else rounding == "nearest" and 2 * rest > pack
    return qty - rest + pack * is_up


def _override(limits: Limits, each: Asked) -> str | None:
    """`override`, or why one that is asked for does not count; None where none is asked for."""
    if each.override_role is None:
        return None
    if limits.override is None or each.override_role not in limits.override.roles:
        return "override_not_allowed"
    is_explained = bool((each.override_reason or "").strip())
    return "override" if is_explained or not limits.override.reason_required else "override_without_reason"
