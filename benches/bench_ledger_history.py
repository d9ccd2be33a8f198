"""One unit among many: found by its serial, and its whole history read. `ALLOCATOR_BENCH_UNITS` says how many units.

The promise (SN-21) is for 10,000,000 units and 100,000,000 events: half an hour and 8 GB to write on SQLite, forty
minutes and 29 GB on PostgreSQL.
"""

import itertools
import os
import random
from contextlib import ExitStack

import pytest

import postgres
from allocator.ledger import Ledger
from ledger_world import EVENTS, SKU, fill, serial_of

UNITS = int(os.environ.get("ALLOCATOR_BENCH_UNITS", "100000"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(request, tmp_path_factory):
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'stock.db'}"
        else:
            try:
                server = stack.enter_context(postgres.server())
            except postgres.PostgresMissingError as missing:
                pytest.skip(str(missing))
            url = server.url(server.create())
        opened = stack.enter_context(Ledger.open(url))
        fill(opened, UNITS)
        yield opened


@pytest.fixture
def serials():
    draw = random.Random(20261122)
    return itertools.cycle([serial_of(draw.randint(1, UNITS)) for _ in range(5_000)])


def timed(benchmark, ask, is_right):
    answer = benchmark.pedantic(ask, rounds=2_000, warmup_rounds=50)
    taken = sorted(benchmark.stats.stats.data)
    p99 = round(taken[int(0.99 * len(taken))] * 1000, 3)
    correct = is_right(answer)
    benchmark.extra_info.update(rows=UNITS, events=len(EVENTS) * UNITS, p99_ms=p99, correct=correct)
    assert correct


def test_whole_history(benchmark, ledger, serials):
    timed(benchmark, lambda: ledger.history(next(serials)), lambda told: told.height == len(EVENTS))


def test_what_a_unit_is(benchmark, ledger, serials):
    timed(benchmark, lambda: ledger.state(next(serials)), lambda unit: unit["sku"] == SKU)
