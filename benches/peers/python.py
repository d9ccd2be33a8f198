"""Plain Python: sorted lists, a dict of groups, a cursor per group and kind of line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from worlds import AS_OF_DAY, World

WORKS = ("w1", "w2", "w3")
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


def _grouped(lots: Lists, rows: Iterable[int]) -> dict[tuple[int, int], list[int]]:
    groups = defaultdict(list)
    sku, location = lots["sku"], lots["location"]
    for row in rows:
        groups[sku[row], location[row]].append(row)
    return groups


def _w1(lots: Lists, lines: Lists) -> Triples:
    groups = _grouped(lots, _sorted_rows(lots, "received", "stock_id"))
    cursors = dict.fromkeys(groups, 0)
    left, stock_id, line_id = lots["qty"][:], lots["stock_id"], lines["line_id"]
    sku, location, asked = lines["sku"], lines["location"], lines["qty"]
    out_line, out_stock, out_qty = [], [], []
    for line in _sorted_rows(lines, "priority", "requested", "line_id"):
        key = sku[line], location[line]
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


def _eligible_in_fefo_order(lots: Lists, asked: list[int]) -> tuple[dict[tuple[int, int], list[int]], list[int]]:
    """Groups of lots in order, and per lot the kinds of line it may serve, as bits."""
    n = len(asked)
    contracts = [sum(((1 << n) - 1) << (c * n) for c in range(3) if mask >> c & 1) for mask in range(8)]
    lives = [sum(((1 << reached) - 1) << (c * n) for c in range(3)) for reached in range(n + 1)]
    eligible = []
    for mask, blocked, expiry in zip(lots["contract_class"], lots["blocked"], lots["expiry"], strict=True):
        reached = sum(expiry - AS_OF_DAY >= days for days in asked)
        eligible.append(0 if blocked else contracts[mask] & lives[reached])
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
    cursors: dict[tuple[int, int, int], int] = {}
    left, stock_id, line_id = lots["qty"][:], lots["stock_id"], lines["line_id"]
    sku, location, qty = lines["sku"], lines["location"], lines["qty"]
    out_line, out_stock, out_qty = [], [], []
    for line in _sorted_rows(lines, "priority", "requested", "line_id"):
        group = groups.get((sku[line], location[line]))
        if group is None:
            continue
        cursor = sku[line], location[line], kinds[line]
        bit, need, c, lots_here = 1 << kinds[line], qty[line], cursors.get(cursor, 0), len(group)
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
    left, stock_id = lots["qty"][:], lots["stock_id"]
    available: dict[tuple[int, int, int], int] = defaultdict(int)
    for (sku, location), group in groups.items():
        for row in group:
            for p in bits[eligible[row]]:
                available[sku, location, p] += left[row]
    orders = defaultdict(list)
    for line in _sorted_rows(lines, "priority", "requested", "order_id", "line_id"):
        orders[lines["order_id"][line]].append(line)
    cursors: dict[tuple[int, int, int], int] = {}
    out_line, out_stock, out_qty = [], [], []
    for rows in orders.values():
        wanted = [((lines["sku"][line], lines["location"][line], kinds[line]), line) for line in rows]
        taken, moved, complete = [], [], True
        for key, line in wanted:
            need = lines["qty"][line]
            if available.get(key, 0) < need:
                complete = False
                break
            *place, kind = key
            group, c = groups[tuple(place)], cursors.get(key, 0)
            moved.append((key, c))
            while need:
                row = group[c]
                take = min(need, left[row]) if eligible[row] >> kind & 1 else 0
                if take:
                    left[row] -= take
                    need -= take
                    taken.append((line, row, take))
                    for p in bits[eligible[row]]:
                        available[*place, p] -= take
                if need:
                    c += 1
            cursors[key] = c
        if complete:
            out_line += [lines["line_id"][line] for line, _, _ in taken]
            out_stock += [stock_id[row] for _, row, _ in taken]
            out_qty += [take for _, _, take in taken]
            continue
        for line, row, take in taken:
            left[row] += take
            for p in bits[eligible[row]]:
                available[lines["sku"][line], lines["location"][line], p] += take
        for key, c in reversed(moved):
            cursors[key] = c
    return out_line, out_stock, out_qty
