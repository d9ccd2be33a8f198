"""The product's side of the comparisons: the general engine with a policy, on the same worlds as the peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

import polars as pl

from worlds import World

WORKS = ("w1", "w2", "w3", "wide")


def prepare(work: str, world: World) -> Callable[[], tuple]:
    """The work as a call without arguments: encoded columns in, result columns out."""
    not_wired(work)


def prepare_frames(work: str, stock: pl.DataFrame, demand: pl.DataFrame) -> Callable[[], pl.DataFrame]:
    """The same from frames with string ids and keys to the `allocations` frame, every check on."""
    not_wired(work)


def not_wired(work: str) -> NoReturn:
    """Says so instead of measuring something else."""
    raise SystemExit(f"product side of {work} not wired yet: see benches/product.py")
