"""Rows go to PostgreSQL as the arrays of their columns: what is there then is what was given."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.engine import postgres_arrays
from allocator.ledger import Ledger
from allocator.ledger.store.postgres import FEW_MAX, _Array, _ArrayDumper

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9) | st.sampled_from(
    ['"', "\\", "{", ","]
)


def numbers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


VALUES = {"bytea": st.binary(max_size=9), "bigint": numbers(64), "smallint": numbers(16), "integer": numbers(32),
          "text": WORDS}  # fmt: skip


@pytest.fixture(scope="module")
def connection(postgres_server: Any) -> Any:
    with psycopg.connect(postgres_server.url(), autocommit=True) as made:
        made.adapters.register_dumper(_Array, _ArrayDumper)
        yield made


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(*(st.none() | values for values in VALUES.values())), max_size=5),
    same=st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_columns_arrive_as_they_were_given(
    connection: psycopg.Connection, rows: list[tuple[Any, ...]], same: list[bool]
) -> None:
    columns = [[row[number] for row in rows] for number in range(len(VALUES))]
    wanted = None
    if all(len(set(column)) <= 1 for column, alike in zip(columns, same, strict=True) if alike):
        wanted = [column for column, alike in zip(columns, same, strict=True) if not alike]
    arrays = postgres_arrays(rows, list(VALUES), same)
    assert (arrays is None) == (wanted is None)
    if arrays is None or wanted is None:
        return
    kinds = [kind for kind, alike in zip(VALUES, same, strict=True) if not alike]
    for kind, array, column in zip(kinds, arrays, wanted, strict=True):
        assert connection.execute(f"SELECT %s::{kind}[]", [_Array(array)]).fetchall() == [(column,)]


@pytest.mark.parametrize(
    ("value", "kind", "error"),
    [("a\0b", "text", ValueError), (2**63, "bigint", OverflowError), (2**15, "smallint", OverflowError),
     (-(2**31) - 1, "integer", OverflowError), ("1", "bigint", TypeError), (1.0, "bigint", TypeError),
     (1, "numeric", ValueError), (1, "text", TypeError), ("1", "bytea", TypeError)],
)  # fmt: skip
def test_what_a_column_does_not_take_is_refused(value: Any, kind: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        postgres_arrays([(value,)], [kind], [False])


@pytest.mark.parametrize("rows", [1, FEW_MAX, FEW_MAX + 1])
def test_few_rows_and_many_are_written_and_changed_alike(postgres_ledger_url: str, rows: int) -> None:
    columns = {"value": "bigint", "name": "text", "tenant": "bigint"}
    change = "UPDATE counter SET value = :value WHERE counter.name = :name AND counter.tenant = :tenant"
    with Ledger.open(postgres_ledger_url) as ledger:
        tenant, names = ledger.tenant, [f'{number} "é\\' for number in range(rows)]
        out = ledger.store.changes()
        out.change("UPDATE tenant SET seq = :seq WHERE tenant.tenant = :tenant", {"seq": "bigint", "tenant": "bigint"},
                   [(0, tenant)])  # fmt: skip
        out.insert("counter", ("tenant", "name", "value"), [(tenant, name, n) for n, name in enumerate(names)])
        out.write()
        out = ledger.store.changes()
        out.change(change, columns, [(-n, name, tenant) for n, name in enumerate(names)])
        out.write()
        with ledger.store.session() as session:
            found = session.rows("SELECT name, value FROM counter ORDER BY value DESC")
        assert found == [(name, -n) for n, name in enumerate(names)]


def test_a_text_that_ends_early_is_not_sent(postgres_ledger_url: str) -> None:
    with Ledger.open(postgres_ledger_url) as ledger:
        out = ledger.store.changes()
        with pytest.raises(psycopg.DataError, match="character 0"):
            out.insert("counter", ("tenant", "name", "value"), [(ledger.tenant, "a\0b", 1), (ledger.tenant, "c", 2)])
