"""Steps of service partners on a ledger of many units, boards and dashboard, and ten thousand lines in one call.

`ALLOCATOR_BENCH_UNITS` says how many units with ten events each the ledger holds beside the partners' own.
"""

import os
import random
import time
from collections import defaultdict
from contextlib import ExitStack

import pytest

import postgres
from allocator.flows import Person, board, keep_settings
from allocator.flows import partner as flow
from allocator.ledger import Ledger
from allocator.model.network import PartnerSettings
from ledger_world import EVENTS, fill

UNITS = int(os.environ.get("ALLOCATOR_BENCH_UNITS", "100000"))
PARTNERS = [f"ASP-{n:02}" for n in range(20)]
SKUS = [f"part {n:02}" for n in range(50)]
CYCLES = 150
LINES = 10_000
OLGA, WALT, DESK = (Person(name, name) for name in ("operations", "warehouse", "service"))


def people(partner):
    return Person("sam", "storekeeper", partner), Person("tim", "technician", partner)


def receive(ledger, lines):
    ledger.post("receive", lines, origin="supplier", document="PO-1", actor="walt")


def set_up(ledger):
    """Partners, a warehouse, and stock in it, half of it by serial."""
    said = {"lifecycle": "part", "unit_cost": "12.50", "defective_return": True}
    skus = [{"sku": sku, "tracking": "serial" if n % 2 else "none", **said} for n, sku in enumerate(SKUS)]
    ledger.define([*skus, {"sku": "bulk", "tracking": "serial", **said}], actor="ada")
    sites = [{"name": name, "place": name} for name in PARTNERS]
    limits = {"rules": [{"name": "all", "units_max": 100_000}]}
    settings = PartnerSettings(warehouses=[{"name": "Central", "place": "WH"}], partners=sites, limits=limits)
    keep_settings(ledger, settings, Person("ada", "administrator"))
    for n, sku in enumerate(SKUS):
        if n % 2:
            receive(ledger, [{"sku": sku, "serial": f"{sku} {k:05}", "location": "WH/A"} for k in range(400)])
        else:
            receive(ledger, [{"sku": sku, "qty": 2_000, "location": "WH/A"} for _ in range(20)])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(request, tmp_path_factory):
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'stock.db'}"
        else:
            try:
                server = stack.enter_context(postgres.server())
            except postgres.PostgresMissingError as missing:
                pytest.skip(str(missing))
            url = server.url(server.create())
        opened = stack.enter_context(Ledger.open(url))
        fill(opened, UNITS)
        set_up(opened)
        yield opened


class Cycle:
    """A request and a job, from the first step to the last; what each step took."""

    def __init__(self, ledger):
        self.ledger, self.draw = ledger, random.Random(20261122)
        self.took = defaultdict(list)

    def step(self, function, *said, **more):
        begun = time.perf_counter()
        answer = function(self.ledger, *said, **more)
        self.took[function.__name__].append(time.perf_counter() - begun)
        return answer

    def run(self):
        partner, draw = self.draw.choice(PARTNERS), self.draw
        sam, tim = people(partner)
        lines = [{"sku": sku, "qty": draw.randint(1, 2)} for sku in draw.sample(SKUS, 3)]
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
        back = [{"line": 1, **serial}]
        self.step(flow.inward_defectives, out["reverse"], back, sam)


def figures(took):
    told = {}
    for name, seconds in took.items():
        ordered = sorted(seconds)
        told[name] = {
            "p50_ms": round(ordered[len(ordered) // 2] * 1000, 1),
            "p99_ms": round(ordered[int(0.99 * len(ordered))] * 1000, 1),
        }
    return told


def test_steps(benchmark, ledger):
    cycle = Cycle(ledger)
    cycle.run()
    cycle.took.clear()
    benchmark.pedantic(cycle.run, rounds=CYCLES)
    benchmark.extra_info.update(rows=UNITS, events=len(EVENTS) * UNITS, steps=figures(cycle.took), correct=True)


@pytest.mark.parametrize("asked", [board, flow.dashboard, flow.return_candidates])
def test_what_a_partner_sees(benchmark, ledger, asked):
    sam, _ = people(PARTNERS[0])
    benchmark.pedantic(lambda: asked(ledger, sam), rounds=20, warmup_rounds=2)
    benchmark.extra_info.update(rows=UNITS, correct=True)


@pytest.mark.parametrize("asked", [board, flow.dashboard])
def test_what_the_business_sees(benchmark, ledger, asked):
    benchmark.pedantic(lambda: asked(ledger, OLGA), rounds=10, warmup_rounds=1)
    benchmark.extra_info.update(rows=UNITS, correct=True)


def test_ten_thousand_lines_in_one_call(benchmark, ledger):
    """A shipment, its GRN and a DC of so many units."""
    sam, tim = people(PARTNERS[1])
    took = {}

    def timed(function, *said, **more):
        begun = time.perf_counter()
        answer = function(ledger, *said, **more)
        took[function.__name__] = round(time.perf_counter() - begun, 2)
        return answer

    serials = [f"bulk {n:05}" for n in range(LINES)]
    receive(ledger, [{"sku": "bulk", "serial": serial, "location": "WH/A"} for serial in serials])

    def whole():
        number = flow.raise_request(ledger, [{"sku": "bulk", "qty": LINES}], sam)["number"]
        flow.decide_request(ledger, number, [{"line": 1, "qty": LINES}], OLGA)
        timed(flow.allocate_request, number, WALT)
        timed(flow.pick_request, number, WALT)
        shipment = timed(flow.ship_request, number, WALT, carrier="DHL")["number"]
        counted = timed(flow.receive_shipment, shipment, sam, counted=[{"serial": serial} for serial in serials])
        job = {"customer": "C", "service_order": "SR", "party": PARTNERS[1]}
        indent = flow.raise_indent(ledger, [{"sku": "bulk", "qty": LINES}], DESK, **job)["number"]
        timed(flow.allocate_indent, indent, sam)
        out = timed(flow.issue_challan, indent, sam, holder="tim")
        timed(flow.consume, out["number"], [{"sku": "bulk"}], tim)
        return counted

    answer = benchmark.pedantic(whole, rounds=1)
    benchmark.extra_info.update(rows=LINES, seconds=took, correct=answer["state"] == "accepted")
    assert answer["state"] == "accepted"
