"""What the network of partners has, how fast it serves, what leaks, what it costs: frames of a dashboard (SP-24)."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, look, within
from allocator.flows.events import now_of, seen_by
from allocator.flows.partner.network import MONEY, partner_of, settings_in_force
from allocator.ledger.snapshot import Snapshot, snapshot
from allocator.limits import replenish
from allocator.model.network import PartnerSettings, Site

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

AGES: Final = (30, 90, 180)
"""Days that part the ages of stock and of leaks."""

HOUR: Final = 3_600_000_000

STOCK: Final[dict[str, Any]] = {
    "account_id": pl.Int64, "sku_id": pl.Int64, "lot": pl.String, "received_on": pl.Int64, "expires_on": pl.Int64,
    "unit_cost": pl.String, "qty": pl.Int64, "reserved": pl.Int64,
}  # fmt: skip
HEADS: Final[dict[str, Any]] = {
    "number": pl.String, "state": pl.String, "bu": pl.String, "party": pl.String, "opened_at": pl.Int64,
    "due_at": pl.Int64, "marks": pl.String, "details": pl.String,
}  # fmt: skip
LINES: Final[dict[str, Any]] = {
    "number": pl.String, "n": pl.Int64, "sku_id": pl.Int64, "qty": pl.Int64, "progress": pl.Int64, "line": pl.String,
}  # fmt: skip


def stock_view(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """What each site has (SP-24).

    Returns:
        One row per site, SKU and condition, in this order: `site`, `sku`, `sku_group`, `condition`; `on_hand`,
        `reserved`, `available`, `defective`, `expired`, `expiring` (within the days of the settings) in units, `value`
        at unit cost (null without one), and `age_days`: the age of its oldest receipt.
    """
    settings, sites = _theirs(ledger, person, party)
    with snapshot(ledger) as moment:
        rows = _stock(moment, sites, settings)
        on_hand = pl.col("qty").sum().alias("on_hand")
        told = rows.group_by("site", "sku", "sku_group", "condition").agg(
            on_hand, pl.col("reserved").sum(), *_sums(), pl.col("age_days").max()
        )
        told = moment.exact(told.join(moment.skus.select("sku", "scale"), on="sku"), *_UNITS).drop("scale")
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


def ageing(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """How old the stock of each site is, since its first receipt (SP-24).

    Returns:
        One row per site and age: `site`, `days` (`0-29`, `30-89`, …), `units` of the SKUs, and `value`.
    """
    settings, sites = _theirs(ledger, person, party)
    with snapshot(ledger) as moment:
        rows = _stock(moment, sites, settings)
    rows = rows.with_columns(step=_age_step(pl.col("age_days")))
    units = pl.col("units").sum()
    return rows.group_by("site", "step").agg(units, pl.col("value").sum()).sort("site", "step").select(
        "site", days=_age_name(), units="units", value="value"
    )  # fmt: skip


def expiring(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """What expires within the days of the settings, or has expired and is still there: the first first (SP-23).

    Returns:
        One row per lot and place: `site`, `location`, `sku`, `lot`, `expires_on`, `days_left` (below zero once it has
        expired), `units`, `value`.
    """
    settings, sites = _theirs(ledger, person, party)
    with snapshot(ledger) as moment:
        rows = _stock(moment, sites, settings).filter(pl.col("is_expiring") | pl.col("is_expired"))
        places = moment.accounts.select("account_id", "location")
    left = (pl.col("expires") - pl.lit(_today())).dt.total_days()
    return rows.join(places, on="account_id").sort("expires", "site", "location", "sku", "lot").select(
        "site", "location", "sku", pl.col("lot").replace("", None), expires_on="expires", days_left=left,
        units="units", value="value",
    )  # fmt: skip


def msl_cover(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """How far the stock of each partner is from its limits: as `replenish` tells it, for all that a limit holds for."""
    settings, sites = _theirs(ledger, person, party)
    partners = {site.name for site in settings.partners}
    with snapshot(ledger) as moment:
        rows = _stock(moment, [site for site in sites if site.name in partners], settings)
        skus = moment.skus.select("sku", settings="settings")
    bus = {site.name: site.bus[0] if len(site.bus) == 1 else "" for site in settings.sites}
    stock = rows.select(
        "sku", "status", "condition", "blocked", bu=pl.col("site").replace_strict(bus, return_dtype=pl.String),
        asp="site", qty_on_hand="units", expires_on="expires", unit_cost="cost",
    )  # fmt: skip
    known = [(sku, kept.get("sku_group"), kept.get("unit_cost"), kept.get("pack"))
             for sku, text in skus.iter_rows() if (kept := json.loads(text)) is not None]  # fmt: skip
    schema = {"sku": pl.String, "sku_group": pl.String, "unit_cost": pl.String, "pack": pl.Int64}
    frame = pl.DataFrame(known, schema=schema, orient="row").with_columns(pl.col("unit_cost").cast(MONEY))
    told = replenish(stock, settings.limits, as_of=_today(), skus=frame)
    return told.filter(pl.col("rule").is_not_null()).with_columns(
        cover=pl.when(pl.col("units_max") > 0).then(pl.col("on_hand") / pl.col("units_max"))
    )  # fmt: skip


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
    settings, _ = _theirs(ledger, person, "")
    with snapshot(ledger) as moment:
        heads = _heads(moment, "indent", person, since, closed=None)
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


def fill_rate(ledger: Ledger, person: Person, *, since: dt.date | None = None) -> pl.DataFrame:
    """How much of what indents asked for was dispatched (SP-24).

    Returns:
        One row per contract type: `indents`, `lines`, `units_asked`, `units_dispatched`, `line_fill` (lines served in
        full) and `unit_fill`, between 0 and 1.
    """
    with snapshot(ledger) as moment:
        heads = _said(_heads(moment, "indent", person, since, closed=None), "contract_type")
        lines = _lines(moment, "indent", person, since, closed=None)
    both = lines.join(heads, on="number").filter(pl.col("state") != "cancelled")
    asked, sent = pl.col("units").sum(), pl.col("units_done").sum()
    return both.group_by("contract_type").agg(
        indents=pl.col("number").n_unique(), lines=pl.len(), units_asked=asked, units_dispatched=sent,
        line_fill=(pl.col("progress") >= pl.col("qty")).mean(), unit_fill=sent / asked,
    ).sort("contract_type", nulls_last=True)  # fmt: skip


def leakage(ledger: Ledger, person: Person) -> pl.DataFrame:
    """What went out and is neither consumed nor back, and the defectives that are due: by age (SP-13).

    Returns:
        One row per challan and line, the oldest first: `what` (`part` or `defective`), `number`, `party`, `indent`,
        `customer`, `holder`, `sku`, `units`, `value`, `age_days` since it was issued, `days` (as of `ageing`), and
        `late`: whether it is past the day by which everything should be accounted for.
    """
    settings, _ = _theirs(ledger, person, "")
    parts = []
    with snapshot(ledger) as moment:
        now = now_of(moment)
        for what, flow in (("part", "delivery challan"), ("defective", "reverse challan")):
            heads = _said(_heads(moment, flow, person, None, closed=0), "indent", "customer", "holder")
            lines = _lines(moment, flow, person, None, closed=0).join(heads, on="number")
            said = pl.col("line").str.json_path_match
            due = sum(said(f"$.{name}").cast(pl.Int64).fill_null(0) * sign
                      for name, sign in (("defective_due", 1), ("defective_in", -1), ("waived", -1)))  # fmt: skip
            left = pl.col("qty") - pl.col("progress") if what == "part" else due
            parts.append(lines.with_columns(what=pl.lit(what), left=left).filter(pl.col("left") > 0))
    rows = pl.concat(parts).with_columns(
        age_days=((now - pl.col("opened_at")) // (24 * HOUR)).cast(pl.Int64),
        units=_units_of(pl.col("left"), pl.col("scale")),
    )
    return rows.with_columns(
        value=pl.col("cost") * pl.col("units"), step=_age_step(pl.col("age_days")),
        late=pl.col("age_days") > settings.return_days,
    ).sort("opened_at", "what", "number", "n").select(
        "what", "number", "party", "indent", "customer", "holder", "sku", "units", "value", "age_days",
        days=_age_name(), late="late",
    )  # fmt: skip


def cost_by_contract(ledger: Ledger, person: Person, *, since: dt.date | None = None) -> pl.DataFrame:
    """What the parts cost that were consumed, by who pays: warranty, AMC, out of warranty (SP-24).

    Returns:
        One row per contract type and SKU: `contract_type`, `sku`, `units` consumed, `value` at unit cost.
    """
    with snapshot(ledger) as moment:
        heads = _said(_heads(moment, "delivery challan", person, since, closed=None), "contract_type")
        lines = _lines(moment, "delivery challan", person, since, closed=None).join(heads, on="number")
    used = pl.col("line").str.json_path_match("$.consumed").cast(pl.Int64).fill_null(0)
    rows = lines.with_columns(units=_units_of(used, pl.col("scale"))).filter(pl.col("units") > 0)
    value = (pl.col("cost") * pl.col("units")).sum()
    return rows.group_by("contract_type", "sku").agg(pl.col("units").sum(), value=value).sort(
        "contract_type", "sku", nulls_last=True
    )  # fmt: skip


def dashboard(
    ledger: Ledger, person: Person, *, party: str = "", since: dt.date | None = None
) -> dict[str, pl.DataFrame]:
    """Everything of this page, by name, for one person: of their own site, or of all that they see (SP-24)."""
    return {
        "stock": stock_view(ledger, person, party=party),
        "ageing": ageing(ledger, person, party=party),
        "msl_cover": msl_cover(ledger, person, party=party),
        "fill_rate": fill_rate(ledger, person, since=since),
        "turnaround": turnaround(ledger, person, since=since),
        "leakage": leakage(ledger, person),
        "expiring": expiring(ledger, person, party=party),
        "cost_by_contract": cost_by_contract(ledger, person, since=since),
    }


# --- reading ---


def _theirs(ledger: Ledger, person: Person, party: str) -> tuple[PartnerSettings, list[Site]]:
    """The settings, and the sites that a person may see, or the one of these that they name."""

    def asked(doing: Doing) -> tuple[PartnerSettings, list[Site]]:
        settings = settings_in_force(doing)
        if person.party or party:
            return settings, [partner_of(doing, settings, party)]
        return settings, [s for s in settings.sites if not s.bus or not person.bus or set(s.bus) & set(person.bus)]

    return look(ledger, person, asked)


def _today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


def _age_step(days: pl.Expr) -> pl.Expr:
    return pl.sum_horizontal((days >= limit).cast(pl.Int64) for limit in AGES)


def _age_name() -> pl.Expr:
    names = [f"{low}-{high - 1}" for low, high in zip((0, *AGES), AGES, strict=False)]
    return pl.col("step").replace_strict(dict(enumerate([*names, f"{AGES[-1]}+"])), return_dtype=pl.String)


def _units_of(steps: pl.Expr, scale: pl.Expr) -> pl.Expr:
    """Whole units: what is begun counts."""
    step = pl.lit(10, pl.Int64).pow(scale)
    return (steps + step - 1) // step


def _stock(moment: Snapshot, sites: list[Site], settings: PartnerSettings) -> pl.DataFrame:
    """What the sites have: one row per account, SKU, lot, receipt day, expiry and cost."""
    accounts = moment.accounts.filter(pl.col("kind") == "stock")
    owner = {
        account_id: site.name
        for account_id, location in accounts.select("account_id", "location").iter_rows()
        for site in sites
        if location is not None and within(location, site.place)
    }
    sql = (
        "SELECT b.account_id, b.sku_id, g.lot, g.received_on, g.expires_on, g.unit_cost, SUM(b.qty), SUM(b.reserved) "
        "FROM balance b JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id WHERE b.tenant = :tenant "
        "AND b.account_id = ANY(:ids) GROUP BY b.account_id, b.sku_id, g.lot, g.received_on, g.expires_on, "
        "g.unit_cost"
    )
    rows = moment.frame(sql, STOCK, ids=sorted(owner))
    where = pl.DataFrame({"account_id": list(owner), "site": list(owner.values())},
                         schema={"account_id": pl.Int64, "site": pl.String})  # fmt: skip
    today = _today()
    expires = pl.col("expires_on").cast(pl.Int32).cast(pl.Date)
    soon = today + dt.timedelta(days=settings.expiring_days)
    return (
        rows.join(where, on="account_id")
        .join(accounts.select("account_id", "status", "condition", "blocks"), on="account_id")
        .join(_skus(moment), on="sku_id")
        .join(moment.allocatable.with_columns(allocatable=pl.lit(value=True)), on=["lifecycle", "status"], how="left")
        .with_columns(
            pl.col("allocatable").fill_null(value=False), blocked=pl.col("blocks").is_not_null(), expires=expires,
            cost=pl.coalesce(pl.col("unit_cost").replace("", None).cast(MONEY), "cost"),
            age_days=pl.lit(today).cast(pl.Int32).cast(pl.Int64) - pl.col("received_on"),
            units=_units_of(pl.col("qty"), pl.col("scale")),
        )
        .with_columns(
            is_expired=(pl.col("expires") < today).fill_null(value=False),
            is_expiring=pl.col("expires").is_between(today, soon).fill_null(value=False),
            value=pl.col("cost") * pl.col("units"),
        )
    )  # fmt: skip


def _skus(moment: Snapshot) -> pl.DataFrame:
    kept = pl.col("settings").str.json_path_match
    return moment.skus.select(
        "sku_id", "sku", "scale", "lifecycle", sku_group=kept("$.sku_group"), cost=kept("$.unit_cost").cast(MONEY)
    )


def _where(person: Person, since: dt.date | None, closed: int | None) -> tuple[str, dict[str, Any]]:
    where, params = seen_by(person)
    if since is not None:
        if isinstance(since, dt.datetime) or not isinstance(since, dt.date):
            raise InputError(Problem("argument_value", "this is no day", column="since", value=str(since)[:80]))
        begun = dt.datetime.combine(since, dt.time(), dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        where, params = f"{where} AND d.opened_at >= :since", params | {"since": begun // dt.timedelta(microseconds=1)}
    if closed is not None:
        where, params = f"{where} AND d.closed = :closed", params | {"closed": closed}
    return where, params


def _heads(moment: Snapshot, flow: str, person: Person, since: dt.date | None, *, closed: int | None) -> pl.DataFrame:
    where, params = _where(person, since, closed)
    columns = ", ".join(f"d.{name}" for name in HEADS)
    sql = f"SELECT {columns} FROM document d WHERE d.tenant = :tenant AND d.flow = :flow{where}"
    return moment.frame(sql, HEADS, flow=flow, **params)


def _lines(moment: Snapshot, flow: str, person: Person, since: dt.date | None, *, closed: int | None) -> pl.DataFrame:
    """The lines of documents, with the units and the cost of their SKU."""
    where, params = _where(person, since, closed)
    sql = (
        "SELECT l.number, l.n, l.sku_id, l.qty, l.progress, l.details FROM document d JOIN document_line l "
        f"ON l.tenant = d.tenant AND l.number = d.number WHERE d.tenant = :tenant AND d.flow = :flow{where}"
    )
    return moment.frame(sql, LINES, flow=flow, **params).join(_skus(moment), on="sku_id").with_columns(
        units=_units_of(pl.col("qty"), pl.col("scale")),
        units_done=pl.col("progress") // pl.lit(10).pow(pl.col("scale")),
    )  # fmt: skip


def _said(heads: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Heads with some of their details as columns."""
    said = pl.col("details").str.json_path_match
    return heads.select(
        "number", "state", "opened_at", "due_at", pl.col("party").replace("", None),
        *(said(f"$.{name}").alias(name) for name in names),
    )  # fmt: skip
