"""The order of events: winners, then what was kept, class by class, then what is left for those who may gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from allocator.model.policy import FILLS, Fill, Policy
from allocator.plan.spec import SERVED
from allocator.reallocation.inputs import World, available, sums
from allocator.reallocation.runs import TAKES, Fills, competing, eligible, serve
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
Units = npt.NDArray[np.int64]


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
        has: What lines have of what could move: `l`, `s`, `qty`, `served`, and the `row` of `Base.open` that it is
            what is left of; null for what was taken.
        strategy: The code of each line's strategy, after fallbacks.
        exception: Whether its strategy could not be kept.
        reason: The number of the engine's reason why it did not get more; 255 if it asked for nothing or got all.
    """

    has: pl.DataFrame
    strategy: Codes
    exception: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.uint8]


class Deal:
    """One deal. Rows of `has` are those of `Dealt`, and `sure`: whether nobody can take it any more."""

    def __init__(self, world: World, base: Base, wishes: Wishes) -> None:
        self.world, self.base, self.wishes = world, base, wishes
        self.strategy = wishes.strategy.copy()
        self.exception = np.zeros(len(self.strategy), bool)
        self.reason = np.full(len(self.strategy), SERVED, np.uint8)
        keeps = self.strategy[base.open["l"].to_numpy()] <= SPARED
        had = base.open.with_row_index("row").select(*TAKES, "row").with_columns(sure=pl.lit(value=False))
        self.has = had.filter(pl.Series(keeps) & base.fit)

    def run(self) -> Dealt:
        """Deals."""
        self._win()
        for level in KEEPERS[:-1]:
            self._keep(level)
        self._give_back_broken()
        self._raise()
        return Dealt(self.has.drop("sure"), self.strategy, self.exception, self.reason)

    # --- stages ---

    def _win(self) -> None:
        """Lines that must be full: those that are keep it; the others ask for all they want, or nothing."""
        win = self.strategy == WIN
        full = win & (self._served() >= self.base.wanted)
        self.has = self.has.with_columns(sure=self._of(full))
        contends = win & ~full
        if not contends.any():
            return
        aside = self.has.filter(self._of(contends))
        self.has = self.has.filter(~self._of(contends))
        self._ask(np.where(contends, self.base.wanted, 0), "full", WIN)
        failed = contends & (self._served() < self.base.wanted)
        self.exception |= failed
        self.strategy[failed] = self.wishes.falls_to[failed]
        kept = failed & (self.strategy <= SPARED)
        self.has = pl.concat([self.has, aside.filter(pl.Series(kept[aside["l"].to_numpy()]))])
        self._cut()

    def _keep(self, level: int) -> None:
        """What the lines of a class lost to stronger ones is restored from what is free, then from weaker ones."""
        lines = self.strategy == level
        lost = np.where(lines, self.base.held - self._served(), 0)
        self._ask(np.where(self.base.whole == AS_ONE, 0, lost), "floor", level)
        self._cut()
        if level == GAIN:
            failed = lines & (self._served() < self.base.held)
            self.exception |= failed
            again = failed & (self.wishes.falls_to == REDISTRIBUTE)
            self.strategy[failed] = np.where(again, REDISTRIBUTE, IMPROVE)[failed]
            self.has = self.has.filter(~self._of(again))
        self.has = self.has.with_columns(sure=pl.col("sure") | self._of(self.strategy == level))

    def _give_back_broken(self) -> None:
        """A line that is served whole or not at all, and lost something, gives back the rest; so does its order."""
        broken = (self.base.whole != NOT_WHOLE) & (self._served() < self.base.held) & (self.strategy <= SPARED)
        orders = np.zeros(int(self.base.order.max(initial=0)) + 1, bool)
        orders[self.base.order[broken & (self.base.whole == WHOLE_ORDER)]] = True
        movable = (self.base.whole == WHOLE_ORDER) & (self.strategy <= SPARED) & (self.strategy != WIN)
        broken |= orders[self.base.order] & movable
        if broken.any():
            self.has = self.has.filter(~self._of(broken))

    def _raise(self) -> None:
        """What is left goes to those who may gain, in order of service, by their own fill rules."""
        served = self._served()
        may = self.wishes.may_gain & np.isin(self.strategy, (GAIN, IMPROVE, REDISTRIBUTE))
        may &= (self.base.whole != AS_ONE) | (served + self.base.fixed == 0)
        self._ask(np.where(may, self.base.wanted - served, 0), "own", None)

    # --- parts of stages ---

    def _ask(self, qty: Units, fills: Fills, level: int | None) -> None:
        """Runs the engine for lines that ask for more than nothing, over what is free and what weaker lines have."""
        rows = np.flatnonzero(qty > 0)
        if not len(rows):
            return
        sequence = self.wishes.sequence
        if sequence.engine_order is None:
            rows = sequence.of(rows)
        asks = pl.DataFrame({"l": rows.astype(np.uint32), "qty": qty[rows]})
        run = serve(self.world, asks, self._parts(level, competing(self.world, asks["l"])), fills, sequence)
        self.has = pl.concat([self.has, run.takes.with_columns(row=pl.lit(None, pl.UInt32), sure=pl.lit(value=True))])
        self.reason[run.lines.to_numpy()] = run.reasons.to_numpy()

    def _parts(self, level: int | None, rows: npt.NDArray[np.bool_] | None) -> pl.DataFrame:
        """What is free of each row, and what lines weaker than a class have of it, the weakest first.

        Args:
            level: The class; None for none, who takes from nobody.
            rows: Which rows count; None for all.
        """
        free = np.maximum(self.base.there - sums(self.has["s"], self.has["qty"], len(self.base.there)).to_numpy(), 0)
        which = np.arange(free.size) if rows is None else np.flatnonzero(rows)
        none = np.zeros(which.size, np.uint8)
        parts = pl.DataFrame({"s": which.astype(np.uint32), "held": none, "qty": free[which]})
        if level is None:
            return parts
        who = self.strategy[self.has["l"].to_numpy()]
        weaker = (who > level) & (who <= SPARED) & ~self.has["sure"].to_numpy()
        if rows is not None:
            weaker &= rows[self.has["s"].to_numpy()]
        if not weaker.any():
            return parts
        held = self.has.select("s", pl.Series("held", (SPARED + 1 - who).astype(np.uint8)), "qty").filter(weaker)
        held = held.group_by("s", "held").agg(pl.col("qty").sum()).sort("s", "held")
        return parts.merge_sorted(held, key="s")

    def _cut(self) -> None:
        """Takes what stronger lines took of a row from those who had it: the weakest, and the last served, first."""
        over = sums(self.has["s"], self.has["qty"], len(self.base.there)).to_numpy() > self.base.there
        contested = pl.Series(over[self.has["s"].to_numpy()])
        if not contested.any():
            return
        ranked = self.has.filter(contested)
        rows = ranked["l"].to_numpy()
        ordered = self.wishes.sequence.of(np.unique(rows).astype(np.intp))
        place = np.empty(len(self.strategy), np.uint32)
        place[ordered] = np.arange(ordered.size, dtype=np.uint32)
        ranked = ranked.with_columns(
            who=pl.Series(self.strategy[rows]),
            place=pl.Series(place[rows]),
            there=pl.Series(self.base.there[ranked["s"].to_numpy()]),
        )
        ranked = ranked.sort("s", pl.col("sure").not_(), "who", "place")
        ahead = pl.col("qty").cum_sum().over("s") - pl.col("qty")
        left = pl.col("there").sub(ahead).clip(0, pl.col("qty"))
        # An exchange of a substitute stays whole.
        left = pl.when((pl.col("qty") == pl.col("served")) | (left == pl.col("qty"))).then(left).otherwise(0)
        ranked = ranked.with_columns(left=left).filter(pl.col("left") > 0)
        served = pl.when(pl.col("qty") == pl.col("served")).then("left").otherwise("served")
        kept = ranked.select("l", "s", pl.col("left").alias("qty"), served.alias("served"), "row", "sure")
        self.has = pl.concat([self.has.filter(~contested), kept])

    def _served(self) -> Units:
        """What each line has, of what could move."""
        return sums(self.has["l"], self.has["served"], len(self.strategy)).to_numpy()

    def _of(self, lines: npt.NDArray[np.bool_]) -> pl.Series:
        """Which rows of `has` are of these lines."""
        return pl.Series(lines[self.has["l"].to_numpy()])


