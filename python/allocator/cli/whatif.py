"""`whatif`: scenarios beside what is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.given import TABLES_HELP, Json, day
from allocator.cli.save import WRITERS, check_target, save
from allocator.cli.show import counting, say, say_json, say_table, working
from allocator.errors import AllocatorError, FileError, InputError, Problem
from allocator.frames.findings import gathered
from allocator.model.document import Document
from allocator.model.grid import Grid
from allocator.model.monte_carlo import MonteCarlo
from allocator.model.policy import Policy
from allocator.model.scenario import Scenario
from allocator.scenario import Base, SideBySide, explore, sensitivity, shadow_prices, simulate, supply_curve
from allocator.scenario import compare as beside
from allocator.scenario.explore import KPI_NAMES, checked_kpi
from allocator.scenario.show import FORMATS, Progress, Shown, installed
from allocator.scenario.show import save as draw
from allocator.scenario.words import WORDS, differing, number

File = Annotated[Path | None, typer.Argument(help=f"A table: {TABLES_HELP}. Without both, the demo's.")]
SHOWN: Final = ("line_id", "sku", "change", "requested_after", "allocated_before", "allocated_after", "reason_after")


def whatif(
    stock: File = None,
    demand: File = None,
    *,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", "-s", metavar="NAME|FILE", help="A scenario; may be given again.")
    ] = None,
    grid: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="Every combination of some values.")] = None,
    monte_carlo: Annotated[str | None, typer.Option(metavar="NAME|FILE", help="Many runs by chance.")] = None,
    tornado: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="A grid, one axis at a time: what matters most.")
    ] = None,
    supply: Annotated[str | None, typer.Option(metavar="SKU", help="One SKU with more of it, and less.")] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow-prices", help="What one more unit of each SKU would bring.")
    ] = False,
    policy: Annotated[str | None, typer.Option("--policy", "-p", metavar="NAME|FILE", help="`fefo` if absent.")] = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="Required with tables.")] = None,
    by: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Segments that should be filled alike.")
    ] = None,
    horizon_days: Annotated[int, typer.Option(metavar="DAYS", help="What expires so soon counts as waste.")] = 30,
    kpi: Annotated[str, typer.Option(metavar="NAME", help="The measure of a grid, a tornado, a plot.")] = "unit_fill",
    save_to: Annotated[
        list[Path] | None,
        typer.Option("--save", metavar="FILE", help=f"{', '.join((*FORMATS, *WRITERS))}; may be given again."),
    ] = None,
    changes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Lines served otherwise, of each --scenario.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Asks what if: scenarios beside what is, over a grid, by chance, and what one more unit would bring.

    Nothing that is asked here changes any data. `docs/what-if.md` has the levers and the measures.

    **Examples**

    - `allocator whatif stock.csv demand.csv --as-of 2026-06-30 -s surge -s mine.toml --by customer --save both.html`
    - `allocator whatif stock.csv demand.csv --as-of 2026-06-30 --grid demand_and_supply --save grid.png`
    - `allocator whatif stock.csv demand.csv --as-of 2026-06-30 --monte-carlo demand --save runs.parquet`
    - `allocator whatif -s surge` (on the demo's tables)
    """
    asked = {
        "--scenario": scenario or None,
        "--grid": grid,
        "--monte-carlo": monte_carlo,
        "--tornado": tornado,
        "--supply": supply,
        "--shadow-prices": shadow or None,
    }
    files = [
        path for path in (stock, demand, *map(_file, (*(scenario or ()), grid, monte_carlo, tornado, policy))) if path
    ]
    makers: dict[str, Callable[[], Any]] = {
        "asked": partial(_one_question, asked),
        "kpi": partial(checked_kpi, kpi),
        "save": partial(_check_saves, save_to or [], changes, files, shadow=shadow, scenarios=bool(scenario)),
    }
    for name, model in ((grid, Grid), (monte_carlo, MonteCarlo), (tornado, Grid)):
        if name is not None:
            makers[f"document {name}"] = partial(_loaded, model, name)
    makers |= {f"scenario {name}": partial(_loaded, Scenario, name) for name in scenario or ()}
    makers |= {"base": partial(_base, stock, demand, policy, as_of, by=by or [], horizon_days=horizon_days)}
    found = gathered(makers)
    base: Base = found["base"]
    documents = [found[name] for name in found if name.startswith(("document ", "scenario "))]
    with counting("scenarios") as progress:
        answer = _answer(base, documents, asked=found["asked"], kpi=kpi, sku=supply, progress=progress)
    frame = answer if isinstance(answer, pl.DataFrame) else _frame(answer)
    if changes is not None and isinstance(answer, SideBySide):
        save(_changes(answer), changes)
    for path in save_to or []:
        with working(f"writing {path}"):
            save(frame, path) if path.suffix.lower() in WRITERS else draw([answer], path)  # type: ignore[list-item]
    if as_json:
        say_json(_record(answer, frame, base, documents))
        return
    _show(answer, frame, kpi)
    for path in [*(save_to or []), *([changes] if changes is not None else [])]:
        say(f"Wrote {path}.")


