"""Maximum stock limits as a partner and an operations team meet them."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from allocator.limits import Limits, check_requests, replenish

TODAY = dt.date(2026, 3, 1)
YESTERDAY, TOMORROW = TODAY - dt.timedelta(1), TODAY + dt.timedelta(1)


def stock(*rows):
    """Rows of (sku, qty) or (sku, qty, further columns) at one partner."""
    plain = [
        {"bu": "service", "asp": "ASP-01", "sku": sku, "qty_on_hand": qty} | dict(*more) for sku, qty, *more in rows
    ]
    schema = ["bu", "asp", "sku", "qty_on_hand"]
    return (
        pl.DataFrame(plain, infer_schema_length=None)
        if plain
        else pl.DataFrame(schema=dict.fromkeys(schema, pl.String) | {"qty_on_hand": pl.Int64})
    )


def coming(**qty):
    """Units by SKU, at the same partner."""
    return pl.DataFrame({"sku": list(qty), "qty": list(qty.values())}).with_columns(
        bu=pl.lit("service"), asp=pl.lit("ASP-01")
    )


def requests(*rows):
    """Rows of (request_id, sku, qty) or (request_id, sku, qty, further columns)."""
    return pl.DataFrame(
        [
            {"request_id": number, "bu": "service", "asp": "ASP-01", "sku": sku, "qty": qty} | dict(*more)
            for number, sku, qty, *more in rows
        ],
        infer_schema_length=None,
    )


def limits(*rules, **settings):
    return Limits(rules=[{"name": f"rule {number}", **rule} for number, rule in enumerate(rules)], **settings)


def proposed(out):
    return dict(out.select("sku", "qty_proposed").iter_rows())


def only(out):
    assert out.height == 1
    return out.row(0, named=True)


# --- how much ---


def test_the_proposal_is_the_limit_less_on_hand_less_in_transit_less_open_requests():
    out = replenish(
        stock(("X", 4)), limits({"units_max": 20}), in_transit=coming(X=3), open_requests=coming(X=5), as_of=TODAY
    )
    row = only(out)
    assert (row["on_hand"], row["in_transit"], row["requested_open"], row["position"]) == (4, 3, 5, 12)
    assert (row["headroom"], row["qty_proposed"], row["reason"]) == (8, 8, "proposed")


def test_a_partner_above_its_limit_is_proposed_nothing_and_never_a_negative_quantity():
    row = only(replenish(stock(("X", 25)), limits({"units_max": 20}), as_of=TODAY))
    assert (row["headroom"], row["qty_proposed"], row["reason"]) == (-5, 0, "at_limit")


@pytest.mark.parametrize(
    ("rounding", "headroom", "pack", "qty"),
    [
        ("never_above", 20, 3, 18),
        ("nearest", 20, 3, 21),
        ("always_reach", 20, 3, 21),
        ("never_above", 19, 3, 18),
        ("nearest", 19, 3, 18),
        ("always_reach", 19, 3, 21),
        ("nearest", 18, 4, 16),
        ("nearest", 1, 3, 0),
        ("nearest", 2, 3, 3),
        ("never_above", 2, 3, 0),
        ("always_reach", 1, 3, 3),
        ("never_above", 18, 3, 18),
        ("nearest", 18, 3, 18),
        ("always_reach", 18, 3, 18),
    ],
)
def test_a_maximum_is_brought_to_whole_packs_as_the_rule_says(rounding, headroom, pack, qty):
    rule = {"bu": "service", "asp": "ASP-01", "sku": "X", "units_max": headroom, "pack": pack, "rounding": rounding}
    assert proposed(replenish(stock(), limits(rule), as_of=TODAY)) == {"X": qty}


def test_a_headroom_below_a_pack_says_so():
    row = only(replenish(stock(("X", 18)), limits({"units_max": 20, "pack": 3}), as_of=TODAY))
    assert (row["headroom"], row["qty_proposed"], row["reason"]) == (2, 0, "less_than_a_pack")


def test_the_result_says_how_far_rounding_moved_the_proposal():
    up = limits({"units_max": 20, "pack": 3, "rounding": "always_reach"})
    assert only(replenish(stock(("X", 0)), up, as_of=TODAY))["rounded_by"] == 1
    down = limits({"units_max": 20, "pack": 3})
    assert only(replenish(stock(("X", 0)), down, as_of=TODAY))["rounded_by"] == -2


def test_the_pack_of_the_sku_holds_where_the_rule_names_none():
    skus = pl.DataFrame({"sku": ["X", "Y"], "pack": [6, None]})
    out = replenish(stock(("X", 0), ("Y", 0)), limits({"units_max": 20}), skus=skus, as_of=TODAY)
    assert proposed(out) == {"X": 18, "Y": 20}


def test_the_pack_of_the_rule_comes_before_the_pack_of_the_sku():
    skus = pl.DataFrame({"sku": ["X"], "pack": [6]})
    out = replenish(stock(("X", 0)), limits({"units_max": 20, "pack": 4}), skus=skus, as_of=TODAY)
    assert proposed(out) == {"X": 20}


# --- in value ---


SKUS = pl.DataFrame({"sku": ["BOARD"], "unit_cost": [Decimal("300.00")], "sku_group": ["board"]})


def test_the_tighter_of_units_and_value_binds():
    rule = {"units_max": 10, "value_max": 1000}
    row = only(replenish(stock(("BOARD", 1)), limits(rule), skus=SKUS, as_of=TODAY))
    assert (row["headroom_units"], row["headroom_value"]) == (9, Decimal(700))
    assert (row["qty_proposed"], row["limited_by"]) == (2, "value")
    row = only(replenish(stock(("BOARD", 9)), limits(rule | {"value_max": 100_000}), skus=SKUS, as_of=TODAY))
    assert (row["qty_proposed"], row["limited_by"]) == (1, "units")


def test_stock_is_valued_at_its_own_cost_and_new_stock_at_the_cost_of_the_sku():
    held = stock(("BOARD", 2, {"unit_cost": Decimal("50.00")}))
    row = only(replenish(held, limits({"value_max": "1000"}), skus=SKUS, as_of=TODAY))
    assert (row["headroom_value"], row["qty_proposed"]) == (Decimal(900), 3)


def test_tenths_of_money_are_exact():
    skus = pl.DataFrame({"sku": ["X"], "unit_cost": [Decimal("0.1")]})
    assert proposed(replenish(stock(("X", 0)), limits({"value_max": "0.3"}), skus=skus, as_of=TODAY)) == {"X": 3}


# --- which rule ---


def test_the_sku_rule_beats_the_group_rule_beats_the_partner_rule_beats_the_business_unit():
    ladder = [{"units_max": 1}, {"bu": "service", "units_max": 2}, {"asp": "ASP-01", "units_max": 3}]
    ladder += [{"sku_group": "board", "units_max": 4}, {"sku": "BOARD", "units_max": 5}]
    for steps in range(1, len(ladder) + 1):
        out = replenish(stock(("BOARD", 0)), limits(*ladder[:steps]), skus=SKUS, as_of=TODAY)
        assert proposed(out) == {"BOARD": steps}


def test_one_more_specific_name_outweighs_all_less_specific_ones_together():
    everything_but = {"sku_group": "board", "asp": "ASP-01", "bu": "service", "units_max": 9}
    out = replenish(
        stock(("BOARD", 0)), limits(everything_but, {"sku": "BOARD", "units_max": 2}), skus=SKUS, as_of=TODAY
    )
    assert proposed(out) == {"BOARD": 2}


def test_a_sku_without_a_rule_is_shown_and_not_proposed():
    row = only(replenish(stock(("X", 4)), limits({"sku": "Y", "units_max": 5}), as_of=TODAY))
    assert (row["rule"], row["headroom"], row["qty_proposed"], row["reason"]) == (None, None, 0, "no_rule")


def test_a_new_partner_gets_its_base_stock_from_rules_that_name_it_and_from_its_assortment():
    named = {"bu": "service", "asp": "ASP-99", "sku": "X", "units_max": 5}
    assortment = pl.DataFrame({"bu": ["service"], "asp": ["ASP-99"], "sku": ["Y"]})
    out = replenish(stock(), limits(named, {"units_max": 2}), assortment=assortment, as_of=TODAY)
    assert out.select("asp", "sku", "qty_proposed").rows() == [("ASP-99", "X", 5), ("ASP-99", "Y", 2)]


def test_integer_keys_meet_the_rules_that_name_them():
    held = pl.DataFrame({"bu": [1], "asp": [20], "sku": [7], "qty_on_hand": [0]})
    out = replenish(held, limits({"units_max": 1}, {"sku": 7, "units_max": 5}), as_of=TODAY)
    assert out.select("bu", "asp", "sku", "qty_proposed").rows() == [(1, 20, 7, 5)]


# --- when ---


def test_a_request_is_raised_at_the_trigger_and_then_up_to_the_maximum():
    rule = limits({"units_max": 20, "trigger": 8})
    assert proposed(replenish(stock(("X", 9)), rule, as_of=TODAY)) == {"X": 0}
    assert proposed(replenish(stock(("X", 8)), rule, as_of=TODAY)) == {"X": 12}


def test_what_is_on_its_way_holds_back_the_trigger():
    row = only(replenish(stock(("X", 2)), limits({"units_max": 20, "trigger": 8}), in_transit=coming(X=7), as_of=TODAY))
    assert (row["triggered"], row["qty_proposed"], row["reason"]) == (False, 0, "above_trigger")


# --- what counts ---


def test_blocked_expired_and_unusable_stock_does_not_count_but_is_still_shown():
    held = stock(
        ("X", 1, {"status": "available"}),
        ("X", 2, {"status": "quarantine"}),
        ("X", 3, {"condition": "defective"}),
        ("X", 4, {"blocked": True}),
        ("X", 5, {"expires_on": YESTERDAY}),
        ("X", 6, {"expires_on": TODAY}),
    ).with_columns(
        pl.col("status").fill_null("available"),
        pl.col("condition").fill_null("new"),
        pl.col("blocked").fill_null(False),
    )
    row = only(replenish(held, limits({"units_max": 20}), as_of=TODAY))
    left_out = (row["not_counted_status"], row["not_counted_blocked"], row["not_counted_expired"])
    assert (row["on_hand"], left_out, row["qty_proposed"]) == (7, (5, 4, 5), 13)


def test_what_expires_today_is_usable_through_today_unless_the_limits_say_until():
    held = stock(("X", 6, {"expires_on": TODAY}))
    assert proposed(replenish(held, limits({"units_max": 6}), as_of=TODAY)) == {"X": 0}
    until = limits({"units_max": 6}, on_hand={"usable": "until"})
    assert proposed(replenish(held, until, as_of=TODAY)) == {"X": 6}


def test_the_limits_may_count_blocked_and_expired_stock():
    held = stock(("X", 4, {"blocked": True}), ("X", 5, {"blocked": False, "expires_on": YESTERDAY}))
    rule = limits({"units_max": 20}, on_hand={"blocked": True, "expired": True})
    assert only(replenish(held, rule, as_of=TODAY))["on_hand"] == 9


def test_a_receipt_of_tomorrow_is_in_transit_today():
    row = only(replenish(stock(("X", 6, {"received_on": TOMORROW})), limits({"units_max": 10}), as_of=TODAY))
    assert (row["on_hand"], row["in_transit"], row["qty_proposed"]) == (0, 6, 4)


def test_reserved_units_count_unless_the_limits_say_that_they_leave():
    held = stock(("X", 6, {"qty_reserved": 4}))
    assert proposed(replenish(held, limits({"units_max": 10}), as_of=TODAY)) == {"X": 4}
    leaving = limits({"units_max": 10}, on_hand={"reserved": False})
    assert proposed(replenish(held, leaving, as_of=TODAY)) == {"X": 8}


# --- requests that people raise ---


def decisions(out):
    return out.select("request_id", "decision", "qty_granted", "reason").rows()


def test_two_requests_share_one_headroom():
    out = check_requests(
        requests((1, "X", 10), (2, "X", 13)), stock(), limits({"units_max": 15}, above_limit="reduce"), as_of=TODAY
    )
    assert decisions(out) == [(1, "allowed", 10, None), (2, "reduced", 5, "above_limit")]


def test_a_request_above_the_limit_is_refused_with_the_figures():
    out = check_requests(
        requests((1, "X", 9)), stock(("X", 4)), limits({"units_max": 20}), in_transit=coming(X=8), as_of=TODAY
    )
    row = only(out)
    assert (row["decision"], row["qty_granted"], row["reason"]) == ("refused", 0, "above_limit")
    assert (row["units_max"], row["on_hand"], row["in_transit"], row["headroom_left"]) == (20, 4, 8, 8)


def test_a_refused_request_takes_nothing_from_the_next():
    out = check_requests(
        requests((1, "X", 10), (2, "X", 13), (3, "X", 5)), stock(), limits({"units_max": 15}), as_of=TODAY
    )
    assert [row[1] for row in decisions(out)] == ["allowed", "refused", "allowed"]


def test_requests_are_served_by_priority_then_time_then_number():
    asked = requests(
        (1, "X", 5, {"priority": 1, "requested_at": YESTERDAY}),
        (2, "X", 5, {"priority": 0, "requested_at": None}),
        (3, "X", 5, {"priority": 0, "requested_at": TODAY}),
        (4, "X", 5, {"priority": 0, "requested_at": YESTERDAY}),
    )
    out = check_requests(asked, stock(), limits({"units_max": 10}), as_of=TODAY)
    assert out.select("request_id", "decision").rows() == [
        (4, "allowed"), (3, "allowed"), (2, "refused"), (1, "refused"),
    ]  # fmt: skip


def test_a_broken_pack_is_refused_or_cut_off():
    asked, rule = requests((1, "X", 7)), {"units_max": 20, "pack": 3}
    assert decisions(check_requests(asked, stock(), limits(rule), as_of=TODAY)) == [(1, "refused", 0, "broken_pack")]
    reducing = limits(rule, above_limit="reduce")
    assert decisions(check_requests(asked, stock(), reducing, as_of=TODAY)) == [(1, "reduced", 6, "broken_pack")]


def test_a_request_that_no_rule_concerns_is_refused_unless_the_limits_allow_it():
    asked, rule = requests((1, "X", 7)), {"sku": "Y", "units_max": 20}
    assert decisions(check_requests(asked, stock(), limits(rule), as_of=TODAY)) == [(1, "refused", 0, "no_rule")]
    open_end = limits(rule, without_rule="allow")
    assert decisions(check_requests(asked, stock(), open_end, as_of=TODAY)) == [(1, "allowed", 7, None)]


def overriding(role, reason):
    return requests((1, "X", 30, {"override_role": role, "override_reason": reason}), (2, "X", 1))


MANAGED = {"override": {"roles": ["manager"]}}


def test_a_manager_may_go_above_the_limit_with_a_reason_and_nothing_is_left_for_others():
    asked = overriding("manager", "heat wave")
    out = check_requests(asked, stock(), limits({"units_max": 20}, **MANAGED), as_of=TODAY)
    assert decisions(out) == [(1, "allowed", 30, "override"), (2, "refused", 0, "above_limit")]


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_an_override_without_a_reason_is_refused(reason):
    asked = overriding("manager", reason).with_columns(pl.col("override_reason").cast(pl.String))
    out = check_requests(asked, stock(), limits({"units_max": 20}, **MANAGED), as_of=TODAY)
    assert decisions(out) == [(1, "refused", 0, "override_without_reason"), (2, "allowed", 1, None)]


@pytest.mark.parametrize("settings", [{}, MANAGED])
def test_an_override_by_anyone_else_is_refused(settings):
    asked = overriding("clerk", "please")
    out = check_requests(asked, stock(), limits({"units_max": 20}, **settings), as_of=TODAY)
    assert decisions(out)[0] == (1, "refused", 0, "override_not_allowed")


def test_an_override_that_is_not_needed_is_not_used():
    asked = requests((1, "X", 3, {"override_role": "clerk", "override_reason": None}))
    asked = asked.with_columns(pl.col("override_reason").cast(pl.String))
    assert decisions(check_requests(asked, stock(), limits({"units_max": 20}), as_of=TODAY)) == [
        (1, "allowed", 3, None)
    ]
