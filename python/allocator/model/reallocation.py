"""Reallocation: who may take from whom, when what is promised already is dealt again.

Lines are put into segments by what they are; a segment has a strategy and its own order. `docs/reallocation.md` has the
order of events and what is guaranteed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Part
from allocator.model.exact import Days, Qty, Whole
from allocator.model.policy import AttributeRule, DemandOrder

Strategy = Literal["win", "gain", "improve", "redistribute", "fill", "lose", "skip"]
"""What may happen to the lines of a segment."""

STRATEGIES: Final[dict[Strategy, str]] = {
    "win": "must be full, and may take from all others",
    "gain": "keeps what it has, and may get more",
    "improve": "keeps what it has as far as winners and keepers allow, and may get more",
    "redistribute": "gives back, and is dealt anew",
    "fill": "may keep what it has, and never gets more",
    "lose": "gives everything back",
    "skip": "is left alone",
}
"""Every strategy in words that complete 'Such a line …'."""


def _constants(rules: tuple[AttributeRule, ...], path: str) -> Iterator[Problem]:
    for number, rule in enumerate(rules):
        if rule.value is None:
            message = "a filter compares a column of the lines with a constant"
            hint = "Give value instead of demand_column or demand_columns"
            yield Problem("setting_conflict", message, column=f"{path}.{number}", hint=hint)


class Segment(Part):
    """Lines that are treated alike.

    Attributes:
        name: What results call it.
        strategy: What may happen to its lines.
        filter: Which lines: those that pass every rule. A rule is an attribute rule of a policy, whose `column` is one
            of demand and whose right hand side is a constant. Empty is every line.
        order: In which order its lines are served; the policy's demand order if left out.
        fallback: How a line is treated that cannot be what its strategy promises: a `win` that cannot be full
            (`gain` if left out, or `improve`, `redistribute`, `fill`, `lose`), a `gain` that cannot keep all it had
            (`improve` if left out, or `redistribute`). Either way the line is reported as an exception.
    """

    name: Name
    strategy: Strategy
    filter: tuple[AttributeRule, ...] = ()
    order: DemandOrder | None = None
    fallback: Literal["gain", "improve", "redistribute", "fill", "lose"] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = list(_constants(self.filter, "filter"))
        known = {"win": ("gain", "improve", "redistribute", "fill", "lose"), "gain": ("improve", "redistribute")}
        if self.fallback is not None and self.fallback not in known.get(self.strategy, ()):
            message = f"a line with the strategy {self.strategy} does not fall back to {self.fallback}"
            hint = f"It may fall back to {', '.join(known.get(self.strategy, ())) or 'nothing: leave it out'}"
            problems.append(Problem("setting_conflict", message, column="fallback", value=self.fallback, hint=hint))
        if problems:
            raise PolicyError(problems)
        return self

    @property
    def falls_to(self) -> Strategy:
        """The strategy of a line whose own cannot be kept."""
        usual: dict[Strategy, Strategy] = {"win": "gain", "gain": "improve"}
        return self.fallback or usual.get(self.strategy, self.strategy)


class Reallocation(Document):
    """How what is promised already is dealt again.

    Attributes:
        name: What people call it.
        description: One sentence on what it is for.
        segments: In order of importance; a line in two of them is an error.
        filter: Lines that do not pass every rule are left alone, whatever their segment says.
        otherwise: What happens to lines of no segment.
        freeze_days: Lines needed on a day up to so many days after `as_of`, or before it, are left alone; null: none.
        horizon_days: Lines needed more than so many days after `as_of` are left alone; null: none. A line without
            `needed_on` is neither frozen nor beyond the horizon.
        lines_max: At most so many lines may have other allocations than before.
        units_max: At most so many units may change hands (a unit given back and taken counts once).

    Example:
        >>> vip = {"column": "customer", "op": "=", "value": "ACME"}
        >>> print(Reallocation(segments=[{"name": "vip", "strategy": "win", "filter": [vip]}]).describe())
        reallocation: what is promised is dealt again.
        vip: lines with customer = 'ACME'. Such a line must be full, and may take from all others; if that cannot \
be, it keeps what it has, and may get more.
        Other lines: such a line is left alone.
    """

    kind: ClassVar[str] = "reallocation"

    name: Name = "reallocation"
    description: str = ""
    segments: Annotated[tuple[Segment, ...], Field(max_length=250)] = ()
    filter: tuple[AttributeRule, ...] = ()
    otherwise: Strategy = "skip"
    freeze_days: Days | None = None
    horizon_days: Days | None = None
    lines_max: Annotated[Whole, Field(ge=0)] | None = None
    units_max: Qty | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = list(_constants(self.filter, "filter"))
        if all(strategy == "skip" for strategy in (self.otherwise, *(s.strategy for s in self.segments))):
            hint = "Give segments with a strategy, or otherwise"
            problems.append(Problem("rule_empty", "nothing is to be reallocated", column="segments", hint=hint))
        names = [segment.name for segment in self.segments]
        for number, name in enumerate(names):
            if name in names[:number]:
                problems.append(
                    Problem("setting_twice", "another segment has this name", column=f"segments.{number}", value=name)
                )
        if self.freeze_days is not None and self.horizon_days is not None and self.horizon_days <= self.freeze_days:
            message = f"every line within the horizon is frozen, for {self.freeze_days} days"
            value = str(self.horizon_days)
            problems.append(Problem("setting_conflict", message, column="horizon_days", value=value))
        if problems:
            raise PolicyError(problems)
        return self

    def describe(self) -> str:
        """The document in plain words, a line for each segment."""
        told = [f"{self.name}: what is promised is dealt again{_which(self.filter, ' among lines with ')}."]
        for segment in self.segments:
            which = _which(segment.filter, "lines with ") or "all lines"
            falls = segment.falls_to
            fallback = f"; if that cannot be, it {STRATEGIES[falls]}" if falls != segment.strategy else ""
            told.append(f"{segment.name}: {which}. Such a line {STRATEGIES[segment.strategy]}{fallback}.")
        told.append(f"Other lines: such a line {STRATEGIES[self.otherwise]}.")
        if self.freeze_days is not None:
            told.append(f"Lines needed within {self.freeze_days} days are left alone.")
        if self.horizon_days is not None:
            told.append(f"Lines needed in more than {self.horizon_days} days are left alone.")
        if self.lines_max is not None:
            told.append(f"At most {self.lines_max} lines are changed.")
        if self.units_max is not None:
            told.append(f"At most {self.units_max} units change hands.")
        return "\n".join(told)


def _which(rules: tuple[AttributeRule, ...], head: str) -> str:
    def shown(value: object) -> str:
        return f"[{', '.join(map(shown, value))}]" if isinstance(value, tuple) else repr(value)

    words = [f"{rule.column} {rule.op} {shown(rule.value)}" for rule in rules]
    return head + " and ".join(words) if words else ""
