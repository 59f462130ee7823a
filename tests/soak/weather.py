"""The network's moods: what strikes calls at random for a while, whoever makes them."""

from __future__ import annotations

from random import Random

from tests.faults import LOSE_ANSWER, RESET, Delay, Drip, FaultProxy, Match, Refuse, Rule, Substitute

__all__ = ["Weather"]

_COMMITTING = (
    Match("CompleteMultipartUpload"),
    Match("PutObject", key="*/manifest.json"),
    Match("PutObject", key="*/checkpoints/*"),
    Match("DeleteMessage"),
)
_LIE = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>InternalError</Code><Message>a lie</Message></Error>'


def _rules(mood: str, seed: int) -> list[Rule]:
    match mood:
        case "refusals":
            return [Rule(Match(), Refuse(503), rate=0.3, seed=seed)]
        case "resets":
            return [Rule(Match(), RESET, rate=0.05, seed=seed), Rule(Match(), LOSE_ANSWER, rate=0.05, seed=seed + 1)]
        case "lost answers":
            return [Rule(match, LOSE_ANSWER, rate=0.4, seed=seed) for match in _COMMITTING]
        case "lies":
            complete = Match("CompleteMultipartUpload")
            return [
                Rule(complete, Substitute(200, _LIE, {"Content-Type": "application/xml"}), rate=0.2, seed=seed),
                Rule(complete, Substitute(200), rate=0.2, seed=seed + 1),
                Rule(complete, Substitute(200, b"<html>busy</html>", {"Content-Type": "text/html"}), rate=0.2, seed=3),
                Rule(Match(), Refuse(500), rate=0.05, seed=seed + 2),
            ]
        case "slowness":
            return [
                Rule(Match(), Delay(1.5), rate=0.1, seed=seed),
                Rule(Match("GetObject"), Drip(400_000), rate=0.3, seed=seed + 1),
            ]
    return []


class Weather:
    """Changes every few seconds, over all proxies alike. Used on one thread.

    Args:
        foul: whether it is ever anything but calm.
    """

    MOODS = ("calm", "refusals", "resets", "lost answers", "lies", "slowness")

    def __init__(self, proxies: list[FaultProxy], random: Random, *, foul: bool) -> None:
        self._proxies = proxies
        self._random = random
        self._foul = foul
        self._rules: list[Rule] = []
        self._until = 0.0

    def turn(self, now: float) -> None:
        """To be called often; ``now`` is in seconds, of any clock."""
        if not self._foul or now < self._until:
            return
        self.clear()
        self._until = now + self._random.uniform(4, 12)
        self._rules = _rules(self._random.choice(self.MOODS), self._random.randrange(1 << 30))
        for proxy in self._proxies:
            for rule in self._rules:
                proxy.add(rule)

    def clear(self) -> None:
        """Makes it calm."""
        for proxy in self._proxies:
            for rule in self._rules:
                proxy.remove(rule)
        self._rules = []
