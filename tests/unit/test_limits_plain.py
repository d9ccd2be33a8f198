"""A few requests decided without tables."""

import datetime as dt

import polars as pl
import pytest

from allocator.limits import Limits, check_requests
from allocator.limits.plain import Asked, decide_plainly

TODAY = dt.date(2026, 3, 1)
KEY = {"bu": ["B"], "asp": ["A"], "sku": ["CABLE"]}


@pytest.mark.parametrize("above_limit", ["refuse", "reduce"])
def test_nobody_goes_above_a_limit_that_there_is_not(above_limit):
    override = {"roles": ["manager"], "reason_required": False}
    limits = Limits(rules=[{"name": "other", "sku": "X", "units_max": 1}], above_limit=above_limit, override=override)
    asked = Asked("B", "A", "CABLE", 5, override_role="manager")
    requests = pl.DataFrame(KEY | {"request_id": ["R"], "qty": [5], "override_role": ["manager"]})
    table = check_requests(requests, pl.DataFrame(KEY | {"qty_on_hand": [0]}), limits, as_of=TODAY)
    assert decide_plainly(limits, [asked], TODAY)[0][:3] == ("refused", 0, "no_rule")
    assert table.select("decision", "qty_granted", "reason").row(0) == ("refused", 0, "no_rule")
