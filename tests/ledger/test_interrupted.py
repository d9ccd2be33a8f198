"""A caller is interrupted wherever Python looks for a signal: nobody else waits for it, and nothing is done twice.

Python looks where a function begins, after each call, and where it jumps back.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from functools import partial
from opcode import opname
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from allocator.errors import StoreError
from allocator.ledger import Ledger, requests, waiting
from allocator.ledger.requests import Requests
from allocator.ledger.verify import verify
from allocator.ledger.waiting import Request, Waiting
from ledger_stores import TODAY

PATIENCE_S = 20
LOOKS_AFTER = ("CALL", "RESUME", "JUMP_BACKWARD")
OF_REQUESTS = ("do", "do_async", "_lead", "_do", "_do_decided")
"""What is interrupted of requests, beside all of what waits."""

WHO = ("thread 0", "coroutine 0", "thread 1", "coroutine 1")

BENEATH = (contextlib.__file__, threading.__file__)
"""Files of Python whose functions are interrupted where they are called by what is tested."""

Call = Callable[[], "Future[Any]"]


class Interrupt:
    """Interrupts this thread the so-manyth time that Python looks for a signal in what is tested, and then no more."""

    def __init__(self, point: int) -> None:
        self.left = point
        self.where = ""
        self.error: KeyboardInterrupt | None = None
        self._before: dict[FrameType, str] = {}

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Within, the thread is interrupted. The error is kept, and with it whatever it passed through."""
        sys.settrace(self._called)
        try:
            yield
        except KeyboardInterrupt as error:
            self.error = error
        finally:
            sys.settrace(None)

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if is_tested(frame) or (frame.f_code.co_filename in BENEATH and is_tested(frame.f_back)):
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return self._traced
        return None

    def _traced(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "opcode" and not self.where:
            before = self._before.get(frame, "")
            self._before[frame] = opname[frame.f_code.co_code[frame.f_lasti]]
            if before.startswith(LOOKS_AFTER):
                if self.left == 0:
                    self.where = f"{frame.f_code.co_name}, line {frame.f_lineno}"
                    raise KeyboardInterrupt
                self.left -= 1
        return self._traced


def is_tested(frame: FrameType | None) -> bool:
    file, name = ("", "") if frame is None else (frame.f_code.co_filename, frame.f_code.co_name)
    return file == waiting.__file__ or (file == requests.__file__ and name in OF_REQUESTS)


class Watched(Waiting):
    """Tells which requests wait, or did."""

    def __init__(self, lead: Callable[[], object]) -> None:
        super().__init__(lead)
        self.seen: set[Request] = set()

    def add(self, request: Request) -> None:
        super().add(request)
        self.seen.add(request)


class Others:
    """Callers who come while somebody leads: some before it takes what waits, the others before it has written."""

    def __init__(self, requests: Requests, calls: Sequence[Sequence[Call]]) -> None:
        self._waiting = requests._waiting = Watched(requests._lead)
        self._calls = [[*some] for some in calls]
        self._guard = threading.Lock()
        self.answers: list[Future[Any]] = []

    def come(self, wave: int) -> None:
        """Those of one wave wait, one after the other, unless they came before."""
        with self._guard:
            calls, self._calls[wave] = self._calls[wave], []
            for call in calls:
                before = len(self._waiting.seen)
                answer = call()
                self.answers.append(answer)
                while len(self._waiting.seen) == before and not answer.done():
                    time.sleep(0)
            if calls and wave == 0:
                # Whoever leads waits a moment for more of them.
                self._waiting._coming = 9


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop of another thread."""
    with closing(asyncio.new_event_loop()) as other:
        thread = threading.Thread(target=other.run_forever, daemon=True)
        thread.start()
        yield other
        other.call_soon_threadsafe(other.stop)
        thread.join(PATIENCE_S)


def in_a_thread(call: Callable[[], Any]) -> Future[Any]:
    """What a call answers in a thread of its own, which nobody has to wait for."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer


def told(answer: Future[Any], where: str) -> Any:
    """What somebody was answered; None where nothing is known."""
    try:
        return answer.result(PATIENCE_S)
    except StoreError as error:
        assert error.code == "outcome_unknown", where
        return None
    except TimeoutError:
        pytest.fail(f"somebody waits forever for one who was interrupted in {where}")


class Shop(Requests):
    """Requests that are all done ahead, and recorded in a list."""

    def __init__(self, loop: asyncio.AbstractEventLoop, first: str) -> None:
        super().__init__(None, None)  # type: ignore[arg-type]
        self.recorded: list[str] = []
        self.calls: list[Callable[[str], Future[Any]]] = [
            lambda name: in_a_thread(lambda: self.do(wish(name))),
            lambda name: asyncio.run_coroutine_threadsafe(self.do_async(wish(name)), loop),
        ]
        self.others = Others(self, two_waves(self.calls, first))

    def _lead(self) -> None:
        self.others.come(0)
        super()._lead()

    def _decided_ahead(self, batch: Sequence[Request]) -> Any:
        return SimpleNamespace(book=SimpleNamespace(known=None), requests=batch)

    def _write_ahead(self, ahead: Any) -> None:
        self.others.come(1)
        self.recorded += [request.about for request in ahead.requests]
        for request in ahead.requests:
            request.answer, request.done = request.about, True


def two_waves(calls: Sequence[Callable[[str], Future[Any]]], first: str, names: str = "") -> list[list[Call]]:
    """A thread and a coroutine come twice, one of them first."""
    kinds = sorted(zip(("thread", "coroutine"), calls, strict=True), key=lambda each: each[0] != first)
    return [[partial(call, f"{names}{kind} {wave}") for kind, call in kinds] for wave in range(2)]


def wish(name: str) -> Request:
    return Request(lambda _: None, about=name)


def ask(shop: Shop) -> None:
    shop.do(wish("interrupted"))


def await_it(shop: Shop) -> None:
    with closing(asyncio.new_event_loop()) as here:
        task = here.create_task(shop.do_async(wish("interrupted")))
        try:
            here.run_until_complete(task)
        finally:
            if task.cancel():
                with suppress(asyncio.CancelledError):
                    here.run_until_complete(task)


@pytest.mark.parametrize("halved_min", [1, 24])
@pytest.mark.parametrize("first", ["thread", "coroutine"])
@pytest.mark.parametrize("ask", [ask, await_it])
def test_whoever_is_interrupted_leaves_nobody_waiting(
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[Shop], None],
    first: str,
    halved_min: int,
) -> None:
    monkeypatch.setattr(waiting, "HALVED_MIN", halved_min)
    points = 0
    while is_interrupted_at(points, Shop(loop, first), ask):
        points += 1
    assert points > 10


