"""Lines one after another under quotas (ceilings by group and period) and protection (floors kept for groups)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from allocator import engine
from allocator.errors import InputError, Problem
from allocator.fairness.tables import NULL, Contract, Tables, by_code, codes_of, filled, needed, optional
from allocator.frames.findings import Check
from allocator.frames.read import Source
from allocator.model.quotas import RATION_REASONS, Quotas
from allocator.result import checked_day

REASON = pl.Enum(list(RATION_REASONS))
"""Why a line is granted less than it asks; `docs/fairness.md` says when each applies."""

ADDED = ("granted", "short", "carried", "protected", "borrowed", "reason")
REFUSED = NULL - 1
LAST_DAY = dt.date.max


@dataclass(frozen=True)
class Rations:
    """What was granted, and what is left.

    Attributes:
        lines: The demand table in the order of service, each line with `granted` and `short`; of the granted,
            `carried` from quotas of earlier periods, `protected` out of what was kept for its own group, `borrowed`
            out of what was kept for groups behind it; `reason` (Enum; null if nothing is short).
        quotas: The table of quotas, by group and period, with `left`.
        protections: The table of protections, by pool and priority, with `kept`: what is still kept at the end (0
            once lapsed).
    """

    lines: pl.DataFrame
    quotas: pl.DataFrame
    protections: pl.DataFrame


def ration(
    supply: Source,
    demand: Source,
    terms: Quotas,
    *,
    as_of: dt.date,
    quotas: Source | None = None,
    protections: Source | None = None,
) -> Rations:
    """Grants lines one after another what their quota, and what is kept for others, lets them have.

    Lines are served by `priority` (lower first, null last), `requested_at` (null last), `line_id`. Each gets the
    least of: what it asks; what the quota of its group leaves in the period of its day; what its pool has left and
    does not keep for other groups; in whole packs. A line takes first what is kept for its own group, then what is
    kept for nobody, then what is kept for groups behind it. `docs/fairness.md` has the whole of it.

    Args:
        supply: The columns of `terms.pool`, and `qty`; the rows of a pool are added up.
        demand: `line_id` (unique), the columns that the terms name, `qty`; optional `priority`, `requested_at`,
            `pack` (null: one of the smallest units), and the day that decides on the period (`terms.day`; null is
            `as_of`). A null group has no quota, and nothing is kept for it. Any further column is kept.
        terms: How quotas and protection are held.
        as_of: The day on which protection is judged to have lapsed.
        quotas: One row per group and period: the columns of `terms.quota_by`, `starts_on`, `ends_on` (the last day;
            null: no end), `qty`; optional `used` (null 0).
        protections: One row per pool and group: the columns of `terms.pool` and `terms.protection_by`, `qty`; optional
            `priority` (lower is before; null last), `used` (null 0), `lapses_on` (the last day; null: never).

    Raises:
        InputError: All problems of all tables: what `docs/tables.md` says of columns; `period_reversed`,
            `period_overlap`, `group_overlap`, `group_unknown`, `quota_above_supply`, `protection_above_supply`,
            `column_reserved`, `mixed_keys`, `argument_type`, `argument_missing`.
        FileError: A file cannot be read.

    Example:
        >>> import datetime as dt
        >>> supply = {"sku": ["X"], "qty": [100]}
        >>> demand = {"line_id": [1, 2], "sku": ["X", "X"], "channel": ["web", "shop"], "qty": [90, 40]}
        >>> kept = {"sku": ["X"], "channel": ["shop"], "qty": [30]}
        >>> terms = Quotas(protection_by=["channel"])
        >>> out = ration(supply, demand, terms, as_of=dt.date(2026, 3, 1), protections=kept)
        >>> out.lines.select("line_id", "granted", "reason").rows()
        [(1, 70, 'protected'), (2, 30, 'taken')]
    """
    checked_day(as_of)
    tables = _read(supply, demand, terms, quotas=quotas, protections=protections)
    frames = tables.frames
    lines = _in_order(frames["demand"])
    pools, count = codes_of(_only(frames | {"demand": lines}, "supply", "demand", "protections"), terms.pool)
    stock = by_code(pools["supply"], frames["supply"]["qty"], count)
    kept = _kept(tables, pools["protections"], stock, terms, as_of)
    limits, own_quota = _quotas(frames["quotas"], lines, terms, as_of)
    if terms.quotas_above_supply == "refuse":
        _check_quotas(limits, frames["supply"], terms, as_of, tables)
    tables.findings.raise_any()
    asks = [pools["demand"], lines["qty"], filled(lines, "pack", 1), own_quota, _own(lines, pools, kept, terms)]
    found, reasons = engine.ration_lines(
        asks,
        [limits["left"], limits["first"]],
        terms.carry_over,
        [kept["pool"], kept["rank"], kept["kept"]],
        stock,
    )
    granted, carried, protected, borrowed, quota_left, kept_left = found
    rows = lines["row"]
    reason = pl.select(pl.when(reasons < len(RATION_REASONS)).then(reasons)).to_series()
    answer = tables.raw["demand"][rows].with_columns(
        granted=tables.quantity(granted),
        short=tables.quantity(lines["qty"] - granted),
        carried=tables.quantity(carried),
        protected=tables.quantity(protected),
        borrowed=tables.quantity(borrowed),
        reason=reason.cast(pl.UInt8).cat.to(REASON),
    )
    return Rations(
        answer,
        tables.raw["quotas"][limits["row"]].with_columns(left=tables.quantity(quota_left)),
        tables.raw["protections"][kept["row"]].with_columns(kept=tables.quantity(kept_left)),
    )


def _only(frames: dict[str, pl.DataFrame], *names: str) -> dict[str, pl.DataFrame]:
    return {name: frames[name] for name in names}


def _read(
    supply: Source,
    demand: Source,
    terms: Quotas,
    *,
    quotas: Source | None,
    protections: Source | None,
) -> Tables:
    if not isinstance(terms, Quotas):
        hint = "Read them with Quotas.load, or make them with Quotas(...)"
        raise InputError(Problem("argument_type", "terms is not a Quotas", value=type(terms).__name__, hint=hint))
    tables = Tables()
    pool: Contract = {name: needed(name, "key") for name in terms.pool}
    groups = {name: optional(name, "key") for name in (*terms.quota_by, *terms.protection_by) if name not in pool}
    lines: Contract = {"line_id": needed("line_id", "id"), **pool, **groups, "qty": needed("qty", "quantity")}
    lines |= {"pack": optional("pack", "quantity"), "priority": optional("priority", "integer")}
    lines |= {"requested_at": optional("requested_at", "moment"), terms.day: optional(terms.day, "day")}
    tables.read("supply", supply, pool | {"qty": needed("qty", "quantity")})
    tables.read("demand", demand, lines, reserved=ADDED)
    if "demand" in tables.frames:
        for name in groups:
            if name not in tables.raw["demand"].columns:
                message = f"the column {name} is missing"
                tables.findings.add("column_missing", message, "demand", name, hint="The terms name it")
    amounts = {"qty": needed("qty", "quantity"), "used": optional("used", "quantity")}
    periods = {"starts_on": needed("starts_on", "day"), "ends_on": optional("ends_on", "day")}
    held = {name: needed(name, "key") for name in terms.quota_by}
    _read_held(tables, "quotas", quotas, held | periods | amounts, by=terms.quota_by, added="left")
    held = pool | {name: needed(name, "key") for name in terms.protection_by}
    kept = {"priority": optional("priority", "integer"), "lapses_on": optional("lapses_on", "day")}
    by = terms.protection_by
    _read_held(tables, "protections", protections, held | kept | amounts, by=by, added="kept")
    tables.check_keys(dict.fromkeys([*pool, *groups]))
    tables.to_units()
    _check_held(tables, terms)
    tables.findings.raise_any()
    return tables


def _read_held(
    tables: Tables, name: str, given: Source | None, contract: Contract, *, by: tuple[str, ...], added: str
) -> None:
    """Reads quotas or protections; a table that the terms do not ask for is one without rows."""
    if by and given is not None:
        tables.read(name, given, contract, reserved=(added,))
        return
    if by or given is not None:
        message = f"the terms ask for {name}" if by else f"the terms say nothing of {name}"
        hint = f"Give the table {name}" if by else f"Give the terms {name.removesuffix('s')}_by"
        tables.findings.add("argument_missing", message, "", name, hint=hint)
    types = {"quantity": pl.Int64(), "integer": pl.Int64(), "day": pl.Date()}
    schema = {column.name: types.get(column.kind, pl.String()) for column in contract.values()}
    tables.raw[name] = tables.frames[name] = pl.DataFrame(schema=schema)
    tables.contracts[name] = contract


def _check_held(tables: Tables, terms: Quotas) -> None:
    """What is wrong with quotas and protections as tables of their own, and beside the supply."""
    quotas, kept = tables.frames.get("quotas"), tables.frames.get("protections")
    if quotas is not None and {"starts_on", *terms.quota_by} <= {*quotas.columns} and quotas.height:
        ends = pl.col("ends_on") if "ends_on" in quotas.columns else pl.lit(None, pl.Date)
        spans = quotas.with_columns(ends_on=ends.fill_null(LAST_DAY)).with_row_index("row")
        spans = spans.sort(*terms.quota_by, "starts_on", "row")
        before = pl.col("ends_on").shift(1).over(terms.quota_by)
        late = spans.filter(before >= pl.col("starts_on"))["row"]
        message = "the period overlaps one of the same group that begins before it"
        bad = pl.int_range(pl.len()).is_in(late.implode())
        checks = [Check("period_overlap", "starts_on", bad, message, "A day is in one period of a group")]
        if "ends_on" in quotas.columns:
            bad = pl.col("ends_on") < pl.col("starts_on")
            checks.append(Check("period_reversed", "ends_on", bad, "the period ends before it begins"))
        tables.findings.run("quotas", quotas, checks)
    keys = [*terms.pool, *terms.protection_by]
    if kept is not None and {*keys} <= {*kept.columns} and kept.height:
        again = pl.struct(keys).is_first_distinct().not_()
        message = "the same group is protected twice in this pool"
        checks = [Check("group_overlap", keys[-1], again, message, "Add the two up, or name different groups")]
        supply = tables.frames.get("supply")
        if terms.pool and supply is not None and {*terms.pool} <= {*supply.columns}:
            known = supply.select(pl.struct(pl.col(terms.pool).cast(pl.String)).alias("pool"))["pool"].unique()
            unknown = ~pl.struct(pl.col(terms.pool).cast(pl.String)).is_in(known.implode())
            message = "the pool in which is kept has no row in the supply"
            checks.append(Check("group_unknown", terms.pool[0], unknown, message, "Add a row with a qty of 0"))
        tables.findings.run("protections", kept, checks)


def _in_order(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines as they are served, with the row that each had; ids are compared as ids are everywhere."""
    by_id = engine.CORE.argsort_ids(lines["line_id"])
    keys = [name for name in ("priority", "requested_at") if name in lines.columns]
    ordered = lines.with_row_index("row")[by_id]
    return ordered.sort(keys, nulls_last=True, maintain_order=True) if keys else ordered


