"""Reallocation against a naive reference, and what must hold for every plan, as that nothing is oversold."""

import datetime as dt

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import oracle_reallocation as oracle
from allocator.model.policy import Policy
from allocator.reallocation import Reallocation, reallocate
from small_worlds import COMMON

usual = settings(COMMON, max_examples=60, derandomize=True)
DAY = dt.date(2026, 3, 1)
STRATEGIES = ["win", "gain", "improve", "redistribute", "fill", "lose", "skip"]
SKUS = ["X", "X", "X", "Y"]
STAGES = ["open", "open", "open", "frozen", "picked", "shipped"]


@st.composite
def worlds(draw):
    """Few rows and lines of two SKUs with graded stock, and what lines have of it already, within what there is."""
    stock = [
        {"stock_id": f"S{n}", "sku": draw(st.sampled_from(SKUS)), "qty_on_hand": draw(st.integers(0, 12)),
         "grade": draw(st.integers(0, 2))}
        for n in range(draw(st.integers(1, 5)))
    ]  # fmt: skip
    left = {row["stock_id"]: row["qty_on_hand"] for row in stock}
    demand, current = [], []
    for n in range(draw(st.integers(1, 7))):
        line = {
            "line_id": f"L{n}",
            "sku": draw(st.sampled_from(SKUS)),
            "qty": draw(st.integers(1, 12)),
            "priority": draw(st.integers(0, 2)),
            "grade_min": draw(st.sampled_from([0, 0, 1, 2])),
            "kind": draw(st.sampled_from([*STRATEGIES, "win", "win", "gain", "improve"])),
        }
        demand.append(line)
        wants = line["qty"]
        for row in stock:
            fits = row["sku"] == line["sku"] and row["grade"] >= line["grade_min"]
            stage = draw(st.sampled_from(STAGES))
            most = min(wants, 12 if stage == "shipped" else left[row["stock_id"]])
            if fits and most and draw(st.booleans()):
                qty = draw(st.integers(1, most))
                wants -= qty
                left[row["stock_id"]] -= 0 if stage == "shipped" else qty
                current.append({"line_id": line["line_id"], "stock_id": row["stock_id"], "qty": qty, "stage": stage})
    return stock, demand, current


@st.composite
def plans(draw, **settings_):
    """A segment per strategy, in any sequence, with any fallback."""
    segments = []
    for name in draw(st.permutations(STRATEGIES)):
        falls = {"win": ["gain", "improve", "redistribute", "fill", "lose"], "gain": ["improve", "redistribute"]}
        filter_ = [{"column": "kind", "op": "=", "value": name}]
        order = draw(st.sampled_from([None, ["priority"], [{"column": "qty", "descending": True}]]))
        fallback = draw(st.sampled_from([None, *falls.get(name, [])]))
        segments.append({"name": name, "strategy": name, "filter": filter_, "order": order, "fallback": fallback})
    return Reallocation(segments=segments, **settings_)


GRADED = Policy(stock_order=["grade"], attributes=[{"column": "grade", "op": ">=", "demand_column": "grade_min"}])
FILLED = st.sampled_from(
    [
        {},
        {"fill": {"pack": 3}},
        {"fill": {"whole": "line"}},
        {"fill": {"rows_max": 1}},
        {"fill": {"one": "source"}},
        {"safety_stock": [{"sku": "X", "qty": 4}]},
    ]
)


def frames(world):
    stock, demand, current = world
    schema = {"line_id": pl.String, "stock_id": pl.String, "qty": pl.Int64, "stage": pl.String}
    return pl.DataFrame(stock), pl.DataFrame(demand), pl.DataFrame(current, schema=schema)


def done(world, plan, policy=GRADED):
    return reallocate(*frames(world), plan, policy=policy, as_of=DAY)


def by_pair(rows):
    found = {}
    for row in rows:
        key = (row["line_id"], row["stock_id"], row.get("stage", "open"))
        found[key] = found.get(key, 0) + row["qty"]
    return found


@settings(COMMON, max_examples=250, derandomize=True)
@given(worlds(), plans())
def test_it_agrees_with_the_naive_reference(world, plan):
    out = done(world, plan)
    exceptions = set(out.lines.filter("exception")["line_id"])
    assert (by_pair(out.allocations.to_dicts()), exceptions) == oracle.reallocate(*world, plan)


