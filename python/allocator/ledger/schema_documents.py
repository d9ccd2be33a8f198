"""The tables of documents: what people work on, with the state it is in, its lines, and what it is linked to.

`document_event` is what happened, and is never changed; the other three are what the events add up to.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Integer, text

from allocator.ledger.schema import WORDS, _number, _of, _small, _table, _words

DOCUMENT: Final = _table(
    "document",
    "number",
    Column("number", WORDS, nullable=False),
    Column("flow", WORDS, nullable=False),
    Column("state", WORDS, nullable=False),
    _small("closed"),
    _words("bu"),
    _words("party"),
    _words("counterparty"),
    _words("place"),
    _number("opened_seq"),
    _number("opened_at"),
    _number("due_at", null=True),
    _words("marks"),
    _words("details"),
    _number("version"),
    _of("txn", "seq", as_="opened_seq"),
    CheckConstraint("closed IN (0, 1)", name="closed_or_not"),
    Index("document_of_party", "flow", "closed", "party", "tenant"),
    Index("document_opened", "flow", "opened_seq", "tenant"),
)
"""One row per document: its flow and state, who works on it (`party`) and who else sees it, when it was opened and is
due; `marks` are moments that it passed, `details` the rest of what it says, both as JSON."""

DOCUMENT_LINE: Final = _table(
    "document_line",
    "number n",
    Column("number", WORDS, nullable=False),
    Column("n", Integer, nullable=False),
    _number("sku_id", null=True),
    _number("goods_id", null=True),
    _words("line_id"),
    _number("qty", default=0),
    _number("progress", default=0),
    _words("state"),
    _words("details"),
    _number("version"),
    _of("document", "number"),
    _of("sku", "sku_id"),
    _of("goods", "goods_id"),
    CheckConstraint("qty >= 0 AND progress >= 0", name="document_line_counts"),
    Index(
        "document_line_of_goods",
        "goods_id",
        "tenant",
        sqlite_where=text("goods_id IS NOT NULL"),
        postgresql_where=text("goods_id IS NOT NULL"),
    ),
)
"""One row per line of a document: what it is about, how much, and how far that is done (`progress`)."""

DOCUMENT_LINK: Final = _table(
    "document_link",
    "number kind other",
    Column("number", WORDS, nullable=False),
    Column("kind", WORDS, nullable=False),
    Column("other", WORDS, nullable=False),
    _number("seq"),
    _of("document", "number"),
    _of("txn", "seq"),
    Index("document_link_other", "other", "tenant"),
)
"""One row per link from a document to another, or to a number of another system: the ERP's order, the service order."""

DOCUMENT_EVENT: Final = _table(
    "document_event",
    "seq n",
    _number("seq"),
    Column("n", Integer, nullable=False),
    Column("number", WORDS, nullable=False),
    Column("step", WORDS, nullable=False),
    Column("state", WORDS, nullable=False),
    Column("patch", WORDS, nullable=False),
    _of("txn", "seq"),
    Index("document_event_of_number", "number", "seq", "tenant"),
)
"""One row per step that a transaction took with a document: what it changed (`patch`, JSON), and the state after."""

DOCUMENTS: Final = (DOCUMENT, DOCUMENT_LINE, DOCUMENT_LINK, DOCUMENT_EVENT)
