"""Plain Python: sorted lists, a dict of groups, a cursor per group and kind of line."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable

from worlds import AS_OF_DAY, World

WORKS = ("w1", "w2", "w3")
KIND_BITS = 12
Lists = dict[str, list]
Triples = tuple[list[int], list[int], list[int]]


def prepare(work: str, world: World) -> Callable[[], Triples]:
    """The work as a call without arguments, on lists."""
    lots, lines = ({name: column.tolist() for name, column in table.items()} for table in world)
    run = {"w1": _w1, "w2": _w2, "w3": _w3}[work]
    return lambda: run(lots, lines)


def _sorted_rows(table: Lists, *keys: str) -> Iterable[int]:
    """Row numbers by the keys, ties by row."""
    return (row for *_, row in sorted(zip(*(table[key] for key in keys), range(len(table[keys[0]])), strict=True)))


def _groups(table: Lists) -> list[int]:
    """The group of each row: SKU and place in one integer, which is cheaper to look up than a pair."""
    return [sku << 8 | location for sku, location in zip(table["sku"], table["location"], strict=True)]


def _grouped(lots: Lists, rows: Iterable[int]) -> dict[int, list[int]]:
    groups, of = defaultdict(list), _groups(lots)
    for row in rows:
        groups[of[row]].append(row)
    return groups


def _w1(lots: Lists, lines: Lists) -> Triples:
    groups = _grouped(lots, _sorted_rows(lots, "received", "stock_id"))
    cursors = dict.fromkeys(groups, 0)
    left, stock_id, line_id = lots["qty"][:], lots["stock_id"], lines["line_id"]
    keys, asked = _groups(lines), lines["qty"]
    out_line, out_stock, out_qty = [], [], []
    for line in _sorted_rows(lines, "priority", "requested", "line_id"):
        key = keys[line]
        group = groups.get(key)
        if group is None:
            continue
        need, c, lots_here = asked[line], cursors[key], len(group)
        while need and c < lots_here:
            row = group[c]
            take = min(need, left[row])
            left[row] -= take
            need -= take
            out_line.append(line_id[line])
            out_stock.append(stock_id[row])
            out_qty.append(take)
            if not left[row]:
                c += 1
        cursors[key] = c
    return out_line, out_stock, out_qty


def _eligible_in_fefo_order(lots: Lists, asked: list[int]) -> tuple[dict[int, list[int]], list[int]]:
    """Groups of lots in order, and per lot the kinds of line it may serve, as bits."""
    n = len(asked)
    kinds = [
        [sum(((1 << reached) - 1) << (c * n) for c in range(3) if mask >> c & 1) for reached in range(n + 1)]
        for mask in range(8)
    ]
    eligible = [
        0 if blocked else kinds[mask][bisect_right(asked, expiry - AS_OF_DAY)]
        for mask, blocked, expiry in zip(lots["contract_class"], lots["blocked"], lots["expiry"], strict=True)
    ]
    rows = (row for row in _sorted_rows(lots, "expiry", "received", "stock_id") if eligible[row])
    return _grouped(lots, rows), eligible


def _kinds(lines: Lists) -> tuple[list[int], list[int]]:
    """The distinct shelf lives, and per line its kind: contract type and shelf life."""
    asked = sorted(set(lines["min_remaining_days"]))
    code = {days: i for i, days in enumerate(asked)}
    pairs = zip(lines["contract_type"], lines["min_remaining_days"], strict=True)
    return asked, [contract * len(asked) + code[days] for contract, days in pairs]


def _w2(lots: Lists, lines: Lists) -> Triples:
    asked, kinds = _kinds(lines)
    groups, eligible = _eligible_in_fefo_order(lots, asked)
    cursors: dict[int, int] = {}
    left, stock_id, line_id = lots["qty"][:], lots["stock_id"], lines["line_id"]
    keys, qty = _groups(lines), lines["qty"]
    out_line, out_stock, out_qty = [], [], []
    for line in _sorted_rows(lines, "priority", "requested", "line_id"):
        group = groups.get(keys[line])
        if group is None:
            continue
        kind, need, lots_here = kinds[line], qty[line], len(group)
        cursor = keys[line] << KIND_BITS | kind
        bit, c = 1 << kind, cursors.get(cursor, 0)
        while c < lots_here:
            row = group[c]
            if left[row] and eligible[row] & bit:
                take = min(need, left[row])
                left[row] -= take
                need -= take
                out_line.append(line_id[line])
                out_stock.append(stock_id[row])
                out_qty.append(take)
                if not need:
                    break
            c += 1
        cursors[cursor] = c
    return out_line, out_stock, out_qty


def _w3(lots: Lists, lines: Lists) -> Triples:
    asked, kinds = _kinds(lines)
    groups, eligible = _eligible_in_fefo_order(lots, asked)
    bits = {mask: [p for p in range(3 * len(asked)) if mask >> p & 1] for mask in set(eligible)}
    left, stock_id, line_id, qty = lots["qty"][:], lots["stock_id"], lines["line_id"], lines["qty"]
    available: dict[int, int] = defaultdict(int)  # by group and kind
    for key, group in groups.items():
        for row in group:
            for p in bits[eligible[row]]:
                available[key << KIND_BITS | p] += left[row]
    keys = [key << KIND_BITS | kind for key, kind in zip(_groups(lines), kinds, strict=True)]
    orders = defaultdict(list)
    for line in _sorted_rows(lines, "priority", "requested", "order_id", "line_id"):
        orders[lines["order_id"][line]].append(line)
    cursors: dict[int, int] = {}
    out_line, out_stock, out_qty = [], [], []
    for rows in orders.values():
        if any(available.get(keys[line], 0) < qty[line] for line in rows):
            continue
        mark, taken, moved, complete = len(out_line), [], [], True
        for line in rows:
            key, need = keys[line], qty[line]
            if available[key] < need:  # an earlier line of the order took what this one counted on
                complete = False
                break
            group, place, kind = groups[key >> KIND_BITS], key >> KIND_BITS << KIND_BITS, key & (1 << KIND_BITS) - 1
            c = cursors.get(key, 0)
            moved.append((key, c))
            while True:
                row = group[c]
                if left[row] and eligible[row] >> kind & 1:
                    take = min(need, left[row])
                    left[row] -= take
                    need -= take
                    for p in bits[eligible[row]]:
                        available[place | p] -= take
                    taken.append((row, take, place))
                    out_line.append(line_id[line])
                    out_stock.append(stock_id[row])
                    out_qty.append(take)
                    if not need:
                        break
                c += 1
            cursors[key] = c
        if not complete:
            for row, take, place in taken:
                left[row] += take
                for p in bits[eligible[row]]:
                    available[place | p] += take
            cursors.update(reversed(moved))
            del out_line[mark:], out_stock[mark:], out_qty[mark:]
    return out_line, out_stock, out_qty
