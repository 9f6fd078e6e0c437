"""One idea, one file: frozen Params, pure weights(panel, params) -> Targets, a Backtrader class."""
