"""Stock of service partners: from base stock to consumption, returns and repair, document by document (SP)."""

from allocator.flows.partner.challans import consume, issue_challan, return_unused
from allocator.flows.partner.dashboard import (
    ageing,
    cost_by_contract,
    dashboard,
    expiring,
    fill_rate,
    leakage,
    msl_cover,
    stock_view,
    turnaround,
)
from allocator.flows.partner.defectives import inward_defectives, waive_defective
from allocator.flows.partner.differences import settle_difference
from allocator.flows.partner.indents import allocate_indent, assign_indent, cancel_indent, raise_indent
from allocator.flows.partner.losses import approve_loss, reject_loss, report_loss
from allocator.flows.partner.provenance import trace
from allocator.flows.partner.receipt import receive_shipment
from allocator.flows.partner.repairs import finish_repair, send_to_repair
from allocator.flows.partner.requests import raise_request, raise_triggered, suggest
from allocator.flows.partner.returns import (
    decide_return,
    raise_return,
    return_candidates,
    ship_return,
    withdraw_return,
)
from allocator.flows.partner.shipments import ship_request
from allocator.flows.partner.supply import allocate_request, decide_request, pick_request, withdraw_request

__all__ = [
    "ageing",
    "allocate_indent",
    "allocate_request",
    "approve_loss",
    "assign_indent",
    "cancel_indent",
    "consume",
    "cost_by_contract",
    "dashboard",
    "decide_request",
    "decide_return",
    "expiring",
    "fill_rate",
    "finish_repair",
    "inward_defectives",
    "issue_challan",
    "leakage",
    "msl_cover",
    "pick_request",
    "raise_indent",
    "raise_request",
    "raise_return",
    "raise_triggered",
    "receive_shipment",
    "reject_loss",
    "report_loss",
    "return_candidates",
    "return_unused",
    "send_to_repair",
    "settle_difference",
    "ship_request",
    "ship_return",
    "stock_view",
    "suggest",
    "trace",
    "turnaround",
    "waive_defective",
    "withdraw_request",
    "withdraw_return",
]
