"""Devices that are sold and rented, that customers bring, and that belong to subscriptions (WD-4 to WD-18)."""

from __future__ import annotations

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.devices import device, devices_of, register_own, withdraw_own
from allocator.ledger.subscriptions import (
    disable_service,
    enable_service,
    log_usage,
    replace_device,
    services,
    subscribe,
    unsubscribe,
)
from allocator.ledger.verify import verify

ROUTER = {"sku": "router", "tracking": "serial", "lifecycle": "device", "services": ["wifi", "tv"]}
MAC = "00:1A:2B:3C:4D:5E"


@pytest.fixture
def shop(empty_ledger: Ledger) -> Ledger:
    """Three routers in the warehouse."""
    empty_ledger.define([ROUTER, {"sku": "phone", "tracking": "serial", "lifecycle": "device"},
                         {"sku": "gauge", "tracking": "serial"}], actor="ana")  # fmt: skip
    lines = [{"sku": "router", "serial": f"R-{n}", "location": "shelf 1"} for n in (1, 2, 3)]
    empty_ledger.post("receive", lines, origin="supplier", document="GRN-1", actor="ana")
    return empty_ledger


def refused(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def seen(ledger: Ledger, serial: str) -> tuple[str | None, ...]:
    told = device(ledger, serial)
    return told["state"], told["location"], told["owner"], told["holder"]


def test_a_device_that_is_dispatched_and_invoiced_passes_title_at_the_invoice(shop: Ledger) -> None:
    assert seen(shop, "R-1") == ("New", "shelf 1", None, None)
    shop.post("deliver", {"serial": "R-1", "to_holder": "customer 7"}, actor="ana")
    assert seen(shop, "R-1") == ("Dispatched", None, None, "customer 7")
    assert shop.balances().select("on_hand", "dispatched", "rentals", "owned").row(0) == (2, 1, 0, 3)
    shop.post("invoice", {"serial": "R-1"}, document="INV-1", actor="ana")
    assert seen(shop, "R-1") == ("Sold", None, "customer 7", "customer 7")
    assert shop.balances()["owned"].to_list() == [2]
    shop.post("credit", {"serial": "R-1", "to_location": "shelf 2"}, document="CN-1", actor="ana")
    assert seen(shop, "R-1") == ("Used", "shelf 2", None, None)


def test_a_device_is_sold_or_rented_from_the_shelf_and_comes_back_used(shop: Ledger) -> None:
    shop.post("sell", {"serial": "R-1", "to_holder": "customer 7"}, document="INV-1", actor="ana")
    assert seen(shop, "R-1") == ("Sold", None, "customer 7", "customer 7")
    shop.post("rent", {"serial": "R-2", "to_holder": "customer 8"}, document="C-1", actor="ana")
    assert seen(shop, "R-2") == ("Rented", None, None, "customer 8")
    assert shop.balances()["rentals"].to_list() == [1]
    shop.post("return", {"serial": "R-2", "to_location": "shelf 3"}, document="RN-1", actor="ana")
    assert seen(shop, "R-2") == ("Used", "shelf 3", None, None)
    places = shop.history("R-2").filter(event="transaction")["location_after"].to_list()
    assert places == [None, "shelf 3"], "set, cleared and set again, and all of it on record"
    shop.post("rent", {"serial": "R-3", "to_holder": "customer 8"}, document="C-2", actor="ana")
    shop.post("invoice", {"serial": "R-3"}, document="INV-2", actor="ana")
    assert seen(shop, "R-3")[0] == "Sold", "a rented device can be bought out"


def test_stock_in_sets_the_state_where_it_says_one_that_a_device_can_begin_in(shop: Ledger) -> None:
    line = {"sku": "router", "serial": "R-4", "location": "shelf 1", "status": "Used"}
    shop.post("receive", line, origin="found", reason="count", note="behind the shelf", actor="ana")
    assert seen(shop, "R-4")[0] == "Used"
    with pytest.raises(InputError) as caught:
        shop.post("receive", line | {"serial": "R-5", "status": "Sold"}, origin="supplier", document="G", actor="ana")
    assert refused(caught) == ["status_not_initial"]


def test_a_blocked_device_shows_as_blocked_and_is_again_what_it_was(shop: Ledger) -> None:
    shop.post("rent", {"serial": "R-1", "to_holder": "customer 7"}, document="C-1", actor="ana")
    shop.post("return", {"serial": "R-1", "to_location": "shelf 1"}, document="RN-1", actor="ana")
    for reason in ("damage", "legal"):
        shop.post("block", {"serial": "R-1"}, reason=reason, actor="ana")
    assert seen(shop, "R-1")[0] == "Blocked"
    with pytest.raises(InputError) as caught:
        shop.post("rent", {"serial": "R-1", "to_holder": "customer 8"}, document="C-2", actor="ana")
    assert refused(caught) == ["blocks_held"]
    for reason, state in (("damage", "Blocked"), ("legal", "Used")):
        shop.post("unblock", {"serial": "R-1"}, reason=reason, actor="ana")
        assert seen(shop, "R-1")[0] == state


def test_a_device_that_a_customer_brings_never_enters_the_warehouse(shop: Ledger) -> None:
    own = {"sku": "phone", "serial": "P-1", "numbers": {"imei": "352099001761481"},
           "attributes": {"used.for": "app", "app.platform": "ios", "app.token": "t"}}  # fmt: skip
    register_own(shop, own, customer="customer 7", role="customer", actor="customer 7")
    assert seen(shop, "P-1") == ("Own Device", None, "customer 7", "customer 7")
    shop.post("sell", {"serial": "R-1", "to_holder": "customer 7"}, document="INV-1", actor="ana")
    assert devices_of(shop, "customer 7")["serial"].to_list() == ["P-1", "R-1"]
    assert devices_of(shop, "customer 7", own=True).select("serial", "kind", "used_for").rows() == [
        ("P-1", "own", "app")
    ]
    assert shop.balances().filter(sku="phone").select("on_hand", "owned").rows() in ([], [(0, 0)])
    for type_ in ("return", "credit", "move"):
        with pytest.raises(InputError) as caught:
            shop.post(type_, {"serial": "P-1", "to_location": "shelf 1"}, document="RN-1", actor="ana")
        assert refused(caught) == ["goods_unknown"]
    assert "a customer's own device" in str(caught.value)
    with pytest.raises(InputError) as caught:
        withdraw_own(shop, {"serial": "P-1"}, customer="customer 8", role="customer", actor="customer 8")
    assert "customer 7" not in str(caught.value), "customers do not learn of each other"
    withdraw_own(shop, {"serial": "P-1"}, customer="customer 7", role="customer", actor="customer 7")
    assert devices_of(shop, "customer 7")["serial"].to_list() == ["R-1"]
    register_own(shop, own, customer="customer 8", actor="ana")
    assert shop.history("P-1")["type"].to_list() == ["register", "withdraw", "register"]
    assert verify(shop).clean, verify(shop)


def test_customers_neither_register_nor_remove_what_is_used_for_wifi_or_messages(shop: Ledger) -> None:
    wifi = {
        "sku": "phone",
        "serial": "P-1",
        "numbers": {"mac": MAC},
        "attributes": {"used.for": "wifi", "wifi.status": "on"},
    }
    said = {"customer": "customer 7", "role": "customer", "actor": "customer 7"}
    with pytest.raises(InputError) as caught:
        register_own(shop, wifi, **said)
    assert refused(caught) == ["role_missing"]
    register_own(shop, wifi, customer="customer 7", actor="ana")
    with pytest.raises(InputError) as caught:
        withdraw_own(shop, {"serial": "P-1"}, **said)
    assert refused(caught) == ["role_missing"]
    lines = [
        {"sku": "phone", "serial": "P-2", "attributes": {"used.for": "apps+wifi"}},
        {"sku": "gauge", "serial": "P-3"},
        {"sku": "phone", "serial": "P-1"},
    ]
    with pytest.raises(InputError) as caught:
        register_own(shop, lines, customer="customer 7", actor="ana")
    assert refused(caught) == ["setting_unknown", "value_null", "value_null", "status_unknown", "number_taken"]


def test_a_device_joins_a_subscription_serves_it_and_leaves_it(shop: Ledger) -> None:
    subscribe(shop, "R-1", "S-1", customer="customer 7", document="C-1", actor="ana")
    assert seen(shop, "R-1") == ("Rented", None, None, "customer 7")
    enable_service(shop, "R-1", "wifi", actor="ana")
    log_usage(shop, "R-1", "wifi", {"gigabytes": 12}, actor="network")
    assert services(shop, "customer 7").select("serial", "service", "enabled").rows() == [
        ("R-1", "tv", False), ("R-1", "wifi", True),
    ]  # fmt: skip
    with pytest.raises(InputError) as caught:
        unsubscribe(shop, "R-1", actor="ana")
    assert refused(caught) == ["service_enabled"]
    for service, code in (("tvv", "setting_unknown"), ("tv", "device_unfit")):
        with pytest.raises(InputError) as caught:
            (enable_service if code == "setting_unknown" else _use)(shop, "R-1", service, actor="network")
        assert refused(caught) == [code]
    disable_service(shop, "R-1", "wifi", actor="ana")
    unsubscribe(shop, "R-1", actor="ana")
    assert seen(shop, "R-1")[0] == "Rented", "cancelling does not return it"
    assert devices_of(shop, "customer 7")["subscription"].to_list() == [None]
    shop.post("return", {"serial": "R-1", "to_location": "shelf 1"}, document="RN-1", actor="ana")
    assert verify(shop).clean, verify(shop)


def test_a_customer_keeps_a_device_of_their_own_in_use_while_a_service_is_enabled_on_it(shop: Ledger) -> None:
    register_own(shop, {"sku": "router", "serial": "O-1"}, customer="customer 7", actor="ana")
    subscribe(shop, "O-1", "S-1", customer="customer 7", document="C-1", actor="ana")
    enable_service(shop, "O-1", "tv", actor="ana")
    for serial, codes in (("O-1", ["service_enabled"]), ("R-1", ["goods_unknown"])):
        with pytest.raises(InputError) as caught:
            withdraw_own(shop, {"serial": serial}, customer="customer 7", actor="ana")
        assert refused(caught) == codes
    disable_service(shop, "O-1", "tv", actor="ana")
    withdraw_own(shop, {"serial": "O-1"}, customer="customer 7", actor="ana")


def _use(ledger: Ledger, serial: str, service: str, *, actor: str) -> int:
    return log_usage(ledger, serial, service, {"gigabytes": 1}, actor=actor)


def test_a_device_is_replaced_with_its_services(shop: Ledger) -> None:
    subscribe(shop, "R-1", "S-1", customer="customer 7", document="C-1", actor="ana")
    enable_service(shop, "R-1", "tv", actor="ana")
    replace_device(shop, "R-1", "R-2", document="C-2", actor="ana")
    told = services(shop, "customer 7").filter("enabled")
    assert told.select("subscription", "serial", "service").rows() == [("S-1", "R-2", "tv")]
    assert (seen(shop, "R-1")[0], seen(shop, "R-2")[0]) == ("Rented", "Rented")
    register_own(shop, {"sku": "phone", "serial": "P-1"}, customer="customer 7", actor="ana")
    with pytest.raises(InputError) as caught:
        replace_device(shop, "R-2", "P-1", document="C-3", actor="ana")
    assert "does not offer tv" in str(caught.value)


def test_a_device_that_cannot_join_is_refused_with_every_reason(shop: Ledger) -> None:
    shop.define([ROUTER | {"rentable": False}], actor="ana")
    shop.reserve([{"line_id": "L1", "sku": "router", "qty": 1}], actor="bob")
    shop.post("block", {"serial": "R-1"}, reason="legal", actor="ana")
    with pytest.raises(InputError) as caught:
        subscribe(shop, "R-1", "S-1", customer="customer 7", document="C-1", actor="ana")
    assert refused(caught) == ["device_unfit"] * 3
    for reason in ("blocked: legal", "is not rented out", "promised to an order"):
        assert reason in str(caught.value)
    register_own(shop, {"sku": "phone", "serial": "P-1"}, customer="customer 7", actor="ana")
    with pytest.raises(InputError) as caught:
        subscribe(shop, "P-1", "S-1", customer="customer 8", document="C-1", actor="ana")
    assert "nor owned by customer 8" in str(caught.value)
    subscribe(shop, "P-1", "S-2", customer="customer 7", document="C-1", actor="ana")
    for again in ("P-1", "R-2"):
        with pytest.raises(InputError) as caught:
            (subscribe if again == "P-1" else replace_device)(
                shop, again, "S-3" if again == "P-1" else "P-1", document="C", actor="ana",
                **({"customer": "customer 7"} if again == "P-1" else {}),
            )  # fmt: skip
        assert set(refused(caught)) == {"device_unfit"}


def test_a_subscription_and_its_customer_are_names_that_can_be_told_apart(shop: Ledger) -> None:
    for name, value in (("subscription", ""), ("customer", " K"), ("customer", "K\u200bim"), ("customer", "x" * 201)):
        given = {"subscription": "S-1", "customer": "Kim"} | {name: value}
        with pytest.raises(InputError) as caught:
            subscribe(shop, "R-1", **given, document="C-1", actor="ana")
        assert [problem.column for problem in caught.value.problems] == [name]
    subscribe(shop, "R-1", "S-1", customer="Zoe\u0301", document="C-1", actor="ana")
    assert shop.state("R-1")["holder"] == "Zo\u00e9", "an accent is one character, however it was typed"


def test_a_device_in_a_status_that_is_not_given_out_joins_no_subscription(shop: Ledger) -> None:
    line = {"sku": "gauge", "serial": "G-1", "location": "shelf 1"}
    shop.post("receive", line, origin="supplier", document="GRN-2", actor="ana")
    shop.post("change_status", {"serial": "G-1", "to_status": "Quarantine"}, actor="ana")
    with pytest.raises(InputError, match="it is Quarantine"):
        subscribe(shop, "G-1", "S-1", customer="customer 7", document="C-1", actor="ana")


def test_no_service_stays_enabled_on_a_device_that_was_replaced(shop: Ledger) -> None:
    subscribe(shop, "R-1", "S-1", customer="customer 7", document="C-1", actor="ana")
    enable_service(shop, "R-1", "tv", actor="ana")
    replace_device(shop, "R-1", "R-2", document="C-2", actor="ana")
    shop.post("return", {"serial": "R-1", "to_location": "shelf 1"}, document="RN-1", actor="ana")
    subscribe(shop, "R-1", "S-2", customer="customer 8", document="C-3", actor="ana")
    assert services(shop, "customer 8")["enabled"].to_list() == [False, False]
