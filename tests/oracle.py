"""A short, slow, obvious allocator over lists of dicts, written from `docs/allocation.md` and nothing else.

It shares no code with the package: of a `Policy` it reads the plain attributes. Rows are dicts of the columns of the
tables; an absent key means what an absent column means. Quantities are integers of the finest unit that the tables
use, so nothing here can round. Every step scans everything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cmp_to_key
from math import ceil, floor, lcm
from types import SimpleNamespace
from typing import Any

Row = dict[str, Any]
Take = list[tuple[Row, int, int]]
"""What a line takes, in order: the row, the quantity of the row, the quantity of the line that it serves."""

DAY = dt.timedelta(days=1)
RANKS = ("source_rank", "substitute_rank", "contract_rank", "owner_rank")
GATES = (
    *("unknown_sku", "place", "serial", "lot", "owner", "no_balance", "status", "blocked", "expired", "not_received"),
    *("condition", "attribute", "contract", "shelf_life", "safety_stock"),
)
ABSENT: Row = {"condition": "new", "status": "available", "blocked": False, "qty_reserved": 0}
"""What an absent column of stock means, where that is not null."""
UNREAD = ("line_id", "order_id", "qty", "asked", "priority", "requested_at", "fill", "unit")
"""Columns of demand that no gate and no rank reads, unless an attribute rule names them."""
ROW_ALONE = ("place", "status", "blocked", "expired", "not_received", "condition", "attribute")
"""Gates that can be judged for a row when it is not known which line wants it."""


@dataclass
class Answer:
    """What was decided, in the order of the contract; quantities are Fractions of base units."""

    lines: list[Row]
    allocations: list[Row]
    stock: list[Row]


def allocate(stock: Sequence[Row], demand: Sequence[Row], policy: Any, as_of: dt.date) -> Answer:
    """Serve `demand` from `stock`, one unit of service after the other, out of one running balance per row."""
    return Run(stock, demand, policy, as_of).answer()


def within(place: str | None, top: str) -> bool:
    """Whether `place` is `top` or below it: `W1/A` is within `W1`, `W10` is not."""
    return place is not None and (place == top or place.startswith(top + "/"))


def source_rank(line: Row, row: Row, location: Any) -> int | None:
    """The rank of the row's place for the line; None if it may not serve it."""
    here, there = line.get("location"), row.get("location")
    if any(within(there, closed) for closed in location.exclude):
        return None
    if here is None:
        return 0
    own = {"tree": within(there, here), "exact": there == here, "any": True}[location.scope]
    if own and location.own_place == "first":
        return 0
    above = [s.location for s in location.sources if within(here, s.location)]
    nearest = max(above, key=len, default=None)
    return min((s.rank for s in location.sources if s.location == nearest and within(there, s.source)), default=None)


def distance(line: Row, row: Row, location: Any) -> int | None:
    """As listed (the entry of the deepest place, then of the deepest source), or steps in the tree of places."""
    here, there = line.get("location"), row.get("location")
    if here is None or there is None:
        return None
    if location.distances:
        listed = [d for d in location.distances if within(here, d.location) and within(there, d.source)]
        return max(listed, key=lambda d: (len(d.location), len(d.source))).distance if listed else None
    a, b = here.split("/"), there.split("/")
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    return len(a) + len(b)


def owner_rank(line: Row, row: Row, rule: str) -> int | None:
    """0 for the best owner, None if the row may not serve the line."""
    wanted, owner = line.get("owner"), row.get("owner")
    if rule == "any" or (rule == "unowned" and owner is None):
        return 0
    if rule != "unowned" and wanted == owner:
        return 0
    return 1 if rule == "deposit_first" and owner is None else None


def contract_rank(line: Row, row: Row, contracts: Any, as_of: dt.date) -> int | None:
    """The rank that the contract matrix gives, None if it forbids."""
    if contracts is None or (line.get("contract_type") is None and contracts.without_contract == "allow"):
        return 0
    facts = {"stock_class": row.get("stock_class"), "condition": row.get("condition", "new")}
    facts |= {name: line.get(name) for name in ("contract_type", "bu", "sku_group")}
    found = []
    for rule in contracts.rules:
        asked = {name: getattr(rule, name) for name in facts if getattr(rule, name) is not None}
        in_force = (rule.valid_from or as_of) <= as_of <= (rule.valid_to or as_of)
        if in_force and all(facts[name] == value for name, value in asked.items()):
            found.append((-len(asked), rule.allow, rule.rank))
    _, allow, rank = min(found, default=(0, contracts.otherwise == "allow", 0))
    return rank if allow else None


