"""Where it came from, and where it went: from goods back to their documents, from a document to where its goods are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.ledger.history import find_lot, find_unit, history
from allocator.ledger.snapshot import Snapshot, blank_to_null, moments, snapshot

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions

_BACK: Final = (
    "seq", "at", "day", "type", "document_kind", "document", "references", "sku", "lot", "serial", "qty",
    "kind_before", "location_before", "holder_before", "kind_after", "location_after", "holder_after", "line_id",
    "reason", "actor",
)  # fmt: skip

_WHERE: Final = (
    "SELECT b.goods_id, k.sku, k.scale, g.lot, COALESCE(n.value, g.serial), b.qty, a.kind, a.location, a.status, "
    "a.owner, a.holder, a.blocks, e.seq, x.recorded_at, x.type, x.document_kind, x.document, e.line_id, x.actor "
    "FROM balance b JOIN goods g ON g.tenant = b.tenant AND g.goods_id = b.goods_id "
    "JOIN sku k ON k.tenant = b.tenant AND k.sku_id = b.sku_id "
    "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
    "LEFT JOIN number n ON n.tenant = b.tenant AND n.goods_id = b.goods_id AND n.kind = 'serial' "
    "AND n.until_seq IS NULL "
    "JOIN entry e ON e.tenant = b.tenant AND e.goods_id = b.goods_id AND e.to_id = b.account_id AND e.seq = "
    "(SELECT MAX(f.seq) FROM entry f WHERE f.tenant = b.tenant AND f.goods_id = b.goods_id AND f.to_id = b.account_id "
    "AND f.qty > 0) AND e.qty > 0 "
    "JOIN txn x ON x.tenant = b.tenant AND x.seq = e.seq "
    "WHERE b.tenant = :tenant AND b.goods_id = ANY(:ids)"
)

_COLUMNS: Final[dict[str, Any]] = {
    "goods_id": pl.Int64, "sku": pl.String, "scale": pl.Int64, "lot": pl.String, "serial": pl.String, "qty": pl.Int64,
    "kind": pl.String, "location": pl.String, "status": pl.String, "owner": pl.String, "holder": pl.String,
    "blocks": pl.String, "seq": pl.Int64, "at": pl.Int64, "type": pl.String, "document_kind": pl.String,
    "document": pl.String, "line_id": pl.String, "actor": pl.String,
}  # fmt: skip


def origin(
    ledger: Questions, serial: str | None = None, *, sku: str | None = None, lot: str | None = None,
    stock_id: int | None = None,
) -> pl.DataFrame:  # fmt: skip
    """What brought goods where they are, first step first; see `Ledger.origin`."""
    told = history(ledger, serial, sku=sku, lot=lot, stock_id=stock_id)
    return told.filter(pl.col("qty") > 0).filter(
        pl.col("kind_before").ne_missing(pl.col("kind_after"))
        | pl.col("location_before").ne_missing(pl.col("location_after"))
        | pl.col("holder_before").ne_missing(pl.col("holder_after"))
    ).select(_BACK)  # fmt: skip


def whereabouts(
    ledger: Questions, document: str | None = None, *, serial: str | None = None, sku: str | None = None,
    lot: str | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Where goods are now; see `Ledger.whereabouts`."""
    with snapshot(ledger) as moment:
        if document is not None:
            rows = moment.rows(
                "SELECT DISTINCT e.goods_id FROM txn x JOIN entry e ON e.tenant = x.tenant AND e.seq = x.seq "
                "WHERE x.tenant = :tenant AND x.document = :document AND x.document <> ''",
                document=document,
            )
            ids = [goods_id for (goods_id,) in rows]
        elif serial is not None:
            ids = [find_unit(moment, serial, sku)]
        else:
            ids = find_lot(moment, lot or "", sku)
        return where(moment, ids)


def where(moment: Snapshot, ids: list[int]) -> pl.DataFrame:
    """One row per goods and account that has any of them now, with what brought them there."""
    found = moment.frame(_WHERE, _COLUMNS, ids=ids)
    texts = [name for name, dtype in _COLUMNS.items() if dtype == pl.String and name not in ("sku", "type", "actor")]
    told = moment.exact(found.with_columns(blank_to_null(*texts), moments("at")), "qty")
    return told.drop("scale").sort("sku", "lot", "serial", "goods_id", "kind", "location", "holder", nulls_last=True)
