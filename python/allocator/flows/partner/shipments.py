"""Shipments to a partner's store: they leave with rates, document and the ERP's references (SP-5).

What happens when they arrive is in `receipt.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.partner.network import SHIPMENT, settings_in_force, site_named, still_wanted
from allocator.flows.partner.requests import PART_REQUEST
from allocator.flows.partner.supply import promises_of
from allocator.flows.quantities import quantity
from allocator.ledger.known import Key
from allocator.ledger.lines import Unfit, mapping, money
from allocator.ledger.records import Allocation, Sku
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

_STATES: Final = {
    "in transit": "On its way, and not counted.",
    "partly received": "A part of it was counted; the rest is expected still.",
    "received": "All of it was counted: differences are on the receipt.",
}

SHIPMENTS: Final = known(
    Flow(
        name=SHIPMENT,
        prefix="SH",
        says="What the warehouse sent to a partner for its request.",
        states=_STATES,
        closed=("received",),
        steps=(
            Step("ship", "The warehouse ships what was picked.", ("",), ("in transit",)),
            Step("receive", "The partner counts what arrived (GRN_TO_STORE).", ("in transit", "partly received"),
                 ("received", "partly received"), ("storekeeper",)),
        ),
    )
)  # fmt: skip

CHALLANS_WAREHOUSE: Final = known(
    Flow(
        name="warehouse challan",
        prefix="DW",
        says="What a partner sent back to the warehouse (DC_WAREHOUSE): at shipping it left the partner's stock.",
        states=_STATES,
        closed=("received",),
        steps=(
            Step("ship", "The partner ships what was approved.", ("",), ("in transit",)),
            Step("receive", "The warehouse counts what arrived.", ("in transit", "partly received"),
                 ("received", "partly received"), ("warehouse",)),
        ),
    )
)  # fmt: skip


@checked
def ship_request(
    ledger: Ledger,
    request: str,
    person: Person,
    *,
    carrier: str,
    document: str = "",
    references: Mapping[str, str] | None = None,
    rates: Mapping[str, Decimal | int | str] | None = None,
    note: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Ships what was picked for a request (SP-5).

    Args:
        ledger: The ledger.
        request: Its number.
        person: Someone of the warehouse.
        carrier: Who carries it.
        document: The number of the shipping document; the shipment's own if left out.
        references: The ERP's references by kind, such as `{"SODO": "8000012345"}`: what brought each unit there.
        rates: The rate of each SKU, exact; the SKU's `unit_cost` if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number` of the shipment, `request` and its `state`; per goods `line`, `sku`, `serial`, `lot`, `qty`, `rate`.

    Raises:
        InputError: `rate_missing`: every SKU without one; `document_unknown`, `step_impossible`, `document_exists`.
    """
    told = read_references(references)

    def work(doing: Doing) -> dict[str, Any]:
        asked = doing.begin(request)
        site = site_named(settings_in_force(doing), asked.party)
        promises = promised(doing, request)
        at = _rates(doing, promises, rates or {})
        number = document or doing.next_number(SHIPMENTS)
        said = {"document": number, "document_kind": SHIPMENT, "details": in_json(told | {"request": request})}
        with doing.transaction("ship", **said) as heading:
            lines = [
                {"allocation_id": each.allocation_id, "to_location": site.place, "to_holder": carrier}
                for each in promises
            ]
            went = doing.post(heading, lines)
            doing.open(SHIPMENTS, "in transit", number=number, party=asked.party, bu=asked.bu, place=asked.place,
                       details={"carrier": carrier, "references": told, "request": request})  # fmt: skip
            shipped = _lines(doing, number, promises, went, at)
            doing.link(number, "request", request)
            for kind, other in told.items():
                doing.link(number, kind, other)
            state = _sent(doing, request, promises)
        return {"number": number, "request": request, "state": state, "lines": shipped}

    said = (request, carrier, document, told, {name: str(rate) for name, rate in (rates or {}).items()})
    answer: dict[str, Any] = take(ledger, person, PART_REQUEST, "ship", work, *said, key=key, note=note)
    return answer


