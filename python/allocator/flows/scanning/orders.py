"""Customer orders that are scanned and packed: placed, given operators, promised stock, shipped, cancelled (OS-1)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.doing import Doing, Person, all_problems, check_reason, number_of, take, within
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.partner.network import partner_of, settings_in_force
from allocator.flows.promises import promise, promises_to, told_of
from allocator.flows.quantities import asked_of, quantity, read_qty
from allocator.ledger.documents import Document
from allocator.ledger.lines import Lines, read_lines, text
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

OPERATOR: Final = "operator"
TASKS: Final = ("picking", "packing", "shipping")
"""What an order has an operator for."""

ORDERS: Final = known(
    Flow(
        name="customer order",
        prefix="CO",
        says="What a customer gets, scanned unit by unit into boxes.",
        states={
            "placed": "Waits for stock.",
            "scanning": "Stock is promised, and is scanned into boxes.",
            "packed": "All that was ordered is in confirmed boxes: scanning is closed.",
            "shipped": "The boxes have left.",
            "cancelled": "Nobody wants it any more; what was scanned is back in its place.",
        },
        closed=("shipped", "cancelled"),
        steps=(
            Step("place", "An order comes in, from the order management system.", ("",), ("placed",),
                 ("service", "operations")),
            Step("assign", "It gets operators for picking, packing and shipping.", ("placed", "scanning", "packed"),
                 ("placed", "scanning", "packed"), ("supervisor", "operations")),
            Step("pick", "The picking operator gets a pick list: stock is promised.", ("placed", "scanning"),
                 ("scanning", "placed"), (OPERATOR,)),
            Step("scan", "The packing operator scans a unit, or so many of a product.", ("scanning",), ("scanning",),
                 (OPERATOR,)),
            Step("undo", "A scan is taken back, as long as its box is not confirmed.", ("scanning",), ("scanning",),
                 (OPERATOR,)),
            Step("save", "A box of it is full.", ("scanning",), ("scanning",)),
            Step("pack", "Packing is confirmed: everything ordered is scanned, every box is confirmed.", ("scanning",),
                 ("packed",), (OPERATOR,)),
            Step("ship", "The shipping operator hands the boxes to the carrier.", ("packed",), ("shipped",),
                 (OPERATOR,)),
            Step("cancel", "The order does not take place.", ("placed", "scanning", "packed"), ("cancelled",),
                 ("service", "operations")),
        ),
    )
)  # fmt: skip

BOXES: Final = known(
    Flow(
        name="box",
        prefix="BOX",
        says="What was scanned into one box: used goods of an order together, distribution goods by product.",
        states={
            "filling": "Units are scanned into it.",
            "saved": "It is full; a scan can still be undone.",
            "confirmed": "Its contents are final.",
            "shipped": "It has left.",
            "discarded": "Nothing is in it.",
        },
        closed=("shipped", "discarded"),
        steps=(
            Step("scan", "Something is scanned into it; the first scan opens it.", ("", "filling"), ("filling",)),
            Step("undo", "A scan is taken back; with the last one the box goes.", ("filling", "saved"),
                 ("filling", "saved", "discarded")),
            Step("save", "It is full: the next scan opens another one.", ("filling",), ("saved",), (OPERATOR,)),
            Step("confirm", "Its contents are final; a box of distribution goods gets its dimensions.", ("saved",),
                 ("confirmed",), (OPERATOR,)),
            Step("ship", "It leaves with its order.", ("confirmed",), ("shipped",)),
            Step("cancel", "Its order does not take place.", ("filling", "saved", "confirmed"), ("discarded",)),
        ),
    )
)  # fmt: skip

ORDERED: Final[Mapping[str, Callable[[Any], Any]]] = {"sku": text, "qty": read_qty}


@checked
def place_order(
    ledger: Ledger, lines: Lines, person: Person, *, customer: str, place: str = "", number: str = "", bu: str = "",
    note: str = "", key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Takes an order in; nothing is promised yet.

    Args:
        ledger: The ledger.
        lines: One line per SKU: `sku`, `qty`.
        person: Someone of the service, or the order management system.
        customer: Who gets it.
        place: Where its stock is; everything below counts. A partner's own site if left out.
        number: Its number in the order management system; the next one of this flow if left out.
        bu: The business unit.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, and `lines`: `line`, `sku`, `scan` (`used` or `distribution`, by the SKU), `ordered`.

    Raises:
        InputError: `sku_unknown`, `id_duplicate` (a SKU twice), `document_exists`, `site_unknown`, `value_empty`.
    """
    with all_problems() as part:
        with part():
            rows = read_lines(lines, ("sku", "qty"), ORDERED)
        with part():
            who = number_of(customer, "customer")
        with part():
            own_number = number_of(number) if number else ""
        with part():
            where = number_of(place, "place") if place else ""
    given = {"customer": who, "number": own_number}

    def work(doing: Doing) -> dict[str, Any]:
        with all_problems() as part:
            wanted = asked_of(doing, rows, once=True)
            with part():
                wanted.check()
            with part():
                at = _place(doing, where)
        with doing.transaction():
            own = doing.open(ORDERS, "placed", number=given["number"], party=person.party, bu=bu, place=at,
                             details={"customer": given["customer"]})  # fmt: skip
            told = []
            for n, row in enumerate(rows, start=1):
                sku, qty = wanted.skus[row["sku"]], wanted.steps[n - 1]
                kind = sku.kept.scan
                doing.line(own, n, sku_id=sku.sku_id, line_id=f"{own}/{n}", qty=qty, details={"scan": kind})
                told.append({"line": n, "sku": sku.sku, "scan": kind, "ordered": quantity(qty, sku)})
        return {"number": own, "state": "placed", "lines": told}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "place", work, rows, given, where, bu, key=key, note=note)
    return answer


