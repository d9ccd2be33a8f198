"""Draws values, and what there is to draw: few of everything, so that all of it meets."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

AS_OF = dt.date(2026, 3, 1)
PLACES = ("W1", "W1-A", "W1/A", "W1/A/1", "W1/B", "W10", "W2", "W2/A")
SKUS = ("M", "B", "Z", "É")
FIRMWARE = ("2.1.3", "2.1.10", "2.1", "10.0", "2.1.4")
DIFFICULTIES = (
    "places",
    "serials",
    "lots",
    "statuses",
    "owners",
    "blocked",
    "receipts",
    "expiry",
    "conditions",
    "unknown",
    "fills",
    "orders",
)


class Draw:
    """Draws values from a source of randomness. A world has few of the difficulties, or nothing would be served."""

    def __init__(self, rng: Random, nulls: float = 0.2) -> None:
        self.rng, self.nulls = rng, nulls
        self.difficulties: set[str] = set()

    def if_(self, difficulty: str, value: Any, easy: Any) -> Any:
        """The value in a world with this difficulty, else the easy one."""
        assert difficulty in DIFFICULTIES, difficulty
        return value if difficulty in self.difficulties else easy

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def one(self, *values: Any) -> Any:
        return self.rng.choice(values)

    def maybe(self, *values: Any) -> Any:
        """One of the values, or null."""
        return None if self.chance(self.nulls) else self.rng.choice(values)

    def some(self, values: tuple[Any, ...], least: int = 0) -> list[Any]:
        return self.rng.sample(values, self.rng.randint(least, len(values)))

    def day(self, first: int, last: int) -> dt.date | None:
        return None if self.chance(self.nulls) else AS_OF + dt.timedelta(days=self.rng.randint(first, last))
