"""Steps and questions by name, with values as JSON has them: the same as from code, and every mistake at once."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.flows import QUESTIONS, STEPS, Person, ask, take_step
from allocator.flows.steps import _reader, parameters
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from flows.network import DESK, OLGA, SAM, WALT, set_up


@pytest.fixture
def partners() -> Iterator[Ledger]:
    with Ledger.open("sqlite://") as ledger:
        set_up(ledger)
        yield ledger
        assert verify(ledger).clean


@pytest.mark.parametrize("name", [*STEPS, *QUESTIONS])
def test_every_argument_of_every_step_and_question_can_be_given_as_a_value(name: str) -> None:
    function = {**STEPS, **QUESTIONS}[name]
    for each in parameters(function).values():
        assert callable(_reader(function, each.annotation))


def test_a_request_goes_from_asking_to_shipping_by_names_and_values(partners: Ledger) -> None:
    asked = {"lines": [{"sku": "valve", "qty": 2}, {"sku": "grease", "qty": "1.50"}], "kind": "base stock"}
    number = take_step(partners, "raise_request", SAM, asked, key="k")["number"]
    assert take_step(partners, "partner.raise_request", SAM, asked, key="k")["number"] == number
    decisions = [{"line": 1, "qty": 2}, {"line": 2, "qty": Decimal("1.50")}]
    take_step(partners, "decide_request", OLGA, {"request": number, "decisions": decisions})
    take_step(partners, "allocate_request", WALT, {"request": number})
    take_step(partners, "pick_request", WALT, {"request": number})
    told = {"request": number, "carrier": "DHL", "references": {"SODO": "8000"}, "rates": {"valve": "11.50"}}
    sent = take_step(partners, "ship_request", WALT, told)
    take_step(partners, "receive_shipment", SAM, {"shipment": sent["number"], "final": "true"})
    view = ask(partners, "stock_view", SAM)
    assert set(view["sku"]) == {"valve", "grease"}
    assert ask(partners, "fill_rate", SAM, {"since": "2026-01-01"}) is not None


@pytest.mark.parametrize(
    ("name", "arguments", "code", "columns"),
    [
        ("raise_indnt", {}, "step_unknown", ["step"]),
        ("cancel_order", {}, "step_unknown", ["step"]),
        ("raise_indent", {"line": 1, "priority": "soon"}, "setting_unknown",
         ["line", "lines", "customer", "service_order", "priority"]),
        ("raise_request", {"lines": "valve", "kind": "bases stock"}, "argument_value", ["lines", "kind"]),
        ("raise_request", {"lines": [1]}, "argument_value", ["lines"]),
        ("issue_challan", {"indent": "IN-1", "to": "someone"}, "argument_value", ["to"]),
        ("receive_shipment", {"shipment": "S", "final": "perhaps"}, "argument_value", ["final"]),
        ("raise_recall", {"lots": {"a": 1}}, "argument_value", ["lots"]),
        ("scan", {"order": "O", "what": "x", "qty": True}, "argument_value", ["qty"]),
        ("decide_request", {"request": ["PR"], "decisions": []}, "argument_value", ["request"]),
        ("pick_order", {"order": "O", "policy": {"demand_oder": []}}, "setting_unknown", ["demand_oder"]),
        ("allocate_indent", {"indent": None}, "argument_value", ["indent"]),
        ("raise_indent", {"lines": [], "customer": "C", "service_order": "S", "required_by": "soon"},
         "argument_value", ["required_by"]),
    ],
)  # fmt: skip
def test_every_mistake_is_told_at_once_and_nothing_is_done(
    partners: Ledger, name: str, arguments: dict[str, Any], code: str, columns: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        take_step(partners, name, DESK, arguments)
    assert caught.value.code == code
    assert [problem.column for problem in caught.value.problems] == columns


def test_the_nearest_name_is_told(partners: Ledger) -> None:
    with pytest.raises(InputError, match="Did you mean 'raise_indent'"):
        take_step(partners, "raise_indnt", DESK)
    with pytest.raises(InputError, match=r"devices\.cancel_order and scanning\.cancel_order"):
        take_step(partners, "cancel_order", DESK)
    with pytest.raises(InputError, match="role_missing"):
        take_step(partners, "allocate_indent", Person("x", "guest"), {"indent": "IN-1"})
