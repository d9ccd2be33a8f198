"""Rules of retention: how long the words of a history are kept, by SKU or by regulation, as data (SN-14)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names, Part

Years = Annotated[int, Field(strict=True, ge=0, le=1000)]


class RetentionRule(Part):
    """How long to keep; one without `skus` and `regulations` holds for everything.

    Attributes:
        name: Its name, which stands beside every decision.
        skus: SKUs that it holds for.
        regulations: It holds for SKUs whose setting `regulation` names one of these.
        keep_years: Purged no earlier than so many years after the last event.
        archive_years: Archived so many years after the last event; not archived if left out.
    """

    name: Name
    skus: Names = ()
    regulations: Names = ()
    keep_years: Years
    archive_years: Years | None = None


class Retention(Document):
    """Rules of retention. Of several that hold for a SKU the longest counts; a SKU without any is kept for ever.

    Example:
        >>> rules = Retention.loads('rules = [{name = "MDR", regulations = "MDR", keep_years = 15}]')
        >>> rules.rules[0].keep_years
        15
    """

    kind: ClassVar[str] = "retention"

    name: Name = "retention"
    description: str = ""
    rules: tuple[RetentionRule, ...] = ()

    @model_validator(mode="after")
    def _archived_before_purged(self) -> Self:
        problems = [
            Problem("setting_conflict", "it would be archived after it is purged", self.kind,
                    f"rules[{n}].archive_years", value=str(rule.archive_years))
            for n, rule in enumerate(self.rules)
            if rule.archive_years is not None and rule.archive_years > rule.keep_years
        ]  # fmt: skip
        if problems:
            raise PolicyError(problems)
        return self

    def describe(self) -> str:
        """The rules in plain words, one line each."""
        return "\n".join(_words(rule) for rule in self.rules) or "Everything is kept for ever."


def _words(rule: RetentionRule) -> str:
    what = " or ".join([*(f"SKU {sku}" for sku in rule.skus), *(f"what {each} is about" for each in rule.regulations)])
    archived = "" if rule.archive_years is None else f", archive after {rule.archive_years}"
    return f"{rule.name}: of {what or 'everything'}, keep {rule.keep_years} years after the last event{archived}"
