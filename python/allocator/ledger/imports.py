"""Stock taken over from files: a column mapping, a dry run, a report of every bad row, all or nothing or the good rows.

A large file is read by the column and recorded in parts, each one transaction of the ledger under one document, so that
memory does not grow with what a transaction costs. All or nothing is one transaction of the database; the good
rows only are committed part by part, and an import that was cut off goes on where it was, by its key.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.frames.read import Source
from allocator.ledger import change
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog
from allocator.ledger.given import check
from allocator.ledger.import_file import read_file
from allocator.ledger.import_report import BadRows, ImportReport, check_suffix
from allocator.ledger.import_rows import lines_of, rows_of
from allocator.ledger.ledger import Ledger
from allocator.ledger.recalled import catch
from allocator.ledger.records import Heading
from allocator.ledger.requests import content_of
from allocator.ledger.rules import missing
from allocator.ledger.store import Session
from allocator.ledger.types import TYPES
from allocator.ledger.waiting import Request
from allocator.model.importing import ImportMapping
from allocator.model.number import NumberRules
from allocator.numbers.spelling import Texts

PART_LINES: Final = 20_000
"""Lines that are one transaction of the ledger at most."""

Progress = Callable[[int, int], None]
"""Is told how many lines are done, and of how many."""


def import_stock(
    ledger: Ledger,
    source: Source,
    mapping: ImportMapping | None = None,
    *,
    actor: str,
    origin: str,
    document: str = "",
    document_kind: str = "",
    role: str = "",
    approved_by: str = "",
    reason: str = "",
    note: str = "",
    day: dt.date | None = None,
    dry_run: bool = False,
    good_rows_only: bool = False,
    rules: NumberRules | None = None,
    packing_list: Texts | None = None,
    report: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    key: str = "",
) -> ImportReport:
    """Receives the stock of a file: every row, or with `good_rows_only` those that nothing is wrong with.

    Args:
        ledger: Where it is recorded. Its SKUs must be defined.
        source: A CSV file, a workbook (`allocator[excel]`), Parquet, NDJSON, a frame: one row per unit, per quantity,
            or per range of serials. Blanks around a cell are taken off.
        mapping: What its columns are; guessed from their headers if left out.
        actor: Who does it.
        origin: Where the goods come from, and what that needs: a name of `ORIGINS`, but for `transfer`, which is
            posted against what is in transit.
        document: The number of the document, of all transactions that the import makes.
        document_kind: What kind of document that is.
        role: The role in which the actor does it.
        approved_by: Who approved it.
        reason: The reason code.
        note: Free text.
        day: The day of receipt where a row says none; today (UTC) if left out.
        dry_run: Record nothing, and say what would be.
        good_rows_only: Leave out what is wrong, rather than everything because of it.
        rules: Formats of serials by SKU.
        packing_list: The serials that the sender says were packed; all of them must be there, and no others.
        report: A file (`.csv`, `.parquet`) for what is wrong; it is written whatever comes of the import.
        progress: Is told how many lines are done.
        key: The caller's key: the same import under the same key is answered and not done again.

    Returns:
        What was done, or in a dry run what would be done.

    Raises:
        InputError: Everything that is wrong, where nothing may be; nothing was done. In a dry run, what is wrong with
            the file as a whole.
        FileError: The file cannot be read, or the report not be written.
        StoreError: The store failed; the code tells whether anything may have been done.

    Example:
        >>> ledger = Ledger.open("sqlite://", tenant="demo")
        >>> ledger.define([{"sku": "CM500", "tracking": "serial"}], actor="ana")
        1
        >>> table = {"Part No.": ["CM500", "CM50"], "S/N": ["A-1", "A-2"], "Bin": ["store", "store"]}
        >>> told = import_stock(ledger, table, actor="ana", origin="supplier", document="GRN-1", good_rows_only=True)
        >>> told.recorded, told.bad.select("row", "column", "value", "code").rows()
        (1, [(1, 'Part No.', 'CM50', 'sku_unknown')])
    """
    check("origin", origin=origin, mapping=mapping, number_rules=rules, dry_run=dry_run, good_rows_only=good_rows_only,
          report=report, progress=progress)  # fmt: skip
    heading = ledger.heading(
        "receive", actor=actor, role=role, approved_by=approved_by, document=document, document_kind=document_kind,
        reason=reason, note=note, day=day, key=key,
    )  # fmt: skip
    key, heading = heading.key, heading._replace(key="")
    _refuse(heading, origin, combined=good_rows_only and packing_list is not None)
    if report is not None:
        check_suffix(os.fspath(report))
    bad = BadRows()
    file = read_file(source, mapping)
    frame = rows_of(file, rules, packing_list, bad)
    name = Path(source).name if isinstance(source, str | os.PathLike) else ""
    good = frame.join(bad.rows().cast(pl.UInt32).to_frame(), on="row", how="anti", maintain_order="left")
    job = _Job(ledger, good, heading, origin, bad, progress or _silent, name, key)
    whole = bad.frame().is_empty()
    seqs: tuple[int, ...] = ()
    if dry_run or not (good_rows_only or whole):
        recorded = job.check()
    elif good_rows_only:
        recorded, seqs = job.record_parts()
    else:
        recorded, seqs = job.record_whole()
    nothing = not good_rows_only and bad.frame().height
    told = ImportReport(frame["row"].n_unique(), frame.height, 0 if nothing else recorded, bad.frame(), seqs, dry_run)
    if report is not None:
        told.write(os.fspath(report))
    if nothing and not dry_run and (error := told.error()):
        raise error
    return told


def _refuse(heading: Heading, origin: str, *, combined: bool) -> None:
    problems = missing(heading, TYPES["receive"], origin)
    if origin == "transfer":
        hint = "Use ledger.post('receive', …, origin='transfer')"
        problems.append(Problem("argument_value", "a transfer is received by what is in transit", column="origin",
                                value=origin, hint=hint))  # fmt: skip
    if combined:
        message = "a packing list is received as a whole, or not at all"
        problems.append(Problem("setting_conflict", message, column="good_rows_only"))
    if problems:
        raise InputError(problems)


def _silent(_: int, __: int) -> None:
    """Tells nobody."""


class _WrongError(Exception):
    """Something was wrong: what was written so far is taken back."""


@dataclass(frozen=True)
class _Job:
    """The lines of an import that nothing is wrong with as far as the file goes."""

    ledger: Ledger
    frame: pl.DataFrame
    heading: Heading
    origin: str
    bad: BadRows
    progress: Progress
    name: str
    key: str

    def check(self) -> int:
        """What would be recorded, found by doing it on what there is without writing any of it."""
        recorded = 0
        catalog = Catalog(self.ledger.tenant)
        with self.ledger.store.session() as session:
            for heading, part in self._parts():
                book = Book(session, catalog, writes=False)
                done = self._add(book, heading=heading, part=part)
                self.bad.take(done["wrong"])
                recorded += done["recorded"]
                book.abandon()
        return recorded

    def record_whole(self) -> tuple[int, tuple[int, ...]]:
        """Records everything, or nothing if anything is wrong; how many lines, and the transactions."""
        try:
            answer = self.ledger.requests.do_alone(self._write_all, self.key, self._content(self.frame))
        except _WrongError:
            return 0, ()
        return self.frame.height, tuple(answer)

    def _write_all(self, session: Session, catalog: Catalog) -> list[int]:
        seqs, wrong = [], False
        for heading, part in self._parts():
            book = Book(session, catalog)
            done = self._add(book, heading=heading, part=part)
            self.bad.take(done["wrong"])
            wrong = wrong or bool(done["wrong"])
            if wrong:
                book.abandon()
            else:
                book.flush()
                seqs.append(done["seq"])
        if wrong:
            raise _WrongError
        return seqs

    def record_parts(self) -> tuple[int, tuple[int, ...]]:
        """Records what nothing is wrong with, part by part; how many lines, and the transactions."""
        recorded, seqs = 0, []
        for number, (heading, part) in enumerate(self._parts(), start=1):
            key = f"{self.key} {number}" if self.key else ""
            work = partial(self._add, heading=heading._replace(key=key), part=part)
            done = self.ledger.requests.do(Request(work, key, self._content(part)))
            self.bad.take(done["wrong"])
            recorded += done["recorded"]
            seqs += [done["seq"]] if done["seq"] else []
        return recorded, tuple(seqs)

    def _add(self, book: Book, *, heading: Heading, part: pl.DataFrame) -> dict[str, Any]:
        """Adds the lines of a part that nothing is wrong with to the book: as plain data, to be answered again."""
        lines, rows = lines_of(part), part["row"].to_list()
        wrong: list[tuple[object, ...]] = []
        since = len(book.written.entries)
        while lines:
            try:
                seq = change.post(book, heading, lines, self.origin)
            except InputError as error:
                out = {problem.row for problem in error.problems}
                if None in out:
                    raise
                wrong += [
                    (p.code, p.message, "", p.column, rows[p.row], p.value, p.hint)
                    for p in error.problems if p.row is not None
                ]  # fmt: skip
                left = [number for number in range(len(lines)) if number not in out]
                lines, rows = [lines[number] for number in left], [rows[number] for number in left]
            else:
                catch(book, since)
                return {"seq": seq, "recorded": len(lines), "wrong": wrong}
        return {"seq": 0, "recorded": 0, "wrong": wrong}

    def _parts(self) -> Iterator[tuple[Heading, pl.DataFrame]]:
        """The lines of one transaction at a time, with its heading."""
        lines = self.frame.height
        for start in range(0, lines, PART_LINES):
            said = {"file": self.name, "part": start // PART_LINES + 1, "parts": -(-lines // PART_LINES)}
            details = json.dumps(said, sort_keys=True, ensure_ascii=False)
            yield self.heading._replace(details=details), self.frame.slice(start, PART_LINES)
            self.progress(min(start + PART_LINES, lines), lines)

    def _content(self, lines: pl.DataFrame) -> bytes:
        """A hash of what is asked."""
        if not self.key:
            return b""
        digest = hashlib.sha256()
        for part in lines.iter_slices(PART_LINES):
            digest.update(part.write_csv().encode())
        return content_of("import", self.heading.asked(), self.origin, digest.hexdigest())
