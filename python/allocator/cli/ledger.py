"""`ledger …`: what happened, what there is, what is promised, and every report, on a ledger that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import polars as pl
import typer

from allocator.cli.commands import Beneath
from allocator.cli.given import AsOf, Json, PolicyName, day
from allocator.cli.ledger_tables import counted, history_table, say_frame, without_empty
from allocator.cli.opened import (
    Actor,
    At,
    Key,
    Out,
    Rows,
    Skus,
    Tenant,
    Url,
    day_or_today,
    lines,
    moment,
    opened,
    skus_of,
)
from allocator.cli.show import say, say_json, say_table, working
from allocator.errors import InputError, Problem
from allocator.frames.read import read
from allocator.ledger.balances import BY, MEASURES
from allocator.ledger.types import ORIGINS, TYPES
from allocator.model.lifecycle import Lifecycle
from allocator.model.policy import Policy

app = typer.Typer(
    help="The ledger: every change of stock as a transaction; balances, histories and reports of it.",
    cls=Beneath,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)

Lines = Annotated[
    list[str] | None,
    typer.Option("--line", "-l", metavar="NAME=VALUE,…", help="A line, as sku=filter,qty=10; may be repeated."),
]


@app.command()
def init(url: Url, tenant: Tenant = "main", as_json: Json = False) -> None:
    """Sets up a ledger: its tables in an empty store, or one more tenant. What is there stays.

    **Examples**

    - `allocator ledger init sqlite:///stock.db`
    - `allocator ledger init postgresql://me@db/stock --tenant north`
    """
    with opened(url, tenant, new=True) as ledger, ledger.store.session() as session:
        row = session.one("SELECT seq FROM tenant WHERE tenant = :tenant", {"tenant": ledger.tenant})
    seq = row[0] if row else 0
    if as_json:
        say_json({"tenant": tenant, "seq": seq})
    else:
        say(f"The ledger of {tenant} is ready: {seq:,} transactions.")
        if not seq:
            say("Next: allocator ledger define URL skus.csv --actor NAME", "dim")


@app.command()
def define(
    url: Url,
    source: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="SKUs: a table, or [[skus]] of a TOML or JSON file.")
    ] = None,
    *,
    actor: Actor,
    said: Lines = None,
    lifecycle: Annotated[
        list[str] | None, typer.Option("--lifecycle", metavar="NAME|FILE", help="To have in force from now on.")
    ] = None,
    tenant: Tenant = "main",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Sets up SKUs and lifecycles.

    A SKU has `sku`, `tracking` (none, lot, serial, both), `scale` (decimal places), `lifecycle`, and any other setting.

    **Examples**

    - `allocator ledger define sqlite:///stock.db skus.toml --actor ana`
    - `allocator ledger define sqlite:///stock.db --line sku=gauge,tracking=serial --actor ana`
    """
    rows = [*([] if source is None else skus_of(source)), *lines(None, said or [])]
    documents = [Lifecycle.load(name) for name in lifecycle or ()]
    if not rows and not documents:
        raise typer.BadParameter("give FILE, --line or --lifecycle: there is nothing to set up")
    with opened(url, tenant) as ledger:
        seq = ledger.define(rows, lifecycles=documents, actor=actor, key=key)
    _done(seq, f"{counted(len(rows), 'SKU')}, {counted(len(documents), 'lifecycle')}", as_json=as_json)


