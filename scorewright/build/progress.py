"""Shows how a build comes along: a moving bar on a terminal, a line a step elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

WIDTH = 60


class BuildProgress:
    """Writes to `console`; a context manager, so that a bar is cleared whatever happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def step(self, number: int, total: int, instruction: str) -> None:
        """A step of the Dockerfile begins."""
        if self._console.is_terminal:
            self._bar.update(self._task, completed=number - 1, total=total, description=instruction[:WIDTH])
        else:
            self._console.print(f"{number}/{total} {instruction}", markup=False, highlight=False, soft_wrap=True)

    def line(self, text: str) -> None:
        """The step says something: shown beside the bar, and in the error if the step fails."""
        if self._console.is_terminal:
            self._bar.update(self._task, description=text[:WIDTH])
