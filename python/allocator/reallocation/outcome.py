"""What a reallocation did: to each line, from whom to whom, and in total."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from allocator.model.reallocation import STRATEGIES, Reallocation
from allocator.plan.spec import SERVED
from allocator.reallocation.deal import SKIP, Base, Dealt, Wishes
from allocator.reallocation.inputs import World, sums
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
        stays = world.held.with_row_index("row").join(self._moving.select("row"), on="row", how="anti").drop("row")
        open_ = self.dealt.has.group_by("l", "s").agg(pl.col("qty", "served").sum())
        pairs = pl.concat([stays, open_.with_columns(stage=pl.lit("open"))])
        pairs = pairs.group_by("l", "s", "stage").agg(pl.col("qty", "served").sum()).drop_nulls("s")
        pairs = pairs.sort("l", "s", "stage")
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
        takers = (
            self.moves.filter(pl.col("from_line").is_not_null() & pl.col("to_line").is_not_null())
            .group_by("from_line")
            .agg(to_lines=pl.col("to_line").unique().sort())
        )
        joined = frame.join(takers, left_on="line_id", right_on="from_line", how="left", maintain_order="left")
        return joined.with_columns(pl.col("to_lines").fill_null([]))

    @cached_property
    def moves(self) -> pl.DataFrame:
        """One row per stock row and pair of lines between which units of it went.

        Columns: `stock_id`; `from_line`, `to_line` (null: free stock); `qty` (units of the stock row). Of several who
        lost and several who gained of one row, the first in the rows of demand are put together with the first.
        """
        pairs = self._changed
        sides = pairs.group_by("s").agg(
            (pl.col("out") > 0).any().alias("lost"), (pl.col("gain") > 0).any().alias("won")
        )
        between = pairs.join(sides.filter("lost", "won"), on="s", how="semi")
        plain = pairs.join(sides.filter(~(pl.col("lost") & pl.col("won"))), on="s", how="semi")
        line = pl.col("l")
        alone = plain.select(
            "s",
            pl.when(pl.col("out") > 0).then(line).alias("from"),
            pl.when(pl.col("gain") > 0).then(line).alias("to"),
            qty=pl.col("out") + pl.col("gain"),
        )
        spans = pl.concat([_between(between), alone]).sort("s", maintain_order=True)
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
    def totals(self) -> pl.DataFrame:
        """One row per segment and strategy, in the order of the plan; lines of no segment last.

        Columns: `segment`, `strategy`, `lines`, `lines_gained`, `lines_lost`, `exceptions` (UInt32), `requested`,
        `before`, `after`, `gained`, `lost` (units).
        """
        counted = self._lines.group_by("number", "segment", "strategy").agg(
            pl.len().alias("lines"),
            (pl.col("gained") > 0).sum().alias("lines_gained"),
            (pl.col("lost") > 0).sum().alias("lines_lost"),
            pl.col("exception").sum().cast(pl.UInt32).alias("exceptions"),
            pl.col("requested", "before", "after", "gained", "lost").sum(),
        )
        last = pl.col("number") < 0
        found = counted.sort(last, "number", "strategy").drop("number")
        demand = self.world.prepared.demand
        names = ("requested", "before", "after", "gained", "lost")
        return found.with_columns(quantity(found[name], demand).alias(name) for name in names)

    @cached_property
    def summary(self) -> dict[str, int | float]:
        """Totals of all lines: lines, how many changed, gained, lost, exceptions, and units that changed hands."""
        pairs, lines = self._changed, self._lines
        unit = 10**self.world.prepared.stock.scale
        units = moved_units(pairs)
        return {
            "lines": lines.height,
            "lines_changed": pairs["l"].n_unique(),
            "lines_gained": int((lines["gained"] > 0).sum()),
            "lines_lost": int((lines["lost"] > 0).sum()),
            "exceptions": int(lines["exception"].sum()),
            "units_before": lines["before"].sum() / unit if unit > 1 else int(lines["before"].sum()),
            "units_after": lines["after"].sum() / unit if unit > 1 else int(lines["after"].sum()),
            "units_moved": units / unit if unit > 1 else units,
        }

    @cached_property
    def _changed(self) -> pl.DataFrame:
        return changed_pairs(self.base, self.dealt)

    @cached_property
    def _moving(self) -> pl.DataFrame:
        held = self.world.held.with_row_index("row")
        skips = pl.Series(self.wishes.strategy == SKIP).gather(held["l"])
        return held.filter((pl.col("stage") == "open") & ~skips)

    @cached_property
    def _lines(self) -> pl.DataFrame:
        """The lines in units."""
        base, dealt, demand = self.base, self.dealt, self.world.prepared.demand.frame
        count = demand.height
        before, fixed = pl.Series(base.held + base.fixed), pl.Series(base.fixed)
        after = fixed + sums(dealt.has["l"], dealt.has["served"], count)
        names = [*(segment.name for segment in self.plan.segments), None]
        used = [*(segment.strategy for segment in self.plan.segments), self.plan.otherwise]
        number = self.world.segment.to_numpy()
        reason = pl.Series(dealt.reason)
        frame = pl.DataFrame(
            {
                "line_id": demand["line_id"],
                "number": self.world.segment,
                "segment": pl.Series(names, dtype=pl.String).gather(np.where(number < 0, len(names) - 1, number)),
                "strategy": pl.Series(used, dtype=pl.Enum(list(STRATEGIES))).gather(
                    np.where(number < 0, len(names) - 1, number)
                ),
                "requested": demand["qty"].cast(pl.Int64),
                "before": before,
                "after": after,
                "exception": pl.Series(dealt.exception),
                "spared": self.world.spared,
                "granted": pl.Series(self.wishes.may_gain),
                "unfit": self._any_of(base.open.filter(~base.fit)["l"]),
                "taken": self._taken(),
                "kind": pl.Series(dealt.strategy),
                "reason": pl.select(pl.when(reason != SERVED).then(reason)).to_series().cat.to(REASON),
            }
        )
        change = pl.col("after") - pl.col("before")
        return frame.with_columns(
            gained=change.clip(0), lost=(-change).clip(0), short=pl.col("requested") - pl.col("after")
        ).with_columns(why=_why())

    def _any_of(self, lines: pl.Series) -> pl.Series:
        found = np.zeros(self.world.prepared.demand.frame.height, bool)
        found[lines.to_numpy()] = True
        return pl.Series(found)

    def _taken(self) -> pl.Series:
        """Of which lines others have something that they had."""
        pairs = self._changed
        given = pairs.filter(pl.col("gain") > 0)["s"].unique()
        return self._any_of(pairs.filter((pl.col("out") > 0) & pl.col("s").is_in(given.implode()))["l"])


AMOUNTS: Final = ("requested", "before", "after", "gained", "lost", "short")


def _why() -> pl.Expr:
    """The first that applies."""
    kind, change = pl.col("kind"), pl.col("after") - pl.col("before")
    word = pl.lit
    return (
        pl.when(pl.col("spared").is_not_null())
        .then(pl.col("spared"))
        .when(kind == SKIP)
        .then(word("skip"))
        .when(change > 0)
        .then(word("gained"))
        .when((change < 0) & (pl.col("strategy") == "lose"))
        .then(word("given_back"))
        .when((change < 0) & pl.col("taken"))
        .then(word("lost"))
        .when((change < 0) & pl.col("unfit"))
        .then(word("unfit"))
        .when(change < 0)
        .then(word("broken"))
        .when(pl.col("after") == pl.col("requested"))
        .then(word("full"))
        .when(~pl.col("granted"))
        .then(word("limit"))
        .when(pl.col("reason").is_not_null())
        .then(word("nothing_left"))
        .otherwise(word("never_gains"))
        .cast(_WHY)
    )


def _between(pairs: pl.DataFrame) -> pl.DataFrame:
    """`s`, `from`, `to`, `qty`: the units of rows that some lost and some gained, laid beside each other."""
    lost, gained = (_spans(pairs, name) for name in ("out", "gain"))
    ends = pl.concat([lost.select("s", "end"), gained.select("s", "end")]).unique().sort("s", "end")
    begin = pl.col("end").shift(1).over("s").fill_null(0)
    spans = ends.with_columns(qty=pl.col("end") - begin)
    for name, side in (("from", lost), ("to", gained)):
        owners = side.select("s", "end", pl.col("l").alias(name))
        spans = spans.join_asof(owners, on="end", by="s", strategy="forward", check_sortedness=False)
    return spans.select("s", "from", "to", "qty")


def _spans(pairs: pl.DataFrame, name: str) -> pl.DataFrame:
    """`s`, `l` and where its part ends among those of the row."""
    found = pairs.filter(pl.col(name) > 0).sort("s", "l")
    return found.select("s", "l", end=pl.col(name).cum_sum().over("s"))
