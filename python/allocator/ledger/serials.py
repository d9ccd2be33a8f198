"""Units one by one: registered by the range, told apart where two have one number, and whose they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.book import Book
from allocator.ledger.catalog import Catalog
from allocator.ledger.given import check
from allocator.ledger.lines import read_lines
from allocator.ledger.records import Heading
from allocator.ledger.snapshot import blank_to_null, snapshot
from allocator.numbers import register_numbers
from allocator.numbers.spelling import Texts

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger


def register_units(
    ledger: Ledger,
    sku: str,
    numbers: Texts | None = None,
    *,
    count: int | None = None,
    location: str,
    packing_list: Texts | None = None,
    origin: str = "supplier",
    actor: str,
    document: str = "",
    reason: str = "",
    note: str = "",
    day: dt.date | None = None,
    key: str = "",
    **columns: object,
) -> dict[str, Any]:
    """Receives units by ranges and lists of numbers, or with numbers that are made: all of them, or none (SN-4, SN-6).

    Args:
        ledger: The ledger.
        sku: Their SKU, which is tracked by serial.
        numbers: Ranges and single numbers, as `CM500-2025-0046 to CM500-2025-0070`.
        count: How many to make numbers for, instead; the SKU must generate them.
        location: Where they are.
        packing_list: What the sender says was packed, ranges and single numbers too.
        origin: Where they come from; a name of `ORIGINS`.
        actor: Who does it.
        document: The number of the document.
        reason: The reason code.
        note: Free text.
        day: The day of receipt; today (UTC) if left out.
        key: The caller's key, so that a repeat is answered and not done again.
        columns: Further columns of a receipt that are the same for all, as `lot`, `status` or `attributes`.

    Returns:
        `seq` of the transaction, and the `serials` in their order.

    Raises:
        InputError: Everything that is wrong with any of the numbers (as `register_numbers`), `number_taken` with the
            unit that has it, and everything of `Ledger.post("receive", …)`.
    """
    check("sku", "origin", sku=sku, count=count, origin=origin)
    if (numbers is None) == (count is None):
        raise InputError(Problem("argument_value", "give the numbers, or how many to make", column="numbers"))
    heading = ledger.heading("receive", actor=actor, document=document, reason=reason, note=note, day=day, key=key)
    common = {"sku": sku, "location": location, **columns}
    if count is not None:
        (line,) = read_lines([{**common, "qty": count}])
        lines = [line]
    else:
        number_format = _format_of(ledger, sku)
        listed = register_numbers(numbers, number_format, packing_list=packing_list)  # type: ignore[arg-type]
        lines = read_lines([{**common, "serial": number} for number in listed])
    answer: dict[str, Any] = ledger.do(
        partial(_register, heading=heading, lines=lines, origin=origin), heading, lines, origin
    )
    return answer


def _format_of(ledger: Ledger, sku: str) -> Any:  # noqa: ANN401 - the number format, or None
    with ledger.store.session() as session:
        # A catalogue of its own: that of the writer may change meanwhile.
        book = Book(session, Catalog(ledger.tenant), writes=False)
        book.catalog.load_skus(session, [sku])
        return book.catalog.named(sku).kept.number


def _register(book: Book, heading: Heading, lines: Sequence[Mapping[str, Any]], origin: str) -> dict[str, Any]:
    first = book.goods_last
    seq = change.post(book, heading, lines, origin)
    return {"seq": seq, "serials": [book.goods[number].serial for number in range(first + 1, book.goods_last + 1)]}


def duplicates(ledger: Ledger) -> pl.DataFrame:
    """Numbers that units of several SKUs have now: one row per unit, by number.

    Within a SKU no number is given twice. Two SKUs may have the same one, and then a scan does not say which is meant:
    `resolve_duplicate` settles it.

    Returns:
        `serial`, `sku`, `kind` (stock, customer, …), `location`, `holder`; null where there is nothing to say.
    """
    sql = (
        "SELECT n.value, k.sku, a.kind, a.location, a.holder FROM number n "
        "JOIN sku k ON k.tenant = n.tenant AND k.sku_id = n.scope "
        "JOIN balance b ON b.tenant = n.tenant AND b.goods_id = n.goods_id "
        "JOIN account a ON a.tenant = b.tenant AND a.account_id = b.account_id "
        "WHERE n.tenant = :tenant AND n.kind = 'serial' AND n.until_seq IS NULL AND a.kind <> 'scrap' AND n.value IN "
        "(SELECT value FROM number WHERE tenant = :tenant AND kind = 'serial' AND until_seq IS NULL "
        "GROUP BY value HAVING COUNT(*) > 1)"
    )
    columns = ("serial", "sku", "kind", "location", "holder")
    with snapshot(ledger) as moment:
        found = moment.frame(sql, dict.fromkeys(columns, pl.String))
    several = found.filter(pl.len().over("serial") > 1)
    return several.with_columns(blank_to_null("location", "holder")).sort("serial", "sku")


def resolve_duplicate(
    ledger: Ledger,
    serial: str,
    sku: str,
    *,
    by: Literal["renumber", "retire"],
    new_serial: str | None = None,
    actor: str,
    note: str = "",
    key: str = "",
) -> int:
    """Settles a duplicate that was found later: one of the two units gets another number, or is retired (SN-6).

    Args:
        ledger: The ledger.
        serial: The number that both have.
        sku: The SKU of the unit that gives way.
        by: `renumber`: it gets `new_serial`, and the old number keeps finding it by its SKU; `retire`: it is scrapped.
        new_serial: The number that it gets.
        actor: Who does it.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        The number of the transaction.

    Raises:
        InputError: `argument_value`, `goods_unknown`, `number_taken`.
    """
    check("serial", "sku", "other", serial=serial, sku=sku, other=by, new_serial=new_serial)
    line: dict[str, Any] = {"serial": serial, "sku": sku}
    if by not in ("renumber", "retire") or (by == "renumber") == (new_serial is None):
        hint = "Give by='renumber' with new_serial, or by='retire' without"
        raise InputError(
            Problem("argument_value", "it does not say what becomes of it", column="by", value=str(by), hint=hint)
        )
    if by == "renumber":
        line["new_serial"] = new_serial
    type_ = "renumber" if by == "renumber" else "scrap"
    return ledger.post(type_, [line], reason="duplicate", actor=actor, note=note, key=key)


def change_ownership(
    ledger: Ledger,
    serial: str,
    owner: str,
    *,
    kind: str = "owned",
    effective_on: dt.date | None = None,
    document: str,
    actor: str,
    key: str = "",
) -> int:
    """Passes title of a unit, where it stays, from a day on (SN-2); the number of the transaction.

    Args:
        ledger: The ledger.
        serial: The unit.
        owner: Who has title then.
        kind: How: owned, leased, on consignment, …; kept as the characteristic `owner.kind`.
        effective_on: From when; today (UTC) if left out. Kept as `owner.since`.
        document: The number of the document.
        actor: Who does it.
        key: The caller's key, so that a repeat is answered and not done again.

    Raises:
        InputError: `goods_unknown`, `setting_conflict`: it is theirs already.
    """
    check("serial", "owner", "kind", serial=serial, owner=owner, kind=kind)
    heading = ledger.heading("change_owner", actor=actor, document=document, day=effective_on, key=key)
    since = effective_on or dt.datetime.now(dt.UTC).date()
    (passed,) = read_lines([{"serial": serial, "to_owner": owner}])
    (said,) = read_lines(
        [{"serial": serial, "event": "ownership", "attributes": {"owner.kind": kind, "owner.since": since}}]
    )

    def work(book: Book) -> int:
        seq = change.post(book, heading, [passed])
        change.post(book, heading._replace(type="note", key=""), [said])
        return seq

    return int(ledger.do(work, heading, passed, said))
