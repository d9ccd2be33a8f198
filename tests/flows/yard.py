"""A haulage business: containers in a yard and at sites, an office and two drivers."""

from __future__ import annotations

from typing import Any

from allocator.flows import Person, keep_settings
from allocator.flows.assets import deliver_asset, order_asset, order_removal
from allocator.ledger import Ledger
from allocator.model.assets import AssetSettings

ADA = Person("ada", "administrator")
OFF = Person("olive", "office")
DAN = Person("dan", "driver")
DOT = Person("dot", "driver")

STRICT: dict[str, Any] = {}
DELIVERY: dict[str, Any] = {"flexible_delivery": True}
BOTH: dict[str, Any] = {"flexible_delivery": True, "flexible_removal": True}


def settle(ledger: Ledger, **settings: Any) -> None:
    """Puts settings in force."""
    keep_settings(ledger, AssetSettings(**settings), ADA)


def set_up(ledger: Ledger, **settings: Any) -> None:
    """Six large containers and two small ones in the yard."""
    ledger.define([{"sku": sku, "tracking": "serial", "lifecycle": "asset"} for sku in ("20yd", "10yd")], actor="ada")
    lines = [{"sku": "20yd", "serial": f"C{n}", "location": "yard"} for n in range(1, 7)]
    lines += [{"sku": "10yd", "serial": f"S{n}", "location": "yard"} for n in range(1, 3)]
    ledger.post("receive", lines, origin="supplier", document="PO-1", actor="ada")
    settle(ledger, **settings)


def pending(ledger: Ledger, site: str = "Acme", **said: Any) -> str:
    """An order that waits for its asset."""
    return str(order_asset(ledger, said.pop("sku", "20yd"), OFF, site=site, **said)["number"])


def in_use(ledger: Ledger, asset: str, site: str = "Acme", **said: Any) -> str:
    """An order whose asset is at its site."""
    number = pending(ledger, site, **said)
    deliver_asset(ledger, number, DAN, asset=asset)
    return number


def to_fetch(ledger: Ledger, asset: str, site: str = "Acme", **said: Any) -> str:
    """An order whose asset is to be fetched."""
    number = in_use(ledger, asset, site, **said)
    order_removal(ledger, number, OFF)
    return number


def where(ledger: Ledger, serial: str) -> tuple[str, str]:
    """The status of an asset, and its place or the site that has it."""
    state = ledger.state(serial)
    return state["status"], state["location"] or state["holder"]
