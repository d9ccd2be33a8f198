"""The hash over all that was ever recorded: change one entry, and every hash after it is wrong.

A transaction's digest is over its entries, over the goods, accounts and demand lines that it was the first to name, and
over the steps that it took with documents, if any; its hash is over the hash before it, its heading and that digest.
`verify` computes both again from the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import chain
from typing import Final

FIELD: Final = "\x1f"
"""Stands between fields. No text that the ledger takes contains a control character."""

ROW: Final = "\n"
NULL: Final = "\x1e"


def first_hash(tenant: str) -> bytes:
    """What the chain of a tenant begins with."""
    return hashlib.sha256(f"tenant{FIELD}{tenant}".encode()).digest()


def line(fields: Sequence[object]) -> str:
    """One row as text: null and '' differ."""
    if None in fields:
        return FIELD.join([NULL if field is None else str(field) for field in fields])
    return FIELD.join(map(str, fields))


def digest(*tables: Sequence[str]) -> bytes:
    """Over the new goods, accounts and lines, the entries and steps of one transaction: as texts, in their order."""
    counts = FIELD.join([str(len(rows)) for rows in tables])
    return hashlib.sha256(ROW.join([counts, *chain.from_iterable(tables)]).encode()).digest()


def linked(before: bytes, heading: Sequence[object], content: bytes) -> bytes:
    """The hash of a transaction, by the hash before it."""
    return hashlib.sha256(before + line(heading).encode() + content).digest()
