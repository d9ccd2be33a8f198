"""A day in the life of those who work with stock: what each person does and sees, and clean books in the evening.

`allocator demo --day` runs it on a ledger of its own. Every step is a call that a program would make too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from allocator.errors import InputError
from allocator.flows import partner
from allocator.flows.boards import board
from allocator.flows.day_devices import recalls, rents
from allocator.flows.day_out import drives, packs
from allocator.flows.doing import Person
from allocator.flows.settings import keep_settings
from allocator.ledger import Ledger
from allocator.ledger.verify import Verification, verify
from allocator.model.network import PartnerSettings

Tell = Callable[[str, pl.DataFrame | None], None]
"""Shows a sentence, and what someone sees with it."""

ADA: Final = Person("ada", "administrator")
SAM: Final = Person("sam", "storekeeper", "Northside")
TIM: Final = Person("tim", "technician", "Northside")
OLGA: Final = Person("olga", "operations")
WALT: Final = Person("walt", "warehouse")
DESK: Final = Person("dana", "service")

SKUS: Final[list[dict[str, Any]]] = [
    {"sku": "compressor", "tracking": "serial", "lifecycle": "part", "unit_cost": "310", "defective_return": True},
    {"sku": "valve", "lifecycle": "part", "unit_cost": "12.50", "defective_return": True},
    {"sku": "filter", "lifecycle": "part", "unit_cost": "4.20"},
]

SETTINGS: Final = """
choose = ["own", "whole", "nearest"]
warehouses = [{ name = "Central", place = "central" }]
partners = [{ name = "Northside", place = "northside" }, { name = "Harbour", place = "harbour" }]
distances = [{ sites = ["Northside", "Harbour"], distance = 12 }, { sites = ["Northside", "Central"], distance = 240 }]
slas = [{ contract_type = "AMC", allocate_hours = 2, dispatch_hours = 8, close_hours = 72 }]

[limits]
rules = [
  { name = "every part", units_max = 30 },
  { name = "compressors", sku = "compressor", units_max = 4, trigger = 1 },
]
override = { roles = "operations" }

[contracts.AMC.contracts]
rules = [
  { contract_type = "AMC", condition = "repaired", rank = 0 },
  { contract_type = "AMC", condition = "new", rank = 1 },
]

