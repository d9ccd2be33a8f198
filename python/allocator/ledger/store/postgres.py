"""PostgreSQL: for many processes and machines. READ COMMITTED, the head of a chain locked by its writer."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any, Final

import polars as pl
import psycopg
import sqlalchemy as sa

from allocator.errors import Problem, StoreError
from allocator.ledger.schema import METADATA
from allocator.ledger.store.base import POOL_MAX, ConflictError, Mode, Params, Row, Session, Store, named

COPY_MIN: Final = 200
"""Rows from which COPY is faster than INSERT."""

_BEGIN_WRITE: Final = (
    "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; "
    "SET LOCAL plan_cache_mode = force_generic_plan"
)
"""A writer touches few rows by their keys. Plans that say so are made once and stay right, whatever the server believes
of the tables: those of a new ledger are empty when plans are made, and reading them whole would be right no longer."""

_CONFLICTS: Final = ("40001", "40P01", "55P03")
_FULL: Final = "53100"


@lru_cache(maxsize=512)
def _spelled(sql: str) -> str:
    return named(sql.replace("%", "%%"), r"%(\1)s")


@lru_cache(maxsize=128)
def _over_arrays(sql: str, columns: tuple[tuple[str, str], ...]) -> str:
    """A statement for one row, made one for all rows: its parameters become columns of arrays."""
    verb, _, rest = sql.partition(" WHERE ")
    arrays = ", ".join(f"%s::{kind}[]" for _, kind in columns)
    names = ", ".join(name for name, _ in columns)
    source = f"unnest({arrays}) AS given({names})"
    keyword = "USING" if verb.startswith("DELETE") else "FROM"
    return named(f"{verb} {keyword} :source WHERE {rest}", r"given.\1").replace("given.source", source)


_TYPES: Final = {"BIGINT": "bigint", "SMALLINT": "smallint", "INTEGER": "integer", "TEXT": "text", "BLOB": "bytea"}


@lru_cache(maxsize=256)
def _insert_of(table: str, columns: tuple[str, ...], same: tuple[bool, ...]) -> str:
    """An INSERT of any number of rows, as arrays: one text, which the server prepares once.

    What is the `same` in all rows is a value of its own; it comes before the arrays.
    """
    types = {name: _TYPES[str(METADATA.tables[table].columns[name].type)] for name in columns}
    once = [name for name, alike in zip(columns, same, strict=True) if alike]
    each = [name for name in columns if name not in once]
    values = ", ".join([*(f"%s::{types[name]}" for name in once), *each])
    arrays = ", ".join(f"%s::{types[name]}[]" for name in each)
    source = f" FROM unnest({arrays}) AS given({', '.join(each)})" if each else ""
    return f"INSERT INTO {table} ({', '.join([*once, *each])}) SELECT {values}{source}"


def _array(values: Sequence[Any]) -> str:
    """An array as PostgreSQL spells it; the driver would take ten times as long."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if kinds == {str}:
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * len(values) - 2:
            return '{"' + joined + '"}'
    return "{" + ",".join([str(v) if type(v) is int else _element(v) for v in values]) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


class PostgresSession(Session):
    """A transaction of PostgreSQL."""

    def rows(self, sql: str, params: Params | None = None) -> list[Row]:
        return self.connection.execute(_spelled(sql), params or None).fetchall()  # type: ignore[no-any-return]

    def run(self, sql: str, params: Params | None = None) -> int:
        return self.connection.execute(_spelled(sql), params or None).rowcount  # type: ignore[no-any-return]

    @contextmanager
    def changes(self, *, few: bool) -> Iterator[_Sent]:
        # COPY cannot be on its way beside other statements.
        sent = _Sent(self.connection, copies=not few)
        with self.connection.pipeline() if few else nullcontext():
            yield sent
        sent.check()

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        _Sent(self.connection, copies=True).insert(table, columns, rows)


