"""What an optimum answers: the frames of a result, and the plan in the order of the rules beside them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import polars as pl

from allocator.engine import Answer
from allocator.errors import InputError, Problem
from allocator.result import Bound, Result


class Optimum(Result):
    """The best plan that was found. `lines`, `allocations`, `stock` and `explain` are those of `allocator.Result`.

    Attributes:
        by_rules: What `allocate` decides on the same tables.
        status: `optimal`: no plan is better; `within_gap`: none is better by more than the gap that was allowed;
            `stopped`: the time was over, and this is the best that was found; `by_rules`: the time was over before
            anything better than the plan of the rules was found, and this is that plan.
        stages: One row per objective, in the order in which they counted: `objective`, `status` (as above, and
            `not_begun`), `value` and `bound` (Float64, null where there is none; no plan has a better value than the
            bound), `gap` (their distance as a share of the bound, null without one), `seconds` (in the solver).
        comparison: One row per objective that can be counted in the tables, those that were asked first: `objective`,
            `asked` (UInt32, its place among those asked; null for the others), `by_rules` and `optimal` (Float64),
            `difference` (what the rules cost is its amount), `gap` (as a share of the optimum; null where that is
            zero), `unit`, `better` (`more` or `less`).
        solver_seconds: Time in the solver.
    """

    def __init__(
        self,
        bound: Bound,
        answer: Answer,
        *,
        by_rules: Result,
        status: str,
        stages: pl.DataFrame,
        comparison: pl.DataFrame,
        solver_seconds: float,
    ) -> None:
        """Use `optimize`."""
        super().__init__(bound, answer)
        self.by_rules, self.status = by_rules, status
        self.stages, self.comparison, self.solver_seconds = stages, comparison, solver_seconds

    @cached_property
    def _beside(self) -> pl.DataFrame:
        rules = self.by_rules.lines.select("line_id", by_rules="allocated")
        both = self.lines.select("line_id", "requested", optimal="allocated").with_columns(rules["by_rules"])
        change = pl.col("optimal") - pl.col("by_rules")
        nothing = change - change
        return both.with_columns(
            gained=pl.when(change > 0).then(change).otherwise(nothing),
            lost=pl.when(change < 0).then(-change).otherwise(nothing),
        )

    def where(self, by: str | Sequence[str] = "sku") -> pl.DataFrame:
        """Where the two plans differ.

        Args:
            by: Columns of demand whose values are the groups: `sku`, `line_id`, `customer`, …

        Returns:
            One row per group in which a line gained or lost: the columns of `by`, `lines` (UInt32), `requested`,
            `by_rules`, `optimal`, `gained` and `lost` (units of lines, Int64 or Decimal), `lines_gained`,
            `lines_lost` (UInt32); the greatest change first, then by group.

        Raises:
            InputError: `column_missing`: demand has no such column.
        """
        names = [by] if isinstance(by, str) else list(by)
        demand = self.bound.prepared.demand.frame
        missing = [name for name in names if name not in demand.columns]
        if missing or not names:
            hint = f"The table has {', '.join(demand.columns)}"
            raise InputError(
                [Problem("column_missing", "demand has no such column", "demand", name, hint=hint) for name in missing]
                or Problem("argument_missing", "no column is named", column="by", hint=hint)
            )
        groups = demand.select(pl.col(names).gather(self.answer.line))
        taken = [name for name in self._beside.columns if name not in names]
        found = pl.concat([groups, self._beside.select(taken)], how="horizontal").group_by(names)
        summed = found.agg(
            pl.len().alias("lines"),
            *(pl.col(c).sum() for c in ("requested", "by_rules", "optimal", "gained", "lost")),
            (pl.col("gained") > 0).sum().alias("lines_gained"),
            (pl.col("lost") > 0).sum().alias("lines_lost"),
        )
        size = pl.col("gained") + pl.col("lost")
        return summed.filter(size > 0).sort(size, *names, descending=[True, *(False for _ in names)])
