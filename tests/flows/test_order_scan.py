"""Orders are scanned into boxes and packed: every unit counts once, scanned and pending add up (OS-1 to 10)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.flows import Person, events, history_of, keep_settings
from allocator.flows.scanning import (
    assign_operators,
    box_contents,
    cancel_order,
    confirm_box,
    confirm_packing,
    packing_data,
    pick_order,
    place_order,
    save_box,
    scan,
    scan_counts,
    ship_order,
    undo_scan,
)
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from allocator.model.network import PartnerSettings
from allocator.papers import render
from flows.orders import IMEIS, OMS, PAM, PAT, SHAWN, SUE, ordered, set_up

BIG = {"length_mm": 400, "width_mm": 300, "height_mm": 200}


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


@pytest.fixture
def warehouse(empty_ledger: Ledger) -> Iterator[Ledger]:
    """The warehouse on either store."""
    set_up(empty_ledger)
    yield empty_ledger
    assert verify(empty_ledger).clean, str(verify(empty_ledger))


@pytest.fixture
def shop() -> Iterator[Ledger]:
    """The same in memory."""
    with Ledger.open("sqlite://") as ledger:
        set_up(ledger)
        yield ledger
        assert verify(ledger).clean, str(verify(ledger))


def counts(ledger: Ledger, order: str) -> list[tuple[str, str, str]]:
    """Ordered, scanned and pending of each line; they always add up."""
    rows = scan_counts(ledger, order, PAM).select("ordered", "scanned", "pending").rows()
    assert all(float(scanned) + float(pending) == float(wanted) for wanted, scanned, pending in rows)
    return rows


def on_hand(ledger: Ledger, sku: str) -> tuple[int, int]:
    """On hand and reserved of a SKU."""
    row = ledger.balances([], skus=[sku]).to_dicts()[0]
    return row["on_hand"], row["reserved"]


def test_an_order_goes_from_scan_to_carrier(warehouse: Ledger) -> None:
    order = ordered(warehouse, [{"sku": "CM-500", "qty": 3}], number="SO-2025-1245")
    for n in (46, 47, 48):
        told = scan(warehouse, order, f"CM500-2025-{n:04}", PAM)
    assert (told["scanned"], told["pending"], told["box"]) == (3, 0, "BOX-000001")
    assert save_box(warehouse, "BOX-000001", PAM)["needs"] == ["dimensions"]
    confirm_box(warehouse, "BOX-000001", PAM, **BIG, weight_g=900)
    assert confirm_packing(warehouse, order, PAM)["state"] == "packed"
    assert ship_order(warehouse, order, SHAWN, carrier="DHL")["boxes"] == ["BOX-000001"]
    steps = history_of(warehouse, order)
    assert steps["step"].to_list() == ["place", "assign", "pick", "scan", "scan", "scan", "save", "pack", "ship"]
    assert steps["actor"].to_list() == ["oms", "sue", "pat", *["pam"] * 5, "shawn"]
    assert on_hand(warehouse, "CM-500") == (22, 0)


class TestOperators:
    """OS-1."""

    def test_each_task_is_for_its_operator(self, shop: Ledger) -> None:
        order = place_order(shop, [{"sku": "phone", "qty": 1}], OMS, customer="Metro", place="WH")["number"]
        with refused("role_missing.*no operator yet"):
            pick_order(shop, order, PAT)
        assign_operators(shop, order, SUE, picking="pat", packing="pam", shipping="shawn")
        with refused("role_missing.*It is for pat"):
            pick_order(shop, order, PAM)
        pick_order(shop, order, PAT)
        with refused("role_missing.*It is for pam"):
            scan(shop, order, "PH-0", PAT)
        box = scan(shop, order, "PH-0", PAM)["box"]
        for step in (lambda: save_box(shop, box, PAT), lambda: undo_scan(shop, order, "PH-0", SHAWN)):
            with refused("role_missing"):
                step()
        save_box(shop, box, PAM)
        with refused("role_missing"):
            confirm_box(shop, box, PAT, **BIG)
        confirm_box(shop, box, PAM, **BIG)
        with refused("role_missing"):
            confirm_packing(shop, order, SHAWN)
        confirm_packing(shop, order, PAM)
        with refused("role_missing.*It is for shawn"):
            ship_order(shop, order, PAM, carrier="DHL")

    def test_another_can_take_over_and_one_person_may_do_everything(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 2}])
        scan(shop, order, "PH-0", PAM)
        told = assign_operators(shop, order, SUE, packing="pat")
        assert told["operators"] == {"picking": "pat", "packing": "pat", "shipping": "shawn"}
        with refused("role_missing"):
            scan(shop, order, "PH-1", PAM)
        scan(shop, order, "PH-1", PAT)

    def test_nobody_else_assigns_and_somebody_must_be_named(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 1}])
        with refused("role_missing"):
            assign_operators(shop, order, PAM, packing="pam")
        with refused("argument_missing"):
            assign_operators(shop, order, SUE)


class TestScans:
    """OS-2 to OS-5."""

    def test_goods_are_scanned_by_what_the_product_is(self, shop: Ledger) -> None:
        lines = [{"sku": sku, "qty": 1} for sku in ("phone", "phone-used", "cable", "battery")]
        told = place_order(shop, lines, OMS, customer="Metro", place="WH")["lines"]
        assert [line["scan"] for line in told] == ["distribution", "used", "used", "distribution"]

    @pytest.mark.parametrize("what", ["PH-0", IMEIS[0], "35-209900-176148-1", "(01)09520123456788(21)PH-0",
                                      "]C1010952012345678821PH-0", "010952012345678821PH-0",
                                      "https://id.example/01/09520123456788/21/PH-0"])  # fmt: skip
    def test_a_unit_is_known_by_its_serial_its_imei_and_its_label(self, shop: Ledger, what: str) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 2}])
        told = scan(shop, order, what, PAM)
        assert (told["serial"], told["scanned"], told["pending"]) == ("PH-0", 1, 1)

    @pytest.mark.parametrize(("what", "code"), [
        ("352099001761482", "check_digit_wrong"), ("35-209900-176148-2", "check_digit_wrong"),
        ("356938035643808", "check_digit_wrong"), ("PH-99", "goods_unknown"), ("USED-0", "scan_mismatch"),
        ("(01)09520123456789(21)PH-0", "label_check_digit"), ("]C1019", "label_malformed"),
        ("(21)PH-99", "goods_unknown"),
        ("(01)05901234123457(21)PH-0", "scan_mismatch"), ("(10)LOT", "scan_mismatch"), ("phone", "tracking_mismatch"),
        ("(01)09520123456788", "tracking_mismatch"), ("cable", "scan_mismatch"), ("05901234123457", "scan_mismatch"),
        ("", "value_empty"), ("PH-0\n", "value_text"), ("PH\0", "text_nul"), (" PH-0", "value_text"),
        ("x" * 500, "value_text"), ("]" + "1" * 100_000, "label_malformed"), (None, "argument_type"),
        (7.5, "argument_type"),
    ])  # fmt: skip
    def test_a_bad_scan_is_refused_with_its_reason_and_counts_nothing(self, shop: Ledger, what: Any, code: str) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 2}])
        before = events(shop).height
        with refused(code):
            scan(shop, order, what, PAM)
        assert (counts(shop, order), events(shop).height) == ([("2", "0", "2")], before)

    def test_the_same_unit_is_never_scanned_twice_by_whatever_number(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 2}])
        scan(shop, order, "PH-0", PAM)
        for what in ("PH-0", IMEIS[0], "(01)09520123456788(21)PH-0"):
            with refused("scan_repeated"):
                scan(shop, order, what, PAM)
        assert counts(shop, order) == [("2", "1", "1")]

    def test_a_repeat_under_its_key_is_answered_and_not_counted(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 2}])
        first = scan(shop, order, "PH-0", PAM, key="scan 1")
        assert scan(shop, order, "PH-0", PAM, key="scan 1") == first
        with refused("key_reused"):
            scan(shop, order, "PH-1", PAM, key="scan 1")
        assert counts(shop, order) == [("2", "1", "1")]

    def test_more_than_ordered_is_refused(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 1}, {"sku": "cable", "qty": "2.50"}])
        scan(shop, order, "PH-1", PAM)
        with refused("scan_excess"):
            scan(shop, order, "PH-0", PAM)
        scan(shop, order, "cable", PAM, qty="1.25")
        with refused("scan_excess"):
            scan(shop, order, "cable", PAM, qty="1.26")
        assert counts(shop, order) == [("1", "1", "0"), ("2.50", "1.25", "1.25")]

    def test_another_free_unit_takes_the_place_of_one_on_the_pick_list(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 1}])
        assert scan(shop, order, "PH-3", PAM)["pending"] == 0
        assert on_hand(shop, "phone") == (4, 1)
        other = ordered(shop, [{"sku": "phone", "qty": 1}])
        assert scan(shop, other, "PH-0", PAM)["pending"] == 0

    def test_a_unit_promised_to_another_order_is_not_taken(self, shop: Ledger) -> None:
        ordered(shop, [{"sku": "phone", "qty": 1}])
        order = ordered(shop, [{"sku": "phone", "qty": 1}])
        with refused("scan_mismatch.*promised to CO-000001"):
            scan(shop, order, "PH-0", PAM)

    def test_a_blocked_unit_is_not_taken(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 1}])
        shop.post("block", {"serial": "PH-0"}, reason="recall", actor="ana")
        shop.post("block", {"serial": "PH-3"}, reason="recall", actor="ana")
        with refused("blocks_held"):
            scan(shop, order, "PH-0", PAM)
        with refused("scan_mismatch.*blocked"):
            scan(shop, order, "PH-3", PAM)
        assert counts(shop, order) == [("1", "0", "1")]

    def test_products_are_scanned_by_name_or_gtin_with_a_quantity(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "battery", "qty": 14}])
        assert scan(shop, order, "battery", PAM, qty=3)["pending"] == 11
        assert scan(shop, order, "5901234123457", PAM, qty=1)["pending"] == 10
        assert scan(shop, order, "(01)05901234123457(10)L2", PAM, qty=4)["pending"] == 6
        with refused("stock_short.*lot L2"):
            scan(shop, order, "(01)05901234123457(10)L2", PAM, qty=1)
        assert scan(shop, order, "]E05901234123457", PAM, qty=6)["pending"] == 0
        lots = box_contents(shop, order, PAM).group_by("lot").agg(pl.col("qty").cast(int).sum())
        assert dict(lots.rows()) == {"L1": 10, "L2": 4}

    @pytest.mark.parametrize("qty", [0, -1, "1.001", 1.5, True, "x", None, 10**30])
    def test_bad_quantities_are_refused(self, shop: Ledger, qty: Any) -> None:
        order = ordered(shop, [{"sku": "cable", "qty": "2.50"}])
        with pytest.raises(InputError):
            scan(shop, order, "cable", PAM, qty=qty)
        assert counts(shop, order) == [("2.50", "0.00", "2.50")]

    def test_a_serial_is_one_unit(self, shop: Ledger) -> None:
        with refused("serial_quantity"):
            scan(shop, ordered(shop, [{"sku": "phone", "qty": 2}]), "PH-0", PAM, qty=2)

    def test_two_products_may_use_one_serial(self, shop: Ledger) -> None:
        shop.post("receive", {"sku": "phone-used", "serial": "PH-0", "location": "WH/U"}, origin="supplier",
                  document="PO-2", actor="walt")  # fmt: skip
        order = ordered(shop, [{"sku": "phone", "qty": 1}])
        with refused("goods_ambiguous"):
            scan(shop, order, "PH-0", PAM)
        assert scan(shop, order, "PH-0", PAM, sku="phone")["sku"] == "phone"

    def test_what_is_short_is_picked_again_once_it_is_there(self, shop: Ledger) -> None:
        number = place_order(shop, [{"sku": "battery", "qty": 25}], OMS, customer="Metro", place="WH")["number"]
        assign_operators(shop, number, SUE, picking="pat", packing="pam")
        told = pick_order(shop, number, PAT)
        assert (told["state"], told["lines"][0]["short"], told["lines"][0]["reason"]) == ("scanning", 5, "insufficient")
        scan(shop, number, "battery", PAM, qty=20)
        with refused("stock_short.*promised"):
            scan(shop, number, "battery", PAM, qty=5)
        shop.post("receive", {"sku": "battery", "lot": "L3", "qty": 9, "location": "WH/B"}, origin="supplier",
                  document="PO-3", actor="walt")  # fmt: skip
        pick_order(shop, number, PAT)
        assert scan(shop, number, "battery", PAM, qty=5)["pending"] == 0

    def test_what_is_short_is_told_in_units_whatever_the_decimals(self, shop: Ledger) -> None:
        number = place_order(shop, [{"sku": "cable", "qty": Decimal("40.50")}], OMS, customer="Metro", place="WH")[
            "number"
        ]
        assign_operators(shop, number, SUE, picking="pat")
        (line,) = pick_order(shop, number, PAT)["lines"]
        assert (line["ordered"], line["allocated"], line["short"]) == ("40.50", "33.60", "6.90")

    def test_every_line_of_an_order_that_makes_no_sense_is_named_at_once(self, shop: Ledger) -> None:
        odd = [
            {"sku": "battery", "qty": Decimal("1.5")},
            {"sku": "battery", "qty": 1},
            {"sku": "cable", "qty": Decimal("0.001")},
        ]
        with pytest.raises(InputError) as caught:
            place_order(shop, odd, OMS, customer="Metro", place="WH")
        assert [(each.code, each.row) for each in caught.value.problems] == [
            ("qty_step", 0), ("id_duplicate", 1), ("qty_step", 2)]  # fmt: skip

    def test_the_pick_list_says_where(self, shop: Ledger) -> None:
        number = place_order(shop, [{"sku": "CM-500", "qty": 1}, {"sku": "battery", "qty": 11}], OMS, customer="Metro",
                             place="WH")["number"]  # fmt: skip
        assign_operators(shop, number, SUE, picking="pat")
        picks = pick_order(shop, number, PAT)["picks"]
        assert [(p["place"], p["serial"], p["lot"], p["qty"]) for p in picks] == [
            ("WH/A-15-03", "CM500-2025-0046", None, 1), ("WH/B", None, "L1", 10), ("WH/B", None, "L2", 1),
        ]  # fmt: skip


class TestBoxes:
    """OS-6 to OS-8, OS-10."""

    def test_used_goods_of_an_order_share_a_box_and_distribution_goods_have_one_by_product(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": sku, "qty": 2} for sku in ("phone", "phone-used", "cable", "battery")])
        boxes = [
            scan(shop, order, what, PAM)["box"] for what in ("PH-0", "USED-0", "cable", "battery", "PH-1", "USED-1")
        ]
        assert boxes == [f"BOX-00000{n}" for n in (1, 2, 2, 3, 1, 2)]

    def test_after_saving_the_next_scan_opens_another_box(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone-used", "qty": 3}])
        first = scan(shop, order, "USED-0", PAM)["box"]
        save_box(shop, first, PAM)
        second = scan(shop, order, "USED-1", PAM)["box"]
        assert first != second
        with refused("step_impossible"):
            save_box(shop, first, PAM)
        with refused("step_impossible.*save"):
            confirm_box(shop, second, PAM)
        confirm_box(shop, first, PAM)
        assert box_contents(shop, order, PAM).select("box", "state", "serial").rows() == [
            (first, "confirmed", "USED-0"), (second, "filling", "USED-1"),
        ]  # fmt: skip

    def test_a_box_of_distribution_goods_needs_its_dimensions(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone", "qty": 1}])
        box = scan(shop, order, "PH-0", PAM)["box"]
        save_box(shop, box, PAM)
        with pytest.raises(InputError) as told:
            confirm_box(shop, box, PAM, length_mm=400)
        assert [(p.code, p.column) for p in told.value.problems] == [
            ("argument_missing", "width_mm"), ("argument_missing", "height_mm")]  # fmt: skip
        with refused("argument_value"):
            confirm_box(shop, box, PAM, length_mm=0, width_mm=-1, height_mm=100_001)
        confirm_box(shop, box, PAM, **BIG)
        row = box_contents(shop, order, PAM).to_dicts()[0]
        assert (row["length_mm"], row["width_mm"], row["height_mm"], row["packed_by"]) == (400, 300, 200, "pam")

    def test_a_box_of_used_goods_has_all_its_dimensions_or_none(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone-used", "qty": 1}])
        box = scan(shop, order, "USED-0", PAM)["box"]
        assert save_box(shop, box, PAM)["needs"] == []
        with pytest.raises(InputError) as told:
            confirm_box(shop, box, PAM, length_mm=400)
        assert [p.column for p in told.value.problems] == ["width_mm", "height_mm"]
        assert confirm_box(shop, box, PAM)["state"] == "confirmed"

    def test_a_scan_is_undone_until_its_box_is_confirmed(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone-used", "qty": 2}])
        box = scan(shop, order, "USED-0", PAM)["box"]
        scan(shop, order, "USED-1", PAM)
        assert undo_scan(shop, order, "USED-1", PAM)["pending"] == 1
        with refused("goods_unknown.*not scanned"):
            undo_scan(shop, order, "USED-1", PAM)
        scan(shop, order, "USED-1", PAM)
        save_box(shop, box, PAM)
        assert undo_scan(shop, order, "USED-1", PAM)["pending"] == 1
        confirm_box(shop, box, PAM)
        with refused("scan_confirmed"):
            undo_scan(shop, order, "USED-0", PAM)
        assert counts(shop, order) == [("2", "1", "1")]
        assert on_hand(shop, "phone-used") == (3, 2)

    def test_a_box_that_is_emptied_is_gone(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone-used", "qty": 1}])
        box = scan(shop, order, "USED-0", PAM)["box"]
        undo_scan(shop, order, "USED-0", PAM)
        assert box_contents(shop, order, PAM).is_empty()
        with refused("step_impossible"):
            save_box(shop, box, PAM)
        assert scan(shop, order, "USED-0", PAM)["box"] != box

    def test_quantities_are_undone_in_part_the_last_first(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "battery", "qty": 15}])
        scan(shop, order, "battery", PAM, qty=8)
        scan(shop, order, "battery", PAM, qty=6)
        assert undo_scan(shop, order, "battery", PAM, qty=5)["scanned"] == 9
        assert box_contents(shop, order, PAM).select("lot", "qty").rows() == [("L1", "8"), ("L1", "1")]
        with refused("qty_out_of_range"):
            undo_scan(shop, order, "battery", PAM, qty=10)
        scan(shop, order, "battery", PAM, qty=6)
        assert counts(shop, order) == [("15", "15", "0")]

    def test_the_history_of_a_unit_shows_its_box(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "CM-500", "qty": 1}])
        box = scan(shop, order, "CM500-2025-0046", PAM)["box"]
        row = shop.history("CM500-2025-0046").filter(type="pick").to_dicts()[0]
        assert row["document"] == order
        assert any(box in str(value) for value in row.values())

    def test_packing_list_and_labels_come_from_the_boxes(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "CM-500", "qty": 2}, {"sku": "cable", "qty": "2.50"}])
        with refused("scan_pending"):
            packing_data(shop, order, PAM, issuer="ABC")
        for what, qty in (("CM500-2025-0046", 1), ("CM500-2025-0047", 1), ("cable", "2.50")):
            scan(shop, order, what, PAM, qty=qty)
        save_box(shop, "BOX-000001", PAM)
        confirm_box(shop, "BOX-000001", PAM, **BIG)
        data = packing_data(shop, order, PAM, issuer="ABC Supply", address=("1 Street",))
        first = data["boxes"][0]
        assert (first["dimensions"], first["lines"][0]["serial"]) == (
            "400 x 300 x 200 mm", ["CM500-2025-0046", "CM500-2025-0047"])  # fmt: skip
        assert str(data["boxes"][1]["lines"][0]["qty"]) == "2.50"
        for kind in ("packing_list", "box_label"):
            assert render(kind, data).startswith(b"%PDF")


class TestPacking:
    """OS-9."""

    def test_packing_is_confirmed_only_when_everything_is_scanned_and_boxed(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone-used", "qty": 2}, {"sku": "cable", "qty": "1.00"}])
        box = scan(shop, order, "USED-0", PAM)["box"]
        with pytest.raises(InputError) as told:
            confirm_packing(shop, order, PAM)
        assert {problem.code for problem in told.value.problems} == {"scan_pending"}
        assert [(problem.table, problem.value) for problem in told.value.problems] == [
            ("lines", "phone-used"), ("lines", "cable"), ("boxes", box)]  # fmt: skip
        scan(shop, order, "USED-1", PAM)
        scan(shop, order, "cable", PAM)
        save_box(shop, box, PAM)
        with refused("scan_pending.*saved"):
            confirm_packing(shop, order, PAM)
        confirm_box(shop, box, PAM)
        confirm_packing(shop, order, PAM)
        with refused("step_impossible.*Next: .*ship"):
            scan(shop, order, "USED-2", PAM)
        with refused("step_impossible"):
            undo_scan(shop, order, "USED-0", PAM)

    def test_the_order_management_system_hears_of_it(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone-used", "qty": 1}])
        since = events(shop)["seq"].max()
        box = scan(shop, order, "USED-0", PAM)["box"]
        save_box(shop, box, PAM)
        confirm_box(shop, box, PAM)
        confirm_packing(shop, order, PAM)
        told = events(shop, int(since)).filter(number=order).select("step", "state").rows()  # type: ignore[call-overload]
        assert told[-1] == ("pack", "packed")

    def test_a_cancelled_order_gives_everything_back(self, shop: Ledger) -> None:
        order = ordered(shop, [{"sku": "phone-used", "qty": 2}, {"sku": "battery", "qty": 3}])
        scan(shop, order, "USED-0", PAM)
        scan(shop, order, "battery", PAM, qty=2)
        with refused("reason_missing"):
            cancel_order(shop, order, OMS, reason="")
        cancel_order(shop, order, OMS, reason="customer changed their mind")
        assert (on_hand(shop, "phone-used"), on_hand(shop, "battery")) == ((3, 0), (20, 0))
        with refused("step_impossible"):
            cancel_order(shop, order, OMS, reason="again")
        assert box_contents(shop, order, PAM).is_empty()


class TestOthers:
    @pytest.fixture
    def partner(self, shop: Ledger) -> Ledger:
        settings = PartnerSettings(warehouses=[{"name": "Central", "place": "WH"}],
                                   partners=[{"name": "ASP-1", "place": "ASP-1"}])  # fmt: skip
        keep_settings(shop, settings, Person("ada", "administrator"))
        return shop

    def test_a_foreign_order_and_box_look_like_none(self, partner: Ledger) -> None:
        order = ordered(partner, [{"sku": "phone-used", "qty": 1}])
        box = scan(partner, order, "USED-0", PAM)["box"]
        eve = Person("pam", "operator", "ASP-1")
        for step in (
            lambda: scan(partner, order, "USED-1", eve), lambda: scan_counts(partner, order, eve),
            lambda: box_contents(partner, order, eve), lambda: save_box(partner, box, eve),
            lambda: scan(partner, "CO-999", "USED-1", eve),
        ):  # fmt: skip
            with refused("document_unknown"):
                step()

    def test_a_partner_takes_stock_of_its_own_place_only(self, partner: Ledger) -> None:
        eve = Person("eve", "service", "ASP-1")
        with refused("site_unknown"):
            place_order(partner, [{"sku": "phone", "qty": 1}], eve, customer="Metro", place="WH")
        order = place_order(partner, [{"sku": "phone", "qty": 1}], eve, customer="Metro")["number"]
        assign_operators(partner, order, SUE, picking="pat", packing="pam")
        assert pick_order(partner, order, PAT)["state"] == "placed"
        with refused("step_impossible"):
            scan(partner, order, "PH-0", PAM)
        line = {"sku": "phone", "serial": "PH-9", "location": "ASP-1/store"}
        partner.post("receive", line, origin="supplier", document="PO-7", actor="walt")
        pick_order(partner, order, PAT)
        with refused("goods_unknown"):
            scan(partner, order, "PH-0", PAM)
        assert scan(partner, order, "PH-9", PAM)["pending"] == 0

    def test_bad_orders_are_refused(self, shop: Ledger) -> None:
        with refused("id_duplicate"):
            place_order(shop, [{"sku": "phone", "qty": 1}] * 2, OMS, customer="Metro", place="WH")
        with refused("sku_unknown"):
            place_order(shop, [{"sku": "none", "qty": 1}], OMS, customer="Metro", place="WH")
        with refused("argument_missing"):
            place_order(shop, [{"sku": "phone", "qty": 1}], OMS, customer="Metro")
        with refused("value_empty"):
            place_order(shop, [{"sku": "phone", "qty": 1}], OMS, customer="", place="WH")
        with refused("qty_step"):
            place_order(shop, [{"sku": "cable", "qty": "1.001"}], OMS, customer="Metro", place="WH")
        place_order(shop, [{"sku": "phone", "qty": 1}], OMS, customer="Metro", place="WH", number="SO-1")
        with refused("document_exists"):
            place_order(shop, [{"sku": "phone", "qty": 1}], OMS, customer="Metro", place="WH", number="SO-1")
