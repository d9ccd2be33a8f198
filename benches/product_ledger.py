"""The product's side of benches/ledger_race.py: single orders reserved on a ledger, many callers on one `Ledger`."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from peers.order_loop import Line

DAY = dt.date(2026, 2, 1)


@cache
def opened(url: str) -> Ledger:
    """The ledger that all callers of a process share."""
    return Ledger.open(url)


def fill(url: str, skus: int, lots: int, qty: int) -> None:
    """As much stock of every SKU as the peers have."""
    with Ledger.open(url) as ledger:
        ledger.define([{"sku": f"S{sku:04}"} for sku in range(skus)], actor="bench")
        for lot in range(lots):
            lines = [
                {"sku": f"S{sku:04}", "qty": qty, "location": "W", "received_on": dt.date(2026, 1, 1 + lot)}
                for sku in range(skus)
            ]
            ledger.post("receive", lines, origin="supplier", document=f"GRN-{lot}", actor="bench")


def order_loop(url: str, lines: Iterator[Line]) -> Callable[[float], int]:
    """Reserves one line after the other for some seconds; how many were acknowledged."""
    ledger = opened(url)

    def run(seconds: float) -> int:
        served, until = 0, time.perf_counter() + seconds
        while time.perf_counter() < until:
            number, sku, qty = next(lines)
            ledger.reserve([{"line_id": str(number), "sku": sku, "qty": qty}], actor="bench", as_of=DAY)
            served += 1
        return served

    return run


def order_tasks(url: str, callers: Sequence[Iterator[Line]]) -> Callable[[float], int]:
    """The same by coroutines, one for each caller, on one event loop."""
    ledger = opened(url)

    async def call(lines: Iterator[Line], until: float) -> int:
        served = 0
        while time.perf_counter() < until:
            number, sku, qty = next(lines)
            line = {"line_id": str(number), "sku": sku, "qty": qty}
            await ledger.reserve_async([line], actor="bench", as_of=DAY)
            served += 1
        return served

    async def all_call(seconds: float) -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(*(call(lines, until) for lines in callers)))

    return lambda seconds: asyncio.run(all_call(seconds))


def correct(url: str, served: int) -> bool:
    """Whether every acknowledged line is there once, and `verify` finds nothing wrong."""
    with Ledger.open(url) as ledger:
        return ledger.lines().height == served and verify(ledger).clean
