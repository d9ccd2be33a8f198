"""What a reallocation did: to each line, from whom to whom, and in total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from allocator.engine import exchanges, gather, kept_arrays, line_amounts, lists, pair_sums
from allocator.frames.quantity import total
from allocator.model.reallocation import STRATEGIES, Reallocation
from allocator.plan.spec import SERVED
from allocator.reallocation.deal import SKIP, Base, Dealt, Wishes
from allocator.reallocation.inputs import OPEN, STAGES, World
from allocator.reallocation.runs import TAKES
from allocator.reallocation.wishes import changed_pairs, moved_units
from allocator.result import REASON, quantity

WHY: Final = {
    "full": "it had all that it asks for",
    "gained": "stock was left for it, or it took it",
    "lost": "stronger lines took it",
    "unfit": "stock that it had may no longer serve it",
    "broken": "it is served whole or not at all, and could not be whole any more",
    "given_back": "its strategy gives back what it has",
    "nothing_left": "nothing was left that could serve it",
    "never_gains": "its strategy never gains, or its fill rule adds nothing to what it has",
    "limit": "the limit on changes was used up before its turn",
    "skip": "its segment is left alone, or it is in none",
    "outside": "it does not pass the filter of the whole reallocation",
    "frozen": "it is needed within the days that are frozen",
    "horizon": "it is needed beyond the horizon",
}
"""Why a line ended as it did, in words that complete 'because …'."""

_WHY = pl.Enum(list(WHY))
_STRATEGY = pl.Enum(list(STRATEGIES))

STAGE: Final = pl.Enum(STAGES)
"""The type of the stage of an allocation."""


@dataclass(frozen=True)
class Outcome:
    """What was done. Frames are made when they are first looked at."""

    world: World
    plan: Reallocation
    wishes: Wishes
    base: Base
    dealt: Dealt

    @cached_property
    def allocations(self) -> pl.DataFrame:
        """One row per line, stock row and stage afterwards, ready to be given as `current` again.

        Columns: `line_id`, `stock_id` (as given; a shipped row that is not in stock is left out); `qty` (units of the
        stock row), `qty_served` (units of the line), both Int64 or Decimal; `stage` (Enum). By the rows of demand, then
        stock.
        """
        world, dealt, base = self.world, self.dealt, self.base
        skips = pl.Series((self.wishes.strategy == SKIP)[world.held["l"].to_numpy()])
        stays = world.held.filter((pl.col("stage") != OPEN) | skips).drop_nulls("s")
        left = base.open.select("l", "s", qty=pl.Series(dealt.left), served=pl.Series(dealt.left_served))
        pairs = _added_up([left, dealt.taken, stays.filter(pl.col("stage") == OPEN)])
        others = stays.filter(pl.col("stage") != OPEN)
        if not others.is_empty():
            # Stages come by name, which is the sequence of their names in text.
            name = pl.col("stage").replace_strict(dict(enumerate(STAGES)))
            pairs = pl.concat([pairs, others.select(pairs.columns)]).sort("l", "s", name)
        stock, demand = world.prepared.stock, world.prepared.demand
        return pl.DataFrame(
            {
                "line_id": gather(demand.frame["line_id"], pairs["l"]),
                "stock_id": gather(stock.frame["stock_id"], pairs["s"]),
                "qty": quantity(pairs["qty"], stock),
                "qty_served": quantity(pairs["served"], demand),
                "stage": pairs["stage"].cat.to(STAGE),
            }
        )

    @cached_property
    def lines(self) -> pl.DataFrame:
        """One row per demand line, in the order of demand.

        Columns: `line_id`; `segment` (String, null: none); `strategy` (Enum); `requested`, `before`, `after`, `gained`,
        `lost`, `short` (units of the line); `to_lines` (list of line ids: who has what it lost, ascending rows; empty
        if nobody has); `exception` (Boolean: its strategy could not be kept); `why` (Enum, see `WHY`); `reason` (Enum:
        why the engine could give it no more; null if it did not ask, or got all).
        """
        frame = self._lines.select(
            "line_id",
            "segment",
            "strategy",
            *(quantity(self._lines[name], self.world.prepared.demand).alias(name) for name in AMOUNTS),
            "exception",
            "why",
            "reason",
        )
        ids = self.world.prepared.demand.frame["line_id"]
        spans = self._spans.drop_nulls()
        from_, to, _ = pair_sums(spans["from"], spans["to"], spans["qty"])
        takers = pl.DataFrame({"from": from_, "to": gather(ids, to)})
        if not self.world.prepared.demand.ascending:
            takers = takers.sort("from", "to")
        return frame.with_columns(lists(takers["from"], takers["to"], frame.height).alias("to_lines"))

    @cached_property
    def moves(self) -> pl.DataFrame:
        """One row per stock row and pair of lines between which units of it went.

        Columns: `stock_id`; `from_line`, `to_line` (null: free stock); `qty` (units of the stock row). Of several who
        lost and several who gained of one row, the first in the rows of demand are put together with the first.
        """
        spans = self._spans
        ids = self.world.prepared.demand.frame["line_id"]
        return pl.DataFrame(
            {
                "stock_id": self.world.prepared.stock.frame["stock_id"].gather(spans["s"]),
                "from_line": ids.gather(spans["from"]),
                "to_line": ids.gather(spans["to"]),
                "qty": quantity(spans["qty"], self.world.prepared.stock),
            }
        )

    @cached_property
    def _spans(self) -> pl.DataFrame:
        """`s`, `from`, `to` (rows), `qty`: the moves."""
        return self._exchanged[0]

    @cached_property
    def _exchanged(self) -> tuple[pl.DataFrame, pl.Series]:
        pairs = self._changed
        return exchanges(pairs["s"], pairs["l"], pairs["change"])

    @cached_property
    def totals(self) -> pl.DataFrame:
        """One row per segment and strategy, in the order of the plan; lines of no segment last.

        Columns: `segment`, `strategy`, `lines`, `lines_gained`, `lines_lost`, `exceptions` (UInt32), `requested`,
        `before`, `after`, `gained`, `lost` (units).
        """
        found, demand = totals_of(self._lines, self.plan), self.world.prepared.demand
        return found.with_columns(quantity(found[name], demand).alias(name) for name in AMOUNTS if name != "short")

    @cached_property
    def summary(self) -> dict[str, int | Decimal]:
        """Totals of all lines: how many there are, changed, gained, lost, are exceptions; units had, now and moved.

        Units are Decimal if the tables have decimals.
        """
        scale = self.world.prepared.stock.scale
        return summary_of(self._lines, self._changed["l"].n_unique(), moved_units(self._spans), scale)

    @cached_property
    def _changed(self) -> pl.DataFrame:
        return changed_pairs(self.base, self.dealt)

    @cached_property
    @kept_arrays()
    def _lines(self) -> pl.DataFrame:
        """The lines in units."""
        base, dealt, demand = self.base, self.dealt, self.world.prepared.demand.frame
        names = [*(segment.name for segment in self.plan.segments), None]
        used = [*(segment.strategy for segment in self.plan.segments), self.plan.otherwise]
        segment = self.world.segment.to_numpy()
        number = np.where(segment >= 0, segment, len(names) - 1).astype(np.uint32)
        strategy = pl.Series(used, dtype=_STRATEGY).to_physical().to_numpy()[number]
        reason = pl.Series(dealt.reason)
        requested = demand["qty"].cast(pl.Int64)
        amounts = line_amounts(pl.Series(base.fixed), pl.Series(base.held), pl.Series(dealt.served), requested)
        frame = pl.DataFrame(
            {
                "line_id": demand["line_id"],
                "segment": gather(pl.Series(names, dtype=pl.String), pl.Series(number)),
                "strategy": pl.Series(strategy).cat.to(_STRATEGY),
                "requested": requested,
                **{amount.name: amount for amount in amounts},
                "exception": pl.Series(dealt.exception),
                "granted": pl.Series(self.wishes.may_gain),
                "unfit": self._any_of(base.open["l"].filter(~base.fit)),
                "taken": self._any_of(self._exchanged[1]),
                "kind": pl.Series(dealt.strategy),
                "code": reason,
                "reason": pl.select(pl.when(reason != SERVED).then(reason)).to_series().cat.to(REASON),
            }
        )
        if self.world.spared.null_count() < frame.height:
            frame = frame.with_columns(spared=self.world.spared.cast(_WHY).to_physical().cast(pl.UInt8))
        frame = frame.with_columns(why=_why(spared="spared" in frame.columns))
        return frame.with_columns(frame["why"].cat.to(_WHY))

    def _any_of(self, lines: pl.Series) -> pl.Series:
        found = np.zeros(self.world.prepared.demand.frame.height, bool)
        found[lines.to_numpy()] = True
        return pl.Series(found)


AMOUNTS: Final = ("requested", "before", "after", "gained", "lost", "short")


def totals_of(lines: pl.DataFrame, plan: Reallocation) -> pl.DataFrame:
    """Totals by segment as `Outcome.totals` has them, of lines as `Outcome.lines` has them."""
    counted = lines.group_by("segment", "strategy").agg(
        pl.len().alias("lines"),
        (pl.col("gained") > 0).sum().alias("lines_gained"),
        (pl.col("lost") > 0).sum().alias("lines_lost"),
        pl.col("exception").sum().cast(pl.UInt32).alias("exceptions"),
        pl.col("requested", "before", "after", "gained", "lost").sum(),
    )
    places = {segment.name: number for number, segment in enumerate(plan.segments)}
    place = pl.col("segment").replace_strict(places, default=len(places), return_dtype=pl.UInt32)
    return counted.sort(place, "strategy")


def summary_of(lines: pl.DataFrame, changed: int, moved: int | Decimal, scale: int = 0) -> dict[str, int | Decimal]:
    """Totals as `Outcome.summary` has them.

    Args:
        lines: As `Outcome.lines` has them, quantities in units of 10^-scale base units.
        changed: How many lines have other allocations than before.
        moved: What changed hands, in the same units.
        scale: Decimals that the quantities still lack.
    """
    units = {"units_before": total(lines["before"]), "units_after": total(lines["after"]), "units_moved": moved}
    counts: dict[str, int | Decimal] = {
        "lines": lines.height,
        "lines_changed": changed,
        "lines_gained": int((lines["gained"] > 0).sum()),
        "lines_lost": int((lines["lost"] > 0).sum()),
        "exceptions": int(lines["exception"].sum()),
    }
    return counts | {name: Decimal(value).scaleb(-scale) if scale else value for name, value in units.items()}


def _why(*, spared: bool) -> pl.Expr:
    """The number in `WHY` of the first that applies."""
    number = {name: pl.lit(code, pl.UInt8) for code, name in enumerate(WHY)}
    kind, lost = pl.col("kind"), pl.col("lost") > 0
    why = (
        pl.when(kind == SKIP)
        .then(number["skip"])
        .when(pl.col("gained") > 0)
        .then(number["gained"])
        .when(lost & (pl.col("strategy") == "lose"))
        .then(number["given_back"])
        .when(lost & pl.col("taken"))
        .then(number["lost"])
        .when(lost & pl.col("unfit"))
        .then(number["unfit"])
        .when(lost)
        .then(number["broken"])
        .when(pl.col("short") == 0)
        .then(number["full"])
        .when(~pl.col("granted"))
        .then(number["limit"])
        .when(pl.col("code") != SERVED)
        .then(number["nothing_left"])
        .otherwise(number["never_gains"])
    )
    return pl.coalesce("spared", why) if spared else why


def _added_up(held: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """What lines have in all: by line and row, each pair once, and open."""
    columns = pl.concat([part.select(*TAKES) for part in held], rechunk=False)
    lines, rows, (qty, served) = pair_sums(*columns)
    stage = pl.Series(np.full(lines.len(), OPEN, np.uint8))
    return pl.DataFrame({"l": lines, "s": rows, "qty": qty, "served": served, "stage": stage})
