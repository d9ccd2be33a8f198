"""Places: the tree as intervals of codes, scopes, ranked sources and distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from allocator.errors import PolicyError, Problem
from allocator.frames.location import Tree
from allocator.model.order import OrderKey
from allocator.model.policy import Location, Policy
from allocator.plan.keys import Columns, mapped
from allocator.plan.spec import GATE, Equal, Table, Tests, Within

CELLS_MAX = 1 << 26
"""Pairs of places that a policy may rank: beyond it the table alone would take half a gigabyte."""

Ranks: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int32]]
"""A rank by place of the line and place of the row, negative where it may not serve; the first of each is no place."""

Distances: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.int64]]
"""A distance by place of the line and place of the row, -1 where there is none; the first of each is no place."""


@dataclass(frozen=True, slots=True)
class Places:
    """Places of rows and lines, as codes in tree order."""

    stock: pl.Series
    demand: pl.Series
    tree: Tree

    def interval(self, path: str) -> tuple[int, int]:
        """First and last code in a place; the last is below the first if nothing lies in it."""
        first, end = self.tree.interval(path)
        return first, end - 1


def places(columns: Columns) -> Places:
    """Codes in tree order."""
    coded, tree = columns.coded("location"), columns.tree()
    return Places(mapped(coded.stock, tree.codes), mapped(coded.demand, tree.codes), tree)


def by_exact_place(policy: Policy, columns: Columns) -> bool:
    """Whether rows and lines of different places never meet, so that a place is a group of its own."""
    location = policy.location
    mixes = location.sources or location.distances or policy.safety_stock or policy.substitutes
    apart = location.scope == "exact" and not mixes
    return apart and columns.has("demand", "location") and columns.demand["location"].null_count() == 0


def add_place_tests(tests: Tests, policy: Policy, columns: Columns, found: Places, *, grouped: bool) -> None:
    """Adds what the policy says of places."""
    location = policy.location
    if location.exclude:
        cells = np.zeros(len(found.tree.paths) + 1, np.int32)
        for path in location.exclude:
            first, last = found.interval(path)
            cells[first + 1 : last + 2] = -1
        tests.add(Table(GATE["place"], [(found.stock, len(cells) - 1)], [], cells.tolist()))
    if columns.has("demand", "location"):
        if location.sources:
            _add(tests, found, _source_ranks(location, found.tree), "source_rank")
        elif location.own_place == "only_if_listed":
            _add(tests, found, _source_ranks(location, found.tree), "")
        elif location.scope == "tree":
            low = found.demand.cast(pl.Int64)
            low = pl.select(pl.when(low < len(found.tree.paths)).then(low)).to_series()
            ends = mapped(found.demand, np.asarray(found.tree.ends, np.uint32))
            high = pl.select(pl.when(low.is_not_null()).then(ends.cast(pl.Int64) - 1)).to_series()
            tests.add(Within(GATE["place"], found.stock, low, high, null_passes=False))
        elif location.scope == "exact" and not grouped:
            tests.add(Equal(GATE["place"], found.stock, found.demand))
    elif location.sources:
        tests.add(Table(GATE["place"], [], [], [0]), "source_rank")
    for key in policy.stock_order:
        if key.column == "distance":
            _add(tests, found, _distance_ranks(location, found.tree, key), "distance")


def _add(tests: Tests, found: Places, cells: Ranks, rank: str) -> None:
    n = len(found.tree.paths)
    tests.add(Table(GATE["place"], [(found.stock, n)], [(found.demand, n)], cells.ravel().tolist()), rank)


def _pairs(n: int) -> None:
    if (n + 1) ** 2 > CELLS_MAX:
        message = f"the tables name {n} places, too many for a table of all pairs"
        hint = "Split the run by region, or use scope 'tree' without sources and distances"
        raise PolicyError(Problem("policy_too_wide", message, "policy", "location", hint=hint))


def _source_ranks(location: Location, tree: Tree) -> Ranks:
    """Ranks of the sources of each place."""
    n = len(tree.paths)
    _pairs(n)
    cells = np.full((n + 1, n + 1), -1, np.int32)
    cells[0] = 0
    by_place: dict[str, list[tuple[int, str]]] = {}
    for source in location.sources:
        by_place.setdefault(source.location, []).append((source.rank, source.source))
    for code, path in enumerate(tree.paths):
        row = cells[code + 1]
        levels = path.split("/")
        above = ("/".join(levels[:depth]) for depth in range(len(levels), 0, -1))
        # The lowest rank of all sources that a row lies in: best ranks are written last.
        listed = by_place.get(next((place for place in above if place in by_place), ""), [])
        for rank, place in sorted(listed, reverse=True):
            first, end = tree.interval(place)
            row[first + 1 : end + 1] = rank
        if location.own_place == "first":
            own = {"tree": (code, tree.ends[code]), "exact": (code, code + 1), "any": (-1, n)}[location.scope]
            row[own[0] + 1 : own[1] + 1] = 0
    return cells


def _distance_ranks(location: Location, tree: Tree, key: OrderKey) -> Ranks:
    """Distances as ranks in the direction of the key, nulls where it puts them."""
    _pairs(len(tree.paths))
    far = _listed(location, tree) if location.distances else _steps(tree)
    known = np.unique(far[far >= 0])
    ranks = np.searchsorted(known, far).astype(np.int32) + 1
    if key.descending:
        ranks = len(known) + 1 - ranks
    ranks[far < 0] = 0 if key.nulls == "first" else len(known) + 1
    return ranks


def _listed(location: Location, tree: Tree) -> Distances:
    """Distance as listed, -1 where it is not; the entry of the deepest place, then of the deepest source, decides."""
    n = len(tree.paths)
    far = np.full((n + 1, n + 1), -1, np.int64)
    for entry in sorted(location.distances, key=lambda d: (len(d.location), len(d.source))):
        (a, b), (c, d) = tree.interval(entry.location), tree.interval(entry.source)
        far[a + 1 : b + 1, c + 1 : d + 1] = entry.distance
    return far


def _steps(tree: Tree) -> Distances:
    """Steps from place to place along the tree, -1 for no place."""
    levels = [path.split("/") for path in tree.paths]
    depth = np.array([len(path) for path in levels], np.int64)
    shared = np.zeros((len(levels), len(levels)), np.int64)
    for level in range(depth.max(initial=0)):
        # Places with the same path down to this level share it; one that ends above shares it with none.
        numbers: dict[tuple[str, ...], int] = {}
        prefixes = [tuple(path[: level + 1]) if len(path) > level else None for path in levels]
        codes = np.array([-1 if p is None else numbers.setdefault(p, len(numbers)) for p in prefixes])
        shared += (codes[:, None] == codes[None, :]) & (codes >= 0)
    far = np.full((len(levels) + 1, len(levels) + 1), -1, np.int64)
    far[1:, 1:] = depth[:, None] + depth[None, :] - 2 * shared
    return far
