"""What a study asks for that its trials do not measure, or not alike."""

from __future__ import annotations

from study.config.bounds import bound_faults
from study.config.measured import measured_faults
from trainables.catalogue import default_config
from trainables.config import override


def test_trainables_are_measured_alike():
    one, other = map(default_config, ("cf_amc_ssl", "robust_simclr"))
    assert list(measured_faults(["clean_accuracy"], [one, other])) == []
    (fault,) = measured_faults(["clean_accuracy"], [one, override(other, {"evaluation.split": "test"})])
    assert "evaluation.split differs between trainables" in fault.message


def test_an_accuracy_may_be_optimised_and_bounded_that_trials_of_every_trainable_measure():
    one, other = (
        override(default_config(name), {"evaluation.heads": ["robust", "slf"]}) for name in ("cf_amc_ssl", "simclr")
    )
    names = ["clean_accuracy", "robust_head/pgd_16_worst", "slf_head/clean", "gpu_minutes"]
    assert list(measured_faults(names, [one, other])) == []
    (fault,) = measured_faults(names, [one, override(other, {"evaluation.heads": ["robust"]})])
    assert fault.path == ("objectives", 2)
    told, _, valid = fault.message.partition("; ")
    assert told == "no trial of simclr measures slf_head/clean"
    assert "robust_head/pgd_16_worst" in valid
    assert "slf_head" not in valid, "what all of them measure is valid"


def test_objectives_and_bounds_are_refused_in_the_same_words():
    base = default_config("cf_amc_ssl")
    for name in ("robust_head/pgd_12_zero", "auto_attack_accuracy", "robust_head/auto_attack_8"):
        (objective,) = measured_faults([name], [base])
        (bound,) = bound_faults({name: {"at_least": 0.1}}, [base])
        for fault in (objective, bound):
            told, _, remedy = fault.message.partition("; ")
            assert told == f"no trial of this study measures {name}"
            assert remedy.startswith("set evaluation.attacks") == name.startswith(("auto", "robust_head/auto"))
            assert "robust_head/pgd_16_zero" in remedy


def test_an_attack_is_told_to_be_set_beside_those_there_are_and_only_where_it_lacks(own_package):
    base = override(default_config("cf_amc_ssl"), {"evaluation.attacks": ["pgd", "noise_3"]})
    for name, attack in (("robust_head/l2_pgd_128", "l2_pgd_128"), ("auto_attack_accuracy", "auto_attack")):
        (fault,) = measured_faults([name], [base])
        assert f"; set evaluation.attacks to [pgd, noise_3, {attack}]" in fault.message
    (fault,) = measured_faults(["slf_head/noise_3"], [base])
    assert "; did you mean robust_head/noise_3? " in fault.message, "it is the head that lacks"


def test_an_accuracy_of_the_studys_own_head_has_one_name():
    base = override(default_config("cf_amc_ssl"), {"evaluation.heads": ["robust", "slf"]})
    for other, own in (("robust_head/clean", "clean_accuracy"), ("robust_head/pgd_8_worst", "pgd_accuracy")):
        (fault,) = measured_faults(["slf_head/clean", other], [base])
        assert fault.message == f"{other} is {own}, for evaluation.head is robust; write {own}"
    for_slf = override(base, {"evaluation.head": "slf"})
    assert list(measured_faults(["robust_head/clean"], [for_slf])) == []
