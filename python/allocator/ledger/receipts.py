"""Receipts: goods that come in from a supplier, from production or as found, with what they keep wherever they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allocator.errors import InputError, Problem
from allocator.ledger.book import Book
from allocator.ledger.identity import check_number_free, in_json, tell, told_of
from allocator.ledger.records import Account, Goods, Heading, Movement, Sku, day_of
from allocator.ledger.rules import check_status
from allocator.ledger.selection import units
from allocator.ledger.sums import Sums


def receive(book: Book, heading: Heading, line: Mapping[str, Any], row: int, origin: str, *, sums: Sums) -> None:
    """Goods come in from outside: new ones, or a unit whose receipt was reversed.

    Raises:
        InputError: Everything that is wrong with the line.
    """
    placed = line.get("location") or line.get("to_location")
    if absent := [name for name, there in (("sku", "sku" in line), ("location", placed)) if not there]:
        raise InputError(Problem("value_null", f"a receipt needs the {name}", "lines", name, row) for name in absent)
    sku = book.catalog.named(line["sku"], row)
    status = line.get("status", sku.lifecycle.default)
    problems: list[Problem] = []
    with gathering(problems):
        qty = _qty_received(sku, line, row)
        sums.add(sku, qty, row)
    with gathering(problems):
        check_status(book, sku, ("", status), heading, row)
    with gathering(problems):
        told = told_of(sku, line, row, complete=sku.by_unit)
    received = line.get("received_on", heading.day)
    goods = Goods(0, sku.sku_id, line.get("lot", ""), line.get("serial", ""), received, line.get("expires_on"),
                  line.get("stock_class", ""), line.get("unit_cost", ""), 0)  # fmt: skip
    again = None
    with gathering(problems):
        if sku.by_unit and "serial" in line:
            again = _come_again(book, sku, goods, row)
    if problems:
        raise InputError(problems)
    goods_id = again or book.create(goods)
    if again and "numbers" in told:
        # Numbers stay with their unit; those that it has are not given to it again.
        book.find_numbers(told["numbers"].values())
        news = {name: value for name, value in told["numbers"].items() if (0, again) not in book.numbers[value]}
        told = {name: each for name, each in (told | {"numbers": news}).items() if each}
    account = Account("stock", line.get("to_location") or line["location"], status, line.get("condition", "new"),
                      line.get("owner", ""), "", "")  # fmt: skip
    source = book.account(Account(origin))  # type: ignore[arg-type]
    book.move(Movement(goods_id, source, book.account(account), qty, details=in_json(told)))
    if sku.by_unit and not again:
        book.number("serial", sku.sku_id, line["serial"], goods_id)
    tell(book, goods_id, told, row)


def _come_again(book: Book, sku: Sku, goods: Goods, row: int) -> int | None:
    """The unit that came before by a receipt that was reversed, and comes as it came then; None for a new one.

    Raises:
        InputError: `number_taken`: the serial is or was another's, or the unit came otherwise.
    """
    book.find_numbers([goods.serial])
    mine = [number for scope, number in book.numbers[goods.serial] if scope == sku.sku_id]
    book.load_goods(mine)
    if len(mine) != 1 or book.accounts_of[mine[0]] or book.is_former(sku.sku_id, goods.serial):
        check_number_free(book, sku, "serial", goods.serial, row)
        return None
    came, comes = _came_with(book.goods[mine[0]]), _came_with(goods)
    others = [f"{name} {value or 'none'}" for name, value in came.items() if value != comes[name]]
    if others:
        message = "the unit was received before, otherwise, by a receipt that was reversed"
        hint = f"What it came with stays with it: receive it with {', '.join(others)}"
        raise InputError(Problem("number_taken", message, "lines", "serial", row, goods.serial, hint))
    return mine[0]


def _came_with(goods: Goods) -> dict[str, str]:
    """What a receipt says of goods for ever, in words."""
    received, expires = (None if day is None else day_of(day) for day in (goods.received_on, goods.expires_on))
    return {"lot": goods.lot, "received_on": f"{received}", "expires_on": f"{expires or ''}",
            "stock_class": goods.stock_class, "unit_cost": goods.unit_cost}  # fmt: skip


def _qty_received(sku: Sku, line: Mapping[str, Any], row: int) -> int:
    problems: list[Problem] = []
    if not sku.kept.stockable:
        hint = "Define it with stockable = true if it is a thing"
        problems.append(Problem("tracking_mismatch", f"{sku.sku} is never in stock", "lines", "sku", row, hint=hint))
    if sku.by_unit and "serial" not in line:
        problems.append(Problem("tracking_mismatch", f"{sku.sku} is tracked by serial", "lines", "serial", row))
    if not sku.by_unit and "serial" in line:
        problems.append(
            Problem("tracking_mismatch", f"{sku.sku} has no serials", "lines", "serial", row, line["serial"])
        )
    if sku.tracking in ("lot", "both") and "lot" not in line:
        problems.append(Problem("tracking_mismatch", f"{sku.sku} is tracked by lot", "lines", "lot", row))
    if sku.by_unit and line.get("qty", 1) != 1:
        problems.append(Problem("serial_quantity", "a serial is one unit", "lines", "qty", row, str(line["qty"])))
    if not sku.by_unit and "qty" not in line:
        problems.append(Problem("value_null", "a line needs the quantity", "lines", "qty", row))
    if "expires_on" in line and "received_on" in line and line["expires_on"] < 0:
        problems.append(Problem("date_range", "the day is before 1970", "lines", "expires_on", row))
    qty = 1
    if not sku.by_unit and "qty" in line:
        with gathering(problems):
            qty = units(line["qty"], sku, row)
    if problems:
        raise InputError(problems)
    return qty


class gathering:  # noqa: N801 - read as a statement
    """What is wrong with one thing does not keep what is wrong with the next from being told."""

    __slots__ = ("problems",)

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> bool:
        if isinstance(error, InputError):
            self.problems += error.problems
            return True
        return False
