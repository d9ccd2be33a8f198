"""Levers on how much lines may have before stock is chosen, and on what is promised already. `docs/what-if.md`."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Name, Names, Part
from allocator.model.exact import Constant
from allocator.model.fair_share import FairShare
from allocator.model.limits import Limits
from allocator.model.quotas import Quotas
from allocator.model.reallocation import Reallocation

Rows: TypeAlias = Annotated[tuple[dict[Name, Constant], ...], Field(max_length=10_000)]
"""Rows of a table: a value by column."""


class FairShares(Part):
    """Lines get no more than their fair share of what could be handed out. A share is a ceiling, not a promise.

    Attributes:
        rule: How to share, as in `docs/fairness.md`.
        skus: Of which SKUs; all of them if left out. With SKUs, `sku` must be part of the rule's pool.
    """

    lever: Literal["fair_share"] = "fair_share"
    rule: FairShare
    skus: Names = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.skus and "sku" not in self.rule.pool:
            message = "the rule shares what several SKUs have in common: it cannot be for some of them"
            hint = "Leave skus out, or add sku to the pool of the rule"
            raise PolicyError(Problem("setting_conflict", message, column="skus", hint=hint))
        return self


class Rations(Part):
    """Lines get no more than quotas and protection grant them. A ration is a ceiling, not a promise.

    Attributes:
        terms: How quotas and protection are held, as in `docs/fairness.md`.
        quotas: The rows of the table of quotas.
        protections: The rows of the table of protections.
    """

    lever: Literal["rations"] = "rations"
    terms: Quotas
    quotas: Rows = ()
    protections: Rows = ()


class StockLimits(Part):
    """Lines that name a BU and an ASP get no more than the maximum stock limits of their partner leave.

    Attributes:
        limits: As in `docs/limits.md`. What a partner holds is what stock rows of its `bu` and `asp` hold.
    """

    lever: Literal["stock_limits"] = "stock_limits"
    limits: Limits


class Dealing(Part):
    """What the base allocates is promised, and dealt again by a plan: strategies by segment, freezes, change limits.

    Attributes:
        plan: As in `docs/reallocation.md`. Without a stronger line, `gain` keeps what is promised.
    """

    lever: Literal["reallocation"] = "reallocation"
    plan: Reallocation


CeilingLever: TypeAlias = FairShares | Rations | StockLimits
DealingLever: TypeAlias = CeilingLever | Dealing
