"""What a study asks for that its trials do not measure, or not alike."""

from __future__ import annotations

from study.config.measured import measured_faults
from trainables.catalogue import default_config
from trainables.config import override


def test_trainables_are_measured_alike():
    one, other = map(default_config, ("cf_amc_ssl", "robust_simclr"))
    assert list(measured_faults(["clean_accuracy"], [one, other])) == []
    (fault,) = measured_faults(["clean_accuracy"], [one, override(other, {"evaluation.split": "test"})])
    assert "evaluation.split differs between trainables" in fault.message
