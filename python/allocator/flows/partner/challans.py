"""Delivery challans and their reverse: what goes out to a job, what is used, what comes back (SP-12, SP-13).

Every unit on a challan is consumed, returned unused, or open. Of a SKU with `defective_return`, the defective part must
come back for each one that is consumed: the reverse challan, made in the same call, says what is due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, impossible, one_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.named import Candidate, chosen
from allocator.flows.partner.indents import INDENTS, check_shelf, close_if_over, due_h, settings_site
from allocator.flows.partner.network import settings_in_force
from allocator.flows.partner.shipments import in_json, promised, read_references, sku_of
from allocator.flows.quantities import as_qty, quantity, read_qty
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.lines import Lines, number, read_lines, text
from allocator.ledger.records import Allocation
from allocator.ledger.selection import stock_id

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

CHALLANS: Final = known(
    Flow(
        name="delivery challan",
        prefix="DC",
        says="Parts that are out for a job: with a technician, or at the customer's.",
        states={"out": "Some of it is neither consumed nor back.", "settled": "All of it is consumed or back."},
        closed=("settled",),
        steps=(
            Step("issue", "What is allocated goes out; the reverse challan is made with it.", ("",), ("out",),
                 ("storekeeper", "warehouse")),
            Step("consume", "Parts were used for the job.", ("out",), ("out", "settled"),
                 ("technician", "storekeeper", "service"), shared=True),
            Step("return", "Unused parts come back, with their first receipt date and expiry.", ("out",),
                 ("out", "settled"), ("storekeeper", "warehouse")),
            Step("write off", "Parts that were lost are written off, approved.", ("out",), ("out", "settled")),
        ),
    )
)  # fmt: skip

REVERSE: Final = known(
    Flow(
        name="reverse challan",
        prefix="RDC",
        says="What must come back of a delivery challan: unused parts, and the defective one for every part replaced.",
        states={"due": "Something must come back still, or be consumed.", "complete": "Nothing more is due."},
        closed=("complete",),
        steps=(
            Step("issue", "It is made with its delivery challan.", ("",), ("due",)),
            Step("consume", "Parts were used: their defective counterparts are due, if their SKU asks for them.",
                 ("due",), ("due", "complete")),
            Step("return", "Unused parts came back.", ("due",), ("due", "complete")),
            Step("write off", "Lost parts were written off: they are not due any more.", ("due",), ("due", "complete")),
            Step("inward", "Defective parts come back, into defective stock.", ("due",), ("due", "complete"),
                 ("storekeeper", "warehouse")),
            Step("waive", "A defective part will not come back, for a reason.", ("due",), ("due", "complete"),
                 ("operations",)),
        ),
    )
)  # fmt: skip

PARTS: Final[Mapping[str, Callable[[Any], Any]]] = {"line": number, "sku": text, "serial": text, "qty": read_qty}


@checked
def issue_challan(
    ledger: Ledger,
    indent: str,
    person: Person,
    *,
    to: Literal["technician", "customer"] = "technician",
    holder: str = "",
    references: Mapping[str, str] | None = None,
    note: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Gives out what is allocated to an indent: one call makes the challan and its linked reverse challan (SP-12).

    Args:
        ledger: The ledger.
        indent: Its number.
        person: A storekeeper of the partner that fulfils it, or of the warehouse.
        to: Whether the parts go to the technician, or straight to the customer.
        holder: The technician's name; for a customer, the indent's if left out.
        references: Further references by kind.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` of the challan, `reverse` of the reverse one, `state` of the indent, and `lines`: `line`, `sku`,
        `serial`, `lot`, `qty`, and `defective_return`.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `role_missing`, `argument_missing`.
    """
    with all_problems() as part:
        with part():
            told = read_references(references)
        with part():
            one_of(to, ("technician", "customer"), "to")

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.document(indent, INDENTS.name)
        if document.state not in INDENTS.step("dispatch").before:
            raise InputError(impossible(INDENTS, document, "dispatch"))
        check_shelf(doing, document)
        holds = holder or (document.details["customer"] if to == "customer" else "")
        if not holds:
            raise InputError(Problem("argument_missing", "someone takes the parts", column="holder"))
        site = settings_site(doing, document)
        promises = promised(doing, indent, "reserved")
        challan, reverse = doing.next_number(CHALLANS), doing.next_number(REVERSE)
        said = _said_of(document, indent)
        details = in_json(told | said | {"reverse": reverse})
        type_ = "ship" if to == "technician" else "deliver"
        with doing.transaction(type_, document=challan, document_kind=CHALLANS.name, details=details) as heading:
            places = {"to_location": f"{site.technicians}/{holds}"} if to == "technician" else {}
            went = doing.post(
                heading, [{"allocation_id": each.allocation_id, "to_holder": holds, **places} for each in promises]
            )
            common = {"party": document.party, "counterparty": document.counterparty, "bu": document.bu,
                      "place": document.place}  # fmt: skip
            doing.open(CHALLANS, "out", number=challan, **common, details={"to": to, "holder": holds, **said})
            doing.open(REVERSE, "due", number=reverse, **common, details={"challan": challan, **said},
                       due_s=settings_in_force(doing).return_days * 86_400)  # fmt: skip
            for made in (challan, reverse):
                doing.link(made, "indent", indent)
            doing.link(reverse, "challan", challan)
            lines = [
                _out(doing, (challan, reverse), n, each, went[each.goods_id, each.account_id])
                for n, each in enumerate(promises, start=1)
            ]
            state = _dispatched(doing, document, promises)
        return {"number": challan, "reverse": reverse, "state": state, "lines": lines}

    asked = (indent, to, holder, told)
    answer: dict[str, Any] = take(ledger, person, CHALLANS, "issue", work, *asked, key=key, note=note)
    return answer


