"""The page about the tables says what the contract says."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocator.model.tables import KINDS, TABLES, Column

PAGE = (Path(__file__).parents[2] / "docs" / "tables.md").read_text(encoding="utf-8")


def absent(column: Column) -> str:
    if column.required:
        return "refused"
    if isinstance(column.absent, str) and column.absent.startswith("="):
        return f"the line's `{column.absent[1:]}`"
    return "null" if column.absent is None else str(column.absent)


@pytest.mark.parametrize("table", TABLES)
def test_the_page_lists_every_column_of_the_table_in_order(table: str) -> None:
    section = PAGE.split(f"\n## {table}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert rows == [
        f"| {c.name} | {c.kind} | {c.meaning} | {absent(c)} | {c.null if c.nullable else 'refused'} |"
        for c in TABLES[table].values()
    ]


def test_the_page_lists_every_kind() -> None:
    for kind, types in KINDS.items():
        assert f"| {kind} | {types} |" in PAGE


@pytest.mark.parametrize("column", [c for table in TABLES.values() for c in table.values()], ids=lambda c: c.name)
def test_a_column_that_may_be_null_says_what_that_means(column: Column) -> None:
    assert bool(column.null) == column.nullable
    assert not (column.required and column.nullable)
