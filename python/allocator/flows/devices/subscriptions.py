"""Subscriptions of customers, and the devices that serve them, with their services (WD-17)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from allocator.errors import InputError, Problem
from allocator.flows.devices.goods import CUSTOMER, SERVICE, settings_for
from allocator.flows.devices.rentals import RENTALS, due_back, opened, rental_of
from allocator.flows.doing import Doing, Person, all_problems, look, number_of, take
from allocator.flows.flow import Flow, Step, known
from allocator.flows.given import checked
from allocator.flows.settings import settings_of
from allocator.ledger.devices import enabled_services
from allocator.ledger.documents import Document
from allocator.ledger.lines import Unfit, mapping, shown
from allocator.ledger.subscriptions import SUBSCRIPTION, check_join, member
from allocator.model.devices import DeviceSettings
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

PROVIDER: Final = "provider"

SUBSCRIPTIONS: Final = known(
    Flow(
        name="subscription",
        prefix="SUB",
        says="What a customer subscribed to, and the devices that serve it.",
        states={"active": "Devices serve it.", "ended": "Services are off; rented devices are due back."},
        closed=("ended",),
        steps=(
            Step("open", "A customer subscribes.", ("",), ("active",), (SERVICE,)),
            Step("add", "A device joins: rented from the warehouse, or the customer's own.",
                 ("active",), ("active",), (SERVICE,)),
            Step("replace", "Another device takes the place of one, with the services that are enabled on it.",
                 ("active",), ("active",), (SERVICE,)),
            Step("remove", "A device leaves, on which no service is enabled; a rented one stays rented.", ("active",),
                 ("active",), (SERVICE, CUSTOMER), shared=True),
            Step("enable", "A service is enabled on a device.", ("active",), ("active",), (SERVICE, CUSTOMER),
                 shared=True),
            Step("disable", "A service is disabled on a device.", ("active",), ("active",), (SERVICE, CUSTOMER),
                 shared=True),
            Step("act", "A device does what its provider offers, as resetting its PIN.", ("active",), ("active",),
                 (SERVICE, CUSTOMER), shared=True),
            Step("use", "A device logs what it used of a service.", ("active",), ("active",), (PROVIDER,)),
            Step("end", "It is over: services are disabled; nothing comes back by itself.", ("active",), ("ended",),
                 (SERVICE,)),
        ),
    )
)  # fmt: skip


@checked
def open_subscription(
    ledger: Ledger, person: Person, *, customer: str, number: str = "", note: str = "", key: str = ""
) -> dict[str, Any]:
    """Opens a subscription of a customer; `number`, `state`.

    Raises:
        InputError: `document_exists`, `value_empty`, `role_missing`.
    """
    with all_problems() as part:
        with part():
            who = number_of(customer, "customer")
        with part():
            own = number_of(number) if number else ""

    def work(doing: Doing) -> dict[str, Any]:
        settings_for(doing)
        with doing.transaction():
            given = doing.open(SUBSCRIPTIONS, "active", number=own, counterparty=who, details={"customer": who})
        return {"number": given, "state": "active"}

    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, "open", work, who, own, key=key, note=note)
    return answer


@checked
def add_device(
    ledger: Ledger, subscription: str, serial: str, person: Person, *, note: str = "", key: str = ""
) -> dict[str, Any]:
    """Adds a device to a subscription (WD-7, WD-17).

    One that is in the warehouse and rentable is rented by it; one that the customer owns stays where it is.

    Returns:
        `number`, `state`, `serial`, `rental`: the number of the rental, or None.

    Raises:
        InputError: `device_unfit`: every reason why it cannot join; `goods_unknown`, `document_unknown`,
            `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = _begin(doing, subscription)
        rental = _join(doing, document, serial, {})
        with doing.transaction():
            doing.go(subscription)
        return {"number": subscription, "state": "active", "serial": serial, "rental": rental}

    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, "add", work, subscription, serial, key=key, note=note)
    return answer


def _begin(doing: Doing, subscription: str) -> Document:
    if doing.person.role != CUSTOMER:
        settings_for(doing)
    return doing.begin(subscription)


def _join(doing: Doing, document: Document, serial: str, services: Mapping[str, str]) -> str | None:
    """A device joins a subscription with services that are enabled on it; the number of its rental, if it is rented."""
    number, customer = document.number, document.details["customer"]
    goods_id, account, _ = check_join(doing.book, number_of(serial, "serial"), customer, services)
    rental = None
    if account.kind == "stock":
        unit = {"serial": serial, "sku": doing.book.catalog.sku(doing.book.goods[goods_id].sku_id).sku}
        rental = doing.next_number(RENTALS)
        with doing.transaction("rent", document=rental, document_kind=RENTALS.name) as heading:
            doing.post(heading, [{**unit, "to_holder": customer}])
            opened(doing, goods_id, customer, "join", subscription=number)
    _note(doing, serial, "subscription joined", {SUBSCRIPTION: number, **services})
    n = 1 + max((line.n for line in doing.lines(number)), default=0)
    with doing.transaction():
        doing.line(number, n, sku_id=doing.book.goods[goods_id].sku_id, goods_id=goods_id, qty=1, state="on",
                   details={"rental": rental})  # fmt: skip
    return rental


def _note(doing: Doing, serial: str, event: str, attributes: Mapping[str, str], **said: object) -> None:
    with doing.transaction("note") as heading:
        line = {"serial": serial, "event": event, **({"attributes": dict(attributes)} if attributes else {}), **said}
        doing.post(heading, [line])


def _of(doing: Doing, subscription: str, serial: str) -> int:
    """A device of a subscription.

    Raises:
        InputError: `device_unfit`: it is of none, or of another one; customers only learn that there is no such unit.
    """
    named = number_of(serial, "serial")
    try:
        found = member(doing.book, named)
    except InputError:
        if doing.person.party:
            raise InputError(Problem("goods_unknown", "there is no such unit", column="serial", value=named)) from None
        raise
    if found.subscription != subscription:
        code, message = "device_unfit", f"it is of subscription {found.subscription}"
        if doing.person.party:
            code, message = "goods_unknown", "there is no such unit"
        raise InputError(Problem(code, message, column="serial", value=named))
    return found.goods_id


def _left(doing: Doing, subscription: str, goods_id: int, state: str) -> None:
    lines = [line for line in doing.lines(subscription) if line.goods_id == goods_id and line.state == "on"]
    for line in lines:
        doing.line(subscription, line.n, progress=1, state=state)


@checked
def remove_device(
    ledger: Ledger, subscription: str, serial: str, person: Person, *, reason: str = "", key: str = ""
) -> dict[str, Any]:
    """Takes a device out of a subscription; a rented one stays rented until it is returned (WD-17).

    Returns:
        `number`, `serial`, `rental`: what is to be ended and returned, or None.

    Raises:
        InputError: `service_enabled`: every service that is enabled on it; `device_unfit`: it is none of its devices;
            `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        _begin(doing, subscription)
        goods_id = _of(doing, subscription, serial)
        if enabled := enabled_services(doing.book, goods_id):
            hint = "Disable it first, or replace the device"
            raise InputError(
                Problem("service_enabled", "a service is enabled on it", column="serial", value=name, hint=hint)
                for name in enabled
            )
        _note(doing, serial, "subscription left", {SUBSCRIPTION: ""})
        rental = rental_of(doing, goods_id)
        with doing.transaction():
            _left(doing, subscription, goods_id, "removed")
            # Said, so that rules can end the rental.
            due = rental.number if rental else None
            doing.go(subscription, details={"left": serial, "rental": due})
        return {"number": subscription, "serial": serial, "rental": due}

    said = (subscription, serial)
    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, "remove", work, *said, key=key, reason=reason)
    return answer