def _out(doing: Doing, numbers: tuple[str, str], n: int, promise: Allocation, account: int) -> dict[str, Any]:
    """A line of both challans: what is out, and what is due back of it."""
    goods, sku = doing.book.goods[promise.goods_id], sku_of(doing, promise.goods_id)
    challan, reverse = numbers
    replaces = sku.kept.defective_return
    doing.line(challan, n, sku_id=sku.sku_id, goods_id=promise.goods_id, line_id=promise.line_id, qty=promise.qty,
               state="out", details={"account": account})  # fmt: skip
    doing.line(reverse, n, sku_id=sku.sku_id, qty=promise.qty, state="due", details={"defective_return": replaces})
    return {
        "line": n, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None,
        "qty": quantity(promise.qty, sku), "defective_return": replaces,
    }  # fmt: skip


def _said_of(document: Document, indent: str) -> dict[str, Any]:
    """What of an indent goes with its challans, so that usage is told by job and by who pays."""
    names = ("customer", "service_order", "contract_type")
    return {"indent": indent, **{name: document.details[name] for name in names if name in document.details}}


def _dispatched(doing: Doing, document: Document, promises: Sequence[Allocation]) -> str:
    sent: dict[int, int] = {}
    for each in promises:
        n = int(each.line_id.rpartition("/")[2])
        sent[n] = sent.get(n, 0) + each.qty
    for line in doing.lines(document.number, list(sent)):
        done = line.progress + sent[line.n]
        state = "dispatched" if done == line.qty else "short"
        doing.line(document.number, line.n, step="dispatch", progress=done, state=state)
    over = all(line.progress >= line.qty for line in doing.lines(document.number))
    settings = settings_in_force(doing)
    sla = settings.sla(document.details.get("contract_type"), document.details["priority"])
    doing.go(document.number, "dispatched" if over else "assigned", step="dispatch",
             marks=["dispatched"] if over else [], due_s=due_h(sla, "close") if over else None)  # fmt: skip
    return "dispatched" if over else "assigned"


# --- what becomes of the parts ---