def _kept(tables: Tables, pool: pl.Series, stock: pl.Series, terms: Quotas, as_of: dt.date) -> pl.DataFrame:
    """Protections by pool and priority, with what each keeps now: nothing once lapsed; cut where the terms say so."""
    kept = tables.frames["protections"]
    left = (kept["qty"] - filled(kept, "used", 0)).clip(0)
    lapses = kept["lapses_on"] if "lapses_on" in kept.columns else pl.Series([None]).new_from_index(0, kept.height)
    held = kept.with_row_index("row").with_columns(
        pool=pool, rank=filled(kept, "priority", 2**63 - 1), kept=left, lapses=lapses.cast(pl.Date)
    )
    held = held.with_columns(kept=pl.when(pl.col("lapses") < as_of).then(0).otherwise("kept"))
    held = held.sort("pool", "rank", *terms.protection_by, maintain_order=True)
    before = pl.col("kept").cum_sum().over("pool") - pl.col("kept")
    room = (pl.lit(stock.gather(held["pool"])) - before).clip(0)
    cut = held.with_columns(room=room) if held.height else held.with_columns(room=pl.lit(0, pl.Int64))
    if terms.protection_above_supply == "cut":
        return cut.with_columns(kept=pl.min_horizontal("kept", "room"))
    above = cut.filter(pl.col("kept") > pl.col("room"))["row"]
    if len(above):
        bad = pl.int_range(pl.len()).is_in(above.implode())
        message = "with the protections before it, more is kept than its pool has"
        hint = 'Lower it, or cut such protection with protection_above_supply = "cut"'
        check = Check("protection_above_supply", "qty", bad, message, hint)
        tables.findings.run("protections", tables.frames["protections"], [check])
    return cut


