"""Which rows may serve one line, in which order: every gate that a row fails, and its ranks.

A second reading of `docs/allocation.md`, on the rows of one line: it shares no code with the kernel.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from allocator.explain.places import Reach
from allocator.model.reason import GATES

if TYPE_CHECKING:
    from allocator.model.policy import AttributeRule, Contracts, Policy, ShelfLife

Line = Mapping[str, Any]
"""One row of demand; an absent column is null."""

DEFAULTS: dict[str, object] = {"qty_reserved": 0, "condition": "new", "status": "available", "blocked": False}
"""What an absent column of stock means, where that is not null."""


def text(column: str) -> pl.Expr:
    """The column as text, whatever its keys are: strings, categories or integers."""
    return pl.col(column).cast(pl.String)


def distinct(
    rows: pl.DataFrame, columns: Sequence[str], of: Callable[..., object], dtype: pl.DataType | type[pl.DataType]
) -> pl.Series:
    """`of` applied once to every distinct combination of values, spread over the rows."""
    known = rows.select(pl.col(columns)).unique()
    values = pl.Series("value", [of(*key) for key in known.rows()], dtype=dtype)
    return rows.select(columns).join(
        known.with_columns(values), on=columns, how="left", nulls_equal=True, maintain_order="left"
    )["value"]


def ranks(rows: pl.DataFrame, line: Line, policy: Policy, as_of: dt.date) -> pl.DataFrame:
    """The ranks of every row for the line, and its distance; null where the row may not serve the line."""
    place = line.get("location")
    reach = Reach(policy.location, None if place is None else str(place))
    spelled = rows.select(text("sku"), *(text(c) for c in ("location", "stock_class", "condition", "owner")))
    stands_in = [s.substitute for s in policy.substitutes if s.sku == str(line["sku"])]
    order = {str(line["sku"]): 0} | {sku: rank for rank, sku in enumerate(stands_in, start=1)}
    return pl.DataFrame(
        {
            "source_rank": distinct(spelled, ["location"], reach.source_rank, pl.Int64),
            "substitute_rank": distinct(spelled, ["sku"], order.get, pl.Int64),
            "contract_rank": distinct(
                spelled,
                ["stock_class", "condition"],
                lambda *key: contract_rank(policy.contracts, key, line, as_of),
                pl.Int64,
            ),
            "owner_rank": distinct(spelled, ["owner"], lambda owner: owner_rank(policy.owner, owner, line), pl.Int64),
            "distance": distinct(spelled, ["location"], reach.distance, pl.Int64),
        }
    )


def owner_rank(rule: str, owner: str | None, line: Line) -> int | None:
    """0 for the owner that comes first, 1 for the next, None for an owner whose stock the line may not take."""
    own = None if line.get("owner") is None else str(line["owner"])
    if rule == "any" or (rule == "unowned" and owner is None) or (rule in ("exact", "deposit_first") and owner == own):
        return 0
    return 1 if rule == "deposit_first" and owner is None else None


def contract_rank(contracts: Contracts | None, stock: tuple[str | None, ...], line: Line, as_of: dt.date) -> int | None:
    """The rank of the deciding rule of the matrix; None if it forbids."""
    if contracts is None or (contracts.without_contract == "allow" and line.get("contract_type") is None):
        return 0
    facts = dict(zip(("stock_class", "condition"), stock, strict=True))
    facts |= {name: line.get(name) for name in ("contract_type", "bu", "sku_group")}
    deciding = None
    for rule in contracts.rules:
        selectors = {name: getattr(rule, name) for name in facts if getattr(rule, name) is not None}
        begun, over = (rule.valid_from or dt.date.min) > as_of, (rule.valid_to or dt.date.max) < as_of
        if begun or over or any(facts[name] is None or str(facts[name]) != asked for name, asked in selectors.items()):
            continue
        weight = (len(selectors), not rule.allow, -rule.rank)
        if deciding is None or weight > deciding:
            deciding = weight
    if deciding is None:
        return 0 if contracts.otherwise == "allow" else None
    return None if deciding[1] else -deciding[2]


def shelf_life_days_min(rule: ShelfLife, line: Line) -> int:
    """The least remaining life that the line accepts, in days."""
    minimums = (
        line.get("min_shelf_life_days"),
        rule.by_customer.get(str(line.get("customer"))),
        rule.by_sku.get(str(line["sku"])),
        rule.by_group.get(str(line.get("sku_group"))),
        rule.days_min,
    )
    found = [int(days) for days in minimums if days is not None]
    return max(found) if rule.combine == "strictest" else found[0]


def last_usable_day(rule: ShelfLife) -> pl.Expr:
    """The last day on which a row may be used; null is for ever."""
    return pl.col("expires_on").cast(pl.Date) - pl.duration(days=int(rule.usable == "until"))


def attribute_fails(rows: pl.DataFrame, rule: AttributeRule, line: Line) -> pl.Series:
    """Whether a row fails one attribute rule for the line."""
    ends: tuple[Any, ...]
    if rule.demand_columns is not None:
        ends = tuple(line.get(column) for column in rule.demand_columns)
    else:
        right = rule.value if rule.demand_column is None else line.get(rule.demand_column)
        ends = right if isinstance(right, tuple) else (right,)
    if all(end is None for end in ends):
        return pl.Series(rule.column, [False], dtype=pl.Boolean).new_from_index(0, rows.height)

    def fails(value: object) -> bool:
        if value is None:
            return rule.nulls == "fail"
        left, *bounds = (_comparable(v, value, rule.compare) for v in (value, *ends))
        if rule.op in ("in", "not_in"):
            return (left in bounds) != (rule.op == "in")
        if rule.op == "between":
            low, high = bounds
            return (low is not None and left < low) or (high is not None and left > high)
        other = bounds[0]
        return not {
            "=": lambda: left == other,
            "!=": lambda: left != other,
            "<": lambda: left < other,
            "<=": lambda: left <= other,
            ">": lambda: left > other,
            ">=": lambda: left >= other,
        }[rule.op]()

    return distinct(rows, [rule.column], fails, pl.Boolean)


def _comparable(value: Any, beside: object, compare: str) -> Any:  # noqa: ANN401 - any dtype of a column
    """The value in the form in which it is compared with values like `beside`."""
    if isinstance(beside, str) and isinstance(value, dt.date):
        value = value.isoformat()
    if isinstance(value, dt.date):
        value = _moment(value)
    if compare == "version" and isinstance(value, str):
        return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in value.split(".")]
    return value


def _moment(day: dt.date) -> dt.datetime:
    """A day as its first moment; a moment of a place as the world counts it."""
    if not isinstance(day, dt.datetime):
        return dt.datetime.combine(day, dt.time.min)
    return day if day.tzinfo is None else day.astimezone(dt.UTC).replace(tzinfo=None)


def failures(rows: pl.DataFrame, ranked: pl.DataFrame, line: Line, policy: Policy, as_of: dt.date) -> pl.DataFrame:
    """For every row and gate (but `safety_stock`) whether the row fails it."""
    of_row = row_failures(rows, policy, as_of)
    needed_on = line.get("needed_on")
    if policy.inbound == "when_needed" and needed_on is not None:
        in_time = rows.select((pl.col("received_on").cast(pl.Date) <= needed_on).fill_null(value=True)).to_series()
        of_row["not_received"] &= ~in_time
    day = needed_on if policy.shelf_life.measured_at == "needed_on" and needed_on is not None else as_of
    life = (last_usable_day(policy.shelf_life) - pl.lit(day)).dt.total_days()
    days_min = shelf_life_days_min(policy.shelf_life, line)
    no = pl.Series([False], dtype=pl.Boolean).new_from_index(0, rows.height)
    attribute = no
    for rule in policy.attributes:
        attribute |= attribute_fails(rows, rule, line)
    named = {
        column: no if line.get(column) is None else rows.select(text(column).ne_missing(str(line[column]))).to_series()
        for column in ("serial", "lot")
    }
    return pl.DataFrame(
        of_row
        | named
        | {
            "unknown_sku": no,
            "place": ranked["source_rank"].is_null(),
            "owner": ranked["owner_rank"].is_null(),
            "attribute": attribute,
            "contract": ranked["contract_rank"].is_null(),
            "shelf_life": rows.select((life < days_min).fill_null(value=False)).to_series(),
        }
    ).select(gate for gate in GATES if gate != "safety_stock")


def failed_gates(fails: pl.DataFrame) -> pl.Series:
    """From a column per gate to one list per row: the gates that it fails, in their sequence."""
    bits = fails.select(
        pl.sum_horizontal(pl.col(gate).cast(pl.Int32) * (1 << bit) for bit, gate in enumerate(GATES)).alias("bits")
    )
    named = distinct(
        bits, ["bits"], lambda found: [g for bit, g in enumerate(GATES) if found >> bit & 1], pl.List(pl.String)
    )
    return named.alias("gates")


def row_failures(rows: pl.DataFrame, policy: Policy, as_of: dt.date) -> dict[str, pl.Series]:
    """Whether a row fails the gates that depend on nothing but the row, by gate."""
    conditions = policy.conditions
    fails = {
        "no_balance": pl.col("qty_available") <= 0,
        "status": ~text("status").is_in(policy.statuses).fill_null(value=False),
        "blocked": pl.col("blocked"),
        "expired": last_usable_day(policy.shelf_life) < as_of,
        "not_received": pl.col("received_on").cast(pl.Date) > as_of,
        "condition": pl.lit(value=False)
        if conditions is None
        else ~text("condition").is_in(conditions).fill_null(value=False),
    }
    found = rows.select(expr.fill_null(value=False).alias(gate) for gate, expr in fails.items())
    return {gate: found[gate] for gate in fails}
