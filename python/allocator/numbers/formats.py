"""Numbers of a format: checked by the column, taken apart, and made."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.model.number import Case, NumberFormat, Segment, segments
from allocator.numbers import digits
from allocator.numbers.spelling import Texts, column_of, mark, problem_of, spelling_problems

COUNT_MAX = 10_000_000
"""How many numbers one call makes."""

_PATTERNS = {"year": "[0-9]{4}", "year_short": "[0-9]{2}", "month": "(?:0[1-9]|1[0-2])"}


@dataclass(frozen=True, slots=True)
class NumberParts:
    """What a number says.

    Attributes:
        number: The number as it is compared: in capitals, unless the format says else.
        year: The year; of two digits, one of this century. None if the format has none.
        month: The month, from 1; None if the format has none.
        sequence: Its place in the sequence.
        check: The check digit; None if the format has none.
    """

    number: str
    year: int | None
    month: int | None
    sequence: int
    check: str | None


def check_numbers(numbers: Texts, number_format: NumberFormat | None = None, *, case: Case = "upper") -> pl.DataFrame:
    """Says of each number whether it is one.

    Args:
        numbers: Texts, as read or typed; null is a missing number.
        number_format: The format of the SKU; None takes whatever can be printed.
        case: How letters are compared where there is no format.

    Returns:
        One row per number, in the order given: `number` (String; as it is compared, null where it is none) and
        `problem` (Enum of codes; null where nothing is wrong, otherwise the first thing that is: of its spelling,
        then `number_pattern`, then `check_digit_wrong`).

    Raises:
        InputError: `column_type`.

    Cost: linear; millions of numbers a second (`benches/bench_numbers.py`).

    Example:
        >>> chiller = NumberFormat(pattern="CM500-YYYY-NNNN")
        >>> check_numbers(["CM500-2025-0046", "cm500-2025-0047", "CM500-25-48", "CM500-2025-0049 "], chiller).rows()
        [('CM500-2025-0046', None), ('CM500-2025-0047', None), (None, 'number_pattern'), (None, 'number_blank')]
    """
    given = column_of(numbers)
    problem = spelling_problems(given)
    number = given.str.to_uppercase() if (number_format.case if number_format else case) == "upper" else given
    # Only what is ASCII: the capital of a dotless i, which is not ASCII, is.
    number = number.set(problem.is_not_null(), None).alias("number")
    if number_format is not None:
        off = (~number.str.contains(_regex(number_format))).fill_null(False)
        problem = mark(problem, off.arg_true(), "number_pattern")
        number = number.set(off, None)
        if number_format.check is not None:
            wrong = _wrong_check(number, number_format)
            problem = mark(problem, wrong, "check_digit_wrong")
            number = number.scatter(wrong, None) if len(wrong) else number
    return pl.DataFrame([number, problem])


def number_parts(numbers: Texts, number_format: NumberFormat) -> pl.DataFrame:
    """What each number says, where it is one.

    Returns:
        One row per number, in the order given: `number` and `problem` as of `check_numbers`, `year` (Int32),
        `month` (Int8), `sequence` (Int64) and `check` (String). Null where the number is none, or the format has no
        such part.

    Raises:
        InputError: `column_type`.
    """
    found = check_numbers(numbers, number_format)
    by_kind = {segment.kind: segment for segment in segments(number_format.pattern)}

    def part(segment: Segment | None) -> pl.Expr:
        return pl.lit(None, pl.String) if segment is None else pl.col("number").str.slice(segment.start, segment.width)

    short = "year_short" in by_kind
    year = part(by_kind.get("year_short" if short else "year")).cast(pl.Int32) + (2000 if short else 0)
    return found.with_columns(
        year=year,
        month=part(by_kind.get("month")).cast(pl.Int8),
        sequence=part(by_kind["sequence"]).cast(pl.Int64),
        check=part(by_kind.get("check")),
    )


def parse_number(text: str, number_format: NumberFormat) -> NumberParts:
    """What one number says.

    Raises:
        InputError: What is wrong with it, as of `check_numbers`.

    Example:
        >>> parse_number("cm500-2025-0046", NumberFormat(pattern="CM500-YYYY-NNNN")).sequence
        46
    """
    row = number_parts([text], number_format).row(0, named=True)
    if (code := row.pop("problem")) is not None:
        raise InputError(problem_of(code, text, "numbers", "number", None))
    return NumberParts(**row)


def counter_period(number_format: NumberFormat, on: dt.date) -> str:
    """The key of the counter that is in force on a day: `2026` (yearly), `2026-03` (monthly) or "" (never reset)."""
    year, month = f"{on.year:04}", f"{on.month:02}"
    return {"yearly": year, "monthly": f"{year}-{month}", "never": ""}[number_format.reset]


def generate_numbers(number_format: NumberFormat, sequence_next: int, count: int, *, on: dt.date) -> pl.Series:
    """The next numbers of a format. Where the sequence stands is the caller's to know, per `counter_period`.

    Args:
        number_format: The format.
        sequence_next: The place in the sequence of the first number.
        count: How many, at most `COUNT_MAX`.
        on: The day whose year and month the numbers carry.

    Returns:
        `number` (String), in the order of the sequence.

    Raises:
        InputError: `sequence_overflow` if the sequence has not that many left; `argument_value`.

    Example:
        >>> chiller = NumberFormat(pattern="CM500-YYYY-NNNN", reset="yearly")
        >>> generate_numbers(chiller, 46, 2, on=dt.date(2025, 3, 1)).to_list()
        ['CM500-2025-0046', 'CM500-2025-0047']
    """
    problems = []
    for name, value, least, most in (("sequence_next", sequence_next, 0, 10**18), ("count", count, 0, COUNT_MAX)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            message = f"{name} is a whole number from {least} to {most}"
            problems.append(Problem("argument_value", message, column=name, value=str(value)))
    if not problems and count and sequence_next + count - 1 > number_format.sequence_max:
        left = max(0, number_format.sequence_max + 1 - sequence_next)
        message = f"the sequence ends at {number_format.sequence_max}: {left} numbers are left, {count} are asked for"
        hint = "Give the SKU a format with more Ns"
        problems.append(Problem("sequence_overflow", message, value=number_format.pattern, hint=hint))
    if problems:
        raise InputError(problems)
    texts = {"year": f"{on.year:04}", "year_short": f"{on.year % 100:02}", "month": f"{on.month:02}"}
    sides = {"head": "", "tail": ""}
    for segment in segments(number_format.pattern):
        if segment.kind not in ("sequence", "check"):
            side = "head" if segment.start < _sequence_of(number_format).start else "tail"
            sides[side] += texts.get(segment.kind, segment.text)
    sequence = pl.int_range(sequence_next, sequence_next + count, dtype=pl.Int64)
    return spell(
        pl.select(sequence=sequence).with_columns(**{side: pl.lit(text) for side, text in sides.items()}), number_format
    )


def spell(parts: pl.DataFrame, number_format: NumberFormat) -> pl.Series:
    """Numbers from their `head`, `sequence` and `tail`, with their check digit."""
    width = _sequence_of(number_format).width
    number = parts.select(
        number=pl.concat_str("head", pl.col("sequence").cast(pl.String).str.zfill(width), "tail")
    ).to_series()
    if number_format.check is None or not len(number):
        return number
    matrix = digits.byte_matrix(number, number_format.width - 1)
    checks = digits.check_characters(matrix[:, _covered(number_format)], number_format.check)
    characters = {ord(character): character for character in digits.check_alphabet(number_format.check)}
    return number + pl.Series(checks).replace_strict(characters, return_dtype=pl.String)


def ends_of(number: pl.Series, number_format: NumberFormat) -> pl.DataFrame:
    """Numbers of a format in three: `head`, `sequence` (Int64), `tail` (without the check digit)."""
    sequence, end = _sequence_of(number_format), number_format.width - (number_format.check is not None)
    after = sequence.start + sequence.width
    return number.to_frame("number").select(
        head=pl.col("number").str.head(sequence.start),
        sequence=pl.col("number").str.slice(sequence.start, sequence.width).cast(pl.Int64),
        tail=pl.col("number").str.slice(after, end - after),
    )


def _sequence_of(number_format: NumberFormat) -> Segment:
    return next(segment for segment in segments(number_format.pattern) if segment.kind == "sequence")


@lru_cache(maxsize=1024)
def _regex(number_format: NumberFormat) -> str:
    """The format as a regular expression of polars."""
    found = ""
    for segment in segments(number_format.pattern):
        match segment.kind:
            case "literal":
                found += re.escape(segment.text)
            case "sequence":
                found += f"[0-9]{{{segment.width}}}"
            case "check":
                found += f"[{re.escape(digits.check_alphabet(number_format.check or 'luhn'))}]"
            case dated:
                found += _PATTERNS[dated]
    return rf"\A{found}\z"


def _covered(number_format: NumberFormat) -> list[int]:
    """The places that the check digit is computed from: those whose character the scheme knows."""
    known = digits.alphabet(number_format.check or "luhn")
    return [
        segment.start + place
        for segment in segments(number_format.pattern)
        for place, character in enumerate(segment.text)
        if segment.kind != "check" and (segment.kind != "literal" or character in known)
    ]


def _wrong_check(number: pl.Series, number_format: NumberFormat) -> pl.Series:
    """The rows whose check digit is wrong; nulls are passed over."""
    rows = number.is_not_null().arg_true()
    if not len(rows) or number_format.check is None:
        return rows.clear()
    matrix = digits.byte_matrix(number.drop_nulls(), number_format.width)
    checks = digits.check_characters(matrix[:, _covered(number_format)], number_format.check)
    return rows.filter(pl.Series(np.not_equal(checks, matrix[:, -1])))
