"""Draws: the same for the same seed, whatever rows stand beside, in whatever order, on however many threads."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.engine import CORE
from allocator.frames.findings import Findings
from allocator.frames.prepare import Prepared, Table
from allocator.model.chance import DemandUncertain, Distribution, Late, Short, Triangular, Uncertain, Uniform, Values
from allocator.model.document import did_you_mean
from allocator.model.monte_carlo import mixed
from allocator.model.tables import TABLES
from allocator.scenario.additions import ROW, bases
from allocator.scenario.compete import Numbers

Floats = npt.NDArray[np.float64]
THOUSANDTHS: Final = 1000
LATE, HOW_LATE, SHORT, HOW_SHORT = range(4)
"""What a draw is for: each has numbers of its own."""


class Draws:
    """Numbers between 0 and 1 for the rows of a base: by the place of a row's id, or of its value in a column."""

    def __init__(self, prepared: Prepared) -> None:
        self._tables = bases(prepared)
        self._places: dict[str, Numbers] = {}
        self._values: dict[tuple[str, str], pl.Series] = {}

    def late(self, lever: Uncertain, risk: Late, number: int, frame: pl.DataFrame) -> pl.Series:
        """By how many days each row comes later."""
        happens = self._draw(lever, number, frame, LATE) < float(risk.chance)
        days = np.floor(drawn(risk.days, self._draw(lever, number, frame, HOW_LATE)) + 0.5)
        return pl.Series(np.where(happens, days, 0).astype(np.int64))

    def thousandths(
        self, lever: Uncertain, risk: Short | DemandUncertain, number: int, frame: pl.DataFrame
    ) -> pl.Series:
        """How much of each row there is then, in thousandths."""
        happens = self._draw(lever, number, frame, SHORT) < float(risk.chance)
        part = np.floor(drawn(risk.factor, self._draw(lever, number, frame, HOW_SHORT)) * THOUSANDTHS + 0.5)
        return pl.Series(np.where(happens, part, THOUSANDTHS).astype(np.int64))

    def _draw(self, lever: Uncertain, number: int, frame: pl.DataFrame, use: int) -> Floats:
        table = "demand" if lever.lever.startswith("demand_") else "stock"
        places = self._of_rows(table, frame) if lever.per is None else self._of_values(table, lever.per, frame)
        start = np.uint64(mixed(mixed(lever.seed) ^ mixed(number * 4 + use)))
        return uniform(places.astype(np.uint64), start)

    def _of_rows(self, table: str, frame: pl.DataFrame) -> Numbers:
        """The place of each row's id among all ids of the base; rows that were added come after."""
        if table not in self._places:
            self._places[table] = _places(self._tables[table])
        known, rows = self._places[table], frame[ROW].to_numpy()
        added = rows >= known.size
        return np.where(added, rows, known[np.where(added, 0, rows)]) if known.size else rows

    def _of_values(self, table: str, column: str, frame: pl.DataFrame) -> Numbers:
        """The place of each row's value among those of the base; values that are new come after."""
        if (table, column) not in self._values:
            self._values[table, column] = CORE.encode([self._tables[table].frame[column]])[1]
        known = self._values[table, column]
        (codes, ours), values = CORE.encode([known, frame[column].cast(known.dtype)])
        place = np.full(len(values) + 1, -1, np.int64)
        place[codes.to_numpy()] = np.arange(len(known))
        new = place < 0
        place[new] = len(known) + np.arange(int(new.sum()))
        found: Numbers = place[np.minimum(ours.to_numpy(), len(values))]  # rows without a value have one draw together
        return found


def uniform(places: npt.NDArray[np.uint64], start: np.uint64) -> Floats:
    """Numbers from 0 to below 1, one for each place: SplitMix64, of which every number can be had by itself."""
    with np.errstate(over="ignore"):
        z = places * np.uint64(0x9E3779B97F4A7C15) + start
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53, np.float64)


def drawn(distribution: Distribution, at: Floats) -> Floats:
    """The value below which so much of the distribution lies."""
    match distribution:
        case Uniform():
            low, high = float(distribution.low), float(distribution.high)
            return low + at * (high - low)
        case Triangular():
            low, mode, high = float(distribution.low), float(distribution.mode), float(distribution.high)
            return _triangular(low, mode, high, at)
        case Values():
            weights = distribution.weights or (Fraction(1),) * len(distribution.values)
            ends = np.cumsum([float(weight) for weight in weights])
            chosen = np.searchsorted(ends, at * ends[-1], side="right")
            found: Floats = np.array([float(value) for value in distribution.values])[chosen]
            return found


def _triangular(low: float, mode: float, high: float, at: Floats) -> Floats:
    width = high - low
    if width == 0:
        return np.full_like(at, low)
    rising = at * width <= mode - low
    found: Floats = np.where(
        rising, low + np.sqrt(at * width * (mode - low)), high - np.sqrt((1 - at) * width * (high - mode))
    )
    return found


def check_per(lever: Uncertain, table: Table, path: str, findings: Findings) -> None:
    """Notes a column to draw by that the table does not have."""
    if lever.per is not None and lever.per not in table.frame.columns:
        names = [name for name in table.frame.columns if " " not in name]
        hint = did_you_mean(lever.per, names) or f"It has {', '.join(names)}"
        message = f"the {table.name} has no such column, or it holds no value"
        findings.add("column_missing", message, "scenario", f"{path}.per", value=lever.per, hint=hint)


def _places(table: Table) -> Numbers:
    rows = np.arange(table.frame.height)
    if not table.ascending:
        places = np.empty_like(rows)
        places[CORE.argsort_ids(table.frame[next(iter(TABLES[table.name]))]).to_numpy()] = rows
        return places
    return rows
