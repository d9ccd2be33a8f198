"""Places as paths: `W1/A` lies in `W1`, and `W10` does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from allocator.frames.coded import Coded, Core, code_column
from allocator.frames.findings import Check, Findings


@dataclass(frozen=True, slots=True)
class Tree:
    """Paths numbered so that a place and all below it are an interval of codes.

    Attributes:
        paths: The distinct paths in tree order: a place, then what lies in it, then its next sibling by code point.
        codes: For each path as given, its place in `paths`.
        ends: For each code, one after the last code of what lies in that place.
    """

    paths: tuple[str, ...]
    codes: tuple[int, ...]
    ends: tuple[int, ...]

    def interval(self, path: str) -> tuple[int, int]:
        """First code in the place, and one after the last; empty if no path lies in it. The path need not be listed."""
        return _bound(self.paths, path, after=False), _bound(self.paths, path, after=True)


def tree_codes(paths: Sequence[str]) -> Tree:
    """Numbers distinct paths in tree order.

    Plain string order would put `W1-X` (`-` comes before `/`) between `W1` and `W1/A`; comparing level by level
    does not.

    Example:
        >>> tree = tree_codes(["W10", "W1/A", "W1-X", "W1"])
        >>> tree.paths
        ('W1', 'W1/A', 'W1-X', 'W10')
        >>> tree.codes
        (3, 1, 2, 0)
        >>> tree.ends
        (2, 2, 3, 4)
        >>> tree.interval("W1")
        (0, 2)
    """
    order = sorted(range(len(paths)), key=lambda number: paths[number].split("/"))
    codes = [0] * len(paths)
    for code, number in enumerate(order):
        codes[number] = code
    ordered = tuple(paths[number] for number in order)
    ends = [len(ordered)] * len(ordered)
    within: list[int] = []
    for code, path in enumerate(ordered):
        while within and not path.startswith(ordered[within[-1]] + "/"):
            ends[within.pop()] = code
        within.append(code)
    return Tree(ordered, tuple(codes), tuple(ends))


def _bound(paths: Sequence[str], path: str, *, after: bool) -> int:
    """Where `path`, or what comes after all that lies in it, would stand among paths in tree order."""
    levels = path.split("/")
    low, high = 0, len(paths)
    while low < high:
        middle = (low + high) // 2
        at = paths[middle].split("/")
        if (at[: len(levels)] <= levels) if after else (at < levels):
            low = middle + 1
        else:
            high = middle
    return low


def check_paths(frames: Mapping[str, pl.DataFrame], core: Core, findings: Findings) -> Coded:
    """Notes paths with an empty level (an empty path, `/` at either end, `//`) or with spaces around a level.

    Args:
        frames: Tables by name; a table without `location` names no place.
        core: The compiled core.
        findings: Gets `place_malformed`.

    Returns:
        The places of both tables; those of a table that is not given are those of a table without rows.
    """
    nothing = pl.DataFrame()
    coded = code_column(frames.get("stock", nothing), frames.get("demand", nothing), "location", core)
    bad = [path for path in coded.values if any(not level or level != level.strip() for level in path.split("/"))]
    if bad:
        rows = pl.col("location").cast(pl.String).is_in(bad)
        hint = "Write W1/A/3: levels joined by single slashes, without spaces around them; null for no place"
        check = Check(
            "place_malformed", "location", rows, "a level of the place is empty, or has spaces around it", hint
        )
        for table, frame in frames.items():
            if "location" in frame.columns:
                findings.run(table, frame, [check])
    return coded
