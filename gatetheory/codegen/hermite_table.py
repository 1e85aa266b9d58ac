"""Tables of Hermite polynomials at equidistant nodes, in integers, kept between uses.

With He_k = (k−1)!! q_k and a_k = (k−1)!!/k!!, so that a_k a_{k−1} = 1/k and he_k = He_k/√k! =
√a_k q_k, the recurrence has one product,

    q_{k+1} = a_k u q_k − q_{k−1}.

It is run in fixed point at u_j = j·h, j ≥ 0: forward it is stable, but intervals would swell. What
is kept is q_k(u_j) e^{−u_j²/4}, roughly, of order 1: q_k(u_j) 2^{−lift_j} with lift_j the integer
part of u_j²/(4 log 2).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from math import log

import flint

BLOCK = 256
"""Orders in a block; even."""
_MOST_ENTRIES = 2_500_000  # kept over all tables: about 200 MB

Row = list[flint.fmpz]


@dataclass(frozen=True)
class Block:
    """Consecutive orders.

    Args:
        even: q_k at the nodes in units of 2^−bits, even k, shape (BLOCK/2, nodes).
        odd: The same for odd k.
        roots: √a_k of every order.
    """

    even: flint.fmpz_mat
    odd: flint.fmpz_mat
    roots: tuple[flint.arb, ...]


@dataclass(frozen=True)
class _State:
    """Where a recurrence stands: k, a_k, q_k and q_{k−1}."""

    order: int
    ratio: flint.arb
    row: Row
    before: Row


class HermiteTable:
    """The table for one step; to be used at a working precision of ``bits``.

    Args:
        mantissa: The step is h = mantissa/2^power.
        power: See there.
        count: Number of nodes j = 0, 1, …
        bits: Bits after the binary point.
    """

    def __init__(self, mantissa: int, power: int, count: int, bits: int) -> None:
        self.step = flint.arb(mantissa) / flint.arb(2) ** power
        self.bits = bits
        self.lifts = [int((j * float(self.step)) ** 2 / 4 / log(2)) for j in range(count)]
        self._nodes = [flint.fmpz(j) for j in range(count)]
        self._blocks: list[Block] = []
        one, zero = flint.fmpz(1) << bits, flint.fmpz(0)
        self._state = _State(0, flint.arb(1), [one] * count, [zero] * count)

    @property
    def entries(self) -> int:
        """Number of integers kept."""
        return len(self._blocks) * BLOCK * len(self._nodes)

    def blocks(self) -> Iterator[Block]:
        """All blocks, without end; those that there is room for are kept."""
        yield from self._blocks
        state = self._state
        while True:
            block, state = self._advance(state)
            if _entries() + BLOCK * len(self._nodes) <= _MOST_ENTRIES:
                self._blocks.append(block)
                self._state = state
            yield block

    def _advance(self, state: _State) -> tuple[Block, _State]:
        rows, roots = [], []
        order, ratio, q, before = state.order, state.ratio, state.row, state.before
        for _ in range(BLOCK):
            rows.append([x >> s for x, s in zip(q, self.lifts, strict=True)])
            roots.append(ratio.sqrt().mid())
            factor = fixed(ratio * self.step, self.bits)
            following = [
                ((factor * j * x) >> self.bits) - y
                for j, x, y in zip(self._nodes, q, before, strict=True)
            ]
            before, q = q, following
            order += 1
            ratio = (1 / (order * ratio)).mid()
        block = Block(flint.fmpz_mat(rows[::2]), flint.fmpz_mat(rows[1::2]), tuple(roots))
        return block, _State(order, ratio, q, before)


_TABLES: OrderedDict[tuple[int, int, int, int], HermiteTable] = OrderedDict()


def _entries() -> int:
    return sum(t.entries for t in _TABLES.values())


def hermite_table(mantissa: int, power: int, count: int, bits: int) -> HermiteTable:
    """The table of these arguments: the one in use, or a new one in the place of old ones."""
    key = mantissa, power, count, bits
    if key not in _TABLES:
        while _TABLES and _entries() > _MOST_ENTRIES // 2:
            _TABLES.popitem(last=False)
        _TABLES[key] = HermiteTable(*key)
    _TABLES.move_to_end(key)
    while len(_TABLES) > 8:
        _TABLES.popitem(last=False)
    return _TABLES[key]


def fixed(value: flint.arb, bits: int) -> flint.fmpz:
    """An integer next to value · 2^bits."""
    mantissa, exponent = value.mid().man_exp()
    shift = int(exponent) + bits
    return mantissa << shift if shift >= 0 else mantissa >> -shift
