"""Callers who wait to be written: whoever finds nobody at it decides and writes for all that wait.

Those that come meanwhile are done by the first of them; where that is a coroutine, by a thread in its place.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
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

    def __post_init__(self) -> None:
        self.turn.acquire()

    def wake(self) -> None:
        """Lets the thread that waits for it go on; whoever does this holds the guard, and may do it again."""
        if self.turn.locked():
            self.turn.release()

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
        self._next: threading.Lock | None = None

    def hold(self, work: Callable[[], None]) -> None:
        """Does some work while nobody else holds it.

        It is no context manager, for a caller could be interrupted when the lock is taken and its block not begun.
        """
        self._next = begun = _taken()
        with self._lock:
            self._next = None
            begun.release()
            work()
            following = self._next
        if following is not None:
            following.acquire(timeout=GATHER_S)


@dataclass(eq=False, slots=True)
class Turn:
    """Requests that are done together.

    Attributes:
        leader: The request whose caller does them, or a thread in its place.
        requests: The requests, in their order; none before they are taken.
        begun: Whether there is a thread that does them in place of a caller.
        leads: Whether nobody else may be the next to decide yet.
        settled: Whether they are done, and their callers may come again.
    """

    leader: Request
    requests: list[Request] = field(default_factory=list)
    begun: bool = False
    leads: bool = True
    settled: bool = False


class Waiting:
    """The requests that wait, in their order, and the turns of those that lead or led.

    Of those that wait the first one leads: it takes them, and hands on to those that came meanwhile once they may be
    decided.

    A caller may be interrupted wherever it is, and nobody is to wait for it then. So a turn is there before its leader
    knows of it, and until all that it took have been told; requests wait, or are in a turn that is there; and whatever
    is done here may be done again. One who is interrupted leaves: what it took is settled, maybe again, and whoever
    leads is woken, maybe again. A lock is taken by `with` alone, and is never a condition or an event, which are
    written in Python: between taking it and its block there is no moment.
    """

    def __init__(self, lead: Callable[[], object]) -> None:
        """Empty.

        Args:
            lead: Leads; called by the writer's thread for a coroutine whose turn it is.
        """
        self._lead = lead
        self._writer = _writer()
        self._guard = threading.Lock()
        self._requests: list[Request] = []
        self._turns: list[Turn] = []
        self._coming = 0
        self._halved = False
        self._enough_here = threading.Lock()
        self._closing: list[threading.Lock] = []

    def enter(self, request: Request) -> None:
        """Waits until a request is settled, or leads."""
        self.add(request)
        request.turn.acquire()

    def add(self, request: Request) -> None:
        """A request waits, or leads. One that is awaited is not waited for here."""
        with self._guard:
            self._requests.append(request)
            if self._coming:
                self._coming -= 1
            if self._enough_here.locked() and self._enough():
                self._enough_here.release()
            if not self._is_led():
                self._hand_on()

    def leave(self, request: Request) -> None:
        """A caller that is interrupted, wherever it was, leaves nobody waiting for it."""
        with self._guard:
            mine = [turn for turn in self._turns if turn.leader is request and request.future is None]
            gone = {request}.union(*(turn.requests for turn in mine))
            self._requests = [each for each in self._requests if each not in gone]
            self._hand_on()
            self._let_close()
        for turn in mine:
            self.settle(turn)

    def take(self) -> Turn:
        """Those that are done together next, after a moment in which the callers of the last ones come again."""
        with self._guard:
            self._enough_here.acquire(blocking=False)
            lacking = not self._enough()
        if lacking:
            self._enough_here.acquire(timeout=GATHER_S)
        with self._guard:
            turn = self._turns[-1]
            share = self._share()
            if not self._enough():
                # Whoever did not come in that moment went away.
                self._coming = 0
            count = next((n for n, request in enumerate(self._requests) if request.alone), TOGETHER_MAX)
            count = max(1, min(count, share))
            turn.requests, self._requests = self._requests[:count], self._requests[count:]
        return turn

    def _enough(self) -> bool:
        """Whether as many wait as are to share the next commit, or nobody else is expected."""
        return not self._coming or len(self._requests) >= self._share()

    def _share(self) -> int:
        """How many share the next commit: all who are there, or half of them beside the other half."""
        callers = self._callers()
        return min((callers + 1) // 2 if self._halved and callers >= HALVED_MIN else callers, TOGETHER_MAX)

    def _callers(self) -> int:
        callers = len(self._requests) + self._coming
        for turn in self._turns:
            if not turn.settled:
                callers += len(turn.requests)
        return callers

    def hand_on(self, turn: Turn) -> None:
        """Those that come next may be decided while these are written, if there are enough."""
        with self._guard:
            if turn.leads and self._callers() >= HALVED_MIN:
                turn.leads, self._halved = False, True
                self._hand_on()

    def settle(self, turn: Turn) -> None:
        """Tells callers that their requests are done; whoever came meanwhile leads, unless somebody does.

        What is not done is not known of: the leader was interrupted.
        """
        awaited: dict[asyncio.AbstractEventLoop, list[Request]] = defaultdict(list)
        with self._guard:
            turn.settled = True
            self._coming += len(turn.requests)
            for request in turn.requests:
                if not request.done:
                    request.error, request.done = _interrupted(), True
                if request.future is None:
                    request.wake()
                else:
                    awaited[request.future.get_loop()].append(request)
            if turn.leads:
                self._halved = turn.leads = False
            if not self._is_led():
                self._hand_on()
        for loop, mine in awaited.items():
            _tell(loop, mine)
        with self._guard:
            self._turns.remove(turn)
            self._let_close()

    def close(self) -> None:
        """Waits until nothing is written any more for those who await it. Whoever comes later finds another writer."""
        closing = _taken()
        with self._guard:
            self._closing.append(closing)
            self._let_close()
        closing.acquire()
        with self._guard:
            writer, self._writer = self._writer, _writer()
        writer.shutdown()

    def _let_close(self) -> None:
        """Whoever closes goes on when nobody awaits anything; the guard is held."""
        if not self._closing:
            return
        unsettled = chain(self._requests, *(turn.requests for turn in self._turns))
        if all(request.future is None for request in unsettled):
            for closing in self._closing:
                if closing.locked():
                    closing.release()
            self._closing.clear()

    def _is_led(self) -> bool:
        """Whether somebody leads: a turn is the last one until it is handed on."""
        return bool(self._turns) and self._turns[-1].leads

    def _hand_on(self) -> None:
        """Wakes whoever leads; where nobody does, the first of those that wait does now. The guard is held."""
        while self._requests or self._is_led():
            if not self._is_led():
                self._turns.append(Turn(self._requests[0]))
            turn = self._turns[-1]
            first = turn.leader
            if first.future is None:
                first.wake()
                return
            if turn.begun:
                return
            try:
                self._writer.submit(self._lead_for, turn)
                return
            except RuntimeError as error:
                # It will not be written: nobody is to wait for a writer that there is none of.
                self._writer = _writer()
                first.error, first.done = _unwritten(error), True
                _tell(first.future.get_loop(), [first])
                with suppress(ValueError):
                    self._requests.remove(first)
                self._turns.remove(turn)
                self._let_close()

    def _lead_for(self, turn: Turn) -> None:
        """Leads in place of one who awaits."""
        with self._guard:
            # One that was told that there is no thread may find one after all, which was busy; or two were asked.
            if turn.begun or turn not in self._turns:
                return
            turn.begun = True
        self._lead()


def _taken() -> threading.Lock:
    """A lock that is taken."""
    lock = threading.Lock()
    lock.acquire()
    return lock


def _writer() -> ThreadPoolExecutor:
    """Threads that write for those who await it. They begin when needed.

    One decides while one writes; the third is there where one that is done has not come to its end.
    """
    return ThreadPoolExecutor(3, "allocator writes")


def _interrupted() -> StoreError:
    """What those hear who waited for a caller that was interrupted while it wrote for all."""
    hint = "Ask for the outcome by its key, or send the same request with the same key again"
    return StoreError(Problem("outcome_unknown", "the writer was interrupted", hint=hint))


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
