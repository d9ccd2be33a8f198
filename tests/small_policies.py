"""Settings of a policy in which each rule is as likely there as not, for `small_worlds`."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from drawing import AS_OF, PLACES, Draw
from tables import Row

DEMAND_KEYS = (
    "priority",
    "requested_at",
    "needed_on",
    "shelf_life_days_min",
    "customer",
    "order_id",
    "min_shelf_life_days",
)
STOCK_KEYS = (
    *("received_on", "expires_on", "qty_available", "location", "lot", "grade", "firmware", "blocked", "distance"),
    *("source_rank", "substitute_rank", "contract_rank", "owner_rank"),
)
NAMED_STOCK_ORDERS = ("fifo", "lifo", "fefo", "nearest", "smallest_first", "largest_first", "fewest_rows")
NAMED_DEMAND_ORDERS = ("priority", "first_come", "needed_first", "strictest_shelf_life")
UNITS = [{"unit": "box", "ratio": 4}, {"unit": "ninth", "ratio": "1/9"}, {"unit": "box", "ratio": "3/2", "sku": "B"}]
ATTRIBUTES = (
    {"column": "grade", "op": ">=", "value": 2},
    {"column": "grade", "op": "<", "value": 3, "nulls": "pass"},
    {"column": "grade", "op": "!=", "value": 2},
    {"column": "grade", "op": "in", "value": [1, 3], "nulls": "pass"},
    {"column": "grade", "op": "between", "value": [1, 2]},
    {"column": "grade", "op": "between", "demand_columns": ["grade_from", "grade_to"]},
    {"column": "grade", "op": "<=", "demand_column": "grade_to", "nulls": "pass"},
    {"column": "calibrated_on", "op": ">=", "demand_column": "calibrated_since"},
    {"column": "calibrated_on", "op": "<=", "value": AS_OF - dt.timedelta(days=1)},
    {"column": "firmware", "op": ">=", "demand_column": "firmware_min", "compare": "version"},
    {"column": "firmware", "op": ">", "value": "2.1.3", "compare": "version"},
    {"column": "firmware", "op": "=", "demand_column": "firmware_min"},
    {"column": "lot", "op": "not_in", "value": ["L1"]},
)
ATTRIBUTES_MEANT = (
    {"column": "blocked", "op": "=", "value": False},
    {"column": "condition", "op": "in", "value": ["new", "used"]},
    {"column": "status", "op": "!=", "value": "inspected"},
    {"column": "qty_on_hand", "op": ">=", "value": 2},
    {"column": "qty_on_hand", "op": "!=", "value": Decimal("0.3")},
    {"column": "qty_on_hand", "op": "<=", "demand_column": "qty"},
    {"column": "qty_on_hand", "op": "between", "demand_columns": ["pack", "least"]},
    {"column": "qty_reserved", "op": "<", "value": 1},
    {"column": "qty_reserved", "op": "<=", "demand_column": "least"},
    {"column": "grade", "op": ">=", "demand_column": "pack"},
    {"column": "grade", "op": ">", "demand_column": "qty", "nulls": "pass"},
)
"""Those on columns that mean something where they are absent, and on quantities, which tables count in steps."""
ABSENT_MEANS = {"blocked", "condition", "status", "qty_on_hand", "qty_reserved"}
"""What a rule may compare although the table need not have it."""


def columns_of(settings: Row) -> set[str]:
    """The columns that the policy speaks of, which therefore cannot be absent."""
    orders = [settings.get("demand_order", ""), settings.get("stock_order", "")]
    used = {key["column"] for keys in orders if isinstance(keys, list) for key in keys}
    used |= {rule["column"] for rule in settings.get("attributes", ())} - ABSENT_MEANS
    rules = {
        "contracts": {"stock_class", "condition", "contract_type"},
        "shelf_life": {"customer", "needed_on", "expires_on"},
        "owner": {"owner"},
        "conditions": {"condition"},
        "inbound": {"needed_on"},
        "location": {"location"},
        "safety_stock": {"location"},
    }
    for name, columns in rules.items():
        used |= columns if name in settings else set()
    named = {"needed_first": {"needed_on"}}
    return used | named.get(str(settings.get("demand_order")), set())


def policy_settings(draw: Draw, skus: tuple[str, ...]) -> Row:
    """Settings of a policy in which each rule is as likely there as not."""
    draws = {
        "demand_order": (0.7, lambda: order(draw, NAMED_DEMAND_ORDERS, DEMAND_KEYS)),
        "stock_order": (0.8, lambda: order(draw, NAMED_STOCK_ORDERS, STOCK_KEYS)),
        "statuses": (0.3, lambda: ["available", *draw.some(("inspected", "scrapped"))]),
        "conditions": (0.25, lambda: ["new", *draw.some(("repaired", "used"))]),
        "owner": (0.35, lambda: draw.one("any", "exact", "unowned", "deposit_first")),
        "inbound": (0.4, lambda: draw.one("exclude", "when_needed", "when_needed")),
        "shelf_life": (0.4, lambda: shelf_life(draw, skus)),
        "attributes": (
            0.35,
            lambda: [draw.one(*draw.one(ATTRIBUTES, ATTRIBUTES_MEANT)) for _ in range(draw.rng.randint(1, 2))],
        ),
        "contracts": (0.3, lambda: contracts(draw)),
        "location": (0.6, lambda: location(draw)),
        "substitutes": (0.4, lambda: substitutes(draw, skus)),
        "safety_stock": (0.3, lambda: safety_stock(draw, skus)),
        "fill": (0.5, lambda: fill(draw)),
        "fills": (0.4, lambda: {name: fill(draw) for name in draw.some(("f1", "f2", "f3"), 1)}),
        "units": (0.1, lambda: UNITS),
    }
    settings = {name: make() for name, (share, make) in draws.items() if draw.chance(share)}
    if "units" in settings:
        settings["unit_rounding"] = draw.one("up", "down", "nearest")
    return settings


def order(draw: Draw, named: tuple[str, ...], keys: tuple[str, ...]) -> Any:
    if draw.chance(0.5):
        return draw.one(*named)
    chosen = draw.rng.sample(keys, draw.rng.randint(0, 3))
    return [{"column": k, "descending": draw.chance(0.4), "nulls": draw.one("first", "last")} for k in chosen]


def shelf_life(draw: Draw, skus: tuple[str, ...]) -> Row:
    settings = {
        "usable": draw.one("through", "until"),
        "measured_at": draw.one("as_of", "needed_on"),
        "combine": draw.one("strictest", "most_specific"),
        "days_min": draw.one(0, 1, 2),
    }
    for name, keys in (("by_customer", ("CLINIC", "SHOP")), ("by_group", ("G1", "G2")), ("by_sku", skus[:2])):
        settings[name] = {key: draw.rng.randint(0, 4) for key in draw.some(keys)}
    return settings


def contracts(draw: Draw) -> Row:
    def rule() -> Row:
        often = Draw(draw.rng, nulls=0.5)
        selectors = {
            "stock_class": often.maybe("asp", "company"),
            "condition": often.maybe("new", "repaired", "used"),
            "contract_type": often.maybe("amc", "in_warranty", "paid"),
            "bu": Draw(draw.rng, nulls=0.8).maybe("MED", "PRINT"),
            "sku_group": Draw(draw.rng, nulls=0.8).maybe("G1", "G2"),
        }
        rest = {"allow": draw.chance(0.75), "rank": draw.one(0, 0, 1, 2)}
        if draw.chance(0.2):
            rest[draw.one("valid_from", "valid_to")] = AS_OF + dt.timedelta(days=draw.one(-1, 0, 1))
        return {name: value for name, value in selectors.items() if value is not None} | rest

    otherwise, free = draw.one("forbid", "allow", "allow"), draw.one("allow", "match")
    return {"rules": [rule() for _ in range(draw.rng.randint(1, 4))], "otherwise": otherwise, "without_contract": free}


def location(draw: Draw) -> Row:
    settings: Row = {"scope": draw.one("tree", "exact", "any"), "exclude": draw.some(PLACES[1:])[:1]}
    if draw.chance(0.5):
        pairs = [(draw.one(*PLACES), draw.one(*PLACES)) for _ in range(draw.rng.randint(1, 4))]
        settings["sources"] = [{"location": a, "source": b, "rank": draw.one(1, 1, 2)} for a, b in dict.fromkeys(pairs)]
        settings["own_place"] = draw.one("first", "first", "only_if_listed")
    if draw.chance(0.3):
        pairs = [(draw.one(*PLACES), draw.one(*PLACES)) for _ in range(draw.rng.randint(1, 4))]
        settings["distances"] = [
            {"location": a, "source": b, "distance": draw.one(0, 5, 9)} for a, b in dict.fromkeys(pairs)
        ]
    return settings


def substitutes(draw: Draw, skus: tuple[str, ...]) -> list[Row]:
    """Entries whose ratios agree: each SKU has a worth, so that rings come back to one for one."""
    worth = {sku: draw.one(*([1] if draw.chance(0.5) else [1, 2, 3])) for sku in skus}
    pairs = [(a, b) for a in skus for b in skus if a != b]
    chosen = draw.rng.sample(pairs, draw.rng.randint(min(1, len(pairs)), min(4, len(pairs))))
    return [{"sku": a, "substitute": b, "ratio": f"{worth[a]}/{worth[b]}"} for a, b in chosen]


def safety_stock(draw: Draw, skus: tuple[str, ...]) -> list[Row]:
    pairs = dict.fromkeys((draw.one(*skus), draw.maybe(*PLACES)) for _ in range(draw.rng.randint(1, 3)))
    entries = [{"sku": sku, "location": place, "qty": draw.rng.randint(1, 6)} for sku, place in pairs]
    return [{name: value for name, value in entry.items() if value is not None} for entry in entries]


def fill(draw: Draw) -> Row:
    rules = {
        "whole": (0.4, lambda: draw.one("no", "line", draw.if_("orders", "order", "no"))),
        "qty_min": (0.25, lambda: draw.one("least", 2, 5)),
        "pack": (0.3, lambda: draw.one("pack", 2, 3)),
        "rows_max": (0.3, lambda: draw.one(1, 2, 3)),
        "one": (0.3, lambda: draw.one("lot", "source")),
        "whole_rows": (0.2, lambda: True),
    }
    return {name: make() for name, (share, make) in rules.items() if draw.chance(share)}
