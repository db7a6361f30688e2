"""Schedule stage: which `Target` may be fetched now."""

from scraper.schedule.politeness import Rules
from scraper.schedule.schedule import Schedule
from scraper.schedule.seen import Seen

__all__ = ["Rules", "Schedule", "Seen"]
