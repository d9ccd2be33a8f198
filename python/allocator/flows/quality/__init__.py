"""Goods that may not be used: blocked for a while, or recalled wherever they are (WD-12, SN-19)."""

from allocator.flows.quality.holds import block_goods, lift_hold
from allocator.flows.quality.recalls import (
    clear_recalled,
    close_recall,
    raise_recall,
    recall_reach,
    tell_contact,
)

__all__ = ["block_goods", "clear_recalled", "close_recall", "lift_hold", "raise_recall", "recall_reach", "tell_contact"]
