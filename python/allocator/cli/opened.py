"""The ledger that a command is about, and what is given to it: lines, moments, SKUs."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import sqlalchemy as sa
import typer

from allocator.cli.given import day
from allocator.errors import FileError, InputError, Problem
from allocator.frames.read import read
from allocator.ledger import Ledger
from allocator.ledger.ledger import TIMEOUT_S
from allocator.ledger.store import open_store

URL_HELP: Final = "sqlite:///stock.db for a file, or postgresql://user@host/database"
Url = Annotated[str, typer.Argument(metavar="URL", help=URL_HELP)]
Tenant = Annotated[str, typer.Option("--tenant", metavar="NAME", help="Whose stock, where several share a store.")]
Actor = Annotated[str, typer.Option("--actor", metavar="NAME", envvar="ALLOCATOR_ACTOR", help="Who does it.")]
Key = Annotated[str, typer.Option("--key", metavar="TEXT", help="Your key: repeated, it is answered, not done again.")]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="MOMENT", help="A past moment: a transaction's number, 2026-06-30, or with a time."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write all rows: .parquet, .csv or .xlsx.")]
Rows = Annotated[int, typer.Option("--rows", min=1, help="How many rows are shown.")]
Skus = Annotated[list[str] | None, typer.Option("--sku", metavar="SKU", help="Only these; may be repeated.")]

NUMBERS: Final = ("stock_id", "allocation_id", "scale")


@contextmanager
def opened(url: str, tenant: str, *, new: bool = False) -> Iterator[Ledger]:
    """A ledger that is there; one that is not is only made by `ledger init`.

    Raises:
        FileError: `file_missing`.
        InputError: `argument_value`: the store has no such ledger.
    """
    if not new and tenant not in (names := tenants(url)):
        message = f"the store has no tenant of this name, but {', '.join(names) or 'none'}"
        raise InputError(Problem("argument_value", message, column="--tenant", value=tenant[:80]))
    with Ledger.open(url, tenant) as ledger:
        yield ledger


def tenants(url: str) -> list[str]:
    """The tenants of a store that is there.

    Raises:
        FileError: `file_missing`.
        InputError: `argument_value`: it is no store of a ledger.
    """
    hint = "Set it up first: allocator ledger init URL"
    store = open_store(url, timeout_s=TIMEOUT_S)
    try:
        address = sa.make_url(url)
        name, shown = address.database, address.render_as_string()[:80]  # without its password
        if store.dialect == "sqlite" and not (name and Path(name).is_file()):
            raise FileError(Problem("file_missing", "there is no ledger", column="URL", value=shown, hint=hint))
        if not sa.inspect(store.engine).has_table("tenant"):
            raise InputError(Problem("argument_value", "there is no ledger", column="URL", value=shown, hint=hint))
        with store.session() as session:
            return [row[0] for row in session.rows("SELECT name FROM tenant ORDER BY tenant")]
    except sa.exc.DBAPIError as error:
        raise store.translated(error.orig or error, committing=False) from error
    finally:
        store.close()


def moment(text: str | None) -> int | dt.datetime | dt.date | None:
    """A moment as people write it; a time without a zone is UTC.

    Raises:
        InputError: `argument_value`.
    """
    if text is None:
        return None
    if text.isdecimal() and len(text) < 16:
        return int(text)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        pass
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        hint = "Write the number of a transaction, 2026-06-30, or 2026-06-30T12:00+02:00"
        problem = Problem("argument_value", "this is no moment", column="--at", value=text[:80], hint=hint)
        raise InputError(problem) from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def day_or_today(text: str | None) -> dt.date:
    """A day; today (UTC) if it is not given."""
    return dt.datetime.now(dt.UTC).date() if text is None else day(text)


def lines(source: Path | None, said: list[str]) -> list[dict[str, Any]]:
    """Lines of a transaction: the rows of a file, or names and values as `sku=filter,qty=10,location=north/store`.

    Raises:
        InputError: `argument_value`, `value_text`, and everything of reading a table.
    """
    rows = [] if source is None else _rows(source)
    for text in said:
        pairs = [each.partition("=") for each in text.split(",")]
        if any(not name or not sign for name, sign, _ in pairs):
            hint = "As in --line sku=filter,qty=10,location=north/store"
            message = "a line is written as names and values"
            raise InputError(Problem("argument_value", message, column="--line", value=text[:80], hint=hint))
        rows.append({name.strip(): typed(name.strip(), value.strip()) for name, _, value in pairs})
    return rows


def _rows(source: Path) -> list[dict[str, Any]]:
    if source.suffix.lower() != ".csv":
        return read(source, "lines").to_dicts()
    if not source.is_file():
        raise FileError(Problem("file_missing", "there is no such file", "lines", value=str(source)))
    try:
        # As text: a serial keeps its leading zeros.
        found = pl.read_csv(source, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        message = f"the file cannot be read: {str(error).splitlines()[0][:200]}"
        raise FileError(Problem("file_unreadable", message, "lines", value=str(source))) from None
    return [{n: typed(n, v) for n, v in row.items() if v is not None} for row in found.iter_rows(named=True)]


def typed(name: str, value: str) -> Any:  # noqa: ANN401 - as the column wants
    """A value as the column of a line wants it; what is no number stays a text, and is refused where it is read."""
    if name in NUMBERS:
        return int(value) if value.lstrip("-").isdecimal() else value
    if name == "qty":
        try:
            number = Decimal(value)
        except InvalidOperation:
            return value
        return int(number) if value.lstrip("-").isdecimal() else number
    return value


def skus_of(source: Path) -> list[dict[str, Any]]:
    """SKUs with their settings: rows of a table, or the list `skus` of a TOML or JSON file.

    Raises:
        FileError: `file_missing`, `file_unreadable`.
        InputError: `document_syntax`.
    """
    if source.suffix.lower() not in (".toml", ".json"):
        return [{n: v for n, v in row.items() if v is not None} for row in _rows(source)]
    try:
        text = source.read_text("utf-8")
        found: Mapping[str, Any] = tomllib.loads(text) if source.suffix.lower() == ".toml" else json.loads(text)
        return [dict(each) for each in found["skus"]]
    except OSError as error:
        code = "file_missing" if isinstance(error, FileNotFoundError) else "file_unreadable"
        raise FileError(Problem(code, f"the file cannot be read: {error.strerror}", value=str(source))) from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        hint = "A file of SKUs has a list `skus`, as [[skus]] in TOML"
        raise InputError(
            Problem("document_syntax", f"these are no SKUs: {error}", value=str(source), hint=hint)
        ) from None
