"""`reallocate`: what is promised already, dealt again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.engines import On, check_engine, engine
from allocator.cli.given import TABLES_HELP, AsOf, Demand, Json, PolicyName, Stock, day
from allocator.cli.save import check_folder, save, save_json
from allocator.cli.show import say, say_json, say_table, working
from allocator.frames.findings import gathered
from allocator.model.policy import Policy
from allocator.reallocation import Outcome, Reallocation
from allocator.reallocation import reallocate as deal_again

if TYPE_CHECKING:
    from allocator.cluster import Reallocated

SHOWN: Final = ("line_id", "segment", "strategy", "requested", "before", "after", "why", "to_lines")
TABLES: Final = ("lines", "moves", "totals", "allocations")


def reallocate(
    stock: Stock,
    demand: Demand,
    current: Annotated[
        Path, typer.Argument(metavar="CURRENT", help=f"What lines have, one row per line and stock row: {TABLES_HELP}.")
    ],
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="A reallocation: a preset or a file.")],
    *,
    policy: PolicyName = "fefo",
    as_of: AsOf = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the outcome there, as Parquet.")] = None,
    on: On = "here",
    fail_exceptions: Annotated[
        bool, typer.Option("--fail-exceptions", help="Leave with code 1 if a strategy could not be kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Deals again what is promised already: who keeps, who gains, who loses, and to whom.

    Writes into `--out`: `lines` (before, after, gained, lost, why), `moves` (from which line to which), `totals` (by
    segment), `allocations` (who has what afterwards) and `run.json`.

    **Examples**

    - `allocator reallocate stock.csv demand.csv current.csv plan.toml --as-of 2026-06-30`
    - `allocator reallocate stock.parquet demand.parquet current.parquet plan.toml --as-of 2026-06-30 --out result`
    """
    check_engine(on)
    names = [f"{name}.parquet" for name in TABLES]
    files = [Path(name) if Path(name).suffix else None for name in (plan, policy)]
    if out is not None:
        check_folder(out, [*names, "run.json"], [stock, demand, current, *files])
    found = gathered(
        {
            "as_of": partial(day, as_of),
            "plan": partial(Reallocation.load, plan),
            "policy": partial(Policy.load, policy),
        }
    )
    tables = stock, demand, current
    done: Outcome | Reallocated
    with working("reallocating"):
        if on == "here":
            done = deal_again(*tables, found["plan"], policy=found["policy"], as_of=found["as_of"])
            totals = done.totals
        else:
            done = _distributed(tables, found)
            totals = done.totals(found["plan"])
    frames = {"lines": done.lines, "moves": done.moves, "totals": totals, "allocations": done.allocations}
    record = {
        "as_of": found["as_of"].isoformat(),
        "plan": {"name": found["plan"].name} | found["plan"].plain(),
        "plan_fingerprint": found["plan"].fingerprint(),
        "policy_fingerprint": found["policy"].fingerprint(),
        "summary": done.summary,
        "totals": totals.to_dicts(),
    }
    if out is not None:
        with working(f"writing {out}"):
            for name, file in zip(TABLES, names, strict=True):
                save(frames[name], out / file)
            save_json(record, out / "run.json")
    if as_json:
        say_json(record | {"out": None if out is None else str(out)})
    else:
        say(found["plan"].describe(), "bold")
        say_table(totals, "By segment")
        changed = done.lines.filter((pl.col("gained") > 0) | (pl.col("lost") > 0) | pl.col("exception"))
        say_table(changed.select(SHOWN), "Lines that gained or lost, and exceptions")
        say(f"Wrote {', '.join([*names, 'run.json'])} in {out}." if out else "Nothing was written: see --out.")
    if fail_exceptions and done.summary["exceptions"]:
        raise typer.Exit(1)


def _distributed(tables: tuple[Path, Path, Path], found: dict[str, Any]) -> Reallocated:
    """The same by partitions on an engine that ends with it."""
    from allocator.cluster import reallocate  # noqa: PLC0415 - of the extra `spark`

    with engine() as spark:
        given = {"policy": found["policy"], "as_of": found["as_of"], "spark": spark}
        return reallocate(*tables, found["plan"], **given).collect()
