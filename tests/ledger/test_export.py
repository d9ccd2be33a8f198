"""The ledger leaves and comes back: as tables, as backups, between the two stores; and nothing is ever replaced."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from allocator.errors import FileError, InputError
from allocator.ledger import Ledger, sheets
from allocator.ledger.backup import backup, restore
from allocator.ledger.export import export_ledger, import_ledger
from allocator.ledger.reports import audit
from allocator.ledger.sheets import defused, read_table, undefused, write_table
from allocator.ledger.verify import verify
from ledger_stores import TODAY, receive, shop

__all__ = ["shop"]


@pytest.fixture
def other_url(shop: Ledger, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The address of a second, empty store of the same kind."""
    if shop.store.dialect == "sqlite":
        return f"sqlite:///{tmp_path / 'second.db'}"
    server = request.getfixturevalue("postgres_server")
    name = server.create()
    request.addfinalizer(lambda: server.drop(name))
    return str(server.url(name))


def busy(ledger: Ledger) -> None:
    """Receipts, promises, shipments and notes, some of them with words that sheets would run."""
    receive(ledger, {"sku": "filter", "qty": 10, "location": "store"}, note='=HYPERLINK("http://evil")')
    receive(ledger, {"sku": "oil", "lot": "+A1", "qty": Decimal("33.60"), "location": "tank"}, document="@SUM(A1)")
    receive(ledger, {"sku": "gauge", "serial": "-1", "location": "'store'", "attributes": {"a": "ä", "b": "'=x"}})
    ledger.reserve([{"line_id": "L1", "sku": "filter", "qty": 9}], actor="bob", as_of=TODAY, key="order 1")
    ledger.post("ship", {"serial": "-1", "to_holder": "van"}, document="DC-1", actor="ana", key="ship 1")


