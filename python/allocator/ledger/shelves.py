"""Live stock laid out in the engine, so that single lines are decided in microseconds.

A shelf holds the stock rows of some SKUs under one policy on one day, and is told of every balance that changes. It
answers only for lines that it can serve in full and without tables; all others are decided as ever, on what the book
holds. SKUs that are asked for again and again are laid out once deciding on them has cost as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.errors import AllocatorError
from allocator.ledger.known import Key
from allocator.ledger.live import policy_for, stock_of
from allocator.ledger.records import Balance, Sku, day_of
from allocator.model.order import RANK_KEYS
from allocator.model.policy import Policy
from allocator.model.tables import STOCK
from allocator.prepared import PreparedStock

if TYPE_CHECKING:
    from allocator.ledger.book import Book

DECISION: Final = 200
"""What a decision costs beside its stock rows, in rows."""

TWICE: Final = 2
"""Laying rows out costs about as much as deciding on them so many times."""

SHELVES_MAX: Final = 8
"""Shelves that are kept beside each other; then all are laid out as one."""

POLICIES_MAX: Final = 4
"""Policies and days that have shelves at a time."""

PLAIN: Final = frozenset({*STOCK, *RANK_KEYS}) - {"qty_on_hand", "qty_reserved"}
"""What stock may lie in order of, and rules may look at: what does not change while it lies there."""

Taken = list[tuple[Key, int]]


class _Shelf(NamedTuple):
    """Stock rows that lie in the engine, and the balance of each."""

    stock: PreparedStock
    keys: Sequence[Key]


class _Place(NamedTuple):
    """Where a balance lies on a shelf."""

    shelf: PreparedStock
    row: int


class Shelves:
    """The shelves for one policy on one day.

    Attributes:
        policy: The policy.
        day: The day, in days since 1970.
    """

    def __init__(self, policy: Policy, day: int) -> None:
        self.policy, self.day = policy, day
        self._of_sku: dict[int, _Shelf] = {}
        self._places: dict[Key, _Place] = {}
        self._asked: dict[int, Sku] = {}
        self._spent = 0
        self._laid_out = 0

    def serve(self, wish: Sequence[Mapping[str, Any]]) -> dict[str, Taken] | None:
        """What the lines of one wish take, by line, if each can be served in full from here; else None.

        What they take is gone for those who come next.
        """
        ids = {row["_sku"].sku_id for row in wish}
        if len(ids) < len(wish) or not ids <= self._of_sku.keys():
            return None
        found: dict[str, Taken] = {}
        for row in wish:
            taken = self.taken(row["_sku"].sku_id, row)
            if taken is None:
                return None
            found[row["line_id"]] = taken
        return found

    def taken(self, sku_id: int, row: Mapping[str, Any]) -> Taken | None:
        """What a line takes of a SKU, if it can be served in full from here; else None. It is still there after."""
        shelf = self._of_sku.get(sku_id)
        served = shelf.stock.serve_plain(row) if shelf is not None and row.get("serial") is None else None
        if shelf is None or served is None or served[0] < row["qty"]:
            return None
        return [(shelf.keys[number], qty) for number, qty, _ in served[2]]

    def put(self, key: Key, sku_id: int, free: int) -> None:
        """What of a balance nobody was promised, from now on."""
        place = self._places.get(key)
        if place is not None:
            place.shelf.set_left(place.row, free)
        elif free:
            # Stock that is on no shelf: its SKU is decided on as ever, until it is laid out again.
            self._of_sku.pop(sku_id, None)

    def ask(self, book: Book, rows: Iterable[Mapping[str, Any]]) -> None:
        """Counts what it costs to decide on lines without shelves, and lays out their SKUs once that is dearer."""
        plain = (row["_sku"] for row in rows if row["_sku"].scale == 0 and row.get("serial") is None)
        self._asked |= {sku.sku_id: sku for sku in plain}
        size = sum(len(book.goods_of(sku_id)) for sku_id in self._asked)
        self._spent += DECISION + size
        if self._asked and self._spent > TWICE * (DECISION + size):
            self._lay_out(book)

    def _lay_out(self, book: Book) -> None:
        if self._laid_out >= SHELVES_MAX:
            self._asked |= {sku_id: book.catalog.sku(sku_id) for sku_id in self._of_sku}
            self._places.clear()
            self._of_sku.clear()
            self._laid_out = 0
        asked, self._asked, self._spent = self._asked, {}, 0
        # Which statuses may be allocated is said by the lifecycle: those of one lie together.
        for name in dict.fromkeys(sku.lifecycle.name for sku in asked.values()):
            self._put_up(book, {sku.sku: sku for sku in asked.values() if sku.lifecycle.name == name})

    def _put_up(self, book: Book, skus: Mapping[str, Sku]) -> None:
        policy = policy_for(self.policy, skus, together=False)
        stock, keys, policy = stock_of(book, skus, 0, policy)
        try:
            shelf = PreparedStock(stock, policy, day_of(self.day))
        except AllocatorError:
            return  # What is wrong with the policy is told by the decision itself.
        self._laid_out += 1
        self._of_sku |= {sku.sku_id: _Shelf(shelf, keys) for sku in skus.values()}
        for row, key in enumerate(keys):
            if free_of(book.balance(*key)):
                self._places[key] = _Place(shelf, row)
            else:
                # A shelf does not look again at what had nothing left.
                self._places.pop(key, None)


def free_of(balance: Balance) -> int:
    """What of a balance nobody was promised."""
    return balance.qty - balance.reserved


def shelves_for(book: Book, policy: Policy, day: int) -> Shelves | None:
    """The shelves of a policy on a day; None where they would not do."""
    key = (policy.fingerprint(), day)
    shelves = book.known.shelves
    if key not in shelves:
        if not _is_plain(policy):
            return None
        if len(shelves) == POLICIES_MAX:
            del shelves[next(iter(shelves))]
        shelves[key] = Shelves(policy, day)
    return shelves[key]


def _is_plain(policy: Policy) -> bool:
    """Whether what a line gets depends on the rows of its SKU alone, and these do not lie in order of a quantity."""
    named = {rule.column for rule in policy.attributes} | {key.column for key in policy.stock_order}
    return not (policy.substitutes or policy.safety_stock or named - PLAIN)
