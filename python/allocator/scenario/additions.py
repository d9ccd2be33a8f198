"""Rows that a scenario adds, checked as rows of a table are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from allocator.engine import CORE
from allocator.errors import AllocatorError
from allocator.frames.columns import is_text
from allocator.frames.findings import Findings
from allocator.frames.named import uses
from allocator.frames.prepare import Prepared, Table, prepare_demand, prepare_stock
from allocator.frames.quantity import quantity_columns
from allocator.model.levers import DemandNew, NewRows
from allocator.model.policy import Policy
from allocator.model.tables import TABLES

ROW = "row number"
"""The column that says which row of the base a row is; rows that are added have the numbers after the last."""

DTYPES = {"day": pl.Date(), "moment": pl.Datetime("us"), "integer": pl.Int64(), "flag": pl.Boolean()}


def added(lever: NewRows, base: Table, policy: Policy, path: str, findings: Findings) -> pl.DataFrame | None:
    """The rows of a lever as the engine wants them; None if something is wrong with them."""
    rows = lever.lines if isinstance(lever, DemandNew) else lever.rows
    contract, problems = TABLES[base.name], len(findings.problems)
    table: dict[str, pl.Series] = {}
    for name in type(rows[0]).model_fields:
        values = [getattr(row, name) for row in rows]
        if name == "order_id":  # a line that names no order is one of its own
            integers = base.frame.schema.get(name, base.frame.schema["line_id"]).is_integer()
            own = table["line_id"].cast(pl.Int64 if integers else pl.String).to_list()
            values = [order if order is not None else line for order, line in zip(values, own, strict=True)]
        try:
            table[name] = _series(name, contract[name].kind, values, base)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
            message = f"such values do not go with the {base.name}'s column, {base.frame.schema.get(name, 'text')}"
            findings.add("column_type", message, "scenario", f"{path}.{name}", value=values[0])
    if len(findings.problems) > problems:
        return None
    frame = pl.DataFrame(table)
    named = [use.column for use in uses(policy) if use.table == base.name]
    further = [name for name in dict.fromkeys((*base.frame.columns, *named)) if name not in contract]
    absent = [pl.lit(None, base.frame.schema.get(name, pl.String())).alias(name) for name in further]
    try:
        prepared = _prepared(frame.with_columns(absent), base, policy)
    except AllocatorError as error:
        findings.problems += [replace(p, table="scenario", column=f"{path}.{p.column}") for p in error.problems]
        return None
    return prepared if _are_new(prepared, base, path, findings) else None


def _series(name: str, kind: str, values: Sequence[object], base: Table) -> pl.Series:
    given = base.frame.schema.get(name)
    if kind in ("quantity", "money"):
        return pl.Series(name, values, pl.Decimal(38, 9))
    if kind in DTYPES:
        return pl.Series(name, values, DTYPES[kind])
    integers = given is not None and given.is_integer()
    if given is None:
        integers = any(isinstance(value, int) for value in values)
    return pl.Series(name, values, given if integers and given is not None else pl.Int64 if integers else pl.String)


def _prepared(frame: pl.DataFrame, base: Table, policy: Policy) -> pl.DataFrame:
    """Quantities have as many decimals as they need, then as many as the base has."""
    for name in ("qty", "qty_on_hand"):
        if name in frame.columns:
            exact = frame[name]
            scale = next(s for s in range(10) if (exact == exact.round(s)).all())
            frame = frame.with_columns(exact.cast(pl.Decimal(38, scale)) if scale else exact.cast(pl.Int64))
    if base.name == "demand":
        return prepare_demand(frame, policy, CORE, base.scale).frame
    table = prepare_stock(frame, policy, CORE)
    if table.scale > base.scale:
        findings = Findings()
        message = f"the quantities have {table.scale} decimals, those of the base {base.scale}"
        findings.add("qty_step", message, "stock", "qty_on_hand", hint="Give the base's quantities as many decimals")
        findings.raise_any()
    steps = 10 ** (base.scale - table.scale)
    held = [name for name in ("qty_on_hand", "qty_reserved") if name in table.frame.columns]
    return table.frame.with_columns(pl.col(name) * steps for name in held)


def _are_new(frame: pl.DataFrame, base: Table, path: str, findings: Findings) -> bool:
    key = next(iter(TABLES[base.name]))
    known = base.frame[key]
    again = frame[key].filter(frame[key].is_in(known.cast(frame.schema[key]).implode()))
    for value in again:
        message = f"the {base.name} has a row of this id already"
        findings.add("id_duplicate", message, "scenario", f"{path}.{key}", value=value)
    return again.is_empty()


def appended(frame: pl.DataFrame, rows: pl.DataFrame, table: str) -> pl.DataFrame:
    """The rows below those that there are. A column that only one of them has holds what its absence means."""
    names = dict.fromkeys((*frame.columns, *rows.columns))
    frame, rows = (_with_all(part, names, table, other) for part, other in ((frame, rows), (rows, frame)))
    return pl.concat([frame, rows.select(frame.columns)], how="vertical_relaxed")


def _with_all(
    part: pl.DataFrame, names: Sequence[str] | dict[str, None], table: str, other: pl.DataFrame
) -> pl.DataFrame:
    texts = [pl.col(name).cast(pl.String) for name, dtype in part.schema.items() if is_text(dtype)]
    part = part.with_columns(texts)
    missing = []
    for name in names:
        if name not in part.columns:
            column = TABLES[table].get(name)
            absent = None if column is None else column.absent
            value = pl.col(absent[1:]) if isinstance(absent, str) and absent.startswith("=") else pl.lit(absent)
            dtype = pl.String() if is_text(other.schema[name]) else other.schema[name]
            missing.append(value.cast(dtype).alias(name))
    return part.with_columns(missing)


def quantities_named(base: Table, before: Policy, after: Policy, findings: Findings) -> list[pl.Series]:
    """Columns of demand that only the policy of a scenario takes for quantities, as the engine wants them."""
    known = quantity_columns("demand", before)
    names = [name for name in quantity_columns("demand", after) if name not in known and name in base.frame.columns]
    if not names:
        return []
    held = [name for name in ("line_id", "sku", "unit") if name in base.frame.columns]
    frame = base.frame.select(*held, *names, qty=pl.lit(0, pl.Int64))
    # Only what the policy says of quantities: its other rules name columns that are left out here.
    counting = Policy(fill=after.fill, fills=after.fills, units=after.units, unit_rounding=after.unit_rounding)
    try:
        frame = prepare_demand(frame, counting, CORE, base.scale).frame
    except AllocatorError as error:
        findings.problems += [replace(problem, table="scenario") for problem in error.problems]
        return []
    nothing = pl.repeat(None, base.frame.height, dtype=pl.Int64, eager=True)
    return [frame[name] if name in frame.columns else nothing.alias(name) for name in names]


def bases(prepared: Prepared) -> dict[str, Table]:
    """Both tables by name."""
    return {"stock": prepared.stock, "demand": prepared.demand}


def quantities_of(prepared: Prepared) -> dict[str, tuple[str, ...]]:
    """The columns of each table that hold quantities."""
    return {name: table.quantities for name, table in bases(prepared).items()}
