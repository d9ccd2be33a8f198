"""What each kind of paper shows, as data: its parties, its columns, who signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Shows = Literal["text", "code", "qty", "money", "day", "tick", "blank"]
"""What a cell holds. A code is read letter by letter; a tick and a blank are filled in by hand."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its head, what its cells hold, and how wide it is at least; `loud` where it is read first."""

    label: str
    shows: Shows
    mm_min: int = 8
    loud: bool = False


COLUMNS: Final[Mapping[str, Column]] = {
    "place": Column("Place", "code", loud=True),
    "sku": Column("SKU", "code"),
    "name": Column("Description", "text", 24),
    "serial": Column("Serial", "code"),
    "lot": Column("Lot", "code"),
    "expires_on": Column("Expires", "day", 19),
    "condition": Column("Condition", "text", 14),
    "shipped": Column("Shipped", "qty"),
    "received": Column("Received", "qty"),
    "damaged": Column("Damaged", "qty"),
    "wrong": Column("Wrong part", "qty"),
    "accepted": Column("Accepted", "qty", loud=True),
    "difference": Column("Difference", "text", 24, loud=True),
    "qty": Column("Qty", "qty", loud=True),
    "unit": Column("Unit", "text", 9),
    "rate": Column("Rate", "money"),
    "amount": Column("Amount", "money"),
    "order": Column("For", "code"),
    "returns": Column("Must come back", "text", 22),
    "reason": Column("Reason", "text", 15),
    "job": Column("Job", "code"),
    "origin": Column("Came by", "code"),
    "remark": Column("Remark", "text", 20),
    "picked": Column("Picked", "tick", 12),
    "unused": Column("Unused", "blank", 16),
    "defective": Column("Defective serial", "blank", 36),
}
"""Every column that a paper can have."""

WORKED_OUT: Final = frozenset({"difference", "amount"})
"""Columns that follow from others."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of paper.

    Attributes:
        title: What stands on top.
        parties: What the two parties are to each other.
        columns: Names of `COLUMNS`, from left to right. One that no line has is left out.
        needs: The columns that every line must have.
        extra: What the paper says besides what all papers say.
        signs: Who signs for what.
        boxed: Whether the lines are in boxes.
    """

    title: str
    parties: tuple[str, str]
    columns: tuple[str, ...]
    needs: tuple[str, ...]
    extra: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    boxed: bool = False


_UNIT: Final = ("sku", "name", "serial", "lot")
_PACKED: Final = (*_UNIT, "expires_on", "qty", "unit")

KINDS: Final[Mapping[str, Kind]] = {
    "delivery_challan": Kind(
        "Delivery challan",
        ("From", "Deliver to"),
        (*_UNIT, "expires_on", "condition", "qty", "unit", "rate", "amount", "returns"),
        ("sku", "qty"),
        extra=("reverse", "due_on"),
        signs=("Issued by", "Carried by", "Received by"),
    ),
    "reverse_challan": Kind(
        "Reverse delivery challan",
        ("Collect from", "Bring to"),
        (*_UNIT, "qty", "unit", "returns", "unused", "defective"),
        ("sku", "qty", "returns"),
        extra=("challan", "due_on"),
        signs=("Handed back by", "Received by"),
    ),
    "goods_receipt": Kind(
        "Goods receipt note",
        ("Shipped by", "Received at"),
        (*_UNIT, "expires_on", "shipped", "received", "damaged", "wrong", "accepted", "difference", "remark"),
        ("sku", "shipped", "received", "accepted"),
        signs=("Counted by", "Accepted by"),
    ),
    "pick_list": Kind(
        "Pick list",
        ("Pick at", "For"),
        ("place", *_UNIT, "expires_on", "order", "qty", "unit", "picked"),
        ("place", "sku", "qty"),
        signs=("Picked by", "Checked by"),
    ),
    "packing_list": Kind(
        "Packing list", ("From", "Ship to"), _PACKED, ("sku", "qty"), signs=("Packed by", "Checked by"), boxed=True
    ),
    "box_label": Kind("Box", ("From", "Ship to"), _PACKED, ("sku", "qty"), boxed=True),
    "return_note": Kind(
        "Return note",
        ("Returned by", "Return to"),
        (*_UNIT, "expires_on", "reason", "qty", "unit", "rate", "amount", "job", "origin"),
        ("sku", "qty", "reason"),
        signs=("Packed by", "Carried by", "Received by"),
    ),
    "write_off": Kind(
        "Write-off",
        ("Last held by", "Missing from"),
        (*_UNIT, "expires_on", "reason", "qty", "unit", "rate", "amount"),
        ("sku", "qty", "reason"),
        extra=("challan",),
        signs=("Reported by", "Approved by"),
    ),
}
"""Every kind of paper, by name. A packing list and its box labels are made from the same data."""
