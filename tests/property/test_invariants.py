"""What must hold of every allocation, checked on the result alone, line by line, by nothing that the kernel uses."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle
from allocator.errors import InputError, PolicyError
from allocator.model.policy import Policy
from small_worlds import AS_OF, QUICK, World, any_fill, evaluator, worlds

Row = dict[str, Any]


def takes_by_line(decided: oracle.Answer) -> dict[str, list[Row]]:
    """The allocations of each line."""
    takes = defaultdict(list)
    for take in decided.allocations:
        takes[take["line_id"]].append(take)
    return takes


@QUICK
@given(worlds())
def test_nothing_is_taken_twice_and_nothing_is_lost(made: World) -> None:
    decided, run = made.decided(), evaluator(made)
    taken: Counter[str] = Counter()
    for take in decided.allocations:
        taken[take["stock_id"]] += take["qty"]
        assert take["qty"] > 0
    assert [row["stock_id"] for row in decided.stock] == sorted(row["stock_id"] for row in made.stock)
    available = {row["stock_id"]: Fraction(row["qty_available"], run.finest) for row in run.stock}
    for row in decided.stock:
        assert row["qty_available"] == available[row["stock_id"]] - taken[row["stock_id"]] >= 0


@QUICK
@given(worlds())
def test_every_line_has_one_answer_and_what_is_short_has_a_reason(made: World) -> None:
    decided = made.decided()
    takes = takes_by_line(decided)
    assert sorted(line["line_id"] for line in decided.lines) == sorted(line["line_id"] for line in made.demand)
    for line in decided.lines:
        own = takes[line["line_id"]]
        assert sum(take["qty_served"] for take in own) == line["allocated"] <= line["requested"]
        assert line["short"] == line["requested"] - line["allocated"]
        assert (line["short"] == 0) == (line["reason"] is None)
        assert [take["rank"] for take in own] == list(range(1, len(own) + 1))
        assert len({take["stock_id"] for take in own}) == len(own)


@QUICK
@given(worlds())
def test_nothing_is_allocated_that_a_rule_forbids(made: World) -> None:
    run = evaluator(made)
    rows, lines = ({r["stock_id"]: r for r in run.stock}, {line["line_id"]: line for line in run.lines})
    for take in made.decided().allocations:
        gates = run.gates(lines[take["line_id"]], rows[take["stock_id"]])
        assert [name for name, passes in gates if not passes] == []


@QUICK
@given(worlds().map(any_fill))
def test_no_earlier_row_with_balance_is_passed_over(made: World) -> None:
    decided, run = made.decided(), evaluator(made)
    takes, balance = takes_by_line(decided), dict(run.start)
    for (line,) in run.units_of_service():
        rows, _ = run.candidates(line)
        left, expected = line["asked"], []
        for row in rows:
            if left > 0 and balance[row["stock_id"]] > 0:
                qty = min(left, balance[row["stock_id"]])
                expected.append((row["stock_id"], Fraction(qty, run.finest)))
                balance[row["stock_id"]] -= qty
                left -= qty
        assert [(take["stock_id"], take["qty"]) for take in takes[line["line_id"]]] == expected


@QUICK
@given(worlds())
def test_every_fill_rule_holds_for_what_was_given(made: World) -> None:
    decided, run = made.decided(), evaluator(made)
    takes, rows = takes_by_line(decided), {row["stock_id"]: row for row in run.stock}
    short = {line["line_id"]: line["short"] for line in decided.lines}
    for line in run.lines:
        fill, own = run.fill(line), takes[line["line_id"]]
        used = [rows[take["stock_id"]] for take in own]
        if fill.whole != "no" and own:
            assert short[line["line_id"]] == 0
        if own and (least := run.amount(line, fill.qty_min)):
            assert sum(take["qty_served"] for take in own) * run.finest >= min(least, line["asked"])
        if pack := run.amount(line, fill.pack):
            assert all(take["qty_served"] * run.finest % pack == 0 for take in own)
        assert fill.rows_max is None or len(own) <= fill.rows_max
        if fill.one == "source":
            assert len({row.get("location") for row in used}) <= 1
        if fill.one == "lot" and len(used) > 1:
            assert len({(row["sku"], row.get("lot")) for row in used}) == 1
            assert used[0].get("lot") is not None


@QUICK
@given(worlds())
def test_an_order_that_must_be_whole_is_whole_or_has_nothing(made: World) -> None:
    run = evaluator(made)
    short = {line["line_id"]: line for line in made.decided().lines}
    for unit in run.units_of_service():
        if run.fill(unit[0]).whole == "order":
            outcomes = [short[line["line_id"]] for line in unit]
            complete = all(line["short"] == 0 for line in outcomes)
            assert complete or all(line["allocated"] == 0 for line in outcomes)
            assert complete or any(line["reason"] != "order_incomplete" for line in outcomes)


@QUICK
@given(worlds().map(any_fill))
def test_rows_come_out_by_group_and_in_the_order_in_which_lines_were_served(made: World) -> None:
    decided, run = made.decided(), evaluator(made)
    served = [line["line_id"] for unit in run.units_of_service() for line in unit]
    group = {line["line_id"]: run.group(line) for line in run.lines}
    ids = [line["line_id"] for line in decided.lines]
    assert [key for key, _ in groupby(ids, key=group.__getitem__)] == [k for k, _ in groupby(sorted(group.values()))]
    assert ids == sorted(ids, key=lambda line_id: (group[line_id], served.index(line_id)))
    assert [i for i, _ in groupby(take["line_id"] for take in decided.allocations)] == [
        line["line_id"] for line in decided.lines if line["allocated"] > 0
    ]


# Exact and checked arithmetic ----------------------------------------------------------------------------------------

LARGE = st.sampled_from([1, 2, 2**53 + 1, 2**62 - 1, 2**62, 2**63 - 2, 2**63 - 1])


@QUICK
@given(st.lists(LARGE, min_size=1, max_size=4), st.lists(LARGE, min_size=1, max_size=3), st.sampled_from([1, "1/3", 3]))
def test_quantities_up_to_the_limit_are_exact_or_refused(on_hand: list[int], asked: list[int], ratio: object) -> None:
    stock = [
        {"stock_id": f"S{n}", "sku": "SALT" if n % 2 else "SEA-SALT", "location": "W1", "qty_on_hand": qty}
        | {"received_on": AS_OF}
        for n, qty in enumerate(on_hand)
    ]
    demand = [{"line_id": f"L{n}", "sku": "SALT", "qty": qty} for n, qty in enumerate(asked)]
    made = World(stock, demand, {"substitutes": [{"sku": "SALT", "substitute": "SEA-SALT", "ratio": ratio}]})
    try:
        decided = made.decided()
    except InputError as refused:
        assert max(sum(on_hand) * 3, sum(asked) * 3) > 2**63 - 1, refused
    else:
        assert decided == made.judged()


# Graphs ---------------------------------------------------------------------------------------------------------------

PAIRS = st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD")).filter(lambda pair: pair[0] != pair[1])
EXCHANGES = st.dictionaries(PAIRS, st.sampled_from([1, 2, Fraction(1, 2)]), max_size=6)


def products_of_rings(exchanges: dict[tuple[str, str], Fraction], path: list[str], product: Fraction) -> list[Fraction]:
    """What the ratios multiply to along every ring that goes on from the path and closes at its start."""
    found = []
    for (sku, other), ratio in exchanges.items():
        if sku == path[-1] and other == path[0]:
            found.append(product * ratio)
        elif sku == path[-1] and other not in path:
            found += products_of_rings(exchanges, [*path, other], product * ratio)
    return found


@QUICK
@given(EXCHANGES)
def test_substitutes_in_a_ring_must_come_back_to_one_for_one(exchanges: dict[tuple[str, str], Fraction]) -> None:
    entries = [{"sku": a, "substitute": b, "ratio": ratio} for (a, b), ratio in exchanges.items()]
    if all(product == 1 for sku in "ABCD" for product in products_of_rings(exchanges, [sku], Fraction(1))):
        assert len(Policy(substitutes=entries).substitutes) == len(exchanges)
    else:
        with pytest.raises(PolicyError) as refused:
            Policy(substitutes=entries)
        assert refused.value.code == "substitute_ring"
