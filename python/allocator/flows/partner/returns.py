"""Returns to the warehouse: candidates, a request approved by line, and the challan DC_WAREHOUSE (SP-16 to SP-19)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.flows.doing import Doing, Person, all_problems, look, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.named import Candidate, chosen
from allocator.flows.partner.network import (
    MONEY,
    Row,
    bu_of,
    partner_of,
    settings_in_force,
    site_named,
    stock_rows,
    today,
    warehouse_of,
)
from allocator.flows.partner.provenance import provenance
from allocator.flows.partner.shipments import CHALLANS_WAREHOUSE, in_json, read_references, sku_of
from allocator.flows.partner.supply import DECIDED, decided
from allocator.flows.quantities import as_qty, quantity, read_qty
from allocator.ledger.documents import DocumentLine
from allocator.ledger.known import Key
from allocator.ledger.lines import Lines, Unfit, number, read_lines, text
from allocator.ledger.records import day_of
from allocator.ledger.selection import stock_id
from allocator.model.document import did_you_mean
from allocator.model.network import PartnerSettings, Site

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

RETURNS: Final = known(
    Flow(
        name="return request",
        prefix="RR",
        says="Stock that a partner asks to send back: defective, damaged, expired or unused.",
        states={
            "requested": "Waits for the operations team to decide, line by line.",
            "approved": "Waits to be packed and shipped.",
            "shipped": "On its way to the warehouse; it has left the partner's stock.",
            "received": "The warehouse has counted it.",
            "rejected": "No line was approved.",
            "withdrawn": "The partner keeps it.",
        },
        closed=("received", "rejected", "withdrawn"),
        steps=(
            Step("raise", "The partner selects stock to go back.", ("",), ("requested",), ("storekeeper",)),
            Step("decide", "Each line is approved, reduced or rejected, with a reason.", ("requested",),
                 ("approved", "rejected"), ("operations",)),
            Step("ship", "What is approved leaves the partner's stock, on DC_WAREHOUSE.", ("approved",), ("shipped",),
                 ("storekeeper",)),
            Step("withdraw", "The partner keeps it after all.", ("requested", "approved"), ("withdrawn",),
                 ("storekeeper",)),
            Step("receive", "The warehouse counted what arrived.", ("shipped",), ("received", "shipped")),
        ),
    )
)  # fmt: skip

WHY: Final = ("defective", "damaged", "expired", "unused")
"""Why stock may go back; the first that holds."""


def _read_why(value: object) -> str:
    why = text(value)
    if why not in WHY:
        hint = did_you_mean(why, WHY) or f"There are {', '.join(WHY)}"
        raise Unfit("argument_value", "stock does not go back for this", hint)
    return why


ASKED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "stock_id": number, "serial": text, "sku": text, "lot": text, "qty": read_qty, "why": _read_why,
}  # fmt: skip

CANDIDATE: Final[dict[str, Any]] = {
    "stock_id": pl.Int64, "sku": pl.String, "lot": pl.String, "serial": pl.String, "qty": pl.String, "why": pl.String,
    "condition": pl.String, "location": pl.String, "received_on": pl.Date, "expires_on": pl.Date, "age_days": pl.Int64,
    "value": MONEY, "jobs": pl.List(pl.String), "orders": pl.List(pl.String),
}  # fmt: skip


@checked
def return_candidates(ledger: Ledger, person: Person, *, party: str = "") -> pl.DataFrame:
    """What a partner could send back: defective, damaged, expired, or long unused (SP-16).

    Returns:
        One row per stock row that is free and on no open return request, oldest first: `stock_id`, `sku`, `lot`,
        `serial`, `qty` (text, in units), `why` (one of `WHY`), `condition`, `location`, `received_on`, `expires_on`,
        `age_days` since its receipt, `value` (null without a cost), and where it came from: `jobs` (service orders)
        and `orders` (of the ERP).
    """

    def asked(doing: Doing) -> pl.DataFrame:
        settings = settings_in_force(doing)
        site = partner_of(doing, settings, party)
        found = candidates(doing, settings, site)
        tied = provenance(doing, {row.goods.goods_id for row, _, _ in found})
        rows = [_told(doing, row, qty, why, tied[row.goods.goods_id]) for row, qty, why in found]
        return pl.DataFrame(rows, schema=CANDIDATE, orient="row")

    return look(ledger, person, asked)


def candidates(doing: Doing, settings: PartnerSettings, site: Site) -> list[tuple[Row, int, str]]:
    """Stock of a partner that could go back, how much of it is free and not asked for, and why."""
    day = today(doing)
    taken = _asked_for(doing, site)
    found = []
    for row in stock_rows(doing, site.place):
        why = why_of(row, day, settings)
        free = row.qty - row.reserved - taken.get((row.goods.goods_id, row.account_id), 0)
        if why and free > 0:
            found.append((row, free, why))
    return found


def why_of(row: Row, day: dt.date, settings: PartnerSettings) -> str:
    """Why stock may go back; '' where it should stay."""
    if row.account.condition == "defective":
        return "defective" if row.account.status == "defective" else ""
    if row.account.condition == "damaged" or row.account.status == "quarantine":
        return "damaged"
    if row.goods.expires_on is not None and day_of(row.goods.expires_on) < day:
        return "expired"
    age = (day - day_of(row.goods.received_on)).days
    return "unused" if row.account.status == "available" and age >= settings.unused_days else ""


def _asked_for(doing: Doing, site: Site) -> dict[tuple[int, int], int]:
    """What of which stock is on open return requests."""
    documents = doing.book.documents
    taken: dict[tuple[int, int], int] = {}
    for document in documents.find(flow=RETURNS.name, party=site.name, closed=0):
        if document.state in ("requested", "approved"):
            for line in documents.lines(document.number):
                key = (line.goods_id or 0, line.details["account"])
                taken[key] = taken.get(key, 0) + int(line.details.get("approved", line.qty))
    return taken


def _told(doing: Doing, row: Row, qty: int, why: str, tied: Mapping[str, list[str]]) -> tuple[Any, ...]:
    sku = doing.book.catalog.sku(row.goods.sku_id)
    cost = row.goods.unit_cost or sku.kept.unit_cost
    received, expires = row.goods.received_on, row.goods.expires_on
    return (
        stock_id(row.goods.goods_id, row.account_id), sku.sku, row.goods.lot or None, row.goods.serial or None,
        str(quantity(qty, sku)), why, row.account.condition, row.account.location, day_of(received),
        None if expires is None else day_of(expires), (today(doing) - day_of(received)).days,
        Decimal(cost) * Decimal(qty).scaleb(-sku.scale) if cost else None, tied["jobs"], tied["orders"],
    )  # fmt: skip


def _candidate(doing: Doing, found: tuple[Row, int, str]) -> Candidate[tuple[Row, str]]:
    row, free, why = found
    says = {"stock_id": stock_id(row.goods.goods_id, row.account_id), "lot": row.goods.lot, "why": why}
    return Candidate((row, why), doing.book.catalog.sku(row.goods.sku_id), row.goods.goods_id, free, says)


@checked
def raise_return(
    ledger: Ledger, lines: Lines, person: Person, *, party: str = "", warehouse: str = "", note: str = "", key: str = ""
) -> dict[str, Any]:
    """Asks to send stock back to the warehouse (SP-16); it stays in stock until it ships.

    Args:
        ledger: The ledger.
        lines: One line per `stock_id` of a candidate, per `serial`, or per `sku` (with `qty` and `why`, and `lot`).
        person: A storekeeper of the partner.
        party: The partner; the person's own if left out.
        warehouse: Where it goes; the first one of the settings if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and `lines`: `line`, `sku`, `serial`, `lot`, `qty`, `why`, `jobs`, `orders`.

    Raises:
        InputError: `goods_unknown`: no such stock is a candidate; `stock_short`; `value_null`; `argument_value`.
    """
    rows = read_lines(lines, (), ASKED)

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_in_force(doing)
        with all_problems() as part:
            with part():
                site = partner_of(doing, settings, party)
                found = [_candidate(doing, each) for each in candidates(doing, settings, site)]
                goods = chosen(doing, rows, found, table="lines", none="no such stock can go back",
                               hint="See return_candidates", there="can go back")  # fmt: skip
            with part():
                place = warehouse_of(settings, warehouse).name
        tied = provenance(doing, {row.goods.goods_id for (row, _), _ in goods})
        with doing.transaction():
            request = doing.open(RETURNS, "requested", bu=bu_of(doing, site, ""), party=site.name, place=place)
            told = []
            for n, ((row, why), qty) in enumerate(goods, start=1):
                sku, from_ = doing.book.catalog.sku(row.goods.sku_id), tied[row.goods.goods_id]
                doing.line(request, n, sku_id=sku.sku_id, goods_id=row.goods.goods_id, qty=qty, state="requested",
                           details={"account": row.account_id, "why": why, **from_})  # fmt: skip
                said = {"serial": row.goods.serial or None, "lot": row.goods.lot or None, "qty": quantity(qty, sku)}
                told.append({"line": n, "sku": sku.sku, **said, "why": why, **from_})
        return {"number": request, "state": "requested", "lines": told}

    asked = (rows, party, warehouse)
    answer: dict[str, Any] = take(ledger, person, RETURNS, "raise", work, *asked, key=key, note=note)
    return answer


@checked
def decide_return(
    ledger: Ledger, request: str, decisions: Lines, person: Person, *, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Approves, reduces or rejects each line of a return request (SP-17); nothing ships that is not approved.

    Arguments, answer and refusals are those of `decide_request`.
    """
    rows = read_lines(decisions, ("line", "qty"), DECIDED, "decisions")

    def work(doing: Doing) -> dict[str, Any]:
        return decided(doing, request, rows)

    answer: dict[str, Any] = take(ledger, person, RETURNS, "decide", work, request, rows, key=key, note=note)
    return answer


