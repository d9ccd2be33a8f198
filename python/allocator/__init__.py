"""Decides which stock serves which demand, says why, and never loses count.

The main thing is `allocate(stock, demand, policy, as_of=...)`; `docs/README.md` says where everything is explained.

A name is loaded when it is first used: polars, numpy and pydantic take most of a second, and a program that only
catches an error, or shows its own help, needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allocator.errors import AllocatorError, FileError, InputError, InternalError, PolicyError, Problem
    from allocator.explain import Explanation
    from allocator.limits import check_requests, replenish
    from allocator.model.lifecycle import Lifecycle
    from allocator.model.limits import Limits
    from allocator.model.policy import Policy
    from allocator.model.scenario import Scenario
    from allocator.optimum import Optimum, optimize
    from allocator.prepared import Allocation, Decision, PreparedStock, prepare
    from allocator.result import Bound, Result, allocate, bind
    from allocator.scenario import Base, Comparison
    from allocator.transitions import check_transition, validate_transitions

__all__ = [
    "Allocation",
    "AllocatorError",
    "Base",
    "Bound",
    "Comparison",
    "Decision",
    "Explanation",
    "FileError",
    "InputError",
    "InternalError",
    "Lifecycle",
    "Limits",
    "Optimum",
    "Policy",
    "PolicyError",
    "PreparedStock",
    "Problem",
    "Result",
    "Scenario",
    "allocate",
    "bind",
    "check_requests",
    "check_transition",
    "optimize",
    "prepare",
    "replenish",
    "validate_transitions",
]

_HOMES = {
    "Allocation": "prepared",
    "AllocatorError": "errors",
    "Base": "scenario",
    "Bound": "result",
    "Comparison": "scenario",
    "Decision": "prepared",
    "Explanation": "explain",
    "FileError": "errors",
    "InputError": "errors",
    "InternalError": "errors",
    "Lifecycle": "model.lifecycle",
    "Limits": "model.limits",
    "Optimum": "optimum",
    "Policy": "model.policy",
    "PolicyError": "errors",
    "PreparedStock": "prepared",
    "Problem": "errors",
    "Result": "result",
    "Scenario": "model.scenario",
    "allocate": "result",
    "bind": "result",
    "check_requests": "limits",
    "check_transition": "transitions",
    "optimize": "optimum",
    "prepare": "prepared",
    "replenish": "limits",
    "validate_transitions": "transitions",
}
"""The module of each public name, as imported above for who reads types."""

if not TYPE_CHECKING:  # or every misspelt name would have a type

    def __getattr__(name: str) -> object:
        """Loads a public name when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
