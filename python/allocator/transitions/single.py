"""One change of status, by the same table as the many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from allocator.errors import InputError, Problem
from allocator.model.document import did_you_mean
from allocator.model.lifecycle import Lifecycle, Transition
from allocator.model.lifecycle_text import either
from allocator.transitions.columns import TABLE, check_arguments
from allocator.transitions.table import compiled


def check_transition(
    lifecycle: Lifecycle,
    status_from: str | None,
    status_to: str,
    *,
    role: str | Iterable[str] | None = None,
    approval: bool = False,
    reason: str | None = None,
    document: str | None = None,
    photo: bool = False,
    previous: str | None = None,
) -> Transition | None:
    """Makes sure that one change is allowed, by the same table as `validate_transitions`.

    Args:
        lifecycle: The statuses, the changes allowed between them, and what each needs.
        status_from: The status that the unit has; None for a unit that is new.
        status_to: The status that it is to have.
        role: The role of who asks, or all of them: one suffices.
        approval: Whether it was approved.
        reason: The reason code given.
        document: The kind of document attached.
        photo: Whether a photo is attached.
        previous: The status before `status_from`, for changes back.

    Returns:
        The transition that allows it; None where no transition is needed (a new unit, or a change within a state).

    Raises:
        InputError: One problem per thing that is missing, with the code of the verdict; each hint names the
            changes that are allowed instead. Nothing was changed. Also `argument_type`.

    Example:
        >>> from allocator.model.lifecycle import Lifecycle
        >>> check_transition(Lifecycle.load("serial"), "Shipped", "Available")
        Traceback (most recent call last):
        allocator.errors.InputError: transition_unlisted: changes.to: Shipped does not change to Available \
(value: Available). From Shipped: Delivered, Under Service
    """
    texts = {"status_from": status_from, "status_to": status_to, "reason": reason, "document": document}
    every_role = [role] if role is None or isinstance(role, str) else role
    check_arguments(lifecycle, texts | {"previous": previous}, {"approval": approval, "photo": photo}, every_role)
    table = compiled(lifecycle)
    change: dict[str, str | bool | None] = {
        "from": status_from, "to": status_to, "approval": approval, "reason": reason,
        "document": document, "photo": photo, "previous": previous,
    }  # fmt: skip
    roles: Sequence[str | None] = list(dict.fromkeys(every_role)) or [None]
    failings = min((list(table.failings(change | {"role": one})) for one in roles), key=len)
    rule = None if status_from is None else lifecycle.rule(status_from, status_to)
    if failings:
        hint = _allowed_instead(lifecycle, status_from, roles)
        given = {**change, "role": ", ".join(filter(None, roles)) or None}
        raise InputError(
            Problem(verdict, _in_words(verdict, change, rule), TABLE, column, value=_shown(given[column]), hint=hint)
            for verdict, column in failings
        )
    return rule


def _in_words(verdict: str, change: Mapping[str, str | bool | None], rule: Transition | None) -> str:
    needs = {
        "photo_missing": ("a photo", ()),
        "approval_missing": ("an approval", ()),
        "previous_missing": ("the status that the unit had before", ()),
        "role_missing": ("the role ", rule.roles if rule else ()),
        "document_missing": ("a document: ", rule.documents if rule else ()),
        "reason_missing": ("a reason: ", rule.reasons if rule else ()),
        "reason_not_allowed": ("another reason: ", rule.reasons if rule else ()),
    }
    if verdict in needs:
        need, names = needs[verdict]
        return f"the change from {change['from']} to {change['to']} needs {need}{either(names) if names else ''}"
    return {
        "previous_differs": f"the unit goes back to what it was before: {change['previous']}",
        "transition_unlisted": f"{change['from']} does not change to {change['to']}",
        "status_not_initial": f"no unit begins as {change['to']}",
        "status_unknown": "the lifecycle has no such status",
    }[verdict]


def _allowed_instead(lifecycle: Lifecycle, status_from: str | None, roles: Sequence[str | None]) -> str:
    if status_from is None:
        return f"A unit begins as {either(lifecycle.statuses_initial)}"
    if status_from not in lifecycle.state_of:
        return did_you_mean(status_from, list(lifecycle.state_of)) or f"There are {', '.join(lifecycle.state_of)}"
    rules = {name: lifecycle.rule(status_from, name) for name in lifecycle.targets(status_from, restricted=True)}
    offered = [name for name, rule in rules.items() if not (rule and rule.restricted) or {*roles} & {*rule.roles}]
    return f"From {status_from}: {', '.join(offered) or 'none'}"


def _shown(value: str | bool | None) -> str | None:
    return value[:80] if isinstance(value, str) else None
