"""What a wish is about: its lines, read and held against what is recorded of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.ledger import lines as given
from allocator.ledger.book import Book
from allocator.ledger.exchanges import disagreements
from allocator.ledger.given import is_writable, written
from allocator.ledger.lines import Unfit
from allocator.ledger.measures import in_base_units, ratio_of
from allocator.ledger.selection import quantity, units
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from allocator.ledger.reserve import Wish


_TOLD: Final = frozenset(("line_id", "order_id", "sku", "qty"))
"""What a line is recorded with; the rest are its details."""

_NEEDED: Final = ("line_id", "sku", "qty")

_PLAIN: Final = frozenset((NoneType, bool, float, dt.date, dt.datetime))
"""Types whose values can be written down, whichever they are."""

_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "line_id": given.text,
    "sku": given.text,
    "order_id": given.text,
    "qty": given.quantity,
    "unit": given.text,
}


def checked(lines: Sequence[Mapping[str, Any]], policy: Policy) -> list[dict[str, Any]]:
    """Demand lines with their ids as texts, each once, in units that the policy has.

    Raises:
        InputError: Every problem of every line.
    """
    problems: list[Problem] = []
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for number, line in enumerate(lines):
        row = dict(line)
        for name, value in line.items():
            reader = _READ.get(name)
            if reader is None:
                problems += _unwritable(name, value, number)
            elif value is not None:
                try:
                    row[name] = reader(value)
                except Unfit as unfit:
                    problem = Problem(unfit.code, str(unfit), "demand", name, number, given.shown(value), unfit.hint)
                    problems.append(problem)
        lacking = [name for name in _NEEDED if row.get(name) is None]
        problems += [Problem("value_null", f"a line needs {name}", "demand", name, number) for name in lacking]
        if isinstance(row.get("unit"), str) and isinstance(row.get("sku"), str):
            try:
                ratio_of(policy, row["unit"], row["sku"], number)
            except InputError as error:
                problems += error.problems
        line_id = row.get("line_id")
        if isinstance(line_id, str) and line_id in seen:
            problems.append(Problem("id_duplicate", "the line is there twice", "demand", "line_id", number, line_id))
        seen |= {line_id} if isinstance(line_id, str) else set()
        rows.append(row)
    if not rows:
        problems.append(Problem("argument_value", "there is no line", "demand"))
    if problems:
        raise InputError(problems)
    return rows


def _unwritable(name: object, value: object, number: int) -> Iterator[Problem]:
    """What a line says that could not be recorded with it."""
    if not isinstance(name, str):
        yield Problem("column_type", "columns have names", "demand", row=number, value=given.shown([name]))
    plain = type(value) in _PLAIN or (type(value) is int and abs(value) <= given.GREATEST)
    if not plain and not is_writable(value):
        message = "the value cannot be written down"
        yield Problem("column_type", message, "demand", str(name)[:80], number, given.shown(value))


def load(book: Book, wishes: Sequence[Wish]) -> None:
    """Reads what some wishes are about: where a line names its unit, that one alone."""
    know(book, wishes)
    lines = [line for wish in wishes for line in wish.lines]
    names = {line["sku"] for line in lines if line.get("serial") is None}
    book.load_stock(book.catalog.named(name).sku_id for name in names)
    load_named(book, lines)
    book.load_lines(line["line_id"] for wish in wishes for line in wish.lines)


def know(book: Book, wishes: Sequence[Wish]) -> set[str]:
    """Reads the SKUs that some wishes are about, and their substitutes; their names."""
    names = {name for wish in wishes for name in linked(wish.policy)}
    names |= {line["sku"] for wish in wishes for line in wish.lines}
    book.catalog.load_skus(book.session, names)
    problems = [
        Problem("sku_unknown", "there is no such SKU", "demand", "sku", number, line["sku"])
        for wish in wishes
        for number, line in enumerate(wish.lines)
        if book.catalog.find(line["sku"]) is None
    ]
    if problems:
        raise InputError(problems)
    return names


def load_named(book: Book, lines: Iterable[Mapping[str, Any]]) -> set[int]:
    """Reads the units that lines name; their goods."""
    serials = {str(line["serial"]) for line in lines if line.get("serial") is not None}
    book.find_numbers(serials)
    named = {goods for serial in serials for _, goods in book.numbers[serial]}
    book.load_goods(named)
    return named


def what_lacks(book: Book, wish: Wish, turn: int) -> list[dict[str, Any]]:
    """The lines with the quantity that they still want, in base units; a new one is recorded when it gets something."""
    problems: list[Problem] = []
    rows = []
    for number, line in enumerate(wish.lines):
        line_id, sku = line["line_id"], book.catalog.named(line["sku"])
        try:
            if line.get("unit") is None:
                asked, row, said = units(line["qty"], sku, number, "demand"), line, line
            else:
                asked, row, said = in_base_units(line, wish.policy, sku, number)
        except InputError as error:
            problems += error.problems
            continue
        known = book.lines.get(line_id)
        order_id = line.get("order_id") or line_id
        if known and (known.sku_id, known.qty, known.order_id) != (sku.sku_id, asked, order_id):
            hint = "A line keeps its SKU, quantity and order: use a new line_id for another wish"
            book.catalog.load_sku_ids(book.session, [known.sku_id])
            recorded = book.catalog.sku(known.sku_id)
            message = f"the line was recorded with {quantity(known.qty, recorded)} of {recorded.sku}"
            problems.append(Problem("line_changed", message, "demand", "line_id", number, line_id, hint))
            continue
        left = asked - (known.allocated + known.shipped if known else 0)
        here = {"order_id": order_id, "qty": left, "_asked": asked, "_sku": sku, "_turn": turn, "_said": said}
        rows.append({**row, **here})
    if wish.policy.substitutes:
        problems += disagreements(book, wish)
    if problems:
        raise InputError(problems)
    return rows


def linked(policy: Policy) -> set[str]:
    """The SKUs that stand for each other under a policy."""
    return {sku for entry in policy.substitutes for sku in (entry.sku, entry.substitute)}


def details(line: Mapping[str, Any]) -> str:
    """What is recorded of a line, as it was asked for, beside its SKU, quantity and order; '' for nothing."""
    if line.keys() <= _TOLD:
        return ""
    rest = {name: value for name, value in line.items() if name not in _TOLD and value is not None and name[:1] != "_"}
    return written(rest) if rest else ""
