"""The serials of a receipt: checked against the format of their SKU, and made where the SKU says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from allocator.errors import InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.records import Sku, day_of
from allocator.model.number import NumberFormat
from allocator.numbers import check_identifiers, check_numbers, counter_period, generate_numbers
from allocator.numbers.spelling import problem_of

IDENTIFIERS: Final = ("imei", "mac", "eid")
"""Kinds of further numbers that any unit may have, each checked and spelled in one way."""

Numbered: TypeAlias = "tuple[int, Mapping[str, Any]]"
"""The row of a line as it was given, and the line."""


def numbered(book: Book, day: int, lines: Iterable[Numbered], problems: list[Problem]) -> list[Numbered]:
    """The lines of a receipt, with their serials as they are compared, and those that are made.

    A line without serials of a SKU that generates them becomes one line per unit. What is wrong is added to `problems`.
    """
    given = list(lines)
    spelled = _spelled(book, given, problems)
    made: list[Numbered] = []
    for row, line in given:
        sku = book.catalog.find(line.get("sku", ""))
        if sku is None or not sku.by_unit or "serial" in line or not sku.kept.generate:
            made.append((row, {**line, "serial": spelled[row]} if row in spelled else line))
            continue
        try:
            made += [(row, {**line, "qty": 1, "serial": serial}) for serial in _made(book, sku, line, row, day)]
        except InputError as error:
            problems += [Problem(p.code, p.message, "lines", "qty", row, p.value, p.hint) for p in error.problems]
    book.find_numbers(line["serial"] for _, line in made if "serial" in line)
    return made


def spelled_as(sku: Sku, serial: str, row: int, column: str = "serial") -> str:
    """A serial as it is compared.

    Raises:
        InputError: It is none of the SKU's format.
    """
    problems: list[Problem] = []
    found = _checked([(row, serial)], sku.kept.number, column, problems)
    if problems:
        raise InputError(problems)
    return found[row]


def identifiers(sku: Sku, given: Mapping[str, str], row: int) -> dict[str, str]:
    """Further numbers of a unit, each in its one spelling.

    Raises:
        InputError: Every problem of every number.
    """
    problems, found = [], {}
    known = (*IDENTIFIERS, *sku.kept.identifiers)
    for kind, value in given.items():
        column = f"numbers.{kind}"
        if kind not in known:
            hint = f"There are {', '.join(known)}; the setting `identifiers` of the SKU names more"
            problems.append(
                Problem("setting_unknown", "there is no such kind of number", "lines", column, row, value, hint)
            )
        elif kind in IDENTIFIERS:
            spelled, problem = check_identifiers([value], kind).row(0)  # type: ignore[arg-type] # as was just seen
            if problem is not None:
                problems.append(problem_of(problem, value, "lines", column, row))
            found[kind] = spelled
        else:
            found[kind] = value
    if problems:
        raise InputError(problems)
    return found


def _spelled(book: Book, lines: Iterable[Numbered], problems: list[Problem]) -> dict[int, str]:
    by_sku: dict[int, list[tuple[int, str]]] = {}
    for row, line in lines:
        sku = book.catalog.find(line.get("sku", ""))
        if sku is not None and sku.by_unit and "serial" in line:
            by_sku.setdefault(sku.sku_id, []).append((row, line["serial"]))
    spelled: dict[int, str] = {}
    for sku_id, serials in by_sku.items():
        if (number_format := book.catalog.sku(sku_id).kept.number) is not None:
            spelled |= _checked(serials, number_format, "serial", problems)
    return spelled


def _checked(
    serials: list[tuple[int, str]], number_format: NumberFormat | None, column: str, problems: list[Problem]
) -> dict[int, str]:
    if number_format is None:
        return dict(serials)
    checked = check_numbers([serial for _, serial in serials], number_format)
    found = {}
    for (row, serial), (number, problem) in zip(serials, checked.iter_rows(), strict=True):
        if problem is not None:
            told = problem_of(problem, serial, "lines", column, row)
            hint = f"The format is {number_format.pattern}"
            problems.append(Problem(told.code, told.message, "lines", column, row, told.value, hint))
        found[row] = number or serial
    return found


def _made(book: Book, sku: Sku, line: Mapping[str, Any], row: int, day: int) -> list[str]:
    """The next numbers of a SKU that nobody has; none is left out that is free."""
    number_format = sku.kept.number
    assert number_format is not None
    count = line.get("qty", 1)
    if not isinstance(count, int) or count < 1:
        raise InputError(Problem("qty_step", "units are counted whole", "lines", "qty", row, str(count)[:80]))
    on = day_of(line.get("received_on", day))
    counter = f"serial {sku.sku_id} {counter_period(number_format, on)}".rstrip()
    found: list[str] = []
    last = book.counter(counter)
    while len(found) < count:
        made = generate_numbers(number_format, last + 1, count - len(found), on=on).to_list()
        book.find_numbers(made)
        last += len(made)
        found += [each for each in made if all(scope != sku.sku_id for scope, _ in book.numbers[each])]
    book.count(counter, last)
    return found