@usual
@given(worlds(), plans(), FILLED)
def test_nothing_is_oversold_and_no_line_has_more_than_it_asks(world, plan, changes):
    out = done(world, plan, GRADED.model_copy(update=dict(Policy(**changes))) if changes else GRADED)
    on_hand = {row["stock_id"]: row["qty_on_hand"] for row in world[0]}
    held = out.allocations.filter(pl.col("stage") != "shipped").group_by("stock_id").agg(pl.col("qty").sum())
    assert all(qty <= on_hand[stock_id] for stock_id, qty in held.iter_rows())
    assert (out.lines["after"] <= out.lines["requested"]).all()
    assert (out.lines["after"] - out.lines["before"] == out.lines["gained"] - out.lines["lost"]).all()


@usual
@given(worlds(), plans())
def test_who_loses_something_keeps_whole_packs(world, plan):
    before = by_pair(world[2])
    packs = GRADED.model_copy(update={"fill": Policy(fill={"pack": 3}).fill})
    for key, qty in by_pair(done(world, plan, packs).allocations.to_dicts()).items():
        # What was no whole pack to begin with may stay, and grow by packs.
        assert qty % 3 in (0, before.get(key, 0) % 3)
        assert qty >= before.get(key, 0) or qty % 3 == 0


STEADY = st.sampled_from(
    [
        {},
        {"pack": 3},
        {"whole": "line"},
        {"whole": "order"},
        {"whole": "order", "pack": 2},
        {"qty_min": 3},
        {"whole_rows": True},
    ]
)


@settings(COMMON, max_examples=100, derandomize=True)
@given(worlds(), plans(), STEADY, st.lists(st.sampled_from("OPQ"), min_size=7, max_size=7))
def test_run_again_on_its_own_answer_it_changes_nothing(world, plan, fill, orders):
    stock, demand, current = frames(world)
    demand = demand.with_columns(order_id=pl.Series(orders[: demand.height]))
    policy = GRADED.model_copy(update={"fill": Policy(fill=fill).fill})
    once = reallocate(stock, demand, current, plan, policy=policy, as_of=DAY)
    again = reallocate(stock, demand, once.allocations, plan, policy=policy, as_of=DAY)
    assert_frame_equal(again.allocations, once.allocations)
    assert again.moves.is_empty()


@usual
@given(worlds(), plans(), FILLED)
def test_frozen_picked_and_shipped_never_move_and_a_skipped_line_is_not_touched(world, plan, changes):
    after = by_pair(done(world, plan, Policy(**changes)).allocations.to_dicts())
    skipped = {line["line_id"] for line in world[1] if line["kind"] == "skip"}
    for (line, row, stage), qty in by_pair(world[2]).items():
        if stage != "open" or line in skipped:
            assert after.get((line, row, stage)) == qty
    assert not {line for line, _, stage in after if stage == "open" and line in skipped} - {
        row["line_id"] for row in world[2]
    }


@usual
@given(worlds(), plans())
def test_every_strategy_keeps_its_word(world, plan):
    for row in done(world, plan).lines.iter_rows(named=True):
        match row["strategy"]:
            case "win":
                assert row["short"] == 0 or row["exception"]
            case "gain":
                assert row["after"] >= row["before"] or row["exception"]
            case "fill" | "lose":
                assert row["gained"] == 0
        assert row["exception"] <= (row["strategy"] in ("win", "gain"))


@usual
@given(worlds(), plans())
def test_what_lines_lost_and_gained_is_what_went_between_them(world, plan):
    out = done(world, plan)
    before, after = by_pair(world[2]), by_pair(out.allocations.to_dicts())
    change = {key: after.get(key, 0) - before.get(key, 0) for key in {*before, *after}}
    for column, sign in (("from_line", -1), ("to_line", 1)):
        moved = {}
        for row in out.moves.filter(pl.col(column).is_not_null()).iter_rows(named=True):
            key = (row[column], row["stock_id"], "open")
            moved[key] = moved.get(key, 0) + row["qty"]
        assert moved == {key: sign * qty for key, qty in change.items() if sign * qty > 0}


@usual
@given(worlds(), plans(), st.none() | st.integers(0, 4), st.none() | st.integers(0, 12))
def test_no_more_is_changed_than_the_limits_allow(world, plan, lines_max, units_max):
    limited = plan.model_copy(update={"lines_max": lines_max, "units_max": units_max})
    summary = done(world, limited).summary
    assert lines_max is None or summary["lines_changed"] <= lines_max
    assert units_max is None or summary["units_moved"] <= units_max


@usual
@given(worlds(), plans(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(world, plan, random):
    mixed = tuple(random.sample(rows, len(rows)) for rows in world)
    assert by_pair(done(mixed, plan).allocations.to_dicts()) == by_pair(done(world, plan).allocations.to_dicts())
