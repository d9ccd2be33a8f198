"""In which order a line takes its rows: the policy's stock order, with the ranks that only a line gives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from allocator.frames.coded import NULL_CODE
from allocator.optimum.eligible import Asked
from allocator.optimum.ground import Ints, Rows
from allocator.optimum.objectives import Takes
from allocator.plan.spec import Key, Plan, Rank


def in_order(plan: Plan, tests: Mapping[int, Asked], takes: Takes, rows: Rows) -> Takes:
    """The allocations by line, and those of a line in stock order."""
    keys = [takes.line]
    if any(isinstance(key, Rank) for key in plan.stock.order):
        for key in plan.stock.order:
            if isinstance(key, Key):
                keys.append(_places(key, rows.at[takes.row]))
            elif key.test in tests:
                rank = tests[key.test].judge(takes.row, takes.line)[1]
                keys.append(np.zeros(len(takes.row), np.int64) if rank is None else -rank if key.reverse else rank)
    order = np.lexsort([takes.row, *reversed(keys)])  # rows are in the order of keys and ids already
    return Takes(takes.row[order], takes.line[order], takes.qty[order], takes.served[order])


def _places(key: Key, at: Ints) -> Ints:
    """The place of each value in the order of a key."""
    values = key.column.gather(pl.Series(at))
    if values.dtype == pl.UInt32:
        values = values.set(values == NULL_CODE, None)
    null = values.is_null().to_numpy()
    place = values.rank("dense", descending=key.descending).cast(pl.Int64).fill_null(0).to_numpy()
    return np.where(null, 0 if key.nulls_first else len(at) + 1, place)
