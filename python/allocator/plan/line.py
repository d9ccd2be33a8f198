"""The demand side of a plan for one line: what its values ask of each test, without a table around them.

`rules.py` and `places.py` say the same of columns, in the same sequence of tests.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from math import ceil, floor
from typing import Any, TypeAlias

import polars as pl

from allocator.frames.location import tree_codes
from allocator.model.policy import AttributeRule, Policy, ShelfLife
from allocator.model.tables import DEMAND
from allocator.plan import rules
from allocator.plan.keys import Columns
from allocator.plan.spec import Equal, Exchange, Plan, Table, Test, Within

Line: TypeAlias = Mapping[str, Any]
"""One line: a value by column; what is left out is null."""

Ask: TypeAlias = tuple[int, int]
"""Least and greatest value that passes, or the line's code and 0."""

LEAST, GREATEST = -(2**63), 2**63 - 1
OPEN: Ask = (LEAST, GREATEST)
"""Not bound by the test."""

UNKNOWN = "\0"
"""Stands for every value that neither stock nor policy knows; no table can hold it."""


class UnforeseenError(Exception):
    """A value that was not provided for: the line is decided from tables."""


class Codes:
    """The codes of a column's values."""

    def __init__(self, values: Sequence[str], *, integers: bool) -> None:
        known: Iterable[str | int] = map(int, values) if integers else values
        self.numbers = {value: code for code, value in enumerate(known)}
        self.absent = len(values)

    def equal(self, value: str | int | None) -> Ask:
        """What a line asks that takes this value only, or any if it is null."""
        if value is None:
            return OPEN
        code = self.numbers.get(value, self.absent)
        return code, code


def codes(columns: Columns, column: str, further: tuple[str, ...] = ()) -> Codes:
    """The codes of a column that both tables may have."""
    side = "stock" if columns.has("stock", column) else "demand"
    return Codes(columns.coded(column, further).values, integers=getattr(columns, side)[column].dtype.is_integer())


