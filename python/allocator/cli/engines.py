"""Where the work is done: in this process, or by partitions on an engine that this process starts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from allocator.errors import FileError, Problem

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NEEDED: Final = ("pysail", "pyspark", "pyarrow")
"""What the extra `spark` installs."""

On = Annotated[
    Literal["here", "sail"],
    typer.Option("--on", help="Work in this process, or by partitions on Sail. The answer is the same."),
]


def check_engine(on: str) -> None:
    """Whether the engine is there.

    Raises:
        FileError: `extra_missing`.
    """
    missing = [name for name in NEEDED if find_spec(name) is None] if on == "sail" else []
    if missing:
        message, hint = "Sail, on which this should run, is not installed", "pip install 'allocator[spark]'"
        raise FileError(Problem("extra_missing", message, column="--on", value=", ".join(missing), hint=hint))


@contextmanager
def engine() -> Iterator[SparkSession]:
    """A session on Sail, which ends with it."""
    # Sail tells on stderr when it starts and stops; whoever wants to read that says so.
    os.environ.setdefault("RUST_LOG", "error")
    from allocator.cluster import sail  # noqa: PLC0415 - of the extra `spark`

    with sail() as spark:
        yield spark
