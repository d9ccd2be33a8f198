"""Quantities and amounts of a ledger: exact or refused, told in the units of people, at every number of decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from allocator.errors import AllocatorError, InputError
from allocator.ledger import Ledger
from allocator.ledger.blocking import block
from allocator.ledger.verify.dump import canonical_dump
from allocator.model.policy import Policy
from ledger_stores import receive, shop

__all__ = ["shop"]

OIL = {"sku": "oil", "lot": "A", "location": "yard"}

HOSTILE = {
    "a digit too many for Python's arithmetic": (Decimal("1.00000000000000000000000000001"), "qty_step"),
    "a number of a million digits": (Decimal("1E+999999"), "qty_out_of_range"),
    "a number that nobody can write out": (Decimal("1E+999999999999"), "qty_out_of_range"),
    "next to nothing": (Decimal("1E-999999"), "qty_step"),
    "a step more than fits": (Decimal("92233720368547758.08"), "qty_out_of_range"),
    "a float": (1.5, "column_type"),
    "a whole float": (2.0, "column_type"),
    "a text": ("5", "column_type"),
    "a list": ([], "column_type"),
    "infinity": (Decimal("Infinity"), "qty_out_of_range"),
    "an integer of 64 bits, which may overflow": (np.int64(2**62), "column_type"),
}


@pytest.mark.parametrize(("qty", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_quantity_is_exact_or_refused(shop: Ledger, qty: Any, code: str) -> None:
    receive(shop, OIL | {"qty": Decimal("5.25")})
    before = canonical_dump(shop)
    for table, ask in (
        ("lines", lambda: receive(shop, OIL | {"qty": qty})),
        ("demand", lambda: shop.reserve([{"line_id": "L1", "sku": "oil", "qty": qty}], actor="bob")),
        ("lines", lambda: shop.post("adjust", [OIL | {"qty": qty}], reason="count", actor="bob")),
    ):
        with pytest.raises(InputError) as caught:
            ask()
        assert [(problem.code, problem.table) for problem in caught.value.problems] == [(code, table)]
    assert canonical_dump(shop) == before


def test_what_lacks_is_told_in_litres(shop: Ledger) -> None:
    receive(shop, OIL | {"qty": Decimal("5.25")})
    promised = shop.reserve([{"line_id": "L1", "sku": "oil", "qty": Decimal("2.50")}], actor="bob")["lines"][0]
    allocation = {"allocation_id": promised["allocations"][0]["allocation_id"]}
    with pytest.raises(InputError, match=r"1000.00 of oil are asked for; 5.25 are there, 2.50 of them promised"):
        shop.post("move", OIL | {"qty": 1000, "to_location": "shop"}, actor="bob")
    with pytest.raises(InputError, match=r"the allocation is of 2.50"):
        shop.post("ship", allocation | {"qty": 3}, document="DC-1", actor="bob")
    with pytest.raises(InputError, match=r"the line was recorded with 2.50 of oil"):
        shop.reserve([{"line_id": "L1", "sku": "oil", "qty": 3}], actor="bob")
    shop.post("deliver", allocation | {"to_holder": "eva"}, actor="bob")
    shop.post("deliver", OIL | {"qty": 1, "to_holder": "eva"}, actor="bob")
    back = {"sku": "oil", "holder": "eva", "qty": Decimal("2.51"), "line_id": "L1", "to_location": "yard"}
    with pytest.raises(InputError, match=r"2.50 were given out for the line, and 0.00 of them are back"):
        shop.post("return", back, document="R-1", actor="bob")


def test_skus_with_and_without_decimals_stand_in_one_table(shop: Ledger) -> None:
    shop.define([{"sku": "gold", "scale": 9}], actor="ana")
    receive(shop, {"sku": "filter", "qty": 10**10, "location": "yard"})
    receive(shop, {"sku": "gold", "qty": Decimal("1.000000001"), "location": "safe"})
    assert shop.balances(("sku",))["on_hand"].to_list() == [Decimal(10**10), Decimal("1.000000001")]
    assert shop.stock()["qty_on_hand"].to_list() == [Decimal(10**10), Decimal("1.000000001")]


def test_what_can_not_be_counted_together_is_refused_and_each_is_served_alone(shop: Ledger) -> None:
    shop.define([{"sku": "gold", "scale": 9}], actor="ana")
    receive(shop, {"sku": "filter", "qty": 10**10, "location": "yard"})
    receive(shop, {"sku": "gold", "qty": 2, "location": "safe"})
    lines = [{"line_id": "L1", "sku": "filter", "qty": 10**10}, {"line_id": "L2", "sku": "gold", "qty": 1}]
    with pytest.raises(InputError) as caught:
        shop.reserve(lines, actor="bob")
    assert {problem.code for problem in caught.value.problems} == {"value_overflow"}
    assert [shop.reserve([line], actor="bob")["lines"][0]["short"] for line in lines] == [0, 0]


def test_a_demand_too_large_for_the_steps_of_another_sku_is_refused(shop: Ledger) -> None:
    shop.define([{"sku": "gold", "scale": 9}], actor="ana")
    lines = [{"line_id": "L1", "sku": "filter", "qty": 10**10}, {"line_id": "L2", "sku": "gold", "qty": 1}]
    with pytest.raises(InputError, match="value_overflow"):
        shop.reserve(lines, actor="bob")


@pytest.mark.parametrize("pack", ["0.3", "0.75", "1.5"])
def test_a_pack_that_can_not_be_made_of_a_sku_is_refused_whatever_is_asked_for_beside_it(
    shop: Ledger, pack: str
) -> None:
    receive(shop, {"sku": "filter", "qty": 10, "location": "yard"}, OIL | {"qty": 10})
    policy = Policy.model_validate({"fill": {"pack": Decimal(pack)}})
    lines = [{"line_id": "L1", "sku": "filter", "qty": 2}, {"line_id": "L2", "sku": "oil", "qty": Decimal("4.5")}]
    with pytest.raises(InputError) as caught:
        shop.reserve(lines, policy, actor="bob")
    assert {(problem.code, problem.row) for problem in caught.value.problems} == {("qty_step", 0)}
    for _ in range(3):
        with pytest.raises(AllocatorError, match="qty_step"):
            shop.reserve(lines[0], policy, actor="bob")
    assert shop.reserve(lines[1], policy, actor="bob")["lines"][0]["short"] == 0


def test_a_pack_is_rounded_as_the_policy_says_but_not_to_nothing(shop: Ledger) -> None:
    receive(shop, {"sku": "filter", "qty": 10, "location": "yard"})
    for number, (pack, got) in enumerate([("0.3", None), ("1.5", 4), ("2.5", 4)] * 2):
        policy = Policy.model_validate({"fill": {"pack": Decimal(pack)}, "unit_rounding": "down"})
        line = {"line_id": f"L{number}", "sku": "filter", "qty": 4}
        if got is None:
            with pytest.raises(AllocatorError, match="qty_step"):
                shop.reserve(line, policy, actor="bob")
        else:
            assert shop.reserve(line, policy, actor="bob")["lines"][0]["allocated"] == got
            shop.release(order_id=f"L{number}", actor="bob")


def test_a_substitute_one_for_one_serves_what_lacks(shop: Ledger) -> None:
    shop.define([{"sku": "pad"}], actor="ana")
    receive(shop, *({"sku": sku, "qty": 100, "location": "yard"} for sku in ("filter", "pad")))
    policy = Policy.model_validate({"substitutes": [{"sku": "filter", "substitute": "pad"}]})
    answer = shop.reserve([{"line_id": "L1", "sku": "filter", "qty": 110}], policy, actor="bob")
    assert answer["lines"][0]["short"] == 0
    assert shop.allocations().select("sku", "qty").rows() == [("filter", 100), ("pad", 10)]


AMOUNTS = {
    "a power of ten": ("1E+5", "column_type"),
    "more than anything costs": ("1000000000001", "money_out_of_range"),
    "a number of a million digits": (Decimal("1E+999999"), "money_out_of_range"),
    "too fine": ("0.1234567", "money_too_fine"),
    "too fine for Python's arithmetic": (Decimal("1.00000000000000000000000000001"), "money_too_fine"),
    "other digits": ("\uff11\uff12", "column_type"),
    "a separator": ("1_000", "column_type"),
    "a float": (1.5, "column_type"),
    "not a number": (Decimal("NaN"), "money_out_of_range"),
    "a debt": (Decimal("-0.01"), "money_out_of_range"),
}


@pytest.mark.parametrize(("cost", "code"), AMOUNTS.values(), ids=AMOUNTS)
def test_a_cost_that_stock_could_not_tell_is_refused(shop: Ledger, cost: Any, code: str) -> None:
    with pytest.raises(InputError) as caught:
        receive(shop, {"sku": "filter", "qty": 1, "location": "yard", "unit_cost": cost})
    assert [problem.code for problem in caught.value.problems] == [code]


def test_a_cost_is_told_as_it_was_given(shop: Ledger) -> None:
    costs = [Decimal("33.60"), "0.000001", 10**12, Decimal("1E+5")]
    receive(shop, *({"sku": "filter", "qty": 1, "location": "yard", "unit_cost": cost} for cost in costs))
    assert shop.stock()["unit_cost"].to_list() == [Decimal(cost) for cost in costs]
    with pytest.raises(AllocatorError):
        shop.reserve([{"line_id": "L1", "sku": "filter", "qty": 0}], actor="bob")


def test_every_problem_of_a_line_and_of_every_line_is_told(shop: Ledger) -> None:
    lines: list[dict[str, Any]] = [{"line_id": "a\0", "sku": "b\0", "qty": 1.5}, {"line_id": "c", "sku": "filter"}]
    with pytest.raises(InputError) as caught:
        shop.reserve(lines, actor="bob")
    told = [(problem.row, problem.column, problem.code) for problem in caught.value.problems]
    assert sorted(told, key=str) == [
        (0, "line_id", "text_nul"), (0, "qty", "column_type"), (0, "sku", "text_nul"), (1, "qty", "value_null"),
    ]  # fmt: skip


def test_an_order_hears_of_litres(shop: Ledger) -> None:
    receive(shop, OIL | {"qty": Decimal("5.25")})
    asked = [{"line_id": "L1", "sku": "oil", "qty": Decimal("4.00")}, {"line_id": "L2", "sku": "oil", "qty": 2}]
    for _ in range(2):  # A repeat hears the same.
        first, second = shop.reserve(asked, actor="bob", key="order")["lines"]
        assert (first["requested"], first["allocated"], first["short"]) == (4, 4, 0)
        assert (second["requested"], second["allocated"], second["short"]) == (2, Decimal("1.25"), Decimal("0.75"))
        assert [each["qty"] for each in second["allocations"]] == [Decimal("1.25")]
        assert str(second["allocated"]) == "1.25"
        assert "scale" not in second
    assert shop.outcome("order")["lines"] == [first, second]


@pytest.mark.parametrize("outcome", ["keep", "replan"])
def test_what_a_block_does_to_promises_is_told_in_litres(shop: Ledger, outcome: str) -> None:
    receive(shop, OIL | {"qty": Decimal("5.25")})
    shop.reserve([{"line_id": "L1", "sku": "oil", "qty": Decimal("4.00")}], actor="bob")
    told = block(shop, {"stock_id": shop.stock()["stock_id"][0]}, reason="quality", outcome=outcome, actor="ana")
    assert [(each["line_id"], each["qty"]) for each in told["flagged"]] == ([("L1", 4)] if outcome == "keep" else [])
    again = [(each["allocated"], each["short"]) for each in told["lines"]]
    assert again == ([] if outcome == "keep" else [(0, 4)])
