"""What substitutes count for a line: so many of them for so many that it asks for, the same as long as it is a line.

A line counts what it has in steps of its own SKU, and stock is counted in steps of what it is. What stands between the
two is recorded when a line is first promised goods of another SKU that do not count one for one; everything after that
counts by it: what goes, what is given back, what returns. Only whole exchanges are made, so that all of it is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.errors import InputError, Problem
from allocator.ledger import chain
from allocator.ledger.records import Line, Sku
from allocator.ledger.selection import quantity
from allocator.model.policy import Policy, Substitute

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.reserve import Wish
    from allocator.ledger.store import Changes


class Exchange(NamedTuple):
    """So many steps of some goods stand for so many steps of what is asked for; in lowest terms."""

    given: int
    asked: int


ONE_FOR_ONE: Final = Exchange(1, 1)

COLUMNS: Final = ("tenant", "line_id", "sku_id", "given", "asked", "seq")

Pair = tuple[int, int]
"""A SKU that is asked for, and one that may stand in for it."""


def exchange_of(entry: Substitute, sku: Sku, other: Sku) -> Exchange:
    """What a substitute counts, by the steps in which both are counted."""
    ratio = entry.ratio * Fraction(10) ** (other.scale - sku.scale)
    return Exchange(ratio.numerator, ratio.denominator)


def exchanges_of(book: Book, policy: Policy) -> dict[Pair, Exchange]:
    """What every substitute of a policy counts whose SKUs are known."""
    found = ((entry, book.catalog.find(entry.sku), book.catalog.find(entry.substitute)) for entry in policy.substitutes)
    return {(sku.sku_id, other.sku_id): exchange_of(entry, sku, other) for entry, sku, other in found if sku and other}


class Exchanges:
    """The exchanges of a book: read when they are needed, made within its transactions, written with them."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._known: dict[tuple[str, int], Exchange] = {}
        self._loaded: set[str] = set()
        self._made: list[tuple[str, int]] = []
        self._rows: list[tuple[Any, ...]] = []

    def load(self, line_ids: Iterable[str]) -> None:
        """Reads the exchanges of lines, those that are not known yet."""
        lacking = sorted(set(line_ids) - self._loaded)
        if lacking:
            sql = "SELECT line_id, sku_id, given, asked FROM exchange WHERE tenant = :tenant AND line_id = ANY(:keys)"
            for line_id, sku_id, *found in self._book.session.rows(sql, {"tenant": self._book.tenant, "keys": lacking}):
                self._known[line_id, sku_id] = Exchange(*found)
            self._loaded.update(lacking)

    def of(self, line_id: str, sku_id: int) -> Exchange:
        """What goods of another SKU count for a line."""
        self.load([line_id])
        return self._known.get((line_id, sku_id), ONE_FOR_ONE)

    def counted(self, line_id: str, goods_id: int, qty: int) -> int:
        """What so much of some goods counts for a line.

        Raises:
            InputError: `qty_step`: it is no whole exchange.
        """
        sku_id, line = self._book.goods[goods_id].sku_id, self._book.lines[line_id]
        assert line is not None
        if sku_id == line.sku_id:
            return qty
        exchange = self.of(line_id, sku_id)
        whole, rest = divmod(qty, exchange.given)
        if rest:
            sku, other = self._names(line.sku_id, sku_id)
            message = f"{in_words(exchange, sku, other)}: {quantity(qty, other)} are no whole exchange"
            hint = f"Give a multiple of {quantity(exchange.given, other)}"
            raise InputError(Problem("qty_step", message, "lines", "qty", value=quantity(qty, other), hint=hint))
        return whole * exchange.asked

    def returned(self, line: Line, goods_id: int, qty: int, row: int) -> int:
        """What so much of some goods counts that comes back from what a line was given.

        Raises:
            InputError: `qty_step`; `stock_short`: no such goods were ever promised to it, or not so many are out.
        """
        sku_id = self._book.goods[goods_id].sku_id
        if sku_id != line.sku_id and (line.line_id, sku_id) not in self.promised([line.line_id]):
            (sku,) = self._names(sku_id)
            message, hint = f"no {sku.sku} was given out for the line", "Name the line that it went out for, or none"
            raise InputError(Problem("stock_short", message, "lines", "line_id", row, line.line_id, hint))
        counted = self.counted(line.line_id, goods_id, qty)
        if line.returned + counted > line.shipped:
            (sku,) = self._names(line.sku_id)
            out, back, more = (quantity(steps, sku) for steps in (line.shipped, line.returned, counted))
            message = f"{out} were given out for the line, and {back} of them are back"
            raise InputError(Problem("stock_short", message, "lines", "qty", row, more))
        return counted

    def promised(self, line_ids: Sequence[str]) -> dict[tuple[str, int], Exchange]:
        """Everything but their own SKU that lines ever had to do with, and what it counts for them."""
        if not line_ids:
            return {}
        book = self._book
        self.load(line_ids)
        sql = (
            "SELECT DISTINCT e.line_id, g.sku_id FROM entry e JOIN goods g ON g.tenant = e.tenant "
            "AND g.goods_id = e.goods_id WHERE e.tenant = :tenant AND e.line_id = ANY(:keys) AND e.line_id <> ''"
        )
        pairs = {(row[0], row[1]) for row in book.session.rows(sql, {"tenant": book.tenant, "keys": sorted(line_ids)})}
        wanted = set(line_ids)
        # What is not written yet: rows of entries, and the transaction that is open.
        latest = [(row[-2], row[3]) for row in book.written.entries] + [(m.line_id, m.goods_id) for m in book.moved]
        pairs |= {(line_id, book.goods[goods_id].sku_id) for line_id, goods_id in latest if line_id in wanted}
        return {pair: self._known.get(pair, ONE_FOR_ONE) for pair in pairs}

    def _names(self, *sku_ids: int) -> list[Sku]:
        self._book.catalog.load_sku_ids(self._book.session, sku_ids)
        return [self._book.catalog.sku(each) for each in sku_ids]

    # --- what is made, within a transaction of the book ---

    def make(self, line_id: str, sku_id: int, exchange: Exchange) -> None:
        """What goods of a SKU count for a line from now on; nothing where that is so already."""
        if exchange != ONE_FOR_ONE and (line_id, sku_id) not in self._known:
            self._known[line_id, sku_id] = exchange
            self._made.append((line_id, sku_id))

    def take_back(self) -> None:
        """Undoes what the transaction that is open made."""
        for pair in self._made:
            del self._known[pair]
        self._made.clear()

    def record(self, seq: int) -> list[str]:
        """Ends a transaction: what it made, as the text that its digest is over."""
        made = [(*pair, *self._known[pair]) for pair in sorted(self._made)]
        self._rows += [(self._book.tenant, *each, seq) for each in made]
        self._made.clear()
        return [chain.line(each) for each in made]

    def __len__(self) -> int:
        """How many rows are to be written."""
        return len(self._rows)

    def flush(self, out: Changes) -> None:
        """Writes what was recorded."""
        out.insert("exchange", COLUMNS, self._rows)


