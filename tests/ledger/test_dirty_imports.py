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


def workbook(file: Path, *rows: list[object]) -> Path:
    """A workbook of these rows; a text that begins with # is an error."""
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, str) and cell[:1] == "#":
                    sheet.write_formula(number, column, "=1/0", None, cell)
                elif isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                else:
                    sheet.write(number, column, cell)
    return file


def test_a_cell_that_holds_an_error_is_told_and_is_none_that_is_empty(ledger: Ledger, tmp_path: Path) -> None:
    rows: list[list[object]] = [["sku", "qty", "location", "lot", "remark", "colour"]]
    rows += [["filter", 3, "A", "L1", "#N/A", None], ["filter", 4, "A", "#N/A", None, None]]
    rows += [["filter", "#DIV/0!", "A", "L1", None, "#NAME?"], [None] * 6, ["#REF!", 5, "#VALUE!", None, None, None]]
    columns = {name: name for name in ("sku", "qty", "location", "lot")}
    mapping = ImportMapping(columns=columns, ignore=("remark",), further="attributes", constants={"location": "B"})
    file = workbook(tmp_path / "delivery.xlsx", *rows)
    told = import_stock(ledger, file, mapping, good_rows_only=True, **SAID)
    assert set(told.bad.select("row", "column", "value").rows()) == {
        (1, "lot", "#N/A"), (2, "qty", "#DIV/0!"), (2, "attributes.colour", "#NAME?"),
        (4, "sku", "#REF!"), (4, "location", "#VALUE!"),
    }  # fmt: skip
    assert set(told.bad["code"]) == {"cell_error"} and told.bad["hint"].str.contains("formula").all()
    assert (told.rows, told.recorded, told.rows_bad) == (4, 1, 3)
    # As CSV the sheet says the same.
    csv = "\n".join(",".join(str("" if cell is None else cell) for cell in row) for row in rows)
    (tmp_path / "delivery.csv").write_text(csv)
    assert import_stock(ledger, tmp_path / "delivery.csv", mapping, dry_run=True, **SAID).bad.equals(told.bad)
    waived = mapping.model_copy(update={"empty": ("#N/A",)})
    assert (1, "lot") not in import_stock(ledger, file, waived, dry_run=True, **SAID).bad.select("row", "column").rows()
    with pytest.raises(InputError) as caught:
        import_stock(ledger, file, mapping, **SAID)
    assert {problem.code for problem in caught.value.problems} == {"cell_error"}
    # Nothing but errors is no file without rows.
    only = workbook(tmp_path / "only.xlsx", rows[0], ["#NULL!", None, None, None, None, None])
    told = import_stock(ledger, only, mapping, good_rows_only=True, **SAID)
    assert told.bad.select("row", "column", "value", "code").rows() == [(0, "sku", "#NULL!", "cell_error")]


def test_a_number_beside_texts_is_the_number_that_it_is(ledger: Ledger, tmp_path: Path) -> None:
    ledger.define([{"sku": "oil", "scale": 3}], actor="ana")
    columns = {name: name for name in ("sku", "qty", "location")}
    german = ImportMapping(columns=columns, decimal=",", thousands=".")
    rows: list[list[object]] = [["sku", "qty", "location"]]
    rows += [
        ["oil", 123.456, "A"],
        ["oil", "1.234,5", "B"],
        ["oil", "123.456", "C"],
        ["oil", True, "D"],
        ["oil", 7, "E"],
    ]
    told = import_stock(ledger, workbook(tmp_path / "a.xlsx", *rows), german, good_rows_only=True, **SAID)
    assert told.bad.select("row", "value", "code").rows() == [(3, "true", "value_text")]
    found = ledger.balances(["location", "sku"]).sort("location").select("location", "on_hand").rows()
    assert [(place, str(qty)) for place, qty in found] == [
        ("A", "123.456"), ("B", "1234.500"), ("C", "123456.000"), ("E", "7.000")
    ]  # fmt: skip
    # Beside numbers alone, TRUE is no 1 either.
    told = import_stock(ledger, workbook(tmp_path / "b.xlsx", rows[0], *rows[4:]), dry_run=True, **SAID)
    assert told.bad.select("row", "value", "code").rows() == [(0, "true", "value_text")]


def test_serials_that_are_texts_and_numbers_keep_their_digits_or_are_told(ledger: Ledger, tmp_path: Path) -> None:
    numbers = ("00123", 456, "89882110000001234567", 89882110000001234567, 2.5, "1e5", 1 / 3)
    file = workbook(tmp_path / "a.xlsx", ["sku", "serial", "location"], *[["gauge", each, "A"] for each in numbers])
    told = import_stock(ledger, file, good_rows_only=True, **SAID)
    assert told.bad.select("row", "column", "code").rows() == [(3, "serial", "value_text")]
    found = set(ledger.balances("serial")["serial"])
    assert found == {"00123", "456", "89882110000001234567", "2.5", "1e5", "0.3333333333333333"}


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
