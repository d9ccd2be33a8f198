"""What every step with devices needs: the settings, who may act, parts as people name them, and how goods are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, number_of, within
from allocator.flows.flow import Flow
from allocator.flows.named import Candidate, chosen
from allocator.flows.promises import promises_to, sku_of_line
from allocator.flows.quantities import as_qty, quantity, read_qty
from allocator.flows.settings import settings_of
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Lines, number, read_lines, text
from allocator.ledger.records import Account, Allocation
from allocator.ledger.reserve import Wish, reserve
from allocator.ledger.selection import stock_id, where
from allocator.ledger.subscriptions import SUBSCRIPTION
from allocator.model.devices import DeviceSettings

SERVICE: Final = "service"
WAREHOUSE: Final = "warehouse"
BILLING: Final = "billing"
CUSTOMER: Final = "customer"

PARTS: Final[Mapping[str, Callable[[Any], Any]]] = {"line": number, "sku": text, "serial": text, "qty": read_qty}
"""How a part of a document may be named."""


class Out(NamedTuple):
    """Goods that a document says are with a customer."""

    document: Document
    line: DocumentLine

    @property
    def left(self) -> int:
        """What of it is neither settled nor back."""
        return self.line.qty - self.line.progress


def settings_for(doing: Doing) -> DeviceSettings:
    """What is acted by, for people of the business.

    Raises:
        InputError: `role_missing`: a partner's people and customers have nothing to do here.
    """
    if doing.person.party:
        message = "this is for the people of the business"
        raise InputError(Problem("role_missing", message, column="party", value=doing.person.party[:80]))
    return settings_of(doing.book, DeviceSettings)


def place_in(settings: DeviceSettings, place: str) -> str:
    """Where something comes back to: the place that is named, which is in the warehouse, or the warehouse itself.

    Raises:
        InputError: `site_unknown`.
    """
    if not place:
        return settings.warehouse
    named = number_of(place, "place")
    if not within(named, settings.warehouse):
        hint = f"It is {settings.warehouse}, or below"
        raise InputError(
            Problem("site_unknown", "the warehouse has no such place", column="place", value=named, hint=hint)
        )
    return named


def read_parts(parts: Lines | None) -> list[dict[str, Any]] | None:
    """Parts as they are named; None stands for everything.

    Raises:
        InputError: Every problem of every line.
    """
    return None if parts is None else read_lines(parts, (), PARTS, "parts")


def outs_of(doing: Doing, documents: Iterable[Document]) -> list[Out]:
    """The lines of documents of which something is left; their goods are known."""
    found = [Out(document, line) for document in documents for line in doing.lines(document.number)]
    left = [out for out in found if out.left]
    doing.book.load_goods(out.line.goods_id for out in left if out.line.goods_id is not None)
    return left


def parts_of(
    doing: Doing, outs: Sequence[Out], parts: Sequence[Mapping[str, Any]] | None, what: str
) -> list[tuple[Out, int]]:
    """What parts mean of goods that are out, and how much of each.

    Raises:
        InputError: `goods_unknown`, `stock_short`, `qty_step`: every one of them; `goods_unknown`: nothing is left.
    """
    if not outs:
        hint = "What was delivered is invoiced or back: see the document"
        raise InputError(Problem("goods_unknown", f"nothing is left that could be {what}", "parts", hint=hint))
    if parts is None:
        return [(out, out.left) for out in outs]
    found = [
        Candidate(out, sku_of_line(doing, out.line), out.line.goods_id or 0, out.left, {"line": out.line.n})
        for out in outs
    ]
    return chosen(doing, parts, found, table="parts", none=f"no such part can be {what}",
                  hint="Name its serial, or its SKU", there=f"can be {what}")  # fmt: skip


def posted(doing: Doing, shares: Sequence[tuple[Out, int]], **to: str) -> list[dict[str, Any]]:
    """Parts as lines of a transaction; what of an order is returned counts on its demand line."""
    lines = []
    for out, qty in shares:
        goods_id = out.line.goods_id or 0
        line: dict[str, Any] = {"stock_id": stock_id(goods_id, out.line.details["account"]),
                                "qty": as_qty(qty, sku_of_line(doing, out.line)), **to}  # fmt: skip
        if "to_location" in to and out.line.line_id:
            line["line_id"] = out.line.line_id
        lines.append(line)
    return lines


def check_off_subscription(doing: Doing, goods: Iterable[int]) -> None:
    """Makes sure that units are of no subscription any more: a service would go on without its device.

    Raises:
        InputError: `device_unfit`, for each.
    """
    values = doing.book.values([SUBSCRIPTION], list(goods))
    held = [(goods_id, value) for (goods_id, _), value in values.items() if value]
    if held:
        raise InputError(
            Problem("device_unfit", f"it is of subscription {value} still", column="serial",
                    value=doing.book.serial_of(goods_id), hint="Remove it from there first: remove_device")
            for goods_id, value in held
        )  # fmt: skip


def given(
    doing: Doing, flow: Flow, document: str, rows: Sequence[Mapping[str, Any]], settings: DeviceSettings
) -> list[Allocation]:
    """Promises to the lines of a document, all that they ask for, to be given at once.

    Raises:
        InputError: `stock_short`, with the reason, for every line that would not get everything.
    """
    said = {"document": document, "document_kind": flow.name}
    with doing.transaction("reserve", **said) as heading:
        got = reserve(doing.book, heading, Wish(list(rows), settings.policy, heading.day, one_for_one=True))["lines"]
        problems = [
            _not_had(doing, row, one, n) for n, (one, row) in enumerate(zip(got, rows, strict=True)) if one["short"]
        ]
        if problems:
            raise InputError(problems)
    found = [doing.book.allocations[number_] for number_ in promises_to(doing, {row["line_id"] for row in rows})]
    return [promise for promise in found if promise is not None]


def _not_had(doing: Doing, row: Mapping[str, Any], got: Mapping[str, Any], n: int) -> Problem:
    """Why a line would not get everything: of a unit that it names, where that is."""
    serial = row.get("serial")
    if serial is None:
        message = f"{got['short']} of {row['sku']} cannot be had: {got['reason']}"
        return Problem("stock_short", message, "lines", "qty", n, str(row["qty"]), "Ask for less, or wait for stock")
    book = doing.book
    sku_id = book.catalog.named(row["sku"]).sku_id
    units = [goods_id for scope, goods_id in book.numbers.get(serial, ()) if scope in (0, sku_id)]
    there = f"it is {where(book, units[0])}" if units else f"no {row['sku']} has this number"
    # Where it is not in stock, no row has its serial: that is no reason which helps anybody.
    why = "" if got["reason"] == "serial" else f"{got['reason']}; "
    message = f"{serial} cannot be had: {why}{there}"
    return Problem(
        "stock_short", message, "lines", "serial", n, serial, "Name another one, or none: the policy gives one"
    )


def told_parts(doing: Doing, shares: Iterable[tuple[DocumentLine, int]]) -> list[dict[str, Any]]:
    """Parts as an answer tells them: `line`, `sku`, `serial`, `lot`, `qty`."""
    told = []
    for line, qty in shares:
        goods, sku = doing.book.goods[line.goods_id or 0], sku_of_line(doing, line)
        told.append({"line": line.n, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None,
                     "qty": quantity(qty, sku)})  # fmt: skip
    return told


def with_readings(
    doing: Doing, goods_id: int, readings: Mapping[str, object] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the meters of a device show, each as a meter and the line of a transaction that notes it.

    Raises:
        InputError: `argument_missing`: every meter that nobody read; `setting_unknown`, `column_type`.
    """
    book, told = doing.book, dict(readings or {})
    sku, serial = book.catalog.sku(book.goods[goods_id].sku_id), book.serial_of(goods_id)
    problems = [
        Problem("argument_missing", f"the meter {name} of {serial} is to be read", column="readings", value=name)
        for name in sku.kept.meters
        if name not in told
    ]
    for name, value in told.items():
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
            message = "a reading is an int or a Decimal"
            problems.append(Problem("column_type", message, column=f"readings.{name}"[:80], value=str(value)[:80]))
    if problems:
        raise InputError(problems)
    for name, value in told.items():
        attributes = {f"meter.{name}": f"{value:f}" if isinstance(value, Decimal) else str(value)}
        yield name, {"serial": serial, "sku": sku.sku, "event": "meter reading", "attributes": attributes}


def account_of(doing: Doing, goods_id: int) -> tuple[int, Account]:
    """Where a unit is."""
    (number_,) = doing.book.accounts_of[goods_id]
    return number_, doing.book.catalog.accounts[number_]
