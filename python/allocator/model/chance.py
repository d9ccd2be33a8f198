"""Chance: stated distributions, and levers that draw from them. `docs/what-if.md` says how a draw is made."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Name, Part
from allocator.model.exact import Ratio, RatioOrZero, Share, Where, Whole

DAYS_MAX = 3_650
FACTOR_MAX = 1_000
VALUES_MAX = 1_000
SEED_MAX = 2**53 - 1
"""Every file format holds it exactly."""

Seed = Annotated[Whole, Field(ge=0, le=SEED_MAX)]


class Uniform(Part):
    """Every value from `low` to `high` is as likely as any other."""

    shape: Literal["uniform"] = "uniform"
    low: RatioOrZero
    high: RatioOrZero

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        _ascending(self, "low", "high")
        return self


class Triangular(Part):
    """Values from `low` to `high`, those near `mode` most likely: what people can say without statistics."""

    shape: Literal["triangular"] = "triangular"
    low: RatioOrZero
    mode: RatioOrZero
    high: RatioOrZero

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        _ascending(self, "low", "mode", "high")
        return self


class Values(Part):
    """One of some values; `weights` say how likely each is beside the others, alike if left out."""

    shape: Literal["values"] = "values"
    values: Annotated[tuple[RatioOrZero, ...], Field(min_length=1, max_length=VALUES_MAX)]
    weights: tuple[Ratio, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.weights and len(self.weights) != len(self.values):
            raise ValueError(f"{len(self.values)} values have {len(self.weights)} weights")
        return self


Distribution: TypeAlias = Annotated[Uniform | Triangular | Values, Field(discriminator="shape")]


class Late(Part):
    """A receipt is late with this chance, by so many whole days (rounded, half up)."""

    chance: Share
    days: Distribution

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        _at_most(self.days, DAYS_MAX, "days")
        return self


class Short(Part):
    """A receipt is short with this chance: `factor` of it comes, in thousandths, rounded down to units."""

    chance: Share
    factor: Distribution

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        _at_most(self.factor, 1, "factor")
        return self


class SupplyUncertain(Part):
    """What is not yet received may come late, or short. Rows received by `as_of` are not touched.

    Attributes:
        where: Which stock rows.
        per: The column of which each value has one draw, such as a supplier; null: each row has its own.
        late: How likely, and by how many days.
        short: How likely, and how much then comes.
        seed: Another seed, other draws; the same seed, the same draws.
    """

    lever: Literal["supply_uncertain"] = "supply_uncertain"
    where: Where = Field(default_factory=dict)
    per: Name | None = None
    late: Late | None = None
    short: Short | None = None
    seed: Seed = 0

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.late is None and self.short is None:
            message = "the lever says nothing: give late, short or both"
            raise PolicyError(Problem("setting_missing", message, column="late"))
        return self


class DemandUncertain(Part):
    """Lines may ask for more, or less: `factor` in thousandths, rounded to the nearest unit of the tables, half up.

    Attributes:
        where: Which lines.
        per: The column of which each value has one draw, such as `sku` or `customer`; null: each line has its own.
        chance: How likely it is that a line asks otherwise at all.
        factor: How much it then asks.
        seed: Another seed, other draws; the same seed, the same draws.
    """

    lever: Literal["demand_uncertain"] = "demand_uncertain"
    where: Where = Field(default_factory=dict)
    per: Name | None = None
    chance: Share = Decimal(1)
    factor: Distribution
    seed: Seed = 0

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        _at_most(self.factor, FACTOR_MAX, "factor")
        return self


Uncertain: TypeAlias = SupplyUncertain | DemandUncertain


def _ascending(part: Part, *names: str) -> None:
    found = [getattr(part, name) for name in names]
    if found != sorted(found):
        raise ValueError(f"{', '.join(names)} ascend")


def _at_most(distribution: Uniform | Triangular | Values, most: int, setting: str) -> None:
    """Refuses a distribution that reaches beyond what makes sense."""
    reached: Fraction = max(distribution.values) if isinstance(distribution, Values) else distribution.high
    if reached > most:
        message = f"the distribution reaches {reached}, more than {most}"
        raise PolicyError(Problem("setting_value", message, column=setting, value=str(reached)))
