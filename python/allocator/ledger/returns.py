"""Returns: checked against the sale, taken back, inspected, and disposed of, one step after the other (SN-18).

The characteristic `return.step` says where a returned unit is: `received`, `inspected`, `repair`, `refurbish`, or none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog
from allocator.ledger.given import check
from allocator.ledger.history import events
from allocator.ledger.lines import read_lines
from allocator.ledger.records import Account, Heading, Sku
from allocator.ledger.selection import load, unit, where
from allocator.ledger.snapshot import Snapshot
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

OUT: Final = ("customer", "rental", "transit", "consumed")
"""Kinds of account from which goods come back."""

GIVEN_OUT: Final = ("ship", "deliver", "rent", "sell", "invoice", "consume")
"""Types of transaction that give goods out."""

STEP: Final = "return.step"
RESULT: Final = "return.result"

NEXT: Final[Mapping[str, str]] = {
    "": "take it back: take_back", "received": "inspect it: inspect_return",
    "inspected": "dispose of it: dispose", "repair": "dispose of it: dispose", "refurbish": "dispose of it: dispose",
}  # fmt: skip
"""What comes after each step."""

CONDITIONS: Final[Mapping[str, str]] = {"inspected": "used", "repair": "repaired", "refurbish": "refurbished"}
"""The condition in which a unit is restocked, by the step before, unless another is said."""

SERVICE: Final = "In service"
RETIRED: Final = "Out of use"
"""States that dispositions look for in a lifecycle; where it has none of that state, the status stays."""

Disposition = Literal["restock", "repair", "refurbish", "retire"]
DISPOSITIONS: Final = ("restock", "repair", "refurbish", "retire")


def verify_return(
    ledger: Ledger, serial: str, *, customer: str | None = None, document: str | None = None
) -> dict[str, Any]:
    """Checks a unit that someone brings back against how it was given out.

    Args:
        ledger: The ledger.
        serial: The unit, by any number that it has or had.
        customer: Who brings it.
        document: The document that they name: a delivery challan, an invoice.

    Returns:
        `serial` (as it is now), `sku`, `kind` (customer, rental, transit, consumed), `holder`, `owner`, `line_id` of
        the order; `documents` by which it was given out, the newest first, and `given_out_on`, the first day of these.

    Raises:
        InputError: `return_unfit`: it is not out, another has it, or it was not given out by this document: every one
            of them; `goods_unknown`, `goods_ambiguous`.
    """
    check("serial", serial=serial, customer=customer, document=document)
    heading = ledger.heading("return", actor="?")
    with ledger.store.session() as session:
        # A catalogue of its own: that of the writer may change meanwhile.
        return _verified(Book(session, Catalog(ledger.tenant), writes=False), heading, serial, customer, document)


def take_back(
    ledger: Ledger,
    serial: str,
    to_location: str,
    *,
    customer: str | None = None,
    sale_document: str | None = None,
    credit: bool = False,
    to_status: str = "",
    condition: str = "",
    document: str,
    actor: str,
    role: str = "",
    reason: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Takes a unit back that was given out; it keeps its receipt date, expiry and origin.

    Args:
        ledger: The ledger.
        serial: The unit.
        to_location: Where it is put.
        customer: Who brings it; checked if given.
        sale_document: The document by which it was given out; checked if given.
        credit: Whether title comes back with it, by a credit note.
        to_status: The status of what came back; what the lifecycle says of the event `returned` if left out.
        condition: Its condition; as before if left out.
        document: The number of the return note or credit note.
        actor: Who does it.
        role: The role in which the actor does it.
        reason: The reason code.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        What `verify_return` says, with `seq` of the transaction.

    Raises:
        InputError: As `verify_return`, and as `Ledger.post("return", …)`.
    """
    check("serial", "to_status", "condition", serial=serial, customer=customer, sale_document=sale_document,
          credit=credit, to_status=to_status, condition=condition)  # fmt: skip
    type_ = "credit" if credit else "return"
    heading = ledger.heading(type_, actor=actor, role=role, document=document, reason=reason, key=key)
    said = {
        "serial": serial,
        "to_location": to_location,
        "to_status": to_status or None,
        "to_condition": condition or None,
    }
    (line,) = read_lines([said])

    def work(book: Book) -> dict[str, Any]:
        found = _verified(book, heading, serial, customer, sale_document)
        counted = {"line_id": found["line_id"]} if found["line_id"] else {}
        seq = change.post(book, heading, [line | counted])
        _note(book, heading._replace(key=""), serial, "return", {STEP: "received", RESULT: ""})
        return found | {"seq": seq, "given_out_on": str(found["given_out_on"])}

    answer: dict[str, Any] = ledger.do(work, heading, line, customer, sale_document)
    return answer


