"""Invoices pass title, credit notes take it back: of orders, sales from the shelf, rented devices (WD-5 to WD-8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.devices.deliveries import deliveries_of, settle_parts
from allocator.flows.devices.goods import (
    BILLING,
    Out,
    check_off_subscription,
    given,
    outs_of,
    parts_of,
    place_in,
    posted,
    read_parts,
    settings_for,
    told_parts,
)
from allocator.flows.devices.orders import ORDERS
from allocator.flows.doing import Doing, Person, all_problems, check_reason, number_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.quantities import as_qty, asked_of, read_qty
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Lines, mappings_of, read_lines, text

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

INVOICES: Final = known(
    Flow(
        name="invoice",
        prefix="INV",
        says="Goods whose title passed to a customer.",
        states={"issued": "Some of it may come back by credit note.", "credited": "All of it came back."},
        closed=("credited",),
        steps=(
            Step("issue", "Title passes: of what was delivered, of what is sold from the shelf, of a rented device.",
                 ("",), ("issued",), (BILLING,)),
            Step("credit", "A credit note takes some of it back.", ("issued",), ("issued", "credited")),
        ),
    )
)  # fmt: skip

CREDIT_NOTES: Final = known(
    Flow(
        name="credit note",
        prefix="CN",
        says="Invoiced goods that came back, and title with them.",
        states={"issued": "They are in the warehouse."},
        closed=("issued",),
        steps=(Step("issue", "Goods of an invoice come back.", ("",), ("issued",), (BILLING,)),),
    )
)

SOLD: Final[Mapping[str, Callable[[Any], Any]]] = {"sku": text, "serial": text, "qty": read_qty}


@checked
def invoice_order(
    ledger: Ledger, order: str, person: Person, *, parts: Lines | None = None, number: str = "", note: str = "",
    key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Invoices what an order delivered, or parts of it: title passes now, and not at delivery (WD-5).

    Args:
        ledger: The ledger.
        order: Its number.
        person: Someone of billing.
        parts: One line per part: its `serial`, or its `sku`; `qty` where that is not all. Everything that was delivered
            and neither invoiced nor taken back if left out.
        number: The number of the invoice; the next one of this flow if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `order`, and `lines`: `line`, `sku`, `serial`, `lot`, `qty`.

    Raises:
        InputError: `goods_unknown`: nothing (such) is to be invoiced; `stock_short`, `document_unknown`,
            `document_exists`, `role_missing`.
    """
    rows = read_parts(parts)
    own = number_of(number) if number else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document = doing.document(order, ORDERS.name)
        shares = parts_of(doing, outs_of(doing, deliveries_of(doing, order)), rows, "invoiced")
        invoice = own or doing.next_number(INVOICES)
        with doing.transaction("invoice", document=invoice, document_kind=INVOICES.name) as heading:
            went = doing.post(heading, posted(doing, shares))
            accounts = [went[out.line.goods_id or 0, out.line.details["account"]] for out, _ in shares]
            lines = [(out.line, qty) for out, qty in shares]
            told = _issued(doing, own, document.details["customer"], lines, accounts, order=order)
            settle_parts(doing, shares, "invoice")
        return told

    answer: dict[str, Any] = take(ledger, person, INVOICES, "issue", work, order, rows, own, key=key, note=note)
    return answer


def _issued(
    doing: Doing, number: str, customer: str, shares: Sequence[tuple[DocumentLine, int]], accounts: Sequence[int],
    **linked: str,
) -> dict[str, Any]:  # fmt: skip
    """An invoice of goods that are in these accounts now, within a transaction."""
    invoice = doing.open(INVOICES, "issued", number=number, step="issue", counterparty=customer,
                         details={"customer": customer, **linked})  # fmt: skip
    for kind, other in linked.items():
        doing.link(invoice, kind, other, step="issue")
    told = []
    for n, ((line, qty), account) in enumerate(zip(shares, accounts, strict=True), start=1):
        made = DocumentLine(n, line.sku_id, line.goods_id, line.line_id, qty)
        doing.line(invoice, n, step="issue", sku_id=made.sku_id, goods_id=made.goods_id, line_id=made.line_id,
                   qty=qty, state="invoiced", details={"account": account})  # fmt: skip
        told.append((made, qty))
    return {"number": invoice, "state": "issued", **linked, "lines": told_parts(doing, told)}


