"""Levers on rows: what each does to the part of the tables that it touches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import polars as pl

from allocator.frames.columns import is_text
from allocator.frames.findings import Findings
from allocator.frames.prepare import Table
from allocator.frames.quantity import QTY_MAX
from allocator.model.chance import DemandUncertain, SupplyUncertain
from allocator.model.levers import (
    DemandCancel,
    DemandDue,
    DemandPriority,
    DemandSurge,
    NewRows,
    RowLever,
    SupplyBlocked,
    SupplyLate,
    SupplyMore,
    SupplyRecalled,
    SupplyShort,
    SupplyStatus,
    UnitCost,
)
from allocator.model.tables import STOCK
from allocator.scenario.additions import ROW, appended
from allocator.scenario.draw import THOUSANDTHS, Draws
from allocator.scenario.select import matches

MICRO: Final = 6
"""Decimals of a unit cost."""


def table_of(lever: RowLever | NewRows) -> str:
    """The table that a lever is about."""
    return "demand" if lever.lever.startswith("demand_") else "stock"


@dataclass
class Changed:
    """Parts of both tables while levers are pulled on them, one after another.

    Attributes:
        frames: The part of each table, with the column `ROW`.
        quantities: The columns of each table that hold quantities.
        scale: Decimals of the quantities.
        as_of: The day on which is decided.
        draws: What levers that draw are given.
        findings: What is wrong with the levers.
    """

    frames: dict[str, pl.DataFrame]
    quantities: Mapping[str, tuple[str, ...]]
    scale: int
    as_of: dt.date
    draws: Draws
    findings: Findings
    _settled: dict[tuple[str, str], list[tuple[int, pl.Series]]] = field(default_factory=dict)
    _meant: list[tuple[int, str, pl.Series]] = field(default_factory=list)
    _gone: list[tuple[int, str, pl.Series]] = field(default_factory=list)

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Adds rows that were prepared."""
        self.frames[table] = appended(self.frames[table], rows, table)

    def pull(self, number: int, lever: RowLever) -> None:
        """Does what the lever says."""
        table, path = table_of(lever), f"levers.{number}"
        frame = self.frames[table]
        told = Table(table, frame, self.scale, ascending=False, quantities=self.quantities[table])
        meant = frame.select(matches(lever.where, told).alias("meant"))["meant"]
        if meant.len() < frame.height:  # a condition on nothing is one value
            meant = meant.new_from_index(0, frame.height)
        if isinstance(lever, SupplyLate | SupplyUncertain):
            meant = _inbound(frame, meant, self.as_of)
        rows = frame[ROW].filter(meant)
        if rows.is_empty():
            what = (
                "stock row that is still to be received"
                if isinstance(lever, SupplyLate | SupplyUncertain)
                else f"row of the {table}"
            )
            self.findings.add("lever_empty", f"the lever means no {what}", "scenario", path, value=lever.where)
            return
        self._meant.append((number, table, rows))
        if isinstance(lever, DemandCancel | SupplyRecalled):
            self._gone.append((number, table, rows))
            return
        for column, value in self._changes(number, lever, meant, path).items():
            if lever.lever in SETTING and not (isinstance(lever, DemandDue | UnitCost) and _moves(lever)):
                self._settle(number, table, column, rows)
            if column in frame.columns and is_text(frame.schema[column]):
                frame = frame.with_columns(pl.col(column).cast(pl.String))  # categories may lack the new one
            if column not in frame.columns:
                frame = frame.with_columns(pl.lit(ABSENT.get(column)).alias(column))
            frame = frame.with_columns(pl.when(meant).then(value).otherwise(pl.col(column)).alias(column))
        self.frames[table] = frame

    def finish(self) -> dict[str, pl.DataFrame]:
        """Takes away what levers took away, and notes levers of which nothing is left."""
        for number, table, rows in self._meant:
            for other, other_table, gone in self._gone:
                if number != other and table == other_table and rows.is_in(gone.implode()).all():
                    message = (
                        f"levers {number} and {other} contradict each other: one takes away all that the other means"
                    )
                    self.findings.add("lever_conflict", message, "scenario", f"levers.{number}", hint=APART)
        for _, table, rows in self._gone:
            self.frames[table] = self.frames[table].filter(~pl.col(ROW).is_in(rows.implode()))
        return self.frames

    def _settle(self, number: int, table: str, column: str, rows: pl.Series) -> None:
        """Notes rows of which an earlier lever has said the same thing."""
        for other, others in self._settled.setdefault((table, column), []):
            if (count := int(rows.is_in(others.implode()).sum())) > 0:
                message = f"levers {other} and {number} both set {column} of {count} rows of the {table}"
                self.findings.add("lever_conflict", message, "scenario", f"levers.{number}", hint=APART)
        self._settled[table, column].append((number, rows))

    def _changes(  # noqa: PLR0911 - one for each lever
        self, number: int, lever: RowLever, meant: pl.Series, path: str
    ) -> dict[str, pl.Expr]:
        """The columns that the lever changes, and what they then hold."""
        frame = self.frames[table_of(lever)]
        match lever:
            case DemandSurge():
                return self._asks(frame, meant, _times("qty", lever.factor.numerator, lever.factor.denominator), path)
            case DemandUncertain():
                part = pl.lit(self.draws.thousandths(lever, lever, number, frame))
                return self._asks(frame, meant, _times("qty", part, THOUSANDTHS), path)
            case DemandPriority():
                return {"priority": pl.lit(lever.priority, pl.Int64)}
            case DemandDue():
                if lever.needed_on is not None:
                    return {"needed_on": pl.lit(lever.needed_on)}
                return {"needed_on": _moved("needed_on", frame, lever.days or 0)}
            case SupplyLate():
                return {"received_on": _moved("received_on", frame, lever.days)}
            case SupplyShort():
                return {"qty_on_hand": _less(frame, lever.factor.numerator, lever.factor.denominator, 10**self.scale)}
            case SupplyMore():
                return self._holds(frame, meant, lever, path)
            case SupplyUncertain():
                return self._comes(frame, lever, number)
            case SupplyBlocked():
                return {"blocked": pl.lit(lever.blocked)}
            case SupplyStatus():
                self._check_listed(frame, meant, lever, path)
                return {"status": pl.lit(lever.status)}
            case UnitCost():
                return {"unit_cost": _cost(frame, lever)}
        raise AssertionError(lever.lever)

    def _asks(self, frame: pl.DataFrame, meant: pl.Series, qty: pl.Expr, path: str) -> dict[str, pl.Expr]:
        self._check_fits(frame, meant, qty, f"{path}.factor")
        return {"qty": qty.cast(pl.Int64, strict=False)}

    def _holds(self, frame: pl.DataFrame, meant: pl.Series, lever: SupplyMore, path: str) -> dict[str, pl.Expr]:
        steps = lever.units * 10**self.scale
        if steps != int(steps):
            message = f"the units have more decimals than the base's quantities, which have {self.scale}"
            self.findings.add("qty_step", message, "scenario", f"{path}.units", value=lever.units)
        if "serial" in frame.columns and frame["serial"].filter(meant).null_count() < meant.sum():
            message, hint = "a serial is one unit and cannot be more", "Add further ones with supply_extra"
            self.findings.add("serial_quantity", message, "scenario", f"{path}.units", value=lever.units, hint=hint)
        more = _wide("qty_on_hand") + int(steps)
        self._check_fits(frame, meant, more, f"{path}.units")
        return {"qty_on_hand": more.cast(pl.Int64, strict=False)}

    def _comes(self, frame: pl.DataFrame, lever: SupplyUncertain, number: int) -> dict[str, pl.Expr]:
        changes: dict[str, pl.Expr] = {}
        if lever.late is not None:
            days = pl.lit(self.draws.late(lever, lever.late, number, frame))
            changes["received_on"] = _moved("received_on", frame, days)
        if lever.short is not None:
            part = pl.lit(self.draws.thousandths(lever, lever.short, number, frame))
            changes["qty_on_hand"] = _less(frame, part, THOUSANDTHS, 10**self.scale)
        return changes

    def _check_listed(self, frame: pl.DataFrame, meant: pl.Series, lever: SupplyStatus, path: str) -> None:
        """Notes statuses from which the lifecycle of the lever lists no change to its status."""
        if lever.lifecycle is None:
            return
        given = (
            frame["status"].filter(meant).cast(pl.String).unique().sort().to_list() if "status" in frame.columns else []
        )
        known = lever.lifecycle.state_of
        for status in [ABSENT["status"] if one is None else one for one in given or [None]]:
            reached = lever.lifecycle.targets(status, restricted=True) if status in known else ()
            if status != lever.status and lever.status not in reached:
                hint = f"From there it may become {', '.join(reached)}" if reached else "The lifecycle does not know it"
                message = f"the lifecycle lists no change from {status} to {lever.status}"
                self.findings.add("transition_unlisted", message, "scenario", f"{path}.status", value=status, hint=hint)

    def _check_fits(self, frame: pl.DataFrame, meant: pl.Series, qty: pl.Expr, path: str) -> None:
        most = frame.select(pl.when(meant).then(qty).max()).item() or 0
        if most > QTY_MAX:
            message = f"a quantity becomes {most} of the smallest units, more than 2⁶³ - 1"
            self.findings.add("value_overflow", message, "scenario", path)


