"""The best plan that the rules allow beside the plan in their order, and what one more unit would be worth."""

from allocator.optimum.best import optimize
from allocator.optimum.objectives import OBJECTIVES
from allocator.optimum.outcome import Optimum
from allocator.optimum.prices import Prices, shadow_prices

__all__ = ["OBJECTIVES", "Optimum", "Prices", "optimize", "shadow_prices"]
