"""Orders of customers: drafted, then promised stock once their processing begins, or cancelled (WD-4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.devices.goods import (
    SERVICE,
    WAREHOUSE,
    settings_for,
)
from allocator.flows.doing import Doing, Person, all_problems, check_reason, impossible, number_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.promises import promise, promises_to
from allocator.flows.quantities import asked_of, quantity, read_qty
from allocator.ledger.lines import Lines, read_lines, text
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

ORDERS: Final = known(
    Flow(
        name="sales order",
        prefix="SO",
        says="What a customer ordered: delivered in one go or in several, invoiced, or taken back before it is "
        "completed.",
        states={
            "drafted": "Its processing has not begun: nothing is promised to it.",
            "in progress": "Stock is promised to it, and delivered.",
            "completed": "Everything is delivered or given up; what is invoiced comes back by credit note only.",
            "cancelled": "It does not take place.",
        },
        closed=("completed", "cancelled"),
        steps=(
            Step("place", "A customer orders.", ("",), ("drafted",), (SERVICE,)),
            Step("advance", "It comes to another stage; the first one in progress promises it stock, later ones what "
                 "it lacks.", ("drafted", "in progress"), ("in progress", "drafted"), (SERVICE, WAREHOUSE)),
            Step("deliver", "Some of it, or all, goes to the customer.", ("in progress",), ("in progress",),
                 (WAREHOUSE, "installer")),
            Step("take back", "What was delivered and not invoiced comes back.", ("in progress",), ("in progress",),
                 (WAREHOUSE, "installer")),
            Step("complete", "What is promised still is delivered, what is short is given up.", ("in progress",),
                 ("completed",), (SERVICE, WAREHOUSE)),
            Step("cancel", "Nothing of it is with the customer, and nothing will be.", ("drafted", "in progress"),
                 ("cancelled",), (SERVICE,)),
        ),
    )
)  # fmt: skip

ASKED: Final[Mapping[str, Callable[[Any], Any]]] = {"sku": text, "qty": read_qty}


@checked
def place_order(
    ledger: Ledger, lines: Lines, person: Person, *, customer: str, number: str = "", note: str = "", key: str = ""
) -> dict[str, Any]:
    """Takes an order in, as a draft: nothing is promised yet (WD-4).

    Args:
        ledger: The ledger.
        lines: One line per SKU: `sku`, `qty`.
        person: Someone of the service.
        customer: Who gets it; their people see its documents.
        number: Its number elsewhere; the next one of this flow if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `stage`, and `lines`: `line`, `sku`, `ordered`.

    Raises:
        InputError: `sku_unknown`, `id_duplicate` (a SKU twice), `document_exists`, `value_empty`, `role_missing`.
    """
    with all_problems() as part:
        with part():
            rows = read_lines(lines, ("sku", "qty"), ASKED)
        with part():
            who = number_of(customer, "customer")
        with part():
            own = number_of(number) if number else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        wanted = asked_of(doing, rows, once=True)
        wanted.check()
        stage = settings.stages_before[0]
        with doing.transaction():
            given = doing.open(ORDERS, "drafted", number=own, counterparty=who, place=settings.warehouse,
                               details={"customer": who, "stage": stage})  # fmt: skip
            told = []
            for n, row in enumerate(rows, start=1):
                sku, qty = wanted.skus[row["sku"]], wanted.steps[n - 1]
                doing.line(given, n, sku_id=sku.sku_id, line_id=f"{given}/{n}", qty=qty, state="ordered")
                told.append({"line": n, "sku": sku.sku, "ordered": quantity(qty, sku)})
        return {"number": given, "state": "drafted", "stage": stage, "lines": told}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "place", work, rows, who, own, key=key, note=note)
    return answer


@checked
def advance_order(ledger: Ledger, order: str, stage: str, person: Person, *, key: str = "") -> dict[str, Any]:
    """Brings an order to another stage; the first one in progress promises it stock, a later one what it lacks (WD-4).

    Returns:
        `number`, `state`, `stage`, and `lines` where stock is promised: `line`, `sku`, `ordered`, `allocated` now,
        `short` and its `reason`.

    Raises:
        InputError: `argument_value`: there is no such stage, or processing has begun and would not have;
            `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        document = doing.begin(order)
        phase = settings.phase(stage)
        if phase is None:
            hint = did_you_mean(str(stage), list(settings.stages)) or f"There are {', '.join(settings.stages)}"
            problem = Problem("argument_value", "there is no such stage", column="stage", value=str(stage)[:80],
                              hint=hint)  # fmt: skip
            raise InputError(problem)
        if phase == "before":
            if document.state != "drafted":
                message = f"{order} is at {document.details['stage']}: its processing has begun"
                raise InputError(Problem("argument_value", message, column="stage", value=stage))
            with doing.transaction():
                doing.go(order, "drafted", details={"stage": stage})
            return {"number": order, "state": "drafted", "stage": stage, "lines": []}
        lines = [line for line in doing.lines(order) if line.progress < line.qty]
        with doing.transaction("reserve", document=order, document_kind=ORDERS.name) as heading:
            told = promise(doing, heading, document, lines, settings.policy) if lines else []
            begun = document.marks.get("begun")
            doing.go(order, "in progress", details={"stage": stage}, marks=[] if begun else ["begun"])
        return {"number": order, "state": "in progress", "stage": stage, "lines": told}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "advance", work, order, stage, key=key)
    return answer


@checked
def cancel_order(ledger: Ledger, order: str, person: Person, *, reason: str, key: str = "") -> dict[str, Any]:
    """Gives an order up of which nothing is with the customer; what is promised to it is free again.

    Returns:
        `number`, `state`.

    Raises:
        InputError: `reason_missing`; `step_impossible`: something is with the customer, or it is over;
            `document_unknown`, `role_missing`.
    """
    check_reason(reason, "cancelling")

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document = doing.begin(order)
        kept = any(line.progress > line.details.get("returned", 0) for line in doing.lines(order))
        if kept:
            problem = impossible(ORDERS, document, "cancel")
            hint = "Take back what was delivered first, or complete the order"
            message = f"{order} has something with the customer: cancel is not possible"
            raise InputError(Problem(problem.code, message, column="number", value=order, hint=hint))
        promises = promises_to(doing, {line.line_id for line in doing.lines(order)})
        if promises:
            with doing.transaction("release", document=order, document_kind=ORDERS.name) as heading:
                doing.post(heading, [{"allocation_id": each} for each in promises])
        with doing.transaction():
            doing.go(order)
        return {"number": order, "state": "cancelled"}

    answer: dict[str, Any] = take(ledger, person, ORDERS, "cancel", work, order, key=key, reason=reason)
    return answer
