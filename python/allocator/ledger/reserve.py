"""Promising live stock to demand lines: the engine decides on what the book holds, and the book takes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.change import check_status, close
from allocator.ledger.records import Account, Allocation, Goods, Heading, Line, Movement, Sku, day_of
from allocator.ledger.selection import Share, key_of, stock_id, units
from allocator.model.policy import Policy
from allocator.result import allocate

HELD: Final = "held"
RESERVED: Final = "reserved"

STOCK: Final[dict[str, Any]] = {
    "stock_id": pl.Int64, "sku": pl.String, "location": pl.String, "qty_on_hand": pl.Int64, "qty_reserved": pl.Int64,
    "received_on": pl.Date, "expires_on": pl.Date, "lot": pl.String, "serial": pl.String, "owner": pl.String,
    "condition": pl.String, "status": pl.String, "blocked": pl.Boolean, "stock_class": pl.String,
    "unit_cost": pl.Decimal(38, 6),
}  # fmt: skip
"""The columns of live stock, as `allocate` takes them."""


@dataclass(frozen=True)
class Wish:
    """Demand lines that want stock under one policy.

    Attributes:
        lines: The lines, a value by column of the demand table.
        policy: Which stock may serve them.
        day: The day on which is decided, in days since 1970.
        hold_until: When the promise ends unless it is confirmed, in microseconds; None for one without end.
    """

    lines: Sequence[Mapping[str, Any]]
    policy: Policy
    day: int
    hold_until: int | None = None


def reserve(book: Book, heading: Heading, wish: Wish) -> dict[str, Any]:
    """Adds one transaction that promises what the policy gives to the lines, or none if that is nothing.

    Returns:
        `seq` (None if nothing was promised) and `lines`: one per line, with what was asked, promised and short before
        and after, the reason, and its new `allocations`.
    """
    _load(book, wish)
    expire(book, heading)
    demand = _demand(book, wish.lines)
    stock = stock_frame(book, {row["sku"] for row in demand} | _linked(wish.policy))
    open_rows = [row for row in demand if row["qty"] > 0]
    decided: dict[str, tuple[int, str | None]] = {}
    taken: dict[str, list[tuple[int, int]]] = {}
    if open_rows:
        result = allocate(stock, demand_frame(open_rows), with_statuses(wish.policy, book), as_of=day_of(wish.day))
        scale = _scale(book)
        for line_id, _, allocated, _, reason in result.lines.rows():
            decided[line_id] = (_units(allocated, scale), reason)
        for line_id, row_id, qty, _, _ in result.allocations.rows():
            taken.setdefault(line_id, []).append((row_id, _units(qty, scale)))
    answers = []
    seq = None
    if taken:
        with book.transaction(heading) as seq:
            answers = [_promise(book, heading, wish, row, taken.get(row["line_id"], ())) for row in demand]
    else:
        answers = [[] for _ in demand]
    return {
        "seq": seq,
        "lines": [_told(book, r, decided.get(r["line_id"]), a) for r, a in zip(demand, answers, strict=True)],
    }


def _load(book: Book, wish: Wish) -> None:
    names = {str(line["sku"]) for line in wish.lines if "sku" in line} | _linked(wish.policy)
    book.catalog.load_skus(book.session, names)
    problems = [
        Problem("sku_unknown", "there is no such SKU", "demand", "sku", row, str(line.get("sku"))[:80])
        for row, line in enumerate(wish.lines)
        if book.catalog.find(str(line.get("sku"))) is None
    ]
    if problems:
        raise InputError(problems)
    book.load_skus(sku.sku_id for name in names if (sku := book.catalog.find(name)))
    book.load_lines(str(line["line_id"]) for line in wish.lines)


def expire(book: Book, heading: Heading) -> int:
    """Takes back the holds whose time is over; how many."""
    late = book.load_allocations("expires_at IS NOT NULL AND expires_at <= :now", now=book.now())
    if late:
        said = Heading("release", heading.actor, day=heading.day, reason="hold expired")
        book.catalog.load_sku_ids(
            book.session, {book.goods[a.goods_id].sku_id for n in late if (a := book.allocations[n])}
        )
        with book.transaction(said):
            for number in late:
                promise = book.allocations[number]
                assert promise is not None
                share = Share(promise.goods_id, promise.account_id, promise.qty, promise)
                close(book, share, book.account(_on(book, said, share, "released")))
    return len(late)


def _on(book: Book, heading: Heading, share: Share, event: str) -> Account:
    """The account of a share after an event of its lifecycle."""
    before = book.catalog.accounts[share.account_id]
    sku = book.catalog.sku(book.goods[share.goods_id].sku_id)
    status = sku.lifecycle.next_on(event, before.status)
    if status is None:
        return before
    check_status(sku, before.status, status, heading, 0)
    return before._replace(status=status)


def _demand(book: Book, lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lines with the quantity that they still want; a new line is recorded when it gets something."""
    problems: list[Problem] = []
    rows = []
    for number, line in enumerate(lines):
        line_id, order_id = str(line["line_id"]), str(line.get("order_id") or line["line_id"])
        sku = book.catalog.named(str(line["sku"]))
        try:
            asked = units(line["qty"], sku, number)
        except InputError as error:
            problems += error.problems
            continue
        known = book.lines.get(line_id)
        if known and (known.sku_id, known.qty, known.order_id) != (sku.sku_id, asked, order_id):
            hint = "A line keeps its SKU, quantity and order: use a new line_id for another wish"
            message = f"the line was recorded with {known.qty} of {book.catalog.sku(known.sku_id).sku}"
            problems.append(Problem("line_changed", message, "demand", "line_id", number, line_id, hint))
            continue
        left = asked - (known.allocated + known.shipped if known else 0)
        rows.append(
            {
                **line,
                "line_id": line_id,
                "order_id": order_id,
                "sku": sku.sku,
                "qty": left,
                "_asked": asked,
                "_scale": sku.scale,
            }
        )
    if problems:
        raise InputError(problems)
    return rows


