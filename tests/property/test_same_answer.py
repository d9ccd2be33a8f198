"""The answer depends on the content of the tables only: not on their layout, nor on the machine they are on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import allocator
from small_worlds import AS_OF, QUICK, World, decide, world, worlds

SEEDS = st.integers(0, 2**32)


@QUICK
@given(worlds(), SEEDS)
def test_rows_and_columns_may_come_in_any_order(made: World, seed: int) -> None:
    rng = Random(seed)
    stock, demand = (
        table.sample(fraction=1, shuffle=True, seed=rng.randrange(2**32)).select(rng.sample(table.columns, table.width))
        for table in made.frames()
    )
    assert decide(stock, demand, made.policy) == made.decided()


@QUICK
@given(worlds(), SEEDS)
def test_tables_may_come_in_pieces(made: World, seed: int) -> None:
    rng = Random(seed)
    stock, demand = (in_pieces(table, rng) for table in made.frames())
    assert decide(stock, demand, made.policy) == made.decided()


def in_pieces(table: pl.DataFrame, rng: Random) -> pl.DataFrame:
    """The table as chunks that were cut out of larger buffers."""
    cut = rng.randint(0, table.height)
    twice = pl.concat([table, table])
    return pl.concat([table[:cut], twice[table.height + cut :], table[:0]], rechunk=False)


@QUICK
@given(worlds())
def test_columns_that_no_rule_reads_change_nothing(made: World) -> None:
    stock, demand = made.frames()
    more = pl.lit("¡ignored!").alias("note")
    assert decide(stock.with_columns(more), demand.with_columns(more), made.policy) == made.decided()


def digest() -> str:
    """The results of some worlds as text; run as a program, this file prints it."""
    small = [world(seed) for seed in range(60)]
    large = [world(seed, rows=1_500, lines=1_000, skus=skus) for seed in (60, 61) for skus in (1, 4)]
    texts = []
    for made in small + large:
        result = allocator.allocate(*made.frames(), made.policy, as_of=AS_OF)
        texts += [table.write_csv() for table in (result.lines, result.allocations, result.stock)]
    return "\n".join(texts)


MACHINES = {
    "Turkish, in Istanbul": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Europe/Istanbul"},
    "plain C, on Kiritimati, one thread": {
        **{"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "0"},
        **{"RAYON_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"},
    },
    "another hash seed, eight threads": {
        **{"PYTHONHASHSEED": "4242", "RAYON_NUM_THREADS": "8", "POLARS_MAX_THREADS": "8"}
    },
}


@pytest.mark.parametrize("seed", range(8))
def test_the_number_of_threads_does_not_matter(seed: int) -> None:
    made = world(seed, rows=3_000, lines=2_000, skus=1 + seed % 4)
    bound = allocator.bind(*made.frames(), made.policy, as_of=AS_OF)
    alone = bound.run(threads=1)
    for threads in (2, 4, 8, None):
        result = bound.run(threads=threads)
        assert_frame_equal(result.lines, alone.lines)
        assert_frame_equal(result.allocations, alone.allocations)
        assert_frame_equal(result.stock, alone.stock)


@pytest.fixture(scope="module")
def digested_here() -> str:
    return digest()


@pytest.mark.parametrize("machine", MACHINES)
def test_the_machine_does_not_matter(machine: str, digested_here: str) -> None:
    here = Path(__file__)
    found = subprocess.run(
        [sys.executable, str(here)],
        env=os.environ | {"PYTHONPATH": str(here.parents[1]), "PYTHONIOENCODING": "utf-8"} | MACHINES[machine],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert found.stdout == digested_here


if __name__ == "__main__":
    sys.stdout.write(digest())
