"""`run`, `explain` and `check`: stock, demand and a policy in; what was decided, why, or what is wrong, out."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
import typer

from allocator.cli.engines import On, check_engine, engine
from allocator.cli.given import LEGIBLE, AsOf, Demand, Given, Json, PolicyName, Stock, given, table_problems
from allocator.cli.save import check_folder, save, save_json
from allocator.cli.show import say, say_json, say_table, working
from allocator.errors import InputError
from allocator.frames.findings import Findings, gathered
from allocator.frames.read import read
from allocator.model.policy import Policy
from allocator.model.reason import REASONS
from allocator.result import Bound, Result, bind

if TYPE_CHECKING:
    from allocator.cluster import Allocated

Format = Literal["parquet", "csv"]


def run(
    stock: Stock,
    demand: Demand,
    *,
    policy: PolicyName = "fefo",
    as_of: AsOf = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the result there.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Format of the tables in --out.")] = "parquet",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads; all by default. The result is the same.")] = None,
    on: On = "here",
    fail_short: Annotated[bool, typer.Option("--fail-short", help="Leave with code 1 if any line is short.")] = False,
    as_json: Json = False,
) -> None:
    """Allocates: decides which stock serves which demand.

    Writes into `--out`: `lines` (what each line got, and the reason of what it did not), `allocations` (from which
    stock), `stock` (the balances after) and `run.json` (figures, policy, day).

    **Examples**

    - `allocator run stock.parquet demand.parquet --as-of 2026-06-30`
    - `allocator run stock.csv demand.csv --policy mine.toml --as-of 2026-06-30 --out result --format csv`
    - `allocator run stock.csv demand.csv --as-of 2026-06-30 --json --fail-short`
    - `allocator run stock.parquet demand.parquet --as-of 2026-06-30 --on sail --out result`
    """
    check_engine(on)
    names = [f"{name}.{form}" for name in ("lines", "allocations", "stock")]
    policy_file = Path(policy) if Path(policy).suffix else None
    if out is not None:
        check_folder(out, [*names, "run.json"], [stock, demand, policy_file])
    begun = time.perf_counter()
    with working("reading"):
        tables = given(stock, demand, policy, as_of)
    result = decided(tables, threads) if on == "here" else distributed(tables, threads)
    record = {
        "allocator": version("allocator"),
        "as_of": tables.as_of.isoformat(),
        "policy": {"name": tables.policy.name} | tables.policy.plain(),
        "policy_fingerprint": tables.policy.fingerprint(),
        "inputs": {"stock": str(stock), "demand": str(demand), "stock_rows": tables.stock.height},
        "summary": result.summary,
        "reasons": result.reasons().to_dicts(),
    }
    if out is not None:
        with working(f"writing {out}"):
            for name, frame in zip(names, (result.lines, result.allocations, result.stock), strict=True):
                save(frame, out / name)
            save_json(record, out / "run.json")
    if as_json:
        say_json(record | {"out": None if out is None else str(out)})
    else:
        _show(result, tables, time.perf_counter() - begun)
        say(f"Wrote {', '.join([*names, 'run.json'])} in {out}." if out else "Nothing was written: see --out.")
    if fail_short and result.summary["units_short"]:
        raise typer.Exit(1)


def decided(tables: Given, threads: int | None = None) -> Result:
    """The result, with a word on what is being done."""
    with working(f"checking {tables.stock.height:,} stock rows and {tables.demand.height:,} lines"):
        bound: Bound = bind(tables.stock, tables.demand, tables.policy, as_of=tables.as_of)
    with working(f"allocating {tables.demand.height:,} lines"):
        return bound.run(threads=threads)


def distributed(tables: Given, threads: int | None = None) -> Allocated:
    """The same by partitions on an engine that ends with it."""
    from allocator.cluster import allocate  # noqa: PLC0415 - of the extra `spark`

    with engine() as spark, working(f"allocating {tables.demand.height:,} lines on Sail"):
        done = allocate(
            tables.stock, tables.demand, tables.policy, as_of=tables.as_of, spark=spark, threads=threads or 1
        )
        return done.collect()


def _show(result: Result | Allocated, tables: Given, seconds: float) -> None:
    summary = result.summary
    say(
        f"{tables.policy.name} as of {tables.as_of}: {summary['lines']:,} lines from {tables.stock.height:,} stock rows"
        f" in {seconds:.1f} s",
        "bold",
    )
    say_table(
        pl.DataFrame(
            {
                "of": ["lines", "units"],
                "requested": [summary["lines"], summary["units_requested"]],
                "served": [summary["lines_full"], summary["units_allocated"]],
                "short": [summary["lines"] - summary["lines_full"], summary["units_short"]],
                "fill": [summary["line_fill"], summary["unit_fill"]],
            },
            strict=False,
        ),
        percent=("fill",),
    )
    reasons_table(result)


def reasons_table(result: Result | Allocated) -> None:
    """Why lines are short, most frequent first."""
    reasons = result.reasons()
    if reasons.is_empty():
        say("No line is short.")
        return
    words = pl.col("reason").cast(pl.String).replace_strict(REASONS, return_dtype=pl.String).alias("because")
    say_table(reasons.with_columns(words), "Why lines are short")


def explain(
    stock: Stock,
    demand: Demand,
    line_ids: Annotated[list[str], typer.Argument(metavar="LINE_ID", help="The lines to explain.")],
    *,
    policy: PolicyName = "fefo",
    as_of: AsOf = None,
    rows: Annotated[int, typer.Option(min=1, help="How many stock rows of each kind are shown.")] = 20,
    as_json: Json = False,
) -> None:
    """Explains lines: every stock row they could have had, the rules it failed, and who took it before.

    Runs the allocation and explains it, so give the same files, policy and day as to `run`.

    **Examples**

    - `allocator explain stock.csv demand.csv L-17 --as-of 2026-06-30`
    - `allocator explain stock.csv demand.csv L-17 L-18 --policy mine.toml --as-of 2026-06-30 --json`
    """
    with working("reading"):
        tables = given(stock, demand, policy, as_of)
    result = decided(tables)
    found = gathered({line_id: partial(result.explain, line_id) for line_id in line_ids})
    if as_json:
        told = [{"line": one.line, "candidates": one.candidates.to_dicts()} for one in found.values()]
        say_json({"explanations": told})
        return
    for number, one in enumerate(found.values()):
        say(("\n" if number else "") + one.text(rows_max=rows))


def check(
    stock: Annotated[Path | None, typer.Argument(metavar="STOCK", help="Stock to check; '-' for none.")] = None,
    demand: Annotated[Path | None, typer.Argument(metavar="DEMAND", help="Demand to check.")] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", "-p", metavar="NAME|FILE", help="A policy to check, alone or with tables.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Checks tables and a policy, and shows every problem of all of them at once. Nothing is allocated.

    **Examples**

    - `allocator check stock.csv demand.csv --policy mine.toml`
    - `allocator check stock.csv`
    - `allocator check - demand.csv`
    """
    makers: dict[str, Callable[[], Any]] = {}
    findings = Findings()
    if stock is not None and str(stock) != "-":
        makers["stock"] = partial(read, stock, "stock", findings)
    if demand is not None:
        makers["demand"] = partial(read, demand, "demand", findings)
    if policy is not None:
        makers["policy"] = partial(Policy.load, policy)
    if not makers:
        raise typer.BadParameter("give STOCK, DEMAND or --policy: there is nothing to check")
    with working("checking"):
        problems_of = partial(table_problems, findings=findings)
        found = gathered(makers | {LEGIBLE: findings.raise_any}, then=problems_of)
        del found[LEGIBLE]
        if problems := problems_of(found):
            raise InputError(problems)
    if as_json:
        say_json({"problems": [], "checked": list(found)})
        return
    heights = {name: f"{frame.height:,} rows" for name, frame in found.items() if isinstance(frame, pl.DataFrame)}
    say(f"No problems in {', '.join(f'{name} ({heights[name]})' if name in heights else name for name in found)}.")
