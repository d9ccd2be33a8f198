"""What the database itself refuses, to whoever comes around the package with statements of his own."""

from __future__ import annotations

import pytest

from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from ledger.raw import Errors, beside

REFUSED = {
    "history is changed": "UPDATE entry SET qty = qty + 1 WHERE qty > 0",
    "history is removed": "DELETE FROM entry WHERE seq = 2",
    "a transaction is given to someone else": "UPDATE txn SET actor = 'eve' WHERE seq = 2",
    "a transaction is removed": "DELETE FROM txn",
    "a receipt date is changed": "UPDATE goods SET received_on = received_on + 1",
    "goods are removed": "DELETE FROM goods",
    "an account becomes another": "UPDATE account SET location = 'elsewhere'",
    "an account is removed": "DELETE FROM account",
    "an answer is changed": "UPDATE request SET answer = '{}'",
    "an answer is forgotten": "DELETE FROM request",
    "the lifecycle of the past is changed": "UPDATE lifecycle SET document = '{}'",
    "a lifecycle is removed": "DELETE FROM lifecycle",
    "a number is forgotten": "DELETE FROM number WHERE value = 'G-1'",
    "a number goes to another unit": "UPDATE number SET goods_id = 4 WHERE value = 'G-1'",
    "a number becomes another": "UPDATE number SET value = 'G-3' WHERE value = 'G-1'",
    "a former number comes back": "UPDATE number SET until_seq = NULL WHERE value = 'G-2'",
    "the head goes back": "UPDATE tenant SET seq = seq - 1",
    "time goes back": "UPDATE tenant SET recorded_at = recorded_at - 1",
    "the tenant becomes another": "UPDATE tenant SET tenant = 2",
    "the tenant's ledger is emptied": "DELETE FROM tenant",
    "the sequence gets a gap": "INSERT INTO txn (tenant, seq, type, actor, recorded_at, day, entries, digest, hash) "
    "SELECT tenant, seq + 5, type, actor, recorded_at, day, 0, digest, hash FROM txn ORDER BY seq DESC LIMIT 1",
    "a number of the sequence is used twice": "INSERT INTO txn (tenant, seq, type, actor, recorded_at, day, entries, "
    "digest, hash) SELECT tenant, seq, type, actor, recorded_at, day, 0, digest, hash FROM txn WHERE seq = 2",
    "a transaction is before the first": "INSERT INTO txn (tenant, seq, type, actor, recorded_at, day, entries, "
    "digest, hash) SELECT tenant, 0, type, actor, recorded_at, day, 0, digest, hash FROM txn WHERE seq = 2",
    "nobody did it": "INSERT INTO txn (tenant, seq, type, actor, recorded_at, day, entries, digest, hash) "
    "SELECT tenant, seq + 1, type, '', recorded_at, day, 0, digest, hash FROM txn ORDER BY seq DESC LIMIT 1",
    "an original is reversed again": "INSERT INTO txn (tenant, seq, type, actor, recorded_at, day, entries, digest, "
    "hash, reverses) SELECT tenant, seq + 1, type, actor, recorded_at, day, 0, digest, hash, reverses "
    "FROM txn WHERE reverses IS NOT NULL",
    "an entry is of no transaction": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 999, 0, 1, 1, 2, 1)",
    "an entry is of goods that nobody received": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 2, 9, 999, 1, 2, 1)",
    "an entry comes from nowhere": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 2, 9, 1, 999, 2, 1)",
    "an entry leads nowhere": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 2, 9, 1, 1, 999, 1)",
    "one entry of two leads nowhere": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 2, 9, 1, 1, 2, 1), (1, 2, 10, 1, 1, 999, 1)",
    "an entry moves nothing to elsewhere": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 2, 9, 1, 1, 2, 0)",
    "an entry moves goods to where they are": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 2, 9, 1, 2, 2, 1)",
    "an entry moves less than nothing": "INSERT INTO entry (tenant, seq, n, goods_id, from_id, to_id, qty) "
    "VALUES (1, 2, 9, 1, 1, 2, -1)",
    "a unit is in two places": "INSERT INTO balance (tenant, goods_id, account_id, sku_id, unit, qty, version) "
    "VALUES (1, 2, 2, 2, 1, 1, 2)",
    "a unit is two": "UPDATE balance SET qty = 2 WHERE unit = 1",
    "a balance is below zero": "UPDATE balance SET qty = -1, reserved = 0 WHERE unit = 0",
    "a balance is of nothing": "UPDATE balance SET qty = 0, reserved = 0 WHERE unit = 0",
    "more is promised than is there": "UPDATE balance SET reserved = qty + 1 WHERE unit = 0",
    "less than nothing is promised": "UPDATE balance SET reserved = -1 WHERE unit = 0",
    "stock is of goods that nobody received": "INSERT INTO balance (tenant, goods_id, account_id, sku_id, qty, "
    "version) VALUES (1, 999, 2, 1, 1, 2)",
    "stock is of another tenant's goods": "INSERT INTO balance (tenant, goods_id, account_id, sku_id, qty, version) "
    "VALUES (2, 1, 2, 1, 1, 2)",
    "stock is nowhere": "UPDATE balance SET account_id = 999",
    "goods are of no SKU": "INSERT INTO goods (tenant, goods_id, sku_id, received_on, seq) "
    "SELECT 1, MAX(goods_id) + 1, 999, 1, 2 FROM goods",
    "a SKU is removed": "DELETE FROM sku",
    "a SKU becomes another": "UPDATE sku SET sku_id = sku_id + 100",
    "a line is removed": "DELETE FROM line",
    "a line becomes another": "UPDATE line SET line_id = 'other'",
    "a line wants no SKU": "UPDATE line SET sku_id = 999",
    "a promise is to no line": "INSERT INTO allocation (tenant, allocation_id, line_id, goods_id, account_id, qty, "
    "stage, version) VALUES (1, 99, 'nobody', 1, 2, 1, 'reserved', 2)",
    "a promise goes nowhere": "UPDATE allocation SET account_id = 999",
    "a number is of no unit": "INSERT INTO number (tenant, kind, value, goods_id, seq) VALUES (1, 'eid', 'E', 999, 2)",
    "a unit is promised twice": "INSERT INTO allocation (tenant, allocation_id, line_id, goods_id, account_id, unit, "
    "qty, stage, version) SELECT tenant, 99, line_id, goods_id, account_id, unit, qty, stage, version "
    "FROM allocation WHERE unit = 1",
    "a promise is of nothing": "UPDATE allocation SET qty = 0",
    "a promise is in no known stage": "UPDATE allocation SET stage = 'lost'",
    "a line gets more than it asked for": "UPDATE line SET allocated = qty + 1",
    "more comes back than was given out": "UPDATE line SET returned = shipped + 1",
    "a line has less than nothing": "UPDATE line SET allocated = -1",
    "a number is used again": "INSERT INTO number (tenant, kind, scope, value, goods_id, seq) "
    "SELECT tenant, kind, scope, value, 1, 2 FROM number WHERE value = 'G-2'",
    "a SKU has two rows": "INSERT INTO sku (tenant, sku_id, sku, tracking, lifecycle, settings) "
    "VALUES (1, 99, 'filter', 'none', 'lot', '{}')",
    "an account has two numbers": "INSERT INTO account (tenant, account_id, kind, location, status, condition, owner, "
    "holder, blocks) SELECT tenant, 99, kind, location, status, condition, owner, holder, blocks "
    "FROM account WHERE account_id = 2",
    "a key is answered twice": "INSERT INTO request (tenant, key, content, answer, recorded_at) "
    "SELECT tenant, key, content, answer, recorded_at FROM request WHERE key = 'order'",
}


