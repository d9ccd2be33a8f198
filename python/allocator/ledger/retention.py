"""How long histories are kept: what is due to be archived or purged, what stands in the way, and the purge (SN-14).

A purge takes away the words of a history: notes, measurements, characteristics, contacts. The movements stay, so that
balances, promises and numbers still follow from the entries, and no number is ever given to another unit; so does the
chain of hashes, by the digest that each transaction keeps. `docs/decisions/034-purged-words.md` says why.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import FileError, InputError, Problem
from allocator.ledger.given import check
from allocator.ledger.history import events
from allocator.ledger.records import Account, Movement
from allocator.ledger.sheets import write_table
from allocator.ledger.snapshot import Snapshot, days, snapshot
from allocator.ledger.waiting import Request
from allocator.ledger.warranty import warranty_ends
from allocator.model.retention import Retention

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.ledger import Ledger
    from allocator.ledger.records import Heading

HOLDS: Final = ("recall", "dispute", "warranty")
"""Characteristics of a unit, or block reasons, that keep its history: open unless their value is `closed`."""

IDENTITY: Final = ("serial", "numbers")
"""What of an entry's details stays: without it a number could be given twice."""

_GONE: Final[dict[str, Any]] = {
    "goods_id": pl.Int64, "sku_id": pl.Int64, "lot": pl.String, "serial": pl.String, "last": pl.Int64, "here": pl.Int64,
    "held": pl.Int64, "words": pl.Int64,
}  # fmt: skip

_HERE: Final = "a.kind IN ('stock', 'transit', 'rental') OR (a.kind = 'customer' AND a.owner = '')"

_FOUND: Final = (
    "SELECT g.goods_id, g.sku_id, g.lot, g.serial, "
    "(SELECT MAX(x.day) FROM entry e JOIN txn x ON x.tenant = e.tenant AND x.seq = e.seq "
    " WHERE e.tenant = g.tenant AND e.goods_id = g.goods_id AND x.type <> 'purge'), "
    "(SELECT COUNT(*) FROM balance b JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
    f" WHERE b.tenant = g.tenant AND b.goods_id = g.goods_id AND ({_HERE})), "
    "(SELECT COUNT(*) FROM attribute t WHERE t.tenant = g.tenant AND t.goods_id = g.goods_id "
    " AND t.name = ANY(:names) AND t.value <> 'closed'), "
    "(SELECT COUNT(*) FROM entry e WHERE e.tenant = g.tenant AND e.goods_id = g.goods_id AND e.details <> '' "
    " AND e.seq > COALESCE((SELECT MAX(p.seq) FROM purge p WHERE p.tenant = g.tenant AND p.goods_id = g.goods_id), 0)) "
    "FROM goods g WHERE g.tenant = :tenant"
)


def retention(ledger: Ledger, rules: Retention, on: dt.date) -> pl.DataFrame:
    """What the rules say of every unit and receipt on a day: keep, archive or purge, and why.

    Args:
        ledger: The ledger.
        rules: How long to keep what.
        on: The day.

    Returns:
        One row per goods: `goods_id`, `sku`, `lot`, `serial` (its first), `last_on` (day of its last event), `rule`,
        `archive_from`, `keep_until`, `decision` (keep, archive, purge) and `because`: `here` (any of it is still of the
        business), `held` (a recall, a dispute or a warranty is open), `no rule`, `not yet`, `nothing left`, `due`.

    Cost: a pass over goods and entries.
    """
    check("retention", "on", retention=rules, on=on)
    with snapshot(ledger) as moment:
        found = moment.frame(_FOUND, _GONE, names=list(HOLDS)).with_columns(days("last"))
        ruled = _ruled(moment, rules)
        ends = warranty_ends(moment, found["goods_id"].to_list())
    rows = found.join(ruled, on="sku_id", how="left").join(ends, on="goods_id", how="left")
    rows = rows.with_columns(
        keep_until=pl.col("last").dt.offset_by(pl.format("{}y", "keep_years")),
        archive_from=pl.col("last").dt.offset_by(pl.format("{}y", "archive_years")),
    )
    held = (pl.col("held") > 0) | (pl.col("ends_on") >= on).fill_null(value=False)
    past, late = pl.col("keep_until") < on, (pl.col("archive_from") <= on).fill_null(value=False)
    because = (
        pl.when(pl.col("here") > 0).then(pl.lit("here")).when(held).then(pl.lit("held"))
        .when(pl.col("rule").is_null()).then(pl.lit("no rule")).when(pl.col("words") == 0).then(pl.lit("nothing left"))
        .when(past | late).then(pl.lit("due")).otherwise(pl.lit("not yet"))
    )  # fmt: skip
    decided = rows.with_columns(because=because).with_columns(
        decision=pl.when(pl.col("because") != "due").then(pl.lit("keep")).when(past).then(pl.lit("purge"))
        .otherwise(pl.lit("archive")),
    )  # fmt: skip
    return decided.select(
        "goods_id", "sku", pl.col("lot", "serial").replace("", None), pl.col("last").alias("last_on"), "rule",
        "archive_from", "keep_until", "decision", "because",
    ).sort("goods_id")  # fmt: skip


