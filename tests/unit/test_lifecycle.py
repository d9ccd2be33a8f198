"""A lifecycle says which changes of status there are, finds its own contradictions, and can be read and drawn."""

import pytest

from allocator.errors import PolicyError
from allocator.model.lifecycle import Lifecycle, Transition

SERIAL = {  # SN-8, as the table of the requirement reads
    "Available": {"Allocated": "order", "Quarantine": "quality", "Under Service": "maintenance"},
    "Allocated": {"Picked": "scan", "Shipped": "fulfilment", "Available": "cancel", "Quarantine": "quality"},
    "Picked": {"Shipped": "dispatch", "Allocated": "put back", "Quarantine": "quality"},
    "Shipped": {"Delivered": "confirmation", "Under Service": "dead on arrival"},
    "Delivered": {"Under Service": "warranty claim", "Recalled": "recall"},
    "Under Service": {"Available": "repaired", "Damaged": "beyond repair"},
    "Quarantine": {"Available": "resolved", "Damaged": "failed inspection"},
    "Damaged": {"Retired": "disposal"},
    "Recalled": {"Retired": "recall resolved"},
    "Retired": {},
}


def problems(**settings):
    with pytest.raises(PolicyError) as caught:
        Lifecycle(**{"name": "test", "default": "A", "statuses": ["A", "B"]} | settings)
    return [(problem.code, problem.column) for problem in caught.value.problems]


def change(start, end, **needs):
    return {"from": start, "to": end} | needs


@pytest.mark.parametrize("preset", ["asset", "device", "serial"])
@pytest.mark.parametrize("form", ["toml", "yaml", "json"])
def test_every_preset_comes_back_as_it_went(preset, form):
    lifecycle = Lifecycle.load(preset)
    assert Lifecycle.loads(lifecycle.dumps(form), form) == lifecycle
    assert Lifecycle.loads(lifecycle.dumps(form), form).fingerprint() == lifecycle.fingerprint()


def test_the_presets_are_those_of_the_docs():
    assert Lifecycle.presets() == ["asset", "device", "lot", "part", "serial"]


def test_a_serial_changes_exactly_as_the_requirement_says():
    serial = Lifecycle.load("serial")
    found = {status: {} for status in serial.state_of}
    for (start, end), rule in serial.rules.items():
        if not rule.restricted:
            found[start][end] = rule.why
    assert found == SERIAL


def test_only_a_manager_takes_a_delivered_serial_back_into_stock():
    serial = Lifecycle.load("serial")
    rule = serial.rule("Delivered", "Available")
    assert (rule.restricted, rule.roles) == (True, ("manager",))
    assert serial.targets("Delivered") == ("Under Service", "Recalled")
    assert serial.targets("Delivered", restricted=True) == ("Available", "Under Service", "Recalled")


def test_leaving_quarantine_for_stock_needs_approval():
    serial = Lifecycle.load("serial")
    assert serial.rule("Quarantine", "Available").approval
    assert not serial.rule("Quarantine", "Damaged").approval


def test_the_carriers_confirmation_delivers_a_shipped_serial_and_no_other():
    serial = Lifecycle.load("serial")
    assert serial.next_on("carrier_confirmation", "Shipped") == "Delivered"
    assert serial.next_on("carrier_confirmation", "Allocated") is None
    assert serial.next_on("full_moon", "Shipped") is None


def test_each_state_of_a_device_has_one_status_from_the_start():
    device = Lifecycle.load("device")
    assert [state.name for state in device.states] == list(device.state_of.values())


def test_a_blocked_device_goes_back_to_what_it_was_and_blocks_nest():
    device = Lifecycle.load("device")
    assert device.targets("Blocked") == ("New", "Used", "Blocked")
    assert device.rule("Blocked", "New").to == device.rule("Blocked", "Used").to == "$previous"
    assert device.rule("Blocked", "Rented") is None


def test_a_customers_own_device_never_comes_to_the_business():
    assert Lifecycle.load("device").targets("Own Device", restricted=True) == ()


def test_a_status_that_a_business_adds_follows_the_rules_of_its_state():
    device = Lifecycle.load("device")
    more = Lifecycle(**device.plain() | {"statuses": [*device.statuses, {"name": "Shop", "state": "New"}]})
    assert more.rule("Shop", "Rented") == device.rule("New", "Rented")
    assert more.is_within_state("New", "Shop")
    assert "Shop" in more.targets("New")
    assert "Shop" in more.statuses_initial
    assert more.next_on("returned", "Rented") == "Used"


def test_an_asset_that_cannot_be_located_can_be_delivered_with_a_photo():
    asset = Lifecycle.load("asset")
    assert asset.rule("Unable to Locate", "In Use").photo
    assert not asset.rule("Available", "In Use").photo
    assert asset.statuses_allocatable == ("Available",)


