"""Lines that are promised stock anew: what was asked, as it is on record, decided again."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from allocator.ledger.book import Book
from allocator.ledger.records import Heading, Line
from allocator.ledger.reserve import Wish, reserve
from allocator.model.policy import Policy
from allocator.model.tables import DEMAND

_READERS: Final = {"day": dt.date.fromisoformat, "moment": dt.datetime.fromisoformat}


def wish_of(book: Book, line: Line) -> dict[str, Any]:
    """A recorded line as it was asked for; days and moments, which are on record as text, as what they are."""
    sku = book.catalog.sku(line.sku_id)
    said: dict[str, Any] = json.loads(line.details) if line.details else {}
    for name, value in said.items():
        column = DEMAND.get(name)
        if column is not None and column.kind in _READERS and isinstance(value, str):
            said[name] = _READERS[column.kind](value)
    qty = Decimal(line.qty).scaleb(-sku.scale) if sku.scale else line.qty
    return {**said, "line_id": line.line_id, "order_id": line.order_id, "sku": sku.sku, "qty": qty}


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
    book.catalog.load_sku_ids(book.session, {line.sku_id for each in line_ids if (line := book.lines[each])})
    rows = [{**wish_of(book, line), **(named or {})} for each in line_ids if (line := book.lines[each]) is not None]
    said = heading._replace(type="reserve", key="", day=day)
    told: list[dict[str, Any]] = reserve(book, said, Wish(rows, policy, day, hold_until))["lines"]
    return told
