"""The tables of the ledger, and what the database itself holds to be true.

Everything is an integer or a text, so that both stores hold and return the same values: quantities in base units of
the SKU at its scale, moments in microseconds since 1970 (UTC), days in days since 1970, flags as 0 and 1. A text that
is not given is ''. `docs/ledger.md` explains each table; the views at the end speak of dates and names.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA: Final = MetaData()

CHANGING: Final = ("balance", "line", "allocation")
"""Tables whose rows change again and again."""

ALIKE: Final = {
    "txn": ("tenant", "type", "role", "approved_by", "document_kind", "reason", "note", "day", "reverses", "details"),
    "entry": ("tenant", "qty", "unreserved", "details"),
    "line": ("tenant", "shipped", "returned", "details"),
    "allocation": ("tenant", "unit", "stage"),
    "request": ("tenant",),
}
"""Columns that mostly are the same in rows that are written together."""

_BLANK: Final = text("''")

WORDS: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of its bytes, as in SQLite: in that of a language it would take longer to look for."""


def _number(name: str, *, null: bool = False, default: int | None = None) -> Column[int]:
    return Column(name, BigInteger, nullable=null, server_default=None if default is None else text(str(default)))


def _small(name: str, default: int = 0) -> Column[int]:
    return Column(name, SmallInteger, nullable=False, server_default=text(str(default)))


def _words(name: str) -> Column[str]:
    return Column(name, WORDS, nullable=False, server_default=_BLANK)


# An index begins with what tells rows apart. One that began with the tenant would look as good as the key to a planner
# that has not counted the rows yet, and all rows of the tenant would be read for one.


def _table(name: str, key: str, *rest: Column[int] | Column[str] | Column[bytes] | object) -> Table:
    """A table of a tenant: its key begins with the tenant."""
    keys = PrimaryKeyConstraint("tenant", *key.split())
    # What is clustered by its key needs no second index in SQLite. PostgreSQL changes a row in its page, and no index
    # with it, where there is room.
    room = {"fillfactor": 60} if name in CHANGING else {}
    return Table(name, METADATA, _number("tenant"), *rest, keys, sqlite_with_rowid=False, postgresql_with=room)  # type: ignore[arg-type]


def _of(table: str, column: str, *, as_: str | None = None) -> ForeignKeyConstraint:
    """What a row names must be there.

    PostgreSQL would look with a query for each row, which is half of what a commit costs there: triggers look once a
    statement instead, see `triggers.py`.
    """
    key = ForeignKeyConstraint(["tenant", as_ or column], [f"{table}.tenant", f"{table}.{column}"])
    return key.ddl_if(dialect="sqlite")


TENANT: Final = Table(
    "tenant",
    METADATA,
    Column("tenant", BigInteger, primary_key=True, autoincrement=False),
    Column("name", WORDS, nullable=False, unique=True),
    _number("seq", default=0),
    Column("hash", LargeBinary, nullable=False),
    _number("recorded_at", default=0),
    _number("goods_last", default=0),
    _number("account_last", default=0),
    _number("allocation_last", default=0),
    _number("sku_last", default=0),
    _number("sku_version", default=0),
    _number("outcomes_asked", default=0),
    CheckConstraint("seq >= 0", name="seq_counts"),
)
"""One row per tenant: the head of its chain. Whoever writes for a tenant holds this row."""

SKU: Final = _table(
    "sku",
    "sku_id",
    _number("sku_id"),
    Column("sku", WORDS, nullable=False),
    Column("tracking", WORDS, nullable=False),
    _small("scale"),
    Column("lifecycle", WORDS, nullable=False),
    Column("settings", WORDS, nullable=False),
    UniqueConstraint("sku", "tenant", name="sku_once"),
    CheckConstraint("tracking IN ('none', 'lot', 'serial', 'both')", name="tracking_known"),
    CheckConstraint("scale BETWEEN 0 AND 9", name="scale_range"),
)
"""One row per SKU: how it is tracked, its decimals, its lifecycle, and the rest of its settings as JSON."""

LIFECYCLE: Final = _table(
    "lifecycle",
    "name seq",
    Column("name", WORDS, nullable=False),
    _number("seq"),
    Column("document", WORDS, nullable=False),
)
"""One row per lifecycle and the transaction from which on it is in force, as JSON."""

