"""What the database refuses whoever asks: changed or removed history, and a sequence with gaps."""

from __future__ import annotations

from collections.abc import Iterator

from allocator.ledger.schema import APPEND_ONLY, ENTRY

REFUSAL = "the ledger is append-only"

KEPT = tuple(column.name for column in ENTRY.columns if column.name != "details")

_PURGED = (
    "EXISTS (SELECT 1 FROM purge WHERE tenant = OLD.tenant AND goods_id = OLD.goods_id AND seq > OLD.seq) AND "
    + " AND ".join(f"NEW.{name} IS NOT DISTINCT FROM OLD.{name}" for name in KEPT)
)
"""Whether an entry only loses its details, by a purge in a later transaction."""


def statements(dialect: str) -> Iterator[str]:
    """The statements that put the triggers in place, for `sqlite` or `postgresql`."""
    yield from _sqlite() if dialect == "sqlite" else _postgresql()


def append_only(dialect: str, table: str) -> Iterator[str]:
    """The statements that keep the rows of one more table as they are."""
    if dialect == "sqlite":
        for event in ("UPDATE", "DELETE"):
            name = f"{table}_no_{event.lower()}"
            yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    else:
        yield (
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )


def _sqlite() -> Iterator[str]:
    for table in APPEND_ONLY:
        for event in ("UPDATE", "DELETE"):
            only = f"WHEN NOT ({_PURGED}) " if (table, event) == ("entry", "UPDATE") else ""
            yield (
                f"CREATE TRIGGER {table}_no_{event.lower()} BEFORE {event} ON {table} {only}"
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
    yield (
        "CREATE TRIGGER number_no_reuse BEFORE UPDATE ON number WHEN OLD.until_seq IS NOT NULL OR "
        "NEW.goods_id <> OLD.goods_id OR NEW.value <> OLD.value OR NEW.kind <> OLD.kind OR NEW.scope <> OLD.scope "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )
    yield f"CREATE TRIGGER number_no_delete BEFORE DELETE ON number BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    yield f"CREATE TRIGGER head_stays BEFORE DELETE ON tenant BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    yield (
        "CREATE TRIGGER txn_gapless BEFORE INSERT ON txn WHEN NEW.seq > 1 AND NOT EXISTS "
        "(SELECT 1 FROM txn WHERE tenant = NEW.tenant AND seq = NEW.seq - 1) "
        "BEGIN SELECT RAISE(ABORT, 'the sequence has no gaps'); END"
    )
    yield (
        "CREATE TRIGGER head_forward BEFORE UPDATE ON tenant WHEN NEW.seq < OLD.seq OR NEW.tenant <> OLD.tenant "
        f"OR NEW.recorded_at < OLD.recorded_at BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )


def _postgresql() -> Iterator[str]:
    yield (
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    yield (
        "CREATE FUNCTION ledger_gapless() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.seq > 1 AND NOT EXISTS (SELECT 1 FROM txn WHERE tenant = NEW.tenant AND seq = NEW.seq - 1) "
        "THEN RAISE EXCEPTION 'the sequence has no gaps' USING ERRCODE = 'restrict_violation'; END IF; "
        "RETURN NEW; END $$"
    )
    for table in APPEND_ONLY:
        # Per statement: what is refused is refused whole, and no row costs anything.
        events = "DELETE OR TRUNCATE" if table == "entry" else "UPDATE OR DELETE OR TRUNCATE"
        yield (
            f"CREATE TRIGGER {table}_append_only BEFORE {events} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
    yield (
        "CREATE FUNCTION ledger_unpurged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NOT ({_PURGED}) THEN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END IF; "
        "RETURN NEW; END $$"
    )
    yield ("CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry FOR EACH ROW EXECUTE FUNCTION ledger_unpurged()")
    for table in ("number", "tenant"):
        yield (
            f"CREATE TRIGGER {table}_append_only BEFORE DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
    yield (
        "CREATE TRIGGER number_no_reuse BEFORE UPDATE ON number FOR EACH ROW "
        "WHEN (OLD.until_seq IS NOT NULL OR NEW.goods_id <> OLD.goods_id OR NEW.value <> OLD.value "
        "OR NEW.kind <> OLD.kind OR NEW.scope <> OLD.scope) EXECUTE FUNCTION ledger_refuse()"
    )
    yield "CREATE TRIGGER txn_gapless BEFORE INSERT ON txn FOR EACH ROW EXECUTE FUNCTION ledger_gapless()"
    yield (
        "CREATE TRIGGER head_forward BEFORE UPDATE ON tenant FOR EACH ROW "
        "WHEN (NEW.seq < OLD.seq OR NEW.tenant <> OLD.tenant OR NEW.recorded_at < OLD.recorded_at) "
        "EXECUTE FUNCTION ledger_refuse()"
    )
