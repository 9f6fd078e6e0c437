"""Where data becomes a Panel and a Panel becomes Backtrader feeds. Point-in-time rules live here only."""
