"""Boxes are saved and confirmed, packing is confirmed; what is in them, as a table and as papers (OS-6, 7, 9, 10)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, look, take
from allocator.flows.given import checked
from allocator.flows.promises import sku_of_line
from allocator.flows.quantities import quantity
from allocator.flows.scanning.orders import BOXES, ORDERS, begin_as, boxes_of, check_operator
from allocator.flows.scanning.scans import filling_of, order_of_box
from allocator.ledger.documents import Document
from allocator.ledger.records import moment_of

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

MM_MAX: Final = 100_000
GRAM_MAX: Final = 100_000_000

CONTENTS: Final = {
    "box": pl.String, "state": pl.String, "scan": pl.String, "length_mm": pl.Int64, "width_mm": pl.Int64,
    "height_mm": pl.Int64, "weight_g": pl.Int64, "packed_by": pl.String, "sku": pl.String, "serial": pl.String,
    "lot": pl.String, "qty": pl.String,
}  # fmt: skip


@checked
def save_box(ledger: Ledger, box: str, person: Person, *, key: str = "") -> dict[str, Any]:
    """Saves a box: it is full, and the next scan opens another (OS-6). What is in it can still be undone.

    Returns:
        `number`, `state`, `order`, and `needs`: what confirming it needs, `dimensions` for distribution goods.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document, order = order_of_box(doing, box)
        check_operator(doing, order, "packing")
        with doing.transaction():
            doing.go(box)
            doing.go(order.number, step="save", details=dict.fromkeys(filling_of(order, [box])))
        needs = ["dimensions"] if document.details["scan"] == "distribution" else []
        return {"number": box, "state": "saved", "order": order.number, "needs": needs}

    answer: dict[str, Any] = take(ledger, person, BOXES, "save", work, box, key=key)
    return answer


