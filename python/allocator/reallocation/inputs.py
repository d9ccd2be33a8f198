"""What is given to a reallocation: checked, with lines and stock rows as row numbers and quantities as units."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.engine import CORE
from allocator.errors import AllocatorError
from allocator.frames import columns, quantity
from allocator.frames.columns import is_text
from allocator.frames.findings import Check, Findings
from allocator.frames.named import COMPUTED, family, family_of
from allocator.frames.prepare import Prepared, prepare
from allocator.frames.read import Source, read
from allocator.model.policy import AttributeRule, Policy
from allocator.model.reallocation import Reallocation
from allocator.model.tables import CURRENT, DEMAND
from allocator.plan.compile import compile_plan
from allocator.plan.rules import constant_rule
from allocator.plan.spec import Part, Plan

STAGES: Final = ("open", "frozen", "picked", "shipped")
"""How far an allocation has come; only an open one may move, and a shipped one is no longer on hand."""

STAGE_CODES: Final = {name: code for code, name in enumerate(STAGES)}
OPEN, SHIPPED = STAGE_CODES["open"], STAGE_CODES["shipped"]

NO_SEGMENT: Final = -1

Codes = npt.NDArray[np.uint32]
Units = npt.NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """Everything that is known before anything is moved.

    Attributes:
        prepared: Stock and demand.
        policy: Which stock may serve which line.
        as_of: The day.
        current: The allocations that there are.
        segment: The number of each line's segment; -1 for none.
        spared: Why a line is left alone (`outside`, `frozen`, `horizon`); null if it is not.
    """

    prepared: Prepared
    policy: Policy
    as_of: dt.date
    current: Current
    segment: pl.Series
    spared: pl.Series

    @property
    def held(self) -> pl.DataFrame:
        """The allocations that there are, as `Current.pairs`."""
        return self.current.pairs

    @cached_property
    def plan(self) -> Plan:
        """Both tables under the policy as the kernel reads them: every run of it serves some rows and lines of this."""
        return compile_plan(self.prepared, self.policy, self.as_of, CORE)

    @cached_property
    def groups(self) -> tuple[Codes, Codes, int]:
        """What rows and lines could compete for: the groups of rows, those of lines, and how many there are."""
        parts = self._parts_apart()
        sides = [(part.stock, part.card) for part in parts], [(part.demand, part.card) for part in parts]
        rows, lines = (_folded(side) for side in sides)
        return rows, lines, math.prod(part.card + 1 for part in parts)

    def _parts_apart(self) -> list[Part]:
        """Both parts of a group, SKU and place, unless most pairs of them would have neither rows nor lines."""
        parts = self.plan.group
        pairs = math.prod(part.card + 1 for part in parts)
        return parts if pairs <= 4 * (self.plan.stock.on_hand.len() + self.plan.demand.qty.len()) + 1024 else parts[:1]


def _folded(codes: list[tuple[pl.Series, int]]) -> Codes:
    """Columns of codes as the digits of one number; no value is the last digit."""
    found, *further = (_digit(column, card) for column, card in codes)
    for (_, card), digit in zip(codes[1:], further, strict=True):
        found = found * np.uint32(card + 1)
        found += digit
    return found


def _digit(column: pl.Series, card: int) -> Codes:
    codes = column.to_numpy()
    return np.minimum(codes, np.uint32(card)) if codes.max(initial=0) > card else codes


def gather(
    stock: Source,
    demand: Source,
    current: Source,
    plan: Reallocation,
    *,
    policy: Policy,
    as_of: dt.date,
    findings: Findings | None = None,
) -> World:
    """Reads and checks everything; every problem of all of it is raised at once, with those found before."""
    findings = findings or Findings()
    tables = read(stock, "stock", findings), read(demand, "demand", findings)
    held = read(current, "current", findings).rechunk()
    try:
        prepared = prepare(*tables, policy, CORE, findings.onward())
    except AllocatorError as error:
        findings.problems += error.problems
        check_current(held, findings)
        _check_plan(plan, tables[1], findings)
        findings.raise_any()
        raise
    current_ = current_pairs(check_current(held, findings), prepared, findings)
    _check_plan(plan, tables[1], findings)
    findings.raise_any()
    told = prepared.demand.as_told()
    segment = _segments(plan, told, findings)
    findings.raise_any()
    spared = _spared(plan, told, as_of)
    return World(prepared, policy, as_of, current_, segment, spared)


def check_current(given: pl.DataFrame, findings: Findings) -> pl.DataFrame:
    """The allocations that there are, as columns that can be read; problems are noted."""
    frame = columns.conform(given, "current", CURRENT, findings)
    unread = findings.unread.get("current", {})
    findings.run("current", frame, list(columns.checks(frame, CURRENT, unread)))
    if "stage" in frame.columns:
        bad = ~pl.col("stage").cast(pl.String).is_in(STAGES)
        hint = f"Stages are {', '.join(STAGES)}"
        check = Check("stage_unknown", "stage", bad, "an allocation has no such stage", hint)
        findings.run("current", frame, [check])
    return frame


# --- allocations that there are ---


@dataclass(frozen=True)
class Current:
    """The allocations that there are; empty where something is wrong with them.

    Attributes:
        pairs: `l`, `s` (row numbers, UInt32), `qty`, `served` (units), `stage` (UInt8, its place in `STAGES`).
        by_line: What each line has, units of the line.
        by_row: What lines have of each stock row that is on hand, units of the row.
    """

    pairs: pl.DataFrame
    by_line: Units
    by_row: Units


def current_pairs(frame: pl.DataFrame, prepared: Prepared, findings: Findings) -> Current:
    """The allocations in row numbers and units, and their sums; problems are noted."""
    pairs = _pairs(frame, prepared, findings)
    nothing = np.empty(0, np.int64)
    by_line, by_row = (nothing, nothing) if findings.problems else _checked_sums(pairs, prepared, findings)
    return Current(pairs, by_line, by_row)


def _pairs(frame: pl.DataFrame, prepared: Prepared, findings: Findings) -> pl.DataFrame:
    if findings.problems or not {"line_id", "stock_id", "qty"} <= set(frame.columns):
        return frame
    scale = prepared.stock.scale
    amounts = [frame[name] for name in ("qty", "qty_served") if name in frame.columns]
    findings.run("current", frame, [check for given in amounts for check in _unit_checks(given, scale)])
    lines = _rows(prepared.demand.frame["line_id"], frame["line_id"], findings)
    rows = _rows(prepared.stock.frame["stock_id"], frame["stock_id"], findings)
    if findings.problems:
        return frame
    qty = _units(frame["qty"], scale)
    served = _units(frame["qty_served"], scale) if "qty_served" in frame.columns else qty
    stage = pl.Series(np.full(frame.height, OPEN, np.uint8))
    if "stage" in frame.columns:
        stage = frame["stage"].cast(pl.String).fill_null("open").replace_strict(STAGE_CODES, return_dtype=pl.UInt8)
    pairs = pl.DataFrame({"l": lines, "s": rows, "qty": qty, "served": served, "stage": stage})
    named = pairs.with_columns(line_id=frame["line_id"], stock_id=frame["stock_id"])
    gone = pl.col("stage") == SHIPPED
    unknown_line = Check("line_unknown", "line_id", pl.col("l").is_null(), "there is no demand line of this id")
    # What was shipped may have left the stock table.
    unknown_row = Check("stock_unknown", "stock_id", pl.col("s").is_null() & ~gone, "there is no stock row of this id")
    twice = Check(
        "allocation_twice",
        "line_id",
        pl.struct("l", "s", "stage").is_first_distinct().not_() & pl.col("l").is_not_null() & pl.col("s").is_not_null(),
        "the line has this stock row in this stage already",
        "Add the quantities up",
    )
    findings.run("current", named, [unknown_line, unknown_row])
    keys = pairs["l"].cast(pl.UInt64).fill_null(2**32 - 1) * 2**32 + pairs["s"].cast(pl.UInt64).fill_null(2**32 - 1)
    if keys.n_unique() < pairs.height:
        findings.run("current", named, [twice])
    if "qty_served" in frame.columns:
        quantity.check_sum(pairs.select(qty_served="served"), "current", "qty_served", findings)
    quantity.check_sum(pairs, "current", "qty", findings)
    return pairs if qty.min() else pairs.filter(pl.col("qty") > 0)


def _unit_checks(given: pl.Series, scale: int) -> Iterator[Check]:
    """What makes quantities no number of units of 10^-scale; decimals that are all zero do no harm."""
    own = given.dtype.scale if isinstance(given.dtype, pl.Decimal) else 0
    values = given.to_physical()
    most = quantity.QTY_MAX * 10**own // 10**scale
    if (values.max() or 0) > most:
        message = f"the quantity is more than 2⁶³ - 1 units of {Decimal(1).scaleb(-scale)}"
        over = pl.lit(values.cast(pl.Int128) > pl.Series([most], dtype=pl.Int128))
        yield Check("value_overflow", given.name, over, message, "Use fewer decimals or a larger base unit")
    if own > scale:
        finer = pl.lit(values % pl.Series([10 ** (own - scale)], dtype=pl.Int128) != 0)
        message = f"the quantity has more decimals than stock and demand, which have {scale}"
        yield Check("qty_step", given.name, finer, message, "Give stock or demand as many decimals")


def _units(series: pl.Series, scale: int) -> pl.Series:
    """Units of 10^-scale of quantities that are some, as `_unit_checks` says."""
    own = series.dtype.scale if isinstance(series.dtype, pl.Decimal) else 0
    if scale == own == 0:
        return series.to_physical().cast(pl.Int64)
    wide = series.to_physical().cast(pl.Int128)
    step = pl.Series([10 ** abs(scale - own)], dtype=pl.Int128)
    return (wide * step if scale >= own else wide // step).cast(pl.Int64)


def _rows(ids: pl.Series, asked: pl.Series, findings: Findings) -> pl.Series:
    """The row number of each asked id, null where there is none."""
    if asked.len() and ids.len() and is_text(ids.dtype) != is_text(asked.dtype):
        message = f"the ids are {'text' if is_text(asked.dtype) else 'integers'}, those of their own table are not"
        findings.add("mixed_keys", message, "current", asked.name, hint="Cast them to one type")
        return asked
    if not asked.len() or not ids.len():
        return pl.Series([None], dtype=pl.UInt32).new_from_index(0, asked.len())
    return CORE.match_ids(*(side.cast(pl.String) if is_text(side.dtype) else side for side in (ids, asked)))


def _checked_sums(pairs: pl.DataFrame, prepared: Prepared, findings: Findings) -> tuple[Units, Units]:
    """What each line has, and what is taken of each row; where more than is asked, or there is, it is noted."""
    stock, demand = prepared.stock.frame, prepared.demand.frame
    there = available(prepared)
    gone = pairs["stage"] == SHIPPED
    on_hand = pairs.filter(~gone) if gone.any() else pairs
    taken = sums(on_hand["s"], on_hand["qty"], stock.height)
    bad = pl.lit(taken > there)
    message = "more of it is allocated than is on hand and not reserved for others"
    hint = "qty_reserved does not count the allocations that are given"
    found = pl.DataFrame({"stock_id": stock["stock_id"]})
    findings.run("stock", found, [Check("allocated_above_stock", "stock_id", bad, message, hint)])
    had = sums(pairs["l"], pairs["served"], demand.height)
    over = pl.lit(had > demand["qty"].cast(pl.Int64))
    message, hint = "more is allocated to it than it asks for", "Release what it no longer needs first"
    check = Check("allocated_above_line", "line_id", over, message, hint)
    findings.run("demand", pl.DataFrame({"line_id": demand["line_id"]}), [check])
    return had.to_numpy(), taken.to_numpy()


def available(prepared: Prepared) -> pl.Series:
    """Units of each stock row that are not reserved for others."""
    frame = prepared.stock.frame
    on_hand = frame["qty_on_hand"].cast(pl.Int64)
    return on_hand - frame["qty_reserved"].cast(pl.Int64) if "qty_reserved" in frame.columns else on_hand


def sums(rows: pl.Series, qty: pl.Series, count: int) -> pl.Series:
    """The sum of the quantities of each row number."""
    total = np.zeros(count, np.int64)
    np.add.at(total, rows.to_numpy(), qty.to_numpy())
    return pl.Series(total)


# --- segments ---


def _check_plan(plan: Reallocation, demand: pl.DataFrame, findings: Findings) -> None:
    """Notes columns that the plan names and demand does not have, or that cannot be compared as it says."""
    filters = [("filter", plan.filter), *((f"segments.{n}.filter", s.filter) for n, s in enumerate(plan.segments))]
    for path, rules in filters:
        for number, rule in enumerate(rules):
            _check_rule(f"{path}.{number}", rule, demand, findings)
    for n, segment in enumerate(plan.segments):
        for number, key in enumerate(segment.order or ()):
            if key.column not in (*DEMAND, *COMPUTED["demand"], *demand.columns):
                message, hint = "demand has no such column", f"The table has {', '.join(demand.columns)}"
                path = f"segments.{n}.order.{number}"
                findings.add("policy_column_missing", message, "reallocation", path, value=key.column, hint=hint)


def _check_rule(path: str, rule: AttributeRule, demand: pl.DataFrame, findings: Findings) -> None:
    if rule.column not in demand.columns:
        if rule.column not in DEMAND:
            message, hint = "demand has no such column", f"The table has {', '.join(demand.columns)}"
            findings.add("policy_column_missing", message, "reallocation", path, value=rule.column, hint=hint)
        return
    kind = family(demand.schema[rule.column])
    constants = rule.value if isinstance(rule.value, tuple) else (rule.value,)
    for value in constants:
        if kind != family_of(value):
            message = (
                f"the demand column {rule.column} holds {kind or demand.schema[rule.column]}, and the value is not"
            )
            hint = "Write the constant as the column holds it"
            findings.add("policy_column_type", message, "reallocation", path, value=value, hint=hint)


def _passes(rules: tuple[AttributeRule, ...], demand: pl.DataFrame) -> pl.Series:
    """Which lines pass every rule."""
    passed = pl.Series([True]).new_from_index(0, demand.height)
    for rule in rules:
        if rule.column in demand.columns and demand.schema[rule.column] != pl.Null:
            passed = passed & constant_rule(rule, demand)
        elif rule.nulls == "fail":
            passed = passed & False
    return passed


def _segments(plan: Reallocation, demand: pl.DataFrame, findings: Findings) -> pl.Series:
    """The number of each line's segment; a line in two of them is a problem."""
    found = pl.Series([NO_SEGMENT], dtype=pl.Int16).new_from_index(0, demand.height)
    for number, segment in enumerate(plan.segments):
        inside = _passes(segment.filter, demand)
        both = inside & (found != NO_SEGMENT)
        if both.any():
            first = found.filter(both)[0]
            message = f"the line is in the segments {plan.segments[first].name} and {segment.name}"
            hint = "Narrow the filter of one of them"
            check = Check("segment_overlap", "line_id", pl.lit(both), message, hint)
            findings.run("demand", demand.select("line_id"), [check])
        found = pl.select(pl.when(inside & ~both).then(pl.lit(number, pl.Int16)).otherwise(found)).to_series()
    return found


def _spared(plan: Reallocation, demand: pl.DataFrame, as_of: dt.date) -> pl.Series:
    """Why a line is left alone whatever its segment says; null if it is not."""
    passes = _passes(plan.filter, demand)
    nothing = pl.Series([None], dtype=pl.Int64).new_from_index(0, demand.height)
    ahead = (demand["needed_on"] - as_of).dt.total_days() if "needed_on" in demand.columns else nothing
    days = pl.lit(ahead)
    frozen = days <= plan.freeze_days if plan.freeze_days is not None else pl.lit(value=False)
    beyond = days > plan.horizon_days if plan.horizon_days is not None else pl.lit(value=False)
    spared = pl.when(~pl.lit(passes)).then(pl.lit("outside"))
    return pl.select(spared.when(frozen).then(pl.lit("frozen")).when(beyond).then(pl.lit("horizon"))).to_series()
