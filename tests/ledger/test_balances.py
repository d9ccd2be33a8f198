"""What there is: every measure, told by anything, now and then, on both stores."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from decimal import Decimal

import pytest

from allocator import Policy, allocate
from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.balances import MEASURES
from allocator.ledger.snapshot import Snapshot
from ledger_stores import TODAY, receive, shop

__all__ = ["shop"]


def busy(ledger: Ledger) -> dict[str, int]:
    """Gauges in every situation that the measures tell apart; the numbers of some transactions."""
    gauges = [{"sku": "gauge", "serial": f"G-{n}", "location": "north/store"} for n in range(1, 9)]
    seqs = {"received": receive(ledger, *gauges)}
    promised = ledger.reserve([{"line_id": "L1", "sku": "gauge", "qty": 1}], actor="bob", as_of=TODAY)
    seqs["reserved"] = promised["seq"]
    ledger.post("block", {"serial": "G-2"}, reason="quality", actor="ana")
    ledger.post("ship", {"serial": "G-3", "to_holder": "carrier"}, document="DC-1", actor="ana")
    ledger.post("deliver", {"serial": "G-4", "to_holder": "customer 7"}, actor="ana")
    ledger.post("deliver", {"serial": "G-5", "to_holder": "customer 8"}, actor="ana")
    ledger.post("invoice", {"serial": "G-5"}, document="INV-1", actor="ana")
    ledger.post("rent", {"serial": "G-6", "to_holder": "customer 9"}, document="R-1", actor="ana")
    ledger.post("scrap", {"serial": "G-7"}, reason="broken", actor="ana")
    ledger.post("change_status", {"serial": "G-8", "to_status": "Quarantine"}, actor="ana")
    return seqs


def measures(ledger: Ledger, **said: object) -> dict[str, object]:
    return ledger.balances((), **said).row(0, named=True)  # type: ignore[arg-type]


def test_each_unit_counts_where_it_is_and_as_whose_it_is(shop: Ledger) -> None:
    busy(shop)
    assert measures(shop, skus=["gauge"]) == {
        "on_hand": 3,  # promised, blocked, in quarantine
        "reserved": 1,
        "available": 0,
        "blocked": 1,
        "in_transit": 1,
        "dispatched": 1,
        "rentals": 1,
        "owned": 6,  # neither the one that was invoiced nor the one that was scrapped
    }


def test_what_belongs_to_others_is_neither_rented_out_nor_dispatched_stock_of_the_business(shop: Ledger) -> None:
    receive(shop, *({"sku": "gauge", "serial": f"G-{n}", "location": "store", "owner": "bank"} for n in (1, 2)))
    shop.post("rent", {"serial": "G-1", "to_holder": "customer 9"}, document="R-1", actor="ana")
    shop.post("deliver", {"serial": "G-2", "to_holder": "customer 7"}, actor="ana")
    told = measures(shop, skus=["gauge"])
    assert [told[name] for name in ("rentals", "dispatched", "owned")] == [0, 0, 0]


def test_balances_are_told_by_place_holder_and_owner(shop: Ledger) -> None:
    busy(shop)
    told = shop.balances(("holder", "owner", "status"), skus=["gauge"])
    by_customer = {row["holder"]: row for row in told.rows(named=True) if row["holder"]}
    assert by_customer["customer 7"]["dispatched"] == 1
    assert "customer 8" not in by_customer, "what belongs to a customer is no balance of the business"
    assert by_customer["customer 9"]["rentals"] == by_customer["customer 9"]["owned"] == 1
    assert shop.balances("location", skus="gauge")["location"].to_list()[0] == "north/store", "one name is one"


def test_what_is_expired_is_on_hand_and_not_available(shop: Ledger) -> None:
    day = dt.date(2026, 12, 1)
    receive(shop, {"sku": "oil", "lot": "A", "qty": Decimal("33.60"), "location": "tank", "expires_on": day})
    receive(shop, {"sku": "oil", "lot": "B", "qty": Decimal("0.05"), "location": "tank"})
    on = [shop.balances(("lot",), on=day + dt.timedelta(days=n))["available"].to_list() for n in (0, 1)]
    assert on == [[Decimal("33.60"), Decimal("0.05")], [Decimal("0.00"), Decimal("0.05")]]


def test_a_past_moment_is_the_sum_of_all_entries_up_to_it(shop: Ledger) -> None:
    busy(shop)
    receive(shop, {"sku": "filter", "qty": 5, "location": "shelf"})
    shop.post("move", {"sku": "filter", "qty": 2, "to_location": "van"}, actor="ana")
    with shop.store.session() as session:
        moves = session.rows("SELECT seq, goods_id, from_id, to_id, qty, unreserved, reserved FROM entry")
        kinds = dict(session.rows("SELECT account_id, kind FROM account"))
        head = session.rows("SELECT seq FROM tenant")[0][0]
    for seq in range(head + 1):
        held: Counter[str] = Counter()
        for at, _, left, came, qty, unreserved, reserved in moves:
            if at <= seq:
                held[kinds[left]] -= qty
                held[kinds[came]] += qty
                held["reserved"] += reserved - unreserved
        told = measures(shop, at=seq)
        assert (told["on_hand"], told["in_transit"], told["reserved"]) == (
            held["stock"],
            held["transit"],
            held["reserved"],
        )


def test_a_moment_is_a_number_a_time_or_a_day(shop: Ledger) -> None:
    seqs = busy(shop)
    assert measures(shop, at=seqs["received"])["on_hand"] == 8
    now = dt.datetime.now(dt.UTC)
    assert measures(shop, at=now) == measures(shop) == measures(shop, at=now.date())
    assert measures(shop, at=now - dt.timedelta(days=1))["owned"] == 0
    for wrong in (10_000, -1, "yesterday", True, dt.datetime(2026, 1, 1)):
        with pytest.raises(InputError) as caught:
            shop.balances(at=wrong)  # type: ignore[arg-type]
        assert caught.value.code in ("transaction_unknown", "argument_value")


def test_of_every_moment_the_last_transaction_until_then_is_known(shop: Ledger) -> None:
    busy(shop)
    with shop.store.session() as session:
        recorded = [at for (at,) in session.rows("SELECT recorded_at FROM txn ORDER BY seq")]
        now = Snapshot(session, shop.tenant)
        for number in range(1, len(recorded) + 1):
            for moment in (recorded[number - 1] - 1, recorded[number - 1], recorded[number - 1] + 1):
                assert now.seq_until(moment) == sum(at <= moment for at in recorded)
        assert now.seq_until(0) == 0
        assert now.seq_until(2**62) == len(recorded)


def test_of_several_that_were_recorded_in_one_moment_all_belong_to_it(
    empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_ledger.store.session() as session:
        assert Snapshot(session, empty_ledger.tenant).seq_until(2**62) == 0
    begun = time.time_ns() // 1000
    for number in range(9):
        microsecond = begun + number // 3
        monkeypatch.setattr(time, "time_ns", lambda now=microsecond: now * 1000)
        empty_ledger.define([{"sku": f"oil {number}"}], actor="ana")
    with empty_ledger.store.session() as session:
        now = Snapshot(session, empty_ledger.tenant)
        assert [now.seq_until(begun + moment) for moment in range(-1, 4)] == [0, 3, 6, 9, 9]


def test_what_makes_no_sense_is_told_all_at_once(shop: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        shop.balances(("sku", "shelf", "colour"))
    assert [problem.value for problem in caught.value.problems] == ["shelf", "colour"]
    with pytest.raises(InputError) as caught:
        shop.balances(("sku", "sku"))
    assert caught.value.code == "argument_value"
    with pytest.raises(InputError) as caught:
        shop.stock(skus=["filtre", "gauge"])
    assert [(p.code, p.value) for p in caught.value.problems] == [("sku_unknown", "filtre")]


def test_the_engine_runs_on_the_stock_of_the_ledger(shop: Ledger) -> None:
    busy(shop)
    receive(shop, {"sku": "filter", "qty": 5, "location": "shelf"}, {"sku": "filter", "qty": 5, "location": "van"})
    demand = {"line_id": ["X1", "X2"], "sku": ["filter", "gauge"], "qty": [7, 1]}
    planned = allocate(shop.stock(), demand, Policy(statuses=("available", "Available")), as_of=TODAY)
    assert planned.lines["allocated"].to_list() == [7, 0]
    live = shop.reserve([{"line_id": "X1", "sku": "filter", "qty": 7}], actor="bob", as_of=TODAY)
    assert [a["stock_id"] for a in live["lines"][0]["allocations"]] == planned.allocations["stock_id"].to_list()


def test_stock_shows_the_number_that_a_unit_has_now(shop: Ledger) -> None:
    receive(shop, {"sku": "gauge", "serial": "G-1", "location": "store"})
    shop.post("renumber", {"serial": "G-1", "new_serial": "G-1A"}, reason="label", actor="ana")
    assert shop.stock()["serial"].to_list() == ["G-1A"]
    assert shop.balances(("serial",))["serial"].to_list() == ["G-1A"]


def test_lines_and_allocations_say_what_is_promised_given_and_short(shop: Ledger) -> None:
    receive(shop, {"sku": "filter", "qty": 10, "location": "store"})
    answer = shop.reserve([{"line_id": "L1", "order_id": "O1", "sku": "filter", "qty": 12}], actor="bob", as_of=TODAY)
    (promise,) = answer["lines"][0]["allocations"]
    shop.post("ship", {"allocation_id": promise["allocation_id"], "qty": 4}, document="DC-1", actor="ana")
    (line,) = shop.lines().rows(named=True)
    assert (line["requested"], line["allocated"], line["shipped"], line["short"]) == (12, 6, 4, 2)
    (open_one,) = shop.allocations().rows(named=True)
    assert (open_one["line_id"], open_one["qty"], open_one["stage"]) == ("L1", 6, "reserved")


def test_the_views_agree_with_the_frames(shop: Ledger) -> None:
    busy(shop)
    receive(shop, {"sku": "oil", "lot": "A", "qty": Decimal("33.60"), "location": "tank"})
    with shop.store.session() as session:
        told = session.rows(f"SELECT sku, {', '.join(MEASURES)} FROM stock_balances ORDER BY sku")
        days = session.rows("SELECT DISTINCT CAST(received_on AS TEXT) FROM units")
    frame = shop.balances()
    assert [row[0] for row in told] == frame["sku"].to_list()
    for row, expected in zip(told, frame.rows(), strict=True):
        assert [float(value) for value in row[1:]] == pytest.approx([float(value) for value in expected[1:]])
    assert days == [(dt.datetime.now(dt.UTC).date().isoformat(),)]
