"""`policy …`: the documents that decide, listed, shown, described, checked, copied."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import polars as pl
import typer

from allocator.cli.commands import Beneath
from allocator.cli.given import Json
from allocator.cli.show import say, say_json, say_table
from allocator.errors import AllocatorError, FileError, Problem
from allocator.frames.findings import gathered
from allocator.model.document import FORMATS, Document, Format
from allocator.model.fair_share import FairShare
from allocator.model.grid import Grid
from allocator.model.lifecycle import Lifecycle
from allocator.model.limits import Limits
from allocator.model.monte_carlo import MonteCarlo
from allocator.model.notices import Notices
from allocator.model.policy import Policy
from allocator.model.quotas import Quotas
from allocator.model.reallocation import Reallocation
from allocator.model.scenario import Scenario

KINDS: Final[dict[str, type[Document]]] = {
    "policy": Policy,
    "lifecycle": Lifecycle,
    "limits": Limits,
    "share": FairShare,
    "quotas": Quotas,
    "notices": Notices,
    "reallocation": Reallocation,
    "scenario": Scenario,
    "grid": Grid,
    "monte_carlo": MonteCarlo,
}
Kind = Annotated[
    Literal[
        "policy", "lifecycle", "limits", "share", "quotas", "notices", "reallocation", "scenario", "grid", "monte_carlo"
    ],
    typer.Option("--kind", "-k", help="Which kind of document it is."),
]
Source = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset, or a TOML, YAML or JSON file.")]

app = typer.Typer(
    help="Policies, lifecycles, limits, rules of sharing, quotas, reallocations, scenarios: list, show, check, copy.",
    cls=Beneath,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command("list")
def list_presets(as_json: Json = False) -> None:
    """Lists the presets of all kinds: ready to use by name, or to copy and change."""
    rows = [
        {"kind": kind, "preset": name, "what it does": _headline(model.load(name))}
        for kind, model in KINDS.items()
        for name in model.presets()
    ]
    if as_json:
        say_json([{"kind": row["kind"], "preset": row["preset"], "description": row["what it does"]} for row in rows])
        return
    say_table(pl.DataFrame(rows), rows_max=len(rows))
    say("allocator policy show NAME shows one; allocator policy new mine.toml --preset NAME copies one.", "dim")


def _headline(document: Any) -> str:  # noqa: ANN401 - documents share no description
    return getattr(document, "description", "") or document.describe().splitlines()[0]


@app.command()
def show(
    source: Source,
    kind: Kind = "policy",
    form: Annotated[
        Format | None, typer.Option("--format", help="toml, yaml or json; as it is written if absent.")
    ] = None,
) -> None:
    """Shows a document as it is written, comments and all, or in another format.

    **Examples**

    - `allocator policy show fefo`
    - `allocator policy show mine.toml --format json`
    """
    model = KINDS[kind]
    document = model.load(source)
    say((_text(model, source) if form is None else document.dumps(form)).rstrip())


@app.command()
def describe(source: Source, kind: Kind = "policy", as_json: Json = False) -> None:
    """Says in plain words what a document does.

    **Examples**

    - `allocator policy describe fefo`
    - `allocator policy describe serial --kind lifecycle`
    """
    document: Any = KINDS[kind].load(source)
    words = document.describe()
    if as_json:
        say_json(
            {"kind": kind, "name": document.name, "fingerprint": document.fingerprint(), "words": words.splitlines()}
        )
    else:
        say(words)


@app.command()
def schema(kind: Kind = "policy") -> None:
    """Prints the JSON Schema, for editors and other languages."""
    say_json(KINDS[kind].json_schema())


@app.command()
def check(
    sources: Annotated[list[str], typer.Argument(metavar="NAME|FILE", help="Presets or files.")],
    kind: Kind = "policy",
    as_json: Json = False,
) -> None:
    """Checks documents and shows every problem of all of them. `allocator check` checks a policy against tables."""
    found = gathered({source: partial(_loaded, KINDS[kind], source) for source in sources})
    prints = {source: document.fingerprint() for source, document in found.items()}
    if as_json:
        say_json({"problems": [], "fingerprints": prints})
        return
    for source, fingerprint in prints.items():
        say(f"{source}: no problems (fingerprint {fingerprint[:12]})")


@app.command()
def new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: .toml, .yaml or .json.")],
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="The preset to copy; the first if absent.")] = None,
    kind: Kind = "policy",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Copies a preset into a file of your own, to edit. TOML keeps the comments that explain every setting.

    **Examples**

    - `allocator policy new mine.toml --preset fefo`
    - `allocator policy new limits.yaml --kind limits`
    """
    model = KINDS[kind]
    name = preset or model.presets()[0]
    document = model.load(name)
    if path.exists() and not force:
        message, hint = "there is a file of this name", "--force replaces it"
        raise FileError(Problem("file_unwritable", message, kind, value=str(path), hint=hint))
    if FORMATS.get(path.suffix) == "toml" and name in model.presets():
        try:
            path.write_text(_text(model, name), "utf-8")
        except OSError as error:
            message = f"the file cannot be written: {error.strerror}"
            raise FileError(Problem("file_unwritable", message, kind, value=str(path))) from None
    else:
        document.dump(path)
    say(f"Wrote {path}, a copy of {name}. Edit it, then: allocator policy check {path} --kind {kind}")


def _loaded(model: type[Document], source: str) -> Document:
    """The document; its problems name the file, as there may be several."""
    try:
        return model.load(source)
    except AllocatorError as error:
        raise type(error)([replace(problem, table=source) for problem in error.problems]) from None


def _text(model: type[Document], source: str) -> str:
    """A document as it is written."""
    if source in model.presets():
        return (resources.files("allocator.model") / "presets" / model.kind / f"{source}.toml").read_text("utf-8")
    return Path(source).read_text("utf-8-sig")
