"""A storekeeper's morning on the command line, from an empty folder to a verified backup."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from allocator.cli.app import program
from ledger_stores import TODAY

URL = "sqlite:///stock.db"
GRN = (
    "sku,serial,qty,lot,location\nfilter,,10,,north/store\ngauge,007,,,north/store\ngauge,008,,,north\n"
    "oil,,33.60,A105,tank\n"
)
SKUS = 'skus = [{sku = "filter"}, {sku = "oil", tracking = "lot", scale = 2},\n{sku = "gauge", tracking = "serial"}]\n'


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command in a folder of its own: its exit code, what it says, what it complains about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALLOCATOR_ACTOR", "ana")
    (tmp_path / "grn.csv").write_text(GRN)
    (tmp_path / "skus.toml").write_text(SKUS)
    (tmp_path / "orders.csv").write_text("line_id,sku,qty\nL1,filter,12\n")
    (tmp_path / "deep.json").write_text("[" * 100_000)

    def run(*args: str) -> tuple[int, str, str]:
        code = program(args)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def shop(told):
    """A ledger with a receipt in it."""
    for args in (
        ("init", URL),
        ("define", URL, "skus.toml"),
        ("post", URL, "receive", "grn.csv", "--origin", "supplier", "--document", "GRN-1"),
    ):
        code, _, err = told("ledger", *args)
        assert (code, err) == (0, "")
    return told


def answer(told, *args: str):
    code, out, err = told(*args, "--json")
    assert (code, err) == (0, ""), out
    return json.loads(out)


def test_what_was_received_is_there_and_serials_keep_their_zeros(shop) -> None:
    rows = answer(shop, "ledger", "balances", URL, "--by", "sku,location")["rows"]
    assert [(row["sku"], row["location"], row["on_hand"]) for row in rows] == [
        ("filter", "north/store", "10.00"), ("gauge", "north", "1.00"), ("gauge", "north/store", "1.00"),
        ("oil", "tank", "33.60"),
    ]  # fmt: skip
    assert answer(shop, "ledger", "state", URL, "007")["location"] == "north/store"


def test_a_unit_tells_its_history_in_plain_words(shop) -> None:
    shop("ledger", "post", URL, "ship", "--line", "serial=007,to_holder=van 3", "--document", "DC-1")
    code, out, _ = shop("ledger", "history", URL, "007")
    assert code == 0
    assert "supplier → stock, north/store, Available" in out
    assert "stock → transit, holder van 3" in out and "DC-1" in out
    assert answer(shop, "ledger", "where", URL, "DC-1")["rows"][0]["holder"] == "van 3"


def test_an_order_is_promised_and_a_shortage_fails_only_on_request(shop) -> None:
    order = ("ledger", "reserve", URL, "orders.csv", "--as-of", TODAY.isoformat(), "--key", "order 1")
    code, out, _ = shop(*order)
    assert code == 0 and "insufficient" in out
    assert answer(shop, "ledger", "promises", URL)["rows"][0]["qty"] == "10.00"
    again = shop(*order, "--fail-short")
    assert again[0] == 1 and "Transaction 3." in again[1], "the same key is answered, not done again"


def test_every_report_is_shown_and_written(shop, tmp_path: Path) -> None:
    for name in ("serials", "availability", "activity", "service", "warranty", "audit"):
        code, _, err = shop("ledger", "report", URL, name)
        assert (code, err) == (0, ""), name
    code, out, _ = shop("ledger", "report", URL, "serials", "--location", "north", "--out", "units.xlsx")
    assert code == 0 and "Wrote 2 rows" in out
    assert pl.read_excel("units.xlsx")["serial"].to_list() == ["007", "008"]
    Path("notice.txt").write_text("Lots A104 thru A106, see label 77-X")
    code, out, _ = shop("ledger", "report", URL, "recall", "--text", "notice.txt")
    assert code == 0 and "A105" in out and "read it yourself" in out


def test_whom_to_tell_is_shown_from_the_last_that_was_told(shop) -> None:
    shop("ledger", "post", URL, "change_status", "--line", "serial=007,to_status=Quarantine")
    rows = answer(shop, "ledger", "notices", URL, "--since", "2")["rows"]
    assert [(row["notice"], row["to"]) for row in rows] == [
        ("quality issue", "quality"),
        ("status change", "operations"),
    ]
    assert answer(shop, "ledger", "notices", URL, "--since", "3")["rows"] == []


def test_a_ledger_is_verified_backed_up_exported_and_restored(shop) -> None:
    assert answer(shop, "verify", URL)["clean"]
    for args in (("backup", URL, "copy.db"), ("restore", "copy.db", "sqlite:///again.db"),
                 ("export", URL, "out", "--format", "csv"), ("restore", "out", "sqlite:///third.db")):  # fmt: skip
        code, _, err = shop(*args)
        assert (code, err) == (0, ""), args
    assert answer(shop, "ledger", "balances", "sqlite:///third.db") == answer(shop, "ledger", "balances", URL)
    assert [shop(*args)[0] for args in (("backup", URL, "copy.db"), ("restore", "copy.db", URL))] == [2, 2]


def test_a_ledger_that_someone_changed_fails_to_verify(shop) -> None:
    import pysqlite3  # noqa: PLC0415 - that of the ledger, for a vandal

    with pysqlite3.connect("stock.db") as vandal:
        vandal.execute("UPDATE balance SET qty = qty + 1 WHERE unit = 0")
    vandal.close()
    code, out, _ = shop("verify", URL)
    assert code == 1 and "findings" in out


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("ledger", "balances", "sqlite:///nowhere.db"), "file_missing"),
        (("ledger", "balances", URL, "--tenant", "nobody"), "argument_value"),
        (("ledger", "balances", URL, "--by", "colour"), "argument_value"),
        (("ledger", "balances", URL, "--at", "yesterday"), "argument_value"),
        (("ledger", "balances", URL, "--at", "999"), "transaction_unknown"),
        (("ledger", "history", URL, "G-77"), "goods_unknown"),
        (("ledger", "post", URL, "receive", "nothing.csv", "--origin", "supplier"), "file_missing"),
        (("ledger", "post", URL, "ship", "--line", "serial"), "argument_value"),
        (("ledger", "post", URL, "teleport", "--line", "serial=007"), "transaction_unknown"),
        (("ledger", "report", URL, "recall"), "argument_value"),
        (("ledger", "define", URL, "grn.toml"), "file_missing"),
        (("verify", "mysql://x"), "store_url"),
        (("verify", "postgresql://[::1"), "store_url"),
        (("ledger", "define", URL, "deep.json"), "document_syntax"),
        (("ledger", "init", "sqlite:///a\0b"), "store_url"),
        (("ledger", "init", "sqlite:///\udcff"), "store_url"),
        (("ledger", "balances", URL, "--out", "\udcff.csv"), "file_unwritable"),
        (("verify", "sqlite:///grn.csv"), "store_unsafe"),
        (("restore", "grn.csv", "sqlite:///x.db"), "file_unreadable"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_gets_a_code_and_nothing_is_made(shop, args: tuple[str, ...], code: str) -> None:
    before = sorted(Path().iterdir())
    left, out, _ = shop(*args, "--json")
    assert left == 2
    assert json.loads(out)["problems"][0]["code"] == code
    assert sorted(Path().iterdir()) == before


def test_the_types_of_transaction_are_listed_with_what_they_need(told) -> None:
    assert {"type": "scrap", "does": "Goods are disposed of.", "needs": "reason"} in answer(told, "ledger", "types")


def test_what_is_due_to_be_forgotten_is_shown_and_purged_on_request(shop) -> None:
    Path("keep.toml").write_text('rules = [{name = "house", keep_years = 5}]')
    note = ("--line", "serial=007,event=contact,note=Mr Smith", "--day", "2000-01-01")
    shop("ledger", "post", URL, "note", *note)
    shop("ledger", "post", URL, "scrap", "--line", "serial=007", "--reason", "broken", "--day", "2000-01-01")
    later = ("--rules", "keep.toml", "--on", "2099-01-01")
    rows = answer(shop, "ledger", "retention", URL, *later)["rows"]
    assert [row["decision"] for row in rows if row["serial"]] == ["purge", "keep"]
    code, out, _ = shop("ledger", "retention", URL, *later, "--purge", "--reason", "GDPR", "--archive", "old.csv")
    assert code == 0 and "purge." in out
    assert "Mr Smith" in Path("old.csv").read_text()
    assert "Mr Smith" not in shop("ledger", "history", URL, "007", "--json")[1]
    assert shop("ledger", "retention", URL, *later, "--purge", "--reason", "GDPR", "--archive", "old.csv")[0] == 2
    assert answer(shop, "verify", URL)["clean"]
