"""Tables laid out by what competes, so that the rows of some groups lie in a few stretches of memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np
import polars as pl

from allocator.frames.prepare import Prepared
from allocator.plan.keys import Picks
from allocator.scenario.additions import ROW
from allocator.scenario.compete import Index, Numbers


class Stretch:
    """Some rows of a laid table, in the order of the table.

    Attributes:
        rows: Their numbers in the table, ascending.
    """

    def __init__(self, rows: Numbers, places: Numbers) -> None:
        """Rows, and where each of them is laid."""
        self.rows, self._places = rows, places

    def places(self, rows: Numbers) -> Numbers:
        """Where some of the rows are laid; ascending, as they are."""
        if rows.size == self.rows.size:
            return self._places
        found: Numbers = self._places[np.searchsorted(self.rows, rows)]
        return found


class Laid:
    """A table laid out by group: kept a second time, from when a part of it is first looked at."""

    def __init__(self, frame: pl.DataFrame, index: Index) -> None:
        self._frame, self._index = frame, index
        self._further: dict[int, tuple[pl.Series, pl.Series]] = {}

    @cached_property
    def _laid(self) -> pl.DataFrame:
        return self._frame[self._index.order]

    def stretch(self, groups: Numbers) -> Stretch:
        """The rows of some groups."""
        return Stretch(*self._index.rows_and_places(groups))

    def frame(self, stretch: Stretch) -> pl.DataFrame:
        """These rows of the table, with their numbers as `ROW`."""
        return self._laid[stretch.places(stretch.rows)].with_columns(pl.Series(ROW, stretch.rows))

    def pick(self, stretch: Stretch, rows: Numbers) -> Callable[[pl.Series], pl.Series]:
        """Picks some rows of a stretch from a column as long as the table, which is laid out, too, and kept."""
        places = pl.Series(stretch.places(rows))

        def picked(column: pl.Series) -> pl.Series:
            if id(column) not in self._further:
                # With the column itself, or another one might come to have its id.
                self._further[id(column)] = column, column.gather(self._index.order)
            return self._further[id(column)][1].gather(places)

        return picked


def picks(
    fresh: Prepared,
    heights: Mapping[str, int],
    stretches: tuple[Stretch, Stretch] | None,
    laid: tuple[Laid, Laid] | None,
) -> Picks | None:
    """How columns of a base are picked for tables as levers left them; None where levers added rows.

    Args:
        fresh: The tables, with `ROW`.
        heights: How many rows the tables of the base have.
        stretches: What the tables were before levers took rows away; None for all.
        laid: Both tables of the base; None where there are no stretches of them.
    """
    found: dict[str, Callable[[pl.Series], pl.Series]] = {}
    for number, table in enumerate((fresh.stock, fresh.demand)):
        rows = table.frame[ROW]
        if rows.len() and rows[-1] >= heights[table.name]:
            return None
        if stretches is not None and laid is not None:
            found[table.name] = laid[number].pick(stretches[number], rows.to_numpy())
        else:
            found[table.name] = _everything if rows.len() == heights[table.name] else partial(_gathered, rows=rows)
    return found


def _everything(column: pl.Series) -> pl.Series:
    return column


def _gathered(column: pl.Series, *, rows: pl.Series) -> pl.Series:
    return column.gather(rows)