GOODS: Final = _table(
    "goods",
    "goods_id",
    _number("goods_id"),
    _number("sku_id"),
    _words("lot"),
    _words("serial"),
    _number("received_on"),
    _number("expires_on", null=True),
    _words("stock_class"),
    _words("unit_cost"),
    _number("seq"),
    _of("sku", "sku_id"),
    CheckConstraint("goods_id > 0", name="goods_counts"),
    Index("goods_of_sku", "sku_id", "tenant", "goods_id"),
    Index("goods_of_lot", "lot", "tenant", sqlite_where=text("lot <> ''"), postgresql_where=text("lot <> ''")),
)
"""One row per unit with a serial, or per receipt of anything else: what keeps its receipt date, its expiry and its
origin wherever it goes. Never changed."""

ACCOUNT: Final = _table(
    "account",
    "account_id",
    _number("account_id"),
    Column("kind", WORDS, nullable=False),
    _words("location"),
    _words("status"),
    _words("condition"),
    _words("owner"),
    _words("holder"),
    _words("blocks"),
    UniqueConstraint(
        "location", "status", "condition", "owner", "holder", "blocks", "kind", "tenant", name="account_once"
    ),
)
"""One row per place, status and holder that goods can be in. Never changed."""

BALANCE: Final = _table(
    "balance",
    "goods_id account_id",
    _number("goods_id"),
    _number("account_id"),
    _number("sku_id"),
    _small("unit"),
    _number("qty"),
    _number("reserved", default=0),
    _number("version"),
    _of("goods", "goods_id"),
    _of("account", "account_id"),
    CheckConstraint("qty > 0", name="qty_above_zero"),
    CheckConstraint("reserved >= 0 AND reserved <= qty", name="reserved_within_qty"),
    CheckConstraint("unit = 0 OR qty = 1", name="unit_is_one"),
    Index("balance_of_sku", "sku_id", "tenant"),
    Index("balance_of_account", "account_id", "goods_id", "tenant"),
    Index(
        "unit_in_one_place",
        "goods_id",
        "tenant",
        unique=True,
        sqlite_where=text("unit = 1"),
        postgresql_where=text("unit = 1"),
    ),
)
"""One row per goods and account that hold any: on hand and reserved. Always the sum of the entries."""

