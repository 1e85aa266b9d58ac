"""Counts what a validation has done, for a progress bar."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


class Work:
    """A counter that reports to a callback."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def step(self) -> None:
        """One more piece of work is done."""
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.total), self.total)
