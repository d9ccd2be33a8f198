"""A driver reserves an asset, and leaves it at a site; or another one, as an exception (FA-2 to FA-5, FA-11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.assets.asset import (
    AVAILABLE,
    CHOOSE,
    IN_USE,
    MISSING,
    RESERVED,
    Asset,
    asset_of,
    fetched,
    freed,
    left_at,
    own_asset,
    promise,
    taken,
)
from allocator.flows.assets.order import ASSET_ORDERS, exception_raised, marked, settings_for
from allocator.flows.doing import Doing, Person, number_of, take
from allocator.flows.given import checked
from allocator.ledger.documents import Document
from allocator.model.assets import AssetSettings

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

ELSEWHERE: Final = (IN_USE, RESERVED, MISSING)
"""Statuses in which an asset can be chosen as an exception."""


@checked
def reserve_asset(
    ledger: Ledger, order: str, asset: str, person: Person, *, client: str = "", key: str = ""
) -> dict[str, Any]:
    """Reserves an available asset for an order before it is started (FA-3); another one that it had is free again.

    Returns:
        `number`, `state`, `asset`.

    Raises:
        InputError: `asset_taken`: it is not available, with others that are; `asset_unfit`: of another product;
            `goods_unknown`, `document_unknown`, `step_impossible`, `role_missing`, `client_outdated`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing, client)
        document = doing.begin(order)
        found = _fitting(doing, document, asset)
        if found.account.status != AVAILABLE or found.account.kind != "stock":
            raise taken(doing, found, found.sku)
        before = own_asset(doing, order)
        if before is not None:
            freed(doing, before, order)
        promise(doing, document, found)
        with doing.transaction():
            doing.line(order, 1, goods_id=found.goods_id)
            doing.go(order)
        return {"number": order, "state": document.state, "asset": found.serial}

    answer: dict[str, Any] = take(ledger, person, ASSET_ORDERS, "reserve", work, order, asset, client, key=key)
    return answer


def _fitting(doing: Doing, order: Document, serial: str) -> Asset:
    """An asset of the product that is ordered."""
    found = asset_of(doing, serial, order)
    (line,) = doing.lines(order.number)
    assert line.sku_id is not None
    wanted = doing.book.catalog.sku(line.sku_id).sku
    if found.sku != wanted:
        message = f"{found.serial} is a {found.sku}, and a {wanted} is ordered"
        raise InputError(Problem("asset_unfit", message, column="asset", value=serial[:80], hint=CHOOSE))
    return found


@checked
def deliver_asset(
    ledger: Ledger,
    order: str,
    person: Person,
    *,
    asset: str = "",
    seen: str = AVAILABLE,
    photo: str = "",
    client: str = "",
    note: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Leaves an asset at the site of an order.

    The driver says what they saw of the asset when they chose it: so nobody takes by accident what another driver took
    in the meantime, and whoever takes an asset that is not available has seen the warning.

    Args:
        ledger: The ledger.
        order: Its number.
        person: The driver.
        asset: The asset; the one that is reserved if left out. None where assets are not tracked.
        seen: The column `seen` of `choices`, as the driver saw it.
        photo: Where the photo is kept, as a reference.
        client: The version of the driver's app.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `asset`; `exception` (its number, or None), `warning` ('' without an exception), and
        `photo_wanted`: whether a photo would help the office and is missing.

    Raises:
        InputError: `asset_taken`: it is not what was seen, or may not be taken, with others that are free;
            `photo_missing`, `asset_unfit`, `argument_missing`, `goods_unknown`, `document_unknown`, `step_impossible`,
            `role_missing`, `client_outdated`. Nothing was done.
    """
    picture = number_of(photo, "photo") if photo else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing, client)
        document = doing.begin(order)
        if not settings.tracked and not asset:
            with doing.transaction():
                doing.go(order, details={"assign": "untracked"}, marks=["delivered"])
            return _told(order, None, None, "", photo=True)
        before = own_asset(doing, order)
        found = before if not asset and before else _fitting(doing, document, _named(asset))
        own = before is not None and before.goods_id == found.goods_id
        if not own and found.seen != seen:
            raise taken(doing, found, found.sku)
        exception = not own and found.account.status != AVAILABLE
        if exception:
            check_exception(doing, settings, found, picture)
        if before is not None and not own:
            freed(doing, before, order)
        bring(doing, document, found, settings)
        warning = ""
        with doing.transaction("rent", document=order, document_kind=ASSET_ORDERS.name) as heading:
            left_at(doing, heading, found, document.place)
            number = None
            if exception:
                number = displaced(doing, document, found, picture)
                warning = f"{found.serial} was {found.seen}: the office reconciles {number}"
            details = marked(document, number) if number else {}
            doing.line(order, 1, goods_id=found.goods_id)
            doing.go(order, details=details, marks=["delivered"])
        return _told(order, found.serial, number, warning, photo=bool(picture) or not exception)

    said = (order, asset, seen, picture, client)
    answer: dict[str, Any] = take(ledger, person, ASSET_ORDERS, "deliver", work, *said, note=note, key=key)
    return answer


def _named(asset: str) -> str:
    if not asset:
        message = "an asset is delivered, and none is reserved"
        raise InputError(Problem("argument_missing", message, column="asset", hint=CHOOSE))
    return asset


def _told(order: str, asset: str | None, exception: str | None, warning: str, *, photo: bool) -> dict[str, Any]:
    return {"number": order, "state": "in use", "asset": asset, "exception": exception, "warning": warning,
            "photo_wanted": not photo}  # fmt: skip


def check_exception(doing: Doing, settings: AssetSettings, asset: Asset, photo: str) -> None:
    """Makes sure that an asset that is not available may be taken.

    Raises:
        InputError: `asset_taken`: the business is strict, or its status is another; `photo_missing`.
    """
    if not settings.flexible_delivery or asset.account.status not in ELSEWHERE or asset.account.blocks:
        raise taken(doing, asset, asset.sku)
    if settings.photo_required and not photo:
        message = f"{asset.serial} is {asset.seen}: taking it needs a photo"
        hint = "Say where the photo is kept; or name an asset that is available"
        raise InputError(Problem("photo_missing", message, column="photo", hint=hint))


def bring(doing: Doing, order: Document, asset: Asset, settings: AssetSettings) -> None:
    """Whatever the books said of an asset, it is at hand now; what was promised to the order itself stays so."""
    if asset.order is None or asset.order.number != order.number:
        freed(doing, asset, order.number)
    if asset.account.kind == "rental":
        with doing.transaction("return", document=order.number, document_kind=ASSET_ORDERS.name) as heading:
            fetched(doing, heading, asset, settings.yard)


def displaced(doing: Doing, order: Document, asset: Asset, photo: str, **said: str) -> str:
    """The exception, within a transaction: the order that had the asset stands without one, and is queued (FA-5)."""
    lost_by = asset.order
    number = exception_raised(doing, order, asset=asset.serial, status=asset.account.status, photo=photo or None,
                              lost_by=lost_by.number if lost_by else None, **said)  # fmt: skip
    if lost_by is not None:
        doing.line(lost_by.number, 1, step="lose", goods_id=None)
        doing.go(lost_by.number, lost_by.state, step="lose", details={"assign": number} | marked(lost_by, number))
    return number
