"""What a unit is told to be: the numbers that nobody else has, and its characteristics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from allocator.errors import InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.characteristics import checked
from allocator.ledger.numbering import identifiers
from allocator.ledger.records import Account, Movement, Sku
from allocator.ledger.selection import where


def told_of(sku: Sku, line: Mapping[str, Any], row: int, *, complete: bool = False) -> dict[str, dict[str, str]]:
    """The further numbers and the characteristics that a line gives a unit, as they are kept.

    Raises:
        InputError: Every problem of both.
    """
    told: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    try:
        if "numbers" in line:
            told["numbers"] = identifiers(sku, line["numbers"], row)
    except InputError as error:
        problems += error.problems
    try:
        if values := checked(sku, line.get("attributes", {}), row, complete=complete):
            told["attributes"] = values
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    return told


def tell(book: Book, goods_id: int, told: Mapping[str, Mapping[str, str]], row: int) -> None:
    """Gives a unit numbers that nobody had, and values of characteristics."""
    numbers = told.get("numbers", {})
    book.find_numbers(numbers.values())
    for name, value in numbers.items():
        check_number_free(book, None, name, value, row)
        book.number(name, 0, value, goods_id)
    for name, value in told.get("attributes", {}).items():
        book.attribute(goods_id, name, value)


def check_number_free(book: Book, sku: Sku | None, kind: str, value: str, row: int) -> None:
    """Makes sure that no unit has a number, or ever had it.

    Raises:
        InputError: `number_taken`, naming the unit, its SKU and where it is.
    """
    if value not in book.numbers:
        book.find_numbers([value])
    scope = sku.sku_id if sku else 0
    for each, goods_id in book.numbers[value]:
        if each == scope:
            book.load_goods([goods_id])
            book.catalog.load_sku_ids(book.session, [book.goods[goods_id].sku_id])
            owner = book.catalog.sku(book.goods[goods_id].sku_id).sku
            verb = "belonged" if book.is_former(scope, value) else "belongs"
            place = where(book, goods_id)
            message = f"the {kind} {verb} to unit {book.serial_of(goods_id)} of {owner} already, which is {place}"
            hint = "No number is ever given to another unit; renumber one of the two, or retire it"
            raise InputError(Problem("number_taken", message, "lines", kind, row, value, hint))


def in_json(details: Mapping[str, object]) -> str:
    """Details of an entry as text; '' for none."""
    return json.dumps(details, sort_keys=True, ensure_ascii=False, separators=(",", ":")) if details else ""


def mark(book: Book, goods_id: int, details: Mapping[str, object]) -> None:
    """An entry that moves nothing, where the goods are now."""
    accounts = sorted(book.accounts_of[goods_id]) or [book.account(Account("lost"))]
    book.move(Movement(goods_id, accounts[0], accounts[0], 0, details=in_json(details)))
