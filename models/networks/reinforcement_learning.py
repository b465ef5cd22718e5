"""A policy that sets one bit after the other, and is rewarded for what the whole code finds."""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from models import losses
from models.networks.base import Encoder, Term, Views
from models.networks.convolutional import ConvolutionalEncoder
from models.pooling import Pooling

Reward = Literal["average_precision", "triplet"]


class Policy(nn.Module):
    """Pooled activations (B, F) -> (B, K): how much speaks for each bit, given those before it.

    To what a picture says of bit t, as in every `Head`, comes what a recurrent state says of it
    that has seen the picture and the bits up to t - 1: next to nothing at first, so that a policy
    starts as a head does and learns what to mend. The sum is whitened, so that each bit splits the
    pictures in halves, on the greedy way at least.

    Args:
        inputs: F.
        bits: K.
        hidden: numbers of the recurrent state.
    """

    mean: torch.Tensor
    variance: torch.Tensor
    """(K,): of what is said of each bit on the greedy way, as batch normalisation remembers it."""

    def __init__(self, inputs: int, bits: int, hidden: int) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, bits, bias=False)
        self.begin = nn.Linear(inputs, hidden)
        self.cell = nn.GRUCell(hidden, hidden)
        self.set = nn.Parameter(torch.randn(bits, hidden))
        self.place = nn.Parameter(torch.randn(bits, hidden))
        self.mend = nn.Parameter(0.1 / hidden**0.5 * torch.randn(bits, hidden))
        self.register_buffer("mean", torch.zeros(bits))
        self.register_buffer("variance", torch.ones(bits))

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """What is met on the greedy way (B, K), on which each bit is what more speaks for."""
        return self.roll_out(pooled)[0]

    def roll_out(
        self,
        pooled: torch.Tensor,
        noise: torch.Tensor | None = None,
        gain: torch.Tensor | float = 1.0,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-odds (B, K) met on the way, and the bits (B, K) of -1 and +1 that were set.

        Args:
            pooled: (B, F).
            noise: (B, K), uniform in [0, 1), draws the bits; None sets the likelier ones.
            gain: how many log-odds a unit of what speaks for a bit makes.
        """
        evidence = self.project(pooled)  # (B, K)
        state = torch.tanh(self.begin(pooled))  # (B, hidden)
        odds: list[torch.Tensor] = []
        bits: list[torch.Tensor] = []
        for place in range(len(self.mend)):
            said = evidence[:, place] + state @ self.mend[place]  # (B,)
            here = gain * self._whitened(said, place, counts=noise is None)
            bit = here >= 0 if noise is None else torch.sigmoid(here) > noise[:, place]
            signed = bit.to(here.dtype) * 2 - 1
            state = self.cell(signed[:, None] * self.set[place] + self.place[place], state)
            odds.append(here)
            bits.append(signed)
        return torch.stack(odds, dim=1), torch.stack(bits, dim=1)

    def _whitened(self, said: torch.Tensor, place: int, counts: bool) -> torch.Tensor:
        """What is SAID (B,) of the bit at PLACE, of mean 0 and variance 1 over the batch, or all.

        Only what COUNTS, the greedy way, is remembered for evaluation.
        """
        learns = self.training
        kept: tuple[torch.Tensor | None, torch.Tensor | None] = None, None
        if counts or not learns:
            kept = self.mean[place : place + 1], self.variance[place : place + 1]
        return functional.batch_norm(said[:, None], *kept, training=learns).squeeze(1)


class ReinforcementLearningEncoder(ConvolutionalEncoder):
    """A convolutional trunk whose code is a sequence of decisions (DRLIH).

    Each bit is an action of a policy that knows the picture and the bits before; the reward comes
    with the last one: how well the code finds the pictures alike among those of its step (Peng and
    Zhang, "Deep Reinforcement Learning for Image Hashing", 2019, whose network is recurrent too).
    Of its teacher's loss it takes a SHARE, without which it would start from codes that find
    nothing, and be rewarded for little. What is stored are the signs of the greedy way.

    Args:
        dimensions: K, the bits.
        width: W, as of the trunk.
        depth: residual blocks a stage.
        stem: stride of the stem.
        pooling: what makes one vector of the last map, in the words of `models.aggregation`.
        hidden: numbers of the policy's state.
        reward: "average_precision" of the code in its step, or minus the "triplet" loss of it.
        margin: of the triplet reward, as a share of the bits.
        samples: codes drawn a picture and step.
        entropy: weight of the bonus for being undecided.
        share: by what the teacher's loss is multiplied.
    """

    head: Policy

    def __init__(
        self,
        dimensions: int,
        width: int = 32,
        depth: int = 1,
        stem: int = 1,
        pooling: Pooling = "gem",
        hidden: int = 64,
        reward: Reward = "average_precision",
        margin: float = 0.25,
        samples: int = 2,
        entropy: float = 0.01,
        share: float = 0.1,
    ) -> None:
        super().__init__(dimensions, width, depth, stem, pooling)
        self.head = Policy(self.pool.dimensions, dimensions, hidden)
        self.share = share
        self.reward, self.margin = reward, margin * dimensions
        self.samples, self.entropy = samples, entropy

    def term(self, seed: int) -> Term:
        """The loss of the policy; what it adds to learn, one number, is not drawn."""
        return SelfCritical(self.reward, self.margin, self.samples, self.entropy)


class SelfCritical(Term):
    """The loss of a policy whose drawn codes are judged by what its own greedy ones earn.

    A drawn code is rewarded for what it finds among the greedy codes of the step, which are what
    would be stored; so what it earns above the greedy code of the same picture (Rennie et al.,
    "Self-critical Sequence Training for Image Captioning", 2017, equation 8) is due to its own bits
    and to nobody else's luck.

    Args:
        reward: "average_precision" or "triplet".
        margin: of the triplet reward, in bits.
        samples: codes drawn a picture.
        entropy: weight of the bonus for being undecided.
    """

    def __init__(self, reward: Reward, margin: float, samples: int, entropy: float) -> None:
        super().__init__()
        self.reward, self.margin = reward, margin
        self.samples, self.entropy = samples, entropy
        # whitened evidence cannot grow, so how sure the policy is of a bit is learned apart from it
        self.gain = nn.Parameter(torch.tensor(3.0))

    def forward(self, encoder: Encoder, views: Views) -> torch.Tensor:
        """The loss of the policy of ENCODER on VIEWS, a scalar."""
        if views.alike is None:
            raise ValueError(
                "reinforcement_learning is rewarded for what is found, and nobody knows who is "
                "alike among these views."
            )
        policy = encoder.head
        if not isinstance(policy, Policy):
            raise TypeError(f"A policy sets the bits, not a {type(policy).__name__}.")
        pairs = losses.Pairs.known(views.alike)
        greedy = losses.sign(views.features.detach())
        pooled = views.pooled.repeat(self.samples, 1)
        noise = torch.rand(
            (len(pooled), greedy.shape[1]), generator=views.generator, device=pooled.device
        )
        odds, drawn = policy.roll_out(pooled, noise, self.gain)
        rewards = self._earned(torch.cat([greedy, drawn]), pairs, greedy)
        baseline, earned = rewards[: len(greedy)], rewards[len(greedy) :]
        loss = losses.reinforce(odds, drawn, earned, baseline.repeat(self.samples), self.entropy)
        # a mean over the bits: a longer code does not drown what the teacher says
        return loss / greedy.shape[1]

    def _earned(
        self, codes: torch.Tensor, pairs: losses.Pairs, others: torch.Tensor
    ) -> torch.Tensor:
        """The rewards (n B,) of n CODES of each picture, (n B, K), among OTHERS (B, K)."""
        if self.reward == "triplet":
            each = torch.split(codes, len(others))
            return torch.cat(
                [losses.triplet_reward(some, pairs, self.margin, others) for some in each]
            )
        # all of them at once: this is counted by the CPU, for which a GPU waits
        times = len(codes) // len(others)
        pairs = losses.Pairs(*(kind.repeat(times, 1) for kind in pairs))
        return losses.average_precision_reward(codes, pairs, others)
