"""What happens when a GRN is short, and all else at the door: shipments are counted, differences recorded and settled.

What is accepted is available at once (SP-6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, number_of, placed, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.partner.network import settings_in_force, site_named, still_wanted
from allocator.flows.partner.requests import PART_REQUEST
from allocator.flows.partner.shipments import CHALLANS_WAREHOUSE, SHIPMENTS, sku_of
from allocator.flows.quantities import as_qty, quantity, read_qty
from allocator.ledger.documents import Document, DocumentLine
from allocator.ledger.known import Key
from allocator.ledger.lines import Lines, read_lines, text
from allocator.ledger.selection import stock_id, units
from allocator.model.network import Site

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

RECEIPTS: Final = known(
    Flow(
        name="goods receipt",
        prefix="GRN",
        says="What was counted of a shipment: what was accepted, and every difference until it is settled.",
        states={
            "accepted": "Everything was there as it was shipped.",
            "differences": "Something is short, in excess, damaged or wrong, and waits to be settled.",
            "settled": "Every difference is settled.",
        },
        closed=("accepted", "settled"),
        steps=(
            Step("receive", "A shipment is counted.", ("",), ("accepted", "differences")),
            Step("settle", "It is decided what becomes of a difference.", ("differences",), ("settled", "differences"),
                 ("operations",)),
        ),
    )
)  # fmt: skip

COUNTED: Final[Mapping[str, Callable[[Any], Any]]] = {
    "sku": text,
    "serial": text,
    "lot": text,
    "qty": read_qty,
    "condition": text,
}
CONDITIONS: Final = ("good", "damaged")


@dataclass
class _Counted:
    """What was found of a shipment: pieces of its lines by what became of them, and what was on none of them."""

    found: list[tuple[DocumentLine, int, str]] = field(default_factory=list)
    strange: list[tuple[str, str, int, dict[str, str]]] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)
    skus: set[str] = field(default_factory=set)
    serials: set[str] = field(default_factory=set)

    def take(self, line: DocumentLine, qty: int, state: str) -> None:
        self.found.append((line, qty, state))
        self.left[line.n] -= qty


@checked
def receive_shipment(
    ledger: Ledger, shipment: str, person: Person, *, counted: Lines | None = None, final: bool = True, note: str = "",
    key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Counts a shipment in (GRN_TO_STORE, or at the warehouse); what is accepted is available at once (SP-6).

    Args:
        ledger: The ledger.
        shipment: The number of a shipment or of a warehouse challan.
        person: A storekeeper of the partner; for a warehouse challan, someone of the warehouse.
        counted: What was found, a line per serial, or per `sku` with `qty` and, if it has one, its `lot`; `condition`
            is `good` or `damaged`. All of it, in good condition, if left out.
        final: Whether all of it was counted: what was not found is short. If not, the rest is expected still.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` of the receipt, its `state`, and `lines`: what was `accepted`, `damaged`, `short`, in `excess`, or a
        `wrong part`.

    Raises:
        InputError: `document_unknown`, `step_impossible`; `tracking_mismatch`: units are counted by their serials.
    """
    rows = None if counted is None else read_lines(counted, (), COUNTED, "counted")
    flow = _flow_of(ledger, shipment)

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(shipment)
        to_store = doing.flow is SHIPMENTS
        settings = settings_in_force(doing)
        site = site_named(settings, document.party if to_store else document.place)
        lines = [line for line in doing.lines(shipment) if line.qty > line.progress]
        doing.book.load_goods(line.goods_id for line in lines if line.goods_id is not None)
        result = _matched(doing, lines, rows)
        if rows is None or final:
            for line in lines:
                if result.left[line.n]:
                    result.take(line, result.left[line.n], "accepted" if rows is None else "short")
        return _received(doing, document, site, result, to_store=to_store)

    answer: dict[str, Any] = take(ledger, person, flow, "receive", work, shipment, rows, final, key=key, note=note)
    return answer


def _flow_of(ledger: Ledger, shipment: str) -> Flow:
    """Which way a shipment goes: to a partner, or back to the warehouse."""
    sql = "SELECT flow FROM document WHERE tenant = :tenant AND number = :number"
    with ledger.store.session() as session:
        row = session.one(sql, {"tenant": ledger.tenant, "number": number_of(shipment)})
    return CHALLANS_WAREHOUSE if row and row[0] == CHALLANS_WAREHOUSE.name else SHIPMENTS


