"""Orders that are recorded as soon as they are decided: new lines that shelves serve in full, where goods stay put.

Most orders are such, and nothing about them can fail: what `reserve` and a book prepare for, undo and look up is left
out, and the engine makes rows, hashes and answers. They are those that `reserve` would have made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allocator.engine import OrderDesk, record_orders
from allocator.ledger.book import Book
from allocator.ledger.records import Heading
from allocator.ledger.shelves import Shelves


class Order(NamedTuple):
    """What an order comes with.

    Attributes:
        heading: What is said of its transaction.
        lines: Its lines, a value by column of the demand table.
        hold_until: When its promises end unless they are confirmed, in microseconds; None for promises without end.
        details: By line, what else was said of it, as it is recorded.
    """

    heading: Heading
    lines: Sequence[Mapping[str, Any]]
    hold_until: int | None
    details: list[str]


def record_at_once(book: Book, shelves: Shelves, orders: Sequence[Order]) -> list[dict[str, Any]]:
    """Adds the transactions of orders, up to the first that takes more than this; the answers to those that were done.

    Args:
        book: The book; the lines of the orders are loaded, as far as anything is.
        shelves: Those of the policy and the day of all the orders.
        orders: The orders, in their sequence.
    """
    head = (book.tenant, book.seq, book.hash, book.allocation_last, book.recorded_at, book.hold_ends_first)
    made = record_orders(head, orders, OrderDesk(shelves.offers, shelves.find, book.known.rows, book.lines))
    book.add_recorded(made, shelves)
    return made.answers