SETTING: Final = ("demand_priority", "demand_due", "supply_blocked", "supply_status", "unit_cost")
ABSENT: Final = {"priority": 0, "blocked": False, "status": STOCK["status"].absent}
APART: Final = "Keep one of them, choose other rows, or make two scenarios"


def _moves(lever: DemandDue | UnitCost) -> bool:
    """Whether the lever moves what is there, as others may too, instead of setting it."""
    return (lever.days if isinstance(lever, DemandDue) else lever.factor) is not None


def _inbound(frame: pl.DataFrame, meant: pl.Series, as_of: dt.date) -> pl.Series:
    if "received_on" not in frame.columns:
        return meant & False
    return meant & (frame["received_on"] > as_of).fill_null(value=False)


def _wide(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int128)


def _times(column: str, numerator: int | pl.Expr, denominator: int) -> pl.Expr:
    """So much of it, to the nearest whole number, half up."""
    return (2 * _wide(column) * numerator + denominator) // (2 * denominator)


def _moved(column: str, frame: pl.DataFrame, days: int | pl.Expr) -> pl.Expr:
    """The day so many days on; the calendar ends with the year 9999, and begins with the year 1."""
    if column not in frame.columns:
        return pl.lit(None, pl.Date)
    first, last = dt.date.min, dt.date.max
    moved = pl.col(column).cast(pl.Int32) + days
    return moved.clip((first - dt.date(1970, 1, 1)).days, (last - dt.date(1970, 1, 1)).days).cast(pl.Date)


