"""A document: settings that people write in TOML, YAML or JSON, read strictly, every problem reported at once."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args, get_origin

import tomli_w
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from allocator.errors import FileError, PolicyError, Problem

Format = Literal["toml", "yaml", "json"]
FORMATS: Final[Mapping[str, Format]] = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
SIZE_BYTES_MAX: Final = 10_000_000
VALUE_LENGTH_MAX: Final = 80


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


ALTERNATIVE: Final = "|"
"""Begins the tags of unions whose alternatives the value alone tells apart; pydantic puts them into paths."""

CONTROL: Final = r"\x00-\x1f\x7f-\x9f"
"""Characters that nobody sees, in a notation that every reader of JSON Schemas knows."""

NAME: Final = rf"^[^\s{CONTROL}]([^{CONTROL}]*[^\s{CONTROL}])?$"

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NAME)]
"""A name that people read: no line breaks or other control characters, no blanks around it."""

Names = Annotated[tuple[Name, ...], BeforeValidator(_one_or_many, json_schema_input_type=Name | tuple[Name, ...])]
"""Some names; a single one may be written without brackets."""


class Part(BaseModel):
    """A part of a document: unknown settings are refused, and nothing changes once it is made.

    A validator that runs after the fields may raise `PolicyError` with many problems, whose columns are
    relative to the part; they are all reported, under the path of the part.

    Raises:
        PolicyError: `setting_unknown`, `setting_missing`, `setting_type`, `setting_value`, and what validators find.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )
    kind: ClassVar[str] = ""

    def __init__(self, /, **settings: object) -> None:
        try:
            self.__pydantic_validator__.validate_python(settings, self_instance=self)
        except ValidationError as error:
            raise PolicyError(_problems(type(self), error)) from None

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # so that nested parts are validated as data

    def plain(self) -> dict[str, Any]:
        """What was said, as plain data: settings at their default are left out."""
        return _without_defaults(self, self.model_dump(mode="json"))


class Document(Part):
    """A whole document. Subclasses set `kind`, which names their presets and their problems."""

    def __eq__(self, other: object) -> bool:
        """Whether both say the same: 1 is not `true`, and 2.50 is 2.5."""
        return isinstance(other, Document) and type(self) is type(other) and self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    @classmethod
    def presets(cls) -> list[str]:
        """The names that `load` takes beside paths."""
        folder = resources.files(__package__) / "presets" / cls.kind
        return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir()) if folder.is_dir() else []

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Reads a preset by its name, or a file by its path (`.toml`, `.yaml`, `.yml` or `.json`).

        Raises:
            FileError: `file_missing`, `file_unreadable`, `file_too_large`, `file_format`.
            PolicyError: `preset_unknown`, `document_syntax`, and everything of `Part`.
        """
        path = Path(source)
        if path.suffix == "" and path.name == str(source):
            if path.name not in cls.presets():
                message = f"there is no {cls.kind} preset of this name, and a path ends in {', '.join(FORMATS)}"
                hint = did_you_mean(path.name, cls.presets()) or f"Presets: {', '.join(cls.presets()) or 'none'}"
                raise PolicyError(Problem("preset_unknown", message, cls.kind, value=_shown(path.name), hint=hint))
            preset = resources.files(__package__) / "presets" / cls.kind / f"{path.name}.toml"
            return cls.loads(preset.read_text("utf-8"))
        form = _format_of(path, cls.kind)
        try:
            if path.stat().st_size > SIZE_BYTES_MAX:
                message = f"the file is larger than {SIZE_BYTES_MAX} bytes"
                raise FileError(Problem("file_too_large", message, cls.kind, value=str(path)))
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            if isinstance(error, FileError):
                raise
            code = "file_missing" if isinstance(error, FileNotFoundError) else "file_unreadable"
            raise FileError(Problem(code, f"the file cannot be read: {error}", cls.kind, value=str(path))) from None
        return cls.loads(text, form)

    @classmethod
    def loads(cls, text: str, form: Format = "toml") -> Self:
        """Reads a text. Types are strict: `"3"` is no number and `yes` is no boolean.

        Raises:
            PolicyError: `document_syntax`, and everything of `Part`.
        """
        try:
            data = _READERS[form](text)
            as_json = json.dumps(data, default=_date_text, allow_nan=False)
        except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
            message = f"this is not a {form.upper()} document: {' '.join(str(error).split())}"
            raise PolicyError(Problem("document_syntax", message, cls.kind)) from None
        try:
            return cls.model_validate_json(as_json, strict=True)
        except ValidationError as error:
            raise PolicyError(_problems(cls, error)) from None

    def dump(self, path: str | Path) -> None:
        """Writes a file that `load` reads back as an equal document; its suffix says the format.

        Raises:
            FileError: `file_format`, `file_unwritable`.
        """
        target = Path(path)
        text = self.dumps(_format_of(target, self.kind))
        try:
            target.write_text(text, "utf-8")
        except OSError as error:
            message = f"the file cannot be written: {error}"
            raise FileError(Problem("file_unwritable", message, self.kind, value=str(path))) from None

    def dumps(self, form: Format = "toml") -> str:
        """The document as text that `loads` reads back as an equal document."""
        return _WRITERS[form](self.plain())

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema (2020-12) of such documents, for editors and for other languages."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_without_tags(cls.model_json_schema())}

    def fingerprint(self) -> str:
        """SHA-256 of what was said, in hex: the same for equal documents, whatever file they came from."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        canonical = json.dumps([self.kind, self.plain()], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


