"""Names of risk factors, their units, and the keys by which they are owned and sharded.

| factor | unit | sign | owner kind | key |
|---|---|---|---|---|
| ``delta:U`` | USD of delta (lots × multiplier × delta × forward) | long underlying positive | gamma | ``gamma/U`` |
| ``gamma:U`` | USD of delta gained when U rises 1 % | long options positive | gamma | ``gamma/U`` |
| ``vega:U/BUCKET`` | USD per volatility point | long options positive | vega | ``vega/U/BUCKET`` |
| ``factor:common`` | USD of common-factor delta, Σ β_U delta_U | | cross_asset | ``cross_asset/common`` |
| ``proxy:U`` | USD of delta of an underlying without a hedge of its own | | cross_asset | ``cross_asset/proxy/U`` |

Every factor has one owner; the manager refuses a second claim. Where a book has several desks, each desk has factors and
keys of its own, which end in ``@DESK``: ``delta:SPX@rates``, ``gamma/SPX@rates``; and ``gamma-0@rates`` is what agent
``gamma-0`` does for that desk. With one desk nothing carries it. *Tested by* tests/unit/test_factors.py,
tests/unit/test_desks.py.
"""

from __future__ import annotations

from typing import Final

from common.units import NS_PER_DAY

GAMMA: Final = "gamma"
VEGA: Final = "vega"
CROSS_ASSET: Final = "cross_asset"
KINDS: Final = (GAMMA, VEGA, CROSS_ASSET)

#: Expiry buckets: name and last whole day that belongs to it.
BUCKETS: Final[tuple[tuple[str, float], ...]] = (
    ("0-7d", 7.0),
    ("8-30d", 30.0),
    ("31-60d", 60.0),
    ("61-90d", 90.0),
    ("3-6m", 182.0),
    ("6-12m", 365.0),
    ("1-2y", 730.0),
    ("2y+", float("inf")),
)
BUCKET_NAMES: Final = tuple(name for name, _ in BUCKETS)


def bucket_index(expiry_ns: int, now_ns: int) -> int:
    """Bucket of an expiry seen at ``now_ns`` (both UTC ns); expired contracts fall into the first."""
    days = (expiry_ns - now_ns) / NS_PER_DAY
    for i, (_, last_day) in enumerate(BUCKETS):
        if days < last_day + 1.0:
            return i
    return len(BUCKETS) - 1


#: What parts a name from its desk.
DESK_MARK: Final = "@"
_SUCCESSOR: Final = "+"


def at_desk(name: str, desk: str) -> str:
    """A factor, key or agent of one desk; the name itself for ``""``, the only desk there is."""
    return f"{name}{DESK_MARK}{desk}" if desk else name


def desk_of(name: str) -> str:
    """Desk of a factor, key or agent; ``""`` where there is one desk only."""
    return name.partition(DESK_MARK)[2]


def without_desk(name: str) -> str:
    """The name as it is where there is one desk only: ``delta:SPX@rates`` -> ``delta:SPX``."""
    return name.partition(DESK_MARK)[0]


def delta(underlying: str) -> str:
    """Name of the dollar delta of one underlying."""
    return f"delta:{underlying}"


def gamma(underlying: str) -> str:
    """Name of the dollar gamma per 1 % of one underlying."""
    return f"gamma:{underlying}"


def vega(underlying: str, bucket: str) -> str:
    """Name of the vega per point of one underlying and expiry bucket."""
    return f"vega:{underlying}/{bucket}"


COMMON: Final = "factor:common"


def proxy(underlying: str) -> str:
    """Name of the delta of an underlying without a liquid hedge of its own."""
    return f"proxy:{underlying}"


def key_of(factor: str) -> str:
    """Assignment key that owns a factor: ``delta:SPX`` -> ``gamma/SPX``, ``delta:SPX@rates`` -> ``gamma/SPX@rates``."""
    head, _, rest = factor.partition(":")
    if head in ("delta", "gamma"):
        return f"{GAMMA}/{rest}"
    if head == "vega":
        return f"{VEGA}/{rest}"
    if without_desk(factor) == COMMON:
        return at_desk(f"{CROSS_ASSET}/common", desk_of(factor))
    if head == "proxy":
        return f"{CROSS_ASSET}/proxy/{rest}"
    raise ValueError(f"unknown factor {factor!r}")


def kind_of_key(key: str) -> str:
    """Kind of agent that owns an assignment key: ``gamma/SPX`` -> ``gamma``."""
    return key.partition("/")[0]


def underlying_of(factor: str) -> str:
    """Underlying a factor belongs to; empty for the common factor."""
    head, _, rest = without_desk(factor).partition(":")
    return "" if head == "factor" else rest.partition("/")[0]


def bucket_of(factor: str) -> str:
    """Expiry bucket of a vega factor; empty for any other."""
    return without_desk(factor).partition("/")[2]


def unit_of(factor: str) -> str:
    """Unit of a factor as shown to people."""
    head = factor.partition(":")[0]
    return {"gamma": "USD delta per 1 %", "vega": "USD per vol point"}.get(head, "USD delta")


def agent_name(kind: str, shard: int) -> str:
    """Name of an agent: ``gamma-0``."""
    return f"{kind}-{shard}"


def is_agent(name: str) -> bool:
    """Whether this is the name of an agent: a kind and a number of at most three digits."""
    kind, _, shard = name.rpartition("-")
    return kind in KINDS and shard.isascii() and shard.isdigit() and len(shard) <= 3


def successor_of(agent: str) -> str:
    """Name under which the loaded successor of an agent beats until its turn comes: ``gamma-0+``."""
    return f"{agent}{_SUCCESSOR}"


def succeeded_by(name: str) -> str:
    """The agent whose successor has this name; empty for any other name."""
    agent = name.removesuffix(_SUCCESSOR)
    return agent if agent != name and is_agent(agent) else ""


def kind_of(agent: str) -> str:
    """Kind of an agent name: ``gamma-0`` -> ``gamma``, also where it acts for a desk (``gamma-0@rates``)."""
    return without_desk(agent).rpartition("-")[0]
