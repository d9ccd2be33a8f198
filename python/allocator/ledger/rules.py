"""What a transaction must say, and which changes of status it may make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from allocator.errors import InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.lines import shown
from allocator.ledger.records import Heading, Sku
from allocator.ledger.types import ORIGINS, TYPES, Need, Type
from allocator.model.document import did_you_mean

MISSING: Final[Mapping[Need, str]] = {
    "document": "document_missing",
    "reason": "reason_missing",
    "note": "note_missing",
    "role": "role_missing",
    "approval": "approval_missing",
}
"""The code of what a transaction lacks."""


ELSEWHERE: Final[Mapping[str, str]] = {
    "document": "allocator.flows", "reserve": "Ledger.reserve", "define": "Ledger.define", "reverse": "Ledger.reverse",
    "purge": "allocator.ledger.retention",
    "register": "allocator.ledger.devices.register_own", "withdraw": "allocator.ledger.devices.withdraw_own",
}  # fmt: skip
"""What does the types of transaction that `Ledger.post` does not take."""


def check_type(name: object) -> None:
    """Makes sure that `Ledger.post` takes a type of transaction.

    Raises:
        InputError: `transaction_unknown`.
    """
    if not isinstance(name, str) or name not in TYPES or name in ELSEWHERE:
        said = name if isinstance(name, str) else shown(name)
        hint = did_you_mean(said, list(TYPES)) or f"There are {', '.join(TYPES)}"
        if said in ELSEWHERE:
            hint = f"Use {ELSEWHERE[said]}"
        message = "post does not take this type"
        raise InputError(Problem("transaction_unknown", message, column="type", value=said[:80], hint=hint))


def missing(heading: Heading, kind: Type, origin: str = "") -> list[Problem]:
    """What a transaction of this type, and of this origin, lacks."""
    problems = []
    needs: tuple[Need, ...] = kind.needs
    if kind.name == "receive":
        if origin not in ORIGINS:
            hint = did_you_mean(origin, list(ORIGINS)) or f"There are {', '.join(ORIGINS)}"
            problems.append(
                Problem("argument_value", "goods do not come from there", column="origin", value=origin, hint=hint)
            )
        needs = ORIGINS.get(origin, ())
    given = {"document": heading.document, "reason": heading.reason, "note": heading.note, "role": heading.role,
             "approval": heading.approved_by}  # fmt: skip
    for need in needs:
        if not given[need]:
            what = f"{kind.name}{f' from {origin}' if origin else ''}"
            problems.append(Problem(MISSING[need], f"{what} needs a {need}", column=need))
    return problems


# --- where goods go ---


def check_status(book: Book, sku: Sku, change: tuple[str, str], heading: Heading, row: int) -> None:
    """Makes sure that the lifecycle in force allows a change of status, from one to another.

    Raises:
        InputError: As `check_transition`.
    """
    before, after = change
    if before != after and (failings := book.catalog.failings(sku, before, after, heading)):
        raise InputError(Problem(p.code, p.message, "lines", "to_status", row, p.value, p.hint) for p in failings)
