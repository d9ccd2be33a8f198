"""Rules are applied to what happened: each once per event, and none to what followed from itself (WD-9)."""

from __future__ import annotations

import datetime as dt
import json
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from allocator.errors import InputError, PolicyError, Problem
from allocator.flows.delivery import Event, deliver
from allocator.flows.doing import Doing, Person, look
from allocator.flows.flow import FLOWS
from allocator.flows.given import checked
from allocator.flows.settings import keep_settings, settings_of
from allocator.flows.steps import STEPS, named, parameters, take_step
from allocator.ledger.lines import TEXT_LENGTH_MAX
from allocator.model.automation import BETWEEN, Automation, Comparison, Rule, kind_of
from allocator.model.document import did_you_mean

if TYPE_CHECKING:
    from allocator.ledger.ledger import Ledger

FEED: Final = "automation"
ACTOR: Final = "rule "
"""What the name of whoever acts by rules begins with; the names of the rules follow, each led to by the one before."""

SAYS: Final = ("number", "flow", "step", "state", "bu", "party", "counterparty", "actor", "role", "reason")
APPLIED: Final[dict[str, Any]] = {
    "event": pl.String, "number": pl.String, "rule": pl.String, "step": pl.String, "done": pl.Boolean,
    "answer": pl.String, "problem": pl.String,
}  # fmt: skip


@checked
def keep_rules(ledger: Ledger, rules: Automation, person: Person, *, reason: str = "", key: str = "") -> str:
    """Puts rules in force, in the place of those before; the number of their document.

    Raises:
        PolicyError: Every rule that names a flow, a step or an argument that is not there, or lacks one.
        InputError: `role_missing`, `key_reused`.
    """
    problems = [problem for n, rule in enumerate(rules.rules) for problem in _nonsense(rule, f"rules.{n}")]
    if problems:
        raise PolicyError(problems)
    return keep_settings(ledger, rules, person, reason=reason, key=key)


def _nonsense(rule: Rule, place: str) -> list[Problem]:
    """What a rule names that is not there."""
    problems = []
    if rule.flow not in FLOWS:
        hint = did_you_mean(rule.flow, list(FLOWS))
        problems.append(
            Problem("setting_value", "there is no such flow", column=f"{place}.flow", value=rule.flow, hint=hint)
        )
    else:
        flow = FLOWS[rule.flow]
        steps = [step.name for step in flow.steps]
        for column, values, known in (("step", [rule.step], steps), ("states", rule.states, list(flow.states))):
            problems += [
                Problem("setting_value", f"a {rule.flow} has no such {column}", column=f"{place}.{column}", value=each,
                        hint=did_you_mean(each, known) or f"There are {', '.join(known)}")
                for each in values if each not in known
            ]  # fmt: skip
    problems += [
        Problem("setting_value", "an event says nothing of this name", column=f"{place}.where", value=name,
                hint=did_you_mean(name, SAYS) or f"There are {', '.join(SAYS)}, and details.…")
        for name in rule.where if name not in SAYS and not name.startswith("details.")
    ]  # fmt: skip
    problems += [
        Problem("setting_type", f"{name} is text", column=f"{place}.where", value=str(condition.values[0]),
                hint="Write it in quotation marks")
        for name, condition in rule.where.items()
        if name in SAYS and kind_of(condition.values[0]) in ("number", "flag")
    ]  # fmt: skip
    try:
        told = parameters(STEPS[named(rule.do, STEPS)])
    except InputError as error:
        return [*problems, *(Problem("setting_value", p.message, column=f"{place}.do", value=rule.do, hint=p.hint)
                             for p in error.problems)]  # fmt: skip
    lacking = [name for name, each in told.items() if each.default is each.empty and name not in rule.arguments]
    wrong = [name for name in rule.arguments if name not in told]
    problems += [Problem("setting_missing", f"{rule.do} needs it", column=f"{place}.arguments.{n}") for n in lacking]
    problems += [
        Problem("setting_unknown", f"{rule.do} is told nothing of this name", column=f"{place}.arguments.{name}",
                hint=did_you_mean(name, list(told)) or f"There are {', '.join(told)}")
        for name in wrong
    ]  # fmt: skip
    return problems


@checked
def automate(ledger: Ledger, person: Person, *, limit: int = 1000) -> pl.DataFrame:
    """Applies the rules in force to what happened since they were last applied, and to what follows from that.

    Each rule is applied once to each event, whoever runs this how often, and at once with others: its key says so. A
    step that is refused is told, and not tried again; nothing else waits for it.

    Args:
        ledger: The ledger.
        person: Who runs it, in the role `system`.
        limit: Events that are looked at for one to which a rule applies, at most, before those behind them are.

    Returns:
        One row per rule that was applied, in order: the `event` and the `number` of its document, `rule`, `step`,
        whether it was `done`, its `answer` as JSON, or the `problem`.

    Raises:
        InputError: `role_missing`, `argument_value`; `delivery_failed`: the store failed; call again.
    """
    rules, begun = look(ledger, person, _in_force)
    done: list[tuple[Any, ...]] = []

    def apply(event: Event) -> None:
        for rule in rules.rules:
            if _wants(rule, event):
                done.append(_applied(ledger, rule, event))

    def wanted(event: Event) -> bool:
        return event["seq"] > begun and any(_wants(rule, event) for rule in rules.rules)

    while deliver(ledger, FEED, apply, person, wanted=wanted, limit=limit):
        pass
    return pl.DataFrame(done, schema=APPLIED, orient="row").unique(maintain_order=True)


