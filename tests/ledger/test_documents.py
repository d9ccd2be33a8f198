"""Documents go on with the goods, or not at all; what they are is what their steps add up to, and `verify` knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger, change
from allocator.ledger.book import Book
from allocator.ledger.export import export_ledger, import_ledger
from allocator.ledger.verify import canonical_dump, verify
from ledger.raw import Errors, beside, unguarded
from ledger.week import week_of_work


def open_request(ledger: Ledger, qty: int = 4, *, fails: bool = False) -> str:
    """A request with two lines and a link; `fails` refuses it at the very end."""
    heading = ledger.heading("document", actor="ana")

    def work(book: Book) -> str:
        with book.transaction(heading):
            documents = book.documents
            number = documents.next_number("PR")
            said: dict[str, Any] = {"details": {"kind": "base"}, "marks": ["raised"], "due_s": 3600}
            documents.open(number, "raise", "part request", "requested", counts="PR", party="ASP-1", **said)
            for n in (1, 2):
                documents.put_line(number, "raise", n, sku_id=1, qty=qty, details={"asked": n})
            documents.link(number, "raise", "order", "SO-1")
            if fails:
                documents.open(number, "raise", "part request", "requested")
        return number

    return str(ledger.do(work, heading))


def approve(ledger: Ledger, number: str) -> None:
    heading = ledger.heading("document", actor="bob")

    def work(book: Book) -> None:
        with book.transaction(heading):
            book.documents.change(number, "approve", state="approved", details={"kind": None, "why": ["short"]})
            book.documents.put_line(number, "approve", 2, progress=3, details={"asked": None, "granted": 3})

    ledger.do(work, heading)


def test_a_document_is_what_its_steps_made_it(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "valve"}], actor="ana")
    number = open_request(empty_ledger)
    approve(empty_ledger, number)
    with empty_ledger.store.session() as session:
        documents = Book(session, empty_ledger.requests.catalog, writes=False).documents
        found = documents.get(number)
        (first, second), links = documents.lines(number), documents.links(number)
        open_ones = documents.find(flow="part request", party="ASP-1", closed=0)
    assert found is not None
    assert (found.state, found.party, found.opened_seq, dict(found.details)) == (
        "approved",
        "ASP-1",
        2,
        {"why": ["short"]},
    )
    assert found.due_at == found.opened_at + 3600 * 1_000_000 == found.marks["raised"] + 3600 * 1_000_000
    assert (first.qty, first.progress, second.progress, dict(second.details)) == (4, 0, 3, {"granted": 3})
    assert links == [("order", "SO-1")]
    assert open_ones == [found]


def test_what_is_refused_leaves_no_trace_and_no_gap_in_the_numbers(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "valve"}], actor="ana")
    with pytest.raises(InputError, match="document_exists"):
        open_request(empty_ledger, fails=True)
    assert open_request(empty_ledger) == "PR-000001"


def test_a_refusal_leaves_the_documents_of_others_who_share_the_commit_alone(empty_ledger: Ledger) -> None:
    empty_ledger.define([{"sku": "valve"}], actor="ana")
    heading = empty_ledger.heading("document", actor="ana")
    answers: list[Any] = []

    def both(book: Book) -> None:
        with book.transaction(heading):
            book.documents.open("X-1", "open", "job", "open", details={"a": 1})
            book.documents.put_line("X-1", "open", 1, qty=1)
        with pytest.raises(InputError), book.transaction(heading):
            book.documents.change("X-1", "spoil", state="spoilt", details={"a": 2})
            book.documents.put_line("X-1", "spoil", 1, qty=9)
            book.documents.put_line("X-1", "spoil", 2, qty=9)
            book.documents.link("X-1", "spoil", "job", "X-0")
            book.documents.open("X-2", "open", "job", "open")
            book.documents.change("X-3", "open")
        documents = book.documents
        answers.extend([documents.get("X-1"), documents.lines("X-1"), documents.links("X-1"), documents.get("X-2")])

    empty_ledger.do(both, heading)
    head, lines, links, other = answers
    assert (head.state, head.details, [line.qty for line in lines], links, other) == ("open", {"a": 1}, [1], [], None)


def receive_by_document(ledger: Ledger, qty: int, *, fails: bool) -> None:
    heading = ledger.heading("receive", actor="ana", document="X-1")

    def work(book: Book) -> None:
        with book.transaction(heading):
            book.documents.open("X-1", "open", "job", "open")
            change.post(book, heading, [{"sku": "valve", "qty": qty, "location": "store"}], "supplier")
            if fails:
                book.documents.change("X-2", "open")

    ledger.do(work, heading)


def test_documents_and_goods_change_in_one_transaction_or_not_at_all(empty_ledger: Ledger) -> None:
    seq = empty_ledger.define([{"sku": "valve"}], actor="ana")
    with pytest.raises(InputError, match="document_unknown"):
        receive_by_document(empty_ledger, 5, fails=True)
    assert empty_ledger.balances().is_empty()
    receive_by_document(empty_ledger, 5, fails=False)
    assert empty_ledger.balances()["on_hand"].to_list() == [5]
    assert verify(empty_ledger).seq == seq + 1


TAMPERED = [
    ("a document is in another state", 7, "UPDATE document SET state = 'closed'"),
    ("a document is of another partner", 7, "UPDATE document SET party = 'ASP-2'"),
    ("a document is due later", 7, "UPDATE document SET due_at = due_at + 1"),
    ("a document was opened earlier", 7, "UPDATE document SET opened_at = opened_at - 1"),
    ("a document says something else", 7, "UPDATE document SET details = '{\"why\": []}'"),
    ("a document is gone", 7, "DELETE FROM document"),
    ("a line is of more", 7, "UPDATE document_line SET qty = 5 WHERE n = 1"),
    ("a line is further", 7, "UPDATE document_line SET progress = 4 WHERE n = 2"),
    ("a line is gone", 7, "DELETE FROM document_line WHERE n = 2"),
    ("a line is of no SKU", 37, "UPDATE document_line SET sku_id = 9 WHERE n = 2"),
    ("a link leads elsewhere", 7, "UPDATE document_link SET other = 'SO-2'"),
    ("a link is gone", 7, "DELETE FROM document_link"),
    ("a step was changed", 8, "UPDATE document_event SET step = 'reject' WHERE seq = 3"),
    ("a patch was changed", 8, "UPDATE document_event SET patch = '{}' WHERE seq = 3"),
    ("a step is gone", 8, "DELETE FROM document_event WHERE seq = 3"),
    ("a step leads to another state than it says", 7, "UPDATE document_event SET state = 'rejected' WHERE seq = 3"),
]


@pytest.mark.parametrize(("invariant", "sql"), [each[1:] for each in TAMPERED], ids=[each[0] for each in TAMPERED])
def test_verify_names_what_is_wrong_with_a_document(tmp_path: Path, invariant: int, sql: str) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.define([{"sku": "valve"}], actor="ana")
        approve(ledger, open_request(ledger))
        assert verify(ledger).clean
        with unguarded(ledger) as connection:
            connection.execute(sql)
        assert invariant in verify(ledger).frame["invariant"].to_list()


@pytest.mark.parametrize("sql", ["UPDATE document_event SET step = 'x'", "DELETE FROM document_event"])
def test_the_database_refuses_to_change_what_was_done(empty_ledger: Ledger, sql: str) -> None:
    empty_ledger.define([{"sku": "valve"}], actor="ana")
    open_request(empty_ledger)
    with pytest.raises(Errors), beside(empty_ledger) as connection:
        connection.execute(sql)


def test_a_ledger_from_before_there_were_documents_is_brought_up_to_date_and_keeps_its_content(ledger_url: str) -> None:
    with Ledger.open(ledger_url) as ledger:
        week_of_work(ledger)
        before = canonical_dump(ledger)
        with unguarded(ledger) as connection:
            connection.execute("DROP VIEW promises")
            for table in ("exchange", "document_event", "document_link", "document_line", "document"):
                connection.execute(f"DROP TABLE {table}")
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
            if ledger.store.dialect == "sqlite":
                connection.execute("DELETE FROM sqlite_stat1 WHERE tbl LIKE 'document%' OR tbl = 'exchange'")
    with Ledger.open(ledger_url) as ledger:
        assert canonical_dump(ledger) == before
        assert verify(ledger).clean
        assert open_request(ledger) == "PR-000001"


def test_documents_are_exported_and_imported_with_the_rest(empty_ledger: Ledger, tmp_path: Path) -> None:
    empty_ledger.define([{"sku": "valve"}], actor="ana")
    approve(empty_ledger, open_request(empty_ledger))
    export_ledger(empty_ledger, tmp_path / "out")
    with import_ledger(tmp_path / "out", f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert canonical_dump(copy) == canonical_dump(empty_ledger)
        assert verify(copy).clean
