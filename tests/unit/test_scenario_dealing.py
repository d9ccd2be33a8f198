"""Scenarios that say how much lines may have, or deal again what is promised."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from allocator import Policy, allocate
from allocator.errors import InputError, PolicyError
from allocator.fairness import FairShare, share
from allocator.reallocation import Reallocation, reallocate
from allocator.scenario import Base, Comparison, Scenario
from allocator.scenario import base as module

AS_OF = dt.date(2026, 6, 30)
STOCK = pl.DataFrame({"stock_id": ["A", "B", "C"], "sku": ["X", "X", "Y"], "qty_on_hand": [300, 200, 50]})
DEMAND = pl.DataFrame(
    {
        "line_id": ["1", "2", "3", "4", "5"],
        "sku": ["X", "X", "X", "Y", "Y"],
        "qty": [200, 250, 350, 30, 40],
        "region": ["N", "N", "S", "N", "S"],
        "priority": [1, 2, 3, 2, 1],
    }
)
PROPORTIONAL = {"pool": ["sku"], "method": "proportional"}


def run(*levers: dict, **settings: object) -> Comparison:
    made = Base(STOCK, DEMAND, Policy(**settings), as_of=AS_OF, by="region")
    return made.run(Scenario(name="tried", levers=levers))


def after(found: Comparison) -> list[tuple]:
    lines = found.after.demand["line_id"], found.after.lines["allocated"]
    return list(zip(*lines, strict=True))


def problems(*levers: dict) -> list[tuple[str, str]]:
    with pytest.raises((InputError, PolicyError)) as caught:
        run(*levers)
    return [(problem.code, problem.column) for problem in caught.value.problems]


def kpi(found: Comparison, name: str) -> float:
    return found.kpis.row(by_predicate=pl.col("kpi") == name, named=True)["scenario"]


def test_a_fair_share_cuts_every_line_alike_and_says_so() -> None:
    found = run({"lever": "fair_share", "rule": PROPORTIONAL})
    assert after(found) == [("1", 125), ("2", 156), ("3", 219), ("4", 21), ("5", 29)]
    changes = {
        line: (change, why) for line, change, why in found.changes.select("line_id", "change", "reason_after").rows()
    }
    assert changes["1"] == ("lost", "shared")
    assert changes["3"] == ("gained", "shared")
    assert kpi(found, "jain") > 0.99


NO_QUOTA = [{"region": "S", "starts_on": "2026-01-01", "qty": 1}]


@pytest.mark.parametrize(
    "lever",
    [
        {"lever": "fair_share", "rule": PROPORTIONAL},
        {"lever": "rations", "terms": {"quota_by": ["region"], "without_quota": "refuse"}, "quotas": NO_QUOTA},
    ],
)
def test_a_line_that_no_stock_could_serve_says_so_whatever_limits_there_are(lever: dict) -> None:
    stock = {
        "stock_id": ["A", "B"],
        "sku": ["X", "Y"],
        "qty_on_hand": [5, 5],
        "expires_on": [None, dt.date(2020, 1, 1)],
    }
    demand = {"line_id": ["1", "2", "3"], "sku": ["X", "Y", "Z"], "qty": 9, "region": "N"}
    base = Base(stock, pl.DataFrame(demand), as_of=AS_OF)
    lines = base.run(Scenario(name="tried", levers=[lever])).reasons
    short = dict(lines.select("reason", "lines_scenario").rows())
    limited = "shared" if lever["lever"] == "fair_share" else "rationed"
    assert short == {limited: 1, "expired": 1, "unknown_sku": 1} | {"insufficient": 0}


def test_a_fair_share_is_that_of_the_recipe_on_whole_tables() -> None:
    possible = allocate(STOCK, DEMAND, as_of=AS_OF).lines.join(DEMAND.select("line_id", "sku"), on="line_id")
    supply = possible.group_by("sku").agg(qty=pl.col("allocated").sum())
    shares = (
        share(supply, DEMAND, FairShare(**PROPORTIONAL))
        .with_columns(qty="share")
        .drop("share", "short", "reason", "tier")
    )
    expected = allocate(STOCK, shares, as_of=AS_OF).lines.sort("line_id")["allocated"]
    assert [qty for _, qty in after(run({"lever": "fair_share", "rule": PROPORTIONAL}))] == expected.to_list()


def test_a_fair_share_of_one_sku_leaves_the_others_alone(monkeypatch) -> None:
    monkeypatch.setattr(module, "PART_AT_MOST", 1)
    found = run({"lever": "fair_share", "rule": PROPORTIONAL, "skus": ["Y"]})
    assert after(found) == [("4", 21), ("5", 29)]
    assert problems({"lever": "fair_share", "rule": PROPORTIONAL | {"pool": []}, "skus": ["Y"]}) == [
        ("setting_conflict", "levers.0.fair_share.skus")
    ]


def rations(**more: object) -> dict:
    quotas = [
        {"region": "N", "starts_on": "2026-01-01", "qty": 300},
        {"region": "S", "starts_on": "2026-01-01", "qty": 400},
    ]
    return {"lever": "rations", "terms": {"quota_by": ["region"]} | more, "quotas": quotas}


def test_quotas_are_ceilings_of_groups_over_all_skus() -> None:
    found = run(rations())
    got = found.after.demand.with_columns(got=found.after.lines["allocated"])
    assert got.group_by("region").agg(pl.col("got").sum()).sort("region").rows() == [("N", 300), ("S", 240)]
    assert found.changes.filter(line_id="2").select("change", "reason_after").row(0) == ("lost", "rationed")
    assert 0 < kpi(found, "quota_use") <= 1
    assert found.kpis.row(by_predicate=pl.col("kpi") == "quota_use")[1] is None


def test_protection_keeps_stock_for_a_group() -> None:
    lever = {
        "lever": "rations",
        "terms": {"protection_by": ["region"]},
        "protections": [{"sku": "X", "region": "S", "qty": 350}],
    }
    assert after(run(lever))[:3] == [("1", 150), ("2", 0), ("3", 350)]


def test_shares_are_dealt_within_quotas() -> None:
    found = run({"lever": "fair_share", "rule": PROPORTIONAL}, rations())
    lines = dict(after(found))
    assert lines["1"] + lines["2"] + lines["4"] <= 300


def test_what_makes_no_sense_of_quotas_is_told_under_the_lever() -> None:
    above = rations(quota_by=["sku", "region"], quotas_above_supply="refuse")
    above["quotas"] = [{"sku": "X", "region": "N", "starts_on": "2026-01-01", "qty": 9_999}]
    assert problems(above) == [("quota_above_supply", "levers.0.quotas.qty")]
    twice = {"lever": "rations", "terms": {"protection_by": ["region"]}}
    row = {"sku": "X", "region": "S", "qty": 5}
    assert problems(twice | {"protections": [row, row]}) == [("group_overlap", "levers.0.protections.region")]
    assert problems(twice)[0][0] == "argument_missing"
    assert problems(rations(quota_by=["colour"]))[0][0] == "column_missing"
    share_of = {"lever": "fair_share", "rule": PROPORTIONAL | {"pool": ["colour"]}}
    assert "column_missing" in {code for code, _ in problems(share_of)}
    assert problems(share_of, share_of)[0] == ("setting_conflict", "levers.1")


VIP = [{"column": "region", "op": "=", "value": "S"}]
PLAN = {"segments": [{"name": "south", "strategy": "win", "filter": VIP}], "otherwise": "improve"}


def dealing(**more: object) -> dict:
    return {"lever": "reallocation", "plan": PLAN | more}


def test_what_is_promised_is_dealt_again_by_strategies() -> None:
    found = run(dealing())
    assert dict(after(found))["3"] == 350  # the south must be full
    expected = reallocate(
        STOCK, DEMAND, allocate(STOCK, DEMAND, as_of=AS_OF).allocations, Reallocation(**PLAN), as_of=AS_OF
    )
    assert [qty for _, qty in after(found)] == expected.lines["after"].to_list()
    assert found.outcome.lines.equals(expected.lines)
    with pytest.raises(InputError, match=r"outcome\.lines"):
        found.explain("1")


def test_a_limit_on_changes_holds_in_a_scenario() -> None:
    found = run(dealing(lines_max=1))
    assert kpi(found, "lines_changed") <= 1


def test_promises_above_what_is_left_are_cut_from_the_last() -> None:
    keep = {"segments": [{"name": "all", "strategy": "gain"}]}
    less = {"lever": "supply_short", "where": {"sku": "X"}, "factor": "1/2"}
    found = run(less, {"lever": "reallocation", "plan": keep})
    assert dict(after(found))["1"] + dict(after(found))["2"] + dict(after(found))["3"] == 250
    surge = {"lever": "demand_surge", "where": {"line_id": "1"}, "factor": "1/2"}
    assert dict(after(run(surge, {"lever": "reallocation", "plan": keep})))["1"] == 100


def test_new_lines_get_what_is_left_where_promises_are_kept() -> None:
    line = {"line_id": "0", "sku": "Y", "qty": 50, "priority": -5}
    kept = {"lever": "reallocation", "plan": {"segments": [{"name": "all", "strategy": "gain"}]}}
    promised = run({"lever": "demand_new", "lines": [line]}, kept)
    assert dict(after(promised))["0"] == 0
    assert dict(after(run({"lever": "demand_new", "lines": [line]})))["0"] == 50
    short = promised.changes.filter(line_id="0")["reason_after"][0]
    assert short in ("taken", "no_balance", "undealt")


def test_a_plan_that_contradicts_itself_is_refused() -> None:
    twice = [{"name": name, "strategy": "win", "filter": VIP} for name in ("a", "b")]
    assert ("segment_overlap", "levers.0.demand.line_id") in problems(dealing(segments=twice))
    assert problems(dealing(segments=[], otherwise="skip"))[0][0] == "rule_empty"


@pytest.mark.parametrize("lever", [{"lever": "fair_share", "rule": PROPORTIONAL}, rations(), dealing()])
def test_such_scenarios_survive_being_written(lever: dict) -> None:
    made = Scenario(name="x", levers=[lever])
    for form in ("toml", "yaml", "json"):
        assert Scenario.loads(made.dumps(form), form) == made


# --- maximum stock limits ---

PARTS = {
    "stock_id": ["W", "P1", "P2"],
    "sku": ["VALVE", "VALVE", "VALVE"],
    "qty_on_hand": [100, 8, 25],
    "location": ["hub", "asp1", "asp2"],
    "bu": [None, "service", "service"],
    "asp": [None, "A1", "A2"],
}
ASKED = {
    "line_id": ["1", "2", "3"],
    "sku": ["VALVE"] * 3,
    "qty": [30, 10, 40],
    "bu": ["service", "service", None],
    "asp": ["A1", "A2", None],
}
LIMITS = {"lever": "stock_limits", "limits": {"rules": [{"name": "all", "units_max": 20}], "above_limit": "reduce"}}


def partners(*levers: dict) -> Comparison:
    policy = Policy(location={"scope": "any", "exclude": ["asp1", "asp2"]})
    made = Base(PARTS, ASKED, policy, as_of=AS_OF)
    return made.run(Scenario(name="limits", levers=levers))


def test_partners_get_no_more_than_their_limits_leave() -> None:
    found = partners(LIMITS)
    assert after(found) == [("1", 12), ("2", 0), ("3", 40)]
    assert found.changes.filter(line_id="1")["reason_after"].to_list() == ["above_limit"]


def test_limits_are_measured_before_and_after() -> None:
    kpis = {row["kpi"]: row for row in partners(LIMITS).kpis.iter_rows(named=True)}
    assert (kpis["msl_breaches"]["base"], kpis["msl_breaches"]["scenario"]) == (2, 1)  # A2 has 25 already
    assert kpis["msl_cover"]["scenario"] == pytest.approx((20 + 25) / 40)
    assert kpis["msl_cover"]["base"] == pytest.approx((38 + 35) / 40)


def test_limits_in_value_need_a_cost_and_say_so() -> None:
    value = {"lever": "stock_limits", "limits": {"rules": [{"name": "all", "value_max": 100}]}}
    with pytest.raises(InputError, match="unit_cost_missing"):
        partners(value)
    assert Scenario.loads(Scenario(name="x", levers=[LIMITS]).dumps()).levers[0].limits.rules[0].units_max == 20


def test_a_column_that_only_the_last_of_many_protections_fills_counts() -> None:
    nothing = [{"sku": "X", "region": f"R{number}", "qty": 0} for number in range(150)]
    kept = {"sku": "X", "region": "S", "qty": 300}
    lever = {"lever": "rations", "terms": {"protection_by": ["region"]}}
    holds = run(lever | {"protections": [*nothing, kept]})
    lapsed = run(lever | {"protections": [*nothing, kept | {"lapses_on": dt.date(2026, 1, 1)}]})
    assert after(holds)[:3] == [("1", 200), ("2", 0), ("3", 300)]
    assert after(lapsed)[:3] == [("1", 200), ("2", 250), ("3", 50)]


def test_a_quota_with_more_decimals_than_the_tables_is_a_ceiling() -> None:
    stock = {"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [Decimal("10.5")]}
    demand = {"line_id": ["1"], "sku": ["X"], "qty": [8], "region": ["N"]}
    quota = {"region": "N", "starts_on": dt.date(2026, 1, 1), "qty": Decimal("2.26")}
    lever = {"lever": "rations", "terms": {"quota_by": ["region"]}, "quotas": [quota]}
    found = Base(stock, demand, as_of=AS_OF).run(Scenario(name="tried", levers=[lever]))
    assert found.changes["allocated_after"].to_list() == [Decimal("2.2")]


def test_quantities_of_a_rule_that_the_tables_cannot_count_are_refused_as_by_a_full_run() -> None:
    safety = {"lever": "safety_stock", "entries": [{"sku": "X", "qty": "2.5"}]}
    packs = {"lever": "fill", "fill": {"pack": "2.5"}, "fills": {"half": {"qty_min": "0.5"}}}
    assert problems(safety) == [("qty_step", "safety_stock.0.qty")]
    assert problems(packs) == [("qty_step", "fill.pack"), ("qty_step", "fills.half.qty_min")]
    assert run(safety, unit_rounding="up").changes.height


def test_lines_without_a_priority_are_the_last_within_a_limit() -> None:
    demand = DEMAND.with_columns(bu=pl.lit("B"), asp=pl.lit("P"), priority=pl.Series([None, 2, 3, 2, 1]))
    limits = {"rules": [{"name": "all", "units_max": 300}], "above_limit": "reduce"}
    lever = {"lever": "stock_limits", "limits": limits}
    found = Base(STOCK, demand, as_of=AS_OF).run(Scenario(name="tried", levers=[lever]))
    assert dict(after(found))["1"] == 0


@pytest.mark.parametrize("turn", [1, -1])
def test_shares_are_dealt_within_quotas_in_whichever_sequence_they_are_named(turn: int) -> None:
    quota = {"region": "S", "sku": "X", "starts_on": dt.date(2026, 1, 1), "qty": 100}
    levers = [
        {"lever": "rations", "terms": {"quota_by": ["region", "sku"]}, "quotas": [quota]},
        {"lever": "fair_share", "rule": PROPORTIONAL},
    ]
    # Of 500 the first two are granted what they ask, the third 50 of its quota; these are shared in full. Shares dealt
    # first would be 125, 156 and 219, and the quota would leave 119 of them to nobody.
    assert after(run(*levers[::turn]))[:3] == [("1", 200), ("2", 250), ("3", 50)]
