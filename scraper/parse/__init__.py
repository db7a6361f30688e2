"""Parse stage: a `Page` becomes an `Outcome`. Kept empty: a worker imports only what it needs."""
