"""History: no gap, no change, every hash right, every transaction with what it needs, every key and reversal once."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import polars as pl

from allocator.ledger.types import ORIGINS, TYPES
from allocator.ledger.verify.tables import Tables, found, unknown

FIELD: Final = "\x1f"
NULL: Final = "\x1e"

GOODS: Final = ("goods_id", "sku_id", "lot", "serial", "received_on", "expires_on", "stock_class", "unit_cost", "seq")
ACCOUNT: Final = ("account_id", "kind", "location", "status", "condition", "owner", "holder", "blocks")
LINE: Final = ("line_id", "order_id", "sku_id", "qty", "details")
ENTRY: Final = ("goods_id", "from_id", "to_id", "qty", "unreserved", "reserved", "allocation_id", "line_id", "details")
STEP: Final = ("n", "number", "step", "state", "patch")
EXCHANGE: Final = ("line_id", "sku_id", "given", "asked")
HEADING: Final = ("seq", "type", "actor", "role", "approved_by", "document_kind", "document", "reason", "note",
                  "recorded_at", "day", "key", "reverses", "details", "entries")  # fmt: skip
"""What is hashed of each table, in this order."""

NEEDS: Final = {"document": "document", "reason": "reason", "note": "note", "role": "role", "approval": "approved_by"}
"""The column that holds what a type of transaction needs."""


def findings(tables: Tables) -> Iterator[pl.DataFrame]:
    """What is wrong with the history as such."""
    yield from _sequence(tables)
    yield from _references(tables)
    yield from _chain(tables)
    yield from _needs(tables)
    yield from _keys(tables)
    yield from _reversals(tables)


def _sequence(tables: Tables) -> Iterator[pl.DataFrame]:
    txn, head = tables.txn, tables.head
    expected = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    yield found(txn.filter(pl.col("seq") != expected).head(1), 9, "the sequence has a gap before this transaction",
                "txn {}", "seq", value="seq")  # fmt: skip
    last = txn.select(seq=pl.col("seq").max().fill_null(0), at=pl.col("recorded_at").max().fill_null(0))
    yield found(last.filter(pl.col("seq") != head["seq"]), 9, "the head is not at the last transaction", "tenant",
                value="seq")  # fmt: skip
    yield found(last.filter(pl.col("at") != head["recorded_at"]), 9, "the head has another time than the last "
                "transaction", "tenant", value="at")  # fmt: skip
    backwards = txn.filter(pl.col("recorded_at") < pl.col("recorded_at").shift(1))
    yield found(backwards, 9, "the time runs backwards", "txn {}", "seq", value="recorded_at")
    counted = tables.entry.group_by("seq").agg(n=pl.len().cast(pl.Int64), last=pl.col("n").max())
    lacking = txn.join(counted, on="seq", how="left").with_columns(pl.col("n").fill_null(0))
    uneven = (pl.col("n") != pl.col("entries")) | (pl.col("last") != pl.col("n") - 1)
    yield found(lacking.filter(uneven), 8, "the transaction has another number of entries than it recorded", "txn {}",
                "seq", value="n")  # fmt: skip
    for name, column in (("goods", "goods_id"), ("account", "account_id"), ("allocation", "allocation_id")):
        beyond = getattr(tables, name).filter(pl.col(column) > head[f"{name}_last"])
        yield found(beyond, 9, f"the number is beyond the last {name} that was given one", f"{name} {{}}", column,
                    value=column)  # fmt: skip


def _references(tables: Tables) -> Iterator[pl.DataFrame]:
    """What is named must be there, and be of this tenant."""
    keys = {"seq": tables.txn, "goods_id": tables.goods, "account_id": tables.account, "line_id": tables.line,
            "sku_id": tables.sku}  # fmt: skip
    named = (
        ("entry", "{}.{}", ("seq", "n"), {"seq": "seq", "goods_id": "goods_id", "from_id": "account_id",
                                          "to_id": "account_id"}),
        ("goods", "{}", ("goods_id",), {"sku_id": "sku_id", "seq": "seq"}),
        ("balance", "of goods {} in account {}", ("goods_id", "account_id"),
         {"goods_id": "goods_id", "account_id": "account_id"}),
        ("allocation", "{}", ("allocation_id",),
         {"line_id": "line_id", "goods_id": "goods_id", "account_id": "account_id"}),
        ("line", "{}", ("line_id",), {"sku_id": "sku_id", "seq": "seq"}),
        ("exchange", "of {} by SKU {}", ("line_id", "sku_id"),
         {"line_id": "line_id", "sku_id": "sku_id", "seq": "seq"}),
        ("number", "{} {}", ("kind", "value"), {"goods_id": "goods_id", "seq": "seq"}),
        ("attribute", "{} of goods {}", ("name", "goods_id"), {"goods_id": "goods_id", "seq": "seq"}),
        ("document_line", "{}.{}", ("number", "n"), {"sku_id": "sku_id", "goods_id": "goods_id"}),
        ("document_event", "{}.{}", ("seq", "n"), {"seq": "seq"}),
    )  # fmt: skip
    for name, place, columns, references in named:
        for column, key in references.items():
            rows = unknown(getattr(tables, name), keys[key], left=column, right=key)
            yield found(rows, 37, f"{column} names nothing of this tenant", f"{name} {place}", *columns, value=column)
    lines = unknown(tables.entry.filter(pl.col("line_id") != ""), tables.line, left="line_id", right="line_id")
    yield found(lines, 37, "line_id names nothing of this tenant", "entry {}.{}", "seq", "n", value="line_id")


def _text(columns: tuple[str, ...]) -> pl.Expr:
    return pl.concat_str([pl.col(name).cast(pl.String).fill_null(NULL) for name in columns], separator=FIELD)


def _chain(tables: Tables) -> Iterator[pl.DataFrame]:
    """Every digest from the rows that it is over, every hash from the one before it."""
    contents, headings = _contents(tables).to_list(), tables.txn.select(_text(HEADING)).to_series().to_list()
    digests, hashes = tables.txn["digest"].to_list(), tables.txn["hash"].to_list()
    computed = [sha256(content.encode()).digest() for content in contents]
    before = [sha256(f"tenant{FIELD}{tables.name}".encode()).digest(), *hashes]
    linked = [sha256(b"%b%b%b" % (was, heading.encode(), digest)).digest()
              for was, heading, digest in zip(before[:-1], headings, digests, strict=True)]  # fmt: skip
    redacted = _redacted(tables)
    for wrong, what in (
        ([a != b and seq not in redacted for seq, a, b in zip(tables.txn["seq"], computed, digests, strict=True)],
         "the rows are not those that were recorded"),
        ([a != b for a, b in zip(linked, hashes, strict=True)], "the heading is not that which was recorded, or "
         "does not follow on the transaction before"),
    ):  # fmt: skip
        yield found(tables.txn.filter(pl.Series(wrong, dtype=pl.Boolean)), 8, what, "txn {}", "seq", value="type")
    if before[-1] != bytes(tables.head["hash"]):
        yield found(pl.DataFrame({"seq": [tables.head["seq"]]}), 8, "the head has another hash than the last "
                    "transaction", "tenant", value="seq")  # fmt: skip


def _redacted(tables: Tables) -> set[int]:
    """Transactions that lost words to a purge cannot be hashed again: the chain holds by the digest that is kept."""
    purged = tables.purge.group_by("goods_id").agg(by=pl.col("seq").max())
    return set(tables.entry.join(purged, on="goods_id").filter(pl.col("seq") < pl.col("by"))["seq"])


def _contents(tables: Tables) -> pl.Series:
    """Per transaction what its digest is over: how many rows of each kind, then the rows."""
    entry, goods = tables.entry, tables.goods
    # The transaction that was the first to name an account opened it.
    sides = [entry.select("seq", account_id=pl.col(side)) for side in ("from_id", "to_id")]
    opened = pl.concat(sides).group_by("account_id").agg(pl.col("seq").min())
    lines = entry.filter(pl.col("line_id") != "").group_by("line_id").agg(pl.first("seq", "n"))
    parts = (
        goods.select("seq", text=_text(GOODS)).sort("seq", maintain_order=True),
        tables.account.join(opened, on="account_id", how="left").sort("seq", "account_id")
        .select("seq", text=_text(ACCOUNT)),
        tables.line.drop("seq").join(lines, on="line_id", how="left").sort("seq", "n").select("seq", text=_text(LINE)),
        entry.select("seq", text=_text(ENTRY)),
        tables.document_event.select("seq", text=_text(STEP)),
        tables.exchange.select("seq", text=_text(EXCHANGE)),
    )  # fmt: skip
    content = tables.txn.select("seq")
    for place, part in enumerate(parts):
        grouped = part.group_by("seq", maintain_order=True).agg(pl.col("text").alias(f"rows_{place}"))
        content = content.join(grouped, on="seq", how="left", maintain_order="left")
    # Steps of documents and exchanges are counted where there are any: transactions without are as they were before
    # there were some. Whatever comes before something that is counted is counted, too.
    rows = [f"rows_{place}" for place in range(len(parts))]
    *always, steps, exchanges = (pl.col(name).list.len() for name in rows)
    steps = pl.when(exchanges.is_not_null()).then(steps.fill_null(0)).otherwise(steps)
    said = [*(count.fill_null(0) for count in always), steps, exchanges]
    counts = pl.concat_str([count.cast(pl.String) for count in said], separator=FIELD, ignore_nulls=True)
    texts = [pl.col(name).list.join("\n") for name in rows]
    return content.select(pl.concat_str([counts, *texts], separator="\n", ignore_nulls=True)).to_series()


def _needs(tables: Tables) -> Iterator[pl.DataFrame]:
    """Someone did it, and said what its type of transaction must say."""
    txn = tables.txn
    yield found(txn.filter(pl.col("actor") == ""), 38, "nobody did it", "txn {}", "seq", value="actor")
    unknown = txn.filter(~pl.col("type").is_in(list(TYPES)))
    yield found(unknown, 38, "there is no such type of transaction", "txn {}", "seq", value="type")
    for name, kind in TYPES.items():
        for need in kind.needs:
            lacking = txn.filter(pl.col("type") == name, pl.col(NEEDS[need]) == "")
            yield found(lacking, 38, f"{name} needs a {need}", "txn {}", "seq")
    received = txn.filter(pl.col("type") == "receive").select("seq", *dict.fromkeys(NEEDS.values()))
    sources = tables.account.select(pl.col("account_id").alias("from_id"), "kind")
    origins = tables.entry.join(received, on="seq").join(sources, on="from_id").unique(["seq", "kind"])
    for origin, needs in ORIGINS.items():
        for need in needs:
            lacking = origins.filter(pl.col("kind") == origin, pl.col(NEEDS[need]) == "")
            yield found(lacking, 38, f"receive from {origin} needs a {need}", "txn {}", "seq")


def _keys(tables: Tables) -> Iterator[pl.DataFrame]:
    """A key stands for one transaction at most, whose answer is kept, and a refused one for none."""
    keyed = tables.txn.filter(pl.col("key") != "")
    yield found(keyed.filter(pl.col("key").is_duplicated()), 31, "the key was done more than once", "txn {}", "seq",
                value="key")  # fmt: skip
    answered = keyed.select("seq", "key").join(tables.request.select("key", "answer"), on="key", how="left")
    unanswered = answered.filter(pl.col("answer").is_null())
    yield found(unanswered, 31, "the answer to the key was not kept", "txn {}", "seq", value="key")
    refused = answered.filter(pl.col("answer").str.starts_with('{"refused":'))
    yield found(refused, 31, "the request was refused, and done all the same", "txn {}", "seq", value="key")


def _reversals(tables: Tables) -> Iterator[pl.DataFrame]:
    """A reversal is the opposite of one earlier transaction, entry by entry from the last to the first; once."""
    txn = tables.txn
    reversing = txn.filter(pl.col("reverses").is_not_null())
    yield found(txn.filter((pl.col("type") == "reverse") != pl.col("reverses").is_not_null()), 19,
                "a reversal names what it reverses, and nothing else does", "txn {}", "seq", value="type")  # fmt: skip
    yield found(reversing.filter(pl.col("reverses").is_duplicated()), 19, "the original is reversed more than once",
                "txn {}", "seq", value="reverses")  # fmt: skip
    before = reversing.join(txn.select("seq", original="type"), left_on="reverses", right_on="seq", how="left")
    unfit = before.filter(pl.col("original").is_null() | (pl.col("reverses") >= pl.col("seq"))
                          | (pl.col("original") == "reverse"))  # fmt: skip
    yield found(unfit, 19, "what it reverses is no earlier transaction that could be", "txn {}", "seq",
                value="reverses")  # fmt: skip
    moved = ["goods_id", "from_id", "to_id", "qty", "line_id"]
    originals = (
        tables.entry.join(reversing.select("reverses", reversal="seq"), left_on="seq", right_on="reverses")
        .select("goods_id", "qty", "line_id", from_id="to_id", to_id="from_id", seq="reversal",
                n=pl.len().over("reversal").cast(pl.Int64) - 1 - pl.col("n"))
    )  # fmt: skip
    made = tables.entry.join(reversing.select("seq"), on="seq", how="semi")
    both = originals.select("seq", "n", pl.struct(moved).alias("wanted")).join(
        made.select("seq", "n", pl.struct(moved).alias("have")), on=["seq", "n"], how="full", coalesce=True
    )
    differs = both.filter(pl.col("wanted").ne_missing(pl.col("have"))).sort("seq", "n")
    yield found(differs, 19, "the entry is not the opposite of the original's", "entry {}.{}", "seq", "n")