def demand_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Lines as a table for the engine."""
    names = dict.fromkeys(name for row in rows for name in row if not name.startswith("_"))
    scale = max(row["_scale"] for row in rows)
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in names}
    if scale:
        columns["qty"] = [Decimal(row["qty"]).scaleb(-row["_scale"]) for row in rows]
    return pl.DataFrame(
        {name: pl.Series(name, values, strict=False) if name != "qty" else values for name, values in columns.items()}
    )


def stock_frame(book: Book, names: Iterable[str]) -> pl.DataFrame:
    """The stock of some SKUs that the book has loaded, as a table for the engine."""
    rows = []
    scale = _scale(book)
    for name in sorted(names):
        sku = book.catalog.find(name)
        if sku is None:
            continue
        for goods in book.goods_of(sku.sku_id):
            for account_id in book.accounts_of[goods.goods_id]:
                account = book.catalog.accounts[account_id]
                if account.kind == "stock":
                    rows.append(_stock_row(book, sku, goods, account_id, scale))
    frame = pl.DataFrame(rows, schema=STOCK, orient="row")
    if scale:
        to_decimal = pl.col("qty_on_hand", "qty_reserved").cast(pl.Decimal(38, 0)) * Decimal(1).scaleb(-scale)
        frame = frame.with_columns(to_decimal)
    return frame


def _stock_row(book: Book, sku: Sku, goods: Goods, account_id: int, scale: int) -> tuple[Any, ...]:
    account = book.catalog.accounts[account_id]
    step = 10 ** (scale - sku.scale)
    qty, reserved = (units * step for units in book.balance(goods.goods_id, account_id))
    return (
        stock_id(goods.goods_id, account_id), sku.sku, account.location or None, qty, reserved,
        day_of(goods.received_on), None if goods.expires_on is None else day_of(goods.expires_on), goods.lot or None,
        goods.serial or None, account.owner or None, account.condition or None, account.status, bool(account.blocks),
        goods.stock_class or None, Decimal(goods.unit_cost) if goods.unit_cost else None,
    )  # fmt: skip


def with_statuses(policy: Policy, book: Book) -> Policy:
    """The policy; one that names no statuses takes those that the lifecycles call allocatable."""
    if "statuses" in policy.model_fields_set:
        return policy
    lifecycles = {id(s.lifecycle): s.lifecycle for s in book.catalog.skus()}
    names = dict.fromkeys(name for lifecycle in lifecycles.values() for name in lifecycle.statuses_allocatable)
    return policy.model_copy(update={"statuses": tuple(sorted(names))})


def _linked(policy: Policy) -> set[str]:
    return {sku for entry in policy.substitutes for sku in (entry.sku, entry.substitute)}


def _scale(book: Book) -> int:
    return max((sku.scale for sku in book.catalog.skus()), default=0)


def _units(qty: int | Decimal, scale: int) -> int:
    return int(Decimal(qty).scaleb(scale)) if isinstance(qty, Decimal) else qty * 10**scale


def _promise(
    book: Book, heading: Heading, wish: Wish, row: Mapping[str, Any], taken: Iterable[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Records what one line gets."""
    made = []
    stage = RESERVED if wish.hold_until is None else HELD
    for row_id, scaled in taken:
        goods_id, account_id = key_of(row_id)
        sku = book.catalog.sku(book.goods[goods_id].sku_id)
        qty = scaled // 10 ** (_scale(book) - sku.scale)
        to_id = book.account(_on(book, heading, Share(goods_id, account_id, qty), "reserved"))
        number = book.next_allocation()
        moved = qty if to_id != account_id else 0
        until = "" if wish.hold_until is None else str(wish.hold_until)
        book.move(Movement(goods_id, account_id, to_id, moved, 0, qty, number, row["line_id"], until))
        known = book.lines.get(row["line_id"])
        line = known or Line(row["line_id"], row["order_id"], book.catalog.named(row["sku"]).sku_id, row["_asked"],
                             details=_details(row), seq=book.seq + 1)  # fmt: skip
        book.put_line(line._replace(allocated=line.allocated + qty))
        unit = int(bool(book.goods[goods_id].serial))
        book.put_allocation(Allocation(number, line.line_id, goods_id, to_id, unit, qty, stage, wish.hold_until))
        made.append({"allocation_id": number, "stock_id": stock_id(goods_id, to_id), "qty": qty})
    return made


def _details(row: Mapping[str, Any]) -> str:
    known = ("line_id", "order_id", "sku", "qty")
    rest = {name: value for name, value in row.items() if name not in known and value is not None and name[0] != "_"}
    return json.dumps(rest, sort_keys=True, default=str, ensure_ascii=False, separators=(",", ":")) if rest else ""


def _told(
    book: Book, row: Mapping[str, Any], decided: tuple[int, str | None] | None, made: list[dict[str, Any]]
) -> dict[str, Any]:
    got = sum(each["qty"] for each in made)
    return {
        "line_id": row["line_id"], "requested": row["_asked"], "allocated": got, "short": row["qty"] - got,
        "reason": decided[1] if decided else None, "allocations": made,
    }  # fmt: skip