def inspect_return(
    ledger: Ledger, serial: str, *, result: str, inspector: str, note: str = "", actor: str, key: str = ""
) -> int:
    """Records the inspection of a unit that came back; the number of the transaction.

    Raises:
        InputError: `return_unfit`: it is no return that waits for inspection; the hint says what comes next.
    """
    check("serial", serial=serial)
    heading = ledger.heading("note", actor=actor, note=note, key=key)
    said = {"details": {"result": result, "inspector": inspector}, "attributes": {STEP: "inspected", RESULT: result}}
    (line,) = read_lines([{"serial": serial, "event": "inspection", **said}])

    def work(book: Book) -> int:
        _at(book, serial, ("received",))
        return change.post(book, heading, [line])

    return int(ledger.do(work, heading, line))


def dispose(
    ledger: Ledger,
    serial: str,
    disposition: Disposition,
    *,
    condition: str = "",
    to_location: str | None = None,
    reason: str = "",
    actor: str,
    role: str = "",
    approved_by: str = "",
    key: str = "",
) -> int:
    """Decides what becomes of an inspected unit; the number of the last transaction.

    Args:
        ledger: The ledger.
        serial: The unit.
        disposition: `restock`: it can be promised again; `repair` and `refurbish`: it goes into service, and is
            disposed of once more afterwards; `retire`: it goes through the lifecycle to where it ends, and is scrapped.
        condition: Its condition from now on; by default `used`, after a repair `repaired`, after that `refurbished`.
        to_location: Where it is put; it stays if left out.
        reason: The reason code; `retire` needs one.
        actor: Who does it.
        role: The role in which the actor does it.
        approved_by: Who approved it.
        key: The caller's key, so that a repeat is answered and not done again.

    Raises:
        InputError: `return_unfit`: it was not inspected, belongs to a customer still, or cannot get there from its
            status; `argument_value`, `reason_missing`, and what the lifecycle asks for.
    """
    check("serial", "disposition", "condition", serial=serial, disposition=disposition, condition=condition)
    if disposition not in DISPOSITIONS:
        hint = did_you_mean(str(disposition), DISPOSITIONS) or f"There are {', '.join(DISPOSITIONS)}"
        problem = Problem(
            "argument_value", "no such disposition", column="disposition", value=str(disposition), hint=hint
        )
        raise InputError(problem)
    heading = ledger.heading("change_status", actor=actor, role=role, approved_by=approved_by, reason=reason, key=key)
    place = {} if to_location is None else {"to_location": to_location}
    (line,) = read_lines([{"serial": serial, "to_condition": condition or None, **place}])
    said_condition = line.pop("to_condition", "")

    def work(book: Book) -> int:
        step, sku, account = _at(book, serial, ("inspected", "repair", "refurbish"))
        path = _path(sku, account, disposition)
        if disposition == "restock" and account.owner:
            message = f"it belongs to {account.owner} still"
            raise InputError(_unfit(message, serial, "Credit it, or pass title: change_owner"))
        wanted = said_condition or (CONDITIONS[step] if disposition == "restock" else account.condition)
        changes: list[dict[str, str]] = [{"to_status": status} for status in path]
        if wanted != account.condition:
            changes.append({"to_condition": wanted})
        if not changes and line.get("to_location", account.location) != account.location:
            changes.append({})
        said = heading
        for each in changes:
            change.post(book, said, [line | each])
            said = heading._replace(key="")
        after = disposition if disposition in ("repair", "refurbish") else ""
        seq = _note(book, said, serial, disposition, {STEP: after})
        if disposition == "retire":
            seq = change.post(book, heading._replace(type="scrap", key=""), [{"serial": serial}])
        return seq

    return int(ledger.do(work, heading, line, disposition, said_condition))