def _place(doing: Doing, place: str) -> str:
    """Where an order may take stock: anywhere for the business, at their own site for a partner's people."""
    if not doing.person.party:
        if not place:
            raise InputError(Problem("argument_missing", "an order takes its stock somewhere", column="place"))
        return place
    own = partner_of(doing, settings_in_force(doing), "").place
    if place and not within(place, own):
        raise InputError(Problem("site_unknown", "there is no such place", column="place", value=place))
    return place or own


@checked
def assign_operators(
    ledger: Ledger, order: str, person: Person, *, picking: str = "", packing: str = "", shipping: str = "",
    key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Gives an order operators (OS-1); one left out stays as it is. The same person may do everything.

    Returns:
        `number`, and the `operators` by task.

    Raises:
        InputError: `argument_missing`: nobody is named; `document_unknown`, `step_impossible`, `role_missing`.
    """
    given = {"picking": picking, "packing": packing, "shipping": shipping}
    named: dict[str, str] = {}
    with all_problems() as part:
        for task, name in given.items():
            with part():
                named |= {task: number_of(name, task)} if name else {}
    if not named:
        raise InputError(Problem("argument_missing", "nobody is assigned", column="picking"))

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(order)
        operators = {**document.details.get("operators", {}), **named}
        with doing.transaction():
            doing.go(order, document.state, details={"operators": operators})
        return {"number": order, "operators": operators}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "assign", work, order, named, key=key)
    return answer


def begin_as(doing: Doing, order: str, task: str) -> Document:
    """The order of a step, which must be that of this operator.

    Raises:
        InputError: `role_missing`: the step is another operator's, or nobody's yet; and as `Doing.begin`.
    """
    document = doing.begin(order)
    check_operator(doing, document, task)
    return document


def check_operator(doing: Doing, order: Document, task: str) -> None:
    """Makes sure that a task of an order is this person's."""
    operator = order.details.get("operators", {}).get(task, "")
    if operator != doing.person.name:
        message = f"{task} of {order.number} is not for {doing.person.name}"
        hint = f"It is for {operator}" if operator else "It has no operator yet: assign one"
        raise InputError(Problem("role_missing", message, column=task, value=doing.person.name[:80], hint=hint))


@checked
def pick_order(
    ledger: Ledger, order: str, person: Person, *, policy: Policy | None = None, key: str = ""
) -> dict[str, Any]:
    """Promises stock to an order, as the policy says, and tells where it is: the pick list.

    It can be taken again for what was short. The list says what to fetch; another unit of the same product may be
    scanned instead of one that it names, if nobody else was promised that one.

    Returns:
        `number`, `state` (`placed` while nothing at all is there), `lines`: `line`, `sku`, `ordered`, `allocated`,
        `short` and its `reason`; and `picks`, by place: `place`, `sku`, `serial`, `lot`, `qty`.

    Raises:
        InputError: `role_missing`, `document_unknown`, `step_impossible`.
    """
    chosen = policy or Policy()

    def work(doing: Doing) -> dict[str, Any]:
        document = begin_as(doing, order, "picking")
        lines = doing.lines(order)
        with doing.transaction("reserve", document=order, document_kind=ORDERS.name) as heading:
            told = promise(doing, heading, document, lines, chosen)
            promises = promises_to(doing, {line.line_id for line in lines})
            state = "scanning" if promises else "placed"
            doing.go(order, state, details={"policy": chosen.dumps("json")} if policy else {})
        picks = sorted(
            (told_of(doing, number) for number in promises), key=lambda p: (p["place"], p["sku"], p["serial"] or "")
        )
        return {"number": order, "state": state, "lines": told, "picks": picks}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "pick", work, order, chosen.fingerprint(), key=key)
    return answer


