"""The best plan of a tiny world, by trying every plan there is.

Which row may serve which line is what `oracle.py` says; the rest shares no code with the package. A plan is legal if
every line's take keeps its fill rule, orders that must be whole are, no row gives more than it has, and a row that a
line takes whole is empty in the end and taken whole by that line only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from fractions import Fraction
from functools import cache
from math import floor, lcm
from typing import Any

import oracle
from oracle import Row

Take = tuple[tuple[int, int, int], ...]
"""What a line takes: number of the row, units of it, units of the line that they serve."""


class World:
    """Rows, lines, and what they may have of each other, in the finest unit."""

    def __init__(
        self, stock: Sequence[Row], demand: Sequence[Row], policy: Any, as_of: dt.date, current: Sequence[Row] = ()
    ) -> None:
        self.run = run = oracle.Run(stock, demand, policy, as_of)
        self.as_of = as_of
        self.rows = sorted(run.stock, key=lambda row: row["stock_id"])
        self.lines = sorted(run.lines, key=lambda line: line["line_id"])
        self.balance = tuple(run.start[row["stock_id"]] for row in self.rows)
        self.current = {(c["line_id"], c["stock_id"]): int(c["qty"] * run.finest) for c in current}
        self.may = [{row["stock_id"] for row in run.candidates(line)[0]} for line in self.lines]

    # --- what a plan is worth: more is better ---

    def gains(self, names: Sequence[str], horizon_days: int) -> Callable[[Row, Take], tuple[int, ...]]:
        """What a take of a line counts towards each objective."""
        needed = [line.get("needed_on") or self.as_of for line in self.lines]
        last = max([self.as_of, *needed]) + oracle.DAY

        def one(name: str, line: Row, row: Row, qty: int, served: int) -> int:
            day, place = line.get("needed_on") or self.as_of, line.get("location")
            late = max(self.as_of, row.get("received_on") or self.as_of)
            doomed = row.get("expires_on") and (row["expires_on"] - self.as_of).days <= horizon_days
            outside = place is not None and not oracle.within(row.get("location"), place)
            had = self.current.get((line["line_id"], row["stock_id"]), 0)
            return {
                "units": served,
                "value": qty * row.get("unit_cost", 0),
                "lateness": served * ((last - day).days - max(0, (late - day).days)),
                "waste": qty if doomed else 0,
                "transfers": -served if outside else 0,
                "changes": min(qty, had),
            }[name]

        def gain(line: Row, take: Take) -> tuple[int, ...]:
            parts = [[one(name, line, self.rows[r], qty, served) for r, qty, served in take] for name in names]
            return tuple(map(sum, parts))

        return gain

    def worth(self, plan: dict[Any, Take], names: Sequence[str], horizon_days: int) -> tuple[int, ...]:
        """What a plan counts towards each objective."""
        gain = self.gains(names, horizon_days)
        each = [gain(line, plan[line["line_id"]]) for line in self.lines if line["line_id"] in plan]
        return tuple(map(sum, zip(*each, strict=True))) if each else (0,) * len(names)

    # --- what is legal ---

    def takes(self, number: int, balance: tuple[int, ...]) -> Iterator[Take]:
        """Everything that a line may take from these balances."""
        line, fill = self.lines[number], self.run.fill(self.lines[number])

        def from_row(r: int, left: int) -> Iterator[Take]:
            if r == len(self.rows):
                yield ()
                return
            for rest in from_row(r + 1, left):
                yield rest
                room = left - sum(served for *_, served in rest)
                if self.rows[r]["stock_id"] in self.may[number]:
                    ratio = self.run.ratio(line, self.rows[r])
                    step = lcm(self.run.amount(line, fill.pack) or 1, ratio.denominator)
                    for served in range(step, min(room, floor(balance[r] / ratio)) + 1, step):
                        yield ((r, int(served * ratio), served), *rest)

        return (take for take in from_row(0, line["asked"]) if self.keeps_its_fill(line, take))

    def keeps_its_fill(self, line: Row, take: Take) -> bool:
        """Whether the take is one that the fill rule of the line accepts, orders and whole rows aside."""
        fill, total = self.run.fill(line), sum(served for *_, served in take)
        if not take:
            return True
        rows = [self.rows[r] for r, *_ in take]
        lots = {(row["sku"], row["lot"]) if row.get("lot") is not None else row["stock_id"] for row in rows}
        one = {None: {0}, "lot": lots, "source": {row.get("location") for row in rows}}[fill.one]
        least = min(self.run.amount(line, fill.qty_min) or 0, line["asked"])
        whole = fill.whole == "no" or total == line["asked"]
        return len(one) == 1 and total >= least and whole and len(take) <= (fill.rows_max or len(take))

    def order_of(self, line: Row) -> Any:
        """The order that the line must be whole with; None if it need not."""
        if self.run.fill(line).whole != "order":
            return None
        return line["line_id"] if line.get("order_id") is None else line["order_id"]

    def is_legal(self, plan: dict[Any, Take]) -> bool:
        """Whether a plan keeps every rule."""
        taken, whole_by = [0] * len(self.rows), [0] * len(self.rows)
        torn = set()
        for number, line in enumerate(self.lines):
            take = plan.get(line["line_id"], ())
            if take not in set(self.takes(number, self.balance)):
                return False
            for r, qty, _ in take:
                taken[r] += qty
                whole_by[r] += self.run.fill(line).whole_rows
            if self.order_of(line) is not None and sum(served for *_, served in take) < line["asked"]:
                torn.add(self.order_of(line))
        half = any(plan.get(line["line_id"]) and self.order_of(line) in torn for line in self.lines)
        pairs = list(zip(taken, whole_by, self.balance, strict=True))
        return not half and all(qty <= had and by <= 1 and (not by or qty == had) for qty, by, had in pairs)

    # --- the best ---

    def one_more(self, number: int) -> World:
        """The same with one more unit of a row."""
        other = copy(self)
        other.balance = (*self.balance[:number], self.balance[number] + 1, *self.balance[number + 1 :])
        return other

    def best(self, names: Sequence[str], horizon_days: int) -> tuple[int, ...]:
        """The greatest worth of all legal plans, the first objective before the second, and so on."""
        orders = sorted({order for line in self.lines if (order := self.order_of(line)) is not None}, key=str)
        choices = [[o for n, o in enumerate(orders) if number >> n & 1] for number in range(2 ** len(orders))]
        found = [self._best(frozenset(served), self.gains(names, horizon_days), len(names)) for served in choices]
        return max(worth for worth in found if worth is not None)

    def _best(self, orders: frozenset[Any], gain: Callable[[Row, Take], tuple[int, ...]], width: int) -> Any:
        """The same where exactly these of the whole orders are served."""

        @cache
        def rest(number: int, balance: tuple[int, ...], emptied: frozenset[int]) -> tuple[int, ...] | None:
            if number == len(self.lines):
                return (0,) * width if all(balance[r] == 0 for r in emptied) else None
            line, top = self.lines[number], None
            order, whole_rows = self.order_of(line), self.run.fill(line).whole_rows
            for take in self.takes(number, balance):
                total, used = sum(served for *_, served in take), {r for r, *_ in take}
                if order is not None and total != (line["asked"] if order in orders else 0):
                    continue
                if whole_rows and used & emptied:
                    continue
                left = list(balance)
                for r, qty, _ in take:
                    left[r] -= qty
                after = rest(number + 1, tuple(left), emptied | used if whole_rows else emptied)
                if after is not None:
                    worth = tuple(a + b for a, b in zip(gain(line, take), after, strict=True))
                    top = worth if top is None else max(top, worth)
            return top

        return rest(0, self.balance, frozenset())


def plan_of(allocations: Sequence[Row], world: World) -> dict[Any, Take]:
    """Allocations as rows (quantities exact) as a plan."""
    number = {row["stock_id"]: r for r, row in enumerate(world.rows)}
    plan: dict[Any, list[tuple[int, int, int]]] = {}
    for each in allocations:
        units = (Fraction(each[name]) * world.run.finest for name in ("qty", "qty_served"))
        plan.setdefault(each["line_id"], []).append((number[each["stock_id"]], *map(int, units)))
    return {line: tuple(sorted(take)) for line, take in plan.items()}