@checked
def replace_device(
    ledger: Ledger, subscription: str, serial: str, by: str, person: Person, *, reason: str = "", key: str = ""
) -> dict[str, Any]:
    """Puts another device in the place of one, with the services that are enabled on it (WD-17).

    The one that is replaced stays where it is, and rented if it was.

    Returns:
        `number`, `serial` of the new one, `rental` of the new one, and `due`: the rental of the old one, or None.

    Raises:
        InputError: `device_unfit`: the new one cannot join, or does not offer a service; `goods_unknown`,
            `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        document = _begin(doing, subscription)
        goods_id = _of(doing, subscription, serial)
        services = {f"service.{name}": "enabled" for name in enabled_services(doing.book, goods_id)}
        rental = _join(doing, document, by, services)
        _note(doing, serial, f"replaced by {by}", dict.fromkeys(services, "") | {SUBSCRIPTION: ""})
        due = rental_of(doing, goods_id)
        with doing.transaction():
            _left(doing, subscription, goods_id, "replaced")
            doing.go(subscription)
        return {"number": subscription, "serial": by, "rental": rental, "due": due.number if due else None}

    said = (subscription, serial, by)
    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, "replace", work, *said, key=key, reason=reason)
    return answer


@checked
def enable_service(
    ledger: Ledger, subscription: str, serial: str, service: str, person: Person, *, key: str = ""
) -> dict[str, Any]:
    """Enables a service on a device of a subscription; `number`, `serial`, `enabled`: every service that is now.

    Raises:
        InputError: `setting_unknown`: its SKU does not offer the service; `device_unfit`, `document_unknown`,
            `step_impossible`, `role_missing`.
    """
    return _set(ledger, (subscription, serial, service), person, "enable", key)


@checked
def disable_service(
    ledger: Ledger, subscription: str, serial: str, service: str, person: Person, *, key: str = ""
) -> dict[str, Any]:
    """Disables a service on a device of a subscription; answer and refusals are those of `enable_service`."""
    return _set(ledger, (subscription, serial, service), person, "disable", key)


def _set(ledger: Ledger, asked: tuple[str, str, str], person: Person, step: str, key: str) -> dict[str, Any]:
    subscription, serial, service = asked

    def work(doing: Doing) -> dict[str, Any]:
        _begin(doing, subscription)
        goods_id = _of(doing, subscription, serial)
        _check_service(service, doing.book.catalog.sku(doing.book.goods[goods_id].sku_id).kept.services)
        value = "enabled" if step == "enable" else ""
        _note(doing, serial, f"service {value or 'disabled'}", {f"service.{service}": value})
        with doing.transaction():
            doing.go(subscription)
        return {"number": subscription, "serial": serial, "enabled": enabled_services(doing.book, goods_id)}

    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, step, work, *asked, key=key)
    return answer


def _check_service(service: str, offered: tuple[str, ...], column: str = "service") -> None:
    if service not in offered:
        hint = did_you_mean(str(service), list(offered)) or f"It offers {', '.join(offered) or 'none'}"
        message = f"the device does not offer this {column}"
        raise InputError(Problem("setting_unknown", message, column=column, value=str(service)[:80], hint=hint))


@checked
def device_actions(ledger: Ledger, subscription: str, serial: str, person: Person) -> list[str]:
    """What else a device of a subscription offers now: the actions of the services that are enabled on it (WD-17).

    Raises:
        InputError: `document_unknown`, `device_unfit`.
    """

    def asked(doing: Doing) -> list[str]:
        doing.document(subscription, SUBSCRIPTIONS.name)
        return _actions(doing, _of(doing, subscription, serial))

    return look(ledger, person, asked)


def _actions(doing: Doing, goods_id: int) -> list[str]:
    offered = settings_of(doing.book, DeviceSettings).actions
    return [action for service in enabled_services(doing.book, goods_id) for action in offered.get(service, ())]


@checked
def act_on_device(
    ledger: Ledger, subscription: str, serial: str, action: str, person: Person, *, key: str = ""
) -> dict[str, Any]:
    """Has a device do what its provider offers; `events` tells the provider of it. `number`, `serial`, `action`.

    Raises:
        InputError: `setting_unknown`: no service that is enabled on it offers the action; `device_unfit`,
            `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        _begin(doing, subscription)
        goods_id = _of(doing, subscription, serial)
        _check_service(action, tuple(_actions(doing, goods_id)), "action")
        _note(doing, serial, action, {})
        with doing.transaction():
            doing.go(subscription, details={"asked": {"serial": serial, "action": action}})
        return {"number": subscription, "serial": serial, "action": action}

    said = (subscription, serial, action)
    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, "act", work, *said, key=key)
    return answer


@checked
def log_usage(
    ledger: Ledger, subscription: str, serial: str, service: str, person: Person, *, usage: Mapping[str, object],
    key: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Records what a device used of a service; only once it is a customer's, and the service is enabled on it (WD-17).

    Returns:
        `number`, `serial`, `service`.

    Raises:
        InputError: `device_unfit`: the service is not enabled on it, or it is no device of the subscription;
            `column_type`, `document_unknown`, `step_impossible`, `role_missing`.
    """
    try:
        told = mapping(usage)
    except Unfit as unfit:
        raise InputError(Problem(unfit.code, str(unfit), column="usage", value=shown(usage))) from None

    def work(doing: Doing) -> dict[str, Any]:
        _begin(doing, subscription)
        goods_id = _of(doing, subscription, serial)
        enabled = enabled_services(doing.book, goods_id)
        if service not in enabled:
            hint = f"Enabled are {', '.join(enabled) or 'none'}"
            message = "the service is not enabled on it"
            raise InputError(Problem("device_unfit", message, column="service", value=str(service)[:80], hint=hint))
        _note(doing, serial, "usage", {}, details={**told, "service": service})
        with doing.transaction():
            doing.go(subscription)
        return {"number": subscription, "serial": serial, "service": service}

    said = (subscription, serial, service, told)
    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, "use", work, *said, key=key)
    return answer


@checked
def end_subscription(
    ledger: Ledger, subscription: str, person: Person, *, reason: str = "", key: str = ""
) -> dict[str, Any]:
    """Ends a subscription: services are disabled, devices leave it (WD-17).

    Rented ones are due back, and do not come back by themselves; the customer's own stay theirs.

    Returns:
        `number`, `state`, `due`: the rentals that are due back.

    Raises:
        InputError: `document_unknown`, `step_impossible`, `role_missing`.
    """

    def work(doing: Doing) -> dict[str, Any]:
        _begin(doing, subscription)
        settings = settings_for(doing)
        lines = [line for line in doing.lines(subscription) if line.state == "on"]
        goods = [line.goods_id for line in lines if line.goods_id is not None]
        doing.book.load_goods(goods)
        due = []
        for goods_id in goods:
            off = {f"service.{name}": "" for name in enabled_services(doing.book, goods_id)} | {SUBSCRIPTION: ""}
            _note(doing, doing.book.serial_of(goods_id), "subscription ended", off)
            rental = rental_of(doing, goods_id)
            due += [rental.number] if rental and rental.state == "rented" else []
        with doing.transaction():
            for goods_id in goods:
                _left(doing, subscription, goods_id, "ended")
            for number in due:
                due_back(doing, number, settings)
            doing.go(subscription)
        return {"number": subscription, "state": "ended", "due": due}

    answer: dict[str, Any] = take(ledger, person, SUBSCRIPTIONS, "end", work, subscription, key=key, reason=reason)
    return answer