@checked
def invoice_sale(
    ledger: Ledger, lines: Lines, person: Person, *, customer: str, number: str = "", note: str = "", key: str = ""
) -> dict[str, Any]:
    """Sells goods from the shelf: the invoice takes them out of stock, and title goes with them (WD-7).

    Args:
        ledger: The ledger.
        lines: One line per SKU, `sku` and `qty`, which the policy serves; or per unit, `sku` and `serial`.
        person: Someone of billing.
        customer: Who buys them.
        number: The number of the invoice; the next one of this flow if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and `lines`: `line`, `sku`, `serial`, `lot`, `qty`.

    Raises:
        InputError: `stock_short`, with the reason, of every line that cannot be served whole; `sku_unknown`,
            `value_null`, `document_exists`, `role_missing`.
    """
    with all_problems() as part:
        with part():
            rows = [{"qty": 1, **row} if "serial" in row else row for row in read_lines(lines, ("sku",), SOLD)]
        with part():
            given_ = mappings_of(lines, "lines")
            lacking = [n for n, row in enumerate(given_) if row.get("qty") is None and row.get("serial") is None]
            if lacking:
                message = "a line needs qty, or serial"
                raise InputError(Problem("value_null", message, "lines", "qty", n) for n in lacking)
        with part():
            who = number_of(customer, "customer")
        with part():
            own = number_of(number) if number else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        asked = asked_of(doing, rows)
        asked.check()
        invoice = own or doing.next_number(INVOICES)
        wanted: list[dict[str, Any]] = [
            {**row, "line_id": f"{invoice}/{n}", "order_id": invoice, "location": settings.warehouse, "customer": who,
             "qty": as_qty(asked.steps[n - 1], asked.skus[row["sku"]])}
            for n, row in enumerate(rows, start=1)
        ]  # fmt: skip
        promises = given(doing, INVOICES, invoice, wanted, settings)
        with doing.transaction("sell", document=invoice, document_kind=INVOICES.name) as heading:
            went = doing.post(heading, [{"allocation_id": each.allocation_id, "to_holder": who} for each in promises])
            goods = [doing.book.goods[each.goods_id] for each in promises]
            shares = [
                (DocumentLine(n, of.sku_id, of.goods_id, each.line_id, each.qty), each.qty)
                for n, (each, of) in enumerate(zip(promises, goods, strict=True), start=1)
            ]
            return _issued(doing, own, who, shares, [went[each.goods_id, each.account_id] for each in promises])

    answer: dict[str, Any] = take(ledger, person, INVOICES, "issue", work, rows, who, own, key=key, note=note)
    return answer


def bought_out(doing: Doing, rental: Document, line: DocumentLine) -> dict[str, Any]:
    """The invoice of a rented device that its customer keeps, within a transaction of the type `invoice`."""
    (account,) = doing.book.accounts_of[line.goods_id or 0]
    return _issued(doing, "", rental.details["customer"], [(line, 1)], [account], rental=rental.number)


@checked
def issue_credit_note(
    ledger: Ledger, invoice: str, person: Person, *, parts: Lines | None = None, place: str = "", condition: str = "",
    reason: str, note: str = "", key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Takes invoiced goods back, whole or in part, and title with them (WD-8); devices are Used from then on.

    Args:
        ledger: The ledger.
        invoice: Its number.
        person: Someone of billing.
        parts: As those of `invoice_order`, or by their `line` of the invoice; everything that is not back if left out.
        place: Where they are put, in the warehouse; the warehouse itself if left out.
        condition: Their condition; as before if left out.
        reason: The reason code.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `invoice` and its `state`, and `lines`: `line` of the invoice, `sku`, `serial`, `lot`, `qty`.

    Raises:
        InputError: `reason_missing`; `goods_unknown`: no such part was invoiced, or it is elsewhere by now;
            `device_unfit`: a subscription has it still; `stock_short`, `site_unknown`, `document_unknown`,
            `role_missing`.
    """
    with all_problems() as part:
        with part():
            rows = read_parts(parts)
        with part():
            check_reason(reason, "a credit note")

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        document = doing.document(invoice, INVOICES.name)
        shares = parts_of(doing, outs_of(doing, [document]), rows, "credited")
        check_off_subscription(doing, [out.line.goods_id or 0 for out, _ in shares])
        to = {"to_location": place_in(settings, place)} | ({"to_condition": condition} if condition else {})
        number, customer = doing.next_number(CREDIT_NOTES), document.details["customer"]
        with doing.transaction("credit", document=number, document_kind=CREDIT_NOTES.name) as heading:
            doing.post(heading, posted(doing, shares, **to))
            doing.open(CREDIT_NOTES, "issued", number=number, counterparty=customer,
                       details={"customer": customer, "invoice": invoice})  # fmt: skip
            doing.link(number, "invoice", invoice)
            state = _credited(doing, number, shares)
        told = told_parts(doing, [(out.line, qty) for out, qty in shares])
        return {"number": number, "invoice": invoice, "state": state, "lines": told}

    said = (invoice, rows, place, condition)
    answer: dict[str, Any] = take(ledger, person, CREDIT_NOTES, "issue", work, *said, key=key, reason=reason, note=note)
    return answer


def _credited(doing: Doing, number: str, shares: Sequence[tuple[Out, int]]) -> str:
    """Counts parts of an invoice as back; its state."""
    invoice = shares[0][0].document.number
    for n, (out, qty) in enumerate(shares, start=1):
        line = out.line
        doing.line(number, n, sku_id=line.sku_id, goods_id=line.goods_id, line_id=line.line_id, qty=qty, progress=qty,
                   state="credited", details={"invoice_line": line.n})  # fmt: skip
        doing.line(invoice, line.n, step="credit", progress=line.progress + qty)
    state = "credited" if all(line.progress == line.qty for line in doing.lines(invoice)) else "issued"
    doing.go(invoice, state, step="credit")
    return state
