"""Peak memory of an allocation from frames, beyond the frames themselves.

The world is made by one process and kept in files. Another reads it, sets the system's high-water mark back, allocates,
looks at `lines` and `allocations`, and reads the mark. `beyond` is the mark less the program without tables and less
both frames, as a multiple of the frames: an upper bound, since memory that reading freed and kept counts too.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

import allocator
import product
import worlds

MOST = {1_000_000: 2.2, 10_000_000: 2.0}
"""What an allocation of so many rows may need beyond its tables, as a multiple of them: threads and libraries weigh
more beside small ones."""


def status_bytes(name: str) -> int:
    """A line of /proc/self/status, such as VmRSS or VmHWM."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) * 1024


def make(work: str, rows: int, folder: Path) -> None:
    """Keeps a world in files."""
    for name, table in zip(("stock", "demand"), product.tables(work, *worlds.frames(worlds.spread(rows))), strict=True):
        table.rechunk().write_parquet(folder / f"{name}.parquet")


def measure(work: str, folder: Path) -> dict[str, float]:
    """The peak of one run, in this process."""
    policy = product.policy(work)
    few = product.tables(work, *worlds.frames(worlds.spread(1_000)))
    assert allocator.allocate(*few, policy, as_of=worlds.AS_OF).lines.height == 1_000
    program = status_bytes("VmRSS")
    stock, demand = (pl.read_parquet(folder / f"{name}.parquet").rechunk() for name in ("stock", "demand"))
    given = stock.estimated_size() + demand.estimated_size()
    gc.collect()
    time.sleep(3)  # what reading freed goes back to the system
    Path("/proc/self/clear_refs").write_text("5", "utf-8")
    result = allocator.allocate(stock, demand, policy, as_of=worlds.AS_OF)
    peak_run = status_bytes("VmHWM")
    correct = result.lines["allocated"].sum() == result.allocations["qty"].sum()
    peak = status_bytes("VmHWM")
    return {
        "rows": stock.height,
        "given_bytes": given,
        "run_beyond": (peak_run - program - given) / given,
        "beyond": (peak - program - given) / given,
        "correct": bool(correct),
    }


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the high-water mark is Linux's")
@pytest.mark.parametrize("work", ["w2"])
@pytest.mark.parametrize("rows", MOST)
def test_peak_beyond_the_frames(benchmark, work: str, rows: int, tmp_path: Path) -> None:
    def run(*args: str) -> str:
        command = [sys.executable, __file__, *args]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parent).stdout

    run("make", work, str(rows), str(tmp_path))
    found = json.loads(benchmark.pedantic(run, ("measure", work, str(tmp_path)), rounds=1))
    benchmark.extra_info |= {"work": work} | found
    assert found["correct"]
    assert found["beyond"] <= MOST[rows]


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
