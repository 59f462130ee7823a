"""A client's endpoint that only listens: whatever reaches it is remembered, and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

__all__ = ["Listener", "listener"]

_REFUSAL = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


@dataclass(frozen=True, slots=True)
class Listener:
    """What was heard at ``url``: of each request its line and all of its headers, as one text."""

    url: str
    heard: list[str] = field(default_factory=list)


@asynccontextmanager
async def listener() -> AsyncIterator[Listener]:
    """Listens on a port of its own in the running loop, until the block is left."""
    found: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        lines = [f"{request.method} {request.path_qs}", *(f"{name}: {text}" for name, text in request.headers.items())]
        found.append("\n".join(lines))
        return web.Response(status=403, text=_REFUSAL, content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield Listener(f"http://127.0.0.1:{port}", found)
    finally:
        await runner.cleanup()
