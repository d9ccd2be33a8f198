"""What there is: balances by SKU, lot, place, status and owner, now or at any past moment; the stock as a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.lines import GREATEST, names_of
from allocator.ledger.records import OWNED, SOURCES, day_number
from allocator.ledger.rows import STOCK
from allocator.ledger.selection import ACCOUNT_BITS
from allocator.ledger.snapshot import At, Snapshot, blank_to_null, days, moments, snapshot
from allocator.ledger.views import EXCHANGED, SERVED
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions

BY: Final = ("sku", "lot", "serial", "location", "status", "condition", "owner", "holder", "blocks")
"""What balances can be told by."""

MEASURES: Final = ("on_hand", "reserved", "available", "blocked", "in_transit", "dispatched", "rentals", "owned")
"""What is told, each a quantity."""

_NOW: Final = "SELECT tenant, goods_id, account_id, sku_id, qty, reserved FROM balance WHERE tenant = :tenant"

# What is there now, less what came since, and with what went since.
_THEN: Final = """
    SELECT c.tenant, c.goods_id, c.account_id, h.sku_id, CAST(SUM(c.qty) AS BIGINT) AS qty,
        CAST(SUM(c.reserved) AS BIGINT) AS reserved
    FROM (
        SELECT tenant, goods_id, account_id, qty, reserved FROM balance WHERE tenant = :tenant
        UNION ALL SELECT tenant, goods_id, from_id, qty, unreserved FROM entry WHERE tenant = :tenant AND seq > :seq
        UNION ALL SELECT tenant, goods_id, to_id, -qty, -reserved FROM entry WHERE tenant = :tenant AND seq > :seq
    ) c JOIN goods h ON h.tenant = c.tenant AND h.goods_id = c.goods_id
    GROUP BY c.tenant, c.goods_id, c.account_id, h.sku_id HAVING SUM(c.qty) > 0
"""


def balances(
    ledger: Questions,
    by: str | Sequence[str] = ("sku",),
    *,
    at: At = None,
    on: dt.date | None = None,
    skus: str | Sequence[str] | None = None,
) -> pl.DataFrame:
    """What there is: one row per combination of what is named in `by`, in their order; see `Ledger.balances`."""
    by = names_of(by)
    unknown = [name for name in by if name not in BY]
    if unknown or len(set(by)) < len(by):
        problems = [
            Problem("argument_value", "balances are not told by this", column="by", value=str(name)[:80],
                    hint=did_you_mean(str(name), list(BY)) or f"There are {', '.join(BY)}")
            for name in unknown
        ]  # fmt: skip
        raise InputError(problems or Problem("argument_value", "a name comes twice", column="by", value=", ".join(by)))
    with snapshot(ledger, at) as moment:
        held = _held(moment, by, _day_of(on, at), skus)
        measured = moment.exact(_measured(held, moment), *MEASURES)
    told = _summed(measured, by)
    if not by:
        return told
    return told.filter(pl.any_horizontal(pl.col(*MEASURES) != 0)).sort(by, nulls_last=True)


def _summed(measured: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The sums of every measure: what a SKU comes to fits in 64 bits, and what several come to may not.

    Raises:
        InputError: `value_overflow`.
    """
    dtype = measured.schema["on_hand"]
    wide = pl.Int128 if dtype.is_integer() else dtype
    sums = [pl.col(name).cast(wide).sum() for name in MEASURES]
    told = measured.group_by(by).agg(sums) if by else measured.select(sums)
    if dtype.is_integer() and told.select((pl.max_horizontal(*MEASURES) > GREATEST).any()).item():
        message, hint = "together, the quantities of several SKUs are more than 2⁶³ - 1", "Have them told by sku, too"
        raise InputError(Problem("value_overflow", message, column="by", value=", ".join(by), hint=hint))
    return told.cast(dict.fromkeys(MEASURES, dtype))


def _day_of(on: dt.date | None, at: At) -> dt.date:
    """The day on which is looked whether goods are expired: that of the moment, or today."""
    if on is not None:
        return on
    if isinstance(at, dt.datetime):
        return at.astimezone(dt.UTC).date() if at.tzinfo else at.date()
    return at if isinstance(at, dt.date) else dt.datetime.now(dt.UTC).date()


