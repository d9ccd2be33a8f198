"""Goods that may not be given out for a while: blocked for a reason, and then again what they were (WD-12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, check_reason, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.named import Candidate, chosen
from allocator.flows.promises import sku_of_line
from allocator.flows.quantities import as_qty, quantity, read_qty
from allocator.ledger.documents import DocumentLine
from allocator.ledger.lines import Lines, number, read_lines, text
from allocator.ledger.selection import load, stock_id

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

QUALITY: Final = "quality"

HOLDS: Final = known(
    Flow(
        name="hold",
        prefix="HOLD",
        says="Goods that may not be picked, shipped, sold or rented, for a reason.",
        states={"held": "Some of it is blocked.", "lifted": "All of it is what it was before."},
        closed=("lifted",),
        steps=(
            Step("block", "Goods are blocked; what of them is promised stays so, and waits.", ("",), ("held",),
                 (QUALITY, "warehouse")),
            Step("lift", "The block is lifted: goods are again what they were, unless another reason holds.",
                 ("held",), ("lifted", "held"), (QUALITY,)),
        ),
    )
)  # fmt: skip

PARTS: Final[Mapping[str, Callable[[Any], Any]]] = {"line": number, "sku": text, "serial": text, "qty": read_qty}


def for_the_business(person: Person) -> None:
    """Makes sure that someone works for the business.

    Raises:
        InputError: `role_missing`.
    """
    if person.party:
        message = "this is for the people of the business"
        raise InputError(Problem("role_missing", message, column="party", value=person.party[:80]))


@checked
def block_goods(
    ledger: Ledger, lines: Lines, person: Person, *, reason: str, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Blocks goods for a reason; promises on them stay, and cannot be picked or shipped while it holds.

    Args:
        ledger: The ledger.
        lines: The goods, as in `Ledger.post("block", …)`: by `serial`, `stock_id`, or `sku` with place, lot and `qty`.
        person: Someone of quality, or of the warehouse.
        reason: The reason code; blocks of different reasons are lifted one by one.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and `lines`: `line`, `sku`, `serial`, `lot`, `qty`.

    Raises:
        InputError: `reason_missing`; `goods_unknown`: it is not in stock; `setting_conflict`: it is blocked for this
            reason already; `stock_short`, `role_missing`.
    """
    for_the_business(person)
    with all_problems() as part:
        with part():
            rows = read_lines(lines)
        with part():
            check_reason(reason, "a block")

    def work(doing: Doing) -> dict[str, Any]:
        load(doing.book, rows)
        hold = doing.next_number(HOLDS)
        with doing.transaction("block", document=hold, document_kind=HOLDS.name) as heading:
            since = len(doing.book.moved)
            doing.post(heading, rows)
            doing.open(HOLDS, "held", number=hold, details={"reason": heading.reason})
            for n, moved in enumerate(doing.book.moved[since:], start=1):
                sku_id = doing.book.goods[moved.goods_id].sku_id
                doing.line(hold, n, sku_id=sku_id, goods_id=moved.goods_id, qty=moved.qty, state="blocked")
        return {"number": hold, "state": "held", "lines": told(doing, doing.lines(hold))}

    answer: dict[str, Any] = take(ledger, person, HOLDS, "block", work, rows, key=key, reason=reason, note=note)
    return answer


@checked
def lift_hold(
    ledger: Ledger, hold: str, person: Person, *, parts: Lines | None = None, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Lifts a block, wherever its goods are by now: they are again what they were before it (WD-12).

    Args:
        ledger: The ledger.
        hold: Its number.
        person: Someone of quality.
        parts: One line per part: its `line` of the hold, its `serial`, or its `sku`; `qty` where that is not all.
            Everything if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and `lines`: what is blocked still.

    Raises:
        InputError: `goods_unknown`: no such part is blocked by it; `stock_short`, `document_unknown`,
            `step_impossible`, `role_missing`.
    """
    rows = None if parts is None else read_lines(parts, (), PARTS, "parts")
    for_the_business(person)

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(hold)
        reason = document.details["reason"]
        shares = blocked_parts(doing, hold, rows)
        with doing.transaction("unblock", document=hold, document_kind=HOLDS.name, reason=reason) as heading:
            doing.post(heading, unblocking(doing, shares, reason))
            for line, qty in shares:
                over = line.progress + qty == line.qty
                doing.line(hold, line.n, progress=line.progress + qty, state="lifted" if over else "blocked")
            left = [line for line in doing.lines(hold) if line.progress < line.qty]
            doing.go(hold, "held" if left else "lifted")
        return {"number": hold, "state": "held" if left else "lifted", "lines": told(doing, left)}

    answer: dict[str, Any] = take(ledger, person, HOLDS, "lift", work, hold, rows, key=key, note=note)
    return answer


def blocked_parts(
    doing: Doing, document: str, rows: Sequence[Mapping[str, Any]] | None
) -> list[tuple[DocumentLine, int]]:
    """What parts mean of the goods that a document blocks, and how much of each.

    Raises:
        InputError: `goods_unknown`, `stock_short`, `qty_step`: every one of them.
    """
    lines = [line for line in doing.lines(document) if line.state == "blocked" and line.progress < line.qty]
    doing.book.load_goods(line.goods_id or 0 for line in lines)
    if rows is None:
        return [(line, line.qty - line.progress) for line in lines]
    candidates = [
        Candidate(line, sku_of_line(doing, line), line.goods_id or 0, line.qty - line.progress, {"line": line.n})
        for line in lines
    ]
    return chosen(doing, rows, candidates, table="parts", none=f"no such part is blocked by {document}",
                  hint="Name its line, its serial, or its SKU", there="are blocked by it")  # fmt: skip


def unblocking(doing: Doing, shares: Sequence[tuple[DocumentLine, int]], reason: str) -> list[dict[str, Any]]:
    """Lines of a transaction that lift a reason, wherever the goods are by now.

    Raises:
        InputError: `goods_unknown`: less than that is blocked for the reason.
    """
    book, lines = doing.book, []
    problems: list[Problem] = []
    for line, qty in shares:
        goods_id, left = line.goods_id or 0, qty
        for account_id in sorted(book.accounts_of[goods_id]):
            account, there = book.catalog.accounts[account_id], book.balance(goods_id, account_id).qty
            part = min(left, there)
            if part and account.kind == "stock" and reason in account.blocks.split("+"):
                left -= part
                # All of it goes with what of it is promised; a part is of what is free.
                some = {} if part == there else {"qty": as_qty(part, sku_of_line(doing, line))}
                lines.append({"stock_id": stock_id(goods_id, account_id), **some})
        if left:
            message = f"it is not blocked for {reason} any more"
            problems.append(Problem("goods_unknown", message, "parts", "line", value=str(line.n)))
    if problems:
        raise InputError(problems)
    return lines


def told(doing: Doing, lines: Sequence[DocumentLine]) -> list[dict[str, Any]]:
    """Lines as an answer tells them, with what of them is left."""
    doing.book.load_goods(line.goods_id or 0 for line in lines)
    rows = []
    for line in lines:
        goods, sku = doing.book.goods[line.goods_id or 0], sku_of_line(doing, line)
        rows.append({"line": line.n, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None,
                     "qty": quantity(line.qty - line.progress, sku)})  # fmt: skip
    return rows
