"""Chains: kinds of rows of which each is good for whatever a weaker one is good for, such as lots that live longer.

Where lines ask for many different lives, kinds of rows and kinds of lines are many, and pairs of them too many. In a
chain a line needs to be paired with the weakest kind that it accepts only: what is stronger can pass for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allocator.optimum.eligible import GREATEST, LEAST, Asked, AskedSpan
from allocator.optimum.ground import Flags, Ints, Lines, Rows

CHAINED_MIN = 4096
"""Pairs of kinds in a group above which there are chains: without them, a plan stays closer to that of the rules."""


@dataclass(frozen=True, slots=True)
class Chains:
    """Kinds of rows in their chains; most are a chain of their own.

    Attributes:
        chain: Chain of each kind, numbered by group first.
        depth: Place of each kind in its chain; 0 is the weakest.
        kinds: The kinds by chain, the weakest first.
        strength: Of each of `kinds`, with its chain in one number.
        need: The least strength that each line accepts.
        width: A number above every strength.
    """

    chain: Ints
    depth: Ints
    kinds: Ints
    strength: Ints
    need: Ints
    width: int

    @property
    def ends(self) -> Ints:
        """Where in `kinds` each chain ends, the first at the place before the first one: it begins there."""
        count = int(self.chain.max(initial=-1)) + 1
        return np.searchsorted(self.chain[self.kinds], np.arange(count + 1))

    def weakest(self, chain: Ints, line: Ints) -> Ints:
        """The weakest kind in a chain that a line accepts, if it accepts the strongest."""
        return self.kinds[np.searchsorted(self.strength, chain * self.width + self.need[line])]

    def links(self) -> tuple[Ints, Ints]:
        """From each kind to the next weaker one in its chain."""
        same = np.flatnonzero(np.diff(self.chain[self.kinds]) == 0)
        return self.kinds[same + 1], self.kinds[same]


def in_chains(
    rows: Rows, lines: Lines, kind: Ints, *, rest: Sequence[Ints], test: AskedSpan | None, large: Flags
) -> Chains:
    """Chains by one test.

    Args:
        rows: The rows.
        lines: The lines.
        kind: The kind of each row.
        rest: What else tells rows of a group apart.
        test: The test that orders kinds; None for none.
        large: By group, whether there are chains.
    """
    _, first = np.unique(kind, return_index=True)
    chained = large[rows.group] & (test is not None)
    strength, need = (np.zeros(len(part.at), np.int64) for part in (rows, lines))
    if test is not None:
        strength, need = _strengths(test)
    known = np.unique(np.concatenate([strength, need]))
    width = len(known) + 1
    of_kind = np.where(chained[first], np.searchsorted(known, strength[first]), width - 1)
    code = rows.group
    for key in [*(np.where(chained, part, -1) for part in rest), np.where(chained, -1, kind)]:
        _, part = np.unique(key, return_inverse=True)
        _, code = np.unique(code * (int(part.max(initial=0)) + 1) + part, return_inverse=True)
    chain = code[first]
    kinds = np.lexsort((of_kind, chain))
    depth = np.empty(len(kinds), np.int64)
    depth[kinds] = np.arange(len(kinds)) - np.searchsorted(chain[kinds], chain[kinds])
    return Chains(chain, depth, kinds, (chain * width + of_kind)[kinds], np.searchsorted(known, need), width)


def ordering(tests: Sequence[Asked]) -> AskedSpan | None:
    """The test that tells most rows apart by a bound that is open at one end."""
    spans = [test for test in tests if isinstance(test, AskedSpan) and not test.outside]
    one_sided = [test for test in spans if (test.high == GREATEST).all() or (test.low == LEAST).all()]
    return max(one_sided, key=lambda test: sum(len(np.unique(key)) for key in test.row_keys), default=None)


def _strengths(test: AskedSpan) -> tuple[Ints, Ints]:
    """How strong rows are and lines need them to be, by the end that is not open."""
    null = GREATEST if test.null_passes else LEAST
    if (test.high == GREATEST).all():
        return np.where(test.null, null, test.value), test.low
    turned = np.where(test.high == GREATEST, LEAST, -np.maximum(test.high, -GREATEST))
    return np.where(test.null, null, -np.maximum(test.value, -GREATEST)), turned
