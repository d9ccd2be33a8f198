"""Serialized assets at customers' sites: drivers' exceptions, and their reconciliation (FA-1 to FA-12)."""

from allocator.flows.assets.delivery import deliver_asset, reserve_asset
from allocator.flows.assets.office import (
    assign_asset,
    assign_queue,
    cancel_asset_order,
    choices,
    confirm_exception,
    open_exceptions,
    report_missing,
)
from allocator.flows.assets.order import order_asset, order_removal
from allocator.flows.assets.removal import remove_asset

__all__ = [
    "assign_asset",
    "assign_queue",
    "cancel_asset_order",
    "choices",
    "confirm_exception",
    "deliver_asset",
    "open_exceptions",
    "order_asset",
    "order_removal",
    "remove_asset",
    "report_missing",
    "reserve_asset",
]
