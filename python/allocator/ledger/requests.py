"""Requests of callers: many that wait at once share one commit, each has its own answer, and none is done twice.

Whoever finds nobody at it takes all that wait and writes them in one database transaction, so that a hundred small
requests cost one commit; those that come meanwhile are done by the first of them. While a commit is written, the next
is decided, as far as it can be on what is known. A refused request changes nothing and does not trouble the others.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby, takewhile
from typing import Any, Final, NamedTuple
from weakref import WeakSet

from allocator.errors import AllocatorError, InputError, Problem, StaleError, StoreError
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog
from allocator.ledger.known import Known
from allocator.ledger.store import ConflictError, Session, Store, Whole
from allocator.ledger.waiting import Later, Relay, Request, Turn, Waiting

TRIES_MAX: Final = 5
READ_FIRST: Final = 32
"""Batches for which is read what others did, once what was known turned out to be old; twice as many each next time."""

READ_FIRST_MAX: Final = 4096

Alone = Callable[[Session, Catalog], Any]
"""Writes through books of its own, and returns an answer as plain data; raises to refuse."""


def content_of(*said: object) -> bytes:
    """A hash of what is asked, whatever the order of names."""
    text = json.dumps(said, sort_keys=True, default=str, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


class _Ahead(NamedTuple):
    """Requests that were decided on what is known alone: their book, and what is to be written."""

    book: Book
    requests: list[Request]
    changes: Whole


class Requests:
    """The requests of one process to one tenant's ledger."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self.store, self.catalog = store, catalog
        self._begin()
        _OPEN.add(self)

    def _begin(self) -> None:
        self._known: Known | None = None
        self._waiting = Waiting(self._lead)
        # In this order, where both are held.
        self._writing, self._deciding = Relay(), threading.Lock()
        self._read_first = self._refused = 0
        self._to_count = False

    def do(self, request: Request) -> Any:  # noqa: ANN401 - what `work` answers
        """Does a request, together with those that wait beside it.

        Raises:
            AllocatorError: The request was refused; nothing was done.
            StoreError: The store failed; the code tells whether anything may have been done.
        """
        try:
            self._waiting.enter(request)
            if not request.done:
                self._lead()
        except BaseException:
            self._waiting.leave(request)
            raise
        if request.error is not None:
            raise request.error
        return request.answer

    async def do_async(self, request: Request) -> Any:  # noqa: ANN401 - what `work` answers
        """As `do`, for a coroutine."""
        request.future = asyncio.get_running_loop().create_future()
        try:
            self._waiting.add(request)
            return await request.future
        except BaseException:
            self._waiting.leave(request)
            raise

    def close(self) -> None:
        """Waits until nothing is written any more for those who await it."""
        self._waiting.close()

    def begin_in_child(self) -> None:
        """Begins anew in a process that was forked, before anything else: whoever waited, or led, stayed in the other.

        So did accounts that were not recorded yet.
        """
        self._begin()
        self.catalog.forget()

    def _lead(self) -> None:
        """Does those that wait, the caller's own among them, and sees to it that whoever came meanwhile leads."""
        turn = self._waiting.take()
        try:
            # Nobody, where those who awaited went away.
            if turn.requests:
                self._do(turn)
        except BaseException:
            with self._deciding:
                self._forget_known()
            raise
        finally:
            self._waiting.settle(turn)
        self._count_rows()

    def _do(self, turn: Turn) -> None:
        """Decides requests, which the turn before may still be written beside; then writes them."""
        with self._deciding:
            ahead = self._decided_ahead(turn.requests)
        self._writing.hold(partial(self._do_decided, turn, ahead))

    def _do_decided(self, turn: Turn, ahead: _Ahead | None) -> None:
        """Writes what was decided ahead; then does all else."""
        if ahead is not None:
            if len(ahead.requests) == len(turn.requests):
                self._waiting.hand_on(turn)
            self._write_ahead(ahead)
        if rest := [request for request in turn.requests if not request.done]:
            with self._deciding:
                self._do_all(rest)

    def _decided_ahead(self, batch: Sequence[Request]) -> _Ahead | None:
        """Decides those requests that come first and can be done on what is known alone.

        Nothing is read, and nobody is kept from writing before: it takes one trip to the store. Whether anything was
        written meanwhile, or a line or a key was there of which nothing was known, is found when it is written; then
        nothing was done, and all is read. What is known is from now on what was decided.
        """
        known, ahead = self._known, batch[0].ahead
        if ahead is None or known is None or self._read_first:
            return None
        alike = [*takewhile(lambda request: request.kind == batch[0].kind, batch)]
        keys = [request.key for request in alike if request.key]
        if len(set(keys)) < len(keys):
            return None
        try:
            with few_collections():
                book = Book(None, self.catalog, known=known)
                done = alike[: ahead(book, alike)]
                if not done:
                    return None
                for request in done:
                    if request.key:
                        book.answer(request.key, request.content, _kept(request))
                changes = self.store.changes()
                book.flush(changes)
                book.settled()
                changes.send()
        except BaseException as error:
            # It may be known in part, and is not written.
            self._forget_known()
            if not isinstance(error, Exception):
                raise
            return None
        return _Ahead(book, done, changes)

    def _write_ahead(self, ahead: _Ahead) -> None:
        """Writes what was decided ahead. Its requests are done then, or will be once all was read."""
        try:
            ahead.changes.write()
        except BaseException as error:
            # What was to be written is not so: what is known already says that it is, unless all was read since.
            with self._deciding:
                if ahead.book.known is self._known:
                    self._forget_known()
            if not isinstance(error, Exception):
                raise
            if isinstance(error, StoreError) and error.problems[0].code == "outcome_unknown":
                for request in ahead.requests:
                    request.error, request.done = _own(error), True
            return
        self._refused = 0
        self._committed(ahead.book)
        for request in ahead.requests:
            request.done = True

    def _forget_known(self) -> None:
        """What is known is not so; for some time all is read first. Nobody decides meanwhile."""
        self._known, self._read_first = None, min(READ_FIRST << self._refused, READ_FIRST_MAX)
        self._refused += 1

    def _do_all(self, batch: Sequence[Request]) -> None:
        try:
            self._try(batch)
        except Exception as error:
            if len(batch) == 1 or isinstance(error, StoreError):
                for request in batch:
                    request.error, request.done = _own(error), True
                return
            # One of them broke the transaction of all: each on its own, the others succeed.
            for request in batch:
                self._do_all([request])

    def do_alone(self, work: Alone, key: str = "", content: bytes = b"") -> Any:  # noqa: ANN401 - what `work` answers
        """Does what is too large for one book: `work` opens books of its own, within one database transaction.

        Others who write wait as long. A refusal leaves nothing behind, not even under its key.

        Raises:
            AllocatorError: It was refused; nothing was done.
            StoreError: The store failed; the code tells whether anything may have been done.
        """
        request = Request(lambda _: None, key, content)

        def write(session: Session, _: list[Book]) -> None:
            # The accounts that it opens are nobody else's until it has committed: a catalog of its own.
            catalog = Catalog(self.catalog.tenant)
            Book(session, catalog)  # takes the lock
            answered = self._answered(session, [key])
            if key in answered:
                _repeat(request, *answered[key])
                return
            request.answer = work(session, catalog)
            if key:
                book = Book(session, catalog)
                book.answer(key, content, _kept(request))
                book.flush()

        self._retried(write)
        self._count_rows()
        if request.error is not None:
            raise request.error
        return request.answer

    def _try(self, batch: Sequence[Request]) -> None:
        self._retried(lambda session, books: self._write(session, batch, books))
        for request in batch:
            request.done = True

    def _retried(self, write: Callable[[Session, list[Book]], None]) -> None:
        """Writes in one transaction; tries again where another writer was in the way.

        `write` adds the books to the list that it opens on the catalog and the knowledge of all.
        """
        deadline = time.monotonic() + self.store.timeout_s
        for tried in range(1, TRIES_MAX + 1):
            books: list[Book] = []
            try:
                with self.store.session("write") as session:
                    write(session, books)
            except BaseException as error:
                # Not after `write` but here: a commit can fail, too.
                self._forget(books)
                if not isinstance(error, Exception) or not self._in_the_way(error):
                    raise
                if tried == TRIES_MAX or time.monotonic() > deadline:
                    message = f"others were in the way {tried} times"
                    raise StoreError(Problem("store_busy", message, hint="Nothing was done. Try again")) from error
                time.sleep(random.uniform(0, 0.005 * 2**tried))  # noqa: S311 - so that two do not meet again
            else:
                for book in books:
                    self._known = book.settled()
                    self._committed(book)
                self._read_first = max(0, self._read_first - 1)
                return

    def _committed(self, book: Book) -> None:
        self.catalog.seen = (book.seq, book.hash)
        # When there are ten times as many transactions or goods as when rows were counted last.
        grown = ((book.seq, book.seq_before), (book.goods_last, book.goods_before))
        if any(len(str(now)) > len(str(before)) for now, before in grown):
            self._to_count = True

    def _count_rows(self) -> None:
        """Has rows counted where that is due; those whose requests are done do not wait for it."""
        if self._to_count:
            self._to_count = False
            # Whatever fails here, what was asked for is done.
            with suppress(Exception):
                self.store.count_rows()

    def _in_the_way(self, error: Exception) -> bool:
        cause = error.__cause__ if isinstance(error, StoreError) else error
        return isinstance(cause, ConflictError) or (isinstance(cause, Exception) and self.store.is_conflict(cause))

    def _forget(self, books: Sequence[Book]) -> None:
        """What was to be recorded may not be: nothing of it is remembered."""
        for book in books:
            self._known = None
            book.abandon()

    def _write(self, session: Session, batch: Sequence[Request], books: list[Book]) -> None:
        with few_collections():
            book = Book(session, self.catalog, known=self._known)
            books.append(book)
            answered = self._answered(session, [request.key for request in batch])
            for _, group in groupby(batch, key=lambda request: request.kind or id(request)):
                self._work(book, list(group), answered)
            _flush(book, [request for request in batch if isinstance(request.answer, Later)])

    def _work(self, book: Book, group: Sequence[Request], answered: dict[str, tuple[bytes, Any]]) -> None:
        """Does some requests, or answers those that were done before."""
        fresh = [request for request in group if not (request.key and request.key in answered)]
        together = group[0].together
        keys = [request.key for request in fresh if request.key]
        alike = together is not None and len(fresh) > 1 and len(set(keys)) == len(keys)
        count = together(book, fresh) if alike and together else 0
        done = {id(request) for request in fresh[:count]}
        for request in group:
            if request.key and request.key in answered:
                _repeat(request, *answered[request.key])
                continue
            if id(request) not in done:
                request.answer = request.error = None
                before = book.seq
                try:
                    request.answer = request.work(book)
                    if request.key and isinstance(request.answer, Later):
                        request.answer = request.answer.make()
                except (StaleError, InputError) as error:
                    # What takes several transactions is done by all of them: the first must not stay alone.
                    if book.seq != before:
                        raise
                    request.error = error
            if request.key:
                kept = _kept(request)
                book.answer(request.key, request.content, kept)
                answered[request.key] = (request.content, kept)

    def _answered(self, session: Session, keys: Iterable[str]) -> dict[str, tuple[bytes, Any]]:
        """Of the keys that were used before, what was asked and what was answered."""
        asked = sorted({key for key in keys if key})
        if not asked:
            return {}
        sql = "SELECT key, content, answer FROM request WHERE tenant = :tenant AND key = ANY(:keys)"
        rows = session.rows(sql, {"tenant": self.catalog.tenant, "keys": asked})
        return {key: (bytes(content), json.loads(answer)) for key, content, answer in rows}

    def outcome(self, key: str) -> Any:  # noqa: ANN401 - what `work` answered
        """What became of the request with this key: its answer, or None if it did not happen, and cannot any more.

        Raises:
            AllocatorError: It was refused, as it was then.
            StoreError: The store failed, or others held it for too long: nothing is known yet.
        """
        with self.store.session() as session:
            kept = self._answered(session, [key]).get(key)
        if kept is None:
            kept = self.do(Request(lambda book: self._settled(book, key)))
        if kept is None:
            return None
        request = Request(lambda _: None, content=kept[0])
        _repeat(request, *kept)
        if request.error is not None:
            raise request.error
        return request.answer

    def _settled(self, book: Book, key: str) -> tuple[bytes, Any] | None:
        """What is known of a key when nothing is on its way any more.

        A commit that nobody heard of may still be going on: PostgreSQL gives nobody else the head of the chain before
        it ends. And one that failed may be in the log of SQLite, and come true after a crash: what is written here
        takes its place there. What is decided ahead may not even have come to the store: it is not taken there any more
        once another number stands in the head.
        """
        book.session.run(_MARK, {"tenant": book.tenant})
        book.outcomes_asked += 1
        return self._answered(book.session, [key]).get(key)


