"""The network of service partners: who they are, what they may hold, whom they serve, and how fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.consistency import places
from allocator.model.document import Document, Name, Names, Part
from allocator.model.limits import Limits
from allocator.model.policy import Policy

Hours = Annotated[int, Field(strict=True, ge=1, le=100_000)]
DaysLong = Annotated[int, Field(strict=True, ge=1, le=36_500)]
Criterion = Literal["own", "whole", "nearest", "most_cover", "partners"]

GOOD: tuple[str, ...] = ("new", "used", "repaired", "refurbished")
"""Conditions that a job is served from, unless a policy names others."""


class Site(Part):
    """A partner's store, or a warehouse.

    Attributes:
        name: Its name; a partner's is the `party` of its people.
        place: Where its stock is, as a path; everything below it is its own.
        bus: Business units that it works for; all of them if none is named.
    """

    name: Name
    place: Name
    bus: Names = ()

    @property
    def store(self) -> str:
        """Where good parts are."""
        return f"{self.place}/store"

    @property
    def defective(self) -> str:
        """Where broken parts wait."""
        return f"{self.place}/defective"

    @property
    def quarantine(self) -> str:
        """Where parts are that arrived damaged."""
        return f"{self.place}/quarantine"

    @property
    def repair(self) -> str:
        """Where parts are repaired."""
        return f"{self.place}/repair"

    @property
    def technicians(self) -> str:
        """Where parts are that technicians have."""
        return f"{self.place}/technicians"


class Distance(Part):
    """How far two sites are from each other, in any unit, both ways."""

    sites: tuple[Name, Name]
    distance: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class Sla(Part):
    """How soon after an indent something must be done. The most specific one holds; a term left out has no limit.

    Attributes:
        contract_type: Only this contract type.
        priority: Only this priority.
        allocate_hours: Until everything is allocated.
        dispatch_hours: Until everything is dispatched.
        close_hours: Until every part is accounted for.
    """

    contract_type: Name | None = None
    priority: Annotated[int, Field(strict=True)] | None = None
    allocate_hours: Hours | None = None
    dispatch_hours: Hours | None = None
    close_hours: Hours | None = None


class PartnerSettings(Document):
    """What the flows of service partners act by.

    Attributes:
        warehouses: The warehouses that supply partners; the first one does unless another is named.
        partners: The service partners.
        distances: How far sites are from each other; an unknown distance is further than any.
        choose: How the site that fulfils an indent is chosen, the first criterion first: `own` (the partner that has
            the job), `whole` (who can serve all of it), `nearest`, `most_cover` (who can serve most units), `partners`
            (before warehouses). Sites that could serve nothing are not chosen; names decide between equals.
        limits: Maximum stock limits.
        supply: Which warehouse stock serves part requests.
        policy: Which stock serves indents.
        contracts: Which stock serves indents of a contract type, instead. A policy that names no conditions takes new,
            used, repaired and refurbished parts.
        slas: How soon indents must be served.
        return_days: Days after a challan by which everything on it must be accounted for.
        expiring_days: Days before its last that a lot counts as about to expire.
        unused_days: Days after its receipt from which a part that nobody used is a candidate to go back.

    Example:
        >>> settings = PartnerSettings(
        ...     warehouses=[{"name": "Central", "place": "WH"}],
        ...     partners=[{"name": "ASP-1", "place": "ASP-1"}],
        ...     limits={"rules": [{"name": "all", "units_max": 20}]},
        ... )
        >>> settings.site("ASP-1").store
        'ASP-1/store'
    """

    kind: ClassVar[str] = "partner_settings"

    warehouses: tuple[Site, ...] = ()
    partners: tuple[Site, ...] = ()
    distances: tuple[Distance, ...] = ()
    choose: tuple[Criterion, ...] = ("own", "whole", "nearest", "most_cover")
    limits: Limits = Limits()
    supply: Policy = Policy(conditions=GOOD)
    policy: Policy = Policy(conditions=GOOD)
    contracts: dict[Name, Policy] = Field(default_factory=dict)
    slas: tuple[Sla, ...] = ()
    return_days: DaysLong = 14
    expiring_days: DaysLong = 30
    unused_days: DaysLong = 180

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        problems = [*self._names(), *self._places(), *self._terms()]
        if problems:
            raise PolicyError(problems)
        return self

    @property
    def sites(self) -> tuple[Site, ...]:
        """Partners, then warehouses."""
        return (*self.partners, *self.warehouses)

    def site(self, name: str) -> Site | None:
        """A partner or warehouse by name."""
        return next((site for site in self.sites if site.name == name), None)

    def policy_for(self, contract_type: str | None) -> Policy:
        """The policy of a contract type, with conditions that a job is served from."""
        policy = self.contracts.get(contract_type or "", self.policy)
        return policy if policy.conditions is not None else policy.model_copy(update={"conditions": GOOD})

    def sla(self, contract_type: str | None, priority: int) -> Sla:
        """The SLA that holds for a contract type and a priority."""
        fitting = [
            sla for sla in self.slas if sla.contract_type in (None, contract_type) and sla.priority in (None, priority)
        ]
        return max(fitting, key=lambda sla: (sla.contract_type is not None, sla.priority is not None), default=Sla())

    def distance(self, one: str, other: str) -> int | None:
        """How far two sites are from each other; None where nobody said."""
        if one == other:
            return 0
        return next((each.distance for each in self.distances if set(each.sites) == {one, other}), None)

    def _names(self) -> Iterator[Problem]:
        for name, times in Counter(site.name for site in self.sites).items():
            if times > 1:
                yield Problem("id_duplicate", "two sites have this name", column="partners", value=name)
        known = {site.name for site in self.sites}
        for number, each in enumerate(self.distances):
            for name in sorted(set(each.sites) - known):
                yield Problem("setting_value", "there is no such site", column=f"distances.{number}", value=name)

    def _places(self) -> Iterator[Problem]:
        yield from places((f"partners.{site.name}.place", site.place) for site in self.sites)
        mine = sorted((f"{site.place}/", site.name) for site in self.sites)
        for (place, name), (next_, other) in pairwise(mine):
            if next_.startswith(place):
                message = f"the places of {name} and {other} overlap: nobody could tell whose stock it is"
                yield Problem("setting_conflict", message, column="partners", value=next_.rstrip("/"))

    def _terms(self) -> Iterator[Problem]:
        for key, times in Counter((sla.contract_type, sla.priority) for sla in self.slas).items():
            if times > 1:
                yield Problem("setting_twice", "two SLAs hold for the same indents", column="slas", value=str(key))
