"""An explanation as text: what a person reads in a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

LINES_NAMED_MAX = 4
"""How many earlier lines are named beside a row; the rest is counted."""

MAY = {
    "position": "#",
    "stock_id": "stock row",
    "location": "place",
    "qty_available": "available",
    "qty_kept_back": "kept back",
    "earlier": "taken before by",
    "qty_balance": "balance",
    "qty_taken": "taken",
}
MAY_NOT = {"stock_id": "stock row", "location": "place", "qty_available": "available", "stopped": "stopped by"}
RANKS = {"source_rank": "source", "substitute_rank": "substitute", "contract_rank": "contract", "owner_rank": "owner"}


def explanation_text(line: dict[str, Any], candidates: pl.DataFrame, rows_max: int) -> str:
    """The line, the rows that may serve it, the rows that may not; at most `rows_max` of each."""
    may, may_not = (candidates.filter(pl.col("eligible") == kind) for kind in (True, False))
    said = [_headline(line), *_facts(line)]
    if may.height:
        # A rank or a distance is worth a column only where it tells rows apart.
        ranks = {c: word for c, word in (RANKS | {"distance": "distance"}).items() if may[c].n_unique() > 1}
        said += ["", f"{_rows(may.height)} may serve it, in the order in which it looks at them:"]
        heads = {"position": MAY["position"], "stock_id": MAY["stock_id"], "location": MAY["location"]} | ranks | MAY
        said += _table(may.head(rows_max), heads)
        if may.height > rows_max:
            said.append(f"… and {may.height - rows_max} more, of which it took {may[rows_max:]['qty_taken'].sum()}")
    if may_not.height:
        said += ["", f"{_rows(may_not.height)} may not:"]
        said += _table(may_not.head(rows_max), MAY_NOT)
        if may_not.height > rows_max:
            rest = Counter(may_not[rows_max:]["gates"].explode(empty_as_null=True).to_list())
            said.append(
                f"… and {may_not.height - rows_max} more: {', '.join(f'{gate} {n}' for gate, n in rest.items())}"
            )
    if not candidates.height:
        said += ["", "There is no stock row of this SKU or of a substitute."]
    return "\n".join(said)


def _headline(line: dict[str, Any]) -> str:
    order = "" if line["order_id"] == line["line_id"] else f" of order {line['order_id']}"
    head = f"Line {line['line_id']}{order} asks {line['requested']} of {line['sku']} and gets {line['allocated']}."
    if line["reason"] is None:
        return head
    return f"{head}\nIt is {line['short']} short because {line['reason_words']} ({line['reason']})."


def _facts(line: dict[str, Any]) -> list[str]:
    facts = [
        ("at", "location"),
        ("lot", "lot"),
        ("serial", "serial"),
        ("contract", "contract_type"),
        ("customer", "customer"),
        ("needed on", "needed_on"),
    ]
    asked = [f"{word} {line[column]}" for word, column in facts if line[column] is not None]
    if line["shelf_life_days_min"]:
        asked.append(f"at least {line['shelf_life_days_min']} days of remaining life")
    return [f"As of {line['as_of']}{': ' if asked else ''}{', '.join(asked)}.", f"Fill rule: {line['fill']}."]


def _rows(count: int) -> str:
    return f"{count} stock row{'s' * (count != 1)}"


def _table(rows: pl.DataFrame, heads: dict[str, str]) -> list[str]:
    """The rows in aligned columns, numbers to the right; a column with nothing to say is left out."""
    cells = {column: [_cell(row, column) for row in rows.iter_rows(named=True)] for column in heads}
    shown = {
        c: values for c, values in cells.items() if any(values) and not (c == "qty_kept_back" and set(values) == {"0"})
    }
    widths = {c: max(len(heads[c]), *map(len, values)) for c, values in shown.items()}
    right = {c for c in shown if c in rows.schema and rows.schema[c].is_numeric() and c != "stock_id"}

    def aligned(values: dict[str, str]) -> str:
        return "  ".join(v.rjust(widths[c]) if c in right else v.ljust(widths[c]) for c, v in values.items()).rstrip()

    head = aligned({c: heads[c] for c in shown})
    return [head, *(aligned({c: values[i] for c, values in shown.items()}) for i in range(rows.height))]


def _cell(row: dict[str, Any], column: str) -> str:
    if column == "stopped":
        return ", ".join(row["gates"])
    if column == "earlier":
        named = [f"{one['line_id']}: {one['qty']}" for one in row["taken_before"][:LINES_NAMED_MAX]]
        more = len(row["taken_before"]) - len(named)
        return ", ".join(named) + (f" and {more} more" if more else "")
    return "" if row[column] is None else str(row[column])
