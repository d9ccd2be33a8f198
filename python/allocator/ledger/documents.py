"""Documents within a book: read when they are needed, changed within its transactions, written with them.

What a transaction changes of a document is one event with a patch, which its digest covers; the tables `document`,
`document_line` and `document_link` are what the patches add up to. Like the book's balances, documents are known in
memory as the transactions before have left them, though these may not be written yet.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.errors import InputError, Problem
from allocator.ledger import chain
from allocator.ledger.schema_documents import DOCUMENT, DOCUMENT_EVENT, DOCUMENT_LINE, DOCUMENT_LINK

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.store import Changes

NOTHING: Final[Mapping[str, Any]] = {}

MICROSECONDS: Final = 1_000_000


class Document(NamedTuple):
    """A document as it is now.

    Attributes:
        number: Unique in the ledger.
        flow: What kind of document it is.
        state: One of the states of its flow.
        closed: 1 where nothing is left to do.
        bu: The business unit; '' for none.
        party: Who works on it, as a partner; '' is the business itself.
        counterparty: Who else sees it.
        place: Where it takes place.
        opened_seq: The transaction that opened it.
        opened_at: When that was, in microseconds since 1970.
        due_at: When it is due.
        marks: When it passed something, by name.
        details: What else it says, by name.
    """

    number: str
    flow: str
    state: str
    closed: int = 0
    bu: str = ""
    party: str = ""
    counterparty: str = ""
    place: str = ""
    opened_seq: int = 0
    opened_at: int = 0
    due_at: int | None = None
    marks: Mapping[str, int] = NOTHING
    details: Mapping[str, Any] = NOTHING


class DocumentLine(NamedTuple):
    """A line of a document as it is now.

    Attributes:
        n: Its number within the document, from 1.
        sku_id: The SKU that it is about.
        goods_id: The very goods.
        line_id: The demand line that stands for it in the ledger.
        qty: How much it is about, in the steps that the SKU is counted in.
        progress: How much of that is done.
        state: How far it is.
        details: What else it says, by name.
    """

    n: int
    sku_id: int | None = None
    goods_id: int | None = None
    line_id: str = ""
    qty: int = 0
    progress: int = 0
    state: str = ""
    details: Mapping[str, Any] = NOTHING


SET: Final = ("flow", "state", "closed", "bu", "party", "counterparty", "place")
"""What of a document a patch says as it is; the rest follows from when it was recorded, or has a place of its own."""

HEAD: Final = Document._fields
LINE: Final = DocumentLine._fields


@dataclass
class _Patch:
    """What one transaction changes of one document."""

    step: str
    set: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)
    lines: dict[int, dict[str, Any]] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)

    def text(self) -> str:
        said = {name: value for name in ("set", "details", "marks", "lines", "links") if (value := getattr(self, name))}
        return _short(said)


_short = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_sorted = json.JSONEncoder(ensure_ascii=False, sort_keys=True).encode


def merged(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Details with others over them; None takes one away."""
    return {name: value for name, value in {**before, **more}.items() if value is not None}


