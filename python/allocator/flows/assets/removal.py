"""A driver fetches an asset: that of the order, another one on site, or any (FA-2, FA-6 to FA-9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocator.errors import InputError, Problem
from allocator.flows.assets.asset import AVAILABLE, IN_USE, MISSING, Asset, asset_of, fetched, freed, own_asset, taken
from allocator.flows.assets.delivery import check_exception, displaced
from allocator.flows.assets.order import ASSET_ORDERS, marked, settings_for
from allocator.flows.doing import Doing, Person, impossible, number_of, take
from allocator.flows.given import checked
from allocator.ledger.documents import Document
from allocator.model.assets import AssetSettings

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger


@checked
def remove_asset(
    ledger: Ledger,
    order: str,
    person: Person,
    *,
    asset: str = "",
    seen: str = "",
    photo: str = "",
    client: str = "",
    note: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Fetches an asset for an order whose removal is pending; or for an exchange, by its own number.

    - Its own asset: the order is removed.
    - Another one on site, of the same product and material: the order tied to that one is removed; this order is in use
      again with its own asset, and an exchange from now on belongs to the other one. Nothing to reconcile (FA-7, FA-8).
    - Any other: the order is removed, as an exception; the order that had the asset stands without one and is queued,
      and the asset that this order had can be located nowhere, until the office reconciles it (FA-9).

    Args:
        ledger: The ledger.
        order: The order, or the exchange.
        person: The driver.
        asset: The asset; that of the order if left out.
        seen: The column `seen` of `choices`; needed for what is neither the order's own asset nor on site.
        photo: Where the photo is kept, as a reference.
        client: The version of the driver's app.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state` of the order whose removal was pending; `removed`: the order that is removed; `asset`,
        `exception` (its number, or None), `warning`, `photo_wanted`.

    Raises:
        InputError: `asset_unfit`: the business is strict; everything of `deliver_asset`.
    """
    picture = number_of(photo, "photo") if photo else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing, client)
        wanted, exchange = _pending(doing, order)
        own = own_asset(doing, wanted.number)
        if own is None and not asset:
            return _without(doing, settings, wanted)
        found = own if own and not asset else asset_of(doing, asset, wanted)
        assert found is not None
        if own is not None and found.goods_id == own.goods_id:
            return _own(doing, settings, wanted, own)
        if not settings.flexible_removal:
            mine = f"It is {own.serial}" if own else "It has none: the office assigns one"
            message = f"{found.serial} is not the asset of {wanted.number}"
            raise InputError(Problem("asset_unfit", message, column="asset", value=found.serial, hint=mine))
        if _is_on_site(doing, wanted, found):
            return _on_site(doing, settings, (wanted, exchange), found)
        if found.seen != seen:
            raise taken(doing, found, found.sku)
        return _from_anywhere(doing, settings, (wanted, own), found, picture)

    said = (order, asset, seen, picture, client)
    answer: dict[str, Any] = take(ledger, person, ASSET_ORDERS, "remove", work, *said, note=note, key=key)
    return answer


def _pending(doing: Doing, number: str) -> tuple[Document, Document | None]:
    """The order whose removal is pending, and the exchange that it belongs to."""
    document = doing.begin(number)
    exchange = document if document.state == "pending delivery" and "removes" in document.details else None
    wanted = doing.document(exchange.details["removes"]) if exchange else document
    if wanted.state != "pending removal":
        raise InputError(impossible(ASSET_ORDERS, wanted, "remove"))
    if exchange is None:
        linked = [doing.book.documents.get(each) for each in doing.book.documents.linked_from(number, "removes")]
        mine = [each for each in linked if each and each.details.get("removes") == number and not each.closed]
        exchange = mine[0] if mine else None
    return wanted, exchange


