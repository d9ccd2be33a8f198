"""Papers that go with goods, as PDF with codes for scanners. Needs the extra `documents`."""

from allocator.papers.kinds import KINDS, Kind
from allocator.papers.paper import render

__all__ = ["KINDS", "Kind", "render"]
