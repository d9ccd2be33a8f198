"""Reallocation as planners meet it: strategies, fences, limits, exceptions, and what is wrong with what they give."""

import datetime as dt
import json
from decimal import Decimal

import polars as pl
import pytest

from allocator import InputError, Policy, PolicyError, allocate
from allocator.cli.app import program
from allocator.reallocation import Reallocation, reallocate

TODAY = dt.date(2026, 3, 1)
STRATEGIES = ["win", "gain", "improve", "redistribute", "fill", "lose", "skip"]
NOBODY = {"line_id": [], "stock_id": [], "qty": []}


def segment(strategy, *values, name=None, **further):
    """A segment of the lines of these customers; of all lines if none is named."""
    filter_ = [{"column": "customer", "op": "in", "value": list(values)}] if values else []
    return {"name": name or strategy, "strategy": strategy, "filter": filter_, **further}


def stock(*quantities):
    ids = [f"S{n}" for n in range(1, len(quantities) + 1)]
    return pl.DataFrame({"stock_id": ids, "sku": "X", "qty_on_hand": quantities})


def demand(**lines):
    return pl.DataFrame({"line_id": list(lines), "sku": "X", "qty": list(lines.values()), "customer": list(lines)})


def has(*pairs):
    rows = [(*pair, "open")[:4] for pair in pairs]
    return pl.DataFrame(rows, schema=["line_id", "stock_id", "qty", "stage"], orient="row") if rows else NOBODY


def deal(stock_, demand_, current, *segments, policy=None, **settings):
    return reallocate(stock_, demand_, current, Reallocation(segments=segments, **settings), policy=policy, as_of=TODAY)


def after(done):
    return dict(done.lines.select("line_id", "after").rows())


def one(done, line_id):
    return done.lines.filter(pl.col("line_id") == line_id).row(0, named=True)


def problems(found):
    return [(p.code, p.table, p.column) for p in found.value.problems]


# What a line that asks 10 has afterwards. `other` is a redistribute line behind it that has what this one lacks of
# the stock, so that nothing is free before.
EXPECTED = {
    # strategy: had nothing, part (4), all (10); each with stock of 6 (short), 10 (exact), 15 (ample)
    "win": [(6, 10, 10), (6, 10, 10), (None, 10, 10)],
    "gain": [(6, 10, 10), (6, 10, 10), (None, 10, 10)],
    "improve": [(6, 10, 10), (6, 10, 10), (None, 10, 10)],
    "redistribute": [(6, 10, 10), (6, 10, 10), (None, 10, 10)],
    "fill": [(0, 0, 0), (4, 4, 4), (None, 10, 10)],
    "lose": [(0, 0, 0), (0, 0, 0), (None, 0, 0)],
    "skip": [(0, 0, 0), (4, 4, 4), (None, 10, 10)],
}


def test_totals_of_decimals_are_exact():
    table = stock(Decimal("90071992547409.93"))
    lines = pl.DataFrame({"line_id": ["A", "B"], "sku": "X", "qty": [Decimal("90071992547409.93"), Decimal("0.01")]})
    done = deal(table, lines, NOBODY, segment("win"), policy=Policy(demand_order=[]))
    totals = {name: done.summary[name] for name in ("units_before", "units_after", "units_moved")}
    assert totals == {
        "units_before": Decimal(0),
        "units_after": Decimal("90071992547409.93"),
        "units_moved": Decimal("90071992547409.93"),
    }
    assert all(isinstance(total, Decimal) for total in totals.values())


def test_a_filter_compares_quantities_in_base_units():
    lines = pl.DataFrame({"line_id": ["A", "B", "C"], "sku": "X", "qty": [Decimal("4.5"), Decimal(5), Decimal("0.5")]})
    large = {"name": "large", "strategy": "win", "filter": [{"column": "qty", "op": ">=", "value": 5}]}
    done = deal(stock(Decimal("9.5")), lines, NOBODY, large, otherwise="skip")
    assert after(done) == {"A": 0, "B": 5, "C": 0}
    within = deal(stock(Decimal("9.5")), lines, NOBODY, segment("win"), filter=large["filter"])
    assert after(within) == {"A": 0, "B": 5, "C": 0}


