"""Writers that are killed: what was acknowledged stays, nothing is done twice, every key has an answer."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

import psycopg
import pytest

import postgres
from allocator.ledger import Ledger
from ledger import checks
from ledger.clients import ask, ask_until_killed, start

ROUNDS = [100, pytest.param(2_000, marks=pytest.mark.slow)]
AT_ONCE = 3
CHECKED_EACH = 20
CRASHES = [3, pytest.param(50, marks=pytest.mark.slow)]


class Victim:
    """A process that sends requests, and what it said of them before it died."""

    def __init__(self, url: str, name: str) -> None:
        self.process, self.lane = start(ask_until_killed, url, name)
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}

    def wait_for_an_answer(self) -> None:
        while not self.answers:
            assert self.lane.poll(60), "no answer within a minute"
            self.hear()

    def hear(self) -> None:
        said, key = self.lane.recv()
        if said == "asks":
            self.asked.append(key)
        else:
            self.answers[key] = said

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        hear_the_rest(self)
        self.lane.close()


def hear_the_rest(victim: Victim) -> None:
    try:
        while True:
            victim.hear()
    except EOFError:
        pass


def check(ledger: Ledger, victim: Victim) -> str:
    """Compares what a victim knew with what is so; how its last request turned out, if it never heard of it."""
    for key, answer in victim.answers.items():
        assert ledger.outcome(key) == answer, f"{key} was acknowledged, and is not as it was"
    open_ = [key for key in victim.asked if key not in victim.answers]
    assert len(open_) <= 1
    for key in open_:
        known = ledger.outcome(key)
        again = ask(ledger, key)
        assert known is None or again == known, f"{key} was done, and a repeat was answered otherwise"
        assert ledger.outcome(key) == again
        return "lost" if known is None else "done"
    return "answered"


def with_stock(url: str) -> Ledger:
    ledger = Ledger.open(url)
    ledger.define([{"sku": "BULK"}], actor="ana")
    plenty = {"sku": "BULK", "qty": 10**6, "location": "store"}
    ledger.post("receive", plenty, origin="supplier", document="GRN-1", actor="ana")
    return ledger


@pytest.mark.parametrize("rounds", ROUNDS)
def test_what_a_killed_writer_was_told_is_so_and_the_rest_is_answered_by_its_key(ledger_url: str, rounds: int) -> None:
    chance = random.Random(rounds)
    asked: set[str] = set()
    endings: list[str] = []
    with with_stock(ledger_url) as ledger:
        victims = [Victim(ledger_url, f"V{number}") for number in range(AT_ONCE)]
        for number in range(rounds):
            victim = victims.pop(0)
            victim.wait_for_an_answer()
            time.sleep(chance.uniform(0, 0.02))
            victim.kill()
            if number + AT_ONCE < rounds:
                victims.append(Victim(ledger_url, f"V{number + AT_ONCE}"))
            endings.append(check(ledger, victim))
            asked |= set(victim.asked)
            if number % CHECKED_EACH == 0:
                assert not checks.wrong(ledger)
        for key in asked:
            assert ledger.outcome(key) is not None
        done = checks.number(ledger, "SELECT count(*) FROM txn WHERE key LIKE 'V%'")
        assert done == len(asked)
        assert not checks.wrong(ledger)
    # Most are killed while a request is on its way: only then does this test say anything.
    assert endings.count("answered") < rounds / 2


@pytest.mark.parametrize("crashes", CRASHES)
def test_a_crashed_server_has_lost_nothing_that_it_acknowledged(
    postgres_ledger_url: str, postgres_server: postgres.Server, crashes: int
) -> None:
    url = postgres_ledger_url
    chance = random.Random(crashes)
    with with_stock(url) as ledger:
        for crash in range(crashes):
            victims = [Victim(url, f"V{crash}-{number}") for number in range(AT_ONCE)]
            for victim in victims:
                victim.wait_for_an_answer()
            time.sleep(chance.uniform(0, 0.05))
            crash_backend(url)
            # A victim ends with the error that it got: the server is gone in the middle of its request.
            for victim in victims:
                hear_the_rest(victim)
                victim.process.join()
                victim.lane.close()
            wait_until_recovered(postgres_server)
            for victim in victims:
                check(ledger, victim)
            assert not checks.wrong(ledger)


def crash_backend(url: str) -> None:
    """Kills one process of the server, upon which it throws away all that is in memory and recovers from its log."""
    with psycopg.connect(url) as connection:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() LIMIT 1"
        )
        (pid,) = connection.execute(query).fetchone()
    os.kill(pid, signal.SIGKILL)


def wait_until_recovered(server: postgres.Server) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(server.url()).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
