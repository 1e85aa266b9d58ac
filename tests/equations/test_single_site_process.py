"""The record of the single-site process."""

import pytest

from gatetheory.errors import ParameterError
from gatetheory.model import zoo
from gatetheory.theory.process import derive_process
from gatetheory.theory.single_site import SingleSite


def test_couplings_are_named_after_their_local_fields() -> None:
    process = derive_process(SingleSite(zoo.gru()))
    assert process.couplings == ("h", "z", "r")
    assert [str(s) for s in process.local_fields] == ["eta_h", "eta_z", "eta_r"]


def test_equations_are_found_by_tag_and_printed() -> None:
    process = derive_process(SingleSite(zoo.classical()))
    assert process["law_h"] is process.equations["law_h"]
    assert "aligned" in process._repr_latex_()
    with pytest.raises(ParameterError, match="law_h"):
        process["law_x"]


def test_two_processes_of_one_model_are_equal_and_hash_alike() -> None:
    one, other = (derive_process(SingleSite(zoo.gated())) for _ in range(2))
    assert hash(one) == hash(other)
    assert one.laws == other.laws
