"""The status of a path as it stands in files: numbers that never change, and their CF attributes."""
import langevin_sgd as ls
from langevin_sgd.core import kernels
from langevin_sgd.models.status import attributes


def test_the_numbers_are_those_of_the_kernels():
    assert {s.name: s.value for s in ls.Status} == {"COMPLETED": 0, "EXITED": 1, "DIVERGED": 2, "STOPPED": 3}
    assert list(ls.Status) == [kernels.COMPLETED, kernels.EXITED, kernels.DIVERGED, kernels.STOPPED]


def test_the_attributes_tell_what_the_numbers_mean():
    assert attributes() == {"flag_values": [0, 1, 2, 3], "flag_meanings": "completed exited diverged stopped"}
