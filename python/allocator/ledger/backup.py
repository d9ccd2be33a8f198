"""Backups: a consistent copy of a store, and a store from a copy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from allocator.errors import FileError, InputError, Problem, StoreError
from allocator.ledger.given import check
from allocator.ledger.store import open_store

if TYPE_CHECKING:
    from allocator.ledger.questions import Questions

TIMEOUT_S: Final = 30.0
_SQLITE: Final = b"SQLite format 3\0"
_PG_DUMP: Final = b"PGDMP"


def backup(ledger: Questions, path: str | Path) -> None:
    """Writes a consistent copy of the store, all tenants, to a file, while others go on.

    SQLite gives a database that can be opened as it is; PostgreSQL a dump of `pg_dump`, in its custom format.

    Raises:
        FileError: `file_unwritable`: there is a file of this name.
        StoreError: `store_failed`.
    """
    check("path", path=path)
    target = Path(path)
    if target.exists():
        hint = "Name a new file: no backup is ever replaced"
        raise FileError(Problem("file_unwritable", "there is a file of this name", value=str(target), hint=hint))
    if not target.absolute().parent.is_dir():
        raise FileError(Problem("file_unwritable", "its folder does not exist", value=str(target)))
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        ledger.store.backup(str(part))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def restore(path: str | Path, url: str) -> None:
    """Makes a store from a backup: what was committed when it was made, and nothing after.

    Raises:
        FileError: `file_missing`, `file_unreadable`: it is no backup of this kind of store.
        InputError: `store_url`; `id_duplicate`: the store is there already, and is not replaced.
        StoreError: `store_failed`.
    """
    check("path", path=path)
    source = Path(path)
    if not source.is_file():
        raise FileError(Problem("file_missing", "there is no such file", value=str(source)))
    with source.open("rb") as file:
        head = file.read(len(_SQLITE))
    kind = "sqlite" if head == _SQLITE else "postgresql" if head.startswith(_PG_DUMP) else ""
    store = open_store(url, timeout_s=TIMEOUT_S)
    store.close()
    if kind != store.dialect:
        message = f"this is {'a backup of ' + kind if kind else 'no backup'}, and the store is {store.dialect}"
        hint = "To change the kind of store, use allocator export and import of the whole ledger"
        raise FileError(Problem("file_unreadable", message, value=str(source), hint=hint))
    (_restore_file if kind == "sqlite" else _restore_dump)(source, url)


def _taken(url: str) -> InputError:
    hint = "Name a new file, or an empty database: a restore replaces nothing"
    return InputError(Problem("id_duplicate", "there is a store already", column="url", value=url[:80], hint=hint))


def _restore_file(source: Path, url: str) -> None:
    target = Path(sa.make_url(url).database or "")
    if not target.name or str(target) == ":memory:":
        raise InputError(Problem("store_url", "a backup is restored to a file", column="url", value=url[:80]))
    if target.exists():
        raise _taken(url)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, part)
        # Unlike a rename, a link never replaces what has come in the meantime.
        target.hardlink_to(part)
    except FileExistsError:
        raise _taken(url) from None
    except OSError as error:
        message = f"the store cannot be written: {error.strerror}"
        raise FileError(Problem("file_unwritable", message, value=str(target))) from None
    finally:
        part.unlink(missing_ok=True)


def _restore_dump(source: Path, url: str) -> None:
    store = open_store(url, timeout_s=TIMEOUT_S)
    try:
        with store.session() as session:
            there = session.one("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'")
    finally:
        store.close()
    if there and there[0]:
        raise _taken(url)
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = ["pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", f"--dbname={plain}", str(source)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if made.returncode:
        raise StoreError(Problem("store_failed", "pg_restore failed", value=made.stderr.strip()[:80]))