def _matched(doing: Doing, lines: Sequence[DocumentLine], rows: Sequence[Mapping[str, Any]] | None) -> _Counted:
    """Finds what was counted on the lines of the shipment."""
    result = _Counted(left={line.n: line.qty - line.progress for line in lines})
    by_goods = {line.goods_id: line for line in lines if line.goods_id is not None}
    result.skus.update(sku_of(doing, goods_id).sku for goods_id in by_goods)
    doing.book.find_numbers(row["serial"] for row in rows or () if "serial" in row)
    problems: list[Problem] = []
    for n, row in enumerate(rows or ()):
        try:
            _check(doing, result, row)
            if "serial" in row:
                _match_unit(doing, by_goods, result, row)
            else:
                _match_qty(doing, lines, result, row, n)
        except InputError as error:
            problems += placed(error, "counted", n)
    if problems:
        raise InputError(problems)
    return result


def _check(doing: Doing, result: _Counted, row: Mapping[str, Any]) -> None:
    """Makes sure that a line can be so: a condition and a SKU that there are, a serial that nobody counted yet.

    Raises:
        InputError: Everything that cannot be so.
    """
    problems = []
    if (condition := row.get("condition", "good")) not in CONDITIONS:
        hint = f"There are {', '.join(CONDITIONS)}"
        problems.append(Problem("argument_value", "no such condition", "counted", "condition", None, condition, hint))
    if "sku" in row and row["sku"] not in result.skus:
        problems += doing.find_skus([row["sku"]])[1]
    if "serial" not in row:
        lacking = [name for name in ("sku", "qty") if name not in row]
        problems += [Problem("value_null", f"a line needs {name}", "counted", name) for name in lacking]
    elif row["serial"] in result.serials:
        problems.append(Problem("id_duplicate", "it was counted twice", "counted", "serial", value=row["serial"]))
    else:
        result.serials.add(row["serial"])
    if problems:
        raise InputError(problems)


def _state(row: Mapping[str, Any]) -> str:
    return "accepted" if row.get("condition", "good") == "good" else "damaged"


def _match_unit(doing: Doing, by_goods: Mapping[int, DocumentLine], result: _Counted, row: Mapping[str, Any]) -> None:
    mine = [goods_id for _, goods_id in doing.book.numbers.get(row["serial"], ()) if goods_id in by_goods]
    line = next((by_goods[goods_id] for goods_id in mine if result.left[by_goods[goods_id].n]), None)
    if line is not None:
        result.take(line, 1, _state(row))
    else:
        kind = "excess" if row.get("sku") in result.skus else "wrong part"
        result.strange.append((kind, row.get("sku", ""), 1, {"serial": row["serial"]}))


def _match_qty(doing: Doing, lines: Sequence[DocumentLine], result: _Counted, row: Mapping[str, Any], n: int) -> None:
    sku = doing.skus([row["sku"]])[row["sku"]]
    if sku.by_unit:
        message = f"{sku.sku} is tracked by serial: count each unit by its own"
        raise InputError(Problem("tracking_mismatch", message, "counted", "serial", n))
    left = units(row["qty"], sku, n)
    for line in lines:
        goods = doing.book.goods[line.goods_id] if line.goods_id is not None else None
        if left and line.sku_id == sku.sku_id and (goods is None or row.get("lot", goods.lot) == goods.lot):
            part = min(left, result.left[line.n])
            if part:
                result.take(line, part, _state(row))
            left -= part
    if left:
        kind = "excess" if sku.sku in result.skus else "wrong part"
        result.strange.append((kind, sku.sku, left, {"lot": row["lot"]} if "lot" in row else {}))


