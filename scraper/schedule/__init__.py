"""Schedule stage: where every URL stands, and which `Target` may be fetched now."""

from scraper.schedule.host import Rules
from scraper.schedule.politeness import Outlook
from scraper.schedule.robots import product_tokens
from scraper.schedule.rulebook import LIFETIME
from scraper.schedule.ruling import Policy
from scraper.schedule.schedule import Schedule
from scraper.schedule.store import Reading, Store

__all__ = ["LIFETIME", "Outlook", "Policy", "Reading", "Rules", "Schedule", "Store", "product_tokens"]
