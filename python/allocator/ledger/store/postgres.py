"""PostgreSQL: for many processes and machines. READ COMMITTED, the head of a chain locked by its writer."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import Any, Final

import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg.adapt import Dumper
from psycopg.pq import Format

from allocator.engine import postgres_arrays
from allocator.errors import Problem, StoreError
from allocator.ledger.schema import ALIKE, METADATA
from allocator.ledger.store.base import POOL_MAX, ConflictError, Mode, Params, Row, Session, Store, named
from allocator.ledger.store.wire import Sent, Wire

COPY_MIN: Final = 200
"""Rows from which COPY is faster than INSERT."""

FEW_MAX: Final = 256
"""Rows of which each is found in its array by its place: in an array of texts that takes the longer the later it is."""

_BY_KEYS: Final = ("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off",
                   "plan_cache_mode = force_generic_plan", "jit = off")  # fmt: skip
"""Whoever writes, or looks one thing up, touches few rows by their keys. Plans that say so are made once and stay
right, whatever the server believes of the tables: those of a new ledger are empty when plans are made, and reading them
whole would be right no longer. None of them is worth being compiled, as it would be for its cost on paper."""

_LOOK: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""A reader sees one moment through all its statements."""

_BEGIN: Final = {
    "write": "BEGIN",
    "look": _LOOK,
    "read": f"{_LOOK}; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; "
            "SET LOCAL plan_cache_mode = auto",
}  # fmt: skip

_OTHER_ROWS: Final = "22012"
"""What the server says to a division by zero: see `_Whole`."""

_CONFLICTS: Final = ("40001", "40P01", "55P03", _OTHER_ROWS)
_FULL: Final = "53100"


@lru_cache(maxsize=512)
def _spelled(sql: str) -> str:
    return named(sql.replace("%", "%%"), r"%(\1)s")


@lru_cache(maxsize=128)
def _over_arrays(sql: str, columns: tuple[tuple[str, str], ...], few: bool) -> str:
    """A statement for one row, made one for all rows: its parameters become columns of arrays."""
    return _over(sql, _rows_of(columns, few))


@lru_cache(maxsize=128)
def _over_values(sql: str, columns: tuple[tuple[str, str], ...]) -> str:
    """A statement for one row: a row that is given stands in no way of a look by its key."""
    values = ", ".join(f"%s::{kind} AS {name}" for name, kind in columns)
    return _over(sql, f"(SELECT {values}) AS given")


def _over(sql: str, source: str) -> str:
    verb, _, rest = sql.partition(" WHERE ")
    keyword = "USING" if verb.startswith("DELETE") else "FROM"
    return named(f"{verb} {keyword} :source WHERE {rest}", r"given.\1").replace("given.source", source)


def _rows_of(columns: Iterable[tuple[str, str]], few: bool) -> str:
    """The rows that are given as an array for each column, as a source of a statement."""
    if few:
        # A function that returns rows is made ready for each call of it: one that counts costs less than one a column.
        values = ", ".join(f"(%s::{kind}[])[place] AS {name}" for name, kind in columns)
        return f"(SELECT {values} FROM generate_series(1, %s::integer) AS place) AS given"
    arrays = ", ".join(f"%s::{kind}[]" for _, kind in columns)
    return f"unnest({arrays}) AS given({', '.join(name for name, _ in columns)})"


_TYPES: Final = {"BIGINT": "bigint", "SMALLINT": "smallint", "INTEGER": "integer", "TEXT": "text", "BLOB": "bytea"}


@lru_cache(maxsize=256)
def _types_of(table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_TYPES[str(METADATA.tables[table].columns[name].type)] for name in columns)


@lru_cache(maxsize=256)
def _insert_of(table: str, columns: tuple[str, ...], same: tuple[bool, ...], few: bool) -> str:
    """An INSERT of any number of rows, as arrays: one text, which the server prepares once.

    What is the `same` in all rows is a value of its own; it comes before the arrays.
    """
    types = dict(zip(columns, _types_of(table, columns), strict=True))
    once = [name for name, alike in zip(columns, same, strict=True) if alike]
    each = [name for name in columns if name not in once]
    values = ", ".join([*(f"%s::{types[name]}" for name in once), *each])
    source = f" FROM {_rows_of([(name, types[name]) for name in each], few)}" if each else ""
    return f"INSERT INTO {table} ({', '.join([*once, *each])}) SELECT {values}{source}"


class _Array(bytes):
    """A column of rows as the server receives it."""


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: _Array) -> bytes:
        return obj


