"""What both stores have in common: sessions, statements, and errors that callers can act on."""

from __future__ import annotations

import os
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Literal, Protocol

import polars as pl
import sqlalchemy as sa

from allocator.errors import InternalError, Problem, StoreError

Params = Mapping[str, Any]
Row = tuple[Any, ...]
Mode = Literal["read", "look", "write"]
"""What a transaction does: reads, maybe whole tables; looks few rows up by their keys; writes."""

_PARAMETER: Final = re.compile(r"(?<!:):([a-z_]+)")
READS: Final = "allocator_reads"
"""Execution option of a connection that SQLAlchemy uses without writing."""
POOL_MAX: Final = 64
"""Connections that one process holds at most."""


class ConflictError(Exception):
    """A statement did not touch the rows that it was written for: another writer was there. Begin again."""


class Changes(Protocol):
    """Statements on the way, each with the number of rows that it must touch."""

    def change(self, sql: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Runs an UPDATE or DELETE once per row of parameters; each must touch one row."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Adds rows, by the fastest way of the store."""

    def insert_columns(self, table: str, same: Mapping[str, int | str], frame: pl.DataFrame) -> None:
        """Adds rows from columns, and values that are the same in all."""


class Whole(Changes, Protocol):
    """Changes that are kept until they are written as one transaction. Of no table is anything changed twice."""

    def send(self) -> None:
        """Nothing is added any more: they are on their way after those sent before, where the store can do that."""

    def write(self) -> None:
        """Writes them all, or nothing. Those that were sent before are written.

        Raises:
            ConflictError: One did not touch its rows; nothing was done.
            StoreError: The database failed, with what is known about the outcome.
        """


class Session(ABC):
    """One database transaction."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - a DB-API connection of either driver
        self.connection = connection

    @abstractmethod
    def changes(self, *, few: bool) -> AbstractContextManager[Changes]:
        """Statements that belong together: all are checked at the end, and few are sent without waiting for each.

        Raises:
            ConflictError: At the end, if one did not touch its rows.
        """

    @abstractmethod
    def rows(self, sql: str, params: Params | None = None) -> list[Row]:
        """The rows that a statement answers with."""

    @abstractmethod
    def run(self, sql: str, params: Params | None = None) -> int:
        """Runs a statement; how many rows it touched."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Adds rows, by the fastest way of the store."""

    def one(self, sql: str, params: Params | None = None) -> Row | None:
        """The first row, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def frame(self, sql: str, schema: Mapping[str, Any], params: Params | None = None) -> pl.DataFrame:
        """The rows as a table of the given columns and types."""
        # By columns: rows are taken apart twice as fast as polars does it.
        columns = list(zip(*self.rows(sql, params), strict=True)) or [()] * len(schema)
        return pl.DataFrame([pl.Series(*each) for each in zip(schema, columns, schema.values(), strict=True)])


class Store(ABC):
    """Connections to one database, safe to share between threads and over a fork."""

    dialect: str
    begin_write: str
    session_type: type[Session]

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self._pid = os.getpid()
        self._guard = threading.Lock()
        self._inherited: list[sa.Engine] = []
        self._engine = self._opened()

    def _opened(self) -> sa.Engine:
        engine = self._connect()
        sa.event.listen(engine, "begin", self._begin_migration)
        return engine

    def _begin_migration(self, connection: sa.Connection) -> None:
        if not connection.get_execution_options().get(READS):
            connection.exec_driver_sql(self.begin_write)

    @abstractmethod
    def _connect(self) -> sa.Engine: ...

    @abstractmethod
    def _begin(self, connection: Any, mode: Mode) -> None: ...  # noqa: ANN401

    @abstractmethod
    def problem_of(self, error: Exception) -> Problem | None:
        """What a driver's error means to a caller; None for a defect of ours."""

    @abstractmethod
    def is_conflict(self, error: Exception) -> bool:
        """Whether another transaction was in the way, and trying again may help."""

    @abstractmethod
    def is_refusal(self, error: Exception) -> bool:
        """Whether the database found that something would not be true any more: none of our checks saw it before."""

    def is_undone(self, error: Exception) -> bool:
        """Whether the database itself said that it did nothing, whatever it was about to do."""
        return self.is_conflict(error)

    def count_rows(self) -> None:  # noqa: B027 - most stores have no such planner
        """Has the rows of the tables counted, for a planner that does so by itself, but too late."""

    @abstractmethod
    def backup(self, path: str) -> None:
        """Writes a consistent copy to a file, while others go on."""

    @property
    def engine(self) -> sa.Engine:
        """Connections of this process: after a fork, the child opens its own."""
        if self._pid != os.getpid():
            with self._guard:
                if self._pid != os.getpid():
                    # Those of the parent are kept, for who closes one here would close it there.
                    self._inherited.append(self._engine)
                    self._engine, self._pid = self._opened(), os.getpid()
        return self._engine

    @contextmanager
    def session(self, mode: Mode = "read") -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on any error.

        Raises:
            StoreError: The database failed, with what is known about the outcome.
        """
        committing = False
        try:
            pooled = self._begun(mode)
        except Exception as error:
            raise self.translated(error, committing=False) from error
        driver = pooled.driver_connection
        try:
            yield self.session_type(driver)
            committing = mode == "write"
            self._end(driver, "COMMIT")
            if committing:
                self._committed(driver)
        except BaseException as error:
            self._abandon(pooled, driver)
            if isinstance(error, Exception):
                raise self.translated(error, committing=committing) from error
            raise
        finally:
            pooled.close()

    @abstractmethod
    def changes(self) -> Whole:
        """Changes to come, that will be one transaction."""

    def _begun(self, mode: Mode) -> Any:  # noqa: ANN401
        """A connection in a transaction. One that died while nobody used it is replaced, and those beside it."""
        for fresh in (False, True):
            engine = self.engine
            pooled = engine.raw_connection()
            try:
                self._begin(pooled.driver_connection, mode)
            except Exception as error:
                died = engine.dialect.is_disconnect(error, pooled.driver_connection, None)  # type: ignore[arg-type]
                self._abandon(pooled, pooled.driver_connection)
                pooled.close()
                if fresh or not died:
                    raise
                engine.dispose()
            else:
                break
        return pooled

    def _end(self, connection: Any, command: str) -> None:  # noqa: ANN401
        connection.execute(command)

    def _committed(self, connection: Any) -> None:  # noqa: ANN401, B027 - most stores keep themselves in order
        """What is done by the way after a commit; it raises nothing."""

    def _abandon(self, pooled: Any, connection: Any) -> None:  # noqa: ANN401
        """Rolls back; a connection that cannot even do that is not used again."""
        try:
            self._end(connection, "ROLLBACK")
        except Exception:
            pooled.invalidate()

    def translated(self, error: Exception, *, committing: bool) -> Exception:
        """The error that a caller sees. One while committing leaves open what happened, unless the store knows."""
        if self.is_refusal(error):
            text, hint = str(error).partition("\n")[0][:80], "Nothing was done. It is a defect: please report it"
            message = "the database refused what it holds to be wrong"
            return InternalError(Problem("internal", message, value=text, hint=hint))
        problem = self.problem_of(error)
        if problem is None:
            return error
        if committing and not self.is_undone(error):
            hint = "Ask for the outcome by its key, or send the same request with the same key again"
            message = f"the store failed while committing, and it may or may not have happened: {problem.message}"
            return StoreError(Problem("outcome_unknown", message, value=problem.value, hint=hint))
        return StoreError(problem)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()


def named(sql: str, replacement: str) -> str:
    """The statement with its parameters as a driver spells them."""
    return _PARAMETER.sub(replacement, sql)
