"""Steps and questions by name, for whoever has names and values instead of code: command line, rules, other systems."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, get_args

from allocator.errors import AllocatorError, InputError, Problem
from allocator.flows import assets, devices, partner, quality, scanning
from allocator.flows.doing import Person
from allocator.ledger.lines import Unfit, shown, text
from allocator.model.document import did_you_mean
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

PACKAGES: Final[Mapping[str, ModuleType]] = {
    "assets": assets, "devices": devices, "partner": partner, "quality": quality, "scanning": scanning,
}  # fmt: skip


def _found(*, keyed: bool) -> dict[str, Callable[..., Any]]:
    functions = {
        f"{name}.{each}": getattr(module, each) for name, module in PACKAGES.items() for each in module.__all__
    }
    return {name: it for name, it in functions.items() if ("key" in inspect.signature(it).parameters) == keyed}


STEPS: Final = _found(keyed=True)
"""Every step that people take, as `package.function`: each is one request, and is answered once per key."""

QUESTIONS: Final = _found(keyed=False)
"""What people ask, as `package.function`: nothing is changed."""


def named(name: str, among: Mapping[str, Callable[..., Any]]) -> str:
    """The whole name of a step or a question; its package may be left out where only one has it.

    Raises:
        InputError: `step_unknown`.
    """
    if name in among:
        return name
    short = [each for each in among if each.partition(".")[2] == name]
    if len(short) == 1:
        return short[0]
    near = [each for each in among if str(name) in each.partition(".")[2].split("_")]
    others = f"There are {', '.join(near)}" if near else did_you_mean(str(name), _names(among))
    hint = f"There are {' and '.join(short)}" if short else others
    message = "several packages have one of this name" if short else "there is nothing of this name"
    raise InputError(Problem("step_unknown", message, column="step", value=str(name)[:80], hint=hint))


def _names(among: Mapping[str, Callable[..., Any]]) -> list[str]:
    return [*among, *(each.partition(".")[2] for each in among)]


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What a step or a question is told, beside the ledger, the person and the key."""
    known = inspect.signature(function).parameters
    return {name: each for name, each in known.items() if name not in ("ledger", "person", "key")}


def take_step(
    ledger: Ledger, name: str, person: Person, arguments: Mapping[str, Any] | None = None, *, key: str = ""
) -> Any:  # noqa: ANN401 - what the step answers
    """Takes a step by its name.

    Args:
        ledger: The ledger.
        name: A name of `STEPS`; the package may be left out where only one has it.
        person: Who takes it.
        arguments: What the step is told, by name, as JSON or TOML have it: days and decimals may be texts.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        What the step answers.

    Raises:
        InputError: `step_unknown`; `setting_unknown`, `argument_missing`, `argument_value`: every problem of the
            arguments; and why the step is refused.

    Example:
        >>> from allocator.flows import Person
        >>> from allocator.ledger import Ledger
        >>> with Ledger.open("sqlite://") as ledger:
        ...     _ = ledger.define([{"sku": "gauge", "tracking": "serial"}], actor="ana")
        ...     units = [{"sku": "gauge", "serial": "G-1", "location": "store"}]
        ...     _ = ledger.post("receive", units, origin="supplier", document="GRN-1", actor="ana")
        ...     told = {"lines": {"serial": "G-1"}, "reason": "damage"}
        ...     take_step(ledger, "block_goods", Person("quinn", "quality"), told)["number"]
        'HOLD-000001'
    """
    function = STEPS[named(name, STEPS)]
    return function(ledger, person=person, key=key, **read_arguments(function, arguments or {}))


