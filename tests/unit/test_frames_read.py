"""Tables from frames, Arrow streams, lists and files: the same rows whatever they come in."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from allocator import allocate
from allocator.errors import FileError, InputError
from allocator.frames.read import read

FRAME = pl.DataFrame(
    {
        "line_id": ["L1", "L2"],
        "sku": ["007", "É"],
        "qty": pl.Series([Decimal("33.60"), Decimal("0.10")], dtype=pl.Decimal(18, 2)),
        "needed_on": [dt.date(2026, 6, 30), None],
        "requested_at": [dt.datetime(2026, 6, 1, 14, 5), dt.datetime(2026, 6, 1)],
    }
)


def codes(source: Any, error: type[Exception] = InputError) -> list[tuple[str, str, int | None]]:
    """Code, column and row of every problem."""
    with pytest.raises(error) as caught:
        read(source, "demand")
    return [(problem.code, problem.column, problem.row) for problem in caught.value.problems]


def csv(folder: Path, text: str | bytes, name: str = "demand.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "source",
    [
        FRAME,
        FRAME.lazy(),
        FRAME.to_arrow(),
        FRAME.to_arrow().to_reader(),
        pl.concat([FRAME[:1], FRAME[1:]], rechunk=False),
        FRAME.to_dict(as_series=False) | {"qty": FRAME["qty"]},
    ],
    ids=["DataFrame", "LazyFrame", "pyarrow table", "pyarrow reader", "chunks", "dict"],
)
def test_the_same_rows_come_out_of_every_kind_of_frame(source: Any) -> None:
    assert read(source, "demand").equals(FRAME)


def test_a_pandas_frame_keeps_its_values_and_its_gaps() -> None:
    frame = read(pd.DataFrame({"line_id": ["L1", None], "qty": pd.array([3, None], dtype="Int64")}), "demand")
    assert frame["line_id"].to_list() == ["L1", None]
    assert frame["qty"].to_list() == [3, None]


def test_a_duckdb_relation_is_a_table() -> None:
    with duckdb.connect() as connection:
        relation = connection.sql("select 'L1' as line_id, 3::bigint as qty, 1.50::decimal(9, 2) as price")
        assert read(relation, "demand").row(0) == ("L1", 3, Decimal("1.50"))


def test_numpy_and_decimal_values_in_lists_keep_their_types() -> None:
    frame = read({"qty": np.array([1, 2], np.int32), "price": [Decimal("1.5"), Decimal("2.25")]}, "demand")
    assert frame["qty"].dtype == pl.Int32
    assert frame["price"].to_list() == [Decimal("1.50"), Decimal("2.25")]


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "ipc", "feather", "ndjson", "jsonl", "csv"])
def test_the_same_rows_come_out_of_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"demand.{suffix}"
    text = FRAME.with_columns(pl.col("qty").cast(pl.String), pl.col("requested_at").dt.strftime("%Y-%m-%dT%H:%M:%S"))
    match suffix:
        case "parquet":
            FRAME.write_parquet(path)
        case "ndjson" | "jsonl":
            text.write_ndjson(path)
        case "csv":
            text.write_csv(path)
        case _:
            FRAME.write_ipc(path)
    found = read(str(path), "demand")
    assert found.with_columns(pl.col("qty").cast(pl.Decimal(18, 2))).equals(FRAME)


def test_csv_keeps_leading_zeros_exact_decimals_and_empty_cells(tmp_path: Path) -> None:
    lines = "line_id,sku,qty,needed_on,fill\n0001,007,33.60,2026-06-30,\n0002,008,5,,line\n"
    frame = read(csv(tmp_path, lines), "demand")
    assert frame.rows() == [
        ("0001", "007", Decimal("33.60"), dt.date(2026, 6, 30), None),
        ("0002", "008", Decimal("5.00"), None, "line"),
    ]


def test_csv_reads_further_columns_as_what_they_all_look_like(tmp_path: Path) -> None:
    lines = "line_id,qty,grade,code,since,weight,ok\n1,1,3,007,2026-01-01,0.50,true\n2,2,,8,2026-01-02,1,FALSE\n"
    frame = read(csv(tmp_path, lines), "demand").drop("line_id", "qty")
    assert frame.row(0) == (3, "007", dt.date(2026, 1, 1), Decimal("0.50"), True)
    assert frame.row(1) == (None, "8", dt.date(2026, 1, 2), Decimal("1.00"), False)


def test_csv_with_a_byte_order_mark_has_its_first_column(tmp_path: Path) -> None:
    assert read(csv(tmp_path, b"\xef\xbb\xbfline_id,qty\nL1,3\n"), "demand").columns == ["line_id", "qty"]


def test_every_cell_of_text_that_is_not_what_its_column_holds_is_named(tmp_path: Path) -> None:
    lines = (
        "line_id,qty,priority,needed_on,requested_at\n"
        "L1,three,1.5,30.06.2026,2026-06-30T10:00:00Z\n"
        "L2,1e3,high,2026-02-30,2026-06-30\n"
        "L3,1,1,2026-6-30,2026-06-30 10:00\n"
    )
    assert codes(csv(tmp_path, lines)) == [
        ("value_text", "needed_on", 0),
        ("value_text", "needed_on", 1),
        ("value_text", "needed_on", 2),
        ("value_text", "priority", 0),
        ("value_text", "priority", 1),
        ("value_text", "qty", 0),
        ("value_text", "qty", 1),
        ("value_text", "requested_at", 0),
    ]


def test_only_a_moment_is_told_that_a_day_needs_a_place(tmp_path: Path) -> None:
    def hint(text: str) -> str:
        with pytest.raises(InputError) as caught:
            read(csv(tmp_path, f"line_id,qty,needed_on\nL1,1,{text}\n"), "demand")
        return caught.value.problems[0].hint

    assert "zone of the warehouse" in hint("2026-06-30T10:00:00Z")
    assert hint("2026-13-01") == ""


def test_a_file_with_a_header_only_has_no_rows_and_one_without_anything_no_columns(tmp_path: Path) -> None:
    assert read(csv(tmp_path, "line_id,sku,qty\n"), "demand").shape == (0, 3)
    assert read(csv(tmp_path, ""), "demand").shape == (0, 0)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    assert codes(csv(tmp_path, "qty,sku,qty\n1,A,2\n")) == [("column_duplicate", "qty", None)]
    assert codes(pa.table([[1], [2]], names=["qty", "qty"])) == [("column_duplicate", "qty", None)]
    assert codes(pd.DataFrame([[1, 2]], columns=["qty", "qty"])) == [("column_duplicate", "qty", None)]


def test_lists_of_mixed_types_of_different_lengths_or_broken_text_are_refused() -> None:
    assert codes({"qty": [1, "2"], "sku": ["A", "B"]}) == [("column_type", "qty", None)]
    assert codes({"qty": [1, 2], "sku": ["A"]}) == [("row_count", "", None)]
    assert codes({"sku": ["\ud800"]}) == [("column_type", "sku", None)]
    assert codes({"sku": 3}) == [("column_type", "sku", None)]


def test_what_a_library_cannot_export_is_told_in_its_words() -> None:
    with pytest.raises(InputError, match="table_unreadable: demand"):
        read(pd.DataFrame({"qty": [1, "two", None]}), "demand")
    with pytest.raises(InputError, match="table_unreadable: demand"):
        read(FRAME.lazy().select("no such column"), "demand")


@pytest.mark.parametrize("thing", [None, 7, [1, 2], object(), b"bytes", np.zeros(3)])
def test_what_is_no_table_is_refused(thing: object) -> None:
    assert codes(thing) == [("table_unreadable", "", None)]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("missing.csv", None, "file_missing"),
        ("missing*.parquet", None, "file_missing"),
        ("table.xlsx", b"", "file_format"),
        ("table", b"", "file_format"),
        ("broken.parquet", b"PAR1 is not enough", "file_unreadable"),
        ("broken.arrow", b"ARROW?", "file_unreadable"),
        ("broken.ndjson", b'{"line_id": ', "file_unreadable"),
        ("latin.csv", b"line_id,sku\nL1,\xe9\xff\n", "file_unreadable"),
        ("ragged.csv", b"line_id,sku\nL1,A,more\n", "file_unreadable"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes | None, code: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert codes(path, FileError) == [(code, "", None)]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder.parquet"
    folder.mkdir()
    assert codes(folder, FileError) == [("file_unreadable", "", None)]


def test_text_that_cannot_be_read_hides_no_other_problem_of_its_row(tmp_path: Path) -> None:
    lines = "line_id,sku,qty,min_shelf_life_days,priority\nL1,,three,-2,\n,A,1,0,1\nL3,B,two,ten,x\nL4,B,2,0,0\n"
    with pytest.raises(InputError) as caught:
        allocate({"stock_id": [], "sku": [], "qty_on_hand": []}, csv(tmp_path, lines), as_of=dt.date(2026, 6, 30))
    assert [(p.code, p.column, p.row, p.value) for p in caught.value.problems] == [
        ("value_null", "line_id", 1, None),
        ("days_range", "min_shelf_life_days", 0, "-2"),
        ("value_text", "min_shelf_life_days", 2, "ten"),
        ("value_text", "priority", 2, "x"),
        ("value_text", "qty", 0, "three"),
        ("value_text", "qty", 2, "two"),
        ("value_null", "sku", 0, None),
    ]


def test_text_that_cannot_be_read_hides_no_other_problem_of_its_table(tmp_path: Path) -> None:
    lines = "line_id,sku,qty\nL1,A,three\nL2,A,1\nL3,,2\nL2,A,-4\n"
    stock = csv(tmp_path, "stock_id,sku,qty_on_hand\nS1,A,ten\nS2,A,-2\n", name="stock.csv")
    with pytest.raises(InputError) as caught:
        allocate(stock, csv(tmp_path, lines), as_of=dt.date(2026, 6, 30))
    assert [(p.code, f"{p.table}.{p.column}", p.row) for p in caught.value.problems] == [
        ("qty_out_of_range", "stock.qty_on_hand", 1),
        ("value_text", "stock.qty_on_hand", 0),
        ("id_duplicate", "demand.line_id", 3),
        ("qty_out_of_range", "demand.qty", 3),
        ("value_text", "demand.qty", 0),
        ("value_null", "demand.sku", 2),
    ]
    assert caught.value.problems[2].value == "L2, first in row 1"


def test_an_id_that_is_there_again_in_a_row_with_text_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    lines = "line_id,sku,qty\nL1,A,three\nL2,A,1\nL1,A,2\nL2,A,four\nL3,A,five\nL3,A,6\n"
    with pytest.raises(InputError) as caught:
        allocate({"stock_id": [], "sku": [], "qty_on_hand": []}, csv(tmp_path, lines), as_of=dt.date(2026, 6, 30))
    assert [(p.row, p.value) for p in caught.value.problems if p.code == "id_duplicate"] == [
        (2, "L1, first in row 0"),
        (3, "L2, first in row 1"),
        (5, "L3, first in row 4"),
    ]


def test_a_row_with_text_that_cannot_be_read_is_checked_beside_all_other_rows(tmp_path: Path) -> None:
    units = "A,X,1,,N1,W1\nB,X,abc,,N1,W1//\nC,X,1,2,N2,W1\nD,X,two,,N2,W1\n"
    stock = csv(tmp_path, f"stock_id,sku,qty_on_hand,qty_reserved,serial,location\n{units}", name="stock.csv")
    lines = "line_id,sku,qty,fill,unit,needed_on\nL1,X,1,most,box,tomorrow\n"
    with pytest.raises(InputError) as caught:
        allocate(stock, csv(tmp_path, lines), as_of=dt.date(2026, 6, 30))
    assert {(p.code, f"{p.table}.{p.column}", p.row) for p in caught.value.problems} == {
        ("value_text", "stock.qty_on_hand", 1),
        ("value_text", "stock.qty_on_hand", 3),
        ("value_null", "stock.qty_reserved", 0),
        ("value_null", "stock.qty_reserved", 1),
        ("value_null", "stock.qty_reserved", 3),
        ("reserved_above_on_hand", "stock.qty_reserved", 2),
        ("serial_duplicate", "stock.serial", 1),
        ("serial_duplicate", "stock.serial", 3),
        ("place_malformed", "stock.location", 1),
        ("value_text", "demand.needed_on", 0),
        ("fill_unknown", "demand.fill", 0),
        ("unit_unknown", "demand.unit", 0),
    }


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_decimal_that_is_no_number_is_told_as_that(value: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="a Decimal is NaN or infinite"):
        read({"line_id": ["L1"], "sku": ["A"], "qty": [Decimal(value)]}, "demand")
    assert capfd.readouterr().err == ""


def test_arrow_files_are_read_in_the_stream_format_too(tmp_path: Path) -> None:
    table = pl.DataFrame({"line_id": ["L1"], "sku": ["007"], "qty": [3]})
    for suffix in ("arrow", "ipc", "feather"):
        table.write_ipc_stream(tmp_path / f"demand.{suffix}")
        assert read(tmp_path / f"demand.{suffix}", "demand").equals(table)


def test_a_number_in_csv_that_does_not_fit_is_told_as_that_and_not_as_text(tmp_path: Path) -> None:
    lines = f"line_id,sku,qty,priority\nL1,A,{2**63},-{2**64}\nL2,A,two,1\nL3,A,{10**40},x\nL4,A,7,0\n"
    assert sorted(codes(csv(tmp_path, lines))) == [
        ("value_overflow", "priority", 0),
        ("value_overflow", "qty", 0),
        ("value_overflow", "qty", 2),
        ("value_text", "priority", 2),
        ("value_text", "qty", 1),
    ]
