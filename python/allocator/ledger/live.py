"""Live stock and waiting lines as the tables that the engine takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from allocator.ledger.book import Book
from allocator.ledger.records import Goods, Sku, day_of
from allocator.ledger.selection import stock_id
from allocator.model.order import Key
from allocator.model.policy import Policy
from allocator.result import Result, allocate

STOCK: Final[dict[str, Any]] = {
    "stock_id": pl.Int64, "sku": pl.String, "location": pl.String, "qty_on_hand": pl.Int64, "qty_reserved": pl.Int64,
    "received_on": pl.Date, "expires_on": pl.Date, "lot": pl.String, "serial": pl.String, "owner": pl.String,
    "condition": pl.String, "status": pl.String, "blocked": pl.Boolean, "stock_class": pl.String,
    "unit_cost": pl.Decimal(38, 6),
}  # fmt: skip
"""The columns of live stock, as `allocate` takes them."""

TURN: Final = "turn"
"""The demand column that says whose wish came first, where several are decided together."""


def decide(book: Book, rows: Sequence[Mapping[str, Any]], policy: Policy, day: int) -> Result:
    """Runs the engine on what the book holds for the SKUs of some lines, and their substitutes."""
    skus = {row["_sku"].sku: row["_sku"] for row in rows}
    for entry in policy.substitutes:
        for name in (entry.sku, entry.substitute):
            if sku := book.catalog.find(name):
                skus[name] = sku
    scale = max(sku.scale for sku in skus.values())
    together = rows[-1]["_turn"] > 0
    return allocate(
        _stock(book, skus, scale), _demand(rows, scale, together=together), _policy(policy, skus, together=together),
        as_of=day_of(day),
    )  # fmt: skip


def units_of(book: Book, rows: Sequence[Mapping[str, Any]]) -> Callable[[int, int | Decimal], int]:
    """How a quantity that the engine gives of some goods is counted."""

    def size(goods_id: int, qty: int | Decimal) -> int:
        return qty if isinstance(qty, int) else int(qty.scaleb(book.catalog.sku(book.goods[goods_id].sku_id).scale))

    return size


def _stock(book: Book, skus: Mapping[str, Sku], scale: int) -> pl.DataFrame:
    rows = []
    for name in sorted(skus):
        sku = skus[name]
        for goods in book.goods_of(sku.sku_id):
            for account_id in book.accounts_of[goods.goods_id]:
                if book.catalog.accounts[account_id].kind == "stock":
                    rows.append(_row(book, sku, goods, account_id, scale))
    frame = pl.DataFrame(rows, schema=STOCK, orient="row")
    return frame if scale == 0 else frame.with_columns(_decimal(pl.col("qty_on_hand", "qty_reserved"), scale))


def _decimal(column: pl.Expr, scale: int) -> pl.Expr:
    return column.cast(pl.Decimal(38, 0)) * pl.lit(Decimal(1).scaleb(-scale))


def _row(book: Book, sku: Sku, goods: Goods, account_id: int, scale: int) -> tuple[Any, ...]:
    account = book.catalog.accounts[account_id]
    step = 10 ** (scale - sku.scale)
    qty, reserved = book.free(goods.goods_id, account_id)
    return (
        stock_id(goods.goods_id, account_id), sku.sku, account.location or None, qty * step, reserved * step,
        day_of(goods.received_on), None if goods.expires_on is None else day_of(goods.expires_on), goods.lot or None,
        goods.serial or None, account.owner or None, account.condition or None, account.status, bool(account.blocks),
        goods.stock_class or None, Decimal(goods.unit_cost) if goods.unit_cost else None,
    )  # fmt: skip


def _demand(rows: Sequence[Mapping[str, Any]], scale: int, *, together: bool) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row if name[0] != "_" and name != "qty")
    columns = {name: pl.Series(name, [row.get(name) for row in rows], strict=False) for name in names}
    wanted = [row["qty"] * 10 ** (scale - row["_sku"].scale) for row in rows]
    frame = pl.DataFrame({**columns, "qty": pl.Series(wanted, dtype=pl.Int64)})
    if scale:
        frame = frame.with_columns(_decimal(pl.col("qty"), scale))
    return frame.with_columns(pl.Series(TURN, [row["_turn"] for row in rows])) if together else frame


def _policy(policy: Policy, skus: Mapping[str, Sku], *, together: bool) -> Policy:
    """The policy; one that names no statuses takes those that the lifecycles call allocatable."""
    update: dict[str, Any] = {}
    if "statuses" not in policy.model_fields_set:
        lifecycles = {sku.lifecycle.name: sku.lifecycle for sku in skus.values()}
        names = {name for lifecycle in lifecycles.values() for name in lifecycle.statuses_allocatable}
        update["statuses"] = tuple(sorted(names))
    if together:
        update["demand_order"] = (Key(column=TURN), *policy.demand_order)
    return policy.model_copy(update=update) if update else policy
