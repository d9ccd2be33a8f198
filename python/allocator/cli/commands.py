"""The commands by name, each loaded when it is to run: help and mistakes are answered without polars."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Command(NamedTuple):
    """Where a command is (a function, or `app` for a group of commands), and what it does: its docstring's head."""

    place: str
    summary: str


COMMANDS: Final = {
    "run": Command("allocation.run", "Allocates: decides which stock serves which demand."),
    "explain": Command(
        "allocation.explain",
        "Explains lines: every stock row they could have had, the rules it failed, and who took it before.",
    ),
    "check": Command(
        "allocation.check",
        "Checks tables and a policy, and shows every problem of all of them at once. Nothing is allocated.",
    ),
    "transitions": Command(
        "transitions.transitions", "Says of every change of status whether the lifecycle allows it, and if not, why."
    ),
    "replenish": Command(
        "limits.replenish",
        "Proposes what to ask for under maximum stock limits, or decides on requests (`--requests`).",
    ),
    "share": Command("fairness.share", "Shares what does not suffice among lines, and says how fair that is."),
    "reallocate": Command(
        "reallocation.reallocate", "Deals again what is promised already: who keeps, who gains, who loses, and to whom."
    ),
    "optimum": Command(
        "optimum.optimum", "Finds the best plan that the rules allow, and says what serving in their order costs."
    ),
    "whatif": Command(
        "whatif.whatif",
        "Asks what if: scenarios beside what is, over a grid, by chance, and what one more unit would bring.",
    ),
    "import": Command(
        "imports.import_stock",
        "Takes the stock of a file over into a ledger: all of it, or with `--good-rows` what nothing is wrong with.",
    ),
    "ledger": Command(
        "ledger_reports.app",
        "The ledger: every change of stock as a transaction; balances, histories and reports of it.",
    ),
    "flow": Command(
        "flow_boards.app",
        "What people do: what waits for whom, documents with their history, and every step by its name.",
    ),
    "paper": Command(
        "flow_boards.paper", "Prints a document as PDF: challans, receipts, pick and packing lists, return notes."
    ),
    "verify": Command(
        "store.verify",
        "Proves a ledger: every balance, promise, number and hash computed again from its history, while others go on.",
    ),
    "export": Command(
        "store.export",
        "Writes every table of a ledger as a file, as of one moment, with hashes; `restore` makes a ledger of them.",
    ),
    "backup": Command(
        "store.backup",
        "Copies a store, all tenants, into a file while others go on: a database of SQLite, or a dump of PostgreSQL.",
    ),
    "restore": Command(
        "store.restore",
        "Makes a store from a backup, or from an exported ledger, and verifies it. Nothing that is there is replaced.",
    ),
    "policy": Command(
        "documents.app",
        "Policies, lifecycles, limits, rules of sharing, quotas, reallocations, scenarios: list, show, check, copy.",
    ),
    "studio": Command(
        "studio.studio",
        "Shows the page for analysts: levers, measures side by side, who gained and who lost, one line explained.",
    ),
    "demo": Command(
        "demo.demo",
        "Allocates a year of real order lines of over 400 grocery stores, and shows what came of it.",
    ),
    "bench": Command(
        "bench.bench", "Measures this machine: allocates a generated world three times and shows the medians."
    ),
}
"""In the order in which help lists them."""


class LateGroup(TyperGroup):
    """Commands that are known by name and summary until one of them is to run."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - what typer passes on
        super().__init__(**settings)
        self.commands.update({name: TyperCommand(name, help=each.summary) for name, each in COMMANDS.items()})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - click
        """The command that was asked for, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else command, rest


class Beneath(TyperGroup):
    """Commands of a group: whoever looks among them for one of the program's is told where it is."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - click
        """The command that was asked for."""
        if args and args[0] in COMMANDS and args[0] not in self.commands:
            ctx.fail(f"No such command '{args[0]}' here. It stands by itself: `allocator {args[0]}`.")
        return super().resolve_command(ctx, args)


def load(name: str) -> Any:  # noqa: ANN401 - a command of click, or a group of them
    """The command itself."""
    module, attribute = COMMANDS[name].place.split(".")
    found = getattr(import_module(f"allocator.cli.{module}"), attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
        single.command(name)(found)
        found = single
    return typer.main.get_command(found)