@dataclass(frozen=True)
class Base:
    """What is the same for every deal of one reallocation.

    Attributes:
        open: What lines have and may lose: `l`, `s`, `qty`, `served`.
        fit: Whether each of these rows may still serve its line.
        there: Units of each stock row that may move or are free.
        wanted: What each line asks beside what it has for good.
        fixed: What it has for good.
        held: What it has of what may move.
        whole: What its fill rule says of the line as a whole.
        order: The number of its order.
    """

    open: pl.DataFrame
    fit: pl.Series
    there: Units
    wanted: Units
    fixed: Units
    held: Units
    whole: Codes
    order: npt.NDArray[np.uint32]


def base_of(world: World, strategy: Codes, *, limited: bool) -> Base:
    """Parts what may move from what may not; under a limit, those who would give back may keep, and are judged too."""
    lines, rows = world.prepared.demand.frame.height, world.prepared.stock.frame.height
    moves = (world.held["stage"] == "open") & pl.Series(strategy[world.held["l"].to_numpy()] != SKIP)
    fixed, moving = world.held.filter(~moves), world.held.filter(moves).select(*TAKES)
    on_hand = fixed.filter(pl.col("stage") != "shipped")
    keeps = pl.Series(limited | (strategy[moving["l"].to_numpy()] <= SPARED))
    fit = np.ones(moving.height, bool)
    fit[keeps.to_numpy()] = eligible(world, moving.filter(keeps)).to_numpy()
    for_good = sums(fixed["l"], fixed["served"], lines).to_numpy()
    return Base(
        open=moving,
        fit=pl.Series(fit),
        there=available(world.prepared).to_numpy() - sums(on_hand["s"], on_hand["qty"], rows).to_numpy(),
        wanted=world.prepared.demand.frame["qty"].cast(pl.Int64).to_numpy() - for_good,
        fixed=for_good,
        held=sums(moving["l"], moving["served"], lines).to_numpy(),
        whole=_whole(world.prepared.demand.frame, world.policy),
        order=_orders(world.prepared.demand.frame),
    )


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


def _orders(demand: pl.DataFrame) -> npt.NDArray[np.uint32]:
    """The number of each line's order; a line without one is an order of its own."""
    own = pl.int_range(demand.height, dtype=pl.UInt32)
    if "order_id" not in demand.columns:
        return pl.select(own).to_series().to_numpy()
    codes = demand.select(pl.col("order_id").rank("dense").cast(pl.UInt32)).to_series()
    start = int(codes.max() or 0) + 1  # type: ignore[arg-type]
    return demand.select(pl.when(codes.is_null()).then(own + start).otherwise(codes)).to_series().to_numpy()
