"""Measures for people: how they are called, in which unit, and which way is better."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import polars as pl

Unit = Literal["share", "count", "units", "value", "days", "per line", "index"]


class Word(NamedTuple):
    """How a measure is shown.

    Attributes:
        title: Its name for people.
        unit: What its numbers are.
        better: 1 if more is better, -1 if less is, 0 if neither.
    """

    title: str
    unit: Unit
    better: int


WORDS: Final[dict[str, Word]] = {
    "lines": Word("Lines", "count", 0),
    "line_fill": Word("Lines served whole", "share", 1),
    "units_requested": Word("Units requested", "units", 0),
    "unit_fill": Word("Units served", "share", 1),
    "orders": Word("Orders", "count", 0),
    "order_fill": Word("Orders served whole", "share", 1),
    "on_time": Word("Due lines served on time", "share", 1),
    "sla_breaches": Word("Due lines not on time", "count", -1),
    "worst_fill": Word("Units served, worst segment", "share", 1),
    "jain": Word("Evenness of segments (Jain)", "index", 1),
    "gini": Word("Unevenness of segments (Gini)", "index", -1),
    "value_served": Word("Value served", "value", 1),
    "value_at_risk": Word("Value at risk (short)", "value", -1),
    "units_supplied": Word("Units supplied", "units", 0),
    "units_left": Word("Units left over", "units", 0),
    "value_left": Word("Value left over", "value", 0),
    "units_wasted": Word("Units going to waste", "units", -1),
    "value_wasted": Word("Value going to waste", "value", -1),
    "remaining_life_days": Word("Remaining life of served units", "days", 1),
    "rows_per_line": Word("Stock rows per line", "per line", -1),
    "lots_per_line": Word("Lots per line", "per line", -1),
    "sources_per_line": Word("Places per line", "per line", -1),
    "lines_changed": Word("Lines changed", "count", -1),
    "units_moved": Word("Units moved", "units", -1),
    "quota_use": Word("Quotas used", "share", 0),
    "msl_breaches": Word("Stock limits exceeded", "count", -1),
    "msl_cover": Word("Stock limits filled", "share", 0),
}
"""Every measure, in the sequence of tables."""

MINUS: Final = "\N{MINUS SIGN}"

VEGA: Final[dict[Unit, str]] = {
    "share": ".1%",
    "count": ",.0f",
    "units": ",.0f",
    "value": ",.0f",
    "days": ",.1f",
    "per line": ",.2f",
    "index": ",.3f",
}
"""Number formats of axes, as D3 spells them."""

UNITS: Final[dict[Unit, str]] = {
    "share": "share",
    "count": "number",
    "units": "base units",
    "value": "money, at unit cost",
    "days": "days",
    "per line": "per line served",
    "index": "0 to 1",
}


def title_of(kpi: str) -> str:
    """The measure with its unit, for an axis."""
    word = WORDS[kpi]
    return word.title if word.unit in ("share", "count") else f"{word.title} ({UNITS[word.unit]})"


def number(value: float | None, unit: Unit, *, signed: bool = False) -> str:
    """A number as people read it; a difference of shares is in percentage points."""
    if value is None:
        return "n/a"
    sign = "+" if signed and value > 0 else ""
    if unit == "share":
        said = f"{sign}{value * 100:,.1f} pts" if signed else f"{value:.1%}"
        return said.replace("-", MINUS)
    decimals = {"days": 1, "per line": 2, "index": 3}.get(unit, 0)
    if not decimals and abs(value) < 100 and value != round(value):
        decimals = 2
    return f"{sign}{value:,.{decimals}f}".replace("-", MINUS)


def differing(kpis: pl.DataFrame) -> list[str]:
    """The measures that some column after the first two has otherwise than the first, in the sequence of tables."""
    first, *others = kpis.columns[1:]
    differs = pl.any_horizontal((pl.col(name) - pl.col(first)).abs().fill_null(0) > 1e-12 for name in others)
    return kpis.filter(differs)["kpi"].to_list() if others else []
