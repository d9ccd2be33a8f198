"""People at work, over and over: a request and a job, an order that is packed, a container, a rented copier."""

from __future__ import annotations

import itertools
import random
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from allocator.errors import InputError
from allocator.flows import Person, assets, devices, keep_settings, quality, scanning
from allocator.flows import partner as flow
from allocator.ledger import Ledger
from allocator.model.assets import AssetSettings
from allocator.model.devices import DeviceSettings
from allocator.model.network import PartnerSettings

PARTNERS: Final = [f"ASP-{n:02}" for n in range(20)]
SKUS: Final = [f"part {n:02}" for n in range(50)]
OLGA, WALT, DESK, BILL, QA = (Person(n, n) for n in ("operations", "warehouse", "service", "billing", "quality"))
OFFICE, DAN, DOT, SUE = (Person(n, r) for n, r in (("olive", "office"), ("dan", "driver"), ("dot", "driver"),
                                                 ("sue", "supervisor")))  # fmt: skip
PAT: Final = Person("pat", "operator")
PHONES, CONTAINERS, COPIERS = 3_000, 400, 400


def people(partner: str) -> tuple[Person, Person]:
    """A storekeeper and a technician of a partner."""
    return Person("sam", "storekeeper", partner), Person("tim", "technician", partner)


def receive(ledger: Ledger, lines: list[dict[str, Any]]) -> None:
    """Stock comes in from a supplier."""
    ledger.post("receive", lines, origin="supplier", document="PO-1", actor="walt")


def set_up(ledger: Ledger) -> None:
    """Partners, a warehouse, and stock in it, half of it by serial; phones to pack, containers, copiers."""
    said = {"lifecycle": "part", "unit_cost": "12.50", "defective_return": True}
    skus: list[dict[str, Any]] = [
        {"sku": sku, "tracking": "serial" if n % 2 else "none", **said} for n, sku in enumerate(SKUS)
    ]
    skus += [{"sku": "bulk", "tracking": "serial", **said}, {"sku": "phone", "tracking": "serial"},
             {"sku": "charger"}, {"sku": "container", "tracking": "serial", "lifecycle": "asset"},
             {"sku": "copier", "tracking": "serial", "lifecycle": "device", "meters": {"pages": "1"},
              "services": ["mail"]}]  # fmt: skip
    ledger.define(skus, actor="ada")
    ada = Person("ada", "administrator")
    sites = [{"name": name, "place": name} for name in PARTNERS]
    limits = {"rules": [{"name": "all", "units_max": 100_000, "value_max": 10_000_000}]}
    warehouses = [{"name": "Central", "place": "WH"}]
    keep_settings(ledger, PartnerSettings(warehouses=warehouses, partners=sites, limits=limits), ada)
    keep_settings(ledger, AssetSettings(flexible_delivery=True, flexible_removal=True), ada)
    keep_settings(ledger, DeviceSettings(warehouse="shop"), ada)
    for n, sku in enumerate(SKUS):
        if n % 2:
            receive(ledger, [{"sku": sku, "serial": f"{sku} {k:05}", "location": "WH/A"} for k in range(400)])
        else:
            receive(ledger, [{"sku": sku, "qty": 2_000, "location": "WH/A"} for _ in range(20)])
    for sku, number, place in (
        ("phone", PHONES, "PK/A"),
        ("container", CONTAINERS, "yard"),
        ("copier", COPIERS, "shop"),
    ):
        receive(ledger, [{"sku": sku, "serial": f"{sku} {k:05}", "location": place} for k in range(number)])
    receive(ledger, [{"sku": "charger", "qty": 100_000, "location": "PK/B"}])


