"""A ledger of many units: found by number, and their whole history read, without reading anybody else's (SN-21)."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from allocator.ledger import Ledger
from allocator.ledger.history import BY
from allocator.ledger.verify import verify
from ledger_world import EVENTS, fill, serial_of

UNITS = 2_000
LARGE = 1_000_000
ASKED = 500


@pytest.fixture(params=["sqlite", "postgresql"])
def large_ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A million units with ten events each. What is so large is not verified: the small one of the same making is."""
    url = f"sqlite:///{tmp_path_factory.mktemp('large') / 'stock.db'}"
    with Ledger.open(url if request.param == "sqlite" else request.getfixturevalue("postgres_url")) as opened:
        fill(opened, LARGE)
        yield opened


def test_what_is_written_in_bulk_is_a_ledger_like_any_other(empty_ledger: Ledger) -> None:
    assert fill(empty_ledger, UNITS, batch=90) == 10 * UNITS
    verified = verify(empty_ledger)
    assert verified.clean, str(verified)
    assert verified.entries == 10 * UNITS
    told = empty_ledger.history(serial_of(777))
    assert told["type"].to_list() == [event.type for event in EVENTS]
    seq = empty_ledger.post("move", {"serial": serial_of(777), "to_location": "store"}, actor="ana")
    assert empty_ledger.history(serial_of(777))["seq"].to_list()[-1] == seq
    assert verify(empty_ledger).clean


@pytest.mark.parametrize("by", BY)
def test_sqlite_finds_events_by_an_index_and_not_by_reading_all_of_a_tenant(by: str) -> None:
    keys = {
        "goods": "entry_of_goods (goods_id=? AND tenant=?",
        "line": "entry_of_line (line_id=? AND tenant=?",
        "document": "txn_of_document (document=? AND tenant=?",
        "span": "PRIMARY KEY (tenant=? AND seq>?",
    }
    params = {"tenant": 1, "ids": [1], "keys": ["L1"], "document": "GRN-1", "since": 0, "seq": 9}
    with Ledger.open("sqlite://") as ledger, ledger.store.session() as session:
        plan = [row[3] for row in session.rows(f"EXPLAIN QUERY PLAN {BY[by]} ORDER BY e.seq, e.n", params)]
    assert any(keys[by] in step for step in plan), plan
    assert all("(tenant=?)" not in step for step in plan), plan


@pytest.mark.slow
def test_a_unit_among_a_million_is_found_with_its_ten_events(large_ledger: Ledger) -> None:
    for unit in random.Random(20261122).sample(range(1, LARGE + 1), ASKED):
        told = large_ledger.history(serial_of(unit))
        assert set(told["serial"]) == {serial_of(unit)}
        assert told["type"].to_list() == [event.type for event in EVENTS]
        assert large_ledger.state(serial_of(unit))["seq"] == told["seq"].to_list()[-1]