_OPEN: Final = WeakSet[Requests]()


def _begin_in_child() -> None:
    for requests in _OPEN:
        requests.begin_in_child()


os.register_at_fork(after_in_child=_begin_in_child)

_MARK: Final = "UPDATE tenant SET outcomes_asked = outcomes_asked + 1 WHERE tenant = :tenant"


def _flush(book: Book, later: Sequence[Request]) -> None:
    """Writes what was added to a book, while another thread makes answers.

    Not the other way round: a caller that is interrupted twice waits for no thread, and rolls back. What was written
    after that would be outside of any transaction.
    """
    if not later:
        book.flush()
        return
    makes = [request.answer.make for request in later]
    with ThreadPoolExecutor(1, "allocator answers") as answerer:
        try:
            made = answerer.submit(lambda: [make() for make in makes])
        except RuntimeError:
            made = None  # There is no thread to be had, as at the end of the interpreter.
        book.flush()
        answers = [make() for make in makes] if made is None else made.result()
    for request, answer in zip(later, answers, strict=True):
        request.answer = answer


def _own(error: Exception) -> Exception:
    """The error for one of many who hear of it: each raises its own."""
    if not isinstance(error, StoreError):
        return error
    own = StoreError(error.problems)
    own.__cause__ = error.__cause__
    return own


