"""How fair a result is: Jain's index, the Gini coefficient, and who is worst off."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from allocator.errors import InputError, Problem
from allocator.fairness.share import share
from allocator.frames.read import Source
from allocator.model.fair_share import FairShare


def fairness(shares: pl.DataFrame, *, by: str | Sequence[str] = "line_id") -> pl.DataFrame:
    """Measures how evenly groups are filled: each group's part of what it asked for.

    Args:
        shares: What `share` answers, or any frame with `qty` (asked) and `share` (given), Int64 or Decimal.
        by: The columns whose values are the groups.

    Returns:
        One row: `groups` (UInt32, those that asked for anything); `qty`, `share`, `short` (as given); `fill`
        (Float64, share of all that was asked); `jain` (1 where all are filled alike, 1/n where one has everything;
        Jain, Chiu and Hawe 1984); `gini` (0 where all are filled alike); `worst_group` (String), the group filled
        least, the first of equals, and its `worst_fill`. Without groups the measures are null.

    Raises:
        InputError: `column_missing`, `column_type`.

    Example:
        >>> shares = pl.DataFrame({"line_id": ["A", "B"], "qty": [10, 10], "share": [10, 5]})
        >>> fairness(shares).select("fill", "jain", "gini", "worst_group", "worst_fill").rows()
        [(0.75, 0.9, 0.16666666666666666, 'B', 0.5)]
    """
    names = [by] if isinstance(by, str) else list(by)
    missing = [name for name in (*names, "qty", "share") if name not in shares.columns]
    wrong = [name for name in ("qty", "share") if name not in missing and not _is_exact(shares.schema[name])]
    problems = [Problem("column_missing", f"the column {name} is missing", "shares", name) for name in missing]
    problems += [Problem("column_type", "a quantity is an integer or Decimal", "shares", name) for name in wrong]
    if problems:
        raise InputError(problems)
    shown = pl.concat_str([pl.col(name).cast(pl.String).fill_null("none") for name in names], separator=" / ")
    filled = (
        shares.group_by(names)
        .agg(pl.col("qty").sum(), pl.col("share").sum())
        .filter(pl.col("qty") > 0)
        .with_columns(fill=pl.col("share").cast(pl.Float64) / pl.col("qty").cast(pl.Float64), group=shown)
        # Sums of floats depend on their order: it is that of the fills, whatever the order of rows was.
        .sort("fill", "group")
    )
    fill, rank, count = pl.col("fill"), pl.int_range(1, pl.len() + 1), pl.len()
    even = fill.sum() == 0
    return filled.select(
        groups=count.cast(pl.UInt32),
        qty=pl.col("qty").sum(),
        share=pl.col("share").sum(),
        short=pl.col("qty").sum() - pl.col("share").sum(),
        fill=pl.col("share").sum().cast(pl.Float64) / pl.col("qty").sum().cast(pl.Float64),
        jain=pl.when(even).then(1.0).otherwise(fill.sum() ** 2 / (count * (fill**2).sum())),
        gini=pl.when(even).then(0.0).otherwise(((2 * rank - count - 1) * fill).sum() / (count * fill.sum())),
        worst_group=pl.col("group").first(),
        worst_fill=fill.first(),
    ).with_columns(pl.when(pl.col("groups") > 0).then(pl.col("fill", "jain", "gini")))


def compare_rules(
    supply: Source, demand: Source, rules: Sequence[FairShare], *, by: str | Sequence[str] = "line_id"
) -> pl.DataFrame:
    """Shares by each rule in turn, and measures each result.

    Args:
        supply: As for `share`; likewise `demand`.
        demand: The lines.
        rules: The rules to compare.
        by: The columns whose values are the groups that should be filled alike.

    Returns:
        One row per rule, in the order given: `rule`, and the columns of `fairness`.

    Raises:
        InputError: As `share`; `argument_missing`: there is no rule; `argument_type`: one of them is none.
    """
    if not rules:
        raise InputError(Problem("argument_missing", "there is no rule to compare", column="rules"))
    wrong = [(number, rule) for number, rule in enumerate(rules) if not isinstance(rule, FairShare)]
    if wrong:
        hint = "Read it with FairShare.load: a preset by its name, or a file by its path"
        raise InputError(
            Problem("argument_type", "it is no FairShare", column=f"rules.{number}", value=str(rule)[:80], hint=hint)
            for number, rule in wrong
        )
    results = ((rule.name, fairness(share(supply, demand, rule), by=by)) for rule in rules)
    return pl.concat([measured.select(pl.lit(name).alias("rule"), "*") for name, measured in results])


def _is_exact(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or dtype.is_decimal()
