"""What is wrong with a policy is said at once, all of it, with its place and what to do."""

import datetime as dt

import pytest

from allocator.errors import PolicyError
from allocator.model.policy import Policy


def problems(text):
    with pytest.raises(PolicyError) as caught:
        Policy.loads(text)
    assert all(p.table == "policy" for p in caught.value.problems)
    return {(p.code, p.column): p for p in caught.value.problems}


def test_ten_mistakes_are_ten_problems():
    found = problems("""
        statusses = ["available"]
        owner = "exakt"
        statuses = []
        demand_order = ["distance", "priority", "priority"]
        stock_order = "fefu"
        shelf_life = {days_min = "10"}
        fill = {rows_max = 0, whole_rows = 1}
        location = {exclude = ["W1//A"]}
        substitutes = [{sku = "A", substitute = "A"}]
    """)
    assert set(found) == {
        ("setting_unknown", "statusses"),
        ("setting_value", "owner"),
        ("setting_value", "statuses"),
        ("setting_conflict", "demand_order.0"),
        ("setting_twice", "demand_order.2"),
        ("setting_value", "stock_order"),
        ("setting_type", "shelf_life.days_min"),
        ("setting_value", "fill.rows_max"),
        ("setting_type", "fill.whole_rows"),
        ("place_malformed", "location.exclude.0"),
        ("setting_conflict", "substitutes.0"),
    }
    assert found["setting_unknown", "statusses"].hint == "Did you mean 'statuses'?"
    assert found["setting_value", "owner"].hint == "Did you mean 'exact'?"
    assert "fefo" in found["setting_value", "stock_order"].message


def test_a_policy_made_in_python_is_checked_in_the_same_way():
    with pytest.raises(PolicyError) as caught:
        Policy(ownr="any", substitutes=[{"sku": "A", "substitute": "A"}])
    assert {p.column for p in caught.value.problems} == {"ownr", "substitutes.0"}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('demand_order = ["priority", "priority"]', "demand_order.1"),
        ('stock_order = ["lot", {column = "lot", descending = true}]', "stock_order.1"),
        ('statuses = ["a", "b", "a"]', "statuses.2"),
        ('conditions = ["new", "new"]', "conditions.1"),
        ('location = {exclude = ["W1", "W1"]}', "location.exclude.1"),
        (
            'location = {sources = [{location="A", source="B"}, {location="A", source="B", rank=2}]}',
            "location.sources.1",
        ),
        (
            'location = {distances = [{location="A", source="B", distance=1}, {location="A", source="B", distance=2}]}',
            "location.distances.1",
        ),
        ('substitutes = [{sku="A", substitute="B"}, {sku="A", substitute="B", ratio=2}]', "substitutes.1"),
        ('safety_stock = [{sku="A", qty=1}, {sku="A", qty=2}]', "safety_stock.1"),
        ('units = [{unit="box", ratio=6}, {unit="box", ratio=12}]', "units.1"),
    ],
)
def test_the_second_of_two_entries_for_one_thing_is_named(text, column):
    assert set(problems(text)) == {("setting_twice", column)}


def test_what_looks_like_a_duplicate_and_is_none_is_accepted():
    Policy.loads("""
        units = [{unit = "box", ratio = 6}, {unit = "box", ratio = 12, sku = "A"}]
        safety_stock = [{sku = "A", qty = 1}, {sku = "A", location = "W1", qty = 1}]
        stock_order = ["source_rank", "contract_rank", "received_on"]
        [[contracts.rules]]
        condition = "new"
        [[contracts.rules]]
        condition = "new"
        valid_from = 2026-01-01
    """)


@pytest.mark.parametrize("place", ["/W1", "W1/", "W1//A", "W1 /A", "W1/ A", "/"])
@pytest.mark.parametrize(
    ("text", "column"),
    [
        ('location = {{exclude = ["{0}"]}}', "location.exclude.0"),
        ('location = {{sources = [{{location = "{0}", source = "W"}}]}}', "location.sources.0.location"),
        ('location = {{sources = [{{location = "W", source = "{0}"}}]}}', "location.sources.0.source"),
        (
            'location = {{distances = [{{location = "W", source = "{0}", distance = 1}}]}}',
            "location.distances.0.source",
        ),
        ('safety_stock = [{{sku = "A", qty = 1, location = "{0}"}}]', "safety_stock.0.location"),
    ],
)
def test_a_place_that_is_no_path_is_refused(text, column, place):
    assert set(problems(text.format(place))) == {("place_malformed", column)}


def exchange(*entries):
    return {"substitutes": [{"sku": sku, "substitute": other, "ratio": ratio} for sku, other, ratio in entries]}


def test_skus_may_stand_in_for_each_other_at_reciprocal_ratios():
    Policy(**exchange(("A", "B", "3/2"), ("B", "A", "2/3")))
    Policy(**exchange(("A", "B", 2), ("B", "C", 3), ("C", "A", "1/6"), ("A", "C", 6), ("C", "D", 5), ("E", "A", 7)))


