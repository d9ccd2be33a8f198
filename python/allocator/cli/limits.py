"""`replenish`: what to ask for under maximum stock limits, and which requests may pass."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.given import TABLES_HELP, AsOf, Json, day, read_keys
from allocator.cli.save import check_target, save
from allocator.cli.show import say, say_json, say_table, working
from allocator.errors import AllocatorError, Problem
from allocator.frames.findings import gathered
from allocator.limits import check_requests
from allocator.limits import replenish as propose
from allocator.model.limits import Limits

KEYS: Final = ("bu", "asp", "sku", "sku_group", "request_id", "stock_id", "name")
PROPOSED: Final = ("bu", "asp", "sku", "rule", "on_hand", "in_transit", "requested_open", "headroom", "qty_proposed")
DECIDED: Final = ("request_id", "bu", "asp", "sku", "qty_requested", "decision", "qty_granted", "reason", "rule")


def replenish(
    stock: Annotated[Path, typer.Argument(metavar="STOCK", help=f"Stock with `bu`, `asp`, `sku`: {TABLES_HELP}.")],
    limits: Annotated[
        str, typer.Option("--limits", "-l", metavar="NAME|FILE", help="A preset (units, units_and_value) or a file.")
    ],
    *,
    as_of: AsOf = None,
    requests: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check these requests instead of proposing some.")
    ] = None,
    in_transit: Annotated[Path | None, typer.Option(metavar="FILE", help="Shipments on their way.")] = None,
    open_requests: Annotated[Path | None, typer.Option(metavar="FILE", help="Requests open already.")] = None,
    skus: Annotated[Path | None, typer.Option(metavar="FILE", help="Group, unit cost and pack of SKUs.")] = None,
    assortment: Annotated[Path | None, typer.Option(metavar="FILE", help="Keys to look at without stock.")] = None,
    rules: Annotated[Path | None, typer.Option(metavar="FILE", help="More limits, one a row.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all rows with their figures there.")] = None,
    as_json: Json = False,
) -> None:
    """Proposes what to ask for under maximum stock limits, or decides on requests (`--requests`).

    **Examples**

    - `allocator replenish stock.csv --limits mine.toml --as-of 2026-06-30 --skus skus.csv`
    - `allocator replenish stock.csv --limits mine.toml --as-of 2026-06-30 --requests asked.csv --out decided.csv`
    - `allocator policy new mine.toml --kind limits --preset units`
    """
    files = {
        "requests": requests,
        "in_transit": in_transit,
        "open_requests": open_requests,
        "skus": skus,
        "assortment": None if requests else assortment,
        "rules": rules,
    }
    if out is not None:
        check_target(out, [stock, *files.values()])
    tables = {"stock": stock, **{name: path for name, path in files.items() if path is not None}}
    makers: dict[str, Callable[[], Any]] = {"as_of": partial(day, as_of), "limits": partial(Limits.load, limits)}
    makers |= {name: partial(read_keys, path, name, KEYS) for name, path in tables.items()}
    with working("reading"):
        found = gathered(makers, then=_table_problems)
    with working("reckoning"):
        answer = _answer(found)
    if out is not None:
        save(answer, out)
    by = "decision" if requests else "reason"
    counts = answer.group_by(by).agg(rows=pl.len()).sort("rows", by, descending=[True, False])
    if as_json:
        say_json({by + "s": counts.to_dicts(), "rows": answer.to_dicts()})
        return
    say(f"{found['limits'].name} as of {found['as_of']}: {answer.height:,} rows", "bold")
    say_table(counts)
    shown = answer.select(DECIDED) if requests else answer.filter(pl.col("qty_proposed") > 0).select(PROPOSED)
    say_table(shown, "Decisions" if requests else "Proposed")
    if out is not None:
        say(f"Wrote {out}.")


def _answer(found: dict[str, Any]) -> pl.DataFrame:
    return check_requests(**found) if "requests" in found else propose(**found)


def _table_problems(found: dict[str, Any]) -> list[Problem]:
    """What is wrong with the tables that could be read, where the day or the limits could not."""
    if "stock" not in found:
        return []
    try:
        _answer({"limits": Limits(), "as_of": dt.date(2000, 1, 1)} | found)
    except AllocatorError as error:
        return list(error.problems)
    return []
