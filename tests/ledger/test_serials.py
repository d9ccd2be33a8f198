"""Serials: their settings, numbers that are checked and made, duplicates, and numbers that are replaced."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger, change
from allocator.ledger.book import Book
from allocator.ledger.verify import verify
from ledger_stores import TODAY

CHILLER = {"sku": "CM500", "tracking": "serial", "generate": True,
           "number": {"pattern": "CM500-YYYY-NNNN", "reset": "yearly"}}  # fmt: skip
IN_2026 = dt.date(2026, 11, 22)
"""When units come in whose numbers say their year."""


def receive(ledger: Ledger, *lines: dict[str, Any], **said: Any) -> int:
    said = {"origin": "supplier", "document": "GRN-1", "actor": "ana", "day": TODAY} | said
    return ledger.post("receive", list(lines), **said)


def problems(error: pytest.ExceptionInfo[InputError]) -> list[tuple[str, str, int | None]]:
    return [(problem.code, problem.column, problem.row) for problem in error.value.problems]


def serials(ledger: Ledger) -> list[str]:
    return ledger.balances(["serial"])["serial"].drop_nulls().to_list()


def test_every_misspelt_or_senseless_setting_is_told_when_a_sku_is_defined(empty_ledger: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        empty_ledger.define([
            {"sku": "a", "warrenty": {"months": 24}},
            {"sku": "b", "tracking": "serial", "warranty": {"start": "birth", "months": 24}, "swap": "sometimes"},
            {"sku": "c", "tracking": "serial", "generate": True},
            {"sku": "d", "tracking": "lot", "number": {"pattern": "NNNN"}},
            {"sku": "e", "tracking": "serial", "number": {"pattern": "CM500"}},
        ], actor="ana")  # fmt: skip
    assert problems(caught) == [
        ("setting_unknown", "warrenty", 0), ("setting_value", "warranty.start", 1), ("setting_value", "swap", 1),
        ("setting_conflict", "generate", 2), ("setting_conflict", "number", 3),
        ("pattern_malformed", "number.pattern", 4),
    ]  # fmt: skip
    assert "warranty" in caught.value.problems[0].hint
    empty_ledger.define([{"sku": "a", "custom": {"colour": "red"}}], actor="ana")


def test_a_count_finds_no_second_unit_of_a_serial_and_a_lost_one_again(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "gauge", "tracking": "serial"}], actor="ana")
    receive(empty_ledger, {"sku": "gauge", "serial": "G-1", "location": "store"})
    (here,) = empty_ledger.stock()["stock_id"]
    up = {"event": "up", "qty": 1}
    with pytest.raises(InputError) as caught:
        empty_ledger.post("adjust", {"stock_id": here} | up, reason="count", actor="ana")
    assert problems(caught) == [("serial_quantity", "", 0)]
    with pytest.raises(InputError) as caught:
        empty_ledger.post("adjust", {"serial": "G-1"} | up, reason="count", actor="ana")
    assert problems(caught) == [("goods_unknown", "serial", 0)]
    empty_ledger.post("adjust", {"serial": "G-1"}, reason="count", actor="ana")
    assert not serials(empty_ledger)
    empty_ledger.post("adjust", {"serial": "G-1"} | up, reason="count", actor="ana")
    assert serials(empty_ledger) == ["G-1"]


def test_numbers_are_made_without_gaps_begin_anew_each_year_and_leave_out_what_is_taken(empty_ledger: Ledger) -> None:
    empty_ledger.define([CHILLER], actor="ana")
    receive(empty_ledger, {"sku": "CM500", "qty": 2, "location": "store"}, day=IN_2026)
    receive(empty_ledger, {"sku": "CM500", "serial": "cm500-2026-0003", "location": "store"}, day=IN_2026)
    receive(empty_ledger, {"sku": "CM500", "qty": 2, "location": "store"}, day=IN_2026)
    receive(empty_ledger, {"sku": "CM500", "location": "store", "received_on": dt.date(2027, 1, 2)}, day=IN_2026)
    assert serials(empty_ledger) == [*(f"CM500-2026-000{n}" for n in range(1, 6)), "CM500-2027-0001"]


def test_a_receipt_that_is_refused_uses_no_number_up(empty_ledger: Ledger) -> None:
    empty_ledger.define([CHILLER], actor="ana")
    with pytest.raises(InputError):
        receive(
            empty_ledger,
            {"sku": "CM500", "qty": 2, "location": "store"},
            {"sku": "CM500", "serial": "X", "location": "store"},
        )
    receive(empty_ledger, {"sku": "CM500", "location": "store"}, day=IN_2026)
    assert serials(empty_ledger) == ["CM500-2026-0001"]


def test_a_refused_receipt_leaves_its_numbers_to_those_that_are_written_with_it(empty_ledger: Ledger) -> None:
    empty_ledger.define([CHILLER], actor="ana")
    heading = empty_ledger.heading("receive", actor="ana", document="GRN-1", day=IN_2026)
    units = {"sku": "CM500", "qty": 2, "location": "store"}

    def both(book: Book) -> int:
        with pytest.raises(InputError):
            change.post(book, heading, [units, {"sku": "CM500", "serial": "X", "location": "store"}], "supplier")
        return change.post(book, heading, [units], "supplier")

    empty_ledger.do(both, heading)
    assert serials(empty_ledger) == ["CM500-2026-0001", "CM500-2026-0002"]


def test_a_manual_number_is_checked_against_the_format_and_a_sequence_can_end(empty_ledger: Ledger) -> None:
    small = {"sku": "S", "tracking": "serial", "generate": True, "number": {"pattern": "S-N"}}
    empty_ledger.define([CHILLER, small], actor="ana")
    with pytest.raises(InputError) as caught:
        receive(
            empty_ledger,
            {"sku": "CM500", "serial": "CM500-26-1", "location": "store"},
            {"sku": "S", "qty": 10, "location": "store"},
        )
    assert problems(caught)[:2] == [("number_pattern", "serial", 0), ("sequence_overflow", "qty", 1)]
    assert "CM500-YYYY-NNNN" in caught.value.problems[0].hint


RECEIVES = """
import datetime, sys
from allocator.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    for _ in range(5):
        line = {"sku": "CM500", "qty": 2, "location": "store"}
        ledger.post("receive", line, origin="supplier", document="G", actor="ana", day=datetime.date(2026, 11, 22))