def _in_force(doing: Doing) -> tuple[Automation, int]:
    """The rules, and the transaction after which they hold."""
    document = doing.book.documents.get(f"settings/{Automation.kind}")
    return settings_of(doing.book, Automation), document.opened_seq if document else 0


def _chain(event: Event) -> list[str]:
    """The rules that led to an event."""
    actor = str(event.get("actor") or "")
    return actor.removeprefix(ACTOR).split(BETWEEN) if actor.startswith(ACTOR) else []


def _wants(rule: Rule, event: Event) -> bool:
    """Whether a rule is to be applied to an event."""
    if (event["flow"], event["step"]) != (rule.flow, rule.step) or rule.name in _chain(event):
        return False
    if rule.states and event["state"] not in rule.states:
        return False
    return all(_holds(_says(event, name), condition) is not False for name, condition in rule.where.items())


def _holds(said: Any, condition: Comparison) -> bool | None:  # noqa: ANN401 - whatever it is
    """Whether what an event says is as a rule wants it; None where the two cannot be compared."""
    if said is None:
        return False
    kind = kind_of(condition.values[0])
    try:
        value = _READ[kind](said)
    except (ValueError, ArithmeticError):
        return None
    return bool(_COMPARED[condition.op](value, condition.value))


def _number(said: object) -> int | Decimal:
    """A number, or the text of one: quantities with decimals are told as text."""
    if isinstance(said, bool) or not isinstance(said, int | str):
        raise ValueError
    return Decimal(said)


def _day(said: object) -> dt.date:
    """A day, or that of a moment in UTC."""
    moment = dt.datetime.fromisoformat(_text(said))
    return (moment if moment.tzinfo is None else moment.astimezone(dt.UTC)).date()


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise ValueError
    return said


def _flag(said: object) -> bool:
    if not isinstance(said, bool):
        raise ValueError
    return said


_READ: Final[Mapping[str, Callable[[object], Any]]] = {"number": _number, "day": _day, "text": _text, "flag": _flag}

_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "in": lambda value, those: value in those, "not_in": lambda value, those: value not in those,
    "between": lambda value, ends: ends[0] <= value <= ends[1],
}  # fmt: skip


def _unfit(rule: Rule, event: Event) -> str | None:
    """Why a rule cannot tell whether it is to be applied, if it cannot."""
    for name, condition in rule.where.items():
        said = _says(event, name)
        if _holds(said, condition) is None:
            kind = kind_of(condition.values[0])
            return f"setting_type: where: {name} is {json.dumps(said)}, which is no {kind}: it cannot be compared"
    return None


def _says(event: Event, name: str) -> Any:  # noqa: ANN401 - whatever it is
    """What an event says, by name; None where it says nothing."""
    if not name.startswith("details."):
        return event.get(name)
    patch: Any = event.get("patch")
    details = (json.loads(patch) if isinstance(patch, str) else patch or {}).get("details", {})
    return details.get(name.removeprefix("details."))


def _filled(value: Any, event: Event) -> Any:  # noqa: ANN401 - as arguments are
    """An argument with what the event says in the place of names."""
    if isinstance(value, str) and value.startswith("$"):
        return _says(event, value[1:])
    if isinstance(value, Mapping):
        return {name: _filled(each, event) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(each, event) for each in value]
    return value


def _applied(ledger: Ledger, rule: Rule, event: Event) -> tuple[Any, ...]:
    actor = ACTOR + BETWEEN.join([*_chain(event), rule.name])
    party = _filled(rule.party, event) or ""
    arguments = {name: filled for name, each in rule.arguments.items() if (filled := _filled(each, event)) is not None}
    told = (event["id"], event["number"], rule.name, rule.do)
    if len(actor) > TEXT_LENGTH_MAX:
        # Cut short it would not say any more which rules led to it.
        return (*told, False, None, f"too many rules led to this, one after the other: {', '.join(_chain(event))}")
    if unfit := _unfit(rule, event):
        return (*told, False, None, unfit)
    try:
        key = f"rule/{rule.name}/{event['id']}"
        answer = take_step(ledger, rule.do, Person(actor, rule.role, party), arguments, key=key)
    except InputError as refused:
        return (*told, False, None, str(refused))
    return (*told, True, json.dumps(answer, ensure_ascii=False, default=str), None)
