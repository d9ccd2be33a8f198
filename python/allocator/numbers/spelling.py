"""What any serial number may look like, whatever its format: something that can be printed, read out and typed.

Two numbers that people cannot tell apart must not be two units. So a number is printable ASCII without blanks around
it; everything else is refused and named, never mended: a Cyrillic letter that looks like an A is no A,
and the unit's label says which it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.columns import is_text
from allocator.frames.findings import shown
from allocator.model.number import NUMBER_LENGTH_MAX

Texts = pl.Series | Sequence[str | None]
"""A column of texts, or a list of them."""

SPELLED = r"\A[!-~](?: ?[!-~])*\z"

INVISIBLE = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{115F}\u{1160}\u{3164}\u{FFA0}\p{Mn}]"
"""Control characters, marks of direction and width, byte order marks, fillers, accents on their own."""

MEANINGS: Final[Mapping[str, tuple[str, str]]] = {
    "value_null": ("a value is missing", ""),
    "value_empty": ("an empty text", ""),
    "text_nul": ("the text contains a NUL character", "The file is damaged, or is not text"),
    "number_too_long": (f"a number has at most {NUMBER_LENGTH_MAX} characters", ""),
    "number_invisible": ("the text contains characters that cannot be seen", "Type it anew from the label"),
    "number_blank": ("blanks are before, after, or twice within the number", "Write it without them"),
    "number_not_ascii": ("the text contains letters or signs outside ASCII", "Type it anew from the label"),
    "number_pattern": ("the number is not of the format", "The format is that of the SKU; see docs/numbers.md"),
    "check_digit_wrong": ("the check digit does not fit the rest", "A digit is mistyped, or two are exchanged"),
    "identifier_malformed": ("the text is not of this kind of identifier", "docs/numbers.md shows what is read"),
    "identifier_reserved": ("the identifier can belong to no single device", "Read it from the device again"),
    "label_malformed": ("the text is no GS1 element string, link or number", "Scan again"),
    "label_check_digit": ("a GTIN or SSCC in the text has a wrong check digit", "Scan again"),
    "label_date": ("a date in the text is none", "The maker printed it wrongly: enter the date by hand"),
    "label_contradiction": ("the text says one thing twice, and differently", "Scan one label at a time"),
}
"""What each problem of a single value means, and what to do."""

PROBLEM: Final = pl.Enum(list(MEANINGS))
"""A column of problems: a code, or null where nothing is wrong."""


def column_of(texts: Texts, name: str = "number") -> pl.Series:
    """The texts as a column of strings.

    Raises:
        InputError: `column_type`.
    """
    message, hint = "text is expected", "Give a Series or a list of strings; numbers lose their leading zeros"
    if not isinstance(texts, pl.Series):
        if isinstance(texts, str):
            raise InputError(Problem("column_type", message, "numbers", name, value=shown(texts), hint=hint))
        try:
            given = list(texts)
            if any(isinstance(each, list | tuple) for each in given):
                # Of nested ones, the time that polars takes to refuse them grows with the cube of their depth.
                raise TypeError("a list is no text")
            return pl.Series(name, given, pl.String, strict=True)
        except Exception as error:  # polars raises what its parts raise: TypeError, UnicodeEncodeError, its own
            raise InputError(Problem("column_type", message, "numbers", name, hint=hint)) from error
    if texts.dtype != pl.Null and not is_text(texts.dtype):
        raise InputError(Problem("column_type", f"{message}, not {texts.dtype}", "numbers", texts.name, hint=hint))
    return texts.cast(pl.String).alias(texts.name or name)


def spelling_problems(texts: pl.Series) -> pl.Series:
    """What is wrong with the spelling of each text; null where nothing is. Cost: one regular expression a row."""
    text = pl.col(texts.name)
    well = text.str.contains(SPELLED) & (text.str.len_bytes() <= NUMBER_LENGTH_MAX)
    good = texts.to_frame().select(well.fill_null(False)).to_series()
    problems = pl.Series("problem", [None], PROBLEM).new_from_index(0, len(texts))
    if good.all():
        return problems
    causes = (
        (text.is_null(), "value_null"),
        (text == "", "value_empty"),
        (text.str.contains("\0", literal=True), "text_nul"),
        (text.str.contains(INVISIBLE), "number_invisible"),
        (text.str.contains(r"\A\s|\s\z|\s\s"), "number_blank"),
        (text.str.contains(r"[^ -~]"), "number_not_ascii"),
    )
    problem: pl.Expr = pl.lit("number_too_long")
    for cause, code in reversed(causes):
        problem = pl.when(cause).then(pl.lit(code)).otherwise(problem)
    bad = texts.filter(~good).to_frame().select(problem.cast(PROBLEM)).to_series()
    return problems.scatter((~good).arg_true(), bad)


def mark(problem: pl.Series, rows: pl.Series, code: str) -> pl.Series:
    """The problems, with a code in the rows named."""
    return problem.scatter(rows, pl.Series([code], dtype=PROBLEM).new_from_index(0, len(rows)))


def strange_characters(text: str) -> str:
    """The characters of a text that no number has, by their names: `U+0410 CYRILLIC CAPITAL LETTER A`."""
    strange = dict.fromkeys(character for character in text if not " " <= character <= "~")
    return ", ".join(f"U+{ord(c):04X} {unicodedata.name(c, 'without a name')}" for c in list(strange)[:5])


def problem_of(code: str, value: str | None, table: str, column: str, row: int | None) -> Problem:
    """The problem of one value, for a person."""
    message, hint = MEANINGS[code]
    if value is not None and (strange := strange_characters(value)):
        message = f"{message}: {strange}"
    return Problem(code, message, table, column, row, None if value is None else shown(ascii(value)[1:-1]), hint)
