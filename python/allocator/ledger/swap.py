"""Picking by scan: the unit in hand is the one that was promised, or takes its place where the SKU lets it (SN-16)."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.again import reserve_again
from allocator.ledger.change import RESERVED
from allocator.ledger.given import check
from allocator.ledger.lines import read_lines
from allocator.ledger.records import Allocation, Heading
from allocator.ledger.selection import in_units, load, unit, where
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocator.ledger.book import Book
    from allocator.ledger.ledger import Ledger

SETTING: Final = "The SKU's setting `swap` says what may be picked instead: never, free or held"


def pick_scanned(
    ledger: Ledger,
    allocation_id: int,
    serial: str,
    *,
    sku: str | None = None,
    location: str | None = None,
    to_location: str | None = None,
    policy: Policy | None = None,
    other_policy: Policy | None = None,
    actor: str,
    as_of: dt.date | None = None,
    key: str = "",
) -> dict[str, Any]:
    """Picks the unit that was scanned for a promise, swapping units where the SKU's setting `swap` allows it.

    If another unit than the promised one was scanned, it must be eligible for this line, and whoever was promised it
    must be served by other stock, which may be the unit that this line gives up: nobody is left short.

    Args:
        ledger: The ledger.
        allocation_id: The promise that is picked.
        serial: The unit in hand, by any number that it has or had.
        sku: The SKU that was scanned, if it was.
        location: The place that was scanned, if it was.
        to_location: Where the picked unit goes; it stays in its place if left out.
        policy: Which stock may serve this line; `Policy()` if left out.
        other_policy: Which stock may serve the line that the scanned unit was promised to; `policy` if left out.
        actor: Who does it.
        as_of: The day on which is decided; today (UTC) if left out.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `seq` of the pick; the `allocation_id` that was picked, another one after a swap; `swapped`: whether units were
        exchanged; `other`: what the other line got, as `Ledger.reserve` tells it, or None.

    Raises:
        InputError: `scan_mismatch`: it is another unit and may not take the place of the promised one; the message
            says why, and who was promised it. `allocation_unknown`, `goods_unknown`, `goods_ambiguous`, `blocks_held`,
            `transition_unlisted`. Nothing was done.
    """
    check("serial", serial=serial, policy=policy, other_policy=other_policy)
    heading = ledger.heading("pick", actor=actor, day=as_of, key=key)
    said = {
        "allocation_id": allocation_id,
        "serial": serial,
        "sku": sku,
        "location": location,
        "to_location": to_location,
    }
    (line,) = read_lines([said], ("allocation_id", "serial"))
    first = policy or Policy()
    second = other_policy or first
    work = partial(_pick, heading=heading, line=line, policies=(first, second))
    answer: dict[str, Any] = in_units(ledger.do(work, heading, line, first.fingerprint(), second.fingerprint()))
    return answer


def _pick(book: Book, heading: Heading, line: Mapping[str, Any], policies: tuple[Policy, Policy]) -> dict[str, Any]:
    load(book, [line])
    mine = book.allocations.get(line["allocation_id"])
    goods_id = unit(book, line, None)
    other = _holder_of(book, goods_id)
    if mine is None or mine.goods_id == goods_id:
        return _picked(book, heading, line, line["allocation_id"])
    if other is not None and other.line_id == mine.line_id:
        # The line was promised several units, and they are picked in any order.
        return _picked(book, heading, line, other.allocation_id)
    if problems := _hindrances(book, line, mine, goods_id, other):
        raise InputError(problems)
    freed = [{"allocation_id": each.allocation_id} for each in (mine, other) if each is not None]
    change.post(book, heading._replace(type="release", reason="swap"), freed)
    said = heading._replace(reason="swap")
    (got,) = reserve_again(
        book, said, [mine.line_id], policies[0], day=heading.day, named={"serial": book.goods[goods_id].serial}
    )
    if not got["allocated"]:
        raise InputError(_refused(f"line {mine.line_id} may not be served by it: {got['reason']}", line, other))
    instead = None
    if other is not None:
        (instead,) = reserve_again(book, said, [other.line_id], policies[1], day=heading.day)
        if not instead["allocated"]:
            message = f"line {other.line_id} would be left short: {instead['reason']}"
            raise InputError(_refused(message, line, other))
    number = got["allocations"][0]["allocation_id"]
    return _picked(book, heading._replace(key=""), line, number) | {"swapped": True, "other": instead}


def _picked(book: Book, heading: Heading, line: Mapping[str, Any], number: int) -> dict[str, Any]:
    seq = change.post(book, heading, [{**line, "allocation_id": number}])
    return {"seq": seq, "allocation_id": number, "swapped": False, "other": None}


def _holder_of(book: Book, goods_id: int) -> Allocation | None:
    """The promise that a unit is under, if any."""
    numbers = [number for account_id in book.accounts_of[goods_id] for number in book.promises(goods_id, account_id)]
    return book.allocations[numbers[0]] if numbers else None


def _hindrances(
    book: Book, line: Mapping[str, Any], mine: Allocation, goods_id: int, other: Allocation | None
) -> list[Problem]:
    """Why a scanned unit may not take the place of the promised one, as far as that is no question of policy."""
    promised = book.goods[mine.goods_id]
    book.catalog.load_sku_ids(book.session, {promised.sku_id, book.goods[goods_id].sku_id})
    sku = book.catalog.sku(promised.sku_id)
    accounts = [book.catalog.accounts[account_id] for account_id in book.accounts_of[goods_id]]
    demand = book.lines[mine.line_id]
    found = []
    if book.goods[goods_id].sku_id != promised.sku_id:
        found.append(f"it is of {book.catalog.sku(book.goods[goods_id].sku_id).sku}, and {sku.sku} was promised")
    if sku.kept.swap == "never" or (sku.kept.swap == "free" and other is not None):
        found.append(f"{sku.sku} is swapped {'never' if sku.kept.swap == 'never' else 'for free units only'}")
    if not accounts or accounts[0].kind != "stock":
        found.append(f"it is {where(book, goods_id)}")
    elif accounts[0].blocks:
        found.append(f"it is blocked: {accounts[0].blocks}")
    if demand is not None and demand.details and json.loads(demand.details).get("serial"):
        found.append(f"line {demand.line_id} asks for unit {json.loads(demand.details)['serial']}")
    found += [f"line {each.line_id} has it {each.stage}" for each in (mine, other) if each and each.stage != RESERVED]
    if found:
        promised_to = f"unit {book.serial_of(promised.goods_id)} was promised, {where(book, promised.goods_id)}"
        found[0] = f"{promised_to}; {found[0]}"
    return [_refused(message, line, other) for message in found]


def _refused(message: str, line: Mapping[str, Any], other: Allocation | None) -> Problem:
    hint = f"It is promised to line {other.line_id}. {SETTING}" if other is not None else SETTING
    return Problem("scan_mismatch", message, "lines", "serial", 0, line["serial"], hint)
