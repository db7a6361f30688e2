"""Write stage: `Outcome`s become committed lines."""

from scraper.write.writer import StreamWriter, Writer

__all__ = ["StreamWriter", "Writer"]
