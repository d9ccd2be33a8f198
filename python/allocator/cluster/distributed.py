"""What was cut, and the answer to it: frames in the engine, or here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

import polars as pl
from pyspark.sql.pandas.types import to_arrow_schema

from allocator.cluster.carried import arrived, sent
from allocator.cluster.given import spark_schema
from allocator.cluster.problems import together
from allocator.cluster.worker import ORDER, PACKED, Task, put_together
from allocator.errors import InputError, Problem
from allocator.frames.columns import is_text
from allocator.frames.findings import Findings
from allocator.frames.quantity import check_total, total
from allocator.model.reallocation import Reallocation
from allocator.plan.compile import check_exchanges
from allocator.reallocation.outcome import summary_of, totals_of
from allocator.result import Summary, counted_reasons, summed_up

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

Sides: TypeAlias = "tuple[DataFrame, DataFrame]"
"""Stock, and what asks for it: `part`, and a structure with the columns of each table."""

ROWS_MAX = 500_000
"""Rows and lines of a partition, unless said otherwise: some hundred megabytes for the worker that has it."""


class Allocated(NamedTuple):
    """The frames of `Result`, with the same columns, types and rows, in the same order."""

    lines: pl.DataFrame
    allocations: pl.DataFrame
    stock: pl.DataFrame

    @property
    def summary(self) -> Summary:
        """As `Result.summary`."""
        return summed_up(self.lines, self.allocations.height)

    def reasons(self) -> pl.DataFrame:
        """As `Result.reasons`."""
        return counted_reasons(self.lines)


class Reallocated(NamedTuple):
    """The frames of `Outcome`, likewise. Of Spark DataFrames, rows are in the order of their ids."""

    lines: pl.DataFrame
    allocations: pl.DataFrame
    moves: pl.DataFrame

    @property
    def summary(self) -> dict[str, int | Decimal]:
        """As `Outcome.summary`."""
        changed = pl.concat([self.moves["from_line"], self.moves["to_line"].rename("from_line")]).drop_nulls()
        return summary_of(self.lines, changed.n_unique(), total(self.moves["qty"]))

    def totals(self, plan: Reallocation) -> pl.DataFrame:
        """As `Outcome.totals`, of the plan that was dealt."""
        return totals_of(self.lines, plan)


Collected = TypeVar("Collected", Allocated, Reallocated)


@dataclass(frozen=True)
class Distributed(Generic[Collected]):
    """Tables that were cut, and what is to be done with each partition. Nothing is served before it is asked for.

    Attributes:
        partitions: One row per partition: `part`, `components`, `skus`, `stock_rows`, `lines`, `rows`, `oversized`
            (Boolean: what competes is more than a partition should have, and stays whole).
    """

    partitions: pl.DataFrame
    _task: Task
    _sides: Sides
    _made: type[Collected]
    _sorted: Mapping[str, tuple[str, ...]]

    def frame(self, name: str) -> DataFrame:
        """A frame of the answer in the engine, lazily: it is worked out whenever an action needs it.

        Args:
            name: `lines`, `allocations` and `stock`, or `lines`, `allocations` and `moves`. Columns are those of
                `Result` or `Outcome` (enums as text), and `order_major`, `order_minor`, by which they stand in
                the order of one process (null where the frame is ordered by its id).

        An action on a partition that makes no sense fails with what is wrong with it, as the engine reports failures;
        `check` raises all problems of all partitions as this package does.

        Raises:
            InputError: `argument_value`: the answer has no frame of this name.
        """
        if name not in self._task.outputs:
            hint = f"It has {', '.join(self._task.outputs)}"
            problem = Problem(
                "argument_value", "there is no such frame", column="name", value=str(name)[:80], hint=hint
            )
            raise InputError(problem)
        return run(self._sides, replace(self._task, wanted=name), {**self._task.outputs[name], **ORDER})

    def check(self) -> None:
        """Looks for everything that is wrong with the tables, in all partitions, and serves nothing.

        Raises:
            InputError: With every problem of all tables, as one process raises it; likewise `PolicyError`.
        """
        answered(self._sides, replace(self._task, wanted="problems"), Findings())

    def collect(self) -> Collected:
        """Serves all partitions, and brings the frames here.

        Raises:
            InputError: As `check`.
        """
        pieces = answered(self._sides, self._task, Findings())
        return self._made(*(self._whole(name, pieces.get(name, [])) for name in self._task.outputs))

    def _whole(self, name: str, pieces: list[pl.DataFrame]) -> pl.DataFrame:
        """A frame of the answer from its pieces, in the order of one process."""
        types = {**self._task.outputs[name], **ORDER}
        frame = arrived(pl.concat([sent(pl.DataFrame(schema=types)), *pieces]), types)
        keys = [_as_ordered(frame.schema, key) for key in self._sorted[name]]
        return frame.sort(keys).drop(*ORDER)


def answered(sides: Sides, task: Task, early: Findings) -> dict[str, list[pl.DataFrame]]:
    """The pieces of the frames of the answer; raises every problem beside those that were found before."""
    found = put_together(pl.DataFrame(run(sides, task, PACKED).toArrow()))
    findings = together(found.pop("problems", []), early)
    units = sum(int(frame["units"].item()) for frame in found.pop("totals", []))
    check_total(units, "stock", "qty_on_hand", findings)
    findings.raise_any()
    check_exchanges(task.policy, units)
    return found


def run(sides: Sides, task: Task, columns: Mapping[str, pl.DataType]) -> DataFrame:
    """The task on every partition."""
    stock, others = sides
    schema = spark_schema(sent(pl.DataFrame(schema=columns)))
    arrow = to_arrow_schema(schema, timezone="UTC")

    def served(key: tuple[pa.Scalar], left: pa.Table, right: pa.Table) -> pa.Table:
        return task.serve(key[0].as_py(), left, right).cast(arrow)

    return stock.groupBy("part").cogroup(others.groupBy("part")).applyInArrow(served, schema)


def _as_ordered(schema: pl.Schema, key: str) -> pl.Expr:
    """Texts order by code point, also those with a dictionary."""
    return pl.col(key).cast(pl.String) if is_text(schema[key]) else pl.col(key)