def disagreements(book: Book, wish: Wish) -> Iterator[Problem]:
    """Substitutes that a policy counts otherwise than they count for a line, or than its document can tell."""
    instead: dict[int, list[tuple[int, Exchange]]] = {}
    for (sku_id, other_id), exchange in exchanges_of(book, wish.policy).items():
        instead.setdefault(sku_id, []).append((other_id, exchange))
    wanting = [
        (n, line, sku)
        for n, line in enumerate(wish.lines)
        if (sku := book.catalog.named(line["sku"])).sku_id in instead
    ]
    before = book.exchanges.promised([line["line_id"] for _, line, _ in wanting if book.lines.get(line["line_id"])])
    for number, line, sku in wanting:
        line_id = line["line_id"]
        for other_id, exchange in instead[sku.sku_id]:
            other = book.catalog.sku(other_id)
            was = before.get((line_id, other_id), exchange)
            if was != exchange:
                message = f"for this line, {in_words(was, sku, other)}; by the policy, {in_words(exchange, sku, other)}"
                hint = "A line counts a substitute as it did first: use a new line_id, or the ratio of then"
                yield Problem("line_changed", message, "demand", "line_id", number, line_id, hint)
            if exchange != ONE_FOR_ONE and (wish.one_for_one or book.documents.get(line.get("order_id") or line_id)):
                message = f"the lines of a document count one for one, and {in_words(exchange, sku, other)}"
                hint = "Let the document ask for the substitute by a line of its own"
                yield Problem("setting_conflict", message, "policy", "substitutes", value=other.sku, hint=hint)


def in_words(exchange: Exchange, sku: Sku, other: Sku) -> str:
    """An exchange as people say it: in units of both SKUs."""
    return f"{quantity(exchange.given, other)} of {other.sku} stand for {quantity(exchange.asked, sku)} of {sku.sku}"
