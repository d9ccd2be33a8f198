"""Partners and warehouses as flows see them: whose site it is, what it has, and what it may ask for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, within
from allocator.flows.quantities import whole_units
from allocator.flows.settings import settings_of
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.records import Account, Goods, Sku, day_of
from allocator.model.document import did_you_mean
from allocator.model.network import PartnerSettings, Site

REQUEST: Final = "part request"
SHIPMENT: Final = "shipment"

STATUSES: Final = ("available", "quarantine", "defective", "under repair")
"""The statuses that parts go through; the lifecycle preset `part` has them."""

LINES_TOLD: Final = 10
"""Lines of a document that a hint names."""

MONEY: Final = pl.Decimal(38, 6)
KEYS: Final[dict[str, Any]] = {"bu": pl.String, "asp": pl.String, "sku": pl.String}
STOCK: Final[dict[str, Any]] = {
    **KEYS, "qty_on_hand": pl.Int64, "qty_reserved": pl.Int64, "status": pl.String, "condition": pl.String,
    "blocked": pl.Boolean, "expires_on": pl.Date, "unit_cost": MONEY,
}  # fmt: skip
MOVING: Final[dict[str, Any]] = {**KEYS, "qty": pl.Int64}
SKUS: Final[dict[str, Any]] = {"sku": pl.String, "sku_group": pl.String, "unit_cost": MONEY, "pack": pl.Int64}


class Row(NamedTuple):
    """Goods in one account, and how many of them."""

    goods: Goods
    account_id: int
    account: Account
    qty: int
    reserved: int


def settings_in_force(doing: Doing) -> PartnerSettings:
    """What the flows of partners act by."""
    return settings_of(doing.book, PartnerSettings)


def site_named(settings: PartnerSettings, name: str, *, column: str = "party") -> Site:
    """A site by its name.

    Raises:
        InputError: `site_unknown`.
    """
    found = settings.site(name)
    if found is None:
        hint = did_you_mean(name, [site.name for site in settings.sites])
        problem = Problem("site_unknown", "there is no such site", column=column, value=name[:80], hint=hint)
        raise InputError(problem)
    return found


def partner_of(doing: Doing, settings: PartnerSettings, party: str) -> Site:
    """The partner for whom a person acts: their own, or the one that they name if they work for the business.

    Raises:
        InputError: `site_unknown`: there is none of this name, or it is not theirs: nobody can tell which.
    """
    wanted = party or doing.person.party
    partners = {site.name: site for site in settings.partners}
    if wanted not in partners or doing.person.party not in ("", wanted):
        hint = "" if doing.person.party else did_you_mean(wanted, list(partners))
        problem = Problem("site_unknown", "there is no such partner", column="party", value=wanted[:80], hint=hint)
        raise InputError(problem)
    return partners[wanted]


def warehouse_of(settings: PartnerSettings, name: str) -> Site:
    """The warehouse that supplies: the one that is named, or the first.

    Raises:
        InputError: `site_unknown`.
    """
    if not name and settings.warehouses:
        return settings.warehouses[0]
    found = next((site for site in settings.warehouses if site.name == name), None)
    if found is None:
        hint = did_you_mean(name, [site.name for site in settings.warehouses])
        message = "there is no such warehouse"
        raise InputError(Problem("site_unknown", message, column="warehouse", value=name[:80], hint=hint))
    return found


def bu_of(doing: Doing, site: Site, bu: str) -> str:
    """The business unit of a document: the one that is named, or the only one that both work for.

    Raises:
        InputError: `argument_value`: the person or the site does not work for it.
    """
    common = [each for each in site.bus or doing.person.bus if not doing.person.bus or each in doing.person.bus]
    if not bu:
        return common[0] if len(common) == 1 else ""
    if (site.bus or doing.person.bus) and bu not in common:
        message = f"{site.name} has nothing to do with this business unit for {doing.person.name}"
        raise InputError(Problem("argument_value", message, column="bu", value=bu[:80]))
    return bu


def no_part(sku: Sku) -> Problem | None:
    """Why a SKU is none that flows of partners handle: its lifecycle lacks a status of parts; None where it is one."""
    lacking = [status for status in STATUSES if status not in sku.lifecycle.state_of]
    if not lacking:
        return None
    hint = 'Define the SKU with lifecycle = "part", or with one that has its statuses'
    message = f"the lifecycle {sku.lifecycle.name} of {sku.sku} knows no status {', '.join(lacking)}"
    return Problem("setting_conflict", message, hint=hint)


def line_named(doing: Doing, document: Document, n: int) -> DocumentLine:
    """A line of a document by its number.

    Raises:
        InputError: `line_unknown`.
    """
    found = next(iter(doing.lines(document.number, [n])), None)
    if found is None:
        message, hint = (
            f"{document.number} has no such line",
            f"It has {numbers(e.n for e in doing.lines(document.number))}",
        )
        raise InputError(Problem("line_unknown", message, column="line", value=str(n), hint=hint))
    return found


def numbers(lines: Iterable[int]) -> str:
    """Numbers of lines, as a hint names them."""
    told = [str(n) for n in lines]
    more = f" and {len(told) - LINES_TOLD} more" if len(told) > LINES_TOLD else ""
    return f"line{'s' * (len(told) != 1)} {', '.join(told[:LINES_TOLD])}{more}"


def stock_rows(doing: Doing, place: str, skus: Collection[int] | None = None) -> list[Row]:
    """What is in stock at a place and below it, of some SKUs or of all, oldest first."""
    book = doing.book
    goods = [book.goods[number] for number in _goods_at(doing, place, skus)]
    rows = [
        Row(each, account_id, account, *book.balance(each.goods_id, account_id))
        for each in goods
        for account_id in book.accounts_of[each.goods_id]
        if _is_stock(account := book.catalog.accounts[account_id], place)
    ]
    book.catalog.load_sku_ids(book.session, {row.goods.sku_id for row in rows})
    return sorted(rows, key=lambda row: (row.goods.received_on, row.goods.goods_id, row.account_id))


def _goods_at(doing: Doing, place: str, skus: Collection[int] | None) -> list[int]:
    """The goods, of some SKUs or of all, of which anything is in stock at a place or below it."""
    book, accounts = doing.book, doing.book.catalog.accounts
    if skus is None:
        where, ids = "account_id", [number for number, account in accounts.items() if _is_stock(account, place)]
    else:
        where, ids = "sku_id", sorted(skus)
    sql = f"SELECT goods_id, account_id FROM balance WHERE tenant = :tenant AND {where} = ANY(:ids)"
    found = set(book.session.rows(sql, {"tenant": book.tenant, "ids": ids}))
    # What was moved there by requests that are written together with this one is in no table yet.
    found |= {key for key in book.written.balances if skus is None or book.goods[key[0]].sku_id in skus}
    there = {number for number in {account_id for _, account_id in found} if _is_stock(accounts[number], place)}
    goods = {goods_id for goods_id, account_id in found if account_id in there}
    book.load_goods(goods)
    return sorted(goods)


def _is_stock(account: Account, place: str) -> bool:
    return account.kind == "stock" and within(account.location, place)


class LimitRows(NamedTuple):
    """What a partner has and expects, in rows of the tables that `replenish` takes."""

    stock: list[tuple[Any, ...]]
    open_requests: list[tuple[Any, ...]]
    in_transit: list[tuple[Any, ...]]
    skus: list[tuple[Any, ...]]

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables."""
        schemas = zip(self._fields, self, (STOCK, MOVING, MOVING, SKUS), strict=True)
        return {name: pl.DataFrame(rows, schema=schema, orient="row") for name, rows, schema in schemas}


