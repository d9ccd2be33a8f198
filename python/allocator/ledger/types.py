"""The types of transaction: where goods come from and go to, what each needs, and the event that it is for a lifecycle.

One table, read by the ledger, by `docs/ledger.md` and by the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from allocator.ledger.records import Kind

Need = Literal["document", "reason", "note", "role", "approval"]


@dataclass(frozen=True)
class Type:
    """One type of transaction.

    Attributes:
        name: Its name.
        meaning: One sentence.
        takes: Kinds of account that it takes goods from; empty where it moves none.
        gives: The kind of account that it brings them to; None leaves them where they are.
        needs: What it cannot be without.
        event: The event that it is for a lifecycle: a transition on this event is made with it.
        sets: The columns of a line that say where goods go, beside `kind`.
        tells: The columns of a line that are recorded of the goods, wherever they are.
        blocked: Whether blocked goods may do this.
    """

    name: str
    meaning: str
    takes: tuple[Kind, ...] = ()
    gives: Kind | None = None
    needs: tuple[Need, ...] = ()
    event: str = ""
    sets: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()
    blocked: bool = False


ORIGINS: Final[Mapping[str, tuple[Need, ...]]] = {
    "supplier": ("document",),
    "production": ("document",),
    "transfer": ("document",),
    "brought": ("document",),
    "found": ("reason", "note"),
    "migration": ("reason",),
}
"""Where received goods come from, and what a receipt from there needs. A transfer receives what is in transit; brought
is what a customer hands over, as the part that another one replaced."""

_PLACE: Final = ("to_location",)
_STATE: Final = ("to_status", "to_condition")
_UNIT: Final = ("numbers", "attributes")

TYPES: Final[Mapping[str, Type]] = {
    each.name: each
    for each in (
        Type("receive", "Goods come in.", ("transit",), "stock", (), "received", (*_PLACE, *_STATE),
             ("received_on", "expires_on", "stock_class", "unit_cost", *_UNIT), blocked=True),
        Type("move", "Goods go to another place.", ("stock",), None, (), "moved", (*_PLACE, *_STATE), blocked=True),
        Type("reserve", "Goods are promised to a demand line.", ("stock",), None, (), "reserved"),
        Type("release", "A promise is taken back.", ("stock",), None, (), "released", blocked=True),
        Type("confirm", "A hold becomes a promise without end.", ("stock",)),
        Type("pick", "Promised goods are taken from their place.", ("stock",), None, (), "picked", _PLACE),
        Type("put_back", "Picked goods go back to a place.", ("stock",), None, (), "put_back", _PLACE, blocked=True),
        Type("ship", "Goods leave on their way.", ("stock",), "transit", ("document",), "shipped",
             (*_PLACE, "to_holder")),
        Type("deliver", "Goods reach a customer; title stays.", ("transit", "stock"), "customer", (), "delivered",
             ("to_holder", *_PLACE)),
        Type("consume", "Goods are used up.", ("stock", "transit", "customer"), "consumed", ("document",), "consumed",
             ("to_holder",)),
        Type("return", "Goods come back; they keep their receipt date, expiry and origin.",
             ("transit", "customer", "rental", "consumed"), "stock", ("document",), "returned", (*_PLACE, *_STATE)),
        Type("adjust", "A count found more or less than was on record.", ("stock",), "lost", ("reason",), "adjusted",
             tells=("event",), blocked=True),
        Type("block", "Goods may not be given out, for a reason.", ("stock",), None, ("reason",), "blocked",
             blocked=True),
        Type("unblock", "One reason is lifted; the last one frees the goods.", ("stock",), None, ("reason",),
             "unblocked", blocked=True),
        Type("change_status", "Goods change status or condition.", ("stock", "transit", "customer", "rental"), None, (),
             "", (*_STATE, *_PLACE), blocked=True),
        Type("change_owner", "Title passes, where the goods stay.", ("stock", "transit", "customer", "rental"), None,
             ("document",), "", ("to_owner",), blocked=True),
        Type("sell", "Goods go to a customer, and title with them.", ("stock",), "customer", ("document",), "sold",
             ("to_holder", "to_owner")),
        Type("invoice", "Title of delivered goods passes to the customer.", ("customer", "rental"), "customer",
             ("document",), "invoiced", ("to_owner",)),
        Type("credit", "Invoiced goods come back, and title with them.", ("customer",), "stock", ("document",),
             "returned", (*_PLACE, *_STATE)),
        Type("rent", "Goods go to a customer and must come back.", ("stock",), "rental", ("document",), "rented",
             ("to_holder", *_PLACE)),
        Type("scrap", "Goods are disposed of.", ("stock",), "scrap", ("reason",), "scrapped", blocked=True),
        Type("register", "A customer brings a device of their own, which never enters the warehouse.", ("own",), "own"),
        Type("withdraw", "A customer takes a device of their own out of use.", ("own",), "brought"),
        Type("renumber", "A unit gets another number.", (), None, ("reason",), tells=("new_serial",), blocked=True),
        Type("note", "Something happened to a unit without a movement.", (), None, (),
             tells=("event", "note", "details", *_UNIT), blocked=True),
        Type("reverse", "The opposite of one earlier transaction.", (), None, ("reason",), blocked=True),
        Type("purge", "The words of a history go when their time is over.", needs=("reason",), blocked=True),
        Type("define", "SKUs or lifecycles are set up.", ()),
        Type("document", "A document goes on, and no goods with it.", blocked=True),
    )
}  # fmt: skip
"""Every type of transaction, by name."""

TOLD: Final = frozenset(name for each in TYPES.values() for name in each.tells)
"""Every column that one type or another records of goods."""
