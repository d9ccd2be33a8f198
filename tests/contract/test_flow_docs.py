"""The page about flows draws every flow as it is. Run as a program, this file writes it anew."""

from pathlib import Path

import pytest

from allocator.flows import FLOWS, Flow

PAGE = Path(__file__).parents[2] / "docs" / "flows.md"
MARK = "<!-- From here on written by tests/contract/test_flow_docs.py. -->\n"


def shown(flow: Flow) -> str:
    states = ["| state | meaning |", "| --- | --- |"]
    states += [f"| {name}{' (closed)' if name in flow.closed else ''} | {says} |" for name, says in flow.states.items()]
    numbers = f" Numbers: `{flow.prefix}-000001`, …" if flow.prefix else ""
    head = f"## {flow.name[0].upper()}{flow.name[1:]}\n\n{flow.says}{numbers}"
    return "\n\n".join([head, "\n".join(states), flow.table(), f"```mermaid\n{flow.mermaid()}\n```"])


def generated() -> str:
    return MARK + "\n" + "\n\n".join(shown(FLOWS[name]) for name in sorted(FLOWS)) + "\n"


def test_the_page_shows_every_flow_as_it_is() -> None:
    written = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert written[1] + written[2] == generated(), f"run: python {Path(__file__).name}"


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_every_state_of_a_flow_can_be_reached_and_every_open_one_left(name: str) -> None:
    flow = FLOWS[name]
    reached = {after for step in flow.steps for after in step.after}
    left = {before for step in flow.steps for before in step.before}
    assert reached == set(flow.states)
    assert left - {""} <= set(flow.states)
    assert set(flow.states) - set(flow.closed) <= left
    assert not left & set(flow.closed)


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(MARK)[0] + generated(), encoding="utf-8")
