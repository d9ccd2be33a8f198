"""Policies of every kind, for tests that hold for all of them."""

import datetime as dt
from fractions import Fraction

from hypothesis import strategies as st

from allocator.model.order import DEMAND_ORDERS, RANK_KEYS, STOCK_ORDERS, OrderKey
from allocator.model.policy import (
    AttributeRule,
    ContractRule,
    Contracts,
    Distance,
    Fill,
    Location,
    Policy,
    SafetyStock,
    ShelfLife,
    Source,
    Substitute,
    Unit,
)

names = st.sampled_from(["A", "B", "C 1", 'the "best"', "č", "a\\b"])
places = st.sampled_from(["W1", "W1/A", "W1/A/3", "W10", "Z"])
days = st.integers(0, 999)
dates = st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1))
columns = st.sampled_from(["received_on", "expires_on", "zone", "unit_cost"])


def some(strategy, **limits):
    """Tuples of a few."""
    return st.lists(strategy, max_size=3, **limits).map(tuple)


def keys(column):
    key = st.builds(OrderKey, column=column, descending=st.booleans(), nulls=st.sampled_from(["first", "last"]))
    return some(key, unique_by=lambda k: k.column)


numbers = st.integers(-999, 999) | st.decimals(-999, 999, places=2)
quantities = st.integers(1, 999) | st.decimals("0.01", 999, places=2)
ratios = st.fractions(Fraction(1, 9), 9, max_denominator=9)
constants = numbers | dates | st.booleans() | names
comparisons = st.fixed_dictionaries({"column": columns, "nulls": st.sampled_from(["fail", "pass"])})
attributes = st.one_of(
    st.builds(
        lambda base, op, value: AttributeRule(**base, op=op, value=value),
        comparisons,
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        constants,
    ),
    st.builds(
        lambda base, op, values: AttributeRule(**base, op=op, value=values),
        comparisons,
        st.sampled_from(["in", "not_in"]),
        st.one_of(some(kind, min_size=1) for kind in (numbers, dates, names)),
    ),
    st.builds(
        lambda base, ends: AttributeRule(**base, op="between", value=sorted(ends)),
        comparisons,
        st.tuples(numbers, numbers) | st.tuples(dates, dates),
    ),
    st.builds(
        lambda base, op, compare: AttributeRule(**base, op=op, demand_column="asked", compare=compare),
        comparisons,
        st.sampled_from(["=", "<", ">="]),
        st.sampled_from(["plain", "version"]),
    ),
    st.builds(lambda base: AttributeRule(**base, op="between", demand_columns=("low", "high")), comparisons),
)
contract_rules = st.builds(
    ContractRule,
    **dict.fromkeys(("stock_class", "condition", "contract_type", "bu", "sku_group"), st.none() | names),
    valid_from=st.none() | st.dates(dt.date(2020, 1, 1), dt.date(2024, 1, 1)),
    valid_to=st.none() | st.dates(dt.date(2024, 1, 2), dt.date(2030, 1, 1)),
    allow=st.booleans(),
    rank=st.integers(0, 9),
)
contracts = st.builds(
    Contracts,
    rules=some(contract_rules, min_size=1, unique=True),
    otherwise=st.sampled_from(["forbid", "allow"]),
    without_contract=st.sampled_from(["allow", "match"]),
)
locations = st.builds(
    Location,
    scope=st.sampled_from(["tree", "exact", "any"]),
    exclude=some(places, unique=True),
    sources=some(
        st.builds(Source, location=places, source=places, rank=st.integers(1, 9)),
        unique_by=lambda s: (s.location, s.source),
    ),
    own_place=st.sampled_from(["first", "only_if_listed"]),
    distances=some(
        st.builds(Distance, location=places, source=places, distance=days), unique_by=lambda d: (d.location, d.source)
    ),
)
shelf_lives = st.builds(
    ShelfLife,
    usable=st.sampled_from(["through", "until"]),
    measured_at=st.sampled_from(["as_of", "needed_on"]),
    days_min=days,
    **dict.fromkeys(("by_customer", "by_group", "by_sku"), st.dictionaries(names, days, max_size=2)),
    combine=st.sampled_from(["strictest", "most_specific"]),
)
fills = st.builds(
    Fill,
    whole=st.sampled_from(["no", "line", "order"]),
    qty_min=st.none() | quantities | st.just("least"),
    pack=st.none() | quantities | st.just("pack_size"),
    rows_max=st.none() | st.integers(1, 9),
    one=st.sampled_from([None, "lot", "source"]),
    whole_rows=st.booleans(),
)
substitutes = st.builds(Substitute, sku=st.just("A"), substitute=st.sampled_from("XYZ"), ratio=ratios)
policies = st.builds(
    Policy,
    name=names,
    description=st.sampled_from(["", "What we do.", "Což děláme."]),
    demand_order=st.sampled_from(list(DEMAND_ORDERS)) | keys(columns),
    stock_order=st.sampled_from(list(STOCK_ORDERS)) | keys(columns | st.sampled_from([*RANK_KEYS, "distance"])),
    statuses=some(names, min_size=1, unique=True),
    conditions=st.none() | some(names, min_size=1, unique=True),
    owner=st.sampled_from(["any", "exact", "unowned", "deposit_first"]),
    inbound=st.sampled_from(["exclude", "when_needed"]),
    shelf_life=shelf_lives,
    attributes=some(attributes),
    contracts=st.none() | contracts,
    location=locations,
    substitutes=some(substitutes, unique_by=lambda s: (s.sku, s.substitute)),
    safety_stock=some(
        st.builds(SafetyStock, sku=names, location=st.none() | places, qty=quantities),
        unique_by=lambda s: (s.sku, s.location),
    ),
    fill=fills,
    fills=st.dictionaries(names, fills, max_size=2),
    units=some(st.builds(Unit, unit=names, ratio=ratios, sku=st.none() | names), unique_by=lambda u: (u.sku, u.unit)),
    unit_rounding=st.sampled_from(["refuse", "up", "down", "nearest"]),
)