@checked
def withdraw_return(ledger: Ledger, request: str, person: Person, *, reason: str = "", key: str = "") -> dict[str, Any]:
    """Keeps what was asked to go back, and is not shipped."""

    def work(doing: Doing) -> dict[str, Any]:
        doing.begin(request)
        with doing.transaction():
            doing.go(request)
        return {"number": request, "state": "withdrawn"}

    answer: dict[str, Any] = take(ledger, person, RETURNS, "withdraw", work, request, key=key, reason=reason)
    return answer


@checked
def ship_return(
    ledger: Ledger,
    request: str,
    person: Person,
    *,
    carrier: str,
    references: Mapping[str, str] | None = None,
    note: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Ships what was approved on DC_WAREHOUSE: it leaves the partner's stock at once (SP-18).

    Args:
        ledger: The ledger.
        request: The number of the return request.
        person: A storekeeper of the partner.
        carrier: Who carries it.
        references: Further references by kind.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` of the challan, the `request` and its `state`, and `lines`, each with the `jobs` and `orders` that the
        goods were tied to (SP-19).

    Raises:
        InputError: `document_unknown`, `step_impossible`; `goods_unknown`, `stock_short`: it is no longer there, or
            promised to a job meanwhile.
    """
    told = read_references(references)

    def work(doing: Doing) -> dict[str, Any]:
        asked = doing.begin(request)
        settings = settings_in_force(doing)
        warehouse = site_named(settings, asked.place, column="warehouse")
        lines = [line for line in doing.lines(request) if line.details["approved"]]
        doing.book.load_goods(line.goods_id for line in lines if line.goods_id is not None)
        challan = doing.next_number(CHALLANS_WAREHOUSE)
        said = {"document": challan, "document_kind": "DC_WAREHOUSE", "details": in_json(told | {"return": request})}
        goods = [_leaving(doing, line, carrier, warehouse) for line in lines]
        with doing.transaction("ship", **said) as heading:
            went = doing.post(heading, goods)
            details = {"carrier": carrier, "return": request, "references": told}
            doing.open(CHALLANS_WAREHOUSE, "in transit", number=challan, counterparty=asked.party, bu=asked.bu,
                       place=asked.place, details=details)  # fmt: skip
            doing.link(challan, "return", request)
            for kind, other in told.items():
                doing.link(challan, kind, other)
            shipped = [_shipped(doing, challan, n, line, went) for n, line in enumerate(lines, start=1)]
            for line in lines:
                doing.line(request, line.n, progress=line.details["approved"], state="shipped")
            doing.go(request, marks=["shipped"])
        return {"number": challan, "request": request, "state": "shipped", "lines": shipped}

    answer: dict[str, Any] = take(ledger, person, RETURNS, "ship", work, request, carrier, told, key=key, note=note)
    return answer


def _leaving(doing: Doing, line: DocumentLine, carrier: str, warehouse: Site) -> dict[str, Any]:
    """What of a line leaves the partner's stock."""
    goods_id = line.goods_id or 0
    qty = as_qty(line.details["approved"], sku_of(doing, goods_id))
    return {"stock_id": stock_id(goods_id, line.details["account"]), "qty": qty, "to_location": warehouse.place,
            "to_holder": carrier}  # fmt: skip


def _shipped(doing: Doing, challan: str, n: int, line: DocumentLine, went: Mapping[Key, int]) -> dict[str, Any]:
    goods, sku = doing.book.goods[line.goods_id or 0], sku_of(doing, line.goods_id or 0)
    tied = {name: line.details[name] for name in ("why", "jobs", "orders")}
    details = {"account": went[goods.goods_id, line.details["account"]], "request_line": line.n, **tied}
    qty = line.details["approved"]
    doing.line(challan, n, sku_id=sku.sku_id, goods_id=goods.goods_id, qty=qty, state="in transit", details=details)
    return {"line": n, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None,
            "qty": quantity(qty, sku), **tied}  # fmt: skip
