"""Quotas and protection: what groups may take at most in a period, and what is kept for them.

The quotas and protections themselves are tables (there may be a million of them); this document says how they are
meant and held. `docs/fairness.md` has the order of events.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names

RATION_REASONS: Final[dict[str, str]] = {
    "no_supply": "its pool has no supply",
    "no_quota": "no quota holds for its group on its day, and it needs one",
    "quota": "the quota of its group is used up",
    "protected": "what is left is kept for other groups",
    "pack": "what it lacks is less than a pack",
    "taken": "lines served before it took it",
    "insufficient": "its pool had less than it asks from the start",
}
"""Why a line is granted less than it asks, in the order of its number."""


class Quotas(Document):
    """How quotas (ceilings) and protection (floors) are held.

    Attributes:
        name: What people call this document.
        description: One sentence on what it is for.
        pool: The columns, of supply, demand and protections, that say what competes.
        quota_by: The columns, of demand and quotas, that say whose quota it is; empty is no quotas.
        protection_by: The columns, of demand and protections, that say for whom is kept; empty is no protection.
        day: The demand column whose day decides on the period; where it is null, `as_of` does.
        carry_over: For how many periods of its group what a quota leaves can still be used; 0 is none.
        without_quota: What a line gets whose group has no quota on its day: what there is, or nothing.
        quotas_above_supply: Whether the quotas of a pool in force at `as_of` may promise more than its supply. To
            refuse it, the pool must be part of `quota_by`.
        protection_above_supply: Whether protection above the supply of its pool is an error, or cut from the last
            priority on.

    Example:
        >>> print(Quotas(quota_by=["region"], protection_by=["channel"], carry_over=1).describe())
        quotas: lines are served one after another by priority, time of request and id.
        A line gets no more than the quota of its region leaves in the period of its needed_on; what a period leaves \
can be used for 1 more.
        A line whose group has no quota gets what there is.
        Of each sku is kept what is protected for a channel, until it lapses; a group may take what is kept for groups \
behind it. Protection above the supply is refused.
    """

    kind: ClassVar[str] = "quotas"

    name: Name = "quotas"
    description: str = ""
    pool: Names = ("sku",)
    quota_by: Names = ()
    protection_by: Names = ()
    day: Name = "needed_on"
    carry_over: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    without_quota: Literal["allow", "refuse"] = "allow"
    quotas_above_supply: Literal["allow", "refuse"] = "allow"
    protection_above_supply: Literal["refuse", "cut"] = "refuse"

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = []
        if not self.quota_by and not self.protection_by:
            hint = "Give quota_by, protection_by or both"
            problems.append(Problem("rule_empty", "the document holds neither quotas nor protection", hint=hint))
        for setting in ("pool", "quota_by", "protection_by"):
            names = getattr(self, setting)
            for name in sorted({name for name in names if names.count(name) > 1}):
                message = "the column is there already"
                problems.append(Problem("setting_twice", message, column=setting, value=name))
        for name in sorted({*self.pool} & {*self.protection_by}):
            message = "protection is kept by pool anyway: the column is part of it"
            problems.append(Problem("setting_conflict", message, column="protection_by", value=name))
        if self.quotas_above_supply == "refuse" and not {*self.pool} <= {*self.quota_by}:
            message = "quotas can be compared with supply only where each is of one pool"
            hint = f"Add {', '.join(name for name in self.pool if name not in self.quota_by)} to quota_by"
            problems.append(Problem("setting_conflict", message, column="quotas_above_supply", hint=hint))
        if problems:
            raise PolicyError(problems)
        return self

    def describe(self) -> str:
        """The document in plain words."""
        lines = [f"{self.name}: lines are served one after another by priority, time of request and id."]
        if self.quota_by:
            carried = f"what a period leaves can be used for {self.carry_over} more"
            lines += [
                f"A line gets no more than the quota of its {_and(self.quota_by)} leaves in the period of its"
                f" {self.day}; {carried if self.carry_over else 'what a period leaves is gone'}.",
                "A line whose group has no quota gets "
                + ("what there is." if self.without_quota == "allow" else "nothing."),
            ]
        if self.protection_by:
            pool = f"Of each {_and(self.pool)}" if self.pool else "Of the supply"
            above = "refused" if self.protection_above_supply == "refuse" else "cut, the last priority first"
            lines.append(
                f"{pool} is kept what is protected for a {_and(self.protection_by)}, until it lapses; a group may take"
                f" what is kept for groups behind it. Protection above the supply is {above}."
            )
        return "\n".join(lines)


def _and(names: tuple[str, ...]) -> str:
    return " and ".join(names)
