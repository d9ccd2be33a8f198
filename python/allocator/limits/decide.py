"""Decides on requests that people raise: allowed, reduced or refused, with the figures."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from allocator import engine
from allocator.limits.inputs import prepare
from allocator.limits.keys import encode_moving
from allocator.limits.position import headroom, told
from allocator.limits.tables import KEY
from allocator.model.limits import QTY_MAX, Limits

COLUMNS = (
    "request_id",
    *KEY,
    "qty_requested",
    "decision",
    "qty_granted",
    "reason",
    "headroom_left",
    "rule",
    "units_max",
    "value_max",
    "pack",
    "rounding",
    "unit_cost",
    "on_hand",
    "reserved",
    "in_transit",
    "requested_open",
    "position",
    "headroom_units",
    "headroom_value",
    "headroom",
    "override_role",
    "override_reason",
)
REDUCE, REFUSE, PASS = range(3)


def check_requests(
    requests: Any,  # noqa: ANN401 - anything tabular
    stock: Any,  # noqa: ANN401
    limits: Limits,
    *,
    as_of: dt.date,
    in_transit: Any = None,  # noqa: ANN401
    open_requests: Any = None,  # noqa: ANN401
    skus: Any = None,  # noqa: ANN401
    rules: Any = None,  # noqa: ANN401
) -> pl.DataFrame:
    """Decides on every request against what the requests before it have left of the headroom of its key.

    Requests are served by `priority` (lower first), `requested_at` (null last), `request_id`. The headroom in whole
    packs is what `replenish` would propose without a trigger. One that fits is allowed; one above it is refused or
    reduced (`limits.above_limit`), unless a role that may override asks for it, with a reason. This function
    believes `override_role`: fill it from whoever was authenticated, never from the request's own text.

    Args:
        requests: One row per request line: `request_id` (unique), `bu`, `asp`, `sku`, `qty` (above zero);
            optional `priority` Int64 (0), `requested_at` Date or Datetime, `override_role`, `override_reason`.
        stock: As for `replenish`; likewise `limits`, `as_of`, `in_transit`, `skus` and `rules`.
        limits: The document of limits.
        as_of: The day on which receipts and expiry are judged.
        in_transit: Shipments on their way.
        open_requests: Requests decided on before and not yet shipped, without those that are checked now.
        skus: Group, unit cost and pack of each SKU.
        rules: More limits, one a row.

    Returns:
        One row per request, in the order of service: `decision` (`allowed`, `reduced`, `refused`), `qty_granted`,
        `reason` (null: it fits; `above_limit`, `broken_pack`, `no_rule`, `override`, `override_not_allowed`,
        `override_without_reason`), `headroom_left`: units in whole packs that its key had left at its turn (null
        without a rule); then the rule and the figures of its key, as in `replenish`.

    Raises:
        InputError: As `replenish`, and `request_already_open`.

    Example:
        >>> import datetime as dt
        >>> stock = pl.DataFrame({"bu": ["service"], "asp": ["ASP-01"], "sku": ["VALVE"], "qty_on_hand": [5]})
        >>> requests = stock.select("bu", "asp", "sku", request_id=pl.lit("R-1"), qty=pl.lit(16))
        >>> limits = Limits(rules=[{"name": "all", "units_max": 20}], above_limit="reduce")
        >>> out = check_requests(requests, stock, limits, as_of=dt.date(2026, 3, 1))
        >>> out.select("decision", "qty_granted", "reason").rows()
        [('reduced', 15, 'above_limit')]
    """
    tables, scale = prepare(
        limits,
        as_of,
        requests=requests,
        stock=stock,
        in_transit=in_transit,
        open_requests=open_requests,
        skus=skus,
        rules=rules,
    )
    moving, coded, keys = encode_moving(tables, tables["requests"])
    if coded["key"].n_unique() < keys.height:
        keys = keys.join(coded, on="key", how="semi", maintain_order="left")
        moving = {name: table.join(keys, on="key", how="semi") for name, table in moving.items()}
    left = headroom(tables | moving, keys, limits.on_hand, as_of)
    served = (
        coded.sort("priority", "requested_at", "request_id", nulls_last=True)
        .join(left.with_row_index("place"), on="key", how="left", maintain_order="left")
        .with_columns(qty_asked=_whole_packs(limits), override=_override(limits))
        .with_columns(above=_above(limits))
    )
    open_end = QTY_MAX if limits.without_rule == "allow" else 0
    headroom_left, granted = engine.grant_requests(
        served["place"], served["qty_asked"], served["above"], left["headroom_packs"].fill_null(open_end)
    )
    ruled = pl.col("rule").is_not_null()
    answer = (
        served.rename({"qty": "qty_requested"})
        .with_columns(headroom_left=headroom_left, qty_granted=granted)
        .with_columns(headroom_left=pl.when(ruled).then("headroom_left"), reason=_reason(limits), decision=_decision())
        .select(COLUMNS)
    )
    return told(answer, scale)


def _whole_packs(limits: Limits) -> pl.Expr:
    """What can be granted at most: broken packs are cut off or, where requests are not reduced, refused."""
    qty, rest = pl.col("qty"), pl.col("qty") % pl.col("pack")
    return qty - rest if limits.above_limit == "reduce" else pl.when(rest == 0).then(qty).otherwise(0)


def _override(limits: Limits) -> pl.Expr:
    """`granted`, or why an override that is asked for does not count; null where none is asked for."""
    if limits.override is None:
        valid, roles = pl.lit(value=False), []
    else:
        unexplained = pl.col("override_reason").fill_null("").str.strip_chars() == ""
        valid, roles = ~unexplained | (not limits.override.reason_required), list(limits.override.roles)
    return (
        pl.when(pl.col("override_role").is_null())
        .then(None)
        .when(~pl.col("override_role").is_in(roles))
        .then(pl.lit("override_not_allowed"))
        .when(~valid)
        .then(pl.lit("override_without_reason"))
        .otherwise(pl.lit("granted"))
    )


def _above(limits: Limits) -> pl.Expr:
    """What the kernel does with a request above its headroom. One that asks for an override in vain is refused."""
    otherwise = REDUCE if limits.above_limit == "reduce" else REFUSE
    return (
        pl.when((pl.col("override") == "granted") & pl.col("rule").is_not_null())
        .then(PASS)
        .when(pl.col("override").is_not_null())
        .then(REFUSE)
        .otherwise(otherwise)
        .cast(pl.UInt8)
    )


def _reason(limits: Limits) -> pl.Expr:
    """Why a request got what it got, from a closed list; null where it simply fits."""
    asked, left = pl.col("qty_asked"), pl.col("headroom_left")
    no_rule = pl.col("rule").is_null() & (limits.without_rule == "refuse")
    return (
        pl.when(no_rule)
        .then(pl.lit("no_rule"))
        .when((asked > left) & (pl.col("override") == "granted"))
        .then(pl.lit("override"))
        .when((asked > left) & pl.col("override").is_not_null())
        .then("override")
        .when(asked > left)
        .then(pl.lit("above_limit"))
        .when(asked < pl.col("qty_requested"))
        .then(pl.lit("broken_pack"))
    )


def _decision() -> pl.Expr:
    return (
        pl.when(pl.col("qty_granted") == pl.col("qty_requested"))
        .then(pl.lit("allowed"))
        .when(pl.col("qty_granted") > 0)
        .then(pl.lit("reduced"))
        .otherwise(pl.lit("refused"))
    )
