"""Live stock laid out in the engine, so that single lines are decided in microseconds.

A shelf holds the stock rows of some SKUs at a place under one policy on one day, and is told of every balance that
changes. It answers only for lines that it can serve in full and without tables; all others are decided as ever, on what
the book holds. To lay stock out costs about as much as to decide on it: what there is little of is laid out when it is
asked for, with what lies near, and anything else when it is asked for a second time. Stock that comes to a place where
it could serve somebody takes the SKU from the shelves of that place; where so much lies that it would take long to lay
it out again, it waits beside the shelf, and lines are decided on it and on what the shelf gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.engine import STAYS, UNIT, Offer, Shelf
from allocator.errors import AllocatorError, InputError
from allocator.ledger.known import Key
from allocator.ledger.live import decide, policy_for, stock_of
from allocator.ledger.records import Account, Balance, Sku, day_of
from allocator.ledger.rows import Rows, rows_of
from allocator.ledger.selection import ACCOUNT_BITS
from allocator.model.order import RANK_KEYS
from allocator.model.policy import Fill, Policy
from allocator.model.tables import STOCK
from allocator.prepared import PreparedStock

if TYPE_CHECKING:
    from allocator.ledger.book import Book

ALONG_MAX: Final = 4096
"""Rows of SKUs asked for once before that are laid out along with others: so few that nobody notices."""

NEAR: Final = (256, 64, 16, 1)
"""SKUs that are laid out together when one of them is asked for: by their numbers, the most that have little stock."""

NEAR_MAX: Final = 1000
"""Rows that these have at most: laying them out takes twice as long as one."""

SHELVES_MAX: Final = 512
"""Layouts that are kept beside each other; then all begin anew."""

PLACES_MAX: Final = 64
"""Places of one SKU that have shelves of their own; then it is laid out whole."""

POLICIES_MAX: Final = 4
"""Policies and days that have shelves at a time."""

COUNTED: Final = frozenset({"qty_on_hand", "qty_reserved", "qty_available"})
"""What changes of stock with every promise."""

PLAIN: Final = frozenset({*STOCK, *RANK_KEYS}) - COUNTED
"""What stock may lie in order of, and rules may look at: what does not change while it lies there."""

LARGE = 4096
"""Rows of a SKU from which on stock that comes in waits beside the shelf."""

BESIDE_MAX: Final = 1000
"""Rows that wait beside a shelf at most; then the SKU is laid out anew."""

NOWHERE: Final = -1
"""In the place of a row that does not lie on a shelf."""

Taken = list[tuple[Key, int]]

Spot = tuple[int, str | None]
"""A SKU, and the place whose stock a line may take; None for all places."""


class _Shelf(NamedTuple):
    """Stock rows that lie in the engine.

    Attributes:
        stock: All that were laid out together.
        shelf: The same as the ledger has it.
        keys: The balance of each.
        rows: The rows of one SKU, of which these are some.
        place_of: Where in the engine each of `rows` is.
        policy: The policy, with the statuses of the SKU's lifecycle.
        beside: What came in since, and would have to lie between the others.
    """

    stock: PreparedStock
    shelf: Shelf
    keys: Sequence[Key]
    rows: Rows
    place_of: list[int]
    policy: Policy
    beside: set[Key]


class Shelves:
    """The shelves for one policy on one day.

    Attributes:
        policy: The policy.
        day: The day, in days since 1970.
        offers: What lines of nothing but an SKU and a quantity ask for, by SKU, as far as any did.
    """

    def __init__(self, book: Book, policy: Policy, day: int) -> None:
        self.policy, self.day = policy, day
        self.offers: dict[str, Offer] = {}
        self._offered: dict[int, str] = {}
        self._catalog, self._rows = book.catalog, book.known.rows
        location = policy.location
        at_one_place = location.scope != "any" and location.own_place == "first" and not location.sources
        self._column = "location" if at_one_place else ""
        self._as_they_come = policy.fill == Fill()
        self._of_sku: dict[int, dict[str | None, _Shelf]] = {}
        self._asked: dict[Spot, Sku] = {}
        self._laid_out = 0

    def serve(self, book: Book, wish: Sequence[Mapping[str, Any]]) -> dict[str, Taken] | None:
        """What the lines of one wish take, by line, if each can be served in full from here; else None."""
        ids = {row["_sku"].sku_id for row in wish}
        if len(ids) < len(wish) or not ids <= self._of_sku.keys():
            return None
        found: dict[str, Taken] = {}
        for row in wish:
            taken = self._taken(book, row["_sku"].sku_id, row)
            if taken is None:
                return None
            found[row["line_id"]] = taken
        return found

    def _taken(self, book: Book, sku_id: int, row: Mapping[str, Any]) -> Taken | None:
        shelf = self._shelf(sku_id, row) if row.get("serial") is None else None
        served = None if shelf is None else shelf.stock.serve_plain(row)
        if shelf is None or served is None or served[0] < row["qty"]:
            return None
        taken = [(shelf.keys[number], qty) for number, qty, _ in served[2]]
        if not shelf.beside:
            return taken
        # Rows are taken as they come: of the others on the shelf none comes before those that would serve the line.
        goods = {key[0] for key in shelf.beside} | {key[0] for key, _ in taken}
        return self._among(book, row, goods) if row.get("fill") is None else None

    def _among(self, book: Book, row: Mapping[str, Any], goods: Collection[int]) -> Taken | None:
        try:
            outcome = decide(book, [row], self.policy, self.day, only=goods)
        except InputError:
            return None  # What is wrong with the line is told by the decision on all stock.
        return None if any(outcome.reasons.values()) else [(key, qty) for _, key, qty in outcome.takes]

    def find(self, line: Mapping[str, Any]) -> Offer | None:
        """What a line asks of which shelf, whatever its quantity; None where it has to be decided from tables."""
        sku = self._catalog.find(line["sku"])
        if sku is None or line.get("serial") is not None:
            return None
        asked = {**line, "order_id": line.get("order_id") or line["line_id"]}
        shelf = self._shelf(sku.sku_id, asked)
        spec = None if shelf is None or shelf.beside else shelf.stock.asked(asked)
        if shelf is None or spec is None:
            return None
        offer = (shelf.shelf, sku.sku_id, spec, shelf.rows)
        if shelf.stock.asks_alike(asked):
            self.offers[sku.sku] = offer
            self._offered[sku.sku_id] = sku.sku
        return offer

    def _shelf(self, sku_id: int, row: Mapping[str, Any]) -> _Shelf | None:
        shelves, rows = self._of_sku.get(sku_id), self._rows.get(sku_id)
        if shelves is None:
            return None
        both = (shelves.get(place) for place in (None, row.get(self._column)))
        return next((shelf for shelf in both if shelf is not None and shelf.rows is rows), None)

    def put(self, key: Key, sku_id: int, free: int) -> None:
        """What of a balance nobody was promised, from now on."""
        shelves = self._of_sku.get(sku_id)
        rows = self._rows.get(sku_id)
        if not shelves or rows is None or (place := rows.places.get(key)) is None:
            return
        for where, shelf in tuple(shelves.items()):
            if shelf.rows is not rows:
                continue
            at = shelf.place_of[place] if place < len(shelf.place_of) else NOWHERE
            if at != NOWHERE:
                shelf.stock.set_left(at, free)
            elif not free:
                shelf.beside.discard(key)
            elif _may_serve(self._catalog.accounts[key[1]], where, shelf.policy):
                self._withdraw(sku_id)
                if self._as_they_come and len(shelf.place_of) >= LARGE and len(shelf.beside) < BESIDE_MAX:
                    shelf.beside.add(key)
                else:
                    # The SKU is decided on as ever, until it is asked for again.
                    del shelves[where]

    def forget(self, sku_id: int) -> None:
        """Takes down what is laid out of a SKU, whose stock is not known any more."""
        self._of_sku.pop(sku_id, None)
        self._withdraw(sku_id)
        for spot in [each for each in self._asked if each[0] == sku_id]:
            del self._asked[spot]

    def _withdraw(self, sku_id: int) -> None:
        if (name := self._offered.pop(sku_id, None)) is not None:
            del self.offers[name]

    def lay_out(self, book: Book, lines: Iterable[Mapping[str, Any]], *, at_once: bool) -> bool:
        """Lays out the stock that lines ask for; whether it did.

        What is asked for a second time; if `at_once`, what is little the first time.
        """
        wanted: dict[Spot, Sku] = {}
        for row in lines:
            sku = row["_sku"]
            if sku.scale or row.get("serial") is not None:
                return False
            if self._shelf(sku.sku_id, row) is None:
                wanted[sku.sku_id, self._place(sku.sku_id, row)] = sku
        if not wanted.keys() & self._asked.keys() and not (at_once and wanted and self._take_near(book, wanted)):
            self._asked |= wanted
            return False
        if self._laid_out >= SHELVES_MAX:
            self._of_sku.clear()
            self.offers.clear()
            self._offered.clear()
            self._laid_out = 0
        self._take_along(book, wanted)
        # Which statuses may be allocated is said by the lifecycle: those of one lie together.
        for kind in dict.fromkeys((place, sku.lifecycle.name) for (_, place), sku in wanted.items()):
            skus = [sku for (_, place), sku in wanted.items() if (place, sku.lifecycle.name) == kind]
            self._put_up(book, kind[0], {sku.sku: sku for sku in skus})
        return True

    def _place(self, sku_id: int, row: Mapping[str, Any]) -> str | None:
        place, others = row.get(self._column), self._of_sku.get(sku_id, ())
        apart = len(others) < PLACES_MAX and not any(other != place and _share(place, other) for other in others)
        return place if apart else None

    def _take_near(self, book: Book, wanted: dict[Spot, Sku]) -> bool:
        """Adds SKUs whose numbers are near that of the one that is wanted, if that has little stock; whether it has."""
        ((sku_id, place), sku), *others = wanted.items()
        if others:
            return False
        fitting = (book.load_little(_around(sku_id, size), NEAR_MAX) for size in NEAR)
        near = next((ids for ids in fitting if ids is not None), ())
        for other in map(book.catalog.sku, near):
            alike = other.lifecycle.name == sku.lifecycle.name and not other.scale
            if alike and not self._of_sku.get(other.sku_id):
                wanted.setdefault((other.sku_id, place), other)
        return sku_id in near

    def _take_along(self, book: Book, wanted: dict[Spot, Sku]) -> None:
        """Adds what was asked for once, too, as far as it is little."""
        for spot in wanted:
            self._asked.pop(spot, None)
        places, size = {place for _, place in wanted}, 0
        for spot, sku in tuple(self._asked.items()):
            size += len(rows_of(book, sku).places) if spot[1] in places else 0
            if size > ALONG_MAX:
                break
            if spot[1] in places:
                wanted[spot] = self._asked.pop(spot)

    def _put_up(self, book: Book, place: str | None, skus: Mapping[str, Sku]) -> None:
        policy = policy_for(self.policy, skus, together=False)
        table, keys, policy = stock_of(book, skus, 0, policy, within=place)
        try:
            stock = PreparedStock(table, policy, day_of(self.day))
        except AllocatorError:
            return  # What is wrong with the policy is told by the decision itself.
        self._laid_out += 1
        of_sku = {sku.sku_id: rows_of(book, sku) for sku in skus.values()}
        kinds = bytes(_kind(book, key) for key in keys)
        shelf = stock.shelf(ACCOUNT_BITS, kinds)
        place_of = {sku_id: [NOWHERE] * len(rows.places) for sku_id, rows in of_sku.items()}
        left = (table.frame["qty_on_hand"] - table.frame["qty_reserved"]).to_list()
        for at, key in enumerate(keys):
            # A shelf does not look again at what had nothing left.
            if left[at]:
                sku_id = book.goods[key[0]].sku_id
                place_of[sku_id][of_sku[sku_id].places[key]] = at
        for sku_id, rows in of_sku.items():
            shelves = self._of_sku.setdefault(sku_id, {})
            # What lies on two shelves could be given by both before either is told.
            for other in [each for each in shelves if _share(each, place)]:
                del shelves[other]
            shelves[place] = _Shelf(stock, shelf, keys, rows, place_of[sku_id], policy, set())
            self._withdraw(sku_id)


def _around(number: int, size: int) -> range:
    """So many numbers with one among them; the same for each of them."""
    first = number - number % size
    return range(first, first + size)


def _kind(book: Book, key: Key) -> int:
    """What the row of a balance is, as the engine is told."""
    goods, status = book.goods[key[0]], book.catalog.accounts[key[1]].status
    stays = book.catalog.next_status(book.catalog.sku(goods.sku_id), "reserved", status) in (None, status)
    return (STAYS if stays else 0) | (UNIT if goods.serial else 0)


def _may_serve(account: Account, place: str | None, policy: Policy) -> bool:
    """Whether goods in an account may serve lines that ask for a place, as far as the account says."""
    at = account.location
    fits = account.status in policy.statuses and not account.blocks
    return fits and (place is None or at == place or at.startswith(f"{place}/"))


def _share(place: str | None, other: str | None) -> bool:
    """Whether two places, of which one may be everywhere, have goods in common: one is the other or within it."""
    return place is None or other is None or f"{place}/".startswith(f"{other}/") or f"{other}/".startswith(f"{place}/")


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
        shelves[key] = Shelves(book, policy, day)
    return shelves[key]


def looked_at(policy: Policy) -> set[str]:
    """What stock lies in order of, and what rules look at."""
    return {rule.column for rule in policy.attributes} | {key.column for key in policy.stock_order}


def lay_back(book: Book, keys: Iterable[Key]) -> None:
    """Tells shelves of balances from which they gave something for a decision that was not made."""
    for key in keys:
        for shelves in book.known.shelves.values():
            shelves.put(key, book.goods[key[0]].sku_id, free_of(book.balance(*key)))


def _is_plain(policy: Policy) -> bool:
    """Whether what a line gets depends on the rows of its SKU alone, and these do not lie in order of a quantity."""
    return not (policy.substitutes or policy.safety_stock or looked_at(policy) - PLAIN)
