"""``engine worker``: the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.cli.common import PoolFlags, configure_with_queue
from engine.errors import UsageError

if TYPE_CHECKING:
    import asyncio

    from engine.cli.signals import Stop
    from engine.config import Settings
    from engine.service import Mode, Observer, Summary

__all__ = ["serve", "worker"]


def worker(
    *,
    once: bool = False,
    drain: bool = False,
    queue: str | None = None,
    flags: PoolFlags | None = None,
) -> int:
    """Take messages off the queue and run their batches until told to stop.

    Parameters
    ----------
    once
        End after one message.
    drain
        End when the queue is empty.
    queue
        URL of the queue instead of the configured one.
    """
    if once and drain:
        raise UsageError("--once and --drain exclude each other")
    settings = configure_with_queue(flags, queue)
    from engine.cli.signals import run_until_signalled

    mode: Mode = "once" if once else "drain" if drain else "forever"

    async def work(stop: Stop) -> int:
        from engine.progress import Progress

        summary = await serve(settings, mode, stop.event, Progress())
        return 1 if summary.failed and mode != "forever" else 0

    return run_until_signalled(work, cancel=False)


async def serve(settings: Settings, mode: Mode, stop: asyncio.Event, observer: Observer) -> Summary:
    """Opens everything a service needs, serves, and closes it. Also what ``engine demo`` runs.

    Raises:
        EngineError: the pool cannot start, or the queue cannot be used.
    """
    import structlog

    from engine.cli.wiring import mappings, open_dead_letters, open_queue, open_runtime
    from engine.intake import read_message
    from engine.service import Service

    log = structlog.get_logger("engine.worker")
    async with open_runtime(settings) as runtime:
        for warning in (runtime.choice.warning, runtime.fit.warning):
            if warning:
                log.warning(warning)
        log.info(
            "worker started",
            executor=runtime.choice.executor,
            reason=runtime.choice.reason,
            workers=runtime.fit.workers,
            pipelines=runtime.fit.pipelines,
            queue=settings.queue.url,
        )
        store = mappings(settings, runtime.stores)
        service = Service(
            settings=settings,
            open_queue=lambda: open_queue(settings),
            read_message=lambda delivery: read_message(delivery, store, runtime.stores, settings),
            pool=runtime.pool,
            stores=runtime.stores,
            observer=observer,
            open_dead_letters=(lambda: open_dead_letters(settings)) if settings.queue.dead_letter_url else None,
        )
        summary = await service.serve(mode, stop)
        log.info("worker stopped", committed=summary.committed, failed=summary.failed)
        return summary
