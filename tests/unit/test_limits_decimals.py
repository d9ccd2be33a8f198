"""Limits of what is counted in parts of a unit, such as cable by the metre."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from allocator.errors import InputError
from allocator.limits import Limits, check_requests, replenish
from allocator.scenario import Base, Scenario

TODAY = dt.date(2026, 3, 1)
KEY = {"bu": ["B"], "asp": ["A"], "sku": ["CABLE"]}
STOCK = pl.DataFrame(KEY | {"qty_on_hand": [Decimal("7.25")]})


def test_headroom_in_units_and_in_value_is_exact_to_the_smallest_step_of_all_tables():
    limits = Limits(rules=[{"name": "all", "units_max": 20, "value_max": "100", "trigger": 15}])
    coming = pl.DataFrame(KEY | {"qty": [Decimal("2.5")]})
    skus = pl.DataFrame({"sku": ["CABLE"], "unit_cost": [Decimal("6.40")], "pack": [Decimal("0.5")]})
    row = replenish(STOCK, limits, as_of=TODAY, in_transit=coming, skus=skus).row(0, named=True)
    told = {
        "units_max": "20.00", "value_max": "100", "trigger": "15", "pack": "0.5", "in_transit": "2.5",
        "position": "9.75", "headroom_units": "10.25", "headroom_value": "37.6", "headroom": "5.87",
        "qty_proposed": "5.5", "rounded_by": "-0.37",
    }  # fmt: skip
    assert {name: row[name] for name in told} == {name: Decimal(value) for name, value in told.items()}
    assert (row["limited_by"], row["reason"]) == ("value", "proposed")


def test_a_request_is_reduced_to_what_is_left_of_a_limit_of_a_table():
    requests = pl.DataFrame(KEY | {"request_id": ["R"], "qty": [Decimal("6.3")]})
    rules = pl.DataFrame({"sku": ["CABLE"], "units_max": [Decimal("12.5")]})
    limits = Limits(rules=[{"name": "all", "units_max": 40}], above_limit="reduce")
    found = check_requests(requests, STOCK, limits, as_of=TODAY, rules=rules)
    assert found.select("decision", "qty_requested", "qty_granted", "reason").row(0) == (
        "reduced", Decimal("6.3"), Decimal("5.25"), "above_limit",
    )  # fmt: skip
    whole = check_requests(requests.with_columns(qty=6), STOCK.with_columns(qty_on_hand=7), limits, as_of=TODAY)
    assert whole.schema["qty_granted"] == pl.Int64


def test_what_is_wrong_with_decimals_is_told_in_base_units():
    limits = Limits(rules=[{"name": "all", "units_max": 2**60}])
    rules = pl.DataFrame({"units_max": [Decimal("2.5")], "trigger": [Decimal("3.5")], "sku": ["CABLE"]})
    requests = pl.DataFrame(KEY | {"request_id": ["R"], "qty": [Decimal("0.0")]})
    with pytest.raises(InputError) as caught:
        check_requests(requests, STOCK, limits, as_of=TODAY, rules=rules)
    assert [(p.code, p.table, p.column, p.value) for p in caught.value.problems] == [
        ("qty_out_of_range", "requests", "qty", "0.0"),
        ("value_overflow", "limits", "units_max", str(2**60)),
        ("trigger_above_limit", "rules", "trigger", "3.50"),
    ]


def test_a_scenario_limits_what_is_counted_in_parts_of_a_unit():
    stock = {"stock_id": ["S", "P"], "sku": "CABLE", "qty_on_hand": [Decimal(50), Decimal("4.5")]}
    stock = pl.DataFrame(stock | {"bu": [None, "B"], "asp": [None, "A"], "status": ["available", "quarantine"]})
    demand = pl.DataFrame(KEY | {"line_id": ["1"], "qty": [Decimal("9.75")]})
    limits = {"rules": [{"name": "all", "units_max": 10}], "above_limit": "reduce"}
    limits |= {"on_hand": {"statuses": ["quarantine"]}}
    lever = {"lever": "stock_limits", "limits": limits}
    found = Base(stock, demand, as_of=TODAY).run(Scenario(name="limited", levers=[lever]))
    assert found.changes.select("allocated_after", "reason_after").rows() == [(Decimal("5.5"), "above_limit")]
    assert dict(found.kpis.select("kpi", "scenario").rows())["msl_cover"] == 1
