"""The optimum: known answers, what it refuses, and what it says when the time is over."""

import datetime as dt
import json
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from allocator import FileError, InputError, Policy, PolicyError
from allocator.cli.app import BAD_INPUT, program
from allocator.optimum import OBJECTIVES, Optimum, classes, optimize, shadow_prices
from allocator.optimum import best as best_plan
from allocator.optimum import highs as solver
from allocator.optimum.arguments import checked
from allocator.optimum.legal import is_legal
from allocator.optimum.objectives import Takes
from allocator.optimum.problem import Stated, state

DAY = dt.date(2026, 6, 30)


def day(number: int) -> dt.date:
    return DAY + dt.timedelta(days=number)


LONGEST_FIRST = Policy(stock_order=[{"column": "expires_on", "descending": True}])
STOCK = {"stock_id": ["A", "B"], "sku": ["X", "X"], "qty_on_hand": [5, 5], "expires_on": [day(20), day(400)]}
DEMAND = {
    "line_id": ["1", "2"],
    "sku": ["X", "X"],
    "qty": [5, 5],
    "min_shelf_life_days": [0, 90],
    "customer": ["SHOP", "CLINIC"],
}


def best(stock=STOCK, demand=DEMAND, policy=LONGEST_FIRST, **options) -> Optimum:
    return optimize(stock, demand, policy, as_of=DAY, **options)


def value(found: Optimum, objective: str, plan: str = "optimal") -> float:
    return found.comparison.row(by_predicate=pl.col("objective") == objective, named=True)[plan]


def codes(error: pytest.ExceptionInfo) -> list[tuple[str, str]]:
    return [(problem.code, problem.column) for problem in error.value.problems]


# --- known answers ---


def test_what_only_a_strict_line_can_use_is_left_to_it() -> None:
    found = best()
    assert found.status == "optimal"
    assert found.allocations.rows() == [("1", "A", 5, 5, 1), ("2", "B", 5, 5, 1)]
    assert found.by_rules.lines["allocated"].to_list() == [5, 0]
    assert found.comparison.row(0) == ("units", 1, 5.0, 10.0, 5.0, 0.5, "base units", "more")
    assert found.where("customer").rows() == [("CLINIC", 1, 5, 0, 5, 5, 0, 1, 0)]
    assert found.stock["qty_available"].to_list() == [0, 0]


def test_where_the_rules_cannot_be_bettered_their_plan_is_kept_to_the_row() -> None:
    stock = {"stock_id": list("CAB"), "sku": ["X"] * 3, "qty_on_hand": [4, 4, 4]}
    demand = {"line_id": ["2", "1", "3"], "sku": ["X"] * 3, "qty": [3, 3, 3]}
    found = best(stock, demand, Policy())
    assert found.allocations.equals(found.by_rules.allocations)
    assert found.lines.equals(found.by_rules.lines)
    assert found.where().is_empty()


