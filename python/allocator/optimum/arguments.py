"""What is asked of an optimum, checked: objectives with their order or weights, time, gap, horizon."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from allocator.errors import Problem
from allocator.frames.findings import shown
from allocator.optimum.objectives import OBJECTIVES

Weight: TypeAlias = int | float | Decimal | Fraction
Objectives: TypeAlias = Sequence[str] | Mapping[str, Weight]
"""Names in order of importance, or a weight for each name."""

HORIZON_MAX = 1_000_000
"""Days that a horizon may be away."""


@dataclass(frozen=True)
class Wanted:
    """What is asked.

    Attributes:
        names: The objectives in the order in which they count; `units` comes last if it is not among them.
        weights: The weight of each objective that counts in the first place; None if one comes after another.
        time_limit: Seconds in the solver.
        gap: How far from its bound a plan may be, as a share.
        horizon_days: Stock left over that expires within so many days counts as waste.
    """

    names: tuple[str, ...]
    weights: Mapping[str, Fraction] | None
    time_limit: float
    gap: float
    horizon_days: int


def checked(
    objectives: object, *, time_limit: object, gap: object, horizon_days: object, problems: list[Problem]
) -> Wanted:
    """The arguments, if they make sense; what does not is added to the problems."""
    names, weights = check_objectives(objectives, problems)
    numbers = check_numbers(time_limit=time_limit, gap=gap, horizon_days=horizon_days, problems=problems)
    ordered = names if "units" in names else (*names, "units")
    return Wanted(ordered, weights, *numbers)


def check_numbers(
    *, time_limit: object, gap: object, horizon_days: object, problems: list[Problem]
) -> tuple[float, float, int]:
    """Seconds, share and days, if they make sense; what does not is added to the problems."""
    seconds = _number("time_limit", time_limit, problems, above=0)
    share = _number("gap", gap, problems, least=0, below=1)
    if isinstance(horizon_days, bool) or not isinstance(horizon_days, int) or not 0 <= horizon_days <= HORIZON_MAX:
        _refuse(problems, "horizon_days", horizon_days, f"a whole number of days from 0 to {HORIZON_MAX:,}")
        horizon_days = 0
    return seconds, share, horizon_days


def check_objectives(given: object, problems: list[Problem]) -> tuple[tuple[str, ...], Mapping[str, Fraction] | None]:
    """Names and weights, if they make sense; what does not is added to the problems."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Sequence | Mapping) or not given:
        _refuse(problems, "objectives", given, "names of objectives in their order, or a weight for each name")
        return ("units",), None
    known = f"Objectives are {', '.join(OBJECTIVES)}"
    names = []
    for name in given:
        if name not in OBJECTIVES:
            _refuse(problems, "objectives", name, "the name of an objective", known)
        elif name in names:
            _refuse(problems, "objectives", name, "each objective once")
        else:
            names.append(str(name))
    if not isinstance(given, Mapping):
        return tuple(names), None
    weights = {}
    for name in names:
        weight = given[name]
        number = isinstance(weight, int | float | Decimal | Fraction) and not isinstance(weight, bool)
        if not number or not math.isfinite(weight) or weight <= 0:
            message = "a number above zero as the weight of each objective"
            _refuse(problems, f"objectives.{name}", weight, message, "Leave out what does not count")
        else:
            weights[name] = Fraction(str(weight)) if isinstance(weight, float) else Fraction(weight)
    return tuple(names), weights


def _number(
    name: str,
    given: object,
    problems: list[Problem],
    *,
    above: float | None = None,
    least: float = 0,
    below: float = math.inf,
) -> float:
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if number and (given > above if above is not None else given >= least) and given < below:  # type: ignore[operator]
        return float(given)  # type: ignore[arg-type]
    words = f"above {above}" if above is not None else f"from {least} to below {below:g}"
    _refuse(problems, name, given, f"a number {words}")
    return 1.0


def _refuse(problems: list[Problem], name: str, given: object, expected: str, hint: str = "") -> None:
    message = f"{expected} is expected"
    problems.append(Problem("argument_value", message, column=name, value=shown(given), hint=hint))
