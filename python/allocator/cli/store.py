"""`verify`, `export`, `backup` and `restore`: a ledger as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import polars as pl
import typer

from allocator.cli.given import Json
from allocator.cli.opened import Tenant, Url, opened, tenants
from allocator.cli.show import say, say_json, say_table, working
from allocator.ledger.backup import backup as make_backup
from allocator.ledger.backup import restore as make_store
from allocator.ledger.export import export_ledger, import_ledger
from allocator.ledger.verify import verify as check

Form = Annotated[Literal["parquet", "csv", "xlsx"], typer.Option("--format", help="Of each table.")]


def verify(url: Url, tenant: Tenant = "main", as_json: Json = False) -> None:
    """Proves a ledger: every balance, promise, number and hash computed again from its history, while others go on.

    Leaves with code 1 if anything is wrong; `docs/ledger-verify.md` says what each finding means.

    **Examples**

    - `allocator verify sqlite:///stock.db`
    - `allocator verify postgresql://me@db/stock --json`
    """
    with opened(url, tenant) as ledger, working("verifying"):
        found = check(ledger)
    if as_json:
        said = {"clean": found.clean, "seq": found.seq, "entries": found.entries}
        say_json(said | {"findings": found.frame.to_dicts()})
    elif found.clean:
        say(f"Nothing is wrong: {found.seq:,} transactions, {found.entries:,} entries.", "bold green")
    else:
        say(f"{found.frame.height:,} findings in {found.seq:,} transactions", "bold red")
        say_table(found.frame, rows_max=50)
    if not found.clean:
        raise typer.Exit(1)


def export(
    url: Url,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made if it is not there; must be empty.")],
    *,
    form: Form = "parquet",
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Writes every table of a ledger as a file, as of one moment, with hashes; `restore` makes a ledger of them.

    For one report as a file: `allocator ledger report … --out FILE`.

    **Examples**

    - `allocator export sqlite:///stock.db out`
    - `allocator export postgresql://me@db/stock out --format csv`
    """
    with opened(url, tenant) as ledger, working(f"writing {folder}"):
        said = export_ledger(ledger, folder, form=form)
    if as_json:
        say_json(said)
        return
    tables = said["tables"].values()
    say(f"{said['tenant']} up to transaction {said['seq']:,}, in {folder}", "bold")
    say_table(pl.DataFrame([{"file": each["file"], "rows": each["rows"]} for each in tables]), rows_max=len(tables))


def backup(url: Url, file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")]) -> None:
    """Copies a store, all tenants, into a file while others go on: a database of SQLite, or a dump of PostgreSQL.

    **Examples**

    - `allocator backup sqlite:///stock.db stock-2026-06-30.db`
    - `allocator backup postgresql://me@db/stock stock.dump`
    """
    with opened(url, tenants(url)[0]) as ledger, working(f"writing {file}"):
        make_backup(ledger, file)
    say(f"Wrote {file}. To look at it: allocator restore {file} URL")


def restore(
    source: Annotated[Path, typer.Argument(metavar="BACKUP", help="A file of `backup`, or a folder of `export`.")],
    url: Url,
    as_json: Json = False,
) -> None:
    """Makes a store from a backup, or from an exported ledger, and verifies it. Nothing that is there is replaced.

    A folder of `export` may go into the other kind of store: from SQLite to PostgreSQL, and back.

    **Examples**

    - `allocator restore stock-2026-06-30.db sqlite:///restored.db`
    - `allocator restore out postgresql://me@db/stock`
    """
    with working("restoring"):
        if source.is_dir():
            import_ledger(source, url).close()
        else:
            make_store(source, url)
    for tenant in tenants(url):
        if not as_json:
            say(f"{tenant}:", "bold")
        verify(url, tenant, as_json)
