"""The coordinates in which minibatches are compared, and the steps that the projector takes in thought.

p: coordinates; a linear layer from n to m units has n of them for its weight and one for its bias.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Projector:
    """A projector's linear layers, descending minibatch losses in thought; its normalisations stand still.

    So it is in RCS.py of GodXuxilie/Efficient_ACL_via_RCS at 6fc9aef: the gradients that are compared are means over
    output units, all gradients of minibatches are taken where the layers stood at first, and steps follow whole
    gradients. A chosen minibatch's is computed again rather than kept: at the paper's sizes one fills 84 MB or more.
    """

    def __init__(self, projector: nn.Module, learning_rate: float) -> None:
        layers = [module for module in projector.modules() if isinstance(module, nn.Linear)]
        self.parameters = [parameter for layer in layers for parameter in layer.parameters()]
        self._alone = len(layers) == 1
        self._origin = [parameter.detach().clone() for parameter in self.parameters]
        self._learning_rate = learning_rate

    def coordinates(self, loss: Tensor) -> Tensor:
        """The gradient of a scalar where the layers stand, averaged over output units and joined; (p,).

        Both divergences ignore a shift common to all units, so their averaged gradient to the last layer is zero: a
        layer that stands alone keeps its whole gradient.
        """
        gradients = torch.autograd.grad(loss, self.parameters)
        return torch.cat([(g if self._alone else g.mean(dim=0)).flatten() for g in gradients])

    def step(self, loss: Callable[[], Tensor]) -> None:
        """Move by - learning rate x the gradient that ``loss()`` had at first."""
        here = [parameter.detach().clone() for parameter in self.parameters]
        self._place(self._origin)
        gradients = torch.autograd.grad(loss(), self.parameters)
        self._place([value - self._learning_rate * g for value, g in zip(here, gradients, strict=True)])

    @torch.no_grad()
    def _place(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)
