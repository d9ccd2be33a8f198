"""What is kept, for how long, what stands in the way of forgetting it, and that nothing else is forgotten with it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from allocator.errors import AllocatorError, InputError, PolicyError
from allocator.ledger import Ledger
from allocator.ledger.retention import purge, retention
from allocator.ledger.sheets import write_table
from allocator.ledger.verify import verify
from allocator.model.retention import Retention
from ledger_stores import receive, shop

__all__ = ["shop"]

RULES = Retention.loads(
    'rules = [{name = "house", keep_years = 5, archive_years = 2}, '
    '{name = "MDR", regulations = "MDR", keep_years = 15, archive_years = 4}]'
)
SOLD = dt.date(2020, 3, 1)


def mac(serial: str) -> str:
    """An address for a unit."""
    return "00:B0:D0:63:C2:" + f"{sum(map(ord, serial)) % 256:02X}"


def sold(ledger: Ledger, *serials: str, sku: str = "gauge") -> None:
    """Gauges that were sold in 2020, with a word on each."""
    for serial in serials:
        lot = {"lot": "A"} if sku == "monitor" else {}
        receive(ledger, {"sku": sku, "serial": serial, "location": "store", **lot, "numbers": {"mac": mac(serial)},
                         "attributes": {"firmware": "1.0"}}, day=SOLD)  # fmt: skip
        ledger.post("note", {"serial": serial, "event": "contact", "note": "Mr Smith"}, actor="cara", day=SOLD)
        ledger.post("deliver", {"serial": serial, "to_holder": "c7"}, actor="ana", day=SOLD)
        ledger.post("invoice", {"serial": serial}, document="INV-1", actor="ana", day=SOLD)


def decisions(ledger: Ledger, on: dt.date) -> dict[str, tuple[str, str]]:
    rows = retention(ledger, RULES, on)
    return {row["serial"]: (row["decision"], row["because"]) for row in rows.rows(named=True)}


def test_histories_are_archived_and_purged_by_the_rule_that_keeps_longest(shop: Ledger) -> None:
    shop.define([{"sku": "monitor", "tracking": "both", "regulation": "MDR"}], actor="ana")
    sold(shop, "G-1")
    sold(shop, "M-1", sku="monitor")
    for years, expected in ((1, "keep"), (3, "archive"), (6, "purge")):
        assert decisions(shop, SOLD.replace(year=SOLD.year + years))["G-1"][0] == expected
    for years, expected in ((3, "keep"), (6, "archive"), (16, "purge")):
        assert decisions(shop, SOLD.replace(year=SOLD.year + years))["M-1"][0] == expected


def test_nothing_is_purged_that_is_here_or_held_or_under_warranty(shop: Ledger) -> None:
    sold(shop, "G-1", "G-2", "G-3")
    receive(shop, {"sku": "gauge", "serial": "G-4", "location": "store"}, day=SOLD)
    shop.post("note", {"serial": "G-1", "attributes": {"recall": "2026-17"}}, actor="qa", day=SOLD)
    shop.post("note", {"serial": "G-2", "attributes": {"dispute": "closed"}}, actor="qa", day=SOLD)
    late = dt.date(2030, 1, 1)
    found = decisions(shop, late)
    assert found["G-1"] == ("keep", "held")
    assert found["G-2"] == found["G-3"] == ("purge", "due")
    assert found["G-4"] == ("keep", "here")
    shop.define([{"sku": "gauge", "tracking": "serial", "warranty": {"start": "delivery", "months": 240}}], actor="a")
    assert decisions(shop, late)["G-3"] == ("keep", "held")


def test_what_has_no_rule_is_kept_for_ever(shop: Ledger) -> None:
    receive(shop, {"sku": "filter", "qty": 3, "location": "store"}, day=SOLD)
    shop.post("scrap", {"sku": "filter", "location": "store"}, reason="broken", actor="ana", day=SOLD)
    (row,) = retention(shop, Retention(), dt.date(2999, 1, 1)).rows(named=True)
    assert (row["decision"], row["because"], row["last_on"]) == ("keep", "no rule", SOLD)


def test_a_purge_takes_the_words_and_leaves_a_ledger_that_verifies(shop: Ledger, tmp_path: Path) -> None:
    sold(shop, "G-1")
    sold(shop, "M-1", sku="monitor")
    late = dt.date(2026, 1, 1)
    before = shop.history("G-1")
    seq = purge(shop, RULES, late, actor="dpo", reason="GDPR", archive=tmp_path / "2026.parquet")
    after = shop.history("G-1")
    assert after["seq"].to_list() == [*before["seq"].to_list(), seq]
    assert after["event"].to_list()[-1] == "purge" and after["actor"].to_list()[-1] == "dpo"
    assert "Mr Smith" in before["note"].to_list() and "Mr Smith" not in after["note"].to_list()
    assert shop.state(mac("G-1"))["attributes"] == {}, "found by its numbers, without its values"
    assert "Mr Smith" in pl.read_parquet(tmp_path / "2026.parquet")["note"].to_list()
    assert verify(shop).frame.is_empty()
    assert shop.history("M-1")["note"].to_list().count("Mr Smith") == 0, "archived and gone, as both were due"
    assert purge(shop, RULES, late, actor="dpo", reason="GDPR") is None, "nothing is left to purge"
    with pytest.raises(InputError) as caught:
        receive(shop, {"sku": "gauge", "serial": "G-1", "location": "store"})
    assert caught.value.code == "number_taken"


def test_what_is_said_while_the_archive_is_written_is_in_none_and_stays(
    shop: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold(shop, "G-1")

    def written(frame: pl.DataFrame, path: Path) -> None:
        write_table(frame, path)
        late = {"serial": "G-1", "event": "contact", "note": "Mrs Jones", "attributes": {"firmware": "2.0"}}
        shop.post("note", late, actor="cara")

    monkeypatch.setattr("allocator.ledger.retention.write_table", written)
    purge(shop, RULES, dt.date(2026, 1, 1), actor="dpo", reason="GDPR", archive=tmp_path / "2026.parquet")
    notes = shop.history("G-1")["note"].to_list()
    assert "Mrs Jones" in notes and "Mr Smith" not in notes
    assert "Mrs Jones" not in pl.read_parquet(tmp_path / "2026.parquet")["note"].to_list()
    assert shop.state("G-1")["attributes"] == {"firmware": "2.0"}
    assert verify(shop).frame.is_empty()


def test_the_database_lets_no_word_go_that_no_purge_names(shop: Ledger) -> None:
    sold(shop, "G-1", "G-2")
    shop.post("note", {"serial": "G-2", "attributes": {"recall": "open"}}, actor="qa", day=SOLD)
    purge(shop, RULES, dt.date(2030, 1, 1), actor="dpo", reason="GDPR")
    for vandalism in (
        "UPDATE entry SET details = '' WHERE goods_id = 2",
        "UPDATE entry SET qty = qty + 1 WHERE goods_id = 1 AND qty > 0",
        "DELETE FROM entry WHERE goods_id = 1",
        "DELETE FROM purge",
    ):
        with pytest.raises(Exception, match="append-only"), shop.store.session("write") as session:
            session.run(vandalism)
    assert verify(shop).frame.is_empty()


def test_rules_and_purges_that_make_no_sense_are_refused(shop: Ledger) -> None:
    with pytest.raises(PolicyError) as refused:
        Retention.loads('rules = [{name = "x", keep_years = 2, archive_years = 5}]')
    assert refused.value.code == "setting_conflict"
    sold(shop, "G-1")
    with pytest.raises(InputError) as caught:
        purge(shop, RULES, SOLD, actor="dpo", reason="")
    assert caught.value.code == "reason_missing"
    with pytest.raises(AllocatorError):
        shop.post("purge", {"serial": "G-1"}, reason="x", actor="ana")
    assert "keep 15 years after the last event, archive after 4" in RULES.describe()


def test_a_history_is_kept_to_the_end_of_its_last_day(shop: Ledger) -> None:
    sold(shop, "G-1")
    last = SOLD.replace(year=SOLD.year + 5)
    assert decisions(shop, last)["G-1"][0] == "archive"
    assert decisions(shop, last + dt.timedelta(days=1))["G-1"][0] == "purge"
