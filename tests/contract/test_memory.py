"""What one run frees serves the next: the system is not asked again for memory that it would have to clear."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TRIES = 3
"""What others do on the machine moves pages, too: what holds in one run of several is so."""


def holds(script: str, check: Callable[[Any], bool]) -> bool:
    """Whether what a process of its own told is as it should be, in one of several."""
    told = (subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
            for _ in range(TRIES))  # fmt: skip
    return any(check(json.loads(run.stdout)) for run in told)


RUNS = """
import datetime, json, pathlib, resource
import numpy, polars
import allocator.engine

def resident_mb():
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20

rows = numpy.arange(1_000_000)
sku = numpy.char.mod("S%d", rows % 50_000)
stock = polars.DataFrame({"stock_id": rows, "sku": sku, "qty_on_hand": rows % 7 + 1})
demand = polars.DataFrame({"line_id": rows, "sku": sku, "qty": rows % 5 + 1})
plan = allocator.bind(stock, demand, allocator.Policy(), as_of=datetime.date(2026, 1, 1)).plan
found = []
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    plan.run(2)
    found.append((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before, resident_mb()))
allocator.engine.release_memory()
found.append((0, resident_mb()))
print(json.dumps(found))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="page faults are counted on Linux")
def test_a_run_is_served_from_what_the_run_before_it_freed_and_what_is_kept_can_be_given_back() -> None:
    def served(told: list[list[float]]) -> bool:
        *runs, (_, released) = told
        faults, resident = zip(*runs, strict=True)
        # The system may take pages that are not in use for a moment, and then hands them out again: not in every run.
        again = min(faults[2:]) < faults[0] / 4
        # Threads overlap in another way in each run, so some need a block more; nothing is added up from run to run.
        return again and resident[-1] < resident[1] * 1.4 and released < resident[-1] - 10

    assert holds(RUNS, served)


ARRAYS = """
import json, resource
import numpy
from allocator.engine import kept_arrays, release_memory

def faults(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        numpy.ones(8_000_000).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults(20)
with kept_arrays():
    faults(1)
    kept = faults(20)
    array = numpy.arange(5_000_000)
after = faults(20)
release_memory()
grown = numpy.resize(array, 6_000_000)
array.resize(7_000_000, refcheck=False)
print(json.dumps([first, kept, after, int(grown.sum()), int(array.sum())]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="page faults are counted on Linux")
def test_arrays_are_made_of_what_was_kept_where_that_is_asked_for_and_live_on_behind_it() -> None:
    whole, rest = sum(range(5_000_000)), sum(range(1_000_000))

    def served(told: list[int]) -> bool:
        first, kept, after, grown, resized = told
        assert (grown, resized) == (whole + rest, whole)
        return kept < first / 4 and after > first / 2

    assert holds(ARRAYS, served)
