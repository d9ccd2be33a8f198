"""`flow steps`, `do`, `ask`: every step and question of flows by its name, for a person in a role."""

from __future__ import annotations

import inspect
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
import typer

from allocator.cli.commands import Beneath
from allocator.cli.given import Json
from allocator.cli.ledger_tables import say_frame, without_empty
from allocator.cli.opened import Key, Out, Rows, Tenant, Url, opened
from allocator.cli.show import say, say_json, say_table, working
from allocator.errors import FileError, InputError, Problem
from allocator.flows import QUESTIONS, STEPS, Person, ask, take_step
from allocator.flows.steps import named, parameters
from allocator.frames.findings import gathered

app = typer.Typer(
    help="What people do: what waits for whom, documents with their history, and every step by its name.",
    cls=Beneath,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
)

As = Annotated[
    str,
    typer.Option(
        "--as", metavar="NAME:ROLE[@PARTY]", envvar="ALLOCATOR_PERSON",
        help="Who acts: as sam:storekeeper@ASP-1; without a party, someone of the business.",
    ),
]  # fmt: skip
Said = Annotated[
    list[str] | None,
    typer.Option("--arg", "-a", metavar="NAME=VALUE", help="What it is told; lists and mappings as JSON. Repeatable."),
]
File = Annotated[Path | None, typer.Argument(metavar="FILE", help="What it is told, as TOML or JSON.")]


def person_of(said: str) -> Person:
    """A person as the command line has them.

    Raises:
        InputError: `argument_value`.
    """
    name, colon, rest = said.partition(":")
    role, _, party = rest.partition("@")
    if not (name.strip() and colon and role.strip()) or (rest.endswith("@")):
        hint = "As in --as sam:storekeeper@ASP-1, or --as olga:operations"
        message = "a person is a name and a role, and perhaps a party"
        raise InputError(Problem("argument_value", message, column="--as", value=said[:80], hint=hint))
    return Person(name.strip(), role.strip(), party.strip())


def arguments_of(source: Path | None, said: list[str]) -> dict[str, Any]:
    """What a step is told: of a file, and over that what stands on the command line.

    Raises:
        InputError: `document_syntax`, `argument_value`: every problem.
        FileError: `file_missing`, `file_unreadable`.
    """
    told = {} if source is None else _of_file(source)
    problems = []
    for each in said:
        name, sign, value = each.partition("=")
        if not (name and sign):
            hint = 'As in -a carrier=DHL or -a \'lines=[{"sku": "valve", "qty": 2}]\''
            problem = Problem(
                "argument_value", "this is no name with a value", column="--arg", value=each[:80], hint=hint
            )
            problems.append(problem)
        elif value[:1] in ("[", "{"):
            try:
                told[name] = json.loads(value, parse_float=Decimal)
            except (ValueError, RecursionError) as error:
                message = f"the value is no JSON: {error}"
                problems.append(Problem("document_syntax", message, column=f"--arg {name}", value=value[:80]))
        else:
            told[name] = value
    if problems:
        raise InputError(problems)
    return told


def _of_file(source: Path) -> dict[str, Any]:
    try:
        text = source.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        code = "file_missing" if isinstance(error, FileNotFoundError) else "file_unreadable"
        raise FileError(Problem(code, "the file cannot be read", column="FILE", value=str(source))) from None
    try:
        if source.suffix.lower() == ".toml":
            found: Any = tomllib.loads(text, parse_float=Decimal)
        else:
            found = json.loads(text, parse_float=Decimal)
        if not isinstance(found, dict):
            raise ValueError("names and values are expected")
    except (ValueError, RecursionError) as error:
        hint = 'It is TOML, as lines = [{sku = "valve", qty = 2}], or JSON; its suffix says which'
        message = f"these are no arguments: {error}"
        raise InputError(Problem("document_syntax", message, column="FILE", value=str(source), hint=hint)) from None
    return found


def _asked(name: str, among: Mapping[str, Callable[..., Any]], who: str, source: Path | None, said: Said) -> Any:  # noqa: ANN401
    """The whole name of a step or question, the person and the arguments, or every problem of all three."""
    return gathered({
        "name": partial(named, name, among), "person": partial(person_of, who),
        "arguments": partial(arguments_of, source, said or []),
    })  # fmt: skip


@app.command()
def steps(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them, with what it is told.")] = None,
    as_json: Json = False,
) -> None:
    """Lists every step and question; with a name, what it is told.

    **Examples**

    - `allocator flow steps`
    - `allocator flow steps raise_request`
    """
    every = {**STEPS, **QUESTIONS}
    if name is None:
        rows = [{"name": each, "kind": "step" if each in STEPS else "question", "what": _head(function)}
                for each, function in every.items()]  # fmt: skip
        if as_json:
            say_json(rows)
        else:
            say_table(pl.DataFrame(rows), rows_max=len(rows))
        return
    name = named(name, every)
    about, what = _parts(inspect.getdoc(every[name]) or "")
    told = [
        {"argument": each, "is": _in_words(str(it.annotation)), "needed": "yes" if it.default is it.empty else "",
         "what": what.get(each, "")}
        for each, it in parameters(every[name]).items()
    ]  # fmt: skip
    if as_json:
        return say_json({"name": name, "says": about, "who": what.get("person", ""), "arguments": told})
    say(about.replace("Raises:\n    InputError:", "Refused as:\n   "))
    if "person" in what:
        say(f"\nWho: {what['person']}")
    say_table(pl.DataFrame(told, schema=dict.fromkeys(("argument", "is", "needed", "what"), pl.String)),
              rows_max=len(told))  # fmt: skip
    given = "".join(f" -a {each['argument']}=…" for each in told if each["needed"])
    verb = "do" if name in STEPS else "ask"
    return say(f"As in: allocator flow {verb} URL {name.partition('.')[2]} --as NAME:ROLE[@PARTY]{given}")


