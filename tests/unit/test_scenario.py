"""Scenarios as an analyst meets them: what they say, what they cost, and what is refused."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from allocator.errors import InputError, PolicyError
from allocator.model.levers import DemandCancel, DemandSurge, UnitCost
from allocator.model.policy import Policy
from allocator.model.scenario import Scenario
from allocator.scenario import Base, Comparison

AS_OF = dt.date(2026, 6, 30)
STOCK = {
    "stock_id": ["A", "B", "C", "D"],
    "sku": ["BOLT", "BOLT", "NUT", "PIN"],
    "qty_on_hand": [10, 5, 7, 4],
    "location": ["W1/A", "W2", "W1", "W2"],
    "lot": ["L1", "L2", None, None],
    "expires_on": [AS_OF + dt.timedelta(days=9), AS_OF + dt.timedelta(days=100), None, AS_OF],
    "unit_cost": [Decimal("1.50"), Decimal("2.00"), Decimal("0.10"), Decimal("9.00")],
}
DEMAND = {
    "line_id": ["1", "2", "3", "4"],
    "order_id": ["O1", "O2", "O2", "O3"],
    "sku": ["BOLT", "BOLT", "NUT", "PIN"],
    "qty": [8, 6, 7, 3],
    "customer": ["CLINIC", "SHOP", "SHOP", "CLINIC"],
}


def base(policy: Policy | None = None) -> Base:
    return Base(STOCK, DEMAND, policy, as_of=AS_OF, by="customer", horizon_days=10)


def run(*levers: dict, policy: Policy | None = None) -> Comparison:
    return base(policy).run(Scenario(name="tried", levers=levers))


def problems(*levers: dict, policy: Policy | None = None) -> list[tuple[str, str]]:
    with pytest.raises((InputError, PolicyError)) as caught:
        run(*levers, policy=policy)
    return [(problem.code, problem.column) for problem in caught.value.problems]


def kpi(found: Comparison, name: str) -> tuple[float, float]:
    return found.kpis.filter(kpi=name).select("base", "scenario").row(0)


def surge(**where: object) -> dict:
    return {"lever": "demand_surge", "where": where, "factor": 2}


def test_a_surge_takes_from_others_and_says_from_whom() -> None:
    found = run(surge(line_id="1"))
    columns = ("line_id", "change", "gained", "reason_before", "reason_after")
    assert found.changes.select(columns).rows() == [
        ("1", "gained", 7, None, "insufficient"),
        ("2", "lost", -6, None, "taken"),
    ]
    assert "taken" in str(found.explain("2"))
    assert found.lines_run == 2
    assert kpi(found, "lines_changed") == (0, 2)


def test_a_lever_means_quantities_in_base_units_packs_among_them() -> None:
    stock = {"stock_id": ["A"], "sku": ["OIL"], "qty_on_hand": [Decimal("9.5")]}
    packs = [Decimal("0.5"), Decimal("1.5")]
    demand = {"line_id": ["1", "2"], "sku": ["OIL"] * 2, "qty": [Decimal("1.5"), Decimal("3.0")], "box": packs}
    by_box = Policy(fill={"pack": "box"})
    relabel = {"lever": "fill", "fill": {"pack": "box"}}
    for policy, levers in ((by_box, ()), (None, ()), (None, (relabel,)), (by_box, ({**relabel, "fill": {}},))):
        made = Base(stock, demand, policy, as_of=AS_OF)
        for where in ({"box": Decimal("1.5")}, {"qty": 3}):
            found = made.run(Scenario(name="tried", levers=[*levers, surge(**where)]))
            assert found.changes.filter(change="gained").select("line_id", "gained").rows() == [("2", 3)]


def test_lines_that_do_not_compete_are_not_worked_out_again() -> None:
    assert run(surge(sku="PIN")).lines_run == 1
    together = Policy(fill={"whole": "order"})
    assert set(run(surge(sku="NUT"), policy=together).after.demand["line_id"]) == {"1", "2", "3"}
    linked = Policy(substitutes=[{"sku": "NUT", "substitute": "PIN"}])
    assert set(run(surge(sku="NUT"), policy=linked).after.demand["line_id"]) == {"3", "4"}


def test_stock_that_no_line_asks_for_is_left_out_although_all_lines_are_run() -> None:
    stock = {"stock_id": ["0", "1", "2"], "sku": ["GEAR", "BOLT", "BOLT"], "qty_on_hand": [1, 2, 3], "lot": [None] * 3}
    made = Base(stock, {"line_id": ["1"], "sku": ["BOLT"], "qty": [4]}, as_of=AS_OF)
    found = made.run(Scenario(name="much", levers=[surge(sku="BOLT")]))
    assert found.before.stock["stock_id"].to_list() == ["1", "2"]
    assert kpi(found, "rows_per_line") == (2, 2)


def test_measures_are_those_that_can_be_counted_by_hand() -> None:
    found = base().kpis
    assert (found["line_fill"], found["order_fill"], found["unit_fill"]) == (1, 1, 1)
    assert found["value_served"] == pytest.approx(10 * 1.5 + 4 * 2 + 7 * 0.1 + 3 * 9)
    assert (found["units_wasted"], found["value_wasted"]) == (1, 9)  # PIN expires today; BOLT of L1 is all taken
    assert found["remaining_life_days"] == pytest.approx((10 * 9 + 4 * 100) / 17)
    assert found["lots_per_line"] == found["rows_per_line"] == found["sources_per_line"] == 5 / 4


def test_an_order_over_skus_is_counted_although_one_of_them_is_not_run_again() -> None:
    found = run({"lever": "supply_recalled", "where": {"sku": "NUT"}})
    assert found.lines_run == 1
    assert kpi(found, "order_fill") == (1, pytest.approx(2 / 3))
    assert kpi(found, "value_at_risk") == (0, 0)  # no stock row says what a nut costs any more


@pytest.mark.parametrize("spell", [int, str])
def test_a_line_is_explained_as_the_scenario_leaves_it_however_its_id_is_spelled(spell) -> None:
    stock = {"stock_id": ["A"], "sku": ["PIN"], "qty_on_hand": [10]}
    demand = {"line_id": [1, 2, 3], "sku": ["PIN"] * 3, "qty": [4, 4, 4]}
    for lines in (demand, demand | {"line_id": ["1", "2", "3"]}):
        base = Base(stock, lines, as_of=AS_OF)
        found = base.run(Scenario(name="gone", levers=[DemandCancel(where={"line_id": lines["line_id"][0]})]))
        took = [each.explain(spell(3)).candidates["qty_taken"].to_list() for each in (base.result, found)]
        assert took == [[2], [4]]
        with pytest.raises(InputError, match="the scenario cancels this line"):
            found.explain(spell(1))


def test_segments_are_compared_side_by_side() -> None:
    found = run(surge(line_id="1"))
    assert found.segments.select("customer", "unit_fill_base", "unit_fill_scenario").rows() == [
        ("CLINIC", 1.0, pytest.approx(18 / 19)),
        ("SHOP", 1.0, pytest.approx(7 / 13)),
    ]
    assert kpi(found, "worst_fill") == (1, pytest.approx(7 / 13))


def test_costs_change_values_and_nothing_else() -> None:
    found = run({"lever": "unit_cost", "where": {"sku": "PIN"}, "factor": "4/3"})
    assert found.changes.is_empty()
    assert kpi(found, "value_served")[1] - kpi(found, "value_served")[0] == pytest.approx(9)
    found = base().run(Scenario(name="dear", levers=[UnitCost(where={"stock_id": "D"}, unit_cost=Decimal("10.5"))]))
    assert kpi(found, "value_served")[1] - kpi(found, "value_served")[0] == pytest.approx(4.5)


def test_new_lines_and_stock_meet_what_is_there() -> None:
    line = {"line_id": "5", "sku": "NUT", "qty": 2, "priority": -1}
    row = {"stock_id": "E", "sku": "BOLT", "qty_on_hand": 3}
    found = run({"lever": "demand_new", "lines": [line]}, {"lever": "supply_extra", "rows": [row]})
    assert found.changes.select("line_id", "change", "allocated_after").rows() == [("3", "lost", 5), ("5", "new", 2)]
    assert "E" in found.result.stock["stock_id"]


def test_two_scenarios_make_one_that_does_both() -> None:
    rush = Scenario(name="rush", levers=[DemandSurge(where={"line_id": "1"}, factor=2)])
    quiet = Scenario(name="quiet", levers=[DemandCancel(where={"line_id": "2"})])
    both = base().run(rush + quiet)
    assert both.scenario.name == "rush + quiet"
    assert both.changes.select("line_id", "change").rows() == [("1", "gained"), ("2", "cancelled")]


def test_a_scenario_leaves_the_base_and_the_tables_as_they_were() -> None:
    stock, demand = pl.DataFrame(STOCK), pl.DataFrame(DEMAND)
    kept = stock.clone(), demand.clone()
    made = Base(stock, demand, as_of=AS_OF)
    lines, kpis = made.result.lines.clone(), dict(made.kpis)
    made.run(Scenario(name="much", levers=[DemandSurge(factor=3), UnitCost(factor=2)]))
    assert (stock.equals(kept[0]), demand.equals(kept[1])) == (True, True)
    assert made.result.lines.equals(lines)
    assert made.kpis == kpis


@pytest.mark.parametrize("form", ["toml", "yaml", "json"])
def test_a_scenario_survives_being_written(form: str) -> None:
    made = Scenario(name="x", levers=[surge(sku=["NUT", "PIN"]), {"lever": "places", "exclude": "W1"}])
    again = Scenario.loads(made.dumps(form), form)
    assert (again, again.fingerprint()) == (made, made.fingerprint())


def test_every_problem_of_all_levers_is_told_at_once() -> None:
    assert problems(
        surge(sku="BLOT", colour="red"),
        {"lever": "supply_blocked", "where": {"qty_on_hand": "many"}},
        {"lever": "demand_new", "lines": [{"line_id": "1", "sku": "GEAR", "qty": "0.5"}]},
        {"lever": "places", "include": ["W9"]},
        {"lever": "orders", "stock_order": ["shade"]},
    ) == [
        ("policy_column_missing", "stock_order.0"),
        ("column_missing", "levers.0.where.colour"),
        ("sku_unknown", "levers.0.where.sku"),
        ("column_type", "levers.1.where.qty_on_hand"),
        ("qty_step", "levers.2.lines.qty"),
        ("lever_empty", "levers.3.include"),
    ]


def test_levers_that_find_nothing_are_refused() -> None:
    assert problems(surge(customer="NOBODY")) == [("lever_empty", "levers.0")]
    assert problems({"lever": "supply_late", "days": 3}) == [("lever_empty", "levers.0")]
    known = {"lever": "demand_new", "lines": [{"line_id": "1", "sku": "NUT", "qty": 1}]}
    assert problems(known) == [("id_duplicate", "levers.0.lines.line_id")]
    unknown = {"lever": "supply_extra", "rows": [{"stock_id": "E", "sku": "GEAR", "qty_on_hand": 1}]}
    assert problems(unknown) == [("sku_unknown", "levers.0")]


def test_levers_that_contradict_each_other_are_refused() -> None:
    cancel = {"lever": "demand_cancel", "where": {"sku": "BOLT"}}
    assert problems(surge(line_id="1"), cancel) == [("lever_conflict", "levers.0")]
    first, second = ({"lever": "demand_priority", "where": w, "priority": 1} for w in ({"line_id": "1"}, {}))
    assert problems(first, second) == [("lever_conflict", "levers.1")]
    statuses = [{"lever": "statuses", "allow": "held"}, {"lever": "statuses", "forbid": "held"}]
    assert problems(*statuses) == [("setting_conflict", "levers.1")]


def test_a_scenario_without_levers_or_with_an_empty_one_says_nothing() -> None:
    assert problems() == [("setting_value", "levers")]
    assert problems({"lever": "fill"}) == [("setting_missing", "levers.0")]
    with pytest.raises(InputError, match="argument_type"):
        base().run({"name": "x"})


def test_a_lever_that_there_is_not_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(PolicyError) as caught:
        Scenario(name="x", levers=[{"lever": "demand_surg", "factor": 2}, {"kind": "fill"}])
    wrong, without = caught.value.problems
    assert (wrong.code, wrong.column, wrong.value) == ("setting_value", "levers.0.lever", "demand_surg")
    assert wrong.hint == "Did you mean 'demand_surge'?"
    assert (without.code, without.column) == ("setting_missing", "levers.1.lever")
    assert "demand_surge, " in without.hint


def test_segments_that_demand_does_not_have_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        Base(STOCK, DEMAND, as_of=AS_OF, by="region", horizon_days=-1)
    assert [problem.code for problem in caught.value.problems] == ["column_missing", "argument_value"]


def test_segments_by_a_quantity_are_told_as_the_planner_wrote_it_whatever_the_column_is_called() -> None:
    demand = {"line_id": ["1", "2"], "sku": "PIN", "qty": [Decimal("4.5"), Decimal("6.25")], "lines": ["a", "b"]}
    demand = pl.DataFrame(demand)
    stock = {"stock_id": ["A"], "sku": ["PIN"], "qty_on_hand": [10]}
    surged = Scenario(name="more", levers=[surge(line_id="1")])
    found = Base(stock, demand, as_of=AS_OF, by=["qty", "lines"]).run(surged).segments
    assert found.select("qty", "lines", "lines_base", "lines_scenario").rows() == [
        (Decimal("4.50"), "a", 1, None),
        (Decimal("6.25"), "b", 1, 1),
        (Decimal("9.00"), "a", None, 1),
    ]


@pytest.mark.parametrize(
    ("by", "codes"),
    [
        (5, ["argument_type"]),
        ([1], ["argument_type"]),
        (["customer", "customer", "region"], ["argument_value", "column_missing"]),
        ("lines_base", ["argument_value"]),
    ],
)
def test_segments_that_make_no_sense_are_refused(by: object, codes: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        Base(STOCK, pl.DataFrame(DEMAND).with_columns(lines_base=1), as_of=AS_OF, by=by)
    assert [problem.code for problem in caught.value.problems] == codes


def test_a_quantity_that_cannot_be_counted_is_refused() -> None:
    huge = {"lever": "demand_surge", "where": {"sku": "NUT"}, "factor": 2**62}
    assert problems(huge) == [("value_overflow", "levers.0.factor")]


REPAIRED = {"lever": "supply_status", "where": {"status": "under repair"}, "status": "available"}
STATES = {
    "stock_id": ["A", "B", "C"],
    "sku": ["X", "X", "Y"],
    "qty_on_hand": [3, 4, 5],
    "status": ["available", "under repair", "damaged"],
}


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["available", "under repair", "damaged"])])
def test_stock_whose_repair_is_finished_serves_lines(dtype) -> None:
    stock = pl.DataFrame(STATES).with_columns(pl.col("status").cast(dtype))
    base = Base(stock, {"line_id": ["1", "2"], "sku": ["X", "Y"], "qty": [6, 1]}, as_of=dt.date(2026, 6, 30))
    found = base.run(Scenario(name="repaired", levers=[REPAIRED | {"lifecycle": "part"}]))
    told = found.changes.select("line_id", "allocated_before", "allocated_after").rows()
    assert (told, found.lines_run) == ([("1", 3, 6)], 1)


def test_a_change_that_the_lifecycle_does_not_list_is_refused_and_so_is_a_status_that_it_has_not() -> None:
    base = Base(STATES, {"line_id": ["1"], "sku": ["X"], "qty": [6]}, as_of=dt.date(2026, 6, 30))
    lever = REPAIRED | {"where": {"sku": ["X", "Y"]}, "lifecycle": "part"}
    with pytest.raises(InputError) as refused:
        base.run(Scenario(name="all repaired", levers=[lever]))
    assert [(p.code, p.column, p.value) for p in refused.value.problems] == [
        ("transition_unlisted", "levers.0.status", "damaged")
    ]
    with pytest.raises(PolicyError, match="status_unknown"):
        Scenario(name="mistaken", levers=[lever | {"status": "as new"}])
    with pytest.raises(PolicyError):
        Scenario(name="a file", levers=[lever | {"lifecycle": "part.toml"}])
