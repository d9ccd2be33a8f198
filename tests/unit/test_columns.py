"""Columns cross the boundary without copies, and what cannot cross is refused with a typed error."""

import ctypes
import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from allocator import _core, engine
from allocator.errors import InputError, InternalError


def address(numbers: pl.Series) -> int:
    return numbers.to_numpy(allow_copy=False).__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", [pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Int8, pl.Int32, pl.Int64, pl.Float64])
def test_numbers_share_their_memory_both_ways(dtype):
    given = pl.Series("qty", [3, 1, 2], dtype=dtype)
    back = engine.series("qty", engine.column(given))
    assert back.equals(given)
    assert back.name == "qty"
    assert address(back) == address(given)


def test_a_slice_shares_the_memory_of_the_whole():
    whole = pl.Series("qty", range(10))
    back = engine.series("qty", engine.column(whole[4:7]))
    assert back.to_list() == [4, 5, 6]
    assert address(back) == address(whole) + 4 * 8


def test_the_memory_outlives_the_series_it_came_from():
    held = engine.column(pl.Series("qty", np.arange(1_000_000)))
    assert engine.series("qty", held).sum() == 499_999_500_000


@pytest.mark.parametrize(
    "given",
    [
        pl.Series("x", [1, None, 3]),
        pl.Series("x", [True, None, False]),
        pl.Series("x", ["short", None, "longer than twelve bytes", ""]),
        pl.Series("x", ["A", None, "B"], dtype=pl.Categorical),
        pl.Series("x", [dt.date(2026, 1, 31), None]),
        pl.Series("x", [dt.datetime(2026, 1, 31, 12), None], dtype=pl.Datetime("ms", "Europe/Prague")),
        pl.Series("x", [Decimal("33.60"), None]),
        pl.Series("x", [], dtype=pl.Int64),
        pl.Series("x", [], dtype=pl.String),
        pl.Series("x", [None, None], dtype=pl.Int64),
    ],
    ids=lambda given: f"{given.dtype}-{len(given)}",
)
def test_every_type_of_a_table_comes_back_as_it_went(given):
    assert engine.series("x", engine.column(given)).equals(given, check_dtypes=True, null_equal=True)


def test_several_chunks_are_joined_by_the_engine_and_refused_by_the_core():
    parts = pl.concat([pl.Series("x", [1]), pl.Series("x", [2])], rechunk=False)
    assert engine.series("x", engine.column(parts)).to_list() == [1, 2]
    with pytest.raises(InputError, match="has 2 chunks") as caught:
        _core.Column(parts)
    assert caught.value.code == "column_chunks"


@pytest.mark.parametrize(
    "given", [pl.Series([None, None]), pl.Series([1], dtype=pl.Int128), 5], ids=["all null", "Int128", "no column"]
)
def test_what_arrow_cannot_carry_is_refused_with_a_hint(given):
    with pytest.raises(InputError) as caught:
        _core.Column(given)
    assert caught.value.code == "column_type"
    assert caught.value.problems[0].hint


class ArrowSchema(ctypes.Structure):
    _fields_ = [
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("private_data", ctypes.c_void_p),
    ]


class ArrowArray(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")],
        *[(name, ctypes.c_void_p) for name in ("buffers", "children", "dictionary")],
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("private_data", ctypes.c_void_p),
    ]


class LyingProducer:
    """Says that its table has no columns, and gives one: an assertion in the Arrow library panics."""

    def __init__(self):
        release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
        self.schema = ArrowSchema(format=b"+s", name=b"", release=release)
        self.array = ArrowArray(n_buffers=1, n_children=1, release=release)
        self.array.buffers = ctypes.cast(ctypes.pointer((ctypes.c_void_p * 1)()), ctypes.c_void_p)

    def __arrow_c_array__(self, requested_schema=None):
        capsule = ctypes.pythonapi.PyCapsule_New
        capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return (
            capsule(ctypes.addressof(self.schema), b"arrow_schema", None),
            capsule(ctypes.addressof(self.array), b"arrow_array", None),
        )


def test_a_panic_is_an_internal_error_and_stays_off_stderr(capfd):
    with pytest.raises(InternalError, match="panicked at") as caught:
        _core.Column(LyingProducer())
    assert caught.value.code == "internal"
    assert capfd.readouterr().err == ""
