"""Market data by command: vendors' answers become the tables of a data folder (docs/data.md)."""
