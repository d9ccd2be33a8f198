"""Levers for small worlds, and a slow and obvious way to pull them: row by row, on whole tables."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from random import Random
from typing import Any

from drawing import AS_OF, PLACES, Draw
from small_policies import NAMED_DEMAND_ORDERS, NAMED_STOCK_ORDERS, contracts, fill, order, safety_stock, shelf_life
from small_worlds import World
from tables import Row

DEFAULTS = {
    "stock": {"status": "available", "condition": "new", "blocked": False, "qty_reserved": 0},
    "demand": {"priority": 0},
}
ROW_LEVERS = {
    "demand_surge": {"factor": ("3/2", 2, "1/3")},
    "demand_cancel": {},
    "demand_priority": {"priority": (-1, 1, 5)},
    "demand_due": {"days": (-2, 3)},
    "supply_late": {"days": (1, 3)},
    "supply_short": {"factor": ("1/2", "2/3", 1)},
    "supply_more": {"units": (1, 4)},
    "supply_recalled": {},
    "supply_blocked": {"blocked": (True, True, False)},
    "supply_status": {"status": ("available", "inspected", "quarantine")},
    "supply_uncertain": {
        "late": (None, {"chance": "0.5", "days": {"shape": "uniform", "low": 0, "high": 5}}),
        "short": ({"chance": "0.6", "factor": {"shape": "values", "values": ["1/2", "0.3", 0], "weights": [2, 1, 1]}},),
    },
    "demand_uncertain": {
        "chance": ("0.5", 1),
        "factor": ({"shape": "triangular", "low": "0.5", "mode": 1, "high": 3},),
    },
}
NEW_LINE = (
    "order_id",
    "location",
    "priority",
    "requested_at",
    "needed_on",
    "contract_type",
    "customer",
    "lot",
    "serial",
)
NEW_LINE = (*NEW_LINE, "min_shelf_life_days", "owner", "bu", "sku_group", "fill", "sku", "line_id", "qty")
NEW_STOCK = ("stock_id", "sku", "location", "received_on", "expires_on", "lot", "owner", "condition", "status")
NEW_STOCK = (*NEW_STOCK, "blocked", "stock_class", "qty_on_hand")


def levers(made: World, seed: int) -> list[Row]:
    """One to three levers that may go with this world."""
    draw = Draw(Random(seed))
    makers = (row_lever, row_lever, row_lever, new_rows, policy_lever)
    return [draw.one(*makers)(made, draw, number) for number in range(draw.one(1, 1, 2, 3))]


def row_lever(made: World, draw: Draw, _: int) -> Row:
    name = draw.one(*ROW_LEVERS)
    table = made.demand if name.startswith("demand_") else made.stock
    columns = (
        "sku",
        "sku",
        "location",
        "lot",
        "order_id",
        "customer",
        "status",
        "priority",
        "line_id",
        "stock_id",
        "qty",
    )
    where = {}
    for column in draw.rng.sample(columns, draw.one(1, 1, 2)):
        values = {row[column] for row in table if row.get(column) is not None}
        if values:
            some = draw.rng.sample(sorted(values, key=str), draw.rng.randint(1, min(2, len(values))))
            where[column] = some if len(some) > 1 else some[0]
    settings = {setting: draw.one(*values) for setting, values in ROW_LEVERS[name].items()}
    if name.endswith("_uncertain"):
        settings |= {"seed": draw.rng.randint(0, 99), "per": draw.one(None, "sku", "location")}
    if name == "demand_due" and draw.chance(0.4):
        settings = {"needed_on": AS_OF + dt.timedelta(days=draw.rng.randint(-1, 3))}
    return {"lever": name, "where": where} | settings


def new_rows(made: World, draw: Draw, number: int) -> Row:
    """Copies of rows that are there, under new ids, with other quantities and places."""
    name, table, columns, key, qty = draw.one(
        ("demand_new", made.demand, NEW_LINE, "line_id", "qty"),
        ("supply_extra", made.stock, NEW_STOCK, "stock_id", "qty_on_hand"),
    )
    rows = []
    for n in range(draw.one(1, 2)):
        row = {c: v for c, v in draw.one(*table).items() if c in columns and v is not None}
        rows.append(row | {key: f"new {number} {n}", qty: draw.rng.randint(1, 9)})
        if "location" in row and draw.chance(0.3):
            rows[-1]["location"] = draw.one(*PLACES)
    return {"lever": name, "lines" if name == "demand_new" else "rows": rows}


def policy_lever(made: World, draw: Draw, _: int) -> Row:
    skus = tuple(sorted({row["sku"] for row in made.stock}))
    known = made.policy
    makers = {
        "statuses": lambda: {"allow": ["inspected"], "forbid": draw.some(known.statuses)},
        "places": lambda: {"exclude": [draw.one(*PLACES)], "include": draw.some(known.location.exclude)},
        "shelf_life": lambda: {"shelf_life": shelf_life(draw, skus)},
        "contracts": lambda: {"contracts": contracts(draw)} if draw.chance(0.8) else {},
        "orders": lambda: {
            "demand_order": order(draw, NAMED_DEMAND_ORDERS, ("priority", "needed_on", "qty")),
            "stock_order": order(draw, NAMED_STOCK_ORDERS, ("qty_available", "received_on", "stock_id")),
        },
        "fill": lambda: {"fill": {"whole": draw.one("line", "order")} | fill(draw)},
        "safety_stock": lambda: {"entries": safety_stock(draw, skus)[:1], "drop": []},
        "substitutes": lambda: {
            "add": [{"sku": a, "substitute": b} for a, b in [draw.rng.sample(skus, 2)]] if len(skus) > 1 else [],
            "remove": [{"sku": s.sku, "substitute": s.substitute} for s in known.substitutes[:1]],
        },
    }
    name = draw.one(*makers)
    return {"lever": name} | makers[name]()


def pulled(made: World, given: list[Row], scale: int) -> World:
    """The world under the levers: every row looked at, one after another."""
    tables = {"stock": [dict(row) for row in made.stock], "demand": [dict(row) for row in made.demand]}
    settings, gone = dict(made.settings), set()
    for number, lever in enumerate(given):
        name = lever["lever"]
        table = "demand" if name.startswith("demand_") else "stock"
        if name in ROW_LEVERS:
            for row in tables[table]:
                if meant(row, lever["where"], table):
                    change(row, lever, scale, gone, partial(chance, made, tables[table], table, row, lever, number))
        elif name in ("demand_new", "supply_extra"):
            fresh = lever["lines"] if name == "demand_new" else lever["rows"]
            tables[table] += [DEFAULTS[table] | row for row in fresh]
        else:
            settings = under(settings, made, lever)
    return replace(
        made,
        stock=[complete(row, tables["stock"], "stock", scale) for row in tables["stock"] if id(row) not in gone],
        demand=[complete(row, tables["demand"], "demand", scale) for row in tables["demand"] if id(row) not in gone],
        settings=settings,
    )


def meant(row: Row, where: dict[str, Any], table: str) -> bool:
    for column, wanted in where.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        value = row[column] if column in row else DEFAULTS[table].get(column)
        if column == "location":
            if value is None or not any(value == place or value.startswith(place + "/") for place in values):
                return False
        elif value is None or value not in values:
            return False
    return True


def mixed(number: int) -> int:
    """SplitMix64, as its author wrote it."""
    z = (number + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


def chance(made: World, rows: list[Row], table: str, row: Row, lever: Row, number: int, use: int) -> float:
    """The draw of one row: by the place of its id, or of its value, among those of the world as it was."""
    before = made.demand if table == "demand" else made.stock
    if lever["per"] is None:
        key = "line_id" if table == "demand" else "stock_id"
        ids = sorted(str(each[key]) for each in before)
        place = ids.index(str(row[key])) if str(row[key]) in ids else rows.index(row)
    else:
        values = sorted({str(each[lever["per"]]) for each in before if each.get(lever["per"]) is not None})
        new = sorted({str(each[lever["per"]]) for each in rows if each.get(lever["per"]) is not None} - set(values))
        value = row.get(lever["per"])
        place = len(values) + len(new) if value is None else (values + new).index(str(value))
    start = mixed(mixed(lever["seed"]) ^ mixed(number * 4 + use))
    golden = 0x9E3779B97F4A7C15
    return (mixed((place * golden + start - golden) % 2**64) >> 11) / 2**53


def drawn(shape: Row, at: float) -> float:
    values = {name: float(Fraction(value)) for name, value in shape.items() if name in ("low", "mode", "high")}
    match shape["shape"]:
        case "uniform":
            return values["low"] + at * (values["high"] - values["low"])
        case "triangular":
            low, mode, high = values["low"], values["mode"], values["high"]
            if at * (high - low) <= mode - low:
                return low + math.sqrt(at * (high - low) * (mode - low))
            return high - math.sqrt((1 - at) * (high - low) * (high - mode))
    weights = [float(Fraction(weight)) for weight in shape["weights"]]
    below = 0.0
    for value, weight in zip(shape["values"], weights, strict=True):
        below += weight
        if at * sum(weights) < below:
            return float(Fraction(value))
    raise AssertionError(at)


def thousandths(risk: Row, draw: Callable[[int], float]) -> Fraction:
    happens = draw(2) < float(Fraction(risk["chance"]))
    return Fraction(math.floor(drawn(risk["factor"], draw(3)) * 1000 + 0.5), 1000) if happens else Fraction(1)


def less(row: Row, factor: Fraction, scale: int) -> None:
    step = Fraction(1, 10**scale)
    one, reserved = row.get("serial") is not None, row.get("qty_reserved", 0)
    if not (one and reserved):
        least = Fraction(1) if one else step
        units = math.floor(Fraction(row["qty_on_hand"]) * factor / least) * least / step
        row["qty_on_hand"] = max(exact(int(units), scale), reserved)


def change(row: Row, lever: Row, scale: int, gone: set[int], draw: Callable[[int], float]) -> None:
    step = Fraction(1, 10**scale)
    inbound = row.get("received_on") is not None and row["received_on"] > AS_OF
    match lever["lever"]:
        case "supply_uncertain" if inbound:
            if lever["late"] and draw(0) < float(Fraction(lever["late"]["chance"])):
                days = math.floor(drawn(lever["late"]["days"], draw(1)) + 0.5)
                row["received_on"] += dt.timedelta(days=days)
            less(row, thousandths(lever["short"], draw), scale)
        case "demand_uncertain":
            units = Fraction(row["qty"]) / step * thousandths(lever, draw)
            row["qty"] = exact(math.floor(units + Fraction(1, 2)), scale)
        case "supply_more":
            row["qty_on_hand"] = exact(int(Fraction(row["qty_on_hand"] + lever["units"]) / step), scale)
        case "demand_surge":
            units = Fraction(row["qty"]) / step * Fraction(lever["factor"])
            row["qty"] = exact(math.floor(units + Fraction(1, 2)), scale)
        case "demand_cancel" | "supply_recalled":
            gone.add(id(row))
        case "demand_priority":
            row["priority"] = lever["priority"]
        case "demand_due":
            if "needed_on" in lever:
                row["needed_on"] = lever["needed_on"]
            elif row.get("needed_on") is not None:
                row["needed_on"] += dt.timedelta(days=lever["days"])
        case "supply_late":
            if inbound:
                row["received_on"] += dt.timedelta(days=lever["days"])
        case "supply_short":
            less(row, Fraction(lever["factor"]), scale)
        case "supply_blocked":
            row["blocked"] = lever["blocked"]
        case "supply_status":
            row["status"] = lever["status"]


def exact(units: int, scale: int) -> int | Decimal:
    return Decimal(units).scaleb(-scale) if scale else units


def under(settings: Row, made: World, lever: Row) -> Row:
    policy = replace(made, settings=settings).policy
    plain = policy.model_dump()
    match lever["lever"]:
        case "statuses":
            kept = [s for s in policy.statuses if s not in lever["forbid"]]
            return settings | {"statuses": list(dict.fromkeys([*kept, *lever["allow"]]))}
        case "places":
            kept = [p for p in policy.location.exclude if p not in lever["include"]]
            exclude = list(dict.fromkeys([*kept, *lever["exclude"]]))
            return settings | {"location": settings.get("location", {}) | {"exclude": exclude}}
        case "substitutes":
            removed = [(e["sku"], e["substitute"]) for e in lever["remove"]]
            kept = [e for e in plain["substitutes"] if (e["sku"], e["substitute"]) not in removed]
            return settings | {"substitutes": [*kept, *lever["add"]]}
        case "safety_stock":
            replaced = {(e["sku"], e.get("location")) for e in lever["entries"]}
            kept = [e for e in plain["safety_stock"] if (e["sku"], e["location"]) not in replaced]
            return settings | {"safety_stock": [*kept, *lever["entries"]]}
        case "contracts":
            return settings | {"contracts": lever.get("contracts")}
    return settings | {name: value for name, value in lever.items() if name != "lever"}


def complete(row: Row, table: list[Row], name: str, scale: int) -> Row:
    """The row with every column that any row has, and quantities of one kind."""
    columns = dict.fromkeys(column for each in table for column in each)
    absent = DEFAULTS[name] | {"order_id": row.get("line_id")}
    row = {column: row[column] if column in row else absent.get(column) for column in columns}
    return row | {
        c: exact(int(Fraction(row[c]) * 10**scale), scale) for c in ("qty", "qty_on_hand", "qty_reserved") if c in row
    }
