"""Tables as the engine wants them: every problem found, quantities in exact integers, days as dates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from allocator.frames import columns, ids, location, named, quantity
from allocator.frames.coded import Coded
from allocator.frames.findings import Check, Findings
from allocator.model.policy import FILLS, Policy
from allocator.model.tables import TABLES


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was found to make sense.

    Attributes:
        name: `stock` or `demand`.
        frame: The rows as given, in their order; each column in one piece. Quantities are Int64 in units of
            10^-scale base units, days are Date. Columns of the contract that were absent, or held no value, are
            absent: `docs/tables.md` says what that means. Any further column is as given.
        scale: Decimals of the quantities.
        ascending: Whether the ids ascend with the rows.
        quantities: The columns that hold quantities, those that fill rules name among them.
    """

    name: str
    frame: pl.DataFrame
    scale: int
    ascending: bool
    quantities: tuple[str, ...]

    def in_base_units(self, column: str) -> pl.Series:
        """A column as people know it: quantities in base units, Int64 or Decimal."""
        series = self.frame[column]
        return quantity.in_base_units(series, self.scale) if column in self.quantities else series

    def as_told(self) -> pl.DataFrame:
        """The rows as people know them: quantities in base units, Int64 or Decimal."""
        held = [name for name in self.quantities if name in self.frame.columns]
        return self.frame.with_columns(self.in_base_units(name) for name in held)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Stock and demand that fit each other and the policy; both have the same scale.

    Attributes:
        stock: The stock.
        demand: The demand.
        places: The places of both in one set of codes, where they were coded to be checked.
    """

    stock: Table
    demand: Table
    places: Coded | None = None


def prepare(
    stock: pl.DataFrame, demand: pl.DataFrame, policy: Policy, core: ids.Core, findings: Findings | None = None
) -> Prepared:
    """Checks both tables against their contract and the policy, and normalises them.

    Args:
        stock: One row per serialized unit or balance of a lot at a place (`allocator.model.tables.STOCK`).
        demand: One row per line (`allocator.model.tables.DEMAND`).
        policy: Names further columns, units of measure and fill rules.
        core: The compiled core.
        findings: What was found before, when the tables were read.

    Raises:
        InputError: With every problem of both tables and the policy: `column_missing`, `column_type`, `value_null`,
            `value_empty`, `text_nul`, `id_duplicate`, `qty_out_of_range`, `value_overflow`, `qty_step`,
            `reserved_above_on_hand`, `serial_quantity`, `serial_duplicate`, `place_malformed`, `date_range`,
            `date_with_time`, `days_range`, `fill_unknown`, `unit_unknown`.
        PolicyError: The same, if only the policy is to blame: `policy_column_missing`, `policy_column_type`,
            `qty_step`.
    """
    frames = {"stock": stock, "demand": demand}
    scale = max(scale_of(name, frame, policy) for name, frame in frames.items())
    (stock_table, demand_table), places = _prepare(frames, policy, core, scale, findings)
    return Prepared(stock_table, demand_table, places)


def prepare_stock(stock: pl.DataFrame, policy: Policy, core: ids.Core, findings: Findings | None = None) -> Table:
    """Checks and normalises stock alone; errors as `prepare`."""
    return _prepare({"stock": stock}, policy, core, scale_of("stock", stock, policy), findings)[0][0]


def prepare_demand(
    demand: pl.DataFrame, policy: Policy, core: ids.Core, scale: int, findings: Findings | None = None
) -> Table:
    """Checks and normalises demand alone, in the units of stock that was prepared before; errors as `prepare`."""
    own = scale_of("demand", demand, policy)
    if own > scale:
        findings = findings or Findings()
        message = f"the quantities have {own} decimals, those of the stock that was prepared {scale}"
        findings.add("qty_step", message, "demand", "qty", hint="Prepare the stock with as many decimals")
        findings.raise_any()
    return _prepare({"demand": demand}, policy, core, scale, findings)[0][0]


def scale_of(table: str, frame: pl.DataFrame, policy: Policy) -> int:
    """Decimals of the quantities of a table."""
    return quantity.scale_of(frame, quantity.quantity_columns(table, policy))


def _prepare(
    frames: Mapping[str, pl.DataFrame], policy: Policy, core: ids.Core, scale: int, findings: Findings | None
) -> tuple[list[Table], Coded]:
    findings = findings or Findings()
    tables = []
    for name, given in frames.items():
        frame = _check_columns(name, given, policy, findings)
        frame = quantity.to_units(frame, name, scale, policy, findings)
        ids.check_nul(frame, name, [column for column in TABLES[name] if column in frame.columns], core, findings)
        key = next(iter(TABLES[name]))
        ascending = key in frame.columns and ids.check_ids(frame, name, key, core, findings)
        if name == "stock":
            frame = frame.with_columns(_compared_absent(frame, policy))
            _check_stock(frame, scale, core, findings)
        else:
            _check_fills(frame, policy, findings)
            if "qty" in frame.columns:
                quantity.check_sum(frame, name, "qty", findings)
        tables.append(Table(name, frame, scale, ascending, quantity.quantity_columns(name, policy)))
    _check_keys({table.name: table.frame for table in tables}, policy, findings)
    places = location.check_paths({table.name: table.frame for table in tables}, core, findings)
    named.check_named(frames, policy, findings)
    quantity.constants(policy, scale, findings)
    findings.raise_any()
    return tables, places


def _check_columns(name: str, frame: pl.DataFrame, policy: Policy, findings: Findings) -> pl.DataFrame:
    """The frame in one piece per column, days as dates, without columns that are empty or cannot be used."""
    further = [column for column in quantity.quantity_columns(name, policy) if column not in TABLES[name]]
    contract = {**TABLES[name], **{column: columns.named_quantity(column) for column in further}}
    frame = columns.conform(frame.rechunk(), name, contract, findings)
    findings.run(name, frame, list(columns.checks(frame, contract, findings.unread.get(name, {}))))
    days = [column.name for column in contract.values() if column.kind == "day" and column.name in frame.columns]
    return frame.with_columns(pl.col(day).cast(pl.Date) for day in days if frame.schema[day] != pl.Date)


def _compared_absent(stock: pl.DataFrame, policy: Policy) -> Iterator[pl.Expr]:
    """What absent columns mean, where the policy compares them: the condition is new, the status available."""
    for name in dict.fromkeys(rule.column for rule in policy.attributes):
        column = TABLES["stock"].get(name)
        if column is not None and column.absent is not None and name not in stock.columns:
            yield pl.lit(column.absent, columns.EMPTY.get(column.kind, pl.String())).alias(name)


def _check_stock(frame: pl.DataFrame, scale: int, core: ids.Core, findings: Findings) -> None:
    present = set(frame.columns)
    if {"qty_on_hand", "qty_reserved"} <= present:
        # Less than nothing on hand is its own problem, whatever is reserved.
        bad = (pl.col("qty_reserved") > pl.col("qty_on_hand")) & (pl.col("qty_on_hand") >= 0)
        message = "more is reserved than is on hand"
        findings.run("stock", frame, [Check("reserved_above_on_hand", "qty_reserved", bad, message)])
    if {"serial", "sku", "qty_on_hand"} <= present:
        ids.check_serials(frame, 10**scale, core, findings)
    if "qty_on_hand" in present:
        quantity.check_sum(frame, "stock", "qty_on_hand", findings)


def _check_keys(frames: Mapping[str, pl.DataFrame], policy: Policy, findings: Findings) -> None:
    """Notes keys that could never match: text in one table and integers in the other, or integers of two kinds."""
    owners = ("owner",) if policy.owner in ("exact", "deposit_first") else ()
    for column in ("sku", "lot", "serial", *owners):
        sides = {name: frame[column] for name, frame in frames.items() if column in frame.columns and frame.height}
        if check_kinds(column, sides, findings) and pl.UInt64 in {side.dtype for side in sides.values()}:
            bounds = [bound for side in sides.values() for bound in (side.min(), side.max()) if isinstance(bound, int)]
            if bounds and min(bounds) < 0 and max(bounds) > quantity.QTY_MAX:
                message = f"{column} goes from {min(bounds)} to {max(bounds)}, which no integer type spans"
                findings.add("key_range", message, "", column, hint="Cast the columns to text")


def check_kinds(column: str, sides: Mapping[str, pl.Series], findings: Findings) -> bool:
    """Whether a key is of one kind in all tables; that it is text in one and integers in another is noted."""
    kinds = {name: "text" if columns.is_text(side.dtype) else "integers" for name, side in sides.items()}
    if len(set(kinds.values())) > 1:
        message = f"{column} is {', '.join(f'{kind} in {name}' for name, kind in kinds.items())}"
        hint = "Cast one of them: to text, if there are leading zeros"
        findings.add("mixed_keys", message, "", column, hint=hint)
    return len(set(kinds.values())) <= 1


def _check_fills(frame: pl.DataFrame, policy: Policy, findings: Findings) -> None:
    if "fill" not in frame.columns:
        return
    names = {*FILLS, *policy.fills}
    unknown = set(frame.get_column("fill").drop_nulls().unique().cast(pl.String)) - names
    if unknown:
        bad = pl.col("fill").cast(pl.String).is_in(sorted(unknown))
        hint = f"There are {', '.join(sorted(names))}"
        findings.run("demand", frame, [Check("fill_unknown", "fill", bad, "the policy has no such fill rule", hint)])
