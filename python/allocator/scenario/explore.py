"""Many scenarios against one base: side by side, over a grid, by chance, one setting at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from allocator.errors import InputError, PolicyError, Problem
from allocator.model.document import did_you_mean
from allocator.model.grid import Grid, text_of
from allocator.model.monte_carlo import MonteCarlo
from allocator.model.scenario import Scenario
from allocator.scenario.base import Base
from allocator.scenario.compare import Comparison
from allocator.scenario.given import expect
from allocator.scenario.measure import BY_LEVER, CHURN, KPIS
from allocator.scenario.show import Chart, Progress, Shown, Table

KPI_NAMES: Final = (*KPIS, *CHURN, *BY_LEVER)
QUANTILES: Final = {"p5": 0.05, "median": 0.5, "p95": 0.95}


@dataclass(frozen=True)
class SideBySide(Shown):
    """Several scenarios beside their base.

    Attributes:
        base: What is.
        comparisons: Each scenario beside it, in the sequence in which they were given.
    """

    base: Base
    comparisons: tuple[Comparison, ...]

    @cached_property
    def kpis(self) -> pl.DataFrame:
        """One row per measure: `kpi`, `base`, then a column for each scenario by its name (Float64)."""
        frame = self.comparisons[0].kpis.select("kpi", "base")
        return frame.with_columns(found.kpis["scenario"].alias(found.scenario.name) for found in self.comparisons)

    def plot(self, kpis: Sequence[str] | None = None) -> Chart:
        """Bars: measures of the base and of every scenario; those that differ if none are named."""
        from allocator.scenario import plots  # noqa: PLC0415 - needs an extra

        return plots.side_by_side(self.kpis, None if kpis is None else [checked_kpi(kpi) for kpi in kpis])

    def table(self) -> Table:
        """Every measure of the base and of every scenario."""
        from allocator.scenario import report  # noqa: PLC0415 - needs an extra

        return report.side_by_side(self.kpis)


@dataclass(frozen=True)
class Exploration(Shown):
    """Every scenario of a grid.

    Attributes:
        grid: The grid.
        base: The measures of the base by name.
        frame: One row per scenario, in the order of the grid: `scenario` (its name), a column for each axis (the value
            as text), then the measures (Float64).
        kpi: The measure that is drawn if no other is asked for.
    """

    grid: Grid
    base: dict[str, float | None]
    frame: pl.DataFrame
    kpi: str = "unit_fill"

    def frontier(
        self,
        most: Sequence[str] = ("unit_fill",),
        least: Sequence[str] = ("units_left", "lines_changed"),
    ) -> Frontier:
        """Which scenarios nobody would do without: no other is at least as good in everything, and better in one.

        Args:
            most: Measures of which more is better.
            least: Measures of which less is better.

        Raises:
            InputError: `argument_value`: there is no such measure.
        """
        most, least = (tuple(checked_kpi(kpi) for kpi in kpis) for kpis in (most, least))
        return Frontier(most, least, efficient(self.frame, most, least))

    def plot(self, kpi: str | None = None) -> Chart:
        """One measure over the grid: a line for one axis, a field of cells for two, bars for more."""
        from allocator.scenario import plots  # noqa: PLC0415 - needs an extra

        return plots.exploration(
            self.frame, [axis.label for axis in self.grid.axes], checked_kpi(kpi or self.kpi), self.base
        )

    def table(self) -> Table:
        """Every scenario of the grid, with the measures that differ."""
        from allocator.scenario import report  # noqa: PLC0415 - needs an extra

        return report.runs(self.frame, f"Grid: {self.grid.name}")


@dataclass(frozen=True)
class Frontier(Shown):
    """The scenarios between which there is something to choose.

    Attributes:
        most: Measures of which more is better.
        least: Measures of which less is better.
        frame: The rows of the exploration, with `efficient` (Boolean).
    """

    most: tuple[str, ...]
    least: tuple[str, ...]
    frame: pl.DataFrame

    def plot(self) -> Chart:
        """Dots: the first measure of each kind on the axes, the next as size; those that are efficient joined."""
        from allocator.scenario import plots  # noqa: PLC0415 - needs an extra

        return plots.frontier(self.frame, self.most, self.least)

    def table(self) -> Table:
        """The efficient scenarios."""
        from allocator.scenario import report  # noqa: PLC0415 - needs an extra

        names = [name for name in self.frame.columns if name not in KPI_NAMES and name != "efficient"]
        found = self.frame.filter("efficient").select(*names, *self.most, *self.least)
        return report.runs(found, "Efficient scenarios", every=True)


@dataclass(frozen=True)
class Simulation(Shown):
    """What came of many runs by chance.

    Attributes:
        document: What was run.
        base: The measures of the base by name.
        frame: One row per run: `run` (1, 2, …), then the measures (Float64).
        kpi: The measure that is drawn if no other is asked for.
    """

    document: MonteCarlo
    base: dict[str, float | None]
    frame: pl.DataFrame
    kpi: str = "unit_fill"

    @cached_property
    def summary(self) -> pl.DataFrame:
        """One row per measure that was there in any run: `kpi`, `base`, `mean`, `p5`, `median`, `p95`, `below_base`.

        Quantiles are values that came up, the nearest. `below_base` is the share of the runs below the base.
        """
        rows = []
        for kpi in KPI_NAMES:
            values = self.frame[kpi].drop_nulls()
            if len(values):
                base = self.base.get(kpi)
                ends = {name: values.quantile(share, "nearest") for name, share in QUANTILES.items()}
                below = None if base is None else float((values < base).sum() / len(values))
                rows.append({"kpi": kpi, "base": base, "mean": values.mean(), **ends, "below_base": below})
        return pl.DataFrame(rows, schema_overrides={"base": pl.Float64, "below_base": pl.Float64})

    def plot(self, kpi: str | None = None) -> Chart:
        """How often a measure came out how: bars, with the base and the range of nine runs in ten."""
        from allocator.scenario import plots  # noqa: PLC0415 - needs an extra

        return plots.simulation(self.frame, checked_kpi(kpi or self.kpi), self.base, self.document)

    def table(self) -> Table:
        """The summary."""
        from allocator.scenario import report  # noqa: PLC0415 - needs an extra

        return report.simulation(self.summary, self.document)


@dataclass(frozen=True)
class Sensitivity(Shown):
    """How much each setting matters by itself.

    Attributes:
        kpi: The measure.
        base: The measure of the base.
        frame: One row per axis, what moves the measure most first: `setting`, `low`, `high` (the first and the last
            value, as text), `kpi_low`, `kpi_high`, `swing` (Float64: how far apart they are).
    """

    kpi: str
    base: float | None
    frame: pl.DataFrame

    def plot(self) -> Chart:
        """A tornado: for each setting how far the measure goes to either side of the base."""
        from allocator.scenario import plots  # noqa: PLC0415 - needs an extra

        return plots.tornado(self.frame, self.kpi, self.base)

    def table(self) -> Table:
        """The settings by what they move."""
        from allocator.scenario import report  # noqa: PLC0415 - needs an extra

        return report.sensitivity(self.frame, self.kpi, self.base)


def compare(base: Base, scenarios: Iterable[Scenario], *, progress: Progress | None = None) -> SideBySide:
    """Runs scenarios against one base.

    Raises:
        InputError: `argument_value`: there is no scenario, or two of one name; `argument_type`; and as `Base.run`.
    """
    expect("base", base, Base)
    given = list(scenarios) if isinstance(scenarios, Iterable) and not isinstance(scenarios, str) else [scenarios]
    for number, each in enumerate(given):
        expect(f"scenarios.{number}", each, Scenario)
    names = [scenario.name for scenario in given]
    again = sorted({name for name in names if names.count(name) > 1})
    if not given or again:
        message = f"two scenarios are called {again[0]}" if again else "there is no scenario"
        raise InputError(Problem("argument_value", message, column="scenarios", hint="Give each a name of its own"))
    return SideBySide(base, tuple(_ran(base, given, progress)))


def explore(base: Base, grid: Grid, *, kpi: str = "unit_fill", progress: Progress | None = None) -> Exploration:
    """Runs every scenario of a grid. `kpi` is the measure that is drawn if no other is asked for.

    Raises:
        InputError: As `Base.run`, with the scenario in which it is wrong.
        PolicyError: `setting_conflict`: two levers of a combination say two things of one setting.
    """
    expect("base", base, Base)
    expect("grid", grid, Grid)
    checked_kpi(kpi)
    scenarios = grid.scenarios()
    rows = [_row(found) for found in _ran(base, scenarios, progress)]
    settings = [dict(zip((axis.label for axis in grid.axes), grid.said(p), strict=True)) for p in grid.places()]
    named = [{"scenario": scenario.name} | each for scenario, each in zip(scenarios, settings, strict=True)]
    frame = pl.DataFrame(named).hstack(pl.DataFrame(rows, MEASURED))
    return Exploration(grid, _kpis(base), frame, checked_kpi(kpi))


def simulate(
    base: Base, document: MonteCarlo, *, kpi: str = "unit_fill", progress: Progress | None = None
) -> Simulation:
    """Runs a Monte Carlo document: the same document and base, the same runs, on however many threads.

    `kpi` is the measure that is drawn if no other is asked for.

    Raises:
        InputError: As `Base.run`.
    """
    expect("base", base, Base)
    expect("document", document, MonteCarlo)
    checked_kpi(kpi)
    scenarios = [document.scenario(number) for number in range(1, document.runs + 1)]
    rows = [_row(found) for found in _ran(base, scenarios, progress)]
    runs = pl.Series("run", range(1, document.runs + 1), pl.Int64)
    return Simulation(
        document, _kpis(base), pl.DataFrame([runs]).hstack(pl.DataFrame(rows, MEASURED)), checked_kpi(kpi)
    )


def sensitivity(base: Base, grid: Grid, *, kpi: str = "unit_fill", progress: Progress | None = None) -> Sensitivity:
    """Moves one setting at a time from its first value to its last, the other axes left alone.

    Args:
        base: What is.
        grid: Its axes are the settings.
        kpi: The measure.
        progress: Is told how far it is.

    Raises:
        InputError: `argument_value`: there is no such measure; and as `Base.run`.
    """
    expect("base", base, Base)
    expect("grid", grid, Grid)
    checked_kpi(kpi)
    ends = [(axis, place) for axis in range(len(grid.axes)) for place in (0, len(grid.axes[axis].values) - 1)]
    found = [_row(ran)[kpi] for ran in _ran(base, [grid.alone(*end) for end in ends], progress)]
    rows = [
        {
            "setting": axis.label,
            "low": text_of(axis.values[0]),
            "high": text_of(axis.values[-1]),
            "kpi_low": found[2 * number],
            "kpi_high": found[2 * number + 1],
        }
        for number, axis in enumerate(grid.axes)
    ]
    frame = pl.DataFrame(rows, schema_overrides={"kpi_low": pl.Float64, "kpi_high": pl.Float64})
    reached = pl.concat_list("kpi_low", "kpi_high", pl.lit(base.kpis.get(kpi), pl.Float64))
    frame = frame.with_columns(swing=reached.list.max() - reached.list.min())
    return Sensitivity(
        kpi, base.kpis.get(kpi), frame.sort("swing", "setting", descending=[True, False], nulls_last=True)
    )


MEASURED: Final = dict.fromkeys(KPI_NAMES, pl.Float64)


def efficient(frame: pl.DataFrame, most: Sequence[str], least: Sequence[str]) -> pl.DataFrame:
    """The frame with `efficient`: whether no other row is at least as good in every measure, and better in one."""
    signs = [*((kpi, 1.0) for kpi in most), *((kpi, -1.0) for kpi in least)]
    points = np.column_stack([sign * frame[kpi].fill_null(float("-inf") * sign).to_numpy() for kpi, sign in signs])
    beaten = [bool(((points >= p).all(axis=1) & (points > p).any(axis=1)).any()) for p in points]
    return frame.with_columns(pl.Series("efficient", [not each for each in beaten], pl.Boolean))


def checked_kpi(kpi: str) -> str:
    """The measure, if there is one of this name.

    Raises:
        InputError: `argument_value`.
    """
    if kpi in KPI_NAMES:
        return kpi
    hint = did_you_mean(str(kpi), KPI_NAMES) or f"Measures: {', '.join(KPI_NAMES)}"
    raise InputError(
        Problem("argument_value", "there is no such measure", column="kpi", value=str(kpi)[:80], hint=hint)
    )


def _ran(base: Base, scenarios: Sequence[Scenario], progress: Progress | None) -> Iterable[Comparison]:
    for number, scenario in enumerate(scenarios, start=1):
        try:
            found = base.run(scenario)
        except (InputError, PolicyError) as error:
            if len(scenarios) == 1:
                raise
            told = [replace(problem, table=f"scenario {scenario.name}") for problem in error.problems]
            raise type(error)(told) from None
        yield found
        if progress is not None:
            progress(number, len(scenarios))


def _kpis(base: Base) -> dict[str, float | None]:
    """The measures of the base; against itself it changes nothing."""
    return base.kpis | dict.fromkeys(CHURN, 0.0) | dict.fromkeys(BY_LEVER)


def _row(found: Comparison) -> dict[str, Any]:
    return dict(found.kpis.select("kpi", "scenario").iter_rows())