class TestStrategies:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    @pytest.mark.parametrize(("had", "which"), [(0, 0), (4, 1), (10, 2)])
    @pytest.mark.parametrize(("there", "column"), [(6, 0), (10, 1), (15, 2)])
    def test_a_line_gets_what_its_strategy_says(self, strategy, had, which, there, column):
        expected = EXPECTED[strategy][which][column]
        if expected is None:
            with pytest.raises(InputError) as found:
                deal(
                    stock(there),
                    demand(A=10, other=30),
                    has(("A", "S1", had)),
                    segment(strategy, "A"),
                    otherwise="lose",
                )
            assert problems(found) == [("allocated_above_stock", "stock", "stock_id")]
            return
        held = [("A", "S1", had)] if had else []
        held += [("other", "S1", there - had)] if there > had else []
        segments = [segment(s, "A") for s in [strategy] if s != "skip"]
        done = deal(
            stock(there), demand(A=10, other=30), has(*held), *segments, segment("redistribute", "other", name="o")
        )
        assert after(done) == {"A": expected, "other": there - expected}
        again = reallocate(stock(there), demand(A=10, other=30), done.allocations, done.plan, as_of=TODAY)
        assert again.allocations.equals(done.allocations)
        assert again.summary["units_moved"] == 0

    def test_keeping_comes_before_gaining_whatever_the_sequence_of_segments(self):
        lines, held = demand(new=8, old=5, winner=5), has(("old", "S1", 5))
        done = deal(
            stock(5, 5),
            lines,
            held,
            segment("gain", "new"),
            segment("win", "winner"),
            segment("improve", "old", name="o"),
        )
        assert after(done) == {"new": 0, "old": 5, "winner": 5}

    def test_what_a_winner_took_of_a_keeper_is_replaced_before_anybody_gains(self):
        # The winner needs the good stock; the keeper can live with the rest, which a gain line would take.
        goods = stock(5, 5).with_columns(grade=pl.Series([2, 1]))
        lines = demand(winner=5, keeper=5, gainer=5).with_columns(grade_min=pl.Series([2, 1, 1]))
        policy = Policy(attributes=[{"column": "grade", "op": ">=", "demand_column": "grade_min"}])
        held = has(("keeper", "S1", 5))
        segments = [segment("gain", "gainer"), segment("win", "winner"), segment("improve", "keeper", name="k")]
        done = deal(goods, lines, held, *segments, policy=policy)
        assert after(done) == {"winner": 5, "keeper": 5, "gainer": 0}
        assert done.moves.rows() == [("S1", "keeper", "winner", 5), ("S2", None, "keeper", 5)]

    def test_a_winner_takes_free_stock_before_it_takes_from_anybody(self):
        done = deal(
            stock(10, 10), demand(old=10, vip=10), has(("old", "S1", 10)), segment("win", "vip"), otherwise="improve"
        )
        assert after(done) == {"old": 10, "vip": 10}
        assert done.summary["lines_changed"] == 1

    def test_the_weakest_loses_first_and_the_last_served_of_them(self):
        held = has(("a", "S1", 4), ("b", "S1", 4), ("c", "S1", 4), ("d", "S1", 4))
        segments = [segment("win", "vip"), segment("gain", "a"), segment("improve", "b"), segment("fill", "c", "d")]
        done = deal(stock(16), demand(a=4, b=4, c=4, d=4, vip=9), held, *segments)
        assert after(done) == {"a": 4, "b": 3, "c": 0, "d": 0, "vip": 9}
        assert one(done, "d")["to_lines"] == ["vip"]

    def test_the_weakest_loses_first_even_where_its_stock_comes_last(self):
        held = has(("strong", "S1", 5), ("weak", "S2", 5))
        segments = [segment("win", "vip"), segment("gain", "strong"), segment("fill", "weak")]
        done = deal(stock(5, 5), demand(strong=5, weak=5, vip=5), held, *segments)
        assert after(done) == {"strong": 5, "weak": 0, "vip": 5}
        assert done.moves.rows() == [("S2", "weak", "vip", 5)]

    def test_improve_loses_without_an_exception_and_gain_with_one(self):
        held = has(("a", "S1", 5), ("b", "S2", 5))
        segments = [segment("win", "vip"), segment("gain", "a"), segment("improve", "b")]
        done = deal(stock(5, 5), demand(a=5, b=5, vip=7), held, *segments)
        assert done.lines.select("line_id", "after", "exception").rows() == [
            ("a", 3, True),
            ("b", 0, False),
            ("vip", 7, False),
        ]

    @pytest.mark.parametrize(
        ("fallback", "left"), [(None, 6), ("gain", 6), ("redistribute", 6), ("fill", 4), ("lose", 0)]
    )
    def test_a_winner_that_cannot_be_full_is_what_its_fallback_says(self, fallback, left):
        done = deal(stock(4, 2), demand(vip=10), has(("vip", "S1", 4)), segment("win", "vip", fallback=fallback))
        assert after(done) == {"vip": left}
        assert one(done, "vip")["exception"]

    def test_stock_that_may_no_longer_serve_is_given_back_and_replaced(self):
        goods = stock(5, 5).with_columns(expires_on=pl.Series([dt.date(2026, 2, 1), None]))
        done = deal(goods, demand(A=5), has(("A", "S1", 5)), segment("fill"))
        assert done.moves.rows() == [("S1", "A", None, 5), ("S2", None, "A", 5)]

    def test_a_rule_on_what_is_on_hand_looks_at_the_row_and_not_at_the_part_that_a_line_has(self):
        policy = Policy(attributes=[{"column": "qty_on_hand", "op": ">=", "value": 10}])
        done = deal(stock(12), demand(A=3, B=12), has(("A", "S1", 3)), segment("gain"), policy=policy)
        assert after(done) == {"A": 3, "B": 9}

    def test_smallest_first_goes_by_what_is_free_of_a_row(self):
        policy = Policy(stock_order=["qty_available"])
        lines, held = demand(A=6, B=2), has(("A", "S1", 6))
        done = deal(stock(8, 4), lines, held, segment("gain"), policy=policy)
        assert done.moves.rows() == [("S1", None, "B", 2)]

    @pytest.mark.parametrize("column", ["line_id", "stock_id"])
    def test_ids_may_be_integers_in_any_order_beyond_two_to_the_63(self, column):
        held, goods, lines = has(("b", "S1", 4)), stock(4, 5), demand(b=9, a=3)
        numbers = {"S1": 2**64 - 1, "S2": 2**63, "b": 2**64 - 1, "a": 7}
        given = [
            table.with_columns(pl.col(column).replace_strict(numbers, return_dtype=pl.UInt64))
            if column in table.columns
            else table
            for table in (goods, lines, held)
        ]
        expected = deal(goods, lines, held, segment("gain")).lines
        assert deal(*given, segment("gain")).lines["after"].to_list() == expected["after"].to_list() == [6, 3]

    def test_a_whole_line_that_loses_something_gives_back_the_rest_for_others(self):
        held = has(("whole", "S1", 6))
        lines = demand(whole=6, vip=4, small=2).with_columns(fill=pl.Series(["line", None, None]))
        done = deal(stock(6), lines, held, segment("win", "vip"), segment("improve", "whole", "small"))
        assert after(done) == {"whole": 0, "vip": 4, "small": 2}

    def test_a_substitute_counts_in_units_of_the_line(self):
        goods = pl.DataFrame({"stock_id": ["S1"], "sku": ["Y"], "qty_on_hand": [10]})
        policy = Policy(substitutes=[{"sku": "X", "substitute": "Y", "ratio": 2}])
        result = allocate(goods, demand(A=5), policy, as_of=TODAY)
        done = deal(goods, demand(A=5), result.allocations, segment("gain"), policy=policy)
        assert one(done, "A")["before"] == one(done, "A")["after"] == 5

    def test_quantities_with_decimals_stay_exact(self):
        goods = pl.DataFrame({"stock_id": ["S1"], "sku": ["X"], "qty_on_hand": ["2.5"]}).cast(
            {"qty_on_hand": pl.Decimal(9, 2)}
        )
        held = pl.DataFrame({"line_id": ["A"], "stock_id": ["S1"], "qty": ["1.25"]}).cast({"qty": pl.Decimal(9, 2)})
        done = deal(goods, demand(A=3), held, segment("improve"))
        assert str(one(done, "A")["after"]) == "2.50"


