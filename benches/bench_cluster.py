"""W2 from Parquet to frames in one process and on Sail, and the answer that both give: what distributing costs.

`ALLOCATOR_BENCH_ROWS` sets lots and lines (a million by default), `ALLOCATOR_BENCH_PARTITION` the rows of a partition.
Sail runs within this process, with as many tasks at a time as there are processors.
"""

import os
import resource

import polars as pl
import pytest

import product
import worlds
from allocator import allocate, cluster

ROWS = int(float(os.environ.get("ALLOCATOR_BENCH_ROWS", "1e6")))
ROWS_MAX = int(float(os.environ.get("ALLOCATOR_BENCH_PARTITION", str(cluster.ROWS_MAX))))
ASKED = {"policy": product.policy("w2"), "as_of": worlds.AS_OF}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Both tables as files, as a cluster has them."""
    folder = tmp_path_factory.mktemp("tables")
    tables = dict(zip(("stock", "demand"), product.tables("w2", *worlds.frames(worlds.spread(ROWS))), strict=True))
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet", row_group_size=ROWS // 8)
    return [folder / f"{name}.parquet" for name in tables]


@pytest.fixture(scope="module")
def spark():
    with cluster.sail() as session:
        yield session


def one(files):
    result = allocate(*files, **ASKED)
    return result.lines, result.allocations, result.stock


def cut(spark, files):
    tables = [spark.read.parquet(str(path)) for path in files]
    return cluster.allocate(*tables, **ASKED, rows_max=ROWS_MAX)


def gigabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def test_one_process(benchmark, files) -> None:
    lines, allocations, _ = benchmark.pedantic(one, args=(files,), rounds=3, warmup_rounds=1)
    correct = bool(lines["allocated"].sum() == allocations["qty"].sum())
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": correct, "gigabytes": gigabytes()}


def test_cutting(benchmark, spark, files) -> None:
    done = benchmark.pedantic(cut, args=(spark, files), rounds=3, warmup_rounds=1)
    largest = done.partitions["rows"].max()
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "partitions": done.partitions.height, "largest": largest}


def test_on_sail_and_left_there(benchmark, spark, files) -> None:
    def run():
        return cut(spark, files).frame("allocations").agg({"qty": "sum"}).toArrow()[0][0].as_py()

    units = benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    correct = units == one(files)[1]["qty"].sum()
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": correct, "gigabytes": gigabytes()}


def test_on_sail_and_brought_here(benchmark, spark, files) -> None:
    found = benchmark.pedantic(lambda: cut(spark, files).collect(), rounds=3, warmup_rounds=1)
    correct = all(pl.DataFrame.equals(*pair) for pair in zip(found, one(files), strict=True))
    benchmark.extra_info |= {"rows": ROWS, "lines": ROWS, "correct": correct, "gigabytes": gigabytes()}