def _ruled(moment: Snapshot, rules: Retention) -> pl.DataFrame:
    """The rule of each SKU: of those that hold for it, the one that keeps longest."""
    schema = {
        "sku_id": pl.Int64,
        "sku": pl.String,
        "rule": pl.String,
        "keep_years": pl.Int64,
        "archive_years": pl.Int64,
    }
    rows: list[tuple[Any, ...]] = []
    for number, name, settings in moment.skus.select("sku_id", "sku", "settings").iter_rows():
        said = json.loads(settings).get("regulation", ())
        under = {said} if isinstance(said, str) else set(said)
        mine = [
            rule for rule in rules.rules
            if (not rule.skus and not rule.regulations) or name in rule.skus or under & set(rule.regulations)
        ]  # fmt: skip
        rule = max(mine, key=lambda each: each.keep_years, default=None)
        rows.append((number, name, *((rule.name, rule.keep_years, rule.archive_years) if rule else (None,) * 3)))
    return pl.DataFrame(rows, schema=schema, orient="row")


def purge(
    ledger: Ledger,
    rules: Retention,
    on: dt.date,
    *,
    actor: str,
    reason: str,
    archive: str | Path | None = None,
) -> int | None:
    """Takes away the words of every history that is due, after their archive is written; the transaction, if any.

    With `archive`, what is due to be archived goes there and then from the ledger, and what is due to be purged too;
    without, only what is due to be purged goes, for good.

    Args:
        ledger: The ledger.
        rules: How long to keep what.
        on: The day.
        actor: Who does it.
        reason: Why, as the name of the regulation.
        archive: A file (.parquet, .csv or .xlsx) that gets the histories, as `Ledger.history` tells them.

    Raises:
        InputError: `reason_missing`.
        FileError: `file_unwritable`: there is an archive of this name, or it cannot be written; nothing was purged.
    """
    check("retention", "on", retention=rules, on=on, reason=reason, archive=archive)
    if not reason:
        raise InputError(Problem("reason_missing", "a purge needs a reason", column="reason"))
    if archive is not None and Path(archive).exists():
        hint = "Name a new file: no archive is ever replaced"
        raise FileError(Problem("file_unwritable", "there is a file of this name", value=str(archive), hint=hint))
    wanted = ("purge",) if archive is None else ("purge", "archive")
    due = retention(ledger, rules, on).filter(pl.col("decision").is_in(wanted))["goods_id"].to_list()
    if not due:
        return None
    with snapshot(ledger) as moment:
        # What is said after this moment is in no archive, and stays.
        until = moment.seq
        if archive is not None:
            write_table(events(moment, "goods", ids=due), Path(archive))
    said = ledger.heading("purge", actor=actor, reason=reason)
    name = "" if archive is None else Path(archive).name
    return int(ledger.requests.do(Request(lambda book: _purge(book, said, due, name, until))))


def _purge(book: Book, heading: Heading, due: Sequence[int], archive: str, until: int) -> int:
    book.load_goods(due)
    told: dict[int, list[tuple[int, int, str]]] = {}
    sql = (
        "SELECT goods_id, seq, n, details FROM entry WHERE tenant = :tenant AND goods_id = ANY(:ids) AND details <> '' "
        "AND seq <= :until ORDER BY goods_id, seq, n"
    )
    params = {"tenant": book.tenant, "ids": list(due), "until": until}
    for goods_id, seq, n, details in book.session.rows(sql, params):
        told.setdefault(goods_id, []).append((seq, n, details))
    with book.transaction(heading) as seq:
        for goods_id in told:
            place = next(iter(sorted(book.accounts_of[goods_id])), None) or book.account(Account("lost"))
            book.move(Movement(goods_id, place, place, 0))
    rows = [
        (book.tenant, goods_id, seq, len(said), hashlib.sha256(json.dumps(said).encode()).digest(), archive)
        for goods_id, said in told.items()
    ]
    book.session.insert("purge", ("tenant", "goods_id", "seq", "entries", "digest", "archive"), rows)
    for said in told.values():
        for at, n, details in said:
            book.session.run(
                "UPDATE entry SET details = :details WHERE tenant = :tenant AND seq = :seq AND n = :n",
                {"details": _kept(details), "tenant": book.tenant, "seq": at, "n": n},
            )
    book.session.run("DELETE FROM attribute WHERE tenant = :tenant AND goods_id = ANY(:ids) AND seq <= :until",
                     {"tenant": book.tenant, "ids": list(told), "until": until})  # fmt: skip
    return seq


def _kept(details: str) -> str:
    """The numbers of a unit stay; what else was said goes."""
    if not details.startswith("{"):
        return ""
    kept = {name: value for name, value in json.loads(details).items() if name in IDENTITY}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, separators=(",", ":")) if kept else ""
