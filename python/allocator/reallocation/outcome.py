"""What a reallocation did: to each line, from whom to whom, and in total."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from allocator.engine import pair_sums
from allocator.frames.quantity import total
from allocator.model.reallocation import STRATEGIES, Reallocation
from allocator.plan.spec import SERVED
from allocator.reallocation.deal import SKIP, Base, Dealt, Wishes
from allocator.reallocation.inputs import World
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
        stock row), `qty_served` (units of the line), both Int64 or Decimal; `stage`. By the rows of demand, then stock.
        """
        world = self.world
        skips = pl.Series(self.wishes.strategy == SKIP).gather(world.held["l"])
        stays = world.held.filter((pl.col("stage") != "open") | skips).drop_nulls("s")
        open_ = [self.dealt.has.select(*TAKES), stays.filter(pl.col("stage") == "open").select(*TAKES)]
        pairs = _added_up(pl.concat(open_)).with_columns(stage=pl.lit("open"))
        others = stays.filter(pl.col("stage") != "open").select(*TAKES, "stage")
        if not others.is_empty():
            # Stages come by name, which is the sequence of their names in text.
            pairs = pl.concat([pairs, others]).sort("l", "s", "stage")
        stock, demand = world.prepared.stock, world.prepared.demand
        return pl.DataFrame(
            {
                "line_id": demand.frame["line_id"].gather(pairs["l"]),
                "stock_id": stock.frame["stock_id"].gather(pairs["s"]),
                "qty": quantity(pairs["qty"], stock),
                "qty_served": quantity(pairs["served"], demand),
                "stage": pairs["stage"],
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
        takers = pl.DataFrame({"from": from_, "to_lines": ids.gather(to)})
        by_id = pl.col("to_lines") if self.world.prepared.demand.ascending else pl.col("to_lines").sort()
        takers = takers.group_by("from").agg(by_id)
        # What few lines have is put where they are, behind one empty list for all others.
        lists = pl.concat([pl.Series("to_lines", [[]], dtype=pl.List(ids.dtype)), takers["to_lines"]], rechunk=True)
        which = np.zeros(frame.height, np.uint32)
        which[takers["from"].to_numpy()] = np.arange(1, takers.height + 1, dtype=np.uint32)
        return frame.with_columns(lists.gather(pl.Series(which)))

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
        pairs, rows = self._changed, self.world.prepared.stock.frame.height
        sides, of_row = np.zeros((2, rows), bool), pairs["s"].to_numpy()
        for side, name in zip(sides, ("out", "gain"), strict=True):
            side[of_row[pairs[name].to_numpy() > 0]] = True
        both = pl.Series((sides[0] & sides[1])[of_row])
        line = pl.col("l")
        alone = pairs.filter(~both).select(
            "s",
            pl.when(pl.col("out") > 0).then(line).alias("from"),
            pl.when(pl.col("gain") > 0).then(line).alias("to"),
            qty=pl.col("out") + pl.col("gain"),
        )
        return pl.concat([_between(pairs.filter(both)), alone]).sort("s", maintain_order=True)

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
        pairs, scale = self._changed, self.world.prepared.stock.scale
        return summary_of(self._lines, pairs["l"].n_unique(), moved_units(pairs), scale)

    @cached_property
    def _changed(self) -> pl.DataFrame:
        return changed_pairs(self.base, self.dealt)

    @cached_property
    def _lines(self) -> pl.DataFrame:
        """The lines in units."""
        base, dealt, demand = self.base, self.dealt, self.world.prepared.demand.frame
        names = [*(segment.name for segment in self.plan.segments), None]
        used = [*(segment.strategy for segment in self.plan.segments), self.plan.otherwise]
        segment = self.world.segment
        number = pl.select(pl.when(segment >= 0).then(segment).otherwise(len(names) - 1).cast(pl.UInt32)).to_series()
        reason = pl.Series(dealt.reason)
        frame = pl.DataFrame(
            {
                "line_id": demand["line_id"],
                "segment": pl.Series(names, dtype=pl.String).gather(number),
                "strategy": pl.Series(used, dtype=pl.Enum(list(STRATEGIES))).gather(number),
                "requested": demand["qty"].cast(pl.Int64),
                "before": pl.Series(base.held + base.fixed),
                "after": pl.Series(base.fixed + dealt.served),
                "exception": pl.Series(dealt.exception),
                "granted": pl.Series(self.wishes.may_gain),
                "unfit": self._any_of(base.open["l"].filter(~base.fit)),
                "taken": self._taken(),
                "kind": pl.Series(dealt.strategy),
                "code": reason,
                "reason": pl.select(pl.when(reason != SERVED).then(reason)).to_series().cat.to(REASON),
            }
        )
        if self.world.spared.null_count() < frame.height:
            frame = frame.with_columns(spared=self.world.spared.cast(_WHY).to_physical().cast(pl.UInt8))
        change = pl.col("after") - pl.col("before")
        frame = frame.with_columns(
            gained=change.clip(0), lost=(-change).clip(0), short=pl.col("requested") - pl.col("after")
        ).with_columns(why=_why(spared="spared" in frame.columns))
        return frame.with_columns(frame["why"].cat.to(_WHY))

    def _any_of(self, lines: pl.Series) -> pl.Series:
        found = np.zeros(self.world.prepared.demand.frame.height, bool)
        found[lines.to_numpy()] = True
        return pl.Series(found)

    def _taken(self) -> pl.Series:
        """Of which lines others have something that they had."""
        pairs = self._changed
        given = np.zeros(self.world.prepared.stock.frame.height, bool)
        given[pairs["s"].filter(pairs["gain"] > 0).to_numpy()] = True
        return self._any_of(pairs["l"].filter((pairs["out"] > 0) & pl.Series(given[pairs["s"].to_numpy()])))


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
    kind, after, before = pl.col("kind"), pl.col("after"), pl.col("before")
    why = (
        pl.when(kind == SKIP)
        .then(number["skip"])
        .when(after > before)
        .then(number["gained"])
        .when((after < before) & (pl.col("strategy") == "lose"))
        .then(number["given_back"])
        .when((after < before) & pl.col("taken"))
        .then(number["lost"])
        .when((after < before) & pl.col("unfit"))
        .then(number["unfit"])
        .when(after < before)
        .then(number["broken"])
        .when(after == pl.col("requested"))
        .then(number["full"])
        .when(~pl.col("granted"))
        .then(number["limit"])
        .when(pl.col("code") != SERVED)
        .then(number["nothing_left"])
        .otherwise(number["never_gains"])
    )
    return pl.coalesce("spared", why) if spared else why


def _added_up(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs by line and row, each of them once."""
    lines, rows, (qty, served) = pair_sums(pairs["l"], pairs["s"], pairs["qty"], pairs["served"])
    return pl.DataFrame({"l": lines, "s": rows, "qty": qty, "served": served})


def _between(pairs: pl.DataFrame) -> pl.DataFrame:
    """`s`, `from`, `to`, `qty`: the units of rows that some lost and some gained, laid beside each other.

    All rows lie one behind another, each as long as the more of what it lost and gained; `pairs` are by row.
    """
    s, lines = pairs["s"].to_numpy(), pairs["l"].to_numpy()
    first = np.flatnonzero(np.diff(s, prepend=~s[:1]) != 0)
    if not first.size:
        return pl.DataFrame(schema={"s": pl.UInt32, "from": pl.UInt32, "to": pl.UInt32, "qty": pl.Int64})
    amounts = {name: pairs[name].to_numpy() for name in ("out", "gain")}
    total = np.maximum(*(np.add.reduceat(amount, first) for amount in amounts.values()))
    limits, counts = np.cumsum(total), np.diff(np.append(first, s.size))
    ends = {}
    for name, amount in amounts.items():
        so_far = np.cumsum(amount)
        ends[name] = so_far + np.repeat(limits - total - (so_far - amount)[first], counts)
    cuts = np.sort(np.concatenate([end[amounts[name] > 0] for name, end in ends.items()]))
    cuts = cuts[np.diff(cuts, prepend=-1) != 0]
    row = np.searchsorted(limits, cuts)
    spans = pl.DataFrame({"s": s[first][row], "qty": np.diff(cuts, prepend=0)})
    owners = []
    for name, side in (("out", "from"), ("gain", "to")):
        has = np.flatnonzero(amounts[name] > 0)
        at = has[np.minimum(np.searchsorted(ends[name][has], cuts), has.size - 1)]
        own = pl.Series((s[at] == s[first][row]) & (ends[name][at] >= cuts))
        owners.append(pl.select(pl.when(own).then(pl.Series(lines[at])).alias(side)).to_series())
    return spans.with_columns(owners).select("s", "from", "to", "qty")
