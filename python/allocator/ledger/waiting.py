"""Callers who wait to be written: whoever finds nobody leading leads, and takes all that wait with it.

The leader decides what is to be written. While that is on its way to the disk, the next one may lead already: then
half of the callers are written while the other half is decided.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from allocator.ledger.book import Book

TOGETHER_MAX: Final = 256
"""Requests that share one commit at most."""

GATHER_S: Final = 0.002
"""How long a leader waits at most for the callers of the last commit to come again."""

Work = Callable[["Book"], Any]
"""Adds transactions to a book and returns an answer as plain data; raises to refuse."""

Together = Callable[["Book", "Sequence[Request]"], int]
"""Does several requests as if one after the other, as many of the first as can be done so; how many that were."""


@dataclass(eq=False)
class Request:
    """What a caller wants done.

    Attributes:
        work: Does it.
        key: The caller's idempotency key; '' for none.
        content: Hash of what is asked, to tell a repeat from another request under the same key.
        kind: Requests of one kind that follow each other may be done by one call of `together`.
        together: Does several of a kind.
        ahead: As `together`, on what is known in memory alone; None for what always has to read.
        about: What `together` and `ahead` work on.
        alone: Whether it is large enough for a book of its own.
        answer: What `work` answered.
        error: Why it was refused, or what failed.
        done: Whether it is settled.
        turn: Free once it is settled, or it is the caller's turn to lead.
        leads: Whether it is, or was, the caller's turn.
    """

    work: Work
    key: str = ""
    content: bytes = b""
    kind: Hashable = None
    together: Together | None = None
    ahead: Together | None = None
    about: Any = None
    alone: bool = False
    answer: Any = None
    error: BaseException | None = None
    done: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)
    leads: bool = False

    def __post_init__(self) -> None:
        self.turn.acquire()


class Waiting:
    """The requests that wait, in their order, and whose turn it is.

    Of those that wait the first one leads, until it has taken them.
    """

    def __init__(self) -> None:
        self._requests: list[Request] = []
        self._guard = threading.Lock()
        self._led = False
        self._on_their_way = 0
        self._callers = 1
        self._enough = 1
        self._are_here = threading.Event()

    def enter(self, request: Request) -> None:
        """Waits until a request is settled, or leads."""
        with self._guard:
            self._requests.append(request)
            if len(self._requests) == self._enough:
                self._are_here.set()
            request.leads = not self._led
            self._led = True
        if not request.leads:
            request.turn.acquire()

    def leave(self, request: Request) -> None:
        """A caller that is interrupted leaves nobody waiting for it."""
        with self._guard:
            if request in self._requests:
                self._requests.remove(request)
                if request.leads:
                    self._next()

    def take(self, *, halves: bool) -> list[Request]:
        """Those that are done together next, after a moment in which the callers of the last ones come again.

        Args:
            halves: Whether others can lead while these are written: then half of the callers are enough.
        """
        with self._guard:
            self._callers = max(self._callers, len(self._requests) + self._on_their_way)
            rest = self._callers - self._on_their_way
            self._enough = max(1, min(rest, -(-self._callers // 2)) if halves else rest)
            self._are_here.clear()
            lacking = len(self._requests) < self._enough
        if lacking:
            self._are_here.wait(GATHER_S)
        with self._guard:
            self._callers = len(self._requests) + self._on_their_way
            most = min(TOGETHER_MAX, self._enough) if halves and not lacking else TOGETHER_MAX
            count = next((n for n, request in enumerate(self._requests) if request.alone), most)
            count = max(1, min(count, most))
            taken, self._requests = self._requests[:count], self._requests[count:]
        return taken

    def hand_on(self, written: Sequence[Request] = ()) -> None:
        """Lets the next one lead, while some are written."""
        with self._guard:
            self._on_their_way += len(written)
            self._next()

    def settled(self, requests: Sequence[Request], *, handed_on: bool) -> None:
        """Tells callers that their requests are done, and whether others could lead meanwhile."""
        with self._guard:
            self._on_their_way -= len(requests) * handed_on
            for request in requests:
                if not request.leads:
                    request.turn.release()

    def put_back(self, requests: Sequence[Request]) -> None:
        """What the leader took and did not do comes first again."""
        with self._guard:
            self._requests[:0] = requests

    def wait_again(self, requests: Sequence[Request]) -> None:
        """As `put_back`, by one that has handed on, the first of these; waits until that is settled, or leads."""
        first = requests[0]
        with self._guard:
            self._on_their_way -= len(requests)
            first.leads = not self._led
            self._led = True
            ahead = 1 if self._requests and self._requests[0].leads else 0
            self._requests[ahead:ahead] = requests
        if not first.leads:
            first.turn.acquire()

    def _next(self) -> None:
        """The first of those that wait leads; the guard is held."""
        self._led = bool(self._requests)
        if self._requests:
            self._requests[0].leads = True
            self._requests[0].turn.release()
