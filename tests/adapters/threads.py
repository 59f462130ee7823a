"""Event loops on several threads at once."""

from __future__ import annotations

import asyncio
import threading

__all__ = ["run_threads"]


def run_threads(count: int, work: object) -> None:
    assert callable(work)
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            asyncio.run(work(number))
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
