"""`studio`: the page for analysts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from allocator.cli.given import AsOf, day
from allocator.cli.show import say
from allocator.cli.whatif import File
from allocator.errors import InputError, Problem
from allocator.frames.findings import Findings, gathered
from allocator.frames.read import read
from allocator.model.policy import Policy
from allocator.studio.desk import Tables
from allocator.studio.serve import check_installed, leave, serve


def studio(
    stock: File = None,
    demand: File = None,
    *,
    policy: Annotated[
        str, typer.Option("--policy", "-p", metavar="NAME|FILE", help="The policy to begin with, with tables.")
    ] = "fefo",
    as_of: AsOf = None,
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine the address has a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 is a free one.")] = 2718,
) -> None:
    """Shows the page for analysts: levers, measures side by side, who gained and who lost, one line explained.

    The page begins with the tables that are given, or else with the demo's, or a small sample. It changes no data.
    Ctrl-C ends it.

    **Examples**

    - `allocator studio`
    - `allocator studio stock.parquet demand.parquet --as-of 2026-06-30 --policy mine.toml`
    """
    check_installed()
    tables = None if stock is None else _tables(stock, demand, policy, as_of)
    serve(host=host, port=port, tables=tables, ready=lambda address: say(f"The page is at {address} (Ctrl-C ends it)"))
    leave()


def _tables(stock: Path, demand: Path | None, policy: str, as_of: str | None) -> Tables:
    """What the page begins with; what is wrong within the tables the page tells itself."""
    if demand is None:
        hint = "Give both tables, or none of them for the demo's"
        raise InputError(Problem("argument_missing", "stock is given without demand", column="DEMAND", hint=hint))
    findings = Findings()
    makers: dict[str, Callable[[], Any]] = {
        "as_of": partial(day, as_of),
        "policy": partial(Policy.load, policy),
        "stock": partial(read, stock, "stock", findings),
        "demand": partial(read, demand, "demand", findings),
        "legible": findings.raise_any,
    }
    found = gathered(makers)
    text = Path(policy).read_text("utf-8-sig") if Path(policy).suffix.lower() == ".toml" else found["policy"].dumps()
    return Tables(found["stock"], found["demand"], found["as_of"], text)
