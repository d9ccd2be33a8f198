"""How a business sells and rents devices: the stages of its orders, where stock is, what devices can do."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.document import Document, Name, Names
from allocator.model.policy import Policy

Days = Annotated[int, Field(strict=True, ge=1, le=3_650)]


class DeviceSettings(Document):
    """What the flows of devices act by.

    Attributes:
        warehouse: Where stock is, as a path; orders take it from there and below, and what comes back goes there.
        stages_before: Stages of an order before its processing begins, the first one first.
        stages_in_progress: Its stages from then on: the first that it comes to promises it stock.
        policy: Which stock serves orders, sales and rentals.
        return_days: Days after the end of a subscription by which a rented device must be back.
        actions: What else a device offers, by service, as the provider that provisions it says: `{tv = "reset PIN"}`.

    Example:
        >>> settings = DeviceSettings(stages_before="quote", stages_in_progress=["packing", "installing"])
        >>> settings.phase("packing"), settings.phase("quote"), settings.phase("lunch")
        ('in progress', 'before', None)
    """

    kind: ClassVar[str] = "device_settings"

    warehouse: Name = "warehouse"
    stages_before: Annotated[Names, Field(min_length=1)] = ("draft", "submitted", "approved")
    stages_in_progress: Annotated[Names, Field(min_length=1)] = ("processing", "picking", "packing")
    policy: Policy = Policy()
    return_days: Days = 14
    actions: dict[Name, Names] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        twice = [name for name, times in Counter(self.stages).items() if times > 1]
        if twice:
            message = "a stage is there once: before processing, or in progress"
            raise PolicyError(Problem("setting_twice", message, column="stages_in_progress", value=n) for n in twice)
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        """Every stage, in order."""
        return (*self.stages_before, *self.stages_in_progress)

    def phase(self, stage: str) -> Literal["before", "in progress"] | None:
        """Whether processing has begun in a stage; None if there is no such stage."""
        if stage in self.stages_in_progress:
            return "in progress"
        return "before" if stage in self.stages_before else None
