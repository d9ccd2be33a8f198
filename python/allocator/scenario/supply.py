"""What more supply would be worth, and less would cost: shadow prices, and the supply curve of a SKU."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.quantity import QTY_MAX, in_base_units
from allocator.model.document import did_you_mean
from allocator.model.levers import SupplyMore, SupplyRecalled, SupplyShort
from allocator.model.scenario import Scenario
from allocator.model.tables import STOCK
from allocator.result import quantity
from allocator.scenario.additions import ROW
from allocator.scenario.base import Base
from allocator.scenario.compare import Comparison
from allocator.scenario.given import expect
from allocator.scenario.part import Part
from allocator.scenario.rows import MICRO, micro_cost
from allocator.scenario.show import Chart, Progress, Shown, Table

STEPS: Final = tuple(Fraction(step, 10) for step in range(-10, 11, 2))
"""Shares of what there is that a supply curve takes away or adds, if nothing else is asked."""


def shadow_prices(base: Base, skus: Iterable[str | int] | None = None) -> pl.DataFrame:
    """What one more unit of each SKU would bring, by running it: exact for the plan that the rules make.

    The unit lies where most lines can have it: on the SKU's row that may be allocated and lives longest. SKUs that
    do not compete are run together, so that all SKUs take hardly longer than one.

    Args:
        base: What is.
        skus: Which SKUs; all that are asked for if left out.

    Returns:
        One row per SKU, what brings most first, then by SKU: `sku`; `stock_id` (the row that has the unit; null: no row
        of the SKU may be allocated, and the rest is null too); `units_gained` (base units that lines get more, in
        exchange for substitutes more or less than one), `lines_gained` (lines served whole more than before),
        `value_gained` (Decimal, of what is allocated; null: no row of the SKU's group has a cost).

    Raises:
        InputError: `sku_unknown`.

    Example:
        >>> import datetime as dt
        >>> stock = {"stock_id": ["A", "B"], "sku": ["X", "Y"], "qty_on_hand": [4, 9]}
        >>> demand = {"line_id": ["1", "2"], "sku": ["X", "Y"], "qty": [5, 9]}
        >>> shadow_prices(Base(stock, demand, as_of=dt.date(2026, 11, 1))).rows()
        [('X', 'A', 1, 1, None), ('Y', 'B', 0, 0, None)]
    """
    expect("base", base, Base)
    wanted = _wanted(base, skus)
    rows = _best_rows(base)
    found = wanted.to_frame("sku").join(rows, on="sku", how="left", maintain_order="left")
    codes, _ = base.competition.codes(found["sku"])
    found = found.with_columns(group=pl.Series(base.competition.groups[codes]))
    there = found.filter(pl.col("stock_id").is_not_null())
    turns = there.with_columns(turn=pl.int_range(pl.len()).over("group")).partition_by("turn", include_key=False)
    schema = {"units_gained": pl.Int64(), "lines_gained": pl.Int64(), "value_gained": pl.Int128()}
    none = pl.DataFrame(schema={"sku": found.schema["sku"], **schema})
    gains = pl.concat([none, *(_gains(base, turn) for turn in turns)], how="vertical_relaxed")
    gained = found.join(gains, on="sku", how="left", maintain_order="left")
    step = pl.lit("0.000001").cast(pl.Decimal(38, MICRO)) / 10**base.bound.prepared.stock.scale
    demand = base.bound.prepared.demand
    return gained.select(
        "sku",
        "stock_id",
        quantity(gained["units_gained"], demand).alias("units_gained"),
        "lines_gained",
        (pl.col("value_gained").cast(pl.Decimal(38, 0)) * step).alias("value_gained"),
    ).sort("units_gained", "value_gained", "sku", descending=[True, True, False], nulls_last=True)


def _gains(base: Base, turn: pl.DataFrame) -> pl.DataFrame:
    """What one more unit on each of some rows brings, no two of which are in one group."""
    where = {"sku": tuple(turn["sku"]), "stock_id": tuple(turn["stock_id"])}
    ran = base.run(Scenario(name="one more unit", levers=(SupplyMore(where=where, units=1),)))  # type: ignore[arg-type]
    sides = [_by_group(base, part, sign) for part, sign in ((ran.before, -1), (ran.after, 1))]
    sums = pl.concat(sides).group_by("group").agg(pl.all().sum())
    summed = turn.select("sku", "group").join(sums, on="group", how="left")
    priced = pl.when(pl.col("priced") > 0).then("value_gained")
    return summed.select("sku", pl.col("units_gained", "lines_gained").fill_null(0), priced)


def _by_group(base: Base, part: Part, sign: int) -> pl.DataFrame:
    competition = base.competition
    rows, stock_rows = part.demand[ROW].to_numpy(), part.stock[ROW].to_numpy()
    lines = pl.DataFrame(
        {
            "group": competition.group_of("demand", rows),
            "units_gained": sign * part.lines["allocated"],
            "lines_gained": sign * (part.lines["allocated"] >= part.demand["qty"]).cast(pl.Int64),
        }
    ).with_columns(value_gained=pl.lit(0, pl.Int128), priced=pl.lit(0, pl.Int64))
    cost = part.stock.with_columns(cost=micro_cost(part.stock))["cost"]
    at = part.takes["stock"]
    takes = pl.DataFrame(
        {
            "group": pl.Series(competition.group_of("stock", stock_rows)).gather(at),
            "value_gained": (sign * part.takes["qty"]).cast(pl.Int128) * cost.gather(at),
            "priced": cost.is_not_null().cast(pl.Int64).gather(at),
        }
    ).with_columns(units_gained=pl.lit(0, pl.Int64), lines_gained=pl.lit(0, pl.Int64))
    return pl.concat([lines, takes.select(lines.columns)])


@dataclass(frozen=True)
class SupplyCurve(Shown):
    """How well the lines of a SKU are served with more of it, or less.

    Attributes:
        sku: The SKU.
        frame: One row per step, ascending: `units` (added; negative: taken away; base units, Int64 or Decimal),
            `supply` (what there then is, not reserved, whatever its state), `requested`, `allocated` (base units,
            Float64), `unit_fill`, `line_fill` (of the lines that ask for the SKU; null: none does).
    """

    sku: str | int
    frame: pl.DataFrame

    def plot(self) -> Chart:
        """A line: the fill of the SKU over its supply, with what there is."""
        from allocator.scenario import plots  # noqa: PLC0415 - needs an extra

        return plots.supply_curve(self.frame, str(self.sku))

    def table(self) -> Table:
        """The steps."""
        from allocator.scenario import report  # noqa: PLC0415 - needs an extra

        return report.supply_curve(self.frame, str(self.sku))


def supply_curve(
    base: Base, sku: str | int, *, units: Sequence[int | Decimal] | None = None, progress: Progress | None = None
) -> SupplyCurve:
    """Serves a SKU with more units of it, and with fewer.

    More lie on the row of `shadow_prices`; fewer are taken from all rows of the SKU in proportion, rounded down.

    Args:
        base: What is.
        sku: The SKU.
        units: How many are added (below zero: taken away), as int, or Decimal where the tables have decimals; from
            nothing to twice what there is if left out.
        progress: Is told how far it is.

    Raises:
        InputError: `sku_unknown`; `lever_empty`: no stock row of the SKU may be allocated; `argument_type`, `qty_step`,
            `value_overflow`: units that the tables could not hold.
    """
    expect("base", base, Base)
    (known,) = _wanted(base, [sku])
    at = _best_rows(base).filter(pl.col("sku") == known)
    stock = base.bound.prepared.stock
    there = int(stock.frame.filter(pl.col("sku") == known)["qty_on_hand"].sum())
    asked = [round(there * share) for share in STEPS] if units is None else _steps(units, stock.scale)
    if at.is_empty() or there == 0:
        message = "no stock row of the SKU may be allocated, so that nobody knows where more would be"
        raise InputError(Problem("lever_empty", message, "stock", "sku", value=str(sku)))
    steps = sorted({0, *asked})
    found = []
    for number, step in enumerate(steps, start=1):
        scenario = _with(known, at["stock_id"][0], max(step, -there), there, 10**stock.scale)
        found.append(_served(base, base.run(scenario) if step else None, known))
        if progress is not None:
            progress(number, len(steps))
    frame = pl.DataFrame(found, schema_overrides={"unit_fill": pl.Float64, "line_fill": pl.Float64})
    return SupplyCurve(sku, frame.insert_column(0, in_base_units(pl.Series("units", steps, pl.Int64), stock.scale)))


def _steps(units: Sequence[int | Decimal], scale: int) -> list[int]:
    """Steps in units of the tables.

    Raises:
        InputError: `argument_type`: they are no whole numbers or Decimals; `qty_step`: they have too many decimals.
    """
    problems, found = [], []
    for number, given in enumerate(units if isinstance(units, list | tuple | range) else [units]):
        place, value = f"units.{number}", str(given)[:80]
        if not isinstance(given, int | Decimal) or isinstance(given, bool) or not math.isfinite(given):
            hint = "Give units as int, or as Decimal where the tables have decimals"
            problems.append(Problem("argument_type", "no number of units", column=place, value=value, hint=hint))
            continue
        step = Fraction(given) * 10**scale
        if step.denominator != 1:
            message = f"the units have more decimals than the base's quantities, which have {scale}"
            problems.append(Problem("qty_step", message, column=place, value=value))
        elif abs(step) > QTY_MAX:
            problems.append(Problem("value_overflow", "a table could not hold so many", column=place, value=value))
        found.append(int(step))
    if problems:
        raise InputError(problems)
    return found


def _with(sku: str | int, stock_id: str | int, step: int, there: int, unit: int) -> Scenario:
    """More or fewer units of a SKU.

    Args:
        sku: The SKU.
        stock_id: The row on which more would be.
        step: How many are added, in parts of a base unit.
        there: How many there are, likewise.
        unit: How many parts a base unit has.
    """
    lever: SupplyMore | SupplyShort | SupplyRecalled
    if step > 0:
        lever = SupplyMore(where={"sku": sku, "stock_id": stock_id}, units=Decimal(step) / unit)
    elif step == -there:
        lever = SupplyRecalled(where={"sku": sku})
    else:
        lever = SupplyShort(where={"sku": sku}, factor=Fraction(there + step, there))
    return Scenario(name=f"{step:+} units", levers=(lever,))


def _served(base: Base, ran: Comparison | None, sku: str | int) -> dict[str, float | None]:
    part = ran.after if ran is not None else base.part_of_sku(sku)
    scale = 10**part.scale
    mine = part.demand["sku"] == sku
    asked, got = (column.filter(mine) for column in (part.demand["qty"], part.lines["allocated"]))
    of_sku = part.stock.filter(pl.col("sku") == sku)
    held, reserved = (int(of_sku[n].sum()) if n in of_sku.columns else 0 for n in ("qty_on_hand", "qty_reserved"))
    requested, allocated, lines = int(asked.sum()), int(got.sum()), len(asked)
    return {
        "supply": (held - reserved) / scale,
        "requested": requested / scale,
        "allocated": allocated / scale,
        "unit_fill": allocated / requested if requested else None,
        "line_fill": int((got >= asked).sum()) / lines if lines else None,
    }


def _wanted(base: Base, skus: Iterable[str | int] | None) -> pl.Series:
    """The SKUs as the base has them.

    Raises:
        InputError: `sku_unknown`, with every one that nobody knows.
    """
    known = base.competition.skus
    if skus is None:
        return base.bound.prepared.demand.frame["sku"].cast(known.dtype).unique().sort()
    integers = known.dtype.is_integer()
    names = list(dict.fromkeys(int(s) if integers and str(s).lstrip("-").isdecimal() else str(s) for s in skus))
    there = set(known.to_list())
    unknown = [name for name in names if name not in there]
    if unknown:
        words = known.head(10_000).cast(pl.String).to_list()
        raise InputError(
            Problem(
                "sku_unknown",
                "neither stock nor demand has this SKU",
                "scenario",
                "sku",
                value=str(name)[:80],
                hint=did_you_mean(str(name), words),
            )
            for name in unknown
        )
    return pl.Series(names, dtype=known.dtype)


def _best_rows(base: Base) -> pl.DataFrame:
    """Of each SKU the row that may be allocated and lives longest: `sku`, `stock_id`."""
    stock, policy, names = base.bound.prepared.stock.frame, base.policy, base.bound.prepared.stock.frame.columns
    usable = pl.lit(value=True)
    for column, values in (("status", policy.statuses), ("condition", policy.conditions)):
        if values:
            held = pl.col(column).cast(pl.String) if column in names else pl.lit(STOCK[column].absent)
            usable &= held.is_in(list(values)).fill_null(value=False)
    if "location" in names:
        path = pl.col("location").cast(pl.String)
        for place in policy.location.exclude:
            usable &= ~((path == place) | path.str.starts_with(f"{place}/")).fill_null(value=False)
    if "blocked" in names:
        usable &= ~pl.col("blocked")
    if "serial" in names:
        usable &= pl.col("serial").is_null()
    if "expires_on" in names:
        usable &= (pl.col("expires_on") >= base.bound.as_of).fill_null(value=True)
    if "received_on" in names:
        usable &= (pl.col("received_on") <= base.bound.as_of).fill_null(value=True)
    keys = [pl.col("expires_on")] if "expires_on" in names else []
    found = stock.lazy().filter(usable).select("sku", "stock_id", *keys)
    found = found.sort(*keys, "stock_id", descending=[*(True for _ in keys), False], nulls_last=False)
    return found.unique("sku", keep="first", maintain_order=True).select("sku", "stock_id").collect()
