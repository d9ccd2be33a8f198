"""SQLite: the embedded default. Durable at FULL, in WAL mode, so that readers never wait for writers.

What is committed is in a log beside the file. A thread of its own moves it from there into the file, now and then, for
that takes as long as ten commits or more: writers wait for the disk then, and not for all of it
(`docs/decisions/041-the-log-is-moved-beside.md`).

The SQLite is that of `pysqlite3`, not of the Python: versions before 3.51.3 can corrupt a database in WAL mode.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import polars as pl
import pysqlite3
import sqlalchemy as sa

from allocator.errors import Problem, StoreError
from allocator.ledger.store.base import POOL_MAX, ConflictError, Mode, Params, Row, Session, Store

SAFE: Final = (3, 51, 3)
LOG_PAGES: Final = 250
"""Pages in the log from which on they are moved into the file: 1 MB, for the disk is busy meanwhile for all."""

LOG_PAGES_LONG: Final = 4_000
"""Pages in the log from which on the last of them are moved while nobody writes, so that it begins anew."""

LOG_PAGES_MAX: Final = 16_000
"""Pages in the log from which on writers move them: there was no thread that did."""

FEW_PAGES: Final = 100
"""Pages that are moved while writers wait, at most: this takes about as long as two commits."""

ALONE_WITHIN_S: Final = 0.2
"""How long it is tried to find a moment at which nobody writes."""

TOGETHER: Final = 100
"""Rows that one statement adds, where there are so many."""

_MOVING: Final = threading.Lock()
"""Held while a log is moved. Whoever forks waits: what another thread has locked in SQLite stays locked in a child."""

os.register_at_fork(before=_MOVING.acquire, after_in_parent=_MOVING.release, after_in_child=_MOVING.release)

_MOVE: Final = "PRAGMA wal_checkpoint(PASSIVE)"
"""Moves what can be moved while others read and write."""

_FULL, _LOCKED, _BUSY = "database or disk is full", "locked", "busy"
_NO_DATABASE = "file is not a database"


@lru_cache(maxsize=512)
def _spelled(sql: str) -> str:
    for name in ("ids", "keys", "names"):
        sql = sql.replace(f"= ANY(:{name})", f"IN (SELECT value FROM json_each(:{name}))")
    return sql.replace(" FOR UPDATE", "")


def _plain(params: Params | None) -> Params:
    return {n: json.dumps(v) if isinstance(v, list) else v for n, v in params.items()} if params else {}


class SqliteSession(Session):
    """A transaction of SQLite."""

    def rows(self, sql: str, params: Params | None = None) -> list[Row]:
        return self.connection.execute(_spelled(sql), _plain(params)).fetchall()  # type: ignore[no-any-return]

    def run(self, sql: str, params: Params | None = None) -> int:
        return self.connection.execute(_spelled(sql), _plain(params)).rowcount  # type: ignore[no-any-return]

    @contextmanager
    def changes(self, *, few: bool) -> Iterator[SqliteSession]:
        yield self

    def change(self, sql: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        if rows and self.connection.executemany(_positional(sql, tuple(columns)), rows).rowcount != len(rows):
            raise ConflictError

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self._add(f"{table} ({','.join(columns)})", "?" * len(columns), [*chain.from_iterable(rows)])

    def insert_columns(self, table: str, same: Mapping[str, int | str], frame: pl.DataFrame) -> None:
        # What all rows share is spelled once: a parameter costs as much as the rest of a value.
        same = {**same, **{name: column[0] for name in frame.columns[1:] if _is_alike(column := frame[name])}}
        each = frame.drop(*same, strict=False)
        values: list[Any] = [None] * (each.width * each.height)
        for number, column in enumerate(each):
            values[number :: each.width] = column.to_list()
        self._add(
            f"{table} ({','.join([*same, *each.columns])})", [*map(_literal, same.values()), *"?" * each.width], values
        )

    def _add(self, to: str, spelled: Sequence[str], values: Sequence[Any]) -> None:
        """Adds rows, many with one statement: what SQLite does for each statement costs as much as half a row.

        Args:
            to: The table and its columns.
            spelled: The values of a row: `?` or a literal.
            values: Those of all `?`, row by row.
        """
        row, width = f"({','.join(spelled)})", spelled.count("?")
        whole = len(values) - len(values) % (width * TOGETHER)
        for begin, end, together in ((0, whole, TOGETHER), (whole, len(values), 1)):
            if begin < end:
                parts = (values[at : at + width * together] for at in range(begin, end, width * together))
                self.connection.executemany(f"INSERT INTO {to} VALUES {','.join([row] * together)}", parts)


def _is_alike(column: pl.Series) -> bool:
    """Whether a column has one value in all rows, which is not null."""
    return len(column) > 0 and column.null_count() == 0 and bool(column.min() == column.max())


def _log(connection: Any) -> tuple[int, int]:  # noqa: ANN401
    """The pages in the log, and how many of them are moved."""
    _, pages, moved = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
    return pages, moved


def _literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


@lru_cache(maxsize=128)
def _positional(sql: str, names: tuple[str, ...]) -> str:
    """`:name` as the number of its column: rows are tuples."""
    for number, name in sorted(enumerate(names, start=1), key=lambda each: -len(each[1])):
        sql = sql.replace(f":{name}", f"?{number}")
    return sql


class _Whole:
    """Changes that are kept, to be made one after the other within one transaction."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._kept: list[Callable[[SqliteSession], None]] = []

    def change(self, sql: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        self._kept.append(lambda session: session.change(sql, columns, rows))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self._kept.append(lambda session: session.insert(table, columns, rows))

    def insert_columns(self, table: str, same: Mapping[str, int | str], frame: pl.DataFrame) -> None:
        self._kept.append(lambda session: session.insert_columns(table, same, frame))

    def send(self) -> None:
        """One writes at a time."""

    def write(self) -> None:
        with self._store.session("write") as session:
            for change in self._kept:
                change(session)  # type: ignore[arg-type]


class SqliteStore(Store):
    """One file."""

    dialect = "sqlite"
    begin_write = "BEGIN IMMEDIATE"
    session_type = SqliteSession

    def __init__(self, url: str, timeout_s: float) -> None:
        self._mover: threading.Thread | None = None
        self._pages_tried = 0
        super().__init__(url, timeout_s)

    def _connect(self) -> sa.Engine:
        if pysqlite3.sqlite_version_info < SAFE:
            have, safe = pysqlite3.sqlite_version, ".".join(map(str, SAFE))
            message = f"this SQLite is {have}; before {safe} it can corrupt a database that two connections write"
            raise StoreError(Problem("store_unsafe", message, hint="Install pysqlite3 0.6.1 or newer"))
        # In memory every connection would be a database of its own.
        in_memory = sa.make_url(self.url).database in (None, "", ":memory:")
        engine = sa.create_engine(self.url, module=pysqlite3, pool_size=1 if in_memory else POOL_MAX, max_overflow=0,
                                  poolclass=sa.pool.QueuePool,
                                  connect_args={"timeout": self.timeout_s, "check_same_thread": False})  # fmt: skip
        sa.event.listen(engine, "connect", self._prepare)
        return engine

    def _prepare(self, connection: Any, _record: object) -> None:  # noqa: ANN401
        connection.isolation_level = None
        # Of several who open a new file one makes it a database in WAL mode, and SQLite has no other wait for it.
        self._run_alone(connection, "PRAGMA journal_mode=WAL", self.timeout_s)
        cursor = connection.cursor()
        for pragma in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-65536", "temp_store=MEMORY",
                       f"wal_autocheckpoint={LOG_PAGES_MAX}"):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        (level,) = cursor.execute("PRAGMA synchronous").fetchone()
        (mode,) = cursor.execute("PRAGMA journal_mode").fetchone()
        cursor.close()
        if level != 2 or mode not in ("wal", "memory"):
            message = f"SQLite did not take the settings of a durable ledger (synchronous={level}, journal={mode})"
            raise StoreError(Problem("store_unsafe", message, hint="Keep the file on a local disk, not on a share"))

    def _begin(self, connection: Any, mode: Mode) -> None:  # noqa: ANN401
        if mode == "write":
            self._run_alone(connection, "BEGIN IMMEDIATE", self.timeout_s)
        else:
            connection.execute("BEGIN")

    def _run_alone(self, connection: Any, statement: str, timeout_s: float) -> None:  # noqa: ANN401
        # A transaction that begins by reading and then writes fails without waiting for the other writer. SQLite's own
        # waiting sleeps for up to a tenth of a second: a newcomer would starve beside one that writes all the time.
        deadline = time.monotonic() + timeout_s
        connection.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    connection.execute(statement)
                    return
                except pysqlite3.OperationalError as error:
                    if not self.is_conflict(error) or time.monotonic() > deadline:
                        raise
                time.sleep(random.uniform(0.0002, 0.001))  # noqa: S311 - so that two do not keep step
        finally:
            connection.execute(f"PRAGMA busy_timeout={int(self.timeout_s * 1000)}")

    def changes(self) -> _Whole:
        return _Whole(self)

    def _committed(self, connection: Any) -> None:  # noqa: ANN401
        """Has the log moved once there is much in it, by a thread that ends when it is done."""
        with suppress(pysqlite3.Error):
            pages, moved = _log(connection)
            if pages < self._pages_tried:
                self._pages_tried = 0  # The log began anew.
            # What could not be moved when it was tried, as long as someone reads it, is not tried at each commit.
            if pages - max(moved, self._pages_tried) < LOG_PAGES or (self._mover and self._mover.is_alive()):
                return
            self._pages_tried = pages
            mover = threading.Thread(target=self._move_log, name="allocator moves a log")
            # There may be no thread to be had, as at the end of the interpreter: writers move it when it is long.
            with suppress(RuntimeError):
                mover.start()
                self._mover = mover

    def _move_log(self) -> None:
        """Moves what is in the log into the file. All go on meanwhile, but for writers while the last few pages go."""
        with (
            _MOVING,
            suppress(pysqlite3.Error, sa.exc.SQLAlchemyError),
            self._connection() as mover,
            self._connection() as other,
        ):
            for _ in range(3):
                mover.execute(_MOVE)
                pages, moved = _log(mover)
                if pages - moved <= FEW_PAGES:
                    break
            if pages >= LOG_PAGES_LONG and 0 < pages - moved <= FEW_PAGES:
                self._run_alone(other, "BEGIN IMMEDIATE", ALONE_WITHIN_S)
                try:
                    mover.execute(_MOVE)
                finally:
                    self._end(other, "ROLLBACK")

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with closing(self.engine.raw_connection()) as pooled:
            yield pooled.driver_connection

    def close(self) -> None:
        if self._mover is not None:
            self._mover.join()
        super().close()

    def is_conflict(self, error: Exception) -> bool:
        text = str(error)
        return isinstance(error, pysqlite3.OperationalError) and (_LOCKED in text or _BUSY in text)

    def is_refusal(self, error: Exception) -> bool:
        return isinstance(error, pysqlite3.IntegrityError)

    def problem_of(self, error: Exception) -> Problem | None:
        if not isinstance(error, pysqlite3.Error):
            return None
        text = str(error)
        if _FULL in text:
            hint = "Nothing was done. Make room on the disk, then try again"
            return Problem("store_full", "the disk is full", value=text[:80], hint=hint)
        if _NO_DATABASE in text:
            return Problem("store_unsafe", "the file is no SQLite database", value=text[:80], hint="Name another file")
        if _LOCKED in text or _BUSY in text:
            return Problem("store_busy", "others held the store for too long", value=text[:80], hint="Try again")
        return Problem("store_failed", "the store failed", value=text[:80], hint="See the store's own log")

    def backup(self, path: str) -> None:
        with self.session() as session:
            target = pysqlite3.connect(path)
            try:
                session.connection.backup(target)
            finally:
                target.close()