def days_min(line: Row, shelf: Any) -> int:
    """The least remaining shelf life, in days, that the line accepts."""
    by_customer, by_sku = shelf.by_customer.get(line.get("customer")), shelf.by_sku.get(line["sku"])
    every = (line.get("min_shelf_life_days"), by_customer, by_sku, shelf.by_group.get(line.get("sku_group")))
    given = [days for days in (*every, shelf.days_min) if days is not None]
    return int(max(given)) if shelf.combine == "strictest" else int(given[0])


def attribute_holds(line: Row, row: Row, rule: Any) -> bool:
    """One attribute rule on one row; a null on the side of the line does not bind."""

    def read(value: Any) -> Any:
        if rule.compare == "version" and isinstance(value, str):
            return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in value.split(".")]
        return Fraction(value) if isinstance(value, Decimal) else value

    if rule.demand_columns is not None:
        right = [read(line.get(column)) for column in rule.demand_columns]
    elif isinstance(rule.value, tuple):
        right = [read(value) for value in rule.value]
    else:
        right = [read(rule.value if rule.demand_column is None else line.get(rule.demand_column))]
    if all(value is None for value in right):
        return True
    value = row.get(rule.column, ABSENT.get(rule.column))
    if value is None:
        return bool(rule.nulls == "pass")
    left, one = read(value), right[0]
    if rule.op in ("=", "in"):
        return left in right
    if rule.op in ("!=", "not_in"):
        return left not in right
    if rule.op == "between":
        return (right[0] is None or left >= right[0]) and (right[1] is None or left <= right[1])
    return bool({"<": left < one, "<=": left <= one, ">": left > one, ">=": left >= one}[rule.op])


def in_order(items: Iterable[Row], keys: Sequence[Any], value: Callable[[Row, str], Any], last: str) -> list[Row]:
    """The items by the keys of an order, ended by the id `last` ascending."""

    def compare(a: tuple[Row, list[Any]], b: tuple[Row, list[Any]]) -> int:
        for key, x, y in zip(keys, a[1], b[1], strict=True):
            if x == y:
                continue
            if x is None or y is None:
                return -1 if (x is None) == (key.nulls == "first") else 1
            return -1 if (x < y) != key.descending else 1
        return -1 if a[0][last] < b[0][last] else 1

    valued = [(item, [value(item, key.column) for key in keys]) for item in items]
    return [item for item, _ in sorted(valued, key=cmp_to_key(compare))]


