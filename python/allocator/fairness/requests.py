"""A warehouse's stock over the requests of its partners, each within its limits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl

from allocator.errors import InputError
from allocator.fairness.share import share
from allocator.fairness.tables import Tables, needed
from allocator.frames.findings import Check
from allocator.limits import check_requests
from allocator.model.fair_share import SHARE_REASONS, FairShare
from allocator.model.limits import Limits
from allocator.model.tables import Column

PRIORITY = Column("priority", "integer", "", absent=0)

PURPOSES = ("breakdown", "base_stock", "top_up")
"""What a request is for, in the order in which headroom is granted."""

LIMIT_REASONS = (
    "above_limit",
    "broken_pack",
    "no_rule",
    "override",
    "override_not_allowed",
    "override_without_reason",
)
REASON = pl.Enum([*LIMIT_REASONS, *SHARE_REASONS])
"""Why a request gets less than it asks: of the limits if they grant less, else of the share."""


def share_requests(
    supply: Any,  # noqa: ANN401 - anything tabular
    requests: Any,  # noqa: ANN401
    stock: Any,  # noqa: ANN401
    limits: Limits,
    rule: FairShare | None = None,
    *,
    as_of: dt.date,
    **tables: Any,  # noqa: ANN401
) -> pl.DataFrame:
    """Shares a warehouse's stock among requests of partners: breakdowns first, then base stock, then top-up.

    First the headroom of each (bu, asp, sku) is granted to its requests in that order (then `priority`,
    `requested_at`, `request_id`), exactly as `check_requests` does; then what the warehouse has of each SKU is shared
    by the rule, to each request at most what it was granted. For `equal_cover` the target is the tighter limit in
    units and `on_hand` the position that it is held against; each request counts by itself.

    Args:
        supply: What the warehouse has: `sku`, `qty`.
        requests: One row per request, as for `check_requests`, with `purpose`: `breakdown`, `base_stock` or `top_up`.
        stock: What the partners have, as for `check_requests`.
        limits: Maximum stock limits.
        rule: How to share; the preset `requests` if left out. Its columns are those of the answer.
        as_of: The day on which receipts and expiry are judged.
        **tables: `in_transit`, `open_requests`, `skus`, `rules`, as for `check_requests`.

    Returns:
        One row per request, in the order of the division: `request_id`, `bu`, `asp`, `sku`, `purpose`, `priority`,
        `qty`, `qty_granted` within the limits, `share`, `short`, `reason` (Enum; that of the limits if they grant less
        than is asked, else that of the share; null if nothing is short), `tier`, and the figures `target` (the tighter
        limit in units), `position`, `headroom`, `headroom_left`, `pack`.

    Raises:
        InputError: As `check_requests` and `share`; `group_unknown`: a purpose that there is not; `column_reserved`.

    Example:
        >>> import datetime as dt
        >>> key = {"bu": ["B", "B"], "asp": ["A1", "A2"], "sku": ["PUMP", "PUMP"]}
        >>> asked = pl.DataFrame(key | {"request_id": [1, 2], "qty": [4, 4], "purpose": ["top_up", "breakdown"]})
        >>> limits = Limits(rules=[{"name": "all", "units_max": 5}])
        >>> stock = pl.DataFrame(key | {"qty_on_hand": [0, 0]})
        >>> out = share_requests({"sku": ["PUMP"], "qty": [6]}, asked, stock, limits, as_of=dt.date(2026, 3, 1))
        >>> out.select("request_id", "share", "reason").rows()
        [(2, 4, None), (1, 2, 'taken')]
    """
    rule = FairShare.load("requests") if rule is None else rule
    check: Callable[[Any], pl.DataFrame] = partial(check_requests, stock=stock, limits=limits, as_of=as_of, **tables)
    there, asked = _read(supply, requests, rule, check)
    rank = asked["purpose"].cast(pl.Enum(PURPOSES)).to_physical()
    urgency = asked["priority"] if "priority" in asked.columns else pl.Series([0]).new_from_index(0, asked.height)
    # One number that orders by purpose and then by priority, so that the limits are granted in that order.
    served = pl.select(pl.struct(rank.alias("rank"), urgency.alias("urgency")).rank("dense").cast(pl.Int64)).to_series()
    decided = check(asked.with_columns(priority=served))
    told = pl.DataFrame({"line_id": asked["request_id"], "purpose": asked["purpose"], "urgency": urgency})
    # What the position leaves up to the tighter limit is headroom; without a limit, all that is asked.
    target = pl.col("position") + pl.col("headroom").fill_null(pl.col("qty_requested"))
    named = told.with_columns(pl.col("line_id").cast(decided.schema["request_id"]))
    lines = decided.join(named, left_on="request_id", right_on="line_id", maintain_order="left").select(
        "request_id",
        "bu",
        "asp",
        "sku",
        "purpose",
        "pack",
        "position",
        "headroom",
        "headroom_left",
        line_id="request_id",
        priority="urgency",
        qty="qty_requested",
        qty_granted="qty_granted",
        qty_max="qty_granted",
        limited="reason",
        on_hand=pl.col("position").clip(0),
        target=target.clip(0),
    )
    shares = share(there, lines, rule)
    cut = pl.col("qty_granted") < pl.col("qty")
    at_grant = cut & (pl.col("share") == pl.col("qty_granted"))
    reason = pl.when(at_grant).then(pl.col("limited")).otherwise(pl.col("reason").cast(pl.String))
    columns = (
        "request_id",
        "bu",
        "asp",
        "sku",
        "purpose",
        "priority",
        "qty",
        "qty_granted",
        "share",
        "short",
        "reason",
    )
    figures = ("tier", "target", "position", "headroom", "headroom_left", "pack")
    return shares.with_columns(reason=reason.cast(REASON)).select(*columns, *figures)


def _read(
    supply: Any,  # noqa: ANN401 - anything tabular
    requests: Any,  # noqa: ANN401
    rule: FairShare,
    check: Callable[[Any], object],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Supply and requests as read; every problem of them, and of what limits look at, is raised at once."""
    tables = Tables()
    contract = {"request_id": needed("request_id", "id"), "purpose": needed("purpose", "text"), "priority": PRIORITY}
    tables.read("requests", requests, contract)
    pool = rule.pool if isinstance(rule, FairShare) else ()
    tables.read("supply", supply, {name: needed(name, "key") for name in pool} | {"qty": needed("qty", "quantity")})
    if "requests" in tables.frames and "purpose" in tables.frames["requests"].columns:
        known = pl.col("purpose").cast(pl.String).is_in(PURPOSES)
        unknown = Check("group_unknown", "purpose", ~known, "there is no such purpose", f"Use {', '.join(PURPOSES)}")
        tables.findings.run("requests", tables.frames["requests"], [unknown])
    if tables.findings.problems and "requests" in tables.raw:
        told = {(p.table, p.column, p.row) for p in tables.findings.problems}
        try:
            check(tables.raw["requests"])
        except InputError as error:
            tables.findings.problems += [p for p in error.problems if (p.table, p.column, p.row) not in told]
    tables.findings.raise_any()
    return tables.raw["supply"], tables.raw["requests"]
