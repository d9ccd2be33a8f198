"""`optimum`: the best plan that the rules allow beside the plan in their order."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.given import TABLES_HELP, AsOf, Demand, Given, Json, PolicyName, Stock, given
from allocator.cli.save import check_folder, save, save_json
from allocator.cli.show import say, say_json, say_table, working
from allocator.errors import InputError, Problem
from allocator.frames.findings import gathered
from allocator.optimum import OBJECTIVES, Optimum, Prices, optimize, shadow_prices
from allocator.optimum.arguments import Objectives, check_numbers, check_objectives

TABLES: Final = ("lines", "allocations", "stock", "comparison", "stages", "where")
SAID: Final = {
    "optimal": "No plan is better.",
    "within_gap": "No plan is better by more than the gap that was allowed.",
    "stopped": "The time was over: this is the best plan that was found by then; `bound` says how good one could be.",
    "by_rules": "The time was over before anything better than the plan of the rules was found: this is that plan.",
}


def optimum(
    stock: Stock,
    demand: Demand,
    *,
    policy: PolicyName = "fefo",
    as_of: AsOf = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            "-o",
            metavar="NAME[=WEIGHT]",
            help=f"May be given again: one before the next, or all with weights. {', '.join(OBJECTIVES)}.",
        ),
    ] = None,
    current: Annotated[
        Path | None, typer.Option(metavar="FILE", help=f"What lines have already, for `changes`: {TABLES_HELP}.")
    ] = None,
    time_limit: Annotated[float, typer.Option(metavar="SECONDS", help="For the solver.")] = 60.0,
    gap: Annotated[float, typer.Option(metavar="SHARE", help="0.01 stops within one percent of the bound.")] = 0.0,
    horizon_days: Annotated[int, typer.Option(metavar="DAYS", help="What expires so soon counts as waste.")] = 30,
    where: Annotated[
        str, typer.Option(metavar="COLUMN", help="Where the plans differ, by this demand column.")
    ] = "sku",
    prices: Annotated[
        bool, typer.Option("--prices", help="Also what one more unit of each SKU would be worth.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the plan there, as Parquet.")] = None,
    fail_stopped: Annotated[
        bool, typer.Option("--fail-stopped", help="Leave with code 1 if the time was over.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Finds the best plan that the rules allow, and says what serving in their order costs.

    Every rule of the policy holds; only who is served first, and from what, is free. Objectives: `units` served,
    `value` served (`unit_cost`), `lateness` (unit days after `needed_on`), `waste` (left over and about to expire),
    `transfers` (served from another place), `changes` (of `--current` not kept). Needs the extra `optimum`.

    Writes into `--out`: `lines`, `allocations` and `stock` as `run` does, `comparison` (both plans by every objective),
    `stages` (what the solver says), `where` (who gained and lost), `prices` if asked for, and `run.json`.

    **Examples**

    - `allocator optimum stock.csv demand.csv --as-of 2026-06-30`
    - `allocator optimum stock.csv demand.csv -p mine.toml --as-of 2026-06-30 -o lateness -o transfers --where customer`
    - `allocator optimum stock.csv demand.csv --as-of 2026-06-30 -o value=1 -o waste=0.5 --time-limit 10 --gap 0.01`
    """
    files = [stock, demand, current, Path(policy) if Path(policy).suffix else None]
    names = [f"{name}.parquet" for name in (*TABLES, *(["prices"] if prices else []))]
    if out is not None:
        check_folder(out, [*names, "run.json"], files)
    with working("reading"):
        found = gathered(
            {
                "tables": partial(given, stock, demand, policy, as_of),
                "objectives": partial(_objectives, objective or ["units"]),
                "the rest": partial(_check_numbers, time_limit=time_limit, gap=gap, horizon_days=horizon_days),
            }
        )
    asked: Given = found["tables"]
    _check_where(where, asked.demand)
    settings: dict[str, Any] = {"as_of": asked.as_of, "horizon_days": horizon_days, "time_limit": time_limit}
    with working("looking for the best plan"):
        best = optimize(
            *(asked.stock, asked.demand, asked.policy),
            **settings,
            objectives=found["objectives"],
            current=current,
            gap=gap,
        )
        tables = {name: getattr(best, name) for name in TABLES if name != "where"} | {"where": best.where(where)}
    if prices:
        with working("pricing one more unit"):
            first = found["objectives"] if isinstance(found["objectives"], dict) else found["objectives"][0]
            priced = shadow_prices(asked.stock, asked.demand, asked.policy, **settings, objective=first)
        tables["prices"] = priced.skus
    record = _record(best, tables)
    if out is not None:
        with working(f"writing {out}"):
            for name, file in zip(tables, names, strict=True):
                save(tables[name], out / file)
            save_json(record, out / "run.json")
    if as_json:
        say_json(record | {"out": None if out is None else str(out)})
    else:
        _show(best, tables, where, priced if prices else None)
        say(f"Wrote {', '.join([*names, 'run.json'])} in {out}." if out else "Nothing was written: see --out.")
    if fail_stopped and best.status in ("stopped", "by_rules"):
        raise typer.Exit(1)


