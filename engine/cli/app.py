"""The commands, and what becomes of whatever they raise."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from engine.cli.failures import report
from engine.cli.version import version

__all__ = ["app", "dispatch"]

# name, where, one line for `engine --help`. Modules are imported when their command is used.
_COMMANDS = (
    ("run", "engine.cli.run:run", "Run files through a mapping: one batch, no queue."),
    ("replay", "engine.cli.replay:replay", "Run rejected rows again, through a corrected mapping."),
    ("worker", "engine.cli.worker:worker", "Take messages off the queue and run their batches until told to stop."),
    ("send", "engine.cli.send:send", "Check a message and put it on the queue."),
    ("janitor", "engine.cli.janitor:janitor", "Remove what dead attempts left at the destination."),
    ("check", "engine.cli.check:check", "Lint a mapping, run its tests, and show what it makes of samples."),
    ("infer", "engine.cli.infer:infer", "Propose a mapping for files that have none yet."),
    ("demo", "engine.cli.demo:demo", "Show the whole thing on this machine, with a local SQS and S3."),
    ("doctor", "engine.cli.doctor:doctor", "Show what build this is, whether the GIL is off, N, M and memory."),
    ("config", "engine.cli.config:config", "Print the configuration in force and where each value comes from."),
    ("schema", "engine.cli.schema:schema", "Print the JSON Schema of a mapping, a message or the configuration."),
)


_USAGE = {
    "run": "Usage: engine run MAPPING SOURCE... --output DEST [OPTIONS]",
    "replay": "Usage: engine replay REJECTS... MAPPING --output DEST [OPTIONS]",
}


app = App(
    name="engine",
    help="Streams CSV files out of S3 through a mapping and back: a message's files all of them, or none.",
    version=version,
    default_parameter=Parameter(negative=()),
    help_format="plaintext",
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
for _name, _where, _help in _COMMANDS:
    app.command(_where, name=_name, help=_help, usage=_USAGE.get(_name))


def dispatch(arguments: Sequence[str]) -> int:
    """Runs a command; everything it raises becomes lines on standard error and an exit status."""
    try:
        result = app(arguments)
    except CycloptsError as error:
        text = " ".join(str(error).split())
        sys.stderr.write(f"engine: {text}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 # the last stop: a user gets a line, never a traceback
        return report(error)
    return result if isinstance(result, int) else 0
