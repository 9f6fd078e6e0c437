"""What a backtest here does not model. The report prints it under every result."""

NOT_MODELLED = (
    "Market impact, partial fills and queueing: every order fills whole at the session's opening price.",
    "Auction volume: an order for more shares than the opening auction traded still fills.",
    "Taxes, borrow fees, exchange, clearing and regulatory fees, beyond the configured commission model.",
    "Dividends as cash: signals, fills and marks use total-return prices, so dividends are reinvested at "
    "once and without cost, and whole shares are counted in those units.",
    "Survivorship: a universe of today's names overstates every return; membership is tested only where "
    "the data carry it.",
    "Later corrections of the data: prices and market series are taken as the files hold them now.",
    "Losses after the last quote: a delisted position is closed at its last price.",
    "Selection: the standard error beside a Sharpe ratio is that of one strategy chosen in advance, not of "
    "the best of many trials.",
    "Drawdowns longer than 252 sessions in the risk scalers: the model curve is measured against its "
    "trailing peak.",
)
