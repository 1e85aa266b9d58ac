"""Progress bars: on stderr, only for people, only for what takes more than a moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

DELAY = 0.8  # seconds before a bar appears


class Bar:
    """A bar that is fed either with steps or with (done, total)."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __call__(self, done: int, total: int) -> None:
        """So much is done."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def step(self, name: str) -> None:
        """What comes next."""
        self._bar.set_description_str(name, refresh=True)
        self._bar.update(1)


@contextmanager
def progress_bar(name: str, *, shown: bool, steps: int | None = None) -> Iterator[Bar]:
    """A bar while the block runs, if it is wanted and a person is watching.

    Args:
        name: What takes its time.
        shown: Whether a bar is wanted.
        steps: Number of steps, where it is known beforehand.
    """
    watched = shown and sys.stderr.isatty()
    layout = "{desc} {bar} {percentage:3.0f}% {elapsed}"
    with tqdm(
        total=steps,
        desc=name,
        disable=not watched,
        file=sys.stderr,
        leave=False,
        bar_format=layout if steps is None else "{desc} {n_fmt}/{total_fmt} {elapsed}",
        delay=DELAY,
    ) as bar:
        yield Bar(bar)
