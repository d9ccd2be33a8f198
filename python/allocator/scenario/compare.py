"""The difference that a scenario makes."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from allocator.errors import InputError, Problem
from allocator.explain import Explanation, spelled
from allocator.model.scenario import Scenario
from allocator.plan.spec import SERVED
from allocator.reallocation.outcome import Outcome
from allocator.result import Result, quantity
from allocator.scenario.additions import ROW
from allocator.scenario.compete import Numbers
from allocator.scenario.measure import BY_LEVER, Measures
from allocator.scenario.part import REASON, Part

if TYPE_CHECKING:
    from allocator.scenario.base import Base

CHANGE: Final = pl.Enum(["gained", "lost", "moved", "asked", "reason", "new", "cancelled"])
"""What happened to a line, in the sequence of `docs/what-if.md`."""


class After(NamedTuple):
    """What a scenario comes to.

    Attributes:
        part: The part under its levers.
        result: The allocation of it.
        outcome: What a lever that deals again did to each line; None without one.
        further: Measures that only some levers have, by name: of the base, and under the scenario.
    """

    part: Part
    result: Result
    outcome: Outcome | None
    further: dict[str, tuple[float | None, float | None]]


class Comparison:
    """A scenario beside its base. Frames are made when they are first looked at.

    Attributes:
        scenario: The scenario.
        result: The allocation of the part that was worked out again. Under ceilings, lines ask it for what they may
            have at most.
        outcome: What a lever `reallocation` did to each line, and why; None without one.
    """

    def __init__(self, base: Base, scenario: Scenario, before: Part, after: After) -> None:
        self.base, self.scenario = base, scenario
        self.before, (self.after, self.result, self.outcome, self._further) = before, after

    @property
    def lines_run(self) -> int:
        """How many lines were worked out again."""
        return self.after.demand.height

    @cached_property
    def measures(self) -> Measures:
        """What is measured of everything under the scenario."""
        whole = self.base.measures
        parts = Measures.of(self.before, self.after, terms=self.base.terms)
        nothing = {"orders": 0, "orders_full": 0}
        before, after = (replace(part, sums={**part.sums, **nothing}) for part in parts)
        found = whole.replaced(before, after)
        return replace(found, sums={**found.sums, **self.base.orders.under(self.before, self.after)})

    @cached_property
    def kpis(self) -> pl.DataFrame:
        """One row per measure: `kpi` (String), `base`, `scenario`, `difference` (Float64, null where there is none).

        `docs/what-if.md` says what each is. After those of an answer come those of a comparison: what changed.
        """
        base, ours = self.base.kpis, self.measures.kpis()
        lines, units = self._churn
        rows = [(name, base[name], ours[name]) for name in ours]
        moved = units / 10**self.before.scale
        rows += [("lines_changed", 0.0, float(lines)), ("units_moved", 0.0, moved)]
        rows += [(name, *self._further.get(name, (None, None))) for name in BY_LEVER]
        frame = pl.DataFrame(rows, {"kpi": pl.String, "base": pl.Float64, "scenario": pl.Float64}, orient="row")
        return frame.with_columns(difference=pl.col("scenario") - pl.col("base"))

    @cached_property
    def reasons(self) -> pl.DataFrame:
        """One row per reason, that of most lines first.

        Columns: `reason` (Enum); how many lines are short for it, `lines_base`, `lines_scenario` (Int64); what they
        lack, `short_base`, `short_scenario` (Int64 or Decimal, base units).
        """
        whole = self.base.part_of_everything()
        sides = [_shortages(part, sign) for part, sign in ((self.before, -1), (self.after, 1))]
        ours = _shortages(whole, 1)
        found = pl.concat([ours, *sides]).group_by("reason").agg(pl.all().sum())
        both = found.join(ours, on="reason", how="left", suffix="_base", maintain_order="left").fill_null(0)
        both = both.filter((pl.col("lines") > 0) | (pl.col("lines_base") > 0))
        table = self.base.bound.prepared.demand
        return both.select(
            both["reason"].cat.to(REASON),
            "lines_base",
            pl.col("lines").alias("lines_scenario"),
            quantity(both["short_base"], table).alias("short_base"),
            quantity(both["short"], table).alias("short_scenario"),
        ).sort("lines_scenario", "lines_base", "reason", descending=[True, True, False])

    @cached_property
    def segments(self) -> pl.DataFrame:
        """One row per segment, in order of the columns of `by`, which come first, as they were given.

        Then `lines`, `line_fill` and `unit_fill`, each as `_base` (null for a segment that is new) and `_scenario`
        (null for one that is gone), and `line_fill_difference`, `unit_fill_difference` (Float64, shares of 1).

        Raises:
            InputError: `argument_missing`: the base was bound without `by`.
        """
        keys, names, demand = self.base.terms.keys, self.base.terms.by, self.base.bound.prepared.demand
        if not names:
            message, hint = "there are no segments", "Bind the base with by='customer', or any columns of demand"
            raise InputError(Problem("argument_missing", message, column="by", hint=hint))
        sides = [
            measures.segments.select(
                *keys,
                pl.col("lines").alias(f"lines_{side}"),
                (pl.col("lines_full") / pl.col("lines")).alias(f"line_fill_{side}"),
                pl.when(pl.col("qty") > 0).then(pl.col("share") / pl.col("qty")).alias(f"unit_fill_{side}"),
            )
            for side, measures in (("base", self.base.measures), ("scenario", self.measures))
        ]
        both = sides[0].join(sides[1], on=keys, how="full", coalesce=True, nulls_equal=True).sort(keys)
        held = (key for key, name in zip(keys, names, strict=True) if name in demand.quantities)
        both = both.with_columns(quantity(both[key], demand).alias(key) for key in held)
        shares = ("line_fill", "unit_fill")
        differences = ((pl.col(f"{s}_scenario") - pl.col(f"{s}_base")).alias(f"{s}_difference") for s in shares)
        return both.with_columns(differences).rename(dict(zip(keys, names, strict=True)))

    @cached_property
    def changes(self) -> pl.DataFrame:
        """One row per line that is served otherwise, in the order of demand, new lines last.

        Columns: `line_id`, `sku` (as given); `change` (Enum: `gained` or `lost` units, `moved` to other stock, `asked`
        for another quantity and gets what it got, only the `reason` differs, `new`, `cancelled`); `requested_before`,
        `requested_after`, `allocated_before`, `allocated_after`, `gained` (Int64 or Decimal, base units; `gained` is
        negative for a loss; null where there was, or is, no such line); `reason_before`, `reason_after` (Enum; null
        if nothing is short).
        """
        found, lines = self._lines.filter(pl.col("change").is_not_null()), self.result.bound.prepared.demand
        units = [name for name in found.columns if name.startswith(("requested", "allocated", "gained"))]
        reasons = [
            pl.when(pl.col(name) != SERVED).then(pl.col(name)).cast(pl.UInt8).alias(name)
            for name in ("reason_before", "reason_after")
        ]
        found = found.with_columns(reasons).with_columns(quantity(found[name], lines).alias(name) for name in units)
        found = found.with_columns(found[name].cat.to(REASON) for name in ("reason_before", "reason_after"))
        return found.drop("row")

    def explain(self, line_id: str | int) -> Explanation:
        """Why a line gets what it gets under the scenario, as `Result.explain`.

        Raises:
            InputError: `line_unknown`: there is no such line under the scenario; `argument_value`: a lever deals again
                what is promised, and `outcome.lines` says why.
        """
        if self.outcome is not None:
            message, hint = "lines that are dealt again are not explained by an allocation", "See outcome.lines, `why`"
            raise InputError(Problem("argument_value", message, column="line_id", value=str(line_id)[:80], hint=hint))
        if spelled(self.after.demand["line_id"], line_id) is not None:
            return self.result.explain(line_id)
        if spelled(self.before.demand["line_id"], line_id) is not None:
            message, hint = "the scenario cancels this line", "Explain it by the base"
            raise InputError(Problem("line_unknown", message, "demand", "line_id", value=str(line_id)[:80], hint=hint))
        return self.base.result.explain(line_id)

    @cached_property
    def _lines(self) -> pl.DataFrame:
        """Every line of the part, before and after: those of the base in their order, then those that are new."""
        before, after = self.before, self.after
        rows, rows_after = before.demand[ROW].to_numpy(), after.demand[ROW].to_numpy()
        union = np.concatenate([rows, rows_after[rows_after >= self.base.bound.prepared.demand.frame.height]])
        sides: dict[str, pl.Series] = {}
        for side, part, own in (("before", before, rows), ("after", after, rows_after)):
            at = pl.Series(np.searchsorted(union, own))
            place = pl.Series(np.full(union.size, -1)).scatter(at, np.arange(own.size))
            place = pl.select(pl.when(place >= 0).then(place)).to_series()
            sides |= {
                f"requested_{side}": part.demand["qty"].gather(place),
                f"allocated_{side}": part.lines["allocated"].gather(place),
                f"reason_{side}": part.lines["reason"].gather(place),
            }
        moved = np.zeros(union.size, bool)
        moved[np.searchsorted(union, self._differences[0])] = True
        names = {}
        for name in ("line_id", "sku"):
            old, new = before.demand[name], after.demand[name].tail(union.size - rows.size)
            names[name] = pl.concat([old.cast(new.dtype), new])
        frame = pl.DataFrame({"row": union, **names, **sides, "moved": moved})
        got, had = pl.col("allocated_after"), pl.col("allocated_before")
        change = (
            pl.when(had.is_null()).then(pl.lit("new"))
            .when(got.is_null()).then(pl.lit("cancelled"))
            .when(got > had).then(pl.lit("gained"))
            .when(got < had).then(pl.lit("lost"))
            .when("moved").then(pl.lit("moved"))
            .when(pl.col("requested_after") != pl.col("requested_before")).then(pl.lit("asked"))
            .when(pl.col("reason_after") != pl.col("reason_before")).then(pl.lit("reason"))
        )  # fmt: skip
        return frame.select("row", "line_id", "sku", change.cast(CHANGE).alias("change"), *ORDER, gained=got - had)

    @property
    def _churn(self) -> tuple[int, int]:
        """Lines of the base that are served otherwise, and units that they no longer take where they took them."""
        rows, rows_after = self.before.demand[ROW].to_numpy(), self.after.demand[ROW].to_numpy()
        at = np.minimum(np.searchsorted(rows_after, rows), max(rows_after.size - 1, 0))
        if rows_after.size == 0:
            return 0, 0
        had, got = (part.lines["allocated"].to_numpy() for part in (self.before, self.after))
        differs = had != got[at]
        lines, less = self._differences
        differs[np.searchsorted(rows, lines[lines < self.base.bound.prepared.demand.frame.height])] = True
        return int((differs & (rows_after[at] == rows)).sum()), less

    @cached_property
    def _differences(self) -> tuple[Numbers, int]:
        """Rows of lines that take otherwise than before, and the units of lines still there that they gave up."""
        width = self.base.bound.prepared.stock.frame.height + self.after.stock.height + 1
        pairs, units = [], []
        for part, sign in ((self.before, 1), (self.after, -1)):
            line = part.demand[ROW].to_numpy()[part.takes["line"].to_numpy()]
            stock = part.stock[ROW].to_numpy()[part.takes["stock"].to_numpy()]
            pairs.append(line * width + stock)
            units.append(sign * part.takes["qty"].to_numpy())
        pair = np.concatenate(pairs)
        order = np.argsort(pair)
        pair = pair[order]
        first = np.flatnonzero(np.diff(pair, prepend=-1))
        less = np.add.reduceat(np.concatenate(units)[order], first) if first.size else first
        lines, less = pair[first][less != 0] // width, less[less != 0]
        rows = self.after.demand[ROW].to_numpy()
        kept = np.searchsorted(rows, lines, side="right") > np.searchsorted(rows, lines)
        return lines[np.flatnonzero(np.diff(lines, prepend=-1))], int(less[kept & (less > 0)].sum())


def _shortages(part: Part, sign: int) -> pl.DataFrame:
    """Lines that are short and units that they lack, by the number of the reason, to be added or taken away."""
    lines = part.lines.select("reason", short=part.demand["qty"] - pl.col("allocated")).filter(pl.col("short") > 0)
    counted = lines.group_by("reason").agg(lines=pl.len().cast(pl.Int64), short=pl.col("short").sum())
    return counted.with_columns(pl.col("lines", "short") * sign)


ORDER: Final = (
    *("requested_before", "requested_after", "allocated_before", "allocated_after"),
    *("reason_before", "reason_after"),
)
