"""Papers of documents by number: what `allocator.papers.render` takes for what a document is, and as it is now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, look, number_of, unknown_document
from allocator.flows.given import checked
from allocator.flows.promises import promises_to, sku_of_line, told_of
from allocator.flows.quantities import quantity
from allocator.flows.scanning.boxes import packing_data
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.records import day_of, moment_of

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger


class Asked(NamedTuple):
    """What a paper is made of: who looks, the document, the business, and the currency of rates ('' for none)."""

    doing: Doing
    document: Document
    issuer: str
    currency: str


@checked
def paper_of(
    ledger: Ledger, number: str, person: Person, *, issuer: str, currency: str = ""
) -> tuple[str, dict[str, Any]]:
    """The paper of a document: its kind, and the data that `allocator.papers.render` makes it from.

    Args:
        ledger: The ledger.
        number: The number of a document that `PAPERS` has one for.
        person: Someone who sees it.
        issuer: The business, as it stands on paper.
        currency: The currency of the rates of a shipment, or of what is written off; they are left out without.

    Raises:
        InputError: `document_unknown`: there is none, it is somebody else's, or there is no paper for its kind;
            `scan_pending`, `step_impossible`: there is nothing to put on it yet.
    """
    wanted = number_of(number)

    def asked(doing: Doing) -> tuple[str, dict[str, Any]]:
        found = doing.book.documents.get(wanted)
        if found is None or not person.sees(found) or found.flow not in PAPERS:
            problem = unknown_document(wanted, "document that has a paper")
            raise InputError(replace(problem, hint=f"There are papers for {', '.join(PAPERS)}"))
        kind, made = PAPERS[found.flow]
        doing.lines(wanted)
        return kind, made(Asked(doing, found, issuer, currency))

    if _is_packed(ledger, wanted, person):
        return "packing_list", packing_data(ledger, wanted, person, issuer=issuer)
    return look(ledger, person, asked)


def _is_packed(ledger: Ledger, number: str, person: Person) -> bool:
    def asked(doing: Doing) -> bool:
        found = doing.book.documents.get(number)
        boxed = found is not None and person.sees(found) and found.flow == "customer order"
        return boxed and bool(doing.book.documents.linked_from(number, "order"))

    return look(ledger, person, asked)


def _paper(
    asked: Asked, from_: str, to: str, lines: Sequence[Mapping[str, Any]], references: Mapping[str, Any],
    **extra: Any,  # noqa: ANN401 - what the kind of paper has besides
) -> dict[str, Any]:  # fmt: skip
    told = {
        "number": asked.document.number, "date": moment_of(asked.document.opened_at).date(), "issuer": asked.issuer,
        "from": {"name": from_ or asked.issuer}, "to": {"name": to or asked.issuer}, "lines": list(lines),
        "references": {name: str(value) for name, value in references.items() if value}, **extra,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value not in (None, {}, "")}


def _line(asked: Asked, line: DocumentLine, qty: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A line as papers have it; what there is not is left out."""
    sku = sku_of_line(asked.doing, line)
    told = {"sku": sku.sku, "name": sku.kept.name, "qty": quantity(line.qty if qty is None else qty, sku), **more}
    if line.goods_id is not None:
        asked.doing.book.load_goods([line.goods_id])
        goods = asked.doing.book.goods[line.goods_id]
        expires = None if goods.expires_on is None else day_of(goods.expires_on)
        told |= {"serial": goods.serial, "lot": goods.lot, "expires_on": expires}
    return {name: value for name, value in told.items() if value not in (None, "")}


def _lines(asked: Asked, number: str = "") -> list[DocumentLine]:
    return asked.doing.lines(number or asked.document.number)


def _due(document: Document | None) -> dt.date | None:
    return moment_of(document.due_at).date() if document is not None and document.due_at is not None else None


def _job(asked: Asked) -> dict[str, Any]:
    said = asked.document.details
    return {"Indent": said.get("indent"), "Service order": said.get("service_order"),
            "Contract": said.get("contract_type")}  # fmt: skip


def _delivery_challan(asked: Asked) -> dict[str, Any]:
    documents, said = asked.doing.book.documents, asked.document.details
    linked = [documents.get(number) for number in documents.linked_from(asked.document.number, "challan")]
    reverse = next((each for each in linked if each and each.flow == "reverse challan"), None)
    lines = [
        _line(asked, line, returns="defective, or unused" if sku_of_line(asked.doing, line).kept.defective_return
              else "if unused")
        for line in _lines(asked)
    ]  # fmt: skip
    return _paper(asked, asked.document.place, said["holder"], lines, _job(asked),
                  reverse=reverse.number if reverse else None, due_on=_due(reverse))  # fmt: skip


def _reverse_challan(asked: Asked) -> dict[str, Any]:
    said = asked.document.details
    challan = asked.doing.book.documents.get(said["challan"])
    out = {line.n: line for line in _lines(asked, said["challan"])}
    lines = []
    for line in _lines(asked):
        if "for" not in line.details:
            returns = "defective, or unused" if line.details["defective_return"] else "if unused"
            lines.append(_line(asked, out[line.n], returns=returns))
    holder = challan.details["holder"] if challan else ""
    return _paper(asked, holder, asked.document.place, lines, _job(asked), challan=said["challan"],
                  due_on=_due(asked.document))  # fmt: skip


