"""Why a line of an optimum is short: the closed list of the rules, read on the finished plan."""

from __future__ import annotations

import numpy as np

from allocator.optimum.classes import Classes, Pairs
from allocator.optimum.ground import WHOLE, Ints, Lines, Rows
from allocator.optimum.objectives import Takes
from allocator.plan.spec import REASON_NAMES, SERVED

NUMBER = {name: number for number, name in enumerate(REASON_NAMES)}


def reasons(takes: Takes, rows: Rows, lines: Lines, by_rules: Ints, *, classes: Classes, pairs: Pairs) -> Ints:
    """The number of each line's reason; `SERVED` where nothing is short.

    A line without candidates has the reason that the rules gave. For any other, what is left of its candidates and what
    it has itself are what it could have had: if that is enough, how it may be filled stands in the way, and if nothing
    says how, an objective does. Otherwise others have what it lacks, or nobody does.

    Args:
        takes: The plan.
        rows: The rows.
        lines: The lines.
        by_rules: The number of each line's reason when the rules serve in their order.
        classes: Kinds of rows and lines.
        pairs: Kinds that may serve each other.
    """
    kinds = int(classes.line_kind.max(initial=-1)) + 1
    served, taken = np.zeros(len(lines.at), np.int64), np.zeros(len(rows.at), np.int64)
    np.add.at(served, takes.line, takes.served)
    np.add.at(taken, takes.row, takes.qty)
    left, gone = (_by_kind(rows.balance - taken, classes), _by_kind(taken, classes))
    could, had = np.zeros((2, kinds), np.int64)
    np.add.at(could, pairs.line, left[pairs.row] // pairs.given * pairs.asked)
    np.add.at(had, pairs.line, gone[pairs.row] // pairs.given * pairs.asked)
    candidates = np.bincount(pairs.line, minlength=kinds)[classes.line_kind] > 0
    could, had = could[classes.line_kind] + served, had[classes.line_kind]
    enough, any_left = could >= lines.qty, could > 0
    torn = np.unique(lines.order[(lines.whole == WHOLE["order"]) & (served < lines.qty)])
    of_order = (lines.whole == WHOLE["order"]) & np.isin(lines.order, torn)
    ratio = np.zeros(kinds, np.bool_)
    ratio[pairs.line[pairs.asked > 1]] = True
    # From the weakest to the strongest: a later one replaces an earlier one.
    said = (
        (np.ones(len(served), np.bool_), "insufficient"),
        (had > served, "taken"),
        (any_left & (lines.whole == WHOLE["line"]), "line_incomplete"),
        (any_left & (served == 0) & (lines.least > 1), "below_minimum"),
        (enough, "objective"),
        (enough & (lines.whole == WHOLE["line"]), "line_incomplete"),
        (enough & (served == 0) & (lines.least > 1), "below_minimum"),
        (enough & ratio[classes.line_kind], "exchange"),
        (enough & (lines.pack > 1), "pack"),
        (enough & (lines.rows_max > 0), "rows_max"),
        (enough & lines.whole_rows, "whole_rows"),
        (enough & (lines.one == 2), "one_source"),
        (enough & (lines.one == 1), "one_lot"),
        (of_order, "order_incomplete"),
    )
    reason = np.zeros(len(served), np.int64)
    for applies, name in said:
        reason[applies] = NUMBER[name]
    reason = np.where(candidates, reason, by_rules)
    return np.where(served == lines.qty, SERVED, reason)


def _by_kind(units: Ints, classes: Classes) -> Ints:
    """Units of each kind of rows and of those that are stronger in its chain."""
    chains = classes.chains
    total, above = np.zeros((2, len(chains.kinds)), np.int64)
    np.add.at(total, classes.row_kind, units)
    of_chain = chains.chain[chains.kinds]
    upwards = np.cumsum(total[chains.kinds][::-1])[::-1]
    after = np.append(upwards, 0)[chains.ends[1:]]
    above[chains.kinds] = upwards - after[of_chain]
    return above
