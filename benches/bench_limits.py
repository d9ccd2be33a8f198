"""Replenishment of a network of partners, beside the same sums and joins written with pandas."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pytest

from allocator.limits import Limits, check_requests, replenish

ROWS = 1_000_000
AS_OF = dt.date(2026, 3, 1)
LIMITS = Limits(
    rules=[
        {"name": "all", "units_max": 6},
        {"name": "north", "bu": "BU-0", "units_max": 8},
        *({"name": f"group {n}", "sku_group": f"G-{n}", "units_max": 9, "trigger": 4} for n in range(20)),
        *({"name": f"sku {n}", "sku": f"SKU-{n:05}", "units_max": 12} for n in range(0, 4_000, 7)),
    ],
)


@pytest.fixture(scope="module")
def network():
    """A million lots of 4,000 SKUs at 500 partners of 3 business units, from a fixed seed."""
    random = np.random.default_rng(20260301)
    asp, sku = random.integers(0, 500, ROWS), random.integers(0, 4_000, ROWS)
    stock = pl.DataFrame({"asp": asp, "sku": sku, "qty_on_hand": random.integers(0, 4, ROWS)}).select(
        pl.format("BU-{}", pl.col("asp") % 3).alias("bu"),
        pl.format("ASP-{}", pl.col("asp").cast(pl.String).str.zfill(3)).alias("asp"),
        pl.format("SKU-{}", pl.col("sku").cast(pl.String).str.zfill(5)).alias("sku"),
        "qty_on_hand",
        blocked=pl.Series(random.random(ROWS) < 0.05),
    )
    skus = pl.DataFrame(
        {"sku": [f"SKU-{n:05}" for n in range(4_000)], "sku_group": [f"G-{n % 40}" for n in range(4_000)]}
    )
    return stock, skus


def with_pandas(stock, skus):
    """What an analyst writes: a sum per key, one merge per level of rules, the most specific last."""
    keys = stock.assign(on_hand=stock["qty_on_hand"].where(~stock["blocked"], 0)).groupby(["bu", "asp", "sku"])
    out = keys["on_hand"].sum().reset_index().merge(skus, on="sku", how="left")
    out["units_max"], out["trigger"] = 6, np.inf
    for column in ("bu", "sku_group", "sku"):
        rules = pd.DataFrame(
            [
                {
                    column: getattr(rule, column),
                    "most": rule.units_max,
                    "at": np.inf if rule.trigger is None else rule.trigger,
                }
                for rule in LIMITS.rules
                if list(rule.keys) == [column]
            ]
        )
        out = out.merge(rules, on=column, how="left")
        found = out["most"].notna()
        out["units_max"] = out["most"].where(found, out["units_max"])
        out["trigger"] = out["at"].where(found, out["trigger"])
        out = out.drop(columns=["most", "at"])
    room = (out["units_max"] - out["on_hand"]).clip(lower=0).where(out["on_hand"] <= out["trigger"], 0)
    return out.assign(qty_proposed=room.astype("int64"))


def test_replenish(benchmark, network):
    stock, skus = network
    out = benchmark.pedantic(replenish, (stock, LIMITS), {"skus": skus, "as_of": AS_OF}, rounds=3)
    peer = with_pandas(stock.to_pandas(), skus.to_pandas())
    correct = out["qty_proposed"].to_list() == peer["qty_proposed"].tolist()
    benchmark.extra_info |= {"rows": stock.height, "keys": out.height, "correct": correct}
    assert correct


def test_replenish_with_pandas(benchmark, network):
    stock, skus = (table.to_pandas() for table in network)
    out = benchmark.pedantic(with_pandas, (stock, skus), rounds=3)
    benchmark.extra_info |= {"rows": len(stock), "keys": len(out)}


def test_check_requests(benchmark, network):
    stock, skus = network
    proposed = replenish(stock, LIMITS, skus=skus, as_of=AS_OF).filter(pl.col("qty_proposed") > 0)
    once = proposed.select("bu", "asp", "sku", qty="qty_proposed")
    requests = pl.concat([once, once]).with_row_index("request_id")
    out = benchmark.pedantic(check_requests, (requests, stock, LIMITS), {"skus": skus, "as_of": AS_OF}, rounds=3)
    decisions = dict(out["decision"].value_counts().iter_rows())
    correct = decisions == {"allowed": once.height, "refused": once.height}
    benchmark.extra_info |= {"rows": requests.height, "stock_rows": stock.height, "correct": correct}
    assert correct


def test_check_requests_of_one_hot_key(benchmark):
    """A million requests on one key, each refusal of which leaves a little to a later one."""
    stock = pl.DataFrame({"bu": ["B"], "asp": ["A"], "sku": ["S"], "qty_on_hand": [0]})
    requests = stock.select("bu", "asp", "sku").join(
        pl.select(request_id=pl.int_range(ROWS), qty=pl.when(pl.int_range(ROWS) % 2 == 0).then(1).otherwise(ROWS)),
        how="cross",
    )
    limits = Limits(rules=[{"name": "all", "units_max": ROWS}])
    out = benchmark.pedantic(check_requests, (requests, stock, limits), {"as_of": AS_OF}, rounds=3)
    correct = out["qty_granted"].sum() == ROWS // 2
    benchmark.extra_info |= {"rows": ROWS, "correct": correct}
    assert correct