"""


def test_two_processes_make_numbers_at_once_without_a_gap_or_a_double(empty_ledger: Ledger) -> None:
    empty_ledger.define([CHILLER], actor="ana")
    workers = [subprocess.Popen([sys.executable, "-c", RECEIVES, empty_ledger.store.url]) for _ in range(2)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert serials(empty_ledger) == [f"CM500-2026-{n:04}" for n in range(1, 21)]


def test_a_duplicate_is_refused_naming_the_unit_its_sku_and_where_it_is(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "gauge", "tracking": "serial"}, {"sku": "phone", "tracking": "serial"}], actor="ana")
    receive(empty_ledger, {"sku": "gauge", "serial": "G-1", "location": "shelf 4"})
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, {"sku": "gauge", "serial": "G-1", "location": "store"})
    assert problems(caught) == [("number_taken", "serial", 0)]
    assert "unit G-1 of gauge already, which is in stock at shelf 4" in str(caught.value)
    imei = {"numbers": {"imei": "35-209900-176148-1"}}
    receive(empty_ledger, {"sku": "phone", "serial": "P-1", "location": "store", **imei})
    with pytest.raises(InputError) as caught:
        receive(
            empty_ledger, {"sku": "phone", "serial": "P-2", "location": "store", "numbers": {"imei": "352099001761481"}}
        )
    assert "the imei belongs to unit P-1 of phone" in str(caught.value)


def test_further_numbers_are_of_kinds_that_are_known_and_well_formed(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "phone", "tracking": "serial", "identifiers": ["asset tag"]}], actor="ana")
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, {"sku": "phone", "serial": "P-1", "location": "store",
                               "numbers": {"iemi": "1", "mac": "zz", "asset tag": "A 7"}})  # fmt: skip
    assert problems(caught) == [("setting_unknown", "numbers.iemi", 0), ("identifier_malformed", "numbers.mac", 0)]
    receive(empty_ledger, {"sku": "phone", "serial": "P-1", "location": "store",
                           "numbers": {"mac": "001a.2b3c.4d5e", "asset tag": "A 7"}})  # fmt: skip
    assert empty_ledger.state("A 7")["numbers"] == {"asset tag": "A 7", "mac": "00:1A:2B:3C:4D:5E"}


def test_characteristics_are_those_of_the_sku_and_of_their_type(empty_ledger: Ledger) -> None:
    declared = {"firmware": {"type": "version", "required": True}, "calibrated_on": "day", "ports": "integer"}
    empty_ledger.define([{"sku": "gauge", "tracking": "serial", "characteristics": declared}], actor="ana")
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, {"sku": "gauge", "serial": "G-1", "location": "store",
                               "attributes": {"firmwere": "2.1", "calibrated_on": "May", "ports": "two"}})  # fmt: skip
    assert problems(caught) == [
        ("setting_unknown", "attributes.firmwere", 0), ("value_text", "attributes.calibrated_on", 0),
        ("value_text", "attributes.ports", 0), ("value_null", "attributes.firmware", 0),
    ]  # fmt: skip
    given = {"firmware": "v2.1.4", "calibrated_on": TODAY, "ports": 4, "custom.colour": "red"}
    receive(empty_ledger, {"sku": "gauge", "serial": "G-1", "location": "store", "attributes": given})
    kept = {"firmware": "2.1.4", "calibrated_on": TODAY.isoformat(), "ports": "4", "custom.colour": "red"}
    assert empty_ledger.state("G-1")["attributes"] == dict(sorted(kept.items()))


def test_a_replaced_number_keeps_finding_its_unit_and_is_never_given_to_another(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "gauge", "tracking": "serial"}], actor="ana")
    receive(empty_ledger, {"sku": "gauge", "serial": "G-1", "location": "store"})
    empty_ledger.post("renumber", {"serial": "G-1", "new_serial": "G-9"}, reason="label lost", actor="ana")
    empty_ledger.post("renumber", {"serial": "G-1", "new_serial": "G-10"}, reason="entry error", actor="ana")
    assert empty_ledger.state("G-9")["serial"] == "G-10"
    for serial in ("G-1", "G-9"):
        with pytest.raises(InputError) as caught:
            receive(empty_ledger, {"sku": "gauge", "serial": serial, "location": "store"})
        assert "the serial belonged to unit G-10 of gauge" in str(caught.value)


def test_what_is_no_thing_is_never_in_stock(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "licence", "stockable": False}], actor="ana")
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, {"sku": "licence", "qty": 1, "location": "store"})
    assert problems(caught) == [("tracking_mismatch", "sku", 0)]


def test_a_unit_whose_receipt_was_reversed_can_be_received_again_as_it_came(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "gauge", "tracking": "both"}], actor="ana")
    came = {"sku": "gauge", "serial": "G-1", "lot": "A", "location": "stor", "numbers": {"mac": "00:11:22:33:44:55"},
            "received_on": dt.date(2026, 11, 20), "expires_on": dt.date(2027, 11, 20), "unit_cost": "5"}  # fmt: skip
    wrong = receive(empty_ledger, came)
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, came | {"location": "store"})
    assert problems(caught) == [("number_taken", "serial", 0)]
    empty_ledger.reverse(wrong, reason="wrong place", actor="ana")
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, came | {"location": "store", "lot": "B", "expires_on": None, "received_on": TODAY})
    assert caught.value.problems[0].hint.endswith("with lot A, received_on 2026-11-20, expires_on 2027-11-20")
    receive(empty_ledger, came | {"location": "store"})
    assert empty_ledger.balances(["serial", "location"])["location"].to_list() == ["store"]
    assert empty_ledger.state("00:11:22:33:44:55")["serial"] == "G-1"
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, came)
    assert problems(caught) == [("number_taken", "serial", 0)]
    assert verify(empty_ledger).clean
