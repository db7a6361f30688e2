"""Source: where URLs come from. Lists and iterables in, a stream of `Target`s and invalid entries out."""

from scraper.source.arguments import can_be_opened, default_name, iter_targets, open_sources
from scraper.source.lists import Lists
from scraper.source.selection import PLAIN, Choice, Selection

__all__ = ["PLAIN", "Choice", "Lists", "Selection", "can_be_opened", "default_name", "iter_targets", "open_sources"]
