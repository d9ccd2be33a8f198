"""Seeded worlds by name: the same name and number of rows give the same bytes on every machine.

A world is two tables of encoded numpy columns, `lots` (one row per lot) and `lines` (one row per demand line);
ids are row numbers, so ties are broken by row. `frames` gives the same world as a user would hold it: polars
frames with string ids and keys, in the columns of `docs/tables.md`.

| column of lots | dtype | meaning |
| --- | --- | --- |
| stock_id | int64 | the row number |
| sku, location | int32 | dense codes |
| qty | int32 | units on hand, above zero |
| received, expiry | int32 | days since 1970-01-01; `NO_EXPIRY` never expires |
| contract_class | uint8 | bit c is set when contract type c may be served |
| condition | uint8 | 0 new, 1 repaired |
| blocked | bool | |

| column of lines | dtype | meaning |
| --- | --- | --- |
| line_id | int64 | the row number |
| order_id | int64 | ascending; the lines of an order stand together and share priority and time |
| sku, location | int32 | dense codes |
| qty | int32 | units asked, above zero |
| priority | int8 | lower is served first |
| requested | int64 | microseconds since 1970-01-01 |
| contract_type | uint8 | 0 warranty, 1 amc, 2 paid |
| min_remaining_days | int16 | shelf life that must remain on `AS_OF` |
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl

Columns = dict[str, np.ndarray]
World = tuple[Columns, Columns]

AS_OF = dt.date(2026, 6, 30)
AS_OF_DAY = (AS_OF - dt.date(1970, 1, 1)).days
NO_EXPIRY = np.int32(2**31 - 1)
CONTRACTS = ("warranty", "amc", "paid")
LOCATIONS = 10
MASKS = np.array([0b111, 0b011, 0b110, 0b001], np.uint8)
DAY_US = 86_400_000_000


def _popular(rng: np.random.Generator, skus: int) -> Callable[[int], np.ndarray]:
    """Draws SKUs by a flattened Zipf law: the first few sell much more than the last."""
    cumulative = np.cumsum((np.arange(skus) + 10.0) ** -0.9)
    cumulative /= cumulative[-1]
    code = rng.permutation(skus).astype(np.int32)
    return lambda rows: code[np.minimum(np.searchsorted(cumulative, rng.random(rows)), skus - 1)]


def spread(rows: int, seed: int = 1) -> World:
    """The world of W1, W2 and W3: many SKUs in ten places, orders of one to eight lines."""
    rng = np.random.default_rng([seed, rows])
    sku = _popular(rng, max(200, rows // 50))
    weight = (np.arange(LOCATIONS) + 2.0) ** -0.7
    weight /= weight.sum()
    # The order of the draws is the world: do not rearrange.
    received = (AS_OF_DAY - rng.integers(0, 730, rows)).astype(np.int32)
    expiry = (received + rng.integers(180, 1100, rows)).astype(np.int32)
    expiry[rng.random(rows) < 0.30] = NO_EXPIRY
    lots = {
        "stock_id": np.arange(rows, dtype=np.int64),
        "sku": sku(rows),
        "location": rng.choice(LOCATIONS, rows, p=weight).astype(np.int32),
        "qty": rng.integers(1, 101, rows).astype(np.int32),
        "received": received,
        "expiry": expiry,
        "contract_class": rng.choice(MASKS, rows, p=[0.40, 0.25, 0.20, 0.15]),
        "condition": (rng.random(rows) < 0.3).astype(np.uint8),
        "blocked": rng.random(rows) < 0.03,
    }
    order = np.repeat(np.arange(rows, dtype=np.int64), rng.integers(1, 9, rows))[:rows]
    orders = int(order[-1]) + 1
    home = rng.choice(LOCATIONS, orders, p=weight).astype(np.int32)
    location = np.where(rng.random(rows) < 0.1, rng.choice(LOCATIONS, rows, p=weight), home[order]).astype(np.int32)
    priority = rng.integers(0, 10, orders).astype(np.int8)
    requested = (
        (AS_OF_DAY - 60) * DAY_US
        + rng.integers(0, 60 * 86_400, orders) * 1_000_000
        + rng.integers(0, 1000, orders) * 1000
    )
    lines = {
        "line_id": np.arange(rows, dtype=np.int64),
        "order_id": order,
        "sku": sku(rows),
        "location": location,
        "qty": rng.integers(1, 21, rows).astype(np.int32),
        "priority": priority[order],
        "requested": requested[order],
        "contract_type": rng.choice(3, rows, p=[0.4, 0.3, 0.3]).astype(np.uint8),
        "min_remaining_days": rng.choice(np.array([0, 30, 90], np.int16), rows, p=[0.6, 0.3, 0.1]),
    }
    return lots, lines


def hot_sku(rows: int) -> World:
    """Every lot and every line in one SKU at one place: one group, three contracts, three shelf lives."""
    lots, lines = spread(rows)
    for table in (lots, lines):
        table["sku"] = np.zeros(rows, np.int32)
        table["location"] = np.zeros(rows, np.int32)
    return lots, lines


def hot_sku_barred(rows: int) -> World:
    """`hot_sku` in its worst order: what is served first may not have the half of the lots that comes first.

    The earlier half of the lots expires first and may serve paid repairs only; warranty and AMC lines are asked
    first. An allocator that looks at every lot again for every line looks at rows² / 4 of them.
    """
    lots, lines = hot_sku(rows)
    half = rows // 2
    lots["expiry"] = (AS_OF_DAY + 1 + np.arange(rows) * 900 // rows).astype(np.int32)
    lots["contract_class"] = np.where(np.arange(rows) < half, 0b100, 0b011).astype(np.uint8)
    lines["contract_type"] = np.where(np.arange(rows) < half, np.arange(rows) % 2, 2).astype(np.uint8)
    lines["priority"] = np.where(np.arange(rows) < half, 0, 1).astype(np.int8)
    lines["order_id"] = np.arange(rows, dtype=np.int64)
    return lots, lines


def hot_sku_lives(rows: int) -> World:
    """`hot_sku` where lines ask for any of 1,000 shelf lives, the lax and the strict mixed: 3,000 kinds of line."""
    lots, lines = hot_sku(rows)
    rng = np.random.default_rng([2, rows])
    lines["min_remaining_days"] = rng.integers(0, 1000, rows).astype(np.int16)
    return lots, lines


def orders(rows: int) -> World:
    """Orders of 2 to 20 lines over many SKUs at one place: many an order lacks one line and gives the rest back."""
    lots, lines = spread(rows)
    rng = np.random.default_rng([3, rows])
    order = np.repeat(np.arange(rows, dtype=np.int64), rng.integers(2, 21, rows))[:rows]
    first = np.searchsorted(order, order)
    for header in ("priority", "requested", "location"):
        lines[header] = lines[header][first]
    lines["order_id"] = order
    return lots, lines


def wide(rows: int) -> World:
    """`spread` under twenty comparisons, and a matrix of forty stock classes and fifty contract types.

    Lots gain `stock_class` and `a00` … `a19`, lines `d00` … `d09` and fifty `contract_type`s; `wide_rules` and
    `wide_matrix` say what they mean. About a third of the pairs of lot and line pass everything.
    """
    lots, lines = spread(rows)
    rng = np.random.default_rng([4, rows])
    lots["stock_class"] = rng.integers(0, WIDE_CLASSES, rows).astype(np.uint8)
    lines["contract_type"] = rng.integers(0, WIDE_CONTRACTS, rows).astype(np.uint8)
    lots |= {f"a{i:02}": rng.integers(0, 100, rows).astype(np.int16) for i in range(20)}
    lines |= {
        f"d{i:02}": rng.integers(*WIDE_OPERANDS[rule["op"]], rows).astype(np.int16)
        for i, rule in enumerate(wide_rules()[:10])
    }
    return lots, lines


WIDE_CLASSES, WIDE_CONTRACTS = 40, 50
WIDE_OPERANDS = {"<=": (90, 100), ">=": (0, 10), "!=": (0, 100)}


def wide_rules() -> list[dict[str, object]]:
    """The twenty comparisons of `wide`, as a policy writes them: ten with a demand column, ten with a constant."""
    ops = list(WIDE_OPERANDS)
    with_line = [{"column": f"a{i:02}", "op": ops[i % 3], "demand_column": f"d{i:02}"} for i in range(10)]
    constants = [("<=", 95), (">", 3), ("between", [2, 97]), ("not_in", [7, 11, 13]), ("!=", 50)]
    return with_line + [
        {"column": f"a{i:02}", "op": op, "value": value} for i, (op, value) in enumerate(constants * 2, start=10)
    ]


def wide_matrix() -> np.ndarray:
    """Rank of each stock class (row) for each contract type (column): 0 to 3, or -1 where it is forbidden."""
    rng = np.random.default_rng(5)
    return rng.choice(np.array([-1, 0, 1, 2, 3], np.int8), (WIDE_CLASSES, WIDE_CONTRACTS), p=[0.2, 0.4, 0.2, 0.1, 0.1])


WORLDS: dict[str, Callable[[int], World]] = {
    world.__name__: world for world in (spread, hot_sku, hot_sku_barred, hot_sku_lives, orders, wide)
}


# --- the same worlds as a user holds them ---


def names(prefix: str, numbers: np.ndarray, width: int) -> pl.Series:
    """`K0000012` for 12: as strings they sort as the numbers do, so that ties are broken alike."""
    return pl.select(pl.lit(prefix) + pl.lit(pl.Series(numbers)).cast(pl.String).str.zfill(width)).to_series()


def stock_class(mask: int) -> str:
    """The stock class of lots that may serve the contract types of `mask`: `warranty+amc`."""
    return "+".join(contract for bit, contract in enumerate(CONTRACTS) if mask >> bit & 1)


def _stock_classes(lots: Columns) -> pl.Series:
    if "stock_class" in lots:
        return names("C", lots["stock_class"], 2)
    return pl.Series([stock_class(mask) for mask in range(8)]).gather(lots["contract_class"])


def _contract_types(lots: Columns, lines: Columns) -> pl.Series:
    if "stock_class" in lots:
        return names("T", lines["contract_type"], 2)
    return pl.Series(CONTRACTS).gather(lines["contract_type"])


def frames(world: World) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Stock and demand with string ids and keys; `ids` turns the ids of a result back into row numbers."""
    lots, lines = world
    stock = pl.DataFrame(
        {
            "stock_id": names("S", lots["stock_id"], 9),
            "sku": names("K", lots["sku"], 7),
            "location": names("L", lots["location"], 2),
            "qty_on_hand": lots["qty"].astype(np.int64),
            "received_on": pl.Series(lots["received"]).cast(pl.Date),
            "expires_on": pl.Series(lots["expiry"]).replace(int(NO_EXPIRY), None).cast(pl.Date),
            "stock_class": _stock_classes(lots),
            "condition": pl.Series(["new", "repaired"]).gather(lots["condition"]),
            "blocked": lots["blocked"],
            **{name: column for name, column in lots.items() if name.startswith("a")},
        }
    )
    demand = pl.DataFrame(
        {
            "line_id": names("D", lines["line_id"], 9),
            "order_id": names("O", lines["order_id"], 9),
            "sku": names("K", lines["sku"], 7),
            "location": names("L", lines["location"], 2),
            "qty": lines["qty"].astype(np.int64),
            "priority": lines["priority"].astype(np.int64),
            "requested_at": pl.Series(lines["requested"]).cast(pl.Datetime("us")),
            "contract_type": _contract_types(lots, lines),
            "min_shelf_life_days": lines["min_remaining_days"].astype(np.int64),
            **{name: column for name, column in lines.items() if name.startswith("d")},
        }
    )
    return stock, demand


def ids(column: pl.Series) -> np.ndarray:
    """Row numbers of string ids as `frames` wrote them."""
    return column.str.slice(1).cast(pl.Int64).to_numpy()
