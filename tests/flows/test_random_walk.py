"""People do whatever comes to their minds, in any order: what makes sense is done, the rest changes nothing.

Each flow has its rules here. At the end `verify` is clean, every document went along its flow, no number is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from allocator.errors import InputError
from allocator.flows import FLOWS, Person, assets, board, devices, history_of, quality, scanning, take_step
from allocator.flows import partner as flow
from allocator.flows.partner.differences import OUTCOMES
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from flows import orders, shop, yard
from flows.checks import check_flows
from flows.network import CRON, DESK, EVE, OLGA, SAM, TIM, WALT, set_up
from flows.orders import IMEIS
from flows.ways import WAYS, Case

PEOPLE = (SAM, EVE, TIM, OLGA, WALT, DESK, CRON)
MOSTLY = {"storekeeper": (SAM, EVE), "technician": (TIM,), "operations": (OLGA,), "warehouse": (WALT,),
          "service": (DESK,), "system": (CRON,)}  # fmt: skip
SKUS = st.sampled_from(("valve", "pump", "seal"))
LINES = st.lists(st.fixed_dictionaries({"sku": SKUS, "qty": st.integers(1, 6)}), min_size=1, max_size=3,
                 unique_by=lambda line: line["sku"])  # fmt: skip
LINE = st.integers(1, 3)
COMES_IN = 0.12
"""How often something new comes in, where people work off what is there."""
GIVES_UP = ("assign", "cancel", "withdraw", "undo", "end", "close", "take back")
GIVEN_UP = 0.08
"""How often a step is taken that leads away from where others lead to."""


class AtWork(RuleBasedStateMachine):
    """A ledger in memory, who works on it, and how a step is tried in it."""

    people: Sequence[Person] = ()
    comes_in: Callable[..., tuple[str, Person, dict[str, Any]]]
    """Work that someone has to do, each place of work its own: the step that begins it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger.open("sqlite://")

    def teardown(self) -> None:
        with self.ledger:
            assert verify(self.ledger).clean, str(verify(self.ledger))
            check_flows(self.ledger)

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

    def a_day_goes_by(self, seed: int, steps: int) -> None:
        """Work comes in, and people do what waits for them, as those who know their work; mostly it can be done."""
        draw = Random(seed)
        for _ in range(steps):
            if draw.random() < COMES_IN:
                name, person, said = self.comes_in(draw)
                self.try_(take_step, name, person, said)
                continue
            person = draw.choice(self.people)
            waiting = board(self.ledger, person).select("flow", "step", "number").rows()
            if waiting:
                flow_, step, number = draw.choice(waiting)
                if step in GIVES_UP and draw.random() > GIVEN_UP:
                    continue
                way = WAYS[flow_, step](Case(self.ledger, number, person, draw))
                if way is not None:
                    self.try_(take_step, way[0], person, way[1])

    def number(self, data: st.DataObject, name: str) -> str:
        """A document of a flow, or none."""
        with self.ledger.store.session() as session:
            sql = "SELECT number FROM document WHERE flow = :flow ORDER BY closed, version DESC LIMIT 4"
            known = [number for (number,) in session.rows(sql, {"flow": name})]
        return str(data.draw(st.sampled_from([*known, "NO-000001"])))


class PartnersAtWork(AtWork):
    """Two partners, a warehouse, and everyone who works there."""

    people = (*PEOPLE, OLGA, WALT, WALT)

    def comes_in(self, draw: Random) -> tuple[str, Person, dict[str, Any]]:
        lines = [{"sku": sku, "qty": draw.randint(1, 3)} for sku in draw.sample(["valve", "pump", "seal"], 2)]
        party = draw.choice(["ASP-1", "ASP-2"])
        job = {"customer": "C-1", "service_order": "SR-1", "party": party, "contract_type": draw.choice(["", "AMC"])}
        keeper = draw.choice([SAM, EVE])
        back = flow.return_candidates(self.ledger, keeper)
        if back.height and draw.random() < 0.5:
            row = back.row(draw.randrange(back.height), named=True)
            named = {"serial": row["serial"]} if row["serial"] else {"sku": row["sku"], "qty": 1}
            if row["why"] == "defective" and draw.random() < 0.5:
                return "send_to_repair", keeper, {"parts": [named]}
            return "raise_return", keeper, {"lines": [{"stock_id": row["stock_id"]}]}
        return draw.choice([
            ("raise_request", keeper, {"lines": lines}),
            ("raise_request", keeper, {"lines": lines, "kind": "base stock"}),
            ("raise_indent", DESK, {"lines": lines[:1], **job}),
        ])  # fmt: skip

    @initialize()
    def begin(self) -> None:
        set_up(self.ledger)

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


