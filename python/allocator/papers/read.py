"""What a paper is made from: mappings of plain values, each checked, every problem at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from allocator.errors import InputError, Problem
from allocator.model.document import did_you_mean
from allocator.papers.kinds import COLUMNS, WORKED_OUT, Kind

LINES_MAX: Final = 20_000
"""Lines on one paper: 500 sheets."""

TEXT_MAX: Final = 500
"""Characters of a text; of a note ten times as many."""

DIGITS_MAX: Final = 30
"""Digits of a number."""

PARTY: Final = ("name", "code", "address", "contact")
BOX: Final = ("number", "dimensions", "weight", "packed_by", "lines")
COMMON: Final = ("number", "date", "issuer", "from", "to", "references", "note", "code", "currency")


@dataclass(frozen=True, slots=True)
class Box:
    """Lines that are together; a paper without boxes has one, without a number."""

    number: str
    facts: Mapping[str, str]
    lines: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Content:
    """What a paper says, checked and not yet written: `values` are its texts and days by name."""

    values: Mapping[str, Any]
    parties: Sequence[Mapping[str, Any]]
    references: Mapping[str, str]
    boxes: Sequence[Box]

    @property
    def lines(self) -> Sequence[Mapping[str, Any]]:
        """All lines of all boxes."""
        return [line for box in self.boxes for line in box.lines]


@dataclass(slots=True)
class Reader:
    """Takes values out of mappings and keeps what is wrong with them; `table` is the kind of paper."""

    table: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(
        self, code: str, message: str, at: str, row: int | None = None, *, value: object = None, hint: str = ""
    ) -> None:
        """Notes a problem."""
        shown = None if value is None else str(value)[:80].encode("utf-8", "replace").decode()
        self.problems.append(Problem(code, message, self.table, at, row, shown, hint))

    def mapping(self, given: object, known: Sequence[str], at: str, row: int | None = None) -> Mapping[str, Any]:
        """A mapping with no other keys than the known ones."""
        if not isinstance(given, Mapping):
            self.wrong("argument_type", f"a mapping is expected, not {type(given).__name__}", at, row)
            return {}
        for name in given:
            if name not in known:
                hint = did_you_mean(str(name), known) or f"There are {', '.join(known)}"
                self.wrong("setting_unknown", "the paper has no such field", at, row, value=name, hint=hint)
        return given

    def take(self, given: Mapping[str, Any], name: str, read: Callable[..., Any], *, need: bool, at: str = "",
             row: int | None = None) -> Any:  # noqa: ANN401 # fmt: skip
        """One value, read; None when it is not there or not good."""
        value = given.get(name)
        where = at or name
        if value is None or value == "":
            if need:
                self.wrong("setting_missing", f"{name!r} is needed", where, row)
            return None
        try:
            return read(value)
        except _Unfit as error:
            code, message = error.args
            self.wrong(code, message, where, row, value=value)
            return None


class _Unfit(ValueError):  # noqa: N818 - becomes a problem
    pass


def _text(value: object, length_max: int = TEXT_MAX) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise _Unfit("value_text", f"a text is expected, not {type(value).__name__}")
    if len(value) > length_max:
        raise _Unfit("value_text", f"the text has {len(value)} characters, at most {length_max} fit")
    if "\0" in value:
        raise _Unfit("text_nul", "the text contains a NUL character")
    return value


def _note(value: object) -> str:
    return _text(value, TEXT_MAX * 10)


def _number(value: object) -> str:
    number = _text(value, 64)
    if not number.isascii() or not number.isprintable() or number != number.strip():
        raise _Unfit("number_not_ascii", "the number cannot be a barcode: letters, digits and signs of ASCII can")
    return number


def _day(value: object) -> dt.date:
    if isinstance(value, dt.datetime):
        raise _Unfit("date_with_time", "a day is expected, without a time of day")
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            raise _Unfit("value_text", "the text is not a day such as 2026-06-30") from None
    if not isinstance(value, dt.date):
        raise _Unfit("value_text", f"a day is expected, not {type(value).__name__}")
    return value


def _amount(value: object) -> int | Decimal:
    """An exact number that is not negative; text with a decimal point, as JSON has no decimals, is one too."""
    if isinstance(value, str):
        try:
            value = Decimal(value) if value.isascii() and "_" not in value else value
        except ArithmeticError:
            raise _Unfit("value_text", "the text is not a number such as 12 or 33.60") from None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        hint = ": give a Decimal or a text" if isinstance(value, float) else ""
        raise _Unfit("column_type", f"an exact number is expected, not {type(value).__name__}{hint}")
    if not Decimal(value).is_finite() or value < 0:
        raise _Unfit("qty_out_of_range", "the number is negative or none at all")
    if len(format(value, "f")) > DIGITS_MAX or (isinstance(value, Decimal) and abs(value.adjusted()) > DIGITS_MAX):
        raise _Unfit("value_overflow", f"a number has at most {DIGITS_MAX} digits")
    return value


def _several(value: object) -> Sequence[str]:
    """Texts; one alone may stand without its list."""
    if isinstance(value, list | tuple):
        return [_text(each) for each in value]
    return [_text(value)]


READS: Final[Mapping[str, Callable[[Any], Any]]] = {"qty": _amount, "money": _amount, "day": _day}
EXTRA: Final[Mapping[str, Callable[[Any], Any]]] = {"reverse": _number, "challan": _number, "due_on": _day}


def read_content(name: str, kind: Kind, data: Mapping[str, Any]) -> Content:
    """Reads what a paper of a kind says.

    Raises:
        InputError: Every problem of it, with its place: the field, and the line counted from 0.
    """
    reader = Reader(name)
    given = reader.mapping(data, (*COMMON, *kind.extra, "boxes" if kind.boxed else "lines"), "")
    values = {
        "number": reader.take(given, "number", _number, need=True),
        "date": reader.take(given, "date", _day, need=True),
        "issuer": reader.take(given, "issuer", _text, need=True),
        "note": reader.take(given, "note", _note, need=False),
        "code": reader.take(given, "code", _text, need=False),
        "currency": reader.take(given, "currency", _text, need=False),
        **{each: reader.take(given, each, EXTRA[each], need=False) for each in kind.extra},
    }
    parties = [_party(reader, given, side) for side in ("from", "to")]
    named = given.get("references") or {}
    references = reader.mapping(named, tuple(named), "references")
    told = {
        str(label)[:40]: reader.take(references, label, _text, need=False, at=f"references.{label}") or ""
        for label in references
    }
    content = Content(values, parties, told, _boxes(reader, kind, given))
    if not reader.problems:
        _consistent(reader, content)
    if reader.problems:
        raise InputError(reader.problems)
    return content


def _party(reader: Reader, given: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    if given.get(side) is None:
        reader.wrong("setting_missing", f"{side!r} is needed", side, hint="Give its name, and its address")
        return {}
    said = reader.mapping(given[side], PARTY, side)
    return {
        "name": reader.take(said, "name", _text, need=True, at=f"{side}.name"),
        "code": reader.take(said, "code", _text, need=False, at=f"{side}.code"),
        "address": reader.take(said, "address", _several, need=False, at=f"{side}.address") or [],
        "contact": reader.take(said, "contact", _text, need=False, at=f"{side}.contact"),
    }


def _boxes(reader: Reader, kind: Kind, given: Mapping[str, Any]) -> Sequence[Box]:
    """The boxes; rows of problems count through all lines of the paper."""
    if not kind.boxed:
        return [Box("", {}, _lines(reader, kind, given.get("lines"), "lines", 0))]
    boxes: list[Box] = []
    count = 0
    for at, each in enumerate(_sequence(reader, given.get("boxes"), "boxes")):
        said = reader.mapping(each, BOX, "boxes", at)
        number = reader.take(said, "number", _number, need=True, at="boxes.number", row=at) or ""
        if number and number in (box.number for box in boxes):
            reader.wrong("id_duplicate", "two boxes have one number", "boxes.number", at, value=number)
        facts = {f: reader.take(said, f, _text, need=False, at=f"boxes.{f}", row=at) for f in BOX[1:4]}
        lines = _lines(reader, kind, said.get("lines"), "boxes.lines", count)
        count += len(lines)
        boxes.append(Box(number, {name: fact for name, fact in facts.items() if fact}, lines))
    return boxes


def _sequence(reader: Reader, given: object, at: str) -> Sequence[Any]:
    if not isinstance(given, list | tuple) or not given:
        reader.wrong("setting_missing", f"{at!r} is needed, with at least one entry", at)
        return []
    if len(given) > LINES_MAX:
        hint = "Make several papers"
        reader.wrong("too_many_rows", f"a paper has at most {LINES_MAX:,} of them", at, value=len(given), hint=hint)
        return []
    return given


def _lines(reader: Reader, kind: Kind, given: object, at: str, first: int) -> Sequence[Mapping[str, Any]]:
    known = [c for c in kind.columns if COLUMNS[c].shows not in ("tick", "blank") and c not in WORKED_OUT]
    lines = []
    for row, each in enumerate(_sequence(reader, given, at), start=first):
        said = reader.mapping(each, known, at, row)
        line = {
            name: reader.take(
                said,
                name,
                _several if name == "serial" else READS.get(COLUMNS[name].shows, _text),
                need=name in kind.needs,
                at=name,
                row=row,
            )
            for name in known
            if name in said or name in kind.needs
        }
        lines.append({name: value for name, value in line.items() if value is not None})
    return lines


def _consistent(reader: Reader, content: Content) -> None:
    """What must agree within a paper: serials with quantities, rates with each other, accepted with received."""
    lines = content.lines
    if len(lines) > LINES_MAX:
        reader.wrong("too_many_rows", f"a paper has at most {LINES_MAX:,} lines", "lines", value=len(lines))
    priced = sum("rate" in line for line in lines)
    if priced and not content.values["currency"]:
        reader.wrong("setting_missing", "'currency' is needed where there are rates", "currency")
    for row, line in enumerate(lines):
        if priced and "rate" not in line:
            hint = "Give 0 for what is free"
            reader.wrong("value_null", "the line has no rate, and others have one", "rate", row, hint=hint)
        serials = line.get("serial", ())
        counts = [line[each] for each in ("qty", "received", "shipped") if each in line]
        if serials and len(serials) not in counts:
            message = f"{len(serials)} serials and a quantity of {counts[0]}"
            reader.wrong("serial_quantity", message, "serial", row, value=serials[0])
        if line.get("accepted", 0) > line.get("received", 0):
            message = f"{line['accepted']} accepted of {line['received']} received"
            reader.wrong("qty_out_of_range", message, "accepted", row)
