"""Exact values as people write them: one value has one notation inside, whatever file it came from."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, Discriminator, Field, PlainSerializer, Tag

from allocator.model.document import Name

DIGITS_MAX = 15
"""A number with a point has at most so many digits: more are not the same in every file format."""

NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)
"""Text that is a number; other text may name a column."""

NumberText = Annotated[str, Field(pattern=rf"^{NUMBER.pattern}$")]
"""The same for a JSON Schema."""

Whole = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)]
"""A whole number; not text, not a boolean."""

Flag = Annotated[bool, Field(strict=True)]
"""`true` or `false`; not 1, not `yes`."""

Days = Annotated[Whole, Field(ge=0, le=100_000)]


def _number(value: float | Decimal) -> int | Decimal:
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    if not exact.is_finite():
        raise ValueError("NaN and infinity are no quantities")
    if exact == exact.to_integral_value():
        return int(exact)
    exact = exact.normalize()
    if len(exact.as_tuple().digits) > DIGITS_MAX:
        raise ValueError(f"a number with a point has at most {DIGITS_MAX} digits")
    return exact


def _quantity(value: object) -> object:
    """5, 5.0 and "5" are one quantity."""
    if isinstance(value, bool):
        raise ValueError("a quantity is a number")
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = Decimal(value)
    number = _number(value) if isinstance(value, float | Decimal) else value
    return Decimal(number) if isinstance(number, int) else number


MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
"""Begins a moment as TOML and YAML hand it on: text, as JSON has none."""


def _constant(value: object) -> object:
    """5 and 5.0 are one constant. Text that spells a day is that day, as JSON has no days."""
    if not isinstance(value, bool | int | float | Decimal | dt.date | str):
        raise ValueError("a constant is a number, a day, text, true or false")
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, dt.datetime) or (isinstance(value, str) and MOMENT.match(value)):
        raise ValueError("a constant is a day, not a time of day")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("the number is too large")
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            return value
    return value


def _plain(value: object) -> object:
    """The value as every file format has it; exact, because a Decimal with a point has few digits."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, dt.date) else value


RATIO = "a ratio is exact: a whole number, or text such as '1/9' or '2.5'"


def _ratio(value: object) -> object:
    if isinstance(value, Fraction | Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return Fraction(value)
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,18}([./]\d{1,18})?", value, re.ASCII):
        raise ValueError(RATIO)
    try:
        return Fraction(value)
    except ZeroDivisionError:
        raise ValueError(RATIO) from None


Ratio = Annotated[
    Fraction,
    BeforeValidator(_ratio, json_schema_input_type=Whole | Annotated[str, Field(pattern=r"^\d+([./]\d+)?$")]),
    PlainSerializer(str, return_type=str),
    Field(gt=0),
]
"""An exact ratio above zero."""

RatioOrZero = Annotated[
    Fraction,
    BeforeValidator(_ratio, json_schema_input_type=Whole | Annotated[str, Field(pattern=r"^\d+([./]\d+)?$")]),
    PlainSerializer(str, return_type=str),
    Field(ge=0),
]
"""An exact ratio, or nothing at all."""

Qty = Annotated[
    Decimal,
    BeforeValidator(_quantity, json_schema_input_type=float | NumberText),
    PlainSerializer(_plain, return_type=int | float, when_used="json"),
    Field(gt=0, max_digits=18),
]
"""A quantity above zero, in base units."""

QtyOrZero = Annotated[
    Decimal,
    BeforeValidator(_quantity, json_schema_input_type=float | NumberText),
    PlainSerializer(_plain, return_type=int | float, when_used="json"),
    Field(ge=0, max_digits=18),
]
"""A quantity, or nothing at all, in base units."""

Constant = Annotated[
    bool | int | Decimal | dt.date | str,
    Field(union_mode="smart"),
    BeforeValidator(_constant, json_schema_input_type=bool | int | float | str),
    PlainSerializer(_plain, return_type=bool | int | float | str, when_used="json"),
]
"""What a column can be compared with: a boolean, a number, a day or text."""

Amount = Annotated[
    Annotated[Qty, Tag("|quantity")] | Annotated[Name, Tag("|column")],
    Discriminator(lambda value: "|column" if isinstance(value, str) and not NUMBER.fullmatch(value) else "|quantity"),
]
"""A quantity, or the name of a demand column that holds one for every line."""

Constants = Annotated[
    Annotated[Constant, Tag("|one")] | Annotated[tuple[Constant, ...], Tag("|list")],
    Discriminator(lambda value: "|list" if isinstance(value, list | tuple) else "|one"),
]
"""One constant, or a list of them."""

Where: TypeAlias = dict[Name, Constants]
"""Which rows: a value, or a list of values, by column; all must hold. `location` means the place and all below it."""

Share = Annotated[
    Decimal,
    BeforeValidator(_quantity, json_schema_input_type=float | NumberText),
    PlainSerializer(_plain, return_type=int | float, when_used="json"),
    Field(ge=0, le=1, max_digits=9),
]
"""A part of 1."""
