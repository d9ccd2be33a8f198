"""`verify` finds whatever is wrong, by its number, after someone who may do anything has been at the tables."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from allocator.ledger import Ledger
from allocator.ledger.store.sqlite import SqliteSession
from allocator.ledger.verify import canonical_dump, judged, verify
from allocator.ledger.verify.tables import Tables
from ledger.raw import beside, unguarded
from ledger.week import week_of_work

STOCK = "SELECT account_id FROM balance WHERE goods_id = 1 ORDER BY qty DESC LIMIT 1"
HISTORY = "INSERT INTO txn (tenant, seq, type, actor, reason, recorded_at, day, entries, digest, hash{more}) SELECT "

TAMPERED: list[tuple[str, int, str]] = [
    ("an entry moves without leaving", 1, "UPDATE entry SET to_id = from_id WHERE seq = 8"),
    ("a balance went below zero on the way", 2, "UPDATE entry SET qty = 50 WHERE seq = 6"),
    ("more was promised than was there", 3, "UPDATE entry SET reserved = 11 WHERE seq = 3 AND goods_id = 1"),
    ("a balance is promised without a promise", 4, "UPDATE balance SET reserved = reserved + 1 WHERE unit = 0"),
    ("an open allocation is lost", 4, "DELETE FROM allocation WHERE line_id = 'L3'"),
    ("an allocation is of a line that nothing promised", 4,
     "UPDATE allocation SET line_id = 'L1' WHERE line_id = 'L3'"),
    ("a line says that less was promised", 5, "UPDATE line SET allocated = allocated - 1 WHERE line_id = 'L1'"),
    ("a line says that more was shipped", 5, "UPDATE line SET shipped = shipped + 1 WHERE line_id = 'L1'"),
    ("a line says that less came back", 5, "UPDATE line SET returned = 0 WHERE line_id = 'L1'"),
    ("a line asked for less than it got", 5, "UPDATE line SET qty = 4 WHERE line_id = 'L1'"),
    ("more came back than was shipped", 5, "UPDATE line SET returned = 6 WHERE line_id = 'L1'"),
    ("a line was recorded at another time", 5, "UPDATE line SET seq = 1 WHERE line_id = 'L1'"),
    ("a balance was changed", 6, "UPDATE balance SET qty = qty + 1 WHERE goods_id = 1"),
    ("a balance is gone", 6, "DELETE FROM balance WHERE goods_id = 4"),
    ("a balance is of another SKU", 6, "UPDATE balance SET sku_id = 3 WHERE goods_id = 1"),
    ("a balance hides that it is of a unit", 6, "UPDATE balance SET unit = 0 WHERE goods_id = 2"),
    ("an entry was changed", 8, "UPDATE entry SET details = 'x' WHERE seq = 8"),
    ("an entry is gone", 8, "DELETE FROM entry WHERE seq = 8"),
    ("an entry was added to an old transaction", 8,
     "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) SELECT tenant, 8, 1, goods_id, from_id, to_id, "
     "qty FROM entry WHERE seq = 8"),
    ("an actor was changed", 8, "UPDATE txn SET actor = 'eve' WHERE seq = 8"),
    ("a hash was changed", 8, "UPDATE txn SET hash = digest WHERE seq = 8"),
    ("the hash of the head was changed", 8, "UPDATE tenant SET hash = (SELECT digest FROM txn WHERE seq = 8)"),
    ("a receipt date was changed", 8, "UPDATE goods SET received_on = received_on - 1 WHERE goods_id = 1"),
    ("a place was changed", 8, "UPDATE account SET location = 'shed' WHERE location = 'store'"),
    ("a line's order was changed", 8, "UPDATE line SET order_id = 'O9' WHERE line_id = 'L1'"),
    ("a transaction is gone", 9, "DELETE FROM txn WHERE seq = 8"),
    ("the end of history was cut off", 9, "DELETE FROM txn WHERE seq = (SELECT MAX(seq) FROM txn)"),
    ("the head is behind", 9, "UPDATE tenant SET seq = seq - 1"),
    ("the head has another time", 9, "UPDATE tenant SET recorded_at = recorded_at + 1"),
    ("time runs backwards", 9, "UPDATE txn SET recorded_at = 1 WHERE seq = 8"),
    ("numbers of goods will be given again", 9, "UPDATE tenant SET goods_last = 1"),
    ("goods came from nowhere", 10, "INSERT INTO goods (tenant, goods_id, sku_id, received_on, seq) "
     "VALUES (1, 9, 1, 1, 2)"),
    ("a SKU is tracked otherwise", 10, "UPDATE sku SET scale = 3 WHERE sku = 'oil'"),
    ("a lifecycle is not the one defined", 10,
     "UPDATE lifecycle SET document = (SELECT document FROM lifecycle WHERE name = 'serial') WHERE name = 'lot'"),
    ("a characteristic was changed", 10, "UPDATE attribute SET value = '3'"),
    ("a number was forgotten", 10, "DELETE FROM number WHERE kind = 'mac'"),
    ("a former number is used again", 10, "UPDATE number SET until_seq = NULL"),
    ("a unit is in two places", 12, "INSERT INTO balance (tenant, goods_id, account_id, sku_id, unit, qty, version) "
     "SELECT 1, 2, account_id, 2, 1, 1, 2 FROM account WHERE kind = 'customer'"),
    ("a unit is nowhere", 12, "DELETE FROM balance WHERE goods_id = 3"),
    ("a unit is two", 12, "UPDATE entry SET qty = 2 WHERE seq = 2 AND goods_id = 2"),
    ("a unit has no serial", 12, "UPDATE goods SET serial = '' WHERE goods_id = 2"),
    ("two units have one serial", 12, "UPDATE goods SET serial = 'G-1' WHERE goods_id = 3"),
    ("a unit is promised twice", 13, "INSERT INTO allocation (tenant, allocation_id, line_id, goods_id, account_id, "
     "unit, qty, stage, version) SELECT tenant, 99, line_id, goods_id, account_id, unit, qty, stage, version "
     "FROM allocation WHERE unit = 1"),
    ("a unit left from where it was not", 14,
     f"UPDATE entry SET from_id = ({STOCK}) WHERE goods_id = 3 AND seq = 10"),
    ("a status changed as no lifecycle allows", 16,
     "UPDATE account SET status = 'damaged' WHERE kind = 'transit'"),
    ("a unit began in a status in which none begins", 16,
     "UPDATE entry SET to_id = (SELECT account_id FROM account WHERE status = 'Allocated') "
     "WHERE seq = 2 AND goods_id = 2"),
    ("a block was lifted without anyone doing it", 17, "UPDATE txn SET type = 'move' WHERE seq = 11"),
    ("a block changed more than its reason", 17, "UPDATE txn SET reason = 'theft' WHERE seq = 9"),
    ("reasons are in no order", 17, "UPDATE account SET blocks = 'quality+legal' WHERE blocks = 'legal+quality'"),
    ("something blocked was promised", 18,
     "UPDATE account SET blocks = 'legal' WHERE account_id = (SELECT from_id FROM entry WHERE line_id = 'L3')"),
    ("an original is reversed twice", 19,
     HISTORY.format(more=", reverses") + "tenant, 17, type, actor, reason, recorded_at, day, 0, digest, hash, reverses "
     "FROM txn WHERE reverses IS NOT NULL"),
    ("a reversal reverses something else", 19, "UPDATE txn SET reverses = 2 WHERE reverses IS NOT NULL"),
    ("a reversal reverses the future", 19, "UPDATE txn SET reverses = 99 WHERE reverses IS NOT NULL"),
    ("a key was done twice", 31, "UPDATE txn SET key = 'order' WHERE seq = 8"),
    ("the answer to a key is lost", 31, "DELETE FROM request WHERE key = 'order'"),
    ("a refused request was done", 31, "UPDATE request SET answer = '{\"refused\":[]}' WHERE key = 'order'"),
    ("a hold has no end", 36, "UPDATE allocation SET expires_at = NULL WHERE stage = 'held'"),
    ("a balance is of another tenant's account", 37, "UPDATE balance SET account_id = 999 WHERE goods_id = 4"),
    ("a transaction was done by nobody", 38, "UPDATE txn SET actor = '' WHERE seq = 8"),
    ("a shipment has no document", 38, "UPDATE txn SET document = '' WHERE type = 'ship'"),
    ("a receipt from a supplier has no document", 38, "UPDATE txn SET document = '' WHERE seq = 2"),
    ("a transaction is of no known type", 38, "UPDATE txn SET type = 'conjure' WHERE seq = 8"),
]  # fmt: skip


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verify") / "week.db"
    with Ledger.open(f"sqlite:///{path}") as ledger:
        week_of_work(ledger)
        with ledger.store.session() as session:
            session.connection.execute("COMMIT")
            session.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            session.connection.execute("BEGIN")
    return path


@pytest.fixture
def copied(week: Path, tmp_path: Path) -> Iterator[Ledger]:
    shutil.copy(week, tmp_path / "week.db")
    with Ledger.open(f"sqlite:///{tmp_path / 'week.db'}") as ledger:
        yield ledger


@pytest.fixture(scope="module")
def tampering(week: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A connection to a copy of the week, on which anything may be done, and is undone by `ROLLBACK TO tampered`."""
    copy = shutil.copy(week, tmp_path_factory.mktemp("tampered") / "week.db")
    with Ledger.open(f"sqlite:///{copy}") as ledger, unguarded(ledger) as connection:
        yield connection


