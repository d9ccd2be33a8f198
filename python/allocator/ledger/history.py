"""What happened: to a unit under any number it ever had, to a lot, by a document, for a line or an order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.records import SOURCES, Account, day_of, moment_of
from allocator.ledger.schema import LINES_OF_ORDER
from allocator.ledger.selection import key_of
from allocator.ledger.snapshot import MOMENT, At, Snapshot, exact, snapshot

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions

EVENTS: Final[Mapping[str, str]] = {
    "receive": "created", "move": "move", "reserve": "allocation", "release": "allocation", "confirm": "allocation",
    "pick": "pick",
    "put_back": "pick", "ship": "transaction", "deliver": "transaction", "consume": "transaction",
    "return": "transaction", "adjust": "transaction", "block": "status", "unblock": "status",
    "change_status": "status", "change_owner": "ownership", "invoice": "transaction", "credit": "transaction",
    "rent": "transaction", "scrap": "transaction", "renumber": "renumber", "note": "note",
    "register": "created", "withdraw": "transaction", "sell": "transaction", "reverse": "transaction",
    "purge": "purge",
}  # fmt: skip
"""What kind of event a transaction is in a unit's history, by its type."""

SUBJECTS: Final[Mapping[str, str]] = {
    "service": "service", "repair": "service", "maintenance": "service", "calibration": "service",
    "quality": "quality", "inspection": "quality", "test": "quality", "certificate": "quality",
    "contact": "contact", "call": "contact", "complaint": "contact", "visit": "contact",
}  # fmt: skip
"""What kind of event a note is, by its `event`; any other is a note."""

PLACED: Final = Account._fields
_BEFORE: Final = {f"{name}_before": f"a.{name}" for name in PLACED}
_AFTER: Final = {f"{name}_after": f"b.{name}" for name in PLACED}
_TEXTS: Final[Mapping[str, str]] = {
    "role": "x.role", "approved_by": "x.approved_by", "document_kind": "x.document_kind", "document": "x.document",
    "reason": "x.reason", "note": "x.note", "references": "x.details", "lot": "g.lot", "serial": "g.serial",
    "line_id": "e.line_id", "details": "e.details", **_BEFORE, **_AFTER,
}  # fmt: skip
_READ: Final[Mapping[str, str]] = {
    "seq": "e.seq", "at": "x.recorded_at", "day": "x.day", "type": "x.type", "actor": "x.actor",
    "reverses": "x.reverses", "goods_id": "e.goods_id", "sku": "k.sku", "scale": "k.scale", "qty": "e.qty",
    "reserved": "e.reserved", "unreserved": "e.unreserved",
    **{name: f"NULLIF({column}, '')" for name, column in _TEXTS.items()},
}  # fmt: skip
"""Where what is read of an event stands. A text that is not given is '' in the tables and null in frames."""

_TOLD: Final[Mapping[str, Any]] = {
    "seq": pl.Int64, "at": MOMENT, "day": pl.Date, "event": pl.String, "type": pl.String, "subject": pl.String,
    "sku": pl.String, "lot": pl.String, "serial": pl.String, "qty": pl.Int64, "reserved": pl.Int64,
    "unreserved": pl.Int64, "line_id": pl.String, **dict.fromkeys((*_BEFORE, *_AFTER), pl.String), "actor": pl.String,
    "role": pl.String, "approved_by": pl.String, "document_kind": pl.String, "document": pl.String,
    "reason": pl.String, "note": pl.String, "details": pl.String, "references": pl.String, "reverses": pl.Int64,
}  # fmt: skip
"""The columns that are told, and their types."""

_SELECT: Final = f"SELECT {', '.join(_READ.values())}"
_JOINS: Final = (
    "JOIN goods g ON g.tenant = e.tenant AND g.goods_id = e.goods_id "
    "JOIN sku k ON k.tenant = e.tenant AND k.sku_id = g.sku_id "
    "JOIN account a ON a.tenant = e.tenant AND a.account_id = e.from_id "
    "JOIN account b ON b.tenant = e.tenant AND b.account_id = e.to_id "
)
_OF_ENTRY: Final = f"{_SELECT} FROM entry e JOIN txn x ON x.tenant = e.tenant AND x.seq = e.seq {_JOINS}"
_OF_TXN: Final = f"{_SELECT} FROM txn x JOIN entry e ON e.tenant = x.tenant AND e.seq = x.seq {_JOINS}"

# A partial index serves only who repeats its condition.
BY: Final[Mapping[str, str]] = {
    "goods": f"{_OF_ENTRY} WHERE e.tenant = :tenant AND e.goods_id = ANY(:ids) AND e.seq <= :seq",
    "line": f"{_OF_ENTRY} WHERE e.tenant = :tenant AND e.line_id = ANY(:keys) AND e.line_id <> '' AND e.seq <= :seq",
    "document": f"{_OF_TXN} WHERE x.tenant = :tenant AND x.document = :document AND x.document <> '' AND x.seq <= :seq",
    "span": f"{_OF_TXN} WHERE x.tenant = :tenant AND x.seq > :since AND x.seq <= :seq",
}
"""The statements by which events are found, each by an index."""


