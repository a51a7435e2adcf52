"""The peer: Algorithm 1 as the authors' code has it, written anew in PyTorch: one start, a Python loop of epochs, each
with a shuffled full batch, its loss read out, and the errors on training and validation rows."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

torch: Any = importlib.import_module("torch")  # no dependency of guldberg: measured where it happens to be


def descend(training: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray], reactions: int) -> Any:
    """`step(epochs)` for concentrations and slopes of shape (rows, species); returns the loss of the last epoch and the
    errors of both."""
    torch.manual_seed(0)
    (c, dc), (c_later, dc_later) = ([torch.from_numpy(np.float32(x)) for x in pair] for pair in (training, validation))
    v = torch.nn.Parameter(torch.rand(c.shape[1], reactions) - 0.5)
    forward, reverse = (torch.nn.Parameter(torch.rand(1, reactions) - 0.5) for _ in range(2))
    parameters = v, forward, reverse
    adam = torch.optim.Adam(parameters, lr=1e-3)

    def rates(c: Any) -> Any:
        ahead = torch.exp(torch.log(c) @ -torch.clamp(v, max=0) + forward)
        back = torch.exp(torch.log(c) @ torch.clamp(v, min=0) + reverse)
        return (ahead - back) @ v.T

    def error(c: Any, dc: Any) -> float:
        with torch.no_grad():
            return ((rates(c) - dc).max() / dc.max()).item()

    def epoch() -> tuple[float, float, float]:
        adam.zero_grad()
        rows = torch.randperm(len(c))
        loss = torch.nn.functional.mse_loss(rates(c[rows]), dc[rows])
        loss = loss + 1e-8 * sum(torch.norm(p, order) for order in (1, 2) for p in parameters)
        told = loss.item()
        loss.backward()
        adam.step()
        return told, error(c, dc), error(c_later, dc_later)

    return lambda epochs: [epoch() for _ in range(epochs)][-1]