def _verified(book: Book, heading: Heading, serial: str, customer: str | None, document: str | None) -> dict[str, Any]:
    (line,) = read_lines([{"serial": serial}])
    load(book, [line])
    goods_id = unit(book, line, None)
    sku = book.catalog.sku(book.goods[goods_id].sku_id)
    accounts = [book.catalog.accounts[account_id] for account_id in book.accounts_of[goods_id]]
    if not accounts or accounts[0].kind not in OUT:
        raise InputError(
            _unfit(f"it is not out: it is {where(book, goods_id)}", serial, "Only what was given out comes back")
        )
    account = accounts[0]
    told = events(Snapshot(book.session, book.tenant), "goods", ids=[goods_id])
    documents, line_id, since = _given_out(told.select("type", "document", "line_id", "day").rows(named=True))
    problems = []
    if customer is not None and customer not in (account.holder, account.owner):
        problems.append(_unfit(f"{account.holder or 'nobody'} has it, not {customer}", serial, "Ask who brings it"))
    if document is not None and document not in documents:
        hint = f"It was given out by {', '.join(documents) or 'no document'}"
        problems.append(_unfit(f"it was not given out by {document}", serial, hint))
    if problems:
        raise InputError(problems)
    return {
        "serial": book.serial_of(goods_id), "sku": sku.sku, "kind": account.kind, "holder": account.holder or None,
        "owner": account.owner or None, "line_id": line_id, "documents": documents, "given_out_on": since,
    }  # fmt: skip


def _given_out(told: Sequence[Mapping[str, Any]]) -> tuple[list[str], str | None, Any]:
    """Documents, order line and first day of the last time that a unit was given out."""
    documents: list[str] = []
    line_id = since = None
    for row in told:
        if row["type"] in ("return", "credit", "receive"):
            documents, line_id, since = [], None, None
        elif row["type"] in GIVEN_OUT:
            documents += [row["document"]] if row["document"] and row["document"] not in documents else []
            line_id, since = row["line_id"] or line_id, since or row["day"]
    return documents[::-1], line_id, since


def _at(book: Book, serial: str, steps: Sequence[str]) -> tuple[str, Sku, Account]:
    """The step at which a returned unit is, which must be one of these; its SKU, and where it is."""
    (line,) = read_lines([{"serial": serial}])
    load(book, [line])
    goods_id = unit(book, line, None)
    step = book.values([STEP], [goods_id]).get((goods_id, STEP), "")
    accounts = [book.catalog.accounts[account_id] for account_id in book.accounts_of[goods_id]]
    if step not in steps or not accounts or accounts[0].kind != "stock":
        state = step or "no return that is open"
        raise InputError(_unfit(f"it is {state}, {where(book, goods_id)}", serial, f"Next: {NEXT[step]}"))
    return step, book.catalog.sku(book.goods[goods_id].sku_id), accounts[0]


def _path(sku: Sku, account: Account, disposition: str) -> list[str]:
    """The statuses through which a unit goes to where a disposition takes it, in the normal course."""
    lifecycle, start = sku.lifecycle, account.status
    if disposition == "restock":
        goals = set(lifecycle.statuses_allocatable)
    else:
        state = RETIRED if disposition == "retire" else SERVICE
        goals = {name for name, of in lifecycle.state_of.items() if of == state}
        if disposition == "retire":
            # Of the states in which units are out of use, the ones from which nothing leads on.
            goals = {name for name in goals if not lifecycle.targets(name)} or goals
    if start in goals or not goals:
        return []
    ways: list[list[str]] = [[start]]
    seen = {start}
    for way in ways:
        for status in lifecycle.targets(way[-1]):
            if status in goals:
                return [*way[1:], status]
            if status not in seen:
                seen.add(status)
                ways.append([*way, status])
    hint = f"From {start} it can become {', '.join(lifecycle.targets(start)) or 'nothing else'}"
    raise InputError(Problem("return_unfit", f"no way leads from {start} to {disposition}", column="serial", hint=hint))


def _unfit(message: str, serial: str, hint: str) -> Problem:
    return Problem("return_unfit", message, column="serial", value=serial[:80], hint=hint)


def _note(book: Book, heading: Heading, serial: str, event: str, attributes: Mapping[str, str]) -> int:
    (line,) = read_lines([{"serial": serial, "event": event, "attributes": attributes}])
    return change.post(book, heading._replace(type="note"), [line])
