"""Recalls: what a lot or a range of serials reaches is blocked wherever it is, and who has the rest is told (SN-19).

What comes back, or comes in, while a recall is open is blocked by the very step that brings it: `ledger/recalled.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, look, number_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.promises import sku_of_line
from allocator.flows.quality.holds import PARTS, QUALITY, blocked_parts, for_the_business, unblocking
from allocator.flows.quantities import quantity
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Lines, names_of, read_lines
from allocator.ledger.recall import named_goods
from allocator.ledger.recalled import CATCH, FLOW, OUT, Part, block, parts_of, put, reason_of, rows_of, unwritten
from allocator.ledger.snapshot import Snapshot, snapshot

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

RECALLED: Final = "Recalled"
"""The status of what is with customers, where the lifecycle of its SKU has it."""

RECALLS: Final = known(
    Flow(
        name=FLOW,
        prefix="RC",
        says="Goods that nobody may use any more: blocked where they are in stock, asked for where they are not.",
        states={"open": "What comes back is blocked; who has some is to be told.", "closed": "Everyone was told."},
        closed=("closed",),
        steps=(
            Step("raise", "Lots or serials are recalled: all of their stock is blocked.", ("",), ("open",),
                 (QUALITY,)),
            Step("tell", "Someone who has some was told.", ("open",), ("open",), (QUALITY, "service")),
            Step(CATCH, "Some came back, or came in, and is blocked.", ("open",), ("open",)),
            Step("clear", "Some was looked at, and may be used again.", ("open",), ("open",), (QUALITY,)),
            Step("close", "Everyone who has some was told.", ("open",), ("closed",), (QUALITY,)),
        ),
    )
)  # fmt: skip

REACH: Final[dict[str, Any]] = {
    "line": pl.Int64, "sku": pl.String, "lot": pl.String, "serial": pl.String, "qty": pl.String, "state": pl.String,
    "contact": pl.String, "told": pl.Boolean,
}  # fmt: skip


@checked
def raise_recall(
    ledger: Ledger, person: Person, *, lots: str | Sequence[str] = (), serials: str | Sequence[str] = (),
    text: str = "", skus: str | Sequence[str] | None = None, note: str = "", key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Recalls goods: all that is in stock of them is blocked at once, wherever it is; who has the rest is listed.

    Units with customers get the status `Recalled`, if their lifecycle leads there.

    Args:
        ledger: The ledger.
        person: Someone of quality.
        lots: Lots, each one or a range as `A105 to A110`.
        serials: Serials, each one or a range; a former number finds its unit.
        text: The words of the recall, as they came; read by `allocator.numbers.parse_recall`.
        skus: Only goods of these.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `blocked`, `out` and `gone`: how many stock rows are blocked, with others, and used up or
        scrapped; `contacts`: who is to be told.

    Raises:
        InputError: `argument_value`: nothing is recalled; `range_ends_differ`, `sku_unknown`, `role_missing`.

    Cost: the goods of the SKUs are looked at before anyone has to wait.
    """
    for_the_business(person)
    said: dict[str, Any] = {"lots": names_of(lots), "serials": names_of(serials), "text": text,
                            "skus": None if skus is None else names_of(skus)}  # fmt: skip
    rows = rows_of(said)
    with snapshot(ledger) as moment:
        last = moment.rows("SELECT goods_last FROM tenant WHERE tenant = :tenant")[0][0]
        known_ids = named_goods(moment, rows, skus)["goods_id"].to_list()

    def work(doing: Doing) -> dict[str, Any]:
        more = named_goods(Snapshot(doing.book.session, doing.book.tenant), rows, skus, after=last)
        ids = {*known_ids, *more["goods_id"].to_list(), *unwritten(doing.book, rows, skus)}
        recall = doing.next_number(RECALLS)
        with doing.transaction():
            doing.open(RECALLS, "open", number=recall, details={**said, "told": {}})
        parts = parts_of(doing.book, ids)
        if any(part.account.kind == "stock" for part in parts):
            about = {"document": recall, "document_kind": RECALLS.name, "reason": reason_of(recall)}
            with doing.transaction("block", **about) as heading:
                block(doing.book, heading, parts)
        _mark(doing, recall, parts)
        with doing.transaction():
            for n, part in enumerate(parts, start=1):
                put(doing.book, recall, n, part)
            doing.go(recall, step=CATCH)
        states = [line.state for line in doing.lines(recall)]
        told = {"number": recall, "state": "open", **{state: states.count(state) for state in ("blocked", OUT, "gone")}}
        return told | {"contacts": _contacts(doing.lines(recall))}

    answer: dict[str, Any] = take(ledger, person, RECALLS, "raise", work, said, key=key, note=note)
    return answer


def _mark(doing: Doing, recall: str, parts: Iterable[Part]) -> None:
    """Units with customers are Recalled, where their lifecycle leads there."""
    book, lines = doing.book, []
    for part in parts:
        sku = book.catalog.sku(book.goods[part.goods_id].sku_id)
        if sku.by_unit and part.account.kind == "customer" and RECALLED in sku.lifecycle.targets(part.account.status):
            lines.append({"serial": book.serial_of(part.goods_id), "sku": sku.sku, "to_status": RECALLED})
    if lines:
        book.find_numbers(line["serial"] for line in lines)
        said = {"document": recall, "document_kind": RECALLS.name, "reason": reason_of(recall)}
        with doing.transaction("change_status", **said) as heading:
            doing.post(heading, lines)


