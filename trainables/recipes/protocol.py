"""What rows of several tables share: images, attacks, heads and adversaries of arXiv 2501.03507."""

from __future__ import annotations

from trainables.recipes.recipe import Constant, Constants, assumed, code, paper

TEST: Constants = {
    "data.validation_fraction": paper(0.0, "section 3.1: every training image trains"),
    "evaluation.split": paper("test", "section 3.1: top-1 test accuracy"),
    "evaluation.attack_steps": paper(20, "section 3.1"),
    "evaluation.attack_step_size": code(1e-2, "evaluate_empssl.py"),
    "evaluation.attack_epsilons": paper((4 / 255, 8 / 255, 16 / 255), "Tables 1 and 3"),
    "evaluation.epsilon": paper(8 / 255, "section 3.1"),
}
"""Every training image trains, every test image is attacked by PGD-20."""

_HEAD_EPOCHS = assumed(20, "epochs of the clean and of the robust head are not stated")
_CROPS_EPOCHS = assumed(100, "epochs of an n-crops head are not stated")
_ROBUST_TRAINING: Constants = {
    "evaluation.head_epsilon": paper(8 / 255, "section 3.1"),
    "evaluation.head_attack_steps": paper(5, "section 3.1"),
}


def heads(*names: str, where: str) -> Constants:
    """Heads trained on one encoder, the first of them the row's own, with what their training needs."""
    constants: dict[str, Constant] = {
        "evaluation.heads": paper(names, where),
        "evaluation.head": paper(names[0], where),
    }
    if {"clean", "robust"} & set(names):
        constants["evaluation.head_epochs"] = _HEAD_EPOCHS
    if any(name.startswith("robust") for name in names):
        constants |= _ROBUST_TRAINING
    if any("n_crops" in name for name in names):
        constants["evaluation.crops_epochs"] = _CROPS_EPOCHS
    return constants


def views(number: int, kind: str, where: str) -> Constants:
    return {"views.number": paper(number, where), "views.kind": paper(kind, where)}


def epochs(number: int, where: str) -> Constants:
    return {"optimiser.epochs": paper(number, where)}


def pgd(where: str) -> Constants:
    """Five steps within 8/255."""
    return {
        "adversary.name": paper("pgd", where),
        "adversary.steps": paper(5, where),
        "adversary.epsilon": paper(8 / 255, "section 3.1"),
    }


def free(replays: int, where: str) -> Constants:
    """m replays of each batch within 8/255."""
    return {
        "adversary.name": paper("free", where),
        "adversary.replays": paper(replays, where),
        "adversary.epsilon": paper(8 / 255, "section 3.1"),
    }


def no_adversary(where: str) -> Constants:
    return {"adversary.name": paper("none", where)}