[contracts.warranty.contracts]
rules = [{ contract_type = "warranty", condition = "new" }]
"""


def a_day(ledger: Ledger, tell: Tell) -> Verification:
    """Takes a partner through a day, on a ledger that is empty; what `verify` says of it in the evening."""
    _opens(ledger, tell)
    _stocks_up(ledger, tell)
    _serves(ledger, tell)
    _repairs_and_returns(ledger, tell)
    packs(ledger, tell)
    drives(ledger, tell)
    rents(ledger, tell)
    recalls(ledger, tell)
    return _evening(ledger, tell)


def _opens(ledger: Ledger, tell: Tell) -> None:
    ledger.define(SKUS, actor=ADA.name)
    keep_settings(ledger, PartnerSettings.loads(SETTINGS), ADA)
    units = [{"sku": "compressor", "serial": f"CX-{n:04}", "location": "central/A-01"} for n in range(1, 9)]
    pieces = [{"sku": "valve", "qty": 200, "location": "central/B-07"},
              {"sku": "filter", "qty": 500, "location": "central/B-08"}]  # fmt: skip
    ledger.post("receive", [*units, *pieces], origin="supplier", document="PO-7781", actor=WALT.name)
    tell("Ada sets up the network, and Walt has stock in the warehouse.", _stock(ledger, OLGA))


def _stocks_up(ledger: Ledger, tell: Tell) -> None:
    tell("Northside is new. Sam looks at what the limits let him ask for:", _suggested(ledger))
    lines = [{"sku": "compressor", "qty": 3}, {"sku": "valve", "qty": 20}, {"sku": "filter", "qty": 40}]
    try:
        partner.raise_request(ledger, lines, SAM, kind="base stock")
    except InputError as refused:
        tell(f"He asks for too many filters, and is told:\n  {refused}", None)
    lines[-1]["qty"] = 30
    number = partner.raise_request(ledger, lines, SAM, kind="base stock")["number"]
    tell(f"He asks for thirty: {number}. On Olga's board:", _board(ledger, OLGA))
    decisions: list[dict[str, Any]] = [
        {"line": 1, "qty": 3},
        {"line": 2, "qty": 15, "reason": "season is over"},
        {"line": 3, "qty": 30},
    ]
    partner.decide_request(ledger, number, decisions, OLGA)
    partner.allocate_request(ledger, number, WALT)
    picks = partner.pick_request(ledger, number, WALT)["lines"]
    tell("Olga approves, one line reduced. Walt's pick list:", pl.DataFrame(picks).drop("line_id"))
    sent = partner.ship_request(ledger, number, WALT, carrier="Speedy", references={"SODO": "8000004711"})
    tell(f"Walt ships {sent['number']} with rates, under SODO 8000004711.", pl.DataFrame(sent["lines"]))
    counted: list[dict[str, Any]] = [{"serial": f"CX-000{n}"} for n in (1, 2, 3)]
    counted += [{"sku": "valve", "qty": 12}, {"sku": "valve", "qty": 1, "condition": "damaged"},
                {"sku": "filter", "qty": 30}]  # fmt: skip
    receipt = partner.receive_shipment(ledger, sent["number"], SAM, counted=counted)
    tell(f"Sam counts it in: {receipt['number']} has differences.", pl.DataFrame(receipt["lines"]))
    short = next(line["line"] for line in receipt["lines"] if line["state"] == "short")
    broken = next(line["line"] for line in receipt["lines"] if line["state"] == "damaged")
    partner.settle_difference(ledger, receipt["number"], short, "not sent", OLGA)
    partner.settle_difference(ledger, receipt["number"], broken, "to be returned", OLGA)
    tell("Olga settles them: two valves never left, the damaged one goes back. Northside has now:", _stock(ledger, SAM))


def _serves(ledger: Ledger, tell: Tell) -> None:
    lines = [{"sku": "compressor", "qty": 1}, {"sku": "valve", "qty": 2}, {"sku": "filter", "qty": 1}]
    job = partner.raise_indent(ledger, lines, DESK, customer="Bakery Lund", service_order="SR-20871",
                               contract_type="AMC", party="Northside", priority=1)  # fmt: skip
    choice = pl.DataFrame(job["choice"]).select("site", "covered", "asked", "distance", "why")
    tell(f"Bakery Lund's cooling is down. Dana raises {job['number']}; who fulfils it, and why:", choice)
    tell("On Sam's board:", _board(ledger, SAM))
    partner.allocate_indent(ledger, job["number"], SAM)
    out = partner.issue_challan(ledger, job["number"], SAM, holder=TIM.name)
    tell(f"Sam hands out {out['number']}, with its reverse {out['reverse']}.", pl.DataFrame(out["lines"]))
    partner.consume(ledger, out["number"], [{"line": 1}, {"sku": "valve", "qty": 1}, {"sku": "filter"}], TIM)
    partner.return_unused(ledger, out["number"], [{"sku": "valve"}], SAM)
    tell("Tim uses all but one valve, which comes back. What is due still:", partner.leakage(ledger, SAM))
    partner.inward_defectives(ledger, out["reverse"], [{"line": 1, "serial": "OLD-88"}, {"line": 2}], SAM)
    told = partner.turnaround(ledger, OLGA).select("stage", "sla_hours", "done", "met")
    tell("The broken parts are in, and the job is closed, well within its SLA:", told)


def _repairs_and_returns(ledger: Ledger, tell: Tell) -> None:
    repair = partner.send_to_repair(ledger, [{"serial": "OLD-88"}], SAM)["number"]
    partner.finish_repair(ledger, repair, 1, "repaired", SAM)
    tell("The old compressor is repaired, and is stock again. Who may have it:", None)
    for contract in ("AMC", "warranty"):
        lines = [{"sku": "compressor", "qty": 1}]
        asked = partner.raise_indent(ledger, lines, DESK, customer="Hotel Berg", service_order=f"SR-{contract}",
                                     contract_type=contract, party="Northside")  # fmt: skip
        number = asked["number"]
        partner.allocate_indent(ledger, number, SAM)
        tell(f"  under {contract}: {ledger.history(order_id=number)['serial'][-1]}", None)
        partner.cancel_indent(ledger, number, DESK, reason="only asked")
    candidates = partner.return_candidates(ledger, SAM)
    shown = candidates.select("sku", "qty", "why", "location", "jobs", "orders")
    tell("In the afternoon Sam looks at what could go back to the warehouse:", shown)
    back = partner.raise_return(ledger, [{"stock_id": each} for each in candidates["stock_id"]], SAM)
    decisions = [{"line": line["line"], "qty": line["qty"]} for line in back["lines"]]
    partner.decide_return(ledger, back["number"], decisions, OLGA)
    challan = partner.ship_return(ledger, back["number"], SAM, carrier="Speedy")["number"]
    partner.receive_shipment(ledger, challan, WALT)
    tell(f"Olga approves, Sam ships {challan}, Walt has it. Where the old compressor was:",
         partner.trace(ledger, OLGA, serial="OLD-88").select("flow", "number", "line_state", "links"))  # fmt: skip


def _evening(ledger: Ledger, tell: Tell) -> Verification:
    tell("In the evening, what the parts of the day cost, by who pays:", partner.cost_by_contract(ledger, OLGA))
    tell("On Olga's board:", _board(ledger, OLGA))
    verified = verify(ledger)
    tell(f"And `verify`, which computes everything again: {verified}", None)
    return verified


def _board(ledger: Ledger, person: Person) -> pl.DataFrame:
    return board(ledger, person).select("step", "number", "state", "party", "due_at", "says")


def _stock(ledger: Ledger, person: Person) -> pl.DataFrame:
    return partner.stock_view(ledger, person).select("site", "sku", "condition", "on_hand", "available", "value")


def _suggested(ledger: Ledger) -> pl.DataFrame:
    told = partner.suggest(ledger, SAM)
    return told.select("sku", "rule", "units_max", "on_hand", "in_transit", "requested_open", "qty_proposed")