def _contacts(lines: Iterable[DocumentLine]) -> list[str]:
    return sorted({line.details["contact"] for line in lines if line.state == OUT})


@checked
def tell_contact(
    ledger: Ledger, recall: str, contact: str, person: Person, *, channel: str, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Says that someone who has recalled goods was told.

    Args:
        ledger: The ledger.
        recall: Its number.
        contact: One of its contacts.
        person: Someone of quality, or of the service.
        channel: How: by phone, letter, e-mail, …
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `contact`, `left`: who is to be told still.

    Raises:
        InputError: `argument_value`: nobody of this name has any; `document_unknown`, `step_impossible`,
            `role_missing`.
    """
    for_the_business(person)
    how = number_of(channel, "channel")

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(recall)
        contacts = _contacts(doing.lines(recall))
        if contact not in contacts:
            message = f"nobody of this name has goods of {recall}"
            hint = f"There are {', '.join(contacts[:20]) or 'none'}"
            raise InputError(Problem("argument_value", message, column="contact", value=str(contact)[:80], hint=hint))
        told = {**document.details["told"], contact: {"by": doing.person.name, "channel": how}}
        with doing.transaction():
            doing.go(recall, details={"told": told})
        return {"number": recall, "contact": contact, "left": [each for each in contacts if each not in told]}

    said = (recall, contact, how)
    answer: dict[str, Any] = take(ledger, person, RECALLS, "tell", work, *said, key=key, note=note)
    return answer


@checked
def clear_recalled(
    ledger: Ledger, recall: str, parts: Lines, person: Person, *, note: str, key: str = ""
) -> dict[str, Any]:
    """Lifts the block of recalled goods that were looked at, and are not affected.

    Args:
        ledger: The ledger.
        recall: Its number.
        parts: One line per part: its `line` of the recall, its `serial`, or its `sku`; `qty` where that is not all.
        person: Someone of quality.
        note: What was found.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `cleared`: how many parts.

    Raises:
        InputError: `note_missing`; `goods_unknown`: no such part is blocked by it; `stock_short`, `document_unknown`,
            `step_impossible`, `role_missing`.
    """
    for_the_business(person)
    with all_problems() as part:
        with part():
            rows = read_lines(parts, (), PARTS, "parts")
        with part():
            if not note:
                raise InputError(Problem("note_missing", "clearing says what was found", column="note"))

    def work(doing: Doing) -> dict[str, Any]:
        doing.begin(recall)
        shares = blocked_parts(doing, recall, rows)
        said = {"document": recall, "document_kind": RECALLS.name, "reason": reason_of(recall)}
        with doing.transaction("unblock", **said) as heading:
            doing.post(heading, unblocking(doing, shares, reason_of(recall)))
            for line, qty in shares:
                over = line.progress + qty == line.qty
                doing.line(recall, line.n, progress=line.progress + qty, state="cleared" if over else "blocked")
            doing.go(recall)
        return {"number": recall, "cleared": len(shares)}

    answer: dict[str, Any] = take(ledger, person, RECALLS, "clear", work, recall, rows, key=key, note=note)
    return answer


@checked
def close_recall(ledger: Ledger, recall: str, person: Person, *, note: str = "", key: str = "") -> dict[str, Any]:
    """Closes a recall whose contacts were all told; what is blocked by it stays blocked until it is disposed of.

    Returns:
        `number`, `state`.

    Raises:
        InputError: `contact_untold`: everyone who was not told; `document_unknown`, `step_impossible`, `role_missing`.
    """
    for_the_business(person)

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(recall)
        untold = [each for each in _contacts(doing.lines(recall)) if each not in document.details["told"]]
        if untold:
            hint = "Tell them, and say so: tell_contact"
            raise InputError(
                Problem("contact_untold", f"{each} has goods of {recall} and was not told", column="contact",
                        value=each[:80], hint=hint)
                for each in untold
            )  # fmt: skip
        with doing.transaction():
            doing.go(recall)
        return {"number": recall, "state": "closed"}

    answer: dict[str, Any] = take(ledger, person, RECALLS, "close", work, recall, key=key, note=note)
    return answer


@checked
def recall_reach(ledger: Ledger, recall: str, person: Person) -> pl.DataFrame:
    """What a recall reaches, and how far it is.

    Returns:
        By `line`: `sku`, `lot`, `serial`, `qty` (text, exact), `state` (`blocked`, `out`: others have it, `cleared`,
        `gone`: used up, scrapped or lost), `contact` (who has it, or where it is), and whether they were `told`.

    Raises:
        InputError: `document_unknown`, `role_missing`.
    """
    for_the_business(person)

    def asked(doing: Doing) -> list[tuple[Any, ...]]:
        document = doing.document(recall, RECALLS.name)
        lines = doing.lines(recall)
        doing.book.load_goods(line.goods_id or 0 for line in lines)
        return [_reached(doing, document, line) for line in lines]

    return pl.DataFrame(look(ledger, person, asked), schema=REACH, orient="row")


def _reached(doing: Doing, document: Document, line: DocumentLine) -> tuple[Any, ...]:
    goods, contact = doing.book.goods[line.goods_id or 0], line.details["contact"]
    told = contact in document.details["told"] if line.state == OUT else None
    return (line.n, sku_of_line(doing, line).sku, goods.lot or None, goods.serial or None,
            str(quantity(line.qty, sku_of_line(doing, line))), line.state, contact or None, told)  # fmt: skip
