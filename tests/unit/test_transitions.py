"""Changes of status: a refusal says why, a malformed table is refused whole, columns may come in any shape."""

import duckdb
import polars as pl
import pytest
from transitions import Machine, MachineError

from allocator.errors import InputError
from allocator.model.lifecycle import Lifecycle
from allocator.transitions import VERDICTS, check_transition, validate_transitions

SERIAL = Lifecycle.load("serial")
DEVICE = Lifecycle.load("device")
STATUSES = list(SERIAL.state_of)


def verdicts(lifecycle, *rows, **options):
    columns = dict.fromkeys(column for row in rows for column in row)
    frame = pl.DataFrame({column: [row.get(column) for row in rows] for column in columns})
    return validate_transitions(frame, lifecycle, **options)["verdict"].to_list()


def asked(start, end, **given):
    return {"from": start, "to": end} | given


def refusal(*change, **given):
    with pytest.raises(InputError) as caught:
        check_transition(*change, **given)
    return caught.value


def test_a_batch_keeps_the_order_and_the_columns_of_its_rows():
    frame = pl.DataFrame({"serial": ["b", "a"], "from": ["Shipped", "Damaged"], "to": ["Delivered", "Shipped"]})
    answer = validate_transitions(frame.lazy(), SERIAL)
    assert answer.drop("allowed", "verdict").equals(frame)
    assert answer.schema["verdict"] == pl.Enum(VERDICTS)
    assert answer["allowed"].to_list() == [True, False]
    assert answer["verdict"].to_list() == ["allowed", "transition_unlisted"]


def test_every_pair_of_statuses_is_judged_as_the_library_transitions_judges_it():
    machine = Machine(states=STATUSES, initial="Available", auto_transitions=False)
    for start, end in SERIAL.rules:
        machine.add_transition(f"{start} to {end}", start, end)

    def can(start, end):
        machine.set_state(start)
        try:
            return machine.trigger(f"{start} to {end}")
        except (MachineError, AttributeError):
            return False

    pairs = [(start, end) for start in STATUSES for end in STATUSES]
    rows = [asked(start, end, role="manager", approval=True) for start, end in pairs]
    assert [v == "allowed" for v in verdicts(SERIAL, *rows)] == [can(start, end) for start, end in pairs]


def test_quarantined_stock_waits_for_approval():
    rows = [asked("Quarantine", "Available", approval=given) for given in (None, False, True)]
    assert verdicts(SERIAL, *rows) == ["approval_missing", "approval_missing", "allowed"]


def test_only_a_manager_takes_a_delivered_serial_back():
    rows = [asked("Delivered", "Available", role=role) for role in (None, "clerk", "manager")]
    assert verdicts(SERIAL, *rows) == ["role_missing", "role_missing", "allowed"]


def test_a_device_is_unblocked_to_the_state_that_it_had():
    rows = [asked("Blocked", "Used", previous=was, reason="recall") for was in ("Used", "New", None, "Lost")]
    assert verdicts(DEVICE, *rows) == ["allowed", "previous_differs", "previous_missing", "previous_missing"]


def test_a_further_block_and_a_lifted_one_need_a_reason_of_the_list():
    rows = [asked("Blocked", "Blocked", reason=reason) for reason in (None, "mood", "recall")]
    assert verdicts(DEVICE, *rows) == ["reason_missing", "reason_not_allowed", "allowed"]


def test_a_new_unit_begins_where_units_begin():
    rows = [asked(None, "New"), asked(None, "Own Device"), asked(None, "Sold"), asked("Own Device", "Used")]
    assert verdicts(DEVICE, *rows) == ["allowed", "allowed", "status_not_initial", "transition_unlisted"]


def test_a_change_between_two_statuses_of_one_state_is_free():
    shop = {"name": "Shop", "state": "New"}
    shops = Lifecycle(**DEVICE.plain() | {"statuses": [*DEVICE.statuses, shop]})
    rows = [asked("New", "Shop"), asked("Shop", "New"), asked("New", "New"), asked("Shop", "Rented")]
    assert verdicts(shops, *rows) == ["allowed", "allowed", "transition_unlisted", "allowed"]


