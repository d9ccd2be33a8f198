"""`ledger report`: the questions that businesses ask every day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import polars as pl
import typer

from allocator.cli.given import Json
from allocator.cli.ledger import app
from allocator.cli.ledger_tables import say_frame, without_empty
from allocator.cli.opened import Out, Rows, Skus, Tenant, Url, day_or_today, moment, opened
from allocator.cli.show import say, say_table, working
from allocator.errors import FileError, Problem
from allocator.ledger import Ledger
from allocator.ledger.notify import notifications
from allocator.ledger.recall import named, recall_impact
from allocator.ledger.reports import activity, audit, availability, serials, service
from allocator.ledger.retention import purge, retention
from allocator.ledger.warranty import warranty
from allocator.model.notices import Notices
from allocator.model.retention import Retention

Name = Literal["activity", "audit", "availability", "recall", "serials", "service", "warranty"]

SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "serials": (
        "sku",
        "serial",
        "lot",
        "kind",
        "location",
        "holder",
        "status",
        "owner",
        "blocks",
        "promised",
        "mac",
        "eid",
    ),
    "recall": (
        "kind",
        "contact",
        "sku",
        "lot",
        "serial",
        "qty",
        "location",
        "status",
        "document",
        "found_by",
        "certain",
    ),
    "service": ("at", "sku", "serial", "subject", "note", "actor", "document"),
    "audit": ("seq", "at", "type", "sku", "lot", "serial", "qty", "actor", "document", "reason", "hash"),
}  # fmt: skip
"""What people see of each; `--out` and `--json` have all columns."""


@app.command()
def report(
    url: Url,
    name: Annotated[Name, typer.Argument(metavar="REPORT", help=f"One of {', '.join(get_args(Name))}.")],
    *,
    sku: Skus = None,
    status: Annotated[str | None, typer.Option(help="serials: in this status.")] = None,
    location: Annotated[str | None, typer.Option(help="serials: at this place, or below it.")] = None,
    holder: Annotated[str | None, typer.Option(help="serials: with this customer.")] = None,
    serial: Annotated[
        list[str] | None, typer.Option(help="recall, service, warranty: a serial, or of a recall 'A1 to A9'.")
    ] = None,
    lot: Annotated[list[str] | None, typer.Option(help="recall: a lot, or 'A105 to A110'.")] = None,
    text: Annotated[Path | None, typer.Option(metavar="FILE", help="recall: its words, as they came.")] = None,
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="activity, warranty: the day; today.")] = None,
    since: Annotated[str | None, typer.Option(metavar="MOMENT", help="audit, service: after then.")] = None,
    until: Annotated[str | None, typer.Option(metavar="MOMENT", help="audit, service: up to then.")] = None,
    out: Out = None,
    rows: Rows = 50,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Reports: units, availability, a day's activity, warranty, service, the reach of a recall, the audit.

    **Examples**

    - `allocator ledger report sqlite:///stock.db serials --location north --out units.xlsx`
    - `allocator ledger report sqlite:///stock.db recall --lot 'A105 to A110'`
    - `allocator ledger report sqlite:///stock.db recall --text notice.txt --json`
    - `allocator ledger report sqlite:///stock.db warranty --serial CM500-2025-0046 --on 2026-06-30`
    """
    words = None if text is None else _words(text)
    lots, units = tuple(lot or ()), tuple(serial or ())
    one = units[0] if units else None
    when = day_or_today(on)
    first, last = moment(since) or 0, moment(until)
    asked: dict[str, Callable[[Ledger], pl.DataFrame]] = {
        "serials": lambda it: serials(it, skus=sku, status=status, location=location, holder=holder),
        "availability": lambda it: availability(it, skus=sku),
        "activity": lambda it: activity(it, when),
        "service": lambda it: service(it, one, since=first, until=last),
        "warranty": lambda it: warranty(it, when, serial=one, skus=sku),
        "audit": lambda it: audit(it, since=first, until=last),
        "recall": lambda it: recall_impact(it, words, lots=lots, serials=units, skus=sku),
    }
    with opened(url, tenant) as ledger, working("asking"):
        found = asked[name](ledger)
    shown = found.select(each for each in SHOWN.get(name, found.columns) if each in found.columns)
    if "hash" in shown.columns:
        shown = shown.with_columns(pl.col("hash").str.slice(0, 12))
    say_frame(found, without_empty(shown), name.capitalize(), out=out, rows=rows, as_json=as_json)
    if name == "recall" and not as_json:
        _unread(named(words, lots, units))


