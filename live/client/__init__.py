"""The connection to TWS or IB Gateway: one thread owns the event loop, and only frozen messages leave it."""
