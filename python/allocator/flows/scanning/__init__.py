"""Order scan and pack: operators, scans, boxes, packing confirmation (OS-1 to OS-10)."""

from allocator.flows.scanning.boxes import (
    box_contents,
    confirm_box,
    confirm_packing,
    packing_data,
    save_box,
    scan_counts,
)
from allocator.flows.scanning.orders import assign_operators, cancel_order, pick_order, place_order, ship_order
from allocator.flows.scanning.scans import scan, undo_scan

__all__ = [
    "assign_operators",
    "box_contents",
    "cancel_order",
    "confirm_box",
    "confirm_packing",
    "packing_data",
    "pick_order",
    "place_order",
    "save_box",
    "scan",
    "scan_counts",
    "ship_order",
    "undo_scan",
]
