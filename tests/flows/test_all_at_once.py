"""A refusal tells everything that is wrong with what is asked, of whatever kind it is, and not the first of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.flows import assets, devices, quality, scanning
from allocator.flows import partner as flow
from allocator.ledger import Ledger
from flows import orders as packing
from flows import shop as selling
from flows import yard as hauling
from flows.network import DESK, OLGA, SAM, WALT, shipped, stocked
from flows.orders import OMS, PAM
from flows.shop import BILL
from flows.yard import OFF


def told(function: Callable[..., Any], *said: Any, **more: Any) -> list[tuple[str, str, int | None]]:
    """Code, column and row of every problem of a step that is refused."""
    with pytest.raises(InputError) as refusal:
        function(*said, **more)
    return [(each.code, each.column, each.row) for each in refusal.value.problems]


def test_a_request_for_a_partner_that_is_not_there_from_no_warehouse_of_no_such_part(partners: Ledger) -> None:
    partners.define([{"sku": "desk"}], actor="ada")
    lines: list[dict[str, Any]] = [
        {"sku": "valve", "qty": 21}, {"sku": "vlave", "qty": 1}, {"sku": "seal", "qty": "0.5"},
        {"sku": "desk", "qty": 1}, {"sku": "seal", "qty": 1},
    ]  # fmt: skip
    assert told(flow.raise_request, partners, lines, OLGA, party="ASP-9", warehouse="Nowhere") == [
        ("site_unknown", "party", None), ("site_unknown", "warehouse", None), ("sku_unknown", "sku", 1),
        ("qty_step", "qty", 2), ("setting_conflict", "sku", 3), ("id_duplicate", "sku", 4),
    ]  # fmt: skip
    # Once it is known whose limits hold, what is above them is told beside what makes no sense.
    assert told(flow.raise_request, partners, lines[:2], SAM) == [
        ("sku_unknown", "sku", 1),
        ("limit_exceeded", "qty", 0),
    ]


def test_a_job_without_a_customer_at_a_moment_without_a_zone(partners: Ledger) -> None:
    said: dict[str, Any] = {"customer": " ", "service_order": "", "required_by": dt.datetime(2026, 6, 30)}
    assert told(flow.raise_indent, partners, [{"sku": "valve"}], DESK, **said) == [
        ("value_null", "qty", 0), ("value_empty", "customer", None), ("value_empty", "service_order", None),
        ("argument_value", "required_by", None),
    ]  # fmt: skip
    job = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-9"}
    assert told(flow.raise_indent, partners, [{"sku": "vlave", "qty": 1}, {"sku": "seal", "qty": 0}], DESK, **job) == [
        ("site_unknown", "party", None), ("sku_unknown", "sku", 0), ("qty_out_of_range", "qty", 1),
    ]  # fmt: skip


def test_a_site_that_is_not_there_is_named_without_a_reason(partners: Ledger) -> None:
    job = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-1"}
    number = flow.raise_indent(partners, [{"sku": "valve", "qty": 1}], DESK, **job)["number"]
    assert told(flow.assign_indent, partners, number, DESK, site="ASP-9") == [
        ("reason_missing", "reason", None), ("site_unknown", "site", None),
    ]  # fmt: skip


def test_a_counted_line_has_a_condition_and_a_part_that_there_are_not(partners: Ledger) -> None:
    number = shipped(partners, [{"sku": "valve", "qty": 2}])["number"]
    counted = [{"sku": "vlave", "qty": 1, "condition": "fine"}, {"condition": "dusty"}]
    assert told(flow.receive_shipment, partners, number, SAM, counted=counted) == [
        ("argument_value", "condition", 0), ("sku_unknown", "sku", 0), ("argument_value", "condition", 1),
        ("value_null", "sku", 1), ("value_null", "qty", 1),
    ]  # fmt: skip


def test_a_difference_that_does_not_end_so_and_a_repair_that_does_not(partners: Ledger) -> None:
    number = shipped(partners, [{"sku": "valve", "qty": 2}])["number"]
    receipt = flow.receive_shipment(partners, number, SAM, counted=[{"sku": "valve", "qty": 1}])["number"]
    assert told(flow.settle_difference, partners, receipt, 2, "scrapped", OLGA) == [
        ("argument_value", "outcome", None), ("reason_missing", "reason", None),
    ]  # fmt: skip
    job = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-1"}
    stocked(partners, [{"sku": "valve", "qty": 1}])
    indent = flow.raise_indent(partners, [{"sku": "valve", "qty": 1}], DESK, **job)["number"]
    flow.allocate_indent(partners, indent, SAM)
    out = flow.issue_challan(partners, indent, SAM, holder="tim")
    flow.consume(partners, out["number"], [{"line": 1}], SAM)
    assert told(flow.waive_defective, partners, out["reverse"], 7, OLGA, reason="") == [
        ("reason_missing", "reason", None), ("line_unknown", "line", None),
    ]  # fmt: skip
    assert told(flow.inward_defectives, partners, out["reverse"], [{"line": 1, "sku": "pump", "qty": 2}], SAM) == [
        ("qty_out_of_range", "qty", 0), ("tracking_mismatch", "serial", 0),
    ]  # fmt: skip
    flow.inward_defectives(partners, out["reverse"], [{"line": 1}], SAM)
    repair = flow.send_to_repair(partners, [{"sku": "valve", "qty": 1}], SAM)["number"]
    assert told(flow.finish_repair, partners, repair, 3, "scrapped", SAM) == [
        ("reason_missing", "reason", None), ("line_unknown", "line", None),
    ]  # fmt: skip


def test_what_ships_has_rates_of_its_own_parts_and_references_that_can_be_written(partners: Ledger) -> None:
    number = flow.raise_request(partners, [{"sku": "valve", "qty": 2}], SAM)["number"]
    flow.decide_request(partners, number, [{"line": 1, "qty": 2}], OLGA)
    flow.allocate_request(partners, number, WALT)
    flow.pick_request(partners, number, WALT)
    with pytest.raises(InputError) as refusal:
        flow.ship_request(partners, number, WALT, carrier="DHL", rates={"vlave": 3, "valve": -1})
    assert [(each.code, each.column) for each in refusal.value.problems] == [
        ("sku_unknown", "vlave"), ("money_out_of_range", "valve"),
    ]  # fmt: skip
    # It named the rate of a part that does not ship: taken for another's, the part had shipped at what it costs.
    assert "valve" in refusal.value.problems[0].hint


def test_goods_go_back_to_no_warehouse_and_are_none_that_could(partners: Ledger) -> None:
    assert told(flow.raise_return, partners, [{"serial": "P-0"}], SAM, warehouse="Nowhere") == [
        ("goods_unknown", "", 0), ("site_unknown", "warehouse", None),
    ]  # fmt: skip


def test_an_order_of_devices_tells_all_that_is_wrong_with_it(shop: Ledger) -> None:
    assert told(devices.place_order, shop, [{"sku": "router"}], selling.DESK, customer="", number=" ") == [
        ("value_null", "qty", 0), ("value_empty", "customer", None), ("value_empty", "number", None),
    ]  # fmt: skip
    lines = [{"sku": "ruoter", "qty": 1}, {"sku": "cable", "qty": 0}]
    assert told(devices.place_order, shop, lines, selling.DESK, customer="Metro") == [
        ("sku_unknown", "sku", 0), ("qty_out_of_range", "qty", 1),
    ]  # fmt: skip
    assert told(devices.invoice_sale, shop, [{"sku": "cable"}, {"serial": "R-1"}], BILL, customer="") == [
        ("value_null", "sku", 1), ("value_null", "qty", 0), ("value_empty", "customer", None),
    ]  # fmt: skip
    assert told(devices.issue_credit_note, shop, "INV-1", BILL, parts=[{"qty": 1.5}], reason="") == [
        ("column_type", "qty", 0), ("reason_missing", "reason", None),
    ]  # fmt: skip
    shop.define([{"sku": "tape", "lifecycle": "device", "rentable": False}], actor="ada")
    assert told(devices.rent_device, shop, "tape", selling.DESK, customer="Metro") == [
        ("tracking_mismatch", "sku", None), ("device_unfit", "sku", None),
    ]  # fmt: skip
    assert told(devices.rent_device, shop, "router", selling.DESK, customer="", serial=" ") == [
        ("value_empty", "customer", None), ("value_empty", "serial", None),
    ]  # fmt: skip
    assert told(devices.open_subscription, shop, selling.DESK, customer="", number=" ") == [
        ("value_empty", "customer", None), ("value_empty", "number", None),
    ]  # fmt: skip
    assert told(devices.register_devices, shop, [{"sku": "phone"}], selling.DESK) == [
        ("value_null", "serial", 0), ("value_empty", "customer", None),
    ]  # fmt: skip


def test_an_order_that_is_packed_and_its_box_tell_all_that_is_wrong_with_them() -> None:
    with Ledger.open("sqlite://") as ledger:
        packing.set_up(ledger)
        lines = [{"sku": "phoen", "qty": 1}, {"sku": "cable", "qty": "0.001"}]
        assert told(scanning.place_order, ledger, lines, OMS, customer="Metro") == [
            ("sku_unknown", "sku", 0), ("qty_step", "qty", 1), ("argument_missing", "place", None),
        ]  # fmt: skip
        assert told(scanning.place_order, ledger, [], OMS, customer="", number=" ", place=" ") == [
            ("argument_value", "", None), ("value_empty", "customer", None), ("value_empty", "number", None),
            ("value_empty", "place", None),
        ]  # fmt: skip
        assert told(scanning.assign_operators, ledger, "CO-1", packing.SUE, picking=" ", packing=" ") == [
            ("value_empty", "picking", None), ("value_empty", "packing", None),
        ]  # fmt: skip
        packing.ordered(ledger, [{"sku": "CM-500", "qty": 1}])
        scanning.scan(ledger, "CO-000001", "CM500-2025-0046", PAM)
        scanning.save_box(ledger, "BOX-000001", PAM)
        assert told(scanning.confirm_box, ledger, "BOX-000001", PAM, length_mm=0, width_mm=200) == [
            ("argument_value", "length_mm", None), ("argument_missing", "height_mm", None),
        ]  # fmt: skip


def test_an_order_of_an_asset_and_a_block_tell_all_that_is_wrong_with_them(shop: Ledger) -> None:
    with Ledger.open("sqlite://") as ledger:
        hauling.set_up(ledger)
        assert told(assets.order_asset, ledger, "20yd", OFF, site="", material=" ", number=" ") == [
            ("value_empty", "site", None), ("value_empty", "material", None), ("value_empty", "number", None),
        ]  # fmt: skip
        assert told(assets.order_asset, ledger, "30yd", OFF, site="Acme", exchanges="AO-9") == [
            ("sku_unknown", "sku", None), ("document_unknown", "number", None),
        ]  # fmt: skip
    quinn = selling.Person("quinn", "quality")
    assert told(quality.block_goods, shop, [{"sku": "cable", "qty": 1.5}], quinn, reason="") == [
        ("column_type", "qty", 0), ("reason_missing", "reason", None),
    ]  # fmt: skip
    assert told(quality.clear_recalled, shop, "RC-1", [{"qty": 1.5}], quinn, note="") == [
        ("column_type", "qty", 0), ("note_missing", "note", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "said", "column"),
    [(flow.raise_request, {"lines": [{"sku": "valve", "qty": 1}], "kind": "wish"}, "kind"),
     (flow.issue_challan, {"indent": "IN-1", "to": "custmoer"}, "to")],
)  # fmt: skip
def test_a_word_of_a_closed_list_is_one_of_it(partners: Ledger, step: Any, said: dict[str, Any], column: str) -> None:
    """Anything else went as it was: a challan to a `custmoer` handed the parts to the customer."""
    assert told(step, partners, person=SAM, **said) == [("argument_value", column, None)]


def test_a_refusal_says_what_helps(partners: Ledger) -> None:
    """Walked at the counter: what stood there without a word on what to do next."""

    def hints(function: Callable[..., Any], *said: Any, **more: Any) -> list[str]:
        with pytest.raises(InputError) as refusal:
            function(partners, *said, **more)
        return [f"{each.code}: {each.hint}" for each in refusal.value.problems]

    asked = [{"sku": "valve", "qty": "three"}, {"sku": "valve", "qty": -1}, {"sku": "seal", "qty": 2}]
    three, below = hints(flow.raise_request, asked, SAM)
    assert "As in 3" in three and below.startswith("qty_out_of_range")
    number = flow.raise_request(partners, asked[2:], SAM)["number"]
    decisions = [{"line": 7, "qty": 1}, {"line": 1, "qty": 1}]
    assert hints(flow.decide_request, number, decisions, OLGA) == [
        "line_unknown: There are line 1", "reason_missing: Give its reason, or approve 2",
    ]  # fmt: skip
    (more,) = hints(flow.decide_request, number, [{"line": 1, "qty": 3}], OLGA)
    assert "0 rejects" in more
    (none,) = hints(flow.allocate_request, "PR-000009", WALT)
    assert "board" in none
    flow.decide_request(partners, number, [{"line": 1, "qty": 2}], OLGA)
    (why,) = hints(flow.withdraw_request, number, SAM, reason="")
    assert "reason=" in why
    flow.allocate_request(partners, number, WALT)
    flow.pick_request(partners, number, WALT)
    (rate,) = hints(flow.ship_request, number, WALT, carrier="DHL", rates={"seal": "abc"})
    assert "33.60" in rate
    shipment = flow.ship_request(partners, number, WALT, carrier="DHL")["number"]
    receipt = flow.receive_shipment(partners, shipment, SAM, counted=[{"sku": "seal", "qty": 1}])["number"]
    assert hints(flow.settle_difference, receipt, 9, "lost", OLGA, reason="x") == ["line_unknown: It has lines 1, 2"]
    assert hints(flow.settle_difference, receipt, 1, "lost", OLGA) == ["step_impossible: To be settled: line 2"]


def test_a_refused_scan_and_asset_say_what_to_do_next() -> None:
    def told_of(function: Callable[..., Any], *said: Any, **more: Any) -> tuple[str, str, str, int | None, str]:
        with pytest.raises(InputError) as refusal:
            function(ledger, *said, **more)
        each = refusal.value.problems[0]
        return each.code, each.table, each.column, each.row, each.hint

    with Ledger.open("sqlite://") as ledger:
        packing.set_up(ledger)
        order = packing.ordered(ledger, [{"sku": "CM-500", "qty": 1}, {"sku": "cable", "qty": 2}])
        step = told_of(scanning.scan, order, "cable", PAM, qty="1.505")
        assert step[:4] == ("qty_step", "", "qty", None), "a scan has no lines: what is wrong is its quantity"
        assert "at most 2" in told_of(scanning.scan, order, "cable", PAM, qty=3)[4]
        scanning.scan(ledger, order, "CM500-2025-0046", PAM)
        for what, hint in (
            ("CM500-2025-0046", "undo_scan"), ("CM500-2025-0047", "Put it back"), ("USED-1", "scan_counts"),
        ):  # fmt: skip
            assert hint in told_of(scanning.scan, order, what, PAM)[4], what
        assert "box_contents" in told_of(scanning.undo_scan, order, "cable", PAM)[4]
        scanning.save_box(ledger, "BOX-000001", PAM)
        scanning.confirm_box(ledger, "BOX-000001", PAM, length_mm=1, width_mm=1, height_mm=1)
        assert "cancel" in told_of(scanning.undo_scan, order, "CM500-2025-0046", PAM)[4]
        assert "Scan 2.00 more" in told_of(scanning.confirm_packing, order, PAM)[4]
    with Ledger.open("sqlite://") as ledger:
        hauling.set_up(ledger)
        wanted = hauling.pending(ledger)
        for named in ({}, {"asset": "S1"}, {"asset": "C99"}):
            assert "choices" in told_of(assets.deliver_asset, wanted, hauling.DAN, **named)[4], named
        assert told_of(assets.order_asset, "30yd", OFF, site="Acme")[:4] == ("sku_unknown", "", "sku", None)
