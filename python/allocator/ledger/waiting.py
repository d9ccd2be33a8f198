"""Callers who wait to be written: whoever finds nobody at it decides and writes for all that wait.

Those that come meanwhile are done by the first of them; where that is a coroutine, by a thread in its place.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.errors import Problem, StoreError

if TYPE_CHECKING:
    from allocator.ledger.book import Book

TOGETHER_MAX: Final = 256
"""Requests that share one commit at most."""

GATHER_S: Final = 0.002
"""How long anybody waits at most for others so that all are faster: a writer for the callers of the last commit."""

HALVED_MIN: Final = 24
"""Callers from which on half is decided while half is written: of fewer, two commits cost more than that saves."""

Work = Callable[["Book"], Any]
"""Adds transactions to a book and returns an answer as plain data; raises to refuse."""

Together = Callable[["Book", "Sequence[Request]"], int]
"""Does several requests as if one after the other, as many of the first as can be done so; how many that were."""


class Later(NamedTuple):
    """An answer that takes long to make, and is made while what it tells of is written."""

    make: Callable[[], Any]


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
        future: What a coroutine awaits; None where a thread waits.
        answer: What `work` answered.
        error: Why it was refused, or what failed.
        done: Whether it is settled.
        turn: Free once it is settled, or it is the caller's turn to write for all.
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
    future: asyncio.Future[Any] | None = None
    answer: Any = None
    error: BaseException | None = None
    done: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)
    leads: bool = False

    def __post_init__(self) -> None:
        self.turn.acquire()

    def tell(self) -> None:
        """Tells whoever awaits it, if it still does."""
        assert self.future is not None
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.answer)


class Relay:
    """A lock for which one other waits at most, who goes on as soon as it is let go.

    The interpreter would let whoever lets go of it do all the rest first.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: threading.Event | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, nobody else holds it."""
        self._next = begun = threading.Event()
        with self._lock:
            self._next = None
            begun.set()
            yield
            following = self._next
        if following is not None:
            following.wait(GATHER_S)


@dataclass(eq=False)
class Turn:
    """Requests that are done together.

    Attributes:
        requests: The requests, in their order.
        leads: Whether nobody else may be the next to decide yet.
    """

    requests: list[Request]
    leads: bool = True


class Waiting:
    """The requests that wait, in their order, and whose turn it is.

    Of those that wait the first one leads: it takes them, and hands on to those that came meanwhile once they may be
    decided.
    """

    def __init__(self, lead: Callable[[], object]) -> None:
        """Empty.

        Args:
            lead: Leads; called by the writer's thread for a coroutine whose turn it is.
        """
        self._lead = lead
        self._writer = _writer()
        self._requests: list[Request] = []
        self._guard = threading.Condition(threading.Lock())
        self._awaited = 0
        self._led = False
        self._taken = 0
        self._coming = 0
        self._halved = False
        self._enough_here = threading.Event()

    def enter(self, request: Request) -> None:
        """Waits until a request is settled, or leads."""
        self.add(request)
        if not request.leads:
            request.turn.acquire()

    def add(self, request: Request) -> None:
        """A request waits, or leads. One that is awaited is not waited for here."""
        with self._guard:
            self._requests.append(request)
            self._awaited += request.future is not None
            self._coming = max(0, self._coming - 1)
            if self._enough():
                self._enough_here.set()
            if not self._led:
                self._hand_on()

    def leave(self, request: Request) -> None:
        """A caller that is interrupted leaves nobody waiting for it."""
        with self._guard:
            if request in self._requests:
                self._requests.remove(request)
                self._count_out([request])
                # The thread that leads for one who awaits does so whoever is there.
                if request.leads and request.future is None:
                    self._hand_on()

    def take(self) -> Turn:
        """Those that are done together next, after a moment in which the callers of the last ones come again."""
        with self._guard:
            self._enough_here.clear()
            lacking = not self._enough()
        if lacking:
            self._enough_here.wait(GATHER_S)
        with self._guard:
            share, self._coming = self._share(), 0
            count = next((n for n, request in enumerate(self._requests) if request.alone), TOGETHER_MAX)
            count = max(1, min(count, share))
            taken, self._requests = self._requests[:count], self._requests[count:]
            self._taken += len(taken)
        return Turn(taken)

    def _enough(self) -> bool:
        """Whether as many wait as are to share the next commit, or nobody else is expected."""
        return not self._coming or len(self._requests) >= self._share()

    def _share(self) -> int:
        """How many share the next commit: all who are there, or half of them beside the other half."""
        callers = self._callers()
        return min((callers + 1) // 2 if self._halved and callers >= HALVED_MIN else callers, TOGETHER_MAX)

    def _callers(self) -> int:
        return len(self._requests) + self._taken + self._coming

    def hand_on(self, turn: Turn) -> None:
        """Those that come next may be decided while these are written, if there are enough."""
        with self._guard:
            if turn.leads and self._callers() >= HALVED_MIN:
                turn.leads, self._halved = False, True
                self._hand_on()

    def settle(self, turn: Turn) -> None:
        """Tells callers that their requests are done; whoever came meanwhile leads, unless somebody does."""
        awaited: dict[asyncio.AbstractEventLoop, list[Request]] = defaultdict(list)
        with self._guard:
            for request in turn.requests:
                if request.future is not None:
                    awaited[request.future.get_loop()].append(request)
                elif not request.leads:
                    request.turn.release()
            self._taken -= len(turn.requests)
            self._coming += len(turn.requests)
            self._count_out(turn.requests)
            if turn.leads:
                turn.leads = self._halved = False
                self._hand_on()
        for loop, mine in awaited.items():
            _tell(loop, mine)

    def close(self) -> None:
        """Waits until nothing is written any more for those who await it. Whoever comes later finds another writer."""
        with self._guard:
            self._guard.wait_for(lambda: not self._awaited)
            writer, self._writer = self._writer, _writer()
        writer.shutdown()

    def _count_out(self, requests: Sequence[Request]) -> None:
        self._awaited -= sum(request.future is not None for request in requests)
        if not self._awaited:
            self._guard.notify_all()

    def _hand_on(self) -> None:
        """The first of those that wait leads; the guard is held."""
        self._led = False
        while self._requests and not self._led:
            first = self._requests[0]
            first.leads = self._led = True
            if first.future is None:
                first.turn.release()
                return
            try:
                self._writer.submit(self._lead_for, first)
            except RuntimeError as error:
                # It will not be written: nobody is to wait for a writer that there is none of.
                self._led, self._writer = False, _writer()
                self._requests.remove(first)
                self._count_out([first])
                first.error, first.done = _unwritten(error), True
                _tell(first.future.get_loop(), [first])

    def _lead_for(self, first: Request) -> None:
        """Leads in place of one who awaits."""
        with self._guard:
            # One that was told that there is no thread may find one after all, which was busy.
            if first.done:
                return
        self._lead()


def _writer() -> ThreadPoolExecutor:
    """Threads that write for those who await it: one decides while the other writes. They begin when needed."""
    return ThreadPoolExecutor(2, "allocator writes")


def _unwritten(error: RuntimeError) -> StoreError:
    """What those hear who await a writer when there is no thread to be had, as at the end of the interpreter."""
    hint = "Nothing was done. Try again; a process that ends begins no threads"
    refused = StoreError(Problem("store_busy", "there is no thread to write with", value=str(error)[:80], hint=hint))
    refused.__cause__ = error
    return refused


def _tell(loop: asyncio.AbstractEventLoop, requests: Sequence[Request]) -> None:
    """Tells those who await requests in a loop."""
    # One that was closed meanwhile has nobody left who awaits anything.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_tell_all, requests)


def _tell_all(requests: Sequence[Request]) -> None:
    for request in requests:
        request.tell()
