"""Parts of a challan are lost: reported, and written off once someone approves (SP-13)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.flows import board, history_of, paper_of
from allocator.flows import partner as flow
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from allocator.papers import render
from flows.network import DESK, EVE, OLGA, SAM, TIM, set_up, stocked

JOB = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-1"}


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


@pytest.fixture
def both_stores(empty_ledger: Ledger) -> Iterator[Ledger]:
    set_up(empty_ledger)
    yield empty_ledger
    assert verify(empty_ledger).clean, str(verify(empty_ledger))


def out(ledger: Ledger, **said: Any) -> dict[str, Any]:
    """A challan of three valves and a pump, of which one valve is used."""
    stocked(ledger, [{"sku": "valve", "qty": 5}, {"sku": "pump", "qty": 1}])
    number = flow.raise_indent(ledger, [{"sku": "valve", "qty": 3}, {"sku": "pump", "qty": 1}], DESK, **JOB)["number"]
    flow.allocate_indent(ledger, number, SAM)
    challan = flow.issue_challan(ledger, number, SAM, holder="tim", **said)
    flow.consume(ledger, challan["number"], [{"sku": "valve", "qty": 1}], SAM)
    return challan


def lost(ledger: Ledger) -> list[tuple[Any, ...]]:
    told = flow.leakage(ledger, SAM).filter(what="lost")
    return told.select("number", "sku", "units", "value", "holder", "late").rows()


def test_a_lost_part_is_written_off_once_it_is_approved_and_leakage_counts_it(both_stores: Ledger) -> None:
    ledger, challan = both_stores, out(both_stores)
    told = flow.report_loss(
        ledger, challan["number"], [{"sku": "valve", "qty": 2}, {"serial": "P-0"}], TIM, reason="stolen"
    )
    assert (told["number"], told["state"], [line["qty"] for line in told["lines"]]) == ("WO-000001", "reported", [2, 1])
    assert board(ledger, OLGA).filter(flow="write-off")["step"].to_list() == ["approve", "reject"]
    assert lost(ledger) == []
    assert ledger.state("P-0")["kind"] == "transit", "until it is approved"
    done = flow.approve_loss(ledger, told["number"], OLGA)
    assert (done["state"], done["challan_state"], done["reverse_state"]) == ("written off", "settled", "due")
    state = ledger.state("P-0")
    assert state["kind"] == "lost"
    (row,) = ledger.history("P-0").tail(1).to_dicts()
    assert (row["document"], row["reason"], row["approved_by"], row["actor"]) == ("WO-000001", "stolen", "olga", "olga")
    assert lost(ledger) == [
        ("WO-000001", "valve", 2, Decimal(25), "tim", False), ("WO-000001", "pump", 1, Decimal(250), "tim", False),
    ]  # fmt: skip
    assert flow.leakage(ledger, EVE).is_empty()
    assert flow.leakage(ledger, SAM).filter(what="part").is_empty()
    flow.inward_defectives(ledger, challan["reverse"], [{"line": 1}], SAM)
    assert history_of(ledger, "IN-000001")["state"][-1] == "closed", "nothing is due for what was lost"


def test_what_is_rejected_is_expected_still(partners: Ledger) -> None:
    challan = out(partners)
    number = flow.report_loss(partners, challan["number"], [{"serial": "P-0"}], TIM, reason="stolen")["number"]
    with refused("reason_missing"):
        flow.reject_loss(partners, number, OLGA, reason="")
    flow.reject_loss(partners, number, OLGA, reason="it is in the van")
    with refused("step_impossible"):
        flow.approve_loss(partners, number, OLGA)
    assert flow.return_unused(partners, challan["number"], [{"serial": "P-0"}], SAM)["state"] == "out"


def test_nothing_is_reported_twice_or_written_off_after_it_came_back(partners: Ledger) -> None:
    challan = out(partners)["number"]
    number = flow.report_loss(partners, challan, [{"sku": "valve"}], TIM, reason="stolen")["number"]
    with refused("stock_short"):
        flow.report_loss(partners, challan, [{"sku": "valve", "qty": 1}], SAM, reason="stolen")
    flow.return_unused(partners, challan, [{"sku": "valve", "qty": 1}], SAM)
    with refused("stock_short"):
        flow.approve_loss(partners, number, OLGA)
    flow.reject_loss(partners, number, OLGA, reason="one came back")
    again = flow.report_loss(partners, challan, [{"sku": "valve"}], TIM, reason="stolen", key="k")
    assert flow.report_loss(partners, challan, [{"sku": "valve"}], TIM, reason="stolen", key="k") == again
    done = flow.approve_loss(partners, again["number"], OLGA, key="a")
    assert flow.approve_loss(partners, again["number"], OLGA, key="a") == done
    with refused("step_impossible"):
        flow.approve_loss(partners, again["number"], OLGA)


def test_a_part_that_went_straight_to_the_customer_can_be_lost_there(partners: Ledger) -> None:
    challan = out(partners, to="customer")["number"]
    number = flow.report_loss(partners, challan, [{"serial": "P-0"}], SAM, reason="fire")["number"]
    flow.approve_loss(partners, number, OLGA)
    assert partners.state("P-0")["kind"] == "lost"


def test_losses_without_a_reason_or_of_what_is_not_out_are_refused(partners: Ledger) -> None:
    challan = out(partners)["number"]
    with refused("reason_missing"):
        flow.report_loss(partners, challan, [{"sku": "valve"}], TIM, reason="")
    with pytest.raises(InputError) as caught:
        flow.report_loss(
            partners, challan, [{"serial": "P-9"}, {"sku": "valve", "qty": 9}, {"line": 7}], TIM, reason="x"
        )
    assert [p.code for p in caught.value.problems] == ["goods_unknown", "stock_short", "goods_unknown"]
    with refused("document_unknown"):
        flow.report_loss(partners, challan, [{"sku": "valve"}], EVE, reason="x")


def test_a_write_off_has_a_paper_that_says_whether_it_was_approved_and_what_was_lost(both_stores: Ledger) -> None:
    ledger, challan = both_stores, out(both_stores)
    parts = [{"sku": "valve", "qty": 2}, {"serial": "P-0"}]
    number = flow.report_loss(ledger, challan["number"], parts, TIM, reason="stolen")["number"]
    kind, told = paper_of(ledger, number, SAM, issuer="Precision", currency="EUR")
    assert (kind, told["challan"], told["references"]["State"]) == ("write_off", challan["number"], "reported")
    assert (told["from"]["name"], told["to"]["name"]) == ("tim", "ASP-1")
    assert [(line["sku"], line["qty"], line["reason"]) for line in told["lines"]] == [
        ("valve", 2, "stolen"), ("pump", 1, "stolen"),
    ]  # fmt: skip
    assert [Decimal(line["rate"]) for line in told["lines"]] == [Decimal("12.50"), Decimal(250)]
    assert render(kind, told).startswith(b"%PDF")
    flow.approve_loss(ledger, number, OLGA)
    kind, told = paper_of(ledger, number, OLGA, issuer="Precision")
    assert (told["references"]["State"], "rate" in told["lines"][0]) == ("written off", False)
    with refused("document_unknown"):
        paper_of(ledger, number, EVE, issuer="Precision")
