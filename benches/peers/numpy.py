"""numpy without a loop: supply and demand of all groups on one axis, cut at every end of a lot or a line."""

from collections.abc import Callable

import numpy as np

from worlds import World

WORKS = ("w1",)


def prepare(work: str, world: World) -> Callable[[], tuple[np.ndarray, ...]]:
    """The work as a call without arguments."""
    return lambda: _w1(*world)


def _order(keys: list[np.ndarray]) -> np.ndarray:
    """Row order by the keys, most significant first, ties by row: packed into one integer where they fit."""
    rows = len(keys[0])
    row_bits = max(1, (rows - 1).bit_length())
    bits = [max(1, int(key.max()).bit_length()) for key in keys]
    if sum(bits) + row_bits <= 64:
        packed = np.zeros(rows, np.uint64)
        for key, width in zip(keys, bits, strict=True):
            packed = (packed << np.uint64(width)) | key.astype(np.uint64)
        packed = (packed << np.uint64(row_bits)) | np.arange(rows, dtype=np.uint64)
        packed.sort()
        return (packed & np.uint64((1 << row_bits) - 1)).astype(np.int64)
    minor = _order(keys[1:]) if len(keys) > 2 else np.argsort(keys[1], kind="stable")
    return minor[_order([keys[0][minor]])]


def _w1(lots, lines):
    assert (np.diff(lots["stock_id"]) > 0).all()
    assert (np.diff(lines["line_id"]) > 0).all()
    places = int(max(lots["location"].max(), lines["location"].max())) + 1
    lot_group = lots["sku"].astype(np.int64) * places + lots["location"]
    line_group = lines["sku"].astype(np.int64) * places + lines["location"]
    lot_order = _order([lot_group, lots["received"] - lots["received"].min()])
    line_order = _order([line_group, lines["priority"], lines["requested"] - lines["requested"].min()])
    groups = int(max(lot_group.max(), line_group.max())) + 1
    supply = np.bincount(lot_group, lots["qty"], groups).astype(np.int64)
    demand = np.bincount(line_group, lines["qty"], groups).astype(np.int64)
    matched = np.minimum(supply, demand)  # each group gets a span of the axis as long as what it can match
    base = np.cumsum(matched) - matched

    def ends(group, qty, order, total):
        group = group[order]
        end = np.cumsum(qty[order], dtype=np.int64) - (np.cumsum(total) - total)[group]
        return np.minimum(end, matched[group]) + base[group]

    lot_ends = ends(lot_group, lots["qty"], lot_order, supply)
    line_ends = ends(line_group, lines["qty"], line_order, demand)
    cuts = np.concatenate((lot_ends, line_ends))
    cuts.sort(kind="stable")  # two sorted runs: a linear merge
    cuts = cuts[np.diff(cuts, prepend=0) > 0]
    line = lines["line_id"][line_order[np.searchsorted(line_ends, cuts)]]
    stock = lots["stock_id"][lot_order[np.searchsorted(lot_ends, cuts)]]
    return line, stock, np.diff(cuts, prepend=0)
