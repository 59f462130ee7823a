"""Which calls a rule strikes, how often, and what it tells about it."""

from __future__ import annotations

import threading
import time

import pytest

from tests.faults import RESET, Call, Cut, Delay, Match, Refuse, Rule
from tests.faults.rules import Alter
from tests.faults.written import explained, written_rule

pytestmark = pytest.mark.one_build("gil")

GET = Call("GET", "/b/data/1.csv", operation="GetObject", bucket="b", key="data/1.csv")
RECEIVE = Call("POST", "/", service="sqs", operation="ReceiveMessage", queue="jobs")


@pytest.mark.parametrize(
    ("match", "get", "receive"),
    [
        (Match(), True, True),
        (Match("GetObject"), True, False),
        (Match(("ReceiveMessage", "Get*")), True, True),
        (Match(method="POST"), False, True),
        (Match(bucket="b", key="data/*.csv"), True, False),
        (Match(key="data/*.json"), False, False),
        (Match(queue="jo*"), False, True),
    ],
)
def test_a_match_is_of_every_name(match: Match, get: bool, receive: bool) -> None:
    """A call is meant when all names that are given fit."""
    assert (match.fits(GET), match.fits(RECEIVE)) == (get, receive)


def test_a_rule_that_could_never_strike_is_refused() -> None:
    """A misspelt operation is an error, not a test that proves nothing."""
    with pytest.raises(ValueError, match=r"no operation GetObjects; there are .*GetObject"):
        Match("GetObjects")


def test_after_and_times() -> None:
    """The first matches are spared, then so many struck; what does not match counts for nothing."""
    rule = Rule(Match("GetObject"), RESET, after=2, times=3)
    assert [rule.strikes(GET) for _ in range(4) if not rule.strikes(RECEIVE)] == [False, False, True, True]
    assert [rule.strikes(GET) for _ in range(3)] == [True, False, False]
    assert rule.matched == 7


def test_a_rate_is_drawn_from_its_seed() -> None:
    """A rate strikes about that share, the same calls whenever the seed is the same."""
    drawn = [[rule.strikes(GET) for _ in range(2000)] for rule in (Rule(Match(), RESET, rate=0.3) for _ in range(2))]
    assert drawn[0] == drawn[1]
    assert 500 < sum(drawn[0]) < 700
    other = Rule(Match(), RESET, rate=0.3, seed=1)
    assert [other.strikes(GET) for _ in range(2000)] != drawn[0]


def test_seconds_are_counted_from_the_first_strike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule of a minute begins with its first strike and is over a minute later."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    rule = Rule(Match("GetObject"), RESET, seconds=60, after=1)
    assert not rule.strikes(GET)
    now += 500
    assert rule.strikes(GET)
    now += 60
    assert rule.strikes(GET)
    now += 1
    assert not rule.strikes(GET)


def test_waiting_for_hits() -> None:
    """Whoever waits for the second hit goes on at the second; waiting in vain is an error that says what came."""
    rule = Rule(Match(), RESET)
    waiting = threading.Thread(target=rule.wait_hit, args=(2,))
    waiting.start()
    rule.count_hit()
    with pytest.raises(TimeoutError, match="1 of 2 hits, 0 calls matched"):
        rule.wait_hit(2, timeout_s=0.01)
    rule.count_hit()
    waiting.join(60)
    assert not waiting.is_alive()
    assert rule.hits == 2


def test_rules_are_written_as_json() -> None:
    """A script's rule is the one that Python writes."""
    written = written_rule(
        '{"match": {"operation": ["GetObject", "Head*"], "bucket": "b"}, "do": {"cut": {"after": 9, "how": "close"}},'
        ' "after": 1, "times": 1}'
    )
    assert written.match == Match(("GetObject", "Head*"), bucket="b")
    assert written.do == Cut("body", 9, "close")
    assert [written.strikes(GET) for _ in range(3)] == [False, True, False]
    assert written_rule('{"do": "reset"}').do == RESET
    assert written_rule('{"do": {"delay": {"seconds": 1}}}').do == Delay(1)
    assert written_rule('{"do": {"refuse": {"status": 412}}}').do == Refuse(412)
    alter = written_rule('{"do": {"alter": {"replace": "a", "by": "bb", "headers": {"ETag": null}}}}').do
    assert isinstance(alter, Alter)
    assert alter.change is not None
    assert (alter.change(b"bar"), alter.headers) == (b"bbbr", {"ETag": None})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[]", "a rule is an object like"),
        ("{}", "a rule is an object like"),
        ('{"do": "explode"}', "do: one of reset, lose-answer"),
        ('{"do": {"cut": 5}}', "cut: must be an object"),
        ('{"do": {"cut": {"bytes": 5}}}', "cut: no bytes; there are at, after, how"),
        ('{"do": {"cut": {"at": "tail"}}}', "cut.at: Input should be 'request', 'head' or 'body'"),
        ('{"do": "reset", "match": {"operation": "Get"}}', "match: no operation Get; there are"),
        ('{"do": "reset", "time": 1}', "rule: no time; there are after, times"),
    ],
)
def test_what_is_wrong_with_a_written_rule_is_told(text: str, told: str) -> None:
    """A mistake in a script's rule is named, with what there is instead."""
    with pytest.raises(ValueError, match="(?s)^" + told.replace("(", r"\(")) as raised:
        written_rule(text)
    assert "\n" not in str(raised.value)


def test_help_names_everything() -> None:
    """What --help shows has every operation, every fault and every name in it."""
    text = explained()
    for name in (
        "UploadPart",
        '"reset"',
        '"lose-answer"',
        '"drop"',
        '"replay"',
        '"cut"',
        '"hold"',
        '"delay"',
        '"drip"',
    ):
        assert name in text
    for name in ('"refuse"', '"alter"', '"substitute"', '"bytes_per_s"', '"after": 0', '"rate": 1.0', '"queue": "*"'):
        assert name in text
