"""Taking a file over on the command line: guess, try, mend, record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allocator.cli.app import BAD_INPUT, program
from allocator.ledger import Ledger

FILE = "Part No.;S/N;Bin\nCM500;A-1;store\nCM500;A-2;store\nCM50;A-3;store\n"
SAID = ("--ledger", "sqlite:///stock.db", "--actor", "ana", "--document", "GRN-7")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stock.csv").write_text(FILE, "utf-8")
    with Ledger.open("sqlite:///stock.db") as ledger:
        ledger.define([{"sku": "CM500", "tracking": "serial"}], actor="ana")
    return tmp_path


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]):
    def run(*args: str) -> tuple[int, str, str]:
        code = program(("import", "stock.csv", *args))
        return code, *capsys.readouterr()

    return run


def test_a_guess_is_a_mapping_to_begin_with(told, folder: Path) -> None:
    code, out, _ = told("--guess")
    assert code == 0
    (folder / "mine.toml").write_text(out, "utf-8")
    code, out, _ = told("-m", "mine.toml", *SAID, "--good-rows", "--json")
    assert (code, json.loads(out)["recorded"]) == (0, 2)


def test_a_dry_run_shows_every_bad_row_and_records_nothing(told) -> None:
    code, out, _ = told(*SAID, "--dry-run")
    assert code == BAD_INPUT
    assert "sku_unknown" in out
    assert "Part No." in out
    code, out, _ = told(*SAID, "--dry-run", "--good-rows", "--json")
    assert (json.loads(out)["recorded"], json.loads(out)["seqs"]) == (2, [])


def test_the_same_file_is_taken_over_once(told) -> None:
    first = told(*SAID, "--good-rows", "--json")
    assert told(*SAID, "--good-rows", "--json") == first
    assert json.loads(first[1])["bad"][0]["code"] == "sku_unknown"


def test_all_or_nothing_is_the_default_and_the_report_stays(told, folder: Path) -> None:
    code, _, err = told(*SAID, "--report", "bad.csv")
    assert code == BAD_INPUT
    assert "nothing was done" in err
    assert (folder / "bad.csv").read_text("utf-8").splitlines()[1].startswith("2,Part No.,CM50,sku_unknown")


def test_everything_that_was_given_wrongly_is_told_at_once(told, folder: Path) -> None:
    (folder / "mine.toml").write_text('days = "YY"\n', "utf-8")
    code, out, _ = told("-m", "mine.toml", "--day", "yesterday", "--packing-list", "none.txt", "--json")
    assert code == BAD_INPUT
    assert {problem["code"] for problem in json.loads(out)["problems"]} == {
        "setting_value", "argument_value", "file_missing", "argument_missing"
    }  # fmt: skip


def test_a_packing_list_is_a_text_with_a_number_or_range_a_line(told, folder: Path) -> None:
    (folder / "stock.csv").write_text("sku;serials;location\nCM500;A-1 to A-3;store\n", "utf-8")
    (folder / "packed.txt").write_text("A-1 to A-2\n\nA-4\n", "utf-8")
    code, out, _ = told(*SAID, "--packing-list", "packed.txt", "--json")
    assert code == BAD_INPUT
    assert [p["code"] for p in json.loads(out)["problems"]] == ["number_missing", "number_unlisted"]
