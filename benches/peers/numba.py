"""numba on two threads: counting sort by (SKU, place), sorts of packed keys within a group, one sweep.

W1 walks two pointers per group; W2 keeps a cursor per (group, kind of line); W3 adds what is available per
(group, kind of line) and a log to undo an order. A kind of line is (contract type, shelf life): sixteen at most.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba as nb
import numpy as np

from worlds import AS_OF_DAY, Columns, World

WORKS = ("w1", "w2", "w3")
Parts = list[tuple[np.ndarray, ...]]

POOL = ThreadPoolExecutor(2)
ROW = np.uint64(0xFFFFFFFF)
jit = nb.njit(nogil=True, boundscheck=False)


def prepare(work: str, world: World) -> Callable[[], Parts]:
    """The work as a call without arguments, compiled on a slice of the world."""
    run = {"w1": _w1, "w2": _w2, "w3": _w3}[work]
    run(*({name: column[:10_000].copy() for name, column in table.items()} for table in world))
    return lambda: run(*world)


def finish(parts: Parts) -> tuple[np.ndarray, ...]:
    """The result of one run as line ids, stock ids and quantities."""
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


# --- grouping and sorting ---


@jit
def _offsets(sku, loc, places, groups):
    off = np.zeros(groups + 1, np.int32)
    for i in range(sku.shape[0]):
        off[sku[i] * places + loc[i] + 1] += 1
    for g in range(groups):
        off[g + 1] += off[g]
    return off


@jit
def scatter_lots(sku, loc, places, groups, eligible, expiry, e0, received, r0):
    """expiry << 48 | received << 32 | row, grouped; lots that may serve no line are left out."""
    off = np.zeros(groups + 1, np.int32)
    for i in range(sku.shape[0]):
        if eligible[i]:
            off[sku[i] * places + loc[i] + 1] += 1
    for g in range(groups):
        off[g + 1] += off[g]
    pos = off[:-1].copy()
    key = np.empty(off[groups], np.uint64)
    for i in range(sku.shape[0]):
        if eligible[i]:
            g = sku[i] * places + loc[i]
            e = np.uint64(65535) if expiry[i] == 2147483647 else np.uint64(expiry[i] - e0)
            key[pos[g]] = (e << np.uint64(48)) | (np.uint64(received[i] - r0) << np.uint64(32)) | np.uint64(i)
            pos[g] += 1
    return off, key


@jit
def _scatter_lots_fifo(sku, loc, places, groups, received, r0):
    """received << 32 | row, grouped."""
    off = _offsets(sku, loc, places, groups)
    pos = off[:-1].copy()
    key = np.empty(sku.shape[0], np.uint64)
    for i in range(sku.shape[0]):
        g = sku[i] * places + loc[i]
        key[pos[g]] = (np.uint64(received[i] - r0) << np.uint64(32)) | np.uint64(i)
        pos[g] += 1
    return off, key


@jit
def _scatter_lines(sku, loc, places, groups, priority, requested, q0):
    """priority << 56 | microseconds, and the row beside it, grouped."""
    off = _offsets(sku, loc, places, groups)
    pos = off[:-1].copy()
    key = np.empty(sku.shape[0], np.uint64)
    row = np.empty(sku.shape[0], np.int32)
    for i in range(sku.shape[0]):
        g = sku[i] * places + loc[i]
        key[pos[g]] = (np.uint64(priority[i]) << np.uint64(56)) | np.uint64(requested[i] - q0)
        row[pos[g]] = i
        pos[g] += 1
    return off, key, row


@jit
def sort_lots(key, off, g0, g1):
    for g in range(g0, g1):
        lo, hi = off[g], off[g + 1]
        if hi - lo > 40:
            key[lo:hi].sort()
            continue
        for i in range(lo + 1, hi):
            x = key[i]
            j = i - 1
            while j >= lo and key[j] > x:
                key[j + 1] = key[j]
                j -= 1
            key[j + 1] = x


@jit
def sort_lines(key, row, off, g0, g1):
    for g in range(g0, g1):
        lo, hi = off[g], off[g + 1]
        if hi - lo > 40:
            row[lo:hi] = row[lo:hi][np.argsort(key[lo:hi], kind="mergesort")]
            continue
        for i in range(lo + 1, hi):  # stable, as rows arrive ascending
            x, y = key[i], row[i]
            j = i - 1
            while j >= lo and key[j] > x:
                key[j + 1], row[j + 1] = key[j], row[j]
                j -= 1
            key[j + 1], row[j + 1] = x, y


def group_space(lots: Columns, lines: Columns) -> tuple[int, int]:
    places = int(max(lots["location"].max(), lines["location"].max())) + 1
    return places, (int(max(lots["sku"].max(), lines["sku"].max())) + 1) * places


def check_ids(lots: Columns, lines: Columns) -> None:
    """Rows stand for ids in the sorts, which is right only if ids ascend; an order's lines stand together."""
    assert (np.diff(lots["stock_id"]) > 0).all()
    assert (np.diff(lines["line_id"]) > 0).all()
    assert (np.diff(lines["order_id"]) >= 0).all()


