"""Compiles a policy and two prepared tables to the plan that the kernel runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.coded import NULL_CODE, Core
from allocator.frames.prepare import Prepared
from allocator.frames.quantity import QTY_MAX, scaled
from allocator.model.order import RANK_KEYS, OrderKey
from allocator.model.policy import FILLS, Fill, Policy
from allocator.plan import rules
from allocator.plan.keys import Columns, mapped, plain
from allocator.plan.places import Places, add_place_tests, by_exact_place, places
from allocator.plan.safety import safety_stock
from allocator.plan.spec import Bound, DemandSide, FillRule, Key, Part, Plan, Rank, StockSide, Tests

NO_STEPS: Final[Mapping[str, int]] = {}
"""Every SKU is counted in the smallest units of the tables."""


def compile_plan(
    prepared: Prepared,
    policy: Policy,
    as_of: dt.date,
    core: Core,
    *,
    places_apart: bool = True,
    steps: Mapping[str, int] = NO_STEPS,
) -> Plan:
    """The plan of one run.

    Cost is a few passes over the columns that the policy looks at; keys are encoded once each.

    Args:
        prepared: The tables, checked against each other and the policy.
        policy: What is wanted.
        as_of: The day on which it is decided.
        core: The compiled core.
        places_apart: Whether a place may be a group of its own where places never mix; not in a part of tables whose
            other lines name no place, or rows would come out in another order than those of the whole.
        steps: How many of the tables' smallest units one step of a SKU is, where it is counted in larger ones: a
            substitute is given in whole steps of both SKUs.

    Raises:
        InputError: `value_overflow`: a substitute's ratio carries the stock beyond what can be counted.
        PolicyError: `policy_too_wide`: more combinations of values than fit a table.
    """
    columns = Columns.of(prepared, core)
    return compile_columns(columns, prepared, policy, as_of, places_apart=places_apart, steps=steps)


def compile_columns(
    columns: Columns,
    prepared: Prepared,
    policy: Policy,
    as_of: dt.date,
    *,
    places_apart: bool = True,
    steps: Mapping[str, int] = NO_STEPS,
) -> Plan:
    """The same over columns that keep what was encoded of them."""
    if policy.substitutes:
        check_exchanges(policy, int(prepared.stock.frame["qty_on_hand"].cast(pl.Int128).sum()))
    named = [sku for entry in policy.substitutes for sku in (entry.sku, entry.substitute)]
    skus = columns.coded("sku", tuple(dict.fromkeys(named)))
    numbers = skus.numbers if policy.substitutes else {}
    found = _places(policy, columns)
    grouped = places_apart and by_exact_place(policy, columns)
    tests = Tests()
    rules.add_exchange_test(tests, policy, skus, numbers, steps)
    if found is not None:
        add_place_tests(tests, policy, columns, found, grouped=grouped)
    rules.add_named_tests(tests, columns)
    rules.add_owner_test(tests, policy, columns)
    rules.add_state_tests(tests, policy, columns)
    rules.add_day_tests(tests, policy, columns, as_of)
    rules.add_attribute_tests(tests, policy, columns)
    rules.add_contract_test(tests, policy, columns, as_of)
    group = [Part(skus.stock, skus.demand, skus.card)]
    if policy.substitutes:
        table = rules.linked(policy, numbers)
        group = [Part(mapped(skus.stock, table), mapped(skus.demand, table), skus.card)]
    if grouped and found is not None:
        group.append(Part(found.stock, found.demand, len(found.tree.paths)))
    fills, fill = _fills(policy, columns, prepared.demand.scale)
    one = {f.one for f in fills}
    return Plan(
        stock=StockSide(
            on_hand=prepared.stock.frame["qty_on_hand"],
            reserved=prepared.stock.frame["qty_reserved"] if columns.has("stock", "qty_reserved") else None,
            order=_stock_order(policy, columns, tests),
            ids=None if prepared.stock.ascending else _ids(prepared.stock.frame["stock_id"]),
            lot=columns.coded("lot").stock if "lot" in one else None,
            place=columns.coded("location").stock if "source" in one else None,
            sku=skus.stock if "lot" in one else None,
        ),
        demand=DemandSide(
            qty=prepared.demand.frame["qty"],
            order=_demand_order(policy, columns),
            ids=None if prepared.demand.ascending else _ids(prepared.demand.frame["line_id"]),
            fill=fill,
            order_code=_order_codes(columns) if any(f.whole == "order" for f in fills) else None,
        ),
        group=group,
        tests=tests.tests,
        fills=fills,
        safety=safety_stock(policy, columns, tests, skus=skus, found=found, scale=prepared.stock.scale, as_of=as_of),
    )


def _places(policy: Policy, columns: Columns) -> Places | None:
    if columns.has("stock", "location") or columns.has("demand", "location"):
        return places(columns)
    return None


def _ids(series: pl.Series) -> pl.Series:
    """Ids as the kernel compares them: text, or signed integers."""
    if series.dtype == pl.UInt64:
        # Less 2⁶³ they fit and come in the same order.
        return pl.Series((series.to_numpy() ^ np.uint64(1 << 63)).view(np.int64))
    return series.cast(pl.Int64) if series.dtype.is_integer() else series.cast(pl.String)


def check_exchanges(policy: Policy, total: int) -> None:
    """Refuses stock that a ratio of substitutes would carry beyond 63 bits.

    Raises:
        InputError: `value_overflow`.
    """
    most = max((entry.ratio.denominator for entry in policy.substitutes), default=1)
    if most > 1 and total * most > QTY_MAX:
        message = f"with a substitute's ratio the stock comes to {total * most} units, at most {QTY_MAX} can be counted"
        raise InputError(Problem("value_overflow", message, "stock", "qty_on_hand", hint="Use a larger base unit"))


# --- orders ---


def _stock_order(policy: Policy, columns: Columns, tests: Tests) -> list[Key | Rank]:
    order: list[Key | Rank] = []
    for key in policy.full_stock_order():
        if key.column in tests.ranks:
            # Distances are ranked in the direction of their key already.
            order.append(Rank(tests.ranks[key.column], key.descending and key.column != "distance"))
        elif key.column == "qty_available":
            stock = columns.stock
            reserved = stock["qty_reserved"] if "qty_reserved" in stock.columns else 0
            order.append(_key(key, stock["qty_on_hand"] - reserved))
        elif key.column not in (*RANK_KEYS, "distance") and columns.has("stock", key.column):
            order.append(_key(key, columns.ordered("stock", key.column)))
    return order


def _demand_order(policy: Policy, columns: Columns) -> list[Key]:
    order = []
    for key in policy.demand_order:
        if key.column == "shelf_life_days_min":
            least = rules.days_min(policy.shelf_life, columns)
            if isinstance(least, pl.Series):
                order.append(_key(key, least))
        elif columns.has("demand", key.column):
            order.append(_key(key, columns.ordered("demand", key.column)))
    return order


def _key(key: OrderKey, series: pl.Series) -> Key:
    return Key(plain(series) if series.dtype != pl.UInt32 else series, key.descending, key.nulls == "first")


def _order_codes(columns: Columns) -> pl.Series:
    """Codes of orders; a line without an order is an order of its own."""
    demand = columns.demand
    if "order_id" not in demand.columns:
        return pl.select(pl.int_range(demand.height, dtype=pl.UInt32)).to_series()
    codes, values = columns.one("demand", "order_id")
    if demand["order_id"].null_count() == 0:
        return codes
    own = pl.int_range(demand.height, dtype=pl.UInt32) + len(values)
    return pl.select(pl.when(codes == NULL_CODE).then(own).otherwise(codes)).to_series()


# --- quantities ---


def _fills(policy: Policy, columns: Columns, scale: int) -> tuple[list[FillRule], pl.Series | None]:
    """The fill rules that lines use, and the number of each line's; None if all use the first."""
    known: dict[str | None, Fill] = {None: policy.fill}
    if not columns.has("demand", "fill"):
        return [_fill(policy.fill, policy, columns, scale)], None
    names = columns.demand["fill"].cast(pl.String)
    known |= {name: {**FILLS, **policy.fills}[name] for name in names.unique().drop_nulls().sort()}
    numbers = {name: number for number, name in enumerate(known) if name is not None}
    fill = names.replace_strict(numbers, default=0, return_dtype=pl.Int64) if numbers else None
    return [_fill(rule, policy, columns, scale) for rule in known.values()], fill


def _fill(fill: Fill, policy: Policy, columns: Columns, scale: int) -> FillRule:
    def amount(given: Decimal | str | None) -> Bound:
        if isinstance(given, str):
            return columns.demand[given] if columns.has("demand", given) else None
        return None if given is None else scaled(given, scale, policy)

    return FillRule(fill.whole, amount(fill.qty_min), amount(fill.pack), fill.rows_max, fill.one, fill.whole_rows)
