"""An order takes stock once its processing begins (WD-4)."""

from __future__ import annotations

import pytest

from allocator.errors import InputError
from allocator.ledger import Ledger
from allocator.ledger.orders import reserve_order

ORDER = [{"line_id": "L1", "order_id": "O1", "sku": "filter", "qty": 8}]


def test_a_draft_reserves_nothing_and_the_first_stage_in_progress_does(empty_ledger: Ledger) -> None:
    def receive(qty: int) -> None:
        line = {"sku": "filter", "qty": qty, "location": "store"}
        empty_ledger.post("receive", line, origin="supplier", document="GRN-1", actor="ana")

    empty_ledger.define([{"sku": "filter"}], actor="ana")
    receive(5)
    for stage in ("draft", "approved"):
        assert reserve_order(empty_ledger, ORDER, stage=stage, actor="bob") == {
            "begun": False,
            "seq": None,
            "lines": [],
        }
    assert empty_ledger.allocations().is_empty()
    assert reserve_order(empty_ledger, ORDER, stage="processing", actor="bob")["lines"][0]["allocated"] == 5
    receive(5)
    assert reserve_order(empty_ledger, ORDER, stage="picking", actor="bob")["lines"][0]["allocated"] == 3
    own = {"quote": "before", "job": "in progress"}
    assert reserve_order(empty_ledger, ORDER, stage="job", stages=own, actor="bob")["lines"][0]["allocated"] == 0
    for stage in ("cancelled", "pickin"):
        with pytest.raises(InputError) as caught:
            reserve_order(empty_ledger, ORDER, stage=stage, actor="bob")
        assert caught.value.code == "argument_value"
    assert "picking" in caught.value.problems[0].hint
