"""What an exported model says of itself, and how it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis import constraints, labels
from trainables.catalogue import find
from trainables.config import TrialConfig
from trainables.evaluation.heads import crops_of
from trainables.evaluation.sanity import described
from trainables.metrics import Accuracy

LICENCES = {
    "digits": "UCI Optical Recognition of Handwritten Digits, CC BY 4.0, as packaged with scikit-learn.",
    "cifar10": "CIFAR-10 (Krizhevsky 2009); its authors state no licence and ask for citation.",
    "cifar100": "CIFAR-100 (Krizhevsky 2009); its authors state no licence and ask for citation.",
}
UNKNOWN_LICENCE = "A folder of images whose licence is not known here; state it before you share the model."
VALIDATION = "Figures on a validation split choose a configuration; they do not confirm it."
_TORCHVISION = ("resnet18", "resnet34", "resnet50")
_ON_BACKBONE = ("slf", "alf", "aff")


class Figure(NamedTuple):
    """One line of the card's table."""

    inputs: str
    accuracy: str
    images: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that the templates say."""

    config: TrialConfig
    trial: str
    head: str
    result: Mapping[str, Any]
    commit: str
    packages: Mapping[str, str]
    """The version of each that brought a method of the trial, when it was trained."""
    bounds: constraints.Bounds
    """Of the trial's study."""
    backbone_size: int

    @classmethod
    def of(
        cls,
        config: TrialConfig,
        result: Mapping[str, Any],
        head: str,
        trial: str,
        manifest: Mapping[str, Any],
        packages: Mapping[str, str],
        backbone_size: int,
    ) -> Card:
        """``result``: the trial's ``result.json``; ``manifest``: its study's."""
        commit = manifest.get("environment", {}).get("git_commit") or "unknown"
        return cls(
            config=config,
            trial=trial,
            head=head,
            result=result,
            commit=str(commit),
            packages=packages,
            bounds=constraints.readable(manifest.get("constraints")),
            backbone_size=backbone_size,
        )

    def markdown(self) -> str:
        return str(_template("model_card.md.jinja").render(card=self, example=self.loading_example()))

    def loading_example(self) -> str:
        """A script that loads what stands beside it."""
        return str(_template("load.py.jinja").render(card=self))

    @property
    def torchvision(self) -> bool:
        """Whether torchvision's own class takes the weights."""
        network = self.config.network
        return network.architecture in _TORCHVISION and network.width == 64 and network.depth is None

    @property
    def features_size(self) -> int:
        size = None if self.head in _ON_BACKBONE else self.config.network.pre_feature
        return size or self.backbone_size

    @property
    def features(self) -> str:
        """The expression that the head reads, of a model that was loaded as the example has it."""
        if not self.torchvision:
            return "model.backbone(images)" if self.head in _ON_BACKBONE else "model.features(images)"
        if self.head in _ON_BACKBONE or self.config.network.pre_feature is None:
            return "model(images)"
        return "model.pre_feature(model(images))"

    @property
    def crops(self) -> int | None:
        return crops_of(self.head)

    @property
    def classes(self) -> list[str]:
        return list(self.result["classes"])

    @property
    def image_size(self) -> int:
        return int(self.result["image_size"])

    @property
    def summary(self) -> str:
        summary = find(self.config.trainable).summary
        return summary[0].upper() + summary[1:]  # not capitalize(), which would write Emp-ssl

    @property
    def source(self) -> str:
        return find(self.config.trainable).source

    @property
    def network(self) -> str:
        return f"{self.config.network.words()}, seed {self.config.seed}"

    @property
    def data(self) -> str:
        return str(self.result["data"])

    @property
    def split(self) -> str:
        return str(self.result["split"])

    @property
    def caveat(self) -> str:
        return VALIDATION if self.split == "validation" else ""

    @property
    def verdict(self) -> str:
        found = self._found.get("verdict")
        if found is None:
            return "none ran"
        return "flagged: " + "; ".join(found["flags"]) if found["flags"] else "trusted"

    @property
    def asked(self) -> str:
        """``Its study asks for clean_accuracy at least 70 %: kept.``; "" where it asks for nothing."""
        if not self.bounds:
            return ""
        missed = constraints.violation(self.bounds, self.result["metrics"])
        return f"Its study asks for {constraints.words(self.bounds)}: {missed or 'kept'}."

    @property
    def checks(self) -> list[Figure]:
        if (found := self._found.get("verdict")) is None:
            return []
        words, images = described(self.config.evaluation), found["images"]
        counts = {name: round(value * images) for name, value in found["checks"].items()}
        return [
            _figure(words.get(name, name), Accuracy(correct=right, images=images)) for name, right in counts.items()
        ]

    @property
    def cost(self) -> str:
        cost = self.result["cost"]
        work = labels.cost(cost["pretrain_forward_equivalents"])
        minutes = labels.duration(60 * cost["pretrain_minutes"])
        return f"Pre-training took {minutes} and {work} forward-equivalents in {self.result['epochs']} epochs"

    @property
    def methods(self) -> str:
        """``It was trained and measured with group-ssl 0.4.0.``; "" where all is the platform's own."""
        used = ", ".join(map(" ".join, self.packages.items()))
        return f"It was trained and measured with {used}." if used else ""

    @property
    def device(self) -> str:
        return str(self.result["device"])

    @property
    def licence(self) -> str:
        """Of what pre-training saw, and of what the head saw where that was something else."""
        sources = dict.fromkeys([self.config.data.source, self.config.evaluation.source or self.config.data.source])
        return " ".join(LICENCES.get(source, UNKNOWN_LICENCE) for source in sources)

    @property
    def figures(self) -> list[Figure]:
        found = self._found
        rows = [_figure("Clean", _counted(found["clean"]))]
        for attack in found["attacks"]:
            name = f"PGD-{attack['steps']} at {labels.epsilon(attack['epsilon'])}, worst of all starts"
            rows.append(_figure(name, _counted(attack["worst"])))
        rows += [
            _figure(f"AutoAttack {each['version']} at {labels.epsilon(each['epsilon'])}", _counted(each["worst"]))
            for each in found["auto_attack"]
        ]
        rows += [_figure(f"Under {each['name']}", _counted(each["accuracy"])) for each in found.get("own_attacks", ())]
        return rows

    @property
    def _found(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = next(head for head in self.result["heads"] if head["name"] == self.head)
        return found


def _figure(inputs: str, accuracy: Accuracy) -> Figure:
    interval = labels.percent_interval(accuracy.value, *accuracy.interval())
    return Figure(inputs, interval, f"{accuracy.images:,}")


def _counted(found: Mapping[str, Any]) -> Accuracy:
    return Accuracy(correct=found["correct"], images=found["images"])


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("study"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Markdown and Python, not HTML
    )
    return environment.get_template(name)
