"""People at work in processes of their own, who get in each other's way, and are killed in the middle of a step."""

from __future__ import annotations

import itertools
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from allocator.errors import InputError, StoreError
from allocator.flows import devices, partner
from allocator.flows.assets import assign_asset, deliver_asset, reserve_asset
from allocator.ledger import Ledger
from flows import network, shop, yard
from ledger.clients import FORK

FORK.set_forkserver_preload(["ledger.clients", "flows.clients", "pytest"])

CYCLE = ("raise", "decide", "allocate", "pick", "ship", "receive", "order", "advance", "deliver", "invoice")
"""The steps that a worker takes one after the other, and over again: a request until its receipt, and an order."""


def step(ledger: Ledger, key: str) -> Any:
    """The step that a key stands for, always the same; it goes on from what the steps before it answered."""
    name, _, number = key.rpartition(".")
    at = int(number) % len(CYCLE)
    begun = int(number) - at

    def before(which: str) -> str:
        return str(ledger.outcome(f"{name}.{begun + CYCLE.index(which)}")["number"])

    match CYCLE[at]:
        case "raise":
            return partner.raise_request(ledger, [{"sku": "seal", "qty": 2}], network.SAM, key=key)
        case "decide":
            return partner.decide_request(ledger, before("raise"), [{"line": 1, "qty": 2}], network.OLGA, key=key)
        case "allocate":
            return partner.allocate_request(ledger, before("raise"), network.WALT, key=key)
        case "pick":
            return partner.pick_request(ledger, before("raise"), network.WALT, key=key)
        case "ship":
            return partner.ship_request(ledger, before("raise"), network.WALT, carrier="DHL", key=key)
        case "receive":
            return partner.receive_shipment(ledger, before("ship"), network.SAM, key=key)
        case "order":
            lines = [{"sku": "cable", "qty": 1}]
            return devices.place_order(ledger, lines, shop.DESK, customer="Metro", key=key)
        case "advance":
            return devices.advance_order(ledger, before("order"), "processing", shop.DESK, key=key)
        case "deliver":
            return devices.deliver_order(ledger, before("order"), shop.WALT, key=key)
        case _:
            return devices.invoice_order(ledger, before("order"), shop.BILL, key=key)


def work_until_killed(lane: Connection, url: str, name: str) -> None:
    """Takes steps until the store fails; says which before it does, and what the answer was before the next."""
    with Ledger.open(url) as ledger, suppress(StoreError):
        for number in itertools.count():
            key = f"{name}.{number}"
            lane.send(("asks", key))
            answer = step(ledger, key)
            lane.send((answer, key))


def take_asset(barrier: Any, url: str, how: str, order: str, driver: str) -> str:
    """Wants C1 for an order, at the same moment as somebody else; what came of it."""
    person = yard.DAN if driver == "dan" else yard.DOT
    with Ledger.open(url) as ledger:
        barrier.wait()
        try:
            if how == "reserve":
                reserve_asset(ledger, order, "C1", person)
            elif how == "deliver":
                deliver_asset(ledger, order, person, asset="C1", seen="Available")
            else:
                assign_asset(ledger, order, "C1", yard.OFF, note=driver)
        except InputError as refused:
            return str(refused)
        return "done"
