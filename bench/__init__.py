"""Side-by-side measurements against other backtest engines. Never imported by the product or its tests."""