class TestFences:
    @pytest.mark.parametrize(("days", "why"), [(-1, "frozen"), (2, "frozen"), (3, "lost"), (4, "lost"), (5, "horizon")])
    def test_the_last_day_of_a_fence_is_within_it(self, days, why):
        asked = demand(held=5, vip=5).with_columns(needed_on=pl.Series([TODAY + dt.timedelta(days), None]))
        plan = segment("win", "vip"), segment("improve", "held")
        done = deal(stock(5), asked, has(("held", "S1", 5)), *plan, freeze_days=2, horizon_days=4)
        assert one(done, "held")["why"] == why

    @pytest.mark.parametrize("stage", ["frozen", "picked", "shipped"])
    def test_what_is_frozen_picked_or_shipped_stays(self, stage):
        done = deal(
            stock(5), demand(old=5, vip=5), has(("old", "S1", 5, stage)), segment("win", "vip"), otherwise="lose"
        )
        assert after(done) == {"old": 5, "vip": 5 if stage == "shipped" else 0}

    def test_near_days_are_frozen_and_far_ones_beyond_the_horizon(self):
        days = pl.Series([dt.date(2026, 3, day) for day in (1, 3, 10, 11)])
        lines = demand(a=1, b=1, c=1, d=1).with_columns(needed_on=days)
        held = has(*((line, "S1", 1) for line in "abcd"))
        done = deal(stock(4), lines, held, segment("lose"), freeze_days=1, horizon_days=9)
        assert done.lines["why"].to_list() == ["frozen", "given_back", "given_back", "horizon"]

    def test_lines_that_do_not_pass_the_filter_of_the_whole_are_left_alone(self):
        only = [{"column": "customer", "op": "!=", "value": "a"}]
        done = deal(stock(2), demand(a=1, b=1), has(("a", "S1", 1), ("b", "S1", 1)), segment("lose"), filter=only)
        assert after(done) == {"a": 1, "b": 0}


