"""Changes of status against a lifecycle: millions in one call, or one, by the same table."""

from allocator.transitions.batch import validate_transitions, verdict_codes
from allocator.transitions.single import check_transition
from allocator.transitions.table import VERDICTS

__all__ = ["VERDICTS", "check_transition", "validate_transitions", "verdict_codes"]
