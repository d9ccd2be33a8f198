"""Why a line was served as it was: every stock row it could have looked at, and what became of it.

A second, independent evaluation of `docs/allocation.md`. It shares no code with the kernel, so that where both
agree the answer can be believed, and it looks at one line's rows only, so that it is quick on any table.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from allocator.errors import InputError, Problem
from allocator.explain.balances import in_order, kept_back, taken
from allocator.explain.rules import DEFAULTS, failed_gates, failures, ranks, shelf_life_days_min
from allocator.explain.text import explanation_text
from allocator.model.describe import fill_words
from allocator.model.order import RANK_KEYS
from allocator.model.policy import FILLS
from allocator.model.reason import GATES, REASONS

if TYPE_CHECKING:
    from allocator.model.policy import Fill, Policy

__all__ = ["Explanation", "explain"]

COLUMNS = {
    **dict.fromkeys(("location", "lot", "serial", "owner", "stock_class", "status", "condition"), pl.String),
    **dict.fromkeys(("received_on", "expires_on"), pl.Date),
    "blocked": pl.Boolean,
    "qty_reserved": pl.Int64,
}
"""Columns of stock that rules read, with the dtype that an absent one gets."""

COMPUTED = frozenset({*RANK_KEYS, "distance", "qty_available"})
"""Keys of a stock order that are no columns of stock."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One line explained.

    Attributes:
        line: The line in figures and words: `line_id`, `order_id`, `sku`, `location`, `lot`, `serial`,
            `contract_type`, `customer`, `needed_on`, `shelf_life_days_min` (days), `fill` (its rule in words),
            `requested`, `allocated`, `short` (base units of its SKU), `reason` (None if nothing is short),
            `reason_words`, `as_of`.
        candidates: One row per stock row of the line's SKU and its substitutes. First those that may serve it, in
            the order in which it looks at them; then those that may not, the ones that got furthest first.
            Columns: `stock_id`, `sku`, `location` as in stock; `eligible`; `position` (1 is looked at first; null if
            not eligible); `gates` (all gates that the row fails, in their sequence); `source_rank`,
            `substitute_rank`, `contract_rank`, `owner_rank` (0 is best; null if that rule refuses the row);
            `distance` (null if unknown); in base units of the row's SKU `qty_available` (when the run began),
            `qty_kept_back` (safety stock), `qty_balance` (when the line was served), `qty_taken` (by the line);
            `rank` (its place among what the line took; null if nothing); `taken_before` (list of `line_id` and `qty`:
            what lines served earlier took, in their order).
    """

    line: dict[str, Any]
    candidates: pl.DataFrame

    def text(self, *, rows_max: int = 20) -> str:
        """The explanation for a terminal: the line, the rows that may serve it, the rows that may not.

        Args:
            rows_max: How many rows of each kind are shown; the rest is counted.
        """
        return explanation_text(self.line, self.candidates, rows_max)

    def frame(self) -> pl.DataFrame:
        """The candidates flat, for a spreadsheet: `line_id` first, lists as text (`expired, blocked`, `L1: 4`)."""
        earlier = pl.format("{}: {}", pl.element().struct.field("line_id"), pl.element().struct.field("qty"))
        return self.candidates.select(
            pl.lit(self.line["line_id"]).alias("line_id"),
            pl.exclude("gates", "taken_before"),
            pl.col("gates").list.join(", "),
            pl.col("taken_before").list.eval(earlier).list.join(", "),
        )


def explain(
    stock: pl.DataFrame,
    demand: pl.DataFrame,
    policy: Policy,
    *,
    as_of: dt.date,
    lines: pl.DataFrame,
    allocations: pl.DataFrame,
    line_id: str | int,
) -> Explanation:
    """Explains one line of a result.

    Args:
        stock: The stock table of the run, quantities in base units; absent columns mean what they mean to `allocate`.
        demand: The demand table of the run, quantities in base units.
        policy: The policy of the run.
        as_of: The day of the run.
        lines: The result's lines, in their order, which is the order of service within a group.
        allocations: The result's allocations.
        line_id: The line. Text is read as a whole number where the ids are whole numbers.

    Returns:
        The explanation, for lines that were served as well as for lines that are short.

    Raises:
        InputError: `line_unknown`, with the ids that come close.

    Cost: one scan of each table for the line's SKU, then as many rows as that SKU and its substitutes have.

    Example:
        >>> import datetime as dt
        >>> import polars as pl
        >>> from allocator.model.policy import Policy
        >>> stock = pl.DataFrame({"stock_id": ["old", "new"], "sku": "filter", "qty_on_hand": [4, 9],
        ...     "received_on": [dt.date(2026, 1, 5), dt.date(2026, 2, 5)], "blocked": [False, True]})
        >>> demand = pl.DataFrame({"line_id": ["L1"], "sku": "filter", "qty": [6]})
        >>> lines = pl.DataFrame({"line_id": ["L1"], "requested": [6], "allocated": [4], "short": [2],
        ...     "reason": ["insufficient"]})
        >>> allocations = pl.DataFrame({"line_id": ["L1"], "stock_id": ["old"], "qty": [4], "rank": [1]})
        >>> told = explain(stock, demand, Policy(stock_order="fifo"), as_of=dt.date(2026, 3, 1),
        ...     lines=lines, allocations=allocations, line_id="L1")
        >>> told.candidates.select("stock_id", "gates", "qty_taken").rows()
        [('old', [], 4), ('new', ['blocked'], 0)]
    """
    line_id = _known(demand, line_id)
    line = demand.filter(pl.col("line_id") == line_id).row(0, named=True)
    rows = _rows(stock, line, policy)
    ranked = ranks(rows, line, policy, as_of)
    kept = kept_back(rows, policy, as_of)
    gone = taken(rows, allocations, lines, line_id)
    left = rows["qty_available"] - kept
    fails = failures(rows, ranked, line, policy, as_of).with_columns(((kept > 0) & (left <= 0)).alias("safety_stock"))
    gates = failed_gates(fails)
    found = pl.DataFrame(
        [
            *rows.select("stock_id", "sku", "location"),
            (gates.list.len() == 0).alias("eligible"),
            _positions(rows, ranked, gates, policy),
            gates,
            *ranked,
            rows["qty_available"],
            kept.alias("qty_kept_back"),
            (left - gone["qty_before"]).alias("qty_balance"),
            *gone.select("qty_taken", "rank", "taken_before"),
        ]
    )
    sequence = list(GATES)
    furthest = (
        pl.col("gates").list.first().replace_strict(sequence, range(len(sequence)), default=None, return_dtype=pl.Int8)
    )
    candidates = found.sort("position", furthest, "stock_id", descending=[False, True, False], nulls_last=True)
    return Explanation(_header(line, lines, policy, as_of), candidates)


def spelled(ids: pl.Series, line_id: str | int) -> str | int | None:
    """The id as its table spells it, where it has it: 7 is the line "7", and "7" the line 7."""
    asked: str | int = line_id
    if isinstance(line_id, bool):
        return None
    if ids.dtype.is_integer() and isinstance(line_id, str) and line_id.strip().lstrip("-").isdecimal():
        asked = int(line_id)
    elif isinstance(line_id, int) and not ids.dtype.is_integer():
        asked = str(line_id)
    return asked if isinstance(asked, int) == ids.dtype.is_integer() and bool((ids == asked).any()) else None


def _known(demand: pl.DataFrame, line_id: str | int) -> str | int:
    """The id as the table spells it."""
    ids = demand["line_id"]
    found = spelled(ids, line_id)
    if found is not None:
        return found
    texts, wanted = ids.cast(pl.String), str(line_id)
    half = max(1, len(wanted) // 2)
    near = texts.filter(texts.str.starts_with(wanted[:half]) | texts.str.ends_with(wanted[-half:])).head(5_000)
    close = difflib.get_close_matches(wanted, near.to_list(), n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else "Take a line_id from the demand table."
    raise InputError(
        Problem("line_unknown", "there is no such line", "demand", "line_id", value=wanted[:80], hint=hint)
    )


def _rows(stock: pl.DataFrame, line: dict[str, Any], policy: Policy) -> pl.DataFrame:
    """The stock rows of the line's SKU and of its substitutes, with every column that a rule reads."""
    skus = [line["sku"], *(s.substitute for s in policy.substitutes if s.sku == str(line["sku"]))]
    if stock.schema["sku"].is_integer():
        skus = [int(sku) for sku in skus if re.fullmatch(r"0|-?[1-9]\d{0,18}", str(sku), re.ASCII)]
    rows = stock.filter(pl.any_horizontal(pl.col("sku") == sku for sku in skus))
    named = [rule.column for rule in policy.attributes] + [key.column for key in policy.stock_order]
    dtypes = dict.fromkeys(named, pl.String) | COLUMNS
    rows = rows.with_columns(
        pl.lit(DEFAULTS.get(column), dtype=dtype).alias(column)
        for column, dtype in dtypes.items()
        if column not in rows.columns and column not in COMPUTED
    )
    return rows.with_columns((pl.col("qty_on_hand") - pl.col("qty_reserved")).alias("qty_available"))