class TestLimits:
    LINES = demand(first=4, second=4, third=4, old=6)
    WHO = (segment("gain", "first", "second", "third", order=["customer"]), segment("fill", "old"))

    @pytest.mark.parametrize(
        ("lines_max", "gained"), [(0, []), (1, ["first"]), (2, ["first", "second"]), (9, ["first", "second", "third"])]
    )
    def test_the_first_in_order_of_service_gain(self, lines_max, gained):
        done = deal(stock(30), self.LINES, has(("old", "S1", 6)), *self.WHO, lines_max=lines_max)
        assert sorted(done.lines.filter(pl.col("gained") > 0)["line_id"]) == sorted(gained)

    def test_units_are_limited_too_and_no_later_wish_is_granted_before_an_earlier_one(self):
        lines = self.LINES.with_columns(qty=pl.Series([4, 9, 1, 6]))
        done = deal(stock(30), lines, has(("old", "S1", 6)), *self.WHO, units_max=6)
        assert after(done) == {"first": 4, "second": 0, "third": 0, "old": 6}
        assert one(done, "second")["why"] == one(done, "third")["why"] == "limit"

    def test_who_gives_back_does_so_only_when_all_others_were_served(self):
        segments = [segment("gain", "vip"), segment("lose", "old")]
        held = has(("old", "S1", 6))
        assert after(deal(stock(9), demand(old=6, vip=3), held, *segments, lines_max=1)) == {"old": 6, "vip": 3}
        assert after(deal(stock(9), demand(old=6, vip=3), held, *segments, lines_max=2)) == {"old": 0, "vip": 3}


