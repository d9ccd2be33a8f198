"""Batches committed to a ledger on both stores, durable as in production: lines a second, and what the chain costs.

And single orders of two processes that take turns.

`ALLOCATOR_BENCH_LINES` says how many lines a batch has. Every round commits a batch of its own to the same ledger.
"""

import itertools
import os
from contextlib import ExitStack

import polars as pl
import pytest

import postgres
from allocator.ledger import Ledger, book
from allocator.ledger.imports import import_stock
from allocator.ledger.verify import verify

LINES = int(os.environ.get("ALLOCATOR_BENCH_LINES", "100000"))
ROUNDS = 3
SKUS = 2_000
SAID = {"actor": "ana", "origin": "supplier", "document": "GRN-1"}


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    """Lots by SKU and units by serial; enough of the lots for every round."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'stock.db'}"
        if request.param == "postgresql":
            try:
                server = stack.enter_context(postgres.server())
            except postgres.PostgresMissingError as missing:
                pytest.skip(str(missing))
            url = server.url(server.create())
        opened = stack.enter_context(Ledger.open(url))
        opened.define([{"sku": "gauge", "tracking": "serial"}, *({"sku": f"S{n}"} for n in range(SKUS))], actor="ana")
        lots = pl.DataFrame({"sku": [f"S{n}" for n in range(SKUS)]}).with_columns(
            location=pl.lit("store"), qty=10 * ROUNDS * LINES
        )
        opened.post("receive", lots, **SAID)
        yield opened


def measure(benchmark, act, batch):
    """Commits a batch of its own in each round."""
    numbers = itertools.count()
    kept = benchmark.pedantic(act, setup=lambda: ((batch(next(numbers)),), {}), rounds=ROUNDS)
    benchmark.extra_info.update(rows=LINES, lines_per_s=round(LINES / benchmark.stats.stats.median))
    return kept


def test_reserve(benchmark, ledger):
    def batch(number):
        return [{"line_id": f"{number}-{n}", "sku": f"S{n % SKUS}", "qty": 2} for n in range(LINES)]

    answer = measure(benchmark, lambda lines: ledger.reserve(lines, actor="ana"), batch)
    correct = all(line["allocated"] == 2 for line in answer["lines"]) and verify(ledger).clean
    benchmark.extra_info["correct"] = correct
    assert correct


def units(number):
    return [{"sku": "gauge", "serial": f"G{number}-{n}", "location": "store"} for n in range(LINES)]


@pytest.mark.parametrize("chained", [True, False], ids=["chained", "without the chain"])
def test_receive_units(benchmark, ledger, chained, monkeypatch):
    if not chained:
        # Only to weigh it: such a ledger does not verify.
        monkeypatch.setattr(book.chain, "line", lambda _: "")
        monkeypatch.setattr(book.chain, "digest", lambda *_: b"\0" * 32)
    measure(benchmark, lambda lines: ledger.post("receive", lines, **SAID), units)
    with ledger.store.session() as session:
        correct = session.rows("SELECT COUNT(*) FROM balance WHERE unit = 1")[0][0] == ROUNDS * LINES
    assert verify(ledger).clean == chained
    benchmark.extra_info["correct"] = correct
    assert correct


def test_import_units(benchmark, ledger):
    def batch(number):
        return pl.DataFrame(units(number))

    told = measure(benchmark, lambda frame: import_stock(ledger, frame, **SAID), batch)
    benchmark.extra_info["correct"] = told.recorded == LINES
    assert told.recorded == LINES


def test_turns(benchmark, ledger):
    """Orders of a SKU with ten thousand units, by two processes that take turns: each reads what the other did."""
    ledger.post("receive", units("of all")[:10_000], **SAID)
    with Ledger.open(ledger.store.url) as other:
        turns = itertools.cycle([ledger, other])
        numbers = itertools.count()

        def order():
            line = {"line_id": f"turn {next(numbers)}", "sku": "gauge", "qty": 1}
            return next(turns).reserve(line, actor="ana")["lines"][0]["allocated"]

        # The first orders read all of the SKU.
        for _ in range(6):
            order()
        correct = benchmark.pedantic(order, rounds=200) == 1 and verify(ledger).clean
    benchmark.extra_info["correct"] = correct
    assert correct
