"""Arguments of steps and questions: each of the kind that it is said to be, and all that are not told at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar

from allocator.errors import InputError, Problem
from allocator.flows.doing import Person
from allocator.ledger.lines import GREATEST, shown
from allocator.model.policy import Policy

Said = ParamSpec("Said")
Told = TypeVar("Told")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= GREATEST


def _are_texts(value: object) -> bool:
    return _is_text(value) or (isinstance(value, list | tuple) and all(map(_is_text, value)))


_Kind = tuple[Callable[[object], bool], str]
_TEXT: Final[_Kind] = (_is_text, "a text is expected")
_TEXTS: Final[_Kind] = (_are_texts, "a text is expected, or a list of texts")
_NAMED: Final[_Kind] = (lambda value: isinstance(value, Mapping), "names and values are expected")
KINDS: Final[Mapping[str, _Kind]] = {
    "str": _TEXT,
    "Kind": _TEXT,
    "Outcome": _TEXT,
    "Literal": _TEXT,
    "str | Sequence[str]": _TEXTS,
    "tuple[str, ...] | list[str]": _TEXTS,
    "tuple[str, ...]": _TEXTS,
    "int": (_is_whole, "a whole number is expected, of at most 64 bits"),
    "bool": (lambda value: isinstance(value, bool), "True or False is expected"),
    "Mapping": _NAMED,
    "Readings": _NAMED,
    "Person": (lambda value: isinstance(value, Person), "a Person is expected"),
    "Policy": (lambda value: isinstance(value, Policy), "a Policy is expected"),
}
"""By the annotation of an argument, what it must be, in code and in words. Others are read where they are used."""


def checked(function: Callable[Said, Told]) -> Callable[Said, Told]:
    """A step or a question that looks at its arguments first: what is of another kind is told, and all of it at once.

    The function raises:
        InputError: `argument_type`: every argument that is something else than its annotation says; `text_nul`,
            `value_text`: a text that no store can look up.

    Example:
        >>> @checked
        ... def greet(name: str, times: int = 1) -> str:
        ...     return name * times
        >>> greet("ana", times=2)
        'anaana'
        >>> try:
        ...     greet(None, times="two")
        ... except InputError as refusal:
        ...     [problem.column for problem in refusal.problems]
        ['name', 'times']
    """
    signature = inspect.signature(function)
    kinds = {name: kind for name, each in signature.parameters.items() if (kind := _kind_of(each)) is not None}

    @wraps(function)
    def whole(*said: Said.args, **more: Said.kwargs) -> Told:
        problems = []
        for name, value in signature.bind(*said, **more).arguments.items():
            fits, wanted = kinds.get(name, (None, ""))
            if fits is None or (value is None and signature.parameters[name].default is None):
                continue
            if not fits(value):
                problems.append(Problem("argument_type", wanted, column=name, value=type(value).__name__))
            elif unfit := _unfit(value):
                problems.append(Problem(*unfit, column=name, value=shown(value)))
        if problems:
            raise InputError(problems)
        return function(*said, **more)

    return whole


def _unfit(value: object) -> tuple[str, str] | None:
    """Why a text, or one of several, cannot be looked up anywhere: code and message."""
    whole = value if isinstance(value, str) else "".join(value) if isinstance(value, list | tuple) else ""
    if whole.isascii() and "\0" not in whole:
        return None
    if "\0" in whole:
        return "text_nul", "the text contains a NUL character"
    halves = any("\ud800" <= character <= "\udfff" for character in whole)
    return ("value_text", "the text contains half a character") if halves else None


def _kind_of(each: inspect.Parameter) -> _Kind | None:
    annotation = str(each.annotation).removesuffix(" | None")
    plain: dict[str, Any] = dict(KINDS)
    return plain.get(annotation) or plain.get(annotation.partition("[")[0] if "[" in annotation else "")
