"""What a scanned label says: GS1 element strings, digital links and plain GTINs, read by biip."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable
from typing import Final

import biip
import polars as pl
from biip.gs1_digital_link_uris import GS1DigitalLinkURI
from biip.gs1_element_strings import GS1ElementString
from biip.gs1_messages import GS1Message

from allocator.errors import InputError, Problem
from allocator.numbers.identifiers import check_identifiers
from allocator.numbers.spelling import PROBLEM, Texts, column_of

LABEL_LENGTH_MAX: Final = 2_048
"""Longer than any symbol of GS1 holds in characters that its element strings may have."""

COLUMNS: Final = {"01": "gtin", "00": "sscc", "10": "lot", "21": "serial"}
DATES: Final = {"17": "expires_on", "15": "best_before_on", "11": "made_on"}

_SCHEMA: Final = dict.fromkeys(COLUMNS.values(), pl.String()) | dict.fromkeys(DATES.values(), pl.Date())
_SYMBOLOGY = re.compile(r"\A\](?:C1|e[0-3]|d[12]|Q[13]|J1|E[04]|I1)")
# biip takes the century, and with it whether there is a 29th of February, from the clock.
_CONFIG = biip.ParseConfig(gs1_element_strings_verify_date=False)


def read_labels(texts: Texts, *, on: dt.date) -> pl.DataFrame:
    """What each scan says.

    A scan is an element string with or without the scanner's symbology identifier, FNC1 being the character U+001D
    (`]C1010952012345678810ABC␝17261231`), the same with the brackets that are printed below it
    (`(01)09520123456788(10)ABC`), a GS1 digital link (`https://…/01/09520123456788/10/ABC`) or a plain GTIN of 8, 12,
    13 or 14 digits. Rules on which identifiers belong together are not checked, nor is what they do not name here.

    Args:
        texts: Scans; null is a missing one.
        on: Today. A year of two digits is the one from 49 years before to 50 years after it (GS1 General
            Specifications 7.12); a day of 00 is the last of its month.

    Returns:
        One row per scan, in the order given: `gtin` (String of 14 digits, AI 01), `sscc` (00), `lot` (10), `serial`
        (21), `expires_on` (Date, 17), `best_before_on` (15), `made_on` (11), each null where the label does not say
        it, and `problem` (Enum of codes; null where nothing is wrong: `value_null`, `value_empty`, `label_malformed`,
        `label_check_digit`, `label_date`, `label_contradiction`).

    Raises:
        InputError: `column_type`, `argument_type`.

    Cost: biip reads one scan at a time, some ten thousand a second; every text once, however often it is there.

    Example:
        >>> read = read_labels(["(01)09520123456788(17)261200(10)ABC(21)S1"], on=dt.date(2026, 1, 1))
        >>> label = read.row(0, named=True)
        >>> label["gtin"], label["lot"], label["serial"], label["expires_on"].isoformat()
        ('09520123456788', 'ABC', 'S1', '2026-12-31')
    """
    if not isinstance(on, dt.date) or isinstance(on, dt.datetime):
        hint = "Give a datetime.date: the clock is never read"
        raise InputError(Problem("argument_type", "on is not a date", value=type(on).__name__, hint=hint))
    given = column_of(texts, "label")
    unique = given.unique(maintain_order=True)
    schema = {"label": pl.String(), **_SCHEMA, "problem": PROBLEM}
    read = pl.DataFrame([_read(text, on) for text in unique], schema=schema, orient="row")
    return (
        given.to_frame("label")
        .join(read, on="label", how="left", nulls_equal=True, maintain_order="left")
        .drop("label")
    )


def _read(text: str | None, on: dt.date) -> dict[str, object]:
    """One scan, by the names of the columns."""
    found: dict[str, object] = {"label": text}
    if not text:
        return found | {"problem": "value_null" if text is None else "value_empty"}
    if re.fullmatch(r"(?:\]E[04]|\]I1)?(?:[0-9]{8}|[0-9]{12,14})", text):
        gtin, problem = check_identifiers([_SYMBOLOGY.sub("", text)], "gtin").row(0)
        return found | {"gtin": gtin, "problem": problem and "label_check_digit"}
    try:
        elements = _elements(text)
    except (biip.BiipException, ValueError):  # urllib raises ValueError on some addresses
        return found | {"problem": "label_malformed"}
    return found | _said(elements, on)


def _elements(text: str) -> Iterable[GS1ElementString]:
    if len(text) > LABEL_LENGTH_MAX or re.search(r"[^\x1d\x20-\x7e]", text):
        raise biip.ParseError("no label has such characters, or so many")
    message = _SYMBOLOGY.sub("", text)
    if re.match("(?i:https?)://", message):
        return GS1DigitalLinkURI.parse(message, config=_CONFIG).element_strings
    if message.startswith("("):
        if " " in message or re.sub(r"\([0-9]{2,4}\)[^()]+", "", message):
            raise biip.ParseError("brackets are around identifiers only")
        return GS1Message.parse_hri(message, config=_CONFIG).element_strings
    message = message.strip("\x1d")
    if not message or " " in (message[0], message[-1]):
        raise biip.ParseError("blanks around a message, or nothing in it")
    return GS1Message.parse(message, config=_CONFIG).element_strings


def _said(elements: Iterable[GS1ElementString], on: dt.date) -> dict[str, object]:
    said: dict[str, object] = {}
    for element in elements:
        ai, value = element.ai.ai, element.value
        if element.gtin_error or element.sscc_error or element.gln_error:
            return {"problem": "label_check_digit"}
        day = _day(value, on) if ai in DATES else None
        if ai in DATES and day is None:
            return {"problem": "label_date"}
        column = COLUMNS.get(ai) or DATES.get(ai, f"AI {ai}")
        if said.setdefault(column, day or value) != (day or value):
            return {"problem": "label_contradiction"}
    return {column: value for column, value in said.items() if column in _SCHEMA}


def _day(digits: str, on: dt.date) -> dt.date | None:
    """A date of six digits, in the century that is nearest."""
    year, month, day = (int(digits[start : start + 2]) for start in (0, 2, 4))
    year += on.year - on.year % 100
    year += 100 if year - on.year < -49 else -100 if year - on.year > 50 else 0
    try:
        return dt.date(year, month, day or calendar.monthrange(year, month)[1])
    except (ValueError, calendar.IllegalMonthError):
        return None
