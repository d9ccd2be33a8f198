"""What the network of partners has, how fast it serves, what leaks, what it costs: frames of a dashboard (SP-24)."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.flows.doing import Person
from allocator.flows.events import now_of
from allocator.flows.given import checked
from allocator.flows.partner.network import MONEY, REQUEST, SHIPMENT
from allocator.flows.partner.reading import (
    HOUR,
    View,
    age_name,
    age_step,
    heads_of,
    lines_of,
    said_of,
    the_day,
    theirs,
    units_of,
    value_of,
)
from allocator.ledger.snapshot import exact, snapshot
from allocator.limits import replenish

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger


@checked
def stock_view(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """What each site has (SP-24).

    Returns:
        One row per site, SKU and condition, in this order: `site`, `sku`, `sku_group`, `condition`; `on_hand`,
        `reserved`, `available`, `defective`, `expired`, `expiring` (within the days of the settings) in units, `value`
        at unit cost (null without one), and `age_days`: the age of its oldest receipt.
    """
    return _stock_view(View.of(ledger, person, party))


def _stock_view(view: View) -> pl.DataFrame:
    on_hand = pl.col("qty").sum().alias("on_hand")
    told = view.rows.group_by("site", "sku", "sku_group", "condition", "scale").agg(
        on_hand, pl.col("reserved").sum(), *_sums(), pl.col("age_days").max()
    )
    told = exact(told, view.scale, *_UNITS)
    return told.sort("site", "sku", "condition").select(
        "site", "sku", "sku_group", "condition", *_UNITS, "value", "age_days"
    )


_UNITS: Final = ("on_hand", "reserved", "available", "defective", "expired", "expiring")


def _sums() -> list[pl.Expr]:
    free = pl.col("qty") - pl.col("reserved")
    usable = pl.col("allocatable") & ~pl.col("is_expired") & ~pl.col("blocked")
    return [
        pl.when(usable).then(free).otherwise(0).sum().alias("available"),
        pl.when(pl.col("condition") == "defective").then(pl.col("qty")).otherwise(0).sum().alias("defective"),
        pl.when("is_expired").then(pl.col("qty")).otherwise(0).sum().alias("expired"),
        pl.when(pl.col("is_expiring")).then(pl.col("qty")).otherwise(0).sum().alias("expiring"),
        pl.col("value").sum(),
    ]


@checked
def ageing(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """How old the stock of each site is, since its first receipt (SP-24).

    Returns:
        One row per site and age: `site`, `days` (`0-29`, `30-89`, …), `units` of the SKUs, and `value`.
    """
    return _ageing(View.of(ledger, person, party))


def _ageing(view: View) -> pl.DataFrame:
    rows = view.rows.with_columns(step=age_step(pl.col("age_days")))
    units = pl.col("units").sum()
    return rows.group_by("site", "step").agg(units, pl.col("value").sum()).sort("site", "step").select(
        "site", days=age_name(), units="units", value="value"
    )  # fmt: skip


@checked
def expiring(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """What expires within the days of the settings, or has expired and is still there: the first first (SP-23).

    Returns:
        One row per lot and place: `site`, `location`, `sku`, `lot`, `expires_on`, `days_left` (below zero once it has
        expired), `units`, `value`.
    """
    return _expiring(View.of(ledger, person, party))


def _expiring(view: View) -> pl.DataFrame:
    rows = view.rows.filter(pl.col("is_expiring") | pl.col("is_expired"))
    left = (pl.col("expires") - pl.lit(the_day())).dt.total_days()
    return rows.sort("expires", "site", "location", "sku", "lot").select(
        "site", "location", "sku", pl.col("lot").replace("", None), expires_on="expires", days_left=left,
        units="units", value="value",
    )  # fmt: skip


@checked
def msl_cover(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """How far each partner is from its limits, with what it expects: as `replenish` tells it, where a limit holds."""
    return _msl_cover(View.of(ledger, person, party, expected=True))


def _msl_cover(view: View) -> pl.DataFrame:
    settings = view.settings
    rows = view.rows.filter(pl.col("site").is_in([site.name for site in settings.partners]))
    bus = {site.name: site.bus[0] if len(site.bus) == 1 else "" for site in settings.sites}
    stock = rows.select(
        "sku", "status", "condition", "blocked", bu=pl.col("site").replace_strict(bus, return_dtype=pl.String),
        asp="site", qty_on_hand="units", expires_on="expires", unit_cost="cost",
    )  # fmt: skip
    known = [(sku, kept.get("sku_group"), kept.get("unit_cost"), kept.get("pack"))
             for sku, text in view.skus.iter_rows() if (kept := json.loads(text)) is not None]  # fmt: skip
    schema = {"sku": pl.String, "sku_group": pl.String, "unit_cost": pl.String, "pack": pl.Int64}
    frame = pl.DataFrame(known, schema=schema, orient="row").with_columns(pl.col("unit_cost").cast(MONEY))
    bu_of_party = pl.col("party").replace_strict(bus, default="", return_dtype=pl.String)
    coming = view.expected.select("what", "sku", "qty", bu=bu_of_party, asp="party")
    told = replenish(
        stock, settings.limits, as_of=the_day(), skus=frame, in_transit=coming.filter(what=SHIPMENT).drop("what"),
        open_requests=coming.filter(what=REQUEST).drop("what"),
    )  # fmt: skip
    return told.filter(pl.col("rule").is_not_null()).with_columns(
        cover=pl.when(pl.col("units_max") > 0).then(pl.col("on_hand") / pl.col("units_max"))
    )  # fmt: skip


@checked
def turnaround(ledger: Ledger, person: Person, *, since: dt.date | None = None) -> pl.DataFrame:
    """How long indents took to be allocated, dispatched and closed, against the SLA of contract and priority (SP-15).

    Args:
        ledger: The ledger.
        person: Who asks.
        since: Indents that were raised on this day or later; all if left out.

    Returns:
        One row per contract type, priority and `stage` (`allocate`, `dispatch`, `close`): `indents`, `done` of them,
        `hours_median` and `hours_p90` of those, `sla_hours` (null without a term), `met` and `missed`: late ones that
        are not done count as missed.
    """
    settings, _ = theirs(ledger, person, "")
    with snapshot(ledger) as moment:
        heads = heads_of(moment, "indent", person, since, closed=None)
        now = now_of(moment)
    rows = []
    for state, opened, marks, details in heads.select("state", "opened_at", "marks", "details").iter_rows():
        passed, said = json.loads(marks or "{}"), json.loads(details or "{}")
        if state == "cancelled":
            continue
        contract, priority = said.get("contract_type"), said["priority"]
        sla = settings.sla(contract, priority)
        for stage, mark in (("allocate", "allocated"), ("dispatch", "dispatched"), ("close", "closed")):
            took = (passed[mark] - opened) / HOUR if mark in passed else None
            rows.append((contract, priority, stage, took, (now - opened) / HOUR, getattr(sla, f"{stage}_hours")))
    schema = {"contract_type": pl.String, "priority": pl.Int64, "stage": pl.String, "took": pl.Float64,
              "waited": pl.Float64, "sla_hours": pl.Int64}  # fmt: skip
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("stage").cast(pl.Enum(_STAGES)))
    took, sla_hours = pl.col("took"), pl.col("sla_hours")
    return (
        frame.group_by("contract_type", "priority", "stage", "sla_hours")
        .agg(
            indents=pl.len(), done=took.count(), hours_median=took.median(), hours_p90=took.quantile(0.9),
            met=(took <= sla_hours).sum(),
            missed=(pl.coalesce("took", "waited") > sla_hours).sum(),
        )
        .sort("contract_type", "priority", "stage", nulls_last=True)
        .with_columns(pl.col("stage").cast(pl.String))
    )  # fmt: skip


_STAGES: Final = ("allocate", "dispatch", "close")


@checked
def fill_rate(ledger: Ledger, person: Person, *, since: dt.date | None = None) -> pl.DataFrame:
    """How much of what indents asked for was dispatched (SP-24).

    Returns:
        One row per contract type: `indents`, `lines`, `units_asked`, `units_dispatched`, `line_fill` (lines served in
        full) and `unit_fill`, between 0 and 1.
    """
    with snapshot(ledger) as moment:
        heads = said_of(heads_of(moment, "indent", person, since, closed=None), "contract_type")
        lines = lines_of(moment, "indent", person, since, closed=None)
    both = lines.join(heads, on="number").filter(pl.col("state") != "cancelled")
    asked, sent = pl.col("units").sum(), pl.col("units_done").sum()
    return both.group_by("contract_type").agg(
        indents=pl.col("number").n_unique(), lines=pl.len(), units_asked=asked, units_dispatched=sent,
        line_fill=(pl.col("progress") >= pl.col("qty")).mean(), unit_fill=sent / asked,
    ).sort("contract_type", nulls_last=True)  # fmt: skip


@checked
def leakage(ledger: Ledger, person: Person, *, since: dt.date | None = None) -> pl.DataFrame:
    """What went out and is neither consumed nor back, the defectives that are due, and what was lost: by age (SP-13).

    Args:
        ledger: The ledger.
        person: Who asks.
        since: Of what was written off, only what was reported on this day or later; all of it if left out.

    Returns:
        One row per document and line, the oldest first: `what` (`part`, `defective`, or `lost`: written off), `number`,
        `party`, `indent`, `customer`, `holder`, `sku`, `units`, `value`, `age_days` since it was issued or reported,
        `days` (as of `ageing`), and `late`: whether it is past the day by which everything should be accounted for.
    """
    settings, _ = theirs(ledger, person, "")
    parts = []
    with snapshot(ledger) as moment:
        now = now_of(moment)
        said = pl.col("line").str.json_path_match
        due = sum(
            (
                said(f"$.{name}").cast(pl.Int64).fill_null(0) * sign
                for name, sign in (("defective_due", 1), ("defective_in", -1), ("waived", -1))
            ),
            pl.lit(0),
        )
        for what, flow, left in (
            ("part", "delivery challan", pl.col("qty") - pl.col("progress")), ("defective", "reverse challan", due),
            ("lost", "write-off", pl.col("progress")),
        ):  # fmt: skip
            asked: dict[str, Any] = {"since": since, "closed": 1} if what == "lost" else {"since": None, "closed": 0}
            heads = said_of(heads_of(moment, flow, person, **asked), "indent", "customer", "holder")
            lines = lines_of(moment, flow, person, **asked).join(heads, on="number")
            parts.append(lines.with_columns(what=pl.lit(what), left=left).filter(pl.col("left") > 0))
    rows = pl.concat(parts).with_columns(
        age_days=((now - pl.col("opened_at")) // (24 * HOUR)).cast(pl.Int64),
        units=units_of(pl.col("left"), pl.col("scale")),
    )
    return rows.with_columns(
        value=value_of(pl.col("left")), step=age_step(pl.col("age_days")),
        late=(pl.col("age_days") > settings.return_days) & (pl.col("what") != "lost"),
    ).sort("opened_at", "what", "number", "n").select(
        "what", "number", "party", "indent", "customer", "holder", "sku", "units", "value", "age_days",
        days=age_name(), late="late",
    )  # fmt: skip


@checked
def cost_by_contract(ledger: Ledger, person: Person, *, since: dt.date | None = None) -> pl.DataFrame:
    """What the parts cost that were consumed, by who pays: warranty, AMC, out of warranty (SP-24).

    Returns:
        One row per contract type and SKU: `contract_type`, `sku`, `units` consumed, `value` at unit cost.
    """
    with snapshot(ledger) as moment:
        heads = said_of(heads_of(moment, "delivery challan", person, since, closed=None), "contract_type")
        lines = lines_of(moment, "delivery challan", person, since, closed=None).join(heads, on="number")
    used = pl.col("line").str.json_path_match("$.consumed").cast(pl.Int64).fill_null(0)
    rows = lines.with_columns(units=units_of(used, pl.col("scale")), value=value_of(used)).filter(pl.col("units") > 0)
    return rows.group_by("contract_type", "sku").agg(pl.col("units", "value").sum()).sort(
        "contract_type", "sku", nulls_last=True
    )  # fmt: skip


@checked
def dashboard(
    ledger: Ledger, person: Person, *, party: str = "", since: dt.date | None = None
) -> dict[str, pl.DataFrame]:
    """Everything of this page, by name, for one person: of their own site, or of all that they see (SP-24)."""
    view = View.of(ledger, person, party, expected=True)
    return {
        "stock": _stock_view(view),
        "ageing": _ageing(view),
        "msl_cover": _msl_cover(view),
        "fill_rate": fill_rate(ledger, person, since=since),
        "turnaround": turnaround(ledger, person, since=since),
        "leakage": leakage(ledger, person, since=since),
        "expiring": _expiring(view),
        "cost_by_contract": cost_by_contract(ledger, person, since=since),
    }