def _held(moment: Snapshot, by: Sequence[str], day: dt.date, skus: str | Sequence[str] | None) -> pl.DataFrame:
    """Steps by SKU, account and what of `by` the goods know; `good` is what of the unreserved has not expired."""
    now = moment.seq == moment.head
    of_goods = {"lot": "g.lot", "serial": "COALESCE(n.value, g.serial)"}
    told = {name: of_goods[name] for name in by if name in of_goods}
    number = (
        "LEFT JOIN number n ON n.tenant = g.tenant AND n.goods_id = g.goods_id AND n.kind = 'serial' "
        "AND n.until_seq IS NULL "
        if "serial" in by
        else ""
    )
    keys = ", ".join(["b.sku_id", "b.account_id", *told.values()])
    only = "" if skus is None else "WHERE b.sku_id = ANY(:ids) "
    good = "CASE WHEN g.expires_on IS NULL OR g.expires_on >= :day THEN b.qty - b.reserved ELSE 0 END"
    sums = ", ".join(f"CAST(SUM({each}) AS BIGINT)" for each in ("b.qty", "b.reserved", good))
    sql = (
        f"SELECT {keys}, {sums} FROM ({_NOW if now else _THEN}) b "
        f"JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id {number}{only}GROUP BY {keys}"
    )
    schema: dict[str, Any] = {"sku_id": pl.Int64, "account_id": pl.Int64} | dict.fromkeys(told, pl.String)
    schema |= dict.fromkeys(("qty", "reserved_all", "good"), pl.Int64)
    params: dict[str, Any] = {"day": day_number(day)}
    if not now:
        params["seq"] = moment.seq
    if skus is not None:
        params["ids"] = moment.sku_ids(skus)
    return moment.frame(sql, schema, **params).with_columns(blank_to_null(name) for name in told)


def _measured(held: pl.DataFrame, moment: Snapshot) -> pl.DataFrame:
    """Every measure of every row, with all that it can be told by."""
    marked = moment.allocatable.with_columns(may=pl.lit(True))
    rows = (
        held.join(moment.accounts, on="account_id")
        .filter(~pl.col("kind").is_in(sorted(SOURCES)))
        .join(moment.skus.drop("settings", "tracking"), on="sku_id")
        .join(marked, on=["lifecycle", "status"], how="left")
    )
    kind, ours = pl.col("kind"), pl.col("owner").is_null()
    stock, free = kind == "stock", pl.col("blocks").is_null()

    def where(test: pl.Expr, measure: str = "qty") -> pl.Expr:
        return pl.when(test).then(measure).otherwise(0)

    return rows.with_columns(
        on_hand=where(stock),
        reserved=where(stock, "reserved_all"),
        available=where(stock & free & pl.col("may").fill_null(value=False), "good"),
        blocked=where(stock & ~free),
        in_transit=where(kind == "transit"),
        dispatched=where((kind == "customer") & ours),
        rentals=where((kind == "rental") & ours),
        owned=where(ours & kind.is_in(OWNED)),
    )


def stock(ledger: Questions, *, skus: str | Sequence[str] | None = None, at: At = None) -> pl.DataFrame:
    """The stock as `allocate` takes it; see `Ledger.stock`."""
    with snapshot(ledger, at) as moment:
        now = moment.seq == moment.head
        only = "" if skus is None else "AND b.sku_id = ANY(:ids) "
        sql = (
            "SELECT b.goods_id, b.account_id, b.sku_id, b.qty, b.reserved, g.received_on, g.expires_on, g.lot, "
            f"COALESCE(n.value, g.serial), g.stock_class, g.unit_cost FROM ({_NOW if now else _THEN}) b "
            "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id AND a.kind = 'stock' "
            "JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id "
            "LEFT JOIN number n ON n.tenant = g.tenant AND n.goods_id = g.goods_id AND n.kind = 'serial' "
            f"AND n.until_seq IS NULL WHERE b.tenant = :tenant {only}"
        )
        numbers = ("goods_id", "account_id", "sku_id", "qty_on_hand", "qty_reserved", "received_on", "expires_on")
        schema: dict[str, Any] = dict.fromkeys(numbers, pl.Int64)
        schema |= dict.fromkeys(("lot", "serial", "stock_class", "unit_cost"), pl.String)
        params: dict[str, Any] = {} if now else {"seq": moment.seq}
        if skus is not None:
            params["ids"] = moment.sku_ids(skus)
        found = moment.frame(sql, schema, **params)
        rows = found.join(moment.accounts, on="account_id").join(moment.skus, on="sku_id")
        rows = moment.exact(rows, "qty_on_hand", "qty_reserved")
    return rows.select(
        stock_id=pl.col("goods_id") * (1 << ACCOUNT_BITS) + pl.col("account_id"),
        sku="sku",
        location="location",
        qty_on_hand="qty_on_hand",
        qty_reserved="qty_reserved",
        received_on=days("received_on"),
        expires_on=days("expires_on"),
        lot=blank_to_null("lot"),
        serial=blank_to_null("serial"),
        owner="owner",
        condition="condition",
        status="status",
        blocked=pl.col("blocks").is_not_null(),
        stock_class=blank_to_null("stock_class"),
        unit_cost=blank_to_null("unit_cost").cast(STOCK["unit_cost"]),
    ).sort("stock_id")


