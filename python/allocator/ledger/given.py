"""Arguments of a call: each of the type that is asked for, and all that are not told at once."""

from __future__ import annotations

import datetime as dt
import json
import math
import operator
import os
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final
from unicodedata import normalize

from allocator.errors import InputError, Problem
from allocator.ledger.lines import GREATEST
from allocator.model.importing import ImportMapping
from allocator.model.lifecycle import Lifecycle
from allocator.model.notices import Notices
from allocator.model.number import NumberRules
from allocator.model.policy import Policy
from allocator.model.retention import Retention

HOLD_S_MAX: Final = 100 * 366 * 86_400
"""A hundred years: whatever ends later has no end."""


def _text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= GREATEST


def _all(test: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list | tuple) and all(map(test, value))


def _some(value: object) -> bool:
    """One text or several."""
    return _text(value) or (isinstance(value, list | tuple) and all(map(_text, value)))


def _seconds(value: object) -> bool:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return numeric and math.isfinite(value) and abs(value) <= HOLD_S_MAX  # type: ignore[arg-type]


def _day(value: object) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _said(value: object) -> str:
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError("this is no number")
    return str(value)


def written(value: object) -> str:
    """A value as it is recorded beside what the ledger reads of it: JSON, the same for the same value.

    Raises:
        TypeError, ValueError, RecursionError: It has names that are none, numbers that are none, or no end.
    """
    return json.dumps(value, sort_keys=True, default=_said, ensure_ascii=False, separators=(",", ":"))


def is_writable(value: object) -> bool:
    """Whether a value can be written down, whatever it says, without half a character anywhere."""
    try:
        said = written(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return said.isascii() or not any("\ud800" <= c <= "\udfff" for c in said)


def _names(value: object) -> bool:
    """Names, and values that can be written down."""
    return isinstance(value, Mapping) and all(map(_text, value)) and is_writable(dict(value))


def _papers(value: object) -> bool:
    return _names(value) and all(_names(each) for each in value.values())  # type: ignore[attr-defined]


def _path(value: object) -> bool:
    return _text(os.fspath(value)) if isinstance(value, str | os.PathLike) else False


def _of(kind: type, words: str) -> tuple[Callable[[object], bool], str]:
    return lambda value: isinstance(value, kind), f"{words} is expected"


_TEXT: Final = (_text, "a text is expected, without NUL or half a character")
_TEXTS: Final = (
    "serial", "sku", "lot", "document", "line_id", "order_id", "key", "origin", "status", "location", "holder",
    "customer", "sale_document", "to_location", "to_status", "condition", "result", "inspector", "disposition",
    "new_serial", "owner", "kind", "event", "meter", "subscription", "service", "carrier", "tracking_number", "stage",
    "outcome", "reason", "form", "other",
)  # fmt: skip
_NUMBER: Final = (_number, "a whole number from 0 to 2⁶³ - 1 is expected")
_NAMES: Final = (_names, "names and values are expected, without half a character")
_SOME: Final = (_some, "a text or a list of them is expected, without NUL or half a character")
_FLAG: Final = _of(bool, "true or false")
_PATH: Final = (_path, "a path is expected")
_DAY: Final = (_day, "a date is expected")
_KINDS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    **dict.fromkeys(_TEXTS, _TEXT),
    **dict.fromkeys(("seq", "stock_id", "allocation_id", "count"), _NUMBER),
    **dict.fromkeys(("details", "attributes", "usage", "stages"), _NAMES),
    **dict.fromkeys(("text", "lots", "serials"), _SOME),
    **dict.fromkeys(("own", "credit", "dry_run", "good_rows_only"), _FLAG),
    **dict.fromkeys(("path", "folder", "archive", "report"), _PATH),
    **dict.fromkeys(("on", "day"), _DAY),
    "allocation_ids": (_all(_number), "a list of the numbers of allocations is expected"),
    "by": (_some, "a column or a list of them is expected"),
    "skus": (_some, "a SKU or a list of them is expected"),
    "documents": (_papers, "by serial, the number of each kind of document is expected"),
    "policy": _of(Policy, "a Policy"),
    "other_policy": _of(Policy, "a Policy"),
    "mapping": _of(ImportMapping, "an ImportMapping"),
    "number_rules": _of(NumberRules, "a NumberRules"),
    "notices": _of(Notices, "a Notices"),
    "retention": _of(Retention, "a Retention"),
    "progress": (callable, "a function is expected"),
    "hold_s": (_seconds, "a number of seconds is expected, at most those of a hundred years"),
    "lifecycles": (_all(lambda each: isinstance(each, Lifecycle)), "a list of Lifecycles is expected"),
    "rows": (_all(_names), "a list of SKUs is expected, each names and values, without half a character"),
}
"""By the name of an argument, what it must be, in code and in words."""

_CALLED: Final = {"other": "by", "rows": "skus", "number_rules": "rules", "notices": "rules", "retention": "rules"}
"""The name that an argument has in the call, where one name stands for several things."""


def check(*needed: str, **given: object) -> None:
    """Makes sure that arguments are what their names say; one that is None was left out.

    Raises:
        InputError: `argument_type`: every one that is something else, or that is `needed` and was left out.
    """
    problems = []
    for name, value in given.items():
        fits, wanted = _KINDS[name]
        if name in needed if value is None else not fits(value):
            column = _CALLED.get(name, name)
            problems.append(Problem("argument_type", wanted, column=column, value=type(value).__name__))
    if problems:
        raise InputError(problems)


def composed(**given: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever was given
    """Arguments with texts as they are recorded: what looks alike is alike, however it was typed."""
    return {name: normalize("NFC", value) if isinstance(value, str) else value for name, value in given.items()}


def listed(value: Any) -> Any:  # noqa: ANN401 - whatever was given
    """A column, set or other run of values as a list, whole numbers of any library as Python's; others as they are."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return value
    return [
        each if isinstance(each, bool) or not hasattr(each, "__index__") else operator.index(each) for each in value
    ]
