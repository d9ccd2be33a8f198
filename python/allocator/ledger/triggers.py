"""What the database refuses whoever asks: changed or removed history, and a sequence with gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import ForeignKey, Table

from allocator.ledger.schema import APPEND_ONLY, ENTRY, LINE, METADATA

REFUSAL = "the ledger is append-only"

MOVING = ("allocation", "document_line")
"""Tables whose rows may come to name something else. All others keep what they name."""

GAPLESS = {"txn": "seq", "goods": "goods_id", "account": "account_id", "sku": "sku_id"}
"""Tables whose rows are numbered from one on and never go: where a number is there, all before it are."""

LAST = {"txn": "seq", "goods": "goods_last", "account": "account_last", "sku": "sku_last"}
"""What the head of a tenant says is the last number of each of them."""

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
    for table, number in GAPLESS.items():
        yield from _gapless(table, number)
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
    yield from _head()


def _head() -> Iterator[str]:
    """The head goes forward, to numbers that are there once all is: rows that name one need no look for the last."""
    lies = ""
    for table, number in GAPLESS.items():
        last = LAST[table]
        lies += (
            f"IF NEW.{last} > 0 AND NEW.{last} IS DISTINCT FROM OLD.{last} THEN "
            f"IF (SELECT {number} FROM {table} WHERE tenant = NEW.tenant AND {number} = NEW.{last}) IS NULL THEN "
            f"RAISE EXCEPTION 'the head names a last {table} that is not there' "
            "USING ERRCODE = 'foreign_key_violation'; END IF; END IF; "
        )
    yield (
        "CREATE FUNCTION ledger_head() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.seq < OLD.seq OR NEW.tenant <> OLD.tenant OR NEW.recorded_at < OLD.recorded_at "
        f"THEN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END IF; {lies}RETURN NULL; END $$"
    )
    yield (
        "CREATE CONSTRAINT TRIGGER head_is_true AFTER INSERT OR UPDATE ON tenant DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION ledger_head()"
    )


def _gapless(table: str, number: str) -> Iterator[str]:
    """Numbers are added in a row, after one that is there: two looks for however many."""
    before = _is_absent(table, number, "first - 1")
    yield (
        f"CREATE FUNCTION ledger_{table}_gapless() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF EXISTS (SELECT 1 FROM (SELECT MIN(tenant) AS tenant, MAX(tenant) AS other, "
        f"MIN({number}) AS first, MAX({number}) AS last, COUNT(*) AS rows FROM added) AS given "
        f"WHERE tenant <> other OR last - first + 1 <> rows OR first < 1 OR (first > 1 AND {before})) "
        f"THEN RAISE EXCEPTION 'the sequence has no gaps, and a statement adds {table} rows of one tenant' "
        "USING ERRCODE = 'restrict_violation'; END IF; RETURN NULL; END $$"
    )
    yield (
        f"CREATE TRIGGER {table}_gapless AFTER INSERT ON {table} REFERENCING NEW TABLE AS added "
        f"FOR EACH STATEMENT EXECUTE FUNCTION ledger_{table}_gapless()"
    )


def references(dialect: str, tables: Iterable[Table]) -> Iterator[str]:
    """The statements that keep what rows of some tables name from being absent, and what is named from going."""
    if dialect == "sqlite":
        return  # Its foreign keys do, at the cost of a look into the index.
    for table in tables:
        if table.foreign_keys:
            yield from _names_what_is_there(table)
        if table.name in _NAMED and table.name not in APPEND_ONLY:
            yield (
                f"CREATE TRIGGER {table.name}_stays BEFORE DELETE OR TRUNCATE ON {table.name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
            )
        if kept := _kept(table):
            # Per statement: one that names them changes them.
            yield (
                f"CREATE TRIGGER {table.name}_keeps_its_names BEFORE UPDATE OF {', '.join(kept)} ON {table.name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
            )


_NAMED = {key.column.table.name for table in METADATA.tables.values() for key in table.foreign_keys}


def _kept(table: Table) -> list[str]:
    """What a row that changes keeps: the key that it is named by, and what it names itself."""
    if table.name in APPEND_ONLY:
        return []
    key = [column.name for column in table.primary_key] if table.name in _NAMED else []
    names = [] if table.name in MOVING else sorted(key.parent.name for key in table.foreign_keys)
    return [*dict.fromkeys([*key, *names])]


def _names_what_is_there(table: Table) -> Iterator[str]:
    """Rows of a statement are of one tenant: to look for each of several would be dearer for all."""
    keys = [key for key in sorted(table.foreign_keys, key=lambda each: each.parent.name) if key.parent.name != "tenant"]
    numbered = [key for key in keys if GAPLESS.get(key.column.table.name) == key.column.name]
    absent = [_absent_number(numbered)] if numbered else []
    absent += [_absent(key) for key in keys if key not in numbered]
    yield (
        f"CREATE FUNCTION ledger_{table.name}_names() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {' OR '.join(absent)} THEN RAISE EXCEPTION "
        f"'a row of {table.name} names what is not there, or not all rows of a statement are of one tenant' "
        "USING ERRCODE = 'foreign_key_violation'; END IF; RETURN NULL; END $$"
    )
    for event in ("INSERT", "UPDATE") if table.name in MOVING else ("INSERT",):
        yield (
            f"CREATE TRIGGER {table.name}_names_{event.lower()} AFTER {event} ON {table.name} "
            f"REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_{table.name}_names()"
        )


def _absent_number(keys: Sequence[ForeignKey]) -> str:
    """Whether rows name numbers that are not there: all are from one to the last one, which the head knows."""
    named = dict.fromkeys(key.column.table.name for key in keys)
    lasts = "".join(f", COALESCE(head.{LAST[table]}, 0) AS {table}_last" for table in named)
    absent = " OR ".join(f"added.{key.parent.name} NOT BETWEEN 1 AND {key.column.table.name}_last" for key in keys)
    head = "added AS first LEFT JOIN tenant AS head ON head.tenant = first.tenant LIMIT 1"
    there = f"(SELECT first.tenant{lasts} FROM {head}) AS there"
    return f"EXISTS (SELECT 1 FROM {there}, added WHERE added.tenant <> there.tenant OR {absent})"


def _absent(key: ForeignKey) -> str:
    """Whether rows name what is not there."""
    # Thousands of rows name few of anything but lines, of which each is named once or twice.
    name, once = key.parent.name, "" if key.column.table is LINE else "DISTINCT "
    given = f"(SELECT {once}tenant, {name} FROM added WHERE {name} IS NOT NULL) AS given"
    return f"EXISTS (SELECT 1 FROM {given} WHERE {_is_absent(key.column.table.name, key.column.name, name)})"


def _is_absent(table: str, key: str, given: str) -> str:
    """Whether there is no row with a key that is `given`."""
    # A value and no EXISTS: so that each is looked up by its key, and no plan reads the table for all of them.
    return f"(SELECT {key} FROM {table} WHERE tenant = given.tenant AND {key} = given.{given}) IS NULL"
