"""What people do, as data: a flow has states, and steps that lead from one to another, each for certain roles.

The same data refuses a step that is out of order, says what can be done next, and is drawn in `docs/flows.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Step:
    """One step of a flow.

    Attributes:
        name: Its name, a verb.
        says: What it is, in one sentence.
        before: The states in which it can be taken; '' is before there is a document.
        after: The states that it may lead to, the usual one first.
        roles: Who takes it; none where it follows from a step of another document.
        shared: Whether all who see the document take it, not only those whose it is.
    """

    name: str
    says: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    roles: tuple[str, ...] = ()
    shared: bool = False


@dataclass(frozen=True)
class Flow:
    """The states and steps of one kind of document.

    Attributes:
        name: What people call such a document.
        prefix: What its numbers begin with; '' where others number it.
        says: What it is for, in one sentence.
        states: Its states, and what each means.
        closed: Those in which nothing is left to do.
        steps: Its steps.
    """

    name: str
    prefix: str
    says: str
    states: Mapping[str, str]
    closed: tuple[str, ...]
    steps: tuple[Step, ...]

    def step(self, name: str) -> Step:
        """A step by name."""
        return next(step for step in self.steps if step.name == name)

    def next(self, state: str) -> list[Step]:
        """The steps that people can take in a state."""
        return [step for step in self.steps if state in step.before and step.roles]

    def mermaid(self) -> str:
        """The flow as a diagram."""
        ids = {state: f"s{number}" for number, state in enumerate(self.states)}
        lines = ["stateDiagram-v2"]
        lines += [f"  state {name!r} as {ids[name]}".replace("'", '"') for name in self.states]
        arrows: dict[tuple[str, str], list[str]] = {}
        for step in self.steps:
            for before in step.before:
                for after in step.after:
                    arrows.setdefault((before, after), []).append(step.name)
        for (before, after), names in arrows.items():
            lines.append(f"  {ids.get(before, '[*]')} --> {ids[after]}: {', '.join(names)}")
        lines += [f"  {ids[state]} --> [*]" for state in self.closed]
        return "\n".join(lines)

    def table(self) -> str:
        """The steps as a table in Markdown."""
        rows = ["| step | from | to | who | what |", f"|{' --- |' * 5}"]
        for step in self.steps:
            who = ", ".join(step.roles) or "follows from another step"
            before = ", ".join(state or "(new)" for state in step.before)
            rows.append(f"| `{step.name}` | {before} | {', '.join(step.after)} | {who} | {step.says} |")
        return "\n".join(rows)


FLOWS: Final[dict[str, Flow]] = {}
"""Every flow, by name."""


def known(flow: Flow) -> Flow:
    """Makes a flow one of `FLOWS`."""
    FLOWS[flow.name] = flow
    return flow
