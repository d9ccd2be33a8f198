"""What lines want and in which order they are served; and the best plan when only so much may change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.engine import exchanges, pair_sums
from allocator.frames.quantity import scaled
from allocator.model.reallocation import Reallocation
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
from allocator.reallocation.inputs import World
from allocator.reallocation.sequence import Sequence


def wishes_of(world: World, plan: Reallocation) -> Wishes:
    """What every line wants, by its segment."""
    own = [*(segment.strategy for segment in plan.segments), plan.otherwise]
    falls = [*(segment.falls_to for segment in plan.segments), "gain" if plan.otherwise == "win" else "improve"]
    number = world.segment.to_numpy()  # -1 is the last: of no segment
    strategy = np.array([CODES[name] for name in own], np.int8)[number]
    strategy[world.spared.is_not_null().to_numpy()] = SKIP
    falls_to = np.array([CODES[name] for name in falls], np.int8)[number]
    return Wishes(strategy, falls_to, Sequence(world, plan), np.ones(len(number), bool))


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
    served = wishes.sequence.of(lines)
    return served[np.argsort(turn[served], kind="stable")]


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
    return moved["l"].n_unique(), moved_units(exchanges(moved["s"], moved["l"], moved["change"])[0])


def changed_pairs(base: Base, dealt: Dealt) -> pl.DataFrame:
    """`s`, `l` and `change`: how much more or less of a stock row a line has; ascending."""
    less = base.open.select("s", "l", change=pl.Series(dealt.left) - base.open["qty"])
    # Most rows are as they were: only the others are put together with what was taken.
    given_up = less.filter(pl.col("change") != 0)
    both = pl.concat([given_up, dealt.taken.select("s", "l", change="qty")], rechunk=False)
    rows, lines, (change,) = pair_sums(both["s"], both["l"], both["change"])
    return pl.DataFrame({"s": rows, "l": lines, "change": change})


def moved_units(spans: pl.DataFrame) -> int:
    """How many units change hands; a unit given back and taken counts once."""
    return int(spans["qty"].sum())
