"""What may pass: classes, and the door that lets only their bits through."""