@pytest.mark.parametrize(("what", "invariant", "statement"), TAMPERED, ids=[each[0] for each in TAMPERED])
def test_what_was_tampered_with_is_found_by_its_number(
    tampering: Any, what: str, invariant: int, statement: str
) -> None:
    tampering.execute("SAVEPOINT tampered")
    try:
        assert tampering.execute(statement).rowcount, what
        verified = judged(Tables.read(SqliteSession(tampering), 1))
    finally:
        tampering.execute("ROLLBACK TO tampered")
    assert invariant in verified.frame["invariant"], str(verified)


def test_a_week_of_work_is_clean_on_both_stores_and_while_another_writes(worked_ledger: Ledger) -> None:
    with beside(worked_ledger) as connection:
        connection.execute("UPDATE sku SET settings = '{\"half\": \"done\"}' WHERE sku = 'oil'")
        verified = verify(worked_ledger)
        connection.execute("ROLLBACK")
        connection.execute("BEGIN")
    assert verified.frame.columns == ["invariant", "what", "place", "value"]
    assert str(verified) == "clean: 16 transactions, 19 entries"


def test_what_is_wrong_is_told_in_words(copied: Ledger) -> None:
    with unguarded(copied) as connection:
        connection.execute("UPDATE balance SET qty = qty + 1 WHERE goods_id = 4")
    assert str(verify(copied)).splitlines() == [
        "1 findings in 16 transactions, 19 entries",
        "6: balance of goods 4 in account 2: qty is not the sum of the entries (value: 301 kept, 300 by the entries)",
    ]


def test_the_same_week_reads_the_same_on_both_stores(copied: Ledger, postgres_url: str) -> None:
    with Ledger.open(postgres_url) as other:
        week_of_work(other)
        assert canonical_dump(other) == canonical_dump(copied)


def test_tenants_are_verified_apart(copied: Ledger) -> None:
    with Ledger.open(copied.store.url, tenant="other") as other:
        week_of_work(other)
        with unguarded(copied) as connection:
            connection.execute("UPDATE balance SET qty = qty + 1 WHERE tenant = 2 AND goods_id = 4")
        assert verify(copied).clean
        assert verify(other).frame["invariant"].to_list() == [6]
