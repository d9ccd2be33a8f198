"""Tables of scenarios, for a notebook, a page or a mail: great-tables, with numbers as people read them."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import polars as pl

from allocator.model.monte_carlo import MonteCarlo
from allocator.scenario.show import Table, installed
from allocator.scenario.words import WORDS, differing, number, title_of

ROWS_MAX: Final = 100
GOOD, BAD = "#00614a", "#a23b00"
"""Ink of what is better and worse; the sign says it too, for who sees no colours."""


def side_by_side(kpis: pl.DataFrame) -> Table:
    """Every measure that is there, of the base and of every scenario with the difference."""
    names = kpis.columns[2:]
    rows = []
    for row in kpis.iter_rows(named=True):
        word = WORDS[row["kpi"]]
        shown = {"measure": word.title, "base": number(row["base"], word.unit)}
        for name in names:
            less = None if row[name] is None or row["base"] is None else row[name] - row["base"]
            sign = number(less, word.unit, signed=True) if less else ""
            shown[name] = f"{number(row[name], word.unit)}  ({sign})" if sign else number(row[name], word.unit)
        rows.append(shown)
    table = _table(pl.DataFrame(rows), "Scenarios beside the base", "In brackets: the difference from the base")
    return _inked(table, kpis, names)


def difference(kpis: pl.DataFrame, names: dict[str, str]) -> Table:
    """Every measure of two scenarios."""
    rows = []
    for row in kpis.iter_rows(named=True):
        word = WORDS[row["kpi"]]
        rows.append(
            {
                "measure": word.title,
                names["first"]: number(row["first"], word.unit),
                f"{names['second']} ": number(row["second"], word.unit),
                "difference": number(row["difference"], word.unit, signed=True) if row["difference"] else "",
            }
        )
    return _table(pl.DataFrame(rows), f"{names['second']} beside {names['first']}", "")


def runs(frame: pl.DataFrame, title: str, *, every: bool = False) -> Table:
    """A row for each scenario, with the measures that are not the same in all of them."""
    settings = [name for name in frame.columns if name not in WORDS]
    kpis = [name for name in frame.columns if name in WORDS and (every or frame[name].drop_nulls().n_unique() > 1)]
    shown = frame.head(ROWS_MAX)
    columns = {name: shown[name].cast(pl.String) for name in settings}
    columns |= {title_of(kpi): pl.Series([number(value, WORDS[kpi].unit) for value in shown[kpi]]) for kpi in kpis}
    more = f"The first {ROWS_MAX} of {frame.height:,} scenarios" if frame.height > ROWS_MAX else ""
    return _table(pl.DataFrame(columns), title, more)


def simulation(summary: pl.DataFrame, document: MonteCarlo) -> Table:
    """The range of each measure over the runs."""
    rows = []
    for row in summary.iter_rows(named=True):
        word = WORDS[row["kpi"]]
        values = {name: number(row[name], word.unit) for name in ("base", "mean", "p5", "median", "p95")}
        below = row["below_base"]
        rows.append({"measure": word.title} | values | {"runs below base": number(below, "share")})
    told = f"{document.runs:,} runs, seed {document.seed}; nine runs in ten lie between p5 and p95"
    return _table(pl.DataFrame(rows), document.name, told)


def sensitivity(frame: pl.DataFrame, kpi: str, base: float | None) -> Table:
    """The settings by what they move."""
    unit = WORDS[kpi].unit
    rows = [
        {
            "setting": row["setting"],
            "from": row["low"],
            "to": row["high"],
            "measure at first": number(row["kpi_low"], unit),
            "measure at last": number(row["kpi_high"], unit),
            "swing": number(row["swing"], unit, signed=True).lstrip("+"),
        }
        for row in frame.iter_rows(named=True)
    ]
    return _table(pl.DataFrame(rows), f"What moves {WORDS[kpi].title.lower()}", f"Base: {number(base, unit)}")


def supply_curve(frame: pl.DataFrame, sku: str) -> Table:
    """The steps."""
    rows = [
        {
            "more or fewer": number(row["units"], "units", signed=True) if row["units"] else "today",
            "supply": number(row["supply"], "units"),
            "requested": number(row["requested"], "units"),
            "allocated": number(row["allocated"], "units"),
            "units served": number(row["unit_fill"], "share"),
            "lines served whole": number(row["line_fill"], "share"),
        }
        for row in frame.iter_rows(named=True)
    ]
    return _table(pl.DataFrame(rows), f"Supply of {sku}", "Base units")


def _inked(table: Table, kpis: pl.DataFrame, names: list[str]) -> Table:
    """Differences that are better or worse in their ink; those that are neither as they are."""
    great = import_module("great_tables")
    changed = differing(kpis)
    for row, kpi in enumerate(kpis["kpi"]):
        better = WORDS[kpi].better
        for name in names if kpi in changed and better else ():
            less = (kpis[name][row] or 0.0) - (kpis["base"][row] or 0.0)
            if less:
                style = great.style.text(color=GOOD if less * better > 0 else BAD)
                table = table.tab_style(style=style, locations=great.loc.body(columns=name, rows=[row]))
    return table


def _table(frame: pl.DataFrame, title: str, subtitle: str) -> Table:
    installed("great_tables")
    great = import_module("great_tables")
    first, *rest = frame.columns
    table = great.GT(frame).tab_header(title=title, subtitle=subtitle or None)
    table = table.cols_align("left", columns=[first]).cols_align("right", columns=rest)
    return table.tab_options(table_font_size="14px", data_row_padding="4px", heading_align="left")
