"""Taking a transaction back: its opposite, once, and only where what it moved is still where it brought it."""

from __future__ import annotations

from typing import Final

from allocator.errors import InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.records import Heading, Movement
from allocator.ledger.rules import missing
from allocator.ledger.types import TYPES

INSTEAD: Final = {
    "reserve": "release the allocations",
    "release": "reserve again",
    "pick": "put it back",
    "put_back": "pick it again",
    "ship": "record its return",
    "renumber": "renumber it once more",
    "note": "add a note that says what is right",
    "define": "define it anew",
    "purge": "nothing: what was purged is gone",
    "reverse": "record the transaction again",
}
"""What is not reversed, and what to do instead."""


def reverse(book: Book, heading: Heading) -> int:
    """Adds the opposite of the transaction that `heading.reverses` names; its number.

    Raises:
        InputError: `transaction_unknown`, `reversal_impossible`, and what the movements back find in their way.
    """
    original = heading.reverses
    row = book.session.one(
        "SELECT type FROM txn WHERE tenant = :tenant AND seq = :seq", {"tenant": book.tenant, "seq": original}
    )
    if row is None:
        raise InputError(
            Problem("transaction_unknown", "there is no such transaction", column="seq", value=str(original))
        )
    problems = missing(heading, TYPES["reverse"])
    if row[0] in INSTEAD:
        hint = f"Instead, {INSTEAD[row[0]]}"
        message = f"a transaction of type {row[0]} is not reversed"
        problems.append(Problem("reversal_impossible", message, column="seq", value=str(original), hint=hint))
    done = book.session.one(
        "SELECT seq FROM txn WHERE tenant = :tenant AND reverses = :seq", {"tenant": book.tenant, "seq": original}
    )
    if done or book.is_reversed(original):
        message = "the transaction was reversed already" + (f", by {done[0]}" if done else "")
        problems.append(Problem("reversal_impossible", message, column="seq", value=str(original)))
    if problems:
        raise InputError(problems)
    assert original is not None
    entries = book.entries_of(original)
    if any(entry.unreserved or entry.reserved for entry in entries):
        message = "the transaction fulfilled promises"
        hint = "Record the return of what was given out"
        raise InputError(Problem("reversal_impossible", message, column="seq", value=str(original), hint=hint))
    return _opposite(book, heading, entries)


def _opposite(book: Book, heading: Heading, entries: list[Movement]) -> int:
    goods = {entry.goods_id for entry in entries}
    book.load_goods(goods)
    book.catalog.load_sku_ids(book.session, {book.goods[number].sku_id for number in goods})
    book.load_lines({entry.line_id for entry in entries if entry.line_id})
    with book.transaction(heading) as seq:
        for entry in reversed(entries):
            if entry.line_id:
                line = book.lines[entry.line_id]
                assert line is not None
                counted = book.exchanges.counted(line.line_id, entry.goods_id, entry.qty)
                book.put_line(line._replace(returned=line.returned - counted))
            book.move(Movement(entry.goods_id, entry.to_id, entry.from_id, entry.qty, line_id=entry.line_id))
    return seq