# --- text to data and back ---


class _YamlLoader(yaml.SafeLoader):
    """YAML as people mean it: only true and false are booleans, keys are unique, no aliases (they can explode)."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        pairs = [(self.construct_object(key, deep=True), None) for key, _ in node.value]
        _unique(pairs)
        return super().construct_mapping(node, deep)


_YamlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _first, _word in (("t", "true"), ("f", "false")):
    _YamlLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(rf"^{_word}$"), [_first])


def _unique(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return unique


def _date_text(value: object) -> str:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not allowed here")


_READERS: Mapping[Format, Callable[[str], object]] = {
    "toml": tomllib.loads,
    "yaml": lambda text: yaml.load(text, _YamlLoader),  # noqa: S506 - a stricter SafeLoader
    "json": lambda text: json.loads(text, object_pairs_hook=_unique),
}
_WRITERS: Mapping[Format, Callable[[dict[str, Any]], str]] = {
    "toml": tomli_w.dumps,
    "yaml": lambda data: yaml.safe_dump(data, sort_keys=False, allow_unicode=True),
    "json": lambda data: json.dumps(data, indent=2, ensure_ascii=False) + "\n",
}


def _format_of(path: Path, kind: str) -> Format:
    if path.suffix.lower() not in FORMATS:
        message = f"the format cannot be told from the suffix {path.suffix!r}"
        hint = f"Use one of {', '.join(FORMATS)}"
        raise FileError(Problem("file_format", message, kind, value=str(path), hint=hint))
    return FORMATS[path.suffix.lower()]


def _without_defaults(part: BaseModel, dumped: dict[str, Any]) -> dict[str, Any]:
    said = {}
    for name, field in type(part).model_fields.items():
        value, key = getattr(part, name), field.serialization_alias or field.alias or name
        tag = get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        if tag or field.is_required() or value != field.get_default(call_default_factory=True, validated_data={}):
            said[key] = _prune(value, dumped[key])
    return said


def _prune(value: object, dumped: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, BaseModel):
        return _without_defaults(value, dumped)
    if isinstance(value, Mapping):
        return {key: _prune(item, dumped[key]) for key, item in zip(dumped, value.values(), strict=True)}
    if isinstance(value, list | tuple):
        return [_prune(item, copy) for item, copy in zip(value, dumped, strict=True)]
    return dumped


# --- pydantic's errors as problems ---


def _problems(model: type[Part], error: ValidationError) -> list[Problem]:
    return [problem for details in error.errors(include_url=False) for problem in _explained(model, details)]


def _explained(model: type[Part], details: ErrorDetails) -> Iterator[Problem]:
    path = ".".join(str(step) for step in details["loc"] if not str(step).startswith(ALTERNATIVE))
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, PolicyError):
        for problem in cause.problems:
            column = ".".join(step for step in (path, problem.column) if step)
            yield Problem(problem.code, problem.message, model.kind, column, problem.row, problem.value, problem.hint)
        return
    kind, message, hint, value = details["type"], details["msg"], "", _shown(details["input"])
    if kind == "extra_forbidden":
        known = sorted(_settings_at(model.model_json_schema(), details["loc"][:-1]))
        hint = did_you_mean(str(details["loc"][-1]), known) or f"Settings here: {', '.join(known)}"
        yield Problem("setting_unknown", "there is no such setting", model.kind, path, value=value, hint=hint)
    elif kind == "missing":
        yield Problem("setting_missing", "this setting is required", model.kind, path)
    elif kind == "union_tag_not_found":
        # Which of the alternatives is meant is said by a setting: pydantic names it in quotes.
        tag = details["ctx"]["discriminator"].strip("'")
        hint = f"It is one of {', '.join(_tags(model.model_json_schema(), tag))}"
        yield Problem(
            "setting_missing", "this setting is required", model.kind, f"{path}.{tag}", value=value, hint=hint
        )
    elif kind == "union_tag_invalid":
        said, tag = str(details["ctx"]["tag"]), details["ctx"]["discriminator"].strip("'")
        known = re.findall("'([^']*)'", str(details["ctx"]["expected_tags"]))
        hint = did_you_mean(said, known) or f"There are {', '.join(known)}"
        yield Problem("setting_value", f"there is no such {tag}", model.kind, f"{path}.{tag}", value=said, hint=hint)
    elif kind == "value_error":
        yield Problem("setting_value", str(cause), model.kind, path, value=value)
    elif kind == "json_invalid":
        yield Problem("document_syntax", message, model.kind)
    elif kind.endswith(("_type", "_parsing")):
        yield Problem("setting_type", message, model.kind, path, value=value)
    else:
        expected = str(details.get("ctx", {}).get("expected", ""))
        hint = did_you_mean(str(details["input"]), re.findall("'([^']*)'", expected))
        yield Problem("setting_value", message, model.kind, path, value=value, hint=hint)


def _without_tags(schema: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The schema, where a value may fit several alternatives that no setting tells apart, such as text."""
    if isinstance(schema, list):
        return [_without_tags(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    free = "oneOf" in schema and "discriminator" not in schema
    return {"anyOf" if free and key == "oneOf" else key: _without_tags(value) for key, value in schema.items()}


def _settings_at(schema: Mapping[str, Any], path: Sequence[int | str]) -> set[str]:
    """The settings that the schema knows at a path; a step may also be the tag of a union, which names none."""

    def branches(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        yield node
        for option in [*node.get("anyOf", ()), *node.get("oneOf", ())]:
            yield from branches(option)

    nodes = list(branches(schema))
    for step in path:
        key = "items" if isinstance(step, int) else "properties"
        inner = [node[key] if key == "items" else node[key].get(step) for node in nodes if key in node]
        inner += [node["additionalProperties"] for node in nodes if isinstance(node.get("additionalProperties"), dict)]
        nodes = [branch for node in inner if node for branch in branches(node)] or nodes
    return {name for node in nodes for name in node.get("properties", ())}


def _tags(node: object, tag: str) -> list[str]:
    """The values that a setting which tells alternatives apart may have, by the schema."""
    if isinstance(node, list):
        return sorted({name for each in node for name in _tags(each, tag)})
    if not isinstance(node, dict):
        return []
    said = node.get("discriminator")
    if isinstance(said, dict) and said.get("propertyName") == tag:
        return sorted(said["mapping"])
    return _tags(list(node.values()), tag)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A question that names the nearest of the known words, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else ""


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 1] + "…"