@app.command()
def post(
    url: Url,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="What happened; `allocator ledger types` lists all.")],
    source: Annotated[Path | None, typer.Argument(metavar="FILE", help="Its lines: a table.")] = None,
    *,
    actor: Actor,
    said: Lines = None,
    origin: Annotated[str, typer.Option(help=f"Where received goods come from: {', '.join(ORIGINS)}.")] = "",
    document: Annotated[str, typer.Option(help="Number of the document.")] = "",
    document_kind: Annotated[str, typer.Option("--document-kind", help="Kind of the document, as GRN.")] = "",
    reason: Annotated[str, typer.Option(help="Reason code.")] = "",
    note: Annotated[str, typer.Option(help="Free text.")] = "",
    role: Annotated[str, typer.Option(help="Role in which it is done.")] = "",
    approved_by: Annotated[str, typer.Option("--approved-by", help="Who approved it.")] = "",
    on: Annotated[str | None, typer.Option("--day", metavar="DATE", help="When it took place; today.")] = None,
    tenant: Tenant = "main",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Records one transaction: all of its lines, or nothing.

    **Examples**

    - `allocator ledger post URL receive grn.csv --origin supplier --document GRN-17 --actor ana`
    - `allocator ledger post URL move --line serial=CM500-2025-0046,to_location=north/shelf --actor ana`
    - `allocator ledger post URL block --line serial=CM500-2025-0046 --reason quality --actor qa`
    """
    rows = lines(source, said or [])
    when = None if on is None else day(on)
    with opened(url, tenant) as ledger:
        seq = ledger.post(
            kind, rows, actor=actor, origin=origin, document=document, document_kind=document_kind, reason=reason,
            note=note, role=role, approved_by=approved_by, day=when, key=key,
        )  # fmt: skip
    _done(seq, f"{kind}, {counted(len(rows), 'line')}", as_json=as_json)


def _done(seq: int, what: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"seq": seq})
    else:
        say(f"Transaction {seq:,}: {what}.")


@app.command()
def reserve(
    url: Url,
    demand: Annotated[Path, typer.Argument(metavar="DEMAND", help="Demand lines, as for `allocator run`.")],
    *,
    actor: Actor,
    policy: PolicyName = "fefo",
    as_of: AsOf = None,
    hold: Annotated[float | None, typer.Option("--hold", min=0, help="Seconds until the promise ends.")] = None,
    document: Annotated[str, typer.Option(help="Number of the order.")] = "",
    tenant: Tenant = "main",
    key: Key = "",
    fail_short: Annotated[bool, typer.Option("--fail-short", help="Leave with code 1 if any line is short.")] = False,
    as_json: Json = False,
) -> None:
    """Promises stock to demand lines, under a policy.

    **Examples**

    - `allocator ledger reserve sqlite:///stock.db orders.csv --policy fefo --actor bob`
    - `allocator ledger reserve sqlite:///stock.db orders.csv --hold 900 --actor bob --fail-short`
    """
    rules = Policy.load(policy)
    rows = [{n: v for n, v in row.items() if v is not None} for row in read(demand, "demand").iter_rows(named=True)]
    with opened(url, tenant) as ledger, working("promising"):
        answer = ledger.reserve(
            rows, rules, actor=actor, as_of=day_or_today(as_of), hold_s=hold, document=document, key=key
        )
    told = pl.DataFrame([{n: v for n, v in line.items() if n != "allocations"} for line in answer["lines"]])
    if as_json:
        say_json(answer)
    else:
        say(f"Transaction {answer['seq']:,}." if answer["seq"] else "Nothing could be promised.", "bold")
        say_table(told)
    if fail_short and told["short"].sum():
        raise typer.Exit(1)


@app.command()
def balances(
    url: Url,
    *,
    by: Annotated[str, typer.Option("--by", help=f"Told by, with commas: {', '.join(BY)}.")] = "sku",
    at: At = None,
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="Day for expiry; today if absent.")] = None,
    sku: Skus = None,
    out: Out = None,
    rows: Rows = 50,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Shows what there is, now or then: on hand, reserved, available, blocked, in transit, dispatched, rentals, owned.

    **Examples**

    - `allocator ledger balances sqlite:///stock.db`
    - `allocator ledger balances sqlite:///stock.db --by sku,location --at 2026-06-30 --out stock.xlsx`
    """
    names = [name for name in by.split(",") if name]
    with opened(url, tenant) as ledger:
        found = ledger.balances(names, at=moment(at), on=None if on is None else day(on), skus=sku)
    shown = found.select(*names, *(name for name in MEASURES if name in _USUAL or (found[name] != 0).any()))
    say_frame(found, shown, "What there is", out=out, rows=rows, as_json=as_json)


_USUAL: Final = ("on_hand", "reserved", "available", "owned")
"""Measures that are shown even where all are 0."""


