"""numba with union-find, for W2 where lines ask for any number of shelf lives.

In FEFO order the lots with life enough are a suffix of the group, found by bisection; per contract type, a forest
leads from each lot to the next one that the contract may have and that is not empty. No lot is looked at twice.
"""

from collections.abc import Callable

import numpy as np

from peers.numba import (
    POOL,
    ROW,
    Parts,
    buffers,
    check_ids,
    finish,
    group_space,
    grouped_lines,
    in_halves,
    jit,
    scatter_lots,
    sort_lines,
    sort_lots,
)
from worlds import AS_OF_DAY, World

__all__ = ["WORKS", "finish", "prepare"]
WORKS = ("w2",)


def prepare(work: str, world: World) -> Callable[[], Parts]:
    """The work as a call without arguments, compiled on a slice of the world."""
    _w2(*({name: column[:10_000].copy() for name, column in table.items()} for table in world))
    return lambda: _w2(*world)


@jit
def _next(following, x):
    while following[x] != x:
        following[x] = following[following[x]]
        x = following[x]
    return x


@jit
def _sweep(
    g0, g1, loff, key, doff, drow, lqty, mask, expiry, dqty, contract, days, sid, lid, out_line, out_stock, out_qty
):
    k = 0
    widest = 0
    for g in range(g0, g1):
        widest = max(widest, loff[g + 1] - loff[g])
    left, row, life = np.empty(widest, np.int32), np.empty(widest, np.int32), np.empty(widest, np.int32)
    following = np.empty((3, widest + 1), np.int32)
    for g in range(g0, g1):
        a, m = loff[g], loff[g + 1] - loff[g]
        if m == 0 or doff[g] == doff[g + 1]:
            continue
        following[:, m] = m
        for x in range(m):
            i = np.int64(key[a + x] & ROW)
            row[x], left[x], life[x] = i, lqty[i], expiry[i] - AS_OF_DAY
            for c in range(3):
                following[c, x] = x if (mask[i] >> c) & 1 else x + 1
        for b in range(doff[g], doff[g + 1]):
            j = drow[b]
            need, forest = dqty[j], following[contract[j]]
            x = _next(forest, np.searchsorted(life[:m], days[j]))
            while x < m:
                take = min(left[x], need)
                left[x] -= take
                need -= take
                out_line[k], out_stock[k], out_qty[k] = lid[j], sid[row[x]], take
                k += 1
                if left[x] == 0:
                    for c in range(3):
                        following[c, x] = max(following[c, x], x + 1)
                if need == 0:
                    break
                x = _next(forest, x)
    return k


def _w2(lots, lines) -> Parts:
    check_ids(lots, lines)
    places, groups = group_space(lots, lines)
    expiry, received = lots["expiry"], lots["received"]
    usable = ~lots["blocked"] & (expiry >= AS_OF_DAY)
    stock = POOL.submit(
        scatter_lots,
        *(lots["sku"], lots["location"], places, groups, usable, expiry, expiry.min(), received, received.min()),
    )
    doff, dkey, drow = grouped_lines(lines, places, groups)
    loff, lkey = stock.result()

    def part(g0: int, g1: int) -> tuple:
        sort_lots(lkey, loff, g0, g1)
        sort_lines(dkey, drow, doff, g0, g1)
        out = buffers(int(loff[g1] - loff[g0]) + int(doff[g1] - doff[g0]))
        asked = lines["qty"], lines["contract_type"], lines["min_remaining_days"], lots["stock_id"], lines["line_id"]
        n = _sweep(g0, g1, loff, lkey, doff, drow, lots["qty"], lots["contract_class"], expiry, *asked, *out)
        return tuple(column[:n] for column in out)

    return in_halves(loff, doff, part)
