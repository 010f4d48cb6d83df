"""What people do at the board: each act, note, decision and closed shift becomes one event that Kafka has."""
