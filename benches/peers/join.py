"""polars and numba for the wide world: join lots to lines, filter by every rule, sort, then one sweep over the pairs.

What one writes when the rules are many and change: short, and it holds every pair of lot and line once.
"""

from collections.abc import Callable

import numba as nb
import numpy as np
import polars as pl

from worlds import AS_OF_DAY, World, wide_matrix, wide_rules

WORKS = ("wide",)
GROUP = ["sku", "location"]
LINES_AT_ONCE = 50_000
"""So that the pairs of a million lines need not fit in memory together."""


def prepare(work: str, world: World) -> Callable[[], tuple[np.ndarray, ...]]:
    """The work as a call without arguments, on frames made of the world's columns."""
    lots, lines = (pl.DataFrame(table) for table in world)
    _sweep(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int32), np.zeros(1, np.int32))
    return lambda: _wide(lots, lines)


def _passes(rule: dict[str, object]) -> pl.Expr:
    column = pl.col(str(rule["column"]))
    value = rule.get("value")
    right = pl.col(str(rule["demand_column"])) if "demand_column" in rule else pl.lit(value)
    match rule["op"]:
        case "<=":
            return column <= right
        case ">=":
            return column >= right
        case ">":
            return column > right
        case "!=":
            return column != right
        case "between":
            return column.is_between(*value)
        case "not_in":
            return ~column.is_in(value)
    raise ValueError(rule["op"])


def _wide(lots: pl.DataFrame, lines: pl.DataFrame) -> tuple[np.ndarray, ...]:
    ranks = wide_matrix()
    matrix = pl.DataFrame(
        {
            "stock_class": np.repeat(np.arange(len(ranks), dtype=np.uint8), ranks.shape[1]),
            "contract_type": np.tile(np.arange(ranks.shape[1], dtype=np.uint8), len(ranks)),
            "rank": ranks.ravel(),
        }
    ).filter(pl.col("rank") >= 0)
    usable = lots.with_row_index("lot").filter(~pl.col("blocked"))
    ordered = lines.with_row_index("line").sort("priority", "requested", "line_id").with_row_index("turn")
    lot_of, line_of = [], []
    for some in ordered.iter_slices(LINES_AT_ONCE):
        pairs = (
            some.lazy()
            .join(usable.lazy(), on=GROUP)
            .filter(pl.col("expiry") - AS_OF_DAY >= pl.col("min_remaining_days"), *map(_passes, wide_rules()))
            .join(matrix.lazy(), on=["stock_class", "contract_type"])
            .sort("turn", "rank", "expiry", "received", "stock_id")
            .select("line", "lot")
            .collect()
        )
        lot_of.append(pairs["lot"].to_numpy())
        line_of.append(pairs["line"].to_numpy())
    lot, line = np.concatenate(lot_of).astype(np.int64), np.concatenate(line_of).astype(np.int64)
    taken = _sweep(lot, line, lots["qty"].to_numpy().copy(), lines["qty"].to_numpy().copy())
    some = taken > 0
    return lines["line_id"].to_numpy()[line[some]], lots["stock_id"].to_numpy()[lot[some]], taken[some]


@nb.njit
def _sweep(lot, line, left, need):
    taken = np.zeros(lot.shape[0], np.int32)
    for pair in range(lot.shape[0]):
        take = min(left[lot[pair]], need[line[pair]])
        taken[pair] = take
        left[lot[pair]] -= take
        need[line[pair]] -= take
    return taken
