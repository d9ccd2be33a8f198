"""A second opinion on a ledger: everything that must hold, computed again from the tables alone, while others write.

It shares no code with what writes a ledger, only the names of tables and columns, the table of transaction types and
the lifecycles. What it finds is a defect, or the work of someone who went around the package; `docs/ledger-verify.md`
lists what is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from allocator.ledger.requests import few_collections
from allocator.ledger.verify import documents, history, names, promises, statuses, stock
from allocator.ledger.verify.dump import canonical_dump
from allocator.ledger.verify.tables import FINDING, Tables

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

__all__ = ["Verification", "canonical_dump", "verify"]

SHOWN_MAX = 20
"""How many findings the text spells out; the frame has them all."""


@dataclass(frozen=True)
class Verification:
    """What was verified, and what is wrong with it.

    Attributes:
        seq: The transaction up to which everything was read.
        entries: How many entries that are.
        frame: One row per finding: `invariant` (Int64, its number in `docs/ledger-verify.md`), `what` (String, what is
            wrong), `place` (String, where), `value` (String, the value that is wrong; null where there is none).
            No rows: nothing is wrong.
    """

    seq: int
    entries: int
    frame: pl.DataFrame

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.frame.is_empty()

    def __str__(self) -> str:
        read = f"{self.seq} transactions, {self.entries} entries"
        if self.clean:
            return f"clean: {read}"
        lines = [f"{self.frame.height} findings in {read}"]
        for number, what, place, value in self.frame.head(SHOWN_MAX).iter_rows():
            lines.append(f"{number}: {place}: {what}" + ("" if value is None else f" (value: {value})"))
        if self.frame.height > SHOWN_MAX:
            lines.append(f"… and {self.frame.height - SHOWN_MAX} more")
        return "\n".join(lines)


def verify(ledger: Ledger) -> Verification:
    """Computes everything that must hold of a ledger again, from what its store holds at one moment.

    It reads in one transaction and locks nothing: others write on, and what they write later is not looked at. The
    chain of hashes proves that no one changed history after it was written, not who wrote it: keep the `seq` and hash
    of a head elsewhere to prove that the end was not cut off, or all of it made anew.

    Raises:
        StoreError: The store failed.

    Cost: linear; a million entries in some seconds. All of history is in memory, about a kilobyte an entry.

    Example:
        >>> from allocator.ledger import Ledger
        >>> ledger = Ledger.open("sqlite://", tenant="demo")
        >>> ledger.define([{"sku": "filter"}], actor="ana")
        1
        >>> print(verify(ledger))
        clean: 1 transactions, 0 entries
    """
    with few_collections(), ledger.store.session() as session:
        return judged(Tables.read(session, ledger.tenant))


def judged(tables: Tables) -> Verification:
    """What is wrong with tables that were read."""
    checks = [part.findings(tables) for part in (history, stock, promises, statuses, names, documents)]
    findings = [frame for check in checks for frame in check if frame.height]
    frame = pl.concat(findings) if findings else pl.DataFrame(schema=FINDING)
    return Verification(tables.head["seq"], tables.entry.height, frame.sort("invariant", maintain_order=True))
