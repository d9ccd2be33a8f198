"""Live stock and waiting lines as the tables that the engine takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import polars as pl

from allocator.engine import CORE, Answer, BoundPlan
from allocator.errors import InputError, Problem
from allocator.frames.findings import Findings
from allocator.frames.named import check_named, uses
from allocator.frames.prepare import Prepared, Table, prepare_demand
from allocator.frames.quantity import QUANTITIES
from allocator.frames.read import shown_error
from allocator.ledger.book import Book
from allocator.ledger.known import Key
from allocator.ledger.lines import GREATEST
from allocator.ledger.live_characteristics import day_if_text, days_of_demand, with_characteristics
from allocator.ledger.records import Sku, day_of
from allocator.ledger.rows import STOCK, keys_of, stock_rows
from allocator.ledger.selection import quantity
from allocator.model.order import OrderKey
from allocator.model.policy import Policy
from allocator.model.tables import DEMAND
from allocator.plan.compile import NO_STEPS, compile_plan
from allocator.plan.spec import REASON_NAMES, SERVED

ALWAYS: Final = ("stock_id", "sku", "qty_on_hand", "qty_reserved")
"""The columns that are there even where there is no row."""

TURN: Final = "_turn"
"""The demand column that says whose wish came first, where several are decided together; no line can have it."""


class Outcome(NamedTuple):
    """What the engine decided.

    Attributes:
        reasons: By line, why it is short; None where it is not.
        takes: Line, goods and account, and units at the scale of its SKU, in the order in which they are taken.
    """

    reasons: dict[str, str | None]
    takes: list[tuple[str, tuple[int, int], int]]


def decide(
    book: Book, rows: Sequence[Mapping[str, Any]], policy: Policy, day: int, *, only: Collection[int] | None = None
) -> Outcome:
    """Runs the engine on what the book holds for the SKUs of some lines and their substitutes, or on `only` some goods.

    The lines are checked as those of `allocate`; the stock is the ledger's own, and is taken as it is.

    Raises:
        InputError: The lines do not fit the policy, or make no sense.
    """
    skus = {row["_sku"].sku: row["_sku"] for row in rows}
    for entry in policy.substitutes:
        for name in (entry.sku, entry.substitute):
            if sku := book.catalog.find(name):
                skus[name] = sku
    scale = max(sku.scale for sku in skus.values())
    together = rows[-1]["_turn"] > 0
    policy = policy_for(policy, skus, together=together)
    stock, keys, policy = stock_of(book, skus, scale, policy, only=only)
    rows = _read(book, rows, days_of_demand(policy, skus.values()))
    steps = {name: 10 ** (scale - sku.scale) for name, sku in skus.items()}
    answer = run(stock, _demand(rows, scale, together=together), policy, day, scale, steps=steps)
    names = [row["line_id"] for row in rows]
    reasons = {
        names[line]: None if reason == SERVED else REASON_NAMES[reason]
        for line, reason in zip(answer.line, answer.reason, strict=True)
    }
    taken = zip(answer.take_line, answer.take_stock, answer.take_qty, strict=True)
    of_sku = {sku.sku_id: (sku, steps[name]) for name, sku in skus.items()}
    takes, problems = [], []
    for n, row, qty in taken:
        sku, step = of_sku[book.goods[keys[row][0]].sku_id]
        if qty % step:
            problems.append(_torn(rows[n], sku, Decimal(qty).scaleb(-scale), n))
        takes.append((names[n], keys[row], qty // step))
    if problems:
        raise InputError(problems)
    return Outcome(reasons, takes)


def _torn(row: Mapping[str, Any], sku: Sku, qty: Decimal, number: int) -> Problem:
    """A pack of which the least that can be given is no whole step of a SKU: other SKUs are counted finer."""
    message = f"by its packs the line would get {qty} of {sku.sku}, which is counted to {sku.scale} decimal places"
    hint = "Give packs in whole steps of each SKU, or ask for it with another fill rule"
    return Problem("qty_step", message, "demand", "line_id", number, row["line_id"], hint)


def run(
    stock: Table, demand: pl.DataFrame, policy: Policy, day: int, scale: int, *, steps: Mapping[str, int] = NO_STEPS
) -> Answer:
    """Serves lines from stock rows; substitutes in whole `steps` of SKUs, where these are not those of the tables.

    A column that the policy names and no line has is null in all of them: what one line says is nothing to the others.

    Raises:
        InputError: The lines do not fit the policy, or make no sense.
    """
    findings = Findings()
    prepared = prepare_demand(_with_named(demand, policy), policy, CORE, scale, findings)
    check_named({"stock": stock.frame, "demand": _with_named(prepared.frame, policy)}, policy, findings)
    findings.raise_any()
    return BoundPlan(compile_plan(Prepared(stock, prepared), policy, day_of(day), CORE, steps=steps)).run()


def _with_named(demand: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The lines with every column that the policy names: null where none of them says it."""
    named = {use.column for use in uses(policy) if use.table == "demand"} - DEMAND.keys()
    return demand.with_columns(pl.lit(None).alias(name) for name in sorted(named.difference(demand.columns)))


