"""`reallocate`: deals again what is promised already."""

from __future__ import annotations

import datetime as dt

from allocator.engine import kept_arrays
from allocator.errors import InputError, Problem
from allocator.frames.read import Source
from allocator.model.policy import Policy
from allocator.model.reallocation import Reallocation
from allocator.reallocation.deal import base_of
from allocator.reallocation.inputs import World, gather
from allocator.reallocation.outcome import Outcome
from allocator.reallocation.wishes import best_within, wishes_of
from allocator.result import checked_day, checked_policy


def reallocate(
    stock: Source,
    demand: Source,
    current: Source,
    plan: Reallocation,
    *,
    policy: Policy | None = None,
    as_of: dt.date,
) -> Outcome:
    """Deals again what is promised already: who keeps, who gains, who loses, and to whom.

    A pure function, as `allocate`; nothing is changed. Winners are served first, then everyone who may keep gets back
    what winners took, class by class, and only then anyone else gains. Run again on its own answer, it changes
    nothing (unless a limit on changes held it back, or some lines take whole rows and others parts of them).
    `docs/reallocation.md` has the order of events.

    Args:
        stock: As for `allocate`. `qty_on_hand` and `qty_reserved` are without `current`: what is allocated is on hand,
            and not reserved for others.
        demand: As for `allocate`; `qty` is all that the line asks, with what it has.
        current: One row per line and stock row that it has something of: `line_id`, `stock_id` (as in their
            own tables), `qty` (units of the stock row, integer or Decimal); optional `qty_served` (units of the line;
            absent: `qty`), `stage` (`open`, `frozen`, `picked`, `shipped`; null and absent: `open`). Only what is open
            may move; what was shipped is no longer on hand. `Result.allocations` and `Outcome.allocations` will do.
        plan: Segments, their strategies, fences and limits.
        policy: Which stock may serve which line; `Policy()` if left out.
        as_of: The day on which is decided.

    Raises:
        InputError: Every problem of all tables: what `allocate` says of stock and demand, `line_unknown`,
            `stock_unknown`, `stage_unknown`, `allocation_twice`, `allocated_above_stock`, `allocated_above_line`,
            `segment_overlap`, `mixed_keys`, `qty_step`, `value_overflow`, `argument_type`.
        PolicyError: Policy or plan do not fit the tables: `policy_column_missing`, `policy_column_type`.
        FileError: A file cannot be read.

    Example:
        >>> import datetime as dt
        >>> from allocator.reallocation import Reallocation, reallocate
        >>> stock = {"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [10]}
        >>> demand = {"line_id": ["1", "2"], "sku": ["X", "X"], "qty": [10, 6], "customer": ["usual", "VIP"]}
        >>> current = {"line_id": ["1"], "stock_id": ["A"], "qty": [10]}
        >>> vip = [{"column": "customer", "op": "=", "value": "VIP"}]
        >>> plan = Reallocation(segments=[{"name": "vip", "strategy": "win", "filter": vip}], otherwise="improve")
        >>> done = reallocate(stock, demand, current, plan, as_of=dt.date(2026, 11, 1))
        >>> done.lines.select("line_id", "before", "after", "to_lines", "why").rows()
        [('1', 10, 4, ['2'], 'lost'), ('2', 0, 6, [], 'gained')]
    """
    policy, day = checked_policy(policy), checked_day(as_of)
    plan = checked_plan(plan)
    with kept_arrays():
        return dealt_again(gather(stock, demand, current, plan, policy=policy, as_of=day), plan)


def checked_plan(plan: object) -> Reallocation:
    """The plan, if it is one."""
    if isinstance(plan, Reallocation):
        return plan
    message = f"plan is {type(plan).__name__}, a Reallocation is expected"
    hint = "Make it with Reallocation.load(): a preset by its name, or a file by its path"
    raise InputError(Problem("argument_type", message, column="plan", hint=hint))


def dealt_again(world: World, plan: Reallocation) -> Outcome:
    """Deals again what was gathered."""
    wishes = wishes_of(world, plan)
    base = base_of(world, wishes.strategy, limited=(plan.lines_max, plan.units_max) != (None, None))
    return Outcome(world, plan, *best_within(world, plan, wishes, base))
