"""What the settings say of hosts, as the schedule takes it."""

from __future__ import annotations

from scraper.schedule import Policy, Rules, product_tokens
from scraper.settings import Settings


def rules_of(settings: Settings, host: str) -> Rules:
    """The limits of a host: its own, and the general ones where it has none."""
    politeness = settings.politeness
    own = settings.hosts.get(host)
    per_host = politeness.per_host if own is None or own.per_host is None else own.per_host
    fixed = own is not None and own.delay is not None
    delay = own.delay if own is not None and own.delay is not None else politeness.delay
    return Rules(per_host, delay, politeness.max_delay, fixed, politeness.adaptive)


def policy_of(settings: Settings) -> Policy | None:
    """How robots.txt is obeyed; None if it is not asked for."""
    if not settings.politeness.robots:
        return None
    return Policy(product_tokens(settings.fetch.user_agent), settings.politeness.max_delay)