def _goods_receipt(asked: Asked) -> dict[str, Any]:
    shipment = asked.document.details["shipment"]
    sent = {line.n: line for line in _lines(asked, shipment)}
    counted: dict[int, dict[str, int]] = {}
    strange = []
    for line in _lines(asked):
        n = line.details.get("line")
        if n in sent:
            sums = counted.setdefault(n, {})
            sums[line.state] = sums.get(line.state, 0) + line.qty
        elif line.sku_id is not None:
            sku = sku_of_line(asked.doing, line)
            came = quantity(line.qty, sku)
            wrong = {"wrong": came} if line.state == "wrong part" else {}
            strange.append({"sku": sku.sku, "shipped": 0, "received": came, "accepted": 0, **wrong,
                            "remark": line.state})  # fmt: skip
    lines = []
    for n, sums in sorted(counted.items()):
        sku = sku_of_line(asked.doing, sent[n])
        whole, good, damaged = sum(sums.values()), sums.get("accepted", 0), sums.get("damaged", 0)
        told = _line(asked, sent[n])
        told |= {name: quantity(steps, sku) for name, steps in (
            ("shipped", whole), ("received", whole - sums.get("short", 0)), ("damaged", damaged), ("accepted", good),
        )}  # fmt: skip
        lines.append({name: value for name, value in told.items() if name != "qty"})
    head = asked.doing.book.documents.get(shipment)
    place = head.place if head and head.flow == "shipment" else (head.counterparty if head else "")
    to = asked.document.party or asked.document.place
    return _paper(asked, place, to, [*lines, *strange], {"Shipment": shipment})


def _shipment(asked: Asked) -> dict[str, Any]:
    said = asked.document.details
    lines = [
        _line(asked, line, rate=line.details.get("rate") if asked.currency else None) for line in _lines(asked)
    ]  # fmt: skip
    references = {"Request": said["request"], **said["references"], "Carrier": said["carrier"]}
    return _paper(asked, asked.document.place, asked.document.party, lines, references, currency=asked.currency)


def _warehouse_challan(asked: Asked) -> dict[str, Any]:
    said = asked.document.details
    lines = [
        _line(asked, line, reason=line.details["why"], job=", ".join(line.details["jobs"]),
              origin=", ".join(line.details["orders"]))
        for line in _lines(asked)
    ]  # fmt: skip
    references = {"Return request": said["return"], **said["references"], "Carrier": said["carrier"]}
    return _paper(asked, asked.document.counterparty, asked.document.place, lines, references)


def _pick_list(asked: Asked) -> dict[str, Any]:
    doing, ids = asked.doing, {line.line_id for line in _lines(asked)}
    promises = [*promises_to(doing, ids), *promises_to(doing, ids, "picked")]
    if not promises:
        message = f"nothing is promised to {asked.document.number}: there is nothing to pick"
        raise InputError(Problem("step_impossible", message, column="number", value=asked.document.number))
    told = sorted((told_of(doing, each) for each in promises), key=lambda p: (p["place"], p["sku"], p["serial"] or ""))
    lines = [{name: value for name, value in each.items() if value not in (None, "")} for each in told]
    to = asked.document.details.get("customer") or asked.document.party
    return _paper(asked, asked.document.place, to, lines, {})


def _delivery(asked: Asked) -> dict[str, Any]:
    said = asked.document.details
    lines = [_line(asked, line) for line in _lines(asked)]
    return _paper(asked, asked.document.place, said["customer"], lines, {"Order": said["order"]})


def _return_note(asked: Asked) -> dict[str, Any]:
    said = asked.document.details
    lines = [_line(asked, line, reason="returned") for line in _lines(asked)]
    return _paper(asked, said["customer"], "", lines, {"Order": said.get("order"), "Rental": said.get("rental")})


def _write_off(asked: Asked) -> dict[str, Any]:
    said = asked.document.details
    lines = []
    for line in _lines(asked):
        rate: dict[str, Any] = {}
        if asked.currency:
            asked.doing.book.load_goods([line.goods_id or 0])
            own = asked.doing.book.goods[line.goods_id or 0].unit_cost
            rate = {"rate": own or sku_of_line(asked.doing, line).kept.unit_cost or 0}
        lines.append(_line(asked, line, reason=said["why"], **rate))
    references = {"State": asked.document.state, **_job(asked), "Customer": said.get("customer")}
    return _paper(asked, said.get("holder", ""), asked.document.place, lines, references, challan=said["challan"],
                  currency=asked.currency)  # fmt: skip


PAPERS: Final[Mapping[str, tuple[str, Callable[[Asked], dict[str, Any]]]]] = {
    "delivery challan": ("delivery_challan", _delivery_challan),
    "reverse challan": ("reverse_challan", _reverse_challan),
    "goods receipt": ("goods_receipt", _goods_receipt),
    "shipment": ("delivery_challan", _shipment),
    "warehouse challan": ("return_note", _warehouse_challan),
    "part request": ("pick_list", _pick_list),
    "indent": ("pick_list", _pick_list),
    "customer order": ("pick_list", _pick_list),
    "sales order": ("pick_list", _pick_list),
    "delivery": ("delivery_challan", _delivery),
    "return note": ("return_note", _return_note),
    "write-off": ("write_off", _write_off),
}
"""By flow, the kind of its paper, and what makes its data; an order that is in boxes has a packing list instead."""
