"""How the page looks: its style, and pieces of HTML. Everything that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import polars as pl

from allocator.studio.desk import Card

ROWS_MAX: Final = 200
TONES: Final = {"better": "▲ better", "worse": "▼ worse", "same": ""}
"""Better and worse are words and signs too, not colours alone."""

STYLE: Final = """<style>
:root { --ink: #1f2933; --quiet: #52606d; --line: #d9dee5; --better: #00614a; --worse: #a23b00; }
#App { max-width: 76rem; margin: 0 auto; }
.studio { color: var(--ink); font-family: system-ui, sans-serif; }
.studio .title { color: var(--ink); font-size: 1.6rem; font-weight: 650; }
.studio .head { color: var(--ink); font-size: 1.1rem; font-weight: 650; margin: .5rem 0 0; }
.studio p { color: var(--quiet); margin: 0; max-width: 60rem; }
.studio .cards { display: grid; gap: .75rem; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
.studio .card { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; background: #fff; }
.studio .card b { display: block; font-size: 1.6rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.studio .card span { color: var(--quiet); font-size: .85rem; }
.studio .card i { display: block; font-style: normal; font-size: .85rem; min-height: 1.2em; }
.studio .better { color: var(--better); } .studio .worse { color: var(--worse); }
.studio .wide { overflow-x: auto; }
.studio .wide:focus-visible { outline: 2px solid #0072b2; }
.studio table { border-collapse: collapse; font-size: .9rem; }
.studio th, .studio td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
.studio th { white-space: nowrap; }
.studio td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.studio .alert { border-left: 4px solid var(--worse); background: #fff4ec; padding: .6rem 1rem; border-radius: .25rem; }
.studio .sliders { display: grid; gap: .5rem 2rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.studio .pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); }
.studio svg { max-width: 100%; height: auto; }
.studio pre { overflow-x: auto; font-size: .85rem; margin: .5rem 0; }
</style>"""

HEADER: Final = """<header class="studio"><p class="title" role="heading" aria-level="1">What if?</p>
<p>Move a lever and see who gains, who loses, and why. Nothing here changes any data.</p></header>"""

POLICY_HINT: Final = (
    "The policy is text: change it, and the base is allocated again. Every setting is in `docs/policies.md`."
)
MORE_HINT: Final = '[[levers]]\nlever = "demand_cancel"\nwhere = { customer = "dealer" }'


def styled(inner: str) -> str:
    """A piece of the page with its style beside it: within a tab, no style of the page reaches it."""
    return f'{STYLE}<div class="studio">{inner}</div>'


def card_row(cards: Sequence[Card]) -> str:
    """The measures that people look at first."""
    told = "".join(
        f'<div class="card" data-kpi="{escape(card.title)}"><span>{escape(card.title)}</span>'
        f"<b>{escape(card.value)}</b>"
        f'<i class="{card.tone}">{escape(card.change)} {TONES[card.tone] if card.change else ""}</i></div>'
        for card in cards
    )
    return styled(f'<div class="cards" role="status" aria-live="polite">{told}</div>')


def table(frame: pl.DataFrame, name: str, *, numbers: Sequence[str] = ()) -> str:
    """A table that scrolls by itself where the page is narrow; the first rows of many."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in frame.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{"n" if column in numbers else ""}">{escape("" if value is None else str(value))}</td>'
            for column, value in row.items()
        )
        + "</tr>"
        for row in frame.head(ROWS_MAX).iter_rows(named=True)
    )
    more = f"<p>… and {frame.height - ROWS_MAX:,} more rows</p>" if frame.height > ROWS_MAX else ""
    return styled(
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}"
    )


def problems(frame: pl.DataFrame, headline: str) -> str:
    """Every problem of what was given, at once."""
    count = f"{frame.height} problem{'s' * (frame.height != 1)}"
    inner = table(frame, "problems")
    return styled(f'<div class="alert" role="alert"><p class="head">{count}. {escape(headline)}</p>{inner}</div>')


def pictures(drawn: Mapping[str, str]) -> str:
    """Drawings by their names, as many beside each other as there is room for."""
    told = "".join(f'<div role="img" aria-label="{escape(name)}">{svg}</div>' for name, svg in drawn.items())
    return styled(f'<div class="pictures">{told}</div>')


def sliders(*controls: object) -> str:
    """Controls, as many beside each other as there is room for."""
    return styled(f'<div class="sliders">{"".join(f"<div>{control}</div>" for control in controls)}</div>')


def words(text: str) -> str:
    """A text as it is."""
    return styled(f'<pre tabindex="0">{escape(text)}</pre>')


def heading(text: str) -> str:
    """The head of a part of the page."""
    return styled(f'<p class="head" role="heading" aria-level="2">{escape(text)}</p>')
