"""What a partner has and expects of every SKU, the limit that holds for it, and the headroom that is left."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.quantity import in_base_units
from allocator.limits.rules import match
from allocator.model.limits import MONEY_SCALE, QTY_MAX, OnHand

PLACES = ("not_counted_status", "not_counted_blocked", "not_counted_expired", "in_transit", "on_hand")
"""Where the units of a stock row count: the first that applies, from the left."""

COUNTS = (*PLACES, "reserved", "requested_open")
"""Units per key, by what they are."""


UNITS = (
    *COUNTS,
    *("units_max", "trigger", "pack", "position", "headroom_units", "headroom", "headroom_left"),
    *("qty_proposed", "rounded_by", "qty_requested", "qty_granted"),
)
"""The columns of answers that are quantities."""


def headroom(tables: dict[str, pl.DataFrame], keys: pl.DataFrame, on_hand: OnHand, as_of: dt.date) -> pl.DataFrame:
    """One row per key, in the order of `keys` (key, bu, asp, sku): its position, its rule, and what that leaves.

    Raises:
        InputError: A value limit holds for a SKU without a unit cost above zero.
    """
    rules = tables["rules"]
    in_value = rules["value_max"].is_not_null().any()
    known = _position(tables, keys, on_hand, as_of, in_value).join(
        tables["skus"], on="sku", how="left", maintain_order="left"
    )
    chosen = rules.select("rule_row", "units_max", "value_max", "trigger", "rounding", rule="name", rule_pack="pack")
    ruled = match(known, rules).join(chosen, on="rule_row", how="left", maintain_order="left")
    unpriced = ruled.filter(pl.col("value_max").is_not_null(), ~(pl.col("unit_cost").fill_null(0) > 0))
    if unpriced.height:
        raise InputError(cost_missing(sku) for sku in unpriced["sku"].unique(maintain_order=True))
    return _left(ruled)


def told(answer: pl.DataFrame, scale: int) -> pl.DataFrame:
    """An answer in base units and money of them, of one in steps of 10^-scale."""
    if not scale:
        return answer
    units = [in_base_units(answer[name], scale).alias(name) for name in UNITS if name in answer.columns]
    step = Decimal(1).scaleb(-scale)
    money = [
        (answer[name].cast(pl.Decimal(38, MONEY_SCALE + scale)) * step).alias(name)
        for name in ("value_max", "headroom_value")
    ]
    return answer.with_columns(*units, *money)


def cost_missing(sku: object) -> Problem:
    """What is said of a SKU that a limit in value holds for, and that is worth nothing that is known."""
    message = "a limit in value holds for this SKU, which has no unit cost above zero"
    hint = "Give it a unit_cost in the table skus, or limit it in units only"
    return Problem("unit_cost_missing", message, "skus", "unit_cost", value=str(sku), hint=hint)


def _position(
    tables: dict[str, pl.DataFrame], keys: pl.DataFrame, on_hand: OnHand, as_of: dt.date, in_value: bool
) -> pl.DataFrame:
    """Units by what they are and, where a rule limits value, their money: zero where there is nothing."""
    qty = pl.col("qty")
    parts = [_stock(tables["stock"], on_hand, as_of, in_value)]
    for table, column in (("in_transit", "in_transit"), ("open_requests", "requested_open")):
        if tables[table].height:
            parts.append(tables[table].group_by("key").agg(qty.sum().alias(column), **_money(qty, in_value)))
    columns = [*COUNTS, *_money(qty, in_value)]
    sums = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")
    if len(parts) > 1:
        sums = sums.group_by("key").agg(pl.all().sum())
    absent = [pl.lit(0, dtype=pl.Int64).alias(name) for name in columns if name not in sums.columns]
    promised = 0 if on_hand.reserved else pl.col("reserved")
    return (
        keys.join(sums.with_columns(absent), on="key", how="left", maintain_order="left")
        .with_columns(pl.col(columns).fill_null(0))
        .with_columns(position=pl.col("on_hand") + pl.col("in_transit") + pl.col("requested_open") - promised)
    )


def _stock(stock: pl.DataFrame, on_hand: OnHand, as_of: dt.date, in_value: bool) -> pl.DataFrame:
    """Every unit counts once: under the first cause that leaves it out, or as expected, or as on hand."""
    last_usable_is_past = pl.col("expires_on") < as_of if on_hand.usable == "through" else pl.col("expires_on") <= as_of
    usable = pl.col("status").is_in(on_hand.statuses) & pl.col("condition").is_in(on_hand.conditions)
    blocked = pl.col("blocked") if not on_hand.blocked else pl.lit(value=False)
    expired = last_usable_is_past if not on_hand.expired else pl.lit(value=False)
    place = (
        pl.when(~usable.fill_null(value=False))
        .then(pl.lit(0, dtype=pl.UInt8))
        .when(blocked)
        .then(pl.lit(1, dtype=pl.UInt8))
        .when(expired)
        .then(pl.lit(2, dtype=pl.UInt8))
        .when(pl.col("received_on") > as_of)
        .then(pl.lit(3, dtype=pl.UInt8))
        .otherwise(pl.lit(4, dtype=pl.UInt8))
    )
    qty, promised = pl.col("qty_on_hand"), pl.col("qty_reserved")
    counts = pl.col("place") >= PLACES.index("in_transit")
    placed = stock.with_columns(place=place).with_columns(
        counted=_where(counts, qty if on_hand.reserved else qty - promised)
    )
    # A cause that no row has costs no sum: `_position` knows it as zero.
    found = {PLACES[number]: number for number in placed["place"].unique()}
    sums = {name: _where(pl.col("place") == number, qty).sum() for name, number in found.items()}
    if (placed["qty_reserved"] > 0).any():
        sums["reserved"] = _where(counts, promised).sum()
    return placed.group_by("key").agg(**sums, **_money(pl.col("counted"), in_value))


def _where(condition: pl.Expr, qty: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(qty).otherwise(0)


def _money(qty: pl.Expr, in_value: bool) -> dict[str, pl.Expr]:
    """`value` of what has its own unit cost, and `qty_unpriced` of what takes the SKU's; nothing where none asks."""
    own = pl.col("unit_cost")
    return {"value": (own * qty).sum(), "qty_unpriced": _where(own.is_null(), qty).sum()} if in_value else {}


