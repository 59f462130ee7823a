"""Runs a proxy until it is told to stop: ``python -m tests.faults http://127.0.0.1:5000 --rule '{"do": "reset"}'``."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.faults.leases import LeaseMode
from tests.faults.operations import Call
from tests.faults.rules import Rule
from tests.faults.running import fault_proxy
from tests.faults.written import explained, written_rule


def main() -> int:
    """The exit status; 2 where the arguments are wrong."""
    given = _arguments()
    leases: LeaseMode | None = given.leases
    rules: list[Rule] = given.rule
    # Blocked before any thread starts, and so in all of them: sigwait alone takes these.
    stopping = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
    try:
        with fault_proxy(
            given.upstream, *rules, leases=leases, port=given.port, seen=None if given.quiet else _show
        ) as proxy:
            print(proxy.url, flush=True)
            signal.sigwait(stopping)
    except OSError as error:
        print(f"tests.faults: port {given.port}: {error.strerror}", file=sys.stderr)
        return 2
    for rule in rules:
        print(f"{rule.hits} hits, {rule.matched} matches: {rule}", file=sys.stderr)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="An HTTP proxy in front of S3, SQS and STS that injects faults. Prints its URL, then a line for "
        "each call to standard error: answer, operation, what it was about, faults. Runs until SIGINT or SIGTERM.",
        epilog=explained(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("upstream", metavar="UPSTREAM", help="where requests go, like http://127.0.0.1:5000")
    parser.add_argument("--rule", action="append", default=[], type=_rule, metavar="JSON", help="may be repeated")
    parser.add_argument("--port", type=int, default=0, help="to listen on, on 127.0.0.1; by default a free one")
    parser.add_argument(
        "--leases",
        choices=["strict", "lenient"],
        help="a delete or an extension with a receipt handle that no longer holds its message is not forwarded, but "
        "refused (strict) or said to have succeeded (lenient)",
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each call")
    return parser.parse_args()


def _rule(text: str) -> Rule:
    try:
        return written_rule(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _show(call: Call) -> None:
    marks = [*call.faults, *(["stale"] if call.stale else []), *(["aborted"] if call.aborted else [])]
    print(call.status or "---", call.operation or call.method, call.where, *marks, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
