"""Receipts on a disk that fails at every call in turn, in a process that dies right after: a program of its own.

It runs with `failing_disk.c` loaded, and prints one line of JSON for each failure: what the caller was told, what the
key answered before the crash, and what it answered after it.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from allocator.ledger import Ledger
from ledger import checks

SOURCE = Path(__file__).with_suffix(".c")
WRITES, SYNCS = 1, 2


class Fault(NamedTuple):
    """The disk fails after so many calls of a kind, with an error; once, or from then on."""

    after: int
    calls: int
    error: int
    lasting: int


def compiled(folder: Path) -> Path | None:
    """The library that makes the disk fail; None where it cannot be made."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    library = folder / "failing_disk.so"
    command = [compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"]
    subprocess.run(command, check=True)
    return library


def failures(library: Path, folder: Path, calls: int, error: int, *, lasting: bool, step: int) -> list[dict[str, Any]]:
    """Runs this program on a disk on which one call in so many (`step`) fails with an error; what it printed."""
    done = subprocess.run(
        [sys.executable, __file__, library, folder, str(step), str(calls), str(error), str(int(lasting))],
        env=os.environ | {"LD_PRELOAD": str(library), "FAILING": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(library: str, folder: str, step: str, *fault: str) -> None:
    disk = ctypes.CDLL(library)
    url = f"sqlite:///{folder}/ledger.db"
    with Ledger.open(url) as ledger:
        ledger.define([{"sku": "BULK"}], actor="ana")
    failed = True
    for after in itertools.count(step=int(step)):
        if not failed:
            return
        failed = False
        for goes_on in (False, True):
            key = f"receipt {after} {goes_on}"
            told = in_a_process_that_dies(
                partial(receive_on, disk, url, Fault(after, *map(int, fault)), key, goes_on=goes_on)
            )
            with Ledger.open(url) as ledger:
                told["after"] = ledger.outcome(key)
                told["repeat"] = receive(ledger, key)
                told["wrong"] = checks.wrong(ledger)
                told["received"] = checks.number(ledger, "SELECT sum(qty) FROM balance")
            sys.stdout.write(json.dumps(told) + "\n")
            failed |= told["failed"] > 0


def receive(ledger: Ledger, key: str) -> int:
    given = {"sku": "BULK", "qty": 1, "location": "store"}
    return ledger.post("receive", given, origin="supplier", document=key, actor="ana", key=key)


def receive_on(disk: Any, url: str, fault: Fault, key: str, *, goes_on: bool) -> dict[str, Any]:
    """One receipt while the disk fails; then the disk works again, the key is asked for, and perhaps sent again."""
    # The other one keeps the file in use, as a busy process does: what is written is not tidied up before the crash.
    ledger, other = Ledger.open(url), Ledger.open(url)
    other.outcome("none")
    disk.disk_fails(*fault)
    try:
        receive(ledger, key)
        code = ""
    except Exception as failure:
        code = getattr(failure, "code", type(failure).__name__)
    failed = disk.disk_works()
    known = ledger.outcome(key)
    return {"code": code, "failed": failed, "known": known, "before": receive(ledger, key) if goes_on else known}


def in_a_process_that_dies(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a call returns in a process that is killed before it can close anything."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writes, json.dumps(call()).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writes)
    with os.fdopen(reads) as lane:
        said = lane.read()
    os.waitpid(child, 0)
    return json.loads(said)


if __name__ == "__main__":
    main(*sys.argv[1:])
