"""Presets: policies to start from, each a file that a planner can copy and change."""

import re
from importlib import resources

import pytest

from allocator.errors import PolicyError
from allocator.model.order import STOCK_ORDERS
from allocator.model.policy import Policy

NAMES = Policy.presets()
FOLDER = resources.files("allocator.model") / "presets" / "policy"


def text_of(name):
    return (FOLDER / f"{name}.toml").read_text("utf-8")


def test_there_is_a_preset_for_every_named_stock_order():
    assert set(STOCK_ORDERS) <= set(NAMES)
    assert all(Policy.load(name).stock_order == keys for name, keys in STOCK_ORDERS.items())


def test_there_are_presets_for_customers_contracts_orders_and_lots():
    assert {"strictest_shelf_life", "service_partner", "vip_serials", "whole_orders", "one_lot"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_carries_its_name_one_sentence_and_comments(name):
    policy = Policy.load(name)
    assert policy.name == name
    assert policy.description.endswith(".")
    assert text_of(name).startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_a_preset_is_the_same_policy(name, tmp_path):
    copy = tmp_path / "ours.toml"
    copy.write_text(text_of(name), "utf-8")
    assert Policy.load(copy) == Policy.load(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_comment_offers_works_when_it_is_uncommented(name):
    offered = re.findall(r"^# (\w+ = \{.*?\}|\w+ = \[.*?\])", text_of(name), re.M)
    offered += [block.replace("# ", "") for block in re.findall(r"^# \w+ = \[\n(?:# .*\n)+?# \]", text_of(name), re.M)]
    for setting in offered:
        key = setting.split(" = ")[0]
        part = next((p for p in ("shelf_life", "location") if key in type(getattr(Policy(), p)).model_fields), None)
        assert Policy.loads(f"[{part}]\n{setting}" if part else setting) != Policy()


def test_two_presets_are_never_the_same_policy():
    assert len({Policy.load(name).fingerprint() for name in NAMES}) == len(NAMES)


def test_the_service_partner_gives_repaired_parts_to_amc_first_and_never_under_warranty():
    rules = Policy.load("service_partner").contracts.rules
    order = {
        contract: [r.condition for r in sorted(rules, key=lambda r: r.rank) if r.contract_type == contract]
        for contract in ("amc", "in_warranty", "out_of_warranty")
    }
    assert order == {"amc": ["repaired", "new"], "in_warranty": ["new"], "out_of_warranty": ["new", "repaired"]}


def test_a_misspelt_preset_gets_a_near_miss():
    with pytest.raises(PolicyError, match="Did you mean 'fefo'") as caught:
        Policy.load("feffo")
    assert caught.value.code == "preset_unknown"