def _changed(sql: str, columns: Mapping[str, str], rows: Sequence[Row]) -> tuple[str, list[Any]]:
    """A statement for one row, made one for all rows, and its values."""
    if len(rows) == 1:
        return _over_values(sql, tuple(columns.items())), [*rows[0]]
    few = len(rows) <= FEW_MAX
    arrays = _arrays(rows, tuple(columns.values()), [False] * len(columns)) or []
    return _over_arrays(sql, tuple(columns.items()), few), [*arrays, *_count(rows, few)]


def _inserted(
    table: str, columns: Sequence[str], rows: Sequence[Row], same: Sequence[bool]
) -> tuple[str, list[Any]] | None:
    """An INSERT of rows and its values; None if what should be the same in all rows is not."""
    few, names = len(rows) <= FEW_MAX, tuple(columns)
    arrays = _arrays(rows, _types_of(table, names), same)
    if arrays is None:
        return None
    values = [*itertools.compress(rows[0], same), *arrays, *_count(rows, few and not all(same))]
    return _insert_of(table, names, tuple(same), few), values


def _arrays(rows: Sequence[Row], types: Sequence[str], same: Sequence[bool]) -> list[_Array] | None:
    try:
        made = postgres_arrays(rows, types, same)
    except (ValueError, OverflowError) as error:
        raise psycopg.DataError(str(error)) from error
    return None if made is None else [_Array(array) for array in made]


def _count(rows: Sequence[Row], few: bool) -> list[int]:
    return [len(rows)] if few else []


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
            cursor = self.connection.execute(*_changed(sql, columns, rows))
            self._expected.append((cursor, len(rows)))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if self._copies and len(rows) >= COPY_MIN:
            self._copy(table, columns, rows)
        elif rows:
            same = [column.count(column[0]) == len(rows) for column in zip(*rows, strict=True)]
            statement = _inserted(table, columns, rows, same)
            assert statement is not None
            self.connection.execute(*statement)

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


