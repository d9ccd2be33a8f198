"""Replenishment under maximum stock limits: what to ask for, and which requests may pass.

`replenish` proposes requests; `check_requests` decides on requests that people raise. Both read the same tables,
hold the same `Limits`, and reckon the same position, so what one proposes the other allows. `docs/limits.md` has
the rules, the formulas and the table of rounding.
"""

from allocator.limits.decide import check_requests
from allocator.limits.propose import replenish
from allocator.model.limits import LimitRule, Limits, OnHand, Override

__all__ = ["LimitRule", "Limits", "OnHand", "Override", "check_requests", "replenish"]
