"""Lines of a transaction as they are given: checked value by value, every problem at once."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any, Final, TypeAlias

from allocator.errors import InputError, Problem
from allocator.frames.read import Source, read
from allocator.ledger.records import day_number
from allocator.model.document import did_you_mean
from allocator.model.limits import MONEY_MAX, MONEY_SCALE

Given: TypeAlias = Mapping[str, Any]
Lines: TypeAlias = "Given | Sequence[Given] | Source"

TEXT_LENGTH_MAX: Final = 200
NOTE_LENGTH_MAX: Final = 10_000
LONG: Final = 10**TEXT_LENGTH_MAX
"""Whole numbers from here on are too long for a text."""

GREATEST: Final = 2**63 - 1

EXACT: Final = Context(prec=1_000_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Arithmetic that rounds away no digit of what anyone would write; Python's own does after 28 of them."""

_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,30})?")


class Unfit(ValueError):  # noqa: N818 - becomes a problem of the line
    """A value that a column does not take; says why, with a code."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code, self.hint = code, hint
        super().__init__(message)


def shown(value: object) -> str:
    """A value in a message: as Python writes it, in ASCII, and no more of it than a message can bear."""
    try:
        return ascii(value)[:80]
    except Exception:
        # Nested too deep, or it cannot say what it is.
        return type(value).__name__


def text(value: object, length_max: int = TEXT_LENGTH_MAX) -> str:
    """A text that can be stored, compared and printed: composed (NFC), without control characters or outer blanks."""
    if isinstance(value, str):
        if value.isascii() and value.isprintable() and 0 < len(value) <= length_max and value == value.strip():
            return value
        return _composed(value, length_max)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LONG:
        return str(value)
    raise Unfit("value_text", f"a text is expected, not {type(value).__name__}")


def _composed(value: str, length_max: int) -> str:
    value = unicodedata.normalize("NFC", value)
    if not value.strip():
        raise Unfit("value_empty", "the text is empty")
    if "\0" in value:
        raise Unfit("text_nul", "the text contains a NUL character")
    if len(value) > length_max:
        raise Unfit("value_text", f"the text has {len(value)} characters, at most {length_max} are kept")
    if any(unicodedata.category(c) in ("Cc", "Cs", "Cf") for c in value):
        raise Unfit("value_text", "the text contains characters that cannot be seen")
    if value != value.strip():
        raise Unfit("value_text", "the text begins or ends with a blank", "Strip it: what looks alike must be alike")
    return value


def path(value: object) -> str:
    """A place: levels joined by `/`."""
    place = text(value)
    if not all(level and level == level.strip() for level in place.split("/")):
        raise Unfit("place_malformed", "a place is written as levels joined by '/'", "As in 'north/store 1/A-04'")
    return place


def quantity(value: object) -> int | Decimal:
    """A quantity: an integer or a Decimal, never a float."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        hint = "Give an int or a Decimal: a float cannot say 33.60"
        raise Unfit("column_type", f"a quantity is expected, not {type(value).__name__}", hint)
    if isinstance(value, Decimal) and not value.is_finite():
        raise Unfit("qty_out_of_range", "the quantity is not a number")
    return value


def day(value: object) -> int:
    """A day."""
    if isinstance(value, dt.datetime):
        raise Unfit("date_with_time", "a day has no time of day")
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            raise Unfit("value_text", "a day is written as 2026-06-30") from None
    if not isinstance(value, dt.date):
        raise Unfit("column_type", f"a day is expected, not {type(value).__name__}", "Give a datetime.date")
    return day_number(value)


