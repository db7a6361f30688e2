"""Write stage: `Outcome`s become committed lines."""

from scraper.write.failures import write_failures
from scraper.write.writer import StreamWriter, Writer

__all__ = ["StreamWriter", "Writer", "write_failures"]
