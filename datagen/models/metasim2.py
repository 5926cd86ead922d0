"""Meta-Sim2's structure model: a recurrent network that expands a grammar rule by rule.

Devaranjan, Kar and Fidler, "Meta-Sim2: Unsupervised Learning of Scene Structure for Synthetic Data
Generation", ECCV 2020, sections 3.2 and 3.3.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from datagen.grammar import Grammar


@dataclass(frozen=True)
class RuleTables:
    """The grammar as tensors, so that a whole batch of stacks moves in a few operations.

    On the stacks lie states: one of each symbol that has rules, and of a repetition with `max` N
    one for each number of items so far, 0 to N. K rules and S states; row/column K and state S
    stand for "nothing left to expand".
    """

    grammar: Grammar
    lhs: Tensor  # int64 [K+1], state of the symbol that a rule expands, before any item
    push: Tensor  # int64 [K+1, C], states of the children that have rules, last child first
    counts: Tensor  # bool [K+1, C], children that are the expanded state with one item more
    pushes: Tensor  # int64 [K+1], children that have rules; `push` is padded with S
    allowed: Tensor  # bool [S+1, K+1], the mask m_t of section 3.2
    last: Tensor  # int64 [S+1], the highest allowed rule
    start: int

    @property
    def rules(self) -> int:
        return len(self.lhs) - 1

    @property
    def nothing(self) -> int:
        """The state of an empty stack."""
        return len(self.last) - 1

    @cached_property
    def is_counting(self) -> bool:
        return bool(self.counts.any())

    def states(self, rules: Tensor) -> Tensor:
        """State that each rule of padded strings [B, T] expands: int64 [B, T]."""
        if not self.is_counting:
            return self.lhs[rules]
        stacks = Stacks(self, *rules.shape)
        states = torch.empty_like(rules)
        for step in range(rules.shape[1]):
            states[:, step] = stacks.top()
            stacks.expand(states[:, step], rules[:, step])
        return states


class Stacks:
    """What is still to be expanded in each of `batch` scenes; the next one lies on top."""

    def __init__(self, tables: RuleTables, batch: int, steps: int) -> None:
        self.tables = tables
        width = tables.push.shape[1]
        depth = 2 + steps * max(0, width - 1) + width
        self.stack = torch.full((batch, depth), tables.nothing)
        self.stack[:, 0] = tables.start
        self.height = torch.ones(batch, dtype=torch.int64)
        self.rows, self.columns = torch.arange(batch), torch.arange(width)

    def top(self) -> Tensor:
        """State to expand next, int64 [B]."""
        state = self.stack[self.rows, (self.height - 1).clamp_min(0)]
        return torch.where(self.height > 0, state, self.tables.nothing)

    def expand(self, state: Tensor, rule: Tensor) -> None:
        """Replace the top by the children of the rule [B] that expands it."""
        t = self.tables
        base = (self.height - 1).clamp_min(0)
        at = base[:, None] + self.columns
        children = torch.where(t.counts[rule], state[:, None] + 1, t.push[rule])
        self.stack[self.rows[:, None], at] = children
        self.height = base + t.pushes[rule]


def rule_tables(grammar: Grammar) -> RuleTables:
    """Parent/child transition tables of the grammar."""
    first: dict[str, int] = {}  # symbol -> its state before any item
    nothing = 0
    for name in grammar.rules_of:
        first[name] = nothing
        nothing += 1 + (_most(grammar, name) or 0)
    n_rules = len(grammar.rules)
    children = [[c for c in reversed(r.children) if c in first] for r in grammar.rules]
    width = max(1, max(map(len, children)))
    push = torch.full((n_rules + 1, width), nothing)
    counts = torch.zeros(n_rules + 1, width, dtype=torch.bool)
    allowed = torch.zeros(nothing + 1, n_rules + 1, dtype=torch.bool)
    allowed[nothing, n_rules] = True
    for rule, inner in zip(grammar.rules, children, strict=True):
        most = _most(grammar, rule.lhs)
        is_more = most is not None and rule.index == grammar.repeats[rule.lhs].more
        for k, child in enumerate(inner):
            push[rule.index, k] = first[child]
            counts[rule.index, k] = is_more and child == rule.lhs
        states = 1 + (most or 0) - (1 if is_more else 0)  # after `max` items there is no more
        allowed[first[rule.lhs] : first[rule.lhs] + states, rule.index] = True
    lhs = torch.tensor([first[r.lhs] for r in grammar.rules] + [nothing])
    pushes = torch.tensor([len(inner) for inner in children] + [0])
    last = torch.where(allowed, torch.arange(n_rules + 1), -1).amax(1)
    return RuleTables(grammar, lhs, push, counts, pushes, allowed, last, first[grammar.start])


def _most(grammar: Grammar, name: str) -> int | None:
    repeat = grammar.repeats.get(name)
    return None if repeat is None else repeat.most


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
        # Ours: how many items a repetition with `max` has so far is known, and need not be counted
        # by the LSTM, which blurs neighbours where a law is jagged.
        self.by_state = nn.Embedding.from_pretrained(
            torch.zeros(tables.nothing + 1, tables.rules + 1), freeze=False
        )
        noise = torch.randn(latents, latents, generator=torch.Generator().manual_seed(0))
        self.register_buffer("latent", noise)

    def _initial_state(self, z: Tensor) -> tuple[Tensor, Tensor]:
        h, c = self.initial(self.latent[z]).tanh().chunk(2, -1)  # z [B] -> [B, H] each
        return h.contiguous(), c.contiguous()

    @torch.no_grad()
    def sample(self, uniforms: Tensor, latent: Tensor) -> Strings:
        """One try for each row of `uniforms` [B, T] in [0, 1), a number a step; latent int [B]."""
        t = self.tables
        batch, steps = uniforms.shape
        stacks = Stacks(t, batch, steps)
        h, c = self._initial_state(latent)
        # The input half of the gates depends on the previous rule alone: one look-up a step.
        from_input, from_state, bias_input, bias_state = self.lstm.parameters()
        gates_in = self.embed.weight @ from_input.T + bias_input + bias_state  # [K+1, 4H]
        recurrent = from_state.T.contiguous()
        previous = torch.full((batch,), t.rules)
        rules = torch.full((batch, steps), t.rules)
        for step in range(steps):
            i, f, g, o = (gates_in[previous] + h @ recurrent).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            state = stacks.top()
            logits = self.head(h) + self.by_state(state)
            logits = logits.masked_fill(~t.allowed[state], -torch.inf)
            previous = _inverse_cdf(logits, uniforms[:, step], t.last[state])
            rules[:, step] = previous
            stacks.expand(state, previous)
            if step % 8 == 7 and not bool(stacks.height.any()):
                break
        return Strings(rules, stacks.height == 0)

    def log_prob(self, rules: Tensor) -> Tensor:
        """Natural log q(T) of padded rules [B, T] -> [B]."""
        latents = self.latent.shape[0]
        batch = rules.shape[0]
        longest = int((rules != self.tables.rules).sum(1).max())
        rules = rules[:, : max(1, longest)]  # padding scores 0 but costs the same
        z = torch.arange(latents).repeat_interleave(batch)
        given = rules.repeat(latents, 1)  # [Z*B, T]
        start = torch.full_like(given[:, :1], self.tables.rules)
        h, c = self._initial_state(z)
        inputs = self.embed(torch.cat([start, given[:, :-1]], 1))
        out, _ = self.lstm(inputs, (h[None], c[None]))
        states = self.tables.states(rules).repeat(latents, 1)
        logits = self.head(out) + self.by_state(states)
        logits = logits.masked_fill(~self.tables.allowed[states], -torch.inf)
        steps = logits.log_softmax(-1).gather(-1, given[..., None])[..., 0]  # padding scores 0
        per_latent = steps.sum(1).view(latents, batch)
        return per_latent.logsumexp(0) - torch.log(torch.tensor(float(latents)))


def _inverse_cdf(logits: Tensor, u: Tensor, last: Tensor) -> Tensor:
    """Index drawn by one uniform a row; never one with probability zero."""
    cumulative = logits.softmax(-1).cumsum(-1)
    index = (cumulative <= u[:, None] * cumulative[:, -1:]).sum(-1)
    return torch.minimum(index, last)
