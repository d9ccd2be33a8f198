"""SQLite: the embedded default. Durable at FULL, in WAL mode, so that readers never wait for writers.

The SQLite is that of `pysqlite3`, not of the Python: versions before 3.51.3 can corrupt a database in WAL mode.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import polars as pl
import pysqlite3
import sqlalchemy as sa

from allocator.errors import Problem, StoreError
from allocator.ledger.store.base import POOL_MAX, Changes, ConflictError, Mode, Params, Row, Session, Store

SAFE: Final = (3, 51, 3)
_FULL, _LOCKED, _BUSY = "database or disk is full", "locked", "busy"


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
        if rows:
            places = ",".join("?" * len(columns))
            self.connection.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({places})", rows)

    def insert_columns(self, table: str, same: Mapping[str, int | str], frame: pl.DataFrame) -> None:
        values = ",".join([*map(_literal, same.values()), *"?" * frame.width])
        rows = zip(*[column.to_list() for column in frame], strict=True)
        names = ",".join([*same, *frame.columns])
        self.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({values})", rows)


def _literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


@lru_cache(maxsize=128)
def _positional(sql: str, names: tuple[str, ...]) -> str:
    """`:name` as the number of its column: rows are tuples."""
    for number, name in sorted(enumerate(names, start=1), key=lambda each: -len(each[1])):
        sql = sql.replace(f":{name}", f"?{number}")
    return sql


class SqliteStore(Store):
    """One file."""

    dialect = "sqlite"
    begin_write = "BEGIN IMMEDIATE"
    session_type = SqliteSession

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

    @staticmethod
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-65536",
                       "temp_store=MEMORY"):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        (level,) = cursor.execute("PRAGMA synchronous").fetchone()
        (mode,) = cursor.execute("PRAGMA journal_mode").fetchone()
        cursor.close()
        if level != 2 or mode not in ("wal", "memory"):
            message = f"SQLite did not take the settings of a durable ledger (synchronous={level}, journal={mode})"
            raise StoreError(Problem("store_unsafe", message, hint="Keep the file on a local disk, not on a share"))

    def _begin(self, connection: Any, mode: Mode) -> None:  # noqa: ANN401
        if mode != "write":
            connection.execute("BEGIN")
            return
        # A transaction that begins by reading and then writes fails without waiting for the other writer. SQLite's own
        # waiting sleeps for up to a tenth of a second: a newcomer would starve beside one that writes all the time.
        deadline = time.monotonic() + self.timeout_s
        connection.execute("PRAGMA busy_timeout=0")
        try:
            while True:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    return
                except pysqlite3.OperationalError as error:
                    if not self.is_conflict(error) or time.monotonic() > deadline:
                        raise
                time.sleep(random.uniform(0.0002, 0.001))  # noqa: S311 - so that two do not keep step
        finally:
            connection.execute(f"PRAGMA busy_timeout={int(self.timeout_s * 1000)}")

    @contextmanager
    def changes(self) -> Iterator[Changes]:
        with self.session("write") as session:
            yield session  # type: ignore[misc]

    def is_conflict(self, error: Exception) -> bool:
        text = str(error)
        return isinstance(error, pysqlite3.OperationalError) and (_LOCKED in text or _BUSY in text)

    def problem_of(self, error: Exception) -> Problem | None:
        if not isinstance(error, pysqlite3.Error) or isinstance(error, pysqlite3.IntegrityError):
            return None
        text = str(error)
        if _FULL in text:
            hint = "Nothing was done. Make room on the disk, then try again"
            return Problem("store_full", "the disk is full", value=text[:80], hint=hint)
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
