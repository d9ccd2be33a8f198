"""The one writer of a ledger: balances, lines and allocations as they are while transactions are added to them.

A book is open within one database transaction, while the head of the tenant's chain is locked: what it reads stays
true until it commits. Transactions are made in memory, each whole or not at all, and written together by `flush`.
Every row that changes is written under the version that was read, so that even a writer who went around the lock
could not take what is gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from allocator.errors import AllocatorError, InputError, InternalError, Problem
from allocator.ledger import chain
from allocator.ledger.catalog import Catalog
from allocator.ledger.documents import Documents
from allocator.ledger.records import SOURCES, Account, Allocation, Balance, Goods, Heading, Line, Movement
from allocator.ledger.store import Changes, Session

GREATEST: Final = 2**63 - 1
NOTHING: Final = Balance(0, 0)
FEW: Final = 200
"""Rows up to which statements are sent without waiting for each."""

_HEAD: Final = (
    "SELECT seq, hash, recorded_at, goods_last, account_last, allocation_last, sku_last, sku_version, "
    "(SELECT MIN(expires_at) FROM allocation WHERE tenant = :tenant AND expires_at IS NOT NULL) "
    "FROM tenant WHERE tenant = :tenant"
)


class _Undo(NamedTuple):
    balances: dict[tuple[int, int], Balance]
    lines: dict[str, Line | None]
    allocations: dict[int, Allocation | None]
    counters: dict[str, int]
    lasts: tuple[int, int, int]
    goods: int
    accounts: int
    numbers: int
    renumbered: int
    attributes: int


class Book:
    """The state of one tenant, as far as it was loaded, and the transactions that were added to it."""

    def __init__(self, session: Session, catalog: Catalog, *, writes: bool = True) -> None:
        self.session, self.catalog, self.tenant = session, catalog, catalog.tenant
        head = session.one(f"{_HEAD} FOR UPDATE" if writes else _HEAD, {"tenant": self.tenant})
        if head is None:
            raise InternalError(Problem("internal", "the tenant of this ledger is gone"))
        self.seq: int
        self.account_last: int
        self.allocation_last: int
        self.goods_last: int
        self.recorded_at: int
        self.seq, hash_, self.recorded_at, self.goods_last, self.account_last, self.allocation_last, *rest = head
        self.seq_before, self.hash = self.seq, bytes(hash_)
        self.hold_ends_first: int | None = rest[2]
        catalog.refresh(session, self.account_last, rest[1])
        self.balances: dict[tuple[int, int], Balance] = {}
        self.accounts_of: dict[int, set[int]] = {}
        self.goods: dict[int, Goods] = {}
        self._ids_of_sku: dict[int, list[int]] = {}
        self.numbers: dict[str, list[tuple[int, int]]] = {}
        self.lines: dict[str, Line | None] = {}
        self.allocations: dict[int, Allocation | None] = {}
        self._versions: dict[object, int] = {}
        self._touched: dict[object, int] = {}
        self._undo: _Undo | None = None
        self._heading: Heading | None = None
        self.documents = Documents(self)
        self._held: dict[tuple[int, int], int] = {}
        self._movements: list[Movement] = []
        self._new_goods: list[Goods] = []
        self._new_accounts: list[tuple[int, Account]] = []
        self._numbers: list[tuple[str, int, str, int]] = []
        self._renumbered: list[tuple[str, int, str, int]] = []
        self._attributes: list[tuple[int, str, str]] = []
        self._rows: dict[str, list[tuple[Any, ...]]] = {n: [] for n in ("txn", "entry", "number", "request")}
        self._attribute_rows: dict[tuple[int, str], tuple[str, int]] = {}
        self._until: list[tuple[int, str, int, str]] = []
        self._counters: dict[str, int] = {}
        self._counted: set[str] = set()
        self._former: set[tuple[int, str]] = set()

    # --- what there is ---

    def entries_of(self, seq: int) -> list[Movement]:
        """The entries of an earlier transaction."""
        columns = ", ".join(Movement._fields)
        sql = f"SELECT {columns} FROM entry WHERE tenant = :tenant AND seq = :seq ORDER BY n"
        return [Movement(*row) for row in self.session.rows(sql, {"tenant": self.tenant, "seq": seq})]

    def load_goods(self, ids: Iterable[int]) -> None:
        """Reads goods and their balances, those that are not known yet."""
        lacking = sorted({i for i in ids if i not in self.goods})
        if not lacking:
            return
        params = {"tenant": self.tenant, "ids": lacking}
        columns = ", ".join(Goods._fields)
        for row in self.session.rows(
            f"SELECT {columns} FROM goods WHERE tenant = :tenant AND goods_id = ANY(:ids)", params
        ):
            self._add_goods(Goods(*row))
        self._read_balances("goods_id = ANY(:ids)", params)

    def load_skus(self, ids: Iterable[int]) -> None:
        """Reads all goods of some SKUs of which anything is there."""
        params = {"tenant": self.tenant, "ids": sorted(set(ids))}
        columns = ", ".join(f"g.{name}" for name in Goods._fields)
        sql = (
            f"SELECT {columns}, b.account_id, b.qty, b.reserved, b.version FROM balance b JOIN goods g "
            "ON g.tenant = b.tenant AND g.goods_id = b.goods_id WHERE b.tenant = :tenant AND b.sku_id = ANY(:ids)"
        )
        width = len(Goods._fields)
        for row in self.session.rows(sql, params):
            self._add_goods(Goods(*row[:width]))
            self._know(row[0], *row[width:])

    def goods_of(self, sku_id: int) -> list[Goods]:
        """The goods of a SKU that are loaded."""
        return [self.goods[number] for number in self._ids_of_sku.get(sku_id, ())]

    def _add_goods(self, goods: Goods) -> None:
        if goods.goods_id not in self.goods:
            self.goods[goods.goods_id] = goods
            self.accounts_of[goods.goods_id] = set()
            self._ids_of_sku.setdefault(goods.sku_id, []).append(goods.goods_id)

    def find_numbers(self, values: Iterable[str]) -> None:
        """Reads which units have or had these numbers, as (scope, goods)."""
        lacking = sorted({value for value in values if value not in self.numbers})
        if lacking:
            sql = "SELECT value, scope, goods_id, until_seq FROM number WHERE tenant = :tenant AND value = ANY(:keys)"
            for value in lacking:
                self.numbers[value] = []
            for value, scope, goods_id, until in self.session.rows(sql, {"tenant": self.tenant, "keys": lacking}):
                self.numbers[value].append((scope, goods_id))
                if until is not None:
                    self._former.add((scope, value))

    def is_former(self, scope: int, value: str) -> bool:
        """Whether a number that was found is one that its unit no longer has."""
        return (scope, value) in self._former

    def _read_balances(self, where: str, params: dict[str, Any]) -> None:
        sql = f"SELECT goods_id, account_id, qty, reserved, version FROM balance WHERE tenant = :tenant AND {where}"
        for row in self.session.rows(sql, params):
            self._know(*row)

    def _know(self, goods_id: int, account_id: int, qty: int, reserved: int, version: int) -> None:
        key = (goods_id, account_id)
        if key not in self._versions and key not in self._touched:
            self.balances[key] = Balance(qty, reserved)
            self._versions[key] = version
            self.accounts_of[goods_id].add(account_id)

    def load_lines(self, ids: Iterable[str]) -> None:
        """Reads demand lines, those that are not known yet."""
        lacking = sorted({i for i in ids if i not in self.lines})
        if lacking:
            columns = ", ".join(Line._fields)
            sql = f"SELECT {columns}, version FROM line WHERE tenant = :tenant AND line_id = ANY(:keys)"
            self.lines.update(dict.fromkeys(lacking))
            for *row, version in self.session.rows(sql, {"tenant": self.tenant, "keys": lacking}):
                self.lines[row[0]] = Line(*row)
                self._versions[row[0]] = version

    def load_allocations(self, where: str, **params: object) -> list[int]:
        """Reads open allocations, with their goods and lines; their ids in order."""
        columns = ", ".join(Allocation._fields)
        sql = f"SELECT {columns}, version FROM allocation WHERE tenant = :tenant AND {where} ORDER BY allocation_id"
        found = []
        for *row, version in self.session.rows(sql, {"tenant": self.tenant, **params}):
            found.append(row[0])
            if row[0] not in self.allocations:
                self.allocations[row[0]] = Allocation(*row)
                self._versions[("allocation", row[0])] = version
        known = [a for i in found if (a := self.allocations[i]) is not None]
        self.load_goods(a.goods_id for a in known)
        self.load_lines(a.line_id for a in known)
        return [a.allocation_id for a in known]

    def promises(self, goods_id: int, account_id: int) -> list[int]:
        """The open allocations of some goods in an account, in order."""
        self.load_allocations("goods_id = ANY(:ids)", ids=[goods_id])
        return sorted(
            a.allocation_id
            for a in self.allocations.values()
            if a and (a.goods_id, a.account_id) == (goods_id, account_id)
        )

    def serial_of(self, goods_id: int) -> str:
        """The serial that a unit has now."""
        for kind, _, value, owner in reversed(self._numbers):
            if kind == "serial" and owner == goods_id:
                return value
        sql = (
            "SELECT value FROM number WHERE tenant = :tenant AND goods_id = :goods AND kind = 'serial' "
            "AND until_seq IS NULL ORDER BY seq DESC"
        )
        row = self.session.one(sql, {"tenant": self.tenant, "goods": goods_id})
        return str(row[0]) if row else self.goods[goods_id].serial

    def balance(self, goods_id: int, account_id: int) -> Balance:
        """What of some goods, which are loaded, is in an account."""
        return self.balances.get((goods_id, account_id), NOTHING)

    def free(self, goods_id: int, account_id: int) -> Balance:
        """The balance as a decision sees it: what is held for others counts as reserved."""
        balance = self.balances.get((goods_id, account_id), NOTHING)
        held = self._held.get((goods_id, account_id), 0) if self._held else 0
        return Balance(balance.qty, balance.reserved + held) if held else balance

    @contextmanager
    def held(self, held: dict[tuple[int, int], int]) -> Iterator[None]:
        """Decisions within leave these units alone."""
        self._held = held
        try:
            yield
        finally:
            self._held = {}

    def version(self, key: tuple[int, int]) -> int | None:
        """The transaction that last changed a balance, as far as it was loaded."""
        return self._touched.get(key, self._versions.get(key))

    def adopt(self, other: Book) -> None:
        """Takes over what another book has read of the same state, to read it once only."""
        self.balances, self.accounts_of, self.goods = other.balances, other.accounts_of, other.goods
        self.lines, self._versions, self._ids_of_sku = other.lines, other._versions, other._ids_of_sku

    def account(self, account: Account) -> int:
        """The number of an account; a new one is opened."""
        known = self.catalog.account_ids.get(account)
        if known is None:
            self.account_last += 1
            known = self.account_last
            self.catalog.open_account(known, account)
            self._new_accounts.append((known, account))
        return known

    def now(self) -> int:
        """The moment, in microseconds since 1970; a clock that is set back does not make history run backwards."""
        return max(time.time_ns() // 1000, self.recorded_at)

    # --- one transaction ---

    @contextmanager
    def transaction(self, heading: Heading) -> Iterator[int]:
        """Everything done within is one transaction, or none of it if an error is raised; gives its number.

        One within another of the same heading is part of it.
        """
        if self._undo is not None:
            if heading != self._heading:
                raise InternalError(Problem("internal", "a transaction begins within another", value=heading.type))
            yield self.seq + 1
            return
        self._heading = heading
        lasts = (self.goods_last, self.account_last, self.allocation_last)
        pending = (self._new_goods, self._new_accounts, self._numbers, self._renumbered, self._attributes)
        self._undo = _Undo({}, {}, {}, {}, lasts, *(len(rows) for rows in pending))
        try:
            yield self.seq + 1
        except AllocatorError:
            self._take_back(self._undo)
            raise
        self._record(heading, self._undo)

    def create(self, goods: Goods) -> int:
        """New goods, not anywhere yet; `goods_id` and `seq` are given here."""
        self.goods_last += 1
        made = Goods(self.goods_last, *goods[1:-1], self.seq + 1)
        self._add_goods(made)
        self._new_goods.append(made)
        return self.goods_last

    def move(self, movement: Movement) -> None:
        """Adds an entry. What it takes must be there, and free where it is not promised to this allocation."""
        goods_id, from_id, to_id, qty, unreserved, reserved, *_ = movement
        source = self.catalog.accounts[from_id].kind in SOURCES
        if not source:
            have = self.balance(goods_id, from_id)
            left = Balance(have.qty - qty, have.reserved - unreserved)
            if left.qty < 0 or not 0 <= left.reserved <= left.qty:
                raise InputError(self._short(movement, have))
            self._put(goods_id, from_id, left)
        if (qty or reserved) and self.catalog.accounts[to_id].kind not in SOURCES:
            have = self.balance(goods_id, to_id)
            more = Balance(have.qty + qty, have.reserved + reserved)
            if more.qty > GREATEST:
                raise InputError(Problem("value_overflow", "a balance would not fit in 64 bits", value=str(more.qty)))
            if more.reserved > more.qty:
                raise InputError(self._short(movement, have))
            self._put(goods_id, to_id, more)
        self._movements.append(movement)

    def _short(self, movement: Movement, have: Balance) -> Problem:
        goods = self.goods[movement.goods_id]
        sku = self.catalog.sku(goods.sku_id)
        place = self.catalog.accounts[movement.from_id].location or "no place"
        what = f"{goods.serial or goods.lot or sku.sku} at {place}"
        message = f"of {what}, {have.qty} are there and {have.reserved} of them promised"
        hint = "Look at the balance again; take less, or release what is promised"
        return Problem("stock_short", message, column="qty", value=str(movement.qty or movement.reserved), hint=hint)

    def _put(self, goods_id: int, account_id: int, balance: Balance) -> None:
        key = (goods_id, account_id)
        undo = self._undo
        if undo is not None and key not in undo.balances:
            undo.balances[key] = self.balances.get(key, NOTHING)
        self.balances[key] = balance
        (self.accounts_of[goods_id].add if balance.qty else self.accounts_of[goods_id].discard)(account_id)

    def put_line(self, line: Line) -> None:
        """A demand line as it is now."""
        assert self._undo is not None
        self._undo.lines.setdefault(line.line_id, self.lines.get(line.line_id))
        self.lines[line.line_id] = line

    def put_allocation(self, allocation: Allocation) -> None:
        """An allocation as it is now; one of nothing is closed."""
        assert self._undo is not None
        number = allocation.allocation_id
        self._undo.allocations.setdefault(number, self.allocations.get(number))
        self.allocations[number] = allocation if allocation.qty else None

    def next_allocation(self) -> int:
        """A number for a new allocation."""
        self.allocation_last += 1
        return self.allocation_last

    def number(self, kind: str, scope: int, value: str, goods_id: int) -> None:
        """Gives a unit a number that nobody ever had."""
        self._numbers.append((kind, scope, value, goods_id))
        self.numbers.setdefault(value, []).append((scope, goods_id))

    def retire_number(self, kind: str, scope: int, value: str, goods_id: int) -> None:
        """Ends the use of a number, which keeps finding its unit."""
        self._renumbered.append((kind, scope, value, goods_id))
        self._former.add((scope, value))

    def counter(self, name: str) -> int:
        """The last number that was given out of a sequence; 0 before the first."""
        if name not in self._counters:
            sql = "SELECT value FROM counter WHERE tenant = :tenant AND name = :name"
            row = self.session.one(sql, {"tenant": self.tenant, "name": name})
            self._counters[name] = row[0] if row else 0
        return self._counters[name]

    def count(self, name: str, value: int) -> None:
        """The last number that is given out of a sequence from now on."""
        assert self._undo is not None
        self._undo.counters.setdefault(name, self.counter(name))
        self._counters[name] = value

    def values(self, names: Iterable[str], goods: Iterable[int]) -> dict[tuple[int, str], str]:
        """What characteristics of goods are now; none where nothing is said, or nothing any more."""
        wanted, asked = set(names), set(goods)
        params = {"tenant": self.tenant, "names": sorted(wanted), "ids": sorted(asked)}
        sql = (
            "SELECT goods_id, name, value FROM attribute "
            "WHERE tenant = :tenant AND name = ANY(:names) AND goods_id = ANY(:ids)"
        )
        found = {(number, name): value for number, name, value in self.session.rows(sql, params)}
        found |= {key: value for key, (value, _) in self._attribute_rows.items()}
        found |= {(number, name): value for number, name, value in self._attributes}
        return {key: value for key, value in found.items() if value and key[0] in asked and key[1] in wanted}

    def attribute(self, goods_id: int, name: str, value: str) -> None:
        """The value of a characteristic from now on."""
        self._attributes.append((goods_id, name, value))

    def _take_back(self, undo: _Undo) -> None:
        for (goods_id, account_id), balance in undo.balances.items():
            self._put(goods_id, account_id, balance)
        self.lines.update(undo.lines)
        self.allocations.update(undo.allocations)
        self.goods_last, self.account_last, self.allocation_last = undo.lasts
        for goods in self._new_goods[undo.goods :]:
            del self.goods[goods.goods_id], self.accounts_of[goods.goods_id]
            self._ids_of_sku[goods.sku_id].remove(goods.goods_id)
        for number, account in self._new_accounts[undo.accounts :]:
            self.catalog.forget_account(number, account)
        for _, scope, value, goods_id in self._numbers[undo.numbers :]:
            self.numbers[value].remove((scope, goods_id))
        self._former -= {(scope, value) for _, scope, value, _ in self._renumbered[undo.renumbered :]}
        self._counters |= undo.counters
        del self._new_goods[undo.goods :], self._new_accounts[undo.accounts :], self._numbers[undo.numbers :]
        del self._renumbered[undo.renumbered :], self._attributes[undo.attributes :]
        self._movements.clear()
        self.documents.take_back()
        self._undo = None

    def _record(self, heading: Heading, undo: _Undo) -> None:
        self.seq += 1
        seq, tenant = self.seq, self.tenant
        self.recorded_at = self.now()
        entries = [(tenant, seq, n, *movement) for n, movement in enumerate(self._movements)]
        steps = self.documents.record(seq, self.recorded_at)
        digest = chain.digest(
            [chain.line(goods) for goods in self._new_goods[undo.goods :]],
            [chain.line((number, *account)) for number, account in self._new_accounts[undo.accounts :]],
            [chain.line(_recorded(line)) for key in undo.lines if (line := self.lines[key]) and line.seq == seq],
            [chain.line(movement) for movement in self._movements],
            *([steps] if steps else ()),
        )
        said = (seq, *heading[:8], self.recorded_at, *heading[8:], len(entries))
        self.hash = chain.linked(self.hash, said, digest)
        self._rows["txn"].append((tenant, *said, digest, self.hash))
        self._rows["entry"] += entries
        self._rows["number"] += [(tenant, *number, seq) for number in self._numbers[undo.numbers :]]
        self._until += [(seq, kind, scope, value) for kind, scope, value, _ in self._renumbered[undo.renumbered :]]
        for goods_id, name, value in self._attributes[undo.attributes :]:
            self._attribute_rows[goods_id, name] = (value, seq)
        self._counted |= undo.counters.keys()
        for key in (*undo.balances, *undo.lines, *(("allocation", number) for number in undo.allocations)):
            self._touched[key] = seq
        self._movements = []
        self._undo = None

    def is_reversed(self, seq: int | None) -> bool:
        """Whether a transaction that is not written yet reverses another."""
        return any(row[TXN.index("reverses")] == seq for row in self._rows["txn"])

    def answer(self, key: str, content: bytes, answer: object) -> None:
        """Keeps what was answered to a request, so that the same request gets the same answer."""
        text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        self._rows["request"].append((self.tenant, key, content, text, self.now()))

    # --- writing ---

    def flush(self) -> None:
        """Writes everything that was added.

        Raises:
            ConflictError: A row is no longer as it was read. Roll back and begin again.
        """
        tenant = self.tenant
        few = len(self._rows["entry"]) + len(self._new_goods) + len(self._rows["request"]) + len(self.documents) < FEW
        with self.session.changes(few=few) as out:
            if self.seq > self.seq_before:
                out.insert("txn", TXN, self._rows["txn"])
                out.insert("account", ACCOUNT, [(tenant, number, *account) for number, account in self._new_accounts])
                out.insert("goods", GOODS, [(tenant, *goods) for goods in self._new_goods])
                out.insert("entry", ENTRY, self._rows["entry"])
                self._flush_balances(out)
                self._flush_lines(out)
                self._flush_allocations(out)
                self._flush_numbers(out)
                if self.documents:
                    self.documents.flush(out)
                self._flush_head(out)
            out.insert("request", REQUEST, self._rows["request"])

    def abandon(self) -> None:
        """Forgets what the other books of this process must not believe, since it will not be written."""
        for number, account in self._new_accounts:
            self.catalog.forget_account(number, account)
        self.catalog.read_again()

    def _flush_head(self, out: Changes) -> None:
        columns = {"seq": "bigint", "hash": "bytea", "at": "bigint", "goods": "bigint", "account": "bigint",
                   "allocation": "bigint", "tenant": "bigint", "before": "bigint"}  # fmt: skip
        row = (self.seq, self.hash, self.recorded_at, self.goods_last, self.account_last, self.allocation_last,
               self.tenant, self.seq_before)  # fmt: skip
        sql = (
            "UPDATE tenant SET seq = :seq, hash = :hash, recorded_at = :at, goods_last = :goods, "
            "account_last = :account, allocation_last = :allocation "
            "WHERE tenant.tenant = :tenant AND tenant.seq = :before"
        )
        out.change(sql, columns, [row])

    def _flush_balances(self, out: Changes) -> None:
        changed, gone, new = [], [], []
        for key, seq in self._touched.items():
            if type(key) is not tuple or key[0] == "allocation":
                continue
            goods_id, account_id = key
            balance, version = self.balances[key], self._versions.get(key)
            if version is None and balance.qty:
                goods = self.goods[goods_id]
                unit = int(bool(goods.serial))
                new.append((self.tenant, goods_id, account_id, goods.sku_id, unit, balance.qty, balance.reserved, seq))
            elif version is not None and balance.qty:
                changed.append((balance.qty, balance.reserved, seq, self.tenant, goods_id, account_id, version))
            elif version is not None:
                gone.append((self.tenant, goods_id, account_id, version))
        where = (
            "balance.tenant = :tenant AND balance.goods_id = :goods AND balance.account_id = :account "
            "AND balance.version = :version"
        )
        keys = {"tenant": "bigint", "goods": "bigint", "account": "bigint", "version": "bigint"}
        columns = {"qty": "bigint", "reserved": "bigint", "seq": "bigint", **keys}
        sql = f"UPDATE balance SET qty = :qty, reserved = :reserved, version = :seq WHERE {where}"
        out.change(sql, columns, changed)
        out.change(f"DELETE FROM balance WHERE {where}", keys, gone)
        out.insert("balance", BALANCE, new)

    def _flush_lines(self, out: Changes) -> None:
        changed, new = [], []
        for key, seq in self._touched.items():
            line = self.lines.get(key) if type(key) is str else None
            if line is None:
                continue
            version = self._versions.get(key)
            if version is None:
                new.append((self.tenant, *line, seq))
            else:
                changed.append((line.allocated, line.shipped, line.returned, seq, self.tenant, line.line_id, version))
        columns = {"allocated": "bigint", "shipped": "bigint", "returned": "bigint", "seq": "bigint",
                   "tenant": "bigint", "number": "text", "version": "bigint"}  # fmt: skip
        what = "allocated = :allocated, shipped = :shipped, returned = :returned, version = :seq"
        where = "line.tenant = :tenant AND line.line_id = :number AND line.version = :version"
        sql = f"UPDATE line SET {what} WHERE {where}"
        out.change(sql, columns, changed)
        out.insert("line", LINE, new)

    def _flush_allocations(self, out: Changes) -> None:
        changed, gone, new = [], [], []
        for key, seq in self._touched.items():
            if type(key) is not tuple or key[0] != "allocation":
                continue
            number = key[1]
            allocation, version = self.allocations[number], self._versions.get(key)
            if version is None and allocation is not None:
                new.append((self.tenant, *allocation, seq))
            elif version is not None and allocation is not None:
                _, line_id, _, account_id, _, qty, stage, expires_at = allocation
                row = (line_id, account_id, qty, stage, expires_at, seq, self.tenant, number, version)
                changed.append(row)
            elif version is not None:
                gone.append((self.tenant, number, version))
        where = "allocation.tenant = :tenant AND allocation.allocation_id = :number AND allocation.version = :version"
        keys = {"tenant": "bigint", "number": "bigint", "version": "bigint"}
        columns = {"line": "text", "account": "bigint", "qty": "bigint", "stage": "text", "ends": "bigint",
                   "seq": "bigint", **keys}  # fmt: skip
        what = "line_id = :line, account_id = :account, qty = :qty, stage = :stage, expires_at = :ends, version = :seq"
        out.change(f"DELETE FROM allocation WHERE {where}", keys, gone)
        out.change(f"UPDATE allocation SET {what} WHERE {where}", columns, changed)
        out.insert("allocation", ALLOCATION, new)

    def _flush_numbers(self, out: Changes) -> None:
        rows = [(seq, self.tenant, kind, scope, value) for seq, kind, scope, value in self._until]
        columns = {"seq": "bigint", "tenant": "bigint", "kind": "text", "scope": "bigint", "value": "text"}
        where = "number.tenant = :tenant AND number.kind = :kind AND number.scope = :scope AND number.value = :value"
        sql = f"UPDATE number SET until_seq = :seq WHERE {where}"
        # A number may be given and replaced by transactions that are written together.
        out.insert("number", NUMBER, self._rows["number"])
        out.change(sql, columns, rows)
        for (goods_id, name), (value, seq) in self._attribute_rows.items():
            self.session.run(
                "INSERT INTO attribute (tenant, goods_id, name, value, seq) "
                "VALUES (:tenant, :goods, :name, :value, :seq) "
                "ON CONFLICT (tenant, goods_id, name) DO UPDATE SET value = excluded.value, seq = excluded.seq",
                {"tenant": self.tenant, "goods": goods_id, "name": name, "value": value, "seq": seq},
            )
        for name in sorted(self._counted):
            self.session.run(
                "INSERT INTO counter (tenant, name, value) VALUES (:tenant, :name, :value) "
                "ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value",
                {"tenant": self.tenant, "name": name, "value": self._counters[name]},
            )


TXN: Final = ("tenant", "seq", "type", "actor", "role", "approved_by", "document_kind", "document", "reason", "note",
              "recorded_at", "day", "key", "reverses", "details", "entries", "digest", "hash")  # fmt: skip
ENTRY: Final = ("tenant", "seq", "n", *Movement._fields)
GOODS: Final = ("tenant", *Goods._fields)
ACCOUNT: Final = ("tenant", "account_id", *Account._fields)
BALANCE: Final = ("tenant", "goods_id", "account_id", "sku_id", "unit", "qty", "reserved", "version")
LINE: Final = ("tenant", *Line._fields, "version")
ALLOCATION: Final = ("tenant", *Allocation._fields, "version")
NUMBER: Final = ("tenant", "kind", "scope", "value", "goods_id", "seq")
REQUEST: Final = ("tenant", "key", "content", "answer", "recorded_at")


def _recorded(line: Line) -> tuple[object, ...]:
    """What of a line never changes."""
    return line.line_id, line.order_id, line.sku_id, line.qty, line.details
