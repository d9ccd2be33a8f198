"""Everybody wants the same stock at once: never more is promised than there is, and nobody sees a deadlock."""

from __future__ import annotations

import pytest

from allocator.ledger import Ledger
from ledger import checks
from ledger.clients import at_once, naive_connection, order_both, sell_naively, take_one_by_one, take_serials

UNITS = 1_000
ATTEMPTS = [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)]


def callers(url: str) -> tuple[int, int]:
    """Processes, and callers in each: eight on one file, 32 clients on PostgreSQL."""
    return (8, 1) if url.startswith("sqlite") else (4, 8)


@pytest.mark.parametrize("attempts", ATTEMPTS)
def test_a_thousand_units_are_promised_a_thousand_times_however_many_want_them(ledger_url: str, attempts: int) -> None:
    processes, each = callers(ledger_url)
    with Ledger.open(ledger_url) as ledger:
        ledger.define([{"sku": "HOT"}], actor="ana")
        received = [{"sku": "HOT", "qty": UNITS // 4, "location": f"store/{bin_}"} for bin_ in range(4)]
        ledger.post("receive", received, origin="supplier", document="GRN-1", actor="ana")
        share = attempts // processes // each
        got = at_once(take_one_by_one, [(ledger_url, f"P{number}", each, share) for number in range(processes)])
        assert sum(got) == UNITS
        assert checks.promised(ledger) == UNITS
        assert not checks.wrong(ledger)


def test_reading_first_and_writing_then_sells_more_than_there_is(ledger_url: str) -> None:
    # The control: the hammer above hits hard enough to break what is done naively.
    processes, each = callers(ledger_url)
    with naive_connection(ledger_url) as execute:
        execute("CREATE TABLE naive (reserved bigint, on_hand bigint)")
        execute(f"INSERT INTO naive VALUES (0, {UNITS})")
    sold = at_once(sell_naively, [(ledger_url, each, UNITS)] * processes)
    assert sum(sold) > UNITS


@pytest.mark.parametrize("attempts", ATTEMPTS)
def test_each_unit_is_promised_to_one_of_all_who_name_its_serial(ledger_url: str, attempts: int) -> None:
    processes, each = callers(ledger_url)
    serials = [f"CM500-2026-{number:04}" for number in range(10)]
    with Ledger.open(ledger_url) as ledger:
        ledger.define([{"sku": "UNIT", "tracking": "serial"}], actor="ana")
        received = [{"sku": "UNIT", "serial": serial, "location": "store"} for serial in serials]
        ledger.post("receive", received, origin="supplier", document="GRN-1", actor="ana")
        share = attempts // processes // each
        got = at_once(take_serials, [(ledger_url, f"P{number}", each, share, serials) for number in range(processes)])
        assert sorted(serial for some in got for serial in some) == serials
        assert checks.promised(ledger) == len(serials)
        assert not checks.wrong(ledger)


def test_orders_that_name_the_same_skus_the_other_way_round_do_not_block_each_other(ledger_url: str) -> None:
    orders, each = 10, 4
    ways = [("BOLT", "NUT"), ("NUT", "BOLT")] * 2
    with Ledger.open(ledger_url) as ledger:
        ledger.define([{"sku": "BOLT"}, {"sku": "NUT"}], actor="ana")
        plenty = [{"sku": sku, "qty": 10_000, "location": "store"} for sku in ("BOLT", "NUT")]
        ledger.post("receive", plenty, origin="supplier", document="GRN-1", actor="ana")
        cases = [(ledger_url, f"P{number}", way, orders, each) for number, way in enumerate(ways)]
        assert [problem for seen in at_once(order_both, cases) for problem in seen] == []
        assert checks.promised(ledger) == 2 * orders * each * len(ways)
        assert not checks.wrong(ledger)
