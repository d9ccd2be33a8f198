"""Scanning an order into boxes, and taking a scan back: scanned and pending make up the order (OS-2 to 8)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, number_of, take
from allocator.flows.given import checked
from allocator.flows.promises import demand, promises_to
from allocator.flows.quantities import quantity, read_qty, steps_of
from allocator.flows.scanning.orders import BOXES, ORDERS, begin_as
from allocator.flows.scanning.reading import Found, find
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Unfit, shown
from allocator.ledger.records import Allocation
from allocator.ledger.reserve import Wish, reserve
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

SCANNED: Final = "scanned"


@checked
def scan(
    ledger: Ledger, order: str, what: str, person: Person, *, qty: int | Decimal | str = 1, sku: str = "", key: str = ""
) -> dict[str, Any]:
    """Scans a unit, or so many of a product, into the box that is being filled (OS-3 to OS-5).

    Used goods of an order go into one box, distribution goods into one per product; the first scan opens it.

    Args:
        ledger: The ledger.
        order: Its number.
        what: The scan: a serial, an IMEI or any other number of a unit; a GS1 label; or, for what has no serials, the
            name or GTIN of the product.
        person: The packing operator.
        qty: How many, of what has no serials.
        sku: The product, where units of several have the scanned number.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `order`, `line`, `sku`, `serial` (None without), `scan` (`used` or `distribution`), `box`, `scanned` and
        `pending` of the line; together they are what was ordered.

    Raises:
        InputError: Nothing was scanned, because of: `label_…`, `check_digit_wrong`, … (it is not well formed),
            `goods_unknown`, `scan_mismatch` (not of this order, or promised to another), `blocks_held`,
            `scan_repeated`, `scan_excess` (more than ordered), `stock_short`; `role_missing`, `step_impossible`.

    Cost: some milliseconds, however many lines the order has, and however many units there are of the SKU. Only where a
        unit may not serve the order is all stock of its SKU looked at, to say why.
    """
    asked = _qty(qty)

    def work(doing: Doing) -> dict[str, Any]:
        document = begin_as(doing, order, "packing")
        found = find(doing, document, what, sku)
        wanted = _wanted(found, asked)
        if found.goods_id is None:
            chosen = list(_of_product(doing, found, wanted))
        else:
            chosen = [(_of_unit(doing, document, found, what), 1)]
        box = document.details.get(_filling(found))
        number = box or doing.next_number(BOXES)
        said = {"document": order, "document_kind": ORDERS.name, "details": json.dumps({"box": number})}
        with doing.transaction("pick", **said) as heading:
            kept = _picked(doing, heading, chosen)
            _into_box(doing, document, found, (number, box is None), kept)
            doing.line(order, found.line.n, progress=found.line.progress + wanted)
            doing.go(order, details={} if box else {_filling(found): number})
        return _told(doing, document, found, number)

    answer: dict[str, Any] = take(ledger, person, ORDERS, "scan", work, order, what, str(asked), sku, key=key)
    return answer


def _qty(qty: object) -> int | Decimal:
    try:
        return read_qty(qty)
    except Unfit as unfit:
        raise InputError(Problem(unfit.code, str(unfit), column="qty", value=shown(qty))) from None


def _wanted(found: Found, asked: int | Decimal) -> int:
    line, sku = found.line, found.sku
    if found.goods_id is not None and asked != 1:
        raise InputError(Problem("serial_quantity", "a serial is one unit", column="qty", value=str(asked)))
    wanted = steps_of(asked, sku)
    pending = line.qty - line.progress
    if wanted > pending and (found.goods_id is None or pending):
        message = f"{quantity(line.qty, sku)} of {sku.sku} are ordered, {quantity(line.progress, sku)} of them scanned"
        hint = f"Scan at most {quantity(pending, sku)}" if pending else "Put it back: nothing more of it is ordered"
        raise InputError(Problem("scan_excess", message, column="qty", value=str(asked), hint=hint))
    return wanted


def _filling(found: Found) -> str:
    """What an order remembers the box by that is being filled."""
    kind = found.line.details["scan"]
    return "filling" if kind == "used" else f"filling {found.sku.sku}"


def filling_of(order: Document, boxes: Collection[str]) -> list[str]:
    """By what names an order remembers that some boxes are being filled."""
    return [name for name, box in order.details.items() if name.startswith("filling") and box in boxes]


def _of_unit(doing: Doing, order: Document, found: Found, what: str) -> int:
    """The promise of the unit in hand to its line, taken over from another unit of the line where need be."""
    book, goods_id = doing.book, found.goods_id
    assert goods_id is not None
    numbers = [number for account in book.accounts_of[goods_id] for number in book.promises(goods_id, account)]
    promise = book.allocations[numbers[0]] if numbers else None
    if promise is not None and promise.line_id == found.line.line_id:
        if promise.stage != "reserved":
            message, hint = (
                f"it was scanned for {order.number} already",
                "Scan the next one; undo_scan takes a scan back",
            )
            raise InputError(_refused("scan_repeated", message, what, hint))
        return promise.allocation_id
    if promise is not None:
        message = f"it is promised to {promise.line_id.rpartition('/')[0] or promise.line_id}"
        raise InputError(_refused("scan_mismatch", message, what, "Fetch one of the pick list, or one that is free"))
    if found.line.progress >= found.line.qty:
        message = f"all {found.line.qty} of {found.sku.sku} are scanned"
        raise InputError(_refused("scan_excess", message, what, "Put it back: nothing more of it is ordered"))
    return _exchanged(doing, order, found, what)


def _exchanged(doing: Doing, order: Document, found: Found, what: str) -> int:
    """A free unit is promised, by the order's policy, in the place of one that is promised and not scanned."""
    said = {"document": order.number, "document_kind": ORDERS.name, "reason": "scanned another"}
    if instead := promises_to(doing, [found.line.line_id]):
        with doing.transaction("release", **said) as heading:
            doing.post(heading, [{"allocation_id": instead[-1]}])
    policy = Policy.loads(order.details["policy"], "json") if "policy" in order.details else Policy()
    serial = doing.book.goods[found.goods_id or 0].serial
    row = {**demand(doing, order, found.line), "serial": serial}
    with doing.transaction("reserve", **said) as heading:
        (got,) = reserve(doing.book, heading, Wish([row], policy, heading.day))["lines"]
        if not got["allocations"]:
            message = f"it may not serve {order.number}: {got['reason']}"
            raise InputError(_refused("scan_mismatch", message, what, "Fetch one of the pick list"))
    return int(got["allocations"][0]["allocation_id"])


