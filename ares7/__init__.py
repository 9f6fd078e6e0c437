"""Engine-free core: arrays in, arrays out. Imports neither Backtrader nor ib_insync."""
