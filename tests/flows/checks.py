"""What must be so of documents whatever happened to them."""

from __future__ import annotations

from allocator.flows import FLOWS, events
from allocator.ledger import Ledger


def check_flows(ledger: Ledger) -> None:
    """Every document went from state to state by steps that its flow has, taken by roles that may."""
    states: dict[str, str] = {}
    opened: dict[str, list[int]] = {}
    for row in events(ledger, limit=10_000).iter_rows(named=True):
        kind, number = FLOWS[row["flow"]], row["number"]
        step = kind.step(row["step"])
        before = states.get(number, "")
        assert before in step.before, f"{number}: {step.name} from {before or 'nothing'}"
        assert row["state"] in step.after, f"{number}: {step.name} to {row['state']}"
        assert not step.roles or row["role"] in step.roles, f"{number}: {step.name} by {row['role']}"
        states[number] = row["state"]
        if not before and kind.prefix:
            opened.setdefault(kind.prefix, []).append(int(number.removeprefix(f"{kind.prefix}-")))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in opened.values())
