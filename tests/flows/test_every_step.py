"""Every step of partners, whatever is wrong with who takes it, and on what: refused, and nothing is changed."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from allocator import flows
from allocator.errors import InputError
from allocator.flows import FLOWS, Person
from allocator.flows import partner as flow
from allocator.ledger import Ledger
from flows.network import CRON, DESK, EVE, OLGA, SAM, TIM, WALT, stocked

ALL = [{"line": 1, "qty": 1}]
DUE: dict[str, Any] = {"reason": "why"}

STEPS: list[tuple[Callable[..., Any], str, tuple[Any, ...], Person, dict[str, Any]]] = [
    (flow.decide_request, "part request", (ALL,), OLGA, {}),
    (flow.allocate_request, "part request", (), WALT, {}),
    (flow.pick_request, "part request", (), WALT, {}),
    (flow.ship_request, "part request", (), WALT, {"carrier": "DHL"}),
    (flow.withdraw_request, "part request", (), SAM, DUE),
    (flow.receive_shipment, "shipment", (), SAM, {}),
    (flow.settle_difference, "goods receipt", (1, "lost"), OLGA, DUE),
    (flow.assign_indent, "indent", (), DESK, {}),
    (flow.allocate_indent, "indent", (), SAM, {}),
    (flow.cancel_indent, "indent", (), DESK, DUE),
    (flow.consume, "delivery challan", (ALL,), TIM, {}),
    (flow.return_unused, "delivery challan", (ALL,), SAM, {}),
    (flow.report_loss, "delivery challan", (ALL,), TIM, DUE),
    (flow.approve_loss, "write-off", (), OLGA, {}),
    (flow.reject_loss, "write-off", (), OLGA, DUE),
    (flow.inward_defectives, "reverse challan", (ALL,), SAM, {}),
    (flow.waive_defective, "reverse challan", (1,), OLGA, DUE),
    (flow.finish_repair, "repair", (1, "repaired"), SAM, {}),
    (flow.decide_return, "return request", (ALL,), OLGA, {}),
    (flow.ship_return, "return request", (), SAM, {"carrier": "DHL"}),
    (flow.withdraw_return, "return request", (), SAM, {}),
]
NAMES = [step[0].__name__ for step in STEPS]
EVERYONE = (SAM, TIM, EVE, OLGA, WALT, DESK, CRON)


@pytest.fixture(scope="module")
def worked() -> Ledger:
    """A network in which every kind of document exists, at ASP-1."""
    ledger = Ledger.open("sqlite://")
    from flows.network import set_up  # noqa: PLC0415

    set_up(ledger)
    stocked(ledger, [{"sku": "valve", "qty": 10}, {"sku": "pump", "qty": 2}])
    job = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-1"}
    number = flow.raise_indent(ledger, [{"sku": "valve", "qty": 3}], DESK, **job)["number"]
    flow.allocate_indent(ledger, number, SAM)
    out = flow.issue_challan(ledger, number, SAM, holder="tim")
    flow.consume(ledger, out["number"], [{"line": 1, "qty": 2}], TIM)
    flow.inward_defectives(ledger, out["reverse"], [{"line": 1}], SAM)
    flow.report_loss(ledger, out["number"], [{"line": 1, "qty": 1}], TIM, reason="stolen")
    flow.send_to_repair(ledger, [{"sku": "valve", "qty": 1}], SAM)
    flow.raise_return(ledger, [{"serial": "P-0"}], SAM)
    flow.raise_request(ledger, [{"sku": "valve", "qty": 1}], SAM)
    return ledger


def head(ledger: Ledger) -> Any:
    with ledger.store.session() as session:
        return session.rows("SELECT seq, hash FROM tenant")


def refusal(ledger: Ledger, step: Any, number: str, person: Person) -> str:
    function, _, said, _, more = step
    before = head(ledger)
    with pytest.raises(InputError) as refused:
        function(ledger, number, *said, person, **more)
    assert head(ledger) == before
    return str(refused.value)


def number_of(ledger: Ledger, name: str) -> str:
    with ledger.store.session() as session:
        return str(session.rows("SELECT number FROM document WHERE flow = :flow ORDER BY closed", {"flow": name})[0][0])


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_an_unknown_document_and_one_of_others_cannot_be_told_apart(worked: Ledger, step: Any) -> None:
    number = number_of(worked, step[1])
    stranger = Person("eve", step[3].role, "ASP-2")
    theirs = refusal(worked, step, number, stranger).replace(number, "X")
    none = refusal(worked, step, f"{number[:-6]}999999", stranger).replace(f"{number[:-6]}999999", "X")
    assert theirs == none
    assert theirs.startswith("document_unknown")


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_a_document_of_another_kind_is_not_taken_for_this_one(worked: Ledger, step: Any) -> None:
    other = "repair" if step[1] != "repair" else "indent"
    assert refusal(worked, step, number_of(worked, other), step[3]).startswith("document_unknown")


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_each_step_is_for_those_whom_its_flow_names(worked: Ledger, step: Any) -> None:
    number = number_of(worked, step[1])
    allowed = {role for each in FLOWS[step[1]].steps for role in each.roles if step[3].role in each.roles}
    assert step[3].role in allowed
    for person in (Person("sam", "auditor", "ASP-1"), Person("x", "guest")):
        assert refusal(worked, step, number, person).startswith("role_missing")


@pytest.mark.parametrize("number", ["", " ", "PR-\0", "x" * 300, "'; DROP TABLE document; --", "💥", None, 7])
def test_any_number_gives_an_answer(worked: Ledger, number: Any) -> None:
    with pytest.raises(InputError):
        flow.allocate_request(worked, number, WALT)


def test_two_who_take_the_same_step_at_once_take_it_once(network: Ledger) -> None:
    stocked(network, [{"sku": "pump", "qty": 1}])
    job = {"customer": "C-7", "service_order": "SR-1", "party": "ASP-1"}
    numbers = [flow.raise_indent(network, [{"sku": "pump", "qty": 1}], DESK, **job)["number"] for _ in range(4)]
    got: list[Any] = []

    def allocate(number: str) -> None:
        try:
            got.append(flow.allocate_indent(network, number, SAM)["lines"][0]["allocated"])
        except InputError as error:
            got.append(error.code)

    threads = [threading.Thread(target=allocate, args=(number,)) for number in numbers * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got.count(1) == 1
    assert set(got) <= {0, 1, "step_impossible"}


STRANGE = (None, 7, b"x", {"a": 1}, [[]], object(), float("nan"), Decimal(1), pl.DataFrame({"a": [1]}))
EVERY = {**flows.STEPS, **flows.QUESTIONS}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_an_argument_of_another_kind_is_told_and_nothing_is_done(worked: Ledger, name: str) -> None:
    """A number that is no text reached the database driver, a table as a note the comparison of two columns."""
    function = EVERY[name]
    known = inspect.signature(function).parameters
    texts = [each for each, it in known.items() if it.annotation == "str"]
    before = head(worked)
    for strange in STRANGE:
        said: dict[str, Any] = dict.fromkeys(texts, strange)
        others: dict[str, Any] = {"line": 1, "parts": ALL, "lines": ALL, "decisions": ALL, "readings": {}, "usage": {}}
        said |= {
            each: others.get(each, "x") for each, it in known.items() if it.default is it.empty and each not in texts
        }
        if texts:
            with pytest.raises(InputError) as refused:
                function(**said | {"ledger": worked, "person": OLGA})
            assert [problem.column for problem in refused.value.problems] == texts, f"{name}: {strange!r}"
            assert {problem.code for problem in refused.value.problems} == {"argument_type"}
        with pytest.raises(InputError, match="argument_type"):
            function(**dict.fromkeys(said, "x") | {"ledger": worked, "person": strange})
    assert head(worked) == before


@pytest.mark.parametrize("number", ["PR-\0", "\ud800"], ids=ascii)
def test_a_text_that_no_store_can_look_up_is_told_on_either(network: Ledger, number: str) -> None:
    """PostgreSQL's driver raised an error of its own for each of them."""
    for function in EVERY.values():
        known = inspect.signature(function).parameters
        needed = [each for each, it in known.items() if it.default is it.empty and each not in ("ledger", "person")]
        others: dict[str, Any] = {"line": 1, "parts": ALL, "lines": ALL, "decisions": ALL, "readings": {}, "usage": {}}
        said = {each: others.get(each, number) for each in needed}
        if said.keys() - others.keys():
            with pytest.raises(InputError, match="text_nul" if "\0" in number else "value_text"):
                function(network, person=OLGA, **said)
