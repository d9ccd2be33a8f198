"""Tables against their contract: what is accepted, how it is normalised, and every problem at once."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from allocator import _core
from allocator.errors import InputError, PolicyError
from allocator.frames.prepare import Prepared, prepare, prepare_demand, prepare_stock
from allocator.model.policy import Policy

STOCK = {"stock_id": ["S1", "S2"], "sku": ["A", "B"], "location": ["W1", "W1/A"], "qty_on_hand": [5, 7]}
DEMAND = {"line_id": ["L1", "L2"], "sku": ["A", "B"], "qty": [3, 4]}


def stock(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({**STOCK, **columns}, strict=False)


def demand(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({**DEMAND, **columns}, strict=False)


def prepared(
    stock: pl.DataFrame | None = None, demand: pl.DataFrame | None = None, policy: Policy | None = None
) -> Prepared:
    frames = [pl.DataFrame(STOCK) if stock is None else stock, pl.DataFrame(DEMAND) if demand is None else demand]
    return prepare(*frames, policy or Policy(), _core)


def problems(*args: Any, **kwargs: Any) -> list[tuple[str, str, int | None]]:
    """Code, column and row of every problem."""
    with pytest.raises((InputError, PolicyError)) as caught:
        prepared(*args, **kwargs)
    return [(problem.code, f"{problem.table}.{problem.column}", problem.row) for problem in caught.value.problems]


def test_tables_that_make_sense_come_out_as_they_went_in() -> None:
    both = prepared()
    assert both.stock.frame.equals(pl.DataFrame(STOCK))
    assert both.demand.frame.equals(pl.DataFrame(DEMAND))
    assert both.stock.scale == both.demand.scale == 0
    assert both.stock.ascending


def test_every_problem_of_both_tables_is_told_at_once() -> None:
    bad_stock = stock(stock_id=["S1", "S1"], qty_on_hand=[5, -1], location=["/W1", "W1"])
    bad_demand = demand(qty=[3, None], fill=["whole", "any"])
    assert problems(bad_stock, bad_demand) == [
        ("place_malformed", "stock.location", 0),
        ("qty_out_of_range", "stock.qty_on_hand", 1),
        ("id_duplicate", "stock.stock_id", 1),
        ("fill_unknown", "demand.fill", 0),
        ("value_null", "demand.qty", 1),
    ]


def test_decimal_quantities_of_one_table_set_the_scale_of_both() -> None:
    both = prepared(stock(qty_on_hand=pl.Series([Decimal("33.60"), Decimal("0.1")], dtype=pl.Decimal(10, 2))))
    assert both.stock.frame["qty_on_hand"].to_list() == [3360, 10]
    assert both.demand.frame["qty"].to_list() == [300, 400]
    assert both.demand.scale == 2


def test_units_of_measure_become_base_units_by_the_entry_of_the_sku_or_else_the_general_one() -> None:
    policy = Policy(units=[{"unit": "box", "ratio": 16}, {"unit": "box", "ratio": 10, "sku": "B"}])
    both = prepared(stock(unit=["box", "box"]), demand(unit=[None, "box"]), policy)
    assert both.stock.frame["qty_on_hand"].to_list() == [80, 70]
    assert both.demand.frame["qty"].to_list() == [3, 40]


def test_demand_is_prepared_alone_in_the_units_of_stock_that_was_prepared_before() -> None:
    ready = prepare_stock(stock(qty_on_hand=[Decimal("1.5"), Decimal(2)]), Policy(), _core)
    assert prepare_demand(demand(), Policy(), _core, ready.scale).frame["qty"].to_list() == [30, 40]
    with pytest.raises(InputError, match="qty_step"):
        prepare_demand(demand(qty=[Decimal("0.25"), Decimal(1)]), Policy(), _core, ready.scale)


def test_days_may_be_given_as_midnights() -> None:
    both = prepared(stock(received_on=[dt.datetime(2026, 3, 1), None]))
    assert both.stock.frame["received_on"].to_list() == [dt.date(2026, 3, 1), None]
