"""A paper account without a gateway: bars of a data folder, fills of Backtrader's own broker, state in the journal."""
