"""Promises to the lines of documents: what is asked of the engine, and what there is of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from allocator.flows.doing import Doing
from allocator.flows.quantities import as_qty, quantity
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.records import Heading, Sku
from allocator.ledger.reserve import Wish, reserve
from allocator.model.policy import Policy


def sku_of_line(doing: Doing, line: DocumentLine) -> Sku:
    """The SKU of a line, which is known."""
    assert line.sku_id is not None
    return doing.book.catalog.sku(line.sku_id)


def demand(doing: Doing, order: Document, line: DocumentLine) -> dict[str, Any]:
    """A line of an order as the engine takes it."""
    sku = sku_of_line(doing, line)
    said = {"line_id": line.line_id, "order_id": order.number, "sku": sku.sku, "qty": as_qty(line.qty, sku),
            "location": order.place, "customer": order.details["customer"], "bu": order.bu or None,
            "sku_group": sku.kept.sku_group}  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def promise(
    doing: Doing, heading: Heading, order: Document, lines: Sequence[DocumentLine], policy: Policy
) -> list[dict[str, Any]]:
    """Promises stock to lines of an order that lack some, within a transaction of the type `reserve`.

    Returns:
        By line: `line`, `sku`, `ordered`, `allocated`, `short` and its `reason`.
    """
    rows = [demand(doing, order, line) for line in lines]
    answer = reserve(doing.book, heading, Wish(rows, policy, heading.day))["lines"]
    got = {one["line_id"]: one for one in answer}
    told = []
    for line in lines:
        one, sku = got[line.line_id], sku_of_line(doing, line)
        allocated, short = (quantity(one[name], sku) for name in ("allocated", "short"))
        told.append({"line": line.n, "sku": sku.sku, "ordered": quantity(line.qty, sku), "allocated": allocated,
                     "short": short, "reason": one["reason"]})  # fmt: skip
    return told


def promises_to(doing: Doing, line_ids: Collection[str], stage: str = "reserved") -> list[int]:
    """The open promises to demand lines in a stage, in their order."""
    book = doing.book
    book.load_promises_to(line_ids)
    mine = [n for n, each in book.allocations.items() if each and each.line_id in line_ids and each.stage == stage]
    goods = {promise.goods_id for n in mine if (promise := book.allocations[n])}
    book.catalog.load_sku_ids(book.session, {book.goods[each].sku_id for each in goods})
    return sorted(mine)


def told_of(doing: Doing, allocation_id: int) -> dict[str, Any]:
    """What a promise is of, as pick lists tell it: `place`, `sku`, `serial`, `lot`, `qty`."""
    promise = doing.book.allocations[allocation_id]
    assert promise is not None
    goods = doing.book.goods[promise.goods_id]
    sku = doing.book.catalog.sku(goods.sku_id)
    place = doing.book.catalog.accounts[promise.account_id].location
    return {"place": place, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None,
            "qty": quantity(promise.qty, sku)}  # fmt: skip
