"""Check digits of whole columns.

python-stdnum has the schemes one number at a time; here the same sums run over a matrix of bytes, one row per
number. Tests hold both against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from allocator.model.number import Scheme

Bytes = NDArray[np.uint8]
Values = NDArray[np.int32]

ROWS_PER_BLOCK = 1 << 17
"""So that the columns of a block stay in the cache."""

DIGITS: Final = "0123456789"
LETTERS: Final = DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _weighted(values: Values, sums: NDArray[np.int32]) -> Values:
    """Ten's complement of a sum over single digits; from the right, every other digit counts as `sums` says."""
    total = np.zeros(len(values), np.int32)
    for place, column in enumerate(reversed(values.T)):
        total += column if place % 2 else sums[column]
    return np.asarray(-total % 10, np.int32)


def _pure(values: Values, modulus: int) -> Values:
    """ISO 7064, a pure system of radix 2."""
    check = np.zeros(len(values), np.int32)
    for column in values.T:
        check = (check * 2 + column) % modulus
    return np.asarray((1 - 2 * check) % modulus, np.int32)


def _hybrid(values: Values, modulus: int) -> Values:
    """ISO 7064, a hybrid system of `modulus` + 1 and `modulus`."""

    def doubled(check: Values) -> Values:
        return np.asarray(np.where(check == 0, modulus, check) * 2 % (modulus + 1), np.int32)

    check = np.full(len(values), modulus // 2, np.int32)
    for column in values.T:
        check = (doubled(check) + column) % modulus
    return np.asarray((1 - doubled(check)) % modulus, np.int32)


_SCHEMES: Final[Mapping[Scheme, tuple[str, str, Callable[[Values], Values]]]] = {
    "luhn": (DIGITS, DIGITS, partial(_weighted, sums=np.array([0, 2, 4, 6, 8, 1, 3, 5, 7, 9], np.int32))),
    "gs1_mod_10": (DIGITS, DIGITS, partial(_weighted, sums=np.arange(10, dtype=np.int32) * 3)),
    "iso7064_mod_11_2": (DIGITS, DIGITS + "X", partial(_pure, modulus=11)),
    "iso7064_mod_11_10": (DIGITS, DIGITS, partial(_hybrid, modulus=10)),
    "iso7064_mod_37_2": (LETTERS, LETTERS + "*", partial(_pure, modulus=37)),
    "iso7064_mod_37_36": (LETTERS, LETTERS, partial(_hybrid, modulus=36)),
}
"""What a scheme computes with, what it gives, and how."""


def alphabet(scheme: Scheme) -> str:
    """The characters that a scheme computes with."""
    return _SCHEMES[scheme][0]


def check_alphabet(scheme: Scheme) -> str:
    """The characters that a check digit can be."""
    return _SCHEMES[scheme][1]


def byte_matrix(texts: pl.Series, width: int) -> Bytes:
    """The texts as bytes, one row per text: all ASCII, `width` long, none null."""
    joined = texts.str.join("").item() or ""
    return np.frombuffer(joined.encode("ascii"), np.uint8).reshape(len(texts), width)


def check_characters(payload: Bytes, scheme: Scheme) -> Bytes:
    """The check digit of each row, as a byte; all bytes of the payload are of the scheme's alphabet."""
    known, gives, compute = _SCHEMES[scheme]
    value_of = np.zeros(256, np.int32)
    value_of[np.frombuffer(known.encode(), np.uint8)] = np.arange(len(known))
    symbols = np.frombuffer(gives.encode(), np.uint8)
    found = np.empty(len(payload), np.uint8)
    for start in range(0, len(payload), ROWS_PER_BLOCK):
        rows = slice(start, start + ROWS_PER_BLOCK)
        found[rows] = symbols[compute(value_of[payload[rows]])]
    return found


def remainders(digits: Bytes, modulus: int) -> NDArray[np.int64]:
    """Each row of decimal digits as one number, modulo a small number."""
    rest = np.zeros(len(digits), np.int64)
    for column in digits.T:
        rest = (rest * 10 + (column - ord("0"))) % modulus
    return rest