def _quotas(quotas: pl.DataFrame, lines: pl.DataFrame, terms: Quotas, as_of: dt.date) -> tuple[pl.DataFrame, pl.Series]:
    """Quotas by group and time, with what is left of each and where its group begins; and which one each line has."""
    if not terms.quota_by:
        empty = quotas.with_row_index("row").with_columns(left=pl.col("qty"), first=pl.col("row"))
        return empty, pl.Series([NULL], dtype=pl.UInt32()).new_from_index(0, lines.height)
    groups, _ = codes_of({"quotas": quotas, "demand": lines}, terms.quota_by)
    ends = quotas["ends_on"] if "ends_on" in quotas.columns else pl.Series([None]).new_from_index(0, quotas.height)
    limits = (
        quotas.with_row_index("row")
        .with_columns(
            group=groups["quotas"],
            left=(quotas["qty"] - filled(quotas, "used", 0)).clip(0),
            ends=ends.cast(pl.Date).fill_null(LAST_DAY),
        )
        .sort("group", "starts_on")
        .with_row_index("place")
        .with_columns(first=pl.col("place").min().over("group"))
    )
    days = pl.lit(as_of) if terms.day not in lines.columns else pl.col(terms.day).fill_null(as_of)
    asked = lines.select(day=days.cast(pl.Date).to_physical(), group=groups["demand"])
    # One number for group and day, so that one search finds the last period that begins by that day.
    wide = 2**32
    starts = limits.select(pl.col("group").cast(pl.Int64) * wide + pl.col("starts_on").to_physical()).to_series()
    wanted = asked.select(pl.col("group").cast(pl.Int64).fill_null(-1) * wide + pl.col("day")).to_series()
    place = pl.Series(np.searchsorted(starts.to_numpy(), wanted.to_numpy(), side="right")).cast(pl.Int64) - 1
    at = place.clip(0)
    absent = NULL if terms.without_quota == "allow" else REFUSED
    if limits.is_empty():
        return limits, pl.Series([absent], dtype=pl.UInt32()).new_from_index(0, lines.height)
    holds = asked.select(
        (pl.lit(place) >= 0)
        & (pl.lit(limits["group"].gather(at)) == pl.col("group")).fill_null(value=False)
        & (pl.lit(limits["ends"].gather(at)).to_physical() >= pl.col("day"))
    ).to_series()
    return limits, pl.select(pl.when(holds).then(at).otherwise(absent).cast(pl.UInt32)).to_series()