class Cycle:
    """Steps that follow each other; what each took, in seconds of time and of this process."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.draw, self.turn = ledger, random.Random(20261122), itertools.count(1)
        self.took: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def step(self, function: Callable[..., Any], *said: Any, **more: Any) -> Any:
        """Takes one."""
        begun = time.perf_counter(), time.process_time()
        answer = function(self.ledger, *said, **more)
        spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
        self.took[function.__name__].append(spent)
        return answer

    def refused(self, function: Callable[..., Any], *said: Any, **more: Any) -> None:
        """Takes one that is refused; told apart from those that are not."""
        begun = time.perf_counter(), time.process_time()
        try:
            function(self.ledger, *said, **more)
        except InputError:
            spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
            self.took[f"{function.__name__}, refused"].append(spent)
        else:
            raise AssertionError(f"{function.__name__} was to be refused")

    def figures(self) -> dict[str, dict[str, float]]:
        """By step, milliseconds in the middle and at the 99th percentile, by the clock and of this process."""
        told: dict[str, dict[str, float]] = {}
        for name, spent in self.took.items():
            told[name] = {}
            for each, seconds in (("", sorted(wall for wall, _ in spent)), ("cpu_", sorted(cpu for _, cpu in spent))):
                told[name][f"{each}p50_ms"] = round(seconds[len(seconds) // 2] * 1000, 1)
                told[name][f"{each}p99_ms"] = round(seconds[int(0.99 * len(seconds))] * 1000, 1)
        return told


class Partners(Cycle):
    """A request and a job, from the first step to the last."""

    def run(self) -> None:
        """All of it once."""
        partner, draw = self.draw.choice(PARTNERS), self.draw
        sam, tim = people(partner)
        lines = [{"sku": sku, "qty": draw.randint(1, 2)} for sku in draw.sample(SKUS, 3)]
        self.refused(flow.raise_request, [{**line, "qty": 900_000} for line in lines], sam)
        number = self.step(flow.raise_request, lines, sam)["number"]
        decisions = [{"line": n, "qty": line["qty"]} for n, line in enumerate(lines, start=1)]
        self.step(flow.decide_request, number, decisions, OLGA)
        self.step(flow.allocate_request, number, WALT)
        self.step(flow.pick_request, number, WALT)
        shipment = self.step(flow.ship_request, number, WALT, carrier="DHL", references={"SODO": number})["number"]
        self.step(flow.receive_shipment, shipment, sam)
        job = {"customer": "C", "service_order": number, "party": partner}
        indent = self.step(flow.raise_indent, lines[:2], DESK, **job)
        self.step(flow.allocate_indent, indent["number"], sam)
        out = self.step(flow.issue_challan, indent["number"], sam, holder="tim")
        self.step(flow.consume, out["number"], [{"line": 1}], tim)
        if len(out["lines"]) > 1:
            self.step(flow.return_unused, out["number"], [{"line": line["line"]} for line in out["lines"][1:]], sam)
        serial = {"serial": f"old {out['number']}"} if out["lines"][0]["serial"] else {}
        self.step(flow.inward_defectives, out["reverse"], [{"line": 1, **serial}], sam)


class Packers(Cycle):
    """An order of three phones and a charger: picked, scanned, boxed, shipped."""

    def run(self) -> None:
        """All of it once."""
        lines = [{"sku": "phone", "qty": 3}, {"sku": "charger", "qty": 1}]
        order = self.step(scanning.place_order, lines, DESK, customer="Metro", place="PK")["number"]
        self.step(scanning.assign_operators, order, SUE, picking="pat", packing="pat", shipping="pat")
        picks = self.step(scanning.pick_order, order, PAT)["picks"]
        boxes = {self.step(scanning.scan, order, each["serial"] or each["sku"], PAT)["box"] for each in picks}
        self.step(scanning.undo_scan, order, "charger", PAT)
        boxes.add(self.step(scanning.scan, order, "charger", PAT)["box"])
        for box in sorted(boxes):
            if scanning.box_contents(self.ledger, order, PAT).filter(box=box).height:
                self.step(scanning.save_box, box, PAT)
                self.step(scanning.confirm_box, box, PAT, length_mm=300, width_mm=200, height_mm=100)
        self.step(scanning.confirm_packing, order, PAT)
        self.step(scanning.ship_order, order, PAT, carrier="DHL")


class Drivers(Cycle):
    """A container is reserved, taken by another driver, replaced by the office, and both are fetched."""

    def run(self) -> None:
        """All of it once."""
        n = 2 * next(self.turn) % CONTAINERS
        one, two = f"container {n:05}", f"container {n + 1:05}"
        mine = self.step(assets.order_asset, "container", OFFICE, site="Mill")["number"]
        other = self.step(assets.order_asset, "container", OFFICE, site="School")["number"]
        self.step(assets.reserve_asset, mine, one, DAN)
        self.step(assets.deliver_asset, other, DOT, asset=one, seen=f"Reserved {mine}")
        self.step(assets.assign_asset, mine, two, OFFICE, note="as good")
        self.step(assets.deliver_asset, mine, DAN)
        for number in (mine, other):
            self.step(assets.order_removal, number, OFFICE)
            self.step(assets.remove_asset, number, DAN)


class Devices(Cycle):
    """A copier is sold by an order and credited; one is rented by a subscription, comes back, is blocked and freed."""

    def run(self) -> None:
        """All of it once."""
        order = self.step(devices.place_order, [{"sku": "copier", "qty": 1}], DESK, customer="Metro")["number"]
        self.step(devices.advance_order, order, "processing", DESK)
        self.step(devices.deliver_order, order, WALT)
        invoice = self.step(devices.invoice_order, order, BILL)["number"]
        self.step(devices.complete_order, order, DESK)
        self.step(devices.issue_credit_note, invoice, BILL, reason="unhappy")
        serial = f"copier {next(self.turn) % COPIERS:05}"
        sub = self.step(devices.open_subscription, DESK, customer="Metro")["number"]
        rental = self.step(devices.add_device, sub, serial, DESK)["rental"]
        self.step(devices.enable_service, sub, serial, "mail", DESK)
        self.step(devices.end_subscription, sub, DESK)
        self.step(devices.return_rental, rental, WALT, readings={"pages": next(self.turn)})
        hold = self.step(quality.block_goods, {"serial": serial}, QA, reason="check")["number"]
        self.step(quality.lift_hold, hold, QA)
