"""Proposes requests: how much of every SKU a partner may ask for, and how much it should."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from allocator.limits.inputs import prepare
from allocator.limits.keys import encode_moving
from allocator.limits.position import headroom, told
from allocator.limits.rules import keys_named
from allocator.limits.tables import KEY
from allocator.model.limits import Limits

COLUMNS = (
    *KEY,
    "rule",
    "units_max",
    "value_max",
    "trigger",
    "pack",
    "rounding",
    "unit_cost",
    "on_hand",
    "reserved",
    "in_transit",
    "requested_open",
    "not_counted_status",
    "not_counted_blocked",
    "not_counted_expired",
    "position",
    "headroom_units",
    "headroom_value",
    "headroom",
    "limited_by",
    "triggered",
    "qty_proposed",
    "rounded_by",
    "reason",
)


def replenish(
    stock: Any,  # noqa: ANN401 - anything tabular
    limits: Limits,
    *,
    as_of: dt.date,
    in_transit: Any = None,  # noqa: ANN401
    open_requests: Any = None,  # noqa: ANN401
    skus: Any = None,  # noqa: ANN401
    assortment: Any = None,  # noqa: ANN401
    rules: Any = None,  # noqa: ANN401
) -> pl.DataFrame:
    """Proposes a request for every (bu, asp, sku), up to the limit that holds for it.

    Headroom is the limit less the position, in units and in value; the tighter counts. The position is what counts
    as on hand (`limits.on_hand`), what is in transit and what is requested. A proposal is the headroom in whole
    packs, if the position is at or below the trigger. Proposals that come back as open requests are not proposed
    again. Frames are polars (eager or lazy) or anything with an Arrow stream; quantities and money are
    integers or Decimal, floats are refused. Keys are strings or integers. `docs/limits.md` has the whole of it.

    Args:
        stock: One row per serialized unit or lot balance: `bu`, `asp`, `sku`, `qty_on_hand`; optional
            `qty_reserved` (0), `status` ("available"), `condition` ("new"), `blocked` Boolean (false),
            `received_on` Date (after `as_of` it is in transit), `expires_on` Date (null never expires), `unit_cost`
            (null takes the SKU's), `stock_id` (unique).
        limits: The document of limits.
        as_of: The day on which receipts and expiry are judged.
        in_transit: One row per shipment: `bu`, `asp`, `sku`, `qty`; optional `unit_cost`.
        open_requests: One row per request that is open: `bu`, `asp`, `sku`, `qty`; optional `unit_cost`, `request_id`.
        skus: One row per SKU: `sku`; optional `sku_group`, `unit_cost`, `pack`. A limit in value needs `unit_cost`.
        assortment: One row per `bu`, `asp`, `sku` to be looked at though nothing is there. A rule that names all
            three does the same.
        rules: More limits, one a row, columns as the settings of a rule; a null key is any.

    Returns:
        One row per key that is in stock, in transit, requested, in the assortment or named in full by a rule,
        ordered by `bu`, `asp`, `sku`: the rule that holds and its settings (null without a rule), `unit_cost`; the
        units `on_hand`, `reserved`, `in_transit`, `requested_open`, `position`, and what is there and not counted;
        `headroom_units`, `headroom_value` (null where the rule has no such limit; below zero above it) and
        `headroom`, the whole units (or steps of decimals) that fit under both; `limited_by` (`units` or `value`);
        `triggered`;
        `qty_proposed`, 0 or more; `rounded_by`, how far packs moved it from the headroom; `reason`: `proposed`,
        `no_rule`, `at_limit`, `above_trigger` or `less_than_a_pack`. Units are Int64, or Decimal if a table
        has decimals.

    Raises:
        InputError: `table_unreadable`, `column_missing`, `column_type`, `mixed_keys`, `value_null`,
            `value_overflow`, `qty_out_of_range`, `money_out_of_range`, `money_too_fine`, `id_duplicate`,
            `reserved_above_on_hand`, `argument_type`; about rules `limit_empty`, `trigger_above_limit`,
            `rounding_unknown`, `limit_conflict`; `unit_cost_missing`. All that can be found at once.

    Example:
        >>> import datetime as dt
        >>> stock = pl.DataFrame({"bu": ["service"], "asp": ["ASP-01"], "sku": ["VALVE"], "qty_on_hand": [0]})
        >>> limits = Limits(rules=[{"name": "all", "units_max": 20, "pack": 3}])
        >>> replenish(stock, limits, as_of=dt.date(2026, 3, 1))["qty_proposed"].to_list()
        [18]
    """
    tables, scale = prepare(
        limits,
        as_of,
        stock=stock,
        in_transit=in_transit,
        open_requests=open_requests,
        skus=skus,
        assortment=assortment,
        rules=rules,
    )
    assorted = tables["assortment"]
    named = keys_named(tables["rules"], assorted.schema)
    moving, _, keys = encode_moving(tables, pl.concat([assorted, named]))
    left = headroom(tables | moving, keys, limits.on_hand, as_of)
    triggered = pl.col("rule").is_not_null() & (pl.col("position") <= pl.col("trigger")).fill_null(value=True)
    reason = (
        pl.when(pl.col("rule").is_null())
        .then(pl.lit("no_rule"))
        .when(pl.col("headroom") <= 0)
        .then(pl.lit("at_limit"))
        .when(~pl.col("triggered"))
        .then(pl.lit("above_trigger"))
        .when(pl.col("headroom_packs") == 0)
        .then(pl.lit("less_than_a_pack"))
        .otherwise(pl.lit("proposed"))
    )
    answer = (
        left.with_columns(triggered=triggered)
        .with_columns(reason=reason)
        .with_columns(
            qty_proposed=pl.when(pl.col("reason") == "proposed").then("headroom_packs").otherwise(0),
        )
        .with_columns(
            rounded_by=pl.when(pl.col("reason") == "proposed")
            .then(pl.col("qty_proposed") - pl.col("headroom"))
            .otherwise(0)
        )
        .select(COLUMNS)
    )
    return told(answer, scale)
