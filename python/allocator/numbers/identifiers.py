"""Identifiers that others give to devices and products: IMEI, MAC address, EID, GTIN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

import polars as pl

from allocator.errors import InputError, Problem
from allocator.numbers import digits
from allocator.numbers.spelling import Texts, column_of, mark, spelling_problems

IdentifierKind = Literal["imei", "mac", "eid", "gtin"]


def check_identifiers(texts: Texts, kind: IdentifierKind) -> pl.DataFrame:
    """Says of each text whether it is an identifier of a kind, and spells it in one way.

    Args:
        texts: Identifiers as scanned or typed; null is a missing one.
        kind: What they are.

            - `imei`: 15 digits with a check digit by Luhn, or an IMEISV of 16 digits, which has none (3GPP TS 23.003).
              Blanks, hyphens and slashes between digits are passed over.
            - `mac`: an EUI-48 in pairs with `:` or `-`, in fours with `.`, or bare; spelled `00:1A:2B:3C:4D:5E`. Of one
              device, so neither a group's address nor all zeros.
            - `eid`: the identifier of an embedded SIM: 32 digits from 89, which modulo 97 are 1 (GSMA SGP.29).
            - `gtin`: 8, 12, 13 or 14 digits with a check digit; spelled with 14 (GS1 General Specifications).

    Returns:
        One row per text, in the order given: `identifier` (String; in its one spelling, null where it is none) and
        `problem` (Enum of codes, null where nothing is wrong: `value_null`, `value_empty`, what is wrong with the
        spelling, `identifier_malformed`, `check_digit_wrong`, `identifier_reserved`).

    Raises:
        InputError: `column_type`, `argument_value`.

    Cost: linear; over a million a second.

    Example:
        >>> check_identifiers(["35-209900-176148-1", "352099001761482"], "imei").rows()
        [('352099001761481', None), (None, 'check_digit_wrong')]
    """
    if kind not in _KINDS:
        raise InputError(Problem("argument_value", f"kind is one of {', '.join(_KINDS)}", value=str(kind)))
    given = column_of(texts, "identifier")
    spelled, spell, tests = _KINDS[kind]
    problem = spelling_problems(given).alias("problem")
    well = given.str.contains(spelled).fill_null(False)
    problem = mark(problem, (problem.is_null() & ~well).arg_true(), "identifier_malformed")
    rows = problem.is_null().arg_true()
    found = given.gather(rows).to_frame("given").select(identifier=spell(pl.col("given"))).to_series()
    for code, passes in tests:
        right = passes(found)
        problem = mark(problem, rows.filter(~right), code)
        rows, found = rows.filter(right), found.filter(right)
    identifier = pl.Series("identifier", [None], pl.String).new_from_index(0, len(given))
    return pl.DataFrame([identifier.scatter(rows, found), problem])


def _luhn_right(found: pl.Series) -> pl.Series:
    """IMEIs have a check digit, IMEISVs do not."""
    imei = found.str.len_bytes() == 15
    return (~imei).scatter(imei.arg_true(), _check_right(found.filter(imei), 15, "luhn"))


def _check_right(found: pl.Series, width: int, scheme: Literal["luhn", "gs1_mod_10"]) -> pl.Series:
    matrix = digits.byte_matrix(found, width)
    return pl.Series(digits.check_characters(matrix[:, :-1], scheme) == matrix[:, -1])


def _bare(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(r"[ /-]", "")


def _pairs(text: pl.Expr) -> pl.Expr:
    bare = text.str.replace_all(r"[.:-]", "").str.to_uppercase()
    return pl.concat_str([bare.str.slice(start, 2) for start in range(0, 12, 2)], separator=":")


_PAIR = "[0-9A-F]{2}"
_MAC = (
    rf"(?i)\A(?:{_PAIR}{{6}}|{_PAIR}(?::{_PAIR}){{5}}|{_PAIR}(?:-{_PAIR}){{5}}|{_PAIR}{{2}}(?:\.{_PAIR}{{2}}){{2}})\z"
)


_KINDS: Final[
    Mapping[str, tuple[str, Callable[[pl.Expr], pl.Expr], tuple[tuple[str, Callable[[pl.Series], pl.Series]], ...]]]
] = {
    "imei": (
        r"\A[0-9](?:[ /-]?[0-9]){14,15}\z",
        _bare,
        (
            ("check_digit_wrong", _luhn_right),
            ("identifier_reserved", lambda found: ~found.str.contains(r"\A0+\z")),
        ),
    ),
    "mac": (
        _MAC,
        _pairs,
        # The lowest bit of the first octet says that it is the address of a group (IEEE 802).
        (("identifier_reserved", lambda found: ~found.str.contains(r"\A.[13579BDF]|\A[0:]+\z")),),
    ),
    "eid": (
        r"\A89(?:[ -]?[0-9]){30}\z",
        _bare,
        (("check_digit_wrong", lambda found: pl.Series(digits.remainders(digits.byte_matrix(found, 32), 97) == 1)),),
    ),
    "gtin": (
        r"\A(?:[0-9]{8}|[0-9]{12,14})\z",
        lambda text: text.str.zfill(14),
        (("check_digit_wrong", lambda found: _check_right(found, 14, "gs1_mod_10")),),
    ),
}
"""How a kind is spelled, its one spelling, and what else must be true of it."""
