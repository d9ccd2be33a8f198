"""Ledgers that earlier versions made, opened by this one."""

from __future__ import annotations

from allocator.ledger import Ledger
from allocator.ledger.verify import canonical_dump, verify
from ledger.raw import beside
from ledger.week import week_of_work

AROUND = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger', 'view') "
    "UNION SELECT 'rows', idx, stat FROM sqlite_stat1",
    "postgresql": "SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal "
    "UNION SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
    "UNION SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = current_schema() "
    "UNION SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
}

OLD = {
    "sqlite": (
        "DROP TRIGGER entry_no_delete",
        "DROP TRIGGER txn_gapless",
        "CREATE TRIGGER txn_gapless BEFORE INSERT ON txn WHEN NEW.seq < 0 BEGIN SELECT RAISE(ABORT, 'once'); END",
        "CREATE TRIGGER line_stays BEFORE DELETE ON line BEGIN SELECT RAISE(ABORT, 'once'); END",
    ),
    "postgresql": (
        "DROP TRIGGER document_line_names_update ON document_line",
        "CREATE FUNCTION ledger_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER line_once AFTER UPDATE ON line FOR EACH STATEMENT EXECUTE FUNCTION ledger_once()",
    ),
}
"""What earlier versions had otherwise, or the like."""


def test_what_stands_around_the_tables_of_an_older_ledger_becomes_what_a_new_one_has(ledger_url: str) -> None:
    def around(ledger: Ledger) -> set[tuple[str, str, str]]:
        with beside(ledger) as connection:
            return set(connection.execute(AROUND[ledger.store.dialect]).fetchall())

    with Ledger.open(ledger_url) as ledger:
        week_of_work(ledger)
        new, said = around(ledger), canonical_dump(ledger)
        with beside(ledger) as connection:
            for statement in (
                *OLD[ledger.store.dialect],
                "CREATE INDEX allocation_of_line ON allocation (line_id, tenant)",
                "CREATE INDEX txn_at ON txn (recorded_at, tenant)",
                "DROP INDEX line_of_order",
                "CREATE INDEX line_of_order ON line (order_id, tenant)",
                "DROP VIEW promises",
                "CREATE VIEW promises AS SELECT tenant, allocation_id FROM allocation",
                "UPDATE alembic_version SET version_num = '0003'",
            ):
                connection.execute(statement)
        assert around(ledger) != new
    with Ledger.open(ledger_url) as ledger:
        assert around(ledger) == new
        assert canonical_dump(ledger) == said
        assert str(verify(ledger)).startswith("clean")


def test_triggers_of_before_are_replaced(postgres_ledger_url: str) -> None:
    def looks(ledger: Ledger) -> set[tuple[str, str]]:
        with beside(ledger) as connection:
            return set(
                connection.execute(
                    "SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'ledger%' UNION "
                    "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
                ).fetchall()
            )

    with Ledger.open(postgres_ledger_url) as ledger:
        week_of_work(ledger)
        new = looks(ledger)
        with beside(ledger) as connection:
            for name, source in new:
                if name.startswith("ledger") and name.endswith(("_names", "_gapless")):
                    before = f"{source.removesuffix('END ')} -- as it was before\nEND "
                    connection.execute(
                        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${before}$$"
                    )
            connection.execute("DROP TRIGGER head_is_true ON tenant")
            connection.execute("DROP TRIGGER balance_keeps_its_names ON balance")
            connection.execute(
                "CREATE TRIGGER head_forward BEFORE UPDATE ON tenant FOR EACH ROW "
                "WHEN (NEW.seq < OLD.seq) EXECUTE FUNCTION ledger_refuse()"
            )
            connection.execute("UPDATE alembic_version SET version_num = '0005'")
        assert len(new - looks(ledger)) > 10
    with Ledger.open(postgres_ledger_url) as ledger:
        assert looks(ledger) == new
        assert str(verify(ledger)).startswith("clean")