def _check_quotas(limits: pl.DataFrame, supply: pl.DataFrame, terms: Quotas, as_of: dt.date, tables: Tables) -> None:
    """Notes quotas in force that, with those before them, promise more than their pool has."""
    text = [pl.col(name).cast(pl.String) for name in terms.pool]
    stock = supply.with_columns(text).group_by(terms.pool or pl.lit(0)).agg(supply=pl.col("qty").sum())
    held = limits.filter(pl.col("starts_on") <= as_of, pl.col("ends") >= as_of).with_columns(text)
    if terms.pool:
        held = held.join(stock, on=terms.pool, how="left", maintain_order="left")
        promised = pl.col("left").cum_sum().over(terms.pool)
    else:
        held = held.with_columns(supply=pl.lit(supply["qty"].sum()))
        promised = pl.col("left").cum_sum()
    above = held.filter(promised > pl.col("supply").fill_null(0))["row"]
    if len(above):
        bad = pl.int_range(pl.len()).is_in(above.implode())
        message = "with the quotas before it, more is promised than its pool has"
        hint = 'Lower it, or let quotas promise more with quotas_above_supply = "allow"'
        tables.findings.run("quotas", tables.frames["quotas"], [Check("quota_above_supply", "qty", bad, message, hint)])


def _own(lines: pl.DataFrame, pools: dict[str, pl.Series], kept: pl.DataFrame, terms: Quotas) -> pl.Series:
    """Which protection is each line's own."""
    if not terms.protection_by or kept.is_empty():
        return pl.Series([NULL], dtype=pl.UInt32()).new_from_index(0, lines.height)
    groups, _ = codes_of({"kept": kept, "demand": lines}, terms.protection_by)
    owned = kept.select("pool", group=groups["kept"]).with_row_index("own")
    asked = pl.DataFrame({"pool": pools["demand"], "group": groups["demand"]})
    return asked.join(owned, on=["pool", "group"], how="left", maintain_order="left")["own"].fill_null(NULL)
