"""Shipping units, with what the carrier says and the documents that go with each (SN-17)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.given import check
from allocator.ledger.lines import Lines, read_lines
from allocator.ledger.records import Heading
from allocator.ledger.selection import load, unit
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.ledger import Ledger

DOCUMENTS: Final = ("warranty card", "calibration certificate", "certificate of conformity")
"""Kinds of document that go with a unit; those in the setting `documents` of its SKU must."""


def ship_units(
    ledger: Ledger,
    lines: Lines,
    *,
    carrier: str,
    service: str = "",
    tracking_number: str = "",
    documents: Mapping[str, Mapping[str, str]] | None = None,
    document: str,
    actor: str,
    day: dt.date | None = None,
    key: str = "",
) -> int:
    """Ships goods with what the carrier says and the documents of each unit (SN-17); the number of the transaction.

    Args:
        ledger: The ledger.
        lines: The goods, as in `Ledger.post("ship", …)`; the carrier is their holder.
        carrier: Who takes them.
        service: The carrier's service.
        tracking_number: The carrier's number.
        documents: By serial, the number of each kind of document that goes with it.
        document: The number of the shipping document.
        actor: Who does it.
        day: The day of dispatch; today (UTC) if left out.
        key: The caller's key, so that a repeat is answered and not done again.

    Raises:
        InputError: `document_missing`: a unit lacks a kind of document that its SKU's setting `documents` names;
            `setting_unknown`: there is no such kind; `goods_unknown`: the documents name a unit that is not shipped;
            everything of `Ledger.post("ship", …)`.
    """
    check("carrier", "service", "tracking_number", carrier=carrier, service=service, tracking_number=tracking_number,
          documents=documents)  # fmt: skip
    told = {"carrier": carrier, "service": service, "tracking_number": tracking_number, "documents": documents or {}}
    heading = ledger.heading("ship", actor=actor, document=document, day=day, key=key,
                             details={name: value for name, value in told.items() if value})  # fmt: skip
    rows = read_lines(lines)
    rows = [{"to_holder": carrier, **line} for line in rows]
    return int(ledger.do(partial(_ship, heading=heading, lines=rows, documents=documents or {}), heading, rows))


def _ship(
    book: Book, heading: Heading, lines: Sequence[Mapping[str, Any]], documents: Mapping[str, Mapping[str, str]]
) -> int:
    load(book, lines)
    book.find_numbers(documents)
    problems, named = [], set()
    for row, line in enumerate(lines):
        promise = book.allocations.get(line.get("allocation_id", 0))
        goods_id = promise.goods_id if promise else unit(book, line, row) if "serial" in line else None
        if goods_id is None or not book.goods[goods_id].serial:
            continue
        mine = {s for s in documents if goods_id in {goods for _, goods in book.numbers[s]}}
        named |= mine
        given = {kind for serial in mine for kind in documents[serial]}
        sku = book.catalog.sku(book.goods[goods_id].sku_id)
        known = [*DOCUMENTS, *sku.kept.documents]
        problems += [
            Problem("setting_unknown", "there is no such kind of document", "documents", kind, row,
                    hint=did_you_mean(kind, known) or f"There are {', '.join(dict.fromkeys(known))}")
            for kind in sorted(given - set(known))
        ]  # fmt: skip
        problems += [
            Problem("document_missing", f"{book.serial_of(goods_id)} is not shipped without", "documents", kind, row)
            for kind in sku.kept.documents
            if kind not in given
        ]
    problems += [
        Problem("goods_unknown", "the unit is not among those that are shipped", "documents", value=serial)
        for serial in documents
        if serial not in named
    ]
    if problems:
        raise InputError(problems)
    return change.post(book, heading, lines)
