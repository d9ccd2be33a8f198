"""Any lifecycle and any changes: the batch, the single call and the oracle agree, whatever the columns look like."""

from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocator.errors import InputError, PolicyError
from allocator.model.lifecycle import Lifecycle
from allocator.transitions import VERDICTS, check_transition, validate_transitions
from oracle_transitions import verdict, verdicts_along

usual = settings(deadline=None, max_examples=60)

STATUSES = [f"S{number}" for number in range(6)]
GIVEN = {
    "role": st.sampled_from([None, "clerk", "manager", "stranger"]),
    "reason": st.sampled_from([None, "damage", "recall", "whim"]),
    "document": st.sampled_from([None, "note", "photo", "letter"]),
    "approval": st.sampled_from([None, False, True]),
    "photo": st.sampled_from([None, False, True]),
    "previous": st.sampled_from([None, *STATUSES, "S9"]),
}
names = st.sampled_from


def some(values):
    return st.lists(names(values), max_size=2, unique=True)


@st.composite
def lifecycles(draw):
    between = draw(names(["statuses", "states"]))
    statuses = [{"name": name, "state": draw(names(["T0", "T1", "T2"]))} for name in STATUSES]
    subjects = STATUSES if between == "statuses" else sorted({status["state"] for status in statuses})
    transitions = []
    for start in subjects:
        for end in draw(st.lists(names([*subjects, "$previous"]), max_size=4, unique=True)):
            needs = {
                "roles": draw(some(["clerk", "manager"])),
                "reasons": draw(some(["damage", "recall"])),
                "documents": draw(some(["note", "photo"])),
                "approval": draw(st.booleans()),
                "photo": draw(st.booleans()),
            }
            transitions.append({"from": [start], "to": end} | {key: need for key, need in needs.items() if need})
    settings_ = {"name": "any", "default": "S0", "initial": STATUSES[1:3], "between": between}
    return settings_ | {"statuses": statuses, "transitions": transitions}


@st.composite
def worlds(draw):
    """A lifecycle that makes sense, and rows that need not."""
    plain = draw(lifecycles())
    try:
        with patch("allocator.model.lifecycle._statuses_unreachable", return_value=[]):
            lifecycle = Lifecycle(**plain)
    except PolicyError:  # a change given twice: take the first of each
        plain["transitions"] = [rule for rule in plain["transitions"] if rule["to"] != "$previous"]
        with patch("allocator.model.lifecycle._statuses_unreachable", return_value=[]):
            lifecycle = Lifecycle(**plain)
    status = names([*STATUSES, *STATUSES, "S9"])
    row = {"from": st.none() | status, "to": st.none() | status, "unit": names([3, 5, 8])}
    row |= {column: values for column, values in GIVEN.items() if draw(st.booleans())}
    rows = draw(st.lists(st.fixed_dictionaries(row), min_size=1, max_size=12))
    return plain, lifecycle, rows


def framed(rows, dtype):
    schema = {column: pl.Boolean if column in ("approval", "photo") else pl.String for column in rows[0]}
    frame = pl.DataFrame(rows, schema=schema | {"unit": pl.Int64}, orient="row")
    text = [column for column, kind in frame.schema.items() if kind == pl.String]
    if dtype == "Enum":
        return frame.with_columns(pl.col(c).cast(pl.Enum(frame[c].drop_nulls().unique())) for c in text)
    return frame.with_columns(pl.col(text).cast(pl.Categorical)) if dtype == "Categorical" else frame


@usual
@given(worlds(), names(["String", "Enum", "Categorical"]))
def test_a_batch_answers_as_the_oracle_does(world, dtype):
    plain, lifecycle, rows = world
    answer = validate_transitions(framed(rows, dtype), lifecycle)
    assert answer["verdict"].to_list() == [verdict(plain, row) for row in rows]
    assert answer["allowed"].to_list() == [verdict(plain, row) == "allowed" for row in rows]


@usual
@given(worlds())
def test_rows_of_one_unit_follow_each_other(world):
    plain, lifecycle, rows = world
    answer = validate_transitions(framed(rows, "Enum"), lifecycle, path=True)
    assert answer["verdict"].to_list() == verdicts_along(plain, rows)


@usual
@given(worlds())
def test_one_call_answers_as_a_batch_does(world):
    plain, lifecycle, rows = world
    for row in rows:
        given_ = {column: row[column] for column in GIVEN if row.get(column) is not None}
        said = verdict(plain, row)
        if row["to"] is None:
            continue
        if said == "allowed":
            check_transition(lifecycle, row["from"], row["to"], **given_)
        else:
            with pytest.raises(InputError) as caught:
                check_transition(lifecycle, row["from"], row["to"], **given_)
            assert caught.value.code == said


@usual
@given(worlds())
def test_targets_are_the_changes_that_some_row_could_make(world):
    plain, lifecycle, rows = world
    answer = validate_transitions(framed(rows, "String"), lifecycle, targets=True)
    unlisted = {"transition_unlisted", "status_unknown", "status_not_initial"}
    for row, targets in zip(rows, answer["targets"].to_list(), strict=True):
        possible = [s for s in STATUSES if verdict(plain, {"from": row["from"], "to": s}) not in unlisted]
        assert sorted(targets) == possible


@usual
@given(worlds(), st.data())
def test_a_row_is_judged_alone_wherever_it_stands(world, data):
    _, lifecycle, rows = world
    order = data.draw(st.permutations(range(len(rows))))
    frame = framed(rows, "Enum")
    cut = data.draw(st.integers(0, len(rows)))
    pieces = pl.concat([frame[:cut], frame[cut:]], rechunk=False)
    whole = validate_transitions(pieces, lifecycle)["verdict"]
    assert validate_transitions(frame[order], lifecycle)["verdict"].equals(whole[order])


def test_every_verdict_is_met_somewhere():
    met = {"allowed", "history_broken", "status_unknown", "status_not_initial", "transition_unlisted"}
    met |= {f"{need}_missing" for need in GIVEN} | {"reason_not_allowed", "previous_differs"}
    assert met == set(VERDICTS)
