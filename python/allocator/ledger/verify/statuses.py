"""Statuses: every change is one that the lifecycle in force at that transaction allows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from allocator.ledger.verify.tables import Tables, found
from allocator.model.lifecycle import Lifecycle
from allocator.transitions import validate_transitions

DEFINED = {"seq": pl.Int64, "sku": pl.String, "tracking": pl.String, "scale": pl.Int64, "lifecycle": pl.String,
           "settings": pl.String}  # fmt: skip


def findings(tables: Tables) -> Iterator[pl.DataFrame]:
    """What is wrong with how SKUs are set up and with changes of status."""
    yield from _skus(tables)
    yield from _transitions(tables)


def defined(tables: Tables) -> pl.DataFrame:
    """How SKUs were set up, by the transactions that did: one row per transaction and SKU."""
    rows = [
        (seq, sku["sku"], sku["tracking"], sku["scale"], sku["lifecycle"], json.dumps(sku["settings"], sort_keys=True))
        for seq, details in tables.txn.filter(pl.col("type") == "define").select("seq", "details").iter_rows()
        for sku in json.loads(details)["skus"]
    ]
    return pl.DataFrame(rows, schema=DEFINED, orient="row")


def _skus(tables: Tables) -> Iterator[pl.DataFrame]:
    columns = ["tracking", "scale", "lifecycle", "settings"]
    said = defined(tables).group_by("sku", maintain_order=True).last()
    both = tables.sku.select("sku", pl.struct(columns).alias("have")).join(
        said.select("sku", pl.struct(columns).alias("said")), on="sku", how="full", coalesce=True
    )
    wrong = both.filter(pl.col("have").ne_missing(pl.col("said"))).sort("sku")
    yield found(wrong, 10, "the SKU is not as it was defined last", "SKU {}", "sku")
    for seq, details in tables.txn.filter(pl.col("type") == "define").select("seq", "details").iter_rows():
        kept = tables.lifecycle.filter(pl.col("seq") == seq)
        have = {name: Lifecycle.loads(text, "json").fingerprint() for name, _, text in kept.iter_rows()}
        if have != json.loads(details)["lifecycles"]:
            yield found(pl.DataFrame({"seq": [seq]}), 10, "the lifecycles are not those that were defined", "txn {}",
                        "seq")  # fmt: skip


def _transitions(tables: Tables) -> Iterator[pl.DataFrame]:
    for text, changes in _changes(tables).partition_by(["document"], as_dict=True).items():
        given = changes.select(
            "seq", "n", "unit", *(pl.col(f"{name}").replace("", None) for name in ("from", "to", "role", "reason")),
            pl.col("document_kind").replace("", None).alias("document"), pl.col("approved_by").ne("").alias("approval"),
            pl.col("previous").replace("", None),
        )  # fmt: skip
        judged = validate_transitions(given.drop("unit"), Lifecycle.loads(str(text[0]), "json"))
        # What is counted in pieces has no one status that it had before.
        unsaid = (judged["verdict"] == "previous_missing") & ~given["unit"]
        wrong = judged.filter(~(judged["allowed"] | unsaid)).with_columns(
            pl.format("{} to {}: {}", pl.col("from").fill_null("new"), "to", "verdict").alias("change")
        )
        yield found(wrong, 16, "the lifecycle in force does not allow the change", "entry {}.{}", "seq", "n",
                    value="change")  # fmt: skip


def _changes(tables: Tables) -> pl.DataFrame:
    """The changes of status, with the lifecycle that was in force; reversals take back and are free."""
    said = tables.txn.select("seq", "type", "role", "approved_by", "reason", "document_kind")
    moved = tables.movements("source", "status").filter(pl.col("qty") > 0).join(said, on="seq", maintain_order="left")
    new = pl.col("source_from") & (pl.col("type") == "receive")
    changes = moved.filter(
        new | (~pl.col("source_from") & ~pl.col("source_to") & (pl.col("status_from") != pl.col("status_to")))
    ).with_columns(
        pl.when("unit").then(pl.col("status_from").shift(1).over("goods_id")).alias("previous"),
    )
    sku = tables.sku.select("sku_id", "sku")
    rules = defined(tables).join(sku, on="sku").select("sku_id", "seq", "lifecycle").sort("seq")
    documents = tables.lifecycle.select("seq", "document", lifecycle="name").sort("seq")
    return (
        changes.filter(pl.col("type") != "reverse")
        .rename({"status_from": "from", "status_to": "to"})
        .sort("seq")
        .join_asof(rules, on="seq", by="sku_id", check_sortedness=False)
        .join_asof(documents, on="seq", by="lifecycle", check_sortedness=False)
        .filter(pl.col("document").is_not_null())
    )
