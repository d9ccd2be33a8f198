"""Stock that comes in files: other people's headers, dates and decimals, and rows that are wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from allocator.errors import AllocatorError, FileError, InputError
from allocator.ledger import Ledger, imports
from allocator.ledger.imports import import_stock
from allocator.model.importing import ImportMapping
from allocator.model.number import NumberRules

SAID: dict[str, Any] = {"actor": "ana", "origin": "supplier", "document": "GRN-7"}
GERMAN = ImportMapping(
    columns={"Artikel": "sku", "Menge": "qty", "Einheit": "unit", "MHD": "expires_on", "Charge": "lot"},
    constants={"location": "north/store"},
    units={"Karton": 12, "St": 1},
    days="DD.MM.YYYY",
    decimal=",",
    thousands=".",
    empty=("-",),
)
CHILLERS = NumberRules(
    formats={"chiller": {"pattern": "CM500-YYYY-NNNN"}},
    tracking=[{"sku": "CM500", "track": "serial", "format": "chiller"}],
)


@pytest.fixture
def ledger(empty_ledger: Ledger) -> Ledger:
    empty_ledger.define(
        [{"sku": "CM500", "tracking": "serial"}, {"sku": "gauge", "tracking": "serial"}, {"sku": "filter"}], actor="ana"
    )
    return empty_ledger


@pytest.fixture
def embedded() -> Iterator[Ledger]:
    with Ledger.open("sqlite://") as opened:
        opened.define(
            [{"sku": "CM500", "tracking": "serial"}, {"sku": "milk", "tracking": "lot", "scale": 2}, {"sku": "filter"}],
            actor="ana",
        )
        yield opened


def counted(ledger: Ledger, table: str) -> int:
    with ledger.store.session() as session:
        return int(session.rows(f"SELECT COUNT(*) FROM {table}")[0][0])


def on_hand(ledger: Ledger) -> list[tuple[Any, ...]]:
    sql = (
        "SELECT s.sku, g.lot, g.serial, a.location, b.qty FROM balance b JOIN goods g ON g.goods_id = b.goods_id "
        "JOIN sku s ON s.sku_id = b.sku_id JOIN account a ON a.account_id = b.account_id ORDER BY 1, 2, 3, 4"
    )
    with ledger.store.session() as session:
        return session.rows(sql)


def wrong(told: imports.ImportReport) -> list[tuple[Any, ...]]:
    return told.bad.select("row", "column", "value", "code").rows()


def units(count: int) -> pl.DataFrame:
    numbers = pl.int_range(count, eager=True).cast(pl.String).str.zfill(7)
    return pl.DataFrame({"sku": ["gauge"], "location": ["store"]}).join(
        pl.DataFrame({"serial": "G-" + numbers}), how="cross"
    )


# --- what files look like ---


def test_a_german_file_is_read_by_its_mapping(embedded: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "bestand.csv"
    path.write_text(
        "Artikel;Menge;Einheit;MHD;Charge\n milk ;1.200,50;St;01.03.2026;L1\nmilk;2;Karton;-;L2\n\n", encoding="utf-8"
    )
    told = import_stock(embedded, path, GERMAN, **SAID)
    assert (told.rows, told.recorded, told.rows_bad) == (2, 2, 0)
    assert on_hand(embedded) == [("milk", "L1", "", "north/store", 120050), ("milk", "L2", "", "north/store", 2400)]
    with embedded.store.session() as session:
        assert session.rows("SELECT expires_on FROM goods ORDER BY lot") == [
            ((dt.date(2026, 3, 1) - dt.date(1970, 1, 1)).days,),
            (None,),
        ]


@pytest.mark.parametrize(
    ("line", "column", "code"),
    [
        ("milk;1.20,50;St;;L1", "Menge", "value_text"),
        ("milk;12.5;St;;L1", "Menge", "value_text"),
        ("milk;1;Palette;;L1", "Einheit", "unit_unknown"),
        ("milk;1;St;31.02.2026;L1", "MHD", "value_text"),
        ("milk;1;St;2026-03-01;L1", "MHD", "value_text"),
        ("milk;1,005;St;;L1", "Menge", "qty_step"),
        ("milk;0;St;;L1", "Menge", "qty_out_of_range"),
        ("milk;;St;;L1", "Menge", "value_null"),
        ("milk;1;St;;", "Charge", "tracking_mismatch"),
        ("milch;1;St;;L1", "Artikel", "sku_unknown"),
        ("milk;1;St;;L\u200b1", "Charge", "value_text"),
    ],
)
def test_a_cell_that_is_wrong_is_named_as_the_file_names_it(
    embedded: Ledger, tmp_path: Path, line: str, column: str, code: str
) -> None:
    path = tmp_path / "bestand.csv"
    path.write_text(f"Artikel;Menge;Einheit;MHD;Charge\nmilk;1;St;;L0\n{line}\n", encoding="utf-8")
    told = import_stock(embedded, path, GERMAN, **SAID, dry_run=True)
    assert told.bad.select("row", "column", "code").rows() == [(1, column, code)]
    assert told.recorded == 0


def test_a_workbook_holds_typed_days_numbers_and_serials_with_leading_zeros(embedded: Ledger, tmp_path: Path) -> None:
    book = xlsxwriter.Workbook(tmp_path / "stock.xlsx")
    book.add_worksheet("Read me").write(0, 0, "nothing here")
    sheet = book.add_worksheet("Stock")
    sheet.write(0, 0, "Stock of the day")
    sheet.write_row(1, 0, ["Item", "Lot", "Qty", "Use by", "Warehouse", "Remark"])
    day = book.add_format({"num_format": "dd.mm.yyyy"})
    sheet.write_row(2, 0, ["milk", "007", 33.6])
    sheet.write_datetime(2, 3, dt.datetime(2026, 3, 1), day)
    sheet.write(2, 4, "store")
    sheet.write_row(3, 0, ["milk", "008", 5, "02.03.2026", "store"])
    book.close()
    guessed = ImportMapping.guess(["Item", "Lot", "Qty", "Use by", "Warehouse"])
    mapping = guessed.model_copy(
        update={"sheet": "Stock", "header_row": 1, "ignore": ("Remark",), "days": "DD.MM.YYYY", "decimal": ","}
    )
    import_stock(embedded, tmp_path / "stock.xlsx", mapping, **SAID)
    assert on_hand(embedded) == [("milk", "007", "", "store", 3360), ("milk", "008", "", "store", 500)]
    with pytest.raises(InputError) as caught:
        import_stock(embedded, tmp_path / "stock.xlsx", mapping.model_copy(update={"sheet": "Stok"}), **SAID)
    assert caught.value.code == "setting_value"


def test_custom_fields_become_attributes_and_further_numbers_are_checked(embedded: Ledger) -> None:
    table = {
        "sku": ["CM500", "CM500", "CM500"],
        "serial": ["A1", "A2", "A3"],
        "location": ["store"] * 3,
        "IMEI": ["35-209900-176148-1", "352099001761482", "352099001761481"],
        "Colour": ["red", None, "blue"],
    }
    mapping = ImportMapping.guess(table).model_copy(update={"further": "attributes"})
    told = import_stock(embedded, table, mapping, **SAID, good_rows_only=True)
    assert wrong(told) == [
        (1, "IMEI", "352099001761482", "check_digit_wrong"),
        (2, "IMEI", "352099001761481", "number_duplicate"),
    ]
    with embedded.store.session() as session:
        assert session.rows("SELECT name, value FROM attribute") == [("Colour", "red")]
        assert session.rows("SELECT value FROM number WHERE kind = 'imei'") == [("352099001761481",)]


def test_every_header_must_be_spoken_of(embedded: Ledger) -> None:
    table = {"Item No.": ["filter"], "Quantty": [3], "Remark": ["old"]}
    with pytest.raises(InputError) as caught:
        import_stock(embedded, table, **SAID, dry_run=True)
    found = {(problem.code, problem.column): problem.hint for problem in caught.value.problems}
    assert set(found) == {
        ("setting_unknown", "Quantty"), ("setting_unknown", "Remark"), ("column_missing", "location")
    }  # fmt: skip
    assert found["setting_unknown", "Quantty"].startswith("Did you mean 'qty'?")
    mapping = ImportMapping(columns={"Item No.": "sku", "Menge": "qty"}, further="ignore", constants={"location": "s"})
    with pytest.raises(InputError) as caught:
        import_stock(embedded, table, mapping, **SAID)
    assert [(p.code, p.column) for p in caught.value.problems] == [("column_missing", "Menge")]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("stock.csv", b"sku,qty\nfilter,\xff\xfe\n", "file_unreadable"),
        ("stock.csv", b"sku,qty,location\nfilter,1,a,b,c\n", "cells_surplus"),
        ("stock.csv", b"sku,sku\nfilter,1\n", "column_duplicate"),
        ("stock.csv", b"", "column_missing"),
        ("stock.xlsx", b"sku,qty\n", "file_unreadable"),
        ("stock.doc", b"", "file_format"),
        ("none.csv", None, "file_missing"),
        ("none.xlsx", None, "file_missing"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(
    embedded: Ledger, tmp_path: Path, name: str, content: bytes | None, code: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(AllocatorError) as caught:
        import_stock(embedded, tmp_path / name, **SAID)
    assert caught.value.code == code


@pytest.mark.parametrize("said", [{}, {"dry_run": True}, {"good_rows_only": True}], ids=["all", "dry", "good rows"])
@pytest.mark.parametrize(
    ("content", "further"),
    [("sku,qty,location\n", set()), ("sku,qty,location\n\n,,\n", set()), ("", {"column_missing"}),
     ("sku,Remark\n", {"column_missing", "setting_unknown"})],
    ids=["a header", "blank rows", "nothing", "another header"],
)  # fmt: skip
def test_a_file_without_rows_is_refused_with_all_else_that_is_wrong(
    embedded: Ledger, tmp_path: Path, content: str, further: set[str], said: dict[str, Any]
) -> None:
    (tmp_path / "stock.csv").write_text(content)
    with pytest.raises(InputError, match="there is no row beneath the header") as caught:
        import_stock(embedded, tmp_path / "stock.csv", **SAID, **said)
    assert {problem.code for problem in caught.value.problems} == {"argument_value"} | further
    assert counted(embedded, "txn") == 1


# --- all or nothing, good rows only, dry run ---


@pytest.fixture
def spoiled() -> pl.DataFrame:
    """Forty units in parts of ten: one is there already, one comes twice, one has no serial, one SKU is unknown."""
    table = units(40).with_row_index("n")
    serial = pl.when(pl.col.n == 12).then(pl.lit("G-0000003")).when(pl.col.n == 25).then(None).otherwise("serial")
    sku = pl.when(pl.col.n == 33).then(pl.lit("gauje")).otherwise("sku")
    return table.with_columns(serial=serial, sku=sku).drop("n")


SPOILED = [
    (7, "serial", "G-0000007", "number_taken"),
    (12, "serial", "G-0000003", "number_duplicate"),
    (25, "serial", None, "tracking_mismatch"),
    (33, "sku", "gauje", "sku_unknown"),
]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PART_LINES", 10)


@pytest.mark.usefixtures("small_parts")
def test_all_or_nothing_takes_back_the_parts_that_were_good(ledger: Ledger, spoiled: pl.DataFrame) -> None:
    ledger.post("receive", {"sku": "gauge", "serial": "G-0000007", "location": "store"}, **SAID)
    before = {table: counted(ledger, table) for table in ("txn", "goods", "entry", "balance", "number", "account")}
    with pytest.raises(InputError) as caught:
        import_stock(ledger, spoiled, **SAID, key="k")
    assert [(p.row, p.column, p.value, p.code) for p in caught.value.problems] == SPOILED
    late = spoiled.with_columns(sku=pl.lit("gauge"), serial=pl.format("G-1{}", pl.int_range(40)))
    late = late.with_columns(serial=pl.when(pl.int_range(40) == 39).then(pl.lit("G-0000007")).otherwise("serial"))
    with pytest.raises(InputError) as caught:
        import_stock(ledger, late, **SAID, key="k")
    assert [(p.row, p.code) for p in caught.value.problems] == [(39, "number_taken")]
    assert {table: counted(ledger, table) for table in before} == before
    assert ledger.outcome("k") is None


@pytest.mark.usefixtures("small_parts")
def test_good_rows_only_takes_the_others_and_tells_of_every_bad_one(ledger: Ledger, spoiled: pl.DataFrame) -> None:
    ledger.post("receive", {"sku": "gauge", "serial": "G-0000007", "location": "store"}, **SAID)
    dry = import_stock(ledger, spoiled, **SAID, good_rows_only=True, dry_run=True)
    assert counted(ledger, "goods") == 1
    told = import_stock(ledger, spoiled, **SAID, good_rows_only=True)
    assert wrong(told) == SPOILED
    assert (told.rows, told.recorded, told.rows_bad, len(told.seqs)) == (40, 36, 4, 4)
    assert counted(ledger, "goods") == 37
    assert (dry.recorded, dry.bad.equals(told.bad), dry.seqs, dry.dry_run) == (36, True, (), True)


@pytest.mark.usefixtures("small_parts")
def test_a_clean_file_is_one_commit_under_one_document(ledger: Ledger) -> None:
    done: list[tuple[int, int]] = []
    told = import_stock(ledger, units(35), **SAID, progress=lambda *figures: done.append(figures), key="k")
    assert (told.recorded, told.bad.height) == (35, 0)
    assert done == [(10, 35), (20, 35), (30, 35), (35, 35)]
    with ledger.store.session() as session:
        rows = session.rows("SELECT seq, document, details FROM txn WHERE type = 'receive' ORDER BY seq")
    assert [(seq, document) for seq, document, _ in rows] == [(seq, "GRN-7") for seq in told.seqs]
    assert rows[-1][2] == '{"file": "", "part": 4, "parts": 4}'
    again = import_stock(ledger, units(35), **SAID, key="k")
    assert again.seqs == told.seqs
    assert counted(ledger, "goods") == 35
    with pytest.raises(InputError) as caught:
        import_stock(ledger, units(36), **SAID, key="k")
    assert caught.value.code == "key_reused"


@pytest.mark.usefixtures("small_parts")
def test_an_import_that_was_cut_off_goes_on_where_it_was(ledger: Ledger, spoiled: pl.DataFrame) -> None:
    def cut(done: int, _: int) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_stock(ledger, spoiled, **SAID, good_rows_only=True, key="k", progress=cut)
    assert counted(ledger, "goods") in range(1, 37)
    told = import_stock(ledger, spoiled, **SAID, good_rows_only=True, key="k")
    assert (told.recorded, counted(ledger, "goods")) == (37, 37)
    assert wrong(told) == SPOILED[1:]


def test_another_writer_goes_on_after_an_import(ledger: Ledger) -> None:
    import_stock(ledger, units(3), **SAID)
    seq = ledger.post("move", {"serial": "G-0000001", "to_location": "shelf"}, actor="ana")
    assert import_stock(ledger, {"sku": ["filter"], "qty": [4], "location": ["shelf"]}, **SAID).seqs == (seq + 1,)


# --- registration of ranges (SN-4) ---


RANGE = {"sku": ["CM500"], "serials": ["CM500-2025-0046 to CM500-2025-0070"], "location": ["store"], "qty": [25]}


def test_a_range_of_25_is_registered_against_its_packing_list(ledger: Ledger) -> None:
    packed = ["CM500-2025-0046..CM500-2025-0060", "CM500-2025-0061..CM500-2025-0070"]
    told = import_stock(ledger, RANGE, **SAID, rules=CHILLERS, packing_list=packed)
    assert (told.rows, told.lines, told.recorded) == (1, 25, 25)
    assert on_hand(ledger)[0] == ("CM500", "", "CM500-2025-0046", "store", 1)


def test_one_unit_that_is_not_on_the_packing_list_refuses_the_range(embedded: Ledger) -> None:
    packed = ["CM500-2025-0046..CM500-2025-0069", "CM500-2025-0071"]
    with pytest.raises(InputError) as caught:
        import_stock(embedded, RANGE, **SAID, rules=CHILLERS, packing_list=packed)
    assert [(p.code, p.row, p.value) for p in caught.value.problems] == [
        ("number_missing", None, "CM500-2025-0071"),
        ("number_unlisted", 0, "CM500-2025-0070"),
    ]
    assert counted(embedded, "goods") == 0
    with pytest.raises(InputError) as caught:
        import_stock(embedded, RANGE, **SAID, packing_list=packed, good_rows_only=True)
    assert caught.value.code == "setting_conflict"


def test_each_bad_range_of_many_is_told(embedded: Ledger) -> None:
    cells = [f"CM500-2025-{n:04}; CM500-2025-{n + 5000:04}" for n in range(300)]
    cells[17], cells[250] = "CM500-2025-9000 to CM500-2025-8999", "CM500-25-1"
    table = {"sku": ["CM500"] * 300, "serials": cells, "location": ["store"] * 300}
    told = import_stock(embedded, table, **SAID, rules=CHILLERS, good_rows_only=True)
    assert {(row, code) for row, _, _, code in wrong(told)} >= {(17, "range_reversed"), (250, "number_pattern")}
    assert (told.rows_bad, told.recorded) == (2, 596)
    other = import_stock(embedded, RANGE | {"qty": [24]}, **SAID, rules=CHILLERS, dry_run=True)
    assert wrong(other) == [(0, "qty", "24", "serial_quantity")]


def test_a_serial_of_another_format_is_refused(embedded: Ledger) -> None:
    table = {"sku": ["CM500", "CM500"], "serial": ["cm500-2025-0001", "X-1"], "location": ["s", "s"]}
    told = import_stock(embedded, table, **SAID, rules=CHILLERS, good_rows_only=True)
    assert wrong(told) == [(1, "serial", "X-1", "number_pattern")]
    assert on_hand(embedded)[0][2] == "CM500-2025-0001"


# --- origins (SN-3), the report ---


@pytest.mark.parametrize(
    ("origin", "said", "code"),
    [
        ("supplier", {}, "document_missing"),
        ("found", {"reason": "count"}, "note_missing"),
        ("migration", {}, "reason_missing"),
        ("moon", {}, "argument_value"),
        ("transfer", {"document": "DC-1"}, "argument_value"),
    ],
)
def test_each_origin_needs_what_it_needs(embedded: Ledger, origin: str, said: dict[str, str], code: str) -> None:
    with pytest.raises(InputError) as caught:
        import_stock(embedded, RANGE, actor="ana", origin=origin, **said)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_found_stock_is_taken_with_its_reason_and_note(embedded: Ledger) -> None:
    table = {"sku": ["filter"], "qty": [3], "location": ["store"]}
    told = import_stock(embedded, table, actor="ana", origin="found", reason="count", note="behind the shelf, by Ben")
    assert told.recorded == 1


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_report_is_written_though_nothing_is_recorded_and_no_cell_is_a_formula(
    embedded: Ledger, tmp_path: Path, suffix: str
) -> None:
    table = {"sku": ["=cmd()", "filter"], "qty": [1, 2], "location": ["store", "store"]}
    with pytest.raises(InputError):
        import_stock(embedded, table, **SAID, report=tmp_path / f"bad{suffix}")
    read = pl.read_csv if suffix == ".csv" else pl.read_parquet
    row = read(tmp_path / f"bad{suffix}").row(0, named=True)
    assert (row["row"], row["column"], row["code"]) == (0, "sku", "sku_unknown")
    assert row["value"] == ("'=cmd()" if suffix == ".csv" else "=cmd()")
    with pytest.raises(FileError) as caught:
        import_stock(embedded, table, **SAID, report=tmp_path / "bad.txt")
    assert caught.value.code == "file_format"
