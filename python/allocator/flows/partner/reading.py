"""What the dashboard is made of: the stock that a person may see, and documents with their lines, as frames."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, look, within
from allocator.flows.events import seen_by
from allocator.flows.partner.network import MONEY, REQUEST, SHIPMENT, partner_of, settings_in_force
from allocator.ledger.snapshot import Snapshot, snapshot
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


def theirs(ledger: Ledger, person: Person, party: str) -> tuple[PartnerSettings, list[Site]]:
    """The settings, and the sites that a person may see, or the one of these that they name."""

    def asked(doing: Doing) -> tuple[PartnerSettings, list[Site]]:
        settings = settings_in_force(doing)
        if person.party or party:
            return settings, [partner_of(doing, settings, party)]
        return settings, [s for s in settings.sites if not s.bus or not person.bus or set(s.bus) & set(person.bus)]

    return look(ledger, person, asked)


@dataclass(frozen=True)
class View:
    """The stock that a person may see, read once.

    Attributes:
        settings: What the flows of partners act by.
        rows: One row per account, SKU, lot, receipt day, expiry and cost.
        expected: What partners requested and was not sent, and what is on its way to them, where that was asked for:
            `what` (`part request`, `shipment`), `party`, `sku`, `qty` in units.
        skus: Name and settings of each SKU.
        scale: The decimal places that hold every quantity.
    """

    settings: PartnerSettings
    rows: pl.DataFrame
    expected: pl.DataFrame
    skus: pl.DataFrame
    scale: int

    @classmethod
    def of(cls, ledger: Ledger, person: Person, party: str, *, expected: bool = False) -> View:
        """What a person may see now: of one partner, or of all that are theirs to see."""
        settings, sites = theirs(ledger, person, party)
        with snapshot(ledger) as moment:
            rows = _stock(moment, sites, settings)
            coming = _expected(moment, person, sites) if expected else pl.DataFrame(schema=EXPECTED)
            return cls(settings, rows, coming, moment.skus.select("sku", "settings"), moment.scale)


EXPECTED: Final[dict[str, Any]] = {"what": pl.String, "party": pl.String, "sku": pl.String, "qty": pl.Int64}


def _expected(moment: Snapshot, person: Person, sites: list[Site]) -> pl.DataFrame:
    """What of the open requests of sites was not sent, and of shipments to them has not arrived; in units."""
    said = pl.col("line").str.json_path_match
    approved, shipped = (said(f"$.{name}").cast(pl.Int64) for name in ("approved", "shipped"))
    parts = []
    for flow, left in (
        (REQUEST, pl.coalesce(approved, "qty") - shipped.fill_null(0)), (SHIPMENT, pl.col("qty") - pl.col("progress")),
    ):  # fmt: skip
        heads = heads_of(moment, flow, person, None, closed=0).select("number", "party")
        lines = lines_of(moment, flow, person, None, closed=0).join(heads, on="number").with_columns(left=left)
        # Steps are added up before they are counted in units: what is begun counts once.
        sums = lines.filter(pl.col("left") > 0).group_by("party", "sku", "scale").agg(pl.col("left").sum())
        parts.append(sums.select("party", "sku", what=pl.lit(flow), qty=units_of(pl.col("left"), pl.col("scale"))))
    return pl.concat(parts).select(list(EXPECTED)).filter(pl.col("party").is_in([site.name for site in sites]))


def the_day() -> dt.date:
    """The day in UTC, by which stock is aged and expires."""
    return dt.datetime.now(dt.UTC).date()


def age_step(days: pl.Expr) -> pl.Expr:
    """Which of the ages that `AGES` part."""
    return pl.sum_horizontal((days >= limit).cast(pl.Int64) for limit in AGES)


def age_name() -> pl.Expr:
    """The name of an age, from the column `step`."""
    names = [f"{low}-{high - 1}" for low, high in zip((0, *AGES), AGES, strict=False)]
    return pl.col("step").replace_strict(dict(enumerate([*names, f"{AGES[-1]}+"])), return_dtype=pl.String)


def units_of(steps: pl.Expr, scale: pl.Expr) -> pl.Expr:
    """Whole units: what is begun counts."""
    step = pl.lit(10, pl.Int64).pow(scale)
    return (steps + step - 1) // step


def value_of(steps: pl.Expr) -> pl.Expr:
    """What steps of a SKU cost; null without a cost."""
    step = {scale: Decimal(1).scaleb(-scale) for scale in range(10)}
    unit = pl.col("scale").replace_strict(step, return_dtype=pl.Decimal(38, 9))
    return (steps.cast(pl.Decimal(38, 0)) * unit * pl.col("cost")).cast(MONEY)


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
        "SELECT b.account_id, b.sku_id, g.lot, g.received_on, g.expires_on, g.unit_cost, CAST(SUM(b.qty) AS BIGINT), "
        "CAST(SUM(b.reserved) AS BIGINT) "
        "FROM balance b JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id WHERE b.tenant = :tenant "
        "AND b.account_id = ANY(:ids) GROUP BY b.account_id, b.sku_id, g.lot, g.received_on, g.expires_on, "
        "g.unit_cost"
    )
    rows = moment.frame(sql, STOCK, ids=sorted(owner))
    where = pl.DataFrame({"account_id": list(owner), "site": list(owner.values())},
                         schema={"account_id": pl.Int64, "site": pl.String})  # fmt: skip
    today = the_day()
    expires = pl.col("expires_on").cast(pl.Int32).cast(pl.Date)
    soon = today + dt.timedelta(days=settings.expiring_days)
    return (
        rows.join(where, on="account_id")
        .join(accounts.select("account_id", "location", "status", "condition", "blocks"), on="account_id")
        .join(_skus(moment), on="sku_id")
        .join(moment.allocatable.with_columns(allocatable=pl.lit(value=True)), on=["lifecycle", "status"], how="left")
        .with_columns(
            pl.col("allocatable").fill_null(value=False), blocked=pl.col("blocks").is_not_null(), expires=expires,
            cost=pl.coalesce(pl.col("unit_cost").replace("", None).cast(MONEY), "cost"),
            age_days=pl.lit(today).cast(pl.Int32).cast(pl.Int64) - pl.col("received_on"),
            units=units_of(pl.col("qty"), pl.col("scale")),
        )
        .with_columns(
            is_expired=(pl.col("expires") < today).fill_null(value=False),
            is_expiring=pl.col("expires").is_between(today, soon).fill_null(value=False),
            value=value_of(pl.col("qty")),
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


def heads_of(moment: Snapshot, flow: str, person: Person, since: dt.date | None, *, closed: int | None) -> pl.DataFrame:
    """Documents of a flow that a person may see, opened on a day or later, open or closed."""
    where, params = _where(person, since, closed)
    columns = ", ".join(f"d.{name}" for name in HEADS)
    sql = f"SELECT {columns} FROM document d WHERE d.tenant = :tenant AND d.flow = :flow{where}"
    return moment.frame(sql, HEADS, flow=flow, **params)


def lines_of(moment: Snapshot, flow: str, person: Person, since: dt.date | None, *, closed: int | None) -> pl.DataFrame:
    """The lines of documents, with the units and the cost of their SKU."""
    where, params = _where(person, since, closed)
    sql = (
        "SELECT l.number, l.n, l.sku_id, l.qty, l.progress, l.details FROM document d JOIN document_line l "
        f"ON l.tenant = d.tenant AND l.number = d.number WHERE d.tenant = :tenant AND d.flow = :flow{where}"
    )
    return moment.frame(sql, LINES, flow=flow, **params).join(_skus(moment), on="sku_id").with_columns(
        units=units_of(pl.col("qty"), pl.col("scale")),
        units_done=pl.col("progress") // pl.lit(10).pow(pl.col("scale")),
    )  # fmt: skip


def said_of(heads: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Heads with some of their details as columns."""
    said = pl.col("details").str.json_path_match
    return heads.select(
        "number", "state", "opened_at", "due_at", pl.col("party").replace("", None),
        *(said(f"$.{name}").alias(name) for name in names),
    )  # fmt: skip