def _parts(doc: str) -> tuple[str, dict[str, str]]:
    """What a docstring says beside its arguments, and what of each of them."""
    about, _, rest = doc.partition("\nArgs:\n")
    inner = "".join(takewhile(lambda line: line[:1] in (" ", "\n"), rest.splitlines(keepends=True)))
    said = re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", inner, re.MULTILINE)
    return f"{about.strip()}\n\n{rest[len(inner) :].strip()}".strip(), {
        name: " ".join(text.split()) for name, text in said
    }


_WORDS: Final = {
    "str": "text", "int": "whole number", "bool": "true or false", "int | Decimal | str": "quantity",
    "Lines": "lines", "Mapping[str, str]": "names and texts", "Mapping[str, object]": "names and values",
    "Mapping[str, Decimal | int | str]": "names and quantities", "Readings": "meters and readings",
    "str | Sequence[str]": "texts", "tuple[str, ...]": "texts", "tuple[str, ...] | list[str]": "texts",
    "dt.date": "day", "dt.datetime": "moment", "Policy": "policy",
}  # fmt: skip
"""What people call the types of arguments."""


def _in_words(annotation: str) -> str:
    kind = annotation.removesuffix(" | None")
    return _WORDS.get(kind) or " or ".join(re.findall("'(.*?)'", kind)) or "one of a few words"


def _head(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0]


@app.command()
def do(
    url: Url,
    name: Annotated[str, typer.Argument(metavar="STEP", help="Its name; `allocator flow steps` lists all.")],
    source: File = None,
    *,
    who: As,
    said: Said = None,
    tenant: Tenant = "main",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Takes a step.

    **Examples**

    - `allocator flow do URL raise_request request.toml --as sam:storekeeper@ASP-1`
    - `allocator flow do URL allocate_indent -a indent=IN-000001 --as sam:storekeeper@ASP-1`
    - `allocator flow do URL return_rental -a rental=RT-000001 -a 'readings={"pages": 1200}' --as walt:warehouse`
    """
    given = _asked(name, STEPS, who, source, said)
    with opened(url, tenant) as ledger:
        answer = take_step(ledger, given["name"], given["person"], given["arguments"], key=key)
    if as_json:
        say_json(answer)
    else:
        tell(answer, given["name"])


@app.command("ask")
def ask_(
    url: Url,
    name: Annotated[str, typer.Argument(metavar="QUESTION", help="Its name; `allocator flow steps` lists all.")],
    source: File = None,
    *,
    who: As,
    said: Said = None,
    out: Out = None,
    rows: Rows = 50,
    tenant: Tenant = "main",
    as_json: Json = False,
) -> None:
    """Asks a question; nothing is changed.

    **Examples**

    - `allocator flow ask URL leakage --as sam:storekeeper@ASP-1`
    - `allocator flow ask URL trace -a serial=CX-0002 --as olga:operations --out trace.xlsx`
    """
    given = _asked(name, QUESTIONS, who, source, said)
    with opened(url, tenant) as ledger, working("asking"):
        answer = ask(ledger, given["name"], given["person"], given["arguments"])
    if isinstance(answer, pl.DataFrame):
        say_frame(answer, without_empty(told(given["name"], answer)), name, out=out, rows=rows, as_json=as_json)
    elif as_json:
        say_json({part: each.to_dicts() if isinstance(each, pl.DataFrame) else each for part, each in answer.items()}
                 if isinstance(answer, dict) else answer)  # fmt: skip
    else:
        tell(answer, name)


TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "msl_cover": ("bu", "asp", "sku", "rule", "units_max", "value_max", "on_hand", "in_transit", "requested_open",
                  "headroom", "qty_proposed", "reason", "cover"),
}  # fmt: skip
"""Of questions with more columns than anyone reads, those that are shown; JSON and files have all."""


def told(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns of an answer that people are shown."""
    wanted = TOLD.get(name.rpartition(".")[2], tuple(frame.columns))
    return frame.select(column for column in wanted if column != "bu" or (frame["bu"] != "").any())


def tell(answer: Any, title: str) -> None:  # noqa: ANN401 - whatever was answered
    """An answer for people: its values in one line each, its tables below."""
    if not isinstance(answer, Mapping):
        say(", ".join(map(str, answer)) if isinstance(answer, list) else str(answer))
        return
    tables = {name: each for name, each in answer.items() if isinstance(each, pl.DataFrame) or _is_rows(each)}
    for name, value in answer.items():
        if name not in tables and value not in (None, "", [], {}):
            say(f"{name.replace('_', ' ')}: {_words(value)}")
    for name, rows in tables.items():
        frame = (
            rows
            if isinstance(rows, pl.DataFrame)
            else pl.DataFrame(
                [{column: _cell(value) for column, value in row.items()} for row in rows], infer_schema_length=None
            )
        )
        shown = without_empty(told(name, frame))
        say_frame(frame, shown, name.replace("_", " ") or title, out=None, rows=50, as_json=False)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _cell(value: object) -> str | None:
    return None if value is None else _words(value)


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
