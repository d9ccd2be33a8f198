"""What a ledger holds at one moment, as frames, and how a finding about them is told."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import polars as pl
import sqlalchemy as sa

from allocator.ledger import schema
from allocator.ledger.records import SOURCES
from allocator.ledger.store import Session

SLICE: Final = 250_000
"""Transactions that are read at once: memory stays bounded while rows become columns."""

FINDING: Final = {"invariant": pl.Int64, "what": pl.String, "place": pl.String, "value": pl.String}


@dataclass(frozen=True)
class Tables:
    """The tables of one tenant, without the column `tenant`, in the order of their keys."""

    name: str
    head: dict[str, Any]
    txn: pl.DataFrame
    entry: pl.DataFrame
    goods: pl.DataFrame
    account: pl.DataFrame
    balance: pl.DataFrame
    line: pl.DataFrame
    allocation: pl.DataFrame
    number: pl.DataFrame
    attribute: pl.DataFrame
    request: pl.DataFrame
    sku: pl.DataFrame
    lifecycle: pl.DataFrame
    purge: pl.DataFrame
    document: pl.DataFrame
    document_line: pl.DataFrame
    document_link: pl.DataFrame
    document_event: pl.DataFrame
    exchange: pl.DataFrame

    @classmethod
    def read(cls, session: Session, tenant: int) -> Tables:
        """Everything, as this session sees it."""
        head = _rows(session, schema.TENANT, tenant).row(0, named=True)
        parts = {
            each.name: _history(session, each, tenant, head["seq"])
            if each in (schema.TXN, schema.ENTRY)
            else _rows(session, each, tenant)
            for each in schema.METADATA.sorted_tables
            if each.name in cls.__dataclass_fields__
        }
        account = parts["account"]
        parts["account"] = account.with_columns(source=pl.col("kind").is_in(list(SOURCES)))
        parts["goods"] = parts["goods"].with_columns(unit=pl.col("serial") != "")
        return cls(name=head["name"], head=head, **parts)

    def accounts(self, suffix: str, *columns: str) -> pl.DataFrame:
        """Columns of the accounts under names that end in `_from` or `_to`, to be joined with entries."""
        return self.account.select(pl.col("account_id").alias(f"{suffix}_id"),
                                   *(pl.col(name).alias(f"{name}_{suffix}") for name in columns))  # fmt: skip

    def movements(self, *columns: str) -> pl.DataFrame:
        """The entries in their order, with what is said of the accounts on both sides and of the goods."""
        return (
            self.entry.join(self.accounts("from", *columns), on="from_id", how="left", maintain_order="left")
            .join(self.accounts("to", *columns), on="to_id", how="left", maintain_order="left")
            .join(self.goods.select("goods_id", "sku_id", "unit"), on="goods_id", how="left", maintain_order="left")
        )


def _types(table: sa.Table) -> dict[str, Any]:
    kinds = {sa.Text: pl.String, sa.LargeBinary: pl.Binary}
    return {column.name: kinds.get(type(column.type), pl.Int64) for column in table.columns}


def _rows(session: Session, table: sa.Table, tenant: int, where: str = "", **params: int) -> pl.DataFrame:
    types = _types(table)
    sql = f"SELECT {', '.join(types)} FROM {table.name} WHERE tenant = :tenant{where}"
    # Sorted here: databases disagree about the order of texts.
    key = [column.name for column in table.primary_key]
    return session.frame(sql, types, {"tenant": tenant, **params}).sort(key).drop("tenant")


def _history(session: Session, table: sa.Table, tenant: int, head: int) -> pl.DataFrame:
    """A table of history in slices, and whatever stands after the head or before the first transaction."""
    edges = [-(2**63), *range(SLICE, head, SLICE), 2**63 - 1]
    return pl.concat(
        _rows(session, table, tenant, " AND seq > :low AND seq <= :high", low=low, high=high)
        for low, high in pairwise(edges)
    )


def found(rows: pl.DataFrame, invariant: int, what: str, place: str, *columns: str, value: str = "") -> pl.DataFrame:
    """One finding per row: the place, spelled with its columns, and the column whose value is wrong."""
    return rows.select(
        pl.lit(invariant, pl.Int64).alias("invariant"),
        pl.lit(what).alias("what"),
        pl.format(place, *columns).alias("place") if columns else pl.lit(place).alias("place"),
        (pl.col(value).cast(pl.String) if value else pl.lit(None, pl.String)).alias("value"),
    )


def unknown(rows: pl.DataFrame, known: pl.DataFrame, *, left: str, right: str) -> pl.DataFrame:
    """The rows whose column names nothing that is known."""
    return rows.filter(pl.col(left).is_not_null()).join(known, left_on=left, right_on=right, how="anti")
