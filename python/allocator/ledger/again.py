"""Lines that are promised stock anew: what was asked, as it is on record, decided again."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from allocator.frames.quantity import quantity_columns
from allocator.ledger.book import Book
from allocator.ledger.measures import RATIO, filled
from allocator.ledger.records import Heading, Line
from allocator.ledger.reserve import Wish, reserve
from allocator.ledger.selection import exact
from allocator.model.policy import Policy
from allocator.model.tables import DEMAND

_READERS: Final = {"day": dt.date.fromisoformat, "moment": dt.datetime.fromisoformat}

_NUMBER: Final = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")


def wish_of(book: Book, line: Line, policy: Policy) -> dict[str, Any]:
    """A recorded line as it was asked for, in base units; what is on record as text as what it is.

    Raises:
        InputError: `qty_step`, `qty_out_of_range`: what a fill rule of the policy reads of it does not fit its SKU.
    """
    sku = book.catalog.sku(line.sku_id)
    said: dict[str, Any] = json.loads(line.details) if line.details else {}
    for name, value in said.items():
        column = DEMAND.get(name)
        if column is not None and column.kind in _READERS and isinstance(value, str):
            said[name] = _READERS[column.kind](value)
    for name in quantity_columns("demand", policy):
        if isinstance(value := said.get(name), str):
            # A quantity with decimal places is on record as text.
            said[name] = Decimal(value) if _NUMBER.fullmatch(value) else value
    if said.pop("unit", None) is not None:
        # How many base units it was then: the policy of now may say otherwise, or nothing.
        said |= filled(said, Fraction(said.pop(RATIO)), sku, policy, 0)
    told = {"line_id": line.line_id, "order_id": line.order_id, "sku": sku.sku, "qty": exact(line.qty, sku.scale)}
    return {**said, **told}


def reserve_again(
    book: Book, heading: Heading, line_ids: Iterable[str], policy: Policy, *, day: int, hold_until: int | None = None,
    named: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Promises lines what they lack now; what each got, as `Ledger.reserve` tells it.

    Args:
        book: The book, in which what was promised is released already.
        heading: What is said of the change that this is part of.
        line_ids: The lines.
        policy: Which stock may serve them.
        day: The day on which is decided.
        hold_until: When the promise ends, if it is a hold.
        named: Columns that the lines ask for beside their own, as a serial.
    """
    lines = [line for each in line_ids if (line := book.lines[each]) is not None]
    book.catalog.load_sku_ids(book.session, {line.sku_id for line in lines})
    rows = [{**wish_of(book, line, policy), **(named or {})} for line in lines]
    said = heading._replace(type="reserve", key="", day=day)
    told: list[dict[str, Any]] = reserve(book, said, Wish(rows, policy, day, hold_until))["lines"]
    return told