def _answer(
    base: Base, documents: list[Any], *, asked: str, kpi: str, sku: str | None, progress: Progress
) -> Shown | pl.DataFrame:
    match asked:
        case "--scenario":
            return beside(base, documents, progress=progress)
        case "--grid":
            return explore(base, documents[0], kpi=kpi, progress=progress)
        case "--monte-carlo":
            return simulate(base, documents[0], kpi=kpi, progress=progress)
        case "--tornado":
            return sensitivity(base, documents[0], kpi=kpi, progress=progress)
        case "--supply":
            return supply_curve(base, str(sku), progress=progress)
    return shadow_prices(base)


def _one_question(asked: dict[str, Any]) -> str:
    """What is asked.

    Raises:
        InputError: `argument_missing`: nothing; `argument_value`: two things at once.
    """
    given = [name for name, value in asked.items() if value is not None]
    if len(given) == 1:
        return given[0]
    if given:
        message, hint = f"{' and '.join(given)} are different questions", "Ask one at a time"
        raise InputError(Problem("argument_value", message, column=given[1], hint=hint))
    hint = f"Give one of {', '.join(asked)}; allocator policy list names scenarios to begin with"
    raise InputError(Problem("argument_missing", "nothing is asked", column="--scenario", hint=hint))


def _check_saves(targets: list[Path], changes: Path | None, read: list[Path], *, shadow: bool, scenarios: bool) -> None:
    """Refuses what cannot be written before the work is done; every problem of every file."""
    problems = []
    for path in [*targets, *([changes] if changes is not None else [])]:
        drawn = path.suffix.lower() in FORMATS and path != changes and not shadow
        try:
            # What is drawn is checked as if it were a table: its folder, and that it replaces nothing that was read.
            check_target(path.with_name(f"{path.name}.csv") if drawn else path, read)
            if drawn:
                installed("altair", "vl_convert", "great_tables")
        except AllocatorError as error:
            problems += [replace(p, column="--changes" if path == changes else "--save") for p in error.problems]
    if changes is not None and not scenarios:
        message = "only scenarios by name have lines that are served otherwise"
        problems.append(Problem("argument_value", message, column="--changes", hint="Give --scenario"))
    if problems:
        raise (FileError if scenarios or changes is None else InputError)(problems)


def _loaded(model: type[Document], source: str) -> Document:
    """The document; its problems name the file, as there may be several."""
    try:
        return model.load(source)
    except AllocatorError as error:
        raise type(error)([replace(problem, table=source) for problem in error.problems]) from None


def _file(source: str | None) -> Path | None:
    return Path(source) if source and Path(source).suffix else None


def _base(stock: Path | None, demand: Path | None, policy: str | None, as_of: str | None, **terms: Any) -> Base:  # noqa: ANN401 - as Base takes them
    """The tables of the files, or the demo's."""
    if stock is None:
        return _demo(policy, as_of, **terms)
    if demand is None:
        hint = "Give both tables, or none of them for the demo's"
        raise InputError(Problem("argument_missing", "stock is given without demand", column="DEMAND", hint=hint))
    found = gathered({"as_of": partial(day, as_of), "policy": partial(Policy.load, policy or "fefo")})
    with working("allocating the base"):
        return Base(stock, demand, found["policy"], as_of=found["as_of"], **terms)


