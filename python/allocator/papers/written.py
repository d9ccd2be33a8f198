"""Values as a paper shows them: exact, the same everywhere, and safe to read."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal

NARROW = "\u202f"
"""Between the thousands: neither a comma nor a point, which countries read differently. Source: ISO 80000-1, 7.3.1."""

MISLEADING = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ufeff]")
"""Marks that turn the direction of what follows: a serial with one of them does not read as it is."""


def text(value: str) -> str:
    r"""One line of text without what cannot be seen; what could mislead shows as a replacement mark.

    Example:
        >>> text("Main\nstore")
        'Main store'
        >>> text("SN-12\u202e43")
        'SN-12\ufffd43'
    """
    shown = MISLEADING.sub("\ufffd", unicodedata.normalize("NFC", value))
    shown = " ".join(shown.split())
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Co", "Cn") else c for c in shown)


def quantity(value: int | Decimal) -> str:
    """All digits as given, with gaps between the thousands from five digits on.

    Example:
        >>> quantity(Decimal("33.60")), quantity(1200), quantity(Decimal("1E+4"))
        ('33.60', '1200', '10\u202f000')
    """
    plain = format(Decimal(value), "f")
    whole, point, decimals = plain.partition(".")
    if len(whole) > 4:
        whole = f"{int(whole):,}".replace(",", NARROW)
    return f"{whole}{point}{decimals}"


def money(value: int | Decimal) -> str:
    """At least two decimals, more where there are more: nothing is rounded.

    Example:
        >>> money(125), money(Decimal("0.1250")), money(Decimal("12500.5"))
        ('125.00', '0.125', '12\u202f500.50')
    """
    whole, _, decimals = format(Decimal(value), "f").partition(".")
    return quantity(Decimal(f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"))


def day(value: dt.date) -> str:
    """Year, month, day: the one order that nobody reads differently. Source: ISO 8601."""
    return value.isoformat()


def total(parts: Iterable[tuple[int | Decimal, str]]) -> str:
    """Quantities added up, unit by unit.

    Example:
        >>> total([(2, ""), (3, ""), (Decimal("1.5"), "m")])
        '5, 1.5 m'
    """
    sums: dict[str, int | Decimal] = {}
    for qty, unit in parts:
        sums[unit] = sums.get(unit, 0) + qty
    return ", ".join(f"{quantity(qty)} {unit}".strip() for unit, qty in sums.items())


def differences(line: Mapping[str, int | Decimal]) -> dict[str, int | Decimal]:
    """How what was received differs from what was shipped; only what is not nothing.

    Example:
        >>> differences({"shipped": 10, "received": 8, "damaged": 1, "wrong": 0})
        {'short': 2, 'damaged': 1}
    """
    over = line["received"] - line.get("wrong", 0) - line["shipped"]
    found = {"short": -over, "excess": over, "damaged": line.get("damaged", 0), "wrong part": line.get("wrong", 0)}
    return {what: qty for what, qty in found.items() if qty > 0}
