"""Errors as a caller handles them."""

import pickle

from allocator.errors import InputError, Problem


def test_an_error_gets_through_between_processes_with_its_problems() -> None:
    problems = [Problem("value_null", "a line needs qty", "lines", "qty", 3), Problem("goods_unknown", "there is none")]
    error = InputError(problems)
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), back.problems, str(back)) == (InputError, error.problems, str(error))
