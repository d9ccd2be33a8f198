"""Documents: heads, lines and links are what the steps add up to, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from allocator.ledger.verify.tables import Tables, found

HEAD = ("number", "flow", "state", "closed", "bu", "party", "counterparty", "place", "opened_seq", "opened_at",
        "due_at", "marks", "details", "version")  # fmt: skip
LINE = ("number", "n", "sku_id", "goods_id", "line_id", "qty", "progress", "state", "details", "version")
LINK = ("number", "kind", "other", "seq")
BLANK_HEAD = {"closed": 0, "bu": "", "party": "", "counterparty": "", "place": "", "due_at": None}
BLANK_LINE = {"sku_id": None, "goods_id": None, "line_id": "", "qty": 0, "progress": 0, "state": ""}


def findings(tables: Tables) -> Iterator[pl.DataFrame]:
    """What is wrong with documents."""
    if tables.document_event.is_empty() and tables.document.is_empty():
        return
    folded = _Folded(tables)
    yield pl.DataFrame(folded.wrong, schema={"invariant": pl.Int64, "what": pl.String, "place": pl.String,
                                             "value": pl.String}, orient="row")  # fmt: skip
    for name, columns, wanted in (
        ("document", HEAD, folded.heads),
        ("document_line", LINE, folded.lines),
        ("document_link", LINK, folded.links),
    ):
        kept = {_key(name, row): _read(row) for row in getattr(tables, name).select(columns).iter_rows(named=True)}
        differ = sorted(key for key in kept.keys() | wanted.keys() if kept.get(key) != wanted.get(key))
        told = [(" ".join(map(str, key)), _difference(kept.get(key), wanted.get(key))) for key in differ]
        frame = pl.DataFrame(told, schema={"key": pl.String, "value": pl.String}, orient="row")
        what = "it is not what the steps made it"
        yield found(frame, 7, what, f"{name.replace('_', ' ')} {{}}", "key", value="value")


class _Folded:
    """All steps, one after the other."""

    def __init__(self, tables: Tables) -> None:
        self.heads: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.lines: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.links: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.wrong: list[tuple[int, str, str, str]] = []
        moments = dict(tables.txn.select("seq", "recorded_at").iter_rows())
        columns = ("seq", "n", "number", "step", "state", "patch")
        for seq, n, number, step, state, text in tables.document_event.select(columns).iter_rows():
            patch = json.loads(text)
            self._head(number, seq, moments.get(seq, 0), patch)
            if self.heads[number,]["state"] != state or not step:
                self.wrong.append((7, "the step says another state than it leads to", f"step {seq}.{n}", state))
            for line, change in patch.get("lines", {}).items():
                self._line(number, int(line), seq, change)
            for kind, other in patch.get("links", ()):
                self.links[number, kind, other] = {"number": number, "kind": kind, "other": other, "seq": seq}

    def _head(self, number: str, seq: int, moment: int, patch: dict[str, Any]) -> None:
        begun = {"number": number, "flow": "", "state": "", "opened_seq": seq, "opened_at": moment, "marks": {},
                 "details": {}, **BLANK_HEAD}  # fmt: skip
        head = self.heads.setdefault((number,), begun)
        said = dict(patch.get("set", {}))
        if (due := said.pop("due_s", None)) is not None:
            head["due_at"] = head["opened_at"] + due * 1_000_000
        head |= {**said, "version": seq}
        head["marks"] |= dict.fromkeys(patch.get("marks", ()), moment)
        _merge(head["details"], patch.get("details", {}))

    def _line(self, number: str, n: int, seq: int, change: dict[str, Any]) -> None:
        line = self.lines.setdefault((number, n), {"number": number, "n": n, "details": {}, **BLANK_LINE})
        line |= {**{name: value for name, value in change.items() if name != "details"}, "version": seq}
        _merge(line["details"], change.get("details", {}))


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if value is None:
            into.pop(name, None)
        else:
            into[name] = value


def _key(table: str, row: dict[str, Any]) -> tuple[Any, ...]:
    names = {"document": ("number",), "document_line": ("number", "n"), "document_link": ("number", "kind", "other")}
    return tuple(row[name] for name in names[table])


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return row | {name: json.loads(row[name] or "{}") for name in ("marks", "details") if name in row}


def _difference(kept: dict[str, Any] | None, wanted: dict[str, Any] | None) -> str:
    if kept is None or wanted is None:
        return "no such row" if kept is None else "no step made it"
    return ", ".join(f"{name}: {kept[name]} kept, {wanted[name]} by the steps"
                     for name in kept if kept[name] != wanted[name])  # fmt: skip
