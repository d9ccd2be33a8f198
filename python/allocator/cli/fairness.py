"""`share`: what each line gets when there is less than is asked, by a rule, within quotas and protection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.given import TABLES_HELP, Json, day
from allocator.cli.save import check_target, save
from allocator.cli.show import say, say_json, say_table, working
from allocator.errors import InputError, Problem
from allocator.fairness import FairShare, Quotas, compare_rules, ration
from allocator.fairness import share as divide
from allocator.frames.findings import gathered

SHOWN: Final = ("line_id", "tier", "qty", "share", "short", "reason")
PERCENT: Final = ("fill", "worst_fill")


def share(
    supply: Annotated[Path, typer.Argument(metavar="SUPPLY", help=f"What there is, one row per pool: {TABLES_HELP}.")],
    demand: Annotated[Path, typer.Argument(metavar="DEMAND", help=f"Demand, one row per line: {TABLES_HELP}.")],
    rule: Annotated[
        str, typer.Option("--rule", "-r", metavar="NAME|FILE", help="A preset (`policy list`) or a file.")
    ] = "proportional",
    *,
    against: Annotated[
        list[str] | None, typer.Option(metavar="NAME|FILE", help="Compare with this rule; may be given again.")
    ] = None,
    by: Annotated[str, typer.Option(metavar="COLUMN", help="The groups that should be filled alike.")] = "line_id",
    terms: Annotated[
        str | None, typer.Option("--quotas", metavar="NAME|FILE", help="Terms of quotas and protection to hold first.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DATE", help="With --quotas: the day, as 2026-06-30.")
    ] = None,
    limits: Annotated[Path | None, typer.Option("--quota-table", metavar="FILE", help="Quotas, one a row.")] = None,
    kept: Annotated[
        Path | None, typer.Option("--protection-table", metavar="FILE", help="Protections, one a row.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write all lines with their shares there.")] = None,
    as_json: Json = False,
) -> None:
    """Shares what does not suffice among lines, and says how fair that is.

    **Examples**

    - `allocator share supply.csv demand.csv --rule equal_gains --by customer --out shares.csv`
    - `allocator share supply.csv demand.csv --rule proportional --against priority --against equal_losses`
    - `allocator share supply.csv demand.csv --quotas mine.toml --as-of 2026-06-30 --protection-table kept.csv`
    """
    if out is not None:
        check_target(out, [supply, demand, limits, kept])
    makers: dict[str, Callable[[], Any]] = {
        name: partial(FairShare.load, name) for name in dict.fromkeys([rule, *(against or [])])
    }
    found = gathered({"--quotas": partial(_terms, terms, as_of, limits, kept), **makers})
    lines: Any = demand
    with working("sharing"):
        if found["--quotas"] is not None:
            held, on = found["--quotas"]
            rations = ration(supply, demand, held, as_of=on, quotas=limits, protections=kept).lines
            lines = rations.rename({"reason": "quota_reason"}).drop("short").with_columns(qty_max="granted")
        answer = divide(supply, lines, found[rule])
        measures = compare_rules(supply, lines, [found[name] for name in makers], by=by)
    if out is not None:
        save(answer, out)
    reasons = answer.drop_nulls("reason").group_by("reason").agg(lines=pl.len(), short=pl.col("short").sum())
    reasons = reasons.sort("reason")
    if as_json:
        say_json({"rules": measures.to_dicts(), "reasons": reasons.to_dicts(), "lines": answer.to_dicts()})
        return
    say(found[rule].describe(), "bold")
    say_table(measures, "How even", percent=PERCENT)
    say_table(reasons, "Why lines are short")
    say_table(answer.select(SHOWN), "Shares")
    if out is not None:
        say(f"Wrote {out}.")


def _terms(terms: str | None, as_of: str | None, limits: Path | None, kept: Path | None) -> Any:  # noqa: ANN401
    """The terms of quotas and the day, if there are any; tables without terms are a mistake."""
    if terms is not None:
        made = gathered({"terms": partial(Quotas.load, terms), "as_of": partial(day, as_of)})
        return made["terms"], made["as_of"]
    if limits is not None or kept is not None:
        hint = "Give --quotas, a preset or a file that says how they are held"
        message = "a table of quotas or protection is given without its terms"
        raise InputError(Problem("argument_missing", message, column="--quotas", hint=hint))
    return None
