"""What lines want and in which order they are served; and the best plan when only so much may change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.engine import CORE
from allocator.frames.quantity import scaled
from allocator.model.order import OrderKey
from allocator.model.reallocation import Reallocation
from allocator.plan import rules
from allocator.plan.keys import Columns
from allocator.reallocation.deal import (
    CODES,
    FILL,
    GAIN,
    IMPROVE,
    LOSE,
    REDISTRIBUTE,
    SKIP,
    SPARED,
    WIN,
    Base,
    Deal,
    Dealt,
    Wishes,
)
from allocator.reallocation.inputs import World, sums


def wishes_of(world: World, plan: Reallocation) -> Wishes:
    """What every line wants, by its segment."""
    own = [*(segment.strategy for segment in plan.segments), plan.otherwise]
    falls = [*(segment.falls_to for segment in plan.segments), "gain" if plan.otherwise == "win" else "improve"]
    number = world.segment.to_numpy()  # -1 is the last: of no segment
    strategy = np.array([CODES[name] for name in own], np.int8)[number]
    strategy[world.spared.is_not_null().to_numpy()] = SKIP
    falls_to = np.array([CODES[name] for name in falls], np.int8)[number]
    return Wishes(strategy, falls_to, _places(world, plan), np.ones(len(number), bool))


def _places(world: World, plan: Reallocation) -> pl.Series:
    """The place of each line in the order of service: by segment, then by its order, then by id."""
    demand = world.prepared.demand
    lines = pl.int_range(demand.frame.height, dtype=pl.UInt32, eager=True)
    by_id = lines if demand.ascending else CORE.argsort_ids(demand.frame["line_id"])
    orders = [segment.order or world.policy.demand_order for segment in plan.segments] + [world.policy.demand_order]
    sequence = []
    keys = _Keys(world)
    for number, order in enumerate(orders):
        segment = number if number < len(plan.segments) else -1
        inside = by_id.filter((world.segment == segment).gather(by_id)) if plan.segments else by_id
        known = [(keys.of(key), key) for key in order]
        used = [(series, key) for series, key in known if series is not None]
        if inside.len() and used:
            frame = pl.DataFrame([series.gather(inside).alias(str(n)) for n, (series, _) in enumerate(used)])
            names, descending = frame.columns, [key.descending for _, key in used]
            nulls_last = [key.nulls == "last" for _, key in used]
            frame = frame.with_columns(line=inside)
            frame = frame.sort(names, descending=descending, nulls_last=nulls_last, maintain_order=True)
            inside = frame["line"]
        sequence.append(inside)
    place = np.empty(lines.len(), np.uint32)
    place[pl.concat(sequence).to_numpy()] = np.arange(lines.len(), dtype=np.uint32)
    return pl.Series(place)


class _Keys:
    """The columns by which lines are ordered."""

    def __init__(self, world: World) -> None:
        self._columns = Columns(world.prepared.stock, world.prepared.demand, CORE)
        self._shelf_life = world.policy.shelf_life

    def of(self, key: OrderKey) -> pl.Series | None:
        """The values of a key; None where all are the same."""
        if key.column == "shelf_life_days_min":
            days = rules.days_min(self._shelf_life, self._columns)
            return days if isinstance(days, pl.Series) else None
        if not self._columns.has("demand", key.column):
            return None
        series = self._columns.demand[key.column]
        # Categories order by their number, which says nothing: text orders by code point.
        return series.cast(pl.String) if isinstance(series.dtype, pl.Enum | pl.Categorical) else series


# --- limits on change ---


def best_within(world: World, plan: Reallocation, wishes: Wishes, base: Base) -> tuple[Wishes, Base, Dealt]:
    """Deals, and says with which wishes; where that changes too much, only those of the first lines are granted.

    How many first lines is found by bisection: about 20 deals for a million lines. Without limits it is one deal.
    """
    dealt = Deal(world, base, wishes).run()
    if plan.lines_max is None and plan.units_max is None:
        return wishes, base, dealt
    lines_max = plan.lines_max
    units_max = None if plan.units_max is None else scaled(plan.units_max, world.prepared.stock.scale, world.policy)

    def fits(found: Dealt) -> bool:
        lines, units = _changes(base, found)
        return (lines_max is None or lines <= lines_max) and (units_max is None or units <= units_max)

    if fits(dealt):
        return wishes, base, dealt
    wanting = _wanting(wishes, base)
    least, most = 0, len(wanting)
    granted = _granted(wishes, wanting[:0])
    best = Deal(world, base, granted).run()
    while most - least > 1:
        middle = (least + most) // 2
        tried = _granted(wishes, wanting[:middle])
        found = Deal(world, base, tried).run()
        if fits(found):
            least, granted, best = middle, tried, found
        else:
            most = middle
    return granted, base, best


def _wanting(wishes: Wishes, base: Base) -> npt.NDArray[np.intp]:
    """Lines whose wishes could change something: winners, then those who may gain, then those who give back."""
    strategy, short = wishes.strategy, base.wanted > base.held
    turn = np.full(len(strategy), -1, np.int8)
    turn[short & np.isin(strategy, (GAIN, IMPROVE))] = 1
    turn[(strategy == REDISTRIBUTE) & (base.wanted > 0)] = 1
    turn[(strategy == WIN) & short] = 0
    turn[(strategy == LOSE) & (base.held > 0)] = 2
    lines = np.flatnonzero(turn >= 0)
    return lines[np.lexsort((wishes.place.to_numpy()[lines], turn[lines]))]


def _granted(wishes: Wishes, lines: npt.NDArray[np.intp]) -> Wishes:
    """The wishes of these lines only; the others keep what nobody takes from them."""
    held = np.ones(len(wishes.strategy), bool)
    held[lines] = False
    strategy = wishes.strategy.copy()
    for own, instead in ((WIN, GAIN), (REDISTRIBUTE, FILL), (LOSE, SPARED)):
        strategy[held & (wishes.strategy == own)] = instead
    return replace(wishes, strategy=strategy, may_gain=~held)


def _changes(base: Base, dealt: Dealt) -> tuple[int, int]:
    """How many lines have other allocations than before, and how many units change hands."""
    moved = changed_pairs(base, dealt)
    return moved["l"].n_unique(), moved_units(moved)


def changed_pairs(base: Base, dealt: Dealt) -> pl.DataFrame:
    """`l`, `s`, `out` and `gain`: stock that lines have less and more of than before."""
    kept = dealt.has["row"].is_not_null() & (dealt.has["qty"] == base.open["qty"].gather(dealt.has["row"]))
    same = np.zeros(base.open.height, bool)
    same[dealt.has["row"].filter(kept).to_numpy()] = True
    # Most rows are as they were: only the others are put together.
    before = base.open.filter(pl.Series(~same)).select("l", "s", was="qty", now=pl.lit(0, pl.Int64))
    after = dealt.has.filter(~kept).select("l", "s", was=pl.lit(0, pl.Int64), now="qty")
    pairs = pl.concat([before, after]).group_by("l", "s").agg(pl.col("was", "now").sum())
    pairs = pairs.filter(pl.col("was") != pl.col("now"))
    change = pl.col("now") - pl.col("was")
    return pairs.select("l", "s", out=(-change).clip(0), gain=change.clip(0)).sort("s", "l")


def moved_units(moved: pl.DataFrame) -> int:
    """How many units change hands; a unit given back and taken counts once."""
    rows = int(moved["s"].max() or 0) + 1  # type: ignore[arg-type]
    out, gain = (sums(moved["s"], moved[name], rows).to_numpy() for name in ("out", "gain"))
    return int(np.maximum(out, gain).sum())
