"""Source: where URLs come from. Lists and iterables in, a stream of `Target`s and invalid entries out."""

from scraper.source.lists import Lists, can_be_opened, default_name, iter_targets, open_sources

__all__ = ["Lists", "can_be_opened", "default_name", "iter_targets", "open_sources"]
