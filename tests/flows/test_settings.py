"""Settings are kept with their history, by administrators only; what happened is told in order, to whom it concerns."""

from __future__ import annotations

import pytest

from allocator.errors import InputError
from allocator.flows import Person, events, history_of, keep_settings
from allocator.flows.settings import settings_of
from allocator.ledger import Ledger
from allocator.ledger.book import Book
from allocator.model.limits import Limits

ADA = Person("ada", "administrator")
TWENTY = Limits(rules=[{"name": "all", "units_max": 20}])
THIRTY = Limits(rules=[{"name": "all", "units_max": 30}])


def in_force(ledger: Ledger) -> Limits:
    with ledger.store.session() as session:
        return settings_of(Book(session, ledger.requests.catalog, writes=False), Limits)


def test_the_last_settings_are_in_force_and_those_before_stay_on_record(empty_ledger: Ledger) -> None:
    assert in_force(empty_ledger) == Limits()
    keep_settings(empty_ledger, TWENTY, ADA)
    number = keep_settings(empty_ledger, THIRTY, ADA, reason="season")
    assert in_force(empty_ledger) == THIRTY
    told = history_of(empty_ledger, number)
    assert told.select("actor", "role", "step", "state", "reason").rows() == [
        ("ada", "administrator", "set", "in force", None),
        ("ada", "administrator", "set", "in force", "season"),
    ]


def test_only_an_administrator_sets_them(empty_ledger: Ledger) -> None:
    with pytest.raises(InputError, match="role_missing") as refused:
        keep_settings(empty_ledger, TWENTY, Person("bob", "storekeeper", "ASP-1"))
    assert "administrator" in refused.value.problems[0].hint
    assert events(empty_ledger).is_empty()


def test_a_repeat_under_the_same_key_is_answered_and_not_done_again(empty_ledger: Ledger) -> None:
    first = keep_settings(empty_ledger, TWENTY, ADA, key="k1")
    assert keep_settings(empty_ledger, TWENTY, ADA, key="k1") == first
    assert events(empty_ledger).height == 1
    with pytest.raises(InputError, match="key_reused"):
        keep_settings(empty_ledger, THIRTY, ADA, key="k1")


def test_the_feed_goes_on_where_it_ended(empty_ledger: Ledger) -> None:
    for limits in (TWENTY, THIRTY, TWENTY):
        keep_settings(empty_ledger, limits, ADA)
    first = events(empty_ledger, limit=2)
    rest = events(empty_ledger, first["seq"].max(), limit=2)  # type: ignore[arg-type]
    assert [*first["seq"], *rest["seq"]] == [1, 2, 3]
    assert events(empty_ledger, 3).is_empty()
    with pytest.raises(InputError, match="argument_value"):
        events(empty_ledger, limit=0)


def test_a_partner_is_told_nothing_of_others_and_cannot_tell_them_from_what_is_not_there(empty_ledger: Ledger) -> None:
    number = keep_settings(empty_ledger, TWENTY, ADA)
    partner = Person("bob", "storekeeper", "ASP-1")
    assert events(empty_ledger, person=partner).is_empty()
    refusals = []
    for asked in (number, "settings/none"):
        with pytest.raises(InputError) as refused:
            history_of(empty_ledger, asked, partner)
        refusals.append(str(refused.value).replace(asked, "X"))
    assert refusals[0] == refusals[1]
