"""Orders that are recorded as soon as they are decided: new lines that shelves serve in full, where goods stay put.

Most orders are such, and nothing about them can fail: what `reserve` and a book prepare for, undo and look up is left
out. Rows, hashes and answers are those that `reserve` would have made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allocator.ledger import chain
from allocator.ledger.book import GREATEST, Book
from allocator.ledger.change import HELD, RESERVED
from allocator.ledger.known import Key
from allocator.ledger.records import Allocation, Balance, Heading, Line, Sku
from allocator.ledger.selection import stock_id
from allocator.ledger.shelves import Shelves


class Order(NamedTuple):
    """What an order comes with.

    Attributes:
        heading: What is said of its transaction.
        lines: Its lines, a value by column of the demand table.
        hold_until: When its promises end unless they are confirmed, in microseconds; None for promises without end.
    """

    heading: Heading
    lines: Sequence[Mapping[str, Any]]
    hold_until: int | None


class _Served(NamedTuple):
    """A line, and what it takes."""

    line: Line
    taken: list[tuple[Key, int]]


def record_at_once(book: Book, shelves: Shelves, order: Order, details: Sequence[str]) -> dict[str, Any] | None:
    """Adds the transaction of an order, and answers it; None, with nothing done, where that takes more than this.

    Args:
        book: The book; the lines of the order are loaded.
        shelves: Those of the order's policy and day.
        order: The order.
        details: By line, what else was said of it, as it is recorded.
    """
    served: list[_Served] = []
    skus: set[int] = set()
    for line, said in zip(order.lines, details, strict=True):
        each = _served(book, shelves, line, said)
        if each is None or each.line.sku_id in skus:
            return None
        skus.add(each.line.sku_id)
        served.append(each)
    return _recorded(book, order, served)


def _served(book: Book, shelves: Shelves, line: Mapping[str, Any], details: str) -> _Served | None:
    """What a shelf gives to a new line, if that is all it wants and the goods stay in their accounts."""
    line_id, qty = line["line_id"], line["qty"]
    sku = book.catalog.find(line["sku"])
    if sku is None or sku.scale or type(qty) is not int or not 0 < qty <= GREATEST or book.lines.get(line_id):
        return None
    order_id = line.get("order_id") or line_id
    taken = shelves.taken(sku.sku_id, {**line, "order_id": order_id})
    if taken is None or not all(_stays(book, sku, key, units) for key, units in taken):
        return None
    return _Served(Line(line_id, order_id, sku.sku_id, qty, qty, 0, 0, details, book.seq + 1), taken)


def _stays(book: Book, sku: Sku, key: Key, qty: int) -> bool:
    """Whether a promise of goods leaves them in their account, and they are there."""
    have, status = book.balance(*key), book.catalog.accounts[key[1]].status
    return have.reserved + qty <= have.qty and book.catalog.next_status(sku, "reserved", status) in (None, status)


def _recorded(book: Book, order: Order, served: Sequence[_Served]) -> dict[str, Any]:
    out, tenant, seq = book.written, book.tenant, book.seq + 1
    ends = order.hold_until
    stage, told = (RESERVED, "") if ends is None else (HELD, str(ends))
    movements: list[tuple[Any, ...]] = []
    answers = []
    for line, taken in served:
        made = []
        for key, qty in taken:
            goods_id, account_id = key
            number = book.next_allocation()
            have = book.balances[key]
            book.known.put(key, Balance(have.qty, have.reserved + qty), in_stock=True)
            out.balances[key] = seq
            unit = 1 if book.goods[goods_id].serial else 0
            book.know_allocation(Allocation(number, line.line_id, goods_id, account_id, unit, qty, stage, ends))
            out.allocations[number] = seq
            movements.append((goods_id, account_id, account_id, 0, 0, qty, number, line.line_id, told))
            made.append({"allocation_id": number, "stock_id": stock_id(goods_id, account_id), "qty": qty})
        book.lines[line.line_id] = line
        out.lines[line.line_id] = seq
        answers.append({"line_id": line.line_id, "requested": line.qty, "allocated": line.qty, "short": 0,
                        "reason": None, "allocations": made})  # fmt: skip
    book.hold_until(ends)
    lines = [chain.line((line.line_id, line.order_id, line.sku_id, line.qty, line.details)) for line, _ in served]
    book.close(order.heading, chain.digest((), (), lines, [chain.line(each) for each in movements]), len(movements))
    out.entries += [(tenant, seq, n, *movement) for n, movement in enumerate(movements)]
    return {"seq": seq, "lines": answers}