@app.command()
def stock(
    url: Url, *, sku: Skus = None, at: At = None, out: Out = None, rows: Rows = 50, tenant: Tenant = "main",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Shows the stock rows, as `allocator run` takes them: `--out stock.parquet`, then try policies on them.

    **Examples**

    - `allocator ledger stock sqlite:///stock.db --out stock.parquet`
    """
    with opened(url, tenant) as ledger:
        found = ledger.stock(skus=sku, at=moment(at))
    shown = found.select(
        name for name in found.columns if name in ("stock_id", "sku") or found[name].null_count() < len(found)
    )
    say_frame(found, shown, "Stock", out=out, rows=rows, as_json=as_json)


@app.command()
def promises(url: Url, *, out: Out = None, rows: Rows = 50, tenant: Tenant = "main", as_json: Json = False) -> None:
    """Shows what is promised to whom, and until when."""
    with opened(url, tenant) as ledger:
        found = ledger.allocations()
    say_frame(found, found, "Promises", out=out, rows=rows, as_json=as_json)


@app.command()
def history(
    url: Url,
    serial: Annotated[str | None, typer.Argument(metavar="SERIAL", help="Any number that the unit has or had.")] = None,
    *,
    sku: Annotated[str | None, typer.Option("--sku", help="Where several SKUs use the number.")] = None,
    lot: Annotated[str | None, typer.Option(help="Of a lot instead.")] = None,
    document: Annotated[str | None, typer.Option(help="Of a document instead.")] = None,
    line: Annotated[str | None, typer.Option("--line", help="Of a demand line instead.")] = None,
    order: Annotated[str | None, typer.Option(help="Of an order instead.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="MOMENT", help="Up to then.")] = None,
    out: Out = None,
    rows: Rows = 100,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Shows everything that happened to a unit, a lot, a document, a line or an order.

    **Examples**

    - `allocator ledger history sqlite:///stock.db CM500-2025-0046`
    - `allocator ledger history sqlite:///stock.db --document GRN-17`
    """
    with opened(url, tenant) as ledger:
        found = ledger.history(
            serial, sku=sku, lot=lot, document=document, line_id=line, order_id=order, until=moment(until)
        )
    say_frame(found, history_table(found, unit=serial is None), "History", out=out, rows=rows, as_json=as_json)


@app.command()
def state(
    url: Url,
    serial: Annotated[str, typer.Argument(metavar="SERIAL", help="Any number that the unit has or had.")],
    *,
    sku: Annotated[str | None, typer.Option("--sku", help="Where several SKUs use the number.")] = None,
    at: At = None,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Shows what a unit is, or was at a past moment."""
    with opened(url, tenant) as ledger:
        found = ledger.state(serial, sku=sku, at=moment(at))
    if as_json:
        say_json(found)
        return
    told = {name: value for name, value in found.items() if value not in (None, {}, [])}
    said = {n: ", ".join(map(str, v)) if isinstance(v, list) else v for n, v in told.items()}
    said |= {n: ", ".join(f"{k} {x}" for k, x in v.items()) for n, v in told.items() if isinstance(v, dict)}
    say_table(pl.DataFrame({"of": [n.replace("_", " ") for n in said], serial: [str(v) for v in said.values()]}))


@app.command("types")
def list_types(as_json: Json = False) -> None:
    """Lists the types of transaction: what each does, and what it cannot be without."""
    rows = [{"type": each.name, "does": each.meaning, "needs": ", ".join(each.needs)} for each in TYPES.values()]
    if as_json:
        say_json(rows)
        return
    say_table(pl.DataFrame(rows), rows_max=len(rows))
    needs = "; ".join(f"from {name} {' and '.join(each)}" for name, each in ORIGINS.items())
    say(f"receive needs: {needs}.", "dim")


@app.command()
def where(
    url: Url,
    document: Annotated[str | None, typer.Argument(metavar="DOCUMENT", help="What it moved.")] = None,
    *,
    serial: Annotated[str | None, typer.Option(help="A unit instead.")] = None,
    lot: Annotated[str | None, typer.Option(help="A lot instead.")] = None,
    out: Out = None,
    rows: Rows = 100,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Shows where everything is now that a document moved, and what brought it there.

    **Examples**

    - `allocator ledger where sqlite:///stock.db GRN-17`
    - `allocator ledger where sqlite:///stock.db --lot A105`
    """
    if sum(each is not None for each in (document, serial, lot)) != 1:
        raise InputError(Problem("argument_value", "give one of DOCUMENT, --serial and --lot", column="DOCUMENT"))
    with opened(url, tenant) as ledger:
        found = ledger.whereabouts(document, serial=serial, lot=lot)
    names = ("sku", "lot", "serial", "qty", "kind", "location", "holder", "status", "type", "document", "line_id")
    say_frame(found, without_empty(found.select(names)), "Where it is", out=out, rows=rows, as_json=as_json)
