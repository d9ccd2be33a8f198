"""What-if: scenarios over stock, demand and policy, worked out again only where they touch. `docs/what-if.md`."""

from __future__ import annotations

from allocator.scenario.base import Base
from allocator.scenario.compare import Comparison

__all__ = ["Base", "Comparison"]
