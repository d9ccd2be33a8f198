"""Files as they come: every row that is wrong is named, the others are taken if asked, and nothing is half done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from allocator.errors import FileError, InputError
from allocator.ledger import Ledger
from allocator.ledger.imports import import_stock
from allocator.ledger.verify import verify
from allocator.model.importing import ImportMapping

SAID = {"actor": "ana", "origin": "supplier", "document": "GRN-1"}


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger.open("sqlite://") as opened:
        opened.define([{"sku": "filter"}, {"sku": "gauge", "tracking": "serial"}], actor="ana")
        yield opened
        assert verify(opened).clean


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
def test_a_row_with_more_cells_than_headers_is_named_and_the_others_are_taken(
    ledger: Ledger, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "delivery.csv"
    text = 'sku,qty,location\nfilter,3,Köln, left\nfilter,4,"Köln, right"\n\nfilter,5,Bonn,,\nfilter,6\n'
    file.write_bytes(text.encode(encoding))
    mapping = ImportMapping(columns={name: name for name in ("sku", "qty", "location")}, encoding=encoding)
    expected = [(0, " left", "cells_surplus"), (3, "", "cells_surplus"), (4, None, "value_null")]
    with pytest.raises(InputError) as caught:
        import_stock(ledger, file, mapping, **SAID)
    # What is wrong by itself is told before the ledger is asked.
    assert [(p.row, p.value, p.code) for p in caught.value.problems][:2] == expected[:2]
    assert ledger.balances().is_empty()
    told = import_stock(ledger, file, mapping, good_rows_only=True, **SAID)
    assert told.bad.select("row", "value", "code").rows() == expected
    assert ledger.balances(["location", "sku"]).select("location", "on_hand").rows() == [("Köln, right", 4)]


def test_a_serial_that_a_sheet_took_for_a_number_and_rounded_is_no_serial(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "delivery.xlsx"
    rows = [["sku", "serial", "location"]]
    rows += [["gauge", number, "A"] for number in (89882110000001234567, 9007199254740994, 490154203237518, 2.5)]
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    told = import_stock(ledger, file, good_rows_only=True, **SAID)
    assert told.bad.select("row", "column", "code").rows() == [(0, "serial", "value_text"), (1, "serial", "value_text")]
    assert set(ledger.balances("serial")["serial"]) == {"490154203237518", "2.5"}


@pytest.mark.parametrize("header", ["x" * 200_000, '"', '"sku'])
def test_headers_that_no_csv_file_has_are_told_as_such(ledger: Ledger, tmp_path: Path, header: str) -> None:
    file = tmp_path / "delivery.csv"
    file.write_text(f"sku,{header},location\nfilter,3,A\n")
    with pytest.raises((FileError, InputError)):
        import_stock(ledger, file, **SAID)


def test_a_name_that_no_file_can_have_and_a_column_that_no_cell_can_hold_are_told(ledger: Ledger) -> None:
    for suffix in (".csv", ".xlsx"):
        with pytest.raises(FileError):
            import_stock(ledger, Path("x" * 300 + suffix), **SAID)
    spans = pl.DataFrame({"sku": ["filter"], "qty": [dt.timedelta(days=3)], "location": ["A"]})
    with pytest.raises(InputError) as caught:
        import_stock(ledger, spans, **SAID)
    assert [(problem.code, problem.column) for problem in caught.value.problems] == [("column_type", "qty")]
