"""Arguments that make no sense: one typed error that names each, before anything is done (invariant 40)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from allocator.errors import AllocatorError, InputError, StoreError
from allocator.ledger import Ledger
from allocator.ledger.verify.dump import canonical_dump
from ledger_stores import STRANGE, receive, shop

__all__ = ["shop"]

GAUGE = {"sku": "gauge", "serial": "G-1", "location": "yard"}
LINE = {"line_id": "L1", "sku": "gauge", "qty": 1}
CALLS: dict[str, Callable[[Ledger, Any], object]] = {
    "the type": lambda ledger, each: ledger.post(each, [GAUGE], actor="ana"),
    "the lines": lambda ledger, each: ledger.post("move", each, actor="ana"),
    "the origin": lambda ledger, each: ledger.post("receive", [GAUGE], origin=each, document="D", actor="ana"),
    "the references": lambda ledger, each: ledger.post("move", [GAUGE], details=each, actor="ana"),
    "what is reversed": lambda ledger, each: ledger.reverse(each, reason="error", actor="ana"),
    "the policy": lambda ledger, each: ledger.reserve([LINE], each, actor="ana"),
    "the demand": lambda ledger, each: ledger.reserve(each, actor="ana"),
    "the time of a hold": lambda ledger, each: ledger.reserve([LINE], hold_s=each, actor="ana"),
    "the order that is confirmed": lambda ledger, each: ledger.confirm(order_id=each, actor="ana"),
    "the allocations that are confirmed": lambda ledger, each: ledger.confirm(allocation_ids=each, actor="ana"),
    "one allocation that is released": lambda ledger, each: ledger.release(allocation_ids=[each], actor="ana"),
    "the order that is released": lambda ledger, each: ledger.release(order_id=each, actor="ana"),
    "the key": lambda ledger, each: ledger.outcome(each),
    "the SKUs that are defined": lambda ledger, each: ledger.define(each, actor="ana"),
    "a SKU that is defined": lambda ledger, each: ledger.define([each], actor="ana"),
    "the name of a SKU": lambda ledger, each: ledger.define([{"sku": each}], actor="ana"),
    "the lifecycle of a SKU": lambda ledger, each: ledger.define([{"sku": "n", "lifecycle": each}], actor="ana"),
    "a lifecycle": lambda ledger, each: ledger.define(lifecycles=[each], actor="ana"),
    "what balances are told by": lambda ledger, each: ledger.balances(each),
    "one column of balances": lambda ledger, each: ledger.balances([each]),
    "the moment": lambda ledger, each: ledger.balances(at=each),
    "the day of expiry": lambda ledger, each: ledger.balances(on=each),
    "the SKUs of balances": lambda ledger, each: ledger.balances(skus=each),
    "one SKU of the stock": lambda ledger, each: ledger.stock(skus=[each]),
    "the serial of a history": lambda ledger, each: ledger.history(each),
    "the SKU of a history": lambda ledger, each: ledger.history("G-1", sku=each),
    "the lot of a history": lambda ledger, each: ledger.history(lot=each),
    "the stock row of a history": lambda ledger, each: ledger.history(stock_id=each),
    "the document of a history": lambda ledger, each: ledger.history(document=each),
    "the line of a history": lambda ledger, each: ledger.history(line_id=each),
    "the order of a history": lambda ledger, each: ledger.history(order_id=each),
    "the end of a history": lambda ledger, each: ledger.history("G-1", until=each),
    "the unit of a state": lambda ledger, each: ledger.state(each),
    "the moment of a state": lambda ledger, each: ledger.state("G-1", at=each),
    "the unit of an origin": lambda ledger, each: ledger.origin(each),
    "the stock row of an origin": lambda ledger, each: ledger.origin(stock_id=each),
    "the document that moved things": lambda ledger, each: ledger.whereabouts(each),
    "the unit that is somewhere": lambda ledger, each: ledger.whereabouts(serial=each),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_anything_gives_an_answer_or_an_error_of_this_package(
    shop: Ledger, call: Callable[[Ledger, Any], object]
) -> None:
    receive(shop, GAUGE)
    for each in STRANGE:
        try:
            call(shop, each)
        except AllocatorError as error:
            assert "internal" not in {problem.code for problem in error.problems}, each


def test_settings_that_can_not_be_written_down_are_refused(shop: Ledger) -> None:
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for custom in (ring, deep, {1: 2, "x": 3}, {"x": "\ud800"}):
        with pytest.raises(InputError):
            shop.define([{"sku": "new", "custom": custom}], actor="ana")


def test_every_argument_of_a_wrong_type_is_named(shop: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        shop.history(5, document=b"D", stock_id=1.5)  # type: ignore[arg-type]
    told = [(problem.code, problem.column, problem.value) for problem in caught.value.problems]
    assert told == [("argument_type", each, kind) for each, kind in
                    (("serial", "int"), ("stock_id", "float"), ("document", "bytes"))]  # fmt: skip
    with pytest.raises(InputError, match="argument_type"):
        shop.balances(5)  # type: ignore[arg-type]


def test_numbers_and_names_may_come_as_columns(shop: Ledger) -> None:
    receive(shop, GAUGE, GAUGE | {"serial": "G-2"})
    shop.reserve([LINE | {"qty": 2}], actor="bob")
    shop.release(allocation_ids=shop.allocations()["allocation_id"][:1], actor="bob")  # type: ignore[arg-type]
    left = np.array(shop.allocations()["allocation_id"])
    shop.release(allocation_ids=left, actor="bob")  # type: ignore[arg-type]
    assert shop.allocations().is_empty()
    assert shop.balances(skus=pl.Series(["gauge"]))["on_hand"].to_list() == [2]  # type: ignore[arg-type]


def test_a_unit_is_moved_once_by_one_transaction_whichever_number_names_it(shop: Ledger) -> None:
    receive(shop, GAUGE)
    shop.post("renumber", {"serial": "G-1", "new_serial": "G-1A"}, reason="label", actor="ana")
    before = canonical_dump(shop)
    lines = [{"serial": serial, "to_location": place} for serial, place in (("G-1", "north"), ("G-1A", "south"))]
    with pytest.raises(InputError) as caught:
        shop.post("move", lines, actor="ana")
    assert [(problem.code, problem.row) for problem in caught.value.problems] == [("serial_duplicate", 1)]
    assert canonical_dump(shop) == before


def test_a_reason_that_reads_as_two_blocks_nothing(shop: Ledger) -> None:
    receive(shop, GAUGE)
    with pytest.raises(InputError, match="a block is for one reason"):
        shop.post("block", {"serial": "G-1"}, reason="quality+recall", actor="ana")
    assert shop.state("G-1")["blocks"] is None


def test_a_ledger_of_a_newer_version_is_not_touched(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger, ledger.store.session("write") as session:
        session.run("UPDATE alembic_version SET version_num = 'later'")
    with pytest.raises(StoreError, match="a newer version of this package keeps this ledger") as caught:
        Ledger.open(ledger_url)
    assert [problem.code for problem in caught.value.problems] == ["store_newer"]


def test_a_file_that_is_no_ledger_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a ledger")
    with pytest.raises(StoreError, match="the file is no SQLite database"):
        Ledger.open(f"sqlite:///{file}")
    assert file.read_text() == "not a ledger"


def test_everything_that_is_wrong_with_a_receipt_is_told_at_once(shop: Ledger) -> None:
    receive(shop, GAUGE)
    wrong = GAUGE | {"qty": 2, "status": "Broken", "numbers": {"imei": "1"}}
    with pytest.raises(InputError) as caught:
        receive(shop, wrong, {"sku": "oil", "location": "yard", "qty": -1}, {"qty": 1})
    told = {(problem.row, problem.column, problem.code) for problem in caught.value.problems}
    assert told == {
        (0, "qty", "serial_quantity"), (0, "to_status", "status_unknown"), (0, "numbers.imei", "identifier_malformed"),
        (0, "serial", "number_taken"), (1, "lot", "tracking_mismatch"), (1, "qty", "qty_out_of_range"),
        (2, "sku", "value_null"), (2, "location", "value_null"),
    }  # fmt: skip


TOLD_IN_VAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "an expiry on a move": ("move", {"to_location": "shop", "expires_on": dt.date(2027, 1, 1)}),
    "a day of receipt on a count": ("adjust", {"received_on": dt.date(2026, 1, 1)}),
    "a note on a line of a block": ("block", {"note": "wet"}),
    "a characteristic on a change of status": ("change_status", {"to_condition": "used", "attributes": {"room": "1"}}),
    "a number beside a new serial": ("renumber", {"new_serial": "G-2", "numbers": {"mac": "00:1B:44:11:3A:B7"}}),
    "a new serial on a scrapping": ("scrap", {"new_serial": "G-2"}),
}


@pytest.mark.parametrize(("kind", "said"), TOLD_IN_VAIN.values(), ids=TOLD_IN_VAIN)
def test_what_a_type_does_not_record_is_not_taken_in_silence(shop: Ledger, kind: str, said: dict[str, Any]) -> None:
    receive(shop, GAUGE)
    before = canonical_dump(shop)
    with pytest.raises(InputError) as caught:
        shop.post(kind, [{"serial": "G-1", **said}], reason="quality", actor="ana")
    (problem,) = caught.value.problems
    assert (problem.code, problem.column, problem.row) == ("setting_conflict", list(said)[-1], 0)
    assert "tell it by" in (problem.hint or "")
    assert canonical_dump(shop) == before


def test_what_comes_from_a_transfer_keeps_what_it_was_received_with(shop: Ledger) -> None:
    receive(shop, GAUGE)
    shop.post("ship", [{"serial": "G-1", "to_holder": "van"}], document="DC-1", actor="ana")
    line = {"serial": "G-1", "to_location": "shop", "expires_on": dt.date(2027, 1, 1)}
    with pytest.raises(InputError, match="receive does not record this") as caught:
        shop.post("receive", [line], origin="transfer", document="GRN-2", actor="ana")
    assert [(problem.column, problem.value) for problem in caught.value.problems] == [("expires_on", "2027-01-01")]


@pytest.mark.parametrize("name", ["teleport", "reserve", 7, ["receive"]], ids=str)
def test_a_type_that_post_does_not_take_is_told_with_all_else(shop: Ledger, name: Any) -> None:
    with pytest.raises(InputError) as caught:
        shop.post(name, {"sku": "filter", "qty": 1.5, "where": "store"}, actor="", document="a\0", details=[])  # type: ignore[arg-type]
    told = [(problem.code, problem.column) for problem in caught.value.problems]
    assert told == [
        ("transaction_unknown", "type"), ("argument_type", "details"), ("text_nul", "document"),
        ("column_type", "qty"), ("setting_unknown", "where"),
    ]  # fmt: skip


def test_what_a_transaction_lacks_is_told_with_what_is_wrong_with_its_lines(shop: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        shop.post("receive", {"sku": "filter", "qty": 1.5}, origin="supplier", actor="ana")
    assert [problem.code for problem in caught.value.problems] == ["document_missing", "column_type"]


def test_what_a_demand_line_says_can_be_written_down_or_is_refused(shop: Ledger) -> None:
    receive(shop, GAUGE)
    ring: dict[str, Any] = {}
    ring["ring"] = ring
    before = canonical_dump(shop)
    nowhere = (Decimal("NaN"), Decimal("-Infinity"), [Decimal("sNaN")], ring, 10**5_000, {("a",): 1}, {"x": "\ud800"})
    for wrong in nowhere:
        for lines in ([LINE | {"wave": wrong}], [LINE | {"line_id": f"L{n}", "wave": wrong} for n in range(1_001)]):
            with pytest.raises(InputError) as caught:
                shop.reserve(lines, actor="bob")
            assert {(problem.code, problem.column) for problem in caught.value.problems} == {("column_type", "wave")}
    with pytest.raises(InputError, match="value_text"):
        shop.reserve([LINE | {"line_id": 10**5_000, "sku": -(10**5_000), "unit": "box"}], actor="bob")
    assert canonical_dump(shop) == before
    assert shop.reserve([LINE | {"": "a column without a name"}], actor="bob")["lines"][0]["allocated"] == 1


def test_half_a_character_in_what_was_given_can_be_printed_in_the_error(shop: Ledger) -> None:
    for call in (lambda: shop.stock(at="\ud800"), lambda: shop.post("note", [{"\udfff": "é"}], actor="ana")):  # type: ignore[arg-type]
        with pytest.raises(InputError) as caught:
            call()
        assert "udfff" in str(caught.value) or "ud800" in str(caught.value)
        assert str(caught.value).encode()


def test_a_number_that_is_too_long_for_a_text_is_refused(shop: Ledger) -> None:
    for number in (10**200, -(10**5_000)):
        with pytest.raises(InputError, match="value_text"):
            shop.post("receive", GAUGE | {"serial": number}, origin="supplier", document="D", actor="ana")
    receive(shop, GAUGE | {"serial": 8988211000000123456789})
    assert shop.state("8988211000000123456789")["location"] == "yard"


def test_an_allocation_that_is_named_twice_is_released_once(shop: Ledger) -> None:
    receive(shop, GAUGE)
    shop.reserve([LINE], actor="bob")
    (number,) = shop.allocations()["allocation_id"]
    shop.release(allocation_ids=[number, number], actor="bob")
    assert shop.balances()["reserved"].to_list() == [0]
