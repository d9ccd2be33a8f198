"""Arguments of a call: each of the type that is asked for, and all that are not told at once."""

from __future__ import annotations

import datetime as dt
import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from allocator.errors import InputError, Problem
from allocator.ledger.lines import GREATEST
from allocator.model.lifecycle import Lifecycle
from allocator.model.policy import Policy

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


def _names(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value))


def _sku(value: object) -> bool:
    """Names and values that can be written down, whatever they say, without half a character anywhere."""
    if not isinstance(value, Mapping):
        return False
    try:
        said = json.dumps(dict(value), sort_keys=True, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return False
    return not any("\ud800" <= c <= "\udfff" for c in said)


_TEXT: Final = (_text, "a text is expected, without NUL or half a character")
_NUMBER: Final = (_number, "a whole number from 0 to 2⁶³ - 1 is expected")
_KINDS: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    **dict.fromkeys(("serial", "sku", "lot", "document", "line_id", "order_id", "key", "origin"), _TEXT),
    **dict.fromkeys(("seq", "stock_id"), _NUMBER),
    "allocation_ids": (_all(_number), "a list of the numbers of allocations is expected"),
    "by": (_some, "a column or a list of them is expected"),
    "skus": (_some, "a SKU or a list of them is expected"),
    "on": (_day, "a date is expected"),
    "details": (_names, "names and values are expected"),
    "policy": (lambda value: isinstance(value, Policy), "a Policy is expected"),
    "hold_s": (_seconds, "a number of seconds is expected, at most those of a hundred years"),
    "lifecycles": (_all(lambda each: isinstance(each, Lifecycle)), "a list of Lifecycles is expected"),
    "rows": (_all(_sku), "a list of SKUs is expected, each names and values, without half a character"),
}
"""By the name of an argument, what it must be, in code and in words."""


def check(*needed: str, **given: object) -> None:
    """Makes sure that arguments are what their names say; one that is None was left out.

    Raises:
        InputError: `argument_type`: every one that is something else, or that is `needed` and was left out.
    """
    problems = []
    for name, value in given.items():
        fits, wanted = _KINDS[name]
        if name in needed if value is None else not fits(value):
            column = "skus" if name == "rows" else name
            problems.append(Problem("argument_type", wanted, column=column, value=type(value).__name__))
    if problems:
        raise InputError(problems)


def listed(value: Any) -> Any:  # noqa: ANN401 - whatever was given
    """A column, set or other run of values as a list, whole numbers of any library as Python's; others as they are."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return value
    return [
        each if isinstance(each, bool) or not hasattr(each, "__index__") else operator.index(each) for each in value
    ]
