"""What is wanted of a plan: objectives by name, what each unit counts towards them, and their exact values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.coded import NULL_CODE
from allocator.frames.prepare import Prepared
from allocator.optimum.eligible import GREATEST, LEAST, AskedSpan
from allocator.optimum.ground import Ints, Lines, Rows
from allocator.plan.keys import Columns
from allocator.plan.places import places
from allocator.scenario.rows import MICRO, micro_cost

STEPS_MAX = 2**40
"""What one unit may count, in steps that are whole, for a solver that counts in floats."""

COST_MAX = 2**62
"""Millionths of a unit cost."""


class Objective(NamedTuple):
    """What is counted, in which unit, and whether more of it is better."""

    meaning: str
    unit: str
    more: bool


OBJECTIVES: Final[Mapping[str, Objective]] = {
    "units": Objective("units of lines that are served", "base units", more=True),
    "value": Objective("allocated units at the unit cost of their stock rows", "currency", more=True),
    "lateness": Objective(
        "days by which units come after their line's `needed_on`; a short unit comes the day after the last one",
        "unit days",
        more=False,
    ),
    "waste": Objective("units left over that expire by the horizon, or have expired", "base units", more=False),
    "transfers": Objective("units of lines served from outside the place of their line", "base units", more=False),
    "changes": Objective("units of stock in the current allocations that are not kept", "base units", more=False),
}
"""Every objective by name."""


@dataclass(frozen=True, slots=True)
class Gains:
    """What one unit counts towards an objective, so that more is better.

    Attributes:
        row: By row, for each unit of it that is taken.
        line: By line, for each unit of it that is served.
        away: For each unit of a line that is served from outside its place.
        kept: For each unit of a current allocation that stays.
        nothing: What counts where nothing is allocated.
        factor: What one stands for: a millionth, where money is counted.
    """

    row: Ints | None = None
    line: Ints | None = None
    away: int = 0
    kept: int = 0
    nothing: int = 0
    factor: Fraction = Fraction(1)

    @property
    def largest(self) -> int:
        """The most that one unit counts, whichever way."""
        parts = [int(np.abs(part).max(initial=0)) for part in (self.row, self.line) if part is not None]
        return max(*parts, abs(self.away), self.kept, 0)

    def reduced(self) -> Gains:
        """The same in the largest steps in which it is whole, without what counts anyway."""
        step = gcd(*(int(np.gcd.reduce(part)) for part in (self.row, self.line) if part is not None and len(part)))
        step = gcd(step, self.away, self.kept) or 1
        row, line = (None if part is None else part // step for part in (self.row, self.line))
        return Gains(row, line, self.away // step, self.kept // step, 0, self.factor * step)


@dataclass(frozen=True, slots=True)
class Takes:
    """Allocations: positions in `Rows` and `Lines`, units of the row and units of the line."""

    row: Ints
    line: Ints
    qty: Ints
    served: Ints


@dataclass(frozen=True)
class Measure:
    """Everything that objectives look at.

    Attributes:
        gains: By objective, of those that can be counted in these tables.
        away: Asks whether a row is at the place of a line; None where nothing says.
        current: The allocations that there are, if any were given.
    """

    gains: Mapping[str, Gains]
    away: AskedSpan | None
    current: Takes | None

    def value(self, name: str, takes: Takes) -> Fraction:
        """The exact value of an objective, in units of the tables' scale."""
        gains = self.gains[name]
        total = gains.nothing
        if gains.row is not None:
            total += exact_sum(gains.row[takes.row], takes.qty)
        if gains.line is not None:
            total += exact_sum(gains.line[takes.line], takes.served)
        if gains.away and self.away is not None:
            outside = ~self.away.judge(takes.row, takes.line)[0]
            total += gains.away * int(takes.served[outside].sum())
        if gains.kept and self.current is not None:
            total += gains.kept * int(kept(takes, self.current).sum())
        return gains.factor * total * (1 if OBJECTIVES[name].more else -1)

    def weighted(self, weights: Mapping[str, Fraction]) -> Gains:
        """Several objectives in one, each at its weight."""
        factors = {name: weight * self.gains[name].factor for name, weight in weights.items()}
        whole = lcm(*(factor.denominator for factor in factors.values()))
        times = {name: int(factor * whole) for name, factor in factors.items()}
        if sum(self.gains[name].largest * n for name, n in times.items()) > 2**62:
            raise _too_far_apart()

        def total(side: str) -> Ints | None:
            parts = [(getattr(self.gains[name], side), n) for name, n in times.items()]
            given = [part * n for part, n in parts if part is not None]
            return sum(given[1:], start=given[0]) if given else None

        away, stay = (sum(getattr(self.gains[k], s) * n for k, n in times.items()) for s in ("away", "kept"))
        return Gains(total("row"), total("line"), away, stay, 0, Fraction(1, whole)).reduced()


class Aim(NamedTuple):
    """One objective, or several at their weights.

    Attributes:
        name: The objective, or `weighted`.
        steps: What units count, in steps that are whole.
        weights: The weight of each objective in it.
    """

    name: str
    steps: Gains
    weights: Mapping[str, Fraction]

    def worth(self, measured: Measure, takes: Takes) -> Fraction:
        """What a plan is worth; more is better."""
        values = ((measured.value(name, takes) * weight, name) for name, weight in self.weights.items())
        return sum((value if OBJECTIVES[name].more else -value for value, name in values), Fraction(0))

    def worth_of(self, measured: Measure, steps: float) -> float:
        """What so many steps are worth."""
        parts = ((measured.gains[name], weight) for name, weight in self.weights.items())
        nothing = sum((gains.factor * gains.nothing * weight for gains, weight in parts), Fraction(0))
        return float(nothing) + float(self.steps.factor) * steps

    @property
    def more(self) -> bool:
        """Whether what is told of it is better the greater it is."""
        return self.name not in OBJECTIVES or OBJECTIVES[self.name].more


