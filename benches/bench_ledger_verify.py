"""The second opinion on a ledger of a million entries: read, replayed and compared, on both stores."""

import datetime as dt

import pytest

import postgres
from allocator.ledger import Ledger
from allocator.ledger.verify import verify

UNITS, MOVES, LINES = 200_000, 4, 10_000
"""Units with serials, how often each moves after its receipt, and lines of one transaction: a million entries."""

TODAY = dt.date(2026, 3, 1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(request, tmp_path_factory):
    if request.param == "sqlite":
        with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('bench') / 'stock.db'}") as opened:
            yield million(opened)
    else:
        try:
            with postgres.server() as server, Ledger.open(server.url(server.create())) as opened:
                yield million(opened)
        except postgres.PostgresMissingError as missing:
            pytest.skip(str(missing))


def million(ledger):
    """Units that are received, moved, blocked, freed and moved again, in transactions of many lines."""
    ledger.define([{"sku": f"SKU-{n}", "tracking": "serial"} for n in range(100)], actor="bench")
    said = {"actor": "bench", "day": TODAY}
    for first in range(0, UNITS, LINES):
        serials = [f"U{number:07}" for number in range(first, first + LINES)]
        received = [{"sku": f"SKU-{int(s[1:]) % 100}", "serial": s, "location": "dock"} for s in serials]
        ledger.post("receive", received, origin="supplier", document="GRN", **said)
        for turn in range(MOVES):
            units = [{"serial": serial} for serial in serials]
            if turn % 2:
                ledger.post("block" if turn == 1 else "unblock", units, reason="count", **said)
            else:
                ledger.post("move", [unit | {"to_location": f"bin {turn}"} for unit in units], **said)
    return ledger


def test_verify(benchmark, ledger):
    verified = benchmark.pedantic(verify, args=(ledger,), rounds=3)
    benchmark.extra_info["rows"] = verified.entries
    benchmark.extra_info["correct"] = verified.clean
    assert verified.clean
    assert verified.entries == UNITS * (MOVES + 1)