@pytest.mark.parametrize(
    ("entries", "second"),
    [
        ([("A", "B", 2), ("B", "A", 2)], "substitutes.1"),
        ([("A", "B", 1), ("B", "C", 1), ("C", "A", "3/2")], "substitutes.2"),
        ([("X", "A", 9), ("A", "B", 2), ("B", "C", 3), ("C", "A", "1/6"), ("A", "C", 5)], "substitutes.2"),
    ],
)
def test_a_ring_of_substitutes_that_makes_units_out_of_nothing_is_refused(entries, second):
    with pytest.raises(PolicyError, match="ratios along the ring") as caught:
        Policy(**exchange(*entries))
    assert [(p.code, p.column) for p in caught.value.problems] == [("substitute_ring", second)]


def test_every_ring_is_reported_once():
    with pytest.raises(PolicyError) as caught:
        Policy(**exchange(("A", "B", 2), ("B", "A", 2), ("C", "D", 3), ("D", "C", 3), ("B", "C", 4)))
    assert [p.column for p in caught.value.problems] == ["substitutes.1", "substitutes.3"]


def test_a_chain_of_a_hundred_thousand_substitutes_is_fine():
    chain = [(f"S{i}", f"S{i + 1}", 2) for i in range(100_000)]
    Policy(**exchange(*chain))
    with pytest.raises(PolicyError, match="substitute_ring"):
        Policy(**exchange(*chain, ("S50000", "S49999", 2)))
    with pytest.raises(PolicyError, match="substitute_ring"):
        Policy(**exchange(*chain, ("S100000", "S0", 2)))


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ('demand_order = ["source_rank"]', "demand_order.0", "orders stock"),
        ('demand_order = ["qty_available"]', "demand_order.0", "orders stock"),
        ('stock_order = ["shelf_life_days_min"]', "stock_order.0", "orders lines"),
        ('stock_order = ["-received_on"]', "stock_order.0", "descending = true"),
        ('fills = {line = {whole = "no"}}', "fills.line", "always means the same"),
        ("fill = {qty_min = true}", "fill.qty_min", "is a number"),
        ("fill = {pack = 0}", "fill.pack", "greater than 0"),
        ("fill = {pack = 1.2345678901234567}", "fill.pack", "at most 15 digits"),
        ("fill = {pack = inf}", "", "JSON"),
        ('units = [{unit = "third", ratio = 0.3333}]', "units.0.ratio", "exact"),
        ('units = [{unit = "none", ratio = "1/0"}]', "units.0.ratio", "exact"),
        ('units = [{unit = "none", ratio = 0}]', "units.0.ratio", "greater than 0"),
        ('units = [{unit = "half", ratio = "\\u0661/\\u0662"}]', "units.0.ratio", "exact"),
        ("contracts = {rules = []}", "contracts.rules", "at least one"),
        ("contracts = {rules = [{valid_from = 2026-02-01, valid_to = 2026-01-01}]}", "contracts.rules.0", "before"),
        ('attributes = [{column = "a", op = "in", value = 5}]', "attributes.0", "takes a list"),
        ('attributes = [{column = "a", op = "=", value = [5]}]', "attributes.0", "a single value"),
        ('attributes = [{column = "a", op = "in", value = []}]', "attributes.0", "is empty"),
        ('attributes = [{column = "a", op = "in", value = [1, "a"]}]', "attributes.0", "all numbers"),
        ('attributes = [{column = "a", op = "between", value = [2, 1]}]', "attributes.0", "low end"),
        ('attributes = [{column = "a", op = "between", value = [1, 2, 3]}]', "attributes.0", "a list of two"),
        ('attributes = [{column = "a", op = ">=", value = 2, compare = "version"}]', "attributes.0", "version is text"),
        ('attributes = [{column = "a", op = "="}]', "attributes.0", "exactly one of"),
        ('attributes = [{column = "a", op = "in", demand_column = "b"}]', "attributes.0", "one demand column"),
        (
            'attributes = [{column = "a", op = "=", demand_columns = ["b", "c"]}]',
            "attributes.0",
            "goes with op 'between'",
        ),
        ('attributes = [{column = "a", op = "=", value = {b = 1}}]', "attributes.0.value", "a constant is"),
        ('name = ""', "name", "at least 1"),
        ('safety_stock = [{sku = "A", qty = -1}]', "safety_stock.0.qty", "greater than 0"),
        ('location = {sources = [{location = "A"}]}', "location.sources.0.source", "required"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_where_it_stands(text, column, words):
    (found,) = problems(text).values()
    assert found.column == column
    assert words in f"{found.message} {found.hint}"


def test_a_time_of_day_is_no_constant():
    with pytest.raises(PolicyError, match="not a time of day"):
        Policy(attributes=[{"column": "made_at", "op": "=", "value": dt.datetime(2026, 1, 1, 8, 0)}])
