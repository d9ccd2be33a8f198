"""Frames of the ledger as people read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from allocator.cli.show import say, say_json, say_table
from allocator.ledger.sheets import write_table

CHANGES = ("kind", "location", "status", "condition", "owner", "holder", "blocks")


def counted(number: int, noun: str) -> str:
    """So many of something."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def say_frame(
    found: pl.DataFrame, shown: pl.DataFrame, title: str, *, out: Path | None, rows: int, as_json: bool
) -> None:
    """All rows into the file, as JSON, or the first ones as a table."""
    if out is not None:
        write_table(found, out)
    if as_json:
        say_json({"rows": found.to_dicts()} if out is None else {"out": str(out), "rows": found.height})
        return
    if found.is_empty():
        say(f"{title}: nothing.")
    else:
        seconds = shown.with_columns(pl.selectors.datetime().dt.strftime("%Y-%m-%d %H:%M"))
        say_table(seconds, title, rows_max=rows)
    if out is not None:
        say(f"Wrote {found.height:,} rows in {out}.")


def without_empty(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns in which anything is, and the SKU."""
    return frame.select(name for name in frame.columns if frame[name].null_count() < frame.height or name == "sku")


def history_table(events: pl.DataFrame, *, unit: bool) -> pl.DataFrame:
    """A history with what changed in a few words; `unit` shows of which unit each event is."""
    told = events.with_columns(what=pl.Series([_words(row) for row in events.iter_rows(named=True)], dtype=pl.String))
    who = ["sku", "serial", "lot", "qty"] if unit else []
    names = ["seq", "at", *who, "type", "what", "actor", "document", "reason", "note"]
    kept = [n for n in names if n in ("seq", "at", "type", "what", "sku") or told[n].null_count() < told.height]
    return told.select(kept)


def _words(row: dict[str, Any]) -> str:
    parts = []
    if row["kind_before"] != row["kind_after"]:
        parts.append(f"{row['kind_before']} → {row['kind_after']}")
    for name in CHANGES[1:]:
        before, after = row[f"{name}_before"], row[f"{name}_after"]
        if before != after and (name != "condition" or before is not None):
            label = "" if name in ("location", "status") else f"{name} "
            parts.append(f"{label}{before} → {after or 'none'}" if before else f"{label}{after}")
    if row["reserved"] and not row["unreserved"]:
        parts.append(f"promised to {row['line_id']}")
    if row["unreserved"] and not row["reserved"]:
        fulfilled = row["kind_before"] == "stock" and row["kind_after"] != "stock"
        parts.append(f"{'given to' if fulfilled else 'no longer promised to'} {row['line_id']}")
    details = json.loads(row["details"]) if (row["details"] or "").startswith("{") else {}
    if row["type"] == "renumber":
        parts.append(f"now {row['serial']}")
    parts += [row["subject"]] if row["subject"] else []
    parts += [f"{name} = {value}" for name, value in details.get("attributes", {}).items()]
    return ", ".join(parts)