class _Sent:
    """Statements that were sent."""

    def __init__(self, connection: Any, *, copies: bool) -> None:  # noqa: ANN401
        self.connection, self._copies = connection, copies
        self._expected: list[tuple[Any, int]] = []

    def change(self, sql: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        if rows:
            arrays = [_array(column) for column in zip(*rows, strict=True)]
            cursor = self.connection.execute(_over_arrays(sql, tuple(columns.items())), arrays)
            self._expected.append((cursor, len(rows)))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if self._copies and len(rows) >= COPY_MIN:
            self._copy(table, columns, rows)
        elif rows:
            given = list(zip(*rows, strict=True))
            same = [column.count(column[0]) == len(rows) for column in given]
            values = [column[0] for column, alike in zip(given, same, strict=True) if alike]
            arrays = [_array(column) for column, alike in zip(given, same, strict=True) if not alike]
            self.connection.execute(_insert_of(table, tuple(columns), tuple(same)), [*values, *arrays])

    def _copy(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({','.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def insert_columns(self, table: str, same: Mapping[str, int | str], frame: pl.DataFrame) -> None:
        rows = frame.with_columns(pl.lit(value).alias(name) for name, value in same.items())
        names = ",".join(rows.columns)
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT csv)") as copy,
        ):
            # Texts stand in quotes, even empty ones: without them they would be null.
            copy.write(rows.write_csv(include_header=False, quote_style="non_numeric").encode())

    def check(self) -> None:
        """Makes sure that each statement touched the rows that it was written for."""
        if any(cursor.rowcount != rows for cursor, rows in self._expected):
            raise ConflictError


class PostgresStore(Store):
    """One database."""

    dialect = "postgresql"
    begin_write = "BEGIN"
    session_type = PostgresSession

    def _connect(self) -> sa.Engine:
        try:
            url = sa.make_url(self.url).set(drivername="postgresql+psycopg")
        except sa.exc.ArgumentError as error:
            raise StoreError(Problem("store_url", "this names no database", value=self.url[:80])) from error
        engine = sa.create_engine(url, pool_size=POOL_MAX, max_overflow=0, pool_pre_ping=False,
                                  connect_args={"autocommit": True, "connect_timeout": 10})  # fmt: skip
        sa.event.listen(engine, "connect", self._prepare)
        return engine

    def _prepare(self, connection: Any, _record: object) -> None:  # noqa: ANN401
        connection.autocommit = True
        connection.prepare_threshold = 2
        milliseconds = int(self.timeout_s * 1000)
        connection.execute(f"SET lock_timeout = {milliseconds}")
        connection.execute("SET synchronous_commit = on")

    def _begin(self, connection: Any, mode: Mode) -> None:  # noqa: ANN401
        # A reader sees one moment through all its statements.
        connection.execute(_BEGIN_WRITE if mode == "write" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def count_rows(self) -> None:
        with self.session("write") as session:
            # Whoever counts already will do.
            session.run("SET LOCAL lock_timeout = 100")
            session.run(f"ANALYZE {', '.join(METADATA.tables)}")

    def is_conflict(self, error: Exception) -> bool:
        return isinstance(error, psycopg.Error) and error.sqlstate in _CONFLICTS

    def problem_of(self, error: Exception) -> Problem | None:
        if isinstance(error, sa.exc.DBAPIError) and isinstance(error.orig, Exception):
            error = error.orig
        if not isinstance(error, psycopg.Error):
            return None
        text = str(error).strip().partition("\n")[0][:80]
        if error.sqlstate == _FULL:
            return Problem("store_full", "the disk is full", value=text, hint="Make room, then try again")
        if error.sqlstate in _CONFLICTS:
            return Problem("store_busy", "others held the store for too long", value=text, hint="Try again")
        if isinstance(error, psycopg.OperationalError):
            return Problem("store_lost", "the store cannot be reached", value=text, hint="Is the server running?")
        return None

    def backup(self, path: str) -> None:
        url = sa.make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        made = subprocess.run(["pg_dump", "--format=custom", f"--file={path}", url],  # noqa: S603, S607
                              capture_output=True, text=True, check=False)  # fmt: skip
        if made.returncode:
            raise StoreError(Problem("store_failed", "pg_dump failed", value=made.stderr.strip()[:80]))
