"""People who are killed in the middle of a step, and two who want the same at the same moment."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from typing import Any

import pytest

from allocator.flows.assets import assign_queue, deliver_asset
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from flows import network, shop, yard
from flows.checks import check_flows
from flows.clients import step, take_asset, work_until_killed
from ledger import checks
from ledger.clients import at_once, start

ROUNDS = [20, pytest.param(500, marks=pytest.mark.slow)]
AT_ONCE = 2


@pytest.fixture
def at_work(ledger_url: str) -> str:
    """A network of partners and a shop, on either store."""
    with Ledger.open(ledger_url) as ledger:
        network.set_up(ledger, limits={"rules": [{"name": "all", "units_max": 1_000_000}]})
        shop.set_up(ledger)
        plenty = [
            {"sku": "seal", "qty": 10**6, "location": "WH/A"},
            {"sku": "cable", "qty": 10**6, "location": "warehouse"},
        ]
        ledger.post("receive", plenty, origin="supplier", document="PO-9", actor="walt")
    return ledger_url


class Worker:
    """Someone at work in a process of their own, and what they said before they were killed."""

    def __init__(self, url: str, name: str) -> None:
        self.process, self.lane = start(work_until_killed, url, name)
        self.asked: list[str] = []
        self.answers: dict[str, Any] = {}

    def hear(self) -> None:
        said, key = self.lane.recv()
        if said == "asks":
            self.asked.append(key)
        else:
            self.answers[key] = said

    def kill_after(self, steps: int, seconds: float) -> None:
        while len(self.answers) < steps:
            assert self.lane.poll(60), "no answer within a minute"
            self.hear()
        time.sleep(seconds)
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        try:
            while True:
                self.hear()
        except EOFError:
            self.lane.close()


def plain(answer: Any) -> Any:
    """An answer as the ledger keeps it."""
    return json.loads(json.dumps(answer))


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_step_that_was_killed_is_done_whole_or_not_at_all_and_its_key_tells(at_work: str, rounds: int) -> None:
    chance = random.Random(rounds)
    in_the_middle = 0
    with Ledger.open(at_work) as ledger:
        workers = [Worker(at_work, f"V{number}") for number in range(AT_ONCE)]
        for number in range(rounds):
            worker = workers.pop(0)
            worker.kill_after(chance.randint(1, 12), chance.uniform(0, 0.01))
            if number + AT_ONCE < rounds:
                workers.append(Worker(at_work, f"V{number + AT_ONCE}"))
            for key, answer in worker.answers.items():
                assert plain(ledger.outcome(key)) == plain(answer), f"{key} was acknowledged, and is not as it was"
            for key in set(worker.asked) - worker.answers.keys():
                in_the_middle += 1
                known = ledger.outcome(key)
                again = step(ledger, key)
                assert known is None or plain(known) == plain(again), f"{key} was done, and answered otherwise"
                assert plain(ledger.outcome(key)) == plain(again)
            assert not checks.wrong(ledger)
        assert verify(ledger).clean, str(verify(ledger))
        check_flows(ledger)
    assert in_the_middle > rounds / 2, "most are killed in the middle of a step: only then does this say anything"


@pytest.mark.parametrize("how", ["reserve", "deliver", "assign"])
def test_of_two_who_want_the_same_asset_at_once_one_has_it_and_the_other_hears_why(ledger_url: str, how: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        yard.set_up(ledger, **yard.BOTH)
        numbers = [yard.pending(ledger, site) for site in ("Acme", "Mill")]
        if how == "assign":
            for number, asset, site in zip(numbers, ("C2", "C3"), ("North", "South"), strict=True):
                deliver_asset(ledger, number, yard.DAN, asset=asset)
                other = yard.pending(ledger, site)
                deliver_asset(ledger, other, yard.DOT, asset=asset, seen=f"In Use {number}")
            assert assign_queue(ledger, yard.OFF)["number"].to_list() == numbers
        cases = [(ledger_url, how, number, driver) for number, driver in zip(numbers, ("dan", "dot"), strict=True)]
        told = at_once(take_asset, cases)
        assert told.count("done") == 1
        (why,) = [each for each in told if each != "done"]
        assert why.startswith("asset_taken") and f"for {numbers[told.index('done')]}" in why and "Free: " in why
        if how == "assign":
            assert assign_queue(ledger, yard.OFF).height == 1
        assert verify(ledger).clean
        check_flows(ledger)