SERIALS = st.sampled_from([f"PH-{n}" for n in range(4)] + [f"USED-{n}" for n in range(3)] + IMEIS[:2] + ["nothing"])
SIZES = ("length_mm", "width_mm", "height_mm")
BOXES = st.fixed_dictionaries({name: st.none() | st.integers(0, 500) for name in SIZES})


class OperatorsAtWork(AtWork):
    """A warehouse where orders are scanned and packed."""

    people = (orders.PAM, orders.PAM, orders.PAM, orders.PAT, orders.SUE, orders.OMS)

    def comes_in(self, draw: Random) -> tuple[str, Person, dict[str, Any]]:
        skus = draw.sample(["phone", "phone-used", "battery"], draw.randint(1, 2))
        said = {"lines": [{"sku": sku, "qty": 1} for sku in skus], "customer": "Metro", "place": "WH"}
        return "scanning.place_order", orders.OMS, said

    @initialize()
    def begin(self) -> None:
        orders.set_up(self.ledger)

    def operator(self, data: st.DataObject, name: str) -> Person:
        return data.draw(st.sampled_from([Person(name, "operator")] * 5 + [orders.SUE]))

    @rule(lines=st.lists(
        st.fixed_dictionaries({"sku": st.sampled_from(["phone", "phone-used", "battery"]), "qty": st.integers(1, 3)}),
        min_size=1, max_size=2, unique_by=lambda line: line["sku"],
    ), picked=st.booleans())  # fmt: skip
    def order(self, lines: list[dict[str, Any]], picked: bool) -> None:
        number = self.try_(scanning.place_order, lines, orders.OMS, customer="Metro", place="WH")["number"]
        self.try_(scanning.assign_operators, number, orders.SUE, picking="pat", packing="pam", shipping="pam")
        if picked:
            self.try_(scanning.pick_order, number, orders.PAT)

    @rule(data=st.data())
    def pick(self, data: st.DataObject) -> None:
        self.try_(scanning.pick_order, self.number(data, "customer order"), self.operator(data, "pat"))

    @rule(data=st.data(), serials=st.lists(SERIALS, min_size=3, max_size=9))
    def scan_many(self, data: st.DataObject, serials: list[str]) -> None:
        number = self.number(data, "customer order")
        for each in [*serials, "battery"]:
            self.try_(scanning.scan, number, each, orders.PAM)
        self.adds_up(number)

    @rule(data=st.data(), serial=SERIALS, undo=st.sampled_from([False, False, True]))
    def scan_a_unit(self, data: st.DataObject, serial: str, undo: bool) -> None:
        step, number = scanning.undo_scan if undo else scanning.scan, self.number(data, "customer order")
        self.try_(step, number, serial, self.operator(data, "pam"))
        self.adds_up(number)

    @rule(data=st.data(), qty=st.integers(0, 4), undo=st.sampled_from([False, False, True]))
    def scan_a_product(self, data: st.DataObject, qty: int, undo: bool) -> None:
        step, number = scanning.undo_scan if undo else scanning.scan, self.number(data, "customer order")
        self.try_(step, number, "battery", self.operator(data, "pam"), qty=qty)
        self.adds_up(number)

    @rule(data=st.data(), sizes=BOXES)
    def box(self, data: st.DataObject, sizes: dict[str, int | None]) -> None:
        number = self.number(data, "box")
        self.try_(scanning.save_box, number, self.operator(data, "pam"))
        if data.draw(st.booleans()):
            self.try_(scanning.confirm_box, number, self.operator(data, "pam"), **sizes)

    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        number = self.number(data, "customer order")
        boxes = () if number == "NO-000001" else scanning.box_contents(self.ledger, number, orders.OMS)["box"].unique()
        for box in boxes:
            self.try_(scanning.save_box, box, orders.PAM)
            self.try_(scanning.confirm_box, box, orders.PAM, length_mm=1, width_mm=1, height_mm=1)
        if self.try_(scanning.confirm_packing, number, self.operator(data, "pam")) and data.draw(st.booleans()):
            self.try_(scanning.ship_order, number, self.operator(data, "pam"), carrier="DHL")

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        number = self.number(data, "customer order")
        self.try_(scanning.cancel_order, number, orders.OMS, reason="changed their mind")
        self.adds_up(number)

    def adds_up(self, number: str) -> None:
        """Scanned and pending are what was ordered, and what is scanned is in boxes."""
        if number == "NO-000001":
            return
        counts = scanning.scan_counts(self.ledger, number, orders.OMS)
        counts = counts.cast(dict.fromkeys(("ordered", "scanned", "pending"), pl.Int64))
        assert (counts["scanned"] + counts["pending"] == counts["ordered"]).all()
        assert (counts["pending"] >= 0).all()
        cancelled = history_of(self.ledger, number)["state"][-1] == "cancelled"
        boxed = scanning.box_contents(self.ledger, number, orders.OMS)["qty"].cast(pl.Int64).sum()
        assert boxed == (0 if cancelled else counts["scanned"].sum())