def test_an_unknown_status_is_an_answer_and_no_error():
    rows = [asked("Available", "Lost"), asked("lost", "Available"), asked("Available", None)]
    assert verdicts(SERIAL, *rows) == ["status_unknown"] * 3


def test_a_missing_column_is_as_if_nothing_were_given():
    assert verdicts(DEVICE, asked("New", "Blocked")) == ["reason_missing"]
    assert verdicts(DEVICE, asked("Blocked", "New", reason="recall")) == ["previous_missing"]
    assert verdicts(DEVICE, asked("Blocked", "New", reason=None, previous=None)) == ["previous_missing"]


def test_the_history_of_a_unit_is_a_path_and_a_refused_step_is_no_step():
    steps = [("Available", "Allocated"), ("Allocated", "Delivered"), ("Allocated", "Picked"), ("Allocated", "Shipped")]
    rows = [asked(start, end, unit="CM500-2025-0046") for start, end in steps]
    found = ["allowed", "transition_unlisted", "allowed", "history_broken"]
    assert verdicts(SERIAL, *rows, path=True) == found
    assert verdicts(SERIAL, *rows) == [*found[:3], "allowed"]


def test_a_refused_row_can_name_what_is_allowed():
    frame = pl.DataFrame({"from": ["Shipped", "Delivered", None, "Lost"], "to": ["Available"] * 4})
    assert validate_transitions(frame, SERIAL, targets=True)["targets"].to_list() == [
        ["Delivered", "Under Service"],
        ["Under Service", "Recalled"],
        ["Available"],
        [],
    ]


@pytest.mark.parametrize("dtype", ["String", "Categorical", "Enum", "wide Enum", "UInt8"])
def test_columns_may_hold_text_categories_or_codes(dtype):
    start, end = ["Available", None, "Shipped", "Lost"], ["Allocated", "Available", "Recalled", "Shipped"]
    enum = {
        "Enum": pl.Enum([*reversed(STATUSES), "Lost"]),
        "wide Enum": pl.Enum([*map(str, range(300)), *STATUSES, "Lost"]),
    }
    frame = pl.DataFrame({"from": start, "to": end})
    if dtype == "UInt8":
        code = {status: place for place, status in enumerate(STATUSES)} | {"Lost": 255}
        frame = frame.select(pl.all().replace_strict(code, return_dtype=pl.UInt8))
    else:
        frame = frame.cast(enum.get(dtype, getattr(pl, dtype.split()[-1])))
    found = validate_transitions(frame, SERIAL)["verdict"].to_list()
    assert found == ["allowed", "allowed", "transition_unlisted", "status_unknown"]


def test_frames_of_other_libraries_are_read_through_arrow():
    class Stream:
        def __init__(self, frame):
            self.frame = frame

        def __arrow_c_stream__(self, requested_schema=None):
            return self.frame.__arrow_c_stream__(requested_schema)

    frame = pl.DataFrame({"from": ["Shipped"], "to": ["Delivered"]})
    assert validate_transitions(Stream(frame), SERIAL)["allowed"].to_list() == [True]


def test_no_rows_have_no_verdicts():
    frame = pl.DataFrame(schema={"from": pl.String, "to": pl.String, "unit": pl.Int64, "approval": pl.Boolean})
    answer = validate_transitions(frame, SERIAL, path=True, targets=True)
    assert answer.shape == (0, 7)


def test_all_that_is_wrong_with_a_table_is_said_at_once():
    frame = pl.DataFrame({"from": [1], "allowed": [True], "approval": ["yes"], "reason": [5.0], "unit": [None]})
    with pytest.raises(InputError) as caught:
        validate_transitions(frame.with_columns(pl.col("unit").cast(pl.Int64)), SERIAL, path=True)
    assert {(problem.code, problem.column, problem.row) for problem in caught.value.problems} == {
        ("column_missing", "to", None),
        ("column_reserved", "allowed", None),
        ("column_type", "from", None),
        ("column_type", "approval", None),
        ("column_type", "reason", None),
        ("value_null", "unit", 0),
    }


