"""Part requests are decided line by line, allocated from warehouse stock, and picked; or withdrawn (SP-4, SP-5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, check_reason, placed, take
from allocator.flows.given import checked
from allocator.flows.partner.network import REQUEST, numbers, settings_in_force, site_named, still_wanted
from allocator.flows.partner.requests import PART_REQUEST
from allocator.flows.quantities import quantity, read_qty
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Lines, number, read_lines, text
from allocator.ledger.reserve import Wish, reserve
from allocator.ledger.selection import units
from allocator.model.network import GOOD, Site
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

DECIDED: Final[Mapping[str, Callable[[Any], Any]]] = {"line": number, "qty": read_qty, "reason": text}


@checked
def decide_request(
    ledger: Ledger, request: str, decisions: Lines, person: Person, *, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Approves, reduces or rejects each line of a request (SP-4); nothing ships that is not approved.

    Args:
        ledger: The ledger.
        request: Its number.
        decisions: One line per line of the request: `line`, `qty` (what is approved; 0 rejects), and `reason`, which
            less than what was asked needs.
        person: Someone of the operations team.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and per line what was decided.

    Raises:
        InputError: `document_unknown`, `step_impossible`; `line_undecided`: every line that nobody decided on;
            `reason_missing`, `qty_out_of_range`.
    """
    rows = read_lines(decisions, ("line", "qty"), DECIDED, "decisions")

    def work(doing: Doing) -> dict[str, Any]:
        return decided(doing, request, rows)

    answer: dict[str, Any] = take(ledger, person, PART_REQUEST, "decide", work, request, rows, key=key, note=note)
    return answer