def _told(order: Document, state: str, removed: str, asset: str | None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    rest: dict[str, Any] = {"exception": None, "warning": "", "photo_wanted": False}
    return {"number": order.number, "state": state, "removed": removed, "asset": asset, **rest, **more}


def _without(doing: Doing, settings: AssetSettings, wanted: Document) -> dict[str, Any]:
    """An order without an asset, where none is named."""
    if settings.tracked:
        hint = "Name the asset that is there, or let the office assign one"
        message = f"{wanted.number} has no asset"
        raise InputError(Problem("argument_missing", message, column="asset", hint=hint))
    with doing.transaction():
        doing.go(wanted.number, details={"assign": None}, marks=["removed"])
    return _told(wanted, "removed", wanted.number, None)


def _fetch(doing: Doing, settings: AssetSettings, asset: Asset, number: str) -> None:
    """The order that has an asset is removed, and the asset is in the yard; one transaction."""
    if asset.account.status == MISSING:
        freed(doing, asset, number)
    with doing.transaction("return", document=number, document_kind=ASSET_ORDERS.name) as heading:
        fetched(doing, heading, asset, settings.yard)
        doing.line(number, 1, goods_id=None)
        doing.go(number, "removed", details={"fetched": asset.serial}, marks=["removed"])


def _own(doing: Doing, settings: AssetSettings, wanted: Document, own: Asset) -> dict[str, Any]:
    _fetch(doing, settings, own, wanted.number)
    return _told(wanted, "removed", wanted.number, own.serial)


def _is_on_site(doing: Doing, wanted: Document, asset: Asset) -> bool:
    """Whether an asset is in use at the order's site, of the same product and material (FA-6)."""
    other = asset.order
    if other is None or asset.account.status != IN_USE or other.state not in ("in use", "pending removal"):
        return False
    (line,), (mine,) = doing.lines(other.number), doing.lines(wanted.number)
    same = other.details["material"] == wanted.details["material"] and line.sku_id == mine.sku_id
    return same and other.place == wanted.place


def _on_site(
    doing: Doing, settings: AssetSettings, wanted: tuple[Document, Document | None], asset: Asset
) -> dict[str, Any]:
    order, exchange = wanted
    other = asset.order
    assert other is not None
    # If the other one was to be fetched as well, this one still is.
    state = "in use" if other.state == "in use" else order.state
    with doing.transaction("return", document=other.number, document_kind=ASSET_ORDERS.name) as heading:
        fetched(doing, heading, asset, settings.yard)
        doing.line(other.number, 1, goods_id=None)
        doing.go(other.number, "removed", details={"fetched": asset.serial}, marks=["removed"])
        doing.go(order.number, state)
        if exchange is not None and state == "in use":
            doing.go(exchange.number, exchange.state, details={"removes": other.number})
            doing.link(exchange.number, "removes", other.number)
    return _told(order, state, other.number, asset.serial)


def _from_anywhere(
    doing: Doing, settings: AssetSettings, wanted: tuple[Document, Asset | None], asset: Asset, photo: str
) -> dict[str, Any]:
    """What was fetched was elsewhere by the books; where the order's own asset is, nobody knows now."""
    order, own = wanted
    if asset.account.status != AVAILABLE:
        check_exception(doing, settings, asset, photo)
    elif settings.photo_required and not photo:
        raise InputError(Problem("photo_missing", f"{asset.serial} is not on site by the books", column="photo"))
    freed(doing, asset, order.number)
    if asset.account.kind == "rental":
        with doing.transaction("return", document=order.number, document_kind=ASSET_ORDERS.name) as heading:
            fetched(doing, heading, asset, settings.yard)
    if own is not None and own.account.status != MISSING:
        with doing.transaction("change_status", document=order.number, document_kind=ASSET_ORDERS.name) as heading:
            doing.post(heading, [{"serial": own.serial, "sku": own.sku, "to_status": MISSING}])
    with doing.transaction():
        number = displaced(doing, order, asset, photo, **({"missing": own.serial} if own else {}))
        doing.line(order.number, 1, goods_id=None)
        details = {"fetched": asset.serial, "assign": None} | marked(order, number)
        doing.go(order.number, "removed", details=details, marks=["removed"])
    warning = f"{asset.serial} was {asset.seen}, and not on site: the office reconciles {number}"
    return _told(
        order, "removed", order.number, asset.serial, exception=number, warning=warning, photo_wanted=not photo
    )
