"""The hash over all that was ever recorded: change one entry, and every hash after it is wrong.

A transaction's digest is over its entries, over the goods, accounts and demand lines that it was the first to name, and
over the steps that it took with documents and the exchanges that it made, if any; its hash is over the hash before it,
its heading and that digest.
`verify` computes both again from the tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from allocator.engine import chain_digest, chain_linked

FIELD: Final = "\x1f"
"""Stands between fields. No text that the ledger takes contains a control character."""

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
    return chain_digest(tables)


def linked(before: bytes, heading: Sequence[object], content: bytes) -> bytes:
    """The hash of a transaction, by the hash before it."""
    return chain_linked(before, line(heading), content)
