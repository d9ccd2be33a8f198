"""What happens to units where they are: inspections, repairs, certificates, contacts, and what their meters show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.given import check
from allocator.ledger.lines import read_lines, shown
from allocator.ledger.records import Heading
from allocator.ledger.selection import load, unit
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.ledger import Ledger

EVENTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "inspection": (("result", "inspector"), ("findings",)),
    "test": (("result",), ("procedure", "tester")),
    "calibration": (("certificate",), ("laboratory", "due_on")),
    "certificate": (("number", "issuer"), ("kind", "valid_until")),
    "repair": (("work",), ("provider", "cost", "parts")),
    "maintenance": (("work",), ("provider", "cost", "parts", "due_on")),
    "contact": (("person", "channel"), ("answer",)),
    "complaint": (("person", "subject"), ("channel",)),
}
"""What can happen to a unit without a movement: what each must say, and may say besides."""


def record(
    ledger: Ledger,
    serial: str,
    event: str,
    *,
    details: Mapping[str, object],
    attributes: Mapping[str, object] | None = None,
    note: str = "",
    actor: str,
    day: dt.date | None = None,
    document: str = "",
    key: str = "",
) -> int:
    """Records what happened to a unit without moving it: an inspection, a repair, a certificate, a contact (SN-12).

    Args:
        ledger: The ledger.
        serial: The unit.
        event: A name of `EVENTS`, which says what its details must and may say.
        details: What there is to say, by name.
        attributes: Characteristics that have another value from now on, as `calibrated_on`.
        note: Free text.
        actor: Who does it.
        day: The day on which it happened; today (UTC) if left out.
        document: The number of its document.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        The number of the transaction.

    Raises:
        InputError: `argument_value`, `setting_unknown`, `value_null`: every one of them; `goods_unknown`.
    """
    check("serial", "event", "details", serial=serial, event=event, details=details, attributes=attributes)
    if event not in EVENTS:
        hint = did_you_mean(event, list(EVENTS)) or f"There are {', '.join(EVENTS)}"
        raise InputError(
            Problem("argument_value", "there is no such event", column="event", value=event[:80], hint=hint)
        )
    needed, further = EVENTS[event]
    known = (*needed, *further)
    problems = [
        Problem("setting_unknown", f"{event} does not say this", "details", name, value=shown(value),
                hint=did_you_mean(name, list(known)) or f"There are {', '.join(known)}")
        for name, value in details.items() if name not in known
    ]  # fmt: skip
    problems += [
        Problem("value_null", f"{event} needs it", "details", name)
        for name in needed
        if isinstance(said := details.get(name), str | None) and not said
    ]
    if problems:
        raise InputError(problems)
    line = {"serial": serial, "event": event, "details": details, "attributes": attributes or {}}
    return ledger.post(
        "note", [{name: value for name, value in line.items() if value}], actor=actor, note=note, day=day,
        document=document, key=key,
    )  # fmt: skip


def read_meter(
    ledger: Ledger,
    serial: str,
    meter: str,
    reading: int | Decimal,
    *,
    correction: str = "",
    actor: str,
    day: dt.date | None = None,
    key: str = "",
) -> int:
    """Records what a meter of a unit shows; the number of the transaction (WD-16).

    Args:
        ledger: The ledger.
        serial: The unit.
        meter: The meter: one of the setting `meters` of its SKU, where that names any.
        reading: What it shows, at least what it showed before.
        correction: The reason for which it shows less, as that it was replaced.
        actor: Who read it.
        day: The day of the reading; today (UTC) if left out.
        key: The caller's key, so that a repeat is answered and not done again.

    Raises:
        InputError: `meter_backwards`; `setting_unknown`: the SKU has no such meter; `column_type`, `goods_unknown`.
    """
    check("serial", "meter", serial=serial, meter=meter)
    heading = ledger.heading("note", actor=actor, reason=correction, day=day, key=key)
    if isinstance(reading, bool) or not isinstance(reading, int | Decimal) or not Decimal(reading).is_finite():
        raise InputError(
            Problem("column_type", "a reading is an int or a Decimal", column="reading", value=shown(reading))
        )
    attributes = {f"meter.{meter}": reading}
    (line,) = read_lines([{"serial": serial, "event": "meter reading", "attributes": attributes}])
    return int(ledger.do(partial(note_meter, heading=heading, line=line, meter=meter), heading, line))


def note_meter(book: Book, heading: Heading, line: Mapping[str, Any], meter: str) -> int:
    """Notes what a meter of a unit shows, within a book; refusals are those of `read_meter`."""
    load(book, [line])
    goods_id = unit(book, line, None)
    meters = book.catalog.sku(book.goods[goods_id].sku_id).kept.meters
    if meters and meter not in meters:
        hint = did_you_mean(meter, list(meters)) or f"There are {', '.join(meters)}"
        raise InputError(
            Problem("setting_unknown", "the SKU has no such meter", column="meter", value=meter, hint=hint)
        )
    name = f"meter.{meter}"
    before = book.values([name], [goods_id]).get((goods_id, name))
    if before is not None and Decimal(line["attributes"][name]) < Decimal(before) and not heading.reason:
        hint = "Read it again, or give the reason as correction"
        message = f"it showed {before} before"
        raise InputError(
            Problem("meter_backwards", message, column="reading", value=line["attributes"][name], hint=hint)
        )
    return change.post(book, heading, [line])
