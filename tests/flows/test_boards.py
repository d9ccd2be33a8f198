"""What waits for whom, and what the network looks like: boards and dashboard, each person their own."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from allocator.errors import InputError
from allocator.flows import Person, board
from allocator.flows.partner import (
    allocate_indent,
    approve_loss,
    assign_indent,
    cancel_indent,
    consume,
    cost_by_contract,
    dashboard,
    decide_request,
    expiring,
    fill_rate,
    inward_defectives,
    issue_challan,
    leakage,
    msl_cover,
    raise_indent,
    raise_request,
    report_loss,
    return_unused,
    stock_view,
    suggest,
    turnaround,
    waive_defective,
)
from allocator.ledger import Ledger
from flows.network import DESK, EVE, OLGA, SAM, TIM, WALT, shipped, stocked


def steps(ledger: Ledger, person: Person) -> list[tuple[str, str]]:
    return sorted(board(ledger, person).select("step", "number").rows())


def job(ledger: Ledger, order: str, qty: int = 2, **said: object) -> str:
    given = {"customer": "C-7", "service_order": order, "party": "ASP-1"} | said
    return str(raise_indent(ledger, [{"sku": "valve", "qty": qty}], DESK, **given)["number"])  # type: ignore[arg-type]


@contextmanager
def later(ledger: Ledger, **after: float) -> Iterator[None]:
    """The ledger some time later."""
    late = dt.timedelta(**after) // dt.timedelta(microseconds=1)
    with ledger.store.session("write") as session:
        session.run("UPDATE tenant SET recorded_at = recorded_at + :late", {"late": late})
    yield
    with ledger.store.session("write") as session:
        session.run("DROP TRIGGER head_forward")
        session.run("UPDATE tenant SET recorded_at = recorded_at - :late", {"late": late})


def test_each_step_waits_for_those_who_take_it(network: Ledger) -> None:
    raise_request(network, [{"sku": "valve", "qty": 5}], SAM)
    assert steps(network, OLGA) == [("decide", "PR-000001"), ("withdraw", "PR-000001")]
    assert steps(network, SAM) == [("withdraw", "PR-000001")]
    assert steps(network, WALT) == steps(network, EVE) == []
    answer = shipped(network, [{"sku": "valve", "qty": 5}])
    assert ("receive", answer["number"]) in steps(network, SAM)
    assert ("receive", answer["number"]) not in steps(network, EVE)


def test_indents_challans_and_defectives_wait_for_the_store_and_the_technician(network: Ledger) -> None:
    stocked(network, [{"sku": "valve", "qty": 10}])
    number = job(network, "SR-1", priority=1, contract_type="AMC")
    waiting = board(network, SAM).row(0, named=True)
    assert (waiting["step"], waiting["number"], waiting["late"]) == ("allocate", number, False)
    assert waiting["due_at"] - waiting["opened_at"] == dt.timedelta(hours=1)
    assert ("allocate", number) not in steps(network, WALT)
    allocate_indent(network, number, SAM)
    challan = issue_challan(network, number, SAM, holder="tim")
    assert steps(network, TIM) == [("consume", challan["number"])]
    consume(network, challan["number"], [{"line": 1}], TIM)
    assert ("inward", challan["reverse"]) in steps(network, SAM)


def test_who_only_looks_on_has_nothing_to_do(partners: Ledger) -> None:
    stocked(partners, [{"sku": "valve", "qty": 1}], EVE)
    number = raise_indent(partners, [{"sku": "valve", "qty": 1}], SAM, customer="C-7", service_order="SR-1")["number"]
    assert number == "IN-000001"
    assign_indent(partners, number, DESK, site="ASP-2", reason="closer")
    assert ("allocate", number) in steps(partners, EVE)
    assert steps(partners, SAM) == []


def test_stock_is_told_by_site_with_what_it_is_worth(partners: Ledger) -> None:
    stocked(partners, [{"sku": "valve", "qty": 10}, {"sku": "pump", "qty": 1}])
    stocked(partners, [{"sku": "valve", "qty": 4}], EVE)
    told = stock_view(partners, OLGA).filter(sku="valve").select("site", "on_hand", "available", "value").rows()
    assert told == [("ASP-1", 10, 10, Decimal(125)), ("ASP-2", 4, 4, Decimal(50)), ("Central", 46, 46, Decimal(575))]
    assert stock_view(partners, EVE)["site"].unique().to_list() == ["ASP-2"]
    with pytest.raises(InputError, match="site_unknown"):
        stock_view(partners, EVE, party="ASP-1")


def test_half_a_unit_is_worth_half(partners: Ledger) -> None:
    stocked(partners, [{"sku": "grease", "qty": Decimal("2.25")}])
    told = stock_view(partners, SAM).select("sku", "on_hand", "value").rows()
    assert told == [("grease", Decimal("2.25"), Decimal(18))]


def test_cover_is_what_is_on_hand_of_the_limit(partners: Ledger) -> None:
    stocked(partners, [{"sku": "valve", "qty": 15}])
    assert msl_cover(partners, SAM).select("asp", "sku", "on_hand", "units_max", "cover").rows() == [
        ("ASP-1", "valve", 15, 20, 0.75)
    ]


def test_cover_counts_what_is_asked_for_and_on_its_way_as_the_suggestion_does(partners: Ledger) -> None:
    """It proposed what was on its way once more: stock was all that it looked at."""
    stocked(partners, [{"sku": "valve", "qty": 5}, {"sku": "seal", "qty": 10}, {"sku": "pump", "qty": 1}])
    shipped(partners, [{"sku": "valve", "qty": 6}, {"sku": "grease", "qty": Decimal("1.25")}])
    number = raise_request(partners, [{"sku": "valve", "qty": 6}], SAM)["number"]
    decide_request(partners, number, [{"line": 1, "qty": 4, "reason": "little left"}], OLGA)
    shipped(partners, [{"sku": "valve", "qty": 7}], EVE)
    figures = ("sku", "on_hand", "in_transit", "requested_open", "headroom", "qty_proposed", "reason")
    mine = msl_cover(partners, SAM).select(figures)
    assert mine.rows() == [
        ("grease", 0, 2, 0, 98, 98, "proposed"), ("pump", 1, 0, 0, 4, 4, "proposed"),
        ("seal", 10, 0, 0, 90, 90, "proposed"), ("valve", 5, 6, 4, 5, 5, "proposed"),
    ]  # fmt: skip
    assert suggest(partners, SAM).select(figures).rows() == mine.rows()
    every = msl_cover(partners, OLGA)
    assert every.filter(asp="ASP-1").select(figures).rows() == mine.rows()
    assert every.filter(asp="ASP-2").select(figures).rows() == [("valve", 0, 7, 0, 13, 13, "proposed")]
    assert msl_cover(partners, OLGA, party="ASP-2").select(figures).height == 1
    assert dashboard(partners, SAM)["msl_cover"].select(figures).rows() == mine.rows()


def test_lots_that_expire_soon_are_told_the_first_first(partners: Ledger) -> None:
    today = dt.datetime.now(dt.UTC).date()
    days = {"G-2": 10, "G-3": 40, "G-4": -1}
    lines = [{"sku": "grease", "qty": 1, "lot": lot, "location": "ASP-1/store",
              "expires_on": today + dt.timedelta(days=left)} for lot, left in days.items()]  # fmt: skip
    partners.post("receive", lines, origin="found", reason="count", note="x", actor="walt")
    assert expiring(partners, SAM).select("lot", "days_left").rows() == [("G-4", -1), ("G-2", 10)]


class TestJobs:
    @pytest.fixture
    def jobs(self, partners: Ledger) -> Ledger:
        """Three jobs: one done, one with open parts and a defective due, one that waits."""
        stocked(partners, [{"sku": "valve", "qty": 5}])
        for order, contract in (("SR-1", "warranty"), ("SR-2", "AMC")):
            number = job(partners, order, contract_type=contract)
            allocate_indent(partners, number, SAM)
            challan = issue_challan(partners, number, SAM, holder="tim")
            consume(partners, challan["number"], [{"line": 1, "qty": 1}], TIM)
            if order == "SR-1":
                return_unused(partners, challan["number"], [{"line": 1}], SAM)
                inward_defectives(partners, challan["reverse"], [{"line": 1}], SAM)
        job(partners, "SR-3", 4, contract_type="AMC")
        return partners

    def test_what_is_out_and_what_is_due_is_aged_and_valued(self, jobs: Ledger) -> None:
        told = leakage(jobs, SAM).select("what", "number", "indent", "holder", "units", "value", "days", "late")
        assert told.rows() == [
            ("defective", "RDC-000002", "IN-000002", None, 1, Decimal("12.5"), "0-29", False),
            ("part", "DC-000002", "IN-000002", "tim", 1, Decimal("12.5"), "0-29", False),
        ]
        assert leakage(jobs, EVE).is_empty()

    def test_what_is_waived_is_due_no_more_and_what_was_lost_is_never_late(self, jobs: Ledger) -> None:
        def told(**since: dt.date) -> list[tuple[str, bool]]:
            return leakage(jobs, SAM, **since).select("what", "late").rows()

        waive_defective(jobs, "RDC-000002", 1, OLGA, reason="melted")
        assert told() == [("part", False)]
        approve_loss(jobs, report_loss(jobs, "DC-000002", [{"line": 1}], TIM, reason="stolen")["number"], OLGA)
        stocked(jobs, [{"sku": "valve", "qty": 5}])
        allocate_indent(jobs, "IN-000003", SAM)
        issue_challan(jobs, "IN-000003", SAM, holder="tim")
        assert told() == [("lost", False), ("part", False)]
        assert told(since=dt.date(2100, 1, 1)) == [("part", False)], (
            "what was lost before is left out, not what is open"
        )
        with later(jobs, days=400):
            assert told() == [("lost", False), ("part", True)]

    def test_turnaround_is_measured_against_the_sla_of_contract_and_priority(self, jobs: Ledger) -> None:
        rows = turnaround(jobs, OLGA).filter(contract_type="AMC").select("stage", "indents", "done", "sla_hours", "met")
        assert rows.rows() == [("allocate", 2, 1, 4, 1), ("dispatch", 2, 1, None, 0), ("close", 2, 0, None, 0)]
        job(jobs, "SR-9", priority=1, contract_type="AMC")
        urgent = turnaround(jobs, OLGA).filter(contract_type="AMC", priority=1)
        assert urgent.select("stage", "indents", "sla_hours").rows() == [
            ("allocate", 1, 1), ("dispatch", 1, 2), ("close", 1, None),
        ]  # fmt: skip
        done = turnaround(jobs, OLGA).filter(contract_type="warranty", stage="close").row(0, named=True)
        assert done["done"] == 1
        assert 0 < done["hours_median"] < 1

    def test_what_is_late_and_not_done_counts_as_missed(self, jobs: Ledger) -> None:
        with later(jobs, hours=5):
            row = turnaround(jobs, OLGA).filter(contract_type="AMC", stage="allocate").row(0, named=True)
            assert (row["met"], row["missed"]) == (1, 1)
            assert board(jobs, SAM).filter(number="IN-000003")["late"].to_list() == [True]

    def test_nine_of_ten_jobs_took_no_longer(self, jobs: Ledger) -> None:
        stocked(jobs, [{"sku": "valve", "qty": 12}])
        numbers = [job(jobs, f"SR-1{n}", 1, contract_type="AMC", priority=5) for n in range(11)]
        for number in numbers:
            allocate_indent(jobs, number, SAM)
        with jobs.store.session() as session:
            rows = session.rows("SELECT opened_at, marks FROM document WHERE number = ANY(:ids)", {"ids": numbers})
        took = sorted((json.loads(marks)["allocated"] - opened) / 3_600_000_000 for opened, marks in rows)
        told = turnaround(jobs, OLGA).filter(priority=5, stage="allocate").row(0, named=True)
        assert (told["hours_median"], told["hours_p90"]) == (took[5], took[9])
        assert took[9] < took[10]

    def test_fill_is_what_was_dispatched_of_what_was_asked(self, jobs: Ledger) -> None:
        told = fill_rate(jobs, OLGA).select("contract_type", "indents", "units_asked", "units_dispatched", "unit_fill")
        assert told.rows() == [("AMC", 2, 6, 2, 2 / 6), ("warranty", 1, 2, 2, 1.0)]
        allocate_indent(jobs, "IN-000003", SAM)
        issue_challan(jobs, "IN-000003", SAM, holder="tim")
        amc = fill_rate(jobs, OLGA).filter(contract_type="AMC").row(0, named=True)
        assert (amc["units_dispatched"], amc["lines"], amc["line_fill"]) == (4, 2, 0.5), "two of four fill no line"

    def test_jobs_that_do_not_take_place_are_measured_by_nobody(self, jobs: Ledger) -> None:
        before = turnaround(jobs, OLGA), fill_rate(jobs, OLGA)
        cancel_indent(jobs, job(jobs, "SR-8", contract_type="AMC"), DESK, reason="solved by phone")
        assert (turnaround(jobs, OLGA)["indents"].sum(), fill_rate(jobs, OLGA).rows()) == (
            before[0]["indents"].sum(), before[1].rows(),
        )  # fmt: skip

    def test_what_may_not_be_used_is_on_hand_and_not_available(self, jobs: Ledger) -> None:
        def told(sku: str) -> tuple[object, ...]:
            row = stock_view(jobs, SAM).filter(sku=sku, condition="new").row(0, named=True)
            return row["on_hand"], row["available"], row["expired"]

        there, free, _ = told("valve")
        jobs.post("block", {"sku": "valve", "location": "ASP-1/store", "qty": 1}, reason="check", actor="quinn")
        assert told("valve") == (there, free - 1, 0)
        lot = {"sku": "grease", "qty": 1, "lot": "G-0", "expires_on": "2020-01-31", "location": "ASP-1/store"}
        jobs.post("receive", lot, origin="supplier", document="PO-0", actor="walt")
        assert told("grease") == (1, 0, 1)

    def test_consumption_is_costed_by_who_pays(self, jobs: Ledger) -> None:
        assert cost_by_contract(jobs, OLGA).select("contract_type", "units", "value").rows() == [
            ("AMC", 1, Decimal("12.5")), ("warranty", 1, Decimal("12.5")),
        ]  # fmt: skip
        assert cost_by_contract(jobs, OLGA, since=dt.date(2100, 1, 1)).is_empty()
        with pytest.raises(InputError, match="argument_value"):
            cost_by_contract(jobs, OLGA, since="yesterday")  # type: ignore[arg-type]

    def test_the_dashboard_has_it_all_for_one_person(self, jobs: Ledger) -> None:
        mine, theirs = dashboard(jobs, SAM), dashboard(jobs, EVE)
        assert set(mine) == {"stock", "ageing", "msl_cover", "fill_rate", "turnaround", "leakage", "expiring",
                             "cost_by_contract"}  # fmt: skip
        assert mine["ageing"]["value"].sum() == Decimal("12.5") * 3
        assert all(frame.is_empty() for frame in theirs.values())


def test_the_dashboard_has_figures_on_either_store(network: Ledger) -> None:
    stocked(network, [{"sku": "valve", "qty": 5}, {"sku": "grease", "qty": 2}])
    told = dashboard(network, SAM)
    assert told["stock"].select("sku", "on_hand", "value").rows() == [
        ("grease", Decimal("2.00"), Decimal(16)), ("valve", Decimal("5.00"), Decimal("62.5")),
    ]  # fmt: skip
    assert told["ageing"]["value"].sum() == Decimal("78.5")