def grouped_lines(lines: Columns, places: int, groups: int):
    return _scatter_lines(
        lines["sku"], lines["location"], places, groups, lines["priority"], lines["requested"], lines["requested"].min()
    )


def in_halves(loff: np.ndarray, doff: np.ndarray, part: Callable[[int, int], tuple]) -> Parts:
    """Both halves of the groups at once, split where half of the rows are."""
    middle = int(np.searchsorted(loff.astype(np.int64) + doff, (int(loff[-1]) + int(doff[-1])) // 2))
    first = POOL.submit(part, 0, middle)
    second = part(middle, len(loff) - 1)
    return [first.result(), second]


def buffers(rows: int):
    return np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int32)


# --- W1 ---


@jit
def _sweep_w1(g0, g1, loff, key, doff, drow, lqty, dqty, sid, lid, out_line, out_stock, out_qty):
    k = 0
    for g in range(g0, g1):
        a, a_end, b, b_end = loff[g], loff[g + 1], doff[g], doff[g + 1]
        if a == a_end or b == b_end:
            continue
        i, j = np.int64(key[a] & ROW), drow[b]
        left, need = lqty[i], dqty[j]
        while True:
            take = min(left, need)
            out_line[k], out_stock[k], out_qty[k] = lid[j], sid[i], take
            k += 1
            left -= take
            need -= take
            if need == 0:
                b += 1
                if b == b_end:
                    break
                j = drow[b]
                need = dqty[j]
            if left == 0:
                a += 1
                if a == a_end:
                    break
                i = np.int64(key[a] & ROW)
                left = lqty[i]
    return k


def _w1(lots: Columns, lines: Columns) -> Parts:
    check_ids(lots, lines)
    places, groups = group_space(lots, lines)
    stock = POOL.submit(
        _scatter_lots_fifo, lots["sku"], lots["location"], places, groups, lots["received"], lots["received"].min()
    )
    doff, dkey, drow = grouped_lines(lines, places, groups)
    loff, lkey = stock.result()

    def part(g0: int, g1: int) -> tuple:
        sort_lots(lkey, loff, g0, g1)
        sort_lines(dkey, drow, doff, g0, g1)
        out = buffers(int(loff[g1] - loff[g0]) + int(doff[g1] - doff[g0]))
        sources = lots["qty"], lines["qty"], lots["stock_id"], lines["line_id"]
        n = _sweep_w1(g0, g1, loff, lkey, doff, drow, *sources, *out)
        return tuple(column[:n] for column in out)

    return in_halves(loff, doff, part)


# --- W2 ---


@jit
def _eligible(blocked, mask, expiry, days, as_of):
    """Bit (contract type * shelf lives + shelf life) is set where the lot may serve that kind of line."""
    n = days.shape[0]
    table = np.zeros((8, n + 1), np.uint16)
    for m in range(8):
        for reached in range(n + 1):
            for contract in range(3):
                if m >> contract & 1:
                    for d in range(reached):
                        table[m, reached] |= np.uint16(1 << (contract * n + d))
    out = np.zeros(mask.shape[0], np.uint16)
    for i in range(mask.shape[0]):
        if not blocked[i]:
            reached = 0
            while reached < n and expiry[i] - as_of >= days[reached]:
                reached += 1
            out[i] = table[mask[i] & 7, reached]
    return out


@jit
def _kinds(contract, days, code, n):
    out = np.empty(contract.shape[0], np.uint8)
    for i in range(contract.shape[0]):
        out[i] = contract[i] * n + code[days[i]]
    return out


def _kinds_of(lines: Columns) -> tuple[np.ndarray, np.ndarray, int]:
    """The distinct shelf lives, the kind of each line, and how many kinds there are."""
    asked = lines["min_remaining_days"]
    days = np.flatnonzero(np.bincount(asked)).astype(np.int32)
    assert 3 * len(days) <= 16, "this peer holds the kinds of line in 16 bits"
    code = np.zeros(int(asked.max()) + 1, np.uint8)
    code[days] = np.arange(len(days), dtype=np.uint8)
    return days, _kinds(lines["contract_type"], asked, code, len(days)), 3 * len(days)


def _lots(lots: Columns, places: int, groups: int, days: np.ndarray):
    eligible = _eligible(lots["blocked"], lots["contract_class"], lots["expiry"], days, AS_OF_DAY)
    expiry, received = lots["expiry"], lots["received"]
    off, key = scatter_lots(
        lots["sku"], lots["location"], places, groups, eligible, expiry, expiry.min(), received, received.min()
    )
    return eligible, off, key


@jit
def _sweep_w2(g0, g1, loff, key, doff, drow, lqty, eligible, dqty, kind, kinds, sid, lid, out_line, out_stock, out_qty):
    k = 0
    cursor = np.zeros(kinds, np.int32)
    widest = 0
    for g in range(g0, g1):
        widest = max(widest, loff[g + 1] - loff[g])
    left, may, row = np.empty(widest, np.int32), np.empty(widest, np.uint16), np.empty(widest, np.int32)
    for g in range(g0, g1):
        a, m = loff[g], loff[g + 1] - loff[g]
        if m == 0 or doff[g] == doff[g + 1]:
            continue
        for x in range(m):
            i = np.int64(key[a + x] & ROW)
            row[x], left[x], may[x] = i, lqty[i], eligible[i]
        cursor[:] = 0
        for b in range(doff[g], doff[g + 1]):
            j = drow[b]
            p, need = kind[j], dqty[j]
            c = cursor[p]
            while c < m:
                if left[c] != 0 and (may[c] >> p) & 1:
                    take = min(left[c], need)
                    left[c] -= take
                    need -= take
                    out_line[k], out_stock[k], out_qty[k] = lid[j], sid[row[c]], take
                    k += 1
                    if need == 0:
                        break
                c += 1
            cursor[p] = c
    return k


def _w2(lots: Columns, lines: Columns) -> Parts:
    check_ids(lots, lines)
    places, groups = group_space(lots, lines)
    days, kind, kinds = _kinds_of(lines)
    stock = POOL.submit(_lots, lots, places, groups, days)
    doff, dkey, drow = grouped_lines(lines, places, groups)
    eligible, loff, lkey = stock.result()

    def part(g0: int, g1: int) -> tuple:
        sort_lots(lkey, loff, g0, g1)
        sort_lines(dkey, drow, doff, g0, g1)
        out = buffers(int(loff[g1] - loff[g0]) + int(doff[g1] - doff[g0]))
        sources = lots["qty"], eligible, lines["qty"], kind, kinds, lots["stock_id"], lines["line_id"]
        n = _sweep_w2(g0, g1, loff, lkey, doff, drow, *sources, *out)
        return tuple(column[:n] for column in out)

    return in_halves(loff, doff, part)


# --- W3 ---


@jit
def _available(loff, key, lqty, eligible, groups, kinds):
    """Per lot in order: quantity, eligibility, row; per (group, kind): what is available."""
    n = key.shape[0]
    left, may, row = np.empty(n, np.int32), np.empty(n, np.uint16), np.empty(n, np.int32)
    available = np.zeros((groups, kinds), np.int32)
    for g in range(groups):
        for x in range(loff[g], loff[g + 1]):
            i = np.int64(key[x] & ROW)
            row[x], left[x], may[x] = i, lqty[i], eligible[i]
            for p in range(kinds):
                available[g, p] += left[x] * ((may[x] >> p) & 1)
    return left, may, row, available


@jit
def _orders(order, priority, requested, q0):
    """The first line of each order and its key."""
    n = order.shape[0]
    count = 1
    for i in range(1, n):
        count += order[i] != order[i - 1]
    start, key = np.empty(count + 1, np.int32), np.empty(count, np.uint64)
    k = 0
    for i in range(n):
        if i == 0 or order[i] != order[i - 1]:
            start[k] = i
            key[k] = (np.uint64(priority[i]) << np.uint64(56)) | np.uint64(requested[i] - q0)
            k += 1
    start[count] = n
    return start, key


@jit
def _radix_argsort(key):
    """Stable, least significant digit first, eleven bits at a time; digits that never change are skipped."""
    n = key.shape[0]
    rows, rows_to = np.arange(n).astype(np.int32), np.empty(n, np.int32)
    keys, keys_to = key.copy(), np.empty(n, np.uint64)
    counts = np.zeros((6, 2048), np.int32)
    for i in range(n):
        for d in range(6):
            counts[d, (key[i] >> np.uint64(11 * d)) & np.uint64(2047)] += 1
    for d in range(6):
        count, shift = counts[d], np.uint64(11 * d)
        if count[(key[0] >> shift) & np.uint64(2047)] == n:
            continue
        total = 0
        for b in range(2048):
            here = count[b]
            count[b] = total
            total += here
        for i in range(n):
            b = (keys[i] >> shift) & np.uint64(2047)
            keys_to[count[b]], rows_to[count[b]] = keys[i], rows[i]
            count[b] += 1
        keys, keys_to = keys_to, keys
        rows, rows_to = rows_to, rows
    return rows


@jit
def _sweep_w3(
    seq,
    start,
    sku,
    loc,
    places,
    kind,
    dqty,
    kinds,
    loff,
    left,
    may,
    row,
    available,
    sid,
    lid,
    out_line,
    out_stock,
    out_qty,
):
    k = 0
    cursor = np.zeros(available.shape, np.int32)
    longest = 0
    for o in range(seq.shape[0]):
        longest = max(longest, start[o + 1] - start[o])
    undo_cursor, undo_group = np.empty(longest, np.int32), np.empty(longest, np.int64)
    undo_kind = np.empty(longest, np.uint8)
    for z in range(seq.shape[0]):
        first, last = start[seq[z]], start[seq[z] + 1]
        complete = True
        for j in range(first, last):
            if available[np.int64(sku[j]) * places + loc[j], kind[j]] < dqty[j]:
                complete = False
                break
        if not complete:
            continue
        k0, served = k, 0
        for j in range(first, last):
            g, p, need = np.int64(sku[j]) * places + loc[j], kind[j], dqty[j]
            if available[g, p] < need:
                complete = False
                break
            c = cursor[g, p]
            undo_cursor[served], undo_group[served], undo_kind[served] = c, g, p
            served += 1
            while True:
                x = loff[g] + c
                if left[x] != 0 and (may[x] >> p) & 1:
                    take = min(left[x], need)
                    left[x] -= take
                    need -= take
                    for q in range(kinds):
                        available[g, q] -= take * np.int32((may[x] >> q) & 1)
                    out_line[k], out_stock[k], out_qty[k] = lid[j], x, take
                    k += 1
                    if need == 0:
                        break
                c += 1
            cursor[g, p] = c
        if complete:
            for y in range(k0, k):
                out_stock[y] = sid[row[out_stock[y]]]
            continue
        for y in range(served - 1, -1, -1):  # two lines of the order wanted the same lots
            cursor[undo_group[y], undo_kind[y]] = undo_cursor[y]
        y = k0
        for q in range(served):
            back = 0
            while back < dqty[first + q]:
                x, take = out_stock[y], out_qty[y]
                left[x] += take
                back += take
                for r in range(kinds):
                    available[undo_group[q], r] += take * np.int32((may[x] >> r) & 1)
                y += 1
        k = k0
    return k


def _w3(lots: Columns, lines: Columns) -> Parts:
    check_ids(lots, lines)
    places, groups = group_space(lots, lines)
    days, kind, kinds = _kinds_of(lines)

    def stock() -> tuple:
        eligible, off, key = _lots(lots, places, groups, days)
        sort_lots(key, off, 0, groups)
        return off, *_available(off, key, lots["qty"], eligible, groups, kinds)

    sorted_stock = POOL.submit(stock)
    start, key = _orders(lines["order_id"], lines["priority"], lines["requested"], lines["requested"].min())
    seq = _radix_argsort(key)
    state = sorted_stock.result()
    out = buffers(len(state[1]) + len(kind))
    asked = lines["sku"], lines["location"], places, kind, lines["qty"], kinds
    n = _sweep_w3(seq, start, *asked, *state, lots["stock_id"], lines["line_id"], *out)
    return [tuple(column[:n] for column in out)]