class DriversAtWork(AtWork):
    """A yard, two drivers and an office."""

    people = (yard.DAN, yard.DOT, yard.OFF)

    def comes_in(self, draw: Random) -> tuple[str, Person, dict[str, Any]]:
        said = {"sku": "20yd", "site": draw.choice(["Acme", "Mill"])}
        in_use = board(self.ledger, yard.OFF).filter(step="fetch")["number"].to_list()
        if in_use and draw.random() < 0.5:
            said["exchanges"] = draw.choice(in_use)
        return "order_asset", yard.OFF, said

    @initialize(settings=st.sampled_from([yard.STRICT, yard.DELIVERY, yard.BOTH, yard.BOTH]))
    def begin(self, settings: dict[str, Any]) -> None:
        yard.set_up(self.ledger, **settings)

    def asset(self, data: st.DataObject) -> str:
        return str(data.draw(st.sampled_from(["C1", "C2", "C3", "C4", "S1", "none"])))

    def seen(self, data: st.DataObject, order: str, asset: str) -> str:
        """Mostly what the app shows, sometimes what it showed before."""
        shown: pl.DataFrame | None = self.try_(assets.choices, order, yard.DAN)
        rows = [] if shown is None else shown.filter(asset=asset)["seen"].to_list()
        return str(data.draw(st.sampled_from([*rows * 4, "Available", "In Use AO-000001"])))

    @rule(data=st.data(), site=st.sampled_from(["Acme", "Mill"]), exchanges=st.booleans())
    def order(self, data: st.DataObject, site: str, exchanges: bool) -> None:
        old = self.number(data, "asset order") if exchanges else ""
        self.try_(assets.order_asset, "20yd", yard.OFF, site=site, exchanges=old)

    @rule(data=st.data(), site=st.sampled_from(["Acme", "Mill"]), fetched=st.booleans())
    def deliver_at_once(self, data: st.DataObject, site: str, fetched: bool) -> None:
        number = self.try_(assets.order_asset, "20yd", yard.OFF, site=site)["number"]
        asset = self.asset(data)
        self.try_(assets.deliver_asset, number, yard.DOT, asset=asset, seen=self.seen(data, number, asset))
        if fetched:
            self.try_(assets.order_removal, number, yard.OFF)

    @rule(data=st.data())
    def reserve(self, data: st.DataObject) -> None:
        self.try_(assets.reserve_asset, self.number(data, "asset order"), self.asset(data), yard.DAN)

    @rule(data=st.data(), step=st.sampled_from([assets.remove_asset, assets.deliver_asset]), named=st.booleans())
    def drive(self, data: st.DataObject, step: Any, named: bool) -> None:
        order, driver = self.number(data, "asset order"), data.draw(st.sampled_from([yard.DAN, yard.DOT]))
        asset = self.asset(data) if named or step is assets.deliver_asset else ""
        said = {"asset": asset, "seen": self.seen(data, order, asset)} if asset else {}
        self.try_(step, order, driver, **said)

    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        self.try_(assets.order_removal, self.number(data, "asset order"), yard.OFF)

    @rule(data=st.data())
    def reconcile(self, data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            order, asset = self.number(data, "asset order"), self.asset(data)
            self.try_(assets.assign_asset, order, asset, yard.OFF, note="counted")
        else:
            self.try_(assets.confirm_exception, self.number(data, "asset exception"), yard.OFF, note="so be it")

    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        if data.draw(st.booleans()):
            self.try_(assets.cancel_asset_order, self.number(data, "asset order"), yard.OFF, reason="rain")
        else:
            self.try_(assets.report_missing, self.asset(data), yard.OFF)

    @rule(settings=st.sampled_from([yard.STRICT, yard.DELIVERY, yard.BOTH]))
    def migrate(self, settings: dict[str, Any]) -> None:
        yard.settle(self.ledger, **settings)

    @invariant()
    def no_asset_is_with_two_orders_and_queues_show_what_is_open(self) -> None:
        with self.ledger.store.session() as session:
            if not session.rows("SELECT 1 FROM document LIMIT 1"):
                return
            sql = (
                "SELECT l.goods_id FROM document_line l JOIN document d ON d.tenant = l.tenant AND d.number = l.number "
                "WHERE d.flow = 'asset order' AND l.goods_id IS NOT NULL"
            )
            held = [goods for (goods,) in session.rows(sql)]
        assert len(held) == len(set(held))
        raised = set(assets.open_exceptions(self.ledger, yard.OFF)["number"])
        assert set(assets.assign_queue(self.ledger, yard.OFF)["exception"]) <= raised


QA = Person("quinn", "quality")
UNITS = st.sampled_from(["R-1", "R-2", "R-3", "R-4", "K-1", "K-2", "P-1", "MY-1", "none"])


class ShopAtWork(AtWork):
    """A business that sells and rents devices, its customers, and those who look after quality."""

    people = (shop.DESK, shop.WALT, shop.BILL, QA, shop.NET, shop.METRO, shop.DESK, shop.WALT)

    def comes_in(self, draw: Random) -> tuple[str, Person, dict[str, Any]]:
        lines = [{"sku": sku, "qty": 1} for sku in draw.sample(["router", "copier", "cable"], 2)]
        serial = f"R-{draw.randint(1, 4)}"
        return draw.choice([
            ("devices.place_order", shop.DESK, {"lines": lines, "customer": "Metro"}),
            ("devices.place_order", shop.DESK, {"lines": lines, "customer": "Rival"}),
            ("rent_device", shop.DESK, {"sku": "router", "customer": "Metro", "serial": serial}),
            ("open_subscription", shop.DESK, {"customer": "Metro"}),
            ("register_devices", shop.METRO, {"lines": [{"sku": "router", "serial": "MY-1"}]}),
            ("block_goods", QA, {"lines": {"serial": serial}, "reason": "damage"}),
            ("raise_recall", QA, {"serials": [serial]}),
            ("issue_credit_note", shop.BILL, {"invoice": f"INV-{draw.randint(1, 4):06}", "reason": "unhappy"}),
        ])  # fmt: skip

    @initialize()
    def begin(self) -> None:
        shop.set_up(self.ledger)

    @rule(lines=st.dictionaries(st.sampled_from(["router", "copier", "cable"]), st.integers(1, 3), min_size=1),
          customer=st.sampled_from(["Metro", "Rival"]))  # fmt: skip
    def order(self, lines: dict[str, int], customer: str) -> None:
        rows = [{"sku": sku, "qty": qty} for sku, qty in lines.items()]
        self.try_(devices.place_order, rows, shop.DESK, customer=customer)

    @rule(serial=UNITS, customer=st.sampled_from(["Metro", "Rival"]), sold=st.booleans())
    def give(self, serial: str, customer: str, sold: bool) -> None:
        sku = {"R": "router", "K": "copier", "P": "phone"}.get(serial[0], "cable")
        if sold:
            self.try_(devices.invoice_sale, [{"sku": sku, "serial": serial}], shop.BILL, customer=customer)
        else:
            said = {"serial": serial, "readings": {"pages": 5} if sku == "copier" else {}}
            self.try_(devices.rent_device, sku, shop.DESK, customer=customer, **said)

    @rule(data=st.data())
    def take_back(self, data: st.DataObject) -> None:
        number = self.number(data, "invoice")
        self.try_(devices.issue_credit_note, number, shop.BILL, reason="unhappy")

    @rule(customer=st.sampled_from([shop.METRO, shop.RIVAL]))
    def subscribe(self, customer: Person) -> None:
        self.try_(devices.open_subscription, shop.DESK, customer=customer.party)
        self.try_(devices.register_devices, [{"sku": "router", "serial": "MY-1"}], customer)

    @rule(serial=UNITS, reason=st.sampled_from(["damage", "legal"]))
    def block(self, serial: str, reason: str) -> None:
        self.try_(quality.block_goods, {"serial": serial}, QA, reason=reason)

    @rule(last=st.integers(1, 4))
    def recall(self, last: int) -> None:
        self.try_(quality.raise_recall, QA, serials=[f"R-1 to R-{last}"])

    @invariant()
    def what_is_recalled_is_nowhere_to_be_had(self) -> None:
        """What an open recall has not cleared is not in stock without its block."""
        with self.ledger.store.session() as session:
            sql = (
                "SELECT COUNT(*) FROM document d JOIN document_line l ON l.tenant = d.tenant AND l.number = d.number "
                "JOIN balance b ON b.tenant = l.tenant AND b.goods_id = l.goods_id "
                "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
                "WHERE d.flow = 'recall' AND d.closed = 0 AND l.state <> 'cleared' AND a.kind = 'stock' "
                "AND a.blocks NOT LIKE '%' || d.number || '%'"
            )
            assert session.rows(sql) == [(0,)]


MACHINES = [PartnersAtWork, OperatorsAtWork, DriversAtWork, ShopAtWork]


def work(people: type[AtWork], examples: int, steps: int) -> None:
    every = list(HealthCheck)
    kept = settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=every)
    run_state_machine_as_test(people, settings=kept)


