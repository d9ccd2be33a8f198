"""SQLite on a disk that fails or is full: typed errors, and what was asked for happened once, or its key says no."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from allocator.errors import StoreError
from allocator.ledger import Ledger
from ledger import checks, failing_disk
from ledger.failing_disk import SYNCS, WRITES


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = failing_disk.compiled(tmp_path_factory.mktemp("library"))
    if made is None:
        pytest.skip("no C compiler, or not Linux: no disk can be made to fail")
    return made


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "calls, error, lasting",
    [
        pytest.param(WRITES, errno.EIO, False, id="a write fails"),
        pytest.param(WRITES, errno.ENOSPC, True, id="the disk is full from here on"),
        pytest.param(SYNCS, errno.EIO, False, id="what is written cannot be made durable"),
    ],
)
def test_wherever_the_disk_fails_the_key_says_what_is_so_before_and_after_a_crash(
    library: Path, tmp_path: Path, calls: int, error: int, lasting: bool, step: int
) -> None:
    told = failing_disk.failures(library, tmp_path, calls, error, lasting=lasting, step=1 if calls == SYNCS else step)
    for number, each in enumerate(told):
        assert each["code"] in ("", "outcome_unknown", "store_full", "store_failed"), each
        assert (each["known"] is None) <= (each["code"] != ""), "acknowledged, and not there"
        assert each["known"] is None or each["code"] in ("", "outcome_unknown"), "refused, and there"
        assert each["after"] == each["before"], "the crash changed the answer"
        assert each["repeat"] == each["after"] or each["after"] is None, "a repeat was answered otherwise"
        assert each["received"] == number + 1, "done twice, or not at all"
        assert not each["wrong"]
    failed = [each for each in told if each["failed"] and each["code"]]
    assert len(failed) >= (2 if calls == SYNCS else 40 // step)


def receive(ledger: Ledger, number: int) -> int:
    # A page or so each: the disk has room for some of them.
    given = {"sku": "BULK", "qty": 1, "location": "store", "attributes": {"remark": "x" * 4_000}}
    return ledger.post("receive", given, origin="supplier", document=f"GRN-{number}", actor="ana", key=f"GRN-{number}")


def receive_until_full(ledger: Ledger) -> str:
    """Receives until that fails; the key that failed."""
    with pytest.raises(StoreError) as failed:
        for number in range(10_000):
            receive(ledger, number)
    assert failed.value.code in ("store_full", "store_failed", "outcome_unknown")
    return f"GRN-{number}"


def room_again(ledger: Ledger, key: str) -> None:
    """What holds when there is room again: the key says what is so, and the ledger goes on."""
    number = int(key.removeprefix("GRN-"))
    before = checks.number(ledger, "SELECT sum(qty) FROM balance")
    known = ledger.outcome(key)
    assert before == number + (known is not None)
    assert receive(ledger, number) == (known or number + 2)
    receive(ledger, number + 1)
    assert checks.number(ledger, "SELECT sum(qty) FROM balance") == number + 2
    assert not checks.wrong(ledger)


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        ledger.define([{"sku": "BULK"}], actor="ana")
        yield ledger


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file of this process grows beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_may_not_grow_stops_the_ledger_and_does_not_break_it(tmp_path: Path) -> None:
    with opened(tmp_path) as ledger:
        with files_up_to(600_000):
            key = receive_until_full(ledger)
        room_again(ledger, key)


def test_a_full_disk_stops_the_ledger_and_does_not_break_it(tmp_path: Path) -> None:
    if os.geteuid() != 0 or mounted(tmp_path).returncode != 0:
        pytest.skip("only root can mount a disk that is small enough to be filled")
    try:
        with opened(tmp_path) as ledger:
            key = receive_until_full(ledger)
            subprocess.run(["mount", "-o", "remount,size=64m", tmp_path], check=True)
            room_again(ledger, key)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def mounted(folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    return subprocess.run(command, check=False, capture_output=True)
