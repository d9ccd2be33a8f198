"""`flow board`, `dashboard`, `events`, `document`, `settings`, `automate`: what waits and what happened; `paper`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from allocator.cli.flow import As, app, person_of, tell, told
from allocator.cli.given import Json
from allocator.cli.ledger_tables import say_frame, without_empty
from allocator.cli.opened import Key, Out, Rows, Tenant, Url, opened
from allocator.cli.show import say, say_json, working
from allocator.errors import FileError, Problem
from allocator.flows import (
    automate,
    board,
    document_of,
    events,
    history_of,
    keep_rules,
    keep_settings,
    paper_of,
)
from allocator.flows.partner import dashboard as dashboard_of
from allocator.frames.findings import gathered
from allocator.model.assets import AssetSettings
from allocator.model.automation import Automation
from allocator.model.devices import DeviceSettings
from allocator.model.document import Document
from allocator.model.network import PartnerSettings

SETTINGS: Final[Mapping[str, type[Document]]] = {
    "partner": PartnerSettings, "asset": AssetSettings, "device": DeviceSettings, "automation": Automation,
}  # fmt: skip


@app.command("board")
def board_(
    url: Url, *, who: As, out: Out = None, rows: Rows = 50, tenant: Tenant = "main", as_json: Json = False
) -> None:
    """What waits for someone: every document in a state in which a step is theirs, the most urgent first.

    **Examples**

    - `allocator flow board sqlite:///stock.db --as sam:storekeeper@ASP-1`
    """
    person = person_of(who)
    with opened(url, tenant) as ledger:
        found = board(ledger, person)
    say_frame(found, without_empty(found), "Waiting", out=out, rows=rows, as_json=as_json)


@app.command()
def dashboard(url: Url, *, who: As, tenant: Tenant = "main", as_json: Json = False) -> None:
    """Stock, ages, limits, fill, turnaround, leakage, expiry and cost of partners that someone may see.

    **Examples**

    - `allocator flow dashboard sqlite:///stock.db --as olga:operations`
    """
    person = person_of(who)
    with opened(url, tenant) as ledger, working("asking"):
        found = dashboard_of(ledger, person)
    if as_json:
        say_json({name: frame.to_dicts() for name, frame in found.items()})
        return
    for name, frame in found.items():
        shown = without_empty(told(name, frame))
        say_frame(frame, shown, name.replace("_", " ").capitalize(), out=None, rows=20, as_json=False)


@app.command("events")
def events_(
    url: Url,
    *,
    since: Annotated[int, typer.Option(min=0, help="After this transaction.")] = 0,
    who: Annotated[str | None, typer.Option("--as", metavar="NAME:ROLE[@PARTY]", help="Only what they see.")] = None,
    out: Out = None,
    rows: Rows = 50,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """The steps that documents took, in their order.

    **Examples**

    - `allocator flow events sqlite:///stock.db --since 120`
    """
    person = None if who is None else person_of(who)
    with opened(url, tenant) as ledger:
        found = events(ledger, since, person=person)
    shown = found.select("seq", "at", "number", "flow", "step", "state", "actor", "role", "party", "reason", "note")
    say_frame(found, without_empty(shown), "Events", out=out, rows=rows, as_json=as_json)


@app.command()
def document(url: Url, number: str, *, who: As, tenant: Tenant = "main", as_json: Json = False) -> None:
    """A document: its state, its lines, what it is linked to, its history, and what can be done with it next.

    **Examples**

    - `allocator flow document sqlite:///stock.db PR-000001 --as olga:operations`
    """
    person = person_of(who)
    with opened(url, tenant) as ledger:
        found = document_of(ledger, number, person)
        past = history_of(ledger, number, person)
    if as_json:
        say_json({**found, "history": past.to_dicts()})
        return
    tell({name: value for name, value in found.items() if name != "details"}, number)
    shown = past.select("at", "step", "state", "actor", "role", "reason", "note")
    say_frame(shown, without_empty(shown), "History", out=None, rows=200, as_json=False)


@app.command()
def settings(
    url: Url,
    kind: Annotated[Literal["partner", "asset", "device", "automation"], typer.Argument(metavar="KIND")],
    source: Annotated[str, typer.Argument(metavar="FILE", help="TOML, YAML or JSON.")],
    *,
    who: As,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    tenant: Tenant = "main",
    key: Key = "",
) -> None:
    """Puts settings of flows in force, in the place of those before; KIND is partner, asset, device or automation.

    **Examples**

    - `allocator flow settings sqlite:///stock.db partner network.toml --as ada:administrator`
    """
    given = gathered({"person": partial(person_of, who), "settings": partial(SETTINGS[kind].load, source)})
    with opened(url, tenant) as ledger:
        keep: Any = keep_rules if kind == "automation" else keep_settings
        number = keep(ledger, given["settings"], given["person"], reason=reason, key=key)
    say(f"{number} are in force.")


@app.command("automate")
def automate_(url: Url, *, who: As = "automation:system", tenant: Tenant = "main", as_json: Json = False) -> None:
    """Applies the rules of automation to what happened since they were last applied.

    **Examples**

    - `allocator flow automate sqlite:///stock.db`
    """
    person = person_of(who)
    with opened(url, tenant) as ledger, working("applying rules"):
        found = automate(ledger, person)
    shown = found.select("number", "rule", "step", "done", "problem")
    say_frame(found, without_empty(shown), "Applied", out=None, rows=200, as_json=as_json)


def paper(
    url: Url,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Of a challan, receipt, shipment, order, …")],
    *,
    who: As,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The PDF.")],
    issuer: Annotated[str, typer.Option(help="The business, as it stands on paper; else the tenant.")] = "",
    currency: Annotated[str, typer.Option(help="Of rates; they are left out without.")] = "",
    tenant: Tenant = "main",
) -> None:
    """Prints a document as PDF: challans, receipts, pick and packing lists, return notes.

    **Examples**

    - `allocator paper sqlite:///stock.db DC-000001 -o challan.pdf --as sam:storekeeper@ASP-1`
    """
    person = person_of(who)
    with opened(url, tenant) as ledger:
        kind, data = paper_of(ledger, number, person, issuer=issuer or ledger.name, currency=currency)
    from allocator.papers import render  # noqa: PLC0415 - an extra, and slow to load

    with working("printing"):
        pdf = render(kind, data)
    try:
        out.write_bytes(pdf)
    except OSError as error:
        message = f"the file cannot be written: {error.strerror}"
        raise FileError(Problem("file_unwritable", message, column="--out", value=str(out))) from None
    say(f"Wrote {kind.replace('_', ' ')} {number} in {out}.")
