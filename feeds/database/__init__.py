"""The canonical data folder in PostgreSQL: loaded, dumped, and read as a folder (docs/database.md)."""