def _refused(code: str, message: str, what: str, hint: str = "") -> Problem:
    return Problem(code, message, column="scan", value=shown(what), hint=hint)


def _of_product(doing: Doing, found: Found, wanted: int) -> Iterator[tuple[int, int]]:
    """So much of the promises to the line, of the lot on the label where there is one; oldest first."""
    left = wanted
    for number in promises_to(doing, [found.line.line_id]):
        promise = doing.book.allocations[number]
        assert promise is not None
        if found.lot in ("", doing.book.goods[promise.goods_id].lot):
            part = min(left, promise.qty)
            left -= part
            yield number, part
        if not left:
            return
    lot = f" of lot {found.lot}" if found.lot else ""
    message = f"only {quantity(wanted - left, found.sku)} of {found.sku.sku}{lot} are promised to the order"
    hint = "Pick again: pick_order promises what has come in since"
    raise InputError(Problem("stock_short", message, column="qty", hint=hint))


def _picked(doing: Doing, heading: Any, chosen: list[tuple[int, int]]) -> list[Allocation]:  # noqa: ANN401
    """Takes parts of promises from their places; what each became."""
    kept = []
    for number, part in chosen:
        promise = doing.book.allocations[number]
        assert promise is not None
        sku = doing.book.catalog.sku(doing.book.goods[promise.goods_id].sku_id)
        before = set(doing.book.allocations)
        line: dict[str, Any] = {"allocation_id": number}
        if part < promise.qty:
            line["qty"] = Decimal(part).scaleb(-sku.scale) if sku.scale else part
        doing.post(heading, [line])
        mine = set(doing.book.allocations) - before or {number}
        picked = doing.book.allocations[max(mine)]
        assert picked is not None
        kept.append(picked)
    return kept


def _into_box(doing: Doing, order: Document, found: Found, box: tuple[str, bool], kept: list[Allocation]) -> None:
    number, new = box
    if new:
        kind = found.line.details["scan"]
        details = {"order": order.number, "scan": kind, **({"sku": found.sku.sku} if kind == "distribution" else {})}
        doing.open(BOXES, "filling", number=number, party=order.party, bu=order.bu, place=order.place, details=details)
        doing.link(number, "order", order.number)
    opened = doing.book.documents.get(number)
    assert opened is not None
    scans = opened.details.get("scans", 0)
    for n, promise in enumerate(kept, start=scans + 1):
        doing.line(number, n, sku_id=found.sku.sku_id, goods_id=promise.goods_id, line_id=promise.line_id,
                   qty=promise.qty, state=SCANNED, details={"allocation": promise.allocation_id})  # fmt: skip
    doing.go(number, "filling", step="scan", details={"scans": scans + len(kept), "packed_by": doing.person.name})