def number(value: object) -> int:
    """A number that identifies something."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= GREATEST:
        raise Unfit("column_type", "a number is expected")
    return value


def money(value: object) -> str:
    """An amount, exact."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unfit("column_type", f"an amount is expected, not {type(value).__name__}", "Give a Decimal")
    if isinstance(value, str) and not _AMOUNT.fullmatch(value):
        raise Unfit("column_type", "this is no amount", "As in 33.60")
    amount = Decimal(value)
    if not amount.is_finite() or not 0 <= amount <= MONEY_MAX:
        raise Unfit("money_out_of_range", "an amount is at least 0 and at most 10¹²")
    if amount.quantize(Decimal(1).scaleb(-MONEY_SCALE), context=EXACT) != amount:
        hint = "Round it where it is known what may be lost"
        raise Unfit("money_too_fine", f"an amount has at most {MONEY_SCALE} decimal places", hint)
    return f"{abs(amount):f}"


def mapping(value: object) -> dict[str, str]:
    """Names and values."""
    if not isinstance(value, Mapping):
        raise Unfit("column_type", f"names and values are expected, not {type(value).__name__}")
    return {text(name): _plain(each) for name, each in value.items() if each is not None}


def _plain(value: object) -> str:
    """A value of a characteristic as it is kept: a day as 2026-06-30, a number as it is written, '' for none."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}"
    return "" if isinstance(value, str) and not value else text(value, NOTE_LENGTH_MAX)


COLUMNS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sku": text, "serial": text, "lot": text, "stock_id": number, "allocation_id": number, "qty": quantity,
    "location": path, "status": text, "condition": text, "owner": text, "holder": text,
    "to_location": path, "to_status": text, "to_condition": text, "to_owner": text, "to_holder": text,
    "received_on": day, "expires_on": day, "stock_class": text, "unit_cost": money, "line_id": text, "order_id": text,
    "new_serial": text, "attributes": mapping, "numbers": mapping, "details": mapping, "event": text, "note": text,
}  # fmt: skip
"""Every column that a line of a transaction may have, and how its value is read."""


def mappings_of(given: Lines, table: str) -> Sequence[Given]:
    """One line, several, or a table of them: each as a value by column.

    Raises:
        InputError: It is nothing of that.
    """
    if isinstance(given, list | tuple) and all(type(row) is dict or isinstance(row, Mapping) for row in given):
        return given
    if isinstance(given, Mapping) and not any(isinstance(v, list | tuple) for v in given.values()):
        return [given]
    return read(given, table).to_dicts()  # type: ignore[arg-type]


def names_of(given: str | Iterable[str]) -> list[str]:
    """One name, or several: a single text is one, not as many as it has letters."""
    return [given] if isinstance(given, str) else list(given)


def read_lines(
    given: Lines,
    needed: Iterable[str] = (),
    columns: Mapping[str, Callable[[Any], Any]] = COLUMNS,
    table: str = "lines",
) -> list[dict[str, Any]]:
    """Lines with their values read; what is null is left out.

    Args:
        given: The lines.
        needed: What each must say.
        columns: What a line may say, and how it is read.
        table: What problems call them.

    Raises:
        InputError: Every problem of every line.
    """
    problems: list[Problem] = []
    rows = mappings_of(given, table)
    lines = [_read_line(row, number_, problems, columns, table) for number_, row in enumerate(rows)]
    for number_, row in enumerate(rows):
        # What is there and cannot be read was told.
        lacking = [name for name in needed if row.get(name) is None]
        problems += [Problem("value_null", f"a line needs {name}", table, name, number_) for name in lacking]
    if not lines:
        problems.append(Problem("argument_value", "there is no line", table, hint="Say what it is about"))
    if problems:
        raise InputError(problems)
    return lines


def _read_line(
    row: Given, number_: int, problems: list[Problem], columns: Mapping[str, Callable[[Any], Any]], table: str
) -> dict[str, Any]:
    line = {}
    for name, value in row.items():
        if value is None:
            continue
        reader = columns.get(name) if isinstance(name, str) else None
        if reader is None:
            hint = did_you_mean(str(name), list(columns)) or f"There are {', '.join(columns)}"
            problems.append(
                Problem("setting_unknown", "a line has no such column", table, str(name)[:80], number_, hint=hint)
            )
            continue
        try:
            line[name] = reader(value)
        except Unfit as unfit:
            problems.append(Problem(unfit.code, str(unfit), table, name, number_, shown(value), unfit.hint))
    return line
