"""What the ledger speaks of: accounts, goods, SKUs, and the head of a transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, NamedTuple

from allocator.model.lifecycle import Lifecycle
from allocator.model.sku import SkuSettings

Kind = Literal[
    "stock",
    "transit",
    "customer",
    "rental",
    "consumed",
    "scrap",
    "lost",
    "own",
    "supplier",
    "production",
    "found",
    "migration",
    "brought",
]

SOURCES: Final = frozenset({"supplier", "production", "found", "migration", "brought"})
"""Kinds of account that goods come from: they have no balance of their own, and may give without end."""

OWNED: Final = ("stock", "transit", "customer", "rental")
"""Kinds of account in which goods of the business are still its own, whoever has them."""

GONE: Final = frozenset({"consumed", "scrap", "lost"})
"""Kinds of account that goods are in when they are no longer anywhere."""

TRACKED_BY_UNIT: Final = frozenset({"serial", "both"})

EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def day_number(day: dt.date) -> int:
    """Days since 1970."""
    return day.toordinal() - EPOCH


def day_of(number: int) -> dt.date:
    """The day of a number of days since 1970."""
    return dt.date.fromordinal(number + EPOCH)


def moment_of(microseconds: int) -> dt.datetime:
    """The moment of microseconds since 1970, in UTC."""
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)


class Account(NamedTuple):
    """Where goods are, in which status, whose they are and who has them. '' where there is nothing to say.

    Attributes:
        kind: `stock` is on hand at a place; `transit` is on its way; `customer` and `rental` are with a customer;
            `own` is a customer's own device, which never enters the warehouse; `consumed`, `scrap` and `lost` are
            gone; the rest are sources.
        location: The place, as a path.
        status: Status in the lifecycle of the SKU.
        condition: new, repaired, used, defective, …
        owner: Who has title; '' is the business.
        holder: Who has it in hand: a customer, a carrier, a van.
        blocks: The reasons for which it is blocked, in alphabetical order, joined by `+`.
    """

    kind: Kind
    location: str = ""
    status: str = ""
    condition: str = ""
    owner: str = ""
    holder: str = ""
    blocks: str = ""


class Goods(NamedTuple):
    """A unit with a serial, or what one receipt brought of anything else."""

    goods_id: int
    sku_id: int
    lot: str
    serial: str
    received_on: int
    expires_on: int | None
    stock_class: str
    unit_cost: str
    seq: int


@dataclass(frozen=True)
class Sku:
    """How a SKU is kept.

    Attributes:
        sku_id: Its number.
        sku: Its name.
        tracking: `none`, `lot`, `serial`, or `both`: serials within a lot.
        scale: Decimal places of its quantities.
        lifecycle: The lifecycle in force for it.
        settings: Everything else that was said, by name.
    """

    sku_id: int
    sku: str
    tracking: str
    scale: int
    lifecycle: Lifecycle
    settings: dict[str, Any]

    @cached_property
    def kept(self) -> SkuSettings:
        """The settings, read."""
        return SkuSettings(**self.settings)

    @property
    def by_unit(self) -> bool:
        """Whether each piece has a serial."""
        return self.tracking in TRACKED_BY_UNIT


class Movement(NamedTuple):
    """One entry: goods leave an account for another, with what of it was promised before and is promised after."""

    goods_id: int
    from_id: int
    to_id: int
    qty: int
    unreserved: int = 0
    reserved: int = 0
    allocation_id: int | None = None
    line_id: str = ""
    details: str = ""


class Heading(NamedTuple):
    """What is said of a transaction as a whole."""

    type: str
    actor: str
    role: str = ""
    approved_by: str = ""
    document_kind: str = ""
    document: str = ""
    reason: str = ""
    note: str = ""
    day: int = 0
    key: str = ""
    reverses: int | None = None
    details: str = ""

    def asked(self) -> Heading:
        """What of it was asked for, by which a repeat is known."""
        return self


class Today(Heading):
    """A heading of today, because nobody said a day: asked again tomorrow, it is the same request."""

    __slots__ = ()

    def asked(self) -> Heading:
        """What of it was asked for: no day."""
        return self._replace(day=0)


class Line(NamedTuple):
    """A demand line as the ledger knows it."""

    line_id: str
    order_id: str
    sku_id: int
    qty: int
    allocated: int = 0
    shipped: int = 0
    returned: int = 0
    details: str = ""
    seq: int = 0


class Allocation(NamedTuple):
    """An open promise of some goods in one account to a line."""

    allocation_id: int
    line_id: str
    goods_id: int
    account_id: int
    unit: int
    qty: int
    stage: str
    expires_at: int | None


class Balance(NamedTuple):
    """What of some goods is in an account, and how much of that is promised."""

    qty: int
    reserved: int
