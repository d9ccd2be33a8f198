"""A lifecycle as tables of bytes: what Rust looks up for millions of rows, and Python for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from allocator.model.lifecycle import Lifecycle

VERDICTS: Final = (
    "allowed",
    "photo_missing",
    "document_missing",
    "reason_not_allowed",
    "reason_missing",
    "approval_missing",
    "role_missing",
    "previous_differs",
    "previous_missing",
    "transition_unlisted",
    "status_not_initial",
    "history_broken",
    "status_unknown",
)
"""The verdicts by code. Of several things that are wrong with a row, the last in this order is told."""

CODE: Final[Mapping[str, int]] = {verdict: code for code, verdict in enumerate(VERDICTS)}

NOTHING: Final = 255
"""The code of null: no status before (a new unit), or nothing given."""
UNKNOWN: Final = 254
"""The code of a value that the lifecycle does not name."""

UNKNOWN_STATUS, UNLISTED, NOT_INITIAL, FREE = range(4)
"""The kinds of change that need nothing; those with needs come after them."""

MISSING, DIFFERS, SAME = range(3)
"""What a change back brings: no previous status is given, it ends elsewhere, or where the unit was."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TransitionTable:
    """A compiled lifecycle. Tables are 256 by 256 bytes, by the codes of their two axes.

    Attributes:
        names: What the codes of each column stand for, in order: `from`, `to`, `previous` (statuses), `role`,
            `reason`, `document`; `approval` and `photo` are 0 or 1.
        kinds: The kind of change of each pair of statuses.
        verdicts: The verdict of each kind before its needs are looked at (256).
        needs: By column, the verdict by kind and by what is given.
        back: What a change back brings, by its target and the previous status.
    """

    names: Mapping[str, Sequence[str]]
    kinds: Bytes
    verdicts: Bytes
    needs: Mapping[str, Bytes]
    back: Bytes

    def failings(self, change: Mapping[str, str | bool | None]) -> Iterator[tuple[str, str]]:
        """Each thing that is wrong with one change: its verdict and its column, the gravest first."""
        codes = {column: self._code(column, change.get(column)) for column in (*self.needs, "from", "to")}
        kind = self.kinds[codes["from"], codes["to"]]
        codes["previous"] = self.back[codes["to"], codes["previous"]]
        found = [(int(table[kind, codes[column]]), column) for column, table in self.needs.items()]
        unknown = "from" if codes["from"] == UNKNOWN else "to"
        found.append((int(self.verdicts[kind]), unknown if kind == UNKNOWN_STATUS else "to"))
        return ((VERDICTS[code], column) for code, column in sorted(found, reverse=True) if code)

    def _code(self, column: str, value: str | bool | None) -> int:
        if value is None:
            return NOTHING
        if isinstance(value, bool):
            return int(value)
        names = self.names[column]
        return names.index(value) if value in names else UNKNOWN


@lru_cache(maxsize=64)
def compiled(lifecycle: Lifecycle) -> TransitionTable:
    """The tables of a lifecycle."""
    statuses = tuple(lifecycle.state_of)
    kinds = np.full((256, 256), UNKNOWN_STATUS, np.uint8)
    kinds[: len(statuses), : len(statuses)] = UNLISTED
    back = np.full((256, 256), DIFFERS, np.uint8)
    back[:, (NOTHING, UNKNOWN)] = MISSING
    needs = sorted({transition.needs for transition in lifecycle.transitions}, key=repr)
    kind_of = {need: FREE + 1 + place for place, need in enumerate(needs)}
    for end, status_to in enumerate(statuses):
        kinds[NOTHING, end] = FREE if status_to in lifecycle.statuses_initial else NOT_INITIAL
        for start, status_from in enumerate(statuses):
            rule = lifecycle.rule(status_from, status_to)
            if rule is not None:
                kinds[start, end] = kind_of[rule.needs]
            elif lifecycle.is_within_state(status_from, status_to):
                kinds[start, end] = FREE
            if lifecycle.subject(status_from) == lifecycle.subject(status_to):
                back[end, start] = SAME
    verdicts = np.zeros(256, np.uint8)
    verdicts[:FREE] = CODE["status_unknown"], CODE["transition_unlisted"], CODE["status_not_initial"]
    names = {
        **dict.fromkeys(("from", "to", "previous"), statuses),
        "role": lifecycle.roles,
        "reason": lifecycle.reasons,
        "document": lifecycle.documents,
    }
    tables = {column: np.zeros((256, 256), np.uint8) for column in COLUMNS_GIVEN}
    for (roles, approval, reasons, documents, photo, previous), kind in kind_of.items():
        _need(tables["role"][kind], _codes(roles, names["role"]), "role_missing")
        _need(tables["reason"][kind], _codes(reasons, names["reason"]), "reason_not_allowed", "reason_missing")
        _need(tables["document"][kind], _codes(documents, names["document"]), "document_missing")
        _need(tables["approval"][kind], {1} if approval else set(), "approval_missing")
        _need(tables["photo"][kind], {1} if photo else set(), "photo_missing")
        if previous:
            tables["previous"][kind][[MISSING, DIFFERS]] = CODE["previous_missing"], CODE["previous_differs"]
    return TransitionTable(names, kinds, verdicts, tables, back)


COLUMNS_GIVEN: Final = ("role", "approval", "reason", "document", "photo", "previous")
"""What a row may bring, beside `from` and `to`."""


def _codes(wanted: Set[str], names: Sequence[str]) -> set[int]:
    return {code for code, name in enumerate(names) if name in wanted}


def _need(verdicts: Bytes, wanted: Set[int], otherwise: str, without: str | None = None) -> None:
    """Fills the verdicts of one kind by what is given, where one of the codes is wanted."""
    if wanted:
        verdicts[:] = CODE[otherwise]
        verdicts[NOTHING] = CODE[without or otherwise]
        verdicts[list(wanted)] = CODE["allowed"]
