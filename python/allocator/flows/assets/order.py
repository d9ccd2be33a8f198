"""Orders of assets: a customer gets one, keeps it, and it is fetched back or exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, number_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.settings import settings_of
from allocator.ledger.documents import Document
from allocator.model.assets import AssetSettings

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

DRIVER: Final = "driver"
OFFICE: Final = "office"
OPEN: Final = ("pending delivery", "in use", "pending removal")

ASSET_ORDERS: Final = known(
    Flow(
        name="asset order",
        prefix="AO",
        says="An asset for a customer's site, from its delivery to its removal. An exchange is a delivery whose order "
        "names the one that is removed.",
        states={
            "pending delivery": "The customer waits for an asset.",
            "in use": "An asset is at the site.",
            "pending removal": "The asset is to be fetched.",
            "removed": "It is fetched.",
            "cancelled": "Nothing was delivered, and nothing will be.",
        },
        closed=("removed", "cancelled"),
        steps=(
            Step("order", "A customer wants an asset, or another one for theirs.", ("",), ("pending delivery",),
                 (OFFICE,)),
            Step("reserve", "A driver reserves an available asset before starting.", ("pending delivery",),
                 ("pending delivery",), (DRIVER, OFFICE)),
            Step("deliver", "A driver leaves an asset at the site.", ("pending delivery",), ("in use",), (DRIVER,)),
            Step("fetch", "The asset is to be removed, or exchanged.", ("in use",), ("pending removal",), (OFFICE,)),
            Step("remove", "A driver takes an asset from the site: its own, another one there, or any.",
                 ("pending removal", "in use", "pending delivery"),
                 ("removed", "in use", "pending removal", "pending delivery"), (DRIVER,)),
            Step("lose", "A driver took its asset for another order: it stands without one.", OPEN, OPEN),
            Step("assign", "The office gives it an asset instead of the one that it lost.", OPEN, OPEN, (OFFICE,)),
            Step("confirm", "The office leaves it as it is after an exception.", OPEN, OPEN),
            Step("cancel", "The customer does not want it any more.", ("pending delivery",), ("cancelled",), (OFFICE,)),
        ),
    )
)  # fmt: skip

EXCEPTIONS: Final = known(
    Flow(
        name="asset exception",
        prefix="AX",
        says="A driver chose an asset that was not free for the order: the truth on site beats the plan.",
        states={"open": "The office has to reconcile it.", "resolved": "Someone did, with a note."},
        closed=("resolved",),
        steps=(
            Step("raise", "A driver books an asset as an exception: the office is notified.", ("",), ("open",)),
            Step("assign", "The order that lost its asset gets another one.", ("open",), ("resolved",)),
            Step("confirm", "Everything stays as the driver booked it.", ("open",), ("resolved",), (OFFICE,)),
        ),
    )
)  # fmt: skip


def settings_for(doing: Doing, client: str | None = None) -> AssetSettings:
    """What is acted by; with the version of the app where a driver acts.

    Raises:
        InputError: `role_missing`: a partner's people have nothing to do here; `client_outdated`.
    """
    if doing.person.party:
        message = "assets are worked on by the people of the business"
        raise InputError(Problem("role_missing", message, column="party", value=doing.person.party[:80]))
    settings = settings_of(doing.book, AssetSettings)
    if client is not None and doing.person.role == DRIVER and not settings.admits(client):
        message = f"the app must be of version {settings.client_version_min} or newer"
        hint = "Update the app; nothing was changed"
        raise InputError(Problem("client_outdated", message, column="client", value=str(client)[:80], hint=hint))
    return settings


@checked
def order_asset(
    ledger: Ledger, sku: str, person: Person, *, site: str, material: str = "", exchanges: str = "", number: str = "",
    note: str = "", key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Takes an order in for an asset of a product.

    Args:
        ledger: The ledger.
        sku: The product, which is also the size.
        person: Someone of the office.
        site: Whose site, as one name.
        material: What the asset is for; those of one material are exchangeable at a site.
        exchanges: The order whose asset is fetched when this one comes: an exchange, under this one number (FA-8).
        number: Its number; the next one of this flow if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `kind` (`delivery` or `exchange`).

    Raises:
        InputError: `sku_unknown`; `tracking_mismatch`: its pieces have no serials; `document_unknown`,
            `step_impossible`: the order to exchange; `asset_unfit`: it is at another site; `document_exists`.
    """
    with all_problems() as part:
        with part():
            where = number_of(site, "site")
        with part():
            what = number_of(material, "material") if material else ""
        with part():
            own = number_of(number) if number else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        with all_problems() as part:
            with part():
                found = doing.sku(sku)
                if settings.tracked and not found.by_unit:
                    problem = Problem("tracking_mismatch", f"{sku} is not tracked by serial", column="sku", value=sku)
                    raise InputError(problem)
            with part():
                if exchanges:
                    _check_exchanged(doing, exchanges, where)
        kind = "exchange" if exchanges else "delivery"
        details = {"kind": kind, "site": where, "material": what} | ({"removes": exchanges} if exchanges else {})
        with doing.transaction():
            if exchanges:
                doing.go(exchanges, step="fetch")
            given = doing.open(ASSET_ORDERS, "pending delivery", number=own, place=where, details=details)
            doing.line(given, 1, sku_id=found.sku_id, qty=1)
            if exchanges:
                doing.link(given, "removes", exchanges)
        return {"number": given, "state": "pending delivery", "kind": kind}

    said = (sku, where, what, exchanges, own)
    answer: dict[str, Any] = take(ledger, person, ASSET_ORDERS, "order", work, *said, note=note, key=key)
    return answer


def _check_exchanged(doing: Doing, number: str, site: str) -> None:
    old = doing.document(number)
    if old.place != site:
        message = f"{number} is at {old.place}: an exchange is at one site"
        raise InputError(Problem("asset_unfit", message, column="site", value=site))


@checked
def order_removal(ledger: Ledger, order: str, person: Person, *, note: str = "", key: str = "") -> dict[str, Any]:
    """Has the asset of an order fetched; `number` and `state`.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        doing.begin(order)
        with doing.transaction():
            doing.go(order)
        return {"number": order, "state": "pending removal"}

    answer: dict[str, Any] = take(ledger, person, ASSET_ORDERS, "fetch", work, order, note=note, key=key)
    return answer


def exception_raised(doing: Doing, order: Document, **said: Any) -> str:  # noqa: ANN401
    """An exception of the driver's order and of the order that lost its asset, within a transaction; its number."""
    number = doing.next_number(EXCEPTIONS)
    step = doing.step.name
    details = {"order": order.number, "driver": doing.person.name, "during": step, **said}
    doing.book.documents.open(number, "raise", EXCEPTIONS.name, "open", counts=EXCEPTIONS.prefix, place=order.place,
                              details=details)  # fmt: skip
    doing.link(number, "order", order.number, step="raise")
    if said.get("lost_by"):
        doing.link(number, "lost_by", said["lost_by"], step="raise")
    return number


def marked(order: Document, exception: str) -> dict[str, Any]:
    """What an order says of an exception that concerns it."""
    return {"exceptions": [*order.details.get("exceptions", []), exception]}