def ask(ledger: Ledger, name: str, person: Person, arguments: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
    """Asks a question by its name, one of `QUESTIONS`; otherwise as `take_step`."""
    function = QUESTIONS[named(name, QUESTIONS)]
    return function(ledger, person=person, **read_arguments(function, arguments or {}))


def read_arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a step takes them.

    Raises:
        InputError: `setting_unknown`, `argument_missing`, `argument_value`: every problem of every argument.
    """
    known = parameters(function)
    problems = [
        Problem("setting_unknown", f"{function.__name__} is told nothing of this name", "arguments", str(name)[:80],
                hint=f"{did_you_mean(str(name), list(known))} There are {', '.join(known)}".strip())
        for name in given if name not in known
    ]  # fmt: skip
    problems += [
        Problem("argument_missing", f"{function.__name__} needs it", "arguments", name)
        for name, each in known.items()
        if each.default is each.empty and name not in given
    ]
    read = {}
    for name, value in given.items():
        if name in known:
            try:
                read[name] = _reader(function, known[name].annotation)(value)
            except Unfit as unfit:
                problem = Problem("argument_value", str(unfit), "arguments", name, value=shown(value), hint=unfit.hint)
                problems.append(problem)
            except AllocatorError as error:
                problems += error.problems
    if problems:
        raise InputError(problems)
    return read


def _reader(function: Callable[..., Any], annotation: str) -> Callable[[Any], Any]:
    """How a value of an argument is read, by the type that the step gives it."""
    kind = annotation.removesuffix(" | None")
    choices = ()
    if kind.startswith("Literal["):
        choices = ast.literal_eval(f"({kind.removeprefix('Literal[').removesuffix(']')},)")
    elif kind in ("Kind", "Outcome"):
        choices = get_args(inspect.unwrap(function).__globals__[kind])
    if choices:
        return lambda value: _one_of(value, choices)
    return READERS[kind]


def _one_of(value: object, choices: tuple[str, ...]) -> str:
    if value not in choices:
        hint = did_you_mean(str(value), list(choices)) or f"There are {', '.join(choices)}"
        raise Unfit("argument_value", "it is none of these", hint)
    return str(value)


def _text(value: object) -> str:
    return text(value) if value != "" else ""


def _whole(value: object) -> int:
    if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unfit("argument_value", "a whole number is expected")
    return value


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise Unfit("argument_value", "true or false is expected")


def _quantity(value: object) -> int | Decimal | str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unfit("argument_value", "a quantity is expected", "Write it as a whole number, or as text: '33.60'")
    return value


def _lines(value: object) -> list[dict[str, Any]]:
    rows = [value] if isinstance(value, Mapping) else value
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        hint = """As in lines=[{"sku": "valve", "qty": 2}]"""
        raise Unfit("argument_value", "a list of lines is expected, each with names and values", hint)
    return [dict(row) for row in rows]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [text(value)]
    if not isinstance(value, list | tuple):
        raise Unfit("argument_value", "a list of texts is expected")
    return [text(each) for each in value]


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Unfit("argument_value", "names and values are expected", """As in references={"SODO": "8000"}""")
    return {text(name): each for name, each in value.items()}


def _day(value: object) -> dt.date:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        raise Unfit("argument_value", "a day is written as 2026-06-30") from None


def _moment(value: object) -> dt.datetime:
    try:
        found = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise Unfit("argument_value", "a moment is written as 2026-06-30T12:00+02:00") from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _policy(value: object) -> Policy:
    if isinstance(value, str):
        return Policy.load(value)
    return Policy(**_mapping(value))


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "str": _text,
    "int": _whole,
    "bool": _flag,
    "int | Decimal | str": _quantity,
    "Lines": _lines,
    "Mapping[str, str]": _mapping,
    "Mapping[str, object]": _mapping,
    "Mapping[str, Decimal | int | str]": _mapping,
    "Readings": _mapping,
    "str | Sequence[str]": _texts,
    "tuple[str, ...]": _texts,
    "tuple[str, ...] | list[str]": _texts,
    "dt.date": _day,
    "dt.datetime": _moment,
    "Policy": _policy,
}
"""How values are read, by the type that a step gives its argument."""
