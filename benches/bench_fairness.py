"""Fair shares of a million pools, and of one pool of a million lines, beside the proportional rule in polars."""

import numpy as np
import polars as pl
import pytest

from allocator.fairness import FairShare, share

POOLS = 1_000_000


@pytest.fixture(scope="module")
def pools():
    """A million SKUs, each asked for by three lines in order of their ids, from a fixed seed."""
    random = np.random.default_rng(20260301)
    supply = pl.DataFrame({"sku": np.arange(POOLS), "qty": random.integers(0, 200, POOLS)})
    lines = {"line_id": np.arange(3 * POOLS), "sku": random.integers(0, POOLS, 3 * POOLS)}
    return supply, pl.DataFrame(lines | {"qty": random.integers(1, 100, 3 * POOLS)})


def with_polars(supply, demand):
    """What an analyst writes: exact while products fit in 64 bits, one rule, no guarantees, packs or reasons."""
    floor = (pl.col("qty") * pl.col("there")) // pl.col("asked")
    rest = (pl.col("qty") * pl.col("there")) % pl.col("asked")
    joined = (
        demand.join(supply.rename({"qty": "there"}), on="sku", how="left", maintain_order="left")
        .with_columns(asked=pl.col("qty").sum().over("sku"))
        .with_columns(there=pl.min_horizontal(pl.col("there").fill_null(0), "asked"))
        .with_columns(floor=floor, rest=rest)
        .with_columns(left=pl.col("there") - pl.col("floor").sum().over("sku"))
    )
    place = pl.col("rest").rank("ordinal", descending=True).over("sku")
    return joined.sort("line_id").with_columns(share=pl.col("floor") + (place <= pl.col("left")))


@pytest.mark.parametrize("rule", ["proportional", "equal_gains", "equal_losses", "priority"])
def test_a_million_pools(benchmark, pools, rule):
    supply, demand = pools
    out = benchmark.pedantic(share, (supply, demand, FairShare.load(rule)), rounds=3)
    sums = out.group_by("sku").agg(pl.col("share").sum(), pl.col("qty").sum()).join(supply, on="sku")
    correct = (sums["share"] == sums.select(pl.min_horizontal("qty", "qty_right")).to_series()).all()
    if rule == "proportional":
        peer = with_polars(supply, demand).select("line_id", "share")
        correct = correct and out.select("line_id", "share").sort("line_id").equals(peer)
    benchmark.extra_info |= {"rows": demand.height, "groups": POOLS, "correct": correct}
    assert correct


def test_a_million_pools_with_polars(benchmark, pools):
    out = benchmark.pedantic(with_polars, pools, rounds=3)
    benchmark.extra_info |= {"rows": out.height, "groups": POOLS}


@pytest.mark.parametrize("method", ["proportional", "equal_gains", "equal_losses", "priority"])
def test_one_pool_of_a_million_groups(benchmark, pools, method):
    supply, demand = pools[0].select("qty").sum() // 3, pools[1][:POOLS]
    rule = FairShare(pool=[], method=method)
    out = benchmark.pedantic(share, (supply, demand, rule), rounds=3)
    correct = out["share"].sum() == supply["qty"].item()
    benchmark.extra_info |= {"rows": POOLS, "groups": POOLS, "correct": correct}
    assert correct
