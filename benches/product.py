"""The product's side of the comparisons: the general engine under a policy, on the same worlds as the peers.

`prepare` times the kernel as a user meets it after `bind`: encoded columns in, result columns out; sorting, grouping
and eligibility are inside the time, encoding is not (the peers get codes, too). `prepare_frames` times everything:
string ids and keys, every check, and the frame of allocations.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

import worlds
from allocator import Policy, allocate, bind
from allocator.engine import Answer
from worlds import AS_OF, World

WORKS = ("w1", "w2", "w3", "wide")
EXACT = {"scope": "exact"}


def policy(work: str) -> Policy:
    """The policy that asks for the work."""
    if work == "w1":
        return Policy(name="W1", stock_order="fifo", location=EXACT)
    if work == "wide":
        rules = [
            {"stock_class": f"C{row:02}", "contract_type": f"T{column:02}", "allow": rank >= 0, "rank": max(rank, 0)}
            for row, ranks in enumerate(worlds.wide_matrix().tolist())
            for column, rank in enumerate(ranks)
        ]
        return Policy(name="wide", location=EXACT, contracts={"rules": rules}, attributes=worlds.wide_rules())
    rules = [
        {"stock_class": worlds.stock_class(mask), "contract_type": contract}
        for mask in range(8)
        for bit, contract in enumerate(worlds.CONTRACTS)
        if mask >> bit & 1
    ]
    fill = {"whole": "order"} if work == "w3" else {}
    return Policy(name=work, location=EXACT, contracts={"rules": rules}, fill=fill)


def tables(work: str, stock: pl.DataFrame, demand: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables as the work sees them: W1 knows no blocks and no expiry."""
    if work != "w1":
        return stock, demand
    return stock.drop("blocked", "expires_on"), demand.drop("min_shelf_life_days")


def prepare(work: str, world: World) -> Callable[[], Answer]:
    """The work as a call without arguments: encoded columns in, result columns out."""
    return bind(*tables(work, *worlds.frames(world)), policy(work), as_of=AS_OF).plan.run


def finish(answer: Answer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of lines, rows of stock, quantities: in these worlds ids are row numbers."""
    return tuple(column.to_numpy() for column in (answer.take_line, answer.take_stock, answer.take_qty))


def prepare_frames(work: str, stock: pl.DataFrame, demand: pl.DataFrame) -> Callable[[], pl.DataFrame]:
    """The same from frames with string ids and keys to the frames `lines` and `allocations`, every check on."""
    stock, demand = tables(work, stock, demand)

    def run() -> pl.DataFrame:
        result = allocate(stock, demand, policy(work), as_of=AS_OF)
        assert result.lines.height == demand.height
        return result.allocations

    return run
