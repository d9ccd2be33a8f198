"""Devices: what they are, those that customers bring themselves, and those that belong to subscriptions.

`docs/ledger-devices.md` says in words what each does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger.given import check
from allocator.ledger.identity import check_number_free, in_json, tell, told_of
from allocator.ledger.lines import Lines, read_lines
from allocator.ledger.records import Account, Goods, Heading, Movement, Sku
from allocator.ledger.rules import check_status
from allocator.ledger.selection import load, unit, where
from allocator.ledger.snapshot import blank_to_null, snapshot
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.ledger import Ledger

OWN: Final = "Own Device"
"""The state of a device that a customer brought; a lifecycle for such devices has a status of it."""

BLOCKED: Final = "Blocked"
"""The state that a device is shown in while it is blocked."""

USES: Final[Mapping[str, tuple[str, ...]]] = {
    "app": ("app.platform", "app.token"),
    "billing": (),
    "messages": ("messages.platform", "messages.token"),
    "provisioning": (),
    "usage": (),
    "wifi": ("wifi.status",),
}
"""What a device can be used for, and the characteristics that each use brings (WD-10)."""

KEPT: Final = frozenset({"wifi", "messages"})
"""Uses for which the business registers and removes devices itself: customers may not (WD-18)."""

USED_FOR: Final = "used.for"
CUSTOMER: Final = "customer"
"""The role in which customers act for themselves."""


def device(ledger: Ledger, serial: str, *, sku: str | None = None) -> dict[str, Any]:
    """What a device is now: as `Ledger.state`, with its `state` (WD-11).

    While it is blocked its state is `Blocked`, and `status` is still what it was and will be again (WD-12).

    Raises:
        InputError: `goods_unknown`, `goods_ambiguous`.
    """
    told = ledger.state(serial, sku=sku)
    with snapshot(ledger) as moment:
        named = moment.skus.filter(sku=told["sku"])["lifecycle"].item()
        lifecycle = moment.lifecycles[named]
    known = {*lifecycle.state_of.values(), *(state.name for state in lifecycle.states)}
    state = lifecycle.state_of.get(told["status"] or "")
    return told | {"state": BLOCKED if told["blocks"] and BLOCKED in known else state}


def register_own(
    ledger: Ledger, lines: Lines, *, customer: str, actor: str, role: str = "", document: str = "", key: str = ""
) -> int:
    """Registers devices that a customer brought: theirs, with them, and never in the warehouse (WD-14, WD-18).

    One that was withdrawn may come again, with any customer; it is the same unit, with its history.

    Args:
        ledger: The ledger.
        lines: One per device: `sku`, `serial`, `numbers`, `attributes`; the characteristic `used.for` names what it is
            used for, joined by `+` (`USES`), and each use brings characteristics that must be given.
        customer: Whose they are.
        actor: Who does it.
        role: `customer` where they do it themselves: then not for WiFi or messages.
        document: The number of its document.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        The number of the transaction.

    Raises:
        InputError: Every problem of every line: `value_null`, `tracking_mismatch`, `status_unknown` (the lifecycle of
            the SKU has no status of the state Own Device), `number_taken`, `role_missing`, `setting_unknown`.
    """
    check("customer", customer=customer)
    heading = ledger.heading("register", actor=actor, role=role, document=document, key=key)
    rows = read_lines(lines, ("sku", "serial"))
    (said,) = read_lines([{"holder": customer}])
    return int(
        ledger.do(partial(register, heading=heading, lines=rows, customer=said["holder"]), heading, rows, customer)
    )


def register(book: Book, heading: Heading, lines: Sequence[Mapping[str, Any]], customer: str) -> int:
    """Adds the transaction of `register_own` to a book; its number."""
    load(book, lines)
    problems: list[Problem] = []
    with book.transaction(heading) as seq:
        for row, line in enumerate(lines):
            try:
                _register_one(book, heading, line, row, customer)
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
    return seq


def _register_one(book: Book, heading: Heading, line: Mapping[str, Any], row: int, customer: str) -> None:
    sku = book.catalog.named(line["sku"], row)
    told = told_of(sku, line, row, complete=True)
    status = _own_status(sku, row)
    problems = _misused(line, told, heading, row)
    if not sku.by_unit:
        problems.append(
            Problem("tracking_mismatch", f"{sku.sku} has no serials", "lines", "serial", row, line["serial"])
        )
    if problems:
        raise InputError(problems)
    check_status(book, sku, ("", status), heading, row)
    brought = book.account(Account("brought"))
    own = book.account(Account("own", status=status, condition=line.get("condition", "used"), owner=customer,
                               holder=customer))  # fmt: skip
    known = [g for scope, g in book.numbers.get(line["serial"], ()) if scope == sku.sku_id and not book.accounts_of[g]]
    if known:
        told.pop("numbers", None)
        book.move(Movement(known[0], brought, own, 1, details=in_json(told)))
        tell(book, known[0], told, row)
        return
    check_number_free(book, sku, "serial", line["serial"], row)
    goods = book.create(Goods(0, sku.sku_id, "", line["serial"], heading.day, None, "", "", 0))
    book.move(Movement(goods, brought, own, 1, details=in_json(told)))
    book.number("serial", sku.sku_id, line["serial"], goods)
    tell(book, goods, told, row)


def _own_status(sku: Sku, row: int) -> str:
    status = next((name for name, state in sku.lifecycle.state_of.items() if state == OWN), None)
    if status is None:
        hint = "Define the SKU with the lifecycle `device`, or add a status of the state Own Device to its own"
        message = f"the lifecycle {sku.lifecycle.name} knows no devices that customers bring"
        raise InputError(Problem("status_unknown", message, "lines", "sku", row, sku.sku, hint))
    return status


def _misused(
    line: Mapping[str, Any], told: Mapping[str, Mapping[str, str]], heading: Heading, row: int
) -> list[Problem]:
    """What is wrong with what a device is used for."""
    attributes = told.get("attributes", {})
    uses = [use for use in attributes.get(USED_FOR, "").split("+") if use]
    column = f"attributes.{USED_FOR}"
    problems = []
    for use in uses:
        if use not in USES:
            hint = did_you_mean(use, list(USES)) or f"There are {', '.join(USES)}"
            problems.append(
                Problem("setting_unknown", "devices are not used for this", "lines", column, row, use, hint)
            )
        problems += [
            Problem("value_null", f"a device used for {use} has it", "lines", f"attributes.{name}", row)
            for name in USES.get(use, ())
            if not attributes.get(name)
        ]
    if "wifi" in uses and "mac" not in line.get("numbers", {}):
        problems.append(Problem("value_null", "a device used for wifi has it", "lines", "numbers.mac", row))
    return problems + _kept(uses, heading, row)


def _kept(uses: Sequence[str], heading: Heading, row: int) -> list[Problem]:
    kept = sorted(KEPT.intersection(uses))
    if heading.role != CUSTOMER or not kept:
        return []
    hint = "Ask the business to do it"
    message = f"a device used for {' and '.join(kept)} is not the customer's to register or remove"
    return [Problem("role_missing", message, "lines", f"attributes.{USED_FOR}", row, hint=hint)]


def withdraw_own(
    ledger: Ledger, lines: Lines, *, customer: str, actor: str, role: str = "", reason: str = "", key: str = ""
) -> int:
    """Removes devices that a customer brought; their history stays. The number of the transaction (WD-18).

    Raises:
        InputError: `goods_unknown`: it is no device of this customer's own; `role_missing`: it is used for WiFi or
            messages, and a customer asks; `service_enabled`: a service is enabled on it.
    """
    check("customer", customer=customer)
    heading = ledger.heading("withdraw", actor=actor, role=role, reason=reason, key=key)
    rows = read_lines(lines, ("serial",))
    return int(ledger.do(partial(withdraw, heading=heading, lines=rows, customer=customer), heading, rows, customer))


def withdraw(book: Book, heading: Heading, lines: Sequence[Mapping[str, Any]], customer: str) -> int:
    """Adds the transaction of `withdraw_own` to a book; its number."""
    load(book, lines)
    problems: list[Problem] = []
    with book.transaction(heading) as seq:
        brought = book.account(Account("brought"))
        for row, line in enumerate(lines):
            try:
                goods_id = unit(book, line, row)
                own = [a for a in book.accounts_of[goods_id] if _is_own(book.catalog.accounts[a], customer)]
                if not own:
                    hint = f"It is {where(book, goods_id)}" if heading.role != CUSTOMER else ""
                    message = f"it is no device of {customer}'s own"
                    raise InputError(Problem("goods_unknown", message, "lines", "serial", row, line["serial"], hint))
                uses = book.values([USED_FOR], [goods_id]).get((goods_id, USED_FOR), "").split("+")
                if found := [*_kept(uses, heading, row), *_enabled(book, goods_id, row)]:
                    raise InputError(found)
                book.move(Movement(goods_id, own[0], brought, 1))
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
    return seq


def _is_own(account: Account, customer: str) -> bool:
    return account.kind == "own" and account.owner == customer


def _enabled(book: Book, goods_id: int, row: int) -> list[Problem]:
    return [
        Problem("service_enabled", "a service is enabled on it", "lines", "serial", row, name, "Disable it first")
        for name in enabled_services(book, goods_id)
    ]


def enabled_services(book: Book, goods_id: int) -> list[str]:
    """The services that are enabled on a device, of those that its SKU offers."""
    offered = book.catalog.sku(book.goods[goods_id].sku_id).kept.services
    values = book.values([f"service.{name}" for name in offered], [goods_id])
    return [name for name in offered if values.get((goods_id, f"service.{name}")) == "enabled"]


def devices_of(ledger: Ledger, customer: str, *, own: bool = False) -> pl.DataFrame:
    """The devices that a customer has: one row per device, by SKU and serial.

    Args:
        ledger: The ledger.
        customer: Who has them.
        own: Only those that they brought themselves.

    Returns:
        `sku`, `serial`, `kind` (customer, rental, own), `status`, `owner` (null: the business), `subscription` (null:
        none), `used_for` (null: nothing that was said).
    """
    check("customer", customer=customer, own=own)
    columns = ("sku", "serial", "kind", "status", "owner", "subscription", "used_for")
    sql = (
        "SELECT k.sku, n.value, a.kind, a.status, a.owner, COALESCE(s.value, ''), COALESCE(u.value, '') FROM account a "
        "JOIN balance b ON b.tenant = a.tenant AND b.account_id = a.account_id AND b.unit = 1 "
        "JOIN sku k ON k.tenant = b.tenant AND k.sku_id = b.sku_id "
        "JOIN number n ON n.tenant = b.tenant AND n.goods_id = b.goods_id AND n.kind = 'serial' "
        "AND n.until_seq IS NULL "
        "LEFT JOIN attribute s ON s.tenant = b.tenant AND s.goods_id = b.goods_id AND s.name = 'subscription.id' "
        "LEFT JOIN attribute u ON u.tenant = b.tenant AND u.goods_id = b.goods_id AND u.name = 'used.for' "
        "WHERE a.tenant = :tenant AND a.holder = :holder AND a.kind = ANY(:names)"
    )
    kinds = ["own"] if own else ["customer", "own", "rental"]
    with snapshot(ledger) as moment:
        found = moment.frame(sql, dict.fromkeys(columns, pl.String), holder=customer, names=kinds)
    return found.with_columns(blank_to_null("owner", "subscription", "used_for")).sort("sku", "serial")
