"""Meta-Sim2's structure model: a recurrent network that expands a grammar rule by rule.

Devaranjan, Kar and Fidler, "Meta-Sim2: Unsupervised Learning of Scene Structure for Synthetic Data
Generation", ECCV 2020, sections 3.2 and 3.3.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from datagen.grammar import Grammar


@dataclass(frozen=True)
class RuleTables:
    """The grammar as tensors, so that a whole batch of stacks moves in a few operations.

    K rules and S symbols that have rules; row/column K and S stand for "nothing left to expand".
    """

    grammar: Grammar
    lhs: Tensor  # int64 [K+1], symbol that a rule expands
    push: Tensor  # int64 [K+1, C], children that have rules, last child first, padded with S
    pushes: Tensor  # int64 [K+1], how many of them
    allowed: Tensor  # bool [S+1, K+1], the mask m_t of section 3.2
    last: Tensor  # int64 [S+1], the highest allowed rule
    start: int

    @property
    def rules(self) -> int:
        return len(self.lhs) - 1

    @property
    def symbols(self) -> int:
        return len(self.last) - 1


def rule_tables(grammar: Grammar) -> RuleTables:
    """Parent/child transition tables of the grammar."""
    numbers = {name: k for k, name in enumerate(grammar.rules_of)}
    n_rules, nothing = len(grammar.rules), len(numbers)
    children = [[numbers[c] for c in r.children if c in numbers] for r in grammar.rules]
    width = max(1, max(map(len, children)))
    push = torch.full((n_rules + 1, width), nothing)
    allowed = torch.zeros(nothing + 1, n_rules + 1, dtype=torch.bool)
    allowed[nothing, n_rules] = True
    for rule, inner in zip(grammar.rules, children, strict=True):
        push[rule.index, : len(inner)] = torch.tensor(inner[::-1], dtype=torch.int64)
        allowed[numbers[rule.lhs], rule.index] = True
    lhs = torch.tensor([numbers[r.lhs] for r in grammar.rules] + [nothing])
    pushes = torch.tensor([len(inner) for inner in children] + [0])
    order = torch.arange(n_rules + 1)
    last = torch.where(allowed, order, -1).amax(1)
    return RuleTables(grammar, lhs, push, pushes, allowed, last, numbers[grammar.start])


@dataclass(frozen=True)
class Strings:
    """A batch of derivations as the model sees them."""

    rules: Tensor  # int64 [B, T], padded with K
    finished: Tensor  # bool [B], nothing was left to expand after T steps


class StructureModel(nn.Module):
    """q(T) = mean over z in Z of the product over t of p(r_t | f_t), equation after (2).

    The set Z is `latents` fixed normal vectors; a linear map turns each into the LSTM's initial
    state. The paper prints q(T|z) as a sum over steps; it is a product.
    """

    latent: Tensor  # [Z, Z]

    def __init__(
        self, tables: RuleTables, max_steps: int, hidden: int, embedding: int, latents: int
    ) -> None:
        super().__init__()
        self.tables, self.max_steps = tables, max_steps
        self.embed = nn.Embedding(tables.rules + 1, embedding)  # row K: before the first rule
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.initial = nn.Linear(latents, 2 * hidden)
        self.head = nn.Linear(hidden, tables.rules + 1)
        noise = torch.randn(latents, latents, generator=torch.Generator().manual_seed(0))
        self.register_buffer("latent", noise)

    def _initial_state(self, z: Tensor) -> tuple[Tensor, Tensor]:
        h, c = self.initial(self.latent[z]).tanh().chunk(2, -1)  # z [B] -> [B, H] each
        return h.contiguous(), c.contiguous()

    @torch.no_grad()
    def sample(self, uniforms: Tensor, latent: Tensor) -> Strings:
        """One try for each row of `uniforms` [B, T] in [0, 1), a number a step; latent int [B]."""
        t, device = self.tables, uniforms.device
        batch, steps = uniforms.shape
        depth = 2 + steps * max(0, t.push.shape[1] - 1)
        stack = torch.full((batch, depth + t.push.shape[1]), t.symbols, device=device)
        stack[:, 0] = t.start
        height = torch.ones(batch, dtype=torch.int64, device=device)
        rows, columns = torch.arange(batch, device=device), torch.arange(t.push.shape[1])
        h, c = self._initial_state(latent)
        # The input half of the gates depends on the previous rule alone: one look-up a step.
        from_input, from_state, bias_input, bias_state = self.lstm.parameters()
        gates_in = self.embed.weight @ from_input.T + bias_input + bias_state  # [K+1, 4H]
        recurrent = from_state.T.contiguous()
        previous = torch.full((batch,), t.rules, device=device)
        rules = torch.full((batch, steps), t.rules, device=device)
        for step in range(steps):
            i, f, g, o = (gates_in[previous] + h @ recurrent).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            symbol = torch.where(height > 0, stack[rows, (height - 1).clamp_min(0)], t.symbols)
            logits = self.head(h).masked_fill(~t.allowed[symbol], -torch.inf)
            previous = _inverse_cdf(logits, uniforms[:, step], t.last[symbol])
            rules[:, step] = previous
            height = (height - 1).clamp_min(0)
            at = (height[:, None] + columns).clamp_max(stack.shape[1] - 1)
            stack[rows[:, None], at] = t.push[previous]
            height = height + t.pushes[previous]
            if step % 8 == 7 and not bool(height.any()):
                break
        return Strings(rules, height == 0)

    def log_prob(self, rules: Tensor) -> Tensor:
        """Natural log q(T) of padded rules [B, T] -> [B]."""
        latents = self.latent.shape[0]
        batch = rules.shape[0]
        longest = int((rules != self.tables.rules).sum(1).max())
        rules = rules[:, : max(1, longest)]  # padding scores 0 but costs the same
        z = torch.arange(latents, device=rules.device).repeat_interleave(batch)
        given = rules.repeat(latents, 1)  # [Z*B, T]
        start = torch.full_like(given[:, :1], self.tables.rules)
        h, c = self._initial_state(z)
        inputs = self.embed(torch.cat([start, given[:, :-1]], 1))
        out, _ = self.lstm(inputs, (h[None], c[None]))
        logits = self.head(out).masked_fill(
            ~self.tables.allowed[self.tables.lhs[given]], -torch.inf
        )
        steps = logits.log_softmax(-1).gather(-1, given[..., None])[..., 0]  # padding scores 0
        per_latent = steps.sum(1).view(latents, batch)
        return per_latent.logsumexp(0) - torch.log(torch.tensor(float(latents)))


def _inverse_cdf(logits: Tensor, u: Tensor, last: Tensor) -> Tensor:
    """Index drawn by one uniform a row; never one with probability zero."""
    cumulative = logits.softmax(-1).cumsum(-1)
    index = (cumulative <= u[:, None] * cumulative[:, -1:]).sum(-1)
    return torch.minimum(index, last)
