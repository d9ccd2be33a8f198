"""What a process remembers of a transaction whose commit failed: nothing that others do not see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pysqlite3
import pytest

from allocator.errors import InputError, InternalError, StoreError
from allocator.ledger import Ledger, receipts
from allocator.ledger.verify import verify
from allocator.model.lifecycle import Lifecycle
from ledger.raw import beside


@contextmanager
def failing_commits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Within, no commit reaches the store."""
    end, sqlite = ledger.store._end, ledger.store.dialect == "sqlite"
    failure = pysqlite3.OperationalError("disk I/O error") if sqlite else psycopg.OperationalError("connection lost")

    def broken(connection: Any, command: str) -> None:
        if command == "COMMIT":
            raise failure
        end(connection, command)

    with monkeypatch.context() as patch, pytest.raises(StoreError) as caught:
        patch.setattr(ledger.store, "_end", broken)
        yield
    assert caught.value.code == "outcome_unknown"


def receive(ledger: Ledger, sku: str, place: str) -> int:
    line = {"sku": sku, "qty": 1, "location": place}
    return ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")


def places(ledger: Ledger) -> list[tuple[str]]:
    with ledger.store.session() as session:
        return session.rows(
            "SELECT a.location FROM entry e JOIN account a ON a.tenant = e.tenant AND a.account_id = e.to_id "
            "ORDER BY e.seq"
        )


def test_goods_go_where_they_were_sent_after_a_commit_that_failed_opened_another_place(
    empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_ledger.define([{"sku": "filter"}], actor="ana")
    with failing_commits(empty_ledger, monkeypatch):
        receive(empty_ledger, "filter", "north")
    with Ledger.open(empty_ledger.store.url) as other:
        receive(other, "filter", "south")
    receive(empty_ledger, "filter", "north")
    assert places(empty_ledger) == [("south",), ("north",)]
    assert verify(empty_ledger).clean


def named(preset: str) -> Lifecycle:
    """A lifecycle of the house, as a preset has it."""
    return Lifecycle.load(preset).model_copy(update={"name": "house"})


def test_what_was_defined_in_vain_gives_way_to_what_others_defined(
    empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_ledger.define([{"sku": "belt"}], actor="ana")
    with failing_commits(empty_ledger, monkeypatch):
        empty_ledger.define([{"sku": "filter", "lifecycle": "house"}], lifecycles=[named("asset")], actor="ana")
    with Ledger.open(empty_ledger.store.url) as other:
        said = {"sku": "filter", "tracking": "lot", "lifecycle": "house"}
        other.define([said], lifecycles=[named("device")], actor="ana")
    line = {"sku": "filter", "lot": "K1", "qty": 1, "location": "store"}
    empty_ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
    assert empty_ledger.stock()["status"].to_list() == [Lifecycle.load("device").default]
    assert verify(empty_ledger).clean


def test_what_was_defined_in_vain_is_unknown(empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with failing_commits(empty_ledger, monkeypatch):
        empty_ledger.define([{"sku": "filter"}], actor="ana")
    with pytest.raises(InputError) as caught:
        receive(empty_ledger, "filter", "north")
    assert caught.value.code == "sku_unknown"


def test_what_a_failed_commit_promised_is_free(empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    empty_ledger.define([{"sku": "filter"}], actor="ana")
    receive(empty_ledger, "filter", "north")
    receive(empty_ledger, "filter", "north")
    with failing_commits(empty_ledger, monkeypatch):
        empty_ledger.reserve([{"line_id": "L1", "sku": "filter", "qty": 1}], actor="ana")
    answer = empty_ledger.reserve([{"line_id": "L2", "sku": "filter", "qty": 2}], actor="ana")
    assert answer["lines"][0]["allocated"] == 2
    assert verify(empty_ledger).clean


def test_what_only_the_database_noticed_is_told_as_a_defect_and_changes_nothing(
    empty_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_ledger.define([{"sku": "filter"}], actor="ana")
    with monkeypatch.context() as patch, pytest.raises(InternalError) as caught:
        patch.setattr(receipts, "units", lambda *_: 0)
        receive(empty_ledger, "filter", "cellar")
    (problem,) = caught.value.problems
    assert (problem.code, "report" in problem.hint) == ("internal", True)
    assert not places(empty_ledger)
    receive(empty_ledger, "filter", "store")
    assert places(empty_ledger) == [("store",)]
    assert verify(empty_ledger).clean


@contextmanager
def refusing(ledger: Ledger, sqlstate: str) -> Iterator[None]:
    """Within, the server answers each transaction with an error."""
    with beside(ledger) as connection:
        connection.execute(
            "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.execute("CREATE TRIGGER fails BEFORE INSERT ON txn EXECUTE FUNCTION fails()")
    yield
    with beside(ledger) as connection:
        connection.execute("DROP FUNCTION fails CASCADE")


@pytest.mark.parametrize(
    ("sqlstate", "ahead", "else_"),
    [
        ("53100", "store_full", "store_full"),
        ("58030", "store_failed", "store_failed"),
        ("XX001", "store_failed", "store_failed"),
        # Somebody between lost the server: what was decided ahead may have come to it.
        ("08006", "outcome_unknown", "store_lost"),
    ],
)
def test_a_server_that_goes_on_has_done_nothing_and_says_why(
    postgres_ledger_url: str, sqlstate: str, ahead: str, else_: str
) -> None:
    wish = {"line_id": "L1", "sku": "filter", "qty": 1}
    with Ledger.open(postgres_ledger_url) as ledger:
        ledger.define([{"sku": "filter"}], actor="ana")
        receive(ledger, "filter", "north")
        receive(ledger, "filter", "south")
        ledger.reserve(wish | {"line_id": "L0"}, actor="ana")  # The next is decided before it is written.
        before = len(places(ledger))
        with refusing(ledger, sqlstate):
            for act, code in (
                (lambda: ledger.reserve(wish, actor="ana", key="order"), ahead),
                (lambda: receive(ledger, "filter", "west"), else_),
            ):
                with pytest.raises(StoreError) as caught:
                    act()
                assert caught.value.code == code
        assert len(places(ledger)) == before
        assert ledger.outcome("order") is None
        assert ledger.reserve(wish, actor="ana", key="order")["lines"][0]["allocated"] == 1
        assert verify(ledger).clean
