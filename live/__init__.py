"""What runs day after day: the broker's connection, the overlay files and the daily production job."""
