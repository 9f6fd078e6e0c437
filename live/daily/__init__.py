"""The morning job: overlays of a session, their blend, the final weights, as files."""
