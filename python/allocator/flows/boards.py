"""Action boards: what waits for whom, from the flows themselves (SP-23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.flows.doing import Person
from allocator.flows.events import now_of, seen_by
from allocator.flows.flow import FLOWS, Step
from allocator.ledger.snapshot import MOMENT, Snapshot, snapshot

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

ROWS_MAX: Final = 1000
"""Documents that a board shows of each kind at most, the most urgent ones."""

BOARD: Final[dict[str, Any]] = {
    "number": pl.String, "flow": pl.String, "state": pl.String, "bu": pl.String, "party": pl.String,
    "place": pl.String, "opened_at": pl.Int64, "due_at": pl.Int64,
}  # fmt: skip


def board(ledger: Ledger, person: Person, *, limit: int = ROWS_MAX) -> pl.DataFrame:
    """What waits for a person: every document in a state in which a step is theirs to take.

    A step that both storekeepers and the warehouse take is theirs whose shelf it is about.

    Args:
        ledger: The ledger.
        person: Who asks.
        limit: Documents of each kind at most.

    Returns:
        One row per document and step, those that are due first, then by age: `step`, `flow`, `number`, `state`, `bu`,
        `party`, `place`, `opened_at`, `due_at` (UTC; null without a term), `late`, and `says`: what the step is.
    """
    parts = []
    with snapshot(ledger) as moment:
        for flow in FLOWS.values():
            for step in flow.steps:
                states = [state for state in step.before if state and state not in flow.closed]
                if person.role in step.roles and states and flow.name != "settings":
                    found = _waiting(moment, flow.name, states, _whose(person, step), limit)
                    parts.append(found.with_columns(step=pl.lit(step.name), says=pl.lit(step.says)))
        now = now_of(moment)
    rows = pl.concat(parts) if parts else pl.DataFrame(schema=BOARD | {"step": pl.String, "says": pl.String})
    return (
        rows.sort("due_at", "opened_at", "number", nulls_last=True)
        .with_columns(late=(pl.col("due_at") < now).fill_null(value=False))
        .with_columns(pl.col("opened_at", "due_at").cast(MOMENT), pl.col("bu", "party", "place").replace("", None))
        .select("step", "flow", "number", "state", "bu", "party", "place", "opened_at", "due_at", "late", "says")
    )


def _whose(person: Person, step: Step) -> tuple[str, dict[str, Any]]:
    where, params = seen_by(person)
    shelf = {"storekeeper", "warehouse"} <= set(step.roles)
    if shelf or (person.party and not step.shared):
        return f"{where} AND d.party = :own", params | {"own": person.party}
    return where, params


def _waiting(
    moment: Snapshot, flow: str, states: list[str], whose: tuple[str, dict[str, Any]], limit: int
) -> pl.DataFrame:
    where, params = whose
    columns = ", ".join(f"d.{name}" for name in BOARD)
    order = "CASE WHEN d.due_at IS NULL THEN 1 ELSE 0 END, d.due_at, d.opened_at, d.number"
    sql = (
        f"SELECT {columns} FROM document d WHERE d.tenant = :tenant AND d.flow = :flow AND d.closed = 0 "
        f"AND d.state = ANY(:keys){where} ORDER BY {order} LIMIT :rows"
    )
    return moment.frame(sql, BOARD, flow=flow, keys=states, rows=limit, **params)
