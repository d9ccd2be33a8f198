"""How much lines may have: fair shares, quotas and protection, of what a first run could hand out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, NamedTuple, TypeVar

import polars as pl

from allocator.errors import AllocatorError
from allocator.fairness import ration, share
from allocator.frames.findings import Findings
from allocator.frames.prepare import Prepared
from allocator.model.dealing import CeilingLever, FairShares, Rations, StockLimits
from allocator.model.levers import Lever
from allocator.plan.spec import GATE, SERVED
from allocator.result import Result, quantity
from allocator.scenario.given import as_given, steps_within
from allocator.scenario.msl import granted
from allocator.scenario.part import REASON

T = TypeVar("T")


@dataclass(frozen=True)
class Ceilings:
    """What lines may have.

    Attributes:
        units: By the rows of demand (Int64, units in steps of the scale).
        reason: Why a line that has all that it may have has no more (UInt8); null where it may have all.
        quota_use: The share of the quotas that is granted; null without quotas.
    """

    units: pl.Series
    reason: pl.Series
    quota_use: float | None


def ceilings(levers: Sequence[Lever], possible: Result, findings: Findings) -> Ceilings | None:
    """What the levers let lines have; None if none of them says so. What is wrong with them is noted.

    Args:
        levers: All levers of the scenario; those that are no ceilings are left alone.
        possible: The run without ceilings: what it allocates is what there is to share.
        findings: Every problem, by lever.
    """
    # Limits and quotas come first, and shares are dealt within them.
    asked = [
        (n, lever)
        for kind in (StockLimits, Rations, FairShares)
        for n, lever in enumerate(levers)
        if isinstance(lever, kind)
    ]
    if not asked:
        return None
    prepared = possible.bound.prepared
    demand = prepared.demand
    lines = as_given(demand).with_row_index("at")
    got = possible.lines.select("line_id", supplied="allocated")
    supply = lines.join(got, on="line_id", how="left", maintain_order="left")
    units = demand.frame["qty"].cast(pl.Int64)
    found = Ceilings(units, pl.Series([None], dtype=pl.UInt8()).new_from_index(0, len(units)), None)
    for number, lever in asked:
        may_have = lines.with_columns(quantity(found.units, demand).alias("qty"))
        limits = noted(findings, f"levers.{number}", partial(_limits, lever, supply, may_have, possible))
        if limits is not None:
            found = _lower(found, limits, WORDS[type(lever)], demand.scale)
    return found


def _lower(found: Ceilings, limits: _Limits, word: str, scale: int) -> Ceilings:
    """The lower of what lines could have so far and of what they can have now."""
    limit = limits.lines.select("at", limit=steps_within(limits.lines["limit"], scale))
    rows = pl.DataFrame({"units": found.units, "reason": found.reason}).with_row_index("at")
    rows = rows.join(limit, on="at", how="left", maintain_order="left")
    lower = (pl.col("limit") < pl.col("units")).fill_null(value=False)
    code = pl.lit(REASON.categories.to_list().index(word), pl.UInt8)
    rows = rows.select(
        units=pl.when(lower).then("limit").otherwise("units"), reason=pl.when(lower).then(code).otherwise("reason")
    )
    return Ceilings(rows["units"], rows["reason"], found.quota_use if limits.use is None else limits.use)


def capped(prepared: Prepared, found: Ceilings) -> Prepared:
    """The tables where every line asks for what it may have at most."""
    demand = prepared.demand.frame.with_columns(found.units.alias("qty"))
    return Prepared(prepared.stock, replace(prepared.demand, frame=demand))


def reasons(lines: pl.DataFrame, found: Ceilings, possible: pl.DataFrame) -> pl.Expr:
    """Why lines have no more: a line that no row could serve at all says so, not that its share is nothing.

    Args:
        lines: What lines get and why they get no more, by their rows: `allocated`, `reason`.
        found: What they may have.
        possible: The same as `lines`, of the run without ceilings.
    """
    limited = lines["allocated"] >= found.units
    own = pl.when(limited).then(found.reason.fill_null(SERVED)).otherwise("reason")
    nothing = (possible["reason"] < len(GATE)) & (lines["allocated"] == 0)
    return pl.when(nothing).then(possible["reason"]).otherwise(own)


class _Limits(NamedTuple):
    """What a lever lets lines have: `at` (their row), `limit`; and how much of the quotas that is."""

    lines: pl.DataFrame
    use: float | None


WORDS: Final = {StockLimits: "above_limit", Rations: "rationed", FairShares: "shared"}
"""Why a line has no more, by lever, in the sequence in which they cut."""


def _limits(lever: CeilingLever, supply: pl.DataFrame, lines: pl.DataFrame, possible: Result) -> _Limits:
    day = possible.bound.as_of
    match lever:
        case StockLimits():
            return _Limits(granted(lines, as_given(possible.bound.prepared.stock), lever, day), None)
        case Rations():
            return _rationed(supply, lines, lever, day)
        case FairShares():
            return _shared(supply, lines, lever)


def _shared(supply: pl.DataFrame, lines: pl.DataFrame, lever: FairShares) -> _Limits:
    if lever.skus:
        mine = pl.col("sku").cast(pl.String).is_in(list(lever.skus))
        supply, lines = supply.filter(mine), lines.filter(mine)
    found = share(_of_pool(supply, lever.rule.pool), lines, lever.rule)
    return _Limits(found.select("at", limit="share"), None)


def _rationed(supply: pl.DataFrame, lines: pl.DataFrame, lever: Rations, day: dt.date) -> _Limits:
    # A column may be filled by the last row only.
    quotas, protections = (
        pl.DataFrame(list(rows), infer_schema_length=None) if rows else None
        for rows in (lever.quotas, lever.protections)
    )
    pool = _of_pool(supply, lever.terms.pool)
    found = ration(pool, lines, lever.terms, as_of=day, quotas=quotas, protections=protections)
    total = float(found.quotas["qty"].sum() or 0)
    use = None if total == 0 else 1 - float(found.quotas["left"].sum() or 0) / total
    return _Limits(found.lines.select("at", limit="granted"), use)


def _of_pool(supply: pl.DataFrame, pool: Sequence[str]) -> pl.DataFrame:
    """What there is to share of each pool; a column that demand does not have is told by who shares."""
    there = [name for name in pool if name in supply.columns]
    if not there:
        return supply.select(pl.col("supplied").sum().alias("qty"))
    return supply.group_by(there).agg(qty=pl.col("supplied").sum())


def noted(findings: Findings, path: str, work: Callable[[], T]) -> T | None:
    """What the work gives; None where it finds a problem, which is noted under the lever."""
    try:
        return work()
    except AllocatorError as error:
        told = [(p, ".".join(part for part in (path, p.table, p.column) if part)) for p in error.problems]
        findings.problems += [replace(problem, table="scenario", column=at) for problem, at in told]
    except (pl.exceptions.PolarsError, TypeError) as error:
        findings.add("column_type", f"the rows make no table: {str(error).splitlines()[0]}", "scenario", path)
    return None
