"""Tables as the engine has them: positional columns, and the number of the row where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
from pyspark.sql import functions as F  # noqa: N812 - its usual name
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

from allocator.cluster.carried import carried, sent
from allocator.frames.findings import Findings
from allocator.frames.read import Source, read, refuse_duplicates

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType
    from typing_extensions import TypeIs

Given: TypeAlias = "Source | DataFrame"
"""A Spark DataFrame, or what `allocate` takes in one process, which is then sent to the engine."""

ROW = "row"
"""The number of the row in the table as given; null in a Spark DataFrame, whose rows have none."""


@dataclass(frozen=True)
class Shape:
    """What a worker is told of a table.

    Attributes:
        name: `stock`, `demand` or `current`.
        columns: All its columns, in their order.
        types: The types of those that are looked at; the others hold nothing in a partition.
        key: The column that names its rows.
        numbered: Whether rows have numbers.
    """

    name: str
    columns: tuple[str, ...]
    types: Mapping[str, pl.DataType]
    key: str
    numbered: bool

    def empty(self) -> pl.DataFrame:
        """The table without any row."""
        return pl.DataFrame(schema={name: self.types.get(name, pl.Null()) for name in self.columns})

    def at(self, column: str) -> str:
        """What the engine calls a column."""
        return f"c{list(self.types).index(column)}"


@dataclass(frozen=True)
class Table:
    """A table in the engine.

    Attributes:
        shape: What a worker is told of it.
        frame: Columns `row`, `c0`, `c1`, …
        local: The table itself, if it was sent from here.
    """

    shape: Shape
    frame: DataFrame
    local: pl.DataFrame | None

    def text(self, column: str) -> Column | None:
        """A column of keys as text; None if there is none that can be."""
        dtype = self.shape.types.get(column)
        if dtype is None or not (dtype.is_integer() or carried(dtype) == pl.String):
            return None
        return F.col(self.shape.at(column)).cast("string")


def table_of(
    source: Given, name: str, *, key: str, wanted: Iterable[str], spark: SparkSession, findings: Findings
) -> Table:
    """The table with the columns that are wanted; problems of reading it are noted."""
    if not is_spark(source):
        frame = read(source, name, findings)
        seen = [column for column in frame.columns if column in set(wanted)]
        rows = findings.legible(name, frame.height).arg_true()
        sendable = sent(frame.select(seen)[rows]).rename({column: f"c{n}" for n, column in enumerate(seen)})
        sendable = sendable.select(rows.cast(pl.Int64).alias(ROW), *sendable.columns)
        shape = Shape(name, tuple(frame.columns), {c: frame.schema[c] for c in seen}, key, numbered=True)
        return Table(shape, created(spark, sendable), frame)
    refuse_duplicates(source.columns, name)
    seen = [column for column in source.columns if column in set(wanted)]
    columns = [F.col(f"`{c.replace('`', '``')}`").alias(f"c{n}") for n, c in enumerate(seen)]
    found = source.select(F.lit(None).cast("bigint").alias(ROW), *columns)
    types = polars_types(source.select(*columns), seen)
    return Table(Shape(name, tuple(source.columns), types, key, numbered=False), found, None)


def is_spark(source: Given) -> TypeIs[DataFrame]:
    """Whether it is a DataFrame of Spark, classic or Connect."""
    return type(source).__module__.startswith("pyspark.sql")


def created(spark: SparkSession, frame: pl.DataFrame) -> DataFrame:
    """The frame in the engine."""
    return spark.createDataFrame(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), spark_schema(frame))


def spark_schema(frame: pl.DataFrame) -> StructType:
    """The columns of a frame of types that travel, as the engine names them."""
    return from_arrow_schema(frame.clear().to_arrow(compat_level=pl.CompatLevel.oldest()).schema)


def polars_types(frame: DataFrame, names: list[str]) -> dict[str, pl.DataType]:
    """The types in which columns of the engine come here."""
    empty = pl.from_arrow(to_arrow_schema(frame.schema, timezone="UTC").empty_table())
    assert isinstance(empty, pl.DataFrame)
    return dict(zip(names, empty.dtypes, strict=True))