@pytest.mark.parametrize("table", [None, 5, ["changes"], object(), {"from": object()}])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(InputError):
        validate_transitions(table, SERIAL)


def test_a_broken_lazy_frame_is_an_input_error():
    with pytest.raises(InputError, match="table_unreadable"):
        validate_transitions(pl.LazyFrame({"from": ["x"]}).select("nope"), SERIAL)


def test_a_query_that_fails_while_it_is_read_is_an_input_error():
    broken = duckdb.sql("""select cast('x' || range as int) as "from", 'Sold' as "to" from range(3)""")
    with pytest.raises(InputError) as caught:
        validate_transitions(broken, SERIAL)
    assert [(p.code, p.table) for p in caught.value.problems] == [("table_unreadable", "changes")]


def test_changes_may_be_the_path_of_a_file(tmp_path):
    (tmp_path / "changes.csv").write_text("from,to\nAvailable,Allocated\n,Shipped\n")
    answer = validate_transitions(tmp_path / "changes.csv", SERIAL)
    assert answer["verdict"].to_list() == ["allowed", "status_not_initial"]


@pytest.mark.parametrize("dtype", [pl.String, pl.Int64, pl.Null], ids=str)
def test_a_column_without_values_is_as_if_it_were_missing_whatever_its_type(dtype):
    frame = pl.DataFrame({"from": ["Available", "Quarantine"], "to": ["Allocated", "Available"]})
    empty = [pl.lit(None, dtype).alias(column) for column in ("approval", "photo", "role", "reason", "previous")]
    answer = validate_transitions(frame.with_columns(empty), SERIAL)
    assert answer["verdict"].to_list() == ["allowed", "approval_missing"]


def test_one_change_that_is_allowed_says_by_which_rule():
    rule = check_transition(SERIAL, "Quarantine", "Available", approval=True)
    assert rule.why == "resolved"
    assert check_transition(SERIAL, None, "Available") is None


def test_one_refused_change_names_the_allowed_ones():
    error = refusal(SERIAL, "Shipped", "Available")
    assert (error.code, error.problems[0].column) == ("transition_unlisted", "to")
    assert error.problems[0].hint == "From Shipped: Delivered, Under Service"


def test_restricted_changes_are_named_only_to_those_who_may_make_them():
    for role, named in (("clerk", False), ("manager", True), (["clerk", "manager"], True), ([], False)):
        hint = refusal(SERIAL, "Delivered", "Retired", role=role).problems[0].hint
        assert ("Available" in hint) is named


def test_one_of_several_roles_suffices():
    assert check_transition(SERIAL, "Delivered", "Available", role={"clerk", "manager"}).restricted


def test_everything_that_one_change_lacks_is_said_at_once():
    needs = {"from": "A", "to": "B", "roles": "r", "approval": True, "reasons": "x", "documents": "d", "photo": True}
    strict = Lifecycle(name="strict", default="A", statuses=["A", "B"], transitions=[needs])
    lacking = [problem.code for problem in refusal(strict, "A", "B").problems]
    assert lacking == ["role_missing", "approval_missing", "reason_missing", "document_missing", "photo_missing"]
    given = {"role": "r", "approval": True, "reason": "x", "document": "d", "photo": True}
    assert check_transition(strict, "A", "B", **given) == strict.transitions[0]


def test_arguments_of_the_wrong_type_are_named_at_once():
    error = refusal(SERIAL, ["Shipped"], 5, role=7, approval="yes", reason=b"x")
    assert error.code == "argument_type"
    assert [p.column for p in error.problems] == ["status_from", "status_to", "reason", "approval", "role"]
    assert [p.column for p in refusal("serial", None, "Available", role=["manager", 5]).problems] == [
        "lifecycle",
        "role",
    ]
    with pytest.raises(InputError, match="argument_type"):
        validate_transitions(pl.DataFrame({"from": ["Shipped"], "to": ["Delivered"]}), "serial")


def test_a_misspelt_status_is_guessed():
    problem = refusal(SERIAL, "Shiped", "Delivered").problems[0]
    assert (problem.code, problem.column, problem.value) == ("status_unknown", "from", "Shiped")
    assert problem.hint == "Did you mean 'Shipped'?"
