"""The tests can fail: each defect that is sown into the ledger is noticed by one of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
FAILED, NOTICED = 1, re.compile(r"^(?:FAILED|ERROR) \S+::(\w+)", re.M)
NAMES = [mutant.what for mutant in MUTANTS]


def sown(mutant: Mutant, folder: Path) -> None:
    """Copies the package into a folder, with the defect in it."""
    shutil.copytree(ROOT / "python" / "allocator", folder / "allocator", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "allocator" / "ledger" / mutant.file
    text = path.read_text(encoding="utf-8")
    for before, after in zip(mutant.text.split("|"), mutant.instead.split("|"), strict=True):
        assert before in text, f"{mutant.file} has changed: the defect finds no place in it"
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


def noticed_by(mutant: Mutant, folder: Path) -> str | None:
    """The test that fails with the defect; None where none does."""
    sown(mutant, folder)
    command = [sys.executable, "-m", "pytest", "-x", "-W", "ignore", str(ROOT / "tests" / "ledger" / mutant.tests)]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert run.returncode in (0, FAILED), run.stdout + run.stderr
    found = NOTICED.search(run.stdout)
    return found[1] if run.returncode == FAILED and found else None


def test_there_are_enough_defects_and_each_finds_its_place() -> None:
    assert len(set(NAMES)) == len(MUTANTS) >= 30
    for mutant in MUTANTS:
        text = (ROOT / "python" / "allocator" / "ledger" / mutant.file).read_text(encoding="utf-8")
        assert all(part in text for part in mutant.text.split("|")), mutant.what
        assert mutant.text != mutant.instead, mutant.what


def test_the_page_of_defects_lists_each_with_the_test_that_notices_it() -> None:
    page = (ROOT / "docs" / "ledger-mutants.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| `(\w+)` \|$", page, re.M)
    assert [(what, place) for what, place, _ in rows] == [(each.what, each.file) for each in MUTANTS]
    for mutant, (_, _, test) in zip(MUTANTS, rows, strict=True):
        assert f"def {test}(" in (Path(__file__).parent / mutant.tests).read_text(encoding="utf-8"), test


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=NAMES)
def test_a_defect_is_noticed(mutant: Mutant, tmp_path: Path) -> None:
    assert noticed_by(mutant, tmp_path) is not None
