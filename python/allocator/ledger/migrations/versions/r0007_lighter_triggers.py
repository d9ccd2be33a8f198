"""What triggers run on PostgreSQL was replaced here; the next revision replaces it again, and all of them."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Leaves everything as it is."""
