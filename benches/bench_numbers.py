"""Numbers of units, a million at a time, beside what checks them one by one today."""

import datetime as dt

import polars as pl
import pytest
import stdnum.imei

from allocator.model.number import NumberFormat
from allocator.numbers import check_identifiers, check_numbers, generate_numbers, match_recall, parse_recall

ROWS = 1_000_000
PLAIN = NumberFormat(pattern="CM500-YYYY-NNNNNNN")
GUARDED = NumberFormat(pattern="CM500-YYYY-NNNNNNN-#", check="luhn")
ON = dt.date(2026, 3, 1)


def record(benchmark, correct):
    best = benchmark.stats.stats.min if benchmark.stats else float("nan")
    benchmark.extra_info |= {"rows": ROWS, "rows_per_s": ROWS / best, "correct": bool(correct)}
    assert correct


@pytest.fixture(scope="module")
def imeis():
    return generate_numbers(NumberFormat(pattern="35209900NNNNNN#", check="luhn"), 0, ROWS, on=ON)


@pytest.mark.parametrize("number_format", [PLAIN, GUARDED], ids=["pattern", "pattern and check digit"])
def test_numbers_of_a_format(benchmark, number_format):
    numbers = generate_numbers(number_format, 1, ROWS, on=ON)
    found = benchmark.pedantic(check_numbers, (numbers, number_format), rounds=5, warmup_rounds=1)
    record(benchmark, found["problem"].null_count() == ROWS)


def test_numbers_made(benchmark):
    made = benchmark.pedantic(generate_numbers, (GUARDED, 1, ROWS), {"on": ON}, rounds=5, warmup_rounds=1)
    record(benchmark, made.n_unique() == ROWS)


def test_imeis(benchmark, imeis):
    found = benchmark.pedantic(check_identifiers, (imeis, "imei"), rounds=5, warmup_rounds=1)
    record(benchmark, found["problem"].null_count() == ROWS)


def test_imeis_one_by_one_by_stdnum(benchmark, imeis):
    texts = imeis.to_list()
    good = benchmark.pedantic(lambda: sum(map(stdnum.imei.is_valid, texts)), rounds=1)
    record(benchmark, good == ROWS)


def test_units_of_a_recall(benchmark, imeis):
    units = pl.DataFrame({"serial": imeis, "lot": "L" + (pl.int_range(ROWS, eager=True) % 5_000).cast(pl.String)})
    recall = parse_recall(["Lots " + ", ".join(f"L{n}" for n in range(100)) + ", L1000 to L1999"])
    hit = benchmark.pedantic(match_recall, (units, recall), rounds=3, warmup_rounds=1)
    record(benchmark, hit.height == ROWS * 1_100 // 5_000)
