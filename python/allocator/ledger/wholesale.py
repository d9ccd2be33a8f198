"""Thousands of demand lines in columns: decided by the engine as a table, and recorded as the tables that it answers.

What `reserve` does for new lines of SKUs without decimals, without an object for each of them. Rows, hashes and answers
are those that it would have made. Lines that it does not take are none of its: `reserve` looks at them one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from allocator.engine import dict_columns, line_answers
from allocator.ledger.book import Book
from allocator.ledger.chain import FIELD
from allocator.ledger.known import Key
from allocator.ledger.live import policy_for, run, stock_of
from allocator.ledger.live_characteristics import days_of_demand
from allocator.ledger.records import Heading, Sku
from allocator.ledger.selection import ACCOUNT_BITS
from allocator.ledger.waiting import Later
from allocator.ledger.write import Columns
from allocator.model.policy import Policy
from allocator.plan.spec import REASON_NAMES, SERVED

TEXTS: Final = ("line_id", "sku", "order_id")
NEEDED: Final = frozenset({"line_id", "sku", "qty"})
MORE: Final = frozenset({"serial", "unit"})
"""Columns of lines that ask for more than is done here."""

PLAIN: Final = r"^[!-~]([ -~]{0,198}[!-~])?$"
"""Texts that are kept as they are: printable ASCII without outer blanks."""


DETAILS: Final = "_details"
TAKES: Final = {"line": pl.UInt32, "allocation_id": pl.Int64, "stock_id": pl.Int64, "qty": pl.Int64}
Stage = tuple[str, int | None, str]


@dataclass
class Wholesale:
    """Lines, and what the engine gave to them.

    Attributes:
        lines: `line_id`, `order_id`, `sku`, `qty` and what else was said of each.
        takes: In the order of the lines: the row of each, the row of the stock, the units.
        reasons: By line, why it is short; None where it is not.
        keys: The goods and account of each stock row.
        versions: The version under which each stock row was read.
        seq: The last transaction of the book that it was decided on.
    """

    lines: pl.DataFrame
    takes: pl.DataFrame
    reasons: list[str | None]
    keys: Sequence[Key]
    versions: Mapping[Key, int | None]
    seq: int


def read(lines: Sequence[Mapping[str, Any]], details: Callable[[Mapping[str, Any]], str]) -> pl.DataFrame | None:
    """The lines as columns, if they are plainly good; None otherwise.

    Args:
        lines: A value by column of the demand table.
        details: What is recorded of a line beside its SKU, quantity and order.
    """
    if (found := dict_columns(lines)) is None:
        return None
    values = dict(zip(*found, strict=True))
    names = values.keys()
    named = all(type(name) is str and name[:1] != "_" for name in names)
    if not named or not names >= NEEDED or names & MORE or {*map(type, values["qty"])} != {int}:
        return None
    try:
        # What cannot be written down is found here: of some of it, polars panics.
        said = names <= {*TEXTS, "qty"}
        told = pl.lit("") if said else pl.Series([details(line) for line in lines], dtype=pl.String)
        columns = [pl.Series(name, column, strict=name in TEXTS) for name, column in values.items()]
    except (TypeError, ValueError, OverflowError, RecursionError, pl.exceptions.PolarsError):
        return None
    frame = pl.DataFrame(columns)
    if "order_id" not in names or frame.schema["order_id"] == pl.Null:
        frame = frame.with_columns(order_id="line_id")
    if frame.schema["qty"] != pl.Int64 or any(frame.schema[name] != pl.String for name in TEXTS):
        return None
    frame = frame.with_columns(pl.coalesce("order_id", "line_id").alias("order_id"), told.alias(DETAILS))
    good = frame.select(
        (pl.col("qty").min() > 0) & (pl.col("line_id").n_unique() == pl.len()),
        *(pl.col(name).str.contains(PLAIN).fill_null(value=False).all().alias(name) for name in TEXTS),
    )
    return frame if all(good.row(0)) else None


def plan(book: Book, lines: pl.DataFrame, policy: Policy, day: int) -> Wholesale | None:
    """Decides on what the book holds; None where lines or SKUs ask for more than this.

    Raises:
        InputError: The lines do not fit the policy.
    """
    skus = _skus(book, lines, policy)
    if skus is None or _recorded_before(book, lines):
        return None
    stock, keys, policy = stock_of(book, skus, 0, policy_for(policy, skus, together=False))
    if days_of_demand(policy, skus.values()):
        return None
    answer = run(stock, lines.drop(DETAILS), policy, day, 0)
    takes = pl.DataFrame(
        [answer.take_line.alias("line"), answer.take_stock.alias("stock"), answer.take_qty.alias("qty")]
    )
    reasons: list[str | None] = [None] * lines.height
    short = answer.reason != SERVED
    for line, reason in zip(answer.line.filter(short), answer.reason.filter(short), strict=True):
        reasons[line] = REASON_NAMES[reason]
    versions = {key: book.version(key) for key in keys}
    return Wholesale(lines, takes.sort("line", maintain_order=True), reasons, keys, versions, book.seq)


def _skus(book: Book, lines: pl.DataFrame, policy: Policy) -> dict[str, Sku] | None:
    """The SKUs of the lines; None where one is unknown, has decimals, or stands for another."""
    names = lines["sku"].unique().to_list()
    book.catalog.load_skus(book.session, names)
    skus = {name: sku for name in names if (sku := book.catalog.find(name)) is not None and sku.scale == 0}
    if len(skus) < len(names) or policy.substitutes:
        return None
    book.load_stock(sku.sku_id for sku in skus.values())
    return skus


def _recorded_before(book: Book, lines: pl.DataFrame) -> bool:
    """Whether any of the lines is there. Most orders have numbers that come after all others."""
    names = lines["line_id"]
    of = {"tenant": book.tenant, "least": names.min(), "greatest": names.max()}
    sql = "SELECT 1 FROM line WHERE tenant = :tenant AND line_id BETWEEN :least AND :greatest LIMIT 1"
    if book.session.one(sql, of) is None:
        return False
    sql = "SELECT 1 FROM line WHERE tenant = :tenant AND line_id = ANY(:keys) LIMIT 1"
    return book.session.one(sql, {"tenant": book.tenant, "keys": names.to_list()}) is not None


def take(book: Book, heading: Heading, whole: Wholesale, stage: Stage, to: Callable[[Key], int]) -> Later:
    """Records what was decided, as one transaction, if it is anything; what `reserve` answers.

    Args:
        book: The book, in which nothing has changed since.
        heading: What is said of the transaction.
        whole: What was decided.
        stage: The stage of the promises, when they end, and how an entry tells so.
        to: The account to which a promise of some goods in an account leads.
    """
    made = pl.DataFrame()
    seq = None
    if whole.takes.height:
        with book.transaction(heading) as seq:
            made = _promised(book, whole, to)
            _record(book, whole, made, stage, seq)
    return Later(lambda: {"seq": seq, "lines": _told(whole, made)})


def _promised(book: Book, whole: Wholesale, to: Callable[[Key], int]) -> pl.DataFrame:
    """Moves the balances; each take with its goods, its accounts, what moves, and its number."""
    sums = whole.takes.group_by("stock", maintain_order=True).agg(pl.col("qty").sum())
    rows = []
    for stock, qty in sums.iter_rows():
        key = whole.keys[stock]
        account_id = to(key)
        book.promise(key, account_id, qty)
        rows.append((stock, *key, account_id, 1 if book.goods[key[0]].serial else 0))
    schema = {"stock": pl.UInt32} | dict.fromkeys(("goods_id", "from_id", "to_id", "unit"), pl.Int64)
    first = book.allocation_last + 1
    book.allocation_last += whole.takes.height
    return whole.takes.join(pl.DataFrame(rows, schema, orient="row"), on="stock", maintain_order="left").with_columns(
        moved=pl.when(pl.col("from_id") != pl.col("to_id")).then("qty").otherwise(0),
        allocation_id=pl.int_range(first, first + whole.takes.height, dtype=pl.Int64),
        line_id=whole.lines["line_id"].gather(whole.takes["line"]),
    )


def _record(book: Book, whole: Wholesale, made: pl.DataFrame, stage: Stage, seq: int) -> None:
    named, ends, told = stage
    got = made.group_by("line", maintain_order=True).agg(pl.col("qty").sum().alias("allocated"))
    numbers = {name: sku.sku_id for name in whole.lines["sku"].unique() if (sku := book.catalog.find(name))}
    lines = whole.lines[got["line"]].select(
        "line_id", "order_id", "qty", details=DETAILS, allocated=got["allocated"],
        sku_id=pl.col("sku").replace_strict(numbers, return_dtype=pl.Int64),
    )  # fmt: skip
    entries = made.select("goods_id", "from_id", "to_id", "moved", pl.lit(0).alias("unreserved"), "qty",
                          "allocation_id", "line_id", pl.lit(told).alias("details"))  # fmt: skip
    texts = (_texts(lines, ("line_id", "order_id", "sku_id", "qty", "details")), _texts(entries, entries.columns))
    entry = entries.drop("unreserved").rename({"moved": "qty", "qty": "reserved"}).with_row_index("n")
    allocation = made.select("allocation_id", "line_id", "goods_id", "unit", "qty", account_id="to_id")
    until = {} if ends is None else {"expires_at": ends}
    book.add_columns(
        texts,
        (
            Columns("entry", {"seq": seq}, _said(entry, details="")),
            Columns("line", {"seq": seq, "version": seq}, _said(lines.sort("line_id"), details="")),
            Columns("allocation", {"stage": named, "version": seq, **until}, _said(allocation, unit=0)),
        ),
    )


def _said(frame: pl.DataFrame, **defaults: object) -> pl.DataFrame:
    """Rows without the columns that say in no row anything but what the table has by itself."""
    return frame.drop(name for name, value in defaults.items() if (frame[name] == value).all())


def _texts(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    """Each row as the text that the chain is over."""
    return frame.select(pl.concat_str(names, separator=FIELD)).to_series().to_list()


def _told(whole: Wholesale, made: pl.DataFrame) -> list[dict[str, Any]]:
    takes = pl.DataFrame(schema=TAKES)
    if made.height:
        takes = made.select(
            "line", "allocation_id", (pl.col("goods_id") * 2**ACCOUNT_BITS + pl.col("to_id")).alias("stock_id"), "qty"
        )
    lines = whole.lines
    return line_answers(lines["line_id"].to_list(), lines["qty"].to_list(), whole.reasons, takes)
