"""Orders are delivered in one go or in several, taken back before they are completed, and completed (WD-5, 7, 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.devices.goods import (
    BILLING,
    Out,
    check_off_subscription,
    outs_of,
    parts_of,
    place_in,
    posted,
    read_parts,
    settings_for,
    told_parts,
)
from allocator.flows.devices.orders import ORDERS
from allocator.flows.doing import Doing, Person, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.named import Candidate, chosen
from allocator.flows.promises import promises_to, sku_of_line
from allocator.flows.quantities import as_qty, quantity
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Lines
from allocator.ledger.records import Allocation

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

DELIVERIES: Final = known(
    Flow(
        name="delivery",
        prefix="DN",
        says="Goods that a customer got by an order: still the business's own until they are invoiced.",
        states={"delivered": "Some of it is neither invoiced nor back.", "settled": "All of it is."},
        closed=("settled",),
        steps=(
            Step("deliver", "Goods of an order reached the customer.", ("",), ("delivered",)),
            Step("return", "Some of it came back before the order was completed.", ("delivered",),
                 ("delivered", "settled")),
            Step("invoice", "Title of some of it passes to the customer.", ("delivered",), ("delivered", "settled"),
                 (BILLING,)),
        ),
    )
)  # fmt: skip

RETURN_NOTES: Final = known(
    Flow(
        name="return note",
        prefix="RN",
        says="What came back from a customer without having been theirs.",
        states={"received": "It is in the warehouse."},
        closed=("received",),
        steps=(Step("receive", "Goods came back.", ("",), ("received",)),),
    )
)


@checked
def deliver_order(
    ledger: Ledger, order: str, person: Person, *, parts: Lines | None = None, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Delivers what is promised to an order, or parts of it; the rest by later deliveries (WD-7). Title stays (WD-5).

    Args:
        ledger: The ledger.
        order: Its number.
        person: Someone of the warehouse, or the installer.
        parts: One line per part: its `line` of the order, its `serial`, or its `sku`; `qty` where that is not all.
            Everything that is promised if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` of the delivery, `order` and its `state`, and `lines`: `line`, `sku`, `serial`, `lot`, `qty`; `open`:
        what of the order is not delivered yet, by `line` and `sku`.

    Raises:
        InputError: `goods_unknown`: nothing (such) is promised to it; `stock_short`, `blocks_held`,
            `document_unknown`, `step_impossible`, `role_missing`.
    """
    rows = read_parts(parts)

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document = doing.begin(order)
        shares = _promised(doing, document, rows)
        answer = _deliver(doing, document, shares, complete=False)
        return answer | {"open": _open(doing, order)}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "deliver", work, order, rows, key=key, note=note)
    return answer


def _promised(
    doing: Doing, document: Document, rows: Sequence[Mapping[str, Any]] | None
) -> list[tuple[Allocation, int]]:
    """What is promised to an order of what parts mean, and how much of it."""
    lines = {line.line_id: line for line in doing.lines(document.number)}
    found = [doing.book.allocations[number] for number in promises_to(doing, lines.keys())]
    promises = [each for each in found if each is not None]
    if not promises:
        hint = "advance_order promises what has come in since"
        raise InputError(Problem("goods_unknown", f"nothing is promised to {document.number}", "parts", hint=hint))
    if rows is None:
        return [(each, each.qty) for each in promises]
    candidates = [
        Candidate(each, sku_of_line(doing, lines[each.line_id]), each.goods_id, each.qty,
                  {"line": lines[each.line_id].n})
        for each in promises
    ]  # fmt: skip
    return chosen(doing, rows, candidates, table="parts", none=f"no such part is promised to {document.number}",
                  hint="Name its line, its serial, or its SKU", there="are promised to it")  # fmt: skip


def _deliver(
    doing: Doing, document: Document, shares: Sequence[tuple[Allocation, int]], *, complete: bool
) -> dict[str, Any]:
    """One delivery of an order, with which the order may be completed."""
    order, customer = document.number, document.details["customer"]
    delivery = doing.next_number(DELIVERIES)
    lines = {line.line_id: line for line in doing.lines(order)}
    with doing.transaction("deliver", document=delivery, document_kind=DELIVERIES.name) as heading:
        wanted = [
            {"allocation_id": each.allocation_id, "qty": as_qty(qty, sku_of_line(doing, lines[each.line_id])),
             "to_holder": customer}
            for each, qty in shares
        ]  # fmt: skip
        went = doing.post(heading, wanted)
        doing.open(DELIVERIES, "delivered", number=delivery, step="deliver", counterparty=customer,
                   place=document.place, details={"order": order, "customer": customer})  # fmt: skip
        doing.link(delivery, "order", order, step="deliver")
        out = []
        for n, (each, qty) in enumerate(shares, start=1):
            line = lines[each.line_id]
            made = DocumentLine(n, line.sku_id, each.goods_id, each.line_id, qty)
            account = went[each.goods_id, each.account_id]
            doing.line(delivery, n, sku_id=made.sku_id, goods_id=made.goods_id, line_id=made.line_id, qty=qty,
                       state="delivered", step="deliver", details={"account": account})  # fmt: skip
            (now,) = doing.lines(order, [line.n])
            doing.line(order, line.n, progress=now.progress + qty)
            out.append((made, qty))
        doing.go(order, marks=["completed"] if complete else ())
    return {"number": delivery, "order": order, "state": "completed" if complete else "in progress",
            "lines": told_parts(doing, out)}  # fmt: skip


def _open(doing: Doing, order: str) -> list[dict[str, Any]]:
    lines = [line for line in doing.lines(order) if line.progress < line.qty]
    return [
        {"line": line.n, "sku": (sku := sku_of_line(doing, line)).sku, "qty": quantity(line.qty - line.progress, sku)}
        for line in lines
    ]