def _received(doing: Doing, document: Document, site: Site, result: _Counted, *, to_store: bool) -> dict[str, Any]:
    """Takes in what was found, and records the receipt with its differences."""
    number = doing.next_number(RECEIPTS)
    kind = "GRN_TO_STORE" if to_store else "GRN_TO_WAREHOUSE"
    moved = [(line, qty, state) for line, qty, state in result.found if state != "short"]
    good = {"to_location": site.store} if to_store else {"to_location": f"{site.place}/returns"}
    damaged = {"to_location": site.quarantine, "to_status": "quarantine", "to_condition": "damaged"}
    lines = [
        {**transit(doing, line, qty), **(damaged if state == "damaged" and to_store else good)}
        for line, qty, state in moved
    ]
    said = {"document": number, "document_kind": kind}
    with doing.transaction("receive" if lines else "document", **said) as heading:
        # A line may be parted: what of it is damaged goes elsewhere than the rest.
        pieces = [line for line in lines if "to_status" not in line], [line for line in lines if "to_status" in line]
        went = [doing.post(heading, piece, "transfer") if piece else {} for piece in pieces]
        differs = bool(result.strange) or any(state != "accepted" for *_, state in result.found)
        state = "differences" if differs else "accepted"
        doing.open(
            RECEIPTS, state, number=number, party=document.party, counterparty=document.counterparty, bu=document.bu,
            place=document.place, details={"kind": kind, "shipment": document.number},
        )  # fmt: skip
        doing.link(number, "shipment", document.number)
        # At the warehouse what arrived damaged lies with the other returns.
        told = _receipt_lines(doing, number, result, went[1] if to_store else went[0])
        for line in {line.n: line for line, *_ in result.found}.values():
            done = line.qty - result.left[line.n]
            state_ = "counted" if done == line.qty else "in transit"
            doing.line(document.number, line.n, progress=done, state=state_)
        doing.go(document.number, "partly received" if any(result.left.values()) else "received")
        if to_store:
            _requests_received(doing, result)
        elif not any(result.left.values()):
            doing.go(document.details["return"], step="receive", marks=["received"])
    return {"number": number, "state": state, "shipment": document.number, "lines": told}


def transit(doing: Doing, line: DocumentLine, qty: int) -> dict[str, Any]:
    """So much of the goods of a shipment's line, where they are on their way."""
    assert line.goods_id is not None
    return {
        "stock_id": stock_id(line.goods_id, line.details["account"]),
        "qty": as_qty(qty, sku_of(doing, line.goods_id)),
    }


def _receipt_lines(doing: Doing, number: str, result: _Counted, quarantined: Mapping[Key, int]) -> list[dict[str, Any]]:
    told = []
    for n, (line, qty, state) in enumerate(result.found, start=1):
        sku = sku_of(doing, line.goods_id or 0)
        settled = qty if state == "accepted" else 0
        account = quarantined.get((line.goods_id or 0, line.details["account"])) if state == "damaged" else None
        doing.line(number, n, step="receive", sku_id=line.sku_id, goods_id=line.goods_id, line_id=line.line_id, qty=qty,
                   progress=settled, state=state,
                   details={"line": line.n, "account": account})  # fmt: skip
        serial = doing.book.goods[line.goods_id or 0].serial
        told.append({"line": n, "sku": sku.sku, "serial": serial or None, "qty": quantity(qty, sku), "state": state})
    for n, (state, name, qty, details) in enumerate(result.strange, start=len(told) + 1):
        sku_ = doing.skus([name])[name] if name else None
        doing.line(
            number, n, step="receive", sku_id=sku_.sku_id if sku_ else None, qty=qty, state=state, details=details
        )
        told.append({"line": n, "sku": name or None, "serial": details.get("serial"),
                     "qty": quantity(qty, sku_) if sku_ else qty, "state": state})  # fmt: skip
    return told


def _requests_received(doing: Doing, result: _Counted) -> None:
    """The requests that the shipment was for go on."""
    counted: dict[tuple[str, int], int] = {}
    for line, qty, _ in result.found:
        key = (line.details["request"], line.details["request_line"])
        counted[key] = counted.get(key, 0) + qty
    for request in sorted({request for request, _ in counted}):
        for line in doing.lines(request, [n for number, n in counted if number == request]):
            doing.line(request, line.n, step="receive", progress=line.progress + counted[request, line.n])
        document = doing.document(request, PART_REQUEST.name)
        lines = doing.lines(request)
        over = all(still_wanted(line) <= 0 and line.progress >= line.details.get("shipped", 0) for line in lines)
        if document.state in PART_REQUEST.step("receive").before:
            marks = ["received"] if over else []
            doing.go(request, "received" if over else document.state, step="receive", marks=marks)
