"""Papers as PDF: challans, receipts, pick and packing lists, labels, return notes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.model.document import did_you_mean
from allocator.papers import written
from allocator.papers.codes import code128, extra_missing, qr
from allocator.papers.kinds import COLUMNS, KINDS, Kind
from allocator.papers.read import Content, read_content
from allocator.papers.table import table

if TYPE_CHECKING:
    import typst

TAGGED_MAX: Final = 1000
"""Lines up to which the PDF is tagged for those who have it read to them: tags make long ones twenty times as large."""


def render(kind: str, data: Mapping[str, Any], *, fonts: str | Path | None = None) -> bytes:
    """A paper as PDF: A4 over as many pages as it needs, or for `box_label` one label of 100 by 150 mm a box.

    Args:
        kind: One of `KINDS`.
        data: What the paper says, as `docs/papers.md` lists it: `number`, `date`, `issuer`, `from`, `to`, `lines`
            (or `boxes` of lines), and where wanted `references`, `note`, `code` (what the QR code holds; the number
            by default), `currency`. Quantities and rates are int, Decimal or text with a point, never float.
        fonts: A folder with further fonts, for scripts that those at hand lack (Chinese, Devanagari, …).

    Returns:
        The bytes of the PDF, the same for the same data: its only time is the paper's date.

    Raises:
        InputError: `argument_value` (no such kind), `extra_missing`, and every problem of the data at once:
            `setting_missing`, `setting_unknown`, `value_text`, `qty_out_of_range`, `serial_quantity`, ….

    Cost: hundredths of a second for a page, a tenth more for the first; 10,000 lines take 5 s and 1.2 GB.

    Example:
        >>> paper = {
        ...     "number": "PICK-2026-000007",
        ...     "date": "2026-11-22",
        ...     "issuer": "Main warehouse",
        ...     "from": {"name": "Main warehouse"},
        ...     "to": {"name": "Metro Manufacturing"},
        ...     "lines": [{"place": "A-15-03", "sku": "CM-500", "serial": "CM500-2025-0046", "qty": 1}],
        ... }
        >>> render("pick_list", paper)[:5]
        b'%PDF-'
    """
    form = KINDS.get(kind)
    if form is None:
        hint = did_you_mean(str(kind), tuple(KINDS)) or f"There are {', '.join(KINDS)}"
        raise InputError(Problem("argument_value", "there is no such paper", column="kind", value=str(kind), hint=hint))
    content = read_content(kind, form, data)
    if kind == "box_label":
        template, lines = "label.typ", {"labels": _labels(content)}
    else:
        template, lines = "paper.typ", table(form, content)
    tagged = len(content.lines) <= TAGGED_MAX
    return _compiled(template, _shown(form, content) | lines, content.values["date"], fonts, tagged=tagged)


def _shown(form: Kind, content: Content) -> dict[str, Any]:
    """What stands above and below the lines."""
    values = content.values
    return {
        "title": form.title,
        "number": values["number"],
        "date": written.day(values["date"]),
        "issuer": written.text(values["issuer"]),
        "parties": [
            {
                "label": label,
                "name": written.text(party["name"]),
                "code": written.text(party["code"] or ""),
                "address": [written.text(line) for line in party["address"]],
                "contact": written.text(party["contact"] or ""),
            }
            for label, party in zip(form.parties, content.parties, strict=True)
        ],
        "references": [[written.text(label), written.text(value)] for label, value in content.references.items()],
        "note": [written.text(line) for line in (values["note"] or "").splitlines()],
        "facts": _facts(form, content),
        "signs": list(form.signs),
        "qr": qr(values["code"] or values["number"]),
        "code128": code128(values["number"]),
    }


def _facts(form: Kind, content: Content) -> list[dict[str, Any]]:
    """What must be seen first, each a label and a value; a loud one is what somebody has to act on."""
    lines, values = content.lines, content.values
    facts: list[tuple[str, str, bool]] = [("Lines", written.quantity(len(lines)), False)]
    if form.boxed:
        facts.insert(0, ("Boxes", written.quantity(len(content.boxes)), False))
    if "place" in form.columns:
        facts.append(("Places", written.quantity(len({line["place"] for line in lines})), False))
    counted = "accepted" if "accepted" in form.columns else "qty"
    units = written.total((line[counted], written.text(line.get("unit", ""))) for line in lines)
    facts.append((COLUMNS[counted].label if counted != "qty" else "Quantity", units, False))
    if "rate" in lines[0]:
        facts.append(("Value", f"{written.money(_value(lines))} {written.text(values['currency'])}", False))
    if "difference" in form.columns:
        facts.append(_difference(lines))
    if values.get("challan"):
        facts.append(("Belongs to", values["challan"], False))
    if values.get("reverse"):
        facts.append(("Comes back on", values["reverse"], True))
    if values.get("due_on"):
        facts.append(("Back by", written.day(values["due_on"]), True))
    return [{"label": label, "value": value, "loud": loud} for label, value, loud in facts]


def _value(lines: Sequence[Mapping[str, Any]]) -> int | Decimal:
    total: int | Decimal = sum(line["rate"] * line["qty"] for line in lines)
    return total


def _difference(lines: Sequence[Mapping[str, Any]]) -> tuple[str, str, bool]:
    found: dict[str, Any] = {}
    for line in lines:
        for what, qty in written.differences(line).items():
            found[what] = found.get(what, 0) + qty
    said = ", ".join(f"{written.quantity(qty)} {what}" for what, qty in found.items())
    return "Differences", said or "none", bool(said)


def _labels(content: Content) -> list[dict[str, Any]]:
    """What each label says of its box."""
    return [
        {
            "number": box.number,
            "count": f"{at} / {len(content.boxes)}",
            "facts": [written.text(fact) for fact in box.facts.values()],
            "units": written.total((line["qty"], written.text(line.get("unit", ""))) for line in box.lines),
            "lines": [
                [written.quantity(line["qty"]), written.text(line["sku"]), written.text(line.get("name", ""))]
                for line in box.lines
            ],
            "qr": qr(box.number),
            "code128": code128(box.number),
        }
        for at, box in enumerate(content.boxes, start=1)
    ]


@cache
def _compiler(fonts: str | None) -> typst.Compiler:
    """Fonts are read once. Those of the machine are not: they would change the bytes."""
    try:
        import typst  # noqa: PLC0415 - an extra
    except ImportError:
        raise extra_missing("typst") from None
    found = typst.Fonts(include_system_fonts=False, font_paths=[fonts] if fonts else [])
    return typst.Compiler(font_paths=found)


def _compiled(
    template: str, shown: Mapping[str, Any], date: dt.date, fonts: str | Path | None, *, tagged: bool
) -> bytes:
    source = resources.files(__package__).joinpath(template).read_bytes()
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    made = _compiler(None if fonts is None else str(fonts)).compile(
        source, format="pdf", pdf_tags=tagged, sys_inputs={"data": json.dumps(shown)}, timestamp=midnight
    )
    assert isinstance(made, bytes)
    return made