def test_every_problem_is_found_at_once():
    found = problems(
        default="Z",
        initial=["Y"],
        states=["S"],
        statuses=["A", {"name": "B", "state": "T"}],
        transitions=[
            change("A", "C"),
            change("A", "B", restricted=True, events="e"),
            change(["A"], "B"),
            change("A", "A", events="e"),
            change("B", "A", events="f", approval=True),
        ],
    )
    assert found == [
        ("state_unknown", "statuses.1.state"),
        ("status_unknown", "default"),
        ("status_unknown", "initial"),
        ("status_unknown", "transitions.0.to"),
        ("restricted_contradiction", "transitions.1.roles"),
        ("restricted_contradiction", "transitions.1.events"),
        ("restricted_contradiction", "transitions.4.events"),
        ("transition_duplicate", "transitions.2"),
        ("event_ambiguous", "transitions.3.events"),
    ]


@pytest.mark.parametrize("second", ["A", "a", "\uff21"], ids=["same", "other case", "full width"])
def test_statuses_that_people_cannot_tell_apart_are_one_too_many(second):
    assert problems(statuses=["A", second]) == [("name_duplicate", "statuses.1.name")]


def test_a_dollar_begins_no_name():
    assert problems(statuses=["A", "$previous"]) == [("name_reserved", "statuses.1.name")]


def test_a_status_that_no_unit_can_have_is_an_oversight():
    assert problems() == [("status_unreachable", "statuses.1")]
    Lifecycle(name="test", default="A", initial="B", statuses=["A", "B"])


def test_a_way_back_that_meets_a_plain_change_is_ambiguous():
    ways = [change("A", "B"), change("B", "$previous"), change("B", "A")]
    assert problems(transitions=ways) == [("transition_duplicate", "transitions.2")]


def test_no_event_leads_back():
    ways = [change("A", "B"), change("B", "$previous", events="e")]
    assert problems(transitions=ways) == [("event_ambiguous", "transitions.1.events")]


def test_what_is_counted_in_a_byte_is_limited():
    names = [f"S{number}" for number in range(251)]
    found = problems(default="S0", statuses=names, initial=names)
    assert found == [("lifecycle_too_large", "statuses")]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"statuses": []}, ("setting_value", "statuses")),
        ({"statuses": [5]}, ("setting_type", "statuses.0")),
        ({"default": None}, ("setting_type", "default")),
        ({"transitions": [{"to": "B"}]}, ("setting_missing", "transitions.0.from")),
        ({"transitions": [change([], "B")]}, ("setting_value", "transitions.0.from")),
        ({"transitions": [change("A", "B", rolls="x")]}, ("setting_unknown", "transitions.0.rolls")),
        ({"between": "stages"}, ("setting_value", "between")),
    ],
)
def test_settings_of_the_wrong_kind_are_refused_with_their_path(settings, problem):
    assert problem in problems(**settings)


def test_a_missing_default_is_named():
    with pytest.raises(PolicyError, match="setting_missing"):
        Lifecycle.loads('name = "x"\nstatuses = ["A"]')


def test_the_schema_takes_what_a_document_may_say():
    statuses = Lifecycle.json_schema()["properties"]["statuses"]
    assert [kind.get("type", "object") for kind in statuses["items"]["anyOf"]] == ["object", "string"]


def test_it_says_in_words_what_it_does():
    words = Lifecycle.load("serial").describe()
    assert "A unit begins as Available." in words
    assert "- to Available (resolved): needs approval" in words
    assert "- to Available (taken back): needs role manager (restricted)" in words
    assert "- to Delivered (confirmation): happens by itself on carrier_confirmation" in words
    assert "Retired is the end." in words
    assert "- to what it was before (last reason lifted)" in Lifecycle.load("device").describe()


def test_it_can_be_drawn_whatever_its_names():
    odd = Lifecycle(
        name="odd", default="end", statuses=["end", "A:B;C"], transitions=[change("end", "A:B;C", why='"x"')]
    )
    assert odd.mermaid() == (
        "stateDiagram-v2\n"
        '    state "end" as s0_end\n'
        '    state "A#58;B#59;C" as s1_A_B_C\n'
        "    [*] --> s0_end\n"
        "    s0_end --> s1_A_B_C : #34;x#34;\n"
        "    s1_A_B_C --> [*]\n"
    )


def test_names_cannot_break_the_table():
    odd = Lifecycle(name="odd", default="A|B", statuses=["A|B"], transitions=[change("A|B", "A|B")])
    assert r"| A\|B | A\|B |" in odd.table()


def test_a_transition_made_in_python_takes_its_source_by_either_name():
    assert Transition(from_="A", to="B") == Transition(**{"from": ["A"], "to": "B"})