class Run:
    """One allocation: the tables in base units, the order of everything, and the balances."""

    def __init__(self, stock: Sequence[Row], demand: Sequence[Row], policy: Any, as_of: dt.date) -> None:
        self.policy, self.as_of = policy, as_of
        self.judged: dict[Any, tuple[list[Row], str]] = {}
        given = [row.get(column) for row in (*stock, *demand) for column in ("qty_on_hand", "qty_reserved", "qty")]
        self.finest = 10 ** max((-int(qty.as_tuple().exponent) for qty in given if isinstance(qty, Decimal)), default=0)
        self.stock = [
            {
                **row,
                "qty_on_hand": self.out(on_hand),
                "qty_reserved": self.out(reserved),
                "qty_available": on_hand - reserved,
            }
            for row in stock
            for on_hand in (self.base(row["qty_on_hand"], row),)
            for reserved in (self.base(row.get("qty_reserved", 0), row),)
        ]
        fills = (policy.fill, *policy.fills.values())
        counted = {"qty", *(name for fill in fills for name in (fill.qty_min, fill.pack) if isinstance(name, str))}
        self.lines = [
            {
                **line,
                **{name: self.out(self.base(line[name], line)) for name in counted if line.get(name) is not None},
                "asked": self.base(line["qty"], line),
            }
            for line in demand
        ]
        asked = [rule.demand_columns or (rule.demand_column,) for rule in policy.attributes]
        self.unread = {*UNREAD} - {name for names in asked for name in names}
        self.balance = {row["stock_id"]: row["qty_available"] for row in self.stock}
        self.start = dict(self.balance)
        self.keep_safety_stock_back()

    def base(self, qty: Any, of: Row | None = None) -> int:
        """A quantity in integers of the finest unit, converted from the unit of measure of the row it is of."""
        exact = Fraction(qty) * self.finest
        if of is not None and of.get("unit") is not None:
            ratios = {unit.sku: unit.ratio for unit in self.policy.units if unit.unit == of["unit"]}
            exact *= ratios[of["sku"]] if of["sku"] in ratios else ratios.get(None, 1)
        half = Fraction(1, 2)
        return {"up": ceil(exact), "nearest": floor(exact + half)}.get(self.policy.unit_rounding, floor(exact))

    def keep_safety_stock_back(self) -> None:
        """Take what is kept back out of the balances at the start, from the end of the stock order."""
        keys = [key for key in self.policy.stock_order if key.column not in (*RANKS, "distance")]
        ordered = in_order(self.stock, keys, Row.get, "stock_id")
        entries = self.policy.safety_stock
        for entry in sorted(entries, key=lambda e: -len(e.location.split("/")) if e.location is not None else 0):
            place = [r for r in ordered if entry.location is None or within(r.get("location"), entry.location)]
            place = [row for row in place if row["sku"] == entry.sku and self.could_serve_anyone(row)]
            needed = self.base(entry.qty) - sum(row["qty_available"] - self.start[row["stock_id"]] for row in place)
            for row in reversed(place):
                kept = max(0, min(needed, self.start[row["stock_id"]]))
                self.start[row["stock_id"]] -= kept
                needed -= kept
        self.balance = dict(self.start)

    def could_serve_anyone(self, row: Row) -> bool:
        """Whether the row passes every gate that depends on the row alone."""
        alone = (*ROW_ALONE, "owner") if self.policy.owner == "unowned" else ROW_ALONE
        return all(passes for name, passes in self.gates({"sku": row["sku"]}, row) if name in alone)

    def substitute(self, line: Row, row: Row) -> tuple[int, Fraction] | None:
        """Rank and ratio with which the row stands in for the line's SKU; None if it does not."""
        entries = [entry for entry in self.policy.substitutes if entry.sku == line["sku"]]
        ranked = {entry.substitute: (rank, entry.ratio) for rank, entry in enumerate(entries, start=1)}
        return (0, Fraction(1)) if row["sku"] == line["sku"] else ranked.get(row["sku"])

    def ratio(self, line: Row, row: Row) -> Fraction:
        """How much of the row one unit of the line takes."""
        _, ratio = self.substitute(line, row) or (None, Fraction(0))
        return ratio

    def gates(self, line: Row, row: Row) -> Iterator[tuple[str, bool]]:
        """Every gate in its sequence, and whether the row passes it on its way to the line."""
        p, shelf = self.policy, self.policy.shelf_life
        needed_on, received_on, last_day = line.get("needed_on"), row.get("received_on"), row.get("expires_on")
        if last_day is not None and shelf.usable == "until":
            last_day -= DAY
        latest = max(self.as_of, needed_on or self.as_of) if p.inbound == "when_needed" else self.as_of
        measured = needed_on if shelf.measured_at == "needed_on" and needed_on is not None else self.as_of
        yield "unknown_sku", self.substitute(line, row) is not None
        yield "place", source_rank(line, row, p.location) is not None
        yield "serial", line.get("serial") is None or row.get("serial") == line["serial"]
        yield "lot", line.get("lot") is None or row.get("lot") == line["lot"]
        yield "owner", owner_rank(line, row, p.owner) is not None
        yield "no_balance", row["qty_available"] > 0
        yield "status", row.get("status", "available") in p.statuses
        yield "blocked", not row.get("blocked", False)
        yield "expired", last_day is None or last_day >= self.as_of
        yield "not_received", received_on is None or received_on <= latest
        yield "condition", p.conditions is None or row.get("condition", "new") in p.conditions
        yield "attribute", all(attribute_holds(line, row, rule) for rule in p.attributes)
        yield "contract", contract_rank(line, row, p.contracts, self.as_of) is not None
        yield "shelf_life", last_day is None or (last_day - measured).days >= days_min(line, shelf)
        yield "safety_stock", self.start[row["stock_id"]] > 0

    def candidates(self, line: Row) -> tuple[list[Row], str]:
        """The rows that may serve the line, in stock order, and the gate that stopped the row that got furthest.

        Lines that are alike in all that gates and ranks read share the answer.
        """
        alike = tuple((name, value) for name, value in line.items() if name not in self.unread)
        if alike not in self.judged:
            failed = [next((name for name, passes in self.gates(line, row) if not passes), None) for row in self.stock]
            rows = [row for row, gate in zip(self.stock, failed, strict=True) if gate is None]
            furthest = max((gate for gate in failed if gate), key=GATES.index, default="unknown_sku")
            self.judged[alike] = self.in_stock_order(line, rows), furthest
        return self.judged[alike]

    def in_stock_order(self, line: Row, rows: list[Row]) -> list[Row]:
        """The rows as the line looks at them."""
        p = self.policy
        value: dict[str, Callable[[Row], Any]] = {
            "source_rank": lambda row: source_rank(line, row, p.location),
            "substitute_rank": lambda row: self.substitute(line, row),
            "contract_rank": lambda row: contract_rank(line, row, p.contracts, self.as_of),
            "owner_rank": lambda row: owner_rank(line, row, p.owner),
            "distance": lambda row: distance(line, row, p.location),
        }
        named = [key.column for key in p.stock_order]
        leading = [SimpleNamespace(column=c, descending=False, nulls="last") for c in RANKS if c not in named]
        return in_order(rows, [*leading, *p.stock_order], lambda r, c: value.get(c, lambda r: r.get(c))(r), "stock_id")

    def units_of_service(self) -> list[list[Row]]:
        """The lines as they are served: one by one, or all that must be whole together with their order."""
        shelf = self.policy.shelf_life
        lines = [{"priority": 0, **line, "shelf_life_days_min": days_min(line, shelf)} for line in self.lines]
        units: dict[Any, list[Row]] = {}
        for line in in_order(lines, self.policy.demand_order, Row.get, "line_id"):
            order = line["line_id"] if line.get("order_id") is None else line["order_id"]
            unit = ("order", order) if self.fill(line).whole == "order" else ("line", line["line_id"])
            units.setdefault(unit, []).append(line)
        return list(units.values())

    def fill(self, line: Row) -> Any:
        """The fill rule of the line."""
        p, name = self.policy, line.get("fill")
        usual = {"any": "no", "line": "line", "order": "order"}
        if name in usual:
            return type(p.fill)(whole=usual[name])
        return p.fill if name is None else p.fills[name]

    def amount(self, line: Row, setting: Any) -> int | None:
        """A quantity of a fill rule: a number of base units, or a column of the line."""
        if isinstance(setting, str):
            return None if line.get(setting) is None else int(line[setting] * self.finest)
        return None if setting is None else self.base(setting)

    def take(self, line: Row, rows: list[Row]) -> Take:
        """What the line takes from these rows in order, before it is asked whether that is enough."""
        fill, left = self.fill(line), line["asked"]
        taken: Take = []
        for row in rows:
            if left == 0 or len(taken) == fill.rows_max:
                break
            ratio, balance = self.ratio(line, row), self.balance[row["stock_id"]]
            step = lcm(self.amount(line, fill.pack) or 1, ratio.denominator)
            serves = min(left, floor(balance / ratio)) // step * step
            if serves > 0 and (not fill.whole_rows or serves * ratio == balance):
                taken.append((row, int(serves * ratio), serves))
                left -= serves
        return taken

    def serve(self, line: Row) -> tuple[Take, str | None]:
        """What the line takes after its fill rule accepted it, and the reason if something is short."""
        fill, (rows, furthest), asked = self.fill(line), self.candidates(line), line["asked"]
        pools: dict[Any, list[Row]] = {}
        for row in (row for row in rows if self.balance[row["stock_id"]] > 0):
            lot = (row["sku"], row["lot"]) if row.get("lot") is not None else row["stock_id"]
            pool = {None: "all", "lot": lot, "source": row.get("location")}[fill.one]
            pools.setdefault(pool, []).append(row)
        takes = [self.take(line, pool) for pool in pools.values()]
        best = max(takes, key=served_by, default=[])  # the first of the greatest
        total, least = served_by(best), min(self.amount(line, fill.qty_min) or 0, asked)
        kept = best if total >= least and (fill.whole == "no" or total == asked) else []
        return kept, None if served_by(kept) == asked else self.reason(line, rows, furthest, total, least)

    def reason(self, line: Row, rows: list[Row], furthest: str, total: int, least: int) -> str:
        """Why the line is short: the list of the contract, from its top."""
        fill = self.fill(line)
        if not rows:
            return furthest
        enough = 0
        for row in rows:
            ratio = self.ratio(line, row)
            enough += self.balance[row["stock_id"]] // ratio.numerator * ratio.denominator
        if enough >= line["asked"]:
            rules = {f"one_{fill.one}": fill.one, "whole_rows": fill.whole_rows, "rows_max": fill.rows_max}
            rules["pack"] = self.amount(line, fill.pack)
            return next((reason for reason, rule in rules.items() if rule), "exchange")
        if 0 < total < least:
            return "below_minimum"
        if total > 0 and fill.whole != "no":
            return "line_incomplete"
        return (
            "taken"
            if any(self.balance[row["stock_id"]] < self.start[row["stock_id"]] for row in rows)
            else "insufficient"
        )

    def answer(self) -> Answer:
        """Serve every unit; one that cannot be complete gives back everything."""
        results: list[tuple[Row, Take, str | None]] = []
        for unit in self.units_of_service():
            before, outcomes = dict(self.balance), []
            for line in unit:
                taken, reason = self.serve(line)
                for row, qty, _ in taken:
                    self.balance[row["stock_id"]] -= qty
                outcomes.append((line, taken, reason))
            if self.fill(unit[0]).whole == "order" and any(reason for *_, reason in outcomes):
                self.balance = before
                given_back = [reason or ("order_incomplete" if line["asked"] else None) for line, _, reason in outcomes]
                outcomes = [(line, [], reason) for (line, *_), reason in zip(outcomes, given_back, strict=True)]
            results += outcomes
        results.sort(key=lambda result: self.group(result[0]))  # stable: the order of service within a group
        return self.rows_out(results)

    def group(self, line: Row) -> tuple[str, list[str]]:
        """What competes: the SKU with all that substitutes link to it, and the place where places cannot mix."""
        p, linked = self.policy, {line["sku"]}
        for _ in p.substitutes:
            for entry in p.substitutes:
                linked |= {entry.sku, entry.substitute} if {entry.sku, entry.substitute} & linked else set()
        mixed = p.location.sources or p.location.distances or p.safety_stock or p.substitutes
        apart = p.location.scope == "exact" and not mixed and all(line.get("location") for line in self.lines)
        return min(linked), line["location"].split("/") if apart else []

    def rows_out(self, results: list[tuple[Row, Take, str | None]]) -> Answer:
        """The result as rows, in quantities of base units."""
        lines, allocations = [], []
        for line, taken, reason in results:
            asked, got = line["asked"], served_by(taken)
            out = {"requested": self.out(asked), "allocated": self.out(got), "short": self.out(asked - got)}
            lines.append({"line_id": line["line_id"], **out, "reason": reason})
            for rank, (row, qty, serves) in enumerate(taken, start=1):
                out = {"qty": self.out(qty), "qty_served": self.out(serves)}
                allocations.append({"line_id": line["line_id"], "stock_id": row["stock_id"], **out, "rank": rank})
        kept_back = {row["stock_id"]: row["qty_available"] - self.start[row["stock_id"]] for row in self.stock}
        after = [
            {"stock_id": i, "qty_available": self.out(self.balance[i] + kept_back[i])} for i in sorted(self.balance)
        ]
        return Answer(lines, allocations, after)

    def out(self, amount: int) -> Fraction:
        return Fraction(amount, self.finest)


def served_by(taken: Take) -> int:
    """How much of its line a take serves."""
    return sum(serves for *_, serves in taken)
