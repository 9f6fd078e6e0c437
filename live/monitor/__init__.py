"""What the person on call sees: figures of an account or of a run, as values, as series and for Prometheus."""
