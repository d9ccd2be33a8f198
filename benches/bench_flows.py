"""Steps of all flows on a ledger of many units, boards and dashboard, and ten thousand lines in one call.

`ALLOCATOR_BENCH_UNITS` says how many units with ten events each the ledger holds beside the partners' own.
"""

import gc
import os
import time
from contextlib import ExitStack

import pytest

import postgres
from allocator.flows import board
from allocator.flows import partner as flow
from allocator.ledger import Ledger
from flow_cycles import DESK, OLGA, PARTNERS, WALT, Devices, Drivers, Packers, Partners, people, receive, set_up
from ledger_world import EVENTS, fill

UNITS = int(os.environ.get("ALLOCATOR_BENCH_UNITS", "100000"))
CYCLES = int(os.environ.get("ALLOCATOR_BENCH_CYCLES", "150"))
LINES = 10_000


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


@pytest.mark.parametrize("cycle", [Partners, Packers, Drivers, Devices], ids=lambda cycle: cycle.__name__.lower())
def test_steps(benchmark, ledger, cycle):
    at_work = cycle(ledger)
    at_work.run()
    at_work.took.clear()
    # As a process that serves people does once it has begun: what is there for good is not looked at for garbage again.
    gc.collect()
    gc.freeze()
    benchmark.pedantic(at_work.run, rounds=CYCLES)
    benchmark.extra_info.update(rows=UNITS, events=len(EVENTS) * UNITS, steps=at_work.figures(), correct=True)


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
    """A shipment, its GRN and a DC of so many units, beside what the plain ledger takes to receive and to move them."""
    sam, tim = people(PARTNERS[1])
    took = {}

    def timed(function, *said, **more):
        begun = time.perf_counter(), time.process_time()
        answer = function(ledger, *said, **more)
        spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
        took[function.__name__] = tuple(round(seconds, 2) for seconds in spent)
        return answer

    def move(to: Ledger, place: str) -> None:
        to.post("move", [{"serial": serial, "to_location": place} for serial in serials], actor="walt")

    serials = [f"bulk {n:05}" for n in range(LINES)]
    timed(receive, [{"sku": "bulk", "serial": serial, "location": "WH/A"} for serial in serials])
    timed(move, "WH/B")

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
    each = {step: round(cpu / took["move"][1], 2) for step, (_, cpu) in took.items()}
    correct = answer["state"] == "accepted"
    benchmark.extra_info.update(rows=LINES, seconds_and_cpu=took, cpu_of_a_move=each, correct=correct)
    assert answer["state"] == "accepted"
