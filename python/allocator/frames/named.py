"""Columns that a policy names: there, and of a type that can be ordered or compared."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import polars as pl

from allocator.frames.columns import is_exact, is_text, is_time
from allocator.frames.findings import Findings
from allocator.model.order import RANK_KEYS
from allocator.model.policy import AttributeRule, Policy
from allocator.model.tables import TABLES

COMPUTED = {"stock": {*RANK_KEYS, "distance", "qty_available"}, "demand": {"shelf_life_days_min"}}
"""Keys of an order that are no columns."""

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
        elif family(schema[use.column]) is None:
            message = f"the column is {schema[use.column]}, which is neither ordered nor compared exactly"
            hint = "Cast it to an integer, Decimal, String, Date, Datetime or Boolean"
            findings.add("column_type", message, use.table, use.column, hint=hint)
    if len(frames) == len(TABLES):
        _check_rules(frames["stock"], frames["demand"], policy, findings)


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
        if rule.column not in stock.columns or (left := family(stock.schema[rule.column])) is None:
            continue
        constants = rule.value if isinstance(rule.value, tuple) else (() if rule.value is None else (rule.value,))
        others: list[tuple[str, Family | None]] = [(repr(value), family_of(value)) for value in constants]
        others += [(c, family(demand.schema[c])) for c in _demand_columns(rule) if c in demand.columns]
        for name, right in others:
            if right is not None and right != left:
                message = f"the stock column {rule.column} holds {left}, and {name} is {right}"
                findings.add("policy_column_type", message, "policy", f"attributes.{number}", hint="Cast one of them")


def family_of(value: object) -> Family:
    """What a constant can be compared with."""
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, int | Decimal):
        return "number"
    return "time" if isinstance(value, dt.date) else "text"