def _read(book: Book, rows: Sequence[Mapping[str, Any]], days: set[str]) -> list[Mapping[str, Any]]:
    """The lines with the serial that stock knows a unit by, whichever of its numbers they name; days as days."""
    named = [str(row["serial"]) for row in rows if row.get("serial") is not None]
    if not named and not days:
        return list(rows)
    book.find_numbers(named)
    return [_read_row(book, row, days) for row in rows]


def _read_row(book: Book, row: Mapping[str, Any], days: set[str]) -> dict[str, Any]:
    read: dict[str, Any] = {name: day_if_text(value) if name in days else value for name, value in row.items()}
    if row.get("serial") is not None:
        scopes = (0, row["_sku"].sku_id)
        goods = {g for scope, g in book.numbers[str(row["serial"])] if scope in scopes and g in book.goods}
        if len(goods) == 1:
            read["serial"] = book.goods[goods.pop()].serial
    return read


def stock_of(
    book: Book,
    skus: Mapping[str, Sku],
    scale: int,
    policy: Policy,
    *,
    only: Collection[int] | None = None,
    within: str | None = None,
) -> tuple[Table, list[Key], Policy]:
    """The stock rows of some SKUs by id, the goods and account of each, and the policy that reads their columns.

    Those of `only` some goods, or `within` a place and those below it, if these are given.
    """
    frame = stock_rows(book, skus.values(), scale, only=only, within=within)
    told = [name for name in STOCK if name in ALWAYS or frame[name].null_count() < frame.height]
    keys = keys_of(frame["stock_id"])
    frame, policy = with_characteristics(book, skus.values(), frame.select(told), [g for g, _ in keys], policy)
    return Table("stock", frame, scale, ascending=True, quantities=QUANTITIES["stock"]), keys, policy


def _decimal(column: pl.Expr, scale: int) -> pl.Expr:
    return column.cast(pl.Decimal(38, 0)) * pl.lit(Decimal(1).scaleb(-scale))


def _column(name: str, values: Sequence[Any]) -> pl.Series:
    try:
        return pl.Series(name, values, strict=False)
    except (Exception, pl.exceptions.PanicException) as error:
        hint = "Give a column one type, and one that a table has"
        raise InputError(Problem("column_type", shown_error(error), "demand", name, hint=hint)) from error


def _demand(rows: Sequence[Mapping[str, Any]], scale: int, *, together: bool) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row if name[:1] != "_" and name != "qty")
    columns = {name: _column(name, [row.get(name) for row in rows]) for name in names}
    wanted = [row["qty"] * 10 ** (scale - row["_sku"].scale) for row in rows]
    message = "the quantity is more than 2⁶³ - 1 of the smallest steps of the SKUs that are asked for together"
    if too_much := [Problem("value_overflow", message, "demand", "qty", value=quantity(row["qty"], row["_sku"]),
                            hint=f"Ask for {row['_sku'].sku} by itself")
                    for row, qty in zip(rows, wanted, strict=True) if qty > GREATEST]:  # fmt: skip
        raise InputError(too_much)
    frame = pl.DataFrame({**columns, "qty": pl.Series(wanted, dtype=pl.Int64)})
    if scale:
        frame = frame.with_columns(_decimal(pl.col("qty"), scale))
    return frame.with_columns(pl.Series(TURN, [row["_turn"] for row in rows])) if together else frame


def policy_for(policy: Policy, skus: Mapping[str, Sku], *, together: bool) -> Policy:
    """The policy; one that names no statuses takes those that the lifecycles call allocatable."""
    update: dict[str, Any] = {}
    if "statuses" not in policy.model_fields_set:
        lifecycles = {sku.lifecycle.name: sku.lifecycle for sku in skus.values()}
        names = {name for lifecycle in lifecycles.values() for name in lifecycle.statuses_allocatable}
        update["statuses"] = tuple(sorted(names))
    if together:
        update["demand_order"] = (OrderKey(column=TURN), *policy.demand_order)
    return policy.model_copy(update=update) if update else policy
