"""Reports that businesses ask for every day (SN-19, WD-20), each a table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.ledger.given import check, listed
from allocator.ledger.history import events
from allocator.ledger.lines import names_of
from allocator.ledger.records import day_number
from allocator.ledger.snapshot import At, Snapshot, blank_to_null, days, moments, snapshot

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions

_UNIT: Final[dict[str, Any]] = {
    "goods_id": pl.Int64, "account_id": pl.Int64, "sku": pl.String, "serial": pl.String, "lot": pl.String,
    "reserved": pl.Int64, "received_on": pl.Int64, "expires_on": pl.Int64,
}  # fmt: skip

_UNITS: Final = (
    "SELECT b.goods_id, b.account_id, k.sku, COALESCE(n.value, g.serial), g.lot, b.reserved, g.received_on, "
    "g.expires_on FROM balance b JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id "
    "JOIN sku k ON k.tenant = b.tenant AND k.sku_id = b.sku_id "
    "LEFT JOIN number n ON n.tenant = b.tenant AND n.goods_id = b.goods_id AND n.kind = 'serial' "
    "AND n.until_seq IS NULL WHERE b.tenant = :tenant AND b.unit = 1"
)


def serials(
    ledger: Questions,
    *,
    skus: str | Sequence[str] | None = None,
    status: str | None = None,
    location: str | None = None,
    holder: str | None = None,
) -> pl.DataFrame:
    """Units with a serial: which there are, in which status, where or with whom (SN-19, WD-20).

    Args:
        ledger: The ledger.
        skus: Only these.
        status: Only those in this status.
        location: Only those at this place, or at one below it.
        holder: Only those that this customer, carrier or van has.

    Returns:
        One row per unit, by `sku` and `serial`: `lot`, `kind` (stock, transit, customer, rental, …), `location`,
        `status`, `condition`, `owner` (null: the business), `holder`, `blocks`, `promised`, `received_on`,
        `expires_on`; then a column for each further kind of number (`mac`, `eid`, …).

    Raises:
        InputError: `sku_unknown`.
    """
    skus = listed(skus)
    check(skus=skus, status=status, location=location, holder=holder)
    with snapshot(ledger) as moment:
        accounts = moment.accounts
        if status is not None:
            accounts = accounts.filter(pl.col("status") == status)
        if location is not None:
            at = pl.col("location")
            accounts = accounts.filter((at == location) | at.str.starts_with(f"{location}/"))
        if holder is not None:
            accounts = accounts.filter(pl.col("holder") == holder)
        sql, params = _UNITS, {}
        if skus is not None:
            sql, params["ids"] = f"{sql} AND b.sku_id = ANY(:ids)", moment.sku_ids(skus)
        if accounts.height < moment.accounts.height:
            # Few accounts of many: found by the index of balances by account.
            sql, params["keys"] = f"{sql} AND b.account_id = ANY(:keys)", accounts["account_id"].to_list()
        rows = moment.frame(sql, _UNIT, **params).join(accounts, on="account_id")
        numbers = _numbers(moment, rows["goods_id"].to_list())
    told = rows.select(
        "goods_id", "sku", "serial", blank_to_null("lot"), "kind", "location", "status", "condition", "owner", "holder",
        "blocks", (pl.col("reserved") > 0).alias("promised"), days("received_on", "expires_on"),
    )  # fmt: skip
    return told.join(numbers, on="goods_id", how="left").drop("goods_id").sort("sku", "serial")


def _numbers(moment: Snapshot, units: Sequence[int]) -> pl.DataFrame:
    """The further numbers that units have now, a column for each kind."""
    sql = (
        "SELECT goods_id, kind, value FROM number WHERE tenant = :tenant AND goods_id = ANY(:ids) "
        "AND kind <> 'serial' AND until_seq IS NULL"
    )
    found = moment.frame(sql, {"goods_id": pl.Int64, "kind": pl.String, "value": pl.String}, ids=list(units))
    return found.sort("kind").pivot("kind", index="goods_id", values="value", aggregate_function="first")


def availability(ledger: Questions, *, skus: str | Sequence[str] | None = None) -> pl.DataFrame:
    """What there is beside what is wanted: one row per SKU that has any of either.

    The measures of `Ledger.balances`, and of the demand lines that ever had stock: `lines_open` (not yet given all),
    `qty_promised` and `qty_short` of them.

    Raises:
        InputError: `sku_unknown`.
    """
    skus = listed(skus)
    have = ledger.balances(skus=skus)
    lines = ledger.lines()
    if skus is not None:
        lines = lines.filter(pl.col("sku").is_in(names_of(skus)))
    wanted = lines.group_by("sku").agg(
        lines_open=((pl.col("allocated") > 0) | (pl.col("short") > 0)).sum().cast(pl.Int64),
        qty_promised=pl.col("allocated").sum(),
        qty_short=pl.col("short").sum(),
    )
    return (
        have.join(wanted, on="sku", how="full", coalesce=True).with_columns(pl.exclude("sku").fill_null(0)).sort("sku")
    )


def activity(ledger: Questions, day: dt.date) -> pl.DataFrame:
    """What was done on a day (UTC, as it was recorded): registered, promised, picked, shipped and all else.

    One row per `type` of transaction and `sku`: `event`, `transactions`, `units` (rows of history), `qty` (moved; for
    promises, the quantity promised or released), `actors` (how many people). In the order of the day's first.

    Example:
        >>> from allocator.ledger import Ledger
        >>> with Ledger.open("sqlite://") as ledger:
        ...     activity(ledger, dt.date(2026, 6, 30)).height
        0
    """
    check("day", day=day)
    first = day_number(day) * 86_400_000_000
    with snapshot(ledger) as moment:
        before, moment.seq = moment.seq_until(first - 1), moment.seq_until(first + 86_400_000_000 - 1)
        told = events(moment, "span", since=before)
    moved = pl.when(pl.col("type") == "reserve").then("reserved").when(pl.col("type") == "release").then("unreserved")
    return told.group_by("event", "type", "sku", maintain_order=True).agg(
        transactions=pl.col("seq").n_unique(), units=pl.len(), qty=moved.otherwise("qty").sum(),
        actors=pl.col("actor").n_unique(),
    )  # fmt: skip


def service(ledger: Questions, serial: str | None = None, *, since: At = 0, until: At = None) -> pl.DataFrame:
    """Services, repairs, calibrations, inspections, tests and certificates: of one unit, or of all in a time.

    Rows as of `Ledger.history`, without the columns of where it was.

    Raises:
        InputError: `goods_unknown`, `goods_ambiguous`, `argument_value`, `transaction_unknown`.
    """
    if serial is not None:
        told = ledger.history(serial, until=until)
    else:
        with snapshot(ledger, since) as moment:
            begun = moment.seq
        with snapshot(ledger, until) as moment:
            told = events(moment, "span", since=begun)
    return told.filter(pl.col("event").is_in(["service", "quality"])).select(
        "seq", "at", "day", "event", "subject", "sku", "serial", "lot", "actor", "document_kind", "document", "note",
        "status_after", "location_after", "holder_after",
    )  # fmt: skip


_TXN: Final[dict[str, Any]] = {
    "seq": pl.Int64, "at": pl.Int64, "day": pl.Int64, "type": pl.String, "actor": pl.String, "role": pl.String,
    "approved_by": pl.String, "document_kind": pl.String, "document": pl.String, "reason": pl.String,
    "note": pl.String, "references": pl.String, "reverses": pl.Int64, "hash": pl.Binary,
}  # fmt: skip


def audit(ledger: Questions, *, since: At = 0, until: At = None) -> pl.DataFrame:
    """Everything on record, for those who check it: one row per event, and one per transaction without any.

    Args:
        ledger: The ledger.
        since: After this moment; from the first transaction if left out.
        until: Up to this moment.

    Returns:
        The columns of `Ledger.history` and `hash`, that of the chain up to the transaction, in order.

    Raises:
        InputError: `argument_value`, `transaction_unknown`.
    """
    with snapshot(ledger, since) as moment:
        begun = moment.seq
    with snapshot(ledger, until) as moment:
        sql = (
            "SELECT seq, recorded_at, day, type, actor, role, approved_by, document_kind, document, reason, note, "
            "details, reverses, hash FROM txn WHERE tenant = :tenant AND seq > :since AND seq <= :seq ORDER BY seq"
        )
        found = moment.frame(sql, _TXN, since=begun, seq=moment.seq)
        told = events(moment, "span", since=begun)
    texts = [name for name, dtype in _TXN.items() if dtype == pl.String]
    heads = found.with_columns(blank_to_null(*texts), moments("at"), days("day"), pl.col("hash").bin.encode("hex"))
    quiet = heads.join(told, on="seq", how="anti").drop("hash")
    every = pl.concat([told, quiet], how="diagonal").sort("seq", maintain_order=True)
    return every.join(heads.select("seq", "hash"), on="seq", how="left", maintain_order="left")
