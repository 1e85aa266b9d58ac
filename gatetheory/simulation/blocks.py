"""Blocks of a Jacobian: diagonal over units, or dense.

Most products in a network's Jacobian are of a random matrix with diagonal ones; keeping them apart
costs N² instead of N³.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatetheory.simulation.lowering import Array


@dataclass(frozen=True, eq=False)
class Diagonal:
    """A diagonal block.

    Args:
        entries: Shape (N,).
    """

    entries: Array


Block = Diagonal | Array


def scale(weights: Array, block: Block) -> Block:
    """diag(weights) @ block."""
    if isinstance(block, Diagonal):
        return Diagonal(weights * block.entries)
    return weights[:, None] * block


def accumulate(total: Block | None, block: Block) -> Block:
    """Total + block; a dense total is changed in place."""
    if total is None:
        return block
    if isinstance(total, Diagonal) and isinstance(block, Diagonal):
        return Diagonal(total.entries + block.entries)
    if isinstance(total, Diagonal):
        return accumulate(block, total)
    if isinstance(block, Diagonal):
        total[np.diag_indices_from(total)] += block.entries
    else:
        total += block
    return total


def multiply(stack: Array, block: Block, units: int) -> list[Block]:
    """J @ block for every matrix J of a stack of shape (k N, N)."""
    product = stack * block.entries if isinstance(block, Diagonal) else stack @ block
    return [product[i : i + units] for i in range(0, len(stack), units)]


def to_dense(block: Block) -> Array:
    """The block as an array."""
    return np.diag(block.entries) if isinstance(block, Diagonal) else block
