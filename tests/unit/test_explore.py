"""Many scenarios as a planner asks for them: side by side, in a grid, by chance, one unit more."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest

from allocator.errors import InputError, PolicyError
from allocator.model.policy import Policy
from allocator.scenario import (
    Base,
    Grid,
    MonteCarlo,
    compare,
    difference,
    explore,
    sensitivity,
    shadow_prices,
    simulate,
    supply_curve,
)
from planner import AS_OF, DEMAND, GRID, LATE, RISK, STOCK, SURGE, base, scenario


def problems(call, *args, **kwargs) -> list[tuple[str, str]]:
    with pytest.raises((InputError, PolicyError)) as caught:
        call(*args, **kwargs)
    return [(problem.code, problem.column) for problem in caught.value.problems]


# --- side by side ---


def test_scenarios_stand_side_by_side() -> None:
    found = compare(base(), [scenario("rush", SURGE | {"factor": 2}), scenario("late", LATE | {"days": 9})])
    assert found.kpis.columns == ["kpi", "base", "rush", "late"]
    assert found.kpis.row(by_predicate=pl.col("kpi") == "units_requested")[1:] == (37, 57, 37)
    assert found.kpis.row(by_predicate=pl.col("kpi") == "sla_breaches")[1:] == (2, 3, 2)


def test_no_scenario_and_two_of_one_name_are_refused() -> None:
    rush = scenario("rush", SURGE | {"factor": 2})
    assert problems(compare, base(), []) == [("argument_value", "scenarios")]
    assert problems(compare, base(), [rush, rush]) == [("argument_value", "scenarios")]


def test_a_problem_names_the_scenario_that_has_it() -> None:
    with pytest.raises(InputError, match=r"scenario wrong\.levers\.0\.where\.colour"):
        compare(
            base(),
            [scenario("rush", SURGE | {"factor": 2}), scenario("wrong", LATE | {"days": 1, "where": {"colour": "x"}})],
        )


def test_any_two_scenarios_differ_in_lines_and_measures() -> None:
    made = base()
    rush, late = made.run(scenario("rush", SURGE | {"factor": 2})), made.run(scenario("late", LATE | {"days": 9}))
    columns = ("line_id", "change", "allocated_first", "allocated_second")
    assert difference(rush, late).changes.select(columns).rows() == [
        ("1", "lost", 15, 8),
        ("2", "gained", 0, 7),
        ("4", "lost", 10, 4),
    ]
    assert difference(late, late).changes.is_empty()
    assert difference(rush, late).kpis.row(by_predicate=pl.col("kpi") == "units_requested")[1:] == (57, 37, -20)
    assert problems(difference, rush, base().run(scenario("late", LATE | {"days": 9}))) == [
        ("argument_value", "second")
    ]


def test_what_moved_and_what_is_new_is_told_between_two_scenarios() -> None:
    line = {"line_id": "5", "sku": "NUT", "qty": 1}
    made = base()
    turned = made.run(scenario("newest first", {"lever": "orders", "stock_order": "lifo"}))
    new = made.run(scenario("new", {"lever": "demand_new", "lines": [line]}))
    assert difference(turned, new).changes.select("line_id", "change").rows()[-1] == ("5", "new")
    assert difference(new, turned).changes.select("line_id", "change").rows()[-1] == ("5", "cancelled")


# --- grids ---


def test_a_grid_runs_every_combination_and_names_it() -> None:
    found = explore(base(), GRID).frame
    assert found.select("scenario", "clinic", "days").rows()[:3] == [
        ("clinic 1, days 0", "1", "0"),
        ("clinic 1, days 9", "1", "9"),
        ("clinic 3/2, days 0", "3/2", "0"),
    ]
    assert found["units_requested"].to_list() == [37, 37, 47, 47, 57, 57]
    alone = base().run(GRID.scenarios()[3])
    assert found["unit_fill"][3] == alone.kpis.row(by_predicate=pl.col("kpi") == "unit_fill")[2]


def test_a_grid_survives_being_written() -> None:
    again = Grid.loads(GRID.dumps())
    assert (again, again.fingerprint()) == (GRID, GRID.fingerprint())
    assert again.scenarios() == GRID.scenarios()


def test_what_is_wrong_with_a_grid_is_told_at_once() -> None:
    axes = [
        {"vary": "factor", "values": [0, 1, "x"], "lever": SURGE},
        {"vary": "factor", "values": [1], "lever": SURGE | {"colour": 2}},
        {"vary": "days", "values": [1], "lever": LATE | {"days": 3}},
        {"name": "many", "vary": "days", "values": list(range(1, 5_001)), "lever": LATE},
    ]
    assert problems(Grid, name="wrong", axes=axes) == [
        ("setting_twice", "axes"),
        ("setting_value", "axes"),
        ("setting_value", "axes.0.values.0"),
        ("setting_value", "axes.0.values.2"),
        ("setting_unknown", "axes.1.lever.colour"),
        ("setting_conflict", "axes.2.lever"),
    ]
    assert problems(Grid, name="empty", axes=[]) == [("setting_value", "axes")]
    again = [{"vary": "days", "values": [7, 14, 7], "lever": LATE}]
    assert problems(Grid, name="again", axes=again) == [("setting_twice", "axes.0.values.2")]


def test_levers_of_two_axes_that_contradict_each_other_are_refused_where_they_meet() -> None:
    axis = {"vary": "priority", "values": [1, 2], "lever": {"lever": "demand_priority"}}
    twice = Grid(name="twice", axes=[axis | {"name": "a"}, axis | {"name": "b"}])
    with pytest.raises(InputError, match="scenario a 1, b 1"):
        explore(base(), twice)


def test_the_frontier_keeps_what_nothing_else_beats() -> None:
    found = explore(base(), GRID).frontier(most=["unit_fill"], least=["units_left", "lines_changed"]).frame
    best = found.filter("efficient")
    assert found["scenario"][0] in best["scenario"]  # nothing changes, and most is served
    for row in found.filter(~pl.col("efficient")).iter_rows(named=True):
        better = found.filter(
            pl.col("unit_fill") >= row["unit_fill"],
            pl.col("units_left") <= row["units_left"],
            pl.col("lines_changed") <= row["lines_changed"],
        )
        assert better.height > 1
    assert problems(explore(base(), GRID).frontier, most=["unit_fil"]) == [("argument_value", "kpi")]


def test_sensitivity_moves_one_setting_at_a_time() -> None:
    found = sensitivity(base(), GRID)
    ends = {row["setting"]: (row["kpi_low"], row["kpi_high"]) for row in found.frame.iter_rows(named=True)}
    made = base()
    for axis, setting in enumerate(("clinic", "days")):
        ran = [made.run(GRID.alone(axis, place)) for place in (0, len(GRID.axes[axis].values) - 1)]
        assert ends[setting] == tuple(r.kpis.row(by_predicate=pl.col("kpi") == "unit_fill")[2] for r in ran)
    assert found.frame["swing"].is_sorted(descending=True)


# --- chance ---


def test_the_same_seed_gives_the_same_runs_on_one_thread_or_many_in_any_order() -> None:
    found = simulate(base(), RISK).frame
    assert found["unit_fill"].n_unique() > 20
    reversed_rows = {name: values[::-1] for name, values in STOCK.items()}, {n: v[::-1] for n, v in DEMAND.items()}
    policy = Policy(inbound="when_needed", stock_order="fefo")
    other = Base(*reversed_rows, policy, as_of=AS_OF, by="customer", threads=1)
    assert simulate(other, RISK).frame.equals(found)
    seventeen = base().run(RISK.scenario(17)).kpis
    assert (
        dict(seventeen.select("kpi", "scenario").iter_rows()).items() >= {"unit_fill": found["unit_fill"][16]}.items()
    )


def test_another_seed_gives_other_runs() -> None:
    other = RISK.model_copy(update={"seed": 8})
    assert not simulate(base(), other).frame["unit_fill"].equals(simulate(base(), RISK).frame["unit_fill"])


def test_chances_and_distributions_are_what_they_say() -> None:
    rows = 20_000
    many = pl.DataFrame(
        {"stock_id": range(rows), "sku": 1, "qty_on_hand": 1000, "received_on": AS_OF + dt.timedelta(days=1)}
    )
    made = Base(many, {"line_id": [1], "sku": [1], "qty": [1]}, as_of=AS_OF)
    stock = made.run(RISK.scenario(1).model_copy(update={"levers": RISK.scenario(1).levers[:1]})).after.stock
    late = (stock["received_on"] - AS_OF).dt.total_days() - 1
    assert (late > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert set(late.unique()) == {0, 1, 2, 3, 4, 5, 6}
    assert late.filter(late > 0).mean() == pytest.approx(3.5, abs=0.05)
    assert stock["qty_on_hand"].value_counts().sort("qty_on_hand").rows() == [
        (0, pytest.approx(rows / 4, rel=0.05)),
        (500, pytest.approx(rows / 4, rel=0.05)),
        (1000, pytest.approx(rows / 2, rel=0.05)),
    ]


def test_what_was_received_is_sure() -> None:
    found = base().run(RISK.scenario(1)).after.stock
    known = found.filter(pl.col("received_on") <= AS_OF).select("stock_id", "qty_on_hand").rows()
    assert known == [("A", 10), ("B", 5), ("C", 7), ("D", 4)]


def test_quantiles_are_of_runs_that_were_made() -> None:
    found = simulate(base(), RISK)
    row = found.summary.row(by_predicate=pl.col("kpi") == "unit_fill", named=True)
    values = found.frame["unit_fill"]
    assert {row["p5"], row["median"], row["p95"]} <= set(values)
    assert (values < row["p5"]).mean() <= 0.06
    assert row["below_base"] == (values < row["base"]).mean()


def test_a_document_without_chance_and_impossible_chances_are_refused() -> None:
    assert problems(MonteCarlo, name="x", levers=[SURGE | {"factor": 2}]) == [("setting_missing", "levers")]
    assert problems(MonteCarlo, name="x", levers=[]) == [("setting_value", "levers")]
    wrong = {"lever": "supply_uncertain", "short": {"chance": 2, "factor": {"shape": "uniform", "low": 0, "high": 2}}}
    at = "levers.0.supply_uncertain.short"
    assert problems(MonteCarlo, name="x", levers=[wrong]) == [("setting_value", f"{at}.chance")]
    shapes = [
        {"shape": "uniform", "low": 3, "high": 1},
        {"shape": "values", "values": [1, 2], "weights": [1]},
        {"shape": "normal", "mean": 1},
        {"shape": "uniform", "low": 0, "high": 2},
    ]
    for shape in shapes:
        wrong["short"] = {"chance": 1, "factor": shape}
        assert [code for code, _ in problems(MonteCarlo, name="x", levers=[wrong])] == ["setting_value"]
    assert problems(MonteCarlo, name="x", levers=[{"lever": "supply_uncertain"}])[0][0] == "setting_missing"


def test_a_column_to_draw_by_that_is_not_there_is_refused() -> None:
    lever = {"lever": "demand_uncertain", "per": "colour", "factor": {"shape": "uniform", "low": 1, "high": 2}}
    assert problems(base().run, scenario("x", lever)) == [("column_missing", "levers.0.per")]


# --- supply ---


def test_one_more_unit_helps_where_lines_are_short() -> None:
    found = shadow_prices(base())
    assert found.columns == ["sku", "stock_id", "units_gained", "lines_gained", "value_gained"]
    assert found.rows() == [("BOLT", "B", 1, 0, None), ("PIN", "D", 1, 0, None), ("NUT", "C", 0, 0, None)]
    assert shadow_prices(base(), ["NUT"]).height == 1


def test_one_more_unit_is_worth_what_the_whole_run_says() -> None:
    stock = STOCK | {"unit_cost": [2, 3, 1, 9, 9]}
    policy = Policy(stock_order="fefo", substitutes=[{"sku": "PIN", "substitute": "NUT"}])
    made = Base(stock, DEMAND, policy, as_of=AS_OF)
    for row in shadow_prices(made).iter_rows(named=True):
        levers = [{"lever": "supply_more", "where": {"stock_id": row["stock_id"]}, "units": 1}]
        found = made.run(scenario("more", *levers)).kpis.rows_by_key("kpi", named=True, unique=True)
        assert found["unit_fill"]["difference"] * found["units_requested"]["base"] == pytest.approx(row["units_gained"])
        assert found["value_served"]["difference"] == pytest.approx(float(row["value_gained"]))


def test_a_sku_that_nobody_knows_has_no_price_and_one_without_stock_none_either() -> None:
    assert problems(shadow_prices, base(), ["GEAR", "CAM"]) == [("sku_unknown", "sku")] * 2
    alone = Base(STOCK, {"line_id": ["1"], "sku": ["GEAR"], "qty": [1]}, as_of=AS_OF)
    assert shadow_prices(alone).rows() == [("GEAR", None, None, None, None)]


def test_a_serial_cannot_be_more() -> None:
    stock = {"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [1], "serial": ["S1"]}
    made = Base(stock, {"line_id": ["1"], "sku": ["X"], "qty": [3]}, as_of=AS_OF)
    more = {"lever": "supply_more", "units": 1}
    assert problems(made.run, scenario("more", more)) == [("serial_quantity", "levers.0.units")]
    assert problems(base().run, scenario("more", more | {"units": "0.5"})) == [("qty_step", "levers.0.units")]


def test_the_supply_curve_rises_and_passes_through_today() -> None:
    found = supply_curve(base(), "BOLT", units=[-15, -5, 3, 10]).frame
    assert found.select("units", "supply", "allocated", "unit_fill").rows() == [
        (-15, 0, 0, 0),
        (-5, 9, 9, 0.5),
        (0, 15, 15, pytest.approx(15 / 18)),
        (3, 18, 18, 1),
        (10, 25, 18, 1),
    ]
    assert problems(supply_curve, base(), "GEAR") == [("sku_unknown", "sku")]


def test_nine_runs_in_ten_lie_between_the_twentieth_from_below_and_from_above() -> None:
    ran = simulate(base(), RISK.model_copy(update={"runs": 101}))
    counted = ran.frame.with_columns(unit_fill=pl.col("run") - 1.0)
    row = replace(ran, frame=counted).summary.row(by_predicate=pl.col("kpi") == "unit_fill", named=True)
    assert [row[name] for name in ("p5", "median", "p95", "mean")] == [5, 50, 95, 50]


def test_the_swing_of_a_setting_is_how_far_apart_its_ends_and_the_base_are() -> None:
    found = sensitivity(base(), GRID, kpi="units_requested")
    for row in found.frame.iter_rows(named=True):
        reached = [row["kpi_low"], row["kpi_high"], found.base]
        assert row["swing"] == max(reached) - min(reached)
    assert found.frame["swing"].max() > 0


WEIGHED = {
    "stock": {"stock_id": ["A"], "sku": ["OIL"], "qty_on_hand": [Decimal("5.50")]},
    "demand": {"line_id": ["1"], "sku": ["OIL"], "qty": [8]},
}


def test_a_supply_curve_of_what_is_weighed_is_exact() -> None:
    found = supply_curve(Base(**WEIGHED, as_of=AS_OF), "OIL", units=[Decimal("-5.50"), -1, Decimal("0.25"), -100]).frame
    assert found.select("units", "supply", "allocated").rows() == [
        (Decimal("-100.00"), 0.0, 0.0),
        (Decimal("-5.50"), 0.0, 0.0),
        (Decimal("-1.00"), 4.5, 4.5),
        (Decimal("0.00"), 5.5, 5.5),
        (Decimal("0.25"), 5.75, 5.75),
    ]
    whole = supply_curve(Base(**WEIGHED, as_of=AS_OF), "OIL").frame
    assert (whole["supply"][0], whole["supply"][-1]) == (0.0, 11.0)


def test_less_than_one_unit_has_a_supply_curve() -> None:
    stock = WEIGHED["stock"] | {"qty_on_hand": [Decimal("0.50")]}
    assert supply_curve(Base(stock, WEIGHED["demand"], as_of=AS_OF), "OIL").frame["supply"][-1] == 1.0


def test_units_of_a_supply_curve_that_are_none() -> None:
    units = ["3", 1.5, True, Decimal("0.001"), Decimal("NaN"), 2**70]
    told = problems(supply_curve, Base(**WEIGHED, as_of=AS_OF), "OIL", units=units)
    codes = ["argument_type"] * 3 + ["qty_step", "argument_type", "value_overflow"]
    assert told == [(code, f"units.{number}") for number, code in enumerate(codes)]


@pytest.mark.parametrize("policy", [Policy(conditions=["used"]), Policy(statuses=["repaired"])])
def test_stock_that_says_no_condition_or_status_is_new_and_available(policy: Policy) -> None:
    stock = {name: values for name, values in STOCK.items() if name not in ("status", "condition")}
    assert shadow_prices(Base(stock, DEMAND, policy, as_of=AS_OF))["stock_id"].drop_nulls().is_empty()


def test_arguments_of_another_type_are_told_by_name() -> None:
    ran = base().run(scenario("rush", SURGE | {"factor": 2}))
    assert problems(compare, base(), ["surge"]) == [("argument_type", "scenarios.0")]
    assert problems(compare, base(), "surge") == [("argument_type", "scenarios.0")]
    assert problems(compare, "base", [ran.scenario]) == [("argument_type", "base")]
    assert problems(explore, base(), "demand_and_supply") == [("argument_type", "grid")]
    assert problems(sensitivity, base(), "demand_and_supply") == [("argument_type", "grid")]
    assert problems(simulate, base(), "receipts") == [("argument_type", "document")]
    assert problems(difference, ran, "rush") == [("argument_type", "second")]
    assert problems(supply_curve, STOCK, "BOLT") == [("argument_type", "base")]
    assert problems(shadow_prices, STOCK) == [("argument_type", "base")]


def test_progress_is_told_after_every_scenario() -> None:
    told: list[tuple[int, int]] = []
    explore(base(), GRID, progress=lambda done, total: told.append((done, total)))
    assert told == [(number, 6) for number in range(1, 7)]
