"""Callers of a ledger in processes of their own, so that they get in each other's way, and can be killed.

Processes are forked from one that has imported everything and done nothing yet: a new caller costs milliseconds.
"""

from __future__ import annotations

import datetime as dt
import itertools
import multiprocessing
import multiprocessing.forkserver
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

import psycopg
import pysqlite3

from allocator import Policy
from allocator.errors import StoreError
from allocator.ledger import Ledger

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["ledger.clients", "pytest"])
DAY = dt.date(2026, 11, 2)
WHOLE_ORDER = Policy(fill={"whole": "order"})
TOGETHER = 2_000


def at_once(work: Callable[..., Any], cases: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Runs the work in one process per case, all beginning at the same moment; what each returns, in order."""
    barrier = FORK.Barrier(len(cases))
    started = [start(_answer, work, barrier, *case) for case in cases]
    try:
        answers = [lane.recv() for _, lane in started]
    finally:
        for process, lane in started:
            process.join(60)
            process.kill()
            lane.close()
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    if failed:
        raise failed[0]
    return answers


def start(work: Callable[..., None], *args: Any) -> tuple[Any, Connection]:
    """Begins work in a process of its own, which is told first where to send what it has to say."""
    with patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        multiprocessing.forkserver.ensure_running()
    here, there = FORK.Pipe(duplex=False)
    process = FORK.Process(target=work, args=(there, *args), daemon=True)
    process.start()
    there.close()
    return process, here


def _answer(lane: Connection, work: Callable[..., Any], barrier: Any, *case: Any) -> None:
    try:
        lane.send(work(barrier, *case))
    except BaseException as error:
        lane.send(RuntimeError("".join(traceback.format_exception(error))))
        barrier.abort()


def threads(number: int, call: Callable[[int], Any]) -> list[Any]:
    """Calls from so many threads at once; what each returns."""
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(call, range(number)))


# --- what callers do ---


def take_one_by_one(barrier: Any, url: str, name: str, callers: int, attempts: int) -> int:
    """Wants one unit after the other, each for a line of its own; how many it was promised.

    Whoever was refused asks for many lines in one call from then on.
    """
    with Ledger.open(url) as ledger:
        barrier.wait()

        def take(caller: int) -> int:
            got, number, together = 0, 0, 1
            while number < attempts:
                size = min(together, attempts - number)
                wanted = [{"line_id": f"{name}.{caller}.{number + i}", "sku": "HOT", "qty": 1} for i in range(size)]
                answer = ledger.reserve(wanted, actor=name)
                won = sum(line["allocated"] for line in answer["lines"])
                got, number, together = got + won, number + size, 1 if won else TOGETHER
            return got

        return sum(threads(callers, take))


def take_serials(barrier: Any, url: str, name: str, callers: int, attempts: int, serials: Sequence[str]) -> list[str]:
    """Wants each of some units by its serial, from several callers who begin at different ones; which it got.

    First one after the other, then many lines in one call.
    """
    with Ledger.open(url) as ledger:
        barrier.wait()

        def take(caller: int) -> list[str]:
            begin = caller * len(serials) // callers
            order = itertools.cycle([*serials[begin:], *serials[:begin]])
            got, number = [], 0
            while number < attempts:
                size = min(1 if number < len(serials) else TOGETHER, attempts - number)
                named = {f"{name}.{caller}.{number + i}": serial for i, serial in enumerate(islice(order, size))}
                wanted = [
                    {"line_id": line, "sku": "UNIT", "qty": 1, "serial": serial} for line, serial in named.items()
                ]
                answer = ledger.reserve(wanted, actor=name)
                got += [named[line["line_id"]] for line in answer["lines"] if line["allocated"]]
                number += size
            return got

        return [serial for each in threads(callers, take) for serial in each]


def order_both(barrier: Any, url: str, name: str, skus: Sequence[str], orders: int, callers: int) -> list[str]:
    """Places orders for two SKUs and moves stock of both, in the given order; the problems that callers saw."""
    problems: list[str] = []
    with Ledger.open(url) as ledger:
        barrier.wait()

        def place(caller: int) -> None:
            for number in range(orders):
                order = f"{name}.{caller}.{number}"
                lines = [{"line_id": f"{order}.{sku}", "order_id": order, "sku": sku, "qty": 1} for sku in skus]
                moves = [{"sku": sku, "qty": 1, "location": "store", "to_location": "shelf"} for sku in skus]
                try:
                    ledger.reserve(lines, WHOLE_ORDER, actor=name)
                    ledger.post("move", moves, actor=name)
                except Exception as error:
                    problems.append(f"{type(error).__name__}: {error}")

        threads(callers, place)
    return problems


def sell_naively(barrier: Any, url: str, connections: int, sales_max: int) -> int:
    """Reads what is sold, and writes one more if something is left; how many it sold. What nobody should write."""

    def sell(_: int) -> int:
        with naive_connection(url) as execute:
            sold = 0
            while sold < sales_max:
                ((reserved, on_hand),) = execute("SELECT reserved, on_hand FROM naive").fetchall()
                if reserved >= on_hand:
                    break
                execute(f"UPDATE naive SET reserved = {reserved + 1}")
                sold += 1
            return sold

    barrier.wait()
    return sum(threads(connections, sell))


@contextmanager
def naive_connection(url: str) -> Iterator[Callable[[str], Any]]:
    """How a connection without a ledger runs statements, each its own transaction at READ COMMITTED."""
    if url.startswith("sqlite"):
        connection = pysqlite3.connect(url.removeprefix("sqlite:///"), timeout=60, isolation_level=None)
        settings = "PRAGMA synchronous = OFF"
    else:
        connection = psycopg.connect(url, autocommit=True)
        settings = "SET synchronous_commit = off"
    try:
        connection.execute(settings)
        yield connection.execute
    finally:
        connection.close()


# --- callers that are killed ---


def ask(ledger: Ledger, key: str) -> Any:
    """The request that a key stands for, always the same: a receipt, an order, or a move."""
    number = int(key.rpartition(".")[2])
    if number % 3 == 0:
        given = {"sku": "BULK", "qty": 2, "location": "store", "received_on": DAY}
        return ledger.post("receive", given, origin="supplier", document=key, day=DAY, actor="victim", key=key)
    if number % 3 == 1:
        wanted = {"line_id": key, "sku": "BULK", "qty": 1}
        return ledger.reserve([wanted], as_of=DAY, actor="victim", key=key)
    move = {"sku": "BULK", "qty": 1, "location": "store", "to_location": "shelf"}
    return ledger.post("move", move, day=DAY, actor="victim", key=key)


def ask_until_killed(lane: Connection, url: str, name: str) -> None:
    """Sends requests until the store fails; says which before it sends, and what the answer was before the next."""
    with Ledger.open(url) as ledger, suppress(StoreError):
        for number in itertools.count():
            key = f"{name}.{number}"
            lane.send(("asks", key))
            answer = ask(ledger, key)
            lane.send((answer, key))


def open_a_tenant(barrier: Any, url: str, tenant: str) -> int:
    """Opens the ledger of a tenant, which may be the first of its store; the number that it got."""
    barrier.wait()
    with Ledger.open(url, tenant) as ledger:
        return ledger.tenant
