"""The same code on Spark itself: PySpark and its JVM, in an environment of their own, give the same answers."""

import datetime as dt
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import allocator
import small_worlds
from allocator import reallocation
from allocator.reallocation import Reallocation
from drawing import AS_OF

ROOT = Path(__file__).parents[2]
JAVA_MIN = 17
ON_SPARK = """
import datetime as dt
import pickle
import sys
from pathlib import Path

import polars as pl
from pyspark.sql import SparkSession

from allocator import InputError, cluster

folder = Path(sys.argv[1])
local = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false"}
settings = local | {"spark.sql.shuffle.partitions": "4", "spark.driver.memory": "1g"}
spark = SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
for case in sorted(folder.iterdir()):
    policy, plan, as_of = pickle.loads((case / "asked.pickle").read_bytes())
    names = ["stock", "demand"] if plan is None else ["stock", "demand", "current"]
    tables = [pl.read_parquet(case / f"{name}.parquet") for name in names]
    if case.name.startswith("engine"):
        tables = [spark.read.parquet(str(case / f"{name}.parquet")) for name in names]
    asked = {"policy": policy, "as_of": as_of, "spark": spark, "rows_max": 4}
    try:
        if plan is None:
            done = cluster.allocate(*tables, **asked)
        else:
            done = cluster.reallocate(*tables, plan, **asked)
        found = done.collect()._asdict()
        count = done.frame("lines").count()
        assert count == found["lines"].height, count
    except InputError as error:
        found = {"problems": error.frame()}
    for name, frame in found.items():
        frame.write_parquet(case / f"{name}-found.parquet")
spark.stop()
"""

pytestmark = pytest.mark.slow


def java_version() -> int:
    """The major version of the machine's Java; 0 if there is none."""
    java = shutil.which("java")
    told = subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr if java else ""
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else 0


@pytest.fixture(scope="module")
def pyspark(tmp_path_factory):
    """The interpreter of an environment with PySpark."""
    if java_version() < JAVA_MIN:
        pytest.skip(f"Spark needs Java {JAVA_MIN} or newer, which this machine does not have")
    venv = tmp_path_factory.mktemp("pyspark") / "venv"
    uv, pins = Path(sys.executable).parent / "uv", ROOT / "tests" / "slow" / "pyspark.txt"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    python = venv / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--requirement", pins]
    subprocess.run(install, check=True)
    return python


def write(case, policy, plan, **tables):
    case.mkdir(parents=True)
    (case / "asked.pickle").write_bytes(pickle.dumps((policy, plan, AS_OF)))
    for name, table in tables.items():
        pl.DataFrame(table).write_parquet(case / f"{name}.parquet")


def test_spark_gives_the_answers_of_one_process(pyspark, tmp_path):
    expected = {}
    filters = [[{"column": "kind", "op": "=", "value": n}] for n in range(3)]
    strategies = ("improve", "win", "redistribute")
    plan = Reallocation(
        segments=[{"name": s, "strategy": s, "filter": f} for s, f in zip(strategies, filters, strict=True)]
    )
    for seed in range(12):
        made = small_worlds.world(seed, rows=24, lines=20)
        stock, demand = made.frames()
        demand = demand.with_columns(kind=pl.int_range(pl.len()) % 3)
        asked = {"policy": made.policy, "as_of": AS_OF}
        result = allocator.allocate(stock, demand, **asked)
        expected[f"w{seed}"] = {name: getattr(result, name) for name in ("lines", "allocations", "stock")}
        write(tmp_path / f"w{seed}", made.policy, None, stock=stock, demand=demand)
        earlier = allocator.allocate(stock, demand[::2], **asked).allocations
        outcome = reallocation.reallocate(stock, demand, earlier, plan, **asked)
        expected[f"again{seed}"] = {name: getattr(outcome, name) for name in ("lines", "allocations", "moves")}
        write(tmp_path / f"again{seed}", made.policy, plan, stock=stock, demand=demand, current=earlier)
    plain = small_worlds.world(3, rows=24, lines=20)
    stock, demand = plain.frames()
    result = allocator.allocate(stock, demand, plain.policy, as_of=AS_OF)
    expected["engine"] = {name: getattr(result, name) for name in ("lines", "allocations", "stock")}
    write(tmp_path / "engine", plain.policy, None, stock=stock, demand=demand)
    bad = {"stock_id": ["A", "B", "A"], "sku": ["X", None, "Z"], "qty_on_hand": [1, -1, 1]}
    lines = {"line_id": ["1"], "sku": ["X"], "qty": [dt.date(2026, 1, 1)]}
    with pytest.raises(allocator.InputError) as caught:
        allocator.allocate(bad, lines, as_of=AS_OF)
    expected["mistaken"] = {"problems": caught.value.frame()}
    write(tmp_path / "mistaken", None, None, stock=bad, demand=lines)
    done = subprocess.run(
        [pyspark, "-c", ON_SPARK, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "python"), "PYSPARK_PYTHON": str(pyspark)},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for case, frames in expected.items():
        for name, frame in frames.items():
            assert_frame_equal(pl.read_parquet(tmp_path / case / f"{name}-found.parquet"), frame)
