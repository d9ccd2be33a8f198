"""What a fresh process pays before it does anything: an interpreter, and what is loaded for the first thing asked.

`seconds` is the fastest of the rounds, without what Python itself takes to start and end.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

ASKED = {
    "python": "",
    "import": "import allocator",
    "error": "import allocator; allocator.InputError",
    "policy": "import allocator; allocator.Policy()",
    "allocate": "import allocator; allocator.allocate",
    "help": "import sys; from allocator.cli.app import program; program(['--help'])",
    "run help": "import sys; from allocator.cli.app import program; program(['run', '--help'])",
}


def run(code: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


@pytest.mark.parametrize("asked", list(ASKED)[1:])
def test_first_use(benchmark, asked: str) -> None:
    nothing = min(run(ASKED["python"]) for _ in range(5))
    benchmark.pedantic(run, args=(ASKED[asked],), rounds=5, warmup_rounds=1)
    benchmark.extra_info |= {"asked": asked, "seconds": benchmark.stats["min"] - nothing}
