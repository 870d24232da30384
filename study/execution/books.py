"""What is asked of a study's sampler and entered into its books, beside the loop that serves its running trials."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from study.search.searcher import Assignment, Later


class Books:
    """Asks for trials and enters their ends beside Tune's loop, on which the running trials wait.

    Either takes longer than all else that the driver does between two reports. Ends are entered one after the other,
    and a trial is asked for when those before it are entered; a sampler that thinks holds up no end.
    """

    def __init__(self) -> None:
        self._asks = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ask")
        self._ends = ThreadPoolExecutor(max_workers=1, thread_name_prefix="end")
        self._entries: list[Future[None]] = []

    def ask(self, draw: Callable[[], Assignment | Later | None]) -> Future[Assignment | Later | None]:
        """What ``draw`` returns or raises."""
        entries = tuple(self._entries)

        def informed() -> Assignment | Later | None:
            wait(entries)
            return draw()

        return self._asks.submit(informed)

    def enter(self, end: Callable[[], None]) -> None:
        """Call ``end``; what it raises ``check`` raises."""
        self._entries.append(self._ends.submit(end))

    def check(self) -> None:
        """Raise what an end raised that is entered."""
        while self._entries and self._entries[0].done():
            self._entries.pop(0).result()

    def close(self) -> None:
        """Return when everything is entered; raise what was raised."""
        self.shutdown()
        self.check()

    def shutdown(self) -> None:
        """Return when everything is entered, whatever was raised."""
        self._asks.shutdown()
        self._ends.shutdown()
