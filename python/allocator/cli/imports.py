"""`import`: takes the stock of a file over into a ledger."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from allocator.cli.given import Json, day
from allocator.cli.show import console, say, say_json, say_table
from allocator.errors import FileError, InputError, Problem
from allocator.frames.findings import gathered
from allocator.ledger import Ledger
from allocator.ledger.import_file import read_file
from allocator.ledger.import_report import ImportReport
from allocator.ledger.imports import import_stock as receive
from allocator.model.importing import ImportMapping
from allocator.model.number import NumberRules

BAD_ROWS: Final = 2
"""The exit code of a dry run that found rows which are wrong."""


def import_stock(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV, a workbook, Parquet, Arrow IPC or NDJSON: one row per unit.")
    ],
    *,
    ledger: Annotated[
        str, typer.Option(metavar="URL", envvar="ALLOCATOR_LEDGER", help="sqlite:///stock.db or postgresql://host/db.")
    ] = "",
    tenant: Annotated[str, typer.Option(metavar="NAME", help="Whose stock it is.")] = "main",
    mapping: Annotated[
        Path | None, typer.Option("--mapping", "-m", metavar="FILE", help="What its columns are; guessed if left out.")
    ] = None,
    guess: Annotated[bool, typer.Option("--guess", help="Print the guessed mapping, to edit; import nothing.")] = False,
    actor: Annotated[str, typer.Option(metavar="NAME", help="Who does it.")] = "",
    origin: Annotated[
        str, typer.Option(metavar="NAME", help="Where goods come from: supplier, production, found, migration.")
    ] = "supplier",
    document: Annotated[str, typer.Option(metavar="NUMBER", help="The number of its document.")] = "",
    reason: Annotated[str, typer.Option(metavar="CODE", help="The reason, where the origin needs one.")] = "",
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note, where the origin needs one.")] = "",
    role: Annotated[str, typer.Option(metavar="NAME", help="The role in which the actor does it.")] = "",
    received_on: Annotated[
        str | None, typer.Option("--day", metavar="DATE", help="The day of receipt; today (UTC) if left out.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(metavar="FILE", help="Formats of serials by SKU.")] = None,
    packing_list: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serials that were packed, a number or range a line.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Record nothing, and say what would be.")] = False,
    good_rows_only: Annotated[bool, typer.Option("--good-rows", help="Leave out what is wrong.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what is wrong there: .csv or .parquet.")
    ] = None,
    key: Annotated[
        str, typer.Option(metavar="TEXT", help="Stands for this import; by default its file, document and origin do.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Takes the stock of a file over into a ledger: all of it, or with `--good-rows` what nothing is wrong with.

    The same file under the same document is taken over once: a repeat is answered, and goes on where it was cut off.

    **Examples**

    - `allocator import delivery.csv --guess > mine.toml`
    - `allocator import delivery.csv -m mine.toml --ledger sqlite:///stock.db --actor ana --document GRN-7 --dry-run`
    - `allocator import delivery.xlsx -m mine.toml --ledger sqlite:///stock.db --actor ana --document GRN-7 --report bad.csv`
    """  # noqa: E501 - a command is one line
    if guess:
        sys.stdout.write(read_file(source, None).mapping.dumps("toml"))
        return
    makers: dict[str, Callable[[], Any]] = {
        "mapping": partial(_loaded, ImportMapping, mapping),
        "rules": partial(_loaded, NumberRules, rules),
        "packing_list": partial(_lines_of, packing_list),
        "day": partial(_day, received_on),
        "ledger": partial(_opened, ledger, tenant),
    }
    found = gathered(makers)
    with found.pop("ledger") as opened, _progress() as progress:
        told = receive(
            opened, source, **found, actor=actor, origin=origin, document=document, reason=reason, note=note, role=role,
            dry_run=dry_run, good_rows_only=good_rows_only, report=report, progress=progress,
            key=key or _key(source, document, origin),
        )  # fmt: skip
    _show(told, as_json=as_json)
    if dry_run and not told.bad.is_empty():
        raise typer.Exit(BAD_ROWS)


def _show(told: ImportReport, *, as_json: bool) -> None:
    if as_json:
        figures = {name: getattr(told, name) for name in ("rows", "lines", "recorded", "rows_bad", "seqs", "dry_run")}
        say_json(figures | {"bad": told.bad.to_dicts()})
        return
    done = "would be recorded" if told.dry_run else "recorded"
    say(f"{told.rows:,} rows, {told.lines:,} lines: {told.recorded:,} {done}, {told.rows_bad:,} rows are wrong", "bold")
    if not told.bad.is_empty():
        by_code = told.bad.group_by("code", "message").len("rows").sort("rows", "code", descending=[True, False])
        say_table(by_code, "What is wrong")
        say_table(told.bad, "Rows, from 0 beneath the header")


def _loaded(kind: type[ImportMapping] | type[NumberRules], path: Path | None) -> ImportMapping | NumberRules | None:
    return None if path is None else kind.load(path)


def _lines_of(path: Path | None) -> list[str] | None:
    """The numbers and ranges of a packing list, one a line."""
    if path is None:
        return None
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        code = "file_missing" if isinstance(error, FileNotFoundError) else "file_unreadable"
        message = "the packing list cannot be read"
        raise FileError(Problem(code, message, "packing_list", value=str(path)[:80])) from None


def _day(given: str | None) -> Any:  # noqa: ANN401 - a day, or none
    return None if given is None else day(given)


def _opened(url: str, tenant: str) -> Ledger:
    if not url:
        hint = "Give --ledger sqlite:///stock.db, or set ALLOCATOR_LEDGER"
        raise InputError(Problem("argument_missing", "no ledger is named", column="--ledger", hint=hint))
    return Ledger.open(url, tenant=tenant)


def _key(source: Path, document: str, origin: str) -> str:
    """What stands for an import that was given no key: the bytes of the file, for this document."""
    digest = hashlib.sha256("\0".join([origin, document, ""]).encode())
    if source.is_file():
        with source.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"import {digest.hexdigest()[:40]}"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr, for a person who looks."""
    screen = console(stderr=True)
    if not screen.is_terminal or screen.is_dumb_terminal:
        yield None
        return
    columns = (TextColumn("recording"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:
        task = bar.add_task("recording", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