def aimed_at(measured: Measure, names: Sequence[str], weights: Mapping[str, Fraction] | None) -> list[Aim]:
    """What is aimed at, one after the other: the weighted sum if there are weights, then each other name.

    Raises:
        InputError: `value_overflow`: one unit counts too much beside another for a solver that counts in floats.
    """
    if "value" in names and "value" not in measured.gains:
        raise _too_far_apart()
    found = [] if weights is None else [Aim("weighted", measured.weighted(weights), weights)]
    rest = [name for name in names if weights is None or name not in weights]
    found += [Aim(name, measured.gains[name].reduced(), {name: Fraction(1)}) for name in rest]
    if any(aim.steps.largest > STEPS_MAX for aim in found):
        raise _too_far_apart()
    return found


def _too_far_apart() -> InputError:
    message = f"costs and weights of one unit differ by more than a factor of {STEPS_MAX:,}"
    hint = "Round unit costs, or use weights that are closer to each other"
    return InputError(Problem("value_overflow", message, column="objectives", hint=hint))


def exact_sum(factor: Ints, amount: Ints) -> int:
    """The sum of products, however large it is."""
    if len(factor) == 0:
        return 0
    if int(np.abs(factor).max()) * int(amount.sum(dtype=object)) < 2**63:
        return int((factor * amount).sum())
    return int((factor.astype(object) * amount).sum())


def kept(takes: Takes, current: Takes) -> Ints:
    """How much of each current allocation stays, in units of the row."""
    by_pair = pl.DataFrame({"row": takes.row, "line": takes.line, "qty": takes.qty}, schema_overrides={"qty": pl.Int64})
    asked = pl.DataFrame({"row": current.row, "line": current.line, "had": current.qty})
    both = asked.join(by_pair, on=["row", "line"], how="left", maintain_order="left")
    return both.select(pl.min_horizontal("had", pl.col("qty").fill_null(0))).to_series().to_numpy()


def measure(
    prepared: Prepared, columns: Columns, rows: Rows, lines: Lines, *, as_of: dt.date, horizon_days: int
) -> Measure:
    """Whatever can be counted in these tables without current allocations."""
    gains = {"units": Gains(line=np.ones(len(lines.at), np.int64)), "lateness": _lateness(prepared, lines, as_of)}
    stock = prepared.stock.frame
    if "unit_cost" in stock.columns and stock["unit_cost"].null_count() == 0:
        cost = stock.select(micro_cost(stock)).to_series().gather(pl.Series(rows.at))
        if cost.is_between(-COST_MAX, COST_MAX).all():
            gains["value"] = Gains(row=cost.cast(pl.Int64).to_numpy(), factor=Fraction(1, 10**MICRO))
    gains["waste"] = Gains(row=np.zeros(len(rows.at), np.int64))
    if "expires_on" in stock.columns:
        last = stock["expires_on"].cast(pl.Int64).fill_null(GREATEST).to_numpy()
        doomed = last <= _day(as_of) + horizon_days
        free = stock["qty_on_hand"].cast(pl.Int64).to_numpy().copy()
        if "qty_reserved" in stock.columns:
            free -= stock["qty_reserved"].cast(pl.Int64).to_numpy()
        gains["waste"] = Gains(row=doomed[rows.at].astype(np.int64), nothing=-int(free[doomed].sum()))
    gains["transfers"] = Gains(away=-1)
    away = _away(columns, rows, lines)
    return Measure({name: gains[name] for name in OBJECTIVES if name in gains}, away, None)


def with_current(measured: Measure, current: Takes, total: int) -> Measure:
    """The same where current allocations are known, `total` units of them in all."""
    gains = dict(measured.gains) | {"changes": Gains(kept=1, nothing=-total)}
    return Measure(gains, measured.away, current)


def _day(date: dt.date) -> int:
    return (date - dt.date(1970, 1, 1)).days


def _lateness(prepared: Prepared, lines: Lines, as_of: dt.date) -> Gains:
    """A unit that is served comes on `as_of`, or on the later day of a receipt that is in time for its line."""
    demand, today = prepared.demand.frame, _day(as_of)
    needed = np.full(len(lines.at), today, np.int64)
    if "needed_on" in demand.columns:
        needed = demand["needed_on"].cast(pl.Int64).fill_null(today).to_numpy()[lines.at]
    last = max(today, int(needed.max(initial=today)))
    if_short, if_served = last + 1 - needed, np.maximum(today - needed, 0)
    return Gains(line=if_short - if_served, nothing=-exact_sum(if_short, lines.qty))


def _away(columns: Columns, rows: Rows, lines: Lines) -> AskedSpan | None:
    """Whether a row is at the place of a line, or below it; a line without a place is at home everywhere."""
    if not columns.has("demand", "location"):
        return None
    found = places(columns)
    here = found.demand.to_numpy()[lines.at].astype(np.int64)
    there = found.stock.to_numpy()[rows.at].astype(np.int64)
    ends = np.append(np.array(found.tree.ends, np.int64), 0)
    nowhere = here == NULL_CODE
    low = np.where(nowhere, LEAST, here)
    high = np.where(nowhere, GREATEST, ends[np.where(nowhere, len(ends) - 1, here)] - 1)
    return AskedSpan(there, there == NULL_CODE, low, high, null_passes=False, outside=False)
