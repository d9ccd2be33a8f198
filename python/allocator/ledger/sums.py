"""What a SKU comes to: all of its goods together can be counted in 64 bits, so that every sum of them can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocator.errors import InputError, Problem
from allocator.ledger.records import SOURCES, Sku
from allocator.ledger.selection import quantity

if TYPE_CHECKING:
    from allocator.ledger.book import Book

LARGE: Final = 2**20
"""Steps above which a receipt is looked at. Half a million million of those that are not come to `ROOM`, and no ledger
numbers more goods: so most receipts cost nothing."""

ROOM: Final = 2**59

SUM_MAX: Final = 2**63 - 1 - ROOM
"""What the goods of a SKU may come to when a large receipt is added."""

_HALF: Final = 2**32


class Sums:
    """What comes in by one transaction, beside what is there."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._by_sku: dict[int, int] = {}

    def add(self, sku: Sku, qty: int, row: int) -> None:
        """Counts goods that come in.

        Raises:
            InputError: `value_overflow`: with them, there are more than can be told.
        """
        if qty <= LARGE:
            return
        total = self._by_sku.get(sku.sku_id, -1)
        if total < 0:
            total = self._there(sku.sku_id)
        self._by_sku[sku.sku_id] = total
        if total + qty > SUM_MAX:
            message = (
                f"with {quantity(total, sku)} of {sku.sku} that there are, or were and are gone, it comes to "
                f"{quantity(total + qty, sku)}; a ledger counts {quantity(SUM_MAX, sku)} of a SKU"
            )
            hint = "Look at the quantity again. If it is right, set up a SKU that is counted in something larger"
            raise InputError(Problem("value_overflow", message, "lines", "qty", row, quantity(qty, sku), hint))
        self._by_sku[sku.sku_id] = total + qty

    def _there(self, sku_id: int) -> int:
        """All goods of a SKU, wherever they went: what is written, and what the book has added to that."""
        book = self._book
        # By halves: a sum in 64 bits may have been too large before anybody looked.
        sql = f"SELECT SUM(qty / {_HALF}), SUM(qty % {_HALF}) FROM balance WHERE tenant = :tenant AND sku_id = :sku"
        high, low = book.session.rows(sql, {"tenant": book.tenant, "sku": sku_id})[0]
        total = int(high or 0) * _HALF + int(low or 0)
        accounts = book.catalog.accounts
        latest = [row[3:7] for row in book.written.entries] + [movement[:4] for movement in book.moved]
        for goods_id, from_id, to_id, qty in latest:
            if qty and book.goods[goods_id].sku_id == sku_id:
                came, went = (accounts[number].kind in SOURCES for number in (from_id, to_id))
                total += qty * (came - went)
        return total
