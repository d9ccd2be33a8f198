"""In which order lines are served: by segment, then by its order, then by id."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.engine import CORE
from allocator.model.order import OrderKey
from allocator.model.reallocation import Reallocation
from allocator.plan import rules
from allocator.plan.keys import Columns
from allocator.reallocation.inputs import World

SEGMENT = "$segment"
"""The demand column by which the engine orders lines first, where it orders them."""

Lines = npt.NDArray[np.intp]


class Sequence:
    """The order of service. Only lines that ask for something, or may lose it to each other, are ever put in it."""

    def __init__(self, world: World, plan: Reallocation) -> None:
        usual = world.policy.demand_order
        self._orders = [segment.order or usual for segment in plan.segments] + [usual]
        self._world = world
        last = len(plan.segments)
        self._segment = pl.select(
            pl.when(world.segment < 0).then(pl.lit(last)).otherwise(world.segment).cast(pl.Int16)
        ).to_series()

    @property
    def engine_order(self) -> tuple[OrderKey, ...] | None:
        """The order as the engine's, which needs nothing sorted here; None if segments differ in theirs."""
        usual = self._world.policy.demand_order
        return (OrderKey(column=SEGMENT), *usual) if all(order == usual for order in self._orders) else None

    def segments(self, lines: pl.Series) -> pl.Series:
        """The place of each line's segment."""
        return self._segment.gather(lines).alias(SEGMENT)

    def of(self, lines: Lines) -> Lines:
        """Lines in the order of service.

        Args:
            lines: Row numbers, ascending.
        """
        if not self._world.prepared.demand.ascending:
            lines = lines[np.argsort(self._by_id[lines])]
        segment = self._segment.to_numpy()[lines]
        parts = [self._sorted(lines[segment == number], order) for number, order in enumerate(self._orders)]
        return np.concatenate(parts)

    def _sorted(self, lines: Lines, order: tuple[OrderKey, ...]) -> Lines:
        known = [(self._key(key), key) for key in order] if lines.size else []
        used = [(series, key) for series, key in known if series is not None]
        if not used:
            return lines
        rows = pl.Series(lines.astype(np.uint32))
        frame = pl.DataFrame([series.gather(rows).alias(str(n)) for n, (series, _) in enumerate(used)])
        descending, nulls_last = [key.descending for _, key in used], [key.nulls == "last" for _, key in used]
        frame = frame.with_columns(line=rows)
        ordered = frame.sort(frame.columns[:-1], descending=descending, nulls_last=nulls_last, maintain_order=True)
        return ordered["line"].to_numpy().astype(np.intp)

    def _key(self, key: OrderKey) -> pl.Series | None:
        """The values of a key; None where all are the same."""
        if key.column == "shelf_life_days_min":
            days = rules.days_min(self._world.policy.shelf_life, self._columns)
            return days if isinstance(days, pl.Series) else None
        if not self._columns.has("demand", key.column):
            return None
        series = self._columns.demand[key.column]
        # Categories order by their number, which says nothing: text orders by code point.
        return series.cast(pl.String) if isinstance(series.dtype, pl.Enum | pl.Categorical) else series

    @cached_property
    def _columns(self) -> Columns:
        return Columns.of(self._world.prepared, CORE)

    @cached_property
    def _by_id(self) -> Lines:
        """The place of each line by its id."""
        rows = CORE.argsort_ids(self._world.prepared.demand.frame["line_id"]).to_numpy()
        place = np.empty(rows.size, np.intp)
        place[rows] = np.arange(rows.size)
        return place
