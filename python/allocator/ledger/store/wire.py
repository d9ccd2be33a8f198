"""A connection on which statements follow each other: the server begins the next before anybody heard of the last.

A pipeline of the driver is for one thread, which sends all and then reads all. Here a thread sends what it decided
while another still waits for what was sent before; so it is done with the layer beneath, `psycopg.pq`.
"""

from __future__ import annotations

import itertools
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn

PREPARED_MAX: Final = 200
"""Texts of statements that the server keeps; others are planned whenever they are sent."""

QUIET_S: Final = 1.0
"""Seconds after which a connection that nobody used is asked whether it is still there."""

LOOK_MS: Final = 20
"""How long anybody waits for the server before it looks whether another thread has read what came."""

GOOD: Final = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


@dataclass(eq=False, slots=True)
class Sent:
    """A statement on its way, which is a transaction of its own.

    Attributes:
        prepares: Its text, until the server has prepared it.
        over: Whether its outcome is known, or never will be.
        error: Why it failed.
    """

    prepares: str | None = None
    over: bool = False
    error: Exception | None = None


class Wire:
    """Sends statements, and waits for each.

    What comes is read by whoever waits, for whomever it is. A connection of which it is not known what was sent or read
    is not used again; all that is on its way fails with it.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection]) -> None:
        """Without a connection.

        Args:
            connect: Makes one for this alone, which is in no transaction.
        """
        self._connect = connect
        self._guard = threading.Lock()
        self._on_its_way: deque[Sent] = deque()
        self._connection: psycopg.Connection | None = None
        self._socket = -1
        self._prepared: dict[str, bytes] = {}
        self._numbers = itertools.count()
        self._used = 0.0
        self._closing = False

    def send(self, sql: str, values: Sequence[bytes | None], formats: Sequence[int] | None = None) -> Sent:
        """Sends a statement, to be done after those that are on their way.

        Args:
            sql: Its text, with values as `$1`, `$2`, …
            values: The values.
            formats: Of each value, whether it is a text or in binary form; all are texts if left out.

        Raises:
            Exception: There is no connection to be had; nothing was sent.
        """
        with self._guard:
            sent = None
            try:
                connection = self._alive()
                sent = Sent()
                self._on_its_way.append(sent)
                self._send(connection.pgconn, sent, sql, values, formats)
            except BaseException as error:
                self._lose(error)
                if not isinstance(error, Exception) or sent is None:
                    raise
        return sent

    def wait(self, sent: Sent) -> None:
        """Waits until a statement is over.

        Raises:
            psycopg.Error: It failed, or the connection did.
        """
        while not sent.over:
            _poll(self._socket, select.POLLIN, LOOK_MS)
            with self._guard:
                try:
                    if not sent.over and self._connection is not None:
                        self._read(self._connection.pgconn)
                except BaseException as error:
                    self._lose(error)
                    if not isinstance(error, Exception):
                        raise
        if sent.error is not None:
            raise sent.error

    def close(self) -> None:
        """Closes the connection, once nothing is on its way."""
        with self._guard:
            self._closing = True
            if not self._on_its_way:
                self._lose(_lost())

    def _alive(self) -> psycopg.Connection:
        """The connection. One that nobody used may have died: whether what is sent on it was done is not told."""
        if self._connection is not None and self._has_died(self._connection.pgconn):
            self._lose(_lost())
        if self._connection is None:
            self._connection, self._closing = self._connect(), False
            self._socket = self._connection.fileno()
        return self._connection

    def _has_died(self, server: PGconn) -> bool:
        """Whether the other end does not answer: it is asked when nobody did for long, or when it says something."""
        is_quiet = time.monotonic() - self._used > QUIET_S
        if self._on_its_way and is_quiet:
            # Nobody may wait for it any more.
            try:
                self._read(server)
            except psycopg.OperationalError:
                return True
        if self._on_its_way or not (is_quiet or _poll(self._socket, select.POLLIN, 0)):
            return False
        return server.exec_(b"SELECT 1").status != ExecStatus.TUPLES_OK

    def _send(
        self, server: PGconn, sent: Sent, sql: str, values: Sequence[bytes | None], formats: Sequence[int] | None
    ) -> None:
        if len(self._on_its_way) == 1:
            server.enter_pipeline_mode()
        name = self._prepared.get(sql)
        if name is None and len(self._prepared) < PREPARED_MAX:
            name = self._prepared[sql] = b"wire_%d" % next(self._numbers)
            sent.prepares = sql
            server.send_prepare(name, sql.encode())
        if name is None:
            server.send_query_params(sql.encode(), values, None, formats)
        else:
            server.send_query_prepared(name, values, formats)
        server.pipeline_sync()
        while server.flush():
            _poll(self._socket, select.POLLIN | select.POLLOUT, None)
            server.consume_input()
        self._used = time.monotonic()

    def _read(self, server: PGconn) -> None:
        """Reads what has come."""
        server.consume_input()
        while self._on_its_way and not server.is_busy():
            first, result = self._on_its_way[0], server.get_result()
            if result is None:
                if server.status == ConnStatus.BAD:
                    raise _lost()
            elif result.status == ExecStatus.PIPELINE_SYNC:
                first.over = True
                self._on_its_way.popleft()
            elif result.status in GOOD:
                first.prepares = None
            elif first.error is None:
                first.error = error_from_result(result)
                if first.prepares is not None:
                    del self._prepared[first.prepares]
        if not self._on_its_way:
            server.exit_pipeline_mode()
            if self._closing:
                self._lose(_lost())

    def _lose(self, error: BaseException) -> None:
        """The connection is not used again, and nothing more is heard of what is on its way."""
        connection, self._connection = self._connection, None
        for sent in self._on_its_way:
            sent.error = sent.error or (error if isinstance(error, Exception) else _lost())
            sent.over = True
        self._on_its_way.clear()
        self._prepared.clear()
        if connection is not None:
            connection.close()


def _lost() -> psycopg.OperationalError:
    return psycopg.OperationalError("the connection is lost")


def _poll(socket: int, events: int, milliseconds: int | None) -> bool:
    """Waits for something to happen to a socket; whether it did."""
    waits = select.poll()
    waits.register(socket, events)
    return bool(waits.poll(milliseconds))
