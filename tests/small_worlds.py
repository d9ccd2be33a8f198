"""Small worlds: stock, demand and a policy, drawn so that everything that can go wrong is near.

Few SKUs, few days, few places in a tree, so that ties, nulls, remnants and shortage are everywhere and any rule may
meet any other. `world` makes one from a seed, of any size. `worlds` is the strategy of Hypothesis: it draws a seed,
which spreads evenly over all combinations, and what to leave out of that world, which is how a failure shrinks.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import hypothesis
import polars as pl
from hypothesis import strategies as st

import allocator
import oracle
import tables
from allocator.model.policy import Policy
from drawing import AS_OF, DIFFICULTIES, FIRMWARE, PLACES, SKUS, Draw
from small_policies import columns_of, policy_settings
from tables import Row

# The same examples on every run of the normal tier; others on each run of the deep one.
COMMON = hypothesis.settings(deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck))
QUICK = hypothesis.settings(COMMON, max_examples=150, derandomize=True)
DEEP = hypothesis.settings(COMMON, max_examples=5_000, print_blob=True)

ID_PREFIXES = ("S", "s", "é", "\U0001d518", "\uffee", "_")  # code points order them otherwise than any locale does

STOCK_KINDS = {
    **dict.fromkeys(("stock_id", "sku", "location", "lot", "serial", "owner", "condition", "status"), "text"),
    **{"qty_on_hand": "qty", "qty_reserved": "qty", "received_on": "date", "expires_on": "date", "blocked": "bool"},
    **{"stock_class": "text", "grade": "int", "firmware": "text", "calibrated_on": "date", "unit": "text"},
}
DEMAND_KINDS = {
    **dict.fromkeys(("line_id", "order_id", "sku", "location", "contract_type", "bu", "sku_group", "customer"), "text"),
    **{"qty": "qty", "priority": "int", "requested_at": "datetime", "needed_on": "date", "lot": "text"},
    **{"serial": "text", "min_shelf_life_days": "int", "owner": "text", "fill": "text", "pack": "qty", "least": "qty"},
    **{"grade_from": "int", "grade_to": "int", "calibrated_since": "date", "firmware_min": "text", "unit": "text"},
}
COUNTED = {name for kinds in (STOCK_KINDS, DEMAND_KINDS) for name, kind in kinds.items() if kind == "qty"}
OPTIONAL = {
    "stock": {"qty_reserved", "lot", "serial", "owner", "condition", "status", "blocked", "expires_on", "stock_class"},
    "demand": {"order_id", "location", "priority", "requested_at", "needed_on", "contract_type", "customer", "lot"}
    | {"serial", "min_shelf_life_days", "owner"},
}


@dataclass(frozen=True)
class World:
    """Tables as rows, and the settings of a policy."""

    stock: list[Row]
    demand: list[Row]
    settings: dict[str, Any]

    @property
    def policy(self) -> Policy:
        return Policy(**self.settings)

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Stock and demand as frames."""
        return frame(self.stock, STOCK_KINDS), frame(self.demand, DEMAND_KINDS)

    def judged(self) -> oracle.Answer:
        """What the oracle decides."""
        return oracle.allocate(self.stock, self.demand, self.policy, AS_OF)

    def decided(self) -> oracle.Answer:
        """What the engine decides."""
        return decide(*self.frames(), self.policy)


def evaluator(made: World) -> oracle.Run:
    """The rules as the oracle reads them, to judge single lines, or pairs of a row and a line."""
    return oracle.Run(made.stock, made.demand, made.policy, AS_OF)


def decide(stock: pl.DataFrame, demand: pl.DataFrame, policy: Policy, as_of: dt.date = AS_OF) -> oracle.Answer:
    """What the engine decides, as rows with exact quantities."""
    result = allocator.allocate(stock, demand, policy, as_of=as_of)
    lines = exact(result.lines, "line_id", "requested", "allocated", "short", "reason")
    allocations = exact(result.allocations, "line_id", "stock_id", "qty", "qty_served", "rank")
    return oracle.Answer(lines, allocations, exact(result.stock, "stock_id", "qty_available"))


