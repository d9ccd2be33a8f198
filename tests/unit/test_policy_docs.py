"""docs/policies.md explains every setting, and every example in it works."""

import re
import tomllib
from pathlib import Path

import pytest

from allocator.model.document import Part
from allocator.model.order import DEMAND_ORDERS, STOCK_ORDERS
from allocator.model.policy import (
    AttributeRule,
    ContractRule,
    Contracts,
    Distance,
    Fill,
    Location,
    OrderKey,
    Policy,
    SafetyStock,
    ShelfLife,
    Source,
    Substitute,
    Unit,
)

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)
PARTS = [AttributeRule, ContractRule, Contracts, Distance, Fill, Location, OrderKey, Policy, SafetyStock, ShelfLife]
PARTS += [Source, Substitute, Unit]


@pytest.mark.parametrize("example", EXAMPLES, ids=[text.splitlines()[0] for text in EXAMPLES])
def test_every_example_is_a_policy_that_differs_from_the_default(example):
    policy = Policy.loads(example)
    assert policy != Policy()
    assert Policy.loads(policy.dumps()) == policy


def keys_of(data):
    """Every key anywhere in a parsed file."""
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return set(data if isinstance(data, dict) else ()).union(*map(keys_of, inner))


def test_the_examples_together_use_every_setting():
    written = set().union(*(keys_of(tomllib.loads(example)) for example in EXAMPLES))
    assert {setting for part in PARTS for setting in part.model_fields} <= written


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_setting_is_explained(part: type[Part]):
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S)
    explained = set(re.findall(r"`([\w.]+)`", prose))
    missing = {setting for setting in part.model_fields if setting not in explained}
    assert not missing


def rows_under(heading, count):
    """The first cells of the `count`-th table below a heading."""
    below = PAGE.split(f"\n## {heading}", 1)[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", below, re.M)
    return re.findall(r"^\| `(\w+)`", tables[count], re.M)


def test_the_table_of_presets_lists_every_preset():
    assert rows_under("Presets", 0) == Policy.presets()


def test_the_tables_of_orders_list_every_named_order():
    assert rows_under("In which order lines", 0) == list(DEMAND_ORDERS)
    assert sorted(rows_under("In which order a line looks", 0)) == sorted(STOCK_ORDERS)


@pytest.mark.parametrize("name", [*DEMAND_ORDERS, *STOCK_ORDERS])
def test_the_tables_of_orders_give_the_keys_in_their_sequence(name):
    (keys,) = re.findall(rf"^\| `{name}`(?: \(default\))? \| (.*) \|$", PAGE.split("## In which order", 1)[1], re.M)
    order = (DEMAND_ORDERS | STOCK_ORDERS)[name]
    assert re.findall(r"`(\w+)`", keys) == [key.column for key in order]
    for key in order:
        assert bool(re.search(rf"`{key.column}` \((greatest|latest) first\)", keys)) == key.descending


def test_the_python_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    exec(code, {})
    assert Policy.load(tmp_path / "ours.toml") == Policy.load("fefo")