def test_the_database_refuses_whatever_cannot_be_true(worked_ledger: Ledger) -> None:
    taken = []
    for what, statement in REFUSED.items():
        try:
            with beside(worked_ledger) as connection:
                connection.execute(statement)
        except Errors:
            continue
        taken.append(what)
    assert taken == []
    assert str(verify(worked_ledger)).startswith("clean")


def test_a_document_line_that_named_no_goods_does_not_come_to_name_what_is_not_there(worked_ledger: Ledger) -> None:
    for change in ("goods_id = 999", "sku_id = 999"):
        with pytest.raises(Errors), beside(worked_ledger) as connection:
            connection.execute(
                "INSERT INTO document (tenant, number, flow, state, closed, opened_seq, opened_at, version) "
                "VALUES (1, 'D-1', 'rental', 'open', 0, 2, 0, 2)"
            )
            connection.execute("INSERT INTO document_line (tenant, number, n, version) VALUES (1, 'D-1', 0, 2)")
            connection.execute(f"UPDATE document_line SET {change}")


def test_history_is_not_emptied_at_once(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        for table in ("tenant", "txn", "entry", "goods", "account", "request", "lifecycle", "number"):
            with pytest.raises(Errors), beside(ledger) as connection:
                connection.execute(f"TRUNCATE {table} CASCADE")


NUMBERED = {
    "goods": "INSERT INTO goods (tenant, goods_id, sku_id, received_on, seq) "
    "SELECT 1, number, 1, 1, 2 FROM (SELECT MAX(goods_id) + step AS number FROM goods, unnest(%s::int[]) AS step "
    "GROUP BY step) AS new",
    "account": "INSERT INTO account (tenant, account_id, kind, location) "
    "SELECT 1, number, 'stock', 'place ' || number FROM (SELECT MAX(account_id) + step AS number "
    "FROM account, unnest(%s::int[]) AS step GROUP BY step) AS new",
    "sku": "INSERT INTO sku (tenant, sku_id, sku, tracking, lifecycle, settings) "
    "SELECT 1, number, 'S' || number, 'none', 'L', '' FROM (SELECT MAX(sku_id) + step AS number "
    "FROM sku, unnest(%s::int[]) AS step GROUP BY step) AS new",
}


@pytest.mark.parametrize("table", NUMBERED)
def test_what_is_named_by_its_number_is_numbered_without_gaps(postgres_url: str, table: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        ledger.define([{"sku": "filter"}], actor="ana")
        line = {"sku": "filter", "qty": 1, "location": "store"}
        ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
        for steps in ([2], [1, 3], [-50], [-50, 1]):
            with pytest.raises(Errors, match=r"no gaps|goods_counts"), beside(ledger) as connection:
                connection.execute(NUMBERED[table], [steps])
        with beside(ledger) as connection:
            connection.execute(NUMBERED[table], [[1, 2, 3]])


def test_a_reference_to_a_number_before_the_first_is_refused(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        ledger.define([{"sku": "filter"}], actor="ana")
        line = {"sku": "filter", "qty": 1, "location": "store"}
        ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
        for goods in (0, -1):
            with pytest.raises(Errors, match="names what is not there"), beside(ledger) as connection:
                connection.execute("INSERT INTO attribute (tenant, goods_id, name, value, seq) "
                                   "VALUES (1, 1, 'a', 'b', 1), (1, %s, 'a', 'b', 1)", [goods])  # fmt: skip


@pytest.mark.parametrize("last", ["seq", "goods_last", "account_last", "sku_last"])
def test_the_head_names_only_what_is_there_when_all_is(postgres_url: str, last: str) -> None:
    with Ledger.open(postgres_url) as ledger:
        ledger.define([{"sku": "filter"}], actor="ana")
        line = {"sku": "filter", "qty": 1, "location": "store"}
        ledger.post("receive", line, origin="supplier", document="GRN", actor="ana")
        with pytest.raises(Errors, match="the head names"), beside(ledger) as connection:
            connection.execute(f"UPDATE tenant SET {last} = {last} + 1 WHERE tenant = 1")
        with pytest.raises(Errors, match="the head names"), beside(ledger) as connection:
            connection.execute(f"INSERT INTO tenant (tenant, name, hash, {last}) VALUES (2, 'branch', '', 1)")
        with beside(ledger) as connection:
            connection.execute("UPDATE tenant SET sku_last = sku_last + 1 WHERE tenant = 1")
            connection.execute(NUMBERED["sku"], [[1]])


def test_rows_of_a_statement_are_of_one_tenant(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger, Ledger.open(postgres_url, tenant="branch") as other:
        for each in (ledger, other):
            each.define([{"sku": "filter"}], actor="ana")
            line = {"sku": "filter", "qty": 1, "location": "store"}
            each.post("receive", line, origin="supplier", document="GRN", actor="ana")
        for statement in (
            "INSERT INTO attribute (tenant, goods_id, name, value, seq) "
            "VALUES (1, 1, 'a', 'b', 1), (2, 1, 'a', 'b', 1)",
            "INSERT INTO sku (tenant, sku_id, sku, tracking, lifecycle, settings) "
            "VALUES (1, 2, 'S', 'none', 'L', ''), (2, 3, 'S', 'none', 'L', '')",
        ):
            with pytest.raises(Errors, match="one tenant"), beside(ledger) as connection:
                connection.execute(statement)
