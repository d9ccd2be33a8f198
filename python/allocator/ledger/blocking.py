"""Blocking goods that are promised: the promise is kept and flagged, or taken back and decided again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from allocator.errors import InputError, Problem
from allocator.ledger import change
from allocator.ledger.again import reserve_again
from allocator.ledger.change import PICKED
from allocator.ledger.given import check
from allocator.ledger.holds import told
from allocator.ledger.lines import Lines, read_lines
from allocator.ledger.records import Allocation, Heading
from allocator.ledger.selection import in_units, load
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from allocator.ledger.book import Book
    from allocator.ledger.ledger import Ledger

Outcome = Literal["keep", "replan"]


def block(
    ledger: Ledger,
    lines: Lines,
    *,
    reason: str,
    outcome: Outcome = "keep",
    policy: Policy | None = None,
    actor: str,
    role: str = "",
    document: str = "",
    note: str = "",
    as_of: dt.date | None = None,
    key: str = "",
) -> dict[str, Any]:
    """Blocks goods for a reason, with a stated outcome for what of them is promised. All of it happens, or nothing.

    Args:
        ledger: The ledger.
        lines: The goods, as in `Ledger.post`.
        reason: The reason code; blocks of different reasons are lifted one by one.
        outcome: `keep`: the promises stay, cannot be picked or shipped while the block holds, and are told as
            `flagged`; `replan`: they are taken back, picked goods are put back first, and their lines are promised
            other stock.
        policy: Which stock may serve the lines that are decided again; `Policy()` if left out.
        actor: Who does it.
        role: The role in which the actor does it.
        document: The number of its document, as a recall notice.
        note: Free text.
        as_of: The day on which is decided; today (UTC) if left out.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `seq` of the block; `flagged`: the promises on what was blocked (`keep`), one mapping each; `lines`: what each
        line got instead (`replan`), as `Ledger.reserve` tells it, with the reason for what is short now.

    Raises:
        InputError: As `Ledger.post("block", …)`; `argument_value`: there is no such outcome.

    Example:
        >>> from allocator.ledger import Ledger
        >>> with Ledger.open("sqlite://") as ledger:
        ...     _ = ledger.define([{"sku": "gauge", "tracking": "serial"}], actor="ana")
        ...     units = [{"sku": "gauge", "serial": serial, "location": "store"} for serial in ("G-1", "G-2")]
        ...     _ = ledger.post("receive", units, origin="supplier", document="GRN-1", actor="ana")
        ...     _ = ledger.reserve([{"line_id": "L1", "sku": "gauge", "qty": 1}], actor="bob")
        ...     answer = block(ledger, {"serial": "G-1"}, reason="quality", outcome="replan", actor="ana")
        ...     [(line["line_id"], line["allocated"], line["short"]) for line in answer["lines"]]
        [('L1', 1, 0)]
    """
    check("outcome", outcome=outcome, policy=policy)
    if outcome not in ("keep", "replan"):
        hint = "There are keep and replan"
        raise InputError(
            Problem("argument_value", "no such outcome", column="outcome", value=str(outcome)[:80], hint=hint)
        )
    heading = ledger.heading(
        "block", actor=actor, role=role, document=document, note=note, reason=reason, day=as_of, key=key
    )
    rows = read_lines(lines)
    policy = policy or Policy()
    work = partial(_block, heading=heading, rows=rows, replan=policy if outcome == "replan" else None)
    answer: dict[str, Any] = in_units(ledger.do(work, heading, rows, outcome, policy.fingerprint()))
    return answer


def _block(book: Book, heading: Heading, rows: Sequence[Mapping[str, Any]], replan: Policy | None) -> dict[str, Any]:
    load(book, rows)
    numbers = _promised(book, rows)
    seq = change.post(book, heading, rows)
    promises = [promise for number in numbers if (promise := book.allocations[number]) is not None]
    flagged = [told(book, promise) for promise in promises]
    if replan is None or not promises:
        return {"seq": seq, "flagged": flagged, "lines": []}
    _take_back(book, heading, promises)
    lines: list[dict[str, Any]] = []
    for until in dict.fromkeys(promise.expires_at for promise in promises):
        ids = list(dict.fromkeys(promise.line_id for promise in promises if promise.expires_at == until))
        lines += reserve_again(book, heading, ids, replan, day=heading.day, hold_until=until)
    return {"seq": seq, "flagged": [], "lines": lines}


def _promised(book: Book, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The open promises on all of what the lines name; a quantity names what is free, and so none."""
    found: dict[int, None] = {}
    for row, line in enumerate(rows):
        if "allocation_id" in line:
            found[line["allocation_id"]] = None
        elif "qty" not in line and not {"serial", "stock_id"}.isdisjoint(line):
            try:
                shares = change.whole(book, line, row)
            except InputError:
                # The block itself says what is wrong with the line.
                continue
            found |= {share.allocation.allocation_id: None for share in shares if share.allocation}
    return [number for number in found if book.allocations.get(number) is not None]


def _take_back(book: Book, heading: Heading, promises: Sequence[Allocation]) -> None:
    said = heading._replace(key="", reason=f"blocked: {heading.reason}")
    picked = [{"allocation_id": promise.allocation_id} for promise in promises if promise.stage == PICKED]
    if picked:
        change.post(book, said._replace(type="put_back"), picked)
    change.post(book, said._replace(type="release"), [{"allocation_id": each.allocation_id} for each in promises])
