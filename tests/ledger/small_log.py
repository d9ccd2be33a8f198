"""A log of SQLite that is moved after a few commits, and what processes do that share one."""

from __future__ import annotations

import itertools
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from allocator.ledger import Ledger
from allocator.ledger.store import sqlite
from ledger.clients import ask


def small_log() -> None:
    """A log of which a few commits are much: one commit writes about ten pages."""
    sqlite.LOG_PAGES, sqlite.LOG_PAGES_LONG, sqlite.LOG_PAGES_MAX, sqlite.FEW_PAGES = 30, 120, 400, 200


def receive(ledger: Ledger, times: int = 1) -> None:
    for _ in range(times):
        given = {"sku": "BULK", "qty": 1, "location": "store"}
        ledger.post("receive", given, origin="supplier", document="GRN-1", actor="ana")


def pages(ledger: Ledger) -> tuple[int, int]:
    """How many are in the log, and how many of them are moved, once nobody moves any."""
    while any(thread.name == "allocator moves a log" for thread in threading.enumerate()):
        time.sleep(0.001)
    with ledger.store.session() as session:
        ((_, in_log, moved),) = session.rows("PRAGMA wal_checkpoint(NOOP)")
    return in_log, moved


def left(ledger: Ledger) -> int:
    """How many pages of the log are still to be moved."""
    in_log, moved = pages(ledger)
    return in_log - moved


def receive_beside(barrier: Any, url: str, times: int) -> int:
    small_log()
    with Ledger.open(url) as ledger:
        barrier.wait()
        receive(ledger, times)
        return pages(ledger)[0]


def ask_until_killed(lane: Connection, url: str, name: str) -> None:
    small_log()
    with Ledger.open(url) as ledger:
        for number in itertools.count():
            lane.send((f"{name}.{number}", ask(ledger, f"{name}.{number}")))
