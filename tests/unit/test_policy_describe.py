"""A policy's words say everything that it does, so that a planner can approve it without reading the file."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from allocator.model.describe import SENTENCES, fill_words
from allocator.model.policy import Fill, Policy
from policies import contracts, fills, locations, policies, shelf_lives


def test_every_setting_has_words():
    assert list(SENTENCES) == list(Policy.model_fields)


@given(policies, st.sampled_from(list(Policy.model_fields)), policies)
def test_changing_any_single_setting_changes_the_words(policy, setting, other):
    changed = policy.model_copy(update={setting: getattr(other, setting)})
    assert (changed.describe() != policy.describe()) == (changed != policy)


@pytest.mark.parametrize(
    ("setting", "parts"),
    [("shelf_life", shelf_lives), ("contracts", contracts), ("location", locations), ("fill", fills)],
)
@given(data=st.data())
def test_changing_any_setting_inside_a_part_changes_the_words(setting, parts, data):
    part, other = data.draw(parts), data.draw(parts)
    inner = data.draw(st.sampled_from(list(type(part).model_fields)))
    changed = part.model_copy(update={inner: getattr(other, inner)})
    assume(changed != part)
    assert Policy(**{setting: changed}).describe() != Policy(**{setting: part}).describe()


@given(policies, policies)
def test_two_policies_have_the_same_words_only_if_they_are_the_same(one, other):
    assert (one.describe() == other.describe()) == (one == other)


def test_what_was_left_as_it_is_is_summed_up_in_the_last_sentence():
    usual = Policy().describe().splitlines()[-1]
    assert usual.startswith('As usual: status "available"; any condition; any owner;')
    assert "any owner" not in Policy(owner="exact").describe()


def test_a_planner_reads_sentences():
    policy = Policy(
        name="spares",
        owner="deposit_first",
        conditions=["new", "repaired"],
        shelf_life={"days_min": 30, "by_customer": {"Hospital": 180}},
        substitutes=[{"sku": "BOLT", "substitute": "BOLT-XL", "ratio": "3/2"}],
        safety_stock=[{"sku": "BOLT", "location": "W1", "qty": 20}],
        fill={"pack": 6, "qty_min": "least"},
    )
    assert policy.describe().splitlines()[3:-1] == [
        "Before all that: substitute_rank, then owner_rank.",
        'Only stock in condition "new" or "repaired" may be taken.',
        "The line's owner's stock is taken first, then stock that nobody owns.",
        "Stock is usable through its expiry day.",
        "Remaining life is measured on the day of the run.",
        "Every line asks at least 30 days of remaining life.",
        'For customer "Hospital" it is 180 days.',
        "The largest minimum that applies counts, with the line's own.",
        '"BOLT-XL" may stand in for "BOLT", 3 for every 2 asked.',
        'Of "BOLT", 20 stay back in "W1" and below.',
        'A line that names no fill rule is served so: any quantity; at least what the line\'s column "least" says or '
        "nothing; in packs of 6 from each row.",
    ]


def test_a_fill_rule_in_words():
    assert fill_words(Fill(whole="order", rows_max=1, one="source", whole_rows=True)) == (
        "the whole order or nothing; from at most 1 stock row; from one place only; "
        "stock rows taken whole or not at all"
    )
