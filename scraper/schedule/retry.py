"""When to ask again after a failure that may pass."""

from __future__ import annotations

from typing import Final

#: Seconds before the second attempt; doubles with each further one.
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 60.0


def pause(attempts: int, chance: float) -> float:
    """Seconds to wait after `attempts` fetches: exponential, jittered so that hosts are not asked in waves.

    Args:
        attempts: fetches made so far, at least 1.
        chance: a random number in [0, 1).
    """
    full = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 100), LONGEST_PAUSE)  # 2.0 ** 1024 is no number
    return full * (0.5 + chance / 2)
