"""The reach of a recall: every unit and quantity that it names, where it is, who has it, and whom to ask (SN-19)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.given import check, listed
from allocator.ledger.lines import names_of
from allocator.ledger.snapshot import Snapshot, blank_to_null, days, snapshot
from allocator.ledger.trace import where
from allocator.numbers import match_recall, parse_recall
from allocator.numbers.recall import SCHEMA

if TYPE_CHECKING:
    from allocator.frames.read import Source
    from allocator.ledger.questions import Questions

GOODS: Final[dict[str, Any]] = {
    "goods_id": pl.Int64, "sku": pl.String, "lot": pl.String, "serial": pl.String, "expires_on": pl.Int64,
}  # fmt: skip
"""What a recall is compared with: one row per goods and number of theirs; '' where there is none."""

_GOODS: Final = (
    "SELECT g.goods_id, k.sku, g.lot, COALESCE(n.value, ''), g.expires_on FROM goods g "
    "JOIN sku k ON k.tenant = g.tenant AND k.sku_id = g.sku_id "
    "LEFT JOIN number n ON n.tenant = g.tenant AND n.goods_id = g.goods_id AND n.kind = 'serial' "
    "WHERE g.tenant = :tenant"
)

TO: Final = " to "
"""Stands between the ends of a range."""


def recall_impact(
    ledger: Questions,
    text: str | Sequence[str] | None = None,
    *,
    lots: str | Sequence[str] = (),
    serials: str | Sequence[str] = (),
    recall: Source | None = None,
    skus: str | Sequence[str] | None = None,
) -> pl.DataFrame:
    """Everything that a recall names, wherever it is now: with a customer, used up and scrapped goods included.

    Args:
        ledger: The ledger.
        text: The words of the recall, as they came; read by `allocator.numbers.parse_recall`.
        lots: Lots, each one or a range as `A105 to A110`.
        serials: Serials, each one or a range; a former number finds its unit.
        recall: Rows as of `parse_recall`, corrected by hand, instead of `text`.
        skus: Only goods of these.

    Returns:
        One row per goods and account that has any: `sku`, `lot`, `serial`, `qty`, `kind` (stock, transit, customer,
        rental, consumed, scrap, lost), `location`, `status`, `owner`, `holder`, `blocks`, `contact` (whom to ask: who
        has it, else whose it is, else the place), what brought it there (`seq`, `at`, `type`, `document_kind`,
        `document`, `line_id`, `actor`); `found_by` (lot, serial, expiry, …) and `certain` as in `match_recall`. What
        can still reach somebody comes first: with customers, on the way, in stock, gone.

    Raises:
        InputError: `argument_value`: nothing is recalled; `range_ends_differ`; `sku_unknown`.
    """
    lots, serials, skus = listed(lots), listed(serials), listed(skus)
    check("lots", "serials", text=text, lots=lots, serials=serials, skus=skus)
    if recall is None:
        recall = named(text, lots, serials)
    with snapshot(ledger) as moment:
        found = named_goods(moment, recall, skus)
        told = where(moment, found["goods_id"].to_list())
    urgent = pl.col("kind").replace_strict(_URGENCY, default=len(_URGENCY), return_dtype=pl.Int64)
    return (
        told.join(found, on="goods_id", how="left", maintain_order="left")
        .with_columns(contact=pl.coalesce("holder", "owner", "location"))
        .sort(urgent, "contact", "sku", "lot", "serial", nulls_last=True)
        .drop("goods_id")
    )


def named_goods(
    moment: Snapshot, recall: Source, skus: str | Sequence[str] | None = None, *, after: int = 0,
    ids: Sequence[int] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The goods that a recall names: one row each, `goods_id`, `found_by` and `certain`.

    Args:
        moment: The moment.
        recall: Rows as of `parse_recall`.
        skus: Only goods of these.
        after: Only goods that were received after these.
        ids: Only these goods.

    Raises:
        InputError: `range_ends_differ`, `sku_unknown`.
    """
    sql = f"{_GOODS} AND g.goods_id > :after"
    params: dict[str, Any] = {"after": after}
    if skus is not None:
        sql, params["ids"] = f"{sql} AND g.sku_id = ANY(:ids)", moment.sku_ids(skus)
    if ids is not None:
        sql, params["keys"] = f"{sql} AND g.goods_id = ANY(:keys)", list(ids)
    return match_goods(moment.frame(sql, GOODS, **params), recall)


def match_goods(goods: pl.DataFrame, recall: Source) -> pl.DataFrame:
    """Of a table of goods, with the columns of `GOODS`, those that a recall names; answer as that of `named_goods`."""
    told = goods.with_columns(blank_to_null("lot", "serial"), days("expires_on"))
    hits = match_recall(told, recall).sort("certain", descending=True).unique("goods_id", keep="first")
    return hits.select("goods_id", pl.col("recall_kind").cast(pl.String).alias("found_by"), "certain").sort("goods_id")


_URGENCY: Final = {kind: n for n, kind in enumerate(("customer", "rental", "transit", "stock", "consumed"))}


def named(text: str | Sequence[str] | None, lots: str | Sequence[str], serials: str | Sequence[str]) -> pl.DataFrame:
    """What is recalled, as rows of `parse_recall`; `not_understood` ones too, for people to read.

    Raises:
        InputError: `argument_value`: nothing is.
    """
    rows = [] if text is None else [parse_recall(names_of(text))]
    rows += [_rows(kind, given) for kind, given in (("lot", lots), ("serial", serials)) if given]
    if not rows:
        raise InputError(Problem("argument_value", "nothing is recalled: give text, lots or serials", column="text"))
    return pl.concat(rows)


def _rows(kind: str, given: str | Sequence[str]) -> pl.DataFrame:
    """Numbers and ranges as rows of a recall."""
    ends = [value.strip().partition(TO) for value in names_of(given)]
    rows = [
        {"row": row, "kind": kind, "first": first.strip(), "last": (last or first).strip(), "confidence": "high"}
        for row, (first, _, last) in enumerate(ends)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)