class _Whole:
    """Statements that become one, which is a transaction of its own: nothing of it happens unless all of it does.

    No two of them touch one table, for none sees what the others do.
    """

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._statements: list[str] = []
        self._values: list[Any] = []
        self._touched: list[tuple[int, int]] = []
        self._sent: Sent | None = None
        self._unsent: Exception | None = None

    def change(self, sql: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        if rows:
            self._touched.append((len(self._statements), len(rows)))
            self._add(*_changed(sql, columns, rows))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if rows:
            # Few texts, for each is planned anew: the columns that mostly are the same, if all of them are.
            alike = ALIKE.get(table, ("tenant",))
            statement = _inserted(table, columns, rows, [name in alike for name in columns])
            statement = statement or _inserted(table, columns, rows, [name == "tenant" for name in columns])
            assert statement is not None
            self._add(*statement)

    def _add(self, sql: str, values: Sequence[Any]) -> None:
        self._statements.append(sql)
        self._values += values

    def insert_columns(self, table: str, same: Mapping[str, int | str], frame: pl.DataFrame) -> None:
        rows = [(*same.values(), *row) for row in frame.iter_rows()]
        self.insert(table, [*same, *frame.columns], rows)

    def send(self) -> None:
        sql = _whole(tuple(self._statements), tuple(number for number, _ in self._touched))
        try:
            values = [*self._values, *(rows for _, rows in self._touched)]
            formats = [Format.BINARY if type(value) is _Array else Format.TEXT for value in values]
            self._sent = self._store.wire.send(sql, [*map(_sendable, values)], formats)
        except Exception as error:
            self._unsent = error

    def write(self) -> None:
        if self._sent is None and self._unsent is None:
            self.send()
        if self._unsent is not None:
            raise self._store.translated(self._unsent, committing=False) from self._unsent
        try:
            assert self._sent is not None
            self._store.wire.wait(self._sent)
        except Exception as error:
            raise self._store.translated(error, committing=True) from error


def _sendable(value: Any) -> bytes | None:  # noqa: ANN401
    """A value as the server reads it: an array as it is, anything else as a text."""
    if isinstance(value, str):
        if "\0" in value:
            # Where it stands the server would take the text to end.
            raise psycopg.DataError("a text contains the character 0")
        return value.encode()
    if isinstance(value, _Array):
        return value
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    return None if value is None else b"%d" % value


@lru_cache(maxsize=128)
def _whole(statements: tuple[str, ...], touched: tuple[int, ...]) -> str:
    """One statement of several; some must touch as many rows as is said after all their values.

    There is no way to refuse within a statement but to fail: one by zero where it is not so.
    """
    told = dict.fromkeys(touched, " RETURNING 1")
    parts = ", ".join(f"s{number} AS ({sql}{told.get(number, '')})" for number, sql in enumerate(statements))
    right = " AND ".join(f"(SELECT count(*) FROM s{number}) = %s" for number in touched)
    places = itertools.count(1)
    return re.sub("%s", lambda _: f"${next(places)}", f"WITH {parts} SELECT 1 / ({right})::int")


class PostgresStore(Store):
    """One database."""

    dialect = "postgresql"
    begin_write = "BEGIN"
    session_type = PostgresSession

    def __init__(self, url: str, timeout_s: float) -> None:
        self._wires: list[tuple[int, Wire]] = []
        super().__init__(url, timeout_s)

    def _connect(self) -> sa.Engine:
        try:
            url = sa.make_url(self.url).set(drivername="postgresql+psycopg")
        except sa.exc.ArgumentError as error:
            raise StoreError(Problem("store_url", "this names no database", value=self.url[:80])) from error
        # Whoever takes a connection has ended its transaction before giving it back.
        engine = sa.create_engine(url, pool_size=POOL_MAX, max_overflow=0, pool_use_lifo=True,
                                  pool_reset_on_return=None,
                                  connect_args={"autocommit": True, "connect_timeout": 10})  # fmt: skip
        sa.event.listen(engine, "connect", self._prepare)
        return engine

    def _prepare(self, connection: Any, _record: object) -> None:  # noqa: ANN401
        connection.autocommit = True
        connection.prepare_threshold = 2
        connection.adapters.register_dumper(_Array, _ArrayDumper)
        milliseconds = int(self.timeout_s * 1000)
        connection.execute(f"SET lock_timeout = {milliseconds}")
        connection.execute("SET synchronous_commit = on")
        for setting in _BY_KEYS:
            connection.execute(f"SET {setting}")

    @property
    def wire(self) -> Wire:
        """What changes are sent through: a child has its own, and keeps its parent's as it is."""
        if not self._wires or self._wires[-1][0] != os.getpid():
            self._wires.append((os.getpid(), Wire(self._detached)))
        return self._wires[-1][1]

    def _detached(self) -> psycopg.Connection:
        """A connection in no transaction, which is not of the pool any more."""
        pooled = self._begun("write")
        driver = pooled.driver_connection
        # Not back: the driver would have the server forget all that was ever prepared on it, and only later.
        self._end(driver, "COMMIT")
        pooled.detach()
        return driver  # type: ignore[no-any-return]

    def _begin(self, connection: Any, mode: Mode) -> None:  # noqa: ANN401
        connection.execute(_BEGIN[mode])

    def changes(self) -> _Whole:
        return _Whole(self)

    def count_rows(self) -> None:
        with self.session("write") as session:
            # Whoever counts already will do.
            session.run("SET LOCAL lock_timeout = 100")
            session.run(f"ANALYZE {', '.join(METADATA.tables)}")

    def is_conflict(self, error: Exception) -> bool:
        return isinstance(error, psycopg.Error) and error.sqlstate in _CONFLICTS

    def is_undone(self, error: Exception) -> bool:
        # A server that goes on after an error has rolled back. One that ends does not say so, and when one is lost
        # whoever stands between may speak for it: by an error of the connection.
        known = isinstance(error, psycopg.Error) and error.diag.severity_nonlocalized == "ERROR"
        return known and not str(error.sqlstate).startswith("08")  # type: ignore[attr-defined]

    def is_refusal(self, error: Exception) -> bool:
        return isinstance(error, psycopg.IntegrityError)

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
        if self.is_undone(error) and isinstance(error, psycopg.OperationalError | psycopg.InternalError):
            return Problem("store_failed", "the store failed", value=text, hint="See the server's own log")
        if isinstance(error, psycopg.OperationalError):
            return Problem("store_lost", "the store cannot be reached", value=text, hint="Is the server running?")
        return None

    def close(self) -> None:
        self.wire.close()
        super().close()

    def backup(self, path: str) -> None:
        url = sa.make_url(self.url).set(drivername="postgresql").render_as_string(hide_password=False)
        made = subprocess.run(["pg_dump", "--format=custom", f"--file={path}", url],  # noqa: S603, S607
                              capture_output=True, text=True, check=False)  # fmt: skip
        if made.returncode:
            raise StoreError(Problem("store_failed", "pg_dump failed", value=made.stderr.strip()[:80]))