def read_references(references: Mapping[str, str] | None) -> dict[str, str]:
    """Numbers of other systems, by kind.

    Raises:
        InputError: `value_text`, …
    """
    try:
        return mapping(references or {})
    except Unfit as unfit:
        raise InputError(Problem(unfit.code, str(unfit), column="references", hint=unfit.hint)) from None


def in_json(said: Mapping[str, Any]) -> str:
    """Further references of a transaction, as it keeps them."""
    return json.dumps(said, sort_keys=True, ensure_ascii=False)


def promised(doing: Doing, request: str, stage: str = "picked") -> list[Allocation]:
    """The promises to the lines of a document, with their goods and SKUs known."""
    numbers = [line["allocation_id"] for line in promises_of(doing, request, stage)]
    promises = [each for number in numbers if (each := doing.book.allocations[number]) is not None]
    doing.book.catalog.load_sku_ids(doing.book.session, {doing.book.goods[each.goods_id].sku_id for each in promises})
    return promises


def sku_of(doing: Doing, goods_id: int) -> Sku:
    """The SKU of goods that are known."""
    return doing.book.catalog.sku(doing.book.goods[goods_id].sku_id)


def _rates(doing: Doing, promises: Iterable[Allocation], given: Mapping[str, Any]) -> dict[str, str]:
    names = {(sku := sku_of(doing, each.goods_id)).sku: sku for each in promises}
    hint = f"What ships is of {', '.join(sorted(names))}"
    problems = [
        Problem("sku_unknown", "nothing of this SKU ships", "rates", str(name)[:80],
                value=str(rate)[:80], hint=did_you_mean(str(name), list(names)) or hint)
        for name, rate in given.items() if name not in names
    ]  # fmt: skip
    rates = {}
    for name, sku in sorted(names.items()):
        rate = given.get(name, sku.kept.unit_cost)
        try:
            rates[name] = money(rate) if rate is not None else ""
        except Unfit as unfit:
            problems.append(Problem(unfit.code, str(unfit), "rates", name, value=str(rate)[:80], hint=unfit.hint))
        if rate is None:
            hint = "Give its rate, or set unit_cost of the SKU"
            problems.append(Problem("rate_missing", "nothing ships without a rate", "rates", name, hint=hint))
    if problems:
        raise InputError(problems)
    return rates


def _lines(
    doing: Doing, number: str, promises: Iterable[Allocation], went: Mapping[Key, int], rates: Mapping[str, str]
) -> list[dict[str, Any]]:
    told = []
    for n, each in enumerate(promises, start=1):
        goods, sku = doing.book.goods[each.goods_id], sku_of(doing, each.goods_id)
        request, _, request_line = each.line_id.rpartition("/")
        details = {"account": went[each.goods_id, each.account_id], "rate": rates[sku.sku], "request": request,
                   "request_line": int(request_line)}  # fmt: skip
        doing.line(number, n, step="ship", sku_id=sku.sku_id, goods_id=each.goods_id, line_id=each.line_id,
                   qty=each.qty, state="in transit", details=details)  # fmt: skip
        told.append({"line": n, "sku": sku.sku, "serial": goods.serial or None, "lot": goods.lot or None,
                     "qty": quantity(each.qty, sku), "rate": rates[sku.sku]})  # fmt: skip
    return told


def _sent(doing: Doing, request: str, promises: Iterable[Allocation]) -> str:
    """The request goes on: what of each line is shipped now."""
    sent: dict[int, int] = {}
    for each in promises:
        n = int(each.line_id.rpartition("/")[2])
        sent[n] = sent.get(n, 0) + each.qty
    for line in doing.lines(request, list(sent)):
        doing.line(request, line.n, details={"shipped": line.details.get("shipped", 0) + sent[line.n]})
    left = any(still_wanted(line) > 0 for line in doing.lines(request))
    state = "approved" if left else "shipped"
    doing.go(request, state, marks=["shipped"])
    return state
