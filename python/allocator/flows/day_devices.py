"""The rest of the day: a copier is rented, comes back, is blocked and freed; modules are recalled wherever they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import polars as pl

from allocator.errors import InputError
from allocator.flows import devices, quality
from allocator.flows.automation import automate, keep_rules
from allocator.flows.boards import board
from allocator.flows.doing import Person
from allocator.flows.settings import keep_settings
from allocator.ledger import Ledger
from allocator.ledger.devices import device
from allocator.model.automation import Automation
from allocator.model.devices import DeviceSettings

Tell = Callable[[str, pl.DataFrame | None], None]

ADA: Final = Person("ada", "administrator")
DESK: Final = Person("dana", "service")
WALT: Final = Person("walt", "warehouse")
QUINN: Final = Person("quinn", "quality")
ROBOT: Final = Person("robot", "system")

RULES: Final = """
[[rules]]
name = "ended is due back"
flow = "subscription"
step = "remove"
do = "devices.end_rental"
arguments = { rental = "$details.rental" }
role = "service"
"""


def rents(ledger: Ledger, tell: Tell) -> None:
    """A copier goes to a customer by a subscription, comes back with its meter read, is blocked, and freed again."""
    copier = {"sku": "copier", "tracking": "serial", "lifecycle": "device", "meters": {"pages": "1"},
              "services": ["scan to mail"]}  # fmt: skip
    ledger.define([copier], actor=ADA.name)
    units = [{"sku": "copier", "serial": f"K-{n}", "location": "central/D"} for n in (1, 2)]
    ledger.post("receive", units, origin="supplier", document="PO-7802", actor=WALT.name)
    keep_settings(ledger, DeviceSettings(warehouse="central"), ADA)
    keep_rules(ledger, Automation.loads(RULES), ADA)
    subscription = devices.open_subscription(ledger, DESK, customer="Hotel Berg")["number"]
    rental = devices.add_device(ledger, subscription, "K-1", DESK)["rental"]
    devices.enable_service(ledger, subscription, "K-1", "scan to mail", DESK)
    tell(f"Hotel Berg subscribes: K-1 is rented by {rental}.", _device(ledger, "K-1"))
    try:
        devices.return_rental(ledger, rental, WALT, readings={"pages": 1200})
    except InputError as refused:
        tell(f"Walt cannot just take it back:\n  {refused}", None)
    devices.disable_service(ledger, subscription, "K-1", "scan to mail", DESK)
    devices.remove_device(ledger, subscription, "K-1", DESK)
    done = automate(ledger, ROBOT).select("rule", "number", "step", "done")
    tell("Dana takes it out of the subscription. What a rule does with that by itself:", done)
    waits = board(ledger, WALT).filter(flow="rental").select("step", "number", "state", "due_at", "says")
    tell("On Walt's board:", waits)
    devices.return_rental(ledger, rental, WALT, readings={"pages": 1200}, place="central/returns")
    hold = quality.block_goods(ledger, {"serial": "K-1"}, WALT, reason="damage")["number"]
    tell(f"It comes back with 1,200 pages, and a crack: Walt blocks it by {hold}.", _device(ledger, "K-1"))
    try:
        devices.rent_device(ledger, "copier", DESK, customer="Bakery Lund", serial="K-1", readings={"pages": 1200})
    except InputError as refused:
        tell(f"Nobody can rent it:\n  {refused}", None)
    quality.lift_hold(ledger, hold, QUINN, note="only the paper tray")
    tell("Quinn has it mended and lifts the block: it is again what it was.", _device(ledger, "K-1"))


def recalls(ledger: Ledger, tell: Tell) -> None:
    """A range of the modules is recalled: some are with a customer, the rest in the warehouse."""
    told = quality.raise_recall(ledger, QUINN, serials=["CM500-2025-0046 to CM500-2025-0050"], note="power supply")
    number = told["number"]
    reach = quality.recall_reach(ledger, number, QUINN)
    tell(f"The maker recalls five modules. {number} blocks what is there; who has the rest:", reach)
    try:
        quality.close_recall(ledger, number, QUINN)
    except InputError as refused:
        tell(f"Quinn cannot close it yet:\n  {refused}", None)
    for contact in told["contacts"]:
        quality.tell_contact(ledger, number, contact, DESK, channel="phone")
    back = {"serial": "CM500-2025-0046", "status": ledger.state("CM500-2025-0046")["status"]}
    tell("Dana calls them. One of their modules, by its status:", pl.DataFrame([back]))
    quality.clear_recalled(ledger, number, [{"serial": "CM500-2025-0050"}], QUINN, note="made after the change")
    quality.close_recall(ledger, number, QUINN)
    tell("0050 turns out to be sound and is freed; everyone is told, and the recall is closed:",
         quality.recall_reach(ledger, number, QUINN).select("serial", "state", "contact", "told"))  # fmt: skip


def _device(ledger: Ledger, serial: str) -> pl.DataFrame:
    told = device(ledger, serial)
    return pl.DataFrame([{name: told[name] for name in ("serial", "state", "location", "holder", "blocks")}])
