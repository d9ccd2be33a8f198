"""A whole ledger as files, and back into an empty store: to another database, to an archive, to an auditor.

Each table is one file with its rows in the order of its key, so that the same ledger always gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import sqlalchemy as sa

from allocator.errors import FileError, InputError, InternalError, Problem
from allocator.ledger.given import check
from allocator.ledger.lines import text
from allocator.ledger.schema import METADATA
from allocator.ledger.schema_documents import DOCUMENTS
from allocator.ledger.schema_exchange import EXCHANGE
from allocator.ledger.sheets import WRITERS, read_table, write_table
from allocator.ledger.snapshot import Snapshot, snapshot

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger
    from allocator.ledger.questions import Questions
    from allocator.ledger.store import Session

MANIFEST: Final = "ledger.json"
ORDER: Final = tuple(table.name for table in METADATA.sorted_tables)
"""The tables, each after those that it refers to."""
LATER: Final = tuple(table.name for table in (*DOCUMENTS, EXCHANGE))
"""Those that older exports lack."""


def schema_of(table: str) -> dict[str, Any]:
    """The columns of a table, and their types in frames; the tenant's number is the store's own affair."""
    kinds = {sa.LargeBinary: pl.Binary, sa.Text: pl.String}
    return {
        column.name: next((kind for type_, kind in kinds.items() if isinstance(column.type, type_)), pl.Int64)
        for column in METADATA.tables[table].columns
        if column.name != "tenant"
    }


def export_ledger(ledger: Questions, folder: str | Path, *, form: str = "parquet") -> dict[str, Any]:
    """Writes every table of a ledger into a folder, as of one moment, and what is there in `ledger.json`.

    Args:
        ledger: The ledger; others may go on writing to it.
        folder: Made if it is not there; it must be empty.
        form: `parquet`, `csv` or `xlsx`.

    Returns:
        What `ledger.json` says: `tenant`, `seq` and `hash` of the last transaction, and of each table its `file`,
        `rows` and `sha256`.

    Raises:
        FileError: `file_format`, `file_unwritable`.
        InputError: `too_many_rows`, `value_overflow`: more than Excel holds.

    Cost: one pass over each table; the largest one is held in memory.
    """
    check("folder", "form", folder=folder, form=form)
    made = not Path(folder).exists()
    target = _empty(Path(folder), form)
    try:
        with snapshot(ledger) as moment:
            said = _written(moment, target, form)
        (target / MANIFEST).write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except BaseException:
        # Half of a ledger is none, and would be in the way of the next try.
        for name in ORDER:
            (target / f"{name}.{form}").unlink(missing_ok=True)
        if made:
            target.rmdir()
        raise
    return said


def _written(moment: Snapshot, target: Path, form: str) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    head = moment.rows("SELECT name, seq, hash FROM tenant WHERE tenant = :tenant")[0]
    for name in ORDER:
        schema = schema_of(name)
        rows = moment.frame(f"SELECT {', '.join(schema)} FROM {name} WHERE tenant = :tenant", schema)
        # Sorted here: databases return them in any order.
        keys = [key.name for key in METADATA.tables[name].primary_key.columns if key.name in schema]
        path = target / f"{name}.{form}"
        write_table(rows.sort(keys) if keys else rows, path)
        tables[name] = {"file": path.name, "rows": rows.height, "sha256": _sha256(path)}
    return {"allocator": version("allocator"), "tenant": head[0], "seq": head[1], "hash": bytes(head[2]).hex(),
            "tables": tables}  # fmt: skip


def _empty(folder: Path, form: str) -> Path:
    if f".{form}" not in WRITERS:
        hint = f"There are {', '.join(suffix[1:] for suffix in WRITERS)}"
        raise FileError(Problem("file_format", "no such format is written", value=form, hint=hint))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            problem = Problem("file_unwritable", "the folder is not empty", value=str(folder), hint="Name a new one")
            raise FileError(problem)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        message = f"the folder cannot be made: {error.strerror}"
        raise FileError(Problem("file_unwritable", message, value=str(folder))) from None
    return folder


def import_ledger(folder: str | Path, url: str) -> Ledger:
    """Puts an exported ledger into a store that has none of its name, SQLite or PostgreSQL whichever it came from.

    Every file is checked against its hash first; the ledger is there whole, or not at all.

    Raises:
        FileError: `file_missing`, `file_unreadable`: the folder is not what was exported.
        InputError: `id_duplicate`: the store has a ledger of this name.
        StoreError: As `Ledger.open`.
    """
    from allocator.ledger.ledger import Ledger  # noqa: PLC0415 - the ledger asks questions, and so do we

    check("folder", folder=folder)
    source = Path(folder)
    said = _manifest(source)
    frames = {
        name: read_table(source / said["tables"][name]["file"], schema_of(name))
        if name in said["tables"]
        else pl.DataFrame(schema=schema_of(name))
        for name in ORDER
    }
    if frames["tenant"].height != 1:
        file = source / said["tables"]["tenant"]["file"]
        raise FileError(Problem("file_unreadable", "this is not the one row of a ledger", value=str(file)))
    ledger = Ledger.open(url, said["tenant"])
    try:
        with ledger.store.session("write") as session:
            _fill(session, ledger.tenant, said["tenant"], frames)
    except InternalError as error:
        ledger.close()
        message = f"the tables are not those of a ledger: {error.problems[0].message}"
        raise FileError(Problem("file_unreadable", message, value=str(folder))) from error
    except BaseException:
        ledger.close()
        raise
    return ledger


def _fill(session: Session, tenant: int, name: str, frames: Mapping[str, pl.DataFrame]) -> None:
    row = session.one("SELECT seq FROM tenant WHERE tenant = :tenant FOR UPDATE", {"tenant": tenant})
    assert row is not None
    if row[0]:
        hint = "Name another store. What is there is never replaced"
        message = f"the store has a ledger {name!r} with {row[0]} transactions"
        raise InputError(Problem("id_duplicate", message, column="url", value=name, hint=hint))
    head = frames["tenant"].drop("name").row(0, named=True)
    sets = ", ".join(f"{column} = :{column}" for column in head)
    session.run(f"UPDATE tenant SET {sets} WHERE tenant = :tenant", {"tenant": tenant, **head})
    for table in ORDER:
        if table != "tenant":
            mine = frames[table].with_columns(tenant=pl.lit(tenant, pl.Int64))
            session.insert(table, mine.columns, mine.rows())


def _manifest(source: Path) -> dict[str, Any]:
    path = source / MANIFEST
    if not path.is_file():
        hint = "Name the folder that `allocator export` wrote"
        raise FileError(Problem("file_missing", f"there is no {MANIFEST}", value=str(source), hint=hint))
    try:
        said: dict[str, Any] = json.loads(path.read_text("utf-8"))
        # A ledger that was exported before there were such tables has none.
        tables = [said["tables"][name] for name in ORDER if name in said["tables"] or name not in LATER]
        files = [(source / each["file"], each["sha256"]) for each in tables]
        text(said["tenant"])
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise FileError(Problem("file_unreadable", f"this is no manifest: {error}", value=str(path))) from None
    problems = []
    for file, digest in files:
        if not file.is_file():
            problems.append(Problem("file_missing", "a table is missing", value=str(file)))
        elif _sha256(file) != digest:
            problems.append(Problem("file_unreadable", "the file was changed since it was exported", value=str(file)))
    if problems:
        raise FileError(problems)
    return said


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
