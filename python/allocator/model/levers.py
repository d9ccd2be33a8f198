"""Levers: what each says would be otherwise in demand, supply or policy. `docs/what-if.md` explains each."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.chance import DemandUncertain, SupplyUncertain
from allocator.model.consistency import AT_LEAST_ONE, checked, filled, unique
from allocator.model.dealing import DealingLever
from allocator.model.document import Name, Names, Part, did_you_mean
from allocator.model.exact import Days, Flag, Qty, Ratio, Where, Whole
from allocator.model.lifecycle import Lifecycle
from allocator.model.policy import Contracts, DemandOrder, Fill, SafetyStock, ShelfLife, StockOrder, Substitutes

Key = Annotated[Whole | Name, Field(union_mode="left_to_right")]
DAYS_MOVED_MAX = 36_500
DaysMoved = Annotated[Whole, Field(ge=-DAYS_MOVED_MAX, le=DAYS_MOVED_MAX)]


# --- demand ---


class DemandSurge(Part):
    """Lines ask for `factor` times as much, rounded to the nearest unit of the tables, half up. Below 1 it is a drop.

    Attributes:
        where: Which lines; all of them if left out.
        factor: An exact ratio above zero.
    """

    lever: Literal["demand_surge"] = "demand_surge"
    where: Where = Field(default_factory=dict)
    factor: Ratio


class DemandCancel(Part):
    """Lines are not asked for.

    Attributes:
        where: Which lines.
    """

    lever: Literal["demand_cancel"] = "demand_cancel"
    where: Where = Field(default_factory=dict)


class NewLine(Part):
    """A demand line, with columns as in `docs/tables.md`; quantities in base units."""

    line_id: Key
    order_id: Key | None = None
    sku: Key
    qty: Qty
    location: Name | None = None
    priority: Whole = 0
    requested_at: dt.datetime | None = None
    needed_on: dt.date | None = None
    contract_type: Name | None = None
    customer: Key | None = None
    lot: Key | None = None
    serial: Key | None = None
    min_shelf_life_days: Days | None = None
    owner: Key | None = None
    fill: Name | None = None
    bu: Name | None = None
    sku_group: Name | None = None


class DemandNew(Part):
    """Further lines are asked for.

    Attributes:
        lines: The lines.
    """

    lever: Literal["demand_new"] = "demand_new"
    lines: Annotated[tuple[NewLine, ...], AT_LEAST_ONE, checked(filled)]


class DemandPriority(Part):
    """Lines have another priority.

    Attributes:
        where: Which lines.
        priority: The lower is served first.
    """

    lever: Literal["demand_priority"] = "demand_priority"
    where: Where = Field(default_factory=dict)
    priority: Whole


class DemandDue(Part):
    """Lines are needed on another day: so many `days` later (earlier if negative), or on a day.

    Attributes:
        where: Which lines.
        days: Added to `needed_on`; a line without one stays without.
        needed_on: The day, for all of them.
    """

    lever: Literal["demand_due"] = "demand_due"
    where: Where = Field(default_factory=dict)
    days: DaysMoved | None = None
    needed_on: dt.date | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        _exactly_one(self, "days", "needed_on")
        return self


# --- supply ---


class SupplyLate(Part):
    """What is not yet received comes later. Rows received by `as_of` are not touched.

    Attributes:
        where: Which stock rows.
        days: Added to `received_on`; negative for earlier.
    """

    lever: Literal["supply_late"] = "supply_late"
    where: Where = Field(default_factory=dict)
    days: DaysMoved


class SupplyShort(Part):
    """There is less: `factor` of what is on hand, rounded down; what is reserved stays.

    Attributes:
        where: Which stock rows.
        factor: Above 0, at most 1.
    """

    lever: Literal["supply_short"] = "supply_short"
    where: Where = Field(default_factory=dict)
    factor: Annotated[Ratio, Field(le=1)]


class SupplyMore(Part):
    """There is more of what there is: each row has so many units more on hand. A serial cannot.

    Attributes:
        where: Which stock rows.
        units: Added to `qty_on_hand` of each row, in base units.
    """

    lever: Literal["supply_more"] = "supply_more"
    where: Where = Field(default_factory=dict)
    units: Qty


class SupplyRecalled(Part):
    """Stock is not there at all, reserved or not.

    Attributes:
        where: Which stock rows.
    """

    lever: Literal["supply_recalled"] = "supply_recalled"
    where: Where = Field(default_factory=dict)


class NewStock(Part):
    """A stock row, with columns as in `docs/tables.md`; quantities in base units."""

    stock_id: Key
    sku: Key
    qty_on_hand: Qty
    location: Name | None = None
    received_on: dt.date | None = None
    expires_on: dt.date | None = None
    lot: Key | None = None
    serial: Key | None = None
    owner: Key | None = None
    condition: Name = "new"
    status: Name = "available"
    blocked: Flag = False
    stock_class: Name | None = None
    unit_cost: Qty | None = None


class SupplyExtra(Part):
    """There is more: further rows of stock.

    Attributes:
        rows: The rows.
    """

    lever: Literal["supply_extra"] = "supply_extra"
    rows: Annotated[tuple[NewStock, ...], AT_LEAST_ONE, checked(filled)]


class SupplyBlocked(Part):
    """Stock is blocked, or free again.

    Attributes:
        where: Which stock rows.
        blocked: Whether it is blocked.
    """

    lever: Literal["supply_blocked"] = "supply_blocked"
    where: Where = Field(default_factory=dict)
    blocked: Flag = True


class SupplyStatus(Part):
    """Stock has another status: a repair is finished, a quarantine is lifted.

    Attributes:
        where: Which stock rows.
        status: The status that they then have.
        lifecycle: Changes that it does not list are refused; without one any change will do.
    """

    lever: Literal["supply_status"] = "supply_status"
    where: Where = Field(default_factory=dict)
    status: Name
    lifecycle: Lifecycle | None = None

    @field_validator("lifecycle", mode="before")
    @classmethod
    def _is_preset(cls, given: object) -> object:
        # A preset by its name; a scenario that comes from elsewhere does not say which file is read here.
        return Lifecycle.load(given) if isinstance(given, str) and given.isidentifier() else given

    @model_validator(mode="after")
    def _knows_it(self) -> Self:
        known = self.lifecycle.state_of if self.lifecycle is not None else {self.status: ""}
        if self.status not in known:
            hint = did_you_mean(self.status, list(known)) or f"It has {', '.join(known)}"
            problem = Problem("status_unknown", "the lifecycle has no such status", column="status", value=self.status)
            raise PolicyError(replace(problem, hint=hint))
        return self


class UnitCost(Part):
    """Stock costs otherwise: `factor` times as much, or so much. Nothing is allocated otherwise; values change.

    Attributes:
        where: Which stock rows.
        factor: An exact ratio; a row without a cost stays without. Rounded to six decimals, half up.
        unit_cost: Value of one base unit.
    """

    lever: Literal["unit_cost"] = "unit_cost"
    where: Where = Field(default_factory=dict)
    factor: Ratio | None = None
    unit_cost: Qty | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        _exactly_one(self, "factor", "unit_cost")
        return self


# --- policy ---


class Statuses(Part):
    """Further statuses may be allocated, or some no longer.

    Attributes:
        allow: Statuses that may be allocated as well.
        forbid: Statuses that may no longer.
    """

    lever: Literal["statuses"] = "statuses"
    allow: Names = ()
    forbid: Names = ()


class Places(Part):
    """Further places serve nobody, or some serve again, each with all below it.

    Attributes:
        exclude: Places that serve nobody.
        include: Places that the policy excludes, and that serve again.
    """

    lever: Literal["places"] = "places"
    exclude: Names = ()
    include: Names = ()


class OtherShelfLife(Part):
    """Other terms of expiry and remaining shelf life, in place of all that the policy says of them."""

    lever: Literal["shelf_life"] = "shelf_life"
    shelf_life: ShelfLife


class Pair(Part):
    """`substitute` stands in for `sku`."""

    sku: Name
    substitute: Name


class OtherSubstitutes(Part):
    """Further substitutes, tried after those of the policy, or some no longer.

    Attributes:
        add: Entries as in a policy.
        remove: Pairs that the policy has.
    """

    lever: Literal["substitutes"] = "substitutes"
    add: Substitutes = ()
    remove: tuple[Pair, ...] = ()


class OtherContracts(Part):
    """Another contract matrix in place of the policy's; without one contracts do not matter."""

    lever: Literal["contracts"] = "contracts"
    contracts: Contracts | None = None


