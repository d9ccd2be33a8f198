"""A policy is the same policy in every file format, notation and process."""

import json
import os
import re
import subprocess
import sys
import tomllib
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.errors import PolicyError
from allocator.model.automation import Automation
from allocator.model.policy import Policy
from policies import policies

FORMS = ("toml", "yaml", "json")


@given(policies, st.sampled_from(FORMS))
def test_a_policy_comes_back_from_every_format_as_it_went(policy, form):
    assert Policy.loads(policy.dumps(form), form) == policy


@given(policies)
def test_a_policy_has_the_same_fingerprint_whatever_file_it_came_from(policy):
    assert {Policy.loads(policy.dumps(form), form).fingerprint() for form in FORMS} == {policy.fingerprint()}


@given(policies, policies)
def test_policies_have_the_same_fingerprint_only_if_they_are_equal(one, other):
    assert (one.fingerprint() == other.fingerprint()) == (one == other)


@given(policies, st.sampled_from(list(Policy.model_fields)), policies)
def test_every_setting_counts_in_the_fingerprint(policy, setting, other):
    changed = policy.model_copy(update={setting: getattr(other, setting)})
    assert (changed.fingerprint() != policy.fingerprint()) == (changed != policy)


@given(policies, st.randoms(use_true_random=False))
def test_the_sequence_of_keys_in_a_file_does_not_matter(policy, random):
    def shuffled(data):
        if isinstance(data, dict):
            items = [(key, shuffled(value)) for key, value in data.items()]
            random.shuffle(items)
            return dict(items)
        return [shuffled(item) for item in data] if isinstance(data, list) else data

    other = Policy.loads(json.dumps(shuffled(policy.plain())), "json")
    assert other == policy
    assert other.fingerprint() == policy.fingerprint()


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ('stock_order = "fefo"', ""),
        ('stock_order = "fifo"', 'stock_order = ["received_on"]'),
        ('stock_order = "lifo"', 'stock_order = [{column = "received_on", descending = true, nulls = "last"}]'),
        ("fill = {pack = 6}", "fill = {pack = 6.0}"),
        ("fill = {pack = 2.5}", 'fill = {pack = "2.50"}'),
        ('units = [{unit = "dozen", ratio = 12}]', 'units = [{unit = "dozen", ratio = "24/2"}]'),
        ('units = [{unit = "kg", ratio = "2.5"}]', 'units = [{unit = "kg", ratio = "5/2"}]'),
        (
            'attributes = [{column = "made_on", op = ">=", value = 2026-01-31}]',
            'attributes = [{column = "made_on", op = ">=", value = "2026-01-31"}]',
        ),
        (
            'attributes = [{column = "weight", op = "<", value = 3}]',
            'attributes = [{column = "weight", op = "<", value = 3.0}]',
        ),
        ("[shelf_life]\ndays_min = 0", ""),
    ],
)
def test_two_notations_of_the_same_thing_are_the_same_policy(short, long):
    assert Policy.loads(short) == Policy.loads(long)
    assert Policy.loads(short).fingerprint() == Policy.loads(long).fingerprint()


def test_the_fingerprint_is_the_same_in_another_process_with_another_hash_seed():
    policy = Policy(statuses=["a", "b"], shelf_life={"by_sku": {"x": 1, "y": 2}}, fills={"boxes": {"pack": 12}})
    code = (
        f"from allocator.model.policy import Policy;print(Policy.loads({policy.dumps('json')!r}, 'json').fingerprint())"
    )
    seeds = ("0", "1", "2")
    told = {
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, text=True,
                       capture_output=True, check=True).stdout.strip()
        for seed in seeds
    }  # fmt: skip
    assert told == {policy.fingerprint()}


def test_an_exact_number_stays_exact_through_every_format():
    policy = Policy(fill={"pack": "33.60"}, units=[{"unit": "third", "ratio": "1/3"}])
    for form in FORMS:
        again = Policy.loads(policy.dumps(form), form)
        assert str(again.fill.pack) == "33.6"
        assert str(again.units[0].ratio) == "1/3"


def test_what_can_be_loaded_fits_the_json_schema():
    jsonschema = pytest.importorskip("jsonschema")
    schema = Policy.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    amounts = Policy(fill={"pack": "pack_of", "qty_min": "2.50"}, fills={"boxes": {"pack": 12}})
    presets = resources.files("allocator.model") / "presets" / "policy"
    said = [tomllib.loads((presets / f"{name}.toml").read_text("utf-8")) for name in Policy.presets()]
    said += [policy.plain() for policy in (*map(Policy.load, Policy.presets()), amounts)]
    said += [{"fill": {"pack": "12"}}, {"demand_order": ["priority", {"column": "needed_on", "nulls": "first"}]}]
    for each in said:
        assert list(validator.iter_errors(json.loads(json.dumps(each, default=str)))) == []
    assert not validator.is_valid({"fill": {"pack": "two\nlines"}})
    assert not validator.is_valid({"name": " blank"})


def test_equal_policies_say_the_same_and_can_be_keys():
    def compares(value):
        return Policy(attributes=[{"column": "grade", "op": "=", "value": value}])

    assert compares(1) == compares(Decimal("1.0"))
    assert compares(1) != compares(value=True)
    assert compares(1) != 1
    assert len({compares(1), compares(Decimal(1)), compares(value=True), Policy(fills={"a": {}})}) == 3


def test_the_json_schema_knows_every_setting_and_describes_it():
    schema = Policy.json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == set(Policy.model_fields)
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema


def test_a_policy_cannot_be_changed_once_it_is_made():
    with pytest.raises(ValueError, match="frozen"):
        Policy().owner = "exact"


@pytest.mark.parametrize("moment", ["2026-01-31T08:00:00", "2026-01-31T08:00:00Z", '"2026-01-31T08:00:00.5"'])
def test_a_moment_as_a_constant_is_refused_and_does_not_become_text(moment):
    with pytest.raises(PolicyError) as caught:
        Policy.loads(f'attributes = [{{column = "made_on", op = ">=", value = {moment}}}]')
    (problem,) = caught.value.problems
    assert problem.column == "policy.attributes.0.value" or problem.column.startswith("attributes.0.value")
    assert "a day, not a time of day" in problem.message


def test_patterns_of_automation_are_in_a_notation_that_any_reader_of_its_schema_knows():
    """Python's own `re` has no classes of Unicode, as most validators have none."""
    named = Automation.json_schema()["$defs"]["Rule"]["properties"]["name"]
    assert [bool(re.search(named["pattern"], name)) for name in ("é 1", "数-2", "_", "a > b")] == [1, 1, 0, 0]
