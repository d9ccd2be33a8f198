"""Safety stock: what is kept back, and from which rows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl

from allocator.frames.coded import Coded
from allocator.frames.quantity import scaled
from allocator.model.policy import Policy, SafetyStock
from allocator.plan.keys import Columns
from allocator.plan.places import Places
from allocator.plan.spec import GATE, Safety, Table, Tests, Within

ROW_GATES = {GATE[name] for name in ("place", "owner", "status", "blocked", "expired", "condition", "attribute")}
"""Gates whose tests are of the row alone where no line is asked. Receipt is one too, but as of today, always."""


def safety_stock(
    policy: Policy, columns: Columns, tests: Tests, *, skus: Coded, found: Places | None, scale: int, as_of: dt.date
) -> Safety | None:
    """What is kept back, the deepest places first; None if nothing is."""
    if not policy.safety_stock:
        return None
    numbers = skus.numbers
    kept = []
    for entry in sorted(policy.safety_stock, key=_deepest_first):
        # No place has the interval that ends before it begins.
        at = None if entry.location is None else (1, 0) if found is None else found.interval(entry.location)
        if entry.sku in numbers:
            kept.append((numbers[entry.sku], at, scaled(entry.qty, scale, policy)))
    if not kept:
        return None
    return Safety(skus.stock, None if found is None else found.stock, _serves_anyone(columns, tests, as_of), kept)


def _deepest_first(entry: SafetyStock) -> tuple[int, str]:
    return (0, "") if entry.location is None else (-len(entry.location.split("/")), entry.location)


def _serves_anyone(columns: Columns, tests: Tests, as_of: dt.date) -> pl.Series:
    """Whether a row passes every test that looks at the row alone."""
    serves = pl.repeat(value=True, n=columns.stock.height, eager=True)
    for test in tests.tests:
        if isinstance(test, Table) and test.gate in ROW_GATES and not test.demand_digits:
            serves &= _passes_table(test, columns.stock.height)
        elif isinstance(test, Within) and test.gate in ROW_GATES:
            serves &= _passes_bounds(test)
    if columns.has("stock", "received_on"):
        serves &= (columns.stock["received_on"] <= as_of).fill_null(value=True)
    return serves


def _passes_table(test: Table, rows: int) -> pl.Series:
    code = np.zeros(rows, np.int64)
    for column, card in test.stock_digits:
        # Null is digit 0: codes move up by one, and the code of null wraps around.
        coded = column.dtype == pl.UInt32
        digit = column.to_numpy() + np.uint32(1) if coded else column.cast(pl.Int64).fill_null(-1).to_numpy() + 1
        code = code * (card + 1) + digit
    return pl.Series(np.asarray(test.cells)[code] >= 0)


def _passes_bounds(test: Within) -> pl.Series:
    """Bounds of a line do not count: no line is asked."""
    value = test.stock.to_physical()
    passes = pl.repeat(value=True, n=value.len(), eager=True)
    if isinstance(test.low, int):
        passes &= value >= test.low
    if isinstance(test.high, int):
        passes &= value <= test.high
    return passes.fill_null(test.null_passes)
