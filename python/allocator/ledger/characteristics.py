"""What units say of themselves: values of the types that their SKU declares, and fields of the user's own."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from allocator.errors import InputError, Problem
from allocator.ledger.records import Sku
from allocator.model.document import did_you_mean

VERSION: Final = re.compile(r"[vV]?([0-9]{1,9}(?:\.[0-9]{1,9})*)")


def _integer(value: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        raise ValueError("a whole number is expected")
    return int(value)


def _day(value: str) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError("a day is written as 2026-06-30") from None


def _version(value: str) -> str:
    found = VERSION.fullmatch(value)
    if found is None:
        raise ValueError("a version is numbers with points between, as 2.10.1")
    return found[1]


TYPES: Final[Mapping[str, Callable[[str], Any]]] = {"text": str, "integer": _integer, "day": _day, "version": _version}
"""How the text of each type is read."""


def checked(sku: Sku, given: Mapping[str, str], row: int, *, complete: bool = False) -> dict[str, str]:
    """Characteristics as they are kept; '' takes one away.

    Args:
        sku: The SKU of the unit.
        given: Values by name.
        row: The line that gives them.
        complete: Whether all that the SKU requires must be among them.

    Raises:
        InputError: `setting_unknown`, `value_text`, `value_null`: every one of them.
    """
    declared = sku.kept.characteristics
    problems, kept = [], {}
    for name, value in given.items():
        column = f"attributes.{name}"
        if name in declared:
            try:
                kept[name] = str(TYPES[declared[name].type](value)) if value else ""
            except ValueError as unfit:
                problems.append(Problem("value_text", str(unfit), "lines", column, row, value[:80]))
        elif declared and "." not in name:
            hint = did_you_mean(name, list(declared)) or f"There are {', '.join(declared)}; your own is custom.{name}"
            message = f"{sku.sku} has no such characteristic"
            problems.append(Problem("setting_unknown", message, "lines", column, row, value[:80], hint))
        else:
            kept[name] = value
    if complete:
        problems += [
            Problem("value_null", f"units of {sku.sku} must say this", "lines", f"attributes.{name}", row)
            for name, each in declared.items()
            if each.required and not given.get(name)
        ]
    if problems:
        raise InputError(problems)
    return kept


def read(type_: str, value: str | None) -> Any:  # noqa: ANN401 - as the type is
    """A value as its type, None where there is none or it was given before its type was declared."""
    try:
        return TYPES[type_](value) if value else None
    except ValueError:
        return None


def rank_of(version: str) -> tuple[int, ...]:
    """What versions are ordered by; 2.1 and 2.1.0 are one."""
    parts = [int(part) for part in _version(version).split(".")]
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)
