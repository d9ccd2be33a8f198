"""Devices that customers bring: registered, listed and withdrawn, never in the warehouse (WD-14, WD-18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.devices.goods import CUSTOMER, SERVICE, check_off_subscription
from allocator.flows.doing import Doing, Person, all_problems, number_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.ledger.devices import register, withdraw
from allocator.ledger.lines import Lines, read_lines
from allocator.ledger.selection import unit

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

REGISTRATIONS: Final = known(
    Flow(
        name="registration",
        prefix="REG",
        says="Devices that a customer brought: theirs, with them, and never the business's to take back.",
        states={"registered": "They are in use.", "withdrawn": "They are not in use any more."},
        closed=("withdrawn",),
        steps=(
            Step("register", "A customer brings devices of their own.", ("",), ("registered",), (CUSTOMER, SERVICE)),
            Step("withdraw", "The customer takes some out of use, or all.", ("registered",),
                 ("withdrawn", "registered"), (CUSTOMER, SERVICE)),
        ),
    )
)  # fmt: skip


@checked
def register_devices(
    ledger: Ledger, lines: Lines, person: Person, *, customer: str = "", note: str = "", key: str = ""
) -> dict[str, Any]:
    """Registers devices that a customer brought (WD-14, WD-18).

    Args:
        ledger: The ledger.
        lines: One per device: `sku`, `serial`, `numbers`, `attributes`; as those of `register_own`.
        person: The customer, whose `party` is their name; or someone of the service.
        customer: Whose they are; the person's own if left out.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `lines`: `line`, `sku`, `serial`.

    Raises:
        InputError: As `register_own`; `role_missing`: they are another customer's, or not the customer's to register.
    """
    with all_problems() as part:
        with part():
            rows = read_lines(lines, ("sku", "serial"))
        with part():
            who = number_of(customer or person.party, "customer")
    _check_own(person, who)

    def work(doing: Doing) -> dict[str, Any]:
        number = doing.next_number(REGISTRATIONS)
        with doing.transaction("register", document=number, document_kind=REGISTRATIONS.name) as heading:
            register(doing.book, heading, rows, who)
            doing.open(REGISTRATIONS, "registered", number=number, party=who, details={"customer": who})
            for n, row in enumerate(rows, start=1):
                goods_id = unit(doing.book, row, n - 1)
                doing.line(number, n, sku_id=doing.book.goods[goods_id].sku_id, goods_id=goods_id, qty=1,
                           state="registered")  # fmt: skip
        told = [{"line": n, "sku": row["sku"], "serial": row["serial"]} for n, row in enumerate(rows, start=1)]
        return {"number": number, "state": "registered", "lines": told}

    answer: dict[str, Any] = take(ledger, person, REGISTRATIONS, "register", work, rows, who, key=key, note=note)
    return answer


def _check_own(person: Person, customer: str) -> None:
    if person.party not in ("", customer) or (person.role == CUSTOMER and person.party != customer):
        message = "customers register devices of their own"
        raise InputError(Problem("role_missing", message, column="customer", value=customer))


@checked
def withdraw_devices(
    ledger: Ledger, registration: str, person: Person, *, serials: tuple[str, ...] | list[str] = (), reason: str = "",
    key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Takes devices of a registration out of use; their history stays (WD-18).

    Args:
        ledger: The ledger.
        registration: Its number.
        person: The customer, or someone of the service.
        serials: Which of its devices; all that are in use if left out.
        reason: The reason code.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `withdrawn`: the serials.

    Raises:
        InputError: `goods_unknown`: it is none of these; `role_missing`: it is used for WiFi or messages;
            `service_enabled`, `device_unfit`: a subscription has it; `document_unknown`, `step_impossible`.
    """
    named: list[str] = []
    with all_problems() as part:
        for serial in serials:
            with part():
                named.append(number_of(serial, "serials"))

    def work(doing: Doing) -> dict[str, Any]:
        document = doing.begin(registration)
        lines = [line for line in doing.lines(registration) if line.state == "registered"]
        doing.book.load_goods(line.goods_id for line in lines if line.goods_id is not None)
        by_serial = {doing.book.serial_of(line.goods_id or 0): line for line in lines}
        unknown = [serial for serial in named if serial not in by_serial]
        if unknown:
            message = f"it is not in use by {registration}"
            raise InputError(Problem("goods_unknown", message, column="serials", value=serial) for serial in unknown)
        chosen = {serial: by_serial[serial] for serial in named or by_serial}
        skus = [doing.book.catalog.sku(line.sku_id or 0).sku for line in chosen.values()]
        rows = [{"serial": serial, "sku": sku} for serial, sku in zip(chosen, skus, strict=True)]
        check_off_subscription(doing, [line.goods_id or 0 for line in chosen.values()])
        said = {"document": registration, "document_kind": REGISTRATIONS.name}
        with doing.transaction("withdraw", **said) as heading:
            withdraw(doing.book, heading, rows, document.details["customer"])
            for line in chosen.values():
                doing.line(registration, line.n, progress=1, state="withdrawn")
            state = "withdrawn" if len(chosen) == len(lines) else "registered"
            doing.go(registration, state)
        return {"number": registration, "state": state, "withdrawn": list(chosen)}

    said = (registration, named)
    answer: dict[str, Any] = take(ledger, person, REGISTRATIONS, "withdraw", work, *said, key=key, reason=reason)
    return answer
