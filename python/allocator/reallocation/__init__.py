"""Dealing again what is promised already: who keeps, who gains, who loses, and to whom.

`docs/reallocation.md` has the strategies, the order of events and what is guaranteed.
"""

from allocator.model.reallocation import Reallocation, Segment
from allocator.reallocation.outcome import WHY, Outcome
from allocator.reallocation.reallocate import reallocate

__all__ = ["WHY", "Outcome", "Reallocation", "Segment", "reallocate"]