def limit_rows(doing: Doing, site: Site, bu: str, skus: Mapping[int, Sku] | None) -> LimitRows:
    """What a partner has and expects of some SKUs, or of all."""
    book = doing.book
    key = (bu, site.name)
    stock = [
        (*key, book.catalog.sku(row.goods.sku_id).sku, *_counted(book.catalog.sku(row.goods.sku_id), row))
        for row in stock_rows(doing, site.place, None if skus is None else list(skus))
    ]
    wanted, moving = (_by_sku(doing, key, expected) for expected in _expected(doing, site, skus))
    known = [
        (sku.sku, kept.sku_group, kept.unit_cost, kept.pack)
        for sku in (book.catalog.skus() if skus is None else skus.values())
        for kept in (sku.kept,)
    ]
    return LimitRows(stock, wanted, moving, known)


def _counted(sku: Sku, row: Row) -> tuple[Any, ...]:
    cost = row.goods.unit_cost or sku.kept.unit_cost
    expires = row.goods.expires_on
    return (
        whole_units(row.qty, sku), min(whole_units(row.reserved, sku), whole_units(row.qty, sku)), row.account.status,
        row.account.condition, bool(row.account.blocks), None if expires is None else day_of(expires),
        Decimal(cost) if cost else None,
    )  # fmt: skip


def _expected(doing: Doing, site: Site, skus: Mapping[int, Sku] | None) -> Iterator[list[tuple[int, int]]]:
    """SKU and steps of what a partner has asked for and not been sent, then of what is on its way to it."""
    documents = doing.book.documents
    for flow, left in ((REQUEST, still_wanted), (SHIPMENT, lambda line: line.qty - line.progress)):
        numbers = [each.number for each in documents.find(flow=flow, party=site.name, closed=0)]
        if skus is None:
            found = [line for number in numbers for line in documents.lines(number)]
        else:
            found = [line for _, line in documents.lines_of_skus(numbers, skus)]
        yield [(line.sku_id, left(line)) for line in found if line.sku_id is not None and left(line) > 0]


def still_wanted(line: DocumentLine) -> int:
    """What of a line of a part request is to be sent still: of what was asked, or was approved once that is decided."""
    return int(line.details.get("approved", line.qty)) - int(line.details.get("shipped", 0))


def _by_sku(doing: Doing, key: tuple[str, str], expected: Iterable[tuple[int, int]]) -> list[tuple[Any, ...]]:
    sums: dict[int, int] = {}
    for sku_id, steps in expected:
        sums[sku_id] = sums.get(sku_id, 0) + steps
    doing.book.catalog.load_sku_ids(doing.book.session, sums)
    return [
        (*key, sku.sku, whole_units(steps, sku))
        for sku_id, steps in sums.items()
        if (sku := doing.book.catalog.sku(sku_id))
    ]


def today(doing: Doing) -> dt.date:
    """The day of the step."""
    return day_of(doing.said["day"])
