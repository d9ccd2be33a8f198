"""The office reconciles exceptions, cancels orders, and says which asset is where; what waits for it (FA-5, FA-10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.assets.asset import (
    AVAILABLE,
    IN_USE,
    MISSING,
    Asset,
    asset_of,
    free_assets,
    freed,
    left_at,
    own_asset,
    promise,
    seen_now,
    taken,
)
from allocator.flows.assets.order import ASSET_ORDERS, EXCEPTIONS, settings_for
from allocator.flows.doing import Doing, Person, check_reason, look, take
from allocator.flows.given import checked
from allocator.ledger.documents import Document
from allocator.ledger.records import moment_of

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger


@checked
def assign_asset(ledger: Ledger, order: str, asset: str, person: Person, *, note: str, key: str = "") -> dict[str, Any]:
    """Gives an order without an asset another one, which is where the order says; its exception is resolved (FA-10).

    Before the delivery the asset is reserved, after it the books say that it is at the site.

    Returns:
        `number`, `state`, `asset`, `resolved`: the exception, or None.

    Raises:
        InputError: `asset_taken`: another order has it; `asset_unfit`: of another product, or the order has one;
            `note_missing`, `goods_unknown`, `document_unknown`, `step_impossible`, `role_missing`.
    """
    _check_note(note)

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document = doing.begin(order)
        if own_asset(doing, order) is not None:
            raise InputError(Problem("asset_unfit", f"{order} has an asset", column="number", value=order))
        found = asset_of(doing, asset, document)
        (line,) = doing.lines(order)
        assert line.sku_id is not None
        if found.sku != (wanted := doing.book.catalog.sku(line.sku_id).sku):
            message = f"{found.serial} is a {found.sku}, and a {wanted} is ordered"
            raise InputError(Problem("asset_unfit", message, column="asset", value=found.serial))
        if found.order is not None or found.account.blocks or found.account.status not in (AVAILABLE, MISSING):
            raise taken(doing, found, found.sku)
        _put(doing, document, found)
        exception = document.details.get("assign")
        with doing.transaction():
            doing.line(order, 1, goods_id=found.goods_id)
            doing.go(order, document.state, details={"assign": None})
            if exception in _open_numbers(doing):
                doing.go(exception, step="assign", details={"note": note, "assigned": found.serial,
                                                            "resolved_by": person.name})  # fmt: skip
            else:
                exception = None
        return {"number": order, "state": document.state, "asset": found.serial, "resolved": exception}

    answer: dict[str, Any] = take(ledger, person, ASSET_ORDERS, "assign", work, order, asset, note=note, key=key)
    return answer


def _check_note(note: str) -> None:
    if not note:
        hint = "Say in note what you found out"
        raise InputError(Problem("note_missing", "reconciling needs a note", column="note", hint=hint))


def _open_numbers(doing: Doing) -> set[str]:
    return {each.number for each in doing.book.documents.find(flow=EXCEPTIONS.name, state="open")}


def _put(doing: Doing, order: Document, asset: Asset) -> None:
    """The books say that an asset is where the order is."""
    freed(doing, asset, order.number)
    if order.state == "pending delivery":
        promise(doing, order, asset)
    elif asset.account.kind == "rental" and asset.account.holder == order.place:
        with doing.transaction("change_status", document=order.number, document_kind=ASSET_ORDERS.name) as heading:
            doing.post(heading, [{"serial": asset.serial, "sku": asset.sku, "to_status": IN_USE}])
    else:
        settings = settings_for(doing)
        said = {"document": order.number, "document_kind": ASSET_ORDERS.name}
        if asset.account.kind == "rental":
            with doing.transaction("return", **said) as heading:
                doing.post(heading, [{"serial": asset.serial, "sku": asset.sku, "to_location": settings.yard}])
        with doing.transaction("rent", **said) as heading:
            left_at(doing, heading, asset, order.place)


@checked
def confirm_exception(ledger: Ledger, exception: str, person: Person, *, note: str, key: str = "") -> dict[str, Any]:
    """Leaves everything as the driver booked it; the order that lost its asset leaves the queue (FA-10).

    Returns:
        `number`, `state`.

    Raises:
        InputError: `note_missing`, `document_unknown`, `step_impossible`, `role_missing`.
    """
    _check_note(note)

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document = doing.begin(exception)
        lost_by = doing.book.documents.get(document.details.get("lost_by") or "")
        with doing.transaction():
            doing.go(exception, details={"note": note, "resolved_by": person.name})
            if lost_by is not None and lost_by.details.get("assign") == exception and not lost_by.closed:
                doing.go(lost_by.number, lost_by.state, step="confirm", details={"assign": None})
        return {"number": exception, "state": "resolved"}

    answer: dict[str, Any] = take(ledger, person, EXCEPTIONS, "confirm", work, exception, note=note, key=key)
    return answer


@checked
def cancel_asset_order(ledger: Ledger, order: str, person: Person, *, reason: str, key: str = "") -> dict[str, Any]:
    """Gives up an order before its delivery; an asset that was reserved for it is available again.

    Raises:
        InputError: `reason_missing`, `document_unknown`, `step_impossible`, `role_missing`.
    """
    check_reason(reason, "cancelling")

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        doing.begin(order)
        own = own_asset(doing, order)
        if own is not None:
            freed(doing, own, order)
        with doing.transaction():
            doing.line(order, 1, goods_id=None)
            doing.go(order, details={"assign": None})
        return {"number": order, "state": "cancelled"}

    answer: dict[str, Any] = take(ledger, person, ASSET_ORDERS, "cancel", work, order, reason=reason, key=key)
    return answer


CHOICES: Final = {"asset": pl.String, "list": pl.String, "seen": pl.String, "exception": pl.Boolean}
QUEUE: Final = {"number": pl.String, "state": pl.String, "site": pl.String, "sku": pl.String, "material": pl.String,
                "exception": pl.String}  # fmt: skip
OPEN_EXCEPTIONS: Final[dict[str, Any]] = {
    "number": pl.String, "opened_at": pl.Datetime("us", "UTC"), "during": pl.String, "order": pl.String,
    "driver": pl.String, "asset": pl.String, "status": pl.String, "lost_by": pl.String, "missing": pl.String,
    "photo": pl.String,
}  # fmt: skip


@checked
def choices(ledger: Ledger, order: str, person: Person) -> pl.DataFrame:
    """The assets that may be chosen for an order now, as its settings let: what the driver's app shows.

    Returns:
        One row per asset, by list: `asset`; `list`: `own`, `on site`, `available` or `global`; `seen`, to be said when
        it is chosen; and whether that would be an `exception`.

    Raises:
        InputError: `document_unknown`, `role_missing`.
    """

    def asked(doing: Doing) -> list[tuple[str, str, str, bool]]:
        settings = settings_for(doing)
        document = doing.document(order, ASSET_ORDERS.name)
        removing = document.state == "pending removal"
        own = own_asset(doing, order)
        rows = [(own.serial, "own", own.seen, False)] if own else []
        (line,) = doing.lines(order)
        assert line.sku_id is not None
        sku = doing.book.catalog.sku(line.sku_id).sku
        flexible = settings.flexible_removal if removing else settings.flexible_delivery
        free = set(free_assets(doing, sku)) if not removing or flexible else set()
        others = [each for goods in doing.book.goods_of(line.sku_id) if (each := seen_now(doing, goods.goods_id))]
        for each in others if flexible else [each for each in others if each.serial in free]:
            if (own and each.goods_id == own.goods_id) or each.account.blocks:
                continue
            if each.serial in free:
                rows.append((each.serial, "available", each.seen, removing))
            elif removing and _same_site(document, each):
                rows.append((each.serial, "on site", each.seen, False))
            else:
                rows.append((each.serial, "global", each.seen, True))
        return sorted(rows, key=lambda row: (_LISTS.index(row[1]), row[0]))

    return pl.DataFrame(look(ledger, person, asked), schema=CHOICES, orient="row")


_LISTS: Final = ("own", "on site", "available", "global")


def _same_site(order: Document, asset: Asset) -> bool:
    other = asset.order
    same = other is not None and (other.place, other.details["material"]) == (order.place, order.details["material"])
    return same and other is not None and other.state in ("in use", "pending removal")


@checked
def assign_queue(ledger: Ledger, person: Person) -> pl.DataFrame:
    """The queue 'assign asset': orders that stand without an asset, by number (FA-5).

    Returns:
        `number`, `state`, `site`, `sku`, `material`, and `exception`: by which it lost its asset; null if it never had
        one, since assets were not tracked when it was delivered (FA-12).
    """

    def asked(doing: Doing) -> list[tuple[Any, ...]]:
        if not settings_for(doing).tracked:
            return []
        rows = []
        for each in doing.book.documents.find(flow=ASSET_ORDERS.name, closed=0):
            if "assign" in each.details:
                (line,) = doing.lines(each.number)
                assert line.sku_id is not None
                sku, why = doing.book.catalog.sku(line.sku_id).sku, each.details["assign"]
                rows.append((each.number, each.state, each.place, sku, each.details["material"] or None,
                             None if why == "untracked" else why))  # fmt: skip
        return sorted(rows)

    return pl.DataFrame(look(ledger, person, asked), schema=QUEUE, orient="row")


@checked
def open_exceptions(ledger: Ledger, person: Person) -> pl.DataFrame:
    """What the office has to reconcile, the oldest first (FA-5, FA-9, FA-10).

    Returns:
        `number`, `opened_at`, `during` (`deliver` or `remove`), `order` and `driver`, `asset` and its `status` then,
        `lost_by` (the order that had it), `missing` (the asset that nobody can locate now), `photo`; null without.
    """

    def asked(doing: Doing) -> list[tuple[Any, ...]]:
        settings_for(doing)
        found = doing.book.documents.find(flow=EXCEPTIONS.name, state="open")
        names = list(OPEN_EXCEPTIONS)[2:]
        return [(e.number, moment_of(e.opened_at), *(e.details.get(name) for name in names)) for e in found]

    return pl.DataFrame(look(ledger, person, asked), schema=OPEN_EXCEPTIONS, orient="row")


@checked
def report_missing(ledger: Ledger, asset: str, person: Person, *, note: str = "", key: str = "") -> int:
    """Says that an asset is not where the books have it; an order that has it keeps it. The transaction's number.

    Raises:
        InputError: `goods_unknown`, `transition_unlisted`: nobody can locate it already; `role_missing`.
    """
    look(ledger, person, settings_for)
    return ledger.post("change_status", {"serial": asset, "to_status": MISSING}, actor=person.name, role=person.role,
                       note=note, key=key)  # fmt: skip