@app.command()
def notices(
    url: Url,
    *,
    since: Annotated[str, typer.Option(metavar="MOMENT", help="After then: the last `seq` that was told.")],
    rules: Annotated[str, typer.Option("--rules", metavar="NAME|FILE", help="A preset (serial) or a file.")] = "serial",
    out: Out = None,
    rows: Rows = 50,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Shows whom to tell what, of the transactions since a moment, by rules; nothing is sent.

    **Examples**

    - `allocator ledger notices sqlite:///stock.db --since 4711 --json`
    - `allocator policy new mine.toml --kind notices`
    """
    told = Notices.load(rules)
    with opened(url, tenant) as ledger:
        found = notifications(ledger, told, since=moment(since))
    shown = found.select("urgent", "to", "notice", "seq", "at", "sku", "serial", "status_after", "reason", "note")
    say_frame(found, without_empty(shown), "Notifications", out=out, rows=rows, as_json=as_json)


@app.command("retention")
def retain(
    url: Url,
    *,
    rules: Annotated[Path, typer.Option("--rules", metavar="FILE", help="How long to keep what: TOML, YAML, JSON.")],
    on: Annotated[str | None, typer.Option("--on", metavar="DATE", help="The day; today if absent.")] = None,
    purging: Annotated[bool, typer.Option("--purge", help="Take away the words of what is due, for good.")] = False,
    archive: Annotated[Path | None, typer.Option(metavar="FILE", help="With --purge: write them there first.")] = None,
    reason: Annotated[str, typer.Option(help="With --purge: why.")] = "",
    actor: Annotated[str, typer.Option(metavar="NAME", envvar="ALLOCATOR_ACTOR", help="With --purge: who.")] = "",
    out: Out = None,
    rows: Rows = 50,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Shows which histories are due to be archived or purged, and what stands in the way; purges them with `--purge`.

    **Examples**

    - `allocator ledger retention sqlite:///stock.db --rules keep.toml`
    - `allocator ledger retention sqlite:///stock.db --rules keep.toml --purge --archive 2026.parquet --reason GDPR`
    """
    said, day = Retention.load(rules), day_or_today(on)
    with opened(url, tenant) as ledger:
        found = retention(ledger, said, day)
        seq = purge(ledger, said, day, actor=actor, reason=reason, archive=archive) if purging else None
    counts = found.group_by("decision", "because").agg(histories=pl.len()).sort("decision", "because")
    say_frame(found, counts, f"Histories on {day}", out=out, rows=rows, as_json=as_json)
    if purging and not as_json:
        say(f"Transaction {seq:,}: purge." if seq else "Nothing was due.")


def _unread(recall: pl.DataFrame) -> None:
    """What of a recall's words must be read by a person."""
    unclear = recall.filter(pl.col("kind").cast(pl.String).is_in(["not_understood", "product", "traded"]))
    if unclear.height:
        say("Not looked for; please read it yourself:", "bold")
        say_table(unclear.select("kind", "text"))
    else:
        say("All of it was understood.")


def _words(source: Path) -> str:
    try:
        return source.read_text("utf-8", errors="replace")
    except OSError as error:
        code = "file_missing" if isinstance(error, FileNotFoundError) else "file_unreadable"
        message = f"the file cannot be read: {error.strerror}"
        raise FileError(Problem(code, message, column="--text", value=str(source))) from None
