"""What comes into stock while a recall of it is open is blocked by the very request that brings it (SN-19).

Whoever makes the request, and by whatever way: a step of a flow, `Ledger.post`, an import.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from allocator.ledger import change
from allocator.ledger.recall import GOODS, match_goods, named, named_goods
from allocator.ledger.records import GONE, Account, Heading
from allocator.ledger.selection import stock_id
from allocator.ledger.snapshot import Snapshot
from allocator.ledger.write import ENTRY, TXN

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.documents import Document
    from allocator.ledger.waiting import Work

FLOW: Final = "recall"
CATCH: Final = "catch"
"""The flow of documents that recall goods, and the step by which goods are caught."""

OUT: Final = "out"
"""The state of a line of which others have the goods."""

_GOODS, _FROM, _TO = (ENTRY.index(name) for name in ("goods_id", "from_id", "to_id"))


class Part(NamedTuple):
    """What of some goods is in one account."""

    goods_id: int
    account_id: int
    account: Account
    qty: int


def catching(work: Work) -> Work:
    """The same work; what it brings into stock is blocked if it is recalled."""

    def whole(book: Book) -> Any:  # noqa: ANN401 - what the work answers
        since = len(book.written.entries)
        answer = work(book)
        catch(book, since)
        return answer

    return whole


def catch(book: Book, since: int) -> None:
    """Blocks what came into stock by the entries from a place on, as far as open recalls name it."""
    kinds = book.catalog.accounts
    moved = {(row[_GOODS], row[_FROM], row[_TO]) for row in book.written.entries[since:] if row[_FROM] != row[_TO]}
    came = {goods for goods, from_id, to_id in moved if kinds[to_id].kind == "stock" != kinds[from_id].kind}
    if came:
        for recall in book.documents.find(flow=FLOW, closed=0):
            _catch(book, recall, came)


def _catch(book: Book, recall: Document, came: Collection[int]) -> None:
    said = recall.details
    rows, skus = rows_of(said), said.get("skus")
    found = named_goods(Snapshot(book.session, book.tenant), rows, skus, ids=sorted(came))["goods_id"].to_list()
    ids = {*found, *unwritten(book, rows, skus, came)}
    lines = {line.goods_id: line for number, line in book.documents.lines_of_goods(ids) if number == recall.number}
    cleared = {goods_id for goods_id, line in lines.items() if line.state == "cleared"}
    parts = [
        part for part in parts_of(book, ids - cleared)
        if part.account.kind == "stock" and reason_of(recall.number) not in part.account.blocks.split("+")
    ]  # fmt: skip
    if not parts:
        return
    last = dict(zip(TXN, book.written.txns[-1], strict=True))
    by = Heading("block", last["actor"], role=last["role"], day=last["day"], document=recall.number,
                 document_kind=FLOW, reason=reason_of(recall.number))  # fmt: skip
    block(book, by, parts)
    n = max((line.n for line in book.documents.lines(recall.number)), default=0)
    with book.transaction(by._replace(type="document", document="", document_kind="", reason="")):
        for part in parts:
            line = lines.get(part.goods_id)
            # A unit is in one place; of anything else, others may still have some of it.
            same = line is not None and book.catalog.sku(line.sku_id or 0).by_unit
            n += not same
            put(book, recall.number, line.n if line and same else n, part)
        book.documents.change(recall.number, CATCH, state="open")


def rows_of(said: Mapping[str, Any]) -> pl.DataFrame:
    """What the details of a recall name."""
    return named(said["text"] or None, said["lots"], said["serials"])


def unwritten(book: Book, rows: pl.DataFrame, skus: Collection[str] | None, among: Collection[int] = ()) -> set[int]:
    """The goods that a recall names of those that are written with this request only."""
    fresh = [goods for goods in book.written.new_goods if not among or goods.goods_id in among]
    table = [
        (goods.goods_id, sku.sku, goods.lot, goods.serial, goods.expires_on)
        for goods in fresh
        if (sku := book.catalog.sku(goods.sku_id)) and (skus is None or sku.sku in skus)
    ]
    return set(match_goods(pl.DataFrame(table, schema=GOODS, orient="row"), rows)["goods_id"]) if table else set()


def parts_of(book: Book, ids: Collection[int]) -> list[Part]:
    """Where goods are, in the order of their numbers."""
    book.load_goods(ids)
    book.catalog.load_sku_ids(book.session, {book.goods[goods_id].sku_id for goods_id in ids})
    return [
        Part(goods_id, number, book.catalog.accounts[number], book.balance(goods_id, number).qty)
        for goods_id in sorted(ids)
        for number in sorted(book.accounts_of[goods_id])
    ]


def reason_of(recall: str) -> str:
    """The reason of a recall's blocks."""
    return f"recall {recall}"


def block(book: Book, heading: Heading, parts: Iterable[Part]) -> None:
    """Blocks what of some goods is in stock, as one transaction, if that is anything."""
    lines = [{"stock_id": stock_id(part.goods_id, part.account_id)} for part in parts if part.account.kind == "stock"]
    if lines:
        change.post(book, heading, lines)


def put(book: Book, recall: str, n: int, part: Part) -> None:
    """A line of a recall: goods, where they were found, and whom to ask; within a transaction."""
    account = part.account
    state = "blocked" if account.kind == "stock" else "gone" if account.kind in GONE else OUT
    contact = account.holder or account.owner or account.location
    book.documents.put_line(recall, CATCH, n, sku_id=book.goods[part.goods_id].sku_id, goods_id=part.goods_id,
                            qty=part.qty, state=state, progress=part.qty if state == "gone" else 0,
                            details={"contact": contact})  # fmt: skip
