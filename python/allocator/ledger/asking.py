"""What a caller asks for, as the request that does it: checked, and decided before others wait where it is large."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import polars as pl

from allocator.ledger import wholesale
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog
from allocator.ledger.records import Heading
from allocator.ledger.requests import Requests, content_of, few_collections
from allocator.ledger.reserve import Wish, plan, reserve, reserve_at_once, reserve_together, take_whole
from allocator.ledger.waiting import Later, Request
from allocator.ledger.wishes import checked, details, know, load
from allocator.model.policy import Policy

DEFAULT: Final = Policy()
"""The policy of those who name none."""

PLANNED_MIN = 1000
"""Demand lines from which a wish is decided before the ledger is locked."""


def request_to_reserve(
    requests: Requests,
    heading: Heading,
    lines: Sequence[Mapping[str, Any]],
    policy: Policy | None,
    hold_s: float | None,
) -> Request:
    """The request to promise stock to demand lines.

    Args:
        requests: Where it will be done.
        heading: What is said of it.
        lines: The lines, a value by column of the demand table.
        policy: Which stock may serve them; `Policy()` if left out.
        hold_s: Seconds after which the promise ends unless it is confirmed; None for one without end.

    Raises:
        InputError: Every problem of the lines.
    """
    policy = policy or DEFAULT
    is_large = len(lines) >= PLANNED_MIN
    # Large and plainly good: decided and recorded in columns.
    frame = wholesale.read(lines, details) if is_large else None
    rows = checked(lines, policy) if frame is None else lines
    until = None if hold_s is None else int((dt.datetime.now(dt.UTC).timestamp() + hold_s) * 1_000_000)
    wish = Wish(rows, policy, heading.day, until)
    said = policy.fingerprint()
    content = content_of("reserve", rows, said, heading.asked().day, hold_s) if heading.key else b""
    if is_large:
        return Request(_planned(requests, heading, wish, frame), heading.key, content, alone=True)
    work = partial(reserve, heading=heading, wish=wish)
    kind = ("reserve", said, heading.day)
    return Request(work, heading.key, content, kind, reserve_together, reserve_at_once, (heading, wish))


def _planned(
    requests: Requests, heading: Heading, wish: Wish, frame: pl.DataFrame | None
) -> Callable[[Book], dict[str, Any] | Later]:
    """What takes a large wish, which is decided before others have to wait."""
    with few_collections(), requests.store.session() as session:
        # A catalogue of its own: that of the writer may change while this is decided.
        read_book = Book(session, Catalog(requests.catalog.tenant), writes=False)
        whole = None if frame is None else wholesale.plan(read_book, frame, wish.policy, wish.day)
        decided = plan(read_book, [wish]) if whole is None else None

    unused = [read_book]

    def work(book: Book) -> dict[str, Any] | Later:
        # What was read is taken over once: a second try reads again what the first may have left changed.
        adopted = book.seq == read_book.seq and bool(unused)
        if adopted:
            book.adopt(unused.pop())
        else:
            load(book, [wish])
        if whole is not None:
            return take_whole(book, heading, wish, whole)
        if adopted:
            know(book, [wish])
        return reserve(book, heading, wish, decided)

    return work