class TestBadInput:
    def test_every_problem_of_what_is_held_is_told_at_once(self):
        held = has(("A", "S1", 1), ("?", "S1", 1), ("A", "S9", 1), ("A", "S1", 1))
        with pytest.raises(InputError) as found:
            deal(stock(9), demand(A=9), held, segment("gain"))
        assert problems(found) == [
            ("allocation_twice", "current", "line_id"),
            ("line_unknown", "current", "line_id"),
            ("stock_unknown", "current", "stock_id"),
        ]

    def test_a_stage_that_does_not_exist(self):
        with pytest.raises(InputError) as found:
            deal(stock(9), demand(A=9), has(("A", "S1", 1, "packed")), segment("gain"))
        assert problems(found) == [("stage_unknown", "current", "stage")]

    def test_more_than_is_asked_or_there(self):
        with pytest.raises(InputError) as found:
            deal(stock(9, 5), demand(A=3), has(("A", "S1", 4), ("A", "S2", 6)), segment("gain"))
        assert problems(found) == [
            ("allocated_above_stock", "stock", "stock_id"),
            ("allocated_above_line", "demand", "line_id"),
        ]

    def test_a_line_in_two_segments(self):
        with pytest.raises(InputError) as found:
            deal(stock(9), demand(A=3, B=3), NOBODY, segment("win", "A"), segment("lose", "A", "B"))
        assert problems(found) == [("segment_overlap", "demand", "line_id")]
        assert "win and lose" in str(found.value)

    def test_columns_that_do_not_exist_or_cannot_be_compared(self):
        wrong = segment("win") | {
            "filter": [{"column": "region", "op": "=", "value": "x"}, {"column": "qty", "op": "=", "value": "x"}]
        }
        wrong |= {"order": ["colour"]}
        with pytest.raises(PolicyError) as found:
            deal(stock(9), demand(A=3), NOBODY, wrong)
        assert sorted(problems(found)) == [
            ("policy_column_missing", "reallocation", "segments.0.filter.0"),
            ("policy_column_missing", "reallocation", "segments.0.order.0"),
            ("policy_column_type", "reallocation", "segments.0.filter.1"),
        ]

    def test_problems_of_all_tables_and_of_the_plan_come_together(self):
        bad = segment("win") | {"filter": [{"column": "region", "op": "=", "value": "x"}]}
        with pytest.raises(InputError) as found:
            deal(stock(-1), demand(A=3), has(("A", "S1", -1)), bad)
        assert {p.table for p in found.value.problems} == {"stock", "current", "reallocation"}

    def test_ids_of_another_type(self):
        with pytest.raises(InputError) as found:
            deal(stock(9), demand(A=3), {"line_id": [1], "stock_id": ["S1"], "qty": [1]}, segment("gain"))
        assert problems(found) == [("mixed_keys", "current", "line_id")]

    def test_decimals_that_no_stock_has(self):
        held = has(("A", "S1", Decimal("0.5")), ("B", "S1", Decimal("1.0")))
        with pytest.raises(InputError) as found:
            deal(stock(9), demand(A=3, B=3), held, segment("gain"))
        assert [(p.code, p.column, p.row, p.value) for p in found.value.problems] == [("qty_step", "qty", 0, "0.5")]

    def test_decimals_that_are_zero_do_no_harm(self):
        held = has(("A", "S1", Decimal("2.00"))).cast({"qty": pl.Decimal(38, 30)})
        assert after(deal(stock(9), demand(A=3), held, segment("fill"))) == {"A": 2}

    @pytest.mark.parametrize("served", [{}, {"qty_served": [1]}])
    def test_quantities_that_no_table_could_hold(self, served):
        held = {"line_id": ["A"], "stock_id": ["S1"], "qty": pl.Series([2**63], dtype=pl.UInt64), **served}
        with pytest.raises(InputError) as found:
            deal(stock(9), demand(A=3), held, segment("gain"))
        assert problems(found) == [("value_overflow", "current", "qty")]

    def test_quantities_that_fit_by_themselves_and_not_beside_the_decimals_of_stock(self):
        held = {"line_id": ["A"], "stock_id": ["S1"], "qty": [2**60]}
        with pytest.raises(InputError) as found:
            deal(stock(9).cast({"qty_on_hand": pl.Decimal(20, 6)}), demand(A=3), held, segment("gain"))
        assert problems(found) == [("value_overflow", "current", "qty")]

    def test_quantities_that_are_too_many_together(self):
        rows = [("A", f"gone {number}", 2**60, "shipped") for number in range(16)]
        with pytest.raises(InputError) as found:
            deal(stock(9), demand(A=3), has(*rows), segment("gain"))
        assert ("value_overflow", "current", "qty") in problems(found)

    def test_a_plan_that_is_none(self):
        with pytest.raises(InputError) as found:
            reallocate(stock(1), demand(A=1), NOBODY, {"segments": []}, as_of=TODAY)
        assert found.value.code == "argument_type"

    def test_documents_that_contradict_themselves(self):
        filter_ = [{"column": "qty", "op": "=", "demand_column": "qty"}]
        segments = [
            segment("fill", fallback="lose"),
            segment("gain", name="fill"),
            segment("win", name="w") | {"filter": filter_},
        ]
        with pytest.raises(PolicyError) as found:
            Reallocation(segments=segments, freeze_days=5, horizon_days=4, lines_max=-1)
        assert {p.column for p in found.value.problems} >= {"segments.0.fallback", "segments.2.filter.0", "lines_max"}
        with pytest.raises(PolicyError) as found:
            Reallocation(segments=segments[1:2] * 2, freeze_days=5, horizon_days=4)
        assert problems(found) == [
            ("setting_twice", "reallocation", "segments.1"),
            ("setting_conflict", "reallocation", "horizon_days"),
        ]

    def test_a_document_that_says_nothing(self):
        with pytest.raises(PolicyError) as found:
            Reallocation(segments=[segment("skip")])
        assert problems(found) == [("rule_empty", "reallocation", "segments")]

    def test_tables_without_rows_are_fine(self):
        empty = demand(A=1).clear()
        assert deal(stock(1), empty, NOBODY, segment("win")).summary["lines"] == 0
        assert after(deal(stock(1).clear(), demand(A=1), NOBODY, segment("win"))) == {"A": 0}


