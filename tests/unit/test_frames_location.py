"""A place contains what lies below it, and nothing whose name only begins like it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allocator.frames.location import tree_codes

PATHS = st.lists(st.from_regex(r"\A[ab\-](/[ab\-0]{1,2}){0,3}\Z"), unique=True)


def test_a_place_and_all_below_it_are_neighbours() -> None:
    tree = tree_codes(["W10", "W1-X", "W1/A/3", "W1", "W1/A"])
    assert tree.paths == ("W1", "W1/A", "W1/A/3", "W1-X", "W10")
    assert tree.interval("W1") == (0, 3)
    assert tree.interval("W1/A") == (1, 3)
    assert tree.interval("W10") == (4, 5)


def test_a_place_that_no_row_names_contains_what_lies_below_it() -> None:
    tree = tree_codes(["W2/A", "W2/B", "W3"])
    assert tree.interval("W2") == (0, 2)
    low, high = tree.interval("W1")
    assert low == high


@given(PATHS, st.from_regex(r"\A[ab\-](/[ab\-0]{1,2}){0,3}\Z"))
def test_an_interval_holds_exactly_what_lies_within(paths: list[str], place: str) -> None:
    tree = tree_codes(paths)
    low, high = tree.interval(place)
    within = {path for path in paths if path == place or path.startswith(place + "/")}
    assert set(tree.paths[low:high]) == within
    assert [tree.paths[code] for code in tree.codes] == paths
    for code, path in enumerate(tree.paths):
        assert (code, tree.ends[code]) == tree.interval(path)
