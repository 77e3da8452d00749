"""Linear layers whose weights are stored once in the order in which oneDNN multiplies them.

`torch.nn.Linear` leaves float32 on x86 to MKL, which reorders the weights in every call, and was seen to use no AVX-512
on a CPU of AMD that has it: 112 G operations a second, and oneDNN 260 (with AVX2 alone 113 and 132). torch's
compiler does the same to the weights of a frozen model.
"""

import platform

import torch
from torch import nn

_TOKENS = 512
"""The number of tokens that weights are ordered for; any other number of them is right, too."""


class PrepackedLinear(nn.Module):
    """A linear layer on the CPU in float32 that cannot be trained or saved.

    Args:
        layer: the layer that it replaces.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach(), _TOKENS)
        self.weight = nn.Parameter(packed, requires_grad=False)
        self.bias = layer.bias

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The layer's output."""
        output: torch.Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self.weight, self.bias, "none", [], "")
        return output


@torch.no_grad()
def prepack(model: nn.Module) -> None:
    """Replace the linear layers of a model that are on the CPU in float32, where oneDNN is there for it.

    The outputs stay the same up to rounding. A weight that is tied to an embedding takes its memory twice.

    Args:
        model: a model that will only be run.
    """
    # On Arm torch leaves float32 to oneDNN anyway, in whose build there these operators are not.
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    if not (x86 and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return
    for name, layer in model.named_children():
        # Classes derived from it compute something else, or have hooks of their own.
        if type(layer) is nn.Linear and layer.weight.device.type == "cpu" and layer.weight.dtype == torch.float32:
            setattr(model, name, PrepackedLinear(layer))
        else:
            prepack(layer)