def _told(doing: Doing, order: Document, found: Found, box: str) -> dict[str, Any]:
    (line,) = doing.lines(order.number, [found.line.n])
    serial = doing.book.serial_of(found.goods_id) if found.goods_id is not None else None
    return {
        "order": order.number, "line": line.n, "sku": found.sku.sku, "serial": serial, "scan": line.details["scan"],
        "box": box, "scanned": quantity(line.progress, found.sku),
        "pending": quantity(line.qty - line.progress, found.sku),
    }  # fmt: skip


@checked
def undo_scan(
    ledger: Ledger, order: str, what: str, person: Person, *, qty: int | Decimal | str = 1, sku: str = "", key: str = ""
) -> dict[str, Any]:
    """Takes a scan back, as long as its box is not confirmed (OS-8); the goods stay promised to the order.

    Args and answer are as those of `scan`.

    Raises:
        InputError: `scan_confirmed`: its box is confirmed; `goods_unknown`: it was not scanned; `qty_out_of_range`:
            not so many were.
    """
    asked = _qty(qty)

    def work(doing: Doing) -> dict[str, Any]:
        document = begin_as(doing, order, "packing")
        found = find(doing, document, what, sku)
        wanted = steps_of(asked, found.sku)
        taken = _scanned(doing, document, found, wanted, what)
        with doing.transaction("put_back", document=order, document_kind=ORDERS.name) as heading:
            for box, line, part in taken:
                _out_of_box(doing, heading, found, (box, line, part))
            doing.line(order, found.line.n, progress=found.line.progress - wanted)
            gone = {box.number for box, _, _ in taken if _is_empty(doing, box.number)}
            doing.go(order, details=dict.fromkeys(filling_of(document, gone)))
            for number in gone:
                doing.go(number, "discarded", step="undo")
        return _told(doing, document, found, taken[-1][0].number)

    answer: dict[str, Any] = take(ledger, person, ORDERS, "undo", work, order, what, str(asked), sku, key=key)
    return answer


def _scanned(
    doing: Doing, order: Document, found: Found, wanted: int, what: str
) -> list[tuple[Document, DocumentLine, int]]:
    """The lines of boxes that a scan made, the last first, and how much of each is taken back."""
    goods = {found.goods_id} if found.goods_id is not None else _goods_of(doing, found)
    boxed = [
        (box, line)
        for number, line in doing.book.documents.lines_of_goods([each for each in goods if each is not None])
        if line.line_id == found.line.line_id and line.qty and (box := doing.book.documents.get(number)) is not None
    ]
    confirmed = [box.number for box, _ in boxed if box.state not in ("filling", "saved")]
    taken, left = [], wanted
    for box, line in sorted(boxed, key=lambda each: (each[0].opened_seq, each[1].n), reverse=True):
        if box.state in ("filling", "saved") and left:
            part = min(left, line.qty)
            left -= part
            taken.append((box, line, part))
    if left and confirmed:
        message = f"it is in {', '.join(sorted(set(confirmed)))}, which is confirmed"
        hint = "Its contents are final: cancel the order to unpack it"
        raise InputError(_refused("scan_confirmed", message, what, hint))
    if left:
        code, message = ("goods_unknown", f"it was not scanned for {order.number}")
        if taken:
            code, message = "qty_out_of_range", f"only {quantity(wanted - left, found.sku)} were scanned"
        raise InputError(_refused(code, message, what, "box_contents lists what is in its boxes"))
    return taken


def _goods_of(doing: Doing, found: Found) -> set[int]:
    numbers = promises_to(doing, [found.line.line_id], "picked")
    return {promise.goods_id for number in numbers if (promise := doing.book.allocations[number])}


def _out_of_box(doing: Doing, heading: Any, found: Found, taken: tuple[Document, DocumentLine, int]) -> None:  # noqa: ANN401
    box, line, part = taken
    given: dict[str, Any] = {"allocation_id": line.details["allocation"]}
    if part < line.qty:
        given["qty"] = Decimal(part).scaleb(-found.sku.scale) if found.sku.scale else part
    doing.post(heading, [given])
    left = line.qty - part
    doing.line(box.number, line.n, step="undo", qty=left, state=SCANNED if left else "undone")
    doing.go(box.number, box.state, step="undo")


def _is_empty(doing: Doing, box: str) -> bool:
    return not any(line.qty for line in doing.lines(box))


def order_of_box(doing: Doing, box: str) -> tuple[Document, Document]:
    """A box that the step is about, and its order."""
    document = doing.begin(number_of(box))
    return document, doing.document(document.details["order"], ORDERS.name)
