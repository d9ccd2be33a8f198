"""Devices of subscriptions: they join, services are enabled on them, they are replaced, and they leave (WD-17).

A device of a subscription has the characteristic `subscription.id`, and `service.<name>` for each enabled service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.devices import enabled_services
from allocator.ledger.given import check
from allocator.ledger.lines import mapping, read_lines, text
from allocator.ledger.records import Account, Heading
from allocator.ledger.selection import load, unit, where
from allocator.ledger.snapshot import snapshot
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.ledger import Ledger

SUBSCRIPTION: Final = "subscription.id"
_JOINED: Final = {"subscription": text, "customer": text}
WITH_CUSTOMER: Final = ("customer", "rental", "own")


class Found(NamedTuple):
    """A device: its goods, where it is, and the subscription that it is of ('' for none)."""

    goods_id: int
    account: Account
    subscription: str


def subscribe(
    ledger: Ledger, serial: str, subscription: str, *, customer: str, document: str, actor: str, key: str = ""
) -> int:
    """Adds a device to a subscription; the number of the first transaction.

    One that is in the warehouse and can be rented out is rented to the customer by it; one that the customer owns stays
    as it is.

    Raises:
        InputError: `device_unfit`: every reason why it cannot join; `goods_unknown`, `document_missing`.
    """
    check("serial", "subscription", "customer", serial=serial, subscription=subscription, customer=customer)
    heading = ledger.heading("rent", actor=actor, document=document, key=key)
    (said,) = read_lines([{"subscription": subscription, "customer": customer}], columns=_JOINED)

    def work(book: Book) -> int:
        return _join(book, heading, serial, **said)

    return int(ledger.do(work, heading, serial, *said.values()))


def unsubscribe(ledger: Ledger, serial: str, *, actor: str, reason: str = "", key: str = "") -> int:
    """Takes a device out of its subscription; the number of the transaction.

    A rented device stays rented: it comes back by an explicit return.

    Raises:
        InputError: `device_unfit`: it is of no subscription; `service_enabled`: with every service that is.
    """
    check("serial", serial=serial)
    heading = ledger.heading("note", actor=actor, reason=reason, key=key)

    def work(book: Book) -> int:
        found = member(book, serial)
        if enabled := enabled_services(book, found.goods_id):
            raise InputError(
                Problem("service_enabled", "a service is enabled on it", column="serial", value=name,
                        hint="Disable it first, or replace the device")
                for name in enabled
            )  # fmt: skip
        return _note(book, heading, serial, "subscription left", {SUBSCRIPTION: ""})

    return int(ledger.do(work, heading, serial))


def replace_device(
    ledger: Ledger, serial: str, by: str, *, document: str, actor: str, reason: str = "", key: str = ""
) -> int:
    """Puts another device in the place of one, with its subscription and the services that are enabled on it.

    The one that is replaced stays where it is, and rented if it was: it comes back by an explicit return.

    Returns:
        The number of the first transaction.

    Raises:
        InputError: `device_unfit`: the new one cannot join, or does not offer a service that is enabled on the old one.
    """
    check("serial", "other", serial=serial, other=by)
    heading = ledger.heading("rent", actor=actor, document=document, reason=reason, key=key)

    def work(book: Book) -> int:
        old = member(book, serial)
        services = {f"service.{name}": "enabled" for name in enabled_services(book, old.goods_id)}
        seq = _join(book, heading, by, old.subscription, customer=old.account.holder, services=services)
        ended = dict.fromkeys(services, "") | {SUBSCRIPTION: ""}
        _note(book, heading._replace(key=""), serial, f"replaced by {by}", ended)
        return seq

    return int(ledger.do(work, heading, serial, by))


def enable_service(ledger: Ledger, serial: str, service: str, *, actor: str, key: str = "") -> int:
    """Enables a service on a device of a subscription; the number of the transaction.

    Raises:
        InputError: `device_unfit`: it is of no subscription, or not with a customer; `setting_unknown`: its SKU does
            not offer the service.
    """
    return _set_service(ledger, serial, service, "enabled", actor=actor, key=key)


def disable_service(ledger: Ledger, serial: str, service: str, *, actor: str, key: str = "") -> int:
    """Disables a service on a device; the number of the transaction. Raises as `enable_service`."""
    return _set_service(ledger, serial, service, "", actor=actor, key=key)


def log_usage(
    ledger: Ledger, serial: str, service: str, usage: Mapping[str, object], *, actor: str, key: str = ""
) -> int:
    """Records what a device used of a service; the number of the transaction.

    Raises:
        InputError: `device_unfit`: it does not belong to a customer yet, or the service is not enabled on it.
    """
    check("serial", "service", "usage", serial=serial, service=service, usage=usage)
    heading = ledger.heading("note", actor=actor, key=key)
    said = mapping(usage) | {"service": service}

    def work(book: Book) -> int:
        found = member(book, serial)
        if service not in enabled_services(book, found.goods_id):
            hint = f"Enabled are {', '.join(enabled_services(book, found.goods_id)) or 'none'}"
            message = "the service is not enabled on it"
            raise InputError(Problem("device_unfit", message, column="service", value=service[:80], hint=hint))
        (line,) = read_lines([{"serial": serial, "event": "usage", "details": said}])
        return change.post(book, heading, [line])

    return int(ledger.do(work, heading, serial, service, said))


def services(ledger: Ledger, customer: str) -> pl.DataFrame:
    """On which of a customer's devices a service can be enabled, and on which it is.

    Returns:
        One row per device of a subscription and service that its SKU offers: `subscription`, `sku`, `serial`,
        `service`, `enabled` (Boolean).
    """
    check("customer", customer=customer)
    names = ("subscription", "sku", "serial", "settings", "goods_id")
    sql = (
        "SELECT s.value, k.sku, n.value, k.settings, b.goods_id FROM account a "
        "JOIN balance b ON b.tenant = a.tenant AND b.account_id = a.account_id AND b.unit = 1 "
        "JOIN sku k ON k.tenant = b.tenant AND k.sku_id = b.sku_id "
        "JOIN number n ON n.tenant = b.tenant AND n.goods_id = b.goods_id AND n.kind = 'serial' "
        "AND n.until_seq IS NULL "
        "JOIN attribute s ON s.tenant = b.tenant AND s.goods_id = b.goods_id AND s.name = 'subscription.id' "
        "WHERE a.tenant = :tenant AND a.holder = :holder AND a.kind = ANY(:names) AND s.value <> ''"
    )
    schema = dict.fromkeys(names, pl.String) | {"goods_id": pl.Int64}
    with snapshot(ledger) as moment:
        found = moment.frame(sql, schema, holder=customer, names=list(WITH_CUSTOMER))
        on = moment.frame(
            "SELECT goods_id, name FROM attribute WHERE tenant = :tenant AND goods_id = ANY(:ids) "
            "AND value = 'enabled'",
            {"goods_id": pl.Int64, "name": pl.String}, ids=found["goods_id"].to_list(),
        )  # fmt: skip
    offered = pl.col("settings").str.json_decode(pl.Struct({"services": pl.List(pl.String)})).struct.field("services")
    each = found.with_columns(service=offered).explode("service").drop_nulls("service")
    enabled = on.with_columns(service=pl.col("name").str.strip_prefix("service."), enabled=True).drop("name")
    told = each.join(enabled, on=["goods_id", "service"], how="left").with_columns(
        pl.col("enabled").fill_null(value=False)
    )
    return told.select("subscription", "sku", "serial", "service", "enabled").sort("sku", "serial", "service")


def find(book: Book, serial: str) -> Found:
    """A device by any of its numbers.

    Raises:
        InputError: `goods_unknown`, `goods_ambiguous`.
    """
    line = {"serial": serial}
    load(book, [line])
    goods_id = unit(book, line, None)
    book.catalog.load_sku_ids(book.session, [book.goods[goods_id].sku_id])
    accounts = [book.catalog.accounts[account_id] for account_id in book.accounts_of[goods_id]]
    if not accounts:
        raise InputError(Problem("goods_unknown", "it is nowhere any more", column="serial", value=serial[:80]))
    return Found(goods_id, accounts[0], book.values([SUBSCRIPTION], [goods_id]).get((goods_id, SUBSCRIPTION), ""))


def member(book: Book, serial: str) -> Found:
    """A device of a subscription, with its customer.

    Raises:
        InputError: `device_unfit`: it is of none, or with nobody; `goods_unknown`.
    """
    found = find(book, serial)
    reasons = [] if found.subscription else ["it is of no subscription"]
    if found.account.kind not in WITH_CUSTOMER:
        reasons.append(f"it does not belong to a customer: it is {where(book, found.goods_id)}")
    if reasons:
        raise InputError(_unfit(reason, serial) for reason in reasons)
    return found


def _unfit(reason: str, serial: str) -> Problem:
    return Problem("device_unfit", reason, column="serial", value=serial[:80], hint="Add it to the subscription first")


def _join(
    book: Book, heading: Heading, serial: str, subscription: str, *, customer: str,
    services: Mapping[str, str] | None = None,
) -> int:  # fmt: skip
    found = check_join(book, serial, customer, services or {})
    told = {SUBSCRIPTION: subscription, **(services or {})}
    if found.account.kind != "stock":
        return _note(book, heading, serial, "subscription joined", told)
    seq = change.post(book, heading, [{"serial": serial, "to_holder": customer}])
    _note(book, heading._replace(key=""), serial, "subscription joined", told)
    return seq


def check_join(book: Book, serial: str, customer: str, services: Mapping[str, str]) -> Found:
    """A device that can join a subscription of a customer, with the characteristics of services enabled on it.

    Raises:
        InputError: `device_unfit`: every reason why it cannot; `goods_unknown`.
    """
    found = find(book, serial)
    reasons = _against(book, found, customer, services)
    if reasons:
        hint = "It must be in the warehouse and rentable, or owned by the customer"
        raise InputError(
            Problem("device_unfit", reason, column="serial", value=serial[:80], hint=hint) for reason in reasons
        )
    return found


def _against(book: Book, found: Found, customer: str, services: Mapping[str, str]) -> list[str]:
    """Why a device cannot join a subscription of a customer."""
    goods_id, account, subscription = found
    sku = book.catalog.sku(book.goods[goods_id].sku_id)
    reasons = [f"it is of subscription {subscription} already"] if subscription else []
    if account.kind == "stock":
        tests: dict[str, Callable[[], bool]] = {
            f"it is blocked: {account.blocks}": lambda: bool(account.blocks),
            f"{sku.sku} is not rented out": lambda: not sku.kept.rentable,
            f"it is {account.status}": lambda: account.status not in sku.lifecycle.statuses_allocatable,
            "it is promised to an order": lambda: any(
                book.balance(goods_id, account_id).reserved for account_id in book.accounts_of[goods_id]
            ),
        }
        reasons += [reason for reason, holds in tests.items() if holds()]
    elif account.kind not in ("customer", "own") or account.owner != customer:
        reasons.append(f"it is neither in the warehouse nor owned by {customer}: it is {where(book, goods_id)}")
    lacking = [
        name.removeprefix("service.") for name in services if name.removeprefix("service.") not in sku.kept.services
    ]
    return [*reasons, *(f"it does not offer {name}, which is enabled" for name in lacking)]


def _set_service(ledger: Ledger, serial: str, service: str, value: str, *, actor: str, key: str) -> int:
    check("serial", "service", serial=serial, service=service)
    heading = ledger.heading("note", actor=actor, key=key)

    def work(book: Book) -> int:
        found = member(book, serial)
        offered = book.catalog.sku(book.goods[found.goods_id].sku_id).kept.services
        if service not in offered:
            hint = did_you_mean(service, list(offered)) or f"It offers {', '.join(offered) or 'none'}"
            message = "the device does not offer this service"
            raise InputError(Problem("setting_unknown", message, column="service", value=service[:80], hint=hint))
        event = f"service {value or 'disabled'}"
        return _note(book, heading, serial, event, {f"service.{service}": value})

    return int(ledger.do(work, heading, serial, service, value))


def _note(book: Book, heading: Heading, serial: str, event: str, attributes: Mapping[str, str]) -> int:
    (line,) = read_lines([{"serial": serial, "event": event, "attributes": attributes}])
    return change.post(book, heading._replace(type="note"), [line])
