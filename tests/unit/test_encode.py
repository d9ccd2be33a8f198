"""Keys become codes that depend on their values only; ids are there once; whatever way a column is stored."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from allocator import _core
from allocator.errors import InputError

NULL = 2**32 - 1
WORDS = ["W10", "W1/A", None, "W1", "W10", "a name longer than twelve bytes", "", "É", "E\u0301"]
RANKS = [4, 3, NULL, 2, 4, 5, 0, 6, 1]


def encode(*columns: object) -> tuple[list[list[int]], list[object]]:
    codes, values = _core.encode(list(columns))
    return [pl.Series(code).to_list() for code in codes], pl.Series(values).to_list()


@pytest.mark.parametrize(
    "column",
    [
        pl.Series(WORDS),
        pl.Series(WORDS, dtype=pl.Categorical),
        pl.Series(WORDS, dtype=pl.Enum(["unused", *dict.fromkeys(word for word in WORDS if word is not None)])),
        pa.array(WORDS, pa.string()),
        pa.array(WORDS, pa.large_string()),
        pa.array(["behind", *WORDS, None], pa.string_view())[1:-1],
        pa.array(WORDS).dictionary_encode(),
        pl.Series(["x", *WORDS, "y"]).slice(1, len(WORDS)),
    ],
    ids=["String", "Categorical", "Enum", "utf8", "large utf8", "sliced views", "dictionary", "sliced String"],
)
def test_the_code_of_a_text_is_its_rank_however_it_is_stored(column: object) -> None:
    codes, values = encode(column)
    assert codes == [RANKS]
    assert values == sorted({word for word in WORDS if word is not None}, key=str.encode)


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64])
def test_integers_of_any_width_are_the_same_keys(dtype: pl.DataType) -> None:
    codes, values = encode(pl.Series([7, 3, None, 7], dtype=dtype), pl.Series([3, 100]))
    assert codes == [[1, 0, NULL, 1], [0, 2]]
    assert values == [3, 7, 100]


def test_codes_depend_on_content_and_not_on_the_order_of_rows_or_chunks() -> None:
    rng = np.random.default_rng(7)
    keys = pl.Series(rng.integers(0, 3_000, 50_000)).cast(pl.String)
    shuffle = rng.permutation(len(keys))
    (straight,), values = encode(keys)
    (shuffled,), same_values = encode(keys.gather(shuffle))
    assert same_values == values
    assert np.array_equal(np.array(straight)[shuffle], shuffled)


def test_many_distinct_texts_of_any_length_get_their_rank() -> None:
    rows = 1_500_000
    for prefix in ("", "a prefix of 20 bytes"):
        keys = pl.select(pl.lit(prefix) + pl.int_range(rows).reverse().cast(pl.String).str.zfill(8)).to_series()
        (codes,), _ = _core.encode([keys])
        assert pl.Series(codes).equals(pl.select(pl.int_range(rows, dtype=pl.UInt32).reverse()).to_series())


def test_strings_and_integers_cannot_be_the_same_key() -> None:
    with pytest.raises(InputError) as caught:
        encode(pl.Series(["1"]), pl.Series([1]))
    assert caught.value.code == "mixed_keys"


def test_a_column_of_floats_is_no_key() -> None:
    with pytest.raises(InputError) as caught:
        encode(pl.Series([1.0]))
    assert caught.value.code == "column_type"


def test_ids_that_ascend_are_unique_without_more_work() -> None:
    report = _core.check_ids(pl.Series(["A", "B", "BA"]), 10)
    assert (report.ascending, report.repeats) == (True, 0)


def test_a_repeated_id_is_reported_with_the_row_that_had_it_first() -> None:
    report = _core.check_ids(pl.Series(["B", "A", None, "", "B", "A", "B"]), 2)
    assert (report.ascending, report.repeats) == (False, 3)
    assert report.first_repeats == [(4, 0), (5, 1)]


def test_one_repeat_among_many_shuffled_ids_is_found() -> None:
    ids = pl.Series(np.random.default_rng(5).permutation(200_000)).cast(pl.String).str.zfill(12)
    assert _core.check_ids(ids, 10).repeats == 0
    ids[150_000] = ids[12]
    assert _core.check_ids(ids, 10).first_repeats == [(150_000, 12)]


def test_ids_are_sorted_by_code_point_with_missing_ones_last() -> None:
    ids = pl.Series(["S10", "S9", None, "S1", "a much longer id than the others", "É"])
    assert pl.Series(_core.argsort_ids(ids)).to_list() == [3, 0, 1, 4, 5, 2]


def test_nul_characters_are_found_in_short_and_long_texts_and_in_categories() -> None:
    texts = ["fine", "short\0", None, "a longer text with a \0 in it", "\0"]
    assert _core.rows_with_nul(pl.Series(texts), 10) == [1, 3, 4]
    assert _core.rows_with_nul(pl.Series(texts, dtype=pl.Categorical), 2) == [1, 3]
    assert _core.rows_with_nul(pl.Series(["fine", "a text too long for a view", "short\0"]), 2) == [2]
    assert _core.rows_with_nul(pl.Series(["short\0", "fine", "a text too long for a view"])[1:], 2) == []
    assert _core.rows_with_nul(pl.Series([0]), 2) == []


def test_ids_are_matched_whatever_their_length_and_those_that_are_unknown_are_null() -> None:
    ids = ["W10", "a name longer than twelve bytes", "", "É"]
    asked = pl.Series(["É", "W1", "", "W10", None, "É", "a name longer than twelve bytes"])
    assert pl.Series(_core.match_ids(pl.Series(ids), asked)).to_list() == [3, None, 2, 0, None, 3, 1]
    assert pl.Series(_core.match_ids(pl.Series(ids[:1]), asked.head(2))).to_list() == [None, None]
    assert pl.Series(_core.match_ids(pl.Series([], dtype=pl.String), asked.head(2))).to_list() == [None, None]


@pytest.mark.parametrize("step", [1, 1_000_003])
def test_many_shuffled_integers_are_matched(step: int) -> None:
    rng = np.random.default_rng(1)
    ids = rng.permutation(50_000) * step
    asked = rng.integers(0, 50_000, 70_000) * step
    found = pl.Series(_core.match_ids(pl.Series(ids), pl.Series(asked.astype(np.uint64)))).to_numpy()
    assert (ids[found] == asked).all()


def test_integers_beyond_two_to_the_63_match_themselves_and_no_negative_ones() -> None:
    ids = pl.Series([2**64 - 1, 7, 2**63], dtype=pl.UInt64)
    assert pl.Series(_core.match_ids(ids, pl.Series([-1, 7, -(2**63)]))).to_list() == [None, 1, None]
    assert pl.Series(_core.match_ids(ids, ids.reverse())).to_list() == [2, 1, 0]
    with pytest.raises(InputError, match="mixed_keys"):
        _core.match_ids(ids, pl.Series(["7"]))