def _demo(policy: str | None, as_of: str | None, **terms: Any) -> Base:  # noqa: ANN401
    from allocator.demo import World, check_installed, order_lines  # noqa: PLC0415 - only where it is asked for
    from allocator.demo import policy as demo_policy  # noqa: PLC0415

    check_installed()
    rules = demo_policy("fefo") if policy is None else Policy.load(policy)
    on = None if as_of is None else day(as_of)
    with working("allocating the demo's order lines"):
        world = World.of(order_lines().collect())
        return Base(world.stock, world.demand, rules, as_of=on or world.as_of, **terms)


# --- what is shown ---


def _frame(answer: Any) -> pl.DataFrame:  # noqa: ANN401 - each kind of answer has a frame
    return answer.kpis if isinstance(answer, SideBySide) else answer.frame


def _changes(answer: SideBySide) -> pl.DataFrame:
    frames = [found.changes.with_columns(scenario=pl.lit(found.scenario.name)) for found in answer.comparisons]
    return pl.concat(frames, how="vertical_relaxed").select("scenario", pl.exclude("scenario"))


def _record(answer: Shown | pl.DataFrame, frame: pl.DataFrame, base: Base, documents: list[Any]) -> dict[str, Any]:
    record = {
        "as_of": base.bound.as_of,
        "policy_fingerprint": base.policy.fingerprint(),
        "documents": [{"name": each.name, "fingerprint": each.fingerprint()} for each in documents],
        "base": base.kpis,
        "answer": frame.to_dicts(),
    }
    if hasattr(answer, "summary"):
        record["summary"] = answer.summary.to_dicts()
    return record


def _show(answer: Any, frame: pl.DataFrame, kpi: str) -> None:  # noqa: ANN401
    if isinstance(answer, SideBySide):
        say_table(_words(frame), "Scenarios beside the base", rows_max=len(KPI_NAMES))
        for found in answer.comparisons:
            counted = found.changes.group_by("change").len().sort("change")
            told = ", ".join(f"{count:,} {change}" for change, count in counted.iter_rows()) or "no line changes"
            say(f"{found.scenario.name}: {told}; {found.lines_run:,} lines worked out again.", "dim")
        if len(answer.comparisons) == 1:
            say_table(answer.comparisons[0].changes.select(SHOWN), "Lines that are served otherwise", rows_max=10)
    elif hasattr(answer, "summary"):
        shown = answer.summary.rename({"below_base": "runs below base"})
        say_table(_formatted(shown), f"{answer.document.name}: {answer.document.runs:,} runs", rows_max=len(KPI_NAMES))
    elif hasattr(answer, "grid"):
        axes = [axis.label for axis in answer.grid.axes]
        wanted = list(dict.fromkeys([kpi, "line_fill", "units_left", "lines_changed"]))
        shown = frame.select(*axes, *(pl.Series(k, [number(v, WORDS[k].unit) for v in frame[k]]) for k in wanted))
        say_table(shown, f"Grid {answer.grid.name}", rows_max=50)
        best = answer.frontier().frame.filter("efficient")["scenario"]
        say(f"Efficient in fill, inventory and changes: {'; '.join(best.head(8))}{' …' if len(best) > 8 else ''}.")
    else:
        say_table(frame, "One more unit" if isinstance(answer, pl.DataFrame) else "", rows_max=30)


def _words(kpis: pl.DataFrame) -> pl.DataFrame:
    """Measures under their titles; only those that are there at all, what differs first."""
    changed = differing(kpis)
    there = kpis.filter(pl.any_horizontal(pl.exclude("kpi").is_not_null()))
    return _formatted(there.sort(~pl.col("kpi").is_in(changed), maintain_order=True))


def _formatted(frame: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for row in frame.iter_rows(named=True):
        word = WORDS[row["kpi"]]
        cells = {
            name: number(value, "share" if name == "runs below base" else word.unit)
            for name, value in row.items()
            if name != "kpi"
        }
        rows.append({"measure": word.title} | cells)
    return pl.DataFrame(rows)