_COLLECTING_FEW: Final = threading.Lock()
"""Held while Python does not look for garbage, by whoever had it stop: another who found it so would leave it so."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Keeps Python from looking for garbage again and again among a million rows that are all in use."""
    stops = gc.isenabled() and _COLLECTING_FEW.acquire(blocking=False)
    if stops:
        gc.disable()
    try:
        yield
    finally:
        if stops:
            _collect_again()


def _collect_again() -> None:
    gc.enable()
    _COLLECTING_FEW.release()


def _collect_in_child() -> None:
    """Whoever had it stop stayed in the process that was forked."""
    if _COLLECTING_FEW.locked():
        _collect_again()


os.register_at_fork(after_in_child=_collect_in_child)


def _kept(request: Request) -> dict[str, Any]:
    error = request.error
    if isinstance(error, AllocatorError):
        problems = [[getattr(problem, name) for name in _FIELDS] for problem in error.problems]
        return {"refused": problems, "stale": isinstance(error, StaleError)}
    return {"answer": request.answer}


def _repeat(request: Request, content: bytes, kept: Any) -> None:  # noqa: ANN401
    request.answer = request.error = None
    if content != request.content:
        hint = "A key stands for one request: use a new key"
        message = "the key was used before, for something else"
        request.error = InputError(Problem("key_reused", message, column="key", value=request.key[:80], hint=hint))
    elif "refused" in kept:
        made = StaleError if kept["stale"] else InputError
        request.error = made([Problem(*fields) for fields in kept["refused"]])
    else:
        request.answer = kept["answer"]


_FIELDS: Final = ("code", "message", "table", "column", "row", "value", "hint")