def decided(doing: Doing, request: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Records what was decided on each line of a request, for parts or of a return; it is rejected if every line is."""
    doing.begin(request)
    settled = _settled(doing, doing.lines(request), rows)
    with doing.transaction():
        told = []
        for line, approved, reason in settled:
            state = "rejected" if not approved else "approved" if approved == line.qty else "reduced"
            details = {"approved": approved, **({"reason": reason} if reason else {})}
            doing.line(request, line.n, state=state, details=details)
            told.append({"line": line.n, "state": state, "approved": told_qty(doing, line, approved)})
        state = "approved" if any(approved for _, approved, _ in settled) else "rejected"
        doing.go(request, state, marks=["decided"])
    return {"number": request, "state": state, "lines": told}


def _settled(
    doing: Doing, lines: Sequence[DocumentLine], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[DocumentLine, int, str]]:
    """What was decided on each line: how many steps of it are approved, and why.

    Raises:
        InputError: `line_unknown`, `id_duplicate`, `line_undecided`, `qty_out_of_range`, `reason_missing`.
    """
    by_n = {line.n: line for line in lines}
    problems: list[Problem] = []
    done: dict[int, tuple[DocumentLine, int, str]] = {}
    for row, given in enumerate(rows):
        line = by_n.get(given["line"])
        if line is None or given["line"] in done:
            code, what = ("id_duplicate", "this line is there twice") if line else ("line_unknown", "no such line")
            hint = "" if line else f"There are {numbers(by_n)}"
            problems.append(Problem(code, what, "decisions", "line", row, str(given["line"]), hint))
            continue
        assert line.sku_id is not None
        sku = doing.book.catalog.sku(line.sku_id)
        try:
            approved = 0 if given["qty"] == 0 else units(given["qty"], sku, row)
        except InputError as error:
            problems += placed(error, "decisions", row)
            approved = line.qty
        if approved > line.qty:
            message, hint = (
                f"{quantity(line.qty, sku)} were asked for",
                "Approve that, or less with a reason; 0 rejects",
            )
            problems.append(Problem("qty_out_of_range", message, "decisions", "qty", row, str(given["qty"]), hint))
        elif approved < line.qty and not given.get("reason"):
            message, hint = "less than asked needs a reason", f"Give its reason, or approve {quantity(line.qty, sku)}"
            problems.append(Problem("reason_missing", message, "decisions", "reason", row, hint=hint))
        done[line.n] = (line, approved, given.get("reason", ""))
    for n in sorted(by_n.keys() - done.keys()):
        problems.append(Problem("line_undecided", "every line must be decided", "decisions", "line", value=str(n)))
    if problems:
        raise InputError(problems)
    return [done[n] for n in sorted(done)]


@checked
def allocate_request(ledger: Ledger, request: str, person: Person, *, key: str = "") -> dict[str, Any]:
    """Promises warehouse stock to what was approved and is not sent yet, as the policy of supply says (SP-5).

    Returns:
        `number`, `state`, and per line `line`, `sku`, `requested`, `allocated`, `short` and the `reason` of what is
        short, as `Ledger.reserve` tells them. What is short stays approved, and can be allocated again.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(request)
        settings = settings_in_force(doing)
        warehouse = site_named(settings, document.place, column="warehouse")
        wanted = [line for line in doing.lines(request) if still_wanted(line) > 0]
        rows = [_demand(doing, document, line, warehouse) for line in wanted]
        with doing.transaction("reserve", document=request, document_kind=REQUEST) as heading:
            answer = reserve(doing.book, heading, Wish(rows, _good(settings.supply), heading.day))
            got = {line["line_id"]: line for line in answer["lines"]}
            told = []
            for line, row in zip(wanted, rows, strict=True):
                one = got[row["line_id"]]
                doing.line(request, line.n, line_id=row["line_id"], details={"short": one["reason"]})
                told.append({"line": line.n, "sku": row["sku"], **told_short(doing, line, one)})
            state = "allocated" if any(one["allocated"] for one in got.values()) else "approved"
            doing.go(request, state, marks=["allocated"])
        return {"number": request, "state": state, "lines": told}

    answer: dict[str, Any] = take(ledger, person, PART_REQUEST, "allocate", work, request, key=key)
    return answer


def told_qty(doing: Doing, line: DocumentLine, steps: int) -> int | str:
    """Steps of the SKU of a line as a quantity."""
    return quantity(steps, doing.book.catalog.sku(line.sku_id or 0))


def told_short(doing: Doing, line: DocumentLine, answer: Mapping[str, Any]) -> dict[str, Any]:
    """What a line got of what it asked for, and why not more."""
    qtys = {name: told_qty(doing, line, answer[name]) for name in ("requested", "allocated", "short")}
    return {**qtys, "reason": answer["reason"]}


def _good(policy: Policy) -> Policy:
    return policy if policy.conditions is not None else policy.model_copy(update={"conditions": GOOD})


def _demand(doing: Doing, document: Document, line: DocumentLine, warehouse: Site) -> dict[str, Any]:
    """A line of a request as the engine takes it."""
    assert line.sku_id is not None
    sku = doing.book.catalog.sku(line.sku_id)
    approved = line.details["approved"]
    said = {
        "line_id": f"{document.number}/{line.n}", "order_id": document.number, "sku": sku.sku,
        "qty": Decimal(approved).scaleb(-sku.scale) if sku.scale else approved, "location": warehouse.place,
        "customer": document.party, "bu": document.bu or None, "sku_group": sku.kept.sku_group,
    }  # fmt: skip
    return {name: value for name, value in said.items() if value is not None}


def promises_of(doing: Doing, request: str, stage: str) -> list[dict[str, Any]]:
    """The open promises to the lines of a document in a stage, as lines of a transaction."""
    ids = {line.line_id for line in doing.lines(request) if line.line_id}
    book = doing.book
    book.load_promises_to(ids)
    mine = sorted(n for n, each in book.allocations.items() if each and each.line_id in ids and each.stage == stage)
    return [{"allocation_id": n} for n in mine]


@checked
def pick_request(ledger: Ledger, request: str, person: Person, *, key: str = "") -> dict[str, Any]:
    """Takes what is promised to a request from its bins: a pick list, with places and serials, as `lines` (SP-5)."""

    def work(doing: Doing) -> dict[str, Any]:
        doing.begin(request)
        lines = promises_of(doing, request, "reserved")
        picks = [_pick(doing, line["allocation_id"]) for line in lines]
        with doing.transaction("pick", document=request, document_kind=REQUEST) as heading:
            doing.post(heading, lines)
            doing.go(request)
        return {"number": request, "state": "picked", "lines": picks}

    answer: dict[str, Any] = take(ledger, person, PART_REQUEST, "pick", work, request, key=key)
    return answer


def _pick(doing: Doing, allocation_id: int) -> dict[str, Any]:
    promise = doing.book.allocations[allocation_id]
    assert promise is not None
    goods = doing.book.goods[promise.goods_id]
    doing.book.catalog.load_sku_ids(doing.book.session, [goods.sku_id])
    sku = doing.book.catalog.sku(goods.sku_id)
    return {
        "line_id": promise.line_id, "sku": sku.sku, "qty": quantity(promise.qty, sku), "lot": goods.lot or None,
        "serial": goods.serial or None, "location": doing.book.catalog.accounts[promise.account_id].location,
    }  # fmt: skip


@checked
def withdraw_request(ledger: Ledger, request: str, person: Person, *, reason: str, key: str = "") -> dict[str, Any]:
    """Gives up what of a request is not shipped; what is on its way stays to be received.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `reason_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        doing.begin(request)
        check_reason(reason, "withdrawing")
        with doing.transaction():
            for line in doing.lines(request):
                shipped = line.details.get("shipped", 0)
                if still_wanted(line) > 0:
                    doing.line(request, line.n, state="withdrawn", details={"approved": shipped})
            lines = doing.lines(request)
            shipped = sum(line.details.get("shipped", 0) for line in lines)
            state = "shipped" if shipped else "withdrawn"
            if shipped and all(line.progress >= line.details.get("shipped", 0) for line in lines):
                state = "received"
            doing.go(request, state)
        return {"number": request, "state": state}

    answer: dict[str, Any] = take(ledger, person, PART_REQUEST, "withdraw", work, request, key=key, reason=reason)
    return answer