def lines(ledger: Questions) -> pl.DataFrame:
    """The demand lines that ever had stock; see `Ledger.lines`."""
    schema: dict[str, Any] = {"line_id": pl.String, "order_id": pl.String, "sku_id": pl.Int64}
    schema |= dict.fromkeys(("requested", "allocated", "shipped", "returned"), pl.Int64) | {"details": pl.String}
    with snapshot(ledger) as moment:
        sql = (
            "SELECT line_id, order_id, sku_id, qty, allocated, shipped, returned, details FROM line "
            "WHERE tenant = :tenant"
        )
        rows = moment.frame(sql, schema).join(moment.skus.select("sku_id", "sku", "scale"), on="sku_id")
        rows = rows.with_columns(short=pl.col("requested") - pl.col("allocated") - pl.col("shipped"))
        rows = moment.exact(rows, "requested", "allocated", "shipped", "returned", "short")
    return rows.select(
        "line_id", "order_id", "sku", "requested", "allocated", "shipped", "returned", "short",
        blank_to_null("details"),
    ).sort("line_id")  # fmt: skip


def allocations(ledger: Questions) -> pl.DataFrame:
    """The open promises; see `Ledger.allocations`."""
    numbers = ("allocation_id", "goods_id", "account_id", "sku_id", "asked_id", "qty", "qty_served", "expires_at")
    texts = ("line_id", "order_id", "lot", "serial", "stage")
    schema: dict[str, Any] = dict.fromkeys(numbers, pl.Int64) | dict.fromkeys(texts, pl.String)
    with snapshot(ledger) as moment:
        sql = (
            f"SELECT o.allocation_id, o.goods_id, o.account_id, g.sku_id, l.sku_id, o.qty, {SERVED}, "
            "o.expires_at, o.line_id, l.order_id, g.lot, COALESCE(n.value, g.serial), o.stage FROM allocation o "
            "JOIN line l ON l.tenant = o.tenant AND l.line_id = o.line_id "
            "JOIN goods g ON g.tenant = o.tenant AND g.goods_id = o.goods_id "
            f"{EXCHANGED} LEFT JOIN number n ON n.tenant = g.tenant AND n.goods_id = g.goods_id AND n.kind = 'serial' "
            "AND n.until_seq IS NULL WHERE o.tenant = :tenant"
        )
        rows = moment.frame(sql, schema).join(moment.accounts, on="account_id")
        rows = moment.exact(rows.join(moment.skus.select("sku_id", "sku", "scale"), on="sku_id"), "qty")
        asked = moment.skus.select("scale", asked_id="sku_id")
        rows = moment.exact(rows.drop("scale").join(asked, on="asked_id"), "qty_served")
    return rows.select(
        "allocation_id", "line_id", "order_id",
        (pl.col("goods_id") * (1 << ACCOUNT_BITS) + pl.col("account_id")).alias("stock_id"),
        "sku", blank_to_null("lot"), blank_to_null("serial"), "location", "status", "qty", "qty_served", "stage",
        "blocks", moments("expires_at"),
    ).sort("allocation_id")  # fmt: skip
