"""Parts come to a partner's store: asked for within the limit, approved, allocated, shipped, counted (SP-1 to SP-7)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.flows import Person, history_of, keep_settings
from allocator.flows.partner import (
    allocate_request,
    decide_request,
    pick_request,
    raise_request,
    raise_triggered,
    receive_shipment,
    settle_difference,
    ship_request,
    suggest,
    trace,
    withdraw_request,
)
from allocator.ledger import Ledger
from allocator.model.network import PartnerSettings
from flows.network import ADA, CRON, EVE, OLGA, SAM, SETTINGS, WALT, on_hand, shipped, stocked


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


def by_state(answer: dict[str, Any]) -> dict[str, Any]:
    return {each["state"]: each for each in answer["lines"]}


class TestRequests:
    def test_opening_stock_goes_the_way_of_any_other_request(self, network: Ledger) -> None:
        number = stocked(network, [{"sku": "valve", "qty": 20}, {"sku": "pump", "qty": 2}], kind="base stock")
        assert on_hand(network, "valve", "ASP-1") == {"available": 20}
        assert on_hand(network, "pump", "ASP-1") == {"available": 2}
        steps = history_of(network, number).select("step", "state", "role").rows()
        assert steps == [
            ("raise", "requested", "storekeeper"), ("decide", "approved", "operations"),
            ("allocate", "allocated", "warehouse"), ("pick", "picked", "warehouse"), ("ship", "shipped", "warehouse"),
            ("receive", "received", "storekeeper"),
        ]  # fmt: skip

    def test_the_suggestion_is_the_limit_less_all_that_is_there_or_comes(self, partners: Ledger) -> None:
        def suggested() -> tuple[int, ...]:
            row = suggest(partners, SAM).filter(sku="valve").row(0, named=True)
            return row["on_hand"], row["in_transit"], row["requested_open"], row["qty_proposed"]

        assert suggested() == (0, 0, 0, 20)
        raise_request(partners, [{"sku": "valve", "qty": 3}], SAM)
        assert suggested() == (0, 0, 3, 17)
        answer = shipped(partners, [{"sku": "valve", "qty": 5}])
        assert suggested() == (0, 5, 3, 12)
        receive_shipment(partners, answer["number"], SAM)
        assert suggested() == (5, 0, 3, 12)

    def test_more_than_the_limit_leaves_is_refused_with_the_figures(self, partners: Ledger) -> None:
        stocked(partners, [{"sku": "valve", "qty": 12}])
        raise_request(partners, [{"sku": "valve", "qty": 4}], SAM)
        with refused("limit_exceeded") as refusal:
            raise_request(partners, [{"sku": "valve", "qty": 5}, {"sku": "seal", "qty": 101}], SAM)
        valve, seal = refusal.value.problems
        assert "20 units of valve (rule valves): 12 on hand, 0 in transit and 4 requested leave 4" in valve.message
        assert (valve.row, valve.value, seal.row) == (0, "5", 1)
        assert "at most 4" in valve.hint
        assert "operations" in valve.hint

    def test_all_that_is_there_on_its_way_and_asked_for_counts_and_the_last_unit_may_be_asked_for(
        self, partners: Ledger
    ) -> None:
        stocked(partners, [{"sku": "valve", "qty": 5}])
        shipped(partners, [{"sku": "valve", "qty": 6}])
        raise_request(partners, [{"sku": "valve", "qty": 4}], SAM)
        with refused("5 on hand, 6 in transit and 4 requested leave 5"):
            raise_request(partners, [{"sku": "valve", "qty": 6}], SAM)
        assert raise_request(partners, [{"sku": "valve", "qty": 5}], SAM)["lines"][0]["qty"] == 5
        with refused("limit_exceeded"):
            raise_request(partners, [{"sku": "valve", "qty": 1}], SAM)

    def test_a_limit_in_value_and_packs_counts_what_is_there_on_its_way_and_asked_for(self, network: Ledger) -> None:
        rules = [{"name": "valves", "sku": "valve", "value_max": "200"}, {"name": "seals", "units_max": 100, "pack": 5}]
        keep_settings(network, PartnerSettings(**SETTINGS | {"limits": {"rules": rules}}), ADA)
        stocked(network, [{"sku": "valve", "qty": 5}])
        shipped(network, [{"sku": "valve", "qty": 6}])
        raise_request(network, [{"sku": "valve", "qty": 2}, {"sku": "seal", "qty": 5}], SAM)
        with refused("a value of 200 of valve .* 5 on hand, 6 in transit and 2 requested leave 3"):
            raise_request(network, [{"sku": "valve", "qty": 4}], SAM)
        with refused("in packs of 5"):
            raise_request(network, [{"sku": "seal", "qty": 7}], SAM)
        lines = raise_request(network, [{"sku": "valve", "qty": 3}, {"sku": "seal", "qty": 95}], SAM)["lines"]
        assert [line["qty"] for line in lines] == [3, 95]

    def test_a_named_role_may_go_above_with_a_reason(self, partners: Ledger) -> None:
        line = [{"sku": "valve", "qty": 21}]
        with refused("limit_exceeded"):
            raise_request(partners, line, SAM, override_reason="big job")
        with refused("limit_exceeded"):
            raise_request(partners, line, OLGA, party="ASP-1")
        number = raise_request(partners, line, OLGA, party="ASP-1", override_reason="big job")["number"]
        assert history_of(partners, number)["reason"].to_list() == ["big job"]

    def test_limits_that_reduce_say_what_is_left_of_what_was_asked(self, partners: Ledger) -> None:
        limits = SETTINGS["limits"] | {"above_limit": "reduce"}
        keep_settings(partners, PartnerSettings(**SETTINGS | {"limits": limits}), ADA)
        answer = raise_request(partners, [{"sku": "valve", "qty": 25}], SAM)
        assert answer["lines"] == [{"line": 1, "sku": "valve", "qty": 20, "asked": 25}]

    def test_stock_that_fell_to_its_trigger_is_asked_for_by_itself_and_once(self, partners: Ledger) -> None:
        stocked(partners, [{"sku": "pump", "qty": 2}], EVE)
        first = raise_triggered(partners, CRON)
        assert [(each["lines"][0]["sku"], each["lines"][0]["qty"]) for each in first] == [("pump", 5)]
        assert history_of(partners, first[0]["number"])["party"].to_list() == ["ASP-1"]
        assert raise_triggered(partners, CRON) == []

    def test_what_does_not_live_as_parts_do_is_refused_before_it_is_asked_for(self, partners: Ledger) -> None:
        partners.define([{"sku": "gauge", "tracking": "serial"}], actor="ada")
        with refused("setting_conflict") as refusal:
            raise_request(partners, [{"sku": "gauge", "qty": 1}], SAM)
        assert 'lifecycle = "part"' in refusal.value.problems[0].hint

    @pytest.mark.parametrize(
        ("lines", "code"),
        [([], "argument_value"), ([{"sku": "bolt", "qty": 1}], "sku_unknown"), ([{"sku": "valve"}], "value_null"),
         ([{"sku": "valve", "qty": 1.5}], "column_type"), ([{"sku": "valve", "qty": "some"}], "value_text"),
         ([{"sku": "valve", "qty": -1}], "qty_out_of_range"), ([{"sku": "valve", "qty": True}], "column_type"),
         ([{"sku": "valve", "qty": 2**70}], "qty_out_of_range"), ([{"sku": "valve\0", "qty": 1}], "text_nul"),
         ([{"sku": "valve", "qty": 1}, {"sku": "valve", "qty": 2}], "id_duplicate")],
    )  # fmt: skip
    def test_a_request_that_makes_no_sense_is_refused(self, partners: Ledger, lines: Any, code: str) -> None:
        with refused(code):
            raise_request(partners, lines, SAM)

    @pytest.mark.parametrize(
        ("decisions", "code"),
        [
            ([{"line": 1, "qty": 5}], "line_undecided"),
            ([{"line": 1, "qty": 4}, {"line": 2, "qty": 1}], "reason_missing"),
            ([{"line": 1, "qty": 6}, {"line": 2, "qty": 1}], "qty_out_of_range"),
            ([{"line": 1, "qty": 5}, {"line": 1, "qty": 5}, {"line": 2, "qty": 1}], "id_duplicate"),
            ([{"line": 1, "qty": 5}, {"line": 2, "qty": 1}, {"line": 3, "qty": 1}], "line_unknown"),
        ],
    )
    def test_every_line_is_decided_once_and_less_needs_a_reason(
        self, partners: Ledger, decisions: list[dict[str, int]], code: str
    ) -> None:
        number = raise_request(partners, [{"sku": "valve", "qty": 5}, {"sku": "pump", "qty": 1}], SAM)["number"]
        with refused(code):
            decide_request(partners, number, decisions, OLGA)

    def test_every_quantity_that_makes_no_sense_is_named_at_once(self, partners: Ledger) -> None:
        odd = [
            {"sku": "seal", "qty": Decimal("0.5")},
            {"sku": "valve", "qty": 1},
            {"sku": "pump", "qty": Decimal("1.5")},
        ]
        with pytest.raises(InputError) as caught:
            raise_request(partners, [*odd, {"sku": "valve", "qty": 2}], SAM)
        assert sorted((each.code, each.row) for each in caught.value.problems) == [
            ("id_duplicate", 3), ("qty_step", 0), ("qty_step", 2)]  # fmt: skip
        raised = raise_request(partners, [{"sku": "seal", "qty": 3}, {"sku": "valve", "qty": 3}], SAM)
        with pytest.raises(InputError) as caught:
            odd = [{"line": 1, "qty": Decimal("0.5"), "reason": "x"}, {"line": 2, "qty": Decimal("1.5"), "reason": "x"}]
            decide_request(partners, raised["number"], odd, OLGA)
        assert [each.code for each in caught.value.problems] == ["qty_step", "qty_step"]

    def test_only_what_was_approved_ships(self, network: Ledger) -> None:
        number = raise_request(network, [{"sku": "valve", "qty": 5}, {"sku": "pump", "qty": 1}], SAM)["number"]
        for step in (allocate_request, pick_request):
            with refused("step_impossible") as refusal:
                step(network, number, WALT)
        assert "decide (operations)" in refusal.value.problems[0].hint
        rejected = [{"line": 1, "qty": 3, "reason": "enough"}, {"line": 2, "qty": 0, "reason": "none left"}]
        decide_request(network, number, rejected, OLGA)
        allocate_request(network, number, WALT)
        pick_request(network, number, WALT)
        answer = ship_request(network, number, WALT, carrier="DHL")
        assert [(line["sku"], line["qty"], line["rate"]) for line in answer["lines"]] == [("valve", 3, "12.50")]

    def test_a_request_of_which_nothing_is_approved_is_over(self, partners: Ledger) -> None:
        number = raise_request(partners, [{"sku": "valve", "qty": 5}], SAM)["number"]
        decide_request(partners, number, [{"line": 1, "qty": 0, "reason": "no budget"}], OLGA)
        with refused("Nothing is left to do"):
            allocate_request(partners, number, WALT)
        assert suggest(partners, SAM).filter(sku="valve")["requested_open"].to_list() == [0]

    def test_what_the_warehouse_lacks_stays_approved_and_ships_later_or_is_given_up(self, partners: Ledger) -> None:
        answer = shipped(partners, [{"sku": "pump", "qty": 5}])
        number = raise_request(partners, [{"sku": "pump", "qty": 5}], EVE)["number"]
        decide_request(partners, number, [{"line": 1, "qty": 5}], OLGA)
        told = allocate_request(partners, number, WALT)["lines"][0]
        assert (told["allocated"], told["short"], told["reason"]) == (4, 1, "insufficient")
        pick_request(partners, number, WALT)
        assert ship_request(partners, number, WALT, carrier="DHL")["state"] == "approved"
        assert allocate_request(partners, number, WALT)["state"] == "approved"
        assert withdraw_request(partners, number, EVE, reason="urgent")["state"] == "shipped"
        receive_shipment(partners, answer["number"], SAM)


class TestShipments:
    def test_a_part_without_a_rate_does_not_ship(self, partners: Ledger) -> None:
        partners.define([{"sku": "valve", "lifecycle": "part"}], actor="ada")
        with refused("rate_missing"):
            shipped(partners, [{"sku": "valve", "qty": 2}])
        answer = ship_request(partners, "PR-000001", WALT, carrier="DHL", rates={"valve": Decimal("11.20")})
        assert answer["lines"][0]["rate"] == "11.20"

    def test_a_unit_says_which_order_receipt_and_request_brought_it(self, network: Ledger) -> None:
        stocked(network, [{"sku": "pump", "qty": 1}])
        documents = network.origin("P-0")["document"].to_list()
        assert documents[-2:] == ["SH-000001", "GRN-000001"]
        references = network.origin("P-0")["references"].to_list()[-2]
        assert '"SODO": "8000000001"' in references
        assert '"request": "PR-000001"' in references

    def test_a_shipment_is_found_by_the_number_that_the_erp_gave_it(self, partners: Ledger) -> None:
        stocked(partners, [{"sku": "valve", "qty": 2}])
        assert "shipment" in trace(partners, WALT, reference="8000000001")["flow"].to_list()

    def test_what_is_on_its_way_is_nowhere_available(self, partners: Ledger) -> None:
        shipped(partners, [{"sku": "valve", "qty": 20}])
        assert on_hand(partners, "valve", "ASP-1") == {}
        assert on_hand(partners, "valve", "WH") == {"available": 40}


class TestReceipts:
    COUNT: list[dict[str, Any]] = [  # noqa: RUF012 - not changed
        {"sku": "valve", "qty": 5}, {"sku": "valve", "qty": 1, "condition": "damaged"},
        {"serial": "P-0", "sku": "pump"}, {"serial": "P-4", "sku": "pump"}, {"sku": "seal", "qty": 3},
    ]  # fmt: skip

    def counted(self, ledger: Ledger) -> dict[str, Any]:
        """Eight valves and two pumps were shipped; five are there, one damaged; one pump is another; seals came too."""
        answer = shipped(ledger, [{"sku": "valve", "qty": 8}, {"sku": "pump", "qty": 2}])
        return receive_shipment(ledger, answer["number"], SAM, counted=self.COUNT)

    def test_short_excess_damaged_and_wrong_parts_are_recorded_and_only_the_rest_is_available(
        self, network: Ledger
    ) -> None:
        answer = self.counted(network)
        told = [(each["state"], each["sku"], each["qty"], each["serial"]) for each in answer["lines"]]
        assert told == [
            ("accepted", "valve", 5, None), ("damaged", "valve", 1, None), ("accepted", "pump", 1, "P-0"),
            ("short", "valve", 2, None), ("short", "pump", 1, "P-1"), ("excess", "pump", 1, "P-4"),
            ("wrong part", "seal", 3, None),
        ]  # fmt: skip
        assert answer["state"] == "differences"
        assert on_hand(network, "valve", "ASP-1") == {"available": 5, "quarantine": 1}
        assert on_hand(network, "pump", "ASP-1") == {"available": 1}

    def test_every_difference_is_settled_and_the_goods_are_where_it_says(self, network: Ledger) -> None:
        number = self.counted(network)["number"]
        assert settle_difference(network, number, 2, "accepted", OLGA)["state"] == "differences"
        settle_difference(network, number, 4, "lost", OLGA, reason="theft")
        settle_difference(network, number, 5, "not sent", OLGA)
        settle_difference(network, number, 6, "kept", OLGA)
        assert settle_difference(network, number, 7, "sent back", OLGA)["state"] == "settled"
        assert on_hand(network, "valve", "ASP-1") == {"available": 6}
        assert on_hand(network, "valve", "WH") == {"available": 52}
        assert (network.state("P-1")["location"], network.state("P-4")["location"]) == ("WH/store", "ASP-1/store")
        assert on_hand(network, "seal", "ASP-1") == {}
        with refused("step_impossible"):
            settle_difference(network, number, 4, "arrived", OLGA)

    def test_what_was_short_may_arrive_later(self, partners: Ledger) -> None:
        number = self.counted(partners)["number"]
        settle_difference(partners, number, 4, "arrived", OLGA)
        assert on_hand(partners, "valve", "ASP-1") == {"available": 7, "quarantine": 1}

    @pytest.mark.parametrize(
        ("line", "outcome", "code"),
        [(4, "kept", "argument_value"), (4, "lost", "reason_missing"), (1, "arrived", "step_impossible"),
         (9, "lost", "line_unknown")],
    )  # fmt: skip
    def test_a_difference_ends_as_it_can(self, partners: Ledger, line: int, outcome: Any, code: str) -> None:
        number = self.counted(partners)["number"]
        with refused(code):
            settle_difference(partners, number, line, outcome, OLGA)

    def test_a_shipment_may_come_in_parts(self, partners: Ledger) -> None:
        answer = shipped(partners, [{"sku": "valve", "qty": 8}])
        first = receive_shipment(partners, answer["number"], SAM, counted=[{"sku": "valve", "qty": 3}], final=False)
        assert first["state"] == "accepted"
        assert suggest(partners, SAM).filter(sku="valve").select("on_hand", "in_transit").row(0) == (3, 5)
        assert receive_shipment(partners, answer["number"], SAM)["lines"][0]["qty"] == 5
        with refused("step_impossible"):
            receive_shipment(partners, answer["number"], SAM)

    @pytest.mark.parametrize(
        ("counted", "code"),
        [
            ([{"sku": "pump", "qty": 2}], "tracking_mismatch"), ([{"sku": "valve"}], "value_null"),
            ([{"sku": "bolt", "qty": 1}], "sku_unknown"), ([{"sku": "valve", "qty": 0}], "qty_out_of_range"),
            ([{"serial": "P-0"}, {"serial": "P-0"}], "id_duplicate"), ([], "argument_value"),
            ([{"sku": "valve", "qty": 1, "condition": "odd"}], "argument_value"),
            ([{"sku": "valve", "qty": 1, "colour": "red"}], "setting_unknown"),
        ],
    )  # fmt: skip
    def test_a_count_that_makes_no_sense_changes_nothing(self, partners: Ledger, counted: Any, code: str) -> None:
        answer = shipped(partners, [{"sku": "valve", "qty": 8}, {"sku": "pump", "qty": 2}])
        with refused(code):
            receive_shipment(partners, answer["number"], SAM, counted=counted)
        assert on_hand(partners, "valve", "ASP-1") == {}

    def test_new_and_repaired_parts_of_one_receipt_ship_together_and_stay_what_they_are(self, network: Ledger) -> None:
        repaired = {"sku": "valve", "qty": 25, "location": "WH/A", "to_condition": "repaired"}
        network.post("change_status", repaired, actor="walt", reason="workshop")
        answer = shipped(network, [{"sku": "valve", "qty": 10}])
        assert [each["qty"] for each in answer["lines"]] == [5, 5]
        receive_shipment(network, answer["number"], SAM, counted=[{"sku": "valve", "qty": 9},
                         {"sku": "valve", "qty": 1, "condition": "damaged"}])  # fmt: skip
        held = network.balances(["location", "condition"], skus=["valve"]).filter(location="ASP-1/store")
        assert sorted(held.select("condition", "on_hand").rows()) == [("new", 5), ("repaired", 4)]

    def test_what_is_kept_may_come_from_stock_in_several_conditions(self, network: Ledger) -> None:
        answer = shipped(network, [{"sku": "seal", "qty": 5}])
        repaired = {"sku": "seal", "qty": 490, "location": "WH/C", "to_condition": "repaired"}
        network.post("change_status", repaired, actor="walt", reason="workshop")
        counted = receive_shipment(network, answer["number"], SAM, counted=[{"sku": "seal", "qty": 20}])
        assert settle_difference(network, counted["number"], 2, "kept", OLGA)["state"] == "settled"
        assert on_hand(network, "seal", "ASP-1") == {"available": 20}

    def test_lots_and_decimals_are_counted_as_they_are(self, partners: Ledger) -> None:
        answer = shipped(partners, [{"sku": "grease", "qty": Decimal("2.50")}])
        counted = [{"sku": "grease", "lot": "G-1", "qty": Decimal("2.25")}]
        told = by_state(receive_shipment(partners, answer["number"], SAM, counted=counted))
        assert (told["accepted"]["qty"], told["short"]["qty"]) == ("2.25", "0.25")


class TestWhoMay:
    def test_each_step_is_for_its_role(self, partners: Ledger) -> None:
        number = raise_request(partners, [{"sku": "valve", "qty": 5}], SAM)["number"]
        with refused("role_missing") as refusal:
            decide_request(partners, number, [{"line": 1, "qty": 5}], SAM)
        assert refusal.value.problems[0].hint == "It is for operations"
        with refused("role_missing"):
            raise_request(partners, [{"sku": "valve", "qty": 5}], Person("tim", "technician", "ASP-1"))

    def test_another_partner_s_documents_look_like_none(self, partners: Ledger) -> None:
        answer = shipped(partners, [{"sku": "valve", "qty": 8}])
        texts = []
        for number in (answer["number"], "SH-000099"):
            with refused("document_unknown") as refusal:
                receive_shipment(partners, number, EVE)
            texts.append(str(refusal.value).replace(number, "X"))
        assert texts[0] == texts[1]
        with refused("document_unknown"):
            withdraw_request(partners, answer["request"], EVE, reason="x")
        with refused("site_unknown"):
            raise_request(partners, [{"sku": "valve", "qty": 1}], EVE, party="ASP-1")

    def test_a_business_unit_sees_its_own(self, partners: Ledger) -> None:
        partner = {"name": "ASP-1", "place": "ASP-1", "bus": ["heating", "cooling"]}
        keep_settings(partners, PartnerSettings(**SETTINGS | {"partners": [partner], "distances": []}), ADA)
        number = raise_request(partners, [{"sku": "valve", "qty": 5}], SAM, bu="heating")["number"]
        cooling, heating = (Person("olga", "operations", bus=(bu,)) for bu in ("cooling", "heating"))
        with refused("document_unknown"):
            decide_request(partners, number, [{"line": 1, "qty": 5}], cooling)
        assert decide_request(partners, number, [{"line": 1, "qty": 5}], heating)["state"] == "approved"
        with refused("argument_value"):
            raise_request(partners, [{"sku": "valve", "qty": 5}], SAM, bu="printing")

    def test_a_step_done_twice_is_answered_by_its_key_and_refused_without(self, network: Ledger) -> None:
        first = raise_request(network, [{"sku": "valve", "qty": 5}], SAM, key="k1")
        assert raise_request(network, [{"sku": "valve", "qty": 5}], SAM, key="k1") == first
        with refused("key_reused"):
            raise_request(network, [{"sku": "valve", "qty": 6}], SAM, key="k1")
        with refused("key_reused"):
            raise_request(network, [{"sku": "valve", "qty": 5}], EVE, key="k1")
        decision = [{"line": 1, "qty": 5}]
        answer = decide_request(network, first["number"], decision, OLGA, key="k2")
        assert decide_request(network, first["number"], decision, OLGA, key="k2") == answer
        with refused("step_impossible"):
            decide_request(network, first["number"], decision, OLGA)
        assert history_of(network, first["number"]).height == 2
