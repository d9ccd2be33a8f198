"""The one writer of a ledger: balances, lines and allocations as they are while transactions are added to them.

A book is open within one database transaction, while the head of the tenant's chain is locked: what it reads stays
true until it commits. Transactions are made in memory, each whole or not at all, and written together by `flush`.
Every row that changes is written under the version that was read, so that even a writer who went around the lock
could not take what is gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.engine import Recorded
from allocator.errors import AllocatorError, InputError, InternalError, Problem
from allocator.ledger import chain
from allocator.ledger.catalog import Catalog
from allocator.ledger.documents import Documents
from allocator.ledger.exchanges import Exchanges
from allocator.ledger.known import NOTHING, Head, Key, Known
from allocator.ledger.records import SOURCES, Account, Allocation, Balance, Goods, Heading, Line, Movement
from allocator.ledger.store import Changes, Session
from allocator.ledger.write import TXN, Columns, Written, are_few, write

if TYPE_CHECKING:
    from allocator.ledger.shelves import Shelves

_HEAD: Final = (
    "SELECT seq, hash, recorded_at, goods_last, account_last, allocation_last, "
    "(SELECT MIN(expires_at) FROM allocation WHERE tenant = :tenant AND expires_at IS NOT NULL), "
    "outcomes_asked, sku_version, (SELECT hash FROM txn WHERE tenant = :tenant AND seq = :seen) "
    "FROM tenant WHERE tenant = :tenant"
)

# Entries tell which promises a line ever had. An index of the open ones by line would say less, and cost every promise.
_OF_LINES: Final = (
    "line_id = ANY(:names) AND allocation_id IN (SELECT e.allocation_id FROM entry e WHERE e.tenant = :tenant "
    "AND e.line_id = ANY(:names) AND e.line_id <> '' AND e.allocation_id IS NOT NULL)"
)

_LOCK: Final = "SELECT 1 FROM tenant WHERE tenant = :tenant FOR UPDATE"


class _Undo(NamedTuple):
    """What was before one transaction: values by their keys, and how much was pending."""

    balances: dict[Key, Balance]
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

    def __init__(
        self, session: Session | None, catalog: Catalog, *, writes: bool = True, known: Known | None = None
    ) -> None:
        """Opens it.

        Args:
            session: The database transaction; None for a book on what is known, which reads nothing. Whether that is
                still so is found when it is written.
            catalog: The SKUs, lifecycles and accounts.
            writes: Whether anything will be added; it locks the head of the chain.
            known: What was known after an earlier transaction; used if nobody wrote since.
        """
        self._session, self.catalog, self.tenant = session, catalog, catalog.tenant
        if session is not None:
            version = catalog.version
            here = self._read_head(session, writes=writes)
            is_same = known is not None and (known.head.seq, known.head.hash) == (here.seq, here.hash)
            # What SKUs and their lifecycles say of stock may be another thing now.
            is_followed = (
                known is not None
                and not is_same
                and catalog.version == version
                and known.follow(session, self.tenant, here, catalog.accounts)
            )
            self._use(known if known is not None and (is_same or is_followed) else Known(here))
        elif known is not None:
            here = known.head
            self._use(known)
        else:
            raise InternalError(Problem("internal", "a book without a session needs what is known"))
        self.seq, self.hash, self.recorded_at, self.goods_last, self.account_last, self.allocation_last = here[:6]
        self.seq_before, self.hash_before, self.goods_before = here.seq, here.hash, here.goods_last
        self.hold_ends_first, self.outcomes_asked = here.hold_ends_first, here.outcomes_asked
        self.numbers: dict[str, list[tuple[int, int]]] = {}
        self.lines: dict[str, Line | None] = {}
        self.allocations: dict[int, Allocation | None] = {}
        self._promises_of: dict[int, set[int]] = {}
        self._promises_known: set[int] = set()
        self.written = Written()
        self._documents: Documents | None = None
        self._exchanges: Exchanges | None = None
        self._undo: _Undo | None = None
        self._heading: Heading | None = None
        self.left_alone: dict[Key, int] = {}
        self._movements: list[Movement] = []
        self._numbers: list[tuple[str, int, str, int]] = []
        self._renumbered: list[tuple[str, int, str, int]] = []
        self._attributes: list[tuple[int, str, str]] = []
        self._texts: tuple[Sequence[str], Sequence[str]] = ((), ())
        self._counters: dict[str, int] = {}
        self._former: set[tuple[int, str]] = set()

    @property
    def session(self) -> Session:
        """The database transaction."""
        if self._session is None:
            raise InternalError(Problem("internal", "a book on what is known is asked to read"))
        return self._session

    # These know their book: one that has them stays in memory until Python looks for garbage. Most need neither.

    @property
    def documents(self) -> Documents:
        """Its documents."""
        if self._documents is None:
            self._documents = Documents(self)
        return self._documents

    @property
    def exchanges(self) -> Exchanges:
        """What substitutes count for its lines."""
        if self._exchanges is None:
            self._exchanges = Exchanges(self)
        return self._exchanges

    @property
    def beside_stock(self) -> list[Documents | Exchanges]:
        """Those of its documents and its exchanges that there are."""
        return [each for each in (self._exchanges, self._documents) if each is not None]

    @property
    def is_ahead(self) -> bool:
        """Whether it is decided on what is known alone."""
        return self._session is None

    def _read_head(self, session: Session, *, writes: bool) -> Head:
        if writes:
            # First the lock: the statement that waits for it sees of other tables what was there before.
            session.run(_LOCK, {"tenant": self.tenant})
        row = session.one(_HEAD, {"tenant": self.tenant, "seen": self.catalog.seen[0]})
        if row is None:
            raise InternalError(Problem("internal", "the tenant of this ledger is gone"))
        seq, hash_, *rest, sku_version, seen = row
        here = Head(seq, bytes(hash_), *rest)
        if self.catalog.seen != (0, b"") and self.catalog.seen[1] != seen:
            self.catalog.forget()
        self.catalog.refresh(session, here.account_last, sku_version)
        self.catalog.seen = (here.seq, here.hash)
        return here

    def _use(self, known: Known) -> None:
        self.known = known
        self.goods, self.balances, self.accounts_of = known.goods, known.balances, known.accounts_of

    # --- what there is ---

    def entries_of(self, seq: int) -> list[Movement]:
        """The entries of an earlier transaction."""
        columns = ", ".join(Movement._fields)
        sql = f"SELECT {columns} FROM entry WHERE tenant = :tenant AND seq = :seq ORDER BY n"
        return [Movement(*row) for row in self.session.rows(sql, {"tenant": self.tenant, "seq": seq})]

    def load_goods(self, ids: Iterable[int]) -> None:
        """Reads goods and their balances, those that are not known yet."""
        self.known.load_goods(self.session, self.tenant, ids)

    def load_skus(self, ids: Iterable[int]) -> None:
        """Reads all goods of some SKUs of which anything is there."""
        self.known.load_skus(self.session, self.tenant, ids)

    def load_stock(self, ids: Iterable[int]) -> None:
        """Reads of some SKUs the goods that can be promised: of units those alone that are in stock."""
        self.known.load_skus(self.session, self.tenant, ids, in_stock=True)

    def load_little(self, ids: Iterable[int], rows_max: int) -> list[int] | None:
        """Reads the stock of some SKUs, those of them that have any; None where it is more than so many rows."""
        sql = "SELECT sku_id FROM balance WHERE tenant = :tenant AND sku_id = ANY(:ids) LIMIT :rows"
        rows = self.session.rows(sql, {"tenant": self.tenant, "ids": [*ids], "rows": rows_max + 1})
        if len(rows) > rows_max:
            return None
        found = [*dict.fromkeys(sku_id for (sku_id,) in rows)]
        self.catalog.load_sku_ids(self.session, found)
        self.load_stock(found)
        return found

    def goods_of(self, sku_id: int) -> list[Goods]:
        """The goods of a SKU that are known."""
        return self.known.goods_of(sku_id)

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

    def load_lines(self, ids: Iterable[str]) -> None:
        """Reads demand lines, those that are not known yet."""
        lacking = sorted({i for i in ids if i not in self.lines})
        if lacking:
            columns = ", ".join(Line._fields)
            sql = f"SELECT {columns}, version FROM line WHERE tenant = :tenant AND line_id = ANY(:keys)"
            self.lines.update(dict.fromkeys(lacking))
            for *row, version in self.session.rows(sql, {"tenant": self.tenant, "keys": lacking}):
                self.lines[row[0]] = Line(*row)
                self.written.line_versions[row[0]] = version

    def load_allocations(self, where: str, **params: object) -> list[int]:
        """Reads open allocations, with their goods and lines; their ids in order."""
        columns = ", ".join(Allocation._fields)
        sql = f"SELECT {columns}, version FROM allocation WHERE tenant = :tenant AND {where} ORDER BY allocation_id"
        found = []
        for *row, version in self.session.rows(sql, {"tenant": self.tenant, **params}):
            found.append(row[0])
            if row[0] not in self.allocations:
                self.know_allocation(Allocation(*row))
                self.written.allocation_versions[row[0]] = version
        known = [a for i in found if (a := self.allocations[i]) is not None]
        self.load_goods(a.goods_id for a in known)
        self.load_lines(a.line_id for a in known)
        self.exchanges.load(a.line_id for a in known if self._stands_in(a))
        return [a.allocation_id for a in known]

    def _stands_in(self, allocation: Allocation) -> bool:
        line = self.lines[allocation.line_id]
        return line is not None and line.sku_id != self.goods[allocation.goods_id].sku_id

    def load_promises_to(self, line_ids: Iterable[str]) -> list[int]:
        """Reads the open allocations of some demand lines, with their goods; their ids in order."""
        return self.load_allocations(_OF_LINES, names=sorted(line_ids))

    def promises(self, goods_id: int, account_id: int) -> list[int]:
        """The open allocations of some goods in an account, in order."""
        self.load_promises([goods_id])
        mine = (self.allocations[number] for number in self._promises_of.get(goods_id, ()))
        return sorted(a.allocation_id for a in mine if a and a.account_id == account_id)

    def load_promises(self, goods: Iterable[int]) -> None:
        """Reads the open allocations of some goods, those that are not known yet."""
        lacking = sorted(set(goods) - self._promises_known)
        if lacking:
            self.load_allocations("goods_id = ANY(:ids)", ids=lacking)
            self._promises_known.update(lacking)

    def know_allocation(self, allocation: Allocation) -> None:
        """An allocation as it is recorded."""
        self.allocations[allocation.allocation_id] = allocation
        self._promises_of.setdefault(allocation.goods_id, set()).add(allocation.allocation_id)

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
        held = self.left_alone.get((goods_id, account_id), 0) if self.left_alone else 0
        return Balance(balance.qty, balance.reserved + held) if held else balance

    @contextmanager
    def held(self, held: dict[Key, int]) -> Iterator[None]:
        """Decisions within leave these units alone."""
        self.left_alone = held
        try:
            yield
        finally:
            self.left_alone = {}

    def version(self, key: Key) -> int | None:
        """The transaction that last changed a balance, as far as it is known."""
        return self.written.balances.get(key, self.known.versions.get(key))

    def adopt(self, other: Book) -> None:
        """Takes over what another book has read of the same state, to read it once only."""
        self._use(other.known)
        self.lines, self.written.line_versions = other.lines, other.written.line_versions

    def account(self, account: Account) -> int:
        """The number of an account; a new one is opened."""
        known = self.catalog.account_ids.get(account)
        if known is None:
            self.account_last += 1
            known = self.account_last
            self.catalog.open_account(known, account)
            self.written.new_accounts.append((known, account))
        return known

    def now(self) -> int:
        """The moment, in microseconds since 1970; a clock that is set back does not make history run backwards."""
        return max(time.time_ns() // 1000, self.recorded_at)

    # --- one transaction ---

    @property
    def is_open(self) -> bool:
        """Whether a transaction is being made."""
        return self._undo is not None

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
        out = self.written
        self._undo = _Undo(
            {}, {}, {}, {}, lasts, len(out.new_goods), len(out.new_accounts), len(self._numbers),
            len(self._renumbered), len(self._attributes),
        )  # fmt: skip
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
        self.known.add(made)
        self.written.new_goods.append(made)
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
            if more.reserved > more.qty:
                raise InputError(self._short(movement, have))
            self._put(goods_id, to_id, more)
        self._movements.append(movement)

    def promise(self, key: Key, to_id: int, qty: int) -> None:
        """Promises goods of a balance, which go to an account by that; the entries are added as columns."""
        goods_id, from_id = key
        have = self.balance(goods_id, from_id)
        if have.reserved + qty > have.qty:
            raise InputError(self._short(Movement(goods_id, from_id, to_id, qty), have))
        if to_id == from_id:
            return self._put(goods_id, from_id, Balance(have.qty, have.reserved + qty))
        self._put(goods_id, from_id, Balance(have.qty - qty, have.reserved))
        there = self.balance(goods_id, to_id)
        return self._put(goods_id, to_id, Balance(there.qty + qty, there.reserved + qty))

    def add_columns(self, texts: tuple[Sequence[str], Sequence[str]], columns: Iterable[Columns]) -> None:
        """Adds new lines, entries and allocations as columns, with the texts that stand for the first two in the chain.

        Nobody reads them from this book: it does nothing else.
        """
        self._texts = texts
        self.written.columns += columns

    @property
    def moved(self) -> Sequence[Movement]:
        """The entries of the transaction that is open, so far."""
        return self._movements

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
        self.known.put(key, balance, in_stock=self.catalog.accounts[account_id].kind == "stock")

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
        self.know_allocation(allocation)
        if not allocation.qty:
            self.allocations[number] = None
        self.hold_until(allocation.expires_at)

    def hold_until(self, ends: int | None) -> None:
        """Some promise ends at a moment; None for one without end."""
        if ends is not None:
            self.hold_ends_first = min(ends, self.hold_ends_first or ends)

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
        found |= {key: value for key, (value, _) in self.written.attributes.items()}
        found |= {(number, name): value for number, name, value in self._attributes}
        return {key: value for key, value in found.items() if value and key[0] in asked and key[1] in wanted}

    def attribute(self, goods_id: int, name: str, value: str) -> None:
        """The value of a characteristic from now on."""
        self._attributes.append((goods_id, name, value))

    def _take_back(self, undo: _Undo) -> None:
        out = self.written
        for key, balance in undo.balances.items():
            self.known.put(key, balance, in_stock=self.catalog.accounts[key[1]].kind == "stock")
        self.lines.update(undo.lines)
        self.allocations.update(undo.allocations)
        self.goods_last, self.account_last, self.allocation_last = undo.lasts
        for goods in out.new_goods[undo.goods :]:
            self.known.forget(goods)
        for number, account in out.new_accounts[undo.accounts :]:
            self.catalog.forget_account(number, account)
            # Its number is that of the next one that is opened.
            self.known.rows.clear()
        for _, scope, value, goods_id in self._numbers[undo.numbers :]:
            self.numbers[value].remove((scope, goods_id))
        self._former -= {(scope, value) for _, scope, value, _ in self._renumbered[undo.renumbered :]}
        self._counters |= undo.counters
        del out.new_goods[undo.goods :], out.new_accounts[undo.accounts :], self._numbers[undo.numbers :]
        del self._renumbered[undo.renumbered :], self._attributes[undo.attributes :]
        self._movements.clear()
        self._texts = ((), ())
        out.columns.clear()
        for each in self.beside_stock:
            each.take_back()
        self._undo = None

    def _record(self, heading: Heading, undo: _Undo) -> None:
        seq, tenant, out = self.seq + 1, self.tenant, self.written
        movements, self._movements, self._undo = self._movements, [], None
        (told_lines, told_entries), self._texts = self._texts, ((), ())
        self.recorded_at = self.now()
        steps = self._documents.record(seq, self.recorded_at) if self._documents is not None else []
        exchanges = self._exchanges.record(seq) if self._exchanges is not None else []
        digest = chain.digest(
            [chain.line(goods) for goods in out.new_goods[undo.goods :]],
            [chain.line((number, *account)) for number, account in out.new_accounts[undo.accounts :]],
            [chain.line(_recorded(line)) for key in undo.lines if (line := self.lines[key]) and line.seq == seq]
            + [*told_lines],
            [chain.line(movement) for movement in movements] + [*told_entries],
            *([steps] if steps or exchanges else ()),
            *([exchanges] if exchanges else ()),
        )
        self._link(heading, digest, len(movements) + len(told_entries))
        out.entries += [(tenant, seq, n, *movement) for n, movement in enumerate(movements)]
        out.numbers += [(tenant, *number, seq) for number in self._numbers[undo.numbers :]]
        out.until += [
            (seq, tenant, kind, scope, value) for kind, scope, value, _ in self._renumbered[undo.renumbered :]
        ]
        for goods_id, name, value in self._attributes[undo.attributes :]:
            out.attributes[goods_id, name] = (value, seq)
        for name in undo.counters:
            out.counters[name] = self._counters[name]
        out.balances.update(dict.fromkeys(undo.balances, seq))
        out.lines.update(dict.fromkeys(undo.lines, seq))
        out.allocations.update(dict.fromkeys(undo.allocations, seq))

    def add_recorded(self, made: Recorded, given_by: Shelves) -> None:
        """Adds transactions that were not made by `transaction`: they promise goods to new lines, and move nothing."""
        out = self.written
        _, self.seq, self.hash, self.allocation_last, self.recorded_at, self.hold_ends_first = made.head
        for goods_id, account_id, qty, seq in made.promised:
            out.balances[goods_id, account_id] = seq
            self.known.promise((goods_id, account_id), qty, given_by)
        out.txns += made.txns
        out.entries += made.entries
        if self.is_ahead:
            # Nobody else reads from this book.
            out.new_lines += made.lines
            out.new_allocations += made.allocations
            return
        for _, *row, seq in made.lines:
            line = self.lines[row[0]] = Line(*row)
            out.lines[line.line_id] = seq
        for _, *row, seq in made.allocations:
            self.know_allocation(Allocation(*row))
            out.allocations[row[0]] = seq

    def _link(self, heading: Heading, digest: bytes, entries: int) -> None:
        self.seq += 1
        said = (self.seq, *heading[:8], self.recorded_at, *heading[8:], entries)
        self.hash = chain.linked(self.hash, said, digest)
        self.written.txns.append((self.tenant, *said, digest, self.hash))

    def is_reversed(self, seq: int | None) -> bool:
        """Whether a transaction that is not written yet reverses another."""
        return any(row[TXN.index("reverses")] == seq for row in self.written.txns)

    def answer(self, key: str, content: bytes, answer: object) -> None:
        """Keeps what was answered to a request, so that the same request gets the same answer."""
        text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
        self.written.requests.append((self.tenant, key, content, text, self.now()))

    # --- the end ---

    def flush(self, out: Changes | None = None) -> None:
        """Writes everything that was added; with `out`, by a transaction that begins and ends with it.

        Raises:
            ConflictError: A row is no longer as it was read. Roll back and begin again.
        """
        if out is not None:
            write(out, self)
            return
        with self.session.changes(few=are_few(self)) as changes:
            write(changes, self)

    def settled(self) -> Known:
        """What is known once all that was written is committed."""
        head = Head(self.seq, self.hash, self.recorded_at, self.goods_last, self.account_last, self.allocation_last,
                    self.hold_ends_first, self.outcomes_asked)  # fmt: skip
        return self.known.settle(head, self.written.balances)

    def abandon(self) -> None:
        """Forgets what the other books of this process must not believe, since it will not be written."""
        for number, account in self.written.new_accounts:
            self.catalog.forget_account(number, account)
        self.catalog.read_again()


def _recorded(line: Line) -> tuple[object, ...]:
    """What of a line never changes."""
    return line.line_id, line.order_id, line.sku_id, line.qty, line.details
