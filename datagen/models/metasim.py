"""Meta-Sim's distribution transformer: a graph network that moves the attributes of a scene.

Kar et al., "Meta-Sim: Learning to Generate Synthetic Datasets", ICCV 2019, section 3.2. Two things
are our own. The output is a correction that is zero at the start, so that the untrained network
gives the prior's attributes back and no autoencoding stage is needed. And no attribute is divided
by a maximum: an angle is a point on a circle, any other value a point of an interval.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

HEAD = 4  # numbers that the network gives for one attribute: see the two functions at the end


@dataclass(frozen=True)
class Edges:
    """The trees of a batch as one graph: edge e runs from node parent[e] down to child[e]."""

    parent: Tensor  # int64 [E]
    child: Tensor  # int64 [E]


class GraphConvolution(nn.Module):
    """A node's own features, its parent's and its children's, each through a map of its own.

    Each message is multiplied by a sigmoid gate that its source node computes. What rises from
    the children is divided by their number; from above there is one message at most.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.maps = nn.Linear(inputs, 3 * outputs)  # own, down, up
        self.gates = nn.Linear(inputs, 3)

    def forward(self, x: Tensor, edges: Edges) -> Tensor:
        """[V, inputs] -> [V, outputs]."""
        messages = self.maps(x).view(len(x), 3, -1) * self.gates(x).sigmoid()[..., None]
        own, down, up = messages.unbind(1)
        children = x.new_zeros(len(x)).index_add(0, edges.parent, x.new_ones(len(edges.parent)))
        sunk = torch.zeros_like(down).index_add(0, edges.child, down[edges.parent])
        risen = torch.zeros_like(up).index_add(0, edges.parent, up[edges.child])
        return own + sunk + risen / children.clamp_min(1)[:, None]


class DistributionTransformer(nn.Module):
    """Two graph convolutions encode, two decode; at the start all that they give is zero.

    `laws` [kinds, 2] are what the network need not find for each node: the first column shifts
    or turns a whole law, the second spreads or narrows it, for each of the `kinds` of attributes
    that may be moved, whichever node they belong to.
    """

    def __init__(self, inputs: int, attributes: int, kinds: int, hidden: int) -> None:
        super().__init__()
        self.laws = nn.Parameter(torch.zeros(kinds, 2))
        sizes = [inputs, hidden, hidden, hidden, HEAD * attributes]
        self.layers = nn.ModuleList(map(GraphConvolution, sizes[:-1], sizes[1:]))
        last = self.layers[-1].get_submodule("maps")
        for parameter in last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, nodes: Tensor, edges: Edges) -> Tensor:
        """Node features [V, inputs] -> corrections [V, attributes, HEAD]."""
        x = nodes
        for k, layer in enumerate(self.layers):
            x = layer(x.relu() if k else x, edges)
        return x.view(len(nodes), -1, HEAD)


def moved_linear(
    value: Tensor, z: Tensor, head: Tensor, law: Tensor, low: Tensor, high: Tensor
) -> Tensor:
    """Values [S] in [low, high] after a shift of their logit.

    The shift is head_0 + law_0 + (head_1 + law_1) z, from head [S, HEAD] and law [S, 2].

    With t the value's place in [0, 1] and s the shift, logit t' = logit t + s, so that s = 0
    gives t back. z is the value in standard deviations of its prior: by its factor a law is
    narrowed or spread. At the very ends nothing would move, so values begin 0.1 % inside.
    """
    t = ((value - low) / (high - low)).clamp(1e-3, 1 - 1e-3)
    shift = (head[:, 0] + law[:, 0] + (head[:, 1] + law[:, 1]) * z).clamp(-30, 30) / 2
    up, down = t * shift.exp(), (1 - t) * (-shift).exp()
    return low + (high - low) * up / (up + down)


def moved_angle(radians: Tensor, z: Tensor, head: Tensor, law: Tensor) -> Tensor:
    """Angles [S] turned by head_0 + (head_1 + law_1) z, drawn to the vector (head_2, head_3), then
    turned by law_0; head [S, HEAD], law [S, 2].

    The unit vector of the turned angle and that vector are added: there is no seam, and a vector
    far longer than 1 narrows any law, the uniform one too. z is sin(angle - mean) in standard
    deviations of the prior. The result may be more than a turn from 0.
    """
    turned = radians + head[:, 0] + (head[:, 1] + law[:, 1]) * z
    return torch.atan2(turned.sin() + head[:, 3], turned.cos() + head[:, 2]) + law[:, 0]