def _less(frame: pl.DataFrame, numerator: int | pl.Expr, denominator: int, unit: int) -> pl.Expr:
    """So much less on hand, and never less than is reserved. A serial is one unit or none."""
    left = _wide("qty_on_hand") * numerator // denominator
    reserved = _wide("qty_reserved") if "qty_reserved" in frame.columns else pl.lit(0, pl.Int128)
    if "serial" in frame.columns:
        of_serial = pl.when(reserved > 0).then(_wide("qty_on_hand")).otherwise(left // unit * unit)
        left = pl.when(pl.col("serial").is_null()).then(left).otherwise(of_serial)
    return pl.max_horizontal(left, reserved).cast(pl.Int64)


def micro_cost(frame: pl.DataFrame) -> pl.Expr:
    """Unit cost in millionths (Int128), null where it is not known."""
    if "unit_cost" not in frame.columns:
        return pl.lit(None, pl.Int128)
    dtype = frame.schema["unit_cost"]
    scale = dtype.scale if isinstance(dtype, pl.Decimal) else 0
    units = pl.col("unit_cost").to_physical().cast(pl.Int128)
    if scale <= MICRO:
        return units * pl.lit(10 ** (MICRO - scale), pl.Int128)
    step = 10 ** (scale - MICRO)
    rounded: pl.Expr = (units + step // 2) // step
    return rounded


def _cost(frame: pl.DataFrame, lever: UnitCost) -> pl.Expr:
    if lever.unit_cost is not None:
        micro = pl.lit(int(lever.unit_cost * 10**MICRO), pl.Int128)
    else:
        factor = lever.factor or Fraction(1)
        micro = (2 * micro_cost(frame) * factor.numerator + factor.denominator) // (2 * factor.denominator)
    return micro.cast(pl.Decimal(38, 0)) * pl.lit("0.000001").cast(pl.Decimal(7, MICRO))