@pytest.mark.parametrize("form", ["parquet", "csv", "xlsx"])
def test_export_import_export_gives_the_same_bytes(shop: Ledger, tmp_path: Path, form: str) -> None:
    busy(shop)
    said = export_ledger(shop, tmp_path / "first", form=form)
    with import_ledger(tmp_path / "first", f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert verify(copy).frame.is_empty()
        again = export_ledger(copy, tmp_path / "second", form=form)
        assert {n: t["sha256"] for n, t in again["tables"].items()} == {
            n: t["sha256"] for n, t in said["tables"].items()
        }
        assert copy.balances().equals(shop.balances())
        assert copy.outcome("order 1") == shop.outcome("order 1")
        copy.post("move", {"sku": "filter", "qty": 1, "location": "store", "to_location": "van"}, actor="ana")
        assert verify(copy).frame.is_empty(), "the chain goes on from where it was"


@pytest.mark.parametrize("there", [True, False], ids=["into an empty folder", "into a new folder"])
def test_an_export_that_fails_leaves_nothing_in_the_way_of_the_next(
    shop: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    folder = tmp_path / "out"
    if there:
        folder.mkdir()

    def full(frame: pl.DataFrame, path: Path) -> None:
        if "entry" in path.name:
            raise OSError(28, "No space left on device")
        path.write_text("x")

    with monkeypatch.context() as patch, pytest.raises(FileError) as caught:
        patch.setitem(sheets.WRITERS, ".csv", full)
        export_ledger(shop, folder, form="csv")
    assert caught.value.code == "file_unwritable"
    assert folder.exists() == there
    assert not list(tmp_path.glob("out/*"))
    export_ledger(shop, folder, form="csv")


def test_a_ledger_moves_from_one_kind_of_store_to_the_other(shop: Ledger, tmp_path: Path, postgres_url: str) -> None:
    busy(shop)
    export_ledger(shop, tmp_path / "out")
    url = postgres_url if shop.store.dialect == "sqlite" else f"sqlite:///{tmp_path / 'copy.db'}"
    with import_ledger(tmp_path / "out", url) as copy:
        assert verify(copy).frame.is_empty()
        assert copy.history("-1").equals(shop.history("-1"))


def test_a_changed_or_missing_file_is_not_imported(shop: Ledger, tmp_path: Path) -> None:
    busy(shop)
    export_ledger(shop, tmp_path / "out", form="csv")
    (tmp_path / "out" / "entry.csv").write_text("tampered")
    (tmp_path / "out" / "goods.csv").unlink()
    with pytest.raises(FileError) as caught:
        import_ledger(tmp_path / "out", f"sqlite:///{tmp_path / 'copy.db'}")
    assert sorted(problem.code for problem in caught.value.problems) == ["file_missing", "file_unreadable"]
    with pytest.raises(FileError):
        import_ledger(tmp_path / "nowhere", f"sqlite:///{tmp_path / 'copy.db'}")


@pytest.mark.parametrize(
    "said", ["[]", "{}", '{"tables": []}', '{"tables": {"tenant": 5}}', "[" * 10_000, "\\ud800", '{"tables": {}}'],
    ids=["a list", "nothing", "no names", "a number", "depth", "no json", "no tables"],
)  # fmt: skip
def test_a_manifest_that_is_none_is_told_as_such(tmp_path: Path, said: str) -> None:
    (tmp_path / "ledger.json").write_text(said)
    with pytest.raises(FileError, match="this is no manifest"):
        import_ledger(tmp_path, "sqlite://")


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("table", ["tenant", "txn", "goods", "balance"])
def test_tables_that_are_those_of_no_ledger_are_told_as_such(
    shop: Ledger, tmp_path: Path, form: str, table: str
) -> None:
    """Even where someone made the hashes fit."""
    receive(shop, {"sku": "gauge", "serial": "G-1", "location": "A"})
    changes: list[Callable[[pl.DataFrame], pl.DataFrame]] = [
        lambda frame: frame.clear(),
        lambda frame: frame.drop(frame.columns[-1]),
        lambda frame: pl.concat([frame, frame]),
        lambda frame: frame.with_columns(pl.lit("x").alias(frame.columns[-1])),
    ]
    for number, change in enumerate(changes):
        folder = tmp_path / f"{number}"
        export_ledger(shop, folder, form=form)
        file = folder / f"{table}.{form}"
        found = change(pl.read_parquet(file) if form == "parquet" else pl.read_csv(file, infer_schema=False))
        found.write_parquet(file) if form == "parquet" else found.write_csv(file)
        said = json.loads((folder / "ledger.json").read_text())
        said["tables"][table]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
        (folder / "ledger.json").write_text(json.dumps(said))
        try:
            with import_ledger(folder, "sqlite://") as restored:
                assert not verify(restored).clean, "what still fits into the tables is found by verify"
        except FileError as error:
            assert {problem.code for problem in error.problems} == {"file_unreadable"}


def test_nothing_that_is_there_is_replaced(shop: Ledger, other_url: str, tmp_path: Path) -> None:
    busy(shop)
    export_ledger(shop, tmp_path / "out")
    with pytest.raises(FileError):
        export_ledger(shop, tmp_path / "out")
    with pytest.raises(InputError) as caught:
        import_ledger(tmp_path / "out", shop.store.url)
    assert caught.value.code == "id_duplicate"
    backup(shop, tmp_path / "copy")
    with pytest.raises(FileError):
        backup(shop, tmp_path / "copy")
    restore(tmp_path / "copy", other_url)
    for url in (other_url, shop.store.url):
        with pytest.raises(InputError) as caught:
            restore(tmp_path / "copy", url)
        assert caught.value.code == "id_duplicate"
    assert verify(shop).frame.is_empty()


def test_a_restored_backup_is_what_was_committed_by_then_and_verifies(
    shop: Ledger, other_url: str, tmp_path: Path
) -> None:
    busy(shop)
    then = shop.balances()
    backup(shop, tmp_path / "copy")
    receive(shop, {"sku": "filter", "qty": 5, "location": "store"}, document="GRN-9")
    restore(tmp_path / "copy", other_url)
    with Ledger.open(other_url) as restored:
        assert verify(restored).frame.is_empty()
        assert restored.balances().equals(then)
        before = audit(restored)
        assert audit(shop).head(before.height).equals(before), "a prefix of what goes on"


def test_a_file_that_is_no_backup_is_refused(shop: Ledger, other_url: str, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"noise")
    attempts: list[Callable[[], None]] = [
        lambda: restore(tmp_path / "noise", other_url),
        lambda: restore(tmp_path / "nothing", other_url),
        lambda: backup(shop, tmp_path / "no folder" / "copy"),
    ]
    for attempt in attempts:
        with pytest.raises(FileError):
            attempt()


def test_a_cell_that_became_an_error_in_an_exported_sheet_is_told(tmp_path: Path) -> None:
    file = tmp_path / "line.xlsx"
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["line_id", "details"])
        sheet.write_row(1, 0, ["L1", ""])
        sheet.write(2, 0, "L2")
        sheet.write_formula(2, 1, "=NA()", None, "#N/A")
    with pytest.raises(FileError) as caught:
        read_table(file, {"line_id": pl.String, "details": pl.String})
    (problem,) = caught.value.problems
    assert (problem.code, problem.table, problem.column, problem.row, problem.value) == (
        "cell_error", "line", "details", 1, "#N/A"
    )  # fmt: skip


def test_no_cell_of_a_sheet_is_run(tmp_path: Path) -> None:
    risky = ["=1+1", "+1", "-1", "@x", "'=1", "'", "fine", "", None, "\uff1d1"]
    frame = pl.DataFrame({"note": risky, "qty": range(len(risky))})
    cells = defused(frame)["note"].to_list()
    assert not any(cell and cell[0] in "=+-@\uff1d" for cell in cells)
    assert undefused(defused(frame)).equals(frame)
    write_table(frame, tmp_path / "sheet.xlsx")
    assert pl.read_excel(tmp_path / "sheet.xlsx")["note"].to_list()[:5] == cells[:5]
    with pytest.raises(FileError):
        write_table(frame, tmp_path / "sheet.docx")
