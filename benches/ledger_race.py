"""Races single orders on PostgreSQL, each durable when it returns: `python benches/ledger_race.py --seconds 3`.

The ledger serves 32 callers at once, as coroutines and as threads; its peers are what an expert would write instead
(`peers/order_loop.py`), from one client and from 32. All are on one server of their own (tests/postgres.py), with
fsync, each in a database of its own that holds the same stock, and run in turns, a different one first each round.
Reported are medians of acknowledged lines per second, and whether stock and allocations agree at the end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

# The server that the tests start serves here, too.
sys.path.append(str(Path(__file__).parents[1] / "tests"))

import postgres
import product_ledger
from peers import order_loop

SKUS, LOTS, LOT_QTY, LINE_QTY_MAX = 1_000, 10, 100_000, 5
LINES_PER_CLIENT_MAX = 10**9
WARM_UP_SECONDS = 0.5
Loop = Callable[[str, Iterator[order_loop.Line]], Callable[[float], int]]
Tasks = Callable[[str, Sequence[Iterator[order_loop.Line]]], Callable[[float], int]]


@dataclass
class Contender:
    """Who races: how it fills a database, what each of its clients runs, and how clients are spread over processes.

    Clients that are `awaited` are coroutines: all of a process run on one event loop.
    """

    name: str
    fill: Callable[..., None]
    loop: Loop | Tasks
    correct: Callable[[str, int], bool]
    processes: int
    threads: int
    awaited: bool = False
    url: str = ""
    lanes: list[Connection] = field(default_factory=list)
    served: int = 0
    rates: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.rates)


def contenders() -> list[Contender]:
    """The loops of peers are spread over processes: they spend their time in Python, one interpreter lock each."""
    client, server = order_loop.client_loop, order_loop.server_loop
    expert = (order_loop.fill, order_loop.correct)
    ledger = product_ledger
    return [
        Contender("ledger, 32 coroutines", ledger.fill, ledger.order_tasks, ledger.correct, 1, 32, awaited=True),
        Contender("ledger, 32 threads", ledger.fill, ledger.order_loop, ledger.correct, 1, 32),
        Contender("client loop, 1 client", expert[0], client, expert[1], 1, 1),
        Contender("client loop, 32 clients", expert[0], client, expert[1], 4, 8),
        Contender("PL/pgSQL, 1 session", expert[0], server, expert[1], 1, 1),
        Contender("PL/pgSQL, 32 sessions", expert[0], server, expert[1], 1, 32),
    ]


def main() -> int:
    options = arguments().parse_args()
    racing = contenders()
    context = multiprocessing.get_context("spawn")
    processes: list[Any] = []
    with postgres.server() as server:
        try:
            for contender in racing:
                contender.url = server.url(server.create())
                contender.fill(contender.url, options.skus, LOTS, LOT_QTY)
                for number in range(contender.processes):
                    here, there = context.Pipe()
                    first = number * contender.threads
                    given = (there, contender.loop, contender.url, first, contender.threads, options.skus)
                    target = work_awaited if contender.awaited else work
                    processes.append(context.Process(target=target, args=given, daemon=True))
                    processes[-1].start()
                    there.close()
                    contender.lanes.append(here)
                serve(contender, WARM_UP_SECONDS)
            for turn in range(options.rounds):
                at = turn % len(racing)
                for contender in racing[at:] + racing[:at]:
                    contender.rates.append(serve(contender, options.seconds))
            correct = {each.name: each.correct(each.url, each.served) for each in racing}
        finally:
            for process in processes:
                process.terminate()
                process.join()
    console = Console(stderr=options.json)
    console.width = max(console.width, 120)
    console.print(table(options, racing, correct))
    if options.json:
        print(json.dumps(describe(options, racing, correct), indent=2))
    return 0 if all(correct.values()) else 1


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="how long each runs in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--skus", type=int, default=SKUS, help="1 makes all callers want the same stock")
    parser.add_argument("--json", action="store_true", help="the report on stdout; the table goes to stderr")
    return parser


def serve(contender: Contender, seconds: float) -> float:
    """One turn: all clients of a contender at once; lines per second until the last of them was done."""
    start = time.perf_counter()
    for lane in contender.lanes:
        lane.send(seconds)
    try:
        served = sum(lane.recv() for lane in contender.lanes)
    except EOFError:
        sys.exit(f"{contender.name} stopped before it could answer; its message is above")
    contender.served += served
    return served / (time.perf_counter() - start)


def work(lane: Connection, loop: Loop, url: str, first: int, threads: int, skus: int) -> None:
    """The life of one process of a contender: some clients, which run when they are told to."""
    clients = [loop(url, lines(first + number, skus)) for number in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        while True:
            seconds = lane.recv()
            lane.send(sum(pool.map(lambda client, given=seconds: client(given), clients)))


def work_awaited(lane: Connection, tasks: Tasks, url: str, first: int, callers: int, skus: int) -> None:
    """The life of a process whose clients are coroutines."""
    run = tasks(url, [lines(first + number, skus) for number in range(callers)])
    while True:
        lane.send(run(lane.recv()))


def lines(client: int, skus: int) -> Iterator[order_loop.Line]:
    """What one client asks for, without end: its own line numbers, any SKU, a few units."""
    random = np.random.default_rng(client)
    number = client * LINES_PER_CLIENT_MAX
    while True:
        picked = random.integers(0, skus, 10_000).tolist()
        for sku, qty in zip(picked, random.integers(1, LINE_QTY_MAX + 1, 10_000).tolist(), strict=True):
            yield number, f"S{sku:04}", qty
            number += 1


def describe(options: argparse.Namespace, racing: list[Contender], correct: dict[str, bool]) -> dict[str, Any]:
    return {
        "seconds": options.seconds,
        "rounds": options.rounds,
        "skus": options.skus,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "results": [
            {"name": each.name, "median": each.median, "rates": each.rates, "served": each.served}
            | {"ratio": racing[0].median / each.median, "correct": correct[each.name]}
            for each in racing
        ],
    }


def table(options: argparse.Namespace, racing: list[Contender], correct: dict[str, bool]) -> Table:
    shown = Table(
        title=f"Single orders of {options.skus:,} SKUs, {options.rounds} rounds of {options.seconds:g} s in turns"
    )
    shown.add_column("contender")
    for heading in ("lines/s", "most", "least", "coroutines are x", "lines"):
        shown.add_column(heading, justify="right")
    shown.add_column("correct")
    for each in racing:
        shown.add_row(
            each.name,
            f"{each.median:,.0f}",
            f"{max(each.rates):,.0f}",
            f"{min(each.rates):,.0f}",
            f"{racing[0].median / each.median:.2f}",
            f"{each.served:,}",
            "yes" if correct[each.name] else "NO",
        )
    return shown


if __name__ == "__main__":
    sys.exit(main())
