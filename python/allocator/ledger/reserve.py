"""Promising live stock to demand lines: the engine decides on what the book holds, and the book takes it.

Wishes that wait together are decided in one run of the engine, in the order in which they came: the answer is that of
one after the other. A large wish is decided on a snapshot, before the book is opened for writing, and taken by
compare-and-swap: what changed in between is decided again, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from allocator.errors import AllocatorError, InputError
from allocator.ledger import wholesale
from allocator.ledger.at_once import Order, record_at_once
from allocator.ledger.book import Book
from allocator.ledger.change import HELD, RESERVED, close
from allocator.ledger.exchanges import ONE_FOR_ONE, Exchange, exchanges_of
from allocator.ledger.live import Outcome, decide
from allocator.ledger.records import Account, Allocation, Goods, Heading, Line, Movement
from allocator.ledger.rules import check_status
from allocator.ledger.selection import Share, scale_of, stock_id
from allocator.ledger.shelves import COUNTED, free_of, lay_back, looked_at, shelves_for
from allocator.ledger.waiting import Later, Request
from allocator.ledger.wholesale import Wholesale
from allocator.ledger.wishes import details, linked, load, load_named, what_lacks
from allocator.model.policy import Policy

Key = tuple[int, int]


@dataclass(frozen=True)
class Wish:
    """Demand lines that want stock under one policy.

    Attributes:
        lines: The lines, a value by column of the demand table.
        policy: Which stock may serve them.
        day: The day on which is decided, in days since 1970.
        hold_until: When the promise ends unless it is confirmed, in microseconds; None for one without end.
        one_for_one: Whether nothing may serve them that counts otherwise, as for a document that is about to be opened.
    """

    lines: Sequence[Mapping[str, Any]]
    policy: Policy
    day: int
    hold_until: int | None = None
    one_for_one: bool = False


@dataclass
class Decided:
    """What the engine gave to some lines.

    Attributes:
        rows: The lines, with what they still want (`qty`) and were recorded with (`_asked`).
        taken: By line, the stock rows and units of each.
        reasons: By line, why it is short.
        versions: The version under which each stock row was read.
        seq: The last transaction of the book that it was decided on.
    """

    rows: list[dict[str, Any]]
    taken: dict[str, list[tuple[Key, int]]] = field(default_factory=dict)
    reasons: dict[str, str | None] = field(default_factory=dict)
    versions: dict[Key, int | None] = field(default_factory=dict)
    seq: int = 0


class _Promising(NamedTuple):
    """What all promises of one wish share: by SKU and account, where they lead; by SKU asked and given, its count."""

    book: Book
    stage: str
    ends: int | None
    told: str
    accounts: dict[tuple[int, int], int]
    heading: Heading
    exchanges: Mapping[tuple[int, int], Exchange]


def reserve(book: Book, heading: Heading, wish: Wish, planned: Decided | None = None) -> dict[str, Any]:
    """Adds one transaction that promises what the policy gives to the lines, or none if that is nothing.

    Returns:
        `seq` (None if nothing was promised) and `lines`: one per line, with what was asked, what it got, what is short
        and why, and its new `allocations`.
    """
    if planned is None:
        load(book, [wish])
        if answers := _at_once(book, [(heading, wish)]):
            return answers[0]
        decided = plan(book, [wish], heading)
    else:
        expire(book, heading)
        decided = _anew_where_stale(book, wish, planned)
    return take(book, heading, wish, decided)


def reserve_together(book: Book, requests: Sequence[Request]) -> int:
    """Does several requests to reserve, under one policy on one day, as if one after the other; how many it did.

    Where a line or an order is in two of them, one makes no sense, or the policy looks at quantities of stock, which
    change from one to the next, that is none but for the first that could be done at once: the others are looked at
    one by one.
    """
    wishes: list[Wish] = [request.about[1] for request in requests]
    seen: set[str] = set()
    for wish in wishes:
        mine = {line["line_id"] for line in wish.lines} | {
            line.get("order_id") or line["line_id"] for line in wish.lines
        }
        if seen & mine or not looked_at(wish.policy).isdisjoint(COUNTED):
            return 0
        seen |= mine
    done = 0
    try:
        load(book, wishes)
        done = reserve_at_once(book, requests)
        if done == len(requests):
            return done
        decided = plan(book, wishes[done:], requests[done].about[0])
    except InputError:
        return done
    rows: list[list[dict[str, Any]]] = [[] for _ in wishes[done:]]
    for row in decided.rows:
        rows[row["_turn"]].append(row)
    for request, mine_ in zip(requests[done:], rows, strict=True):
        heading, wish = request.about
        request.error = None
        request.answer = take(book, heading, wish, Decided(mine_, decided.taken, decided.reasons))
    return len(requests)


def reserve_at_once(book: Book, requests: Sequence[Request]) -> int:
    """Does those that come first and can be done at once; how many. All are under one policy on one day."""
    answers = _at_once(book, [request.about for request in requests])
    for request, answer in zip(requests, answers, strict=False):
        request.answer, request.error = answer, None
    return len(answers)


def _at_once(book: Book, asked: Sequence[tuple[Heading, Wish]]) -> list[dict[str, Any]]:
    """The answers to those wishes that come first and that shelves serve, recorded."""
    wish = asked[0][1]
    # What is promised within a transaction that is open is part of it.
    shelves = None if book.is_open else shelves_for(book, wish.policy, wish.day)
    if shelves is None:
        return []
    orders = [Order(said, each.lines, each.hold_until, [*map(details, each.lines)]) for said, each in asked]
    return record_at_once(book, shelves, orders)


def plan(book: Book, wishes: Sequence[Wish], heading: Heading | None = None) -> Decided:
    """Decides on what the book holds, the wishes in their order; changes nothing but holds that are over.

    Raises:
        InputError: The lines do not fit what is recorded.
    """
    load(book, wishes)
    if heading is not None:
        expire(book, heading)
    decided = Decided([], seq=book.seq)
    for turn, wish in enumerate(wishes):
        decided.rows += what_lacks(book, wish, turn)
    wanting = [row for row in decided.rows if row["qty"] > 0]
    held: dict[Key, int] = {}
    try:
        others = wanting if heading is None else _from_shelves(book, wishes[0], decided, wanting, held)
        with book.held(held):
            _decide(book, wishes[0], decided, others)
    except AllocatorError:
        lay_back(book, held)
        raise
    return decided


def _from_shelves(
    book: Book, wish: Wish, decided: Decided, rows: Sequence[Mapping[str, Any]], held: dict[Key, int]
) -> list[Mapping[str, Any]]:
    """Decides on what shelves can serve, and adds what it takes to `held`; returns the lines of all other wishes."""
    shelves = shelves_for(book, wish.policy, wish.day)
    if shelves is None:
        return list(rows)
    others: list[Mapping[str, Any]] = []
    asked: set[int] = set()
    laid_out = False
    for _, lines in groupby(rows, key=itemgetter("_turn")):
        mine = list(lines)
        skus = {row["_sku"].sku_id for row in mine}
        found = None
        # Whoever wants what an earlier wish wants, too, comes after it.
        if not skus & asked:
            with book.held(held):
                found = shelves.serve(book, mine)
                # Once for all who share the commit: the others would wait as long again for each.
                if found is None and shelves.lay_out(book, mine, at_once=not laid_out):
                    laid_out = True
                    found = shelves.serve(book, mine)
        if found is None:
            others += mine
            asked |= skus
            continue
        decided.taken |= found
        for taken in found.values():
            for key, qty in taken:
                held[key] = held.get(key, 0) + qty
                shelves.put(key, book.goods[key[0]].sku_id, free_of(book.balance(*key)) - held[key])
    return others


def _decide(book: Book, wish: Wish, decided: Decided, wanting: Sequence[Mapping[str, Any]]) -> None:
    if not wanting:
        return
    outcome = _of_named_units(book, wish, wanting)
    if outcome is None:
        names = {row["_sku"].sku for row in wanting} | linked(wish.policy)
        book.load_stock(sku.sku_id for name in names if (sku := book.catalog.find(name)))
        outcome = decide(book, wanting, wish.policy, wish.day)
    decided.reasons.update(outcome.reasons)
    for line_id, key, qty in outcome.takes:
        decided.taken.setdefault(line_id, []).append((key, qty))
        decided.versions[key] = book.version(key)


def _of_named_units(book: Book, wish: Wish, wanting: Sequence[Mapping[str, Any]]) -> Outcome | None:
    """What lines get that all name their unit, decided on these units alone; None where other stock matters too.

    It does for a line that gets none: the reason is that of the row which came furthest.
    """
    policy = wish.policy
    if policy.substitutes or policy.safety_stock or any(row.get("serial") is None for row in wanting):
        return None
    try:
        outcome = decide(book, wanting, policy, wish.day, only=load_named(book, wanting))
    except InputError:
        return None
    return None if any(outcome.reasons.values()) else outcome


def _anew_where_stale(book: Book, wish: Wish, planned: Decided) -> Decided:
    """The plan; orders whose stock or lines changed since are decided again, on what is left."""
    if book.seq == planned.seq:
        return planned
    now = {row["line_id"]: row for row in what_lacks(book, wish, 0)}
    stale = {
        row["order_id"]
        for row in planned.rows
        if now[row["line_id"]]["qty"] != row["qty"]
        or any(book.version(key) != planned.versions[key] for key, _ in planned.taken.get(row["line_id"], ()))
    }
    fresh = Decided(list(now.values()), seq=book.seq)
    for row in planned.rows:
        line_id = row["line_id"]
        if row["order_id"] not in stale:
            fresh.reasons[line_id] = planned.reasons.get(line_id)
            if line_id in planned.taken:
                fresh.taken[line_id] = planned.taken[line_id]
    again = [row for row in fresh.rows if row["order_id"] in stale]
    held: dict[Key, int] = {}
    for line_id in fresh.taken:
        for key, qty in fresh.taken[line_id]:
            held[key] = held.get(key, 0) + qty
    with book.held(held):
        _decide(book, wish, fresh, [row for row in again if row["qty"] > 0])
    return fresh


def take_whole(book: Book, heading: Heading, wish: Wish, whole: Wholesale) -> dict[str, Any] | Later:
    """Records what was decided for a large wish; what changed since is decided again, line by line."""
    if book.seq != whole.seq or _holds_are_over(book):
        load(book, [wish])
        return reserve(book, heading, wish, _decided(book, wish, whole))
    book.catalog.load_skus(book.session, whole.lines["sku"].unique())
    accounts: dict[tuple[int, int], int] = {}

    def to(key: Key) -> int:
        kind = (book.goods[key[0]].sku_id, key[1])
        if kind not in accounts:
            accounts[kind] = after(book, heading, Share(*key, 1), "reserved")
        return accounts[kind]

    ends = wish.hold_until
    book.hold_until(ends)
    stage = (RESERVED, None, "") if ends is None else (HELD, ends, str(ends))
    return wholesale.take(book, heading, whole, stage, to)


def _decided(book: Book, wish: Wish, whole: Wholesale) -> Decided:
    """What was decided in columns, line by line; none of the lines was recorded then."""
    rows = [
        {**line, "order_id": line.get("order_id") or line["line_id"], "_asked": line["qty"],
         "_sku": book.catalog.named(line["sku"]), "_turn": 0, "_said": line}
        for line in wish.lines
    ]  # fmt: skip
    ids = [row["line_id"] for row in rows]
    decided = Decided(rows, {}, dict(zip(ids, whole.reasons, strict=True)), dict(whole.versions), whole.seq)
    for line, stock, qty in whole.takes.iter_rows():
        decided.taken.setdefault(ids[line], []).append((whole.keys[stock], qty))
    return decided


def take(book: Book, heading: Heading, wish: Wish, decided: Decided) -> dict[str, Any]:
    """Records what was decided for a wish."""
    rows = decided.rows
    made: dict[str, list[dict[str, Any]]] = {}
    seq = None
    if any(row["line_id"] in decided.taken for row in rows):
        ends = wish.hold_until
        stage, told = (RESERVED, "") if ends is None else (HELD, str(ends))
        try:
            with book.transaction(heading) as seq:
                promising = _Promising(book, stage, ends, told, {}, heading, exchanges_of(book, wish.policy))
                for row in rows:
                    if row["line_id"] in decided.taken:
                        made[row["line_id"]] = _promise(promising, row, decided.taken[row["line_id"]])
        except AllocatorError:
            # Shelves have given it away already.
            book.known.shelves.clear()
            raise
    return {"seq": seq, "lines": [_told(row, decided, made.get(row["line_id"], [])) for row in rows]}


def expire(book: Book, heading: Heading) -> int:
    """Takes back the holds whose time is over; how many."""
    if not _holds_are_over(book):
        return 0
    late = book.load_allocations("expires_at IS NOT NULL AND expires_at <= :now", now=book.now())
    if late:
        said = Heading("release", heading.actor, day=heading.day, reason="hold expired")
        goods = {promise.goods_id for number in late if (promise := book.allocations[number])}
        book.catalog.load_sku_ids(book.session, {book.goods[number].sku_id for number in goods})
        with book.transaction(said):
            for number in late:
                promise = book.allocations[number]
                assert promise is not None
                share = Share(promise.goods_id, promise.account_id, promise.qty, promise)
                close(book, share, after(book, said, share, "released"))
    return len(late)


def _holds_are_over(book: Book) -> bool:
    return book.hold_ends_first is not None and book.hold_ends_first <= book.now()


def after(book: Book, heading: Heading, share: Share, event: str) -> int:
    """The account of a share after an event of its lifecycle."""
    before = book.catalog.accounts[share.account_id]
    sku = book.catalog.sku(book.goods[share.goods_id].sku_id)
    status = book.catalog.next_status(sku, event, before.status)
    if status is None:
        return share.account_id
    check_status(book, sku, (before.status, status), heading, 0)
    return book.account(Account(before.kind, before.location, status, *before[3:]))


def _promise(promising: _Promising, row: Mapping[str, Any], taken: Iterable[tuple[Key, int]]) -> list[dict[str, Any]]:
    """Records what one line gets."""
    book, stage, ends, told, accounts, heading, _ = promising
    line_id = row["line_id"]
    line = book.lines.get(line_id)
    if line is None:
        sku_id, asked = row["_sku"].sku_id, row["_asked"]
        line = Line(line_id, row["order_id"], sku_id, asked, details=details(row["_said"]), seq=book.seq + 1)
    made, got = [], line.allocated
    for (goods_id, account_id), qty in taken:
        goods = book.goods[goods_id]
        to_id = accounts.get((goods.sku_id, account_id))
        if to_id is None:
            to_id = after(book, heading, Share(goods_id, account_id, qty), "reserved")
            accounts[goods.sku_id, account_id] = to_id
        number = book.next_allocation()
        moved = qty if to_id != account_id else 0
        book.move(Movement(goods_id, account_id, to_id, moved, 0, qty, number, line_id, told))
        book.put_allocation(Allocation(number, line_id, goods_id, to_id, 1 if goods.serial else 0, qty, stage, ends))
        each = {"allocation_id": number, "stock_id": stock_id(goods_id, to_id), "qty": qty}
        got += qty if goods.sku_id == line.sku_id else _exchanged(promising, line, goods, each)
        made.append(each)
    book.put_line(Line(line_id, line.order_id, line.sku_id, line.qty, got, *line[5:]))
    return made


def _exchanged(promising: _Promising, line: Line, goods: Goods, told: dict[str, Any]) -> int:
    """What a line gets by goods that stand in for its SKU, and counts from now on; told where it is another number."""
    book, exchange = promising.book, promising.exchanges[line.sku_id, goods.sku_id]
    sku, other = book.catalog.sku(line.sku_id), book.catalog.sku(goods.sku_id)
    served: int = told["qty"] // exchange.given * exchange.asked
    book.exchanges.make(line.line_id, goods.sku_id, exchange)
    if exchange != ONE_FOR_ONE or sku.scale != other.scale:
        told |= {"qty_served": served, "scale": other.scale}
    return served


def _told(row: Mapping[str, Any], decided: Decided, made: list[dict[str, Any]]) -> dict[str, Any]:
    line_id, got = row["line_id"], sum([each.get("qty_served", each["qty"]) for each in made])
    return {
        "line_id": line_id, "requested": row["_asked"], "allocated": got, "short": row["qty"] - got,
        "reason": decided.reasons.get(line_id), "allocations": made, **scale_of(row["_sku"], made),
    }  # fmt: skip
