"""Problems that workers found: told with the rows of the tables as given, put together, and raised once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from allocator.errors import AllocatorError, Problem
from allocator.frames.findings import ROWS_MAX, Findings, alone, among, shown

if TYPE_CHECKING:
    from allocator.cluster.given import Shape

PROBLEMS: Final = {
    "code": pl.String(),
    "message": pl.String(),
    "table": pl.String(),
    "column": pl.String(),
    "row": pl.Int64(),
    "value": pl.String(),
    "hint": pl.String(),
    "where": pl.String(),
    "count": pl.Int64(),
}
"""One row per problem of a partition: as `Problem`; which row it is, where rows have no numbers; of how many alike."""

ALIKE: Final = ("code", "table", "column", "message", "hint")


def told(error: AllocatorError, shapes: Sequence[Shape], tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The problems of a partition; repeated ids are left out, which are looked for in the tables as a whole."""
    by_name = {shape.name: shape for shape in shapes}
    rows = []
    for problem in error.problems:
        shape = by_name.get(problem.table)
        if problem.code == "id_duplicate":
            continue
        message, count = alone(problem.message)
        row, named = problem.row, None
        if row is not None and shape is not None and not shape.numbered:
            value = tables[shape.name][shape.key][row]
            row, named = None, f"{shape.key} is {'null' if value is None else shown(value)}"
        rows.append(
            (problem.code, message, problem.table, problem.column, row, problem.value, problem.hint, named, count)
        )
    frame = pl.DataFrame(rows, schema=PROBLEMS, orient="row")
    return frame.with_columns(pl.col("count").fill_null(pl.len().over(ALIKE)))


def together(found: Iterable[pl.DataFrame], early: Findings) -> Findings:
    """All problems of all partitions beside those that were found before, as one process lists them."""
    parts = list(found)
    every = pl.concat([pl.DataFrame(schema=PROBLEMS), *parts])
    once = pl.concat([every.clear(), *(part.unique(ALIKE) for part in parts)])
    counts = once.group_by(ALIKE).agg(pl.col("count").sum())
    total = {tuple(row[:-1]): row[-1] for row in counts.iter_rows()}
    # A column that cannot be read is left out as a whole: then nothing is said of its values.
    unread = set(every.filter(code="column_type").select("table", "column").iter_rows())
    findings = Findings(list(early.problems))
    for key, alike in every.sort("row", "where", maintain_order=True).group_by(ALIKE, maintain_order=True):
        code, table, column, message, hint = (str(part) for part in key)
        whole = alike.filter(pl.col("row").is_null() & pl.col("where").is_null())
        if whole.is_empty() and (table, column) in unread:
            continue
        first = whole.head(1) if whole.height else alike.head(ROWS_MAX)
        said = message if whole.height else among(message, first.height, total[key])
        for row in first.iter_rows(named=True):
            at = said if row["where"] is None else f"{said}, where {row['where']}"
            problem = Problem(code, at, table, column, row["row"], row["value"], hint)
            if problem not in findings.problems:
                findings.problems.append(problem)
    return findings
