"""The order of events: winners, then what was kept, class by class, then what is left for those who may gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.engine import pair_sums, parts
from allocator.model.policy import FILLS, Fill, Policy
from allocator.plan.spec import SERVED, Plan
from allocator.reallocation.holdings import Holdings, Units
from allocator.reallocation.inputs import OPEN, SHIPPED, World, available, sums
from allocator.reallocation.runs import Fills, competing, eligible, serve
from allocator.reallocation.sequence import Sequence

WIN, GAIN, IMPROVE, FILL, SPARED, REDISTRIBUTE, LOSE, SKIP = range(8)
"""Strategies, the stronger first; `SPARED` is a `lose` that a limit lets keep what nobody takes."""

CODES: Final = {
    "win": WIN,
    "gain": GAIN,
    "improve": IMPROVE,
    "redistribute": REDISTRIBUTE,
    "fill": FILL,
    "lose": LOSE,
    "skip": SKIP,
}
KEEPERS: Final = (GAIN, IMPROVE, FILL, SPARED)
"""Those who keep what they have as far as the stronger let them."""

NOT_WHOLE, WHOLE_LINE, WHOLE_ORDER, AS_ONE = range(4)
"""What a fill rule says of a line as a whole; `AS_ONE` is a rule under which nothing can be added to what it has."""

Codes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Wishes:
    """What every line wants.

    Attributes:
        strategy: The code of its strategy.
        falls_to: The code of what it is if that cannot be kept.
        sequence: The order of service.
        may_gain: Whether a limit lets it gain.
    """

    strategy: Codes
    falls_to: Codes
    sequence: Sequence
    may_gain: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Dealt:
    """Who has what in the end.

    Attributes:
        left: How much lines have of each row of `Base.open`, units of the stock row.
        left_served: The same in units of the line.
        taken: What they have beside: `l`, `s`, `qty`, `served`.
        served: What each line has of it, units of the line.
        strategy: The code of each line's strategy, after fallbacks.
        exception: Whether its strategy could not be kept.
        reason: The number of the engine's reason why it did not get more; 255 if it asked for nothing or got all.
    """

    left: Units
    left_served: Units
    taken: pl.DataFrame
    served: Units
    strategy: Codes
    exception: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.uint8]


class Deal:
    """One deal."""

    def __init__(self, world: World, base: Base, wishes: Wishes) -> None:
        self.world, self.base, self.wishes = world, base, wishes
        self.strategy = wishes.strategy.copy()
        self.exception = np.zeros(len(self.strategy), bool)
        self.reason = np.full(len(self.strategy), SERVED, np.uint8)
        keeps = (self.strategy <= SPARED)[base.open["l"].to_numpy()] & base.fit.to_numpy()
        self.has = Holdings(base.open, keeps, base.held, base.taken)

    def run(self) -> Dealt:
        """Deals."""
        self._win()
        for level in KEEPERS[:-1]:
            self._keep(level)
        self._give_back_broken()
        self._raise()
        has = self.has
        return Dealt(has.qty, has.served, has.taken, has.by_line, self.strategy, self.exception, self.reason)

    # --- stages ---

    def _win(self) -> None:
        """Lines that must be full: those that are keep it; the others ask for all they want, or nothing."""
        win = self.strategy == WIN
        full = win & (self.has.by_line >= self.base.wanted)
        self.has.make_sure(full)
        contends = win & ~full
        if not contends.any():
            return
        aside = self.has.of(contends)
        had = self.has.qty[aside], self.has.served[aside]
        self.has.drop(contends)
        lines = np.flatnonzero(contends & (self.base.wanted > 0))
        self._ask(lines, self.base.wanted[lines], "full", WIN)
        failed = contends & (self.has.by_line < self.base.wanted)
        self.exception |= failed
        self.strategy[failed] = self.wishes.falls_to[failed]
        kept = (failed & (self.strategy <= SPARED))[self.has.line[aside]]
        self.has.set(aside[kept], *(units[kept] for units in had))
        self._cut()

    def _keep(self, level: int) -> None:
        """What the lines of a class lost to stronger ones is restored from what is free, then from weaker ones."""
        lost = (self.strategy == level) & (self.has.by_line < self.base.held)
        lines = np.flatnonzero(lost & (self.base.whole != AS_ONE))
        self._ask(lines, self.base.held[lines] - self.has.by_line[lines], "floor", level)
        self._cut()
        if level == GAIN:
            failed = lost & (self.has.by_line < self.base.held)
            self.exception |= failed
            again = failed & (self.wishes.falls_to == REDISTRIBUTE)
            self.strategy[failed] = np.where(again, REDISTRIBUTE, IMPROVE)[failed]
            self.has.drop(again)
        self.has.make_sure(self.strategy == level)

    def _give_back_broken(self) -> None:
        """A line that is served whole or not at all, and lost something, gives back the rest; so does its order."""
        broken = (self.base.whole != NOT_WHOLE) & (self.has.by_line < self.base.held) & (self.strategy <= SPARED)
        if not broken.any():
            return
        orders = np.zeros(int(self.base.order.max(initial=0)) + 1, bool)
        orders[self.base.order[broken & (self.base.whole == WHOLE_ORDER)]] = True
        movable = (self.base.whole == WHOLE_ORDER) & (self.strategy <= SPARED) & (self.strategy != WIN)
        self.has.drop(broken | (orders[self.base.order] & movable))

    def _raise(self) -> None:
        """What is left goes to those who may gain, in order of service, by their own fill rules."""
        served = self.has.by_line
        may = (self.strategy == GAIN) | (self.strategy == IMPROVE) | (self.strategy == REDISTRIBUTE)
        may &= self.wishes.may_gain & (self.base.wanted > served)
        may &= (self.base.whole != AS_ONE) | (served + self.base.fixed == 0)
        lines = np.flatnonzero(may)
        self._ask(lines, self.base.wanted[lines] - served[lines], "own", None)

    # --- parts of stages ---

    def _ask(self, lines: npt.NDArray[np.intp], qty: Units, fills: Fills, level: int | None) -> None:
        """Runs the engine for lines, by row, over what is free and what weaker lines have."""
        if not lines.size:
            return
        sequence = self.wishes.sequence
        if sequence.engine_order is None:
            ordered = sequence.of(lines)
            qty = qty[np.searchsorted(lines, ordered)]
            lines = ordered
        asks = pl.DataFrame({"l": lines.astype(np.uint32), "qty": qty})
        run = serve(self.world, asks, self._parts(level, competing(self.world, asks["l"])), fills, sequence)
        self.has.take(run.takes)
        self.reason[run.lines.to_numpy()] = run.reasons.to_numpy()

    def _parts(self, level: int | None, groups: tuple[pl.Series, pl.Series] | None) -> pl.DataFrame:
        """What is free of each row, and what lines weaker than a class have of it, the weakest first.

        Args:
            level: The class; None for none, who takes from nobody.
            groups: Which rows count, as `competing` says; None for all.
        """
        has, count = self.has, 0 if level is None else self.has.line.size
        things = pl.Series(has.row[:count]), pl.Series(has.line[:count]), pl.Series(has.qty[:count])
        weaker = (self.strategy > (level or 0)) & (self.strategy <= SPARED) & ~has.sure
        rank = ((SPARED + 1 - self.strategy) * weaker).astype(np.uint8)
        there, taken = pl.Series(self.base.there), pl.Series(has.by_row)
        found = parts(there, taken, things, pl.Series(rank), groups)
        return pl.DataFrame(dict(zip(("s", "held", "qty"), found, strict=True)))

    def _cut(self) -> None:
        """Takes what stronger lines took of a row from those who had it: the weakest, and the last served, first."""
        over = self.has.by_row > self.base.there
        if not over.any():
            return
        things = np.flatnonzero(over[self.has.row] & (self.has.qty > 0))
        things = things[~self.has.sure[self.has.line[things]]]
        lines = self.has.line[things]
        theirs = np.zeros(len(self.strategy), bool)
        theirs[lines] = True
        ordered = self.wishes.sequence.of(np.flatnonzero(theirs))
        place = np.empty(len(self.strategy), np.uint32)
        place[ordered] = np.arange(ordered.size, dtype=np.uint32)
        things = things[np.lexsort((place[lines], self.strategy[lines], self.has.row[things]))]
        self.has.cut(things, self.base.there, self.base.packs)


@dataclass(frozen=True)
class Base:
    """What is the same for every deal of one reallocation.

    Attributes:
        open: What lines have and may lose: `s`, `l`, `qty`, `served`, by `s` and `l`.
        fit: Whether each of these rows may still serve its line.
        there: Units of each stock row that may move or are free.
        wanted: What each line asks beside what it has for good.
        fixed: What it has for good.
        held: What it has of what may move.
        taken: What lines have of each stock row, of what may move.
        whole: What its fill rule says of the line as a whole.
        order: The number of its order.
        packs: The pack that it is served in, units of the line; None if no line has one.
    """

    open: pl.DataFrame
    fit: pl.Series
    there: Units
    wanted: Units
    fixed: Units
    held: Units
    taken: Units
    whole: Codes
    order: npt.NDArray[np.uint32]
    packs: Units | None


def base_of(world: World, strategy: Codes, *, limited: bool) -> Base:
    """Parts what may move from what may not; under a limit, those who would give back may keep, and are judged too."""
    lines, rows = world.prepared.demand.frame.height, world.prepared.stock.frame.height
    moves = (world.held["stage"] == OPEN) & pl.Series((strategy != SKIP)[world.held["l"].to_numpy()])
    fixed, moving = world.held.filter(~moves), _by_row(world.held.filter(moves))
    on_hand = fixed.filter(pl.col("stage") != SHIPPED)
    # Who gives back all the same is not asked whether it might keep it.
    gives = np.zeros(moving.height, bool) if limited else (strategy > SPARED)[moving["l"].to_numpy()]
    fit = eligible(world, moving).to_numpy() | gives
    for_good = sums(fixed["l"], fixed["served"], lines).to_numpy()
    stays = sums(on_hand["s"], on_hand["qty"], rows).to_numpy()
    return Base(
        open=moving,
        fit=pl.Series(fit),
        there=available(world.prepared).to_numpy() - stays,
        wanted=world.prepared.demand.frame["qty"].cast(pl.Int64).to_numpy() - for_good,
        fixed=for_good,
        held=world.current.by_line - for_good,
        taken=world.current.by_row - stays,
        whole=_whole(world.prepared.demand.frame, world.policy),
        order=_orders(world.plan.demand.order_code, lines),
        packs=_packs(world.plan),
    )


def _by_row(held: pl.DataFrame) -> pl.DataFrame:
    """What lines have, by stock row and line."""
    rows, lines, (qty, served) = pair_sums(held["s"], held["l"], held["qty"], held["served"])
    return pl.DataFrame({"s": rows, "l": lines, "qty": qty, "served": served})


def _whole(demand: pl.DataFrame, policy: Policy) -> Codes:
    rules: dict[str | None, Fill] = {None: policy.fill}
    rules.update(FILLS.items())
    rules.update(policy.fills.items())
    kinds: dict[str | None, int] = {}
    for name, fill in rules.items():
        as_one = fill.qty_min or fill.rows_max or fill.one or fill.whole_rows
        whole = {"no": NOT_WHOLE, "line": WHOLE_LINE, "order": WHOLE_ORDER}[fill.whole]
        kinds[name] = AS_ONE if as_one else whole
    if "fill" not in demand.columns:
        return np.full(demand.height, kinds[None], np.int8)
    named = {name: kind for name, kind in kinds.items() if name is not None}
    fills = demand["fill"].cast(pl.String).replace_strict(named, default=kinds[None], return_dtype=pl.Int8)
    return fills.to_numpy()


def _packs(plan: Plan) -> Units | None:
    """The pack of each line, 1 where it has none; None if no line has one."""
    if all(rule.pack is None for rule in plan.fills):
        return None
    lines = plan.demand.qty.len()
    found = np.ones(lines, np.int64)
    fill = np.zeros(lines, np.int64) if plan.demand.fill is None else plan.demand.fill.to_numpy()
    for number, rule in enumerate(plan.fills):
        if rule.pack is not None:
            pack = rule.pack.fill_null(1).to_numpy() if isinstance(rule.pack, pl.Series) else np.full(lines, rule.pack)
            found = np.where(fill == number, np.maximum(pack, 1), found)
    return found


def _orders(codes: pl.Series | None, lines: int) -> npt.NDArray[np.uint32]:
    """The number of each line's order, where some are served whole."""
    return np.arange(lines, dtype=np.uint32) if codes is None else codes.to_numpy()
