"""A job gets its parts: who fulfils it, from which stock, on which challans; what is used, what comes back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.flows import Person, board, history_of, keep_settings
from allocator.flows.partner import (
    allocate_indent,
    assign_indent,
    cancel_indent,
    consume,
    finish_repair,
    inward_defectives,
    issue_challan,
    raise_indent,
    return_unused,
    send_to_repair,
    trace,
    waive_defective,
)
from allocator.ledger import Ledger
from allocator.model.network import PartnerSettings
from flows.network import ADA, DESK, EVE, OLGA, SAM, SETTINGS, TIM, WALT, on_hand, stocked

SOON = dt.datetime(2026, 12, 1, 9, tzinfo=dt.UTC)


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


def indent(ledger: Ledger, lines: list[dict[str, Any]], **said: Any) -> dict[str, Any]:
    """A service order of a customer of ASP-1."""
    given = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-1", "required_by": SOON} | said
    return raise_indent(ledger, lines, given.pop("by", DESK), **given)


def out(ledger: Ledger, lines: list[dict[str, Any]], **said: Any) -> dict[str, Any]:
    """The parts of an indent are with the technician: what `issue_challan` answers."""
    number = indent(ledger, lines, **said)["number"]
    allocate_indent(ledger, number, SAM)
    return issue_challan(ledger, number, SAM, holder="tim")


@pytest.fixture
def stores(network: Ledger) -> Ledger:
    """ASP-1 has ten valves and two pumps; ASP-2 five valves and three pumps."""
    stocked(network, [{"sku": "valve", "qty": 10}, {"sku": "pump", "qty": 2}, {"sku": "seal", "qty": 20}])
    stocked(network, [{"sku": "valve", "qty": 5}, {"sku": "pump", "qty": 3}], EVE)
    return network


@pytest.fixture
def store(partners: Ledger) -> Ledger:
    """The same in memory."""
    stocked(partners, [{"sku": "valve", "qty": 10}, {"sku": "pump", "qty": 2}, {"sku": "seal", "qty": 20}])
    stocked(partners, [{"sku": "valve", "qty": 5}, {"sku": "pump", "qty": 3}], EVE)
    return partners


class TestChoosing:
    def test_an_indent_says_who_needs_what_by_when_and_who_pays(self, stores: Ledger) -> None:
        answer = indent(stores, [{"sku": "valve", "qty": 3}], contract_type="warranty", priority=1)
        assert (answer["state"], answer["site"]) == ("assigned", "ASP-1")
        patch = history_of(stores, answer["number"])["patch"][0]
        for said in ('"customer":"C-7"', '"service_order":"SR-1"', '"contract_type":"warranty"', SOON.isoformat()):
            assert said in patch

    def test_an_indent_is_due_as_its_sla_says_and_is_found_by_its_service_order(self, store: Ledger) -> None:
        told = indent(store, [{"sku": "valve", "qty": 3}], contract_type="AMC", priority=1)
        (waiting,) = board(store, SAM).filter(number=told["number"], step="allocate").to_dicts()
        assert waiting["due_at"] - waiting["opened_at"] == dt.timedelta(hours=1)
        allocate_indent(store, told["number"], SAM)
        issue_challan(store, told["number"], SAM, holder="tim")
        assert "delivery challan" in trace(store, SAM, reference="SR-1")["flow"].to_list()

    def test_the_own_store_comes_first_then_who_can_serve_all_then_the_nearest(self, store: Ledger) -> None:
        def chosen(qty: int) -> list[tuple[str, str]]:
            told = indent(store, [{"sku": "pump", "qty": qty}])["choice"]
            return [(row["site"], row["why"]) for row in told]

        assert chosen(1) == [("ASP-1", "first"), ("ASP-2", "own"), ("Central", "nearest")]
        assert chosen(3) == [("ASP-1", "first"), ("ASP-2", "own"), ("Central", "nearest")]

    def test_the_criteria_and_their_order_are_settings(self, store: Ledger) -> None:
        for choose, site in ((["whole", "own"], "ASP-2"), (["most_cover", "own"], "ASP-2"), (["own"], "ASP-1"),
                             (["whole", "partners", "most_cover"], "ASP-2")):  # fmt: skip
            keep_settings(store, PartnerSettings(**SETTINGS | {"choose": choose}), ADA)
            assert indent(store, [{"sku": "pump", "qty": 3}])["site"] == site

    def test_the_choice_tells_what_every_site_could_serve_and_why_not_more(self, store: Ledger) -> None:
        told = {row["site"]: row for row in indent(store, [{"sku": "seal", "qty": 25}])["choice"]}
        assert (told["ASP-1"]["covered"], told["ASP-1"]["asked"], told["ASP-1"]["whole"]) == (20, 25, False)
        assert (told["ASP-2"]["covered"], told["ASP-2"]["why"]) == (0, "nothing to serve it with")
        assert told["ASP-2"]["lines"] == [{"covered": 0, "reason": "place"}]

    def test_the_job_of_one_partner_is_served_by_another_and_both_see_it(self, stores: Ledger) -> None:
        allocate_indent(stores, indent(stores, [{"sku": "pump", "qty": 2}])["number"], SAM)
        answer = indent(stores, [{"sku": "pump", "qty": 1}], by=SAM)
        assert answer["site"] == "ASP-2"
        number = answer["number"]
        with refused("role_missing"):
            allocate_indent(stores, number, SAM)
        assert allocate_indent(stores, number, EVE)["state"] == "allocated"
        challan = issue_challan(stores, number, EVE, holder="tim")
        with refused("ASP-1 can only look at it"):
            return_unused(stores, challan["number"], [{"line": 1}], SAM)
        assert consume(stores, challan["number"], [{"line": 1}], TIM)["state"] == "settled"
        assert history_of(stores, number, SAM).height == history_of(stores, number, EVE).height
        with refused("document_unknown"):
            history_of(stores, number, Person("zoe", "storekeeper", "ASP-3"))

    def test_a_partner_is_told_who_serves_its_job_and_nothing_of_their_stock(self, store: Ledger) -> None:
        answer = indent(store, [{"sku": "pump", "qty": 3}], by=SAM)
        assert [row["site"] for row in answer["choice"]] == ["ASP-1"]
        assert "_choice" not in "".join(history_of(store, answer["number"], SAM)["patch"])
        assert '"site":"Central"' in "".join(history_of(store, answer["number"], OLGA)["patch"])
        out(store, [{"sku": "pump", "qty": 2}])
        other = indent(store, [{"sku": "pump", "qty": 1}], by=SAM)["choice"]
        assert other[0] == {"site": "ASP-2", "distance": 40, "why": "first"}
        assert (other[1]["site"], other[1]["covered"]) == ("ASP-1", 0)

    def test_what_nobody_has_waits_and_is_assigned_once_it_is_there(self, store: Ledger) -> None:
        answer = indent(store, [{"sku": "grease", "qty": 3}], bu="")
        assert answer["site"] == "Central"
        store.define([{"sku": "fan", "lifecycle": "part"}], actor="ada")
        number = indent(store, [{"sku": "fan", "qty": 1}])["number"]
        with refused("step_impossible"):
            allocate_indent(store, number, SAM)
        line = {"sku": "fan", "qty": 1, "location": "ASP-2/store"}
        store.post("receive", line, origin="found", reason="count", note="x", actor="walt")
        assert assign_indent(store, number, DESK)["site"] == "ASP-2"
        with refused("reason_missing"):
            assign_indent(store, number, DESK, site="ASP-1")
        with refused("stock_short"):
            assign_indent(store, number, DESK, site="ASP-1", reason="closer")
        with refused("site_unknown"):
            assign_indent(store, number, DESK, site="ASP-9", reason="closer")

    def test_bad_indents_are_refused(self, store: Ledger) -> None:
        with refused("sku_unknown"):
            indent(store, [{"sku": "bolt", "qty": 1}])
        with refused("site_unknown"):
            indent(store, [{"sku": "valve", "qty": 1}], party="ASP-9")
        with refused("argument_value"):
            indent(store, [{"sku": "valve", "qty": 1}], required_by=dt.datetime(2026, 12, 1))
        with refused("value_text"):
            indent(store, [{"sku": "valve", "qty": 1}], customer="C\n7")


class TestContracts:
    @pytest.fixture
    def repaired(self, store: Ledger) -> Ledger:
        """One of the ten valves at ASP-1 is a repaired one."""
        challan = out(store, [{"sku": "valve", "qty": 1}])
        consume(store, challan["number"], [{"line": 1}], TIM)
        inward_defectives(store, challan["reverse"], [{"line": 1}], SAM)
        number = send_to_repair(store, [{"sku": "valve", "qty": 1}], SAM)["number"]
        finish_repair(store, number, 1, "repaired", SAM)
        return store

    def conditions(self, ledger: Ledger, contract_type: str, qty: int) -> dict[str, int]:
        out(ledger, [{"sku": "valve", "qty": qty}], contract_type=contract_type)
        rows = ledger.balances(["location", "condition"], skus=["valve"]).to_dicts()
        return {row["condition"]: int(row["in_transit"]) for row in rows if row["in_transit"]}

    def test_repaired_parts_go_first_under_amc(self, repaired: Ledger) -> None:
        assert self.conditions(repaired, "AMC", 2) == {"repaired": 1, "new": 1}

    def test_repaired_parts_never_go_under_warranty_and_the_refusal_says_so(self, repaired: Ledger) -> None:
        told = allocate_indent(repaired, self.asked(repaired, 10), SAM)["lines"][0]
        assert (told["allocated"], told["short"]) == (9, 1)
        answer = indent(repaired, [{"sku": "valve", "qty": 1}], contract_type="warranty")
        row = next(each for each in answer["choice"] if each["site"] == "ASP-1")
        assert (row["covered"], row["lines"][0]["reason"]) == (0, "contract")

    def asked(self, ledger: Ledger, qty: int) -> str:
        number: str = indent(ledger, [{"sku": "valve", "qty": qty}], contract_type="warranty")["number"]
        return number

    def test_defective_stock_serves_nobody(self, store: Ledger) -> None:
        challan = out(store, [{"sku": "pump", "qty": 2}])
        consume(store, challan["number"], [{"line": 1}], TIM)
        inward_defectives(store, challan["reverse"], [{"line": 1, "serial": "OLD-1"}], SAM)
        row = next(row for row in indent(store, [{"sku": "pump", "qty": 1}])["choice"] if row["site"] == "ASP-1")
        assert row["covered"] == 0

    def test_the_oldest_receipt_goes_first(self, store: Ledger) -> None:
        challan = out(store, [{"sku": "pump", "qty": 1}])
        assert challan["lines"][0]["serial"] == "P-0"


class TestChallans:
    def test_one_call_makes_the_challan_and_its_reverse(self, stores: Ledger) -> None:
        challan = out(stores, [{"sku": "valve", "qty": 3}, {"sku": "seal", "qty": 2}])
        assert (challan["number"], challan["reverse"], challan["state"]) == ("DC-000001", "RDC-000001", "dispatched")
        assert [(each["sku"], each["qty"], each["defective_return"]) for each in challan["lines"]] == [
            ("valve", 3, True), ("seal", 2, False),
        ]  # fmt: skip
        assert on_hand(stores, "valve", "ASP-1") == {"available": 7}

    def test_parts_may_go_straight_to_the_customer(self, store: Ledger) -> None:
        number = indent(store, [{"sku": "pump", "qty": 1}])["number"]
        allocate_indent(store, number, SAM)
        issue_challan(store, number, SAM, to="customer")
        assert (store.state("P-0")["kind"], store.state("P-0")["holder"]) == ("customer", "C-7")

    def test_every_unit_is_consumed_or_back_or_open(self, stores: Ledger) -> None:
        challan = out(stores, [{"sku": "valve", "qty": 3}, {"sku": "pump", "qty": 1}])
        number = challan["number"]
        answer = consume(stores, number, [{"sku": "valve", "qty": 1}, {"serial": "P-0"}], TIM)
        assert answer["open"] == [{"line": 1, "sku": "valve", "qty": 2}]
        assert return_unused(stores, number, [{"line": 1, "qty": 1}], SAM)["state"] == "out"
        assert return_unused(stores, number, [{"line": 1}], SAM)["state"] == "settled"
        assert on_hand(stores, "valve", "ASP-1") == {"available": 9}
        assert stores.state("P-0")["kind"] == "consumed"

    @pytest.mark.parametrize(
        ("parts", "code"),
        [([{"line": 1, "qty": 4}], "stock_short"), ([{"line": 2}], "goods_unknown"), ([{"qty": 1}], "goods_unknown"),
         ([{"serial": "P-5"}], "goods_unknown"), ([{"sku": "pump"}], "goods_unknown"),
         ([{"line": 1}, {"line": 1}], "stock_short"), ([], "argument_value")],
    )  # fmt: skip
    def test_only_what_is_out_on_the_challan_can_be_consumed(self, store: Ledger, parts: Any, code: str) -> None:
        number = out(store, [{"sku": "valve", "qty": 3}])["number"]
        with refused(code):
            consume(store, number, parts, TIM)
        assert consume(store, number, [{"line": 1}], TIM)["state"] == "settled"
        with refused("step_impossible"):
            consume(store, number, [{"line": 1}], TIM)

    def test_an_unused_part_is_as_old_as_it_was(self, store: Ledger) -> None:
        before = store.state("P-0")["received_on"]
        number = out(store, [{"sku": "pump", "qty": 1}])["number"]
        return_unused(store, number, [{"serial": "P-0"}], SAM)
        assert store.state("P-0")["received_on"] == before == dt.date(2026, 3, 1)
        assert store.state("P-0")["status"] == "available"

    def test_a_defective_is_due_for_every_part_that_replaced_one(self, stores: Ledger) -> None:
        challan = out(stores, [{"sku": "valve", "qty": 3}, {"sku": "seal", "qty": 2}], service_order="SR-5")
        number, reverse = challan["number"], challan["reverse"]
        with refused("qty_out_of_range"):
            inward_defectives(stores, reverse, [{"line": 1}], SAM)
        assert consume(stores, number, [{"line": 1}, {"line": 2}], TIM)["reverse_state"] == "due"
        answer = inward_defectives(stores, reverse, [{"line": 1, "qty": 2}], SAM)
        assert (answer["state"], answer["due"]) == ("due", [{"line": 1, "sku": "valve", "qty": 1}])
        assert on_hand(stores, "valve", "ASP-1") == {"available": 7, "defective": 2}
        with refused("qty_out_of_range"):
            inward_defectives(stores, reverse, [{"line": 1, "qty": 2}], SAM)
        assert inward_defectives(stores, reverse, [{"line": 1}], SAM)["state"] == "complete"
        steps = history_of(stores, "IN-000001")["step"].to_list()
        assert steps == ["raise", "allocate", "dispatch", "close"]

    def test_a_defective_that_is_known_comes_back_with_its_history(self, store: Ledger) -> None:
        first = out(store, [{"sku": "pump", "qty": 1}])
        consume(store, first["number"], [{"line": 1}], TIM)
        waive_defective(store, first["reverse"], 1, OLGA, reason="destroyed")
        second = out(store, [{"sku": "pump", "qty": 1}])
        consume(store, second["number"], [{"line": 1}], TIM)
        with refused("goods_unknown"):
            inward_defectives(store, second["reverse"], [{"line": 1, "serial": "P-7"}], SAM)
        inward_defectives(store, second["reverse"], [{"line": 1, "serial": "P-0"}], SAM)
        state = store.state("P-0")
        assert (state["location"], state["condition"], state["received_on"]) == (
            "ASP-1/defective", "defective", dt.date(2026, 3, 1))  # fmt: skip

    def test_a_leak_is_given_up_by_operations_with_a_reason(self, store: Ledger) -> None:
        challan = out(store, [{"sku": "valve", "qty": 1}])
        consume(store, challan["number"], [{"line": 1}], TIM)
        with refused("role_missing"):
            waive_defective(store, challan["reverse"], 1, SAM, reason="lost")
        with refused("reason_missing"):
            waive_defective(store, challan["reverse"], 1, OLGA, reason="")
        assert waive_defective(store, challan["reverse"], 1, OLGA, reason="lost")["state"] == "complete"

    def test_what_is_not_dispatched_can_be_cancelled_and_is_free_again(self, stores: Ledger) -> None:
        number = indent(stores, [{"sku": "valve", "qty": 3}])["number"]
        allocate_indent(stores, number, SAM)
        assert on_hand(stores, "valve", "ASP-1")["available"] == 7
        assert cancel_indent(stores, number, DESK, reason="customer")["state"] == "cancelled"
        assert on_hand(stores, "valve", "ASP-1")["available"] == 10
        with refused("step_impossible"):
            issue_challan(stores, number, SAM, holder="tim")

    def test_the_rest_of_an_indent_that_was_short_is_dispatched_later_or_cancelled(self, store: Ledger) -> None:
        number = indent(store, [{"sku": "seal", "qty": 25}])["number"]
        assert allocate_indent(store, number, SAM)["lines"][0]["short"] == 5
        first = issue_challan(store, number, SAM, holder="tim")
        assert first["state"] == "assigned"
        consume(store, first["number"], [{"line": 1}], TIM)
        assert allocate_indent(store, number, SAM)["state"] == "assigned"
        assert cancel_indent(store, number, DESK, reason="enough")["state"] == "closed"


class TestRepair:
    @pytest.fixture
    def broken(self, store: Ledger) -> Ledger:
        """Two defective valves and a defective pump wait at ASP-1."""
        challan = out(store, [{"sku": "valve", "qty": 2}, {"sku": "pump", "qty": 1}])
        consume(store, challan["number"], [{"line": 1}, {"line": 2}], TIM)
        inward_defectives(store, challan["reverse"], [{"line": 1, "qty": 2}, {"line": 2, "serial": "OLD-1"}], SAM)
        return store

    def test_a_repaired_part_is_stock_again_and_a_scrapped_one_is_gone(self, broken: Ledger) -> None:
        parts = [{"sku": "valve", "qty": 2}, {"serial": "OLD-1"}]
        number = send_to_repair(broken, parts, SAM, vendor="Fixit")["number"]
        assert on_hand(broken, "valve", "ASP-1") == {"available": 8, "under repair": 2}
        assert finish_repair(broken, number, 1, "repaired", SAM, qty=1)["open"] == 1
        with refused("reason_missing"):
            finish_repair(broken, number, 1, "scrapped", SAM)
        finish_repair(broken, number, 1, "scrapped", SAM, reason="cracked")
        assert finish_repair(broken, number, 2, "refurbished", SAM)["state"] == "done"
        assert on_hand(broken, "valve", "ASP-1") == {"available": 9}
        assert broken.state("OLD-1")["condition"] == "refurbished"
        with refused("step_impossible"):
            finish_repair(broken, number, 1, "repaired", SAM)

    @pytest.mark.parametrize(
        ("parts", "code"),
        [([{"sku": "valve", "qty": 3}], "stock_short"), ([{"serial": "P-1"}], "goods_unknown"),
         ([{"serial": "nothing"}], "goods_unknown"), ([{"sku": "valve"}], "value_null")],
    )  # fmt: skip
    def test_only_defective_stock_is_repaired(self, broken: Ledger, parts: Any, code: str) -> None:
        with refused(code):
            send_to_repair(broken, parts, SAM)

    def test_another_partner_s_defectives_look_like_none(self, broken: Ledger) -> None:
        texts = []
        for serial in ("OLD-1", "NONE"):
            with refused("goods_unknown") as refusal:
                send_to_repair(broken, [{"serial": serial}], EVE)
            texts.append(str(refusal.value).replace(serial, "X"))
        assert texts[0] == texts[1]

    @pytest.mark.parametrize(
        ("line", "outcome", "qty", "code"),
        [(1, "painted", None, "argument_value"), (9, "repaired", None, "line_unknown"),
         (1, "repaired", 3, "stock_short"), (1, "repaired", 0, "qty_out_of_range")],
    )  # fmt: skip
    def test_a_repair_ends_as_it_can(self, broken: Ledger, line: int, outcome: Any, qty: int | None, code: str) -> None:
        number = send_to_repair(broken, [{"sku": "valve", "qty": 2}], SAM)["number"]
        with refused(code):
            finish_repair(broken, number, line, outcome, SAM, qty=qty)


def test_each_step_is_answered_again_by_its_key(stores: Ledger) -> None:
    lines = [{"sku": "valve", "qty": 2}]
    number = indent(stores, lines, key="k1")["number"]
    assert indent(stores, lines, key="k1")["number"] == number
    assert allocate_indent(stores, number, SAM, key="k2") == allocate_indent(stores, number, SAM, key="k2")
    challan = issue_challan(stores, number, SAM, holder="tim", key="k3")
    assert issue_challan(stores, number, SAM, holder="tim", key="k3") == challan
    for step in (consume, return_unused):
        part = [{"line": 1, "qty": 1}]
        person = TIM if step is consume else SAM
        assert step(stores, challan["number"], part, person, key=step.__name__) == step(
            stores, challan["number"], part, person, key=step.__name__
        )
    part = [{"line": 1}]
    assert inward_defectives(stores, challan["reverse"], part, SAM, key="k6") == inward_defectives(
        stores, challan["reverse"], part, SAM, key="k6"
    )
    assert on_hand(stores, "valve", "ASP-1") == {"available": 9, "defective": 1}


def test_a_warehouse_fulfils_too(store: Ledger) -> None:
    number = indent(store, [{"sku": "grease", "qty": 1}])["number"]
    with refused("role_missing"):
        allocate_indent(store, number, SAM)
    allocate_indent(store, number, WALT)
    challan = issue_challan(store, number, WALT, holder="tim")
    assert consume(store, challan["number"], [{"line": 1}], TIM)["reverse_state"] == "complete"


def test_parts_of_a_long_challan_are_accounted_for_in_few_statements(
    network: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = [{"sku": "pump", "serial": f"X-{n:03}", "location": "ASP-1/store"} for n in range(300)]
    network.post("receive", units, origin="supplier", document="PO-2", actor="walt")
    challan = out(network, [{"sku": "pump", "qty": 300}])["number"]
    asked: list[str] = []
    with network.store.session() as session:
        kind = type(session)
    rows = kind.rows
    monkeypatch.setattr(kind, "rows", lambda self, sql, params=None: asked.append(sql) or rows(self, sql, params))
    consume(network, challan, [{"sku": "pump", "qty": 200}], TIM)
    return_unused(network, challan, [{"sku": "pump"}], SAM)
    assert 0 < len(asked) < 100, "not one by one"