def deliveries_of(doing: Doing, order: str) -> list[Document]:
    """The deliveries of an order that are not settled, in their order."""
    numbers = doing.book.documents.linked_from(order, "order")
    found = [doing.book.documents.get(number) for number in numbers]
    return [each for each in found if each and each.flow == DELIVERIES.name and not each.closed]


@checked
def take_back_delivered(
    ledger: Ledger, order: str, person: Person, *, parts: Lines | None = None, place: str = "", condition: str = "",
    reason: str = "", note: str = "", key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Takes back what an order delivered and nobody invoiced, before the order is completed (WD-8).

    It keeps its receipt date, expiry and origin, and is not delivered again by this order.

    Args:
        ledger: The ledger.
        order: Its number.
        person: Someone of the warehouse, or the installer.
        parts: As those of `deliver_order`; everything that is out if left out.
        place: Where it is put, in the warehouse; the warehouse itself if left out.
        condition: Its condition; as before if left out.
        reason: The reason code.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` of the return note, `order`, and `lines`: `line`, `sku`, `serial`, `lot`, `qty`.

    Raises:
        InputError: `goods_unknown`: no such part is out; `stock_short`; `device_unfit`: a subscription has it still;
            `site_unknown`, `document_unknown`, `step_impossible`, `role_missing`.
    """
    rows = read_parts(parts)

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        document = doing.begin(order)
        doing.lines(order)
        shares = parts_of(doing, outs_of(doing, deliveries_of(doing, order)), rows, "taken back")
        check_off_subscription(doing, [out.line.goods_id or 0 for out, _ in shares])
        to = {"to_location": place_in(settings, place)} | ({"to_condition": condition} if condition else {})
        number = doing.next_number(RETURN_NOTES)
        with doing.transaction("return", document=number, document_kind=RETURN_NOTES.name) as heading:
            doing.post(heading, posted(doing, shares, **to))
            noted(doing, number, document.details["customer"], [(out.line, qty) for out, qty in shares], order=order)
            settle_parts(doing, shares, "return")
            for out, qty in shares:
                (line,) = doing.lines(order, [int(out.line.line_id.rpartition("/")[2])])
                doing.line(order, line.n, details={"returned": line.details.get("returned", 0) + qty})
            doing.go(order)
        return {"number": number, "order": order,
                "lines": told_parts(doing, [(out.line, qty) for out, qty in shares])}  # fmt: skip

    said = (order, rows, place, condition)
    answer: dict[str, Any] = take(ledger, person, ORDERS, "take back", work, *said, key=key, reason=reason, note=note)
    return answer


def noted(doing: Doing, number: str, customer: str, shares: Sequence[tuple[DocumentLine, int]], **linked: str) -> None:
    """A return note of what came back from a customer, within a transaction."""
    doing.open(RETURN_NOTES, "received", number=number, step="receive", counterparty=customer,
               details={"customer": customer, **linked})  # fmt: skip
    for kind, other in linked.items():
        doing.link(number, kind, other, step="receive")
    for n, (line, qty) in enumerate(shares, start=1):
        doing.line(number, n, step="receive", sku_id=line.sku_id, goods_id=line.goods_id, line_id=line.line_id,
                   qty=qty, progress=qty, state="received")  # fmt: skip


def settle_parts(doing: Doing, shares: Sequence[tuple[Out, int]], step: str) -> None:
    """Counts parts of deliveries as back, or as invoiced; a delivery of which nothing is left is settled."""
    for out, qty in shares:
        (now,) = doing.lines(out.document.number, [out.line.n])
        name = "returned" if step == "return" else "invoiced"
        doing.line(out.document.number, now.n, step=step, progress=now.progress + qty,
                   details={name: now.details.get(name, 0) + qty})  # fmt: skip
    for number in dict.fromkeys(out.document.number for out, _ in shares):
        over = all(line.progress == line.qty for line in doing.lines(number))
        doing.go(number, "settled" if over else "delivered", step=step, marks=["settled"] if over else ())


@checked
def complete_order(ledger: Ledger, order: str, person: Person, *, reason: str = "", key: str = "") -> dict[str, Any]:
    """Completes an order: what is promised still is delivered with it, what is short is given up.

    Args:
        ledger: The ledger.
        order: Its number.
        person: Someone of the service, or of the warehouse.
        reason: Why something is given up; needed if anything is.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` of the last delivery (None if nothing was left to deliver), `order`, `state`, and `lines` of it.

    Raises:
        InputError: `reason_missing`, for every line of which something is given up; `blocks_held`,
            `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document = doing.begin(order)
        promised: dict[str, int] = {}
        found = [doing.book.allocations[n] for n in promises_to(doing, {line.line_id for line in doing.lines(order)})]
        shares = [(each, each.qty) for each in found if each is not None]
        for each, qty in shares:
            promised[each.line_id] = promised.get(each.line_id, 0) + qty
        short = [(line, line.qty - line.progress - promised.get(line.line_id, 0)) for line in doing.lines(order)]
        if not reason and any(qty for _, qty in short):
            raise InputError(
                Problem("reason_missing", f"{quantity(qty, sku)} of {sku.sku} would be given up", "lines", "reason",
                        line.n - 1, hint="Say why in reason; or advance the order again for what came in")
                for line, qty in short if qty and (sku := sku_of_line(doing, line))
            )  # fmt: skip
        if shares:
            return _deliver(doing, document, shares, complete=True)
        with doing.transaction():
            doing.go(order, marks=["completed"])
        return {"number": None, "order": order, "state": "completed", "lines": []}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "complete", work, order, key=key, reason=reason)
    return answer