class TestPacks:
    def test_a_pack_that_a_winner_opened_is_given_back_to_whoever_takes_single_units(self):
        asked = demand(kept=8, vip=6, small=3).with_columns(fill=pl.Series(["packs", None, None]))
        policy = Policy(fills={"packs": {"pack": 4}})
        segments = segment("win", "vip"), segment("improve", "kept", "small")
        done = deal(stock(10), asked, has(("kept", "S1", 8)), *segments, policy=policy)
        assert after(done) == {"kept": 4, "vip": 6, "small": 0}
        more = asked.with_columns(qty=pl.Series([8, 8, 3]))
        assert after(deal(stock(10), more, has(("kept", "S1", 8)), *segments, policy=policy)) == {
            "kept": 0,
            "vip": 8,
            "small": 2,
        }

    def test_a_pack_may_be_a_column_of_the_line(self):
        asked = demand(kept=9, vip=4).with_columns(case=pl.Series([3, None], dtype=pl.Int64))
        plan = segment("win", "vip"), segment("gain", "kept")
        done = deal(stock(9), asked, has(("kept", "S1", 9)), *plan, policy=Policy(fill={"pack": "case"}))
        assert after(done) == {"kept": 3, "vip": 4}


class TestFiles:
    """Ids of text files are text, in all three tables."""

    @pytest.mark.parametrize("first", ["1", "007"])
    def test_ids_that_look_like_numbers(self, tmp_path, first):
        files = [tmp_path / f"{name}.csv" for name in ("stock", "demand", "current")]
        files[0].write_text("stock_id,sku,qty_on_hand\n10,X,5\n")
        files[1].write_text(f"line_id,sku,qty,customer\n{first},X,5,a\n2,X,4,b\n")
        files[2].write_text(f"line_id,stock_id,qty\n{first},10,5\n")
        done = deal(*files, segment("win", "b"), otherwise="improve")
        assert after(done) == {first: 1, "2": 4}

    def test_what_cannot_be_read_is_told_once(self, tmp_path):
        file = tmp_path / "current.csv"
        file.write_text("line_id,stock_id,qty\nA,S1,many\n")
        with pytest.raises(InputError) as found:
            deal(stock(5), demand(A=3), file, segment("gain"))
        assert problems(found) == [("value_text", "current", "qty")]


class TestCommand:
    def test_it_writes_what_was_done_and_leaves_with_1_for_exceptions(self, tmp_path, capsys):
        stock(5).write_csv(tmp_path / "stock.csv")
        demand(old=5, vip=9).write_csv(tmp_path / "demand.csv")
        has(("old", "S1", 5)).write_csv(tmp_path / "current.csv")
        Reallocation(segments=[segment("win", "vip")], otherwise="gain").dump(tmp_path / "plan.toml")
        files = [str(tmp_path / name) for name in ("stock.csv", "demand.csv", "current.csv", "plan.toml")]
        rest = ["--as-of", "2026-03-01", "--out", str(tmp_path / "out"), "--json", "--fail-exceptions"]
        assert program(["reallocate", *files, *rest]) == 1
        assert json.loads(capsys.readouterr().out)["summary"]["exceptions"] == 1
        assert after_from(tmp_path / "out" / "lines.parquet") == {"old": 5, "vip": 0}


def after_from(path):
    return dict(pl.read_parquet(path).select("line_id", "after").rows())
