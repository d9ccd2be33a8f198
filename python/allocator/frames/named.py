"""Columns that a policy names: there, and of a type that can be ordered or compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import polars as pl

from allocator.frames.columns import is_exact, is_text, is_time
from allocator.frames.findings import Check, Findings
from allocator.frames.quantity import QTY_MAX, quantity_columns, scale_of
from allocator.model.order import RANK_KEYS
from allocator.model.policy import AttributeRule, Policy
from allocator.model.tables import TABLES

COMPUTED = {"stock": {*RANK_KEYS, "distance", "qty_available"}, "demand": {"shelf_life_days_min"}}
"""Keys of an order that are no columns."""

NOTHING = pl.DataFrame()

Family = Literal["number", "text", "time", "flag"]


@dataclass(frozen=True, slots=True)
class Use:
    """One place in a policy that names a column of a table."""

    path: str
    table: str
    column: str


def uses(policy: Policy) -> Iterator[Use]:
    """Every place in the policy that names a column."""
    for table, order in (("stock", policy.stock_order), ("demand", policy.demand_order)):
        for number, key in enumerate(order):
            if key.column not in COMPUTED[table]:
                yield Use(f"{table}_order.{number}", table, key.column)
    for number, rule in enumerate(policy.attributes):
        yield Use(f"attributes.{number}.column", "stock", rule.column)
        for column in _demand_columns(rule):
            yield Use(f"attributes.{number}", "demand", column)
    for path, fill in (("fill", policy.fill), *((f"fills.{name}", fill) for name, fill in policy.fills.items())):
        for setting, value in (("qty_min", fill.qty_min), ("pack", fill.pack)):
            if isinstance(value, str):
                yield Use(f"{path}.{setting}", "demand", value)


def check_named(frames: Mapping[str, pl.DataFrame], policy: Policy, findings: Findings) -> None:
    """Notes columns that the policy names and no table has, or that cannot be used as it says."""
    for use in uses(policy):
        if use.table not in frames or use.column in TABLES[use.table]:
            continue
        schema = frames[use.table].schema
        if use.column not in schema:
            hint = f"The table has {', '.join(schema)}"
            message = f"{use.table} has no such column"
            findings.add("policy_column_missing", message, "policy", use.path, value=use.column, hint=hint)
        elif family(schema[use.column]) is None and not use.path.startswith("fill"):  # those are quantities
            message = f"the column is {schema[use.column]}, which is neither ordered nor compared exactly"
            hint = "Cast it to an integer, Decimal, String, Date, Datetime or Boolean"
            findings.add("column_type", message, use.table, use.column, hint=hint)
    _check_sizes(frames, policy, findings)
    if len(frames) == len(TABLES):
        _check_rules(frames["stock"], frames["demand"], policy, findings)


def _check_sizes(frames: Mapping[str, pl.DataFrame], policy: Policy, findings: Findings) -> None:
    """Notes numbers that a rule compares with those of the other table, and that do not fit in the same 64 bits."""
    counted = {name: quantity_columns(name, policy) for name in frames}
    steps = max((scale_of(frame, counted[name]) for name, frame in frames.items()), default=0)
    for rule in policy.attributes:
        sides = [("stock", rule.column), *(("demand", name) for name in _demand_columns(rule))]
        given = {side: frames[side[0]].schema[side[1]] for side in sides if side[1] in frames.get(side[0], NOTHING)}
        scales = [dtype.scale for dtype in given.values() if isinstance(dtype, pl.Decimal)]
        # Quantities of both tables have as many decimals as those of them that have most.
        scale = max([*scales, *(steps for table, column in given if column in counted[table])], default=0)
        for (table, column), dtype in given.items() if rule.value is None else ():
            if not is_exact(dtype) or (dtype.is_signed_integer() and dtype != pl.Int128() and scale == 0):
                continue
            most = QTY_MAX // 10 ** (scale - (dtype.scale if isinstance(dtype, pl.Decimal) else 0))
            cell = pl.col(column).to_physical().cast(pl.Int128, strict=False)
            bad = pl.col(column).is_not_null() & ~cell.is_between(-most, most).fill_null(value=False)
            message = (
                "the number is compared with those of the other table, which takes at most 2⁶³ - 1 of the smallest step"
            )
            findings.run(table, frames[table], [Check("value_overflow", column, bad, message, "Use fewer decimals")])


def family(dtype: pl.DataType) -> Family | None:
    """What a column can be compared with; None for types that have no exact order."""
    if is_text(dtype) or dtype == pl.Null:
        return "text"
    if is_exact(dtype):
        return "number"
    if is_time(dtype):
        return "time"
    return "flag" if dtype == pl.Boolean else None


def _demand_columns(rule: AttributeRule) -> tuple[str, ...]:
    return (rule.demand_column,) if rule.demand_column is not None else rule.demand_columns or ()


def _check_rules(stock: pl.DataFrame, demand: pl.DataFrame, policy: Policy, findings: Findings) -> None:
    """Notes rules that compare a number with text, or the like."""
    for number, rule in enumerate(policy.attributes):
        if rule.column not in stock.columns or (left := _held(stock[rule.column], "stock")) is None:
            continue
        constants = rule.value if isinstance(rule.value, tuple) else (() if rule.value is None else (rule.value,))
        others: list[tuple[str, Family | None]] = [(repr(value), family_of(value)) for value in constants]
        others += [(c, _held(demand[c], "demand")) for c in _demand_columns(rule) if c in demand.columns]
        for name, right in others:
            if right is not None and right != left:
                message = f"the stock column {rule.column} holds {left}, and {name} is {right}"
                findings.add("policy_column_type", message, "policy", f"attributes.{number}", hint="Cast one of them")


def _held(series: pl.Series, table: str) -> Family | None:
    """What the values of a column can be compared with; None of a further column without any, whatever its type."""
    free = series.dtype == pl.Null or series.name not in TABLES[table]
    return None if free and series.null_count() == len(series) else family(series.dtype)


def family_of(value: object) -> Family:
    """What a constant can be compared with."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | Decimal):
        return "number"
    return "time" if isinstance(value, dt.date) else "text"
