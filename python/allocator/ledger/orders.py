"""When an order may take stock: once its processing begins, and not while it is drafted (WD-4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from allocator.errors import InputError, Problem
from allocator.ledger.given import check
from allocator.model.document import did_you_mean
from allocator.model.policy import Policy

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

Phase = Literal["before", "in progress", "over"]

STAGES: Final[Mapping[str, Phase]] = {
    "draft": "before", "submitted": "before", "approved": "before", "processing": "in progress",
    "picking": "in progress", "packing": "in progress", "completed": "over", "cancelled": "over",
}  # fmt: skip
"""The stages of an order, and whether its processing has begun; a business names its own."""


def reserve_order(
    ledger: Ledger,
    lines: Sequence[Mapping[str, Any]],
    policy: Policy | None = None,
    *,
    stage: str,
    stages: Mapping[str, Phase] = STAGES,
    actor: str,
    as_of: dt.date | None = None,
    document: str = "",
    key: str = "",
) -> dict[str, Any]:
    """Promises an order what its stage lets it have: nothing before its processing begins, then what it lacks.

    Call it at every change of stage: the first stage in progress reserves, later ones add what came in since.

    Args:
        ledger: The ledger.
        lines: The lines of the order, as for `Ledger.reserve`.
        policy: Which stock may serve them; `Policy()` if left out.
        stage: The stage that the order is at now.
        stages: Whether the order's processing has begun, by stage.
        actor: Who does it.
        as_of: The day on which is decided; today (UTC) if left out.
        document: The number of the order.
        key: The caller's key, so that a repeat is answered and not done again.

    Returns:
        `begun`, whether the processing has begun, and what `Ledger.reserve` answers; before that, `seq` is None and
        there are no `lines`.

    Raises:
        InputError: `argument_value`: there is no such stage, or the order is over; everything of `Ledger.reserve`.

    Example:
        >>> from allocator.ledger import Ledger
        >>> with Ledger.open("sqlite://") as ledger:
        ...     _ = ledger.define([{"sku": "filter"}], actor="ana")
        ...     line = {"sku": "filter", "qty": 10, "location": "store"}
        ...     _ = ledger.post("receive", line, origin="supplier", document="GRN-1", actor="ana")
        ...     order = [{"line_id": "L1", "order_id": "O1", "sku": "filter", "qty": 4}]
        ...     draft = reserve_order(ledger, order, stage="draft", actor="bob")
        ...     begun = reserve_order(ledger, order, stage="processing", actor="bob")
        >>> draft["begun"], begun["lines"][0]["allocated"]
        (False, 4)
    """
    check("stage", "stages", stage=stage, stages=stages)
    phase = stages.get(stage)
    if phase not in ("before", "in progress"):
        message = "there is no such stage" if phase is None else "the order is over, and reserves nothing any more"
        hint = (did_you_mean(stage, list(stages)) or f"There are {', '.join(stages)}") if phase is None else ""
        raise InputError(Problem("argument_value", message, column="stage", value=stage[:80], hint=hint))
    if phase == "before":
        return {"begun": False, "seq": None, "lines": []}
    answer = ledger.reserve(lines, policy, actor=actor, as_of=as_of, document=document, key=key)
    return {"begun": True, **answer}
