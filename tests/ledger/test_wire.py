"""Statements that follow each other on one connection: each hears of its own outcome, whoever reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from allocator.ledger.store import wire as wires
from allocator.ledger.store.wire import LOOK_MS, Sent, Wire

SLOW = "SELECT pg_sleep(0.3), $1"
ADD = "INSERT INTO seen VALUES ($1::bigint)"
FAIL = "SELECT 1 / ($1::bigint - $1::bigint)"


@pytest.fixture
def url(postgres_url: str) -> str:
    """A database with an empty table `seen`."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE seen (number bigint)")
    return postgres_url


@pytest.fixture
def wire(url: str) -> Iterator[Wire]:
    with closing(Wire(lambda: psycopg.connect(url, autocommit=True))) as made:
        yield made


def seen(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM seen ORDER BY ctid")]


def add(wire: Wire, number: int) -> Sent:
    return wire.send(ADD, [b"%d" % number])


def wait_all(wire: Wire, sent: Sequence[Sent]) -> list[str | None]:
    """The state that the server told of each; None for those that were done."""
    told: list[str | None] = []
    for each in sent:
        try:
            wire.wait(each)
        except psycopg.Error as error:
            told.append(error.sqlstate or "lost")
        else:
            told.append(None)
    return told


def terminate(url: str) -> None:
    """Ends all connections to the database but this one, and waits until they are ended."""
    with psycopg.connect(url) as connection:
        sql = (
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute(sql)


def test_what_is_sent_beside_is_done_in_its_turn_and_each_hears_of_its_own(wire: Wire, url: str) -> None:
    sent = [wire.send(SLOW, [b"x"]), add(wire, 1), wire.send(FAIL, [b"2"]), add(wire, 3)]
    assert wait_all(wire, sent) == [None, None, "22012", None]
    assert seen(url) == [1, 3]


def test_whoever_waits_for_the_last_reads_for_all(wire: Wire, url: str) -> None:
    sent = [add(wire, 1), wire.send(FAIL, [b"2"]), add(wire, 3)]
    wire.wait(sent[-1])
    assert [each.over for each in sent] == [True] * 3
    assert wait_all(wire, sent) == [None, "22012", None]


def test_many_threads_send_and_wait_in_any_order(wire: Wire, url: str) -> None:
    def some(first: int) -> list[str | None]:
        sent = [add(wire, number) for number in range(first, first + 50)]
        bad = wire.send(FAIL, [b"1"])
        return wait_all(wire, [bad, *reversed(sent)])

    with ThreadPoolExecutor(8) as callers:
        told = [*callers.map(some, range(0, 400, 50))]
    assert told == [["22012", *[None] * 50]] * 8
    assert sorted(seen(url)) == [*range(400)]


def test_a_statement_that_could_not_be_prepared_is_prepared_again(wire: Wire, url: str) -> None:
    later = "INSERT INTO later VALUES ($1::bigint)"
    assert wait_all(wire, [wire.send(later, [b"1"]), add(wire, 1)]) == ["42P01", None]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE later (number bigint)")
    assert wait_all(wire, [wire.send(later, [b"1"]), wire.send(later, [b"2"])]) == [None, None]


def test_one_that_is_refused_when_it_is_committed_is_not_done_and_those_behind_it_are(wire: Wire, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE seen ADD UNIQUE (number) DEFERRABLE INITIALLY DEFERRED")
    for _ in range(2):
        sent = [add(wire, number) for number in (1, 1, 2, 2, 3)]
        assert wait_all(wire, sent) == [None, "23505", None, "23505", None]
        assert seen(url) == [1, 2, 3]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DELETE FROM seen")


def test_statements_that_the_server_does_not_keep_are_done_all_the_same(
    wire: Wire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "PREPARED_MAX", 1)
    texts = [f"{ADD} -- {number}" for number in range(3)]
    assert wait_all(wire, [wire.send(text, [b"7"]) for text in [*texts, *texts]]) == [None] * 6
    assert seen(url) == [7] * 6


@pytest.mark.parametrize("quiet_s", [0, 60], ids=["asked", "closed at the other end"])
def test_a_connection_that_died_meanwhile_is_replaced(
    wire: Wire, url: str, monkeypatch: pytest.MonkeyPatch, quiet_s: int
) -> None:
    monkeypatch.setattr(wires, "QUIET_S", quiet_s)
    wire.wait(add(wire, 1))
    terminate(url)
    assert wait_all(wire, [add(wire, 2), add(wire, 3)]) == [None, None]
    assert seen(url) == [1, 2, 3]


def test_of_a_connection_that_is_lost_nobody_waits_for_what_was_on_its_way(wire: Wire, url: str) -> None:
    sent = [wire.send("SELECT pg_sleep(60), $1", [b"x"]), add(wire, 1)]
    with ThreadPoolExecutor(2) as callers:
        told = [callers.submit(wait_all, wire, [each]) for each in sent]
        terminate(url)
        assert [each.result(20) for each in told] == [["57P01"], ["lost"]]
    wire.wait(add(wire, 2))
    assert seen(url) == [2]


def test_what_nobody_waits_for_any_more_is_not_taken_for_what_comes_after(wire: Wire, url: str) -> None:
    wire.send(FAIL, [b"1"])
    after = [add(wire, 1), wire.send(FAIL, [b"2"]), add(wire, 3)]
    assert wait_all(wire, after) == [None, "22012", None]


def test_after_a_long_time_what_nobody_waited_for_is_not_in_the_way(
    wire: Wire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "QUIET_S", 0)
    wire.send(FAIL, [b"1"])
    time.sleep(0.2)
    terminate(url)
    assert wait_all(wire, [add(wire, 1)]) == [None]


def test_an_interrupted_reader_takes_nobody_with_it_but_the_connection(
    wire: Wire, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [add(wire, 1), add(wire, 2)]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(wires, "error_from_result", None)
        patch.setattr(Wire, "_read", interrupted)
        wire.wait(sent[0])
    assert wait_all(wire, [sent[1]]) == ["lost"]
    assert wait_all(wire, [add(wire, 3)]) == [None]


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_more_than_the_network_takes_at_once_is_sent_while_the_server_is_busy(wire: Wire, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE long (words text)")
    words, size = "INSERT INTO long VALUES ($1)", 20_000_000
    sent = [wire.send(SLOW, [b"x"])]
    began = threading.Event()

    def send() -> None:
        began.set()
        sent.append(wire.send(words, [b"a" * size]))

    with ThreadPoolExecutor(2) as callers:
        sending = callers.submit(send)
        assert began.wait(20)
        first = callers.submit(wait_all, wire, [sent[0]])
        sending.result(20)
        assert first.result(20) == [None]
    assert wait_all(wire, sent[1:]) == [None]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT length(words) FROM long").fetchall() == [(size,)]


def test_whoever_waits_looks_again_for_what_another_has_read(wire: Wire) -> None:
    sent = wire.send(SLOW, [b"x"])
    with ThreadPoolExecutor(1) as callers:
        waiting = callers.submit(wait_all, wire, [sent])
        time.sleep(0.1)
        # As one does who sends more than the network takes.
        with wire._guard:
            while not sent.over:
                assert wire._connection is not None
                wire._read(wire._connection.pgconn)
        began = time.monotonic()
        assert waiting.result(20) == [None]
    assert time.monotonic() - began < 100 * LOOK_MS / 1000


def test_whoever_closes_lets_what_is_on_its_way_come_to_its_end(url: str) -> None:
    wire = Wire(lambda: psycopg.connect(url, autocommit=True))
    sent = [wire.send(SLOW, [b"x"]), add(wire, 1)]
    wire.close()
    assert wait_all(wire, sent) == [None, None]
    assert wire._connection is None
    assert wait_all(wire, [add(wire, 2)]) == [None]
    wire.close()
    assert wire._connection is None


def test_where_there_is_no_connection_nothing_is_sent() -> None:
    def refused() -> psycopg.Connection:
        raise psycopg.OperationalError("there is nobody")

    with pytest.raises(psycopg.OperationalError, match="nobody"):
        Wire(refused).send(ADD, [b"1"])
