"""Documents are read strictly, report every problem at once, and come back as they went."""

import datetime as dt
import json
from decimal import Decimal
from typing import Literal

import pytest
from pydantic import Field, model_validator

from allocator.errors import FileError, PolicyError, Problem
from allocator.model.document import Document, Name, Names, Part


class Shelf(Part):
    label: Name
    kind_of: Literal["high", "low"] = "low"
    levels: int = Field(default=1, ge=1)
    tags: Names = ()

    @model_validator(mode="after")
    def _high_shelves_have_levels(self):
        if self.kind_of == "high" and self.levels < 3:
            raise PolicyError([Problem("shelf_low", "too low", column="levels"), Problem("shelf_odd", "odd")])
        return self


class Store(Document):
    kind = "store"
    name: Name = "Main"
    open_daily: bool = False
    since: dt.date | None = None
    rent: Decimal | None = None
    shelves: tuple[Shelf, ...] = ()
    zones: dict[str, Shelf] = Field(default_factory=dict)


FULL = Store(
    name="Žďár",
    open_daily=True,
    since=dt.date(2026, 1, 31),
    rent=Decimal("33.60"),
    shelves=(Shelf(label="A 1", tags=("cold", "top")), Shelf(label="A 2", kind_of="high", levels=3)),
    zones={"north": Shelf(label="N")},
)


@pytest.mark.parametrize("form", ["toml", "yaml", "json"])
@pytest.mark.parametrize("store", [Store(), FULL], ids=["empty", "full"])
def test_a_document_comes_back_as_it_went(store, form, tmp_path):
    assert Store.loads(store.dumps(form), form) == store
    store.dump(tmp_path / f"store.{form}")
    assert Store.load(tmp_path / f"store.{form}") == store


def test_defaults_are_not_written_and_do_not_change_the_fingerprint():
    assert Store(name="Main").dumps() == ""
    assert Store(name="Main").fingerprint() == Store().fingerprint() != Store(name="Other").fingerprint()


def test_the_fingerprint_is_the_same_in_every_process_and_format():
    assert Store.loads(FULL.dumps("yaml"), "yaml").fingerprint() == FULL.fingerprint()
    assert Store().fingerprint() == "ae41b17dffdaa7690b52b4e70457c2e879c5456ccafb4a2bd7bea4b96593e53d"


def test_every_problem_is_reported_at_once_with_its_path_and_a_hint():
    text = """
        open_dayly = true
        name = 5
        since = "soon"
        [[shelves]]
        labell = "A"
        kind_of = "hgih"
        levels = 0
    """
    with pytest.raises(PolicyError) as caught:
        Store.loads(text)
    found = {(problem.code, problem.column): problem.hint for problem in caught.value.problems}
    assert set(found) == {
        ("setting_unknown", "open_dayly"),
        ("setting_type", "name"),
        ("setting_type", "since"),
        ("setting_unknown", "shelves.0.labell"),
        ("setting_missing", "shelves.0.label"),
        ("setting_value", "shelves.0.kind_of"),
        ("setting_value", "shelves.0.levels"),
    }
    assert found["setting_unknown", "open_dayly"] == "Did you mean 'open_daily'?"
    assert found["setting_unknown", "shelves.0.labell"] == "Did you mean 'label'?"
    assert found["setting_value", "shelves.0.kind_of"] == "Did you mean 'high'?"
    assert all(problem.table == "store" for problem in caught.value.problems)


def test_problems_that_a_part_finds_itself_keep_their_codes_and_get_its_path():
    with pytest.raises(PolicyError) as caught:
        Store.loads('[[shelves]]\nlabel = "A"\n[[shelves]]\nlabel = "B"\nkind_of = "high"')
    assert [(p.code, p.column) for p in caught.value.problems] == [
        ("shelf_low", "shelves.1.levels"),
        ("shelf_odd", "shelves.1"),
    ]


def test_a_part_made_in_python_reports_in_the_same_way():
    with pytest.raises(PolicyError) as caught:
        Shelf(labell="A", levels=0)
    assert {problem.code for problem in caught.value.problems} == {
        "setting_unknown",
        "setting_missing",
        "setting_value",
    }


def test_a_single_name_needs_no_brackets():
    assert Store.loads('shelves = [{label = "A", tags = "cold"}]').shelves[0].tags == ("cold",)


@pytest.mark.parametrize("text", ['name = "a\\nb"', 'name = " a"', 'name = ""', 'name = "a\\u0000b"', "open_daily = 1"])
def test_names_are_clean_and_types_are_strict(text):
    with pytest.raises(PolicyError):
        Store.loads(text)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("toml", "name = "),
        ("toml", "name = 'a'\nname = 'b'"),
        ("toml", "levels = nan"),
        ("toml", "zones = " + "[" * 10_000),
        ("json", "{"),
        ("json", "[" * 100_000),
        ("json", '{"name": "a", "name": "b"}'),
        ("json", "NaN"),
        ("json", '{"name": "\\ud800"}'),
        ("json", "[]"),
        ("json", "5"),
        ("yaml", "a: &a [1]\nb: *a"),
        ("yaml", "name: a\nname: b"),
        ("yaml", "name: !!python/object:os.system {}"),
        ("yaml", "{a: [" * 5_000),
        ("yaml", "? [a]\n: b"),
        ("yaml", "zones: !!set {a}"),
        ("yaml", "\x00"),
        ("yaml", ""),
    ],
)
def test_what_is_no_document_is_refused_and_nothing_else_happens(form, text):
    with pytest.raises(PolicyError) as caught:
        Store.loads(text, form)
    assert caught.value.code in {"document_syntax", "setting_type"}


def test_yaml_words_stay_words():
    assert Store.loads("name: no", "yaml").name == "no"
    assert Store.loads("open_daily: true", "yaml").open_daily is True


def test_a_preset_that_does_not_exist_names_what_does():
    with pytest.raises(PolicyError, match="preset_unknown"):
        Store.load("stoer")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("missing.toml", None, "file_missing"),
        ("store.txt", b"", "file_format"),
        ("latin.toml", 'name = "Žďár"'.encode("cp1250"), "file_unreadable"),
        ("huge.toml", b"#" * 10_000_001, "file_too_large"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_file_error(tmp_path, name, content, code):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError) as caught:
        Store.load(tmp_path / name)
    assert caught.value.code == code


def test_a_byte_order_mark_is_no_part_of_the_document(tmp_path):
    (tmp_path / "bom.toml").write_bytes("﻿name = 'A'".encode())
    assert Store.load(tmp_path / "bom.toml").name == "A"


def test_a_file_that_cannot_be_written_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match="file_unwritable"):
        FULL.dump(tmp_path / "nowhere" / "store.toml")


def test_nothing_changes_once_it_is_made():
    with pytest.raises(ValueError, match="frozen"):
        FULL.name = "Other"


def test_the_schema_describes_what_is_read():
    schema = Store.json_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
