"""What-if: scenarios over stock, demand and policy, worked out again only where they touch. `docs/what-if.md`."""

from __future__ import annotations

from allocator.model.grid import Grid
from allocator.model.monte_carlo import MonteCarlo
from allocator.model.scenario import Scenario
from allocator.scenario.base import Base
from allocator.scenario.compare import Comparison
from allocator.scenario.difference import Difference, difference
from allocator.scenario.explore import (
    Exploration,
    Frontier,
    Sensitivity,
    SideBySide,
    Simulation,
    compare,
    explore,
    sensitivity,
    simulate,
)
from allocator.scenario.supply import SupplyCurve, shadow_prices, supply_curve

__all__ = [
    "Base",
    "Comparison",
    "Difference",
    "Exploration",
    "Frontier",
    "Grid",
    "MonteCarlo",
    "Scenario",
    "Sensitivity",
    "SideBySide",
    "Simulation",
    "SupplyCurve",
    "compare",
    "difference",
    "explore",
    "sensitivity",
    "shadow_prices",
    "simulate",
    "supply_curve",
]
