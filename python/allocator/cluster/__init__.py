"""Beyond one machine: `allocate` and `reallocate` by partitions, on Spark or on Sail, with the answer of one process.

What competes stays together: SKUs that are linked by substitutes, whole orders or earlier allocations are one
component, and components are packed into partitions. `docs/cluster.md`: sizing, skew, cost, and when not to distribute.
"""

from allocator.cluster.calls import allocate, reallocate
from allocator.cluster.distributed import ROWS_MAX, Allocated, Distributed, Reallocated
from allocator.cluster.sail import sail

__all__ = ["ROWS_MAX", "Allocated", "Distributed", "Reallocated", "allocate", "reallocate", "sail"]
