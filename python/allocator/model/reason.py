"""Why a row may not serve a line, and why a line is short: two closed lists, in words.

`docs/allocation.md` says when each applies. The gates have a fixed sequence; a line that no row could serve is
short for the reason of the gate that the best row reached.
"""

from __future__ import annotations

GATES: dict[str, str] = {
    "unknown_sku": "there is no stock row of this SKU or of a substitute",
    "place": "the stock is in a place that does not serve this line",
    "serial": "the stock is not the serial that the line names",
    "lot": "the stock is not of the lot that the line names",
    "owner": "the stock belongs to an owner whose stock does not serve this line",
    "no_balance": "the stock had nothing available when the run began",
    "status": "the stock is in a status that may not be allocated",
    "blocked": "the stock is blocked",
    "expired": "the stock is past its last usable day",
    "not_received": "the stock is not received in time",
    "condition": "the stock is in a condition that may not be allocated",
    "attribute": "the stock fails a comparison that the policy asks for",
    "contract": "the contract of the line does not cover the stock",
    "shelf_life": "the stock has a shorter remaining life than the line asks",
    "safety_stock": "the stock is all kept back as safety stock",
}
"""Every gate in its sequence, and what is wrong with a row that fails it."""

SHORTAGES: dict[str, str] = {
    "one_lot": "no single lot holds enough, and the line takes from one lot only",
    "one_source": "no single place holds enough, and the line takes from one place only",
    "whole_rows": "stock rows are taken whole, and no choice of them in order fits",
    "rows_max": "it would take more stock rows than the line may take from",
    "pack": "no further whole pack can be taken from a row",
    "exchange": "no further whole exchange of a substitute can be made",
    "below_minimum": "what could be had is less than the minimum of the line",
    "line_incomplete": "the line is served whole or not at all, and could not be served whole",
    "order_incomplete": "another line of its order could not be served whole",
    "taken": "lines served before it took what it could have had",
    "insufficient": "there is less stock that may serve it than it asks for",
    "objective": "serving it would have cost an optimum more by its objectives than it gains",
}
"""Reasons of a line that had candidates."""

REASONS: dict[str, str] = GATES | SHORTAGES
"""Every reason of a line, in words that complete the sentence 'It is short because …'."""
