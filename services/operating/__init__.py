"""What those who look after the bus do with it: look at dead letters, send them again, follow what led to what."""
