"""Defective parts are repaired, and are stock again in their new condition; or scrapped (SP-14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, check_reason, one_of, placed, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.partner.indents import settings_site
from allocator.flows.partner.network import bu_of, line_named, partner_of, settings_in_force, stock_rows
from allocator.flows.partner.shipments import sku_of
from allocator.flows.quantities import as_qty, quantity, read_qty, steps_of
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Lines, read_lines, text
from allocator.ledger.selection import key_of, stock_id, units

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

REPAIRS: Final = known(
    Flow(
        name="repair",
        prefix="RP",
        says="Defective parts that are repaired or refurbished: they become stock again, or are scrapped.",
        states={"in repair": "Some of it is neither repaired nor scrapped.", "done": "All of it is."},
        closed=("done",),
        steps=(
            Step("send", "Defective parts go to be repaired.", ("",), ("in repair",), ("storekeeper", "warehouse")),
            Step("finish", "Parts are repaired, and are stock again, in condition repaired; or they are scrapped.",
                 ("in repair",), ("in repair", "done"), ("storekeeper", "warehouse")),
        ),
    )
)  # fmt: skip

BROKEN: Final[Mapping[str, Callable[[Any], Any]]] = {"sku": text, "serial": text, "lot": text, "qty": read_qty}
OUTCOMES: Final = ("repaired", "refurbished", "scrapped")


@checked
def send_to_repair(
    ledger: Ledger, parts: Lines, person: Person, *, party: str = "", vendor: str = "", note: str = "", key: str = ""
) -> dict[str, Any]:
    """Takes defective parts out of defective stock to be repaired (SP-14).

    Args:
        ledger: The ledger.
        parts: One line per `serial`, or per `sku` (and `lot`) with `qty`.
        person: A storekeeper of the partner.
        party: The partner; the person's own if left out.
        vendor: Who repairs, if it is not the partner itself.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and `lines`.

    Raises:
        InputError: `goods_unknown`, `stock_short`, `value_null`: every line of which not so much is defective there.
    """
    rows = read_lines(parts, (), BROKEN, "parts")

    def work(doing: Doing) -> dict[str, Any]:
        site = partner_of(doing, settings_in_force(doing), party)
        taken = stock_of(doing, rows, site.defective)
        repair = doing.next_number(REPAIRS)
        lines = [
            {"stock_id": stock, "qty": as_qty(qty, sku_of(doing, key_of(stock)[0])), "to_location": site.repair,
             "to_status": "under repair"}
            for stock, qty in taken
        ]  # fmt: skip
        with doing.transaction("change_status", document=repair, document_kind=REPAIRS.name) as heading:
            went = doing.post(heading, lines)
            details = {"vendor": vendor} if vendor else {}
            doing.open(REPAIRS, "in repair", number=repair, bu=bu_of(doing, site, ""), party=site.name, place=site.name,
                       details=details)  # fmt: skip
            told = []
            for n, (stock, qty) in enumerate(taken, start=1):
                goods_id, _ = key_of(stock)
                goods, sku = doing.book.goods[goods_id], sku_of(doing, goods_id)
                doing.line(repair, n, sku_id=sku.sku_id, goods_id=goods.goods_id, qty=qty, state="in repair",
                           details={"account": went[key_of(stock)]})  # fmt: skip
                told.append({"line": n, "sku": sku.sku, "serial": goods.serial or None, "qty": quantity(qty, sku)})
        return {"number": repair, "state": "in repair", "lines": told}

    asked = (rows, party, vendor)
    answer: dict[str, Any] = take(ledger, person, REPAIRS, "send", work, *asked, key=key, note=note)
    return answer


def stock_of(doing: Doing, rows: Sequence[Mapping[str, Any]], place: str) -> list[tuple[int, int]]:
    """The free stock at a place that lines mean, oldest first: stock rows and steps.

    Raises:
        InputError: `goods_unknown`, `stock_short`, `value_null`, `sku_unknown`: every one of them.
    """
    problems: list[Problem] = []
    taken: dict[int, int] = {}
    for n, row in enumerate(rows):
        try:
            if "serial" in row:
                goods_id = doing.unit_at(row, n, place)
                (account,) = doing.book.accounts_of[goods_id]
                taken[stock_id(goods_id, account)] = 1
                continue
            if "sku" not in row or "qty" not in row:
                raise InputError(Problem("value_null", "a line needs serial, or sku and qty", "parts", row=n))
            sku = doing.skus([row["sku"]])[row["sku"]]
            left = units(row["qty"], sku, n)
            for each in stock_rows(doing, place, [sku.sku_id]):
                key = stock_id(each.goods.goods_id, each.account_id)
                free = each.qty - each.reserved - taken.get(key, 0)
                if free > 0 and row.get("lot", each.goods.lot) == each.goods.lot and left:
                    taken[key] = taken.get(key, 0) + min(left, free)
                    left -= min(left, free)
            if left:
                there = quantity(units(row["qty"], sku, n) - left, sku)
                message = f"{there} of {sku.sku} are there, and free"
                raise InputError(Problem("stock_short", message, "parts", "qty", n, str(row["qty"])))
        except InputError as error:
            problems += placed(error, "parts", n)
    if problems:
        raise InputError(problems)
    return sorted(taken.items())


@checked
def finish_repair(
    ledger: Ledger,
    repair: str,
    line: int,
    outcome: Literal["repaired", "refurbished", "scrapped"],
    person: Person,
    *,
    qty: int | None = None,
    reason: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Records what a repair came to: the part is stock again, in its new condition, or it is scrapped (SP-14).

    Args:
        ledger: The ledger.
        repair: The number of the repair.
        line: Its line.
        outcome: `repaired`, `refurbished` or `scrapped`.
        person: A storekeeper of the partner.
        qty: How many; all that are left if left out.
        reason: The reason code; scrap needs one.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and how many of the line are `open`.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `line_unknown`, `stock_short`, `reason_missing`,
            `argument_value`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(repair)
        found = _in_repair(doing, document, line, outcome, reason)
        goods_id, sku = found.goods_id or 0, sku_of(doing, found.goods_id or 0)
        left = found.qty - found.progress
        wanted = left if qty is None else steps_of(qty, sku)
        if not 0 < wanted <= left:
            message = f"{quantity(left, sku)} are in repair"
            hint = "Leave qty out for all that is left" if left else "All of the line is done"
            raise InputError(Problem("stock_short", message, column="qty", value=str(qty), hint=hint))
        site = settings_site(doing, document)
        goods: dict[str, Any] = {
            "stock_id": stock_id(goods_id, found.details["account"]),
            "qty": as_qty(wanted, sku),
        }
        if outcome != "scrapped":
            goods |= {"to_location": site.store, "to_status": "available", "to_condition": outcome}
        type_ = "scrap" if outcome == "scrapped" else "change_status"
        said = {"document": repair, "document_kind": REPAIRS.name, "reason": reason or outcome}
        with doing.transaction(type_, **said) as heading:
            doing.post(heading, [goods])
            done = found.progress + wanted
            doing.line(repair, line, progress=done, state=outcome if done == found.qty else "in repair",
                       details={outcome: found.details.get(outcome, 0) + wanted})  # fmt: skip
            open_ = any(each.progress < each.qty for each in doing.lines(repair))
            doing.go(repair, "in repair" if open_ else "done")
        return {"number": repair, "state": "in repair" if open_ else "done", "open": quantity(found.qty - done, sku)}

    asked = (repair, line, outcome, qty, reason)
    answer: dict[str, Any] = take(ledger, person, REPAIRS, "finish", work, *asked, key=key, reason=reason)
    return answer


def _in_repair(doing: Doing, document: Document, line: int, outcome: str, reason: str) -> DocumentLine:
    with all_problems() as part:
        with part():
            one_of(outcome, OUTCOMES, "outcome")
        with part():
            if outcome == "scrapped":
                check_reason(reason, "what is scrapped")
        with part():
            found = line_named(doing, document, line)
    doing.book.load_goods([found.goods_id or 0])
    return found