@checked
def consume(
    ledger: Ledger, challan: str, parts: Lines, person: Person, *, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Records which parts of a challan were used for the job (SP-13).

    Args:
        ledger: The ledger.
        challan: Its number.
        parts: One line per part: its `line` on the challan, its `serial`, or its `sku`; `qty` where that is not all.
        person: The technician, a storekeeper, or the service desk.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` and `state` of the challan, `reverse` and its state, and `open`: what is neither consumed nor back.

    Raises:
        InputError: `document_unknown`, `step_impossible`; `goods_unknown`: no such part is out on it; `stock_short`.
    """
    return _ended(ledger, challan, parts, person, step="consume", note=note, key=key)


@checked
def return_unused(
    ledger: Ledger, challan: str, parts: Lines, person: Person, *, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Takes unused parts of a challan back into the store; they keep their receipt date and expiry (SP-14).

    Arguments, answer and refusals are those of `consume`.
    """
    return _ended(ledger, challan, parts, person, step="return", note=note, key=key)


def _ended(
    ledger: Ledger, challan: str, parts: Lines, person: Person, *, step: str, note: str, key: str
) -> dict[str, Any]:
    rows = read_lines(parts, (), PARTS, "parts")

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(challan)
        (reverse,) = reverse_of(doing, challan)
        shares = parts_of(doing, challan, rows)
        site = settings_site(doing, document)
        lines = []
        for line, qty in shares:
            goods = {"stock_id": stock_id(line.goods_id or 0, line.details["account"]),
                     "qty": as_qty(qty, sku_of(doing, line.goods_id or 0))}  # fmt: skip
            end = {"to_holder": document.details["customer"]} if step == "consume" else {
                "to_location": site.store, "line_id": line.line_id}  # fmt: skip
            lines.append(goods | end)
        number_ = challan if step == "consume" else reverse
        kind = CHALLANS.name if step == "consume" else REVERSE.name
        details = in_json({name: document.details[name] for name in ("indent", "service_order", "contract_type")
                           if name in document.details})  # fmt: skip
        with doing.transaction(step, document=number_, document_kind=kind, details=details) as heading:
            doing.post(heading, lines)
            return accounted_for(doing, document, shares, step)

    answer: dict[str, Any] = take(ledger, person, CHALLANS, step, work, challan, rows, key=key, note=note)
    return answer


def accounted_for(
    doing: Doing, challan: Document, shares: Sequence[tuple[DocumentLine, int]], step: str
) -> dict[str, Any]:
    """Parts of a challan were consumed, came back or were written off, within a transaction: what it is like then."""
    (reverse,) = reverse_of(doing, challan.number)
    # All of its lines at once: thousands would be read one by one.
    doing.lines(reverse)
    for line, qty in shares:
        _count(doing, (challan.number, reverse), (line, qty), step)
    left = [each for each in doing.lines(challan.number) if each.progress < each.qty]
    state = "out" if left else "settled"
    doing.go(challan.number, state, step=step, marks=[] if left else ["settled"])
    reverse_state = reverse_goes_on(doing, reverse, step)
    close_if_over(doing, challan.details["indent"])
    open_ = [_left(doing, each) for each in left]
    return {"number": challan.number, "state": state, "reverse": reverse, "reverse_state": reverse_state,
            "open": open_}  # fmt: skip


def reverse_of(doing: Doing, challan: str) -> list[str]:
    """The reverse challan of a challan."""
    linked = [doing.book.documents.get(number) for number in doing.book.documents.linked_from(challan, "challan")]
    return [each.number for each in linked if each and each.flow == REVERSE.name]


def _left(doing: Doing, line: DocumentLine) -> dict[str, Any]:
    sku = doing.book.catalog.sku(line.sku_id or 0)
    return {"line": line.n, "sku": sku.sku, "qty": quantity(line.qty - line.progress, sku)}


def parts_of(
    doing: Doing, challan: str, rows: Sequence[Mapping[str, Any]], taken: Mapping[int, int] = MappingProxyType({})
) -> list[tuple[DocumentLine, int]]:
    """The lines of a challan that parts mean, and how many steps of each; less what is `taken` of some, by line.

    Raises:
        InputError: `goods_unknown`, `stock_short`, `qty_step`: every one of them.
    """
    lines = doing.lines(challan)
    doing.book.load_goods(line.goods_id for line in lines if line.goods_id is not None)
    return chosen(
        doing, rows, [_candidate(doing, line, taken.get(line.n, 0)) for line in lines], table="parts",
        none="no such part is on the challan", hint="Name its line, its serial, or its SKU",
        there="are out on the challan",
    )  # fmt: skip


def _candidate(doing: Doing, line: DocumentLine, taken: int) -> Candidate[DocumentLine]:
    sku = doing.book.catalog.sku(line.sku_id or 0)
    return Candidate(line, sku, line.goods_id or 0, line.qty - line.progress - taken, {"line": line.n})


COUNTS: Final[Mapping[str, str]] = {"consume": "consumed", "return": "returned", "write off": "written_off"}
"""By step, the detail of a challan's line that counts what became of its parts."""


def _count(doing: Doing, numbers: tuple[str, str], part: tuple[DocumentLine, int], step: str) -> None:
    """Counts a part as consumed, back or written off, on both challans."""
    (challan, reverse), (line, qty), name = numbers, part, COUNTS[step]
    now, back = (doing.book.documents.line(number, line.n) for number in numbers)
    done = now.progress + qty
    doing.line(challan, line.n, step=step, progress=done, state="settled" if done == now.qty else "out",
               details={name: now.details.get(name, 0) + qty})  # fmt: skip
    if name == "consumed" and back.details["defective_return"]:
        doing.line(reverse, line.n, step=step, state="defective due",
                   details={"defective_due": back.details.get("defective_due", 0) + qty})  # fmt: skip
    else:
        doing.line(reverse, line.n, step=step, progress=back.progress + qty)


def reverse_goes_on(doing: Doing, reverse: str, step: str) -> str:
    """The reverse challan after parts were accounted for: its state."""
    left = [line for line in doing.lines(reverse) if line.progress < line.qty]
    for line in doing.lines(reverse):
        if line.progress == line.qty and line.state != "complete" and "for" not in line.details:
            doing.line(reverse, line.n, step=step, state="complete")
    state = "due" if left else "complete"
    doing.go(reverse, state, step=step, marks=[] if left else ["complete"])
    return state
