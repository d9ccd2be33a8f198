"""Where goods came from and what became of them, through all documents, both ways (SP-7, SP-19, SP-21)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, look
from allocator.flows.given import checked
from allocator.flows.partner.network import SHIPMENT
from allocator.flows.quantities import quantity
from allocator.ledger.documents import DocumentLine

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

TRACE: Final[dict[str, Any]] = {
    "opened_seq": pl.Int64, "flow": pl.String, "number": pl.String, "state": pl.String, "party": pl.String,
    "line": pl.Int64, "line_state": pl.String, "sku": pl.String, "lot": pl.String, "serial": pl.String,
    "qty": pl.String, "links": pl.List(pl.String),
}  # fmt: skip


def provenance(doing: Doing, goods: Collection[int]) -> dict[int, dict[str, list[str]]]:
    """By goods, the service orders of the `jobs` that they were tied to, and the ERP's `orders` that brought them.

    A defective part that was brought in for one that the ledger knows has the order of that one. Documents that the
    person may not see say nothing: a receipt of the warehouse may have been shared out among partners.
    """
    documents = doing.book.documents
    lines = documents.lines_of_goods(set(goods))
    replaced = _replaced(doing, lines)
    lines += [(number, line) for each in set(replaced.values()) for number, line in documents.lines_of_goods({each})]
    documents.load(number for number, _ in lines)
    orders: dict[int, list[str]] = {}
    jobs: dict[int, list[str]] = {}
    for number, line in lines:
        head = documents.get(number)
        if head is None or not doing.person.sees(head):
            continue
        if line.goods_id is not None and head.flow == SHIPMENT:
            orders.setdefault(line.goods_id, []).extend(head.details["references"].values())
        elif line.goods_id is not None and "service_order" in head.details:
            jobs.setdefault(line.goods_id, []).append(head.details["service_order"])
    return {
        each: {
            "jobs": list(dict.fromkeys(jobs.get(each, ()))),
            "orders": list(dict.fromkeys([*orders.get(each, ()), *orders.get(replaced.get(each, 0), ())])),
        }
        for each in goods
    }


def _replaced(doing: Doing, lines: Iterable[tuple[str, DocumentLine]]) -> dict[int, int]:
    """By a defective part that came back, the goods that replaced it."""
    documents, found = doing.book.documents, {}
    for number, line in lines:
        if "for" in line.details and line.goods_id is not None:
            challan = documents.get(number)
            assert challan is not None
            (out,) = documents.lines(challan.details["challan"], [line.details["for"]])
            if out.goods_id is not None:
                found[line.goods_id] = out.goods_id
    return found


@checked
def trace(
    ledger: Ledger, person: Person, *, reference: str | None = None, serial: str | None = None, sku: str | None = None
) -> pl.DataFrame:
    """Every document that goods went through, from the ERP's order to the service order and usage, and back (SP-21).

    Args:
        ledger: The ledger.
        person: Who asks; documents that they may not see are left out.
        reference: A number of another system (an order of the ERP, a service order) or of a document: all goods on it.
        serial: One unit, instead, by any number that it has or had.
        sku: Its SKU, where units of several have the number.

    Returns:
        One row per document and line that is about the goods, in the order in which they were opened: `opened_seq`,
        `flow`, `number`, `state`, `party`, `line`, `line_state`, `sku`, `lot`, `serial`, `qty`, and `links`: what the
        document is linked to, each as `kind: number`.

    Raises:
        InputError: `argument_value`; `goods_unknown`; `document_unknown`: nothing has such a number, or none that this
            person may see.
    """
    if (reference is None) == (serial is None):
        raise InputError(Problem("argument_value", "give a reference, or a serial", column="reference"))

    def asked(doing: Doing) -> pl.DataFrame:
        goods = _of_serial(doing, serial, sku) if serial is not None else _of_reference(doing, str(reference))
        lines = doing.book.documents.lines_of_goods(goods)
        doing.book.load_goods(goods)
        rows = [row for number, line in lines if (row := _row(doing, number, line))]
        if not rows:
            raise InputError(_unknown(str(reference or serial)))
        return pl.DataFrame(sorted(rows), schema=TRACE, orient="row")

    return look(ledger, person, asked)


def _of_serial(doing: Doing, serial: str, sku: str | None) -> set[int]:
    doing.book.find_numbers([serial])
    goods = {goods_id for _, goods_id in doing.book.numbers[serial]}
    doing.book.load_goods(goods)
    if sku is not None:
        wanted = doing.sku(sku).sku_id
        goods = {each for each in goods if doing.book.goods[each].sku_id == wanted}
    return goods


def _of_reference(doing: Doing, reference: str) -> set[int]:
    """The goods on the documents that have a reference, and on those that lead there."""
    documents = doing.book.documents
    numbers = {*documents.linked_from(reference), *([reference] if documents.get(reference) else [])}
    # A request or an indent has no goods of its own: its shipments and challans have.
    numbers |= {number for each in numbers for number in documents.linked_from(each)}
    seen = [number for number in numbers if (head := documents.get(number)) and doing.person.sees(head)]
    return {line.goods_id for number in seen for line in documents.lines(number) if line.goods_id is not None}


def _row(doing: Doing, number: str, line: DocumentLine) -> tuple[Any, ...] | None:
    head = doing.book.documents.get(number)
    if head is None or not doing.person.sees(head):
        return None
    goods = doing.book.goods[line.goods_id or 0]
    doing.book.catalog.load_sku_ids(doing.book.session, [goods.sku_id])
    sku = doing.book.catalog.sku(goods.sku_id)
    links = [f"{kind}: {other}" for kind, other in doing.book.documents.links(number)]
    return (head.opened_seq, head.flow, number, head.state, head.party or None, line.n, line.state, sku.sku,
            goods.lot or None, goods.serial or None, str(quantity(line.qty, sku)), links)  # fmt: skip


def _unknown(value: str) -> Problem:
    return Problem("document_unknown", "no document of yours is about it", column="reference", value=value[:80])
