"""Schedule stage: where every URL stands, and which `Target` may be fetched now."""

from scraper.schedule.politeness import Rules
from scraper.schedule.schedule import Schedule
from scraper.schedule.store import Reading, Store

__all__ = ["Reading", "Rules", "Schedule", "Store"]
