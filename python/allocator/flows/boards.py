"""Action boards: what waits for whom, from the flows themselves (SP-23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError
from allocator.flows.doing import Doing, Person, look, unknown_document
from allocator.flows.events import now_of, seen_by
from allocator.flows.flow import FLOWS, Step
from allocator.flows.given import checked
from allocator.flows.quantities import quantity
from allocator.ledger.documents import DocumentLine
from allocator.ledger.records import moment_of
from allocator.ledger.snapshot import MOMENT, Snapshot, snapshot

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

ROWS_MAX: Final = 1000
"""Documents that a board shows of each kind at most, the most urgent ones."""

BOARD: Final[dict[str, Any]] = {
    "number": pl.String, "flow": pl.String, "state": pl.String, "bu": pl.String, "party": pl.String,
    "place": pl.String, "opened_at": pl.Int64, "due_at": pl.Int64,
}  # fmt: skip


@checked
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


@checked
def document_of(ledger: Ledger, number: str, person: Person) -> dict[str, Any]:
    """A document as it is now, and what can be done with it next.

    Args:
        ledger: The ledger.
        number: Its number.
        person: Someone who sees it.

    Returns:
        `number`, `flow`, `state`, `bu`, `party`, `counterparty`, `place` ('' for none), `opened_at` and `due_at` (UTC,
        or None), `details` by name; `next`: the steps that people can take now, each `step`, `roles` and `says`;
        `lines`: `line`, `sku`, `serial`, `lot`, `qty` and `progress` (as text, exact), `state`; `links`: `kind` and
        `other`.

    Raises:
        InputError: `document_unknown`: there is none, or this person may not see it.
    """

    def asked(doing: Doing) -> dict[str, Any]:
        found = doing.book.documents.get(number)
        if found is None or not person.sees(found):
            raise InputError(unknown_document(number, "document"))
        names = ("number", "flow", "state", "bu", "party", "counterparty", "place")
        details = {name: value for name, value in found.details.items() if not (person.party and name[0] == "_")}
        lines = doing.lines(number)
        doing.book.load_goods(line.goods_id for line in lines if line.goods_id is not None)
        steps = FLOWS[found.flow].next(found.state)
        return {
            **{name: getattr(found, name) for name in names},
            "opened_at": moment_of(found.opened_at), "due_at": moment_of(found.due_at) if found.due_at else None,
            "details": details,
            "next": [{"step": step.name, "roles": list(step.roles), "says": step.says} for step in steps],
            "lines": [_line(doing, line) for line in lines],
            "links": [{"kind": kind, "other": other} for kind, other in doing.book.documents.links(number)],
        }  # fmt: skip

    return look(ledger, person, asked)


def _line(doing: Doing, line: DocumentLine) -> dict[str, Any]:
    sku = doing.book.catalog.sku(line.sku_id) if line.sku_id is not None else None
    goods = doing.book.goods[line.goods_id] if line.goods_id is not None else None
    qty, progress = (str(quantity(each, sku) if sku else each) for each in (line.qty, line.progress))
    return {
        "line": line.n, "sku": sku.sku if sku else None, "serial": (goods.serial or None) if goods else None,
        "lot": (goods.lot or None) if goods else None, "qty": qty, "progress": progress, "state": line.state or None,
    }  # fmt: skip


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
