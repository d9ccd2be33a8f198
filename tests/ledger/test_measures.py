"""Orders that ask in boxes or cans: promised, recorded and decided again in base units, as `allocate` counts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator import allocate
from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.blocking import block
from allocator.ledger.verify import verify
from allocator.model.policy import Policy
from ledger_stores import TODAY, receive, shop

__all__ = ["shop"]

NUMBERS = itertools.count(1)
OIL = {"sku": "oil", "lot": "A", "location": "yard"}


def policy_of(**said: Any) -> Policy:
    units = [{"unit": "box", "ratio": 12}, {"unit": "box", "ratio": 24, "sku": "pad"}, {"unit": "gill", "ratio": "1/7"}]
    return Policy.model_validate({"units": units, **said})


def codes(error: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def test_boxes_are_promised_and_recorded_in_base_units(shop: Ledger) -> None:
    shop.define([{"sku": "pad"}], actor="ana")
    receive(shop, *({"sku": sku, "qty": 30, "location": "yard"} for sku in ("filter", "pad")))
    asked = [{"line_id": f"L {sku}", "sku": sku, "qty": 2, "unit": "box"} for sku in ("filter", "pad")]
    told = shop.reserve(asked, policy_of(), actor="bob")["lines"]
    assert [(each["requested"], each["allocated"], each["short"]) for each in told] == [(24, 24, 0), (48, 30, 18)]
    kept = shop.lines()
    assert kept.select("requested", "allocated", "short").rows() == [(24, 24, 0), (48, 30, 18)]
    assert [json.loads(said) for said in kept["details"]] == [
        {"unit": "box", "unit_ratio": "12"}, {"unit": "box", "unit_ratio": "24"},
    ]  # fmt: skip
    assert verify(shop).clean


def test_a_line_in_boxes_gets_what_it_lacks_and_keeps_how_many_it_asked_for(shop: Ledger) -> None:
    receive(shop, {"sku": "filter", "qty": 30, "location": "yard"})
    line = {"line_id": "L1", "sku": "filter", "qty": 3, "unit": "box"}
    assert shop.reserve(line, policy_of(), actor="bob")["lines"][0]["short"] == 6
    receive(shop, {"sku": "filter", "qty": 30, "location": "yard"})
    other = policy_of(units=[{"unit": "box", "ratio": 10}])
    for asked, policy in ((line, other), (line | {"qty": 2}, policy_of()), (line | {"unit": None}, policy_of())):
        with pytest.raises(InputError, match="the line was recorded with 36 of filter") as caught:
            shop.reserve(asked, policy, actor="bob")
        assert codes(caught) == ["line_changed"]
    again = {"line_id": "L1", "sku": "filter", "qty": 36}
    assert [shop.reserve(each, policy_of(), actor="bob")["lines"][0]["allocated"] for each in (line, again)] == [6, 0]


def test_every_unit_that_the_policy_has_not_is_told_with_all_else(shop: Ledger) -> None:
    lines = [
        {"line_id": "L1", "sku": "filter", "qty": 1, "unit": "crate"},
        {"line_id": "L2", "sku": "filter", "qty": 1.5, "unit": "box"},
        {"line_id": "L3", "sku": "filter", "qty": 1, "unit": "pair"},
        {"line_id": "L4", "sku": "filter", "qty": 1, "unit": ["box"]},
    ]
    policy = policy_of(units=[{"unit": "box", "ratio": 12}, {"unit": "pair", "ratio": 2, "sku": "sock"}])
    with pytest.raises(InputError) as caught:
        shop.reserve(lines, policy, actor="bob")
    told = [(problem.row, problem.code) for problem in caught.value.problems]
    assert told == [(0, "unit_unknown"), (1, "column_type"), (2, "unit_unknown"), (3, "value_text")]
    with pytest.raises(InputError, match="The policy has none"):
        shop.reserve(lines[0], actor="bob")


@pytest.mark.parametrize(
    ("rounding", "qty", "promised"),
    [("refuse", 7, 1), ("refuse", 6, "qty_step"), ("down", 6, "qty_out_of_range"), ("down", 13, 1), ("up", 8, 2),
     ("nearest", 11, 2), ("nearest", 3, "qty_out_of_range"), ("up", 0, "qty_out_of_range"),
     ("up", Decimal("1E+999999"), "qty_out_of_range"), ("up", Decimal("1E-999999"), "qty_step"),
     ("down", 2**66, "qty_out_of_range"), ("up", -7, "qty_out_of_range")],
)  # fmt: skip
def test_what_is_no_whole_number_is_rounded_as_the_policy_says(
    shop: Ledger, rounding: str, qty: Any, promised: Any
) -> None:
    receive(shop, {"sku": "filter", "qty": 30, "location": "yard"})
    line = {"line_id": "L1", "sku": "filter", "qty": qty, "unit": "gill"}
    policy = policy_of(unit_rounding=rounding)
    if isinstance(promised, str):
        with pytest.raises(InputError) as caught:
            shop.reserve(line, policy, actor="bob")
        assert codes(caught) == [promised]
    else:
        assert shop.reserve(line, policy, actor="bob")["lines"][0]["allocated"] == promised


def test_a_unit_of_a_sku_with_decimals_is_counted_in_its_steps(shop: Ledger) -> None:
    receive(shop, OIL | {"qty": Decimal("50.00")})
    policy = policy_of(units=[{"unit": "can", "ratio": "2.25"}])
    line = {"line_id": "L1", "sku": "oil", "qty": Decimal("3.00"), "unit": "can"}
    (told,) = shop.reserve(line, policy, actor="bob")["lines"]
    assert (told["requested"], told["allocated"]) == (Decimal("6.75"), Decimal("6.75"))
    with pytest.raises(InputError, match="no whole number of the steps that oil is counted in"):
        shop.reserve(line | {"line_id": "L2", "qty": Decimal("0.1")}, policy, actor="bob")


def test_packs_of_a_line_are_in_its_unit_whenever_it_is_decided(shop: Ledger) -> None:
    receive(shop, *({"sku": "filter", "qty": qty, "location": place} for qty, place in ((30, "A"), (20, "B"))))
    fill = {"fill": {"pack": "packs_of"}}
    line = {"line_id": "L1", "sku": "filter", "qty": 2, "unit": "box", "packs_of": 1}
    (told,) = shop.reserve(line, policy_of(**fill), actor="bob")["lines"]
    assert [each["qty"] for each in told["allocations"]] == [24]
    # Decided again by a policy that knows nothing of boxes any more.
    after = block(shop, {"stock_id": told["allocations"][0]["stock_id"]}, reason="quality", outcome="replan",
                  policy=Policy.model_validate(fill), actor="ana")  # fmt: skip
    assert [(each["allocated"], each["short"]) for each in after["lines"]] == [(12, 12)]
    assert verify(shop).clean


def test_packs_with_decimals_are_read_back_from_what_is_on_record(shop: Ledger) -> None:
    receive(shop, *(OIL | {"qty": Decimal(qty), "location": place} for qty, place in (("5.25", "A"), ("4.00", "B"))))
    policy = Policy.model_validate({"fill": {"pack": "packs_of"}})
    line = {"line_id": "L1", "sku": "oil", "qty": Decimal("5.00"), "packs_of": Decimal("1.50")}
    (told,) = shop.reserve(line, policy, actor="bob")["lines"]
    assert told["allocated"] == Decimal("4.50")
    after = block(shop, {"stock_id": told["allocations"][0]["stock_id"]}, reason="quality", outcome="replan",
                  policy=policy, actor="ana")  # fmt: skip
    assert [each["allocated"] for each in after["lines"]] == [Decimal("3.00")]


def test_a_large_order_in_boxes_gets_what_small_ones_get(shop: Ledger) -> None:
    receive(shop, {"sku": "filter", "qty": 11_990, "location": "yard"})
    lines = [{"line_id": f"L{n:04}", "sku": "filter", "qty": 1, "unit": "box"} for n in range(1000)]
    told = shop.reserve(lines, policy_of(), actor="bob")["lines"]
    assert [each["allocated"] for each in told[-2:]] == [12, 2]
    assert sum(each["allocated"] for each in told) == 11_990
    assert verify(shop).clean


def test_a_small_order_in_boxes_after_others_of_the_sku_is_counted_in_boxes(shop: Ledger) -> None:
    """The third order for a SKU is served from shelves, which know of no boxes."""
    receive(shop, {"sku": "filter", "qty": 100, "location": "yard"})
    for n in range(4):
        (told,) = shop.reserve({"line_id": f"A{n}", "sku": "filter", "qty": 1}, policy_of(), actor="bob")["lines"]
        assert told["allocated"] == 1
    (told,) = shop.reserve({"line_id": "B", "sku": "filter", "qty": 1, "unit": "box"}, policy_of(), actor="bob")[
        "lines"
    ]
    assert told["allocated"] == 12


@pytest.fixture(scope="module")
def memory() -> Iterator[Ledger]:
    with Ledger.open("sqlite://") as ledger:
        yield ledger


ratios = st.fractions(min_value=Fraction(1, 9), max_value=30, max_denominator=9)


@settings(max_examples=60, deadline=None)
@given(scale=st.integers(0, 2), ratio=ratios, rounding=st.sampled_from(["refuse", "up", "down", "nearest"]),
       on_hand=st.integers(1, 900), qtys=st.lists(st.integers(1, 40), min_size=1, max_size=3))  # fmt: skip
def test_a_ledger_promises_what_allocate_gives(
    memory: Ledger, scale: int, ratio: Fraction, rounding: str, on_hand: int, qtys: list[int]
) -> None:
    sku = f"part {next(NUMBERS)}"
    memory.define([{"sku": sku, "scale": scale}], actor="ana")
    receive(memory, {"sku": sku, "qty": Decimal(on_hand).scaleb(-scale), "location": "yard"})
    policy = Policy.model_validate({"units": [{"unit": "lump", "ratio": str(ratio)}], "unit_rounding": rounding})
    lines = [{"line_id": f"{sku}.{n}", "sku": sku, "qty": qty, "unit": "lump"} for n, qty in enumerate(qtys)]
    stock = memory.stock(skus=sku).with_columns(
        pl.col("qty_on_hand", "qty_reserved").cast(pl.Decimal(38, scale) if scale else pl.Int64)
    )
    try:
        wanted = allocate(stock, pl.DataFrame(lines), policy, as_of=TODAY).lines.sort("line_id")
    except InputError:
        with pytest.raises(InputError):
            memory.reserve(lines, policy, actor="bob", as_of=TODAY)
        return
    if (wanted["requested"] == 0).any():
        # A ledger takes no wish for nothing.
        return
    told = memory.reserve(lines, policy, actor="bob", as_of=TODAY)["lines"]
    assert [(each["requested"], each["allocated"], each["short"], each["reason"]) for each in told] == wanted.select(
        "requested", "allocated", "short", "reason"
    ).rows()