def _objectives(given: list[str]) -> Objectives:
    """Names in their order, or weights by name.

    Raises:
        InputError: `argument_value`.
    """
    split = [each.partition("=") for each in given]
    weights: dict[str, Decimal] = {}
    problems: list[Problem] = []
    if not any(sign for _, sign, _ in split):
        names = [name for name, _, _ in split]
        check_objectives(names, problems)
        if problems:
            raise InputError(problems)
        return names
    for text, (name, _, weight) in zip(given, split, strict=True):
        try:
            if name in weights:
                raise InvalidOperation
            weights[name] = Decimal(weight)
        except InvalidOperation:
            message, hint = "a weight for every objective, or for none, is expected", "Write them as value=1 waste=0.5"
            problems.append(Problem("argument_value", message, column="--objective", value=text, hint=hint))
    check_objectives(weights or ["units"], problems)
    if problems:
        raise InputError(problems)
    return weights


def _check_numbers(*, time_limit: float, gap: float, horizon_days: int) -> None:
    """Refuses numbers that make no sense together with everything else.

    Raises:
        InputError: `argument_value`.
    """
    problems: list[Problem] = []
    check_numbers(time_limit=time_limit, gap=gap, horizon_days=horizon_days, problems=problems)
    if problems:
        raise InputError(problems)


def _check_where(column: str, demand: pl.DataFrame) -> None:
    """Refuses a column that is not there before the solver is at work for a minute.

    Raises:
        InputError: `column_missing`.
    """
    if column not in demand.columns:
        hint = f"The table has {', '.join(demand.columns)}"
        raise InputError(Problem("column_missing", "demand has no such column", "demand", column, hint=hint))


def _record(best: Optimum, tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    return {
        "as_of": best.bound.as_of.isoformat(),
        "policy": {"name": best.policy.name} | best.policy.plain(),
        "policy_fingerprint": best.policy.fingerprint(),
        "status": best.status,
        "solver_seconds": best.solver_seconds,
        "comparison": best.comparison.to_dicts(),
        "stages": best.stages.to_dicts(),
        "summary": best.summary,
        "where": tables["where"].to_dicts(),
    } | ({"prices": tables["prices"].to_dicts()} if "prices" in tables else {})


def _show(best: Optimum, tables: dict[str, pl.DataFrame], where: str, priced: Prices | None) -> None:
    say(f"{best.policy.name} as of {best.bound.as_of}: {SAID[best.status]}", "bold")
    say_table(best.comparison, "Both plans", percent=("gap",))
    say_table(best.stages, "The solver", percent=("gap",))
    if tables["where"].is_empty():
        say("No line gains or loses.")
    else:
        say_table(tables["where"], f"Where they differ, by {where}")
    if priced is not None:
        exact = "the next unit" if priced.exact else "more, fill rules left out"
        say_table(
            priced.skus.sort("price", "sku", descending=[True, False]), f"What {exact} is worth ({priced.objective})"
        )
