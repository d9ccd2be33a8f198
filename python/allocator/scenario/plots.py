"""Pictures of scenarios: each says in its title what is shown, and names the base.

Colours are of Okabe and Ito's palette, which people of all colour vision can tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from allocator.model.monte_carlo import MonteCarlo
from allocator.scenario.show import Altair, Chart, drawing
from allocator.scenario.words import VEGA, WORDS, differing, number, title_of

BLUE, ORANGE, GREEN, GREY, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#6b7280", "#56B4E9", "#CC79A7"
SERIES: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, "#E69F00", "#F0E442")
WIDTH: Final = 560
SHOWN_MAX: Final = 6
ROW: Final = 26
"""Height of a bar with the room around it."""


def side_by_side(kpis: pl.DataFrame, wanted: Sequence[str] | None) -> Chart:
    """A row of bars for each measure: the base, then every scenario."""
    alt = drawing()
    chosen = list(wanted) if wanted is not None else told_first(differing(kpis))
    if not chosen:
        return _nothing(alt, "No measure differs from the base")
    count = kpis.width - 2
    head = f"{count} scenario{'s' * (count > 1)} beside the base"
    charts = [_bars(alt, kpis, kpi, WIDTH - 120) for kpi in chosen]
    title = _title(alt, head, "Measures that differ; grey is the base", 16)
    return _styled(alt.vconcat(*charts, spacing=18, title=title))


def measure(kpis: pl.DataFrame, kpi: str, *, width: int = WIDTH - 120) -> Chart:
    """Bars of one measure: the base, then every scenario."""
    return _styled(_bars(drawing(), kpis, kpi, width))


def _bars(alt: Altair, kpis: pl.DataFrame, kpi: str, width: int) -> Chart:
    names, word = kpis.columns[1:], WORDS[kpi]
    row = kpis.filter(pl.col("kpi") == kpi)
    values = row.unpivot(on=names, variable_name="scenario", value_name="value").select("scenario", "value")
    base = values["value"][0]
    values = values.with_columns(
        said=pl.Series([_beside(value, base, kpi) for value in values["value"]]), kind=pl.col("scenario") == names[0]
    )
    most = max((value for value in values["value"] if value is not None), default=0.0)
    # The numbers stand at the bars, so that no axis is needed; the room at the right is theirs.
    room = 1 + 145 / (width - 130)
    x = alt.X("value:Q", title=None, axis=None, scale=alt.Scale(domain=[0, room * most or 1], nice=False))
    y = alt.Y("scenario:N", title=None, sort=names, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    colour = alt.Color("kind:N", legend=None, scale=alt.Scale(domain=[True, False], range=[GREY, BLUE]))
    bars = alt.Chart(values).encode(x=x, y=y)
    label = {"align": "left", "dx": 5, "color": "#1f2933", "fontSize": 12}
    drawn = bars.mark_bar(height=ROW - 9).encode(color=colour) + bars.mark_text(**label).encode(text="said:N")
    return drawn.properties(title=_title(alt, word.title), width=width, height=ROW * len(names))


def _beside(value: float | None, base: float | None, kpi: str) -> str:
    unit = WORDS[kpi].unit
    said = number(value, unit)
    if value is None or base is None or value == base:
        return said
    return f"{said} ({number(value - base, unit, signed=True)})"


def exploration(frame: pl.DataFrame, axes: Sequence[str], kpi: str, base: Mapping[str, float | None]) -> Chart:
    """A line for one axis, cells for two, bars for more."""
    alt = drawing()
    word, known = WORDS[kpi], base.get(kpi)
    subtitle = f"Base: {number(known, word.unit)}"
    values = frame.with_columns(said=pl.Series([number(value, word.unit) for value in frame[kpi]]))
    if len(axes) == 1:
        order = frame[axes[0]].to_list()
        x = alt.X(f"{_escaped(axes[0])}:O", title=axes[0], sort=order, axis=alt.Axis(labelAngle=0))
        y = alt.Y(
            f"{kpi}:Q",
            title=title_of(kpi),
            axis=alt.Axis(format=VEGA[word.unit]),
            scale=alt.Scale(zero=False, padding=12),
        )
        line = alt.Chart(values).encode(x=x, y=y)
        drawn = line.mark_line(color=BLUE, strokeWidth=2.5) + line.mark_point(
            color=BLUE, filled=True, size=70, opacity=1
        )
        drawn += line.mark_text(dy=-14, fontSize=12).encode(text="said:N")
        if known is not None:
            rule = alt.Chart(pl.DataFrame({"base": [known]})).mark_rule(color=GREY, strokeDash=[5, 4])
            drawn += rule.encode(y="base:Q")
        return _styled(
            drawn.properties(
                title=_title(alt, f"{word.title} by {axes[0]}", f"{subtitle} (dashed)"), width=WIDTH, height=280
            )
        )
    if len(axes) == 2:
        across, down = (frame[name].unique(maintain_order=True).to_list() for name in axes[::-1])
        x = alt.X(f"{_escaped(axes[1])}:O", title=axes[1], sort=across, axis=alt.Axis(labelAngle=0))
        y = alt.Y(f"{_escaped(axes[0])}:O", title=axes[0], sort=down)
        scheme = "blues" if word.better >= 0 else "oranges"
        colour = alt.Color(
            f"{kpi}:Q", title=word.title, scale=alt.Scale(scheme=scheme), legend=alt.Legend(format=VEGA[word.unit])
        )
        middle = (float(frame[kpi].min() or 0) + float(frame[kpi].max() or 0)) / 2  # type: ignore[arg-type]
        ink = alt.condition(f"datum['{kpi}'] > {middle}", alt.value("white"), alt.value("#1f2933"))
        cells = alt.Chart(values).encode(x=x, y=y)
        drawn = cells.mark_rect(stroke="white").encode(color=colour) + cells.mark_text(fontSize=13).encode(
            text="said:N", color=ink
        )
        size = {"width": max(240, min(WIDTH, 90 * len(across))), "height": max(120, 48 * len(down))}
        return _styled(
            drawn.properties(title=_title(alt, f"{word.title} by {axes[1]} and {axes[0]}", subtitle), **size)
        )
    return _many(alt, values, kpi, subtitle)


def _many(alt: Altair, values: pl.DataFrame, kpi: str, subtitle: str) -> Chart:
    """Bars of the scenarios that come out highest, the most 30 of them."""
    word = WORDS[kpi]
    shown = values.sort(kpi, descending=True, nulls_last=True).head(30)
    bars = alt.Chart(shown).encode(
        x=alt.X(f"{kpi}:Q", title=title_of(kpi), axis=alt.Axis(format=VEGA[word.unit])),
        y=alt.Y("scenario:N", title=None, sort=shown["scenario"].to_list(), axis=alt.Axis(labelLimit=320, ticks=False)),
    )
    drawn = bars.mark_bar(color=BLUE) + bars.mark_text(align="left", dx=5, fontSize=12).encode(text="said:N")
    told = f"{subtitle}; {shown.height} of {values.height} scenarios, highest first"
    return _styled(drawn.properties(title=_title(alt, word.title, told), width=WIDTH - 100, height=ROW * shown.height))


def simulation(frame: pl.DataFrame, kpi: str, base: Mapping[str, float | None], document: MonteCarlo) -> Chart:
    """How often a measure came out how."""
    alt = drawing()
    word, values = WORDS[kpi], frame.select(kpi).drop_nulls()
    if values.is_empty():
        return _nothing(alt, f"{word.title}: there was nothing to measure")
    low, middle, high = (values[kpi].quantile(q, "nearest") for q in (0.05, 0.5, 0.95))
    head = f"{word.title} in {frame.height:,} runs of {document.name}"
    said = (
        f"Nine runs in ten: {number(low, word.unit)} to {number(high, word.unit)}; median {number(middle, word.unit)}"
    )
    bars = (
        alt.Chart(values)
        .mark_bar(color=SKY, stroke="white")
        .encode(
            x=alt.X(f"{kpi}:Q", bin=alt.Bin(maxbins=30), title=title_of(kpi), axis=alt.Axis(format=VEGA[word.unit])),
            y=alt.Y("count():Q", title="runs"),
        )
    )
    tenths = "nine runs in ten"
    marks = [("base", base.get(kpi)), ("median", middle), (tenths, low), (tenths, high)]
    told = pl.DataFrame([{"what": what, "at": at} for what, at in marks if at is not None])
    colours = alt.Scale(domain=["base", "median", tenths], range=[GREY, BLUE, ORANGE])
    colour = alt.Color("what:N", title=None, scale=colours, legend=alt.Legend(orient="top", symbolType="stroke"))
    rules = alt.Chart(told).mark_rule(strokeWidth=2.5, strokeDash=[6, 3]).encode(x="at:Q", color=colour)
    return _styled((bars + rules).properties(title=_title(alt, head, said), width=WIDTH, height=260))


def tornado(frame: pl.DataFrame, kpi: str, base: float | None) -> Chart:
    """For each setting how far the measure goes to either side of the base."""
    alt = drawing()
    word, start = WORDS[kpi], base if base is not None else 0.0
    rows = []
    for row in frame.iter_rows(named=True):
        for end, at in (("low", row["kpi_low"]), ("high", row["kpi_high"])):
            if at is not None:
                said = f"{row[end]}: {number(at, word.unit)}"
                rows.append(
                    {
                        "setting": row["setting"],
                        "end": f"{'first' if end == 'low' else 'last'} value",
                        "from": start,
                        "to": at,
                        "said": said,
                    }
                )
    values = pl.DataFrame(
        rows, schema={"setting": pl.String, "end": pl.String, "from": pl.Float64, "to": pl.Float64, "said": pl.String}
    )
    spread = max((abs(value - start) for value in values["to"]), default=0.0) or 1.0
    ends = [*values["to"], start]
    domain = [min(ends) - 0.35 * spread, max(ends) + 0.35 * spread]
    scale = alt.Scale(domain=domain, nice=False)
    order = frame["setting"].to_list()
    y = alt.Y("setting:N", title=None, sort=order, axis=alt.Axis(ticks=False, labelLimit=240, labelFontSize=13))
    colour = alt.Color(
        "end:N",
        title=None,
        scale=alt.Scale(domain=["first value", "last value"], range=[ORANGE, BLUE]),
        legend=alt.Legend(orient="top"),
    )
    x = alt.X("from:Q", scale=scale, title=title_of(kpi), axis=alt.Axis(format=VEGA[word.unit], tickCount=7))
    drawn = alt.Chart(values).mark_bar(height=ROW - 6, opacity=0.9).encode(x=x, x2="to:Q", y=y, color=colour)
    for side, align, dx in (
        (values.filter(pl.col("to") < start), "right", -6),
        (values.filter(pl.col("to") >= start), "left", 6),
    ):
        drawn += (
            alt.Chart(side)
            .mark_text(align=align, dx=dx, fontSize=12)
            .encode(x=alt.X("to:Q", scale=scale), y=y, text="said:N")
        )
    drawn += alt.Chart(pl.DataFrame({"base": [start]})).mark_rule(color=GREY, strokeWidth=2).encode(x="base:Q")
    title = _title(
        alt,
        f"What moves {word.title.lower()}",
        f"One setting at a time, from its first value to its last; the line is the base, {number(base, word.unit)}",
    )
    return _styled(drawn.properties(title=title, width=WIDTH, height=max(80, (ROW + 14) * frame.height)))


def supply_curve(frame: pl.DataFrame, sku: str) -> Chart:
    """The fill of a SKU over its supply."""
    alt = drawing()
    names = {"unit_fill": "units served", "line_fill": "lines served whole"}
    long = frame.unpivot(on=list(names), index="supply", variable_name="kpi", value_name="fill").with_columns(
        pl.col("kpi").replace(names)
    )
    order = list(names.values())
    x = alt.X(
        "supply:Q",
        title=f"supply of {sku} (base units)",
        axis=alt.Axis(format=",.0f"),
        scale=alt.Scale(zero=True, nice=False),
    )
    y = alt.Y("fill:Q", title=None, axis=alt.Axis(format=".0%"), scale=alt.Scale(domain=[0, 1.02], nice=False))
    colour = alt.Color(
        "kpi:N",
        title=None,
        sort=order,
        scale=alt.Scale(domain=order, range=[BLUE, ORANGE]),
        legend=alt.Legend(orient="top"),
    )
    dash = alt.StrokeDash("kpi:N", sort=order, scale=alt.Scale(domain=order, range=[[1, 0], [6, 4]]), legend=None)
    lines = (
        alt.Chart(long)
        .mark_line(strokeWidth=2.5, point=alt.OverlayMarkDef(size=50))
        .encode(x=x, y=y, color=colour, strokeDash=dash)
    )
    now = frame.filter(pl.col("units") == 0)
    rule = alt.Chart(now).mark_rule(color=GREY, strokeDash=[5, 4]).encode(x="supply:Q")
    text = (
        alt.Chart(now)
        .mark_text(align="left", dx=5, color=GREY, fontSize=12, y=8)
        .encode(x="supply:Q", text=alt.value("today"))
    )
    asked = float(frame["requested"][0] or 0)
    title = _title(
        alt, f"How well {sku} is served with more of it, or less", f"{number(asked, 'units')} units are asked for"
    )
    return _styled((lines + rule + text).properties(title=title, width=WIDTH, height=280))


def frontier(frame: pl.DataFrame, most: Sequence[str], least: Sequence[str]) -> Chart:
    """Dots, those that are efficient in colour and joined."""
    alt = drawing()
    down, across = most[0], least[0]
    values = frame.with_columns(
        kind=pl.when("efficient").then(pl.lit("efficient")).otherwise(pl.lit("beaten by another"))
    )
    x = alt.X(
        f"{across}:Q",
        title=title_of(across),
        axis=alt.Axis(format=VEGA[WORDS[across].unit]),
        scale=alt.Scale(zero=False, nice=False, padding=40),
    )
    y = alt.Y(
        f"{down}:Q",
        title=title_of(down),
        axis=alt.Axis(format=VEGA[WORDS[down].unit]),
        scale=alt.Scale(zero=False, nice=False, padding=30),
    )
    kinds = alt.Scale(domain=["efficient", "beaten by another"], range=[BLUE, "#b6bcc6"])
    dots = {"x": x, "y": y, "color": alt.Color("kind:N", title=None, scale=kinds, legend=alt.Legend(orient="top"))}
    if len(least) > 1:
        size = alt.Scale(range=[50, 600])
        dots["size"] = alt.Size(
            f"{least[1]}:Q",
            title=WORDS[least[1]].title,
            scale=size,
            legend=alt.Legend(format=VEGA[WORDS[least[1]].unit], values=_ticks(frame[least[1]])),
        )
    best = values.filter("efficient")
    drawn = alt.Chart(values).mark_circle(opacity=0.85, stroke="white").encode(**dots)
    if best.height <= 12:
        said = alt.Chart(best).mark_text(align="left", dx=12, dy=-9, fontSize=11, limit=220)
        drawn += said.encode(x=x, y=y, text="scenario:N")
    words = _and([WORDS[kpi].title.lower() for kpi in (*most, *least)])
    told = f"{best.height} of {frame.height} scenarios are not beaten in {words}"
    title = _title(alt, f"{WORDS[down].title} against {WORDS[across].title.lower()}", told)
    return _styled(drawn.properties(title=title, width=WIDTH, height=320))


# --- what all share ---


def told_first(kpis: Sequence[str]) -> list[str]:
    """Those that planners look at first, and no more than fit a page."""
    first = [
        "unit_fill",
        "line_fill",
        "order_fill",
        "on_time",
        "worst_fill",
        "value_at_risk",
        "units_wasted",
        "lines_changed",
    ]
    ordered = [kpi for kpi in first if kpi in kpis] + [kpi for kpi in kpis if kpi not in first]
    return ordered[:SHOWN_MAX]


def _ticks(values: pl.Series) -> list[float]:
    low, high = float(values.min() or 0), float(values.max() or 0)  # type: ignore[arg-type]
    return sorted({low, (low + high) / 2, high})


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _escaped(name: str) -> str:
    """A column whose name has what Vega takes for a path."""
    return "".join(f"\\{sign}" if sign in "[].:\\'\"" else sign for sign in name)


def _title(alt: Altair, text: str, subtitle: str = "", size: int = 14) -> Chart:
    more = {"subtitle": subtitle, "subtitleColor": GREY, "subtitleFontSize": 12} if subtitle else {}
    return alt.TitleParams(text, anchor="start", fontSize=size, offset=10, **more)


def _nothing(alt: Altair, words: str) -> Chart:
    empty = alt.Chart(pl.DataFrame({"x": [0], "words": [words]})).mark_text(fontSize=14, color=GREY)
    return _styled(empty.encode(text="words:N").properties(width=WIDTH, height=60))


def _styled(chart: Chart) -> Chart:
    plain = chart.configure_view(stroke=None).configure(font="Helvetica, Arial, sans-serif", background="white")
    return plain.configure_axis(
        labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#e5e7eb", domainColor="#9aa3af"
    )
