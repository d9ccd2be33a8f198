"""An asset as drivers and the office see it: its status, the order that has it, and how it goes from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from allocator.errors import InputError, Problem
from allocator.flows.assets.order import ASSET_ORDERS
from allocator.flows.doing import Doing, number_of
from allocator.ledger.documents import Document
from allocator.ledger.records import GONE, Account, Heading
from allocator.ledger.reserve import Wish, reserve
from allocator.ledger.selection import load, unit
from allocator.model.policy import Policy

AVAILABLE: Final = "Available"
RESERVED: Final = "Reserved"
IN_USE: Final = "In Use"
MISSING: Final = "Unable to Locate"
CHOOSE: Final = "Name one that `choices` lists for the order"
CANDIDATES_MAX: Final = 5
"""How many other assets a refusal names."""


class Asset(NamedTuple):
    """A unit, where it is, and the order that has it or has it reserved, if any."""

    goods_id: int
    sku: str
    serial: str
    account: Account
    order: Document | None

    @property
    def seen(self) -> str:
        """What whoever chooses it has seen: its status, and the order that has it."""
        return f"{self.account.status} {self.order.number}" if self.order else self.account.status


def asset_of(doing: Doing, serial: str, order: Document) -> Asset:
    """An asset by any number that it has.

    Raises:
        InputError: `goods_unknown`: there is none, or it is gone; `goods_ambiguous`.
    """
    line = {"serial": number_of(serial, "asset")}
    load(doing.book, [line])
    try:
        goods_id = unit(doing.book, line, None)
    except InputError as error:
        if error.code != "goods_ambiguous":
            raise InputError(
                replace(each, column="asset", hint=each.hint or CHOOSE) for each in error.problems
            ) from None
        (own,) = doing.lines(order.number)
        assert own.sku_id is not None
        goods_id = unit(doing.book, {**line, "sku": doing.book.catalog.sku(own.sku_id).sku}, None)
    found = seen_now(doing, goods_id)
    if found is None:
        message = "there is no such asset"
        raise InputError(Problem("goods_unknown", message, column="asset", value=serial[:80], hint=CHOOSE))
    return found


def seen_now(doing: Doing, goods_id: int) -> Asset | None:
    """A unit as it is now; None if it is gone."""
    book = doing.book
    book.load_goods([goods_id])
    goods = book.goods[goods_id]
    book.catalog.load_sku_ids(book.session, [goods.sku_id])
    accounts = [book.catalog.accounts[number] for number in book.accounts_of[goods_id]]
    if not accounts or accounts[0].kind in GONE:
        return None
    serial = book.serial_of(goods_id)
    return Asset(goods_id, book.catalog.sku(goods.sku_id).sku, serial, accounts[0], _order_of(doing, goods_id))


def _order_of(doing: Doing, goods_id: int) -> Document | None:
    numbers = sorted(number for number, _ in doing.book.documents.lines_of_goods([goods_id]))
    found = [doing.book.documents.get(number) for number in numbers]
    return next((each for each in found if each and each.flow == ASSET_ORDERS.name and not each.closed), None)


def own_asset(doing: Doing, order: str) -> Asset | None:
    """The asset that an order has or has reserved."""
    (line,) = doing.lines(order)
    return None if line.goods_id is None else seen_now(doing, line.goods_id)


def free_assets(doing: Doing, sku: str) -> list[str]:
    """The serials of available assets of a product, in their order."""
    book = doing.book
    found = doing.sku(sku)
    book.load_skus([found.sku_id])
    serials = [
        goods.serial for goods in book.goods_of(found.sku_id) for number in book.accounts_of[goods.goods_id]
        if (account := book.catalog.accounts[number]).kind == "stock" and account.status == AVAILABLE
        and not account.blocks
    ]  # fmt: skip
    return sorted(serials)


def taken(doing: Doing, asset: Asset, sku: str) -> InputError:
    """What the driver is told who comes second: who has the asset now, and which others are free (FA-11)."""
    holder = f" for {asset.order.number}" if asset.order else ""
    message = f"{asset.serial} is {asset.account.status}{holder} by now"
    if asset.account.blocks:
        message += f", and blocked: {asset.account.blocks}"
    free = [serial for serial in free_assets(doing, sku) if serial != asset.serial][:CANDIDATES_MAX]
    hint = f"Free: {', '.join(free)}" if free else f"No other {sku} is free"
    return InputError(Problem("asset_taken", message, column="asset", value=asset.serial, hint=hint))


# --- how an asset goes from one to another: each is one transaction of the ledger ---


def promise(doing: Doing, order: Document, asset: Asset) -> None:
    """Reserves an available asset for an order."""
    turn = order.details.get("turn", 0) + 1
    row = {"line_id": f"{order.number}/{turn}", "order_id": order.number, "sku": asset.sku, "qty": 1,
           "serial": doing.book.goods[asset.goods_id].serial}  # fmt: skip
    with doing.transaction("reserve", document=order.number, document_kind=ASSET_ORDERS.name) as heading:
        (got,) = reserve(doing.book, heading, Wish([row], Policy(), heading.day))["lines"]
        if not got["allocated"]:
            raise taken(doing, asset, asset.sku)
        doing.book.documents.change(order.number, doing.step.name, details={"turn": turn})


def freed(doing: Doing, asset: Asset, document: str) -> None:
    """Makes an asset available in the books, wherever they say that it is: promised, at a site, or missing."""
    said = {"document": document, "document_kind": ASSET_ORDERS.name}
    book = doing.book
    (number,) = book.accounts_of[asset.goods_id]
    if promises := book.promises(asset.goods_id, number):
        with doing.transaction("release", **said) as heading:
            doing.post(heading, [{"allocation_id": each} for each in promises])
    elif asset.account.status == MISSING:
        with doing.transaction("change_status", **said) as heading:
            doing.post(heading, [_line(asset, to_status=AVAILABLE)])


def fetched(doing: Doing, heading: Heading, asset: Asset, yard: str) -> None:
    """An asset comes from a site into the yard, within a transaction of the type `return`."""
    doing.post(heading, [_line(asset, to_location=yard)])


def left_at(doing: Doing, heading: Heading, asset: Asset, site: str) -> None:
    """An asset stays at a site, within a transaction of the type `rent`; a promise to its order is kept."""
    book = doing.book
    (number,) = book.accounts_of[asset.goods_id]
    promises: Sequence[int] = book.promises(asset.goods_id, number)
    line: dict[str, Any] = {"allocation_id": promises[0]} if promises else _line(asset)
    doing.post(heading, [{**line, "to_holder": site}])


def _line(asset: Asset, **to: str) -> dict[str, Any]:
    return {"serial": asset.serial, "sku": asset.sku, **to}