class OtherFills(Part):
    """Other fill rules.

    Attributes:
        fill: The rule of every line that names none; None leaves the policy's.
        fills: Further rules by name; they replace the policy's of the same name.
    """

    lever: Literal["fill"] = "fill"
    fill: Fill | None = None
    fills: dict[Name, Fill] = Field(default_factory=dict)


class Orders(Part):
    """Other orders; None leaves the policy's.

    Attributes:
        demand_order: In which order lines are served.
        stock_order: In which order a line looks at stock.
    """

    lever: Literal["orders"] = "orders"
    demand_order: DemandOrder | None = None
    stock_order: StockOrder | None = None


class OtherSafetyStock(Part):
    """Other quantities kept back.

    Attributes:
        entries: They replace the policy's of the same SKU and place.
        drop: SKUs of which nothing is kept back that the policy names.
    """

    lever: Literal["safety_stock"] = "safety_stock"
    entries: Annotated[tuple[SafetyStock, ...], checked(unique(lambda s: (s.sku, s.location), "{0.sku}".format))] = ()
    drop: Names = ()


DemandLever: TypeAlias = DemandSurge | DemandCancel | DemandPriority | DemandDue | DemandUncertain
SupplyLever: TypeAlias = (
    SupplyLate | SupplyShort | SupplyMore | SupplyRecalled | SupplyBlocked | SupplyStatus | SupplyUncertain | UnitCost
)
RowLever: TypeAlias = DemandLever | SupplyLever
NewRows: TypeAlias = DemandNew | SupplyExtra
PolicyLever: TypeAlias = (
    Statuses
    | Places
    | OtherShelfLife
    | OtherSubstitutes
    | OtherContracts
    | OtherFills
    | Orders
    | OtherSafetyStock
)  # fmt: skip
Lever: TypeAlias = RowLever | NewRows | PolicyLever | DealingLever


def _exactly_one(part: Part, *names: str) -> None:
    if sum(getattr(part, name) is not None for name in names) != 1:
        raise ValueError(f"give exactly one of {' and '.join(names)}")
