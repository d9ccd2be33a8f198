"""What people do with stock, on the ledger and the engine: documents with states, step by step.

Each flow is data (`FLOWS`: its states and steps) and functions that take a step: one request to the ledger, all of it
or nothing, once per key. A step that is refused says why, and what can be done next. `docs/flows.md` draws them all.
"""

from allocator.flows.boards import board, document_of
from allocator.flows.delivery import deliver, mailbox, webhook
from allocator.flows.doing import Person
from allocator.flows.events import events, history_of
from allocator.flows.flow import FLOWS, Flow, Step
from allocator.flows.settings import keep_settings

# Whoever looks at `FLOWS` sees all of them: those of partners as well.
from allocator.flows import assets, devices, partner, quality, scanning  # isort: skip

# Steps by name come after all of them.
from allocator.flows.automation import automate, keep_rules  # isort: skip
from allocator.flows.papers import paper_of  # isort: skip
from allocator.flows.steps import QUESTIONS, STEPS, ask, take_step  # isort: skip

__all__ = [
    "FLOWS",
    "QUESTIONS",
    "STEPS",
    "Flow",
    "Person",
    "Step",
    "ask",
    "assets",
    "automate",
    "board",
    "deliver",
    "devices",
    "document_of",
    "events",
    "history_of",
    "keep_rules",
    "keep_settings",
    "mailbox",
    "paper_of",
    "partner",
    "quality",
    "scanning",
    "take_step",
    "webhook",
]
