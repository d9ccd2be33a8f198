"""Units one by one: registered by the range, owned, metered, looked after, shipped with their papers."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.care import read_meter, record
from allocator.ledger.serials import change_ownership, duplicates, register_units, resolve_duplicate
from allocator.ledger.shipping import ship_units
from allocator.ledger.verify import verify
from ledger_stores import TODAY

CHILLER = {
    "sku": "CM500", "tracking": "serial", "generate": True, "number": {"pattern": "CM500-YYYY-NNNN", "reset": "yearly"},
    "meters": {"kWh": "kWh"}, "documents": ["warranty card"], "characteristics": {"calibrated_on": "day"},
}  # fmt: skip
SAID = {"actor": "ana", "document": "GRN-1"}


@pytest.fixture
def store(empty_ledger: Ledger) -> Ledger:
    empty_ledger.define([CHILLER, {"sku": "pump", "tracking": "serial"}], actor="ana")
    return empty_ledger


def refused(error: pytest.ExceptionInfo[InputError]) -> list[tuple[str, str]]:
    return [(problem.code, problem.column) for problem in error.value.problems]


def test_a_range_is_registered_whole_or_not_at_all(store: Ledger) -> None:
    packed = ["CM500-2025-0046..CM500-2025-0070"]
    with pytest.raises(InputError) as caught:
        register_units(
            store, "CM500", ["CM500-2025-0046 to CM500-2025-0071"], packing_list=packed, location="A", **SAID
        )
    assert [code for code, _ in refused(caught)] == ["number_unlisted"]
    answer = register_units(store, "CM500", packed, packing_list=packed, location="A", **SAID)
    assert (len(answer["serials"]), answer["serials"][-1]) == (25, "CM500-2025-0070")
    with pytest.raises(InputError) as caught:
        register_units(store, "CM500", ["CM500-2025-0069 to CM500-2025-0080"], location="A", **SAID)
    assert [code for code, _ in refused(caught)] == ["number_taken"] * 2
    assert store.balances()["on_hand"].to_list() == [25]
    two = {"count": 2, "location": "A", "day": dt.date(2026, 11, 22), "key": "k"} | SAID
    made = register_units(store, "CM500", **two)
    assert made["serials"] == ["CM500-2026-0001", "CM500-2026-0002"]
    assert register_units(store, "CM500", **two) == made
    with pytest.raises(InputError) as caught:
        register_units(store, "CM500", location="A", **SAID)
    assert refused(caught) == [("argument_value", "numbers")]


def test_a_duplicate_that_is_found_later_is_renumbered_or_retired(store: Ledger) -> None:
    store.define([{"sku": "pump 2", "tracking": "serial"}], actor="ana")
    for sku in ("pump", "pump 2"):
        register_units(store, sku, ["P-1", "P-2"], location=f"shelf {sku}", **SAID)
    assert duplicates(store).select("serial", "sku").rows() == [
        ("P-1", "pump"), ("P-1", "pump 2"), ("P-2", "pump"), ("P-2", "pump 2"),
    ]  # fmt: skip
    with pytest.raises(InputError) as caught:
        store.post("move", {"serial": "P-1", "to_location": "store"}, actor="ana")
    assert [code for code, _ in refused(caught)] == ["goods_ambiguous"]
    resolve_duplicate(store, "P-1", "pump 2", by="renumber", new_serial="P2-1", actor="ana")
    resolve_duplicate(store, "P-2", "pump", by="retire", actor="ana")
    assert duplicates(store).is_empty()
    store.post(
        "move", [{"serial": "P-1", "to_location": "store"}, {"serial": "P-2", "to_location": "store"}], actor="ana"
    )
    where = {(sku, serial): store.state(serial, sku=sku) for sku, serial in (("pump", "P-1"), ("pump 2", "P-2"))}
    assert [state["location"] for state in where.values()] == ["store", "store"], "the one that is still there is meant"
    assert store.state("P2-1")["serials_before"] == ["P-1"]
    with pytest.raises(InputError) as caught:
        resolve_duplicate(store, "P-1", "pump", by="renumber", actor="ana")
    assert refused(caught) == [("argument_value", "by")]
    assert verify(store).clean, verify(store)


def test_title_passes_with_its_kind_and_the_day_from_which_it_holds(store: Ledger) -> None:
    register_units(store, "pump", ["P-1"], location="A", **SAID)
    change_ownership(
        store, "P-1", "bank", kind="leased", effective_on=dt.date(2026, 12, 1), document="L-1", actor="ana"
    )
    state = store.state("P-1")
    assert (state["owner"], state["attributes"]) == ("bank", {"owner.kind": "leased", "owner.since": "2026-12-01"})
    assert store.history("P-1").filter(event="ownership")["day"].to_list() == [dt.date(2026, 12, 1)]
    with pytest.raises(InputError) as caught:
        change_ownership(store, "P-1", "bank", document="L-1", actor="ana")
    assert caught.value.code == "setting_conflict"


def test_a_meter_never_runs_backwards_unless_someone_says_why(store: Ledger) -> None:
    register_units(store, "CM500", ["CM500-2025-0046"], location="A", **SAID)
    read_meter(store, "CM500-2025-0046", "kWh", Decimal("120.5"), actor="bob")
    read_meter(store, "CM500-2025-0046", "kWh", Decimal("120.5"), actor="bob")
    with pytest.raises(InputError) as caught:
        read_meter(store, "CM500-2025-0046", "kWh", 99, actor="bob")
    assert refused(caught) == [("meter_backwards", "reading")]
    assert "120.5" in str(caught.value)
    read_meter(store, "CM500-2025-0046", "kWh", 0, correction="meter replaced", actor="bob")
    assert store.state("CM500-2025-0046")["attributes"]["meter.kWh"] == "0"
    for meter, reading, code in (("kwh", 1, "setting_unknown"), ("kWh", 1.5, "column_type")):
        with pytest.raises(InputError) as caught:
            read_meter(store, "CM500-2025-0046", meter, reading, actor="bob")  # type: ignore[arg-type]
        assert caught.value.code == code


def test_what_happens_to_a_unit_is_recorded_with_what_it_must_say(store: Ledger) -> None:
    register_units(store, "CM500", ["CM500-2025-0046"], location="A", **SAID)
    with pytest.raises(InputError) as caught:
        record(store, "CM500-2025-0046", "inspection", details={"inspecter": "eve"}, actor="eve")
    assert refused(caught) == [("setting_unknown", "inspecter"), ("value_null", "result"), ("value_null", "inspector")]
    with pytest.raises(InputError) as caught:
        record(store, "CM500-2025-0046", "inspektion", details={}, actor="eve")
    assert "inspection" in caught.value.problems[0].hint
    record(store, "CM500-2025-0046", "calibration", details={"certificate": "C-7"},
           attributes={"calibrated_on": TODAY}, actor="lab", day=TODAY)  # fmt: skip
    (told,) = store.history("CM500-2025-0046").filter(subject="calibration").rows(named=True)
    assert (told["event"], json.loads(told["details"])["details"]) == ("service", {"certificate": "C-7"})
    assert store.state("CM500-2025-0046")["attributes"] == {"calibrated_on": TODAY.isoformat()}


def test_units_are_shipped_with_carrier_tracking_number_and_their_papers(store: Ledger) -> None:
    one, two = register_units(store, "CM500", ["CM500-2025-0046..CM500-2025-0047"], location="A", **SAID)["serials"]
    promises = store.reserve([{"line_id": "L1", "sku": "CM500", "qty": 2}], actor="bob", as_of=TODAY)
    lines = [{"allocation_id": each["allocation_id"]} for each in promises["lines"][0]["allocations"]]
    said = {"carrier": "DHL", "service": "express", "tracking_number": "JJD01", "document": "DC-1", "actor": "pip"}
    papers = {one: {"waranty card": "W-1"}, "CM500-2025-0099": {"warranty card": "W-9"}}
    with pytest.raises(InputError) as caught:
        ship_units(store, lines, documents=papers, **said)
    assert [code for code, _ in refused(caught)] == [
        "setting_unknown", "document_missing", "document_missing", "goods_unknown",
    ]  # fmt: skip
    papers = {one: {"warranty card": "W-1"}, two: {"warranty card": "W-2", "certificate of conformity": "CoC-2"}}
    seq = ship_units(store, lines, documents=papers, **said)
    (told,) = store.history(one).filter(seq=seq).rows(named=True)
    references = json.loads(told["references"])
    assert (references["carrier"], references["tracking_number"], references["documents"]) == ("DHL", "JJD01", papers)
    assert store.state(one)["holder"] == "DHL"


def test_units_are_registered_by_a_process_that_knows_nothing_yet(store: Ledger, ledger_url: str) -> None:
    with Ledger.open(ledger_url) as fresh:
        answer = register_units(fresh, "pump", ["G-7"], location="A", document="GRN-7", actor="ana")
    assert answer["serials"] == ["G-7"]


def test_a_line_that_was_recorded_with_another_sku_is_told_by_a_process_that_does_not_know_that_one(
    store: Ledger, ledger_url: str
) -> None:
    with Ledger.open(ledger_url) as first:
        first.define([{"sku": "box"}, {"sku": "lid"}], actor="ana")
        line = {"sku": "box", "qty": 5, "location": "A"}
        first.post("receive", line, origin="supplier", document="GRN-8", actor="ana")
        first.reserve([{"line_id": "L1", "sku": "box", "qty": 2}], actor="bob")
    with Ledger.open(ledger_url) as fresh, pytest.raises(InputError, match="recorded with 2 of box"):
        fresh.reserve([{"line_id": "L1", "sku": "lid", "qty": 2}], actor="bob")