@checked
def confirm_box(
    ledger: Ledger, box: str, person: Person, *, length_mm: int | None = None, width_mm: int | None = None,
    height_mm: int | None = None, weight_g: int | None = None, key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Confirms a box: its contents are final. A box of distribution goods gets its dimensions now (OS-7).

    Returns:
        `number`, `state`, `order`.

    Raises:
        InputError: `argument_missing`: the dimensions of a box of distribution goods; `argument_value`: one makes no
            sense; `document_unknown`, `step_impossible`, `role_missing`.
    """
    given = {"length_mm": length_mm, "width_mm": width_mm, "height_mm": height_mm, "weight_g": weight_g}
    sizes = {name: value for name, value in given.items() if value is not None}
    most = dict.fromkeys(given, MM_MAX) | {"weight_g": GRAM_MAX}
    problems = [
        Problem("argument_value", f"it is a whole number from 1 to {most[name]:,}", column=name, value=str(value)[:80])
        for name, value in sizes.items()
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most[name]
    ]
    lacking = [
        Problem("argument_missing", "a box has all three dimensions", column=name, hint="In millimetres, whole")
        for name in ("length_mm", "width_mm", "height_mm")
        if name not in sizes
    ]
    if len(lacking) < 3:
        problems += lacking
    if problems:
        raise InputError(problems)

    def work(doing: Doing) -> dict[str, Any]:
        document, order = order_of_box(doing, box)
        check_operator(doing, order, "packing")
        if lacking and document.details["scan"] == "distribution":
            raise InputError(lacking)
        with doing.transaction():
            doing.go(box, details=sizes, marks=["confirmed"])
        return {"number": box, "state": "confirmed", "order": order.number}

    answer: dict[str, Any] = take(ledger, person, BOXES, "confirm", work, box, sizes, key=key)
    return answer


@checked
def confirm_packing(ledger: Ledger, order: str, person: Person, *, key: str = "") -> dict[str, Any]:
    """Confirms packing, where everything ordered is scanned and every box confirmed (OS-9); scanning is closed then.

    The order management system hears of it by `events`.

    Returns:
        `number`, `state`, `boxes`: their numbers.

    Raises:
        InputError: `scan_pending`: every line of which something is missing, and every box that is not confirmed;
            `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        begin_as(doing, order, "packing")
        boxes = boxes_of(doing, order)
        problems = []
        for line in doing.lines(order):
            if line.progress != line.qty:
                sku = sku_of_line(doing, line)
                message = f"{quantity(line.progress, sku)} of {quantity(line.qty, sku)} of {sku.sku} are scanned"
                hint = f"Scan {quantity(line.qty - line.progress, sku)} more, or cancel the order"
                problems.append(Problem("scan_pending", message, "lines", "scanned", line.n - 1, sku.sku, hint))
        problems += [
            Problem(
                "scan_pending", f"the box is {box.state}", "boxes", value=box.number, hint="Save it, then confirm it"
            )
            for box in boxes
            if box.state != "confirmed"
        ]
        if problems:
            raise InputError(problems)
        with doing.transaction():
            doing.go(order, marks=["packed"])
        return {"number": order, "state": "packed", "boxes": [box.number for box in boxes]}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "pack", work, order, key=key)
    return answer


@checked
def scan_counts(ledger: Ledger, order: str, person: Person) -> pl.DataFrame:
    """How far an order is: one row per line, `scanned` and `pending` together being `ordered` (OS-5).

    Returns:
        By `line`: `sku`, `scan`, and as text, exact: `ordered`, `scanned`, `pending`.

    Raises:
        InputError: `document_unknown`.
    """

    def asked(doing: Doing) -> list[tuple[Any, ...]]:
        doing.document(order, ORDERS.name)
        return [
            (line.n, sku.sku, line.details["scan"],
             *(str(quantity(each, sku)) for each in (line.qty, line.progress, line.qty - line.progress)))
            for line in doing.lines(order) for sku in [sku_of_line(doing, line)]
        ]  # fmt: skip

    columns = ("sku", "scan", "ordered", "scanned", "pending")
    schema = {"line": pl.Int64} | dict.fromkeys(columns, pl.String)
    return pl.DataFrame(look(ledger, person, asked), schema=schema, orient="row")


@checked
def box_contents(ledger: Ledger, order: str, person: Person) -> pl.DataFrame:
    """What is in the boxes of an order (OS-10): one row per unit, or per scan of a product.

    Returns:
        By `box`: its `state`, `scan`, `length_mm`, `width_mm`, `height_mm`, `weight_g` (null where not given),
        `packed_by`; `sku`, `serial`, `lot`, and `qty` as text, exact.

    Raises:
        InputError: `document_unknown`.
    """
    rows = look(ledger, person, lambda doing: [row for box in _boxes(doing, order) for row in _rows(doing, box)])
    return pl.DataFrame(rows, schema=CONTENTS, orient="row")


def _boxes(doing: Doing, order: str) -> list[Document]:
    doing.document(order, ORDERS.name)
    return boxes_of(doing, order)


def _rows(doing: Doing, box: Document) -> list[dict[str, Any]]:
    head = {"box": box.number, "state": box.state} | {name: box.details.get(name) for name in list(CONTENTS)[2:8]}
    lines = [line for line in doing.lines(box.number) if line.qty]
    doing.book.load_goods({line.goods_id for line in lines if line.goods_id is not None})
    told = []
    for line in lines:
        assert line.goods_id is not None
        goods, sku = doing.book.goods[line.goods_id], sku_of_line(doing, line)
        qty = str(quantity(line.qty, sku))
        told.append({**head, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None, "qty": qty})
    return told


@checked
def packing_data(
    ledger: Ledger, order: str, person: Person, *, issuer: str, address: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What `papers.render` takes for the packing list of an order and the labels of its boxes.

    Args:
        ledger: The ledger.
        order: Its number.
        person: Someone who sees it.
        issuer: The business, as it stands on paper.
        address: The customer's address, line by line.

    Raises:
        InputError: `document_unknown`; `scan_pending`: nothing is in a box yet.
    """

    def asked(doing: Doing) -> dict[str, Any]:
        boxes = _boxes(doing, order)
        document = doing.document(order, ORDERS.name)
        if not boxes:
            raise InputError(Problem("scan_pending", "nothing is in a box yet", column="number", value=order))
        return {
            "number": order, "date": moment_of(document.opened_at).date(), "issuer": issuer,
            "from": {"name": issuer, "address": [document.place]},
            "to": {"name": document.details["customer"], "address": list(address)},
            "boxes": [_on_paper(doing, box) for box in boxes],
        }  # fmt: skip

    return look(ledger, person, asked)


def _on_paper(doing: Doing, box: Document) -> dict[str, Any]:
    told = {"number": box.number, "packed_by": box.details.get("packed_by")}
    sizes = [box.details.get(name) for name in ("length_mm", "width_mm", "height_mm")]
    if all(sizes):
        told["dimensions"] = f"{' x '.join(map(str, sizes))} mm"
    if grams := box.details.get("weight_g"):
        told["weight"] = f"{grams} g"
    lines: dict[tuple[str, str | None], dict[str, Any]] = {}
    for row in _rows(doing, box):
        line = lines.setdefault(
            (row["sku"], row["lot"]), {"sku": row["sku"], "lot": row["lot"], "qty": 0, "serial": []}
        )
        line["qty"] += Decimal(row["qty"])
        line["serial"] += [row["serial"]] if row["serial"] else []
    kept = [{name: value for name, value in line.items() if value} for line in lines.values()]
    return {name: value for name, value in told.items() if value} | {"lines": kept}