def history(
    ledger: Questions,
    serial: str | None = None,
    *,
    sku: str | None = None,
    lot: str | None = None,
    stock_id: int | None = None,
    document: str | None = None,
    line_id: str | None = None,
    order_id: str | None = None,
    until: At = None,
) -> pl.DataFrame:
    """Everything that happened to one thing, in order; see `Ledger.history`."""
    asked = {"serial": serial, "lot": lot, "stock_id": stock_id, "document": document, "line_id": line_id,
             "order_id": order_id}  # fmt: skip
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        message = f"ask for one thing: {', '.join(asked)}" if not given else f"one of {' and '.join(given)} is enough"
        raise InputError(Problem("argument_value", message, column=given[0] if given else "serial"))
    with snapshot(ledger, until, whole=False) as moment:
        if serial is not None:
            return events(moment, "goods", ids=[find_unit(moment, serial, sku)])
        if lot is not None:
            return events(moment, "goods", ids=find_lot(moment, lot, sku))
        if stock_id is not None:
            return events(moment, "goods", ids=[key_of(stock_id)[0]])
        if document is not None:
            return events(moment, "document", document=document)
        return events(moment, "line", keys=_lines(moment, order_id) if order_id is not None else [line_id])


def events(moment: Snapshot, by: str, **params: Any) -> pl.DataFrame:  # noqa: ANN401 - values of columns
    """Events in order, as `Ledger.history` shows them."""
    rows = moment.rows(f"{BY[by]} ORDER BY e.seq, e.n", seq=moment.seq, **params)
    columns = list(zip(*rows, strict=True)) or [()] * len(_READ)
    # Not by expressions: for the few events of a unit, each of them takes longer than all of this.
    found: dict[str, Sequence[Any]] = dict(zip(_READ, columns, strict=True))
    said = [json.loads(details) if type_ == "note" and details else {}
            for type_, details in zip(found["type"], found["details"], strict=True)]  # fmt: skip
    found["subject"] = [each.get("event") for each in said]
    found["note"] = [each.get("note", note) for each, note in zip(said, found["note"], strict=True)]
    found["event"] = list(map(_event, found["type"], found["subject"], found["kind_before"]))
    # The whole life of goods tells by itself whether one of them got another number.
    if by != "goods" or "renumber" in found["type"]:
        found["serial"] = _serials(moment, found)
    told = pl.DataFrame([pl.Series(name, found[name], dtype) for name, dtype in _TOLD.items()])
    scale = max(found["scale"], default=0)
    if scale == 0:
        return told
    counted = told.with_columns(pl.Series("scale", found["scale"]))
    return exact(counted, scale, "qty", "unreserved", "reserved").drop("scale")


def _event(type_: str, subject: str | None, source: str) -> str:
    """What kind of event it is."""
    if type_ == "note":
        return SUBJECTS.get(subject or "", "note")
    if type_ == "receive" and source not in SOURCES:
        return "move"
    return EVENTS.get(type_, "transaction")


def _serials(moment: Snapshot, found: Mapping[str, Sequence[Any]]) -> Sequence[str | None]:
    """The serial that each unit had then, for its first."""
    met = list(zip(found["goods_id"], found["seq"], found["serial"], strict=True))
    units = sorted({goods for goods, _, serial in met if serial})
    if not units:
        return found["serial"]
    sql = (
        "SELECT goods_id, value, seq, until_seq FROM number WHERE tenant = :tenant AND goods_id = ANY(:ids) "
        "AND kind = 'serial'"
    )
    had: dict[int, list[tuple[str, int, int | None]]] = {}
    for goods_id, value, since, until in moment.rows(sql, ids=units):
        had.setdefault(goods_id, []).append((value, since, until))
    if all(len(numbers) == 1 for numbers in had.values()):
        return found["serial"]
    return [
        next((v for v, since, end in had.get(goods, ()) if since <= seq and (end is None or seq < end)), first)
        for goods, seq, first in met
    ]


# --- finding things ---


def find_unit(moment: Snapshot, number: str, sku: str | None = None) -> int:
    """The unit that has, or had, a number of any kind.

    Raises:
        InputError: `goods_unknown`, `goods_ambiguous`.
    """
    return int(_unit(moment, number, sku)[0])


_OF_UNIT: Final = {"sku": "k.sku", "lot": "g.lot", "received_on": "g.received_on", "expires_on": "g.expires_on",
                   "stock_class": "g.stock_class", "unit_cost": "g.unit_cost"}  # fmt: skip
"""Where what a unit always is stands."""


