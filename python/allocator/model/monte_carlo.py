"""Monte Carlo: one scenario with levers that draw, run many times with other seeds."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from allocator.errors import PolicyError, Problem
from allocator.model.chance import SEED_MAX, Seed, Uncertain
from allocator.model.consistency import AT_LEAST_ONE, checked, filled
from allocator.model.document import Document, Name
from allocator.model.exact import Whole
from allocator.model.levers import Lever
from allocator.model.scenario import Scenario, words_of

RUNS_MAX: Final = 100_000
MASK: Final = 2**64 - 1


class MonteCarlo(Document):
    """What may come of receipts and demand that are uncertain.

    Attributes:
        name: For people.
        description: One sentence.
        runs: How many times the levers draw.
        seed: Another seed, other draws. Run 17 of a seed is the same whatever else is run, in whatever order.
        levers: As in a scenario; at least one of them draws. What a lever has as its own `seed` is not used.

    Raises:
        PolicyError: As `Scenario`; `setting_missing`: no lever draws.

    Example:
        >>> late = {"chance": "0.3", "days": {"shape": "triangular", "low": 1, "mode": 3, "high": 14}}
        >>> risk = MonteCarlo(name="port", runs=100, levers=[{"lever": "supply_uncertain", "late": late}])
        >>> risk.scenario(17) == MonteCarlo.loads(risk.dumps()).scenario(17)
        True
    """

    kind: ClassVar[str] = "monte_carlo"

    name: Name
    description: str = ""
    runs: Annotated[Whole, Field(ge=1, le=RUNS_MAX)] = 200
    seed: Seed = 0
    levers: Annotated[
        tuple[Annotated[Lever, Field(discriminator="lever")], ...],
        AT_LEAST_ONE,
        checked(filled),
    ]

    @model_validator(mode="after")
    def _draws(self) -> Self:
        Scenario(name=self.name, levers=self.levers)
        if not any(isinstance(lever, Uncertain) for lever in self.levers):
            hint = "Add supply_uncertain or demand_uncertain, or run it as a scenario"
            raise PolicyError(Problem("setting_missing", "no lever draws anything", column="levers", hint=hint))
        return self

    def describe(self) -> str:
        """The document in plain words, a line for each lever."""
        head = f"{self.name}: {self.description or 'what may come'}".rstrip(".")
        return "\n".join([f"{head}. {self.runs:,} runs, seed {self.seed}.", *words_of(self.levers)])

    def scenario(self, number: int) -> Scenario:
        """The scenario of one run, 1, 2, …; a document of its own, to be kept or looked into.

        Raises:
            PolicyError: `setting_value`: there is no such run.
        """
        if not 1 <= number <= self.runs:
            message = f"the runs are 1 to {self.runs}"
            raise PolicyError(Problem("setting_value", message, self.kind, "runs", value=str(number)))
        seed = mixed(self.seed * (RUNS_MAX + 1) + number) & SEED_MAX
        levers = tuple(
            lever.model_copy(update={"seed": seed}) if isinstance(lever, Uncertain) else lever for lever in self.levers
        )
        return Scenario(name=f"{self.name[:180]} {number}", levers=levers)


def mixed(number: int) -> int:
    """SplitMix64 of a number: numbers that are near give results that are not."""
    number = (number + 0x9E3779B97F4A7C15) & MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)