class Documents:
    """The documents of a book."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._heads: dict[str, Document | None] = {}
        self._lines: dict[str, dict[int, DocumentLine]] = {}
        self._whole: set[str] = set()
        self._links: dict[str, list[tuple[str, str]]] = {}
        self._versions: dict[str, int] = {}
        self._line_versions: dict[tuple[str, int], int] = {}
        self._patches: dict[str, _Patch] = {}
        self._heads_before: dict[str, Document | None] = {}
        self._lines_before: dict[tuple[str, int], DocumentLine | None] = {}
        self._links_before: dict[str, list[tuple[str, str]]] = {}
        self._touched: dict[str, int] = {}
        self._touched_lines: dict[tuple[str, int], int] = {}
        self._new_links: list[tuple[str, str, str, int]] = []
        self._events: list[tuple[int, int, str, str, str, str]] = []

    # --- what there is ---

    def load(self, numbers: Iterable[str]) -> None:
        """Reads documents, those that are not known yet."""
        lacking = sorted({number for number in numbers if number not in self._heads})
        if lacking:
            self._heads.update(dict.fromkeys(lacking))
            self._take("number = ANY(:keys)", {"keys": lacking})

    def _take(self, where: str, params: Mapping[str, Any]) -> None:
        sql = f"SELECT {', '.join(HEAD)}, version FROM document WHERE tenant = :tenant AND {where}"
        for *row, version in self._book.session.rows(sql, {"tenant": self._book.tenant, **params}):
            if self._heads.get(row[0]) is None and row[0] not in self._versions:
                said = [json.loads(text) if text else NOTHING for text in row[-2:]]
                self._heads[row[0]] = Document(*row[:-2], *said)
                self._versions[row[0]] = version

    def get(self, number: str) -> Document | None:
        """A document, or None."""
        self.load([number])
        return self._heads[number]

    def find(self, **equal: str | int) -> list[Document]:
        """The documents whose columns have these values, in the order in which they were opened."""
        where = " AND ".join(f"{name} = :{name}" for name in equal)
        self._take(where, equal)
        found = [d for d in self._heads.values() if d and all(getattr(d, n) == value for n, value in equal.items())]
        return sorted(found, key=lambda document: (document.opened_seq or self._book.seq + 1, document.number))

    def lines(self, number: str, ns: Collection[int] | None = None) -> list[DocumentLine]:
        """The lines of a document in their order: all, or those of some numbers."""
        mine = self._lines.setdefault(number, {})
        if number not in self._whole and not (ns is not None and all(n in mine for n in ns)):
            where, params = ("", {}) if ns is None else (" AND n = ANY(:ids)", {"ids": sorted(ns)})
            self._take_lines(f"number = :number{where}", {"number": number, **params})
            if ns is None:
                self._whole.add(number)
        return [mine[n] for n in sorted(mine if ns is None else mine.keys() & set(ns))]

    def line(self, number: str, n: int) -> DocumentLine:
        """One line that is there."""
        found = self._lines.get(number, {}).get(n)
        return self.lines(number, [n])[0] if found is None else found

    def lines_of_skus(self, numbers: Collection[str], skus: Collection[int]) -> list[tuple[str, DocumentLine]]:
        """The lines of some documents that are about some SKUs, each with its document's number."""
        params = {"keys": sorted(numbers), "ids": sorted(skus)}
        self._take_lines("number = ANY(:keys) AND sku_id = ANY(:ids)", params)
        lines = [(number, line) for number in numbers for line in self._lines.get(number, {}).values()]
        return [(number, line) for number, line in lines if line.sku_id in skus]

    def lines_of_goods(self, goods: Collection[int]) -> list[tuple[str, DocumentLine]]:
        """Every line that is about these goods, each with its document's number."""
        self._take_lines("goods_id = ANY(:ids)", {"ids": sorted(goods)})
        lines = [(number, line) for number, mine in self._lines.items() for line in mine.values()]
        return [(number, line) for number, line in lines if line.goods_id in goods]

    def _take_lines(self, where: str, params: Mapping[str, Any]) -> None:
        sql = f"SELECT number, {', '.join(LINE)}, version FROM document_line WHERE tenant = :tenant AND {where}"
        # Thousands of lines say the same.
        said: dict[str, Mapping[str, Any]] = {"": NOTHING}
        for number, *row, text, version in self._book.session.rows(sql, {"tenant": self._book.tenant, **params}):
            mine = self._lines.setdefault(number, {})
            if row[0] not in mine:
                if text not in said:
                    said[text] = json.loads(text)
                mine[row[0]] = DocumentLine._make([*row, said[text]])
                self._line_versions[number, row[0]] = version

    def links(self, number: str) -> list[tuple[str, str]]:
        """What a document is linked to: kind and number of the other, in the order of these."""
        if number not in self._links:
            sql = "SELECT kind, other FROM document_link WHERE tenant = :tenant AND number = :number"
            rows = self._book.session.rows(sql, {"tenant": self._book.tenant, "number": number})
            self._links[number] = [(kind, other) for kind, other in rows]
            self._links[number] += [(kind, other) for mine, kind, other, _ in self._new_links if mine == number]
        return sorted(self._links[number])

    def linked_from(self, other: str, kind: str | None = None) -> list[str]:
        """The documents that have a link (of a kind) to another, or to a number of another system, in their order."""
        sql = "SELECT number, kind FROM document_link WHERE tenant = :tenant AND other = :other"
        rows = set(self._book.session.rows(sql, {"tenant": self._book.tenant, "other": other}))
        rows |= {(number, each) for number, links in self._links.items() for each, to in links if to == other}
        return sorted({number for number, each in rows if kind in (None, each)})

    # --- what is changed, within a transaction of the book ---

    def open(self, number: str, step: str, flow: str, state: str, *, counts: str = "", **said: Any) -> None:  # noqa: ANN401
        """A new document; `said` as in `change`; `counts` is the sequence that its number is the next one of.

        Raises:
            InputError: `document_exists`.
        """
        if self.get(number) is not None:
            message = "there is a document of this number"
            raise InputError(Problem("document_exists", message, column="number", value=number[:80]))
        if counts:
            self._book.count(counts, int(number.removeprefix(f"{counts}-")))
        self._put(number, Document(number, flow, state))
        self._patch(number, step).set |= {"flow": flow}
        self._whole.add(number)
        self._links[number] = []
        self.change(number, step, state=state, **said)

    def change(
        self, number: str, step: str, *, details: Mapping[str, Any] = NOTHING, marks: Iterable[str] = (),
        due_s: int | None = None, **said: str | int,
    ) -> None:  # fmt: skip
        """What a step changes of a document.

        Args:
            number: The document.
            step: The step that is taken with it; what follows from that in the same transaction goes by its name.
            details: What it says from now on, by name; None takes one away.
            marks: What it passes at this moment.
            due_s: It is due so many seconds after it was opened.
            said: New values of the columns of `SET`.
        """
        head, patch = self._known(number), self._patch(number, step)
        patch.set |= said
        patch.details |= details
        patch.marks += marks
        if due_s is not None:
            patch.set["due_s"] = due_s
        self._put(number, head._replace(**said, details=merged(head.details, details)))  # type: ignore[arg-type]

    def put_line(self, number: str, step: str, n: int, *, details: Mapping[str, Any] = NOTHING, **said: Any) -> None:  # noqa: ANN401
        """A line as it is from now on; `said` are new values of its columns. It is new if its number is."""
        mine, patch = self._lines.setdefault(number, {}), self._patch(number, step)
        if n not in mine and number not in self._whole:
            self.lines(number, [n])
        before = mine.get(n)
        self._lines_before.setdefault((number, n), before)
        if before is None:
            before = DocumentLine(n)
        mine[n] = before._replace(**said, details=merged(before.details, details) if details else before.details)
        change = patch.lines.setdefault(n, {})
        change |= said
        if details:
            change["details"] = {**change.get("details", {}), **details}

    def link(self, number: str, step: str, kind: str, other: str) -> None:
        """A link to another document, or to a number of another system; one that is there stays."""
        if (kind, other) not in self.links(number):
            self._links_before.setdefault(number, list(self._links[number]))
            self._links[number].append((kind, other))
            self._patch(number, step).links.append((kind, other))

    def next_number(self, prefix: str) -> str:
        """The number that the next document of a sequence gets: without gaps, and none that somebody else gave."""
        value = self._book.counter(prefix) + 1
        while self.get(number := f"{prefix}-{value:06d}") is not None:
            value += 1
        return number

    def _known(self, number: str) -> Document:
        head = self.get(number)
        if head is None:
            message = "there is no such document"
            raise InputError(Problem("document_unknown", message, column="number", value=number[:80]))
        return head

    def _put(self, number: str, head: Document) -> None:
        self._heads_before.setdefault(number, self._heads.get(number))
        self._heads[number] = head

    def _patch(self, number: str, step: str) -> _Patch:
        return self._patches.setdefault(number, _Patch(step))

    # --- the book's transaction ---

    def take_back(self) -> None:
        """Undoes what the transaction that is open changed."""
        for (number, n), line in self._lines_before.items():
            if line is None:
                del self._lines[number][n]
            else:
                self._lines[number][n] = line
        self._links.update(self._links_before)
        for number, head in self._heads_before.items():
            self._heads[number] = head
            if head is None:
                self._whole.discard(number)
                self._links.pop(number, None)
        self._forget()

    def _forget(self) -> None:
        for pending in (self._patches, self._heads_before, self._lines_before, self._links_before):
            pending.clear()

    def record(self, seq: int, moment: int) -> list[str]:
        """Ends a transaction: its events, as the text that its digest is over."""
        texts = []
        for n, (number, patch) in enumerate(self._patches.items()):
            head = self._known(number)
            opened = head.opened_seq or seq
            opened_at = head.opened_at or moment
            due_s = patch.set.get("due_s")
            due_at = head.due_at if due_s is None else opened_at + due_s * MICROSECONDS
            marks = {**head.marks, **dict.fromkeys(patch.marks, moment)}
            self._heads[number] = head._replace(opened_seq=opened, opened_at=opened_at, due_at=due_at, marks=marks)
            event = (n, number, patch.step, head.state, patch.text())
            texts.append(chain.line(event))
            self._events.append((seq, *event))
            self._touched[number] = seq
            self._touched_lines |= {(number, each): seq for each in patch.lines}
            self._new_links += [(number, kind, other, seq) for kind, other in patch.links]
        self._forget()
        return texts

    def __len__(self) -> int:
        """How many rows are to be written."""
        return len(self._events) + len(self._touched_lines)

    def flush(self, out: Changes) -> None:
        """Writes what was recorded."""
        tenant = self._book.tenant
        columns: dict[str, str] = {"tenant": "bigint", "number": "text"}
        self._flush(out, "document", HEAD, columns, self._head_rows())
        self._flush(out, "document_line", LINE, columns | {"n": "bigint"}, self._line_rows())
        links = [(tenant, number, kind, other, seq) for number, kind, other, seq in self._new_links]
        out.insert("document_link", tuple(DOCUMENT_LINK.columns.keys()), links)
        events = [(tenant, *event) for event in self._events]
        out.insert("document_event", tuple(DOCUMENT_EVENT.columns.keys()), events)

    def _head_rows(self) -> Iterator[tuple[tuple[Any, ...], int | None]]:
        for number, seq in self._touched.items():
            head = self._known(number)
            texts = [_sorted(said) if said else "" for said in head[-2:]]
            yield (self._book.tenant, *head[:-2], *texts, seq), self._versions.get(number)

    def _line_rows(self) -> Iterator[tuple[tuple[Any, ...], int | None]]:
        for (number, n), seq in self._touched_lines.items():
            line = self._lines[number][n]
            text = _sorted(line.details) if line.details else ""
            yield (self._book.tenant, number, *line[:-1], text, seq), self._line_versions.get((number, n))

    @staticmethod
    def _flush(
        out: Changes, table: str, fields: tuple[str, ...], key: Mapping[str, str],
        rows: Iterable[tuple[tuple[Any, ...], int | None]],
    ) -> None:  # fmt: skip
        """Adds rows that are new, and changes the others under the version that was read."""
        columns = tuple((DOCUMENT if table == "document" else DOCUMENT_LINE).columns.keys())
        new, changed = [], []
        for row, version in rows:
            if version is None:
                new.append(row)
            else:
                changed.append((*row, version))
        kinds = {name: _KINDS.get(name, "text") for name in columns}
        # What a document is named by stays, and the transaction that opened it.
        sets = ", ".join(f"{name} = :{name}" for name in columns if name not in key and name != "opened_seq")
        where = " AND ".join(f"{table}.{name} = :{name}" for name in key)
        sql = f"UPDATE {table} SET {sets} WHERE {where} AND {table}.version = :before"
        out.change(sql, kinds | {"before": "bigint"}, changed)
        out.insert(table, columns, new)


_KINDS: Final = {
    **dict.fromkeys(("tenant", "n", "sku_id", "goods_id", "qty", "progress", "opened_seq", "opened_at", "due_at"),
                    "bigint"),
    "closed": "smallint", "version": "bigint",
}  # fmt: skip
