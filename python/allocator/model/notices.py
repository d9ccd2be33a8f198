"""Rules of notification: whom to tell what happened, as data (SN-22)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from allocator.model.document import Document, Name, Names, Part

Event = Literal[
    "created", "status", "move", "ownership", "service", "quality", "transaction", "pick", "renumber", "contact",
    "allocation", "note", "purge",
]  # fmt: skip
"""Kinds of event in a unit's history."""


class Notice(Part):
    """Whom to tell of which events. What is left out holds for all; all that is said must hold.

    Attributes:
        name: Its name, which stands on every notification.
        to: Whom to tell: people, roles, addresses; `$holder` and `$owner` are who has the goods, and whose they are.
        events: Kinds of event.
        types: Types of transaction.
        subjects: What a note is about, as `calibration`.
        statuses: Statuses that goods come to.
        reasons: Reason codes.
        skus: SKUs.
        locations: Places that goods leave or come to, each with all below it.
        urgent: Whether it is to be told at once; these come first.
    """

    name: Name
    to: Annotated[Names, Field(min_length=1)]
    events: tuple[Event, ...] = ()
    types: Names = ()
    subjects: Names = ()
    statuses: Names = ()
    reasons: Names = ()
    skus: Names = ()
    locations: Names = ()
    urgent: bool = False


class Notices(Document):
    """Rules by which transactions become notifications.

    Example:
        >>> rules = Notices.loads('notices = [{name = "recall", to = ["quality", "$holder"], statuses = "Recalled"}]')
        >>> rules.notices[0].to
        ('quality', '$holder')
    """

    kind: ClassVar[str] = "notices"

    name: Name = "notices"
    description: str = ""
    notices: tuple[Notice, ...] = ()

    def describe(self) -> str:
        """The rules in plain words, one line each."""
        return "\n".join(_words(notice) for notice in self.notices) or "Nobody is told anything."


def _words(notice: Notice) -> str:
    said = {
        "events": notice.events, "types": notice.types, "about": notice.subjects, "to status": notice.statuses,
        "for reason": notice.reasons, "SKU": notice.skus, "at": notice.locations,
    }  # fmt: skip
    what = "; ".join(f"{name} {' or '.join(values)}" for name, values in said.items() if values) or "everything"
    return f"{notice.name}: tell {', '.join(notice.to)}{' at once' if notice.urgent else ''} of {what}"
