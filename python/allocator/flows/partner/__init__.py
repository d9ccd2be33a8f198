"""Stock of service partners: from base stock to consumption, returns and repair, document by document (SP)."""

from allocator.flows.partner.differences import settle_difference
from allocator.flows.partner.receipt import receive_shipment
from allocator.flows.partner.requests import raise_request, raise_triggered, suggest
from allocator.flows.partner.shipments import ship_request
from allocator.flows.partner.supply import allocate_request, decide_request, pick_request, withdraw_request

__all__ = [
    "allocate_request",
    "decide_request",
    "pick_request",
    "raise_request",
    "raise_triggered",
    "receive_shipment",
    "settle_difference",
    "ship_request",
    "suggest",
    "withdraw_request",
]
