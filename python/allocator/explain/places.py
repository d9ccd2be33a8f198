"""Places: what contains what, which sources a line has, and how far a row is away."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allocator.model.policy import Location


def contains(top: str, place: str | None) -> bool:
    """Whether a place is `top` or below it: `W1` contains `W1/A`, not `W10`."""
    return place is not None and f"{place}/".startswith(f"{top}/")


def upwards(place: str) -> list[str]:
    """The place and every place above it, the nearest first."""
    levels = place.split("/")
    return ["/".join(levels[:depth]) for depth in range(len(levels), 0, -1)]


class Reach:
    """From where one line may take: the source rank and the distance of every place."""

    def __init__(self, location: Location, here: str | None) -> None:
        self._rule = location
        self._here = here
        self._distances = {(d.location, d.source): d.distance for d in location.distances}
        above = upwards(here) if here is not None else []
        nearest = next((place for place in above if any(s.location == place for s in location.sources)), None)
        self._ranks = {s.source: s.rank for s in location.sources if s.location == nearest}

    def source_rank(self, there: str | None) -> int | None:
        """The best rank at which a row at that place may serve the line; None if it may not."""
        if any(contains(closed, there) for closed in self._rule.exclude):
            return None
        if self._here is None or (self._rule.own_place == "first" and self._is_own(there)):
            return 0
        ranks = [self._ranks[place] for place in upwards(there) if place in self._ranks] if there is not None else []
        return min(ranks, default=None)

    def _is_own(self, there: str | None) -> bool:
        assert self._here is not None
        return {"any": True, "exact": there == self._here, "tree": contains(self._here, there)}[self._rule.scope]

    def distance(self, there: str | None) -> int | None:
        """The listed distance of the deepest pair of places that contains both; without a list, steps in the tree."""
        if self._here is None or there is None:
            return None
        if self._distances:
            pairs = ((a, b) for a in upwards(self._here) for b in upwards(there))
            return next((self._distances[pair] for pair in pairs if pair in self._distances), None)
        up, down = upwards(self._here), upwards(there)
        return len(up) + len(down) - 2 * len(set(up) & set(down))
