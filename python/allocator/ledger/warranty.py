"""Warranty: whether a unit has one on a day, by the term and the start that its SKU's settings name (SN-17, SN-20)."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.ledger.given import check, listed
from allocator.ledger.history import find_unit
from allocator.ledger.lines import names_of
from allocator.ledger.snapshot import Snapshot, days, snapshot

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions

STARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "receipt": (),
    "shipment": ("ship", "deliver", "rent", "sell"),
    "delivery": ("deliver", "rent", "sell"),
}
"""When a warranty may start, and the types of transaction that start it."""

UNDONE: Final = ("credit", "reverse")
"""What ends a sale, and the warranty with it: the next one starts anew."""

_RULE: Final[dict[str, Any]] = {"sku_id": pl.Int64, "start": pl.String, "months": pl.Int64, "days": pl.Int64}
_MARK: Final[dict[str, Any]] = {"goods_id": pl.Int64, "seq": pl.Int64, "type": pl.String, "day": pl.Int64}
_UNIT: Final[dict[str, Any]] = {
    "goods_id": pl.Int64, "sku_id": pl.Int64, "sku": pl.String, "serial": pl.String, "received_on": pl.Int64,
    "owner": pl.String, "holder": pl.String,
}  # fmt: skip


def warranty(
    ledger: Questions, on: dt.date, *, serial: str | None = None, skus: str | Sequence[str] | None = None
) -> pl.DataFrame:
    """The warranty of units on a day.

    A SKU says it in its settings: `warranty = {"start": "delivery", "months": 24}`. `start` is `receipt` (the day of
    receipt from the supplier), `shipment` or `delivery` (the first since the last credit note: a repair does not start
    it anew, a second sale does); the term is in `months` of the calendar or in `days`. The last day is the day of the
    same number, so that 24 months from 2026-01-15 end with 2028-01-15.

    Args:
        ledger: The ledger.
        on: The day that is asked about.
        serial: Only this unit, by any number that it has or had.
        skus: Only units of these.

    Returns:
        One row per unit of a SKU with a warranty, by `sku` and `serial`: `start` (the rule), `starts_on` (null: not
        yet), `ends_on`, `under_warranty` on the day, `days_left` then, `owner`, `holder`.

    Raises:
        InputError: `goods_unknown`, `sku_unknown`.
    """
    skus = listed(skus)
    check("on", on=on, serial=serial, skus=skus)
    with snapshot(ledger) as moment:
        rules = _rules(moment, skus)
        one = names_of(skus)[0] if skus and len(names_of(skus)) == 1 else None
        ids = None if serial is None else [find_unit(moment, serial, one)]
        units = _units(moment, rules, ids)
        marks = _marks(moment, rules, ids)
    told = _ended(_begun(units.join(rules, on="sku_id"), marks))
    day = pl.lit(on)
    under = (pl.col("starts_on") <= day) & (pl.col("ends_on") >= day)
    return told.select(
        "sku", "serial", "start", "starts_on", "ends_on", under.fill_null(value=False).alias("under_warranty"),
        pl.when(under).then((pl.col("ends_on") - day).dt.total_days()).alias("days_left"), "owner", "holder",
    ).sort("sku", "serial")  # fmt: skip


def warranty_ends(moment: Snapshot, ids: list[int]) -> pl.DataFrame:
    """The last day of the warranty of units that have one: `goods_id`, `ends_on`."""
    rules = _rules(moment, None)
    units = _units(moment, rules, ids).join(rules, on="sku_id")
    return _ended(_begun(units, _marks(moment, rules, ids))).select("goods_id", "ends_on")


def _ended(begun: pl.DataFrame) -> pl.DataFrame:
    term = pl.when(pl.col("months").is_not_null()).then(pl.format("{}mo", "months")).otherwise(pl.format("{}d", "days"))
    return begun.with_columns(ends_on=pl.col("starts_on").dt.offset_by(term))


def _rules(moment: Snapshot, skus: str | Sequence[str] | None) -> pl.DataFrame:
    """The rule of each SKU that has one."""
    wanted = None if skus is None else set(moment.sku_ids(skus))
    rows = []
    for number, settings in moment.skus.select("sku_id", "settings").iter_rows():
        said = json.loads(settings).get("warranty")
        if said is not None and (wanted is None or number in wanted):
            rows.append((number, said["start"], said.get("months"), said.get("days")))
    return pl.DataFrame(rows, schema=_RULE, orient="row")


def _units(moment: Snapshot, rules: pl.DataFrame, ids: list[int] | None) -> pl.DataFrame:
    sql = (
        "SELECT b.goods_id, b.sku_id, k.sku, COALESCE(n.value, g.serial), g.received_on, a.owner, a.holder "
        "FROM balance b JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id "
        "JOIN sku k ON k.tenant = b.tenant AND k.sku_id = b.sku_id "
        "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
        "LEFT JOIN number n ON n.tenant = b.tenant AND n.goods_id = b.goods_id AND n.kind = 'serial' "
        "AND n.until_seq IS NULL WHERE b.tenant = :tenant AND b.unit = 1 AND "
    )
    if ids is not None:
        found = moment.frame(f"{sql} b.goods_id = ANY(:ids)", _UNIT, ids=ids)
    else:
        found = moment.frame(f"{sql} b.sku_id = ANY(:ids)", _UNIT, ids=rules["sku_id"].to_list())
    return found.with_columns(pl.col("owner", "holder").replace("", None))


def _marks(moment: Snapshot, rules: pl.DataFrame, ids: list[int] | None) -> pl.DataFrame:
    """What starts and ends warranties, in order."""
    sql = (
        "SELECT e.goods_id, e.seq, x.type, x.day FROM entry e "
        "JOIN goods g ON g.tenant = e.tenant AND g.goods_id = e.goods_id "
        "JOIN txn x ON x.tenant = e.tenant AND x.seq = e.seq "
        "WHERE e.tenant = :tenant AND e.qty > 0 AND x.type = ANY(:names) AND "
    )
    names = sorted({*UNDONE, *(each for kinds in STARTS.values() for each in kinds)})
    if ids is not None:
        return moment.frame(f"{sql} e.goods_id = ANY(:ids)", _MARK, ids=ids, names=names)
    later = rules.filter(pl.col("start") != "receipt")["sku_id"].to_list()
    return moment.frame(f"{sql} g.sku_id = ANY(:ids)", _MARK, ids=later, names=names)


def _begun(units: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """Units with the day on which their warranty starts."""
    sales = marks.sort("goods_id", "seq").with_columns(
        sale=pl.col("type").is_in(UNDONE).cum_sum().over("goods_id"),
    )
    last = sales.filter(pl.col("sale") == pl.col("sale").max().over("goods_id"))
    firsts = last.group_by("goods_id").agg(
        pl.col("day").filter(pl.col("type").is_in(kinds)).min().alias(start) for start, kinds in STARTS.items() if kinds
    )
    told = units.join(firsts, on="goods_id", how="left")
    chosen = pl.coalesce(
        pl.when(pl.col("start") == "receipt").then("received_on"),
        *(pl.when(pl.col("start") == start).then(start) for start, kinds in STARTS.items() if kinds),
    )
    return told.with_columns(starts_on=chosen).with_columns(days("starts_on"))
