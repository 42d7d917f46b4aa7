"""Damage to files of records: of bytes, of JSON values, of their structure."""

import copy
import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from fmnist_utils.errors import FmnistError

WithDigest = Callable[[dict[str, Any]], str]

#: What stands in place of a value: of another kind, out of range, very large, very deep.
ODD: list[Any] = [
    None, True, -1, 0, 1, 2, 10, 255, 10**6, 10**12, -(10**400), 2**63, 0.5, -0.5, 1e308, -0.0,
    float("nan"), float("inf"), -float("inf"), "", "0", "10000:", "nan", "../../evil",
    "\x00\n[red]", "\u202e", "9" * 5_000, "A" * 100_000, [], {}, [[]], [[0] * 10] * 10,
    [0.5] * 20_000, {"x" * 10_000: 1}, {"\x1b[2J": 1},
]  # fmt: skip


def mutate(content: bytes, dice: random.Random, with_digest: WithDigest | None = None) -> bytes:
    """Damage a file in one to three places; with `with_digest`, as JSON whose digest fits again."""
    if with_digest is None and dice.random() < 0.4:
        return _other_bytes(content, dice)
    record = json.loads(content)
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        _other_values(record, dice)
    text = json.dumps(record) if with_digest is None else with_digest(record)
    if dice.random() < 0.02:
        depth = dice.choice([50, 5_000, 100_000])
        text = text.replace(":[", ":" + "[" * depth, 1)
    return text.encode()


def _other_bytes(content: bytes, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(content)), dice.choice([0, 1, 1, 5, 1_000, len(content)])
    new = dice.choice([dice.randbytes(dice.randrange(4)), content[at : at + length], b"[" * 9_999])
    return content[:at] + new + content[at + length :]


def _other_values(record: Any, dice: random.Random) -> None:
    """Walk down to some list or mapping, and change, swap, drop or add one thing of it."""
    place = record
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            return
        key = dice.choice(keys)
        below = place[key]
        if not (isinstance(below, list | dict) and below and dice.random() < 0.85):
            break
        place = below
    deed = dice.randrange(6)
    if deed == 0:
        del place[key]
    elif deed == 1:
        other = dice.choice(keys)
        place[key], place[other] = place[other], place[key]
    elif deed == 2 and type(below) in (int, float) and abs(below) < 1e300:
        place[key] = below + dice.choice([-1, 1, 1e-6, -1e-6, below])
    elif deed == 3 and isinstance(place, list):
        place.insert(key, copy.deepcopy(below))
    elif deed == 3:
        place[f"{key}s"] = copy.deepcopy(below)
    else:
        place[key] = copy.deepcopy(dice.choice(ODD))


def mutations(content: bytes, with_digest: WithDigest | None = None) -> st.SearchStrategy[bytes]:
    """Draw damaged files."""
    return st.integers(0, 2**32).map(lambda seed: mutate(content, random.Random(seed), with_digest))


def many_mutations(
    content: bytes, n: int, with_digest: WithDigest | None = None
) -> Iterator[bytes]:
    """Yield n damaged files, the same in every process."""
    return (mutate(content, random.Random(seed), with_digest) for seed in range(n))


def try_to(read: Callable[[], object], error: type[FmnistError], seconds: float = 0) -> bool:
    """Read a damaged file: with success, or with one printable sentence; False when refused.

    `seconds` is how long it may take of a processor, where that is asked for.
    """
    began = time.process_time()
    try:
        read()
    except error as caught:
        sentence = str(caught)
        assert sentence.endswith(".") and sentence.isprintable() and len(sentence) < 1_000, sentence
        return False
    finally:
        assert not seconds or time.process_time() - began < seconds
    return True