def exact(table: pl.DataFrame, *columns: str) -> list[Row]:
    """Some columns of a result as rows."""
    rows = table.select(columns).to_dicts()
    return [{name: Fraction(v) if name in tables.QUANTITIES else v for name, v in row.items()} for row in rows]


def frame(rows: list[Row], kinds: dict[str, str]) -> pl.DataFrame:
    """The rows as a frame with the columns that they have."""
    return tables.frame(rows, {name: kind for name, kind in kinds.items() if name in rows[0]})


@st.composite
def worlds(draw: st.DrawFn, **size: int) -> World:
    """A small world, or a part of it; of a size as `world` takes it."""
    whole = world(draw(st.integers(0, 2**64 - 1)), **size)
    keep = st.integers(0, 7).map(bool)
    stock = [row for row in whole.stock if draw(keep)] or whole.stock[:1]
    demand = [line for line in whole.demand if draw(keep)] or whole.demand[:1]
    settings = {name: value for name, value in whole.settings.items() if draw(keep)}
    names = {None, "any", "line", "order", *settings.get("fills", ())}
    demand = [line if line["fill"] in names else {**line, "fill": None} for line in demand]
    if not {"units", "unit_rounding"} <= set(settings):
        settings = {name: value for name, value in settings.items() if name not in ("units", "unit_rounding")}
        stock, demand = without(stock, "unit"), without(demand, "unit")
    return World(stock, demand, settings)


def changed(made: World, **settings: Any) -> World:
    """The world under a policy with other settings; None leaves one out."""
    merged = {name: value for name, value in (made.settings | settings).items() if value is not None}
    return replace(made, settings=merged)


def any_fill(made: World) -> World:
    """The world with every line taking what it can get, and substitutes one for one."""
    ratios = [{**entry, "ratio": 1} for entry in made.settings.get("substitutes", ())]
    plain = changed(made, fill=None, fills=None, substitutes=ratios)
    return replace(plain, demand=[line | {"fill": None} for line in made.demand])


def uncounted(made: World) -> World:
    """The world without rules that look at quantities: who may have a row does not change with how much it is."""
    rules = made.settings.get("attributes", ())
    compared = [(rule["column"], rule.get("demand_column"), *rule.get("demand_columns", ())) for rule in rules]
    kept = [rule for rule, names in zip(rules, compared, strict=True) if not COUNTED & {*names}]
    return changed(made, attributes=kept or None)


def without(rows: list[Row], *columns: str) -> list[Row]:
    """The rows without some of their columns."""
    return [{name: value for name, value in row.items() if name not in columns} for row in rows]


def world(seed: int, rows: int = 0, lines: int = 0, skus: int = 0, alike: int = 1) -> World:
    """A world of so many rows, lines and SKUs (0: a few); so many lines are alike but for ids, quantity and order."""
    rng = Random(seed)
    draw = Draw(rng)
    draw.difficulties = {name for name in DIFFICULTIES if draw.chance(0.4)}
    names = tuple(rng.sample(SKUS, skus or draw.one(1, 1, 2, len(SKUS))))
    settings = policy_settings(draw, names)
    with_units = "units" in settings
    scale = 0 if with_units else draw.one(0, 0, 1, 2)
    stock = [stock_row(draw, n, names, scale, with_units) for n in range(rows or rng.randint(1, 14))]
    demand = [demand_line(draw, n, names, scale, with_units, settings) for n in range(lines or rng.randint(1, 8))]
    own = ("line_id", "order_id", "qty", "priority", "requested_at", "fill")
    for n, line in enumerate(demand):
        line |= {name: value for name, value in demand[n - n % alike].items() if name not in own}
    rng.shuffle(stock)
    rng.shuffle(demand)
    compared = {rule["column"] for rule in settings.get("attributes", ())}  # what absence means decides most there
    for table, made in (("stock", stock), ("demand", demand)):
        free = sorted(OPTIONAL[table] - columns_of(settings))
        absent = {name for name in free if draw.chance(0.5 if name in compared else 0.15)}
        for row in made:
            for name in absent:
                del row[name]
    return World(stock, demand, settings)


