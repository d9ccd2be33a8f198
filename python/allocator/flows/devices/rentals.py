"""Devices that are rented out: given to a customer, read, taken back with what their meters show, or bought (WD-11)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.devices.deliveries import RETURN_NOTES, noted
from allocator.flows.devices.goods import (
    BILLING,
    SERVICE,
    WAREHOUSE,
    check_off_subscription,
    given,
    place_in,
    settings_for,
    with_readings,
)
from allocator.flows.devices.invoices import INVOICES, bought_out
from allocator.flows.doing import Doing, Person, all_problems, number_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.ledger.care import note_meter
from allocator.ledger.documents import Document, DocumentLine
from allocator.model.devices import DeviceSettings

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

OUT: Final = ("rented", "due back")

RENTALS: Final = known(
    Flow(
        name="rental",
        prefix="RT",
        says="A device that a customer has and must give back; title stays.",
        states={
            "rented": "The customer has it.",
            "due back": "The customer has it, and should have no more use for it: it comes back by a return only.",
            "returned": "It is in the warehouse again, used.",
            "bought": "The customer keeps it: it was invoiced.",
        },
        closed=("returned", "bought"),
        steps=(
            Step("rent", "A customer gets it.", ("",), ("rented",), (SERVICE, WAREHOUSE)),
            Step("join", "It is rented by adding it to a subscription.", ("",), ("rented",)),
            Step("read", "Its meters are read.", OUT, OUT, (SERVICE, WAREHOUSE, "technician")),
            Step("end", "It should come back: by its customer's wish, or since its subscription is over.", ("rented",),
                 ("due back",), (SERVICE,)),
            Step("return", "It comes back, with what its meters show.", OUT, ("returned",), (WAREHOUSE, "installer")),
            Step("buy", "The customer keeps it, and gets an invoice.", OUT, ("bought",), (BILLING,)),
        ),
    )
)  # fmt: skip

Readings = Mapping[str, "int | Decimal"]
"""What meters show, by meter."""


@checked
def rent_device(
    ledger: Ledger, sku: str, person: Person, *, customer: str, serial: str = "", readings: Readings | None = None,
    note: str = "", key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Rents a device of a SKU out: the one that is named, or one that the policy gives.

    Args:
        ledger: The ledger.
        sku: The SKU, which is rentable and tracked by serial.
        person: Someone of the service, or of the warehouse.
        customer: Who gets it.
        serial: The device.
        readings: What its meters show, every meter of its SKU.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `sku`, `serial`.

    Raises:
        InputError: `device_unfit`: the SKU is not rented out; `tracking_mismatch`; `stock_short`: it cannot be had, and
            why; `argument_missing`, `meter_backwards`, `sku_unknown`, `role_missing`.
    """
    with all_problems() as part:
        with part():
            who = number_of(customer, "customer")
        with part():
            named = number_of(serial, "serial") if serial else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        found = doing.sku(sku)
        problems = []
        if not found.by_unit:
            problems.append(Problem("tracking_mismatch", f"{sku} has no serials", column="sku", value=sku))
        if not found.kept.rentable:
            hint = "Sell it, or define the SKU as rentable"
            problems.append(Problem("device_unfit", f"{sku} is not rented out", column="sku", value=sku, hint=hint))
        if problems:
            raise InputError(problems)
        number = doing.next_number(RENTALS)
        row = {"line_id": f"{number}/1", "order_id": number, "sku": sku, "qty": 1, "location": settings.warehouse,
               "customer": who} | ({"serial": named} if named else {})  # fmt: skip
        (promise,) = given(doing, RENTALS, number, [row], settings)
        _read(doing, promise.goods_id, readings)
        with doing.transaction("rent", document=number, document_kind=RENTALS.name) as heading:
            doing.post(heading, [{"allocation_id": promise.allocation_id, "to_holder": who}])
            opened(doing, promise.goods_id, who, "rent")
        return {"number": number, "state": "rented", "sku": sku, "serial": doing.book.serial_of(promise.goods_id)}

    said = (sku, who, named, readings)
    answer: dict[str, Any] = take(ledger, person, RENTALS, "rent", work, *said, key=key, note=note)
    return answer


def opened(doing: Doing, goods_id: int, customer: str, step: str, **linked: str) -> str:
    """The rental of a device that a customer gets, within a transaction of the type `rent`; its number."""
    number = doing.open(RENTALS, "rented", step=step, counterparty=customer,
                        details={"customer": customer, **linked})  # fmt: skip
    sku_id = doing.book.goods[goods_id].sku_id
    doing.line(number, 1, step=step, sku_id=sku_id, goods_id=goods_id, line_id=f"{number}/1", qty=1, state="rented")
    for kind, other in linked.items():
        doing.link(number, kind, other, step=step)
    return number


def rental_of(doing: Doing, goods_id: int) -> Document | None:
    """The rental by which a customer has a device."""
    numbers = {number for number, _ in doing.book.documents.lines_of_goods([goods_id])}
    found = [doing.book.documents.get(number) for number in sorted(numbers)]
    return next((each for each in found if each and each.flow == RENTALS.name and not each.closed), None)


def _read(doing: Doing, goods_id: int, readings: Readings | None, correction: str = "") -> None:
    for meter, line in with_readings(doing, goods_id, readings):
        with doing.transaction("note", reason=correction) as heading:
            note_meter(doing.book, heading, line, meter)


