"""What the entries of one setting must hold together: no duplicates, no contradictions.

Every problem has its own place in the policy, and all of them are reported, not only the first.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import AfterValidator, Field

from allocator.errors import PolicyError, Problem
from allocator.model.order import RANK_KEYS, OrderKey

if TYPE_CHECKING:
    from allocator.model.policy import Location, Substitute

T = TypeVar("T")
Check = Callable[[Any], Iterable[Problem]]
STOCK_ONLY = frozenset({*RANK_KEYS, "distance", "qty_available"})
"""Keys that mean something for a stock row only."""
DEMAND_ONLY = frozenset({"shelf_life_days_min"})
"""Keys that mean something for a line only."""


def checked(*checks: Check) -> AfterValidator:
    """A validator that reports every problem that the checks find in a value."""
    return AfterValidator(lambda value: accepted(value, *checks))


def accepted(value: T, *checks: Check) -> T:
    """The value, if no check finds a problem in it.

    Raises:
        PolicyError: All problems that were found.
    """
    if problems := [problem for check in checks for problem in check(value)]:
        raise PolicyError(problems)
    return value


AT_LEAST_ONE = Field(json_schema_extra={"minItems": 1})
"""Says in the JSON Schema what `filled` checks; a `min_length` would also complain about entries that are wrong."""


def filled(entries: Sequence[object]) -> Iterator[Problem]:
    """A list without entries, where that would mean nothing at all."""
    if not entries:
        yield Problem("setting_value", "at least one entry is needed")


def unique(key: Callable[[Any], Hashable], words: Callable[[Any], str], under: str = "") -> Check:
    """A check that no two entries have the same key; `words` names the entry for people."""

    def problems(entries: Iterable[object] | None) -> Iterator[Problem]:
        seen: set[Hashable] = set()
        for i, entry in enumerate(entries or ()):
            if key(entry) in seen:
                yield Problem("setting_twice", f"{words(entry)} is there twice", column=f"{under}{i}")
            seen.add(key(entry))

    return problems


def once(entry: Hashable) -> Hashable:
    """The entry itself as its key."""
    return entry


def keys_of_lines(keys: Sequence[OrderKey]) -> Iterator[Problem]:
    """What is wrong with the keys of a demand order."""
    return _keys(keys, STOCK_ONLY, "orders stock, not lines")


def keys_of_stock(keys: Sequence[OrderKey]) -> Iterator[Problem]:
    """What is wrong with the keys of a stock order."""
    return _keys(keys, DEMAND_ONLY, "orders lines, not stock")


def _keys(keys: Sequence[OrderKey], misplaced: frozenset[str], message: str) -> Iterator[Problem]:
    yield from unique(lambda key: key.column, lambda key: key.column)(keys)
    for i, key in enumerate(keys):
        if key.column in misplaced:
            yield Problem("setting_conflict", f"{key.column} {message}", column=str(i))
        if key.column.startswith("-"):
            hint = f'Write {{column = "{key.column.removeprefix("-")}", descending = true}} for the greatest first.'
            yield Problem("setting_value", "a column's name does not begin with '-'", column=str(i), hint=hint)


def places(paths: Iterable[tuple[str, str | None]]) -> Iterator[Problem]:
    """What is wrong with the spelling of places; each comes with where it is written."""
    for column, path in paths:
        if path is not None and any(not level or level != level.strip() for level in path.split("/")):
            message = "a place is levels joined by '/', such as W1/A; no level is empty or begins or ends with a space"
            yield Problem("place_malformed", message, column=column, value=path)


def location_problems(where: Location) -> Iterator[Problem]:
    """What is wrong with a location rule."""
    pair = "{0.source} for {0.location}".format
    yield from unique(once, str, "exclude.")(where.exclude)
    yield from unique(lambda s: (s.location, s.source), pair, "sources.")(where.sources)
    yield from unique(lambda d: (d.location, d.source), pair, "distances.")(where.distances)
    yield from places((f"exclude.{i}", path) for i, path in enumerate(where.exclude))
    for name, entries in (("sources", where.sources), ("distances", where.distances)):
        for end in ("location", "source"):
            yield from places((f"{name}.{i}.{end}", getattr(entry, end)) for i, entry in enumerate(entries))


FIELD = 2**127 - 1
"""A prime: worths are reckoned modulo it, because exact fractions along a long ring grow without bound."""


def rings(substitutes: Sequence[Substitute]) -> Iterator[Problem]:
    """Rings of substitutes whose exchanges do not come back to one for one.

    `A` may stand in for `B` and `B` for `A`, directly or through others, if the ratios along the ring multiply to
    1. Among SKUs that can all be exchanged for each other that is so exactly if every SKU has a worth that all
    ratios agree with. One problem per set of such SKUs; linear in the entries, and without recursion, so that
    a chain of any length is fine.
    """
    ratios = [entry.ratio.numerator * pow(entry.ratio.denominator, -1, FIELD) % FIELD for entry in substitutes]
    onward: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for entry, ratio in zip(substitutes, ratios, strict=True):
        onward[entry.sku].append((entry.substitute, ratio))
    ring_of = _rings(onward)
    worth = _worths(onward, ring_of)
    told: set[int] = set()
    for i, (entry, ratio) in enumerate(zip(substitutes, ratios, strict=True)):
        sku, other = entry.sku, entry.substitute
        if sku == other:
            yield Problem("setting_conflict", f"{sku} cannot stand in for itself", column=str(i))
            continue
        agreed = ring_of[sku] != ring_of[other] or worth[sku] * ratio % FIELD == worth[other]
        if not agreed and ring_of[sku] not in told:
            told.add(ring_of[sku])
            yield Problem(
                "substitute_ring",
                f"{sku} and {other} stand in for each other, directly or through others, and the ratios along the ring "
                "do not multiply to 1",
                column=str(i),
                value=str(entry.ratio),
                hint="Correct a ratio, or leave out one direction.",
            )


def _worths(onward: dict[str, list[tuple[str, int]]], ring_of: dict[str, int]) -> dict[str, int]:
    """How many units of each SKU are exchanged for one of the first SKU of its ring."""
    worth: dict[str, int] = {}
    for start in onward:
        if start in worth:
            continue
        worth[start] = 1
        queue = deque([start])
        while queue:
            sku = queue.popleft()
            for other, ratio in onward.get(sku, ()):
                if ring_of[other] == ring_of[sku] and other not in worth:
                    worth[other] = worth[sku] * ratio % FIELD
                    queue.append(other)
    return worth


def _rings(onward: dict[str, list[tuple[str, int]]]) -> dict[str, int]:
    """For every SKU the number of its strongly connected component (Kosaraju's two passes, without recursion)."""
    back: dict[str, list[str]] = defaultdict(list)
    for sku, others in onward.items():
        for other, _ in others:
            back[other].append(sku)
    ring_of: dict[str, int] = {}
    for ring, start in enumerate(reversed(_left(onward, back))):
        stack = [start]
        while stack:
            sku = stack.pop()
            if sku not in ring_of:
                ring_of[sku] = ring
                stack += back.get(sku, ())
    return ring_of


def _left(onward: dict[str, list[tuple[str, int]]], back: dict[str, list[str]]) -> list[str]:
    """The SKUs in the order in which a depth-first search leaves them."""
    left: list[str] = []
    seen: set[str] = set()
    for start in [*onward, *back]:
        stack = [(start, iter(onward.get(start, ())))] if start not in seen else []
        seen.add(start)
        while stack:
            sku, ahead = stack[-1]
            step = next(((other, iter(onward.get(other, ()))) for other, _ in ahead if other not in seen), None)
            if step is None:
                left.append(sku)
                stack.pop()
            else:
                seen.add(step[0])
                stack.append(step)
    return left