def _left(ruled: pl.DataFrame) -> pl.DataFrame:
    """Headroom as the rule gives it, in whole units that fit under both limits, and in whole packs."""
    value = pl.lit(0)
    if "value" in ruled.columns:
        value = pl.col("value") + pl.col("unit_cost") * pl.col("qty_unpriced")
    by_value = (pl.col("headroom_value").to_physical() // pl.col("unit_cost").to_physical()).clip(-QTY_MAX, QTY_MAX)
    return (
        ruled.with_columns(pack=pl.coalesce("rule_pack", "pack", 1))
        .with_columns(
            headroom_units=pl.col("units_max") - pl.col("position"),
            headroom_value=pl.col("value_max") - value,
        )
        .with_columns(units_by_value=by_value.cast(pl.Int64))
        .with_columns(
            headroom=pl.min_horizontal("headroom_units", "units_by_value"),
            limited_by=pl.when(pl.col("rule").is_null())
            .then(None)
            .when(pl.col("units_by_value") < pl.col("headroom_units"))
            .then(pl.lit("value"))
            .when(pl.col("headroom_units").is_null())
            .then(pl.lit("value"))
            .otherwise(pl.lit("units")),
        )
        .with_columns(headroom_packs=in_packs(pl.col("headroom").clip(0), pl.col("pack"), pl.col("rounding")))
    )


def in_packs(qty: pl.Expr, pack: pl.Expr, rounding: pl.Expr) -> pl.Expr:
    """`qty`, which is not negative, in whole packs."""
    rest = qty % pack
    up = (
        pl.when(rounding == "always_reach")
        .then(rest > 0)
        .when(rounding == "nearest")
        .then(2 * rest > pack)
        .otherwise(pl.lit(value=False))
    )
    return qty - rest + pl.when(up).then(pack).otherwise(0)