def _rented(doing: Doing, rental: str) -> tuple[Document, DocumentLine]:
    document = doing.begin(rental)
    (line,) = doing.lines(rental)
    doing.book.load_goods([line.goods_id or 0])
    return document, line


@checked
def read_rental(
    ledger: Ledger, rental: str, readings: Readings, person: Person, *, correction: str = "", key: str = ""
) -> dict[str, Any]:
    """Records what the meters of a rented device show (WD-16).

    Args:
        ledger: The ledger.
        rental: Its number.
        readings: Every meter of its SKU, at least what it showed before.
        person: Someone of the service or of the warehouse, or a technician.
        correction: The reason for which a meter shows less, as that it was replaced.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `serial`, `readings` as text.

    Raises:
        InputError: `meter_backwards`, `argument_missing`, `setting_unknown`, `document_unknown`, `step_impossible`,
            `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document, line = _rented(doing, rental)
        _read(doing, line.goods_id or 0, readings, correction)
        told = {name: str(value) for name, value in readings.items()}
        with doing.transaction():
            doing.go(rental, document.state, details={"readings": told})
        serial = doing.book.serial_of(line.goods_id or 0)
        return {"number": rental, "state": document.state, "serial": serial, "readings": told}

    said = (rental, dict(readings), correction)
    answer: dict[str, Any] = take(ledger, person, RENTALS, "read", work, *said, key=key)
    return answer


@checked
def end_rental(ledger: Ledger, rental: str, person: Person, *, reason: str = "", key: str = "") -> dict[str, Any]:
    """Says that a rented device should come back; it is the customer's to bring, and due after some days.

    Returns:
        `number`, `state`.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        doing.begin(rental)
        with doing.transaction():
            due_back(doing, rental, settings)
        return {"number": rental, "state": "due back"}

    answer: dict[str, Any] = take(ledger, person, RENTALS, "end", work, rental, key=key, reason=reason)
    return answer


def due_back(doing: Doing, rental: str, settings: DeviceSettings) -> None:
    """A rented device should come back within so many days from now, within a transaction."""
    document = doing.book.documents.get(rental)
    assert document is not None
    lasted_s = (doing.book.now() - document.opened_at) // 1_000_000 if document.opened_at else 0
    doing.go(rental, "due back", step="end", due_s=lasted_s + settings.return_days * 86_400)


@checked
def return_rental(
    ledger: Ledger, rental: str, person: Person, *, readings: Readings | None = None, correction: str = "",
    place: str = "", condition: str = "used", note: str = "", key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Takes a rented device back into the warehouse, with what its meters show (WD-15 to WD-17).

    Args:
        ledger: The ledger.
        rental: Its number.
        person: Someone of the warehouse, or the installer.
        readings: What its meters show, every meter of its SKU.
        correction: The reason for which a meter shows less than before.
        place: Where it is put, in the warehouse; the warehouse itself if left out.
        condition: Its condition from now on.
        note: Free text.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `number`, `state`, `return_note`, `serial`.

    Raises:
        InputError: `device_unfit`: it is of a subscription still; `argument_missing`: a meter was not read;
            `meter_backwards`, `site_unknown`, `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings = settings_for(doing)
        document, line = _rented(doing, rental)
        goods_id = line.goods_id or 0
        check_off_subscription(doing, [goods_id])
        with all_problems() as part:
            with part():
                to_location = place_in(settings, place)
            with part():
                _read(doing, goods_id, readings, correction)
        serial, sku = doing.book.serial_of(goods_id), doing.book.catalog.sku(line.sku_id or 0).sku
        back = {"serial": serial, "sku": sku, "to_location": to_location, "to_condition": condition}
        number = doing.next_number(RETURN_NOTES)
        with doing.transaction("return", document=number, document_kind=RETURN_NOTES.name) as heading:
            doing.post(heading, [back])
            noted(doing, number, document.details["customer"], [(line, 1)], rental=rental)
            doing.line(rental, 1, progress=1, state="returned")
            doing.go(rental, marks=["returned"])
        return {"number": rental, "state": "returned", "return_note": number, "serial": serial}

    said = (rental, readings, correction, place, condition)
    answer: dict[str, Any] = take(ledger, person, RENTALS, "return", work, *said, key=key, note=note)
    return answer


@checked
def buy_rental(ledger: Ledger, rental: str, person: Person, *, note: str = "", key: str = "") -> dict[str, Any]:
    """Invoices a rented device: its customer keeps it, and title passes.

    Returns:
        `number` of the invoice, `state`, `rental`, and `lines` of the invoice.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        document, line = _rented(doing, rental)
        serial, sku = doing.book.serial_of(line.goods_id or 0), doing.book.catalog.sku(line.sku_id or 0).sku
        number = doing.next_number(INVOICES)
        with doing.transaction("invoice", document=number, document_kind=INVOICES.name) as heading:
            doing.post(heading, [{"serial": serial, "sku": sku}])
            told = bought_out(doing, document, line)
            doing.line(rental, 1, progress=1, state="bought")
            doing.go(rental, marks=["bought"])
        return told

    answer: dict[str, Any] = take(ledger, person, RENTALS, "buy", work, rental, key=key, note=note)
    return answer
