"""What leaves a journal: by age, for want of space, and at a request."""
