"""Limits as people write them: read strictly, described in words."""

import pytest

from allocator.errors import PolicyError
from allocator.limits import Limits


def problems_of(text):
    with pytest.raises(PolicyError) as caught:
        Limits.loads(text)
    return [(p.code, p.column) for p in caught.value.problems]


@pytest.mark.parametrize("name", Limits.presets())
def test_every_preset_loads_describes_itself_and_reads_back(name):
    limits = Limits.load(name)
    assert Limits.loads(limits.dumps()) == limits
    assert limits.describe().startswith(limits.name)


def test_there_are_presets_in_units_and_in_value():
    assert Limits.presets() == ["units", "units_and_value"]


def test_every_problem_of_a_document_is_reported_at_once():
    found = problems_of(
        """
        above_limit = "shrink"
        [override]
        roles = []
        [[rules]]
        name = "nothing"
        [[rules]]
        name = "late"
        units_max = 3
        trigger = 4
        [[rules]]
        name = "inexact"
        value_max = 0.5
        pack = 0
        units = 3
        """
    )
    assert set(found) == {
        ("setting_value", "above_limit"),
        ("setting_value", "override.roles"),
        ("limit_empty", "rules.0"),
        ("trigger_above_limit", "rules.1.trigger"),
        ("setting_value", "rules.2.value_max"),
        ("setting_value", "rules.2.pack"),
        ("setting_unknown", "rules.2.units"),
    }


@pytest.mark.parametrize("amount", ["-1", "'-0.01'", "'0.0000001'", "1000000000001", "'ten'", "true", "nan", "'NaN'"])
def test_money_out_of_range_or_inexact_is_refused(amount):
    assert problems_of(f"[[rules]]\nname = 'a'\nvalue_max = {amount}") in (
        [("setting_value", "rules.0.value_max")],
        [("document_syntax", "")],
    )


@pytest.mark.parametrize("units", ["-1", "1.0", "'3'", "true", str(2**60 + 1)])
def test_units_out_of_range_or_inexact_are_refused(units):
    (found,) = problems_of(f"[[rules]]\nname = 'a'\nunits_max = {units}")
    assert found[1] == "rules.0.units_max"


def test_two_equally_specific_rules_are_refused_by_name():
    with pytest.raises(PolicyError, match="rules 'one' and 'two' are equally specific for sku=7, bu=B") as caught:
        Limits(
            rules=[
                {"name": "one", "bu": "B", "sku": 7, "units_max": 1},
                {"name": "two", "bu": "B", "sku": "7", "units_max": 2},
            ]
        )
    assert caught.value.code == "limit_conflict"


def test_two_rules_never_share_a_name():
    with pytest.raises(PolicyError) as caught:
        Limits(rules=[{"name": "one", "units_max": 1}, {"name": "one", "bu": "B", "units_max": 1}])
    assert [(p.code, p.column) for p in caught.value.problems] == [("id_duplicate", "rules.1.name")]


def test_limits_say_in_words_what_they_do():
    text = Limits.load("units_and_value").describe()
    assert "status available or quarantine" in text
    assert "A request above its headroom is reduced to what is left." in text
    assert "Who acts as operations_manager may go above a limit, with a reason." in text
    boards, parts = text.splitlines()[-2:]
    assert boards.startswith("boards: for SKU group board, BU service, hold at most 10 units and a value of 40000.00")
    assert parts.startswith("service parts: for BU service")


def test_limits_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Limits().name = "other"


def test_a_sku_without_a_group_falls_under_no_rule_that_names_one_nor_early_under_a_weaker_one() -> None:
    limits = Limits(rules=[
        {"name": "group and SKU", "sku_group": "G1", "sku": "S1", "units_max": 1},
        {"name": "SKU at a partner", "sku": "S1", "asp": "A1", "units_max": 2},
        {"name": "SKU", "sku": "S1", "units_max": 3},
    ])  # fmt: skip
    for group, asp, name in ((None, "A1", "SKU at a partner"), (None, "A2", "SKU"), ("G1", "A1", "group and SKU"),
                             ("G2", "A1", "SKU at a partner")):  # fmt: skip
        rule = limits.rule_for(sku="S1", sku_group=group, asp=asp, bu="B1")
        assert rule is not None and rule.name == name
    assert limits.rule_for(sku="S2", sku_group=None, asp="A1", bu="B1") is None
