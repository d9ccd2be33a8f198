"""One Sail for all tests of the cluster: a server in this process, on a free port of the loopback address."""

import sys

import polars as pl
import pytest

from allocator.cluster import sail
from allocator.cluster.given import created

# Where tests run in several processes, their main module has no file; the client of Spark takes that for doctests of
# its own, and looks for a Spark that is not there.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__


@pytest.fixture(scope="session")
def spark():
    with sail() as session:
        yield session


@pytest.fixture
def in_engine(spark):
    """A table as a DataFrame of the engine, whose rows have neither numbers nor a sequence."""
    return lambda table: created(spark, pl.DataFrame(table).sample(fraction=1, shuffle=True, seed=1))
