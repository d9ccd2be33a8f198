"""A network between a client and its server that breaks at a given moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal

When = Literal["before", "after"]


class Proxy:
    """Hands on what comes, until it is told to cut the line.

    Every piece that arrives, from either side, is one event. The line is cut at one of them: before the piece is handed
    on, or right after it, without waiting for what the other side makes of it.
    """

    def __init__(self, port: int) -> None:
        self.cuts = 0
        self._server = port
        self._guard = threading.Lock()
        self._events_left = -1
        self._when: When = "before"
        self._saying = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, event: int, when: When, *, saying: bytes = b"") -> None:
        """Cuts the line at one of the events from now on, counted from 0; of those alone that say something."""
        with self._guard:
            self._events_left, self._when, self._saying, self.cuts = event, when, saying, 0

    def mend(self) -> None:
        """Cuts nothing any more."""
        with self._guard:
            self._events_left = -1

    def close(self) -> None:
        """Takes no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), source, target:
            while piece := source.recv(1 << 16):
                cut = self._is_cut(piece)
                if not cut or self._when == "after":
                    target.sendall(piece)
                if cut:
                    break
            # Both ends hear of it at once, and the pump of the other direction ends too.
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _is_cut(self, piece: bytes) -> bool:
        with self._guard:
            if self._events_left < 0 or self._saying not in piece:
                return False
            self._events_left -= 1
            if self._events_left >= 0:
                return False
            self.cuts += 1
            return True


@contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """A proxy for a server on this machine."""
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()
