"""What the person on call hears: conditions, an outbox that forgets nothing, and delivery."""
