"""Devices are ordered, delivered, invoiced, credited, rented, subscribed and brought (WD-4 to WD-18)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from allocator.errors import InputError, PolicyError
from allocator.flows import Person, board, events, history_of
from allocator.flows.devices import (
    act_on_device,
    add_device,
    advance_order,
    buy_rental,
    cancel_order,
    complete_order,
    deliver_order,
    device_actions,
    disable_service,
    enable_service,
    end_rental,
    end_subscription,
    invoice_order,
    invoice_sale,
    issue_credit_note,
    log_usage,
    open_subscription,
    place_order,
    read_rental,
    register_devices,
    remove_device,
    rent_device,
    replace_device,
    return_rental,
    take_back_delivered,
    withdraw_devices,
)
from allocator.ledger import Ledger
from allocator.ledger.book import Book
from allocator.ledger.devices import device
from allocator.ledger.verify import verify
from allocator.model.devices import DeviceSettings
from flows.shop import BILL, DESK, METRO, NET, RIVAL, WALT, delivered, ordered, set_up


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


def seen(ledger: Ledger, serial: str) -> tuple[str | None, ...]:
    told = device(ledger, serial)
    return told["state"], told["location"], told["owner"], told["holder"]


def reserved(ledger: Ledger, sku: str) -> int:
    return int(ledger.balances(["sku"]).filter(sku=sku)["reserved"].sum())


def state(ledger: Ledger, number: str) -> str:
    return str(history_of(ledger, number)["state"][-1])


# --- orders ---


def test_what_serves_a_document_counts_one_for_one(empty_ledger: Ledger) -> None:
    """The lines of orders, deliveries and invoices count what went."""
    policy = {"substitutes": [{"sku": "wire", "substitute": "cable", "ratio": 2}]}
    empty_ledger.define([{"sku": "wire", "lifecycle": "device"}], actor="ada")
    set_up(empty_ledger, policy=policy)
    number = str(place_order(empty_ledger, [{"sku": "wire", "qty": 3}], DESK, customer="Metro")["number"])
    with refused("a document count one for one, and 2 of cable stand for 1 of wire"):
        advance_order(empty_ledger, number, "processing", DESK)
    with refused("a document count one for one"):
        invoice_sale(empty_ledger, [{"sku": "wire", "qty": 3}], BILL, customer="Metro")
    assert reserved(empty_ledger, "cable") == 0


def test_an_order_goes_through_deliveries_invoices_and_a_credit_note(shop_on_both: Ledger) -> None:
    shop = shop_on_both
    order = place_order(shop, [{"sku": "router", "qty": 2}, {"sku": "cable", "qty": 5}], DESK, customer="Metro")
    number = order["number"]
    assert (order["state"], order["stage"], reserved(shop, "router")) == ("drafted", "draft", 0)
    advance_order(shop, number, "approved", DESK)
    assert reserved(shop, "router") == 0
    told = advance_order(shop, number, "processing", DESK)
    assert [(line["sku"], line["allocated"]) for line in told["lines"]] == [("router", 2), ("cable", 5)]
    assert reserved(shop, "router") == 2
    first = deliver_order(shop, number, WALT, parts=[{"serial": "R-1"}, {"sku": "cable", "qty": 2}])
    assert [(line["sku"], line["qty"]) for line in first["open"]] == [("router", 1), ("cable", 3)]
    assert seen(shop, "R-1") == ("Dispatched", None, None, "Metro")
    invoice = invoice_order(shop, number, BILL)["number"]
    assert seen(shop, "R-1") == ("Sold", None, "Metro", "Metro")
    assert state(shop, first["number"]) == "settled"
    last = complete_order(shop, number, WALT)
    assert [(line["sku"], line["serial"], line["qty"]) for line in last["lines"]] == [
        ("router", "R-2", 1),
        ("cable", None, 3),
    ]
    note = issue_credit_note(shop, invoice, BILL, parts=[{"serial": "R-1"}], place="warehouse/used", reason="unhappy")
    assert (note["number"], note["state"]) == ("CN-000001", "issued")
    assert seen(shop, "R-1") == ("Used", "warehouse/used", None, None)
    rest = issue_credit_note(shop, invoice, BILL, reason="unhappy")
    assert rest["state"] == "credited"
    assert invoice_order(shop, number, BILL)["number"] == "INV-000002", "what is left of a completed order, too"


def test_stock_that_comes_in_later_is_promised_at_a_later_stage(shop: Ledger) -> None:
    number = ordered(shop, router=6)
    more = [{"sku": "router", "serial": f"R-{n}", "location": "warehouse/A"} for n in (5, 6)]
    shop.post("receive", more, origin="supplier", document="PO-2", actor="walt")
    told = advance_order(shop, number, "picking", WALT)["lines"]
    assert [(line["allocated"], line["short"]) for line in told] == [(2, 0)]
    with refused("argument_value"):
        advance_order(shop, number, "draft", DESK)
    with pytest.raises(InputError, match="Did you mean 'packing'"):
        advance_order(shop, number, "packng", DESK)
    assert deliver_order(shop, number, WALT)["open"] == []
    with refused("goods_unknown"):
        deliver_order(shop, number, WALT)


def test_promises_of_a_step_are_one_transaction_with_its_document_every_time(
    shop_on_both: Ledger,
) -> None:
    for n in range(8):
        number = place_order(shop_on_both, [{"sku": "cable", "qty": 1}], DESK, customer="Metro")["number"]
        advance_order(shop_on_both, number, "processing", DESK, key=f"k{n}")
        (row,) = shop_on_both.history(order_id=number).filter(type="reserve").to_dicts()
        assert history_of(shop_on_both, number)["seq"][-1] == row["seq"]


def test_what_was_delivered_comes_back_before_the_order_is_completed_and_not_after(shop: Ledger) -> None:
    number = delivered(shop)
    with pytest.raises(InputError, match="Take back"):
        cancel_order(shop, number, DESK, reason="changed mind")
    parts = [{"serial": "R-2"}, {"sku": "cable", "qty": 4}]
    note = take_back_delivered(shop, number, WALT, parts=parts, reason="wrong")
    assert [(line["sku"], line["qty"]) for line in note["lines"]] == [("router", 1), ("cable", 4)]
    assert seen(shop, "R-2") == ("Used", "warehouse", None, None)
    with refused("goods_unknown"):
        take_back_delivered(shop, number, WALT, parts=[{"serial": "R-2"}])
    with refused("stock_short"):
        take_back_delivered(shop, number, WALT, parts=[{"sku": "cable", "qty": 2}])
    with refused("site_unknown"):
        take_back_delivered(shop, number, WALT, place="elsewhere")
    assert [line["qty"] for line in invoice_order(shop, number, BILL)["lines"]] == [1, 1]
    complete_order(shop, number, DESK)
    with refused("step_impossible"):
        take_back_delivered(shop, number, WALT)


def test_an_order_whose_goods_all_came_back_can_be_cancelled(shop: Ledger) -> None:
    number = delivered(shop)
    take_back_delivered(shop, number, WALT)
    assert cancel_order(shop, number, DESK, reason="changed mind")["state"] == "cancelled"
    other = ordered(shop, router=2)
    assert reserved(shop, "router") == 2
    cancel_order(shop, other, DESK, reason="changed mind")
    assert reserved(shop, "router") == 0


def test_an_order_is_completed_short_only_for_a_reason(shop: Ledger) -> None:
    number = ordered(shop, router=6, cable=1)
    with pytest.raises(InputError, match="2 of router would be given up"):
        complete_order(shop, number, DESK)
    told = complete_order(shop, number, DESK, reason="sold out")
    assert (told["state"], len(told["lines"])) == ("completed", 5)


def test_a_blocked_device_is_not_delivered(shop: Ledger) -> None:
    number = ordered(shop, router=1)
    shop.post("block", {"serial": "R-1"}, reason="quality", actor="qa")
    with refused("blocks_held"):
        deliver_order(shop, number, WALT)


# --- sales and rentals ---


def test_a_sale_takes_what_the_policy_gives_or_the_very_unit(shop: Ledger) -> None:
    told = invoice_sale(shop, [{"sku": "router", "serial": "R-3"}, {"sku": "cable", "qty": 7}], BILL, customer="Metro")
    assert [(line["sku"], line["serial"], line["qty"]) for line in told["lines"]] == [
        ("router", "R-3", 1),
        ("cable", None, 7),
    ]
    assert seen(shop, "R-3") == ("Sold", None, "Metro", "Metro")
    with pytest.raises(InputError, match="stock_short") as caught:
        invoice_sale(shop, [{"sku": "router", "serial": "R-3"}, {"sku": "cable", "qty": 99}], BILL, customer="Metro")
    assert [problem.row for problem in caught.value.problems] == [0, 1]
    with refused("value_null"):
        invoice_sale(shop, [{"sku": "cable"}], BILL, customer="Metro")
    assert reserved(shop, "cable") == 0


def test_a_rental_goes_out_is_read_and_comes_back_with_what_its_meter_shows(shop_on_both: Ledger) -> None:
    shop = shop_on_both
    with pytest.raises(InputError, match="the meter pages of K-1 is to be read"):
        rent_device(shop, "copier", DESK, customer="Metro")
    rental = rent_device(shop, "copier", DESK, customer="Metro", readings={"pages": 120})["number"]
    assert seen(shop, "K-1") == ("Rented", None, None, "Metro")
    assert shop.balances(["sku"]).filter(sku="copier").select("on_hand", "rentals", "owned").row(0) == (1, 1, 2)
    with refused("meter_backwards"):
        read_rental(shop, rental, {"pages": 119}, DESK)
    read_rental(shop, rental, {"pages": Decimal("500")}, DESK)
    end_rental(shop, rental, DESK)
    waiting = board(shop, WALT).filter(flow="rental")
    assert waiting.select("number", "step", "state").rows() == [
        (rental, "read", "due back"), (rental, "return", "due back"),
    ]  # fmt: skip
    assert waiting["due_at"].null_count() == 0
    with refused("argument_missing"):
        return_rental(shop, rental, WALT)
    with refused("meter_backwards"):
        return_rental(shop, rental, WALT, readings={"pages": 7})
    told = return_rental(shop, rental, WALT, readings={"pages": 7}, correction="meter replaced", place="warehouse/B")
    assert (told["state"], told["return_note"]) == ("returned", "RN-000001")
    assert seen(shop, "K-1") == ("Used", "warehouse/B", None, None)
    with refused("step_impossible"):
        return_rental(shop, rental, WALT, readings={"pages": 8})


def test_what_cannot_be_rented_says_why(shop: Ledger) -> None:
    with refused("device_unfit"):
        rent_device(shop, "phone", DESK, customer="Metro")
    with refused("tracking_mismatch"):
        rent_device(shop, "cable", DESK, customer="Metro")
    with refused("sku_unknown"):
        rent_device(shop, "rooter", DESK, customer="Metro")
    shop.post("block", {"serial": "R-2"}, reason="quality", actor="qa")
    with pytest.raises(InputError, match="cannot be had: blocked"):
        rent_device(shop, "router", DESK, customer="Metro", serial="R-2")
    for wrong in ({"pages": 1.5}, {"pages": True}, {"pages": "many"}):
        with refused("column_type"):
            rent_device(shop, "copier", DESK, customer="Metro", readings=wrong)  # type: ignore[arg-type]
    with refused("setting_unknown"):
        rent_device(shop, "copier", DESK, customer="Metro", readings={"pages": 1, "hours": 2})


def test_a_customer_keeps_a_rented_device_and_credits_it_later(shop: Ledger) -> None:
    rental = rent_device(shop, "router", DESK, customer="Metro", serial="R-4")["number"]
    invoice = buy_rental(shop, rental, BILL)["number"]
    assert (state(shop, rental), seen(shop, "R-4")) == ("bought", ("Sold", None, "Metro", "Metro"))
    issue_credit_note(shop, invoice, BILL, reason="unhappy")
    assert seen(shop, "R-4")[0] == "Used"


# --- subscriptions and devices that customers bring ---


def test_a_subscription_from_its_first_device_to_its_end(shop_on_both: Ledger) -> None:
    shop = shop_on_both
    sub = open_subscription(shop, DESK, customer="Metro")["number"]
    rental = add_device(shop, sub, "R-1", DESK)["rental"]
    enable_service(shop, sub, "R-1", "tv", DESK)
    assert device_actions(shop, sub, "R-1", METRO) == ["reset PIN"]
    act_on_device(shop, sub, "R-1", "reset PIN", METRO)
    log_usage(shop, sub, "R-1", "tv", NET, usage={"hours": 2})
    with refused("service_enabled"):
        remove_device(shop, sub, "R-1", METRO)
    with refused("device_unfit"):
        return_rental(shop, rental, WALT)
    told = replace_device(shop, sub, "R-1", "R-2", DESK)
    assert told["due"] == rental
    assert enable_service(shop, sub, "R-2", "wifi", METRO)["enabled"] == ["tv", "wifi"]
    disable_service(shop, sub, "R-2", "tv", METRO)
    return_rental(shop, rental, WALT)
    ended = end_subscription(shop, sub, DESK)
    assert ended["due"] == [told["rental"]]
    assert seen(shop, "R-2")[0] == "Rented", "ending a subscription returns nothing"
    assert not any(device(shop, "R-2")["attributes"].values()), "nor does it leave a service enabled"
    (waiting,) = board(shop, WALT).filter(number=told["rental"], step="return").to_dicts()
    assert waiting["state"] == "due back"
    assert (waiting["due_at"] - waiting["opened_at"]).days == DeviceSettings().return_days
    return_rental(shop, told["rental"], WALT)
    assert seen(shop, "R-2") == ("Used", "warehouse", None, None)


def test_only_devices_of_a_subscription_serve_it(shop: Ledger) -> None:
    one, two = (open_subscription(shop, DESK, customer=who)["number"] for who in ("Metro", "Rival"))
    add_device(shop, one, "R-1", DESK)
    for step in (enable_service, disable_service):
        with pytest.raises(InputError, match=f"it is of subscription {one}"):
            step(shop, two, "R-1", "tv", DESK)
        with refused("goods_unknown"):
            step(shop, two, "R-1", "tv", RIVAL)
        with refused("goods_unknown"):
            step(shop, two, "nothing", "tv", RIVAL)
    with pytest.raises(InputError, match="Did you mean 'wifi'"):
        enable_service(shop, one, "R-1", "wify", DESK)
    with refused("setting_unknown"):
        act_on_device(shop, one, "R-1", "reset PIN", METRO)
    with pytest.raises(InputError, match="is not rented out"):
        add_device(shop, one, "P-1", DESK)
    with refused("device_unfit"):
        add_device(shop, two, "R-1", DESK)
    with refused("device_unfit"):
        log_usage(shop, one, "R-1", "tv", NET, usage={"hours": 1})


def test_a_customer_brings_devices_and_takes_them_away(shop: Ledger) -> None:
    own = [{"sku": "phone", "serial": "MY-1"}, {"sku": "router", "serial": "MY-2"}]
    number = register_devices(shop, own, METRO)["number"]
    assert seen(shop, "MY-1") == ("Own Device", None, "Metro", "Metro")
    sub = open_subscription(shop, DESK, customer="Metro")["number"]
    assert add_device(shop, sub, "MY-2", DESK)["rental"] is None
    with refused("device_unfit"):
        withdraw_devices(shop, number, METRO)
    assert withdraw_devices(shop, number, METRO, serials=["MY-1"])["state"] == "registered"
    end_subscription(shop, sub, DESK)
    assert withdraw_devices(shop, number, DESK)["withdrawn"] == ["MY-2"]
    with refused("role_missing"):
        register_devices(shop, [{"sku": "phone", "serial": "MY-3"}], METRO, customer="Rival")
    again = register_devices(shop, own[:1], RIVAL)["number"]
    with refused("document_unknown"):
        withdraw_devices(shop, again, METRO)
    with refused("goods_unknown"):
        withdraw_devices(shop, again, RIVAL, serials=["MY-2"])


# --- every step ---


@pytest.fixture(scope="module")
def busy() -> Iterator[Ledger]:
    """A business in which every kind of document is open."""
    with Ledger.open("sqlite://") as ledger:
        set_up(ledger)
        delivered(ledger, router=1, cable=5)
        invoice_sale(ledger, [{"sku": "cable", "qty": 1}], BILL, customer="Metro")
        rent_device(ledger, "copier", DESK, customer="Metro", readings={"pages": 0})
        sub = open_subscription(ledger, DESK, customer="Metro")["number"]
        add_device(ledger, sub, "R-2", DESK)
        register_devices(ledger, [{"sku": "phone", "serial": "MY-1"}], METRO)
        yield ledger


STEPS: list[tuple[Any, str, tuple[Any, ...], Person, dict[str, Any]]] = [
    (advance_order, "SO-000001", ("picking",), WALT, {}),
    (deliver_order, "SO-000001", (), WALT, {}),
    (take_back_delivered, "SO-000001", (), WALT, {}),
    (complete_order, "SO-000001", (), DESK, {}),
    (cancel_order, "SO-000001", (), DESK, {"reason": "why"}),
    (invoice_order, "SO-000001", (), BILL, {}),
    (issue_credit_note, "INV-000001", (), BILL, {"reason": "why"}),
    (read_rental, "RT-000001", ({"pages": 1},), DESK, {}),
    (end_rental, "RT-000001", (), DESK, {}),
    (return_rental, "RT-000001", (), WALT, {"readings": {"pages": 1}}),
    (buy_rental, "RT-000001", (), BILL, {}),
    (add_device, "SUB-000001", ("R-3",), DESK, {}),
    (replace_device, "SUB-000001", ("R-2", "R-3"), DESK, {}),
    (remove_device, "SUB-000001", ("R-2",), DESK, {}),
    (enable_service, "SUB-000001", ("R-2", "tv"), DESK, {}),
    (disable_service, "SUB-000001", ("R-2", "tv"), DESK, {}),
    (act_on_device, "SUB-000001", ("R-2", "reset PIN"), DESK, {}),
    (log_usage, "SUB-000001", ("R-2", "tv"), NET, {"usage": {"hours": 1}}),
    (end_subscription, "SUB-000001", (), DESK, {}),
    (withdraw_devices, "REG-000001", (), DESK, {}),
]
NAMES = [step[0].__name__ for step in STEPS]


def head(ledger: Ledger) -> Any:
    with ledger.store.session() as session:
        return session.rows("SELECT seq, hash FROM tenant")


def refusal(ledger: Ledger, step: Any, number: Any, person: Person) -> str:
    function, _, said, _, more = step
    before = head(ledger)
    with pytest.raises(InputError) as caught:
        function(ledger, number, *said, person, **more)
    assert head(ledger) == before
    return str(caught.value)


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_each_step_is_for_its_role_and_for_those_whose_it_is(busy: Ledger, step: Any) -> None:
    for person in (Person("x", "guest"), Person("sam", "auditor", "ASP-1")):
        assert refusal(busy, step, step[1], person).startswith("role_missing")
    stranger = Person("Rival", step[3].role, "Rival")
    numbers = (step[1], f"{step[1][:-6]}999999")
    theirs, none = (refusal(busy, step, each, stranger).replace(each, "X") for each in numbers)
    assert theirs == none
    assert theirs.startswith(("document_unknown", "role_missing"))


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_no_step_takes_a_document_that_is_none_or_of_another_kind(busy: Ledger, step: Any) -> None:
    other = "REG-000001" if step[1] != "REG-000001" else "SO-000001"
    for number in (other, "SO-999999", "", "x" * 300, "'; DROP TABLE document; --", "DN-000001"):
        assert refusal(busy, step, number, step[3]).startswith("document_unknown")


@pytest.mark.parametrize(
    ("step", "twice"),
    [
        (lambda ledger, key: begun(ledger, key=key), None),
        (lambda ledger, key: deliver_order(ledger, "SO-000001", WALT, key=key), "goods_unknown"),
        (lambda ledger, key: invoice_order(ledger, "SO-000001", BILL, key=key), "goods_unknown"),
        (lambda ledger, key: issue_credit_note(ledger, "INV-000001", BILL, reason="r", key=key), "goods_unknown"),
        (lambda ledger, key: rent_device(ledger, "router", DESK, customer="M", serial="R-4", key=key), "stock_short"),
        (lambda ledger, key: end_rental(ledger, "RT-000001", DESK, key=key), "step_impossible"),
        (lambda ledger, key: return_rental(ledger, "RT-000001", WALT, key=key), "step_impossible"),
        (lambda ledger, key: open_subscription(ledger, DESK, customer="Metro", key=key), None),
        (lambda ledger, key: add_device(ledger, "SUB-000001", "R-3", DESK, key=key), "device_unfit"),
        (lambda ledger, key: remove_device(ledger, "SUB-000001", "R-3", DESK, key=key), "device_unfit"),
        (lambda ledger, key: end_subscription(ledger, "SUB-000001", DESK, key=key), "step_impossible"),
        (lambda ledger, key: complete_order(ledger, "SO-000001", DESK, reason="r", key=key), "step_impossible"),
    ],
)
def test_a_step_is_taken_once_per_key_and_refused_without_one(all_day: Ledger, step: Any, twice: str | None) -> None:
    answer, before = step(all_day, f"key {id(step)}"), head(all_day)
    assert step(all_day, f"key {id(step)}") == answer
    assert head(all_day) == before
    if twice:
        with refused(twice):
            step(all_day, "")


def begun(ledger: Ledger, *, key: str) -> Any:
    answer = place_order(ledger, [{"sku": "cable", "qty": 2}], DESK, customer="Metro", key=key)
    advance_order(ledger, answer["number"], "processing", DESK, key=f"{key} too")
    return answer


@pytest.fixture(scope="module")
def all_day() -> Iterator[Ledger]:
    """A business whose steps follow each other from test to test."""
    with Ledger.open("sqlite://") as ledger:
        set_up(ledger)
        yield ledger
        assert verify(ledger).clean


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(PolicyError, match="setting_twice"):
        DeviceSettings(stages_before="draft", stages_in_progress=["draft", "packing"])
    with pytest.raises(PolicyError, match="return_days"):
        DeviceSettings(return_days=0)


def test_customers_see_their_own_documents_and_hear_of_them(shop: Ledger) -> None:
    number = delivered(shop)
    assert state(shop, number) == "in progress"
    assert history_of(shop, number, METRO).height == 3
    with refused("document_unknown"):
        history_of(shop, number, RIVAL)
    assert set(events(shop, person=METRO)["flow"]) == {"sales order", "delivery"}
    assert events(shop, person=RIVAL).is_empty()


def test_what_cannot_be_had_or_done_says_where_it_is_and_what_helps(shop: Ledger) -> None:
    """Walked at the counter: `1 of copier cannot be had: serial` helped nobody."""

    def told(function: Any, *said: Any, **more: Any) -> list[tuple[str, str, str]]:
        with pytest.raises(InputError) as refusal:
            function(shop, *said, **more)
        return [(each.code, each.message, each.hint) for each in refusal.value.problems]

    meters = {"pages": 100}
    rental = rent_device(shop, "copier", DESK, customer="Metro", serial="K-1", readings=meters)["number"]
    ((_, message, hint),) = told(rent_device, "copier", DESK, customer="Rival", serial="K-1", readings=meters)
    assert message.startswith("K-1 cannot be had: it is ") and "Metro" in message and "another" in hint
    ((_, message, _),) = told(rent_device, "copier", DESK, customer="Rival", serial="K-9", readings=meters)
    assert message == "K-9 cannot be had: no copier has this number"
    ((_, _, hint),) = told(rent_device, "phone", DESK, customer="Metro")
    assert "rentable" in hint
    wrong = told(return_rental, rental, WALT, readings={"pages": "many"}, place="elsewhere")
    assert [code for code, *_ in wrong] == ["site_unknown", "column_type"], "both at once"
    assert shop.state("K-1")["kind"] == "rental"
    order = delivered(shop, router=1)
    invoice_order(shop, order, BILL)
    ((code, _, hint),) = told(invoice_order, order, BILL)
    assert (code, "see the document" in hint) == ("goods_unknown", True)
    short = ordered(shop, router=9)
    ((code, _, hint),) = told(complete_order, short, DESK)
    assert (code, "advance" in hint) == ("reason_missing", True)
    ((code, _, hint),) = told(deliver_order, short, WALT, parts=[{"sku": "router", "qty": 8}])
    assert (code, "leave qty out" in hint) == ("stock_short", True)


def test_what_serves_a_subscription_is_not_credited_until_it_was_removed(shop: Ledger) -> None:
    order = delivered(shop, router=1)
    invoice = invoice_order(shop, order, BILL)
    serial = invoice["lines"][0]["serial"]
    subscription = open_subscription(shop, DESK, customer="Metro")["number"]
    add_device(shop, subscription, serial, DESK)
    with refused("device_unfit"):
        issue_credit_note(shop, invoice["number"], BILL, reason="unhappy")
    remove_device(shop, subscription, serial, DESK)
    assert issue_credit_note(shop, invoice["number"], BILL, reason="unhappy")["state"] == "credited"


def test_a_rental_that_ends_is_due_so_many_days_from_then(shop: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    rental = rent_device(shop, "router", DESK, customer="Metro")["number"]
    day = 86_400_000_000
    now = Book.now
    monkeypatch.setattr(Book, "now", lambda book: now(book) + 40 * day)
    end_rental(shop, rental, DESK)
    opened, due = board(shop, WALT).filter(number=rental, step="return").select("opened_at", "due_at").row(0)
    assert (due - opened).days == 40 + DeviceSettings().return_days