def boxes_of(doing: Doing, order: str) -> list[Document]:
    """The boxes of an order that have something in them."""
    numbers = doing.book.documents.linked_from(order, "order")
    boxes = [box for number in numbers if (box := doing.book.documents.get(number)) and box.flow == BOXES.name]
    return [box for box in boxes if box.state != "discarded"]


@checked
def ship_order(ledger: Ledger, order: str, person: Person, *, carrier: str, key: str = "") -> dict[str, Any]:
    """The shipping operator hands the boxes over; everything in them leaves stock.

    Returns:
        `number`, `state`, `boxes`: their numbers.

    Raises:
        InputError: `role_missing`, `document_unknown`, `step_impossible`, `value_empty`.
    """
    holder = number_of(carrier, "carrier")

    def work(doing: Doing) -> dict[str, Any]:
        begin_as(doing, order, "shipping")
        promises = promises_to(doing, {line.line_id for line in doing.lines(order)}, "picked")
        boxes = boxes_of(doing, order)
        said = {"document": order, "document_kind": ORDERS.name, "details": json.dumps({"carrier": holder})}
        with doing.transaction("ship", **said) as heading:
            doing.post(heading, [{"allocation_id": number, "to_holder": holder} for number in promises])
            doing.go(order, details={"carrier": holder}, marks=["shipped"])
            for box in boxes:
                doing.go(box.number, step="ship")
        return {"number": order, "state": "shipped", "boxes": [box.number for box in boxes]}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "ship", work, order, holder, key=key)
    return answer


@checked
def cancel_order(ledger: Ledger, order: str, person: Person, *, reason: str, key: str = "") -> dict[str, Any]:
    """Gives up an order that has not left: what was scanned is put back, what was promised is free.

    Raises:
        InputError: `reason_missing`, `document_unknown`, `step_impossible`.
    """
    check_reason(reason, "cancelling")

    def work(doing: Doing) -> dict[str, Any]:
        doing.begin(order)
        ids = {line.line_id for line in doing.lines(order)}
        said = {"document": order, "document_kind": ORDERS.name}
        if picked := promises_to(doing, ids, "picked"):
            with doing.transaction("put_back", **said) as heading:
                doing.post(heading, [{"allocation_id": number} for number in picked])
        if promised := promises_to(doing, ids):
            with doing.transaction("release", **said) as heading:
                doing.post(heading, [{"allocation_id": number} for number in promised])
        with doing.transaction():
            doing.go(order)
            for box in boxes_of(doing, order):
                doing.go(box.number, step="cancel")
        return {"number": order, "state": "cancelled"}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "cancel", work, order, reason=reason, key=key)
    return answer