def test_one_order_served_gives_more_than_three() -> None:
    stock = {"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [10]}
    demand = {"line_id": list("1234"), "order_id": list("abcd"), "sku": ["X"] * 4, "qty": [4, 3, 2, 10]}
    found = best(stock, demand, Policy(fill={"whole": "order"}))
    assert found.by_rules.lines["allocated"].to_list() == [4, 3, 2, 0]
    assert found.lines.rows() == [
        ("1", 4, 0, 4, "taken"),
        ("2", 3, 0, 3, "taken"),
        ("3", 2, 0, 2, "taken"),
        ("4", 10, 10, 0, None),
    ]


def test_an_order_over_two_skus_waits_for_both() -> None:
    stock = {"stock_id": ["A", "B"], "sku": ["X", "Y"], "qty_on_hand": [5, 3]}
    demand = {"line_id": ["1", "2", "3"], "order_id": ["a", "a", "b"], "sku": ["X", "Y", "X"], "qty": [5, 4, 4]}
    found = best(stock, demand, Policy(fill={"whole": "order"}))
    assert found.lines.select("line_id", "allocated", "reason").rows() == [
        ("1", 0, "order_incomplete"),
        ("3", 4, None),
        ("2", 0, "order_incomplete"),
    ]


def test_two_small_lots_beat_one_large_one() -> None:
    stock = {"stock_id": list("ABC"), "sku": ["X"] * 3, "lot": ["P", "Q", "Q"], "qty_on_hand": [6, 4, 4]}
    demand = {"line_id": ["1", "2"], "sku": ["X"] * 2, "qty": [6, 8]}
    policy = Policy(stock_order="largest_first", fill={"one": "lot"}, demand_order=[])
    found = best(stock, demand, policy)
    assert found.lines["allocated"].to_list() == [6, 8]
    taken = found.allocations.join(pl.DataFrame(stock), on="stock_id")
    assert taken.group_by("line_id").agg(pl.col("lot").n_unique())["lot"].max() == 1


def test_packs_of_two_and_three_share_a_row_without_a_remnant() -> None:
    stock = {"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [7]}
    demand = {"line_id": ["1", "2"], "sku": ["X"] * 2, "qty": [6, 3], "pack": [2, 3]}
    found = best(stock, demand, Policy(fill={"pack": "pack"}))
    assert found.lines["allocated"].to_list() == [4, 3]
    assert found.by_rules.lines["allocated"].to_list() == [6, 0]


def test_substitutes_are_exchanged_whole() -> None:
    stock = {"stock_id": ["A", "B"], "sku": ["X", "Y"], "qty_on_hand": [1, 7]}
    demand = {"line_id": ["1", "2"], "sku": ["X", "Y"], "qty": [5, 3]}
    policy = Policy(substitutes=[{"sku": "X", "substitute": "Y", "ratio": 2}])
    found = best(stock, demand, policy)
    assert found.lines.sort("line_id")["allocated"].to_list() == [3, 3]
    assert found.by_rules.lines.sort("line_id")["allocated"].to_list() == [4, 1]
    assert found.allocations.filter(pl.col("line_id") == "1").rows() == [("1", "A", 1, 1, 1), ("1", "B", 4, 2, 2)]


def nothing_fits(found: Optimum, reason: str) -> bool:
    """The solver knows that nothing can be served; it did not find a plan that had to be thrown away."""
    return found.status == "optimal" and set(found.lines["reason"]) == {reason} and found.allocations.is_empty()


def test_two_lines_do_not_share_an_exchange() -> None:
    stock = {"stock_id": ["B"], "sku": ["Y"], "qty_on_hand": [5]}
    demand = {"line_id": ["1", "2"], "sku": ["X", "X"], "qty": [1, 1]}
    policy = Policy(substitutes=[{"sku": "X", "substitute": "Y", "ratio": "1/2"}])
    assert nothing_fits(best(stock, demand, policy), "exchange")


def test_two_rows_do_not_make_up_an_exchange() -> None:
    stock = {"stock_id": ["A", "B"], "sku": ["Y", "Y"], "qty_on_hand": [1, 1]}
    demand = {"line_id": ["1"], "sku": ["X"], "qty": [1]}
    policy = Policy(substitutes=[{"sku": "X", "substitute": "Y", "ratio": 2}])
    assert nothing_fits(best(stock, demand, policy), "insufficient")


def test_a_minimum_is_reached_in_whole_packs() -> None:
    stock = {"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [3]}
    demand = {"line_id": ["1"], "sku": ["X"], "qty": [5]}
    assert nothing_fits(best(stock, demand, Policy(fill={"qty_min": 3, "pack": 2})), "below_minimum")


def test_quantities_with_decimals_stay_exact() -> None:
    litres = [Decimal("33.60"), Decimal("0.05")]
    found = best(STOCK | {"qty_on_hand": litres}, DEMAND | {"qty": [Decimal("33.59"), Decimal("0.04")]})
    assert found.lines["allocated"].to_list() == [Decimal("33.59"), Decimal("0.04")]
    assert found.stock["qty_available"].sum() == Decimal("0.02")


@pytest.mark.parametrize(
    ("objective", "served"),
    [("value", ["dear"]), ("waste", ["old"]), ("transfers", ["home"])],
)
def test_an_objective_chooses_the_row(objective: str, served: list[str]) -> None:
    stock = {
        "stock_id": ["dear", "home", "old"],
        "sku": ["X"] * 3,
        "location": ["W2", "W1/A", "W3"],
        "qty_on_hand": [4, 4, 4],
        "expires_on": [day(400), day(400), day(9)],
        "unit_cost": [Decimal("9.50"), Decimal(2), Decimal(2)],
    }
    demand = {"line_id": ["1"], "sku": ["X"], "qty": [4], "location": ["W1"]}
    found = best(stock, demand, Policy(location={"scope": "any"}), objectives=[objective])
    assert found.allocations["stock_id"].to_list() == served


def test_what_is_late_is_served_before_what_is_not_due() -> None:
    demand = {"line_id": ["1", "2"], "sku": ["X"] * 2, "qty": [5, 5], "needed_on": [day(9), day(-3)]}
    found = best({"stock_id": ["A"], "sku": ["X"], "qty_on_hand": [5]}, demand, Policy(), objectives=["lateness"])
    assert found.lines["allocated"].to_list() == [0, 5]
    # Line 2 is three days late; line 1 comes the day after the last one that is needed, its own.
    assert value(found, "lateness") == 5 * 3 + 5 * 1
    assert value(found, "lateness", "by_rules") == 5 * (9 + 1 + 3)


def test_what_lines_have_already_is_kept() -> None:
    current = {"line_id": ["2", "1"], "stock_id": ["A", "B"], "qty": [5, 5]}
    lax = DEMAND | {"min_shelf_life_days": [0, 0]}
    found = best(STOCK, lax, objectives=["units", "changes"], current=current)
    assert found.allocations.rows() == [("1", "B", 5, 5, 1), ("2", "A", 5, 5, 1)]
    assert value(found, "changes") == 0
    assert value(found, "changes", "by_rules") == 0
    strict = best(objectives=["changes"], current=current)
    assert value(strict, "changes") == 5
    assert strict.allocations.filter(pl.col("line_id") == "1")["stock_id"].to_list() == ["B"]


def test_the_first_objective_is_never_sold_for_the_second_and_weights_sell_it() -> None:
    stock = {"stock_id": ["A", "B"], "sku": ["X"] * 2, "location": ["W1", "W2"], "qty_on_hand": [3, 9]}
    demand = {"line_id": ["1"], "sku": ["X"], "qty": [9], "location": ["W1"]}
    anywhere = Policy(location={"scope": "any"})
    assert best(stock, demand, anywhere, objectives=["units", "transfers"]).lines["allocated"].item() == 9
    here = best(stock, demand, anywhere, objectives=["transfers"])
    assert here.lines.row(0) == ("1", 9, 3, 6, "objective")
    weighed = best(stock, demand, anywhere, objectives={"units": 1, "transfers": 1.5})
    assert weighed.lines["allocated"].item() == 3
    assert weighed.stages["objective"].to_list() == ["weighted"]
    assert weighed.stages["value"].item() == 3.0


def test_a_hot_sku_with_a_shelf_life_for_each_line_is_not_quadratic(monkeypatch: pytest.MonkeyPatch) -> None:
    # Lot n lives n days and line n asks for n days: 500 kinds of each. The rules give the longest lives away first.
    monkeypatch.setattr(classes, "PAIRS_MAX", 1_000)
    ids, ones = [f"{n:03}" for n in range(500)], [1] * 500
    stock = {"stock_id": ids, "sku": ["X"] * 500, "qty_on_hand": ones, "expires_on": [day(n) for n in range(500)]}
    demand = {"line_id": ids, "sku": ["X"] * 500, "qty": ones, "min_shelf_life_days": list(range(500))}
    found = best(stock, demand)
    assert found.by_rules.lines["allocated"].sum() == 250
    assert found.lines["allocated"].sum() == 500


def test_safety_stock_is_kept_back() -> None:
    policy = Policy(safety_stock=[{"sku": "X", "qty": 8}])
    assert best(policy=policy).lines["allocated"].sum() == 2


def test_an_optimum_can_be_explained_as_any_result() -> None:
    said = best(STOCK | {"qty_on_hand": [5, 2]}).explain("2").text()
    assert "2 of 5" in said or "short" in said


# --- time and gap ---


def knapsacks(**options) -> Optimum:
    """Whole lines of many sizes over lots that none of them fills: not what a solver sees at once."""
    skus = [f"K{n}" for n in range(8)]
    stock = {"stock_id": skus, "sku": skus, "qty_on_hand": [997 + 2 * n for n in range(8)]}
    lines = [(f"{sku}-{n:02}", sku, 41 + (n * 37 + k * 11) % 97) for k, sku in enumerate(skus) for n in range(30)]
    names = ("line_id", "sku", "qty")
    return best(
        stock,
        dict(zip(names, map(list, zip(*lines, strict=True)), strict=True)),
        Policy(fill={"whole": "line"}),
        **options,
    )


def test_a_search_that_is_stopped_at_once_says_so_and_gives_the_plan_of_the_rules() -> None:
    found = knapsacks(time_limit=1e-9)
    assert found.status == "by_rules"
    assert found.stages["status"].to_list() == ["stopped"]
    assert found.stages["bound"].to_list() == [None]
    assert found.allocations.equals(found.by_rules.allocations)


def test_a_gap_that_is_allowed_is_used_and_told() -> None:
    found = knapsacks(gap=0.5)
    stage = found.stages.row(0, named=True)
    assert found.status in ("within_gap", "optimal")
    assert stage["value"] <= stage["bound"]
    assert stage["gap"] <= 0.5
    assert value(found, "units") >= value(found, "units", "by_rules")


def test_a_plan_of_the_solver_that_breaks_a_rule_is_never_given(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = solver.Solver.solve

    def solve(self, costs, seconds):
        stage = spoilt(self, costs, seconds)
        self.values = None if self.values is None else self.values * 2
        return stage

    monkeypatch.setattr(solver.Solver, "solve", solve)
    found = best()
    assert found.status == "by_rules"
    assert found.allocations.equals(found.by_rules.allocations)


def test_a_plan_that_is_worse_than_that_of_the_rules_is_never_given(monkeypatch: pytest.MonkeyPatch) -> None:
    none = np.zeros(0, np.int64)
    monkeypatch.setattr(best_plan, "spread", lambda *_: Takes(none, none, none, none))
    assert best().status == "by_rules"
    assert best().lines["allocated"].to_list() == [5, 0]


def test_a_plan_that_is_found_illegal_is_never_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(best_plan, "is_legal", lambda *_: False)
    assert best().status == "by_rules"


def test_what_is_illegal_is_found_so() -> None:
    # The second line asks for a longer life than A has, and three of A are more than there are.
    lives, posed = stated()
    assert is_legal(takes([(0, 0, 5)]), lives.rows, lives.lines, posed, {})
    assert not is_legal(takes([(1, 1, 5)]), lives.rows, lives.lines, posed, {})
    assert not is_legal(takes([(0, 0, 6)]), lives.rows, lives.lines, posed, {})


def stated() -> tuple[Stated, list]:
    """The small problem: row 0 is B, which lives longest, and row 1 is A; line 0 takes anything."""
    wanted = checked(["units"], time_limit=1, gap=0, horizon_days=0, problems=[])
    found = state(STOCK, DEMAND, LONGEST_FIRST, None, wanted=wanted, as_of=DAY, problems=[])
    return found, list(found.tests.values())


def takes(rows: list[tuple[int, int, int]]) -> Takes:
    row, line, qty = np.array(rows).T
    return Takes(row, line, qty, qty)


# --- what one more unit is worth ---


def test_one_more_unit_is_worth_what_is_short() -> None:
    stock = {"stock_id": ["A", "B"], "sku": ["X", "Y"], "qty_on_hand": [5, 5]}
    demand = {"line_id": ["1", "2", "3"], "sku": ["X", "Y", "Z"], "qty": [8, 5, 1]}
    prices = shadow_prices(stock, demand, as_of=DAY)
    assert prices.exact
    assert prices.skus.rows() == [("X", 1, 1.0, 1.0, 1.0), ("Y", 1, 0.0, 0.0, 0.0), ("Z", 1, 1.0, None, None)]


def test_the_next_unit_is_priced_and_not_the_last_one() -> None:
    # Stock and demand are equal: the last unit was worth one, the next is worth nothing.
    assert shadow_prices(STOCK, DEMAND, as_of=DAY).stock["price"].to_list() == [0.0, 0.0]


def test_a_unit_that_only_lax_lines_can_use_is_worth_less() -> None:
    strict = DEMAND | {"min_shelf_life_days": [90, 90]}
    prices = shadow_prices(STOCK, strict, as_of=DAY)
    assert prices.skus.row(0) == ("X", 2, 1.0, 1.0, 0.0)
    assert prices.stock.rows() == [("A", 0.0), ("B", 1.0)]


def test_prices_under_fill_rules_say_that_they_are_not_exact() -> None:
    assert not shadow_prices(STOCK, DEMAND, Policy(fill={"whole": "line"}), as_of=DAY).exact


def test_what_is_kept_has_no_price() -> None:
    with pytest.raises(InputError) as error:
        shadow_prices(STOCK, DEMAND, as_of=DAY, objective="changes")
    assert codes(error) == [("argument_value", "objective")]


# --- bad input ---


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({"objectives": ["units", "profit"]}, [("argument_value", "objectives")]),
        ({"objectives": []}, [("argument_value", "objectives")]),
        ({"objectives": 7}, [("argument_value", "objectives")]),
        ({"objectives": ["units", "units"]}, [("argument_value", "objectives")]),
        ({"objectives": {"units": -1}}, [("argument_value", "objectives.units")]),
        ({"objectives": {"units": float("nan")}}, [("argument_value", "objectives.units")]),
        ({"objectives": {"units": "much"}}, [("argument_value", "objectives.units")]),
        ({"objectives": ["value"]}, [("column_missing", "unit_cost")]),
        ({"objectives": ["changes"]}, [("argument_missing", "current")]),
        ({"time_limit": 0}, [("argument_value", "time_limit")]),
        ({"time_limit": True}, [("argument_value", "time_limit")]),
        ({"gap": 1}, [("argument_value", "gap")]),
        ({"gap": -0.1}, [("argument_value", "gap")]),
        ({"horizon_days": 1.5}, [("argument_value", "horizon_days")]),
        ({"current": {"line_id": ["9"], "stock_id": ["A"], "qty": [1]}}, [("line_unknown", "line_id")]),
        (
            {"current": {"line_id": ["1"], "stock_id": ["A"], "qty": [1], "stage": ["picked"]}},
            [("argument_value", "stage")],
        ),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict, problems: list[tuple[str, str]]) -> None:
    with pytest.raises(InputError) as error:
        best(**options)
    assert codes(error) == problems


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        best(STOCK | {"qty_on_hand": [-1, 5]}, objectives=["value", "profit"], gap=2)
    assert {code for code, _ in codes(error)} == {"argument_value", "column_missing", "qty_out_of_range"}
    assert len(error.value.problems) == 4


def test_a_cost_that_is_not_known_is_told_by_row() -> None:
    with pytest.raises(InputError) as error:
        best(STOCK | {"unit_cost": [Decimal(3), None]}, objectives=["value"])
    (problem,) = error.value.problems
    assert (problem.code, problem.column, problem.row) == ("value_null", "unit_cost", 1)


def test_a_column_that_demand_does_not_have_cannot_say_where() -> None:
    with pytest.raises(InputError) as error:
        best().where("colour")
    assert codes(error) == [("column_missing", "colour")]


def test_quantities_that_a_solver_would_round_are_refused() -> None:
    with pytest.raises(InputError) as error:
        best(STOCK | {"qty_on_hand": [2**54, 5]})
    assert codes(error) == [("value_overflow", "qty_on_hand")]


@pytest.mark.parametrize(
    ("costs", "objectives"),
    [
        ([Decimal("1e25"), Decimal(1)], ["value"]),
        ([Decimal("9000000000.000001"), Decimal("0.000001")], ["value"]),
        ([Decimal(1), Decimal(1)], {"value": 10**30, "units": 1}),
        ([Decimal(1), Decimal(1)], {"units": 1e-300, "waste": 1}),
    ],
)
def test_costs_and_weights_that_a_solver_cannot_hold_are_refused(costs: list, objectives: object) -> None:
    with pytest.raises(InputError) as error:
        best(STOCK | {"unit_cost": costs}, objectives=objectives)
    assert codes(error) == [("value_overflow", "objectives")]


def test_a_policy_that_tells_too_much_apart_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "PAIRS_MAX", 1)
    with pytest.raises(PolicyError) as error:
        best()
    assert error.value.code == "problem_too_large"


def test_without_the_solver_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(FileError, match=r"pip install 'allocator\[optimum\]'") as error:
        best()
    assert error.value.code == "extra_missing"


@pytest.mark.parametrize("empty", ["stock", "demand", "both"])
def test_of_nothing_nothing_is_the_best(empty: str) -> None:
    def cut(table: dict, name: str) -> pl.DataFrame:
        return pl.DataFrame(table).head(0 if empty in (name, "both") else 9)

    found = best(cut(STOCK, "stock"), cut(DEMAND, "demand"))
    assert found.status == "optimal"
    assert found.allocations.is_empty()
    assert found.lines["reason"].to_list() == (["unknown_sku"] * 2 if empty == "stock" else [])
    assert shadow_prices(cut(STOCK, "stock"), cut(DEMAND, "demand"), as_of=DAY).skus.height == (empty == "stock")


# --- command line ---


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pl.DataFrame(STOCK | {"unit_cost": [2, 3]}).write_csv("stock.csv")
    pl.DataFrame(DEMAND).write_csv("demand.csv")
    (tmp_path / "mine.toml").write_text('stock_order = [{column = "expires_on", descending = true}]\n', "utf-8")
    return tmp_path


BASIC = ("optimum", "stock.csv", "demand.csv", "--as-of", "2026-06-30", "-p", "mine.toml")


def test_the_command_shows_both_plans_and_writes_the_better(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert program([*BASIC, "--out", "plan", "--prices", "--where", "customer"]) == 0
    said = capsys.readouterr().out
    assert "No plan is better." in said
    assert "CLINIC" in said
    assert pl.read_parquet(folder / "plan" / "lines.parquet")["allocated"].sum() == 10
    assert {"prices.parquet", "comparison.parquet", "run.json"} <= {path.name for path in (folder / "plan").iterdir()}


@pytest.mark.usefixtures("folder")
def test_the_command_answers_machines(capsys: pytest.CaptureFixture) -> None:
    assert program([*BASIC, "-o", "value=2", "-o", "units=1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "optimal"
    assert [row["objective"] for row in answer["comparison"][:2]] == ["value", "units"]
    assert {row["objective"] for row in answer["comparison"]} <= set(OBJECTIVES)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("objectives", [["-o", "profit"], ["-o", "value=2", "-o", "units"], ["-o", "units=0"]])
def test_the_command_refuses_what_makes_no_sense(objectives: list[str], capsys: pytest.CaptureFixture) -> None:
    assert program([*BASIC, *objectives]) == BAD_INPUT
    assert "argument_value" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_the_command_tells_what_is_wrong_with_files_and_options_at_once(capsys: pytest.CaptureFixture) -> None:
    wrong = ["optimum", "nowhere.csv", "demand.csv", "--as-of", "2026-06-30", "-o", "profit", "--gap", "7"]
    assert program(wrong) == BAD_INPUT
    said = capsys.readouterr().err
    assert "nowhere.csv" in said and "profit" in said and " gap " in said


@pytest.mark.usefixtures("folder")
def test_the_command_knows_before_solving_that_a_column_is_not_there(capsys: pytest.CaptureFixture) -> None:
    assert program([*BASIC, "--where", "colour"]) == BAD_INPUT
    assert "demand.colour" in capsys.readouterr().err


@pytest.mark.usefixtures("folder")
def test_the_command_can_fail_when_the_time_is_over() -> None:
    assert program([*BASIC, "--time-limit", "0.000000001", "--fail-stopped"]) == 1
