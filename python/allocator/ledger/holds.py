"""Holds and promises of an order: confirmed once, released, or over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.book import Book
from allocator.ledger.change import HELD, RESERVED
from allocator.ledger.records import Allocation, Heading
from allocator.ledger.reserve import expire
from allocator.ledger.schema import LINES_OF_ORDER
from allocator.ledger.selection import scale_of, stock_id

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger


def end_promises(
    book: Book, heading: Heading, order_id: str | None = None, allocation_ids: Sequence[int] | None = None
) -> int:
    """Confirms or releases promises, by the type of the heading; see `Ledger.confirm` and `Ledger.release`."""
    if (order_id is None) == (allocation_ids is None):
        problem = Problem("argument_value", "give the order, or the allocations", column="order_id")
        raise InputError(problem)
    numbers = (
        _of_order(book, order_id, heading.type) if order_id is not None else [*dict.fromkeys(allocation_ids or ())]
    )
    lines: list[dict[str, Any]] = [{"allocation_id": number} for number in numbers]
    if not lines:
        raise InputError(Problem("argument_value", "there is no allocation", column="allocation_ids"))
    return change.post(book, heading, lines)


def release_expired(ledger: Ledger, *, actor: str) -> int:
    """Takes back the holds whose time is over; how many. The next `reserve` does so by itself."""
    heading = ledger.heading("release", actor=actor)
    return int(ledger.do(lambda book: expire(book, heading), heading))


def _of_order(book: Book, order_id: str, type_: str) -> list[int]:
    lines = book.session.rows(LINES_OF_ORDER, {"tenant": book.tenant, "order_id": order_id})
    numbers = book.load_promises_to(line_id for (line_id,) in lines)
    open_ = [promise for number in numbers if (promise := book.allocations[number]) is not None]
    if type_ == "release" and open_:
        return numbers
    held = [promise.allocation_id for promise in open_ if promise.stage == HELD]
    if held:
        return held
    if not lines:
        message = "nothing was ever promised to an order of this id"
        raise InputError(Problem("line_unknown", message, column="order_id", value=order_id[:80]))
    code = "allocation_unknown" if type_ == "release" else "hold_over"
    what = "it was confirmed already" if any(p.stage == RESERVED for p in open_) else "nothing of it is promised now"
    hint = "Reserve again for what the order lacks"
    raise InputError(Problem(code, f"the order has no hold: {what}", column="order_id", value=order_id[:80], hint=hint))


def told(book: Book, promise: Allocation) -> dict[str, Any]:
    """A promise in an answer."""
    sku = book.catalog.sku(book.goods[promise.goods_id].sku_id)
    return {
        "allocation_id": promise.allocation_id, "line_id": promise.line_id,
        "stock_id": stock_id(promise.goods_id, promise.account_id), "qty": promise.qty, "stage": promise.stage,
        **scale_of(sku),
    }  # fmt: skip
