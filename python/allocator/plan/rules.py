"""The rules of a policy as tests, each behind its gate; `docs/allocation.md` has the list."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from math import gcd, lcm
from typing import TypeVar

import numpy as np
import polars as pl

from allocator.errors import InputError, PolicyError, Problem
from allocator.frames.coded import NULL_CODE, Coded
from allocator.frames.quantity import QTY_MAX
from allocator.model.policy import AttributeRule, ContractRule, Contracts, Policy, ShelfLife, Substitute
from allocator.model.tables import TABLES
from allocator.plan.keys import CodeTable, Columns, mapped, plain
from allocator.plan.spec import GATE, Bound, Digits, Equal, Exchange, Table, Tests, Within

EPOCH = dt.date(1970, 1, 1)
"""Day 0 of the kernel."""

CELLS_MAX = 1 << 24
"""Cells of a contract matrix."""

CONTRACT_AXES = (
    ("demand", "contract_type"),
    ("demand", "bu"),
    ("demand", "sku_group"),
    ("stock", "stock_class"),
    ("stock", "condition"),
)
"""What a rule of the contract matrix may select by, in the sequence of its digits: those of the line first."""


def day(date: dt.date) -> int:
    """Days since 1970-01-01."""
    return (date - EPOCH).days


def add_named_tests(tests: Tests, columns: Columns) -> None:
    """Serials and lots that lines name."""
    for column in ("serial", "lot"):
        if columns.has("demand", column):
            coded = columns.coded(column)
            tests.add(Equal(GATE[column], coded.stock, coded.demand))


def add_owner_test(tests: Tests, policy: Policy, columns: Columns) -> None:
    """Whose stock a line may take. No owner is code 0 here: it equals no owner."""
    if policy.owner == "any":
        return
    coded = columns.coded("owner")
    sides = [mapped(side, range(1, coded.card + 1)) for side in (coded.stock, coded.demand)]
    stock, demand = (pl.select(pl.when(s < NULL_CODE).then(s).otherwise(0)).to_series().cast(pl.UInt32) for s in sides)
    if policy.owner == "exact":
        tests.add(Equal(GATE["owner"], stock, demand))
    elif policy.owner == "unowned":
        tests.add(Within(GATE["owner"], stock, None, 0, null_passes=True))
    else:
        n = coded.card + 1
        _limit_cells("owner", (n + 1) ** 2)
        cells = np.full((n + 1, n + 1), -1, np.int32)
        cells[:, 1] = 1
        np.fill_diagonal(cells, 0)
        tests.add(Table(GATE["owner"], [(stock, n)], [(demand, n)], cells.ravel().tolist()), "owner_rank")


def add_state_tests(tests: Tests, policy: Policy, columns: Columns) -> None:
    """Status, block and condition."""
    for column, allowed in (("status", policy.statuses), ("condition", policy.conditions)):
        if allowed is None:
            continue
        if columns.has("stock", column):
            codes, values = columns.one("stock", column)
            cells = [-1, *(0 if value in allowed else -1 for value in values)]
            tests.add(Table(GATE[column], [(codes, len(values))], [], cells))
        elif TABLES["stock"][column].absent not in allowed:
            tests.add(Table(GATE[column], [], [], [-1]))
    if columns.has("stock", "blocked"):
        tests.add(Table(GATE["blocked"], [(columns.stock["blocked"], 2)], [], [0, 0, -1]))


def add_day_tests(tests: Tests, policy: Policy, columns: Columns, as_of: dt.date) -> None:
    """Expiry, receipt and shelf life, all on whole days."""
    today = day(as_of)
    shift = 1 if policy.shelf_life.usable == "until" else 0
    if columns.has("stock", "expires_on"):
        expires_on = columns.stock["expires_on"]
        tests.add(Within(GATE["expired"], expires_on, today + shift, None, null_passes=True))
        least = _least_expiry(policy.shelf_life, columns, today, shift)
        if isinstance(least, pl.Series) or least > today + shift:
            tests.add(Within(GATE["shelf_life"], expires_on, least, None, null_passes=True))
    if columns.has("stock", "received_on"):
        latest: Bound = today
        if policy.inbound == "when_needed" and columns.has("demand", "needed_on"):
            needed = columns.demand["needed_on"].cast(pl.Int32)
            latest = pl.select(pl.max_horizontal(needed, pl.lit(today, pl.Int32))).to_series()
        tests.add(Within(GATE["not_received"], columns.stock["received_on"], None, latest, null_passes=True))


def days_min(shelf: ShelfLife, columns: Columns) -> pl.Series | int:
    """The least remaining shelf life of each line, in days; one number if it is the same for all."""
    given: list[pl.Expr] = []
    if columns.has("demand", "min_shelf_life_days"):
        given.append(pl.col("min_shelf_life_days").cast(pl.Int64))
    for column, table in (("customer", shelf.by_customer), ("sku", shelf.by_sku), ("sku_group", shelf.by_group)):
        if table and columns.has("demand", column):
            names = pl.col(column).cast(pl.String)
            given.append(names.replace_strict(table, default=None, return_dtype=pl.Int64))
    if not given:
        return shelf.days_min
    given.append(pl.lit(shelf.days_min, pl.Int64))
    combined = pl.max_horizontal(given) if shelf.combine == "strictest" else pl.coalesce(given)
    return columns.demand.select(combined.clip(upper_bound=1 << 30)).to_series()


def _least_expiry(shelf: ShelfLife, columns: Columns, today: int, shift: int) -> pl.Series | int:
    """The first expiry day that is good enough, by line or for all, in days since 1970-01-01."""
    least = days_min(shelf, columns)
    if shelf.measured_at == "needed_on" and columns.has("demand", "needed_on"):
        measured = columns.demand["needed_on"].cast(pl.Int64).fill_null(today)
        return measured + shift + least
    return least + (today + shift)


# --- attributes ---


def add_attribute_tests(tests: Tests, policy: Policy, columns: Columns) -> None:
    """Comparisons of a stock column with a constant or with columns of the line."""
    for rule in policy.attributes:
        if rule.value is None:
            _add_compared(tests, rule, columns)
        elif columns.has("stock", rule.column):
            tests.add(
                Table(
                    GATE["attribute"],
                    [(constant_rule(rule, columns.compared("stock", rule.column).to_frame()), 2)],
                    [],
                    [-1, -1, 0],
                )
            )
        elif rule.nulls == "fail":
            tests.add(Table(GATE["attribute"], [], [], [-1]))


def constant_rule(rule: AttributeRule, stock: pl.DataFrame) -> pl.Series:
    """Whether each row passes a rule that compares it with constants."""
    series, constants = stock[rule.column], rule.value if isinstance(rule.value, tuple) else (rule.value,)
    if rule.compare == "version":
        series = series.cast(pl.String)
        found = {text: version(text) for text in [*series.unique().drop_nulls(), *map(str, constants)]}
        ranks = {parts: rank for rank, parts in enumerate(sorted(set(found.values())))}
        series = series.replace_strict({text: ranks[parts] for text, parts in found.items()}, return_dtype=pl.Int64)
        constants = tuple(ranks[found[str(value)]] for value in constants)
    elif series.dtype in (pl.Enum, pl.Categorical):
        series = series.cast(pl.String)
    column, first = pl.col(rule.column), pl.lit(constants[0])
    passes = {
        "=": lambda: column == first,
        "!=": lambda: column != first,
        "<": lambda: column < first,
        "<=": lambda: column <= first,
        ">": lambda: column > first,
        ">=": lambda: column >= first,
        "in": lambda: pl.any_horizontal(column == pl.lit(value) for value in constants),
        "not_in": lambda: pl.all_horizontal(column != pl.lit(value) for value in constants),
        "between": lambda: column.is_between(first, pl.lit(constants[-1])),
    }[rule.op]()
    return pl.select(series.alias(rule.column)).select(passes.fill_null(rule.nulls == "pass")).to_series()


def version(text: str) -> tuple[tuple[int, int, str], ...]:
    """A version for comparison: parts by dots, numbers as numbers and before text."""
    parts = text.split(".")
    return tuple((0, int(part), "") if re.fullmatch(r"\d+", part, re.ASCII) else (1, 0, part) for part in parts)


def _add_compared(tests: Tests, rule: AttributeRule, columns: Columns) -> None:
    names = rule.demand_columns or (rule.demand_column or "",)
    present = [name for name in names if columns.has("demand", name)]
    if not present:
        return
    stock, *found = _comparable(rule, columns, present)
    by_name = dict(zip(present, found, strict=True))
    first, last = by_name.get(names[0]), by_name.get(names[-1])
    low, high, outside = interval(rule.op, first, first, last)
    tests.add(Within(GATE["attribute"], stock, low, high, null_passes=rule.nulls == "pass", outside=outside))


Operand = TypeVar("Operand", int, pl.Series)


def interval(
    op: str, ceiling: Operand | None, floor: Operand | None, end: Operand | None
) -> tuple[Operand | None, Operand | None, bool]:
    """Least and greatest value that passes a comparison, and whether those between fail instead.

    `ceiling` and `floor` are the next values that stock can have at or above, and at or below, what is compared with;
    `end` is the greatest at or below the far end of `between`.
    """
    match op:
        case "=" | "!=":
            return ceiling, floor, op == "!="
        case "<":
            return None, None if ceiling is None else ceiling - 1, False
        case "<=":
            return None, floor, False
        case ">":
            return None if floor is None else floor + 1, None, False
        case ">=":
            return ceiling, None, False
        case _:
            return ceiling, end, False


def _comparable(rule: AttributeRule, columns: Columns, names: Sequence[str]) -> list[pl.Series]:
    """The stock column and columns of demand as numbers that compare as they do."""
    asked = [columns.compared("demand", name) for name in names]
    # A column that no row fills has been left out: every row is null.
    nothing = pl.Series(rule.column, [None], dtype=asked[0].dtype).new_from_index(0, columns.stock.height)
    given = [columns.compared("stock", rule.column) if columns.has("stock", rule.column) else nothing, *asked]
    first = next((series.dtype for series in given if series.dtype != pl.Null), pl.Int64())
    given = [series.cast(first) if series.dtype == pl.Null else series for series in given]
    if first in (pl.String, pl.Enum, pl.Categorical):
        codes, values = columns.core.encode([series.cast(pl.String) for series in given])
        if rule.compare == "version":
            texts = values.to_list()
            ranks = {key: rank for rank, key in enumerate(sorted({version(text) for text in texts}))}
            codes = [mapped(series, [ranks[version(text)] for text in texts]) for series in codes]
        numbers = [series.cast(pl.Int64) for series in codes]
        return [pl.select(pl.when(s < NULL_CODE).then(s)).to_series() for s in numbers]
    if first.is_temporal():
        return [series.cast(pl.Datetime("us")).cast(pl.Int64) for series in given]
    if any(isinstance(series.dtype, pl.Decimal) for series in given):
        scale = max(s.dtype.scale for s in given if isinstance(s.dtype, pl.Decimal))
        given = [series.cast(pl.Decimal(38, scale)) for series in given]
    return [plain(series).cast(pl.Int64) for series in given]


# --- contracts ---


def add_contract_test(tests: Tests, policy: Policy, columns: Columns, as_of: dt.date) -> None:
    """The contract matrix as one table over all values that occur."""
    contracts = policy.contracts
    if contracts is None:
        return
    rules = contract_rules(contracts, as_of)
    digits: dict[str, Digits] = {"demand": [], "stock": []}
    known: list[list[str | None]] = []
    for table, column in CONTRACT_AXES:
        if is_axis(column, rules) and columns.has(table, column):
            codes, values = columns.one(table, column)
            digits[table].append((codes, len(values)))
            known.append([None, *values])
        else:
            value = TABLES[table][column].absent if table == "stock" else None
            known.append([None if value is None else str(value)])
    _limit_cells("contracts", int(np.prod([len(values) for values in known])))
    cells = np.full([len(values) for values in known], 0 if contracts.otherwise == "allow" else -1, np.int32)
    # The rule that decides is written last: most selectors, then a forbidding one, then the lowest rank.
    for rule in sorted(rules, key=_weight):
        at = [_where(getattr(rule, column), values) for (_, column), values in zip(CONTRACT_AXES, known, strict=True)]
        if all(at):
            cells[np.ix_(*at)] = rule.rank if rule.allow else -1
    if contracts.without_contract == "allow":
        cells[0] = 0
    tests.add(Table(GATE["contract"], digits["stock"], digits["demand"], cells.ravel().tolist()), "contract_rank")


def contract_rules(contracts: Contracts, as_of: dt.date) -> list[ContractRule]:
    """The rules that hold on a day."""
    return [r for r in contracts.rules if (r.valid_from or as_of) <= as_of <= (r.valid_to or as_of)]


def is_axis(column: str, rules: Sequence[ContractRule]) -> bool:
    """Whether the matrix looks at a column."""
    return column == "contract_type" or any(getattr(rule, column) is not None for rule in rules)


def _weight(rule: ContractRule) -> tuple[int, bool, int]:
    selectors = sum(getattr(rule, column) is not None for _, column in CONTRACT_AXES)
    return selectors, not rule.allow, -rule.rank


def _where(value: str | None, values: list[str | None]) -> list[int]:
    return list(range(len(values))) if value is None else [i for i, v in enumerate(values) if v == value]


def _limit_cells(path: str, cells: int) -> None:
    if cells > CELLS_MAX:
        message = f"the rules distinguish {cells} combinations of values, at most {CELLS_MAX} fit"
        hint = "Use fewer distinct values in the columns it names, or split the run"
        raise PolicyError(Problem("policy_too_wide", message, "policy", path, hint=hint))


# --- substitutes ---


def linked(policy: Policy, numbers: dict[str, int]) -> CodeTable:
    """For each SKU code the least code of all SKUs that substitutes link it to."""
    least = np.arange(len(numbers), dtype=np.uint32)

    def root(code: int) -> int:
        while least[code] != code:
            least[code] = least[least[code]]
            code = int(least[code])
        return code

    for entry in policy.substitutes:
        if entry.sku in numbers and entry.substitute in numbers:
            a, b = root(numbers[entry.sku]), root(numbers[entry.substitute])
            least[max(a, b)] = min(a, b)
    return np.array([root(code) for code in range(len(least))], dtype=np.uint32)


def add_exchange_test(
    tests: Tests, policy: Policy, skus: Coded, numbers: dict[str, int], steps: Mapping[str, int]
) -> None:
    """The SKU itself, then its substitutes in the order in which they are listed."""
    if not policy.substitutes:
        return
    listed: list[tuple[int, int, int, int, int]] = []
    ranks: dict[str, int] = {}
    for entry in policy.substitutes:
        ranks[entry.sku] = ranks.get(entry.sku, 0) + 1
        pair = (numbers.get(entry.sku), numbers.get(entry.substitute))
        if pair[0] is not None and pair[1] is not None:
            listed.append((pair[0], pair[1], ranks[entry.sku], *_whole_exchange(entry, steps)))
    tests.add(Exchange(skus.stock, skus.demand, sorted(listed)), "substitute_rank")


def _whole_exchange(entry: Substitute, steps: Mapping[str, int]) -> tuple[int, int]:
    """The least of the substitute for the least of what is asked that are both whole steps of their SKUs.

    Raises:
        InputError: `value_overflow`: that is more than can be counted.
    """
    give, asked = entry.ratio.numerator, entry.ratio.denominator
    coarse = steps.get(entry.substitute, 1), steps.get(entry.sku, 1)
    times = lcm(*(step // gcd(side, step) for side, step in zip((give, asked), coarse, strict=True)))
    if max(give, asked) * times > QTY_MAX:
        message = f"a whole exchange of {entry.substitute} for {entry.sku} is more than can be counted"
        hint = "Use a ratio of smaller numbers, or a larger base unit"
        raise InputError(Problem("value_overflow", message, "policy", "substitutes", value=str(entry.ratio), hint=hint))
    return give * times, asked * times
