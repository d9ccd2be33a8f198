"""What a process knows of a tenant's stock: read where it is needed, and kept.

What others record meanwhile is in the entries after the last transaction that is known: the goods that they are about
are read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.ledger.records import Account, Balance, Goods
from allocator.ledger.store import Session

if TYPE_CHECKING:
    from allocator.ledger.rows import Rows
    from allocator.ledger.shelves import Shelves

NOTHING: Final = Balance(0, 0)

GOODS_MAX: Final = 500_000
"""Goods that are kept between transactions at most, beside those of the largest SKU: about 500 MB."""

TAIL_MAX: Final = 2_000
"""Entries of others that are taken in one by one; where there are more, stock is read anew where it is needed."""

Key = tuple[int, int]
"""Goods and the account that they are in."""


_GOODS: Final = f"SELECT {', '.join(Goods._fields)} FROM goods WHERE tenant = :tenant AND goods_id = ANY(:ids)"
_BALANCES: Final = (
    "SELECT goods_id, account_id, qty, reserved, version FROM balance WHERE tenant = :tenant AND goods_id = ANY(:ids)"
)


class Head(NamedTuple):
    """Up to where the chain of a tenant is known. The hash stands for all that was ever recorded.

    Attributes:
        seq: The number of the last transaction.
        hash: Its hash.
        recorded_at: When it was recorded, in microseconds since 1970.
        goods_last: The last number that was given to goods.
        account_last: The last number of an account.
        allocation_last: The last number of an allocation.
        hold_ends_first: No hold ends before this moment, in microseconds; None where there is none.
        outcomes_asked: How often it was asked what became of a request that was not there.
    """

    seq: int
    hash: bytes
    recorded_at: int
    goods_last: int
    account_last: int
    allocation_last: int
    hold_ends_first: int | None
    outcomes_asked: int


class Known:
    """Goods with all their balances, each under the version under which it was read or written.

    What is known of one unit is known whole: all balances of goods that are here are here. The same holds for all goods
    of which anything is there for each SKU that was asked for.

    Attributes:
        head: The last transaction after which all this was so.
        goods: By number.
        balances: What of goods is in an account, where there is any.
        accounts_of: The accounts in which some goods are.
        rows: Stock rows in columns, by SKU.
        shelves: Stock laid out to decide on single lines, by policy and day.
    """

    def __init__(self, head: Head) -> None:
        self.head = head
        self.goods: dict[int, Goods] = {}
        self.balances: dict[Key, Balance] = {}
        self.accounts_of: dict[int, tuple[int, ...]] = {}
        self.versions: dict[Key, int] = {}
        self.rows: dict[int, Rows] = {}
        self.shelves: dict[tuple[str, int], Shelves] = {}
        # In the order in which they were used.
        self._ids_of_sku: dict[int, list[int]] = {}
        self._alone: dict[int, tuple[int]] = {}
        self._skus: set[int] = set()
        self._skus_in_stock: set[int] = set()

    def load_goods(self, session: Session, tenant: int, ids: Iterable[int]) -> None:
        """Reads goods and their balances, those that are not known yet."""
        lacking = sorted({i for i in ids if i not in self.goods})
        if not lacking:
            return
        params = {"tenant": tenant, "ids": lacking}
        for row in session.rows(_GOODS, params):
            self.add(Goods(*row))
        for row in session.rows(_BALANCES, params):
            self._know(*row)

    def load_skus(self, session: Session, tenant: int, ids: Iterable[int], *, in_stock: bool = False) -> None:
        """Reads all goods of some SKUs of which anything is there; of units those alone that are `in_stock`, if so."""
        asked = set(ids)
        for sku_id in asked & self._ids_of_sku.keys():
            self._use(sku_id)
        lacking = sorted({i for i in asked if i not in self._skus and not (in_stock and i in self._skus_in_stock)})
        if not lacking:
            return
        columns = ", ".join(f"g.{name}" for name in Goods._fields)
        sql = (
            f"SELECT {columns}, b.account_id, b.qty, b.reserved, b.version FROM balance b JOIN goods g "
            "ON g.tenant = b.tenant AND g.goods_id = b.goods_id WHERE b.tenant = :tenant AND b.sku_id = ANY(:ids)"
        )
        if in_stock:
            # Most units that a business ever had are with customers. A unit is in one account.
            sql += (
                " AND (b.unit = 0 OR b.account_id IN "
                "(SELECT a.account_id FROM account a WHERE a.tenant = :tenant AND a.kind = 'stock'))"
            )
        width = len(Goods._fields)
        new: set[int] = set()
        for row in session.rows(sql, {"tenant": tenant, "ids": lacking}):
            if row[0] not in self.goods:
                self.add(Goods(*row[:width]))
                new.add(row[0])
            # What is known already may have changed in this very transaction.
            if row[0] in new:
                self._know(row[0], *row[width:])
        (self._skus_in_stock if in_stock else self._skus).update(lacking)

    def follow(self, session: Session, tenant: int, head: Head, accounts: Mapping[int, Account]) -> bool:
        """Takes in what others recorded since; whether it did.

        It does not where that is much, or where the store was put back and has another history.
        """
        if not 0 < head.seq - self.head.seq <= TAIL_MAX:
            return False
        of = {"tenant": tenant, "seq": self.head.seq}
        last = session.one("SELECT hash FROM txn WHERE tenant = :tenant AND seq = :seq", of)
        if last is None or bytes(last[0]) != self.head.hash:
            return False
        sql = f"SELECT goods_id FROM entry WHERE tenant = :tenant AND seq > :seq LIMIT {TAIL_MAX + 1}"
        moved = session.rows(sql, of)
        if len(moved) > TAIL_MAX:
            return False
        self._read_again(session, {"tenant": tenant, "ids": sorted({number for (number,) in moved})}, accounts)
        self.head = head
        return True

    def _read_again(self, session: Session, of: Mapping[str, Any], accounts: Mapping[int, Account]) -> None:
        """Reads some goods that others moved, if they are known, or should be: they may be the first of their kind."""
        there: dict[int, dict[int, tuple[Balance, int]]] = {number: {} for number in of["ids"]}
        for goods_id, account_id, qty, reserved, version in session.rows(_BALANCES, of):
            there[goods_id][account_id] = Balance(qty, reserved), version
        whole = self._skus | self._skus_in_stock
        for row in session.rows(_GOODS, of):
            goods = Goods(*row)
            goods_id = goods.goods_id
            if goods_id not in self.goods:
                if goods.sku_id not in whole:
                    continue
                self.add(goods)
            for account_id in {*self.accounts_of[goods_id], *there[goods_id]}:
                key = goods_id, account_id
                balance, version = there[goods_id].get(account_id, (NOTHING, 0))
                self.put(key, balance, in_stock=accounts[account_id].kind == "stock")
                self.versions[key] = version
                if not balance.qty:
                    del self.balances[key], self.versions[key]

    @property
    def skus(self) -> Collection[int]:
        """The SKUs of which goods are known."""
        return self._ids_of_sku.keys()

    def goods_of(self, sku_id: int) -> list[Goods]:
        """The goods of a SKU that are known."""
        return [self.goods[number] for number in self._ids_of_sku.get(sku_id, ())]

    def add(self, goods: Goods) -> None:
        """Goods that were not known before."""
        self.goods[goods.goods_id] = goods
        self.accounts_of[goods.goods_id] = ()
        self._ids_of_sku.setdefault(goods.sku_id, []).append(goods.goods_id)

    def forget(self, goods: Goods) -> None:
        """Goods that were added, and are not to be."""
        del self.goods[goods.goods_id], self.accounts_of[goods.goods_id]
        self._ids_of_sku[goods.sku_id].remove(goods.goods_id)
        self.rows.pop(goods.sku_id, None)

    def put(self, key: Key, balance: Balance, *, in_stock: bool) -> None:
        """What of some goods is in an account from now on."""
        goods_id, account_id = key
        self.balances[key] = balance
        places, sku_id = self.accounts_of[goods_id], self.goods[goods_id].sku_id
        if (account_id in places) != (balance.qty > 0):
            rest = tuple(each for each in places if each != account_id)
            self.accounts_of[goods_id] = self._with(rest, account_id) if balance.qty else rest
        self._use(sku_id)
        if in_stock and (rows := self.rows.get(sku_id)) is not None:
            rows.put(key, balance)
            for shelves in self.shelves.values():
                shelves.put(key, sku_id, balance.qty - balance.reserved)

    def promise(self, key: Key, qty: int, given_by: Shelves) -> None:
        """Promises some of what is in stock. The shelves that gave it know."""
        have = self.balances[key]
        balance = self.balances[key] = Balance(have.qty, have.reserved + qty)
        sku_id = self.goods[key[0]].sku_id
        self._use(sku_id)
        if (rows := self.rows.get(sku_id)) is not None:
            rows.put(key, balance)
            for shelves in self.shelves.values():
                if shelves is not given_by:
                    shelves.put(key, sku_id, balance.qty - balance.reserved)

    def _know(self, goods_id: int, account_id: int, qty: int, reserved: int, version: int) -> None:
        key = goods_id, account_id
        self.balances[key] = Balance(qty, reserved)
        self.versions[key] = version
        self.accounts_of[goods_id] = self._with(self.accounts_of[goods_id], account_id)

    def _with(self, places: tuple[int, ...], account_id: int) -> tuple[int, ...]:
        # Nearly all goods are in one account: those of an account share what says so.
        return (*places, account_id) if places else self._alone.setdefault(account_id, (account_id,))

    def settle(self, head: Head, written: Mapping[Key, int]) -> Known:
        """All this after a commit, which wrote some balances under new versions; without what is too much to keep."""
        for key, version in written.items():
            if self.balances[key].qty:
                self.versions[key] = version
            else:
                del self.balances[key]
                self.versions.pop(key, None)
        self.head = head
        if len(self.goods) > GOODS_MAX:
            self._shed()
        return self

    def _use(self, sku_id: int) -> None:
        self._ids_of_sku[sku_id] = self._ids_of_sku.pop(sku_id)

    def _shed(self) -> None:
        """Forgets the SKUs that were used longest ago. The largest stays: to read it for each order would take long."""
        largest = max(self._ids_of_sku, key=lambda sku_id: len(self._ids_of_sku[sku_id]))
        beside = len(self.goods) - len(self._ids_of_sku[largest])
        for sku_id in [each for each in self._ids_of_sku if each != largest]:
            if beside <= GOODS_MAX:
                return
            beside -= len(self._ids_of_sku[sku_id])
            self._forget_sku(sku_id)

    def _forget_sku(self, sku_id: int) -> None:
        for goods_id in self._ids_of_sku.pop(sku_id):
            del self.goods[goods_id]
            for account_id in self.accounts_of.pop(goods_id):
                del self.balances[goods_id, account_id]
                self.versions.pop((goods_id, account_id), None)
        self.rows.pop(sku_id, None)
        for shelves in self.shelves.values():
            shelves.forget(sku_id)
        self._skus.discard(sku_id)
        self._skus_in_stock.discard(sku_id)
