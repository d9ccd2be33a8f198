"""Fair shares: how supply that does not suffice is divided, in words that a planner writes.

A rule says what competes (the pool), in which tiers lines are served, how each tier is divided among groups, groups
among smaller groups, and the last of them among lines. `docs/fairness.md` has the formulas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names, Part
from allocator.model.exact import QtyOrZero
from allocator.model.limits import Key

Method = Literal["proportional", "equal_gains", "equal_cover", "equal_losses", "priority"]
"""How an amount is divided.

- `proportional`: by what each asks, or by a weight.
- `equal_gains`: the same for each, up to what it asks: the smallest asks are filled first (max-min).
- `equal_cover`: what each has on hand and gets is the same part of its target.
- `equal_losses`: each goes without the same, down to nothing.
- `priority`: one after another, by `priority`, then by id.
"""

METHODS: Final[dict[Method, str]] = {
    "proportional": "in proportion to what each asks",
    "equal_gains": "in equal parts, up to what each asks",
    "equal_cover": "so that stock and share are the same part of each target",
    "equal_losses": "so that each goes without the same",
    "priority": "one after another by priority",
}
"""Every method in words, in the order of its number."""

SHARE_REASONS: Final[dict[str, str]] = {
    "no_supply": "its pool has no supply",
    "above_max": "it asks for more than its own maximum",
    "pack": "what it lacks, or what is left, is less than a pack",
    "group_max": "its group has its maximum",
    "no_weight": "it has no weight or no target, and is guaranteed no more",
    "guaranteed": "what is left is guaranteed to tiers behind it",
    "taken": "tiers or lines served before it took it",
    "insufficient": "there is less than is asked, and this is its share",
}
"""Why a share is less than what is asked, in the order of its number; the words complete 'It is short because …'."""

LEVELS_MAX: Final = 8


def _keys(value: object) -> object:
    return (value,) if isinstance(value, str | int) else tuple(value) if isinstance(value, list) else value


Keys = Annotated[tuple[Key, ...], BeforeValidator(_keys), Field(min_length=1)]


class Bound(Part):
    """What one group gets at least and at most, in every pool.

    Attributes:
        value: The group: a value of the level's column. Integers are compared as their decimal text.
        qty_min: Guaranteed to the group, as far as it asks for it. A number, with as many decimals as the tables have.
        qty_max: The most it gets; None is as much as it asks.
    """

    value: Key
    qty_min: QtyOrZero = Decimal(0)
    qty_max: QtyOrZero | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.qty_max is not None and self.qty_min > self.qty_max:
            message = f"the guarantee is above the maximum, which is {self.qty_max}"
            raise PolicyError(Problem("guarantee_above_max", message, column="qty_min", value=str(self.qty_min)))
        return self


class Level(Part):
    """One division among groups.

    Attributes:
        by: The demand column whose values are the groups.
        method: How the amount is divided among them. A group asks, weighs, holds and targets what its lines
            do together.
        weight: For `proportional`: the demand column that stands in for what is asked.
        bounds: Least and most of single groups.
    """

    by: Name
    method: Method
    weight: Name | None = None
    bounds: tuple[Bound, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = list(_weight_problems(self.method, self.weight))
        problems += _twice((bound.value for bound in self.bounds), "bounds", "another bound names this group")
        if problems:
            raise PolicyError(problems)
        return self


class Tier(Part):
    """Lines that are served before those of the next tier, and how what they get is divided.

    Attributes:
        name: What results call it.
        values: Which lines: those whose `tier_by` has one of these values; None is all that are in no other tier.
        method: How it is divided among lines (of a group, where there are levels).
        weight: For `proportional`: the demand column that stands in for what is asked.
        levels: Divisions among groups before that, from the outermost.
    """

    name: Name
    values: Keys | None = None
    method: Method
    weight: Name | None = None
    levels: Annotated[tuple[Level, ...], Field(max_length=LEVELS_MAX)] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if problems := [*_weight_problems(self.method, self.weight), *_level_problems(self.levels)]:
            raise PolicyError(problems)
        return self


class FairShare(Document):
    """How supply is shared when there is less than is asked.

    Either `method` (and `levels`) for all lines, or `tiers` with a method each.

    Attributes:
        name: What people call this rule.
        description: One sentence on what it is for.
        pool: The columns, of supply and demand, that say what competes: `["sku"]` shares each SKU by itself,
            `["sku_group"]` the supply of a group, `[]` one supply of the whole network.
        method: How a pool is divided among lines (of a group, where there are levels).
        weight: For `proportional`: the demand column that stands in for what is asked.
        levels: Divisions among groups before that, from the outermost: network, then group, then SKU.
        tier_by: The demand column that says to which tier a line belongs.
        tiers: In the order in which they are served.

    Example:
        >>> by_region = {"by": "region", "method": "proportional"}
        >>> rule = FairShare(name="by region", method="equal_gains", levels=[by_region])
        >>> print(rule.describe())
        by region: each sku is shared by itself.
        It is divided by region in proportion to what each asks; among lines in equal parts, up to what each asks.
    """

    kind: ClassVar[str] = "share"

    name: Name = "fair share"
    description: str = ""
    pool: Names = ("sku",)
    method: Method | None = None
    weight: Name | None = None
    levels: Annotated[tuple[Level, ...], Field(max_length=LEVELS_MAX)] = ()
    tier_by: Name | None = None
    tiers: tuple[Tier, ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = [*_level_problems(self.levels), *_tier_problems(self.tiers)]
        problems += _twice(self.pool, "pool", "the column is there already")
        if self.method is None and not self.tiers:
            hint = f"Give method, one of {', '.join(METHODS)}; or tiers with a method each"
            problems.append(Problem("rule_empty", "the rule says nothing about how to share", hint=hint))
        if self.method is not None:
            problems += _weight_problems(self.method, self.weight)
        if self.tiers and (self.method, self.weight, self.levels) != (None, None, ()):
            hint = "Move method, weight and levels into the tiers"
            problems.append(
                Problem("setting_conflict", "with tiers, each has its own method", column="tiers", hint=hint)
            )
        if bool(self.tiers) != (self.tier_by is not None):
            message = "tiers and the column that names them, tier_by, go together"
            problems.append(Problem("setting_conflict", message, column="tier_by"))
        if problems:
            raise PolicyError(problems)
        return self

    @property
    def steps(self) -> tuple[Tier, ...]:
        """The tiers; a rule without tiers is one tier of all lines."""
        if self.tiers or self.method is None:
            return self.tiers
        return (Tier(name=self.name, method=self.method, weight=self.weight, levels=self.levels),)

    def describe(self) -> str:
        """The rule in plain words, a line for each tier."""
        what = f"each {', '.join(self.pool)} is shared by itself" if self.pool else "one supply is shared by all"
        lines = [f"{self.name}: {what}."]
        for number, tier in enumerate(self.steps):
            parts = [f"by {level.by} {_method_words(level.method, level.weight)}" for level in tier.levels]
            parts.append(f"among lines {_method_words(tier.method, tier.weight)}")
            who = "It is divided"
            if self.tiers:
                among = "all others" if tier.values is None else f"{self.tier_by} {', '.join(tier.values)}"
                who = f"{number + 1}. {tier.name} ({among}): divided"
            lines.append(f"{who} {'; '.join(parts)}.")
            lines += [f"   {_bound_words(level.by, bound)}" for level in tier.levels for bound in level.bounds]
        return "\n".join(lines)


def _method_words(method: Method, weight: str | None) -> str:
    return f"in proportion to {weight}" if weight is not None else METHODS[method]


def _bound_words(by: str, bound: Bound) -> str:
    most = "" if bound.qty_max is None else f", at most {bound.qty_max}"
    return f"{by} {bound.value} gets at least {bound.qty_min}{most} of each pool."


def _weight_problems(method: Method, weight: str | None) -> Iterator[Problem]:
    if weight is not None and method != "proportional":
        hint = "Leave it out, or use proportional"
        yield Problem("setting_conflict", f"{method} takes no weight", column="weight", value=weight, hint=hint)


def _twice(values: Iterator[str] | tuple[str, ...], column: str, message: str) -> Iterator[Problem]:
    for value, count in Counter(values).items():
        if count > 1:
            yield Problem("setting_twice", message, column=column, value=value)


def _level_problems(levels: tuple[Level, ...]) -> Iterator[Problem]:
    yield from _twice(tuple(level.by for level in levels), "levels", "another level divides by this column")


def _tier_problems(tiers: tuple[Tier, ...]) -> Iterator[Problem]:
    yield from _twice(tuple(tier.name for tier in tiers), "tiers", "another tier has this name")
    owner: dict[str, str] = {}
    for number, tier in enumerate(tiers):
        if tier.values is None and number < len(tiers) - 1:
            message = f"the tier {tier.name!r} has no values, so it takes every line, and those behind it none"
            yield Problem("group_overlap", message, column=f"tiers.{number}", hint="Put it last, or give it values")
        for value in tier.values or ():
            if value in owner:
                message = f"the tiers {owner[value]!r} and {tier.name!r} both claim this value"
                yield Problem("group_overlap", message, column=f"tiers.{number}.values", value=value)
            owner[value] = tier.name
