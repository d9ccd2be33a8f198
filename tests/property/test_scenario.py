"""What a scenario says is what a run of everything under its levers says, whatever it left out."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

import small_scenarios
from allocator.errors import AllocatorError
from allocator.model.scenario import Scenario
from allocator.scenario import Base, Comparison, base
from drawing import AS_OF
from small_worlds import DEEP, QUICK, World, without, world
from tables import Row

REFUSED = {"lever_empty", "lever_conflict", "sku_unknown", "column_missing", "column_type", "qty_step"}
REFUSED |= {"substitute_ring", "setting_conflict", "setting_missing", "setting_twice", "setting_value"}
REFUSED |= {"policy_column_missing", "serial_quantity"}


@pytest.fixture(autouse=True)
def _parts_however_large(monkeypatch):
    """Small worlds have few groups: leave some out even if it would not pay."""
    monkeypatch.setattr(base, "PART_AT_MOST", 1)


def drawn(seed: int) -> World:
    made = world(seed, rows=14, lines=10, skus=4)
    settings = {name: value for name, value in made.settings.items() if name not in ("units", "unit_rounding")}
    demand = without(made.demand, "unit")
    if seed % 3 == 0:  # orders of two lines each, served whole, which link few SKUs
        settings = {name: value for name, value in settings.items() if name not in ("substitutes", "fills")}
        settings |= {"fill": {"whole": "order"}, "location": {"scope": "any"}}
        demand = [line | {"order_id": f"O{n // 2}", "fill": None} for n, line in enumerate(demand)][:6]
    return World(without(made.stock, "unit"), demand, settings)


def bound(made: World) -> Base:
    return Base(*made.frames(), made.policy, as_of=AS_OF, by="sku", horizon_days=2)


def answer(made: Base) -> tuple[dict, dict]:
    lines = {row[0]: row for row in made.result.lines.rows()}
    return lines, {(row[0], row[-1]): row for row in made.result.allocations.rows()}


def answer_under(found: Comparison) -> tuple[dict, dict]:
    """The base's answer, with that of the part in place of its own."""
    lines, takes = answer(found.base)
    part = set(found.before.demand["line_id"])
    lines = {line: row for line, row in lines.items() if line not in part}
    takes = {key: row for key, row in takes.items() if key[0] not in part}
    lines |= {row[0]: row for row in found.result.lines.rows()}
    return lines, takes | {(row[0], row[-1]): row for row in found.result.allocations.rows()}


def compared(made: World, levers: list[Row]) -> tuple[Comparison, Base] | None:
    """A scenario, and a run of everything under its levers; None if the levers make no sense here."""
    try:
        whole = bound(made)
        found = whole.run(Scenario(name="drawn", levers=levers))
    except AllocatorError as error:
        assert {problem.code for problem in error.problems} <= REFUSED, error
        return None
    under = small_scenarios.pulled(made, levers, whole.bound.prepared.stock.scale)
    if not under.stock or not under.demand:
        return None
    return found, bound(under)


def same(seed: int) -> None:
    made = drawn(seed)
    pair = compared(made, small_scenarios.levers(made, seed))
    if pair is not None:
        found, whole = pair
        assert answer_under(found) == answer(whole)
        ours = dict(found.kpis.select("kpi", "scenario").rows())
        assert {name: value for name, value in ours.items() if name in whole.kpis} == pytest.approx(whole.kpis)
        told = {row[0]: row for row in found.changes.select("line_id", "allocated_before", "allocated_after").rows()}
        before, after = answer(found.base)[0], answer(whole)[0]
        for line in before.keys() | after.keys():
            had, got = (side[line][2] if line in side else None for side in (before, after))
            assert had == got or told[line][1:] == (had, got)


@hypothesis.settings(QUICK, max_examples=80)
@hypothesis.given(st.integers(0, 2**64 - 1))
def test_a_scenario_equals_a_run_of_everything(seed: int) -> None:
    same(seed)


def test_most_drawn_levers_make_sense_and_leave_something_out() -> None:
    pairs = [compared(drawn(seed), small_scenarios.levers(drawn(seed), seed)) for seed in range(60)]
    made = [found for found, _ in filter(None, pairs)]
    assert len(made) > 30
    assert sum(found.before.demand.height < found.base.result.lines.height for found in made) > 10
    assert sum(not found.changes.is_empty() for found in made) > 15


@pytest.mark.slow
@DEEP
@hypothesis.given(st.integers(0, 2**64 - 1))
def test_deep(seed: int) -> None:
    same(seed)