def is_interrupted_at(point: int, shop: Shop, ask: Callable[[Shop], None]) -> bool:
    """Whether there is such a point; the others are told something, once, and whoever comes later is served."""
    interrupt = Interrupt(point)
    with interrupt.armed():
        ask(shop)
    for wave in range(2):
        shop.others.come(wave)
    answers = [told(answer, interrupt.where) for answer in shop.others.answers]
    later = [told(call(f"later {number}"), interrupt.where) for number, call in enumerate(shop.calls)]
    in_a_thread(shop.close).result(PATIENCE_S)
    assert later == ["later 0", "later 1"], interrupt.where
    assert set(answers) - {None} <= set(shop.recorded), interrupt.where
    assert len(set(shop.recorded)) == len(shop.recorded), interrupt.where
    assert interrupt.where or None not in answers
    return bool(interrupt.where)


def test_what_was_taken_by_half_is_not_taken_again() -> None:
    waits = Waiting(lambda: None)
    first, second = wish("first"), wish("second")
    for request in (first, second):
        waits.add(request)
    waits._turns[-1].requests = [first, second]
    waits.leave(first)
    assert isinstance(second.error, StoreError)
    third = wish("third")
    waits.add(third)
    assert waits.take().requests == [third]


@pytest.fixture
def stocked(sqlite_ledger_url: str) -> Iterator[Ledger]:
    with Ledger.open(sqlite_ledger_url) as ledger:
        ledger.define([{"sku": "belt"}], actor="ana")
        line = {"sku": "belt", "qty": 100_000, "location": "north"}
        ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
        yield ledger


def reserve(ledger: Ledger, name: str) -> dict[str, Any]:
    return ledger.reserve({"line_id": name, "sku": "belt", "qty": 1}, actor="bob", as_of=TODAY, key=name)


def test_on_a_ledger_nothing_that_was_answered_is_lost_and_nothing_is_done_twice(
    stocked: Ledger, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    come: list[Callable[[int], None]] = [lambda _: None]
    lead, write = Requests._lead, Requests._write_ahead

    def lead_after_others(self: Requests) -> None:
        come[0](0)
        lead(self)

    def write_after_others(self: Requests, ahead: Any) -> None:
        come[0](1)
        write(self, ahead)

    async def await_it(name: str) -> dict[str, Any]:
        line = {"line_id": name, "sku": "belt", "qty": 1}
        return await stocked.reserve_async(line, actor="bob", as_of=TODAY, key=name)

    def by_thread(name: str) -> Future[Any]:
        return in_a_thread(lambda: reserve(stocked, name))

    def by_coroutine(name: str) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(await_it(name), loop)

    monkeypatch.setattr(waiting, "HALVED_MIN", 1)
    monkeypatch.setattr(Requests, "_lead", lead_after_others)
    monkeypatch.setattr(Requests, "_write_ahead", write_after_others)
    for point in itertools.count():
        # From here on what is known is not so after each interrupt: it is read again, and the next is decided on it.
        stocked.requests._read_first = stocked.requests._refused = 0
        reserve(stocked, f"{point} known")
        calls = two_waves([by_thread, by_coroutine], ("thread", "coroutine")[point % 2], f"{point} ")
        others = Others(stocked.requests, calls)
        come[0] = others.come
        interrupt = Interrupt(point)
        with interrupt.armed():
            reserve(stocked, f"{point} interrupted")
        for wave in range(2):
            others.come(wave)
        for answer in others.answers:
            if heard := told(answer, interrupt.where):
                assert stocked.outcome(heard["lines"][0]["line_id"]) == heard, interrupt.where
        if not interrupt.where:
            break
    assert point > 50
    keys = [f"{n} {who}" for n in range(point + 1) for who in (*WHO, "known", "interrupted")]
    done = sum(stocked.outcome(key) is not None for key in keys)
    assert done > 4 * point
    assert int(stocked.allocations()["qty"].sum()) == stocked.allocations().height == done
    assert verify(stocked).clean
