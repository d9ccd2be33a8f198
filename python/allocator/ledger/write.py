"""What a book adds, as statements: one per table and kind of change, each row under the version that was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl

from allocator.ledger.known import Key
from allocator.ledger.records import Account, Allocation, Goods, Line, Movement
from allocator.ledger.store import Changes, Session

if TYPE_CHECKING:
    from allocator.ledger.book import Book

FEW: Final = 200
"""Rows up to which statements are sent without waiting for each."""

Row = tuple[Any, ...]


class Columns(NamedTuple):
    """New rows of a table, made as columns.

    Attributes:
        table: The table.
        same: Columns that have one value in all rows.
        frame: The others; those of neither have the value that the table gives them.
    """

    table: str
    same: Mapping[str, int | str]
    frame: pl.DataFrame


@dataclass
class Written:
    """What is to be written: new rows as they are, and of what changed the last transaction that changed it.

    Attributes:
        txns: Rows of `txn`.
        entries: Rows of `entry`.
        new_goods: Goods that were created.
        new_accounts: Accounts that were opened, with their numbers.
        numbers: Rows of `number`.
        until: Numbers that were replaced: by which transaction, and their key.
        attributes: By goods and name, the value and its transaction.
        counters: By name, the last number given out.
        requests: Rows of `request`.
        new_lines: Rows of `line` that no later transaction of the book changes.
        new_allocations: Rows of `allocation`, likewise.
        columns: Rows that were made as columns, in the order in which they are added.
        balances: By goods and account, the transaction.
        lines: By demand line, the transaction.
        allocations: By allocation, the transaction.
        line_versions: The versions under which demand lines were read; a new one has none.
        allocation_versions: Those of allocations.
    """

    txns: list[Row] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    new_goods: list[Goods] = field(default_factory=list)
    new_accounts: list[tuple[int, Account]] = field(default_factory=list)
    numbers: list[Row] = field(default_factory=list)
    until: list[Row] = field(default_factory=list)
    attributes: dict[tuple[int, str], tuple[str, int]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    requests: list[Row] = field(default_factory=list)
    new_lines: list[Row] = field(default_factory=list)
    new_allocations: list[Row] = field(default_factory=list)
    columns: list[Columns] = field(default_factory=list)
    balances: dict[Key, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    allocations: dict[int, int] = field(default_factory=dict)
    line_versions: dict[str, int] = field(default_factory=dict)
    allocation_versions: dict[int, int] = field(default_factory=dict)


TXN: Final = ("tenant", "seq", "type", "actor", "role", "approved_by", "document_kind", "document", "reason", "note",
              "recorded_at", "day", "key", "reverses", "details", "entries", "digest", "hash")  # fmt: skip
ENTRY: Final = ("tenant", "seq", "n", *Movement._fields)
GOODS: Final = ("tenant", *Goods._fields)
ACCOUNT: Final = ("tenant", "account_id", *Account._fields)
BALANCE: Final = ("tenant", "goods_id", "account_id", "sku_id", "unit", "qty", "reserved", "version")
LINE: Final = ("tenant", *Line._fields, "version")
ALLOCATION: Final = ("tenant", *Allocation._fields, "version")
NUMBER: Final = ("tenant", "kind", "scope", "value", "goods_id", "seq")
REQUEST: Final = ("tenant", "key", "content", "answer", "recorded_at")


def write(out: Changes, book: Book) -> None:
    """Writes everything that was added to a book; the head first: who moved it meanwhile shows there."""
    tenant, written = book.tenant, book.written
    if book.seq > book.seq_before:
        _write_head(out, book)
        out.insert("txn", TXN, written.txns)
        out.insert("account", ACCOUNT, [(tenant, number, *account) for number, account in written.new_accounts])
        out.insert("goods", GOODS, [(tenant, *goods) for goods in written.new_goods])
        out.insert("entry", ENTRY, written.entries)
        _write_balances(out, book, written)
        _write_lines(out, book, written)
        _write_allocations(out, book, written)
        for columns in written.columns:
            out.insert_columns(columns.table, {"tenant": tenant, **columns.same}, columns.frame)
        _write_numbers(out, written)
        if written.attributes or written.counters:
            _write_units(book.session, tenant, written)
        for each in book.beside_stock:
            if each:
                each.flush(out)
    out.insert("request", REQUEST, written.requests)


def are_few(book: Book) -> bool:
    """Whether so little was added to a book that statements may be sent without waiting for each."""
    written = book.written
    rows = len(written.entries) + len(written.new_goods) + len(written.requests) + sum(map(len, book.beside_stock))
    return not written.columns and rows < FEW


def _write_balances(out: Changes, book: Book, written: Written) -> None:
    changed, gone, new = [], [], []
    tenant, versions = book.tenant, book.known.versions
    for key, seq in written.balances.items():
        goods_id, account_id = key
        balance, version = book.balances[key], versions.get(key)
        if version is None and balance.qty:
            goods = book.goods[goods_id]
            unit = int(bool(goods.serial))
            new.append((tenant, goods_id, account_id, goods.sku_id, unit, balance.qty, balance.reserved, seq))
        elif version is not None and balance.qty:
            changed.append((balance.qty, balance.reserved, seq, tenant, goods_id, account_id, version))
        elif version is not None:
            gone.append((tenant, goods_id, account_id, version))
    where = (
        "balance.tenant = :tenant AND balance.goods_id = :goods AND balance.account_id = :account "
        "AND balance.version = :version"
    )
    keys = {"tenant": "bigint", "goods": "bigint", "account": "bigint", "version": "bigint"}
    columns = {"qty": "bigint", "reserved": "bigint", "seq": "bigint", **keys}
    sql = f"UPDATE balance SET qty = :qty, reserved = :reserved, version = :seq WHERE {where}"
    out.change(sql, columns, changed)
    out.change(f"DELETE FROM balance WHERE {where}", keys, gone)
    out.insert("balance", BALANCE, new)


def _write_lines(out: Changes, book: Book, written: Written) -> None:
    changed, new = [], [*written.new_lines]
    for line_id, seq in written.lines.items():
        line, version = book.lines[line_id], written.line_versions.get(line_id)
        if line is None:
            continue
        if version is None:
            new.append((book.tenant, *line, seq))
        else:
            changed.append((line.allocated, line.shipped, line.returned, seq, book.tenant, line_id, version))
    columns = {"allocated": "bigint", "shipped": "bigint", "returned": "bigint", "seq": "bigint",
               "tenant": "bigint", "number": "text", "version": "bigint"}  # fmt: skip
    what = "allocated = :allocated, shipped = :shipped, returned = :returned, version = :seq"
    where = "line.tenant = :tenant AND line.line_id = :number AND line.version = :version"
    sql = f"UPDATE line SET {what} WHERE {where}"
    out.change(sql, columns, changed)
    out.insert("line", LINE, new)


def _write_allocations(out: Changes, book: Book, written: Written) -> None:
    changed, gone, new = [], [], [*written.new_allocations]
    tenant = book.tenant
    for number, seq in written.allocations.items():
        allocation, version = book.allocations[number], written.allocation_versions.get(number)
        if version is None and allocation is not None:
            new.append((tenant, *allocation, seq))
        elif version is not None and allocation is not None:
            _, line_id, _, account_id, _, qty, stage, expires_at = allocation
            row = (line_id, account_id, qty, stage, expires_at, seq, tenant, number, version)
            changed.append(row)
        elif version is not None:
            gone.append((tenant, number, version))
    where = "allocation.tenant = :tenant AND allocation.allocation_id = :number AND allocation.version = :version"
    keys = {"tenant": "bigint", "number": "bigint", "version": "bigint"}
    columns = {"line": "text", "account": "bigint", "qty": "bigint", "stage": "text", "ends": "bigint",
               "seq": "bigint", **keys}  # fmt: skip
    what = "line_id = :line, account_id = :account, qty = :qty, stage = :stage, expires_at = :ends, version = :seq"
    out.change(f"DELETE FROM allocation WHERE {where}", keys, gone)
    out.change(f"UPDATE allocation SET {what} WHERE {where}", columns, changed)
    out.insert("allocation", ALLOCATION, new)


def _write_numbers(out: Changes, written: Written) -> None:
    columns = {"seq": "bigint", "tenant": "bigint", "kind": "text", "scope": "bigint", "value": "text"}
    where = "number.tenant = :tenant AND number.kind = :kind AND number.scope = :scope AND number.value = :value"
    sql = f"UPDATE number SET until_seq = :seq WHERE {where}"
    # A number may be given and replaced by transactions that are written together.
    out.insert("number", NUMBER, written.numbers)
    out.change(sql, columns, written.until)


def _write_units(session: Session, tenant: int, written: Written) -> None:
    for (goods_id, name), (value, seq) in written.attributes.items():
        session.run(
            "INSERT INTO attribute (tenant, goods_id, name, value, seq) "
            "VALUES (:tenant, :goods, :name, :value, :seq) "
            "ON CONFLICT (tenant, goods_id, name) DO UPDATE SET value = excluded.value, seq = excluded.seq",
            {"tenant": tenant, "goods": goods_id, "name": name, "value": value, "seq": seq},
        )
    for name in sorted(written.counters):
        session.run(
            "INSERT INTO counter (tenant, name, value) VALUES (:tenant, :name, :value) "
            "ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value",
            {"tenant": tenant, "name": name, "value": written.counters[name]},
        )


def _write_head(out: Changes, book: Book) -> None:
    columns = {"seq": "bigint", "hash": "bytea", "at": "bigint", "goods": "bigint", "account": "bigint",
               "allocation": "bigint", "tenant": "bigint", "before": "bigint"}  # fmt: skip
    row: Row = (book.seq, book.hash, book.recorded_at, book.goods_last, book.account_last, book.allocation_last,
                book.tenant, book.seq_before)  # fmt: skip
    sql = (
        "UPDATE tenant SET seq = :seq, hash = :hash, recorded_at = :at, goods_last = :goods, "
        "account_last = :account, allocation_last = :allocation "
        "WHERE tenant.tenant = :tenant AND tenant.seq = :before"
    )
    if book.is_ahead:
        # As many transactions may be others, where a store was put back to what it once was. And what only comes to it
        # after somebody was told that it never happened comes too late.
        sql += " AND tenant.hash = :known AND tenant.outcomes_asked = :asked"
        columns, row = columns | {"known": "bytea", "asked": "bigint"}, (*row, book.hash_before, book.outcomes_asked)
    out.change(sql, columns, [row])
