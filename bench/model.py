"""Throughput and cost on EC2, reckoned from the processor time that was measured: a model, not a measurement.

An instance maps as fast as its cores, its network or its connections to S3 allow, whichever is least.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["ASSUMPTIONS", "INSTANCES", "Forecast", "Instance", "forecasts"]


@dataclass(frozen=True, slots=True)
class Instance:
    """On-demand price in us-east-1 and sustained network bandwidth, as assumed in ``ASSUMPTIONS``."""

    name: str
    vcpus: int
    threads_per_core: int
    usd_an_hour: float
    gbit_s: float


INSTANCES = (
    Instance("c7g.large", 2, 1, 0.0725, 0.937),
    Instance("c7g.2xlarge", 8, 1, 0.29, 3.75),
    Instance("c7g.8xlarge", 32, 1, 1.16, 15.0),
    Instance("m7g.2xlarge", 8, 1, 0.3264, 3.75),
    Instance("c7i.large", 2, 2, 0.08925, 0.781),
    Instance("c7i.2xlarge", 8, 2, 0.357, 3.125),
    Instance("c7i.8xlarge", 32, 2, 1.428, 12.5),
)

_OF_A_CORE = {1: 1.0, 2: 0.6}  # what a vCPU does of a measured core's work: a whole core, or one of its two threads
_AT_WORK = 0.9  # of the processors' time; the rest is the main loop, TLS and the kernel's network
_ARM = 0.9  # of a measured core's speed, for c7g and m7g
_S3_CONNECTION_MB_S = 85.0
_PIPELINES = 4

ASSUMPTIONS = (
    (
        "Prices are on-demand, Linux, us-east-1, and bandwidths are those sustained, not of bursts; both as remembered"
        " of mid-2025, to be checked before anything is decided by them. Storage, requests and traffic between regions"
        " are not in them."
    ),
    (
        f"A vCPU that is a whole core (Graviton) does {_ARM:.0%} of the work of a core that was measured, one that is"
        f" half a core (Intel) {_OF_A_CORE[2]:.0%}; neither was measured."
    ),
    f"{_AT_WORK:.0%} of the processors' time goes into what was measured; the rest into TLS, S3 and the kernel.",
    (
        f"A connection to S3 gives {_S3_CONNECTION_MB_S:.0f} MB/s at most, as AWS advises to reckon with, and a"
        f" worker reads {_PIPELINES} files at once; the network carries input and output both ways at once."
    ),
    "Work is spread evenly: there are files enough for all pipelines, all the time.",
)


@dataclass(frozen=True, slots=True)
class Forecast:
    """MB of CSV a second, what limits them, and US dollars a terabyte."""

    instance: Instance
    workload: str
    format: str
    mb_s: float
    limit: str
    usd_per_tb: float


def forecasts(comparison: dict[str, Any], contender: str = "engine-3.13t-threads-2") -> Iterator[Forecast]:
    """What each instance does of each workload and format that was measured."""
    for group in comparison["groups"]:
        for each in group["results"]:
            if each["contender"] == contender and not each["share"] and "cpu_s_per_gb" in each:
                for instance in INSTANCES:
                    yield _forecast(instance, group["workload"], group["format"], each["cpu_s_per_gb"])


def _forecast(instance: Instance, workload: str, format_: str, cpu_s_per_gb: float) -> Forecast:
    arm = _ARM if instance.threads_per_core == 1 else 1.0
    core_mb_s = 1000 / cpu_s_per_gb * _OF_A_CORE[instance.threads_per_core] * arm * _AT_WORK
    limits = {
        "CPU": instance.vcpus * core_mb_s,
        "network": instance.gbit_s * 1000 / 8,
        "S3 connections": instance.vcpus * _PIPELINES * _S3_CONNECTION_MB_S,
    }
    limit = min(limits, key=lambda name: limits[name])
    mb_s = limits[limit]
    return Forecast(instance, workload, format_, mb_s, limit, instance.usd_an_hour / 3600 / mb_s * 1e6)