def qty(draw: Draw, least: int, most: int, scale: int) -> int | Decimal:
    number = draw.rng.randint(least, most)
    return Decimal(number).scaleb(-scale) if scale else number


def row_id(draw: Draw, n: int) -> str:
    return f"{draw.one(*ID_PREFIXES)}{n}"


def stock_row(draw: Draw, n: int, skus: tuple[str, ...], scale: int, with_units: bool) -> Row:
    serial = draw.if_("serials", draw.chance(0.3), False)
    on_hand = (Decimal(1) if scale else 1) if serial else qty(draw, 0, 9, scale)
    row = {
        "stock_id": row_id(draw, n),
        "sku": draw.one(*skus),
        "location": draw.if_("places", draw.one(*PLACES) if draw.chance(0.95) else None, "W1"),
        "qty_on_hand": on_hand,
        "qty_reserved": min(on_hand, qty(draw, 1, 3, scale)) if draw.chance(0.15) else on_hand * 0,
        "received_on": draw.if_("receipts", draw.day(-2, 2), draw.day(-3, 0)),
        "expires_on": draw.if_("expiry", draw.day(-1, 5), draw.day(3, 9)),
        "lot": draw.maybe("L1", "L2", "L3"),
        "serial": f"N{n}" if serial else None,
        "owner": draw.if_("owners", draw.maybe("ACME", "ZETA"), None),
        "condition": draw.if_("conditions", draw.one("new", "new", "repaired", "used", None), "new"),
        "status": draw.if_("statuses", draw.one("available", "available", "inspected", "scrapped", None), "available"),
        "blocked": draw.if_("blocked", draw.chance(0.3), False),
        "stock_class": draw.maybe("asp", "company"),
        "grade": draw.maybe(1, 2, 3),
        "firmware": draw.maybe(*FIRMWARE),
        "calibrated_on": draw.day(-3, 0),
    }
    if with_units:
        row["unit"] = None if serial else draw.maybe("box", "ninth")
    return row


def demand_line(draw: Draw, n: int, skus: tuple[str, ...], scale: int, with_units: bool, settings: Row) -> Row:
    rare = Draw(draw.rng, nulls=0.85)
    names = ("any", "line", *settings.get("fills", {}), *draw.if_("orders", ("order",), ()))
    line = {
        "line_id": row_id(draw, n),
        "order_id": draw.one("O1", "O2", "O3", f"O{n}0"),
        "sku": draw.one(*skus) if draw.chance(0.95) else draw.if_("unknown", "UNKNOWN", skus[0]),
        "qty": qty(draw, 1, 14, scale),
        "location": draw.if_("places", draw.maybe(*PLACES), draw.maybe("W1")),
        "priority": draw.one(0, 1, 2),
        "requested_at": draw.maybe(dt.datetime(2026, 2, 1, 8), dt.datetime(2026, 2, 1, 8, 0, 0, 1)),
        "needed_on": draw.day(-1, 4),
        "contract_type": draw.maybe("amc", "in_warranty", "paid"),
        "bu": draw.maybe("MED", "PRINT"),
        "sku_group": draw.maybe("G1", "G2"),
        "customer": draw.maybe("CLINIC", "SHOP"),
        "lot": draw.if_("lots", rare.maybe("L1", "L2"), None),
        "serial": draw.if_("serials", rare.maybe("N0", "N1", "N2"), None),
        "min_shelf_life_days": draw.maybe(0, 1, 3),
        "owner": draw.if_("owners", draw.maybe("ACME", "ZETA"), None),
        "fill": draw.if_("fills", draw.maybe(*names), None),
        "pack": draw.maybe(*(qty(draw, 1, 4, scale) for _ in range(2))),
        "least": draw.maybe(*(qty(draw, 1, 9, scale) for _ in range(2))),
        "grade_from": draw.maybe(1, 2),
        "grade_to": draw.maybe(2, 3),
        "calibrated_since": draw.day(-3, 0),
        "firmware_min": draw.maybe(*FIRMWARE),
    }
    if with_units:
        line["unit"] = draw.maybe("box", "ninth")
    return line
