"""A lifecycle for people: in words, as a table, as a diagram. `docs/lifecycles.md` is made of these."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allocator.model.lifecycle import Lifecycle, Transition

PREVIOUS_IN_WORDS = "what it was before"


def in_words(lifecycle: Lifecycle) -> str:
    """The whole lifecycle in plain words, one line per change."""
    subjects = "states" if lifecycle.between == "states" else "statuses"
    lines = [f"{lifecycle.name}: {lifecycle.description}".rstrip(": "), ""]
    lines.append(f"A unit begins as {either(lifecycle.statuses_initial)}.")
    if lifecycle.statuses_allocatable:
        lines.append(f"It can be allocated while it is {either(lifecycle.statuses_allocatable)}.")
    if subjects == "states":
        lines.append("The rules are about states; a status follows the rules of its state.")
    for start in _subjects(lifecycle):
        changes = [t for t in lifecycle.transitions if start in t.from_]
        lines += ["", f"{start}{'' if changes else ' is the end.'}"]
        for change in changes:
            end = PREVIOUS_IN_WORDS if change.to.startswith("$") else change.to
            needs = _needs(change)
            lines.append(f"- to {end}{f' ({change.why})' if change.why else ''}{': needs ' if needs else ''}{needs}")
            if change.events:
                lines[-1] += f"{';' if needs else ':'} happens by itself on {either(change.events)}"
    return "\n".join(lines) + "\n"


def markdown(lifecycle: Lifecycle) -> str:
    """The changes as a Markdown table, one row per transition."""
    rows = [("from", "to", "why", "needs", "happens by itself on"), ("---",) * 5]
    for change in lifecycle.transitions:
        end = PREVIOUS_IN_WORDS if change.to.startswith("$") else change.to
        rows.append((", ".join(change.from_), end, change.why, _needs(change), ", ".join(change.events)))
    cells = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    return "\n".join(re.sub(" +", " ", f"| {' | '.join(row)} |") for row in cells) + "\n"


def mermaid(lifecycle: Lifecycle) -> str:
    """The changes as a Mermaid state diagram; a change with needs names them under its reason."""
    subjects = _subjects(lifecycle)
    ids = {name: _id(name, place) for place, name in enumerate(subjects)}
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{_escaped(name)}" as {ids[name]}' for name in subjects if ids[name] != name]
    begin = dict.fromkeys(lifecycle.subject(status) for status in lifecycle.statuses_initial)
    lines += [f"    [*] --> {ids[name]}" for name in begin]
    for (start, end), change in lifecycle.rules.items():
        note = ", needs ".join(filter(None, (change.why, _needs(change))))
        lines.append(f"    {ids[start]} --> {ids[end]}{' : ' if note else ''}{_escaped(note)}")
    ends = [name for name in subjects if not any(start == name for start, _ in lifecycle.rules)]
    lines += [f"    {ids[name]} --> [*]" for name in ends]
    return "\n".join(lines) + "\n"


def _subjects(lifecycle: Lifecycle) -> list[str]:
    return list(dict.fromkeys(lifecycle.subject(status) for status in lifecycle.state_of))


def _needs(change: Transition) -> str:
    return "; ".join(_each_need(change))


def _each_need(change: Transition) -> Iterator[str]:
    if change.roles:
        yield f"role {either(change.roles)}{' (restricted)' if change.restricted else ''}"
    if change.approval:
        yield "approval"
    if change.reasons:
        yield f"reason {either(change.reasons)}"
    if change.documents:
        yield f"document {either(change.documents)}"
    if change.photo:
        yield "photo"


def either(names: Sequence[str]) -> str:
    """The names in a sentence: `a, b or c`."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _id(name: str, place: int) -> str:
    """Mermaid takes plain words as ids; `end` and the like are its own."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
    return (
        name if plain == name and name.isascii() and name.lower() not in RESERVED else f"s{place}_{plain}".rstrip("_")
    )


RESERVED = frozenset({"end", "state", "note", "direction", "class", "style", "default", "as", "click"})


def _escaped(text: str) -> str:
    """Characters that end a label, as Mermaid's entities."""
    return re.sub(r'[#;:"<>\n]', lambda sign: f"#{ord(sign[0])};", text)
