"""The page about lifecycles shows every preset as it is. Run as a program, this file writes it anew."""

from pathlib import Path

from allocator.model.lifecycle import Lifecycle
from allocator.transitions import VERDICTS

PAGE = Path(__file__).parents[2] / "docs" / "lifecycles.md"
MARK = "<!-- From here on written by tests/contract/test_lifecycle_docs.py. -->\n"


def shown(preset: str) -> str:
    lifecycle = Lifecycle.load(preset)
    statuses = ["| status | state | can be allocated | meaning |", "| --- | --- | --- | --- |"]
    for status in lifecycle.statuses:
        can = "yes" if status.allocatable else ""
        state = lifecycle.state_of[status.name]
        statuses.append(f"| {status.name} | {state} | {can} | {status.description} |".replace("|  |", "| |"))
    diagram = f"```mermaid\n{lifecycle.mermaid()}```"
    return "\n\n".join([f"## `{preset}`", lifecycle.description, "\n".join(statuses), lifecycle.table(), diagram])


def generated() -> str:
    return MARK + "\n" + "\n\n".join(shown(preset) for preset in Lifecycle.presets()) + "\n"


def test_the_page_shows_every_preset_as_it_is() -> None:
    written = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert written[1] + written[2] == generated(), f"run: python {Path(__file__).name}"


def test_the_page_explains_every_verdict_in_the_order_of_gravity() -> None:
    rows = [line.split("`")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [verdict for verdict in rows if verdict in VERDICTS] == list(VERDICTS)


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text(encoding="utf-8").partition(MARK)[0] + generated(), encoding="utf-8")