def _positions(rows: pl.DataFrame, ranked: pl.DataFrame, gates: pl.Series, policy: Policy) -> pl.Series:
    """1, 2, … for the eligible rows in the line's stock order; null for the others."""
    ordered = in_order(rows.with_columns(ranked), policy.full_stock_order())
    eligible = pl.Series(gates.list.len() == 0)[ordered]
    position = pl.select(pl.when(eligible).then(eligible.cast(pl.Int64).cum_sum())).to_series()
    return pl.DataFrame([ordered.alias("row"), position.alias("position")]).sort("row")["position"]


def _header(line: dict[str, Any], lines: pl.DataFrame, policy: Policy, as_of: dt.date) -> dict[str, Any]:
    outcome = lines.filter(pl.col("line_id") == line["line_id"]).row(0, named=True)
    reason = outcome["reason"]
    said = ("location", "lot", "serial", "contract_type", "customer", "needed_on")
    order_id = line.get("order_id")
    return {
        "line_id": line["line_id"],
        "order_id": line["line_id"] if order_id is None else order_id,
        "sku": line["sku"],
        **{column: line.get(column) for column in said},
        "shelf_life_days_min": shelf_life_days_min(policy.shelf_life, line),
        "fill": fill_words(_fill(line, policy)),
        "requested": outcome["requested"],
        "allocated": outcome["allocated"],
        "short": outcome["short"],
        "reason": reason,
        "reason_words": None if reason is None else REASONS[reason],
        "as_of": as_of,
    }


def _fill(line: dict[str, Any], policy: Policy) -> Fill:
    name = line.get("fill")
    return policy.fill if name is None else {**FILLS, **policy.fills}[str(name)]
