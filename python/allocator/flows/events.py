"""What happened to documents, in the order in which it did: the steps are the events (SP-25)."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Person, unknown_document
from allocator.flows.given import checked
from allocator.ledger.snapshot import MOMENT, Snapshot, snapshot

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

EVENT: Final[dict[str, Any]] = {
    "seq": pl.Int64, "n": pl.Int64, "recorded_at": pl.Int64, "number": pl.String, "flow": pl.String, "step": pl.String,
    "state": pl.String, "bu": pl.String, "party": pl.String, "counterparty": pl.String, "actor": pl.String,
    "role": pl.String, "approved_by": pl.String, "reason": pl.String, "note": pl.String, "patch": pl.String,
}  # fmt: skip

_PAGE: Final = (
    "SELECT MAX(seq) FROM (SELECT e.seq FROM document_event e "
    "JOIN document d ON d.tenant = e.tenant AND d.number = e.number WHERE e.tenant = :tenant AND "
)
_SQL: Final = (
    "SELECT e.seq, e.n, x.recorded_at, e.number, d.flow, e.step, e.state, d.bu, d.party, d.counterparty, x.actor, "
    "x.role, x.approved_by, x.reason, x.note, e.patch FROM document_event e "
    "JOIN document d ON d.tenant = e.tenant AND d.number = e.number "
    "JOIN txn x ON x.tenant = e.tenant AND x.seq = e.seq WHERE e.tenant = :tenant AND "
)
ROWS_MAX: Final = 10_000
"""Events that one call tells at most."""


@checked
def events(ledger: Ledger, since: int = 0, *, limit: int = 1000, person: Person | None = None) -> pl.DataFrame:
    """The steps that documents took after a transaction, in their order.

    The same ledger always tells the same: whoever keeps the last `seq` that they dealt with asks again from there, and
    misses nothing and gets nothing twice. All steps of one transaction are told together, though `limit` be exceeded.

    Args:
        ledger: The ledger.
        since: The last transaction that is known already; 0 for all.
        limit: How many steps at least, if there are so many.
        person: Only what they may see; everything if left out.

    Returns:
        One row per step, by `seq` and `n`: `at` (UTC), `number` and `flow` of the document, `step`, `state` after it,
        `bu`, `party`, `counterparty`, `actor`, `role`, `approved_by`, `reason`, `note`, and `patch`: what changed, as
        JSON. Null where there is nothing to say.

    Raises:
        InputError: `argument_value`.
    """
    if not 0 < limit <= ROWS_MAX:
        message = f"a call tells of 1 to {ROWS_MAX} steps"
        raise InputError(Problem("argument_value", message, column="limit", value=str(limit)[:80]))
    theirs, params = seen_by(person)
    with snapshot(ledger) as moment:
        page = f"{_PAGE} e.seq > :since{theirs} ORDER BY e.seq, e.n LIMIT :rows) page"
        last = moment.rows(page, since=since, rows=limit, **params)[0][0]
        where = f"e.seq > :since AND e.seq <= :last{theirs} ORDER BY e.seq, e.n"
        return _told(moment.frame(_SQL + where, EVENT, since=since, last=last or since, **params), person)


@checked
def history_of(ledger: Ledger, number: str, person: Person | None = None) -> pl.DataFrame:
    """Every step that a document took, as `events` tells them.

    Raises:
        InputError: `document_unknown`: there is none, or this person may not see it.
    """
    theirs, params = seen_by(person)
    with snapshot(ledger) as moment:
        where = f"e.number = :number{theirs} ORDER BY e.seq, e.n"
        frame = _told(moment.frame(_SQL + where, EVENT, number=number, **params), person)
    if frame.is_empty():
        raise InputError(unknown_document(number, "document"))
    return frame


def _public(patch: str) -> str:
    """What changed, without the details that only the business sees: their names begin with `_`."""
    said = json.loads(patch)
    if not any(name.startswith("_") for name in said.get("details", ())):
        return patch
    said["details"] = {name: value for name, value in said["details"].items() if not name.startswith("_")}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def now_of(moment: Snapshot) -> int:
    """The moment, in microseconds since 1970; not before the last transaction, whatever the clock says."""
    recorded: int = moment.rows("SELECT recorded_at FROM tenant WHERE tenant = :tenant")[0][0]
    return max(time.time_ns() // 1000, recorded)


def seen_by(person: Person | None) -> tuple[str, dict[str, Any]]:
    """What a statement on documents `d` asks beside, so that it tells only what a person may see; its parameters."""
    where = ""
    params: dict[str, Any] = {}
    if person is not None and person.party:
        where, params = " AND (d.party = :party OR d.counterparty = :party)", {"party": person.party}
    if person is not None and person.bus:
        where, params = f"{where} AND (d.bu = '' OR d.bu = ANY(:names))", params | {"names": list(person.bus)}
    return where, params


def _told(frame: pl.DataFrame, person: Person | None) -> pl.DataFrame:
    if person is not None and person.party:
        frame = frame.with_columns(pl.Series("patch", [_public(text) for text in frame["patch"]], dtype=pl.String))
    texts = [name for name, dtype in EVENT.items() if dtype == pl.String]
    frame = frame.with_columns(pl.col(texts).replace("", None), at=pl.col("recorded_at").cast(MOMENT))
    return frame.select("seq", "n", "at", *list(EVENT)[3:])