TXN: Final = _table(
    "txn",
    "seq",
    _number("seq"),
    Column("type", WORDS, nullable=False),
    Column("actor", WORDS, nullable=False),
    _words("role"),
    _words("approved_by"),
    _words("document_kind"),
    _words("document"),
    _words("reason"),
    _words("note"),
    _number("recorded_at"),
    _number("day"),
    _words("key"),
    _number("reverses", null=True),
    _words("details"),
    _number("entries"),
    Column("digest", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("seq > 0", name="seq_positive"),
    CheckConstraint("actor <> ''", name="actor_named"),
    CheckConstraint("entries >= 0", name="entries_counted"),
    Index(
        "reversed_once",
        "reverses",
        "tenant",
        unique=True,
        sqlite_where=text("reverses IS NOT NULL"),
        postgresql_where=text("reverses IS NOT NULL"),
    ),
    Index(
        "txn_of_document",
        "document",
        "tenant",
        sqlite_where=text("document <> ''"),
        postgresql_where=text("document <> ''"),
    ),
)
"""One row per transaction, in the order in which they were committed, each with the hash over all before it. None was
recorded before the one it follows: which were at a moment is found by halves, without an index."""

ENTRY: Final = _table(
    "entry",
    "seq n",
    _number("seq"),
    Column("n", Integer, nullable=False),
    _number("goods_id"),
    _number("from_id"),
    _number("to_id"),
    _number("qty"),
    _number("unreserved", default=0),
    _number("reserved", default=0),
    _number("allocation_id", null=True),
    _words("line_id"),
    _words("details"),
    _of("txn", "seq"),
    _of("goods", "goods_id"),
    _of("account", "account_id", as_="from_id"),
    _of("account", "account_id", as_="to_id"),
    CheckConstraint("qty >= 0 AND unreserved >= 0 AND reserved >= 0", name="entry_counts"),
    CheckConstraint("(from_id <> to_id) = (qty > 0)", name="entry_moves"),
    Index("entry_of_goods", "goods_id", "tenant", "seq"),
    Index(
        "entry_of_line", "line_id", "tenant", sqlite_where=text("line_id <> ''"), postgresql_where=text("line_id <> ''")
    ),
)
"""One row per movement: `qty` of goods leaves one account for another, so that every movement sums to zero; and what of
it was promised before (`unreserved`, at `from_id`) and is promised after (`reserved`, at `to_id`)."""

LINE: Final = _table(
    "line",
    "line_id",
    Column("line_id", WORDS, nullable=False),
    Column("order_id", WORDS, nullable=False),
    _number("sku_id"),
    _number("qty"),
    _number("allocated", default=0),
    _number("shipped", default=0),
    _number("returned", default=0),
    _words("details"),
    _number("seq"),
    _number("version"),
    _of("sku", "sku_id"),
    CheckConstraint("allocated >= 0 AND allocated + shipped <= qty", name="allocated_within_demand"),
    CheckConstraint("returned >= 0 AND returned <= shipped", name="returned_within_shipped"),
    Index(
        "line_of_order",
        "order_id",
        "tenant",
        sqlite_where=text("order_id <> line_id"),
        postgresql_where=text("order_id <> line_id"),
    ),
)
"""One row per demand line that ever had stock: asked for, promised now, given out, come back."""

LINES_OF_ORDER: Final = (
    "SELECT line_id FROM line WHERE tenant = :tenant AND order_id = :order_id AND order_id <> line_id UNION ALL "
    "SELECT line_id FROM line WHERE tenant = :tenant AND line_id = :order_id AND order_id = :order_id"
)
"""The lines of an order. The one that has its number, as all have that name no order, is found by that."""

ALLOCATION: Final = _table(
    "allocation",
    "allocation_id",
    _number("allocation_id"),
    Column("line_id", WORDS, nullable=False),
    _number("goods_id"),
    _number("account_id"),
    _small("unit"),
    _number("qty"),
    _words("stage"),
    _number("expires_at", null=True),
    _number("version"),
    _of("line", "line_id"),
    _of("goods", "goods_id"),
    _of("account", "account_id"),
    CheckConstraint("qty > 0", name="allocation_above_zero"),
    # Not IN: SQLite would make an index of the three for each row.
    CheckConstraint("stage = 'reserved' OR stage = 'held' OR stage = 'picked'", name="stage_known"),
    Index("allocation_of_goods", "goods_id", "tenant", "account_id"),
    Index(
        "unit_promised_once",
        "goods_id",
        "tenant",
        unique=True,
        sqlite_where=text("unit = 1"),
        postgresql_where=text("unit = 1"),
    ),
    Index(
        "holds_by_end",
        "tenant",
        "expires_at",
        sqlite_where=text("expires_at IS NOT NULL"),
        postgresql_where=text("expires_at IS NOT NULL"),
    ),
)
"""One row per open allocation: a promise of some goods in one account to one line. Closed ones are in the entries."""

NUMBER: Final = _table(
    "number",
    "kind scope value",
    Column("kind", WORDS, nullable=False),
    _number("scope", default=0),
    Column("value", WORDS, nullable=False),
    _number("goods_id"),
    _number("seq"),
    _number("until_seq", null=True),
    _of("goods", "goods_id"),
    Index("number_value", "value", "tenant"),
    Index("number_of_goods", "goods_id", "tenant"),
)
"""One row per number that a unit has or had: `serial` (unique within its SKU: `scope`), `eid`, `mac`, … None is ever
given to another unit; `until_seq` is where it was replaced."""

ATTRIBUTE: Final = _table(
    "attribute",
    "goods_id name",
    _number("goods_id"),
    Column("name", WORDS, nullable=False),
    Column("value", WORDS, nullable=False),
    _number("seq"),
    _of("goods", "goods_id"),
)
"""One row per characteristic, custom field or meter of a unit: its value now. Earlier ones are in the entries."""

REQUEST: Final = _table(
    "request",
    "key",
    Column("key", WORDS, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("answer", WORDS, nullable=False),
    _number("recorded_at"),
)
"""One row per idempotency key: the hash of what was asked, and the answer that was given, a refusal included."""

COUNTER: Final = _table("counter", "name", Column("name", WORDS, nullable=False), _number("value"))
"""One row per sequence of numbers that are generated: the last one given out."""

PURGE: Final = _table(
    "purge",
    "goods_id seq",
    _number("goods_id"),
    _number("seq"),
    _number("entries"),
    Column("digest", LargeBinary, nullable=False),
    _words("archive"),
    _of("goods", "goods_id"),
    CheckConstraint("entries > 0", name="purge_counts"),
)
"""One row per goods and transaction that took the words of its history away when their time was over: of how many
entries, the hash of what they said, and the archive that has it ('' for none)."""

APPEND_ONLY: Final = ("txn", "entry", "goods", "account", "request", "lifecycle", "purge")
"""Tables whose rows neither change nor go. `number` lets only `until_seq` be set, once. `entry` loses
its `details` where `purge` says so, in a later transaction."""
