"""The lines of a paper as a table: which columns, how wide, what stands in each cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from allocator.papers import written
from allocator.papers.kinds import COLUMNS, Kind, Shows
from allocator.papers.read import Box, Content

WIDTH_MM: Final = {"upright": 172, "on its side": 259}
"""Of the columns of a table on A4, without that of the line numbers."""

PADDING_MM: Final = 3.4
LETTER_MM: Final = 1.71
"""How wide a letter of a code is: they are set in letters of one width."""
TEXT_LETTER_MM: Final = 1.6
"""How wide a letter of text is, about."""
CODE_MM_MAX: Final = 60
TEXT_MM_MAX: Final = 70
"""Widths beyond which a cell breaks rather than that its column grows."""


def table(form: Kind, content: Content) -> dict[str, Any]:
    """The lines as rows of texts, with the columns that any of them needs.

    Columns are as wide as what they hold. Where that is more than an upright sheet has, the sheet lies on its
    side; where it is still more, text gets what the codes leave, and at last all shrink together.
    """
    there = {name for line in content.lines for name in line}
    there |= {"amount"} if "rate" in there else set()
    there |= {name for name in form.columns if name == "difference" or COLUMNS[name].shows in ("tick", "blank")}
    names = [name for name in form.columns if name in there]
    cells = [[[_cell(name, line) for name in names] for line in box.lines] for box in content.boxes]
    wished = [_wish(name, [row[at] for rows in cells for row in rows]) for at, name in enumerate(names)]
    least = [COLUMNS[n].mm_min if COLUMNS[n].shows == "text" else wish for n, wish in zip(names, wished, strict=True)]
    lies = sum(least) > WIDTH_MM["upright"]
    widths = _widths(names, wished, least, WIDTH_MM["on its side" if lies else "upright"])
    return {
        "landscape": lies,
        "columns": [
            {"label": COLUMNS[name].label, "shows": COLUMNS[name].shows, "loud": COLUMNS[name].loud, "mm": mm}
            for name, mm in zip(names, widths, strict=True)
        ],
        "groups": [
            {
                "head": _box_head(box, at, len(content.boxes)) if form.boxed else [],
                "rows": [
                    {
                        "cells": [_fitted(name, cell, mm) for name, cell, mm in zip(names, row, widths, strict=True)],
                        "loud": "difference" in names and bool(written.differences(line)),
                    }
                    for row, line in zip(rows, box.lines, strict=True)
                ],
            }
            for at, (box, rows) in enumerate(zip(content.boxes, cells, strict=True), start=1)
        ],
    }


def _wish(name: str, cells: Sequence[str]) -> float:
    """The width at which no cell of a column breaks, within reason."""
    column = COLUMNS[name]
    letter, most = (TEXT_LETTER_MM, TEXT_MM_MAX) if column.shows == "text" else (LETTER_MM, CODE_MM_MAX)
    longest = max((len(row) for cell in cells for row in cell.split("\n")), default=0)
    label = len(column.label) * TEXT_LETTER_MM
    return max(column.mm_min, min(most, max(longest * letter, label) + PADDING_MM))


def _widths(names: Sequence[str], wished: Sequence[float], least: Sequence[float], room: float) -> list[float]:
    """What each column gets: its wish, or the least where that is too much; text and blanks share what is over."""
    if sum(least) > room:
        return [mm * room / sum(least) for mm in least]
    wants = [wish - low for wish, low in zip(wished, least, strict=True)]
    part = min(1.0, (room - sum(least)) / sum(wants)) if sum(wants) else 0.0
    widths = [low + want * part for low, want in zip(least, wants, strict=True)]
    over = room - sum(widths)
    stretched = [n for n in names if COLUMNS[n].shows in ("text", "blank") and n != "unit"] or list(names)
    return [mm + (over / len(stretched) if name in stretched else 0) for name, mm in zip(names, widths, strict=True)]


def _cell(name: str, line: Mapping[str, Any]) -> str:
    if name == "difference":
        return ", ".join(f"{written.quantity(qty)} {what}" for what, qty in written.differences(line).items())
    if name == "amount":
        return written.money(line["rate"] * line["qty"])
    value = line.get(name)
    if value is None:
        return ""
    if name == "serial":
        return "\n".join(map(written.text, value))
    return _WRITES.get(COLUMNS[name].shows, written.text)(value)


_WRITES: Final[Mapping[Shows, Callable[[Any], str]]] = {
    "qty": written.quantity, "money": written.money, "day": written.day,
}  # fmt: skip


def _fitted(name: str, cell: str, mm: float) -> str:
    """Words that are too long for their column may break anywhere, so that they do not run into the next."""
    letter = TEXT_LETTER_MM if COLUMNS[name].shows == "text" else LETTER_MM
    letters = max(3, int((mm - PADDING_MM + 1) / letter))
    if len(cell) <= letters:
        return cell
    rows = (row.split(" ") for row in cell.split("\n"))
    return "\n".join(" ".join("\u200b".join(w) if len(w) > letters else w for w in words) for words in rows)


def _box_head(box: Box, at: int, boxes: int) -> list[str]:
    facts = (written.text(box.facts[name]) for name in ("dimensions", "weight") if name in box.facts)
    packer = [f"packed by {written.text(box.facts['packed_by'])}"] if "packed_by" in box.facts else []
    return [f"Box {at} of {boxes}", box.number, *facts, *packer]