def _unit(moment: Snapshot, number: str, sku: str | None) -> tuple[Any, ...]:
    """The goods of a unit that has, or had, a number, and what it always is."""
    sql = (
        f"SELECT DISTINCT n.goods_id, {', '.join(_OF_UNIT.values())} FROM number n "
        "JOIN goods g ON g.tenant = n.tenant AND g.goods_id = n.goods_id "
        "JOIN sku k ON k.tenant = g.tenant AND k.sku_id = g.sku_id "
        "WHERE n.tenant = :tenant AND n.value = :value AND n.seq <= :seq"
    )
    found = [row for row in moment.rows(sql, value=number, seq=moment.seq) if sku in (None, row[1])]
    if len(found) == 1:
        return found[0]
    shown = number[:80]
    if not found:
        raise InputError(Problem("goods_unknown", "there is no such unit", column="serial", value=shown))
    names = ", ".join(sorted(row[1] for row in found))
    message = f"units of several SKUs have this number: {names}"
    raise InputError(Problem("goods_ambiguous", message, column="serial", value=shown, hint="Name the SKU too"))


def find_lot(moment: Snapshot, lot: str, sku: str | None = None) -> list[int]:
    """The receipts, or units, of a lot.

    Raises:
        InputError: `goods_unknown`.
    """
    sql = (
        "SELECT g.goods_id, k.sku FROM goods g JOIN sku k ON k.tenant = g.tenant AND k.sku_id = g.sku_id "
        "WHERE g.tenant = :tenant AND g.lot = :lot AND g.lot <> ''"
    )
    found = [int(g) for g, name in moment.rows(sql, lot=lot) if sku in (None, name)]
    if not found:
        raise InputError(Problem("goods_unknown", "there is no such lot", column="lot", value=lot[:80]))
    return found


def _lines(moment: Snapshot, order_id: str) -> list[str]:
    found = moment.rows(LINES_OF_ORDER, order_id=order_id)
    return [line_id for (line_id,) in found]


# --- one unit ---


def state(ledger: Questions, serial: str, *, sku: str | None = None, at: At = None) -> dict[str, Any]:
    """What a unit is, or was at a past moment; see `Ledger.state`."""
    with snapshot(ledger, at, whole=False) as moment:
        goods_id, *unit = _unit(moment, serial, sku)
        numbers = moment.rows(
            "SELECT kind, value, until_seq FROM number WHERE tenant = :tenant AND goods_id = :goods AND seq <= :seq "
            "ORDER BY seq, value",
            goods=goods_id, seq=moment.seq,
        )  # fmt: skip
        last = moment.rows(
            f"SELECT e.seq, x.recorded_at, {', '.join(f'b.{name}' for name in PLACED)} FROM entry e "
            "JOIN txn x ON x.tenant = e.tenant AND x.seq = e.seq "
            "JOIN account b ON b.tenant = e.tenant AND b.account_id = e.to_id "
            "WHERE e.tenant = :tenant AND e.goods_id = :goods AND e.seq <= :seq ORDER BY e.seq DESC, e.n DESC LIMIT 1",
            goods=goods_id, seq=moment.seq,
        )  # fmt: skip
        said = moment.rows(
            "SELECT line_id, reserved, allocation_id, details FROM entry WHERE tenant = :tenant AND goods_id = :goods "
            "AND seq <= :seq AND (allocation_id IS NOT NULL OR details <> '') ORDER BY seq, n",
            goods=goods_id, seq=moment.seq,
        )  # fmt: skip
    now = [(k, v) for k, v, until in numbers if until is None or until > moment.seq]
    promised = [line_id for line_id, _, allocation, _ in said if allocation is not None]
    kept = [reserved for _, reserved, allocation, _ in said if allocation is not None]
    answer: dict[str, Any] = dict(zip(_OF_UNIT, unit, strict=True))
    for name in ("received_on", "expires_on"):
        answer[name] = None if answer[name] is None else day_of(answer[name])
    answer["serial"] = next((v for k, v in now if k == "serial"), serial)
    answer["serials_before"] = [v for k, v, _ in numbers if k == "serial" and (k, v) not in now]
    answer["numbers"] = {k: v for k, v in now if k != "serial"}
    answer |= dict(zip(PLACED, last[0][2:], strict=True)) if last else dict.fromkeys(PLACED)
    answer["line_id"] = promised[-1] if kept and kept[-1] else None
    answer["attributes"] = _attributes(details for *_, details in said)
    answer["seq"], answer["changed_at"] = (last[0][0], moment_of(last[0][1])) if last else (None, None)
    return {name: None if value == "" else value for name, value in answer.items()}


def _attributes(details: Any) -> dict[str, str]:  # noqa: ANN401 - texts
    """The characteristics that entries gave a unit, the last of each."""
    found: dict[str, str] = {}
    for text in details:
        told = json.loads(text) if text.startswith("{") else {}
        found |= told.get("attributes", {})
    return dict(sorted(found.items()))
