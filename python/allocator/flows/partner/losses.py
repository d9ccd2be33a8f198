"""Parts of a challan that were lost: reported, and written off once the operations team approves it (SP-13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, check_reason, impossible, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.partner.challans import CHALLANS, PARTS, accounted_for, parts_of
from allocator.flows.partner.indents import settings_site
from allocator.flows.partner.shipments import in_json, sku_of
from allocator.flows.promises import sku_of_line
from allocator.flows.quantities import as_qty, quantity
from allocator.ledger.documents import DocumentLine
from allocator.ledger.lines import Lines, read_lines
from allocator.ledger.selection import key_of, stock_id

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

LOSSES: Final = known(
    Flow(
        name="write-off",
        prefix="WO",
        says="Parts of a challan that somebody lost: neither consumed nor coming back.",
        states={
            "reported": "Waits for the operations team; the parts are open on their challan still.",
            "written off": "The parts are off the books.",
            "rejected": "The parts are expected still.",
        },
        closed=("written off", "rejected"),
        steps=(
            Step("report", "Parts cannot be found, for a reason.", ("",), ("reported",),
                 ("storekeeper", "technician", "warehouse")),
            Step("approve", "They are written off, and due no more.", ("reported",), ("written off",),
                 ("operations",)),
            Step("reject", "They are to be looked for, or paid.", ("reported",), ("rejected",), ("operations",)),
        ),
    )
)  # fmt: skip


@checked
def report_loss(
    ledger: Ledger, challan: str, parts: Lines, person: Person, *, reason: str, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Reports parts of a challan as lost; they stay open on it until the write-off is approved.

    Args:
        ledger: The ledger.
        challan: Its number.
        parts: One line per part: its `line` on the challan, its `serial`, or its `sku`; `qty` where that is not all.
        person: A storekeeper of the site that gave the parts out, or the technician.
        reason: The reason code.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `challan`, and `lines`: `line` of the challan, `sku`, `serial`, `lot`, `qty`.

    Raises:
        InputError: `reason_missing`; `goods_unknown`: no such part is on it; `stock_short`: it is consumed, back, or
            reported already; `document_unknown`, `step_impossible`, `role_missing`.
    """
    with all_problems() as part:
        with part():
            rows = read_lines(parts, (), PARTS, "parts")
        with part():
            check_reason(reason, "a loss")

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.document(challan, CHALLANS.name)
        if document.state not in CHALLANS.step("write off").before:
            raise InputError(impossible(CHALLANS, document, "write off"))
        if doing.person.party not in ("", document.party):
            message = f"{challan} is worked on by {document.party or 'the business'}"
            raise InputError(Problem("role_missing", message, column="challan", value=challan))
        shares = parts_of(doing, challan, rows, _reported(doing, challan))
        names = ("indent", "customer", "service_order", "contract_type", "holder")
        said = {name: document.details[name] for name in names if name in document.details}
        with doing.transaction():
            number = doing.open(LOSSES, "reported", party=document.party, counterparty=document.counterparty,
                                bu=document.bu, place=document.place,
                                details={"challan": challan, "why": reason, **said})  # fmt: skip
            doing.link(number, "lost_on", challan)
            told = []
            for n, (line, qty) in enumerate(shares, start=1):
                goods, sku = doing.book.goods[line.goods_id or 0], sku_of(doing, line.goods_id or 0)
                doing.line(number, n, sku_id=sku.sku_id, goods_id=goods.goods_id, line_id=line.line_id, qty=qty,
                           state="reported", details={"challan_line": line.n})  # fmt: skip
                told.append({"line": line.n, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None,
                             "qty": quantity(qty, sku)})  # fmt: skip
        return {"number": number, "state": "reported", "challan": challan, "lines": told}

    answer: dict[str, Any] = take(ledger, person, LOSSES, "report", work, challan, rows, key=key, reason=reason,
                                  note=note)  # fmt: skip
    return answer


def _reported(doing: Doing, challan: str) -> dict[int, int]:
    """What of a challan is reported as lost and not decided, by line."""
    documents = doing.book.documents
    found: dict[int, int] = {}
    for number in documents.linked_from(challan, "lost_on"):
        loss = documents.get(number)
        if loss is not None and not loss.closed:
            for line in doing.lines(number):
                n = line.details["challan_line"]
                found[n] = found.get(n, 0) + line.qty
    return found


@checked
def approve_loss(ledger: Ledger, write_off: str, person: Person, *, note: str = "", key: str = "") -> dict[str, Any]:
    """Writes lost parts off: they leave the books, and nothing of them is due any more; `leakage` counts them as lost.

    Returns:
        `number`, `state`; the `challan` and its state, `reverse` and its state.

    Raises:
        InputError: `stock_short`: some of it was consumed or came back meanwhile; `document_unknown`,
            `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(write_off)
        challan = doing.document(document.details["challan"], CHALLANS.name)
        mine = doing.lines(write_off)
        rows = [{"line": line.details["challan_line"], "qty": as_qty(line.qty, sku_of_line(doing, line))}
                for line in mine]  # fmt: skip
        shares = parts_of(doing, challan.number, rows)
        said = {"document": write_off, "document_kind": LOSSES.name, "reason": document.details["why"],
                "approved_by": doing.person.name, "details": in_json({"challan": challan.number})}  # fmt: skip
        place = f"{settings_site(doing, challan).place}/lost"
        out = [_goods(doing, line, line.details["account"], qty) for line, qty in shares]
        with doing.transaction("return", **said) as heading:
            went = doing.post(heading, [each | {"to_location": place} for each in out])
        gone = [each | {"stock_id": stock_id((key := key_of(each["stock_id"]))[0], went[key])} for each in out]
        with doing.transaction("adjust", **said) as heading:
            doing.post(heading, gone)
            told = accounted_for(doing, challan, shares, "write off")
            for line in mine:
                doing.line(write_off, line.n, progress=line.qty, state="written off")
            doing.go(write_off)
        names = ("reverse", "reverse_state")
        return {"number": write_off, "state": "written off", "challan": challan.number, "challan_state": told["state"],
                **{name: told[name] for name in names}}  # fmt: skip

    answer: dict[str, Any] = take(ledger, person, LOSSES, "approve", work, write_off, key=key, note=note)
    return answer


def _goods(doing: Doing, line: DocumentLine, account: int, qty: int) -> dict[str, Any]:
    goods_id = line.goods_id or 0
    return {"stock_id": stock_id(goods_id, account), "qty": as_qty(qty, sku_of(doing, goods_id))}


@checked
def reject_loss(
    ledger: Ledger, write_off: str, person: Person, *, reason: str, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Does not write lost parts off: they are expected still.

    Returns:
        `number`, `state`.

    Raises:
        InputError: `reason_missing`, `document_unknown`, `step_impossible`, `role_missing`.
    """
    check_reason(reason, "rejecting")

    def work(doing: Doing) -> dict[str, Any]:
        doing.begin(write_off)
        with doing.transaction():
            doing.go(write_off)
        return {"number": write_off, "state": "rejected"}

    answer: dict[str, Any] = take(ledger, person, LOSSES, "reject", work, write_off, key=key, reason=reason, note=note)
    return answer