@pytest.mark.parametrize("people", MACHINES)
def test_whatever_people_do_the_books_are_right(people: type[AtWork]) -> None:
    work(people, examples=6, steps=40)


def know_their_work(people: type[AtWork], seed: int, steps: int) -> set[tuple[str, str]]:
    """People who know their work go about it for so many steps; the flows and states that documents came to."""
    walk = people()
    walk.begin(**({"settings": yard.BOTH} if people is DriversAtWork else {}))  # type: ignore[attr-defined]
    walk.a_day_goes_by(seed=seed, steps=steps)
    with walk.ledger.store.session() as session:
        sql = "SELECT DISTINCT d.flow, e.state FROM document_event e JOIN document d ON d.number = e.number"
        reached = set(session.rows(sql))
    walk.teardown()
    return reached


@pytest.mark.parametrize("people", MACHINES)
def test_people_who_know_their_work_keep_the_books_right(people: type[AtWork]) -> None:
    assert len(know_their_work(people, seed=7, steps=250)) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("people", MACHINES)
def test_whatever_people_do_for_long_the_books_are_right(people: type[AtWork]) -> None:
    work(people, examples=200, steps=120)


@pytest.mark.slow
def test_people_who_know_their_work_come_to_every_state_of_every_flow() -> None:
    reached = {each for people in MACHINES for seed in range(16) for each in know_their_work(people, seed, steps=600)}
    every = {(name, state) for name, kind in FLOWS.items() for state in kind.states}
    assert every - reached == {("feed", "delivered"), ("settings", "in force")} - reached


def test_there_is_a_way_to_take_each_step_that_a_board_shows() -> None:
    shown = {
        (name, step.name) for name, kind in FLOWS.items() for step in kind.steps if step.roles and any(step.before)
    }
    assert {(name, step) for name, step in shown if name not in ("settings", "feed")} == set(WAYS)
