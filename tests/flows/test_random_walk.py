"""People do whatever comes to their minds, in any order: what makes sense is done, the rest changes nothing.

Each flow has its rules here. At the end `verify` is clean, every document went along its flow, no number is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from allocator.errors import InputError
from allocator.flows import FLOWS, Person, board, events
from allocator.flows import partner as flow
from allocator.flows.partner.differences import OUTCOMES
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from flows.network import CRON, DESK, EVE, OLGA, SAM, TIM, WALT, set_up

PEOPLE = (SAM, EVE, TIM, OLGA, WALT, DESK, CRON)
MOSTLY = {"storekeeper": (SAM, EVE), "technician": (TIM,), "operations": (OLGA,), "warehouse": (WALT,),
          "service": (DESK,), "system": (CRON,)}  # fmt: skip
SKUS = st.sampled_from(("valve", "pump", "seal"))
LINES = st.lists(st.fixed_dictionaries({"sku": SKUS, "qty": st.integers(1, 6)}), min_size=1, max_size=3,
                 unique_by=lambda line: line["sku"])  # fmt: skip
LINE = st.integers(1, 3)


class PartnersAtWork(RuleBasedStateMachine):
    """Two partners, a warehouse, and everyone who works there."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger.open("sqlite://")

    @initialize()
    def begin(self) -> None:
        set_up(self.ledger)

    def teardown(self) -> None:
        with self.ledger:
            assert verify(self.ledger).clean, str(verify(self.ledger))
            check_flows(self.ledger)

    # --- how a step is tried ---

    def head(self) -> tuple[Any, ...]:
        with self.ledger.store.session() as session:
            return session.rows("SELECT seq, hash FROM tenant")[0]

    def try_(self, step: Callable[..., Any], *said: Any, **more: Any) -> Any:
        """Takes a step; a refusal changes nothing."""
        before = self.head()
        try:
            return step(self.ledger, *said, **more)
        except InputError:
            assert self.head() == before
            return None

    def number(self, data: st.DataObject, name: str) -> str:
        """A document of a flow, or none."""
        with self.ledger.store.session() as session:
            sql = "SELECT number FROM document WHERE flow = :flow ORDER BY closed, version DESC LIMIT 4"
            known = [number for (number,) in session.rows(sql, {"flow": name})]
        return str(data.draw(st.sampled_from([*known, "NO-000001"])))

    def someone(self, data: st.DataObject, *roles: str) -> Person:
        """Mostly one whose step it is."""
        fit = [person for role in roles for person in MOSTLY[role]]
        return data.draw(st.sampled_from([*fit * 4, *PEOPLE]))

    # --- ship to store ---

    @rule(lines=LINES, kind=st.sampled_from(["request", "base stock"]), data=st.data())
    def ask(self, lines: list[dict[str, Any]], kind: Any, data: st.DataObject) -> None:
        override = data.draw(st.sampled_from(["", "", "urgent"]))
        said = {"kind": kind, "override_reason": override}
        self.try_(flow.raise_request, lines, self.someone(data, "storekeeper"), **said)

    @rule(data=st.data())
    def ask_by_trigger(self, data: st.DataObject) -> None:
        self.try_(flow.raise_triggered, self.someone(data, "system"))

    @rule(data=st.data(), qtys=st.lists(st.integers(0, 6), min_size=1, max_size=3))
    def decide(self, data: st.DataObject, qtys: list[int]) -> None:
        rows = [{"line": n, "qty": qty, "reason": "as we can"} for n, qty in enumerate(qtys, start=1)]
        step, name = data.draw(st.sampled_from(
            [(flow.decide_request, "part request"), (flow.decide_return, "return request")]
        ))  # fmt: skip
        self.try_(step, self.number(data, name), rows, self.someone(data, "operations"))

    @rule(data=st.data())
    def supply(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from([flow.allocate_request, flow.pick_request, flow.withdraw_request,
                                          flow.ship_request]))  # fmt: skip
        said = {flow.withdraw_request: {"reason": "late"}, flow.ship_request: {"carrier": "DHL"}}.get(step, {})
        self.try_(step, self.number(data, "part request"), self.someone(data, "warehouse"), **said)

    @rule(data=st.data(), lines=st.none() | LINES, final=st.booleans(), damaged=st.booleans())
    def count(self, data: st.DataObject, lines: Any, final: bool, damaged: bool) -> None:
        number = self.number(data, data.draw(st.sampled_from(["shipment", "warehouse challan"])))
        counted = lines and [each | {"condition": "damaged" if damaged else "good"} for each in lines
                             if each["sku"] != "pump"]  # fmt: skip
        person = self.someone(data, "storekeeper", "warehouse")
        self.try_(flow.receive_shipment, number, person, counted=counted or None, final=final)

    @rule(data=st.data(), line=LINE, outcome=st.sampled_from([each for some in OUTCOMES.values() for each in some]))
    def settle(self, data: st.DataObject, line: int, outcome: Any) -> None:
        number = self.number(data, "goods receipt")
        self.try_(flow.settle_difference, number, line, outcome, self.someone(data, "operations"), reason="count")

    # --- jobs ---

    @rule(data=st.data(), lines=LINES, contract=st.sampled_from(["", "AMC", "warranty"]))
    def need(self, data: st.DataObject, lines: list[dict[str, Any]], contract: str) -> None:
        party = data.draw(st.sampled_from(["ASP-1", "ASP-2", "ASP-3"]))
        said = {"customer": "C-1", "service_order": "SR-1", "contract_type": contract, "party": party}
        answer = self.try_(flow.raise_indent, lines, self.someone(data, "service"), **said)
        if answer and answer["state"] == "assigned" and data.draw(st.booleans()):
            person = next(
                each
                for each in (SAM, EVE, WALT)
                if each.party == (answer["site"] if answer["site"] != "Central" else "")
            )
            self.try_(flow.allocate_indent, answer["number"], person)
            self.try_(flow.issue_challan, answer["number"], person, holder="tim")

    @rule(data=st.data())
    def serve(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from([flow.allocate_indent, flow.issue_challan, flow.assign_indent,
                                          flow.cancel_indent]))  # fmt: skip
        said = {flow.issue_challan: {"holder": "tim"}, flow.cancel_indent: {"reason": "customer"}}.get(step, {})
        person = self.someone(data, "storekeeper", "warehouse", "service")
        self.try_(step, self.number(data, "indent"), person, **said)

    @rule(data=st.data(), line=LINE, qty=st.none() | st.integers(1, 3))
    def use_or_return(self, data: st.DataObject, line: int, qty: int | None) -> None:
        step = data.draw(st.sampled_from([flow.consume, flow.return_unused]))
        part = {"line": line} | ({"qty": qty} if qty else {})
        person = self.someone(data, "storekeeper", "technician")
        self.try_(step, self.number(data, "delivery challan"), [part], person)

    @rule(data=st.data(), line=LINE, qty=st.integers(1, 3), serial=st.none() | st.integers(0, 9))
    def bring_back(self, data: st.DataObject, line: int, qty: int, serial: int | None) -> None:
        number = self.number(data, "reverse challan")
        part = {"line": line, "qty": qty} if serial is None else {"line": line, "serial": f"P-{serial}"}
        if data.draw(st.booleans()):
            self.try_(flow.inward_defectives, number, [part], self.someone(data, "storekeeper"))
        else:
            self.try_(flow.waive_defective, number, line, self.someone(data, "operations"), reason="gone")

    @rule(data=st.data(), line=LINE, qty=st.integers(1, 2))
    def repair(self, data: st.DataObject, line: int, qty: int) -> None:
        if data.draw(st.booleans()):
            self.try_(flow.send_to_repair, [{"sku": "valve", "qty": qty}], self.someone(data, "storekeeper"))
        outcome = data.draw(st.sampled_from(["repaired", "refurbished", "scrapped"]))
        person = self.someone(data, "storekeeper")
        self.try_(flow.finish_repair, self.number(data, "repair"), line, outcome, person, reason="bench")

    # --- back to the warehouse ---

    @rule(data=st.data(), why=st.sampled_from(["defective", "damaged", "unused"]), sku=SKUS)
    def send_back(self, data: st.DataObject, why: str, sku: str) -> None:
        self.try_(flow.raise_return, [{"sku": sku, "why": why}], self.someone(data, "storekeeper"))

    @rule(data=st.data())
    def ship_back(self, data: st.DataObject) -> None:
        number, person = self.number(data, "return request"), self.someone(data, "storekeeper")
        if data.draw(st.booleans()):
            self.try_(flow.ship_return, number, person, carrier="DHL")
        else:
            self.try_(flow.withdraw_return, number, person)

    @rule(person=st.sampled_from(PEOPLE))
    def look_around(self, person: Person) -> None:
        """Everything on a board can be seen by whom it waits for, and is open."""
        for row in board(self.ledger, person).iter_rows(named=True):
            assert row["state"] not in FLOWS[row["flow"]].closed
            assert person.party in ("", row["party"]) or row["step"] == "consume"


def check_flows(ledger: Ledger) -> None:
    """Every document went from state to state by steps that its flow has, taken by roles that may."""
    states: dict[str, str] = {}
    opened: dict[str, list[int]] = {}
    for row in events(ledger, limit=10_000).iter_rows(named=True):
        kind, number = FLOWS[row["flow"]], row["number"]
        step = kind.step(row["step"])
        before = states.get(number, "")
        assert before in step.before, f"{number}: {step.name} from {before or 'nothing'}"
        assert row["state"] in step.after, f"{number}: {step.name} to {row['state']}"
        assert not step.roles or row["role"] in step.roles, f"{number}: {step.name} by {row['role']}"
        states[number] = row["state"]
        if not before and kind.prefix:
            opened.setdefault(kind.prefix, []).append(int(number.removeprefix(f"{kind.prefix}-")))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in opened.values())


def work(examples: int, steps: int) -> None:
    every = list(HealthCheck)
    kept = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=every)
    run_state_machine_as_test(PartnersAtWork, settings=kept)


def test_whatever_people_do_the_books_are_right() -> None:
    work(examples=12, steps=50)


@pytest.mark.slow
def test_whatever_people_do_for_long_the_books_are_right() -> None:
    work(examples=200, steps=120)
