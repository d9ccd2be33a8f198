"""The rest of the day: an order is scanned and packed; a driver takes the wrong container, the office reconciles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from allocator.errors import InputError
from allocator.flows import assets, scanning
from allocator.flows.doing import Person
from allocator.flows.settings import keep_settings
from allocator.ledger import Ledger
from allocator.model.assets import AssetSettings
from allocator.model.order import OrderKey
from allocator.model.policy import Policy

Tell = Callable[[str, pl.DataFrame | None], None]

ADA: Final = Person("ada", "administrator")
SHOP: Final = Person("shop", "service")
SUE: Final = Person("sue", "supervisor")
PAT: Final = Person("pat", "operator")
PAM: Final = Person("pam", "operator")
OLIVE: Final = Person("olive", "office")
DAN: Final = Person("dan", "driver")
DOT: Final = Person("dot", "driver")

NEWEST: Final = Policy(stock_order=(OrderKey(column="firmware", descending=True),))
"""Units with the newest firmware first."""


def packs(ledger: Ledger, tell: Tell) -> None:
    """Three control modules with the newest firmware: picked, scanned into a box, packed, shipped, delivered."""
    module = {"sku": "CM-500", "tracking": "serial", "lifecycle": "serial", "characteristics": {"firmware": "version"},
              "number": {"pattern": "[CM500]-YYYY-NNNN"}}  # fmt: skip
    ledger.define([module], actor=ADA.name)
    units: list[dict[str, Any]] = [
        {"sku": "CM-500", "serial": f"CM500-2025-{n:04}", "location": "central/A-15-03",
         "attributes": {"firmware": "2.1.4" if n < 49 else "2.0.9"}}
        for n in range(46, 71)
    ]  # fmt: skip
    ledger.post("receive", units, origin="production", document="PROD-2025-0078", actor=ADA.name)
    order = scanning.place_order(ledger, [{"sku": "CM-500", "qty": 3}], SHOP, customer="Metro Manufacturing",
                                 place="central", number="SO-2025-1245")["number"]  # fmt: skip
    scanning.assign_operators(ledger, order, SUE, picking="pat", packing="pam", shipping="pat")
    picks = scanning.pick_order(ledger, order, PAT, policy=NEWEST)["picks"]
    tell(f"Metro orders three modules with the newest firmware: {order}. Pat's pick list:", pl.DataFrame(picks))
    for serial in ("CM500-2025-0046", "CM500-2025-0047"):
        box = scanning.scan(ledger, order, serial, PAM)["box"]
    for serial in ("CM500-2025-0046", "CX-0004"):
        try:
            scanning.scan(ledger, order, serial, PAM)
        except InputError as refused:
            tell(f"Pam scans {serial}, and is told:\n  {refused}", None)
    scanning.scan(ledger, order, "CM500-2025-0048", PAM)
    tell("With the third one nothing is pending:", scanning.scan_counts(ledger, order, PAM))
    scanning.save_box(ledger, box, PAM)
    scanning.confirm_box(ledger, box, PAM, length_mm=400, width_mm=300, height_mm=200, weight_g=2100)
    scanning.confirm_packing(ledger, order, PAM)
    contents = scanning.box_contents(ledger, order, PAM).select("box", "state", "length_mm", "packed_by", "serial")
    scanning.ship_order(ledger, order, PAT, carrier="Speedy")
    tell(f"Packing is confirmed, {box} leaves. What is in it:", contents)
    delivered = [{"serial": f"CM500-2025-00{n}", "to_holder": "Metro Manufacturing"} for n in (46, 47, 48)]
    ledger.post("deliver", delivered, document=order, document_kind="customer order", actor="Speedy")
    history = ledger.history("CM500-2025-0046").select("type", "status_after", "location_after", "document", "actor")
    tell("The carrier confirms. The history of the first of them:", history)


def drives(ledger: Ledger, tell: Tell) -> None:
    """A driver takes a container that belongs to another order; the office reconciles."""
    ledger.define([{"sku": "container", "tracking": "serial", "lifecycle": "asset"}], actor=ADA.name)
    units = [{"sku": "container", "serial": f"C-{n}", "location": "yard"} for n in range(1, 5)]
    ledger.post("receive", units, origin="supplier", document="PO-7790", actor=ADA.name)
    keep_settings(ledger, AssetSettings(flexible_delivery=True, flexible_removal=True, photo_required=True), ADA)
    mill = assets.order_asset(ledger, "container", OLIVE, site="Mill", material="wood")["number"]
    school = assets.order_asset(ledger, "container", OLIVE, site="School", material="rubble")["number"]
    assets.reserve_asset(ledger, mill, "C-1", DAN)
    tell(
        f"Dan has C-1 reserved for {mill}. Dot, at the yard for {school}, is shown:",
        assets.choices(ledger, school, DOT),
    )
    try:
        assets.deliver_asset(ledger, school, DOT, asset="C-1")
    except InputError as refused:
        tell(f"C-1 is the one that stands in front. Dot takes it, and is warned:\n  {refused}", None)
    told = assets.deliver_asset(ledger, school, DOT, asset="C-1", seen=f"Reserved {mill}", photo="photos/4711")
    raised = assets.open_exceptions(ledger, OLIVE)
    raised = raised.select("number", "driver", "asset", "status", "lost_by", "photo")
    tell(f"She takes it all the same, with a photo. {told['warning']}. On Olive's list:", raised)
    tell("And in her queue 'assign asset':", assets.assign_queue(ledger, OLIVE))
    assets.assign_asset(ledger, mill, "C-2", OLIVE, note="C-2 is as good")
    assets.deliver_asset(ledger, mill, DAN)
    assert assets.open_exceptions(ledger, OLIVE).is_empty()
    tell("Olive gives it C-2, which Dan delivers. Where C-1 has been:",
         ledger.history("C-1").select("type", "document", "actor", "role"))  # fmt: skip
