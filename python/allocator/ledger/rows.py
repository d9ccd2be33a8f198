"""The stock rows of SKUs in columns, kept as they are: what the engine decides on is not put together each time."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.lines import GREATEST
from allocator.ledger.records import Balance, Sku
from allocator.ledger.selection import ACCOUNT_BITS, stock_id

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.known import Key

STOCK: Final[dict[str, Any]] = {
    "stock_id": pl.Int64, "sku": pl.String, "location": pl.String, "qty_on_hand": pl.Int64, "qty_reserved": pl.Int64,
    "received_on": pl.Date, "expires_on": pl.Date, "lot": pl.String, "serial": pl.String, "owner": pl.String,
    "condition": pl.String, "status": pl.String, "blocked": pl.Boolean, "stock_class": pl.String,
    "unit_cost": pl.Decimal(38, 6),
}  # fmt: skip
"""The columns of live stock, as `allocate` takes them."""

SAID: Final = {name: dtype for name, dtype in STOCK.items() if not name.startswith("qty")}
"""What of a stock row never changes: its goods and its account say it."""

ACCOUNT_MASK: Final = (1 << ACCOUNT_BITS) - 1

Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]
Flags: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]

NEAR: Final = 9.0e18
"""A sum below it is below 2⁶³, however floating point rounded it."""

EMPTY_MAX: Final = 1000
"""Rows of a SKU that nothing is left of, and that are kept; more of them go once they are most of its rows."""


_NOTHING: Final = pl.DataFrame(schema=SAID)


class _Columns(NamedTuple):
    """Stock rows: what is said of them, and by its side their ids, what is there, and how much of it is promised."""

    said: pl.DataFrame
    ids: Numbers
    qty: Numbers
    reserved: Numbers


class Rows:
    """The stock rows of one SKU, told of every balance that changes. One that nothing is left of keeps its place.

    Attributes:
        places: Where the row of each balance is.
    """

    def __init__(self, keys: Sequence[Key] = (), balances: Sequence[Balance] = ()) -> None:
        """The rows of some balances, each above zero."""
        self.places: dict[Key, int] = dict(zip(keys, range(len(keys)), strict=True))
        self._ids = array("q", [stock_id(*key) for key in keys])
        self._qty = array("q", [balance.qty for balance in balances])
        self._reserved = array("q", [balance.reserved for balance in balances])
        self._said = _NOTHING
        self._unsaid: list[Key] = [*keys]

    def put(self, key: Key, balance: Balance) -> None:
        """What a balance is from now on."""
        place = self.places.get(key)
        if place is not None:
            self._qty[place], self._reserved[place] = balance
        elif balance.qty:
            self.places[key] = len(self._qty)
            self._ids.append(stock_id(*key))
            self._qty.append(balance.qty)
            self._reserved.append(balance.reserved)
            self._unsaid.append(key)

    def packed(self) -> Rows:
        """These; without those that nothing is left of, once they are most of them."""
        empty = self._qty.count(0)
        if empty <= max(EMPTY_MAX, len(self._qty) // 2):
            return self
        kept = Rows()
        there = np.array(self._qty, bool)
        said = len(self._qty) - len(self._unsaid)
        kept._said = self._said.filter(pl.Series(there[:said]))
        columns = (self._ids, self._qty, self._reserved)
        kept._ids, kept._qty, kept._reserved = (array("q", np.array(each)[there].tobytes()) for each in columns)
        kept._unsaid = [key for key, has in zip(self._unsaid, there[said:], strict=True) if has]
        kept.places = {key: n for n, key in enumerate(key for key, has in zip(self.places, there, strict=True) if has)}
        return kept

    def told(self, book: Book) -> _Columns:
        """All rows, of which all is said, as decisions of a book see them."""
        ids, qty, reserved = (np.array(each) for each in (self._ids, self._qty, self._reserved))
        for key, held in book.left_alone.items():
            if key in self.places:
                reserved[self.places[key]] += held
        return _Columns(self._said, ids, qty, reserved)

    @staticmethod
    def say(book: Book, skus: Iterable[Sku], rows: Iterable[Rows]) -> None:
        """Looks up what is said of the rows of some SKUs, as far as it was not yet: all in one table."""
        lacking = [(sku, each) for sku, each in zip(skus, rows, strict=True) if each._unsaid]
        said = said_of(book, ((sku, key) for sku, each in lacking for key in each._unsaid))
        at = 0
        for _, each in lacking:
            new = said.slice(at, len(each._unsaid))
            each._said = pl.concat([each._said, new], rechunk=True) if each._said.height else new
            at += new.height
            each._unsaid.clear()


def rows_of(book: Book, sku: Sku) -> Rows:
    """The stock rows of a SKU that is loaded."""
    rows = book.known.rows.get(sku.sku_id)
    if rows is None:
        accounts = book.catalog.accounts
        keys = [
            (goods.goods_id, account_id)
            for goods in book.goods_of(sku.sku_id)
            for account_id in book.accounts_of[goods.goods_id]
            if accounts[account_id].kind == "stock"
        ]
        rows = Rows(keys, [book.balances[key] for key in keys])
    rows = book.known.rows[sku.sku_id] = rows.packed()
    return rows


def said_of(book: Book, keys: Iterable[tuple[Sku, Key]]) -> pl.DataFrame:
    """What never changes of the stock rows of some balances, each with its SKU."""
    skus, ids, goods, accounts = [], [], [], []
    for sku, key in keys:
        skus.append(sku.sku)
        ids.append(stock_id(*key))
        goods.append(book.goods[key[0]])
        accounts.append(book.catalog.accounts[key[1]])
    # By columns, and days as numbers, as polars holds them.
    columns = {
        "stock_id": ids, "sku": skus, "location": [each.location or None for each in accounts],
        "received_on": pl.Series([each.received_on for each in goods], dtype=pl.Int32).cast(pl.Date),
        "expires_on": pl.Series([each.expires_on for each in goods], dtype=pl.Int32).cast(pl.Date),
        "lot": [each.lot or None for each in goods], "serial": [each.serial or None for each in goods],
        "owner": [each.owner or None for each in accounts], "condition": [each.condition or None for each in accounts],
        "status": [each.status for each in accounts], "blocked": [bool(each.blocks) for each in accounts],
        "stock_class": [each.stock_class or None for each in goods],
        "unit_cost": [Decimal(each.unit_cost) if each.unit_cost else None for each in goods],
    }  # fmt: skip
    return pl.DataFrame(columns, schema=SAID)


def stock_rows(
    book: Book, skus: Collection[Sku], scale: int, *, only: Collection[int] | None = None, within: str | None = None
) -> pl.DataFrame:
    """The stock rows of some SKUs, or of `only` some goods, by id; of a place and those below it, if one is given."""
    steps = [10 ** (scale - sku.scale) for sku in skus]
    if only is None:
        book.load_stock(sku.sku_id for sku in skus)
        rows = [rows_of(book, sku) for sku in skus]
        Rows.say(book, skus, rows)
        parts = [each.told(book) for each in rows]
    else:
        parts = [_of_goods(book, sku, only) for sku in skus]
    _check_sum(parts, steps, skus)
    ids = np.concatenate([part.ids for part in parts])
    qty, reserved = (
        np.concatenate([column * step for column, step in zip(columns, steps, strict=True)])
        for columns in ([part.qty for part in parts], [part.reserved for part in parts])
    )
    there = qty > 0
    if within is not None:
        there &= _within(book, ids, within)
    order = np.flatnonzero(there)
    order = order[np.argsort(ids[order], kind="stable")]
    said = parts[0].said if len(parts) == 1 else pl.concat([part.said for part in parts], rechunk=True)
    return said[order].with_columns(
        pl.Series("qty_on_hand", qty[order], pl.Int64), pl.Series("qty_reserved", reserved[order], pl.Int64)
    )


def _check_sum(parts: Sequence[_Columns], steps: Sequence[int], skus: Collection[Sku]) -> None:
    """Makes sure that all of it together can be counted in the smallest steps of any of the SKUs.

    Raises:
        InputError: `value_overflow`.
    """
    if sum(float(part.qty.sum(dtype=np.float64)) * step for part, step in zip(parts, steps, strict=True)) < NEAR:
        return
    # Seldom: what floating point may have rounded is added up exactly.
    sums = {sku.sku: sum(part.qty.tolist()) * step for sku, part, step in zip(skus, parts, steps, strict=True)}
    if (total := sum(sums.values())) > GREATEST:
        message = f"the quantities in stock add up to {total} of the smallest steps, more than 2⁶³ - 1"
        most = max(sums, key=lambda name: sums[name])
        hint = "Reserve SKUs with many decimal places apart from the others"
        raise InputError(Problem("value_overflow", message, "stock", "qty_on_hand", value=most, hint=hint))


def _of_goods(book: Book, sku: Sku, only: Collection[int]) -> _Columns:
    keys = [
        (goods_id, account_id)
        for goods_id in only
        if book.goods[goods_id].sku_id == sku.sku_id
        for account_id in book.accounts_of[goods_id]
        if book.catalog.accounts[account_id].kind == "stock"
    ]
    ids = np.array([stock_id(*key) for key in keys], np.int64)
    free = np.array([book.free(*key) for key in keys], np.int64).reshape(-1, 2)
    return _Columns(said_of(book, ((sku, key) for key in keys)), ids, free[:, 0], free[:, 1])


def _within(book: Book, ids: Numbers, place: str) -> Flags:
    """Whether each stock row is at a place or below it."""
    accounts, each = np.unique(ids & ACCOUNT_MASK, return_inverse=True)
    places = [book.catalog.accounts[number].location for number in accounts.tolist()]
    return np.array([at == place or at.startswith(f"{place}/") for at in places], bool)[each]


def keys_of(ids: pl.Series) -> list[Key]:
    """The goods and the account of each stock row's id."""
    numbers = ids.to_numpy()
    return list(zip((numbers >> ACCOUNT_BITS).tolist(), (numbers & ACCOUNT_MASK).tolist(), strict=True))
