"""A TWS-protocol gateway double: accounts, orders, history and faults on a virtual clock, loopback only.

It speaks the text protocol at server versions 157 to 178, so that the real client libraries can be tested, and the
whole live stack tried, without Interactive Brokers. It imports no client library and no backtesting engine.
"""
