"""A ledger of many units with ten events each, written by the column through the store's own bulk path.

Rows, digests and hashes are those that the same transactions would have left: `verify` finds nothing wrong with it.
Batches of units are received, moved, inspected, blocked, freed and serviced together, one transaction per event.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from allocator.ledger import Ledger, chain
from allocator.ledger.records import Account, Heading
from allocator.ledger.store import Session
from allocator.ledger.write import ACCOUNT, BALANCE, ENTRY, GOODS, NUMBER, TXN

SKU: Final = "gauge"
DAY: Final = 20_000
SHELVES: Final = 40
TOGETHER: Final = 50
"""Batches that share a commit."""

SUPPLIER, DOCK = 1, 2
SHELF, BLOCKED = 3, 3 + SHELVES
"""Numbers of accounts: the first shelf, and the first shelf with a block."""

INSPECTED: Final = '{"event":"inspection","note":"in order"}'
SERVICED: Final = '{"event":"service","note":"calibrated"}'


class Event(NamedTuple):
    """What happens to a batch: each unit goes from one account to another.

    Attributes:
        type: The type of transaction.
        source: Where units come from: one account, or the first of as many as there are shelves.
        target: Where they go.
        turns: Which shelf of those is a unit's, before and after; 0 is the account itself.
        said: What the heading says beside.
        details: What the entries say.
    """

    type: str
    source: int
    target: int
    turns: tuple[int, int]
    said: dict[str, str] = {}  # noqa: RUF012 - never changed
    details: str = ""


EVENTS: Final = (
    Event("receive", SUPPLIER, DOCK, (0, 0), {"document": "GRN-1"}),
    Event("move", DOCK, SHELF, (0, 1)),
    Event("note", SHELF, SHELF, (1, 1), details=INSPECTED),
    Event("block", SHELF, BLOCKED, (1, 1), {"reason": "quality"}),
    Event("unblock", BLOCKED, SHELF, (1, 1), {"reason": "quality"}),
    Event("move", SHELF, SHELF, (1, 2)),
    Event("note", SHELF, SHELF, (2, 2), details=SERVICED),
    Event("move", SHELF, SHELF, (2, 3)),
    Event("note", SHELF, SHELF, (3, 3), details=INSPECTED),
    Event("move", SHELF, SHELF, (3, 4)),
)


def serial_of(unit: int) -> str:
    """The serial of a unit, counted from 1."""
    return f"G-{unit:09}"


def fill(ledger: Ledger, units: int, batch: int = 1000) -> int:
    """Fills a ledger in which nothing happened yet; how many events were written."""
    ledger.define([{"sku": SKU, "tracking": "serial"}], actor="ana")
    postgres = ledger.store.dialect == "postgresql"
    with ledger.store.session() as session:
        row = session.one("SELECT seq, hash, recorded_at FROM tenant WHERE tenant = :tenant", {"tenant": ledger.tenant})
    assert row is not None
    writer = _Writer(ledger.tenant, *row)
    starts = range(1, units + 1, batch)
    for first in range(0, len(starts), TOGETHER):
        with ledger.store.session("write") as session:
            if postgres:
                # What is written fits together by construction: no key is looked up again.
                session.run("SET LOCAL session_replication_role = replica")
            for start in starts[first : first + TOGETHER]:
                writer.live(session, range(start, min(start + batch, units + 1)))
            writer.close(session)
    if postgres:
        with ledger.store.session("write") as session:
            session.run("ANALYZE")
    return len(EVENTS) * units


class _Writer:
    """Adds batches at the head of a tenant's chain."""

    def __init__(self, tenant: int, seq: int, hash_: bytes, recorded_at: int) -> None:
        self.tenant, self.seq, self.hash, self.recorded_at = tenant, seq, bytes(hash_), recorded_at
        self.opened: set[int] = set()
        self.goods_last = 0

    def live(self, session: Session, units: range) -> None:
        """The life of some units, from their receipt on."""
        born = self.seq + 1
        ids = list(units)
        goods = [(u, 1, "", serial_of(u), DAY, None, "", "", born) for u in ids]
        rows: dict[str, list[tuple[Any, ...]]] = {"txn": [], "account": [], "entry": []}
        places = ids
        for event in EVENTS:
            sources, targets = (_accounts(first, turn, ids) for first, turn in
                                zip((event.source, event.target), event.turns, strict=True))  # fmt: skip
            qty = int(event.source != event.target or event.turns[0] != event.turns[1])
            entries = [(u, a, b, qty, 0, 0, None, "", event.details)
                       for u, a, b in zip(ids, sources, targets, strict=True)]  # fmt: skip
            self._record(event, goods if event.type == "receive" else [], entries, rows)
            places = targets
        session.insert("txn", TXN, rows["txn"])
        session.insert("account", ACCOUNT, rows["account"])
        session.insert("goods", GOODS, [(self.tenant, *row) for row in goods])
        session.insert("entry", ENTRY, rows["entry"])
        balances = [(self.tenant, unit, place, 1, 1, 1, 0, self.seq) for unit, place in zip(ids, places, strict=True)]
        session.insert("balance", BALANCE, balances)
        session.insert("number", NUMBER, [(self.tenant, "serial", 1, row[3], row[0], born) for row in goods])
        self.goods_last = ids[-1]

    def _record(self, event: Event, goods: list[tuple[Any, ...]], entries: list[tuple[Any, ...]],
                rows: dict[str, list[tuple[Any, ...]]]) -> None:  # fmt: skip
        self.seq += 1
        self.recorded_at += 1_000_000
        new = sorted({account for _, source, target, *_ in entries for account in (source, target)} - self.opened)
        accounts = [(number, *_account(number)) for number in new]
        self.opened.update(new)
        digest = chain.digest(*([chain.line(row) for row in table] for table in (goods, accounts, [], entries)))
        heading = Heading(event.type, "ana", day=DAY, **event.said)
        said = (self.seq, *heading[:8], self.recorded_at, *heading[8:], len(entries))
        self.hash = chain.linked(self.hash, said, digest)
        rows["txn"].append((self.tenant, *said, digest, self.hash))
        rows["account"] += [(self.tenant, *account) for account in accounts]
        rows["entry"] += [(self.tenant, self.seq, n, *entry) for n, entry in enumerate(entries)]

    def close(self, session: Session) -> None:
        """Moves the head to the last transaction."""
        session.run(
            "UPDATE tenant SET seq = :seq, hash = :hash, recorded_at = :at, goods_last = :goods, account_last = :last "
            "WHERE tenant = :tenant",
            {"seq": self.seq, "hash": self.hash, "at": self.recorded_at, "goods": self.goods_last,
             "last": BLOCKED + SHELVES - 1, "tenant": self.tenant},
        )  # fmt: skip


def _accounts(first: int, turn: int, units: list[int]) -> list[int]:
    """The account of each unit."""
    return [first + (unit + 7 * turn) % SHELVES if turn else first for unit in units]


def _account(number: int) -> Account:
    if number == SUPPLIER:
        return Account("supplier")
    if number == DOCK:
        return Account("stock", "dock", "Available", "new")
    shelf = (number - SHELF) % SHELVES
    return Account("stock", f"hall/shelf {shelf:02}", "Available", "new", blocks="quality" * (number >= BLOCKED))
