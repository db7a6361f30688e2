"""Fetch stage: a `Target` becomes a `Page`, a `Hop` or a `Failure`."""

from scraper.fetch.fetcher import Fetcher

__all__ = ["Fetcher"]