def demand_template(stock: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """A demand table that has every column a line may have, and the values that rules distinguish.

    Compiled in place of the lines that are still to come, it yields every test that they may need.
    """
    schema = {name: _dtype(name, column.kind, stock) for name, column in DEMAND.items()}
    for rule in policy.attributes:
        for name in _compared(rule):
            schema.setdefault(name, _plain_dtype(stock, rule.column))
    for fill in (policy.fill, *policy.fills.values()):
        schema |= {name: pl.Int64() for name in (fill.qty_min, fill.pack) if isinstance(name, str)}
    known: dict[str, list[Any]] = {"fill": ["any", "line", "order", *policy.fills]}
    if policy.contracts is not None:
        for column in ("contract_type", "bu", "sku_group"):
            named = {getattr(rule, column) for rule in policy.contracts.rules} - {None}
            known[column] = [UNKNOWN, *sorted(named)]
    if policy.owner == "deposit_first":
        known["owner"] = [UNKNOWN if schema["owner"] == pl.String else _above(stock["owner"])]
    rows = 1 + max(len(values) for values in known.values())
    padded = {name: [*known.get(name, ()), *[None] * rows][:rows] for name in schema}
    return pl.DataFrame(padded, schema=schema)


def _above(integers: pl.Series) -> int:
    """A number that none of these is."""
    greatest = integers.max()
    return greatest + 1 if isinstance(greatest, int) else 0


def _dtype(name: str, kind: str, stock: pl.DataFrame) -> pl.DataType:
    if kind in ("id", "key", "text", "path"):
        return pl.Int64() if kind == "key" and name in stock.columns and stock[name].dtype.is_integer() else pl.String()
    return {"day": pl.Date(), "moment": pl.Datetime("us")}.get(kind, pl.Int64())


def _plain_dtype(stock: pl.DataFrame, column: str) -> pl.DataType:
    dtype = stock.schema.get(column, pl.String())
    return pl.String() if isinstance(dtype, pl.Enum | pl.Categorical) else dtype


def _compared(rule: AttributeRule) -> tuple[str, ...]:
    return rule.demand_columns or ((rule.demand_column,) if rule.demand_column else ())


def days_min(shelf: ShelfLife) -> Callable[[Line], int]:
    """Says the least remaining shelf life of a line, in days."""
    named = (("customer", shelf.by_customer), ("sku", shelf.by_sku), ("sku_group", shelf.by_group))
    tables = [(column, table) for column, table in named if table]

    def least(line: Line) -> int:
        own = line.get("min_shelf_life_days")
        given = [own, *(table.get(str(line.get(column))) for column, table in tables), shelf.days_min]
        known = [days for days in given if days is not None]
        return min(max(known) if shelf.combine == "strictest" else known[0], 1 << 30)

    return least


Asker: TypeAlias = Callable[[Line], Ask]


def askers(plan: Plan, policy: Policy, columns: Columns, as_of: dt.date) -> list[Asker]:
    """For each test of the plan, what a line asks of it."""
    found = _askers(policy, columns, as_of)
    asking = [next(found) if _concerns_line(test) else _nothing for test in plan.tests]
    if next(found, None) is not None:
        raise AssertionError("a rule asks a line for something that no test looks at")
    return asking


def _nothing(_: Line) -> Ask:
    return (0, 0)


def _concerns_line(test: Test) -> bool:
    match test:
        case Table():
            return bool(test.demand_digits)
        case Within():
            return isinstance(test.low, pl.Series) or isinstance(test.high, pl.Series)
        case Equal() | Exchange():
            return True


def _askers(policy: Policy, columns: Columns, as_of: dt.date) -> Iterator[Asker]:
    """In the sequence in which `compile_plan` adds tests that look at the line."""
    if policy.substitutes:
        skus = codes(columns, "sku", sku_names(policy))
        yield lambda line: (skus.numbers.get(line["sku"], 0), 0)
    yield from _places(policy, columns)
    for column in ("serial", "lot"):
        yield _equal(column, codes(columns, column))
    yield from _owner(policy, columns)
    yield from _days(policy, columns, rules.day(as_of))
    for rule in policy.attributes:
        if rule.value is None:
            yield _attribute(rule, columns)
    yield from _contract(policy, columns, as_of)


def sku_names(policy: Policy) -> tuple[str, ...]:
    """SKUs that the policy names in substitutes, as they are encoded with those of the tables."""
    return tuple(dict.fromkeys(sku for entry in policy.substitutes for sku in (entry.sku, entry.substitute)))


def _equal(column: str, known: Codes) -> Asker:
    return lambda line: known.equal(line.get(column))


def _places(policy: Policy, columns: Columns) -> Iterator[Asker]:
    location = policy.location
    tree = tree_codes(columns.coded("location").values)
    known = {path: code for code, path in enumerate(tree.paths)}

    def row_of_table(line: Line) -> Ask:
        path = line.get("location")
        if path is not None and path not in known:
            raise UnforeseenError
        return (0 if path is None else known[path] + 1, 0)

    def inside(line: Line) -> Ask:
        path = line.get("location")
        if path is None:
            return OPEN
        if path in known:
            return known[path], tree.ends[known[path]] - 1
        first, end = tree.interval(path)
        return first, end - 1

    def exact(line: Line) -> Ask:
        path = line.get("location")
        return OPEN if path is None else (known.get(path, len(known)),) * 2

    if location.sources or location.own_place == "only_if_listed":
        yield row_of_table
    elif location.scope != "any":
        yield inside if location.scope == "tree" else exact
    yield from (row_of_table for key in policy.stock_order if key.column == "distance")


def _owner(policy: Policy, columns: Columns) -> Iterator[Asker]:
    known = codes(columns, "owner")

    def exact(line: Line) -> Ask:
        owner = line.get("owner")
        return (0, 0) if owner is None else (known.equal(owner)[0] + 1,) * 2

    def deposit(line: Line) -> Ask:
        owner = line.get("owner")
        if owner is None:
            return (1, 0)
        return (2 + known.numbers.get(owner, unknown), 0)

    if policy.owner == "exact":
        yield exact
    elif policy.owner == "deposit_first":
        unknown = known.numbers.get(columns.demand["owner"].drop_nulls().item(), 0)
        yield deposit


def _days(policy: Policy, columns: Columns, today: int) -> Iterator[Asker]:
    shelf, least = policy.shelf_life, days_min(policy.shelf_life)
    shift = 1 if shelf.usable == "until" else 0

    def needed(line: Line) -> int:
        on = line.get("needed_on")
        return today if on is None else rules.day(on)

    def expiry(line: Line) -> Ask:
        measured = needed(line) if shelf.measured_at == "needed_on" else today
        return measured + shift + least(line), GREATEST

    if columns.has("stock", "expires_on"):
        yield expiry
    if columns.has("stock", "received_on") and policy.inbound == "when_needed":
        yield lambda line: (LEAST, max(needed(line), today))


def _attribute(rule: AttributeRule, columns: Columns) -> Asker:
    near, far = _compared(rule)[0], _compared(rule)[-1]
    ends = _ends(rule, columns)

    def asks(line: Line) -> Ask:
        first, last = (None if line.get(name) is None else ends(line[name]) for name in (near, far))
        ceiling, below = first or (None, None)
        low, high, _ = rules.interval(rule.op, ceiling, below, last and last[1])
        return LEAST if low is None else low, GREATEST if high is None else high

    return asks


def _ends(rule: AttributeRule, columns: Columns) -> Callable[[Any], Ask]:
    """The numbers of the next values that stock can have at or above, and at or below, a value of a line."""
    absent = not columns.has("stock", rule.column)
    dtype = pl.Null() if absent else _plain_dtype(columns.compared("stock", rule.column).to_frame(), rule.column)
    if dtype == pl.Null:
        return lambda _: (0, 0)  # every row is null
    if dtype == pl.String:
        given = [columns.stock[rule.column], *(columns.demand[name] for name in set(_compared(rule)))]
        texts = {text for series in given for text in series.cast(pl.String).unique().drop_nulls()}
        key: Callable[[str], Any] = rules.version if rule.compare == "version" else str
        known = sorted({key(text) for text in texts})
        return lambda text: (bisect_left(known, key(text)), bisect_right(known, key(text)) - 1)
    if dtype.is_temporal():
        return lambda moment: (_microseconds(moment),) * 2
    steps = 10**dtype.scale if isinstance(dtype, pl.Decimal) else 1
    return lambda number: (ceil(number * steps), floor(number * steps))


def _microseconds(moment: dt.date) -> int:
    time = moment if isinstance(moment, dt.datetime) else dt.datetime.combine(moment, dt.time())
    return (time - dt.datetime.combine(rules.EPOCH, dt.time())) // dt.timedelta(microseconds=1)


def _contract(policy: Policy, columns: Columns, as_of: dt.date) -> Iterator[Asker]:
    if policy.contracts is None:
        return
    holding = rules.contract_rules(policy.contracts, as_of)
    axes = []
    for table, column in rules.CONTRACT_AXES:
        if table == "demand" and rules.is_axis(column, holding):
            digits = {value: digit for digit, value in enumerate((None, *columns.one(table, column)[1]))}
            axes.append((column, len(digits), digits, digits[UNKNOWN]))

    def cell(line: Line) -> Ask:
        code = 0
        for column, size, digits, unknown in axes:
            code = code * size + digits.get(line.get(column), unknown)
        return code, 0

    yield cell


def units(qty: int | Decimal, scale: int) -> int:
    """A quantity of a line in units of 10^-scale."""
    if scale == 0 and type(qty) is int and 0 <= qty <= GREATEST:
        return qty
    exact = qty * 10**scale
    if exact != int(exact) or not 0 <= exact <= GREATEST:
        raise UnforeseenError
    return int(exact)
