"""Which limit holds for which key: rules of the document and of a table as one table, the most specific wins."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import get_args

import polars as pl

from allocator.errors import Problem
from allocator.frames.quantity import in_base_units
from allocator.limits.tables import KEY
from allocator.model.limits import QTY_MAX, RULE_KEYS, Limits, Rounding


def merge(limits: Limits, table: pl.DataFrame, scale: int, problems: list[Problem]) -> pl.DataFrame:
    """All rules, one row each: first those of the document, then those of the table `rules`.

    Units are in steps of 10^-scale, as those of the table are already. So is what limits value: it is money by step.

    A rule of the table that limits nothing, has a trigger above its maximum, an unknown rounding, or is as specific
    as another rule for the same key goes to `problems`.
    """
    documented = _documented(limits, tuple(table.schema.items()))
    if scale:
        documented = _in_steps(documented, scale, problems)
    rules = _merged(limits, documented, table, scale, problems)
    return rules.with_columns(pl.col("value_max") * 10**scale) if scale else rules


def _in_steps(documented: pl.DataFrame, scale: int, problems: list[Problem]) -> pl.DataFrame:
    """The rules of a document, which are whole base units, in steps of 10^-scale; what does not fit is a problem."""
    names = ("units_max", "trigger", "pack")
    for name in names:
        over = documented.filter(pl.col(name) > QTY_MAX // 10**scale)
        for rule, value in over.select("name", name).iter_rows():
            message = f"the rule {rule!r} has more than {QTY_MAX} steps of {Decimal(1).scaleb(-scale)}"
            hint = "Use fewer decimals or a larger base unit"
            problems.append(Problem("value_overflow", message, "limits", name, value=str(value), hint=hint))
    fits = pl.col(names) <= QTY_MAX // 10**scale
    return documented.with_columns(pl.when(fits).then(pl.col(names)) * 10**scale)


def _merged(
    limits: Limits, documented: pl.DataFrame, table: pl.DataFrame, scale: int, problems: list[Problem]
) -> pl.DataFrame:
    if table.is_empty():
        # Those of the document were checked when it was made.
        return documented.with_columns(pl.col("rounding").fill_null(limits.rounding), rule_row=pl.int_range(pl.len()))
    numbered = table.with_columns(pl.col("name").fill_null(pl.format("rules[{}]", pl.int_range(pl.len()))))
    rules = pl.concat([documented, numbered]).with_columns(
        pl.col("rounding").fill_null(limits.rounding), rule_row=pl.int_range(pl.len())
    )
    problems += _problems(rules, documented.height, scale)
    return rules


@lru_cache(maxsize=16)
def _documented(limits: Limits, columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    """The rules of a document as a table; kept, since the same document decides again and again."""
    rows = [rule.model_dump(include={name for name, _ in columns}) for rule in limits.rules]
    return pl.DataFrame(rows, schema=dict(columns), orient="row")


def match(keys: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Adds the column `rule_row` to `keys` (bu, asp, sku, sku_group): the row of the rule that holds, or null.

    Every subset of the four names that some rule gives is one join; the subsets are tried from the most specific.
    """
    given = rules.select(pl.col(name).is_not_null() for name in RULE_KEYS)
    found: list[str] = []
    for named in sorted(given.unique().rows(), reverse=True):
        wanted = pl.all_horizontal(
            pl.col(name).is_null() != is_named for name, is_named in zip(RULE_KEYS, named, strict=True)
        )
        names = [name for name, is_named in zip(RULE_KEYS, named, strict=True) if is_named]
        column = f"rule_row_{len(found)}"
        found.append(column)
        subset = rules.filter(wanted).select(*names, pl.col("rule_row").alias(column))
        if names:
            subset = subset.with_columns(pl.col(name).cast(keys.schema[name], strict=False) for name in names)
            keys = keys.join(subset.drop_nulls(names), on=names, how="left", maintain_order="left")
        else:
            keys = keys.with_columns(pl.lit(subset[column][0]).alias(column))
    best = pl.coalesce(found) if found else pl.lit(None, dtype=pl.Int64)
    return keys.with_columns(rule_row=best.cast(pl.Int64)).drop(found)


def keys_named(rules: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """The keys that a rule names in full: they are looked at even where nothing is on hand (base stock)."""
    return rules.select(pl.col(name).cast(schema[name], strict=False) for name in KEY).drop_nulls()


def _problems(rules: pl.DataFrame, documented: int, scale: int) -> list[Problem]:
    """What is wrong with the rules of the table; those of the document were checked when it was made."""
    problems: list[Problem] = []
    checks = {
        "limit_empty": (
            pl.col("units_max").is_null() & pl.col("value_max").is_null(),
            "units_max",
            "the rule gives neither units_max nor value_max",
        ),
        "trigger_above_limit": (
            pl.col("trigger") > pl.col("units_max"),
            "trigger",
            "the trigger is above units_max: there is no room to ask for",
        ),
        "rounding_unknown": (
            ~pl.col("rounding").is_in(get_args(Rounding)),
            "rounding",
            f"the rounding is none of {', '.join(get_args(Rounding))}",
        ),
    }
    for code, (wrong, column, message) in checks.items():
        bad = rules.filter(wrong, pl.col("rule_row") >= documented)
        told = bad.with_columns(in_base_units(bad[column], scale)) if column == "trigger" else bad
        for row, value in told.select("rule_row", column).iter_rows():
            problems.append(
                Problem(code, message, "rules", column, row - documented, None if value is None else str(value))
            )
    again = rules.filter(pl.col("name").is_duplicated() & ~pl.col("name").is_first_distinct())
    for name, row in again.select("name", "rule_row").iter_rows():
        problems.append(Problem("id_duplicate", "another rule has this name", "rules", "name", row - documented, name))
    equals = rules.group_by(RULE_KEYS, maintain_order=True).agg("name", pl.col("rule_row").last())
    for *key, names, row in equals.filter(pl.col("name").list.len() > 1).iter_rows():
        where = ", ".join(
            f"{column}={value}" for column, value in zip(RULE_KEYS, key, strict=True) if value is not None
        )
        message = f"rules {' and '.join(map(repr, names))} are equally specific for {where or 'everything'}"
        hint = "Keep one of them, or make one more specific"
        problems.append(Problem("limit_conflict", message, "rules", row=row - documented, hint=hint))
    return problems
