"""Drivers take what is on site; the books follow, and the office reconciles (FA-1 to FA-12)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from allocator.errors import InputError, PolicyError
from allocator.flows import Person, events, history_of
from allocator.flows.assets import (
    assign_asset,
    assign_queue,
    cancel_asset_order,
    choices,
    confirm_exception,
    deliver_asset,
    open_exceptions,
    order_asset,
    order_removal,
    remove_asset,
    report_missing,
    reserve_asset,
)
from allocator.ledger import Ledger
from allocator.ledger.verify import verify
from allocator.model.assets import AssetSettings
from flows.yard import BOTH, DAN, DELIVERY, DOT, OFF, STRICT, in_use, pending, set_up, settle, to_fetch, where


def refused(code: str) -> Any:
    return pytest.raises(InputError, match=code)


@pytest.fixture
def yard() -> Iterator[Ledger]:
    """The business in memory, strict until a test says else."""
    with Ledger.open("sqlite://") as ledger:
        set_up(ledger)
        yield ledger
        assert verify(ledger).clean, str(verify(ledger))


@pytest.fixture
def both_stores(empty_ledger: Ledger) -> Iterator[Ledger]:
    """The same on either store, flexible."""
    set_up(empty_ledger, **BOTH)
    yield empty_ledger
    assert verify(empty_ledger).clean, str(verify(empty_ledger))


def state(ledger: Ledger, order: str) -> str:
    return str(history_of(ledger, order)["state"][-1])


def holders(ledger: Ledger) -> dict[str, str]:
    """Which order has which asset; no asset is with two."""
    rows = [(e["number"], e["patch"]) for e in events(ledger).to_dicts() if e["flow"] == "asset order"]
    open_orders = {number for number, _ in rows if state(ledger, number) not in ("removed", "cancelled")}
    found = {}
    for number in sorted(open_orders):
        own = choices(ledger, number, OFF).filter(list="own")["asset"].to_list()
        for asset in own:
            assert asset not in found, f"{asset} is with {found[asset]} and {number}"
            found[asset] = number
    return found


def test_an_exception_goes_from_the_driver_to_the_office_and_is_resolved(both_stores: Ledger) -> None:
    acme, harbour = in_use(both_stores, "C1", "Acme"), pending(both_stores, "Harbour")
    told = deliver_asset(both_stores, harbour, DOT, asset="C1", seen=f"In Use {acme}", photo="photos/77")
    assert (told["exception"], "office reconciles" in told["warning"]) == ("AX-000001", True)
    assert where(both_stores, "C1") == ("In Use", "Harbour")
    assert assign_queue(both_stores, OFF).select("number", "site", "exception").rows() == [(acme, "Acme", "AX-000001")]
    assert assign_asset(both_stores, acme, "C2", OFF, note="C2 stands there")["resolved"] == "AX-000001"
    assert where(both_stores, "C2") == ("In Use", "Acme")
    assert assign_queue(both_stores, OFF).is_empty()
    assert open_exceptions(both_stores, OFF).is_empty()
    assert holders(both_stores) == {"C1": harbour, "C2": acme}


class TestSettings:
    """FA-1, FA-12."""

    def test_removal_cannot_be_flexible_alone(self) -> None:
        with pytest.raises(PolicyError, match=r"setting_conflict.*flexible_removal"):
            AssetSettings(flexible_removal=True)
        with pytest.raises(PolicyError, match="setting_conflict"):
            AssetSettings(flexible_delivery=True, tracked=False)
        for settings in (STRICT, DELIVERY, BOTH):
            AssetSettings(**settings)

    def test_only_an_administrator_changes_them_and_they_have_a_history(self, yard: Ledger) -> None:
        settle(yard, **DELIVERY)
        steps = history_of(yard, "settings/asset_settings")
        assert (steps["step"].to_list(), steps["actor"].unique().to_list()) == (["set", "set"], ["ada"])

    def test_from_untracked_to_tracked_no_open_order_is_lost(self, yard: Ledger) -> None:
        settle(yard, tracked=False)
        fresh, used, going = pending(yard), pending(yard, "Harbour"), pending(yard, "Mill")
        for order in (used, going):
            assert deliver_asset(yard, order, DAN)["asset"] is None
        order_removal(yard, going, OFF)
        assert assign_queue(yard, OFF).is_empty()
        settle(yard)
        assert assign_queue(yard, OFF).select("number", "exception").rows() == [(used, None), (going, None)]
        with refused("argument_missing.*none is reserved"):
            deliver_asset(yard, fresh, DAN)
        deliver_asset(yard, fresh, DAN, asset="C1")
        with refused("argument_missing.*no asset"):
            remove_asset(yard, going, DAN)
        for order, asset in ((used, "C2"), (going, "C3")):
            assert assign_asset(yard, order, asset, OFF, note="counted on site")["resolved"] is None
        remove_asset(yard, going, DAN)
        assert assign_queue(yard, OFF).is_empty()
        assert holders(yard) == {"C1": fresh, "C2": used}

    def test_untracked_orders_end_without_assets(self, yard: Ledger) -> None:
        settle(yard, tracked=False)
        order = pending(yard)
        deliver_asset(yard, order, DAN)
        order_removal(yard, order, OFF)
        assert remove_asset(yard, order, DAN)["state"] == "removed"

    def test_from_strict_to_flexible_and_back_open_orders_go_on(self, yard: Ledger) -> None:
        one, other = to_fetch(yard, "C1"), pending(yard, "Harbour")
        reserve_asset(yard, other, "C2", DAN)
        settle(yard, **BOTH)
        assert holders(yard) == {"C1": one, "C2": other}
        deliver_asset(yard, other, DAN)
        settle(yard)
        assert remove_asset(yard, one, DAN)["state"] == "removed"

    def test_an_old_app_is_told_so_and_changes_nothing(self, yard: Ledger) -> None:
        settle(yard, client_version_min="4.10")
        order, gone = pending(yard), events(yard).height
        for client in ("", "4.9", "4.9.9", "x", "4.10.1.1.1", "4,10", "9" * 40):
            for step in (lambda c: reserve_asset(yard, order, "C1", DAN, client=c),
                         lambda c: deliver_asset(yard, order, DAN, asset="C1", client=c)):  # fmt: skip
                with refused("client_outdated.*4.10"):
                    step(client)
        assert events(yard).height == gone + 0
        reserve_asset(yard, order, "C1", DAN, client="4.10.0")
        reserve_asset(yard, order, "C2", OFF)
        deliver_asset(yard, order, DAN, client="5")
        order_removal(yard, order, OFF)
        with refused("client_outdated"):
            remove_asset(yard, order, DAN, client="4.9")
        remove_asset(yard, order, DAN, client="4.11")


class TestStrict:
    """FA-2, FA-3."""

    def test_only_an_available_asset_can_be_delivered(self, yard: Ledger) -> None:
        first = in_use(yard, "C1")
        other = pending(yard, "Harbour")
        reserve_asset(yard, other, "C2", DAN)
        report_missing(yard, "C3", OFF)
        order = pending(yard, "Mill")
        for asset, seen in (("C1", f"In Use {first}"), ("C2", f"Reserved {other}"), ("C3", "Unable to Locate")):
            with refused("asset_taken.*Free: C4, C5, C6"):
                deliver_asset(yard, order, DAN, asset=asset, seen=seen, photo="p/1")
        assert choices(yard, order, DAN)["asset"].to_list() == ["C4", "C5", "C6"]
        assert deliver_asset(yard, order, DAN, asset="C4")["exception"] is None

    def test_a_removal_takes_the_asset_of_its_order(self, yard: Ledger) -> None:
        order, other = to_fetch(yard, "C1"), in_use(yard, "C2")
        for asset in ("C2", "C5"):
            with refused("asset_unfit.*It is C1"):
                remove_asset(yard, order, DAN, asset=asset, seen="Available")
        assert choices(yard, order, DAN).rows() == [("C1", "own", f"In Use {order}", False)]
        assert remove_asset(yard, order, DAN)["asset"] == "C1"
        assert (where(yard, "C1"), state(yard, other)) == (("Available", "yard"), "in use")

    def test_with_delivery_only_a_removal_stays_strict(self, yard: Ledger) -> None:
        settle(yard, **DELIVERY)
        order = to_fetch(yard, "C1")
        in_use(yard, "C2")
        with refused("asset_unfit"):
            remove_asset(yard, order, DAN, asset="C2")

    def test_a_driver_reserves_before_starting_and_may_change_their_mind(self, yard: Ledger) -> None:
        order = pending(yard)
        reserve_asset(yard, order, "C1", DAN)
        assert where(yard, "C1") == ("Reserved", "yard")
        reserve_asset(yard, order, "C2", DAN)
        assert (where(yard, "C1"), where(yard, "C2")) == (("Available", "yard"), ("Reserved", "yard"))
        with refused("asset_taken"):
            reserve_asset(yard, pending(yard, "Mill"), "C2", DOT)
        assert deliver_asset(yard, order, DAN)["asset"] == "C2"
        with refused("step_impossible"):
            reserve_asset(yard, order, "C1", DAN)

    def test_delivering_another_than_the_reserved_one_frees_that(self, yard: Ledger) -> None:
        order = pending(yard)
        reserve_asset(yard, order, "C1", DAN)
        deliver_asset(yard, order, DAN, asset="C2")
        assert (where(yard, "C1"), where(yard, "C2")) == (("Available", "yard"), ("In Use", "Acme"))

    def test_an_asset_of_another_size_is_not_delivered(self, yard: Ledger) -> None:
        with refused("asset_unfit.*10yd"):
            deliver_asset(yard, pending(yard), DAN, asset="S1")

    def test_a_cancelled_order_frees_what_it_reserved(self, yard: Ledger) -> None:
        order = pending(yard)
        reserve_asset(yard, order, "C1", DAN)
        with refused("reason_missing"):
            cancel_asset_order(yard, order, OFF, reason="")
        cancel_asset_order(yard, order, OFF, reason="rain")
        assert where(yard, "C1") == ("Available", "yard")
        with refused("step_impossible"):
            deliver_asset(yard, order, DAN, asset="C1")


class TestFlexibleDelivery:
    """FA-4, FA-5."""

    @pytest.fixture
    def flexible(self, yard: Ledger) -> Ledger:
        settle(yard, **DELIVERY)
        return yard

    def test_whoever_has_not_seen_the_warning_takes_nothing(self, flexible: Ledger) -> None:
        in_use(flexible, "C1")
        with refused("asset_taken.*In Use for AO-000001 by now.*Free: C2"):
            deliver_asset(flexible, pending(flexible, "Mill"), DAN, asset="C1")

    def test_an_asset_in_use_elsewhere(self, flexible: Ledger) -> None:
        acme, mill = in_use(flexible, "C1"), pending(flexible, "Mill")
        told = deliver_asset(flexible, mill, DOT, asset="C1", seen=f"In Use {acme}")
        assert told["photo_wanted"]
        assert told["warning"].startswith("C1 was In Use AO-000001")
        row = open_exceptions(flexible, OFF).to_dicts()[0]
        assert [row[name] for name in ("driver", "asset", "status", "order", "lost_by", "during", "photo")] == [
            "dot", "C1", "In Use", mill, acme, "deliver", None]  # fmt: skip
        assert (state(flexible, acme), state(flexible, mill)) == ("in use", "in use")
        assert "AX-000001" in history_of(flexible, acme)["patch"][-1]
        assert "AX-000001" in history_of(flexible, mill)["patch"][-1]
        assert holders(flexible) == {"C1": mill}

    def test_an_asset_reserved_for_another(self, flexible: Ledger) -> None:
        first, second = pending(flexible), pending(flexible, "Mill")
        reserve_asset(flexible, first, "C1", DAN)
        told = deliver_asset(flexible, second, DOT, asset="C1", seen=f"Reserved {first}", photo="p/1")
        assert (told["exception"], told["photo_wanted"]) == ("AX-000001", False)
        assert assign_queue(flexible, OFF).select("number", "state").rows() == [(first, "pending delivery")]
        assign_asset(flexible, first, "C2", OFF, note="another one")
        assert where(flexible, "C2") == ("Reserved", "yard")
        assert deliver_asset(flexible, first, DAN)["asset"] == "C2"

    def test_an_asset_that_nobody_could_locate(self, flexible: Ledger) -> None:
        report_missing(flexible, "C1", OFF)
        order = pending(flexible)
        told = deliver_asset(flexible, order, DAN, asset="C1", seen="Unable to Locate")
        assert (where(flexible, "C1"), told["exception"]) == (("In Use", "Acme"), "AX-000001")
        assert assign_queue(flexible, OFF).is_empty()
        assert open_exceptions(flexible, OFF)["lost_by"].to_list() == [None]

    def test_what_is_blocked_is_taken_by_nobody_not_even_as_an_exception(self, flexible: Ledger) -> None:
        reserved = pending(flexible)
        reserve_asset(flexible, reserved, "C1", DAN)
        flexible.post("block", {"serial": "C1"}, reason="leaks", actor="quinn")
        with refused("asset_taken.*blocked: leaks"):
            deliver_asset(flexible, pending(flexible, "Mill"), DOT, asset="C1", seen=f"Reserved {reserved}")

    def test_fetching_what_is_not_on_site_needs_a_photo_where_they_are_required(self, flexible: Ledger) -> None:
        settle(flexible, **BOTH, photo_required=True)
        order = to_fetch(flexible, "C1")
        before = events(flexible).height
        with refused("photo_missing"):
            remove_asset(flexible, order, DAN, asset="C2", seen="Available")
        assert events(flexible).height == before
        assert remove_asset(flexible, order, DAN, asset="C2", seen="Available", photo="p/7")["exception"]

    def test_where_photos_are_required_an_exception_needs_one(self, flexible: Ledger) -> None:
        settle(flexible, **DELIVERY, photo_required=True)
        acme, mill = in_use(flexible, "C1"), pending(flexible, "Mill")
        before = events(flexible).height
        with refused("photo_missing"):
            deliver_asset(flexible, mill, DAN, asset="C1", seen=f"In Use {acme}")
        assert events(flexible).height == before
        assert deliver_asset(flexible, mill, DAN, asset="C1", seen=f"In Use {acme}", photo="p/9")["exception"]
        assert open_exceptions(flexible, OFF)["photo"].to_list() == ["p/9"]

    def test_a_blocked_asset_is_nobodys_choice(self, flexible: Ledger) -> None:
        flexible.post("block", {"serial": "C1"}, reason="crack", actor="ana")
        order = pending(flexible)
        assert "C1" not in choices(flexible, order, DAN)["asset"].to_list()
        with pytest.raises(InputError, match=r"blocked: crack|blocks_held"):
            deliver_asset(flexible, order, DAN, asset="C1")

    def test_the_driver_is_shown_what_can_be_chosen_and_what_is_an_exception(self, flexible: Ledger) -> None:
        acme = in_use(flexible, "C1")
        report_missing(flexible, "C2", OFF)
        order = pending(flexible, "Mill")
        reserve_asset(flexible, order, "C3", DAN)
        assert choices(flexible, order, DAN).rows() == [
            ("C3", "own", f"Reserved {order}", False), ("C4", "available", "Available", False),
            ("C5", "available", "Available", False), ("C6", "available", "Available", False),
            ("C1", "global", f"In Use {acme}", True), ("C2", "global", "Unable to Locate", True),
        ]  # fmt: skip


class TestFlexibleRemoval:
    """FA-6 to FA-9."""

    @pytest.fixture
    def flexible(self, yard: Ledger) -> Ledger:
        settle(yard, **BOTH)
        return yard

    def test_another_asset_on_site_needs_no_reconciliation(self, flexible: Ledger) -> None:
        order, other = to_fetch(flexible, "C1", material="rubble"), in_use(flexible, "C2", material="rubble")
        told = remove_asset(flexible, order, DAN, asset="C2")
        assert (told["state"], told["removed"], told["exception"]) == ("in use", other, None)
        assert (state(flexible, order), state(flexible, other)) == ("in use", "removed")
        assert (where(flexible, "C1"), where(flexible, "C2")) == (("In Use", "Acme"), ("Available", "yard"))
        assert open_exceptions(flexible, OFF).is_empty()
        assert holders(flexible) == {"C1": order}

    @pytest.mark.parametrize(("asset", "site", "said"), [
        ("C2", "Mill", {"material": "rubble"}), ("C2", "Acme", {"material": "wood"}),
        ("S1", "Acme", {"material": "rubble", "sku": "10yd"}),
    ])  # fmt: skip
    def test_on_site_is_the_same_site_size_and_material(
        self, flexible: Ledger, asset: str, site: str, said: dict[str, Any]
    ) -> None:
        order, other = to_fetch(flexible, "C1", material="rubble"), in_use(flexible, asset, site, **said)
        assert "on site" not in choices(flexible, order, DAN)["list"].to_list()
        with refused("asset_taken"):
            remove_asset(flexible, order, DAN, asset=asset)
        told = remove_asset(flexible, order, DAN, asset=asset, seen=f"In Use {other}")
        assert (told["state"], told["exception"]) == ("removed", "AX-000001")

    def test_an_exchange_keeps_its_number_and_belongs_to_the_asset_that_was_taken(self, flexible: Ledger) -> None:
        order, other = in_use(flexible, "C1"), in_use(flexible, "C2")
        exchange = order_asset(flexible, "20yd", OFF, site="Acme", exchanges=order)["number"]
        assert state(flexible, order) == "pending removal"
        told = remove_asset(flexible, exchange, DAN, asset="C2")
        assert (told["number"], told["state"], told["removed"]) == (order, "in use", other)
        assert f'"removes":"{other}"' in history_of(flexible, exchange)["patch"][-1]
        assert deliver_asset(flexible, exchange, DAN, asset="C3")["number"] == exchange
        assert holders(flexible) == {"C1": order, "C3": exchange}

    def test_an_exchange_in_the_usual_way(self, flexible: Ledger) -> None:
        order = in_use(flexible, "C1")
        exchange = order_asset(flexible, "20yd", OFF, site="Acme", exchanges=order)["number"]
        assert remove_asset(flexible, exchange, DAN)["removed"] == order
        deliver_asset(flexible, exchange, DAN, asset="C1")
        assert holders(flexible) == {"C1": exchange}
        with refused("asset_unfit.*one site"):
            order_asset(flexible, "20yd", OFF, site="Mill", exchanges=exchange)

    def test_two_removals_on_one_site_and_each_driver_takes_the_others_asset(self, flexible: Ledger) -> None:
        first, second = to_fetch(flexible, "C1"), to_fetch(flexible, "C2")
        assert remove_asset(flexible, first, DAN, asset="C2")["removed"] == second
        assert state(flexible, first) == "pending removal"
        assert remove_asset(flexible, first, DOT)["asset"] == "C1"
        assert holders(flexible) == {}

    def test_an_asset_from_anywhere_is_an_exception(self, flexible: Ledger) -> None:
        order, mill = to_fetch(flexible, "C1"), in_use(flexible, "C2", "Mill")
        told = remove_asset(flexible, order, DAN, asset="C2", seen=f"In Use {mill}", photo="p/3")
        assert "not on site" in told["warning"]
        assert (state(flexible, order), state(flexible, mill)) == ("removed", "in use")
        assert (where(flexible, "C2"), where(flexible, "C1")) == (("Available", "yard"), ("Unable to Locate", "Acme"))
        row = open_exceptions(flexible, OFF).to_dicts()[0]
        assert [row[name] for name in ("lost_by", "missing", "during")] == [mill, "C1", "remove"]
        assert assign_asset(flexible, mill, "C1", OFF, note="they were mixed up")["resolved"] == "AX-000001"
        assert where(flexible, "C1") == ("In Use", "Mill")
        assert holders(flexible) == {"C1": mill}

    @pytest.mark.parametrize("status", ["Available", "Reserved", "Unable to Locate"])
    def test_even_one_that_should_be_in_the_yard(self, flexible: Ledger, status: str) -> None:
        order, seen = to_fetch(flexible, "C1"), status
        if status == "Reserved":
            mill = pending(flexible, "Mill")
            reserve_asset(flexible, mill, "C2", DAN)
            seen = f"Reserved {mill}"
        elif status == "Unable to Locate":
            report_missing(flexible, "C2", OFF)
        told = remove_asset(flexible, order, DAN, asset="C2", seen=seen)
        assert (told["exception"], where(flexible, "C2")) == ("AX-000001", ("Available", "yard"))
        assert assign_queue(flexible, OFF).height == (status == "Reserved")

    def test_the_own_asset_is_fetched_though_nobody_could_locate_it(self, flexible: Ledger) -> None:
        order = to_fetch(flexible, "C1")
        report_missing(flexible, "C1", OFF)
        assert remove_asset(flexible, order, DAN)["exception"] is None
        assert where(flexible, "C1") == ("Available", "yard")


class TestReconciling:
    """FA-10."""

    @pytest.fixture
    def taken(self, yard: Ledger) -> tuple[Ledger, str, str]:
        """C1 was taken from Acme's order for Mill's."""
        settle(yard, **BOTH)
        acme, mill = in_use(yard, "C1"), pending(yard, "Mill")
        deliver_asset(yard, mill, DAN, asset="C1", seen=f"In Use {acme}")
        return yard, acme, mill

    def test_an_exception_is_confirmed_with_a_note_by_someone_once(self, taken: tuple[Ledger, str, str]) -> None:
        ledger, _, _ = taken
        with refused("note_missing"):
            confirm_exception(ledger, "AX-000001", OFF, note="")
        with refused("role_missing"):
            confirm_exception(ledger, "AX-000001", DAN, note="fine")
        confirm_exception(ledger, "AX-000001", OFF, note="Acme sold theirs")
        last = history_of(ledger, "AX-000001").to_dicts()[-1]
        assert (last["step"], last["state"], last["actor"], last["note"]) == (
            "confirm", "resolved", "olive", "Acme sold theirs")  # fmt: skip
        assert open_exceptions(ledger, OFF).is_empty()
        assert assign_queue(ledger, OFF).is_empty()
        with refused("step_impossible"):
            confirm_exception(ledger, "AX-000001", OFF, note="again")

    def test_no_order_gets_an_asset_that_another_has(self, taken: tuple[Ledger, str, str]) -> None:
        ledger, acme, mill = taken
        with refused(f"asset_taken.*{mill}"):
            assign_asset(ledger, acme, "C1", OFF, note="back")
        with refused("asset_unfit.*10yd"):
            assign_asset(ledger, acme, "S1", OFF, note="small")
        with refused("asset_unfit.*has an asset"):
            assign_asset(ledger, mill, "C2", OFF, note="two")
        with refused("note_missing"):
            assign_asset(ledger, acme, "C2", OFF, note="")
        assign_asset(ledger, acme, "C2", OFF, note="C2 was there")
        with refused("asset_unfit.*has an asset"):
            assign_asset(ledger, acme, "C3", OFF, note="again")

    def test_an_order_without_an_asset_is_still_removed_with_what_is_there(
        self, taken: tuple[Ledger, str, str]
    ) -> None:
        ledger, acme, _ = taken
        order_removal(ledger, acme, OFF)
        told = remove_asset(ledger, acme, DAN, asset="C5", seen="Available")
        assert (told["state"], told["exception"]) == ("removed", "AX-000002")
        assert assign_queue(ledger, OFF).is_empty()

    def test_the_office_hears_of_it(self, taken: tuple[Ledger, str, str]) -> None:
        told = events(taken[0]).filter(flow="asset exception").to_dicts()
        assert [(row["step"], row["state"], row["actor"]) for row in told] == [("raise", "open", "dan")]


class TestTogether:
    """FA-11."""

    @pytest.mark.parametrize("settings", [STRICT, BOTH], ids=["strict", "flexible"])
    def test_two_drivers_one_asset_one_wins(self, ledger_url: str, settings: dict[str, Any]) -> None:
        with Ledger.open(ledger_url) as one, Ledger.open(ledger_url) as other:
            set_up(one, **settings)
            for asset in ("C1", "C2", "C3"):
                orders, gate = (pending(one, "Acme"), pending(one, "Mill")), Barrier(2)

                def drive(ledger: Ledger, order: str, driver: Person, asset: str = asset, gate: Barrier = gate) -> str:
                    gate.wait()
                    try:
                        return str(deliver_asset(ledger, order, driver, asset=asset)["asset"])
                    except InputError as error:
                        assert error.problems[0].hint.startswith(("Free: ", "No other"))
                        return error.code

                with ThreadPoolExecutor(2) as pool:
                    told = list(pool.map(drive, (one, other), orders, (DAN, DOT)))
                assert sorted(told) == sorted([asset, "asset_taken"])
                loser = orders[told.index("asset_taken")]
                assert state(one, loser) == "pending delivery"
            assert set(holders(one)) == {"C1", "C2", "C3"}
            assert open_exceptions(one, OFF).is_empty()
            assert verify(one).clean

    def test_a_repeat_after_a_lost_connection_is_answered_and_not_done_again(self, yard: Ledger) -> None:
        order = pending(yard)
        first = deliver_asset(yard, order, DAN, asset="C1", key="trip 1")
        assert deliver_asset(yard, order, DAN, asset="C1", key="trip 1") == first
        with refused("key_reused"):
            deliver_asset(yard, order, DAN, asset="C2", key="trip 1")
        with refused("step_impossible.*fetch"):
            deliver_asset(yard, order, DAN, asset="C1")


class TestWhoMay:
    def test_each_step_is_for_its_role(self, yard: Ledger) -> None:
        order = pending(yard)
        for step in (
            lambda: order_asset(yard, "20yd", DAN, site="Acme"), lambda: order_removal(yard, order, DAN),
            lambda: deliver_asset(yard, order, OFF, asset="C1"), lambda: remove_asset(yard, order, OFF),
            lambda: assign_asset(yard, order, "C1", DAN, note="x"),
            lambda: cancel_asset_order(yard, order, DAN, reason="x"),
        ):  # fmt: skip
            with refused("role_missing"):
                step()

    def test_a_partners_people_see_no_assets_and_do_nothing_with_them(self, yard: Ledger) -> None:
        order = pending(yard)
        eve, olf = Person("eve", "driver", "ASP-1"), Person("olf", "office", "ASP-1")
        for step in (
            lambda: deliver_asset(yard, order, eve, asset="C1"), lambda: choices(yard, order, eve),
            lambda: assign_queue(yard, olf), lambda: open_exceptions(yard, olf),
            lambda: order_asset(yard, "20yd", olf, site="Acme"), lambda: report_missing(yard, "C1", olf),
        ):  # fmt: skip
            with refused("role_missing"):
                step()

    def test_unknown_orders_assets_products_and_texts_that_make_no_sense(self, yard: Ledger) -> None:
        order = pending(yard)
        for step, code in (
            (lambda: deliver_asset(yard, "AO-9", DAN, asset="C1"), "document_unknown"),
            (lambda: deliver_asset(yard, order, DAN, asset="C99"), "goods_unknown"),
            (lambda: deliver_asset(yard, order, DAN, asset="C\0"), "text_nul"),
            (lambda: deliver_asset(yard, order, DAN, asset="C1", photo="p\n"), "value_text"),
            (lambda: order_asset(yard, "none", OFF, site="Acme"), "sku_unknown"),
            (lambda: order_asset(yard, "20yd", OFF, site=""), "value_empty"),
            (lambda: order_asset(yard, "20yd", OFF, site="Acme", exchanges="AO-9"), "document_unknown"),
            (lambda: order_asset(yard, "20yd", OFF, site="Acme", number=order), "document_exists"),
            (lambda: remove_asset(yard, order, DAN), "step_impossible"),
            (lambda: order_removal(yard, order, OFF), "step_impossible"),
            (lambda: confirm_exception(yard, order, OFF, note="x"), "document_unknown"),
        ):  # fmt: skip
            with refused(code):
                step()
        assert holders(yard) == {}
