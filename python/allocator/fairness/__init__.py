"""Sharing what does not suffice: fair shares, quotas, protection, and how fair a result is.

`share` divides supply by a rule; `ration` serves lines one after another under quotas and protection; `share_requests`
divides a warehouse's stock among requests of partners, within their limits; `fairness` and `compare_rules` measure.
`docs/fairness.md` has the formulas, the order of events and the reasons.
"""

from allocator.fairness.measures import compare_rules, fairness
from allocator.fairness.ration import Rations, ration
from allocator.fairness.requests import share_requests
from allocator.fairness.share import share
from allocator.model.fair_share import FairShare
from allocator.model.quotas import Quotas

__all__ = ["FairShare", "Quotas", "Rations", "compare_rules", "fairness", "ration", "share", "share_requests"]
