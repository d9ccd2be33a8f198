"""Decides which stock serves which demand, says why, and never loses count.

The main thing is `allocate(stock, demand, policy, as_of=...)`; `docs/README.md` says where everything is explained.
"""

from allocator.errors import AllocatorError, FileError, InputError, InternalError, PolicyError, Problem
from allocator.explain import Explanation
from allocator.limits import check_requests, replenish
from allocator.model.lifecycle import Lifecycle
from allocator.model.limits import Limits
from allocator.model.policy import Policy
from allocator.prepared import Allocation, Decision, PreparedStock, prepare
from allocator.result import Bound, Result, allocate, bind
from allocator.transitions import check_transition, validate_transitions

__all__ = [
    "Allocation",
    "AllocatorError",
    "Bound",
    "Decision",
    "Explanation",
    "FileError",
    "InputError",
    "InternalError",
    "Lifecycle",
    "Limits",
    "Policy",
    "PolicyError",
    "PreparedStock",
    "Problem",
    "Result",
    "allocate",
    "bind",
    "check_requests",
    "check_transition",
    "prepare",
    "replenish",
    "validate_transitions",
]
